//! Whether each client takes the interactiveMode of the credential plugin.

use super::exec::{Used, each_plugin, mend};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, Topic};
use crate::finding::{Area, Edit};
use crate::knowledge::exec::ModeProblem;

pub(super) struct ExecInteractiveMode;

impl Check for ExecInteractiveMode {
    fn id(&self) -> &'static str {
        "exec-interactive-mode"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "With client.authentication.k8s.io/v1 a kubeconfig must say interactiveMode; `Always` cannot work in a pipeline, where there is no terminal."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each_plugin(situation, judge)
    }
}

fn judge(used: &Used<'_>, exec: &ExecFacts) -> Judgement {
    let file = used.chosen.user_file.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
    let problem = used.build.mode_problem(&exec.interactive_mode, exec.terminal);
    let message = match &problem {
        None => return Judgement::pass(used.subject.clone(), format!("interactiveMode {} is taken", shown(&exec.interactive_mode))),
        // It is asked for only when the plugin is.
        Some(ModeProblem::NoTerminal) if !crate::knowledge::exec::is_asked(used.chosen.token, used.chosen.certificate, &used.build) => {
            return Judgement::pass(used.subject.clone(), "another credential goes before the plugin");
        }
        Some(ModeProblem::NoTerminal) => {
            "exec plugin cannot support interactive mode: interactiveMode is Always, and standard input is not a terminal".to_owned()
        }
        Some(ModeProblem::Missing) => "interactiveMode must be specified to use exec authentication plugin".to_owned(),
        Some(ModeProblem::Invalid) => format!("invalid interactiveMode: \"{}\"", exec.interactive_mode),
    };
    let judgement = Judgement::fail(used.subject.clone(), format!("{message}: users[name={}] in {file}", used.chosen.user))
        .at(file.clone(), Some(exec.line));
    let title = format!("write `interactiveMode: {EVERYWHERE}` beside apiVersion in {file}, line {}; a backup is kept", exec.line);
    match &used.chosen.user_file {
        Some(file) => {
            let edit = Edit::InteractiveMode { file: file.clone(), user: used.chosen.user.clone(), mode: EVERYWHERE.to_owned() };
            judgement.edit(title, mend(used, "exec-interactive-mode"), edit, &used.chosen.shared_with)
        }
        None => judgement,
    }
}

/// The mode that asks a person where there is one, and works in a pipeline.
const EVERYWHERE: &str = "IfAvailable";

fn shown(mode: &str) -> &str {
    if mode.is_empty() { "(none)" } else { mode }
}
