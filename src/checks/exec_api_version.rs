//! Whether each client takes the apiVersion of the credential plugin: the error that karpctl began with.

use super::exec::{Used, each_plugin, mend, update_kubeconfig, upgrade, writer, written_now};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, Topic};
use crate::finding::{Area, Edit};
use crate::knowledge::exec::{COMMON, full};
use crate::knowledge::writers;

pub(super) struct ExecApiVersion;

impl Check for ExecApiVersion {
    fn id(&self) -> &'static str {
        "exec-api-version"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "client-go 0.24 and newer (helm 3.9, kubectl 1.24) no longer know v1alpha1, and upgrading aws does not change a kubeconfig that it wrote before."
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
    let build = match &used.client.build {
        Some(build) => format!("client-go 0.{}, by {}", build.client_go, used.client.build_source),
        None => "whose client-go is not known and taken for a new one".to_owned(),
    };
    if used.build.accepts(&exec.api_version) {
        return Judgement::pass(used.subject.clone(), format!("takes {} ({build})", exec.api_version)).at(file, Some(exec.line));
    }
    let known: Vec<String> = used.build.known().map(|v| v.to_string()).collect();
    let judgement = Judgement::fail(
        used.subject.clone(),
        format!(
            "exec plugin: invalid apiVersion \"{}\": users[name={}] in {file}, line {}, says it; {} ({build}) takes only {}; {}",
            exec.api_version,
            used.chosen.user,
            exec.line,
            super::exec::name(used.client),
            known.join(" and "),
            std::iter::once(writer(exec)).chain(written_now(exec)).collect::<Vec<_>>().join("; ")
        ),
    )
    .at(file.clone(), Some(exec.line));
    // Who answers v1alpha1 whatever is asked would be refused for that next.
    let program = exec.command.rsplit('/').next().unwrap_or_default();
    let old = exec.at_hand.iter().any(|at| at.program == program && writers::answers_v1beta1(program, &at.version) == Some(false));
    let judgement = match upgrade(exec, program).filter(|_| old) {
        Some(upgrade) => judgement.fix(format!("{upgrade}, which this takes too: it answers v1alpha1 whatever it is asked")),
        None => judgement,
    };
    let everywhere = full(COMMON);
    let title = format!("{}write {everywhere} there, which every client takes; a backup is kept", if old { "and " } else { "" });
    let edit =
        used.chosen.user_file.clone().map(|file| Edit::ExecApiVersion { file, user: used.chosen.user.clone(), api_version: everywhere });
    let judgement = match edit {
        Some(edit) => judgement.edit(title, mend(used, "exec-api-version"), edit, &used.chosen.shared_with),
        None => judgement,
    };
    // An older aws would write the same once more.
    let upgraded = upgrade(exec, "aws");
    let title = match &upgraded {
        Some(upgrade) => format!("or {upgrade}, and have the entry written anew"),
        None => format!("or have the entry written anew by aws {} or newer", writers::cured("aws")),
    };
    match update_kubeconfig(used.chosen, exec) {
        Some(command) => judgement.run(title, command),
        None => judgement,
    }
}
