//! Whether each client finds the credential plugin and can run it.

use super::exec::{Used, by_aws, each_plugin};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, Topic};
use crate::finding::Area;
use crate::knowledge::exec::is_asked;

pub(super) struct ExecCommand;

impl Check for ExecCommand {
    fn id(&self) -> &'static str {
        "exec-command"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "The plugin is looked for on the client's own PATH, not by a shell: aliases, `~` and `$HOME` mean nothing, and PATH set in the kubeconfig does not find it."
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
    let fail = |message: String| Judgement::fail(used.subject.clone(), message).at(file.clone(), Some(exec.line));
    let entry = format!("users[name={}] in {file}", used.chosen.user);
    if exec.command.is_empty() {
        return fail(format!("command must be specified to use exec authentication plugin: {entry}"))
            .fix(format!("name the plugin in {file}"));
    }
    if exec.env.iter().any(String::is_empty) {
        return fail(format!("env variable name must be specified to use exec authentication plugin: {entry}"))
            .fix(format!("name the variable in {file}, or take it out"));
    }
    match &exec.found {
        Ok(path) => Judgement::pass(used.subject.clone(), format!("{} is {}", exec.command, path.display())),
        Err(_) if !is_asked(used.chosen.token, used.chosen.certificate, &used.build) => {
            Judgement::pass(used.subject.clone(), "another credential goes before the plugin, which is not looked for")
        }
        Err(why) => or_by_aws(used, exec, fail(format!("exec: {why}: {entry}")))
            .fix(if exec.command.contains('/') {
                format!("have a program at {} that can be run, or name another in {file}", exec.command)
            } else {
                format!("install {}, or name its file by its whole path in {file}", exec.command)
            })
            .fix("or do without: `karpctl bootstrap` gives helm a credential plugin of its own"),
    }
}

/// With the command by which the entry runs aws, where it ran another program for a token of EKS.
fn or_by_aws(used: &Used<'_>, exec: &ExecFacts, judgement: Judgement) -> Judgement {
    match by_aws(used, exec) {
        Some(anew) => judgement.run("have the entry written anew: it then runs aws", anew),
        None => judgement,
    }
}
