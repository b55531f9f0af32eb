//! Whether each client can load its kubeconfig and finds a cluster in it.

use super::exec::{clients, in_file, make, name};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ChosenFacts, ClientFacts, KubeconfigFacts, NO_SUCH_FILE, Probed, Topic};
use crate::finding::Area;
use std::path::PathBuf;

pub(super) struct ExecKubeconfig;

impl Check for ExecKubeconfig {
    fn id(&self) -> &'static str {
        "exec-kubeconfig"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "A kubeconfig that cannot be loaded, or that names no cluster, sends helm to localhost:8080 or nowhere at all."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        Ok(clients(situation)?.iter().map(|client| judge(situation, client)).collect())
    }
}

fn judge(situation: &Situation<'_>, client: &ClientFacts) -> Judgement {
    let who = name(client);
    match &client.kubeconfig {
        KubeconfigFacts::Unloadable { file, line, why } => {
            let shown = file.display().to_string();
            let line_of = line.map_or(String::new(), |l| format!(", line {l}"));
            let judgement = Judgement::fail(&who, format!("cannot load {shown}{line_of}: {why}")).at(shown.clone(), *line);
            match why.as_str() {
                NO_SUCH_FILE => judgement
                    .fix("name one that is there: --kubeconfig FILE, or the variable KUBECONFIG")
                    .run("or make it for the cluster", make(situation).into_iter().chain(["--kubeconfig".to_owned(), shown])),
                _ => judgement.fix(format!("mend {shown}{line_of}, or name another: --kubeconfig FILE")),
            }
        }
        KubeconfigFacts::Nothing { in_cluster: true, .. } => Judgement::pass(&who, "no kubeconfig: the pod's service account is used"),
        KubeconfigFacts::Nothing { .. } if matches!(situation.facts.cluster, Probed::Absent) => {
            Judgement::skip(&who, "there is no kubeconfig, and no cluster yet that it could be for")
        }
        KubeconfigFacts::Nothing { looked, empty, .. } => {
            let places = |files: &[PathBuf]| files.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
            let what = match empty.as_slice() {
                [] => format!("there is no kubeconfig in {}", places(looked)),
                empty => format!("there is nothing in {}", places(empty)),
            };
            Judgement::fail(&who, format!("{what}, and {who} then asks http://localhost:8080"))
                .run("make one for the cluster", make(situation))
                .fix("or do without: `karpctl bootstrap` gives helm a kubeconfig of its own")
        }
        KubeconfigFacts::Chosen(chosen) => judge_context(situation, &who, chosen),
    }
}

fn judge_context(situation: &Situation<'_>, who: &str, chosen: &ChosenFacts) -> Judgement {
    let subject = format!("context {}, {who}", if chosen.context.is_empty() { "(none)" } else { &chosen.context });
    let files = chosen.files.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let place = chosen.files.first().map(|p| p.display().to_string()).unwrap_or_default();
    let kubectl =
        |words: &[&str]| ["kubectl", "config"].iter().chain(words).map(ToString::to_string).chain(in_file(chosen)).collect::<Vec<String>>();
    if !chosen.context_is_there {
        return Judgement::fail(subject, format!("{files} has no context `{}`", chosen.context))
            .at(place, None)
            .run("see which there are", kubectl(&["get-contexts"]))
            .run("then choose one of them", kubectl(&["use-context", "CONTEXT"]))
            .fix("or name one for this run: --context CONTEXT");
    }
    match &chosen.cluster_problem {
        Some(problem) if chosen.context.is_empty() => Judgement::fail(subject, format!("{files} has no current context: {problem}"))
            .at(place, None)
            .run("choose one", kubectl(&["use-context", "CONTEXT"])),
        Some(problem) => Judgement::fail(subject, format!("{files}: {problem}"))
            .at(place, None)
            .run("write the cluster anew", make(situation).into_iter().chain(in_file(chosen))),
        None => Judgement::pass(subject, format!("{} from {files}", chosen.server)),
    }
}
