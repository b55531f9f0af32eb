//! Whether a client's own preferences let it run the credential plugin.

use super::exec::{Used, each_plugin};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ExecFacts, Topic};
use crate::finding::Area;

pub(super) struct ExecPluginPolicy;

impl Check for ExecPluginPolicy {
    fn id(&self) -> &'static str {
        "exec-plugin-policy"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "kubectl 1.35 and newer ask ~/.kube/kuberc which credential plugins they may run; one that is not allowed is not run, whatever the kubeconfig says."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Clients]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each_plugin(situation, judge)
    }
}

fn judge(used: &Used<'_>, exec: &ExecFacts) -> Judgement {
    let asked = crate::knowledge::exec::is_asked(used.chosen.token, used.chosen.certificate, &used.build);
    match &exec.forbidden {
        Some(why) if asked => allow(used, exec, Judgement::fail(used.subject.clone(), format!("getting credentials: {why}")))
            .fix(format!("allow {} under credentialPluginAllowlist there, or call kubectl with KUBERC=off", exec.command)),
        _ => Judgement::pass(used.subject.clone(), "no preference keeps the client from running the plugin"),
    }
}

/// With the command by which a kubectl that can write its preferences allows the plugin. It replaces the list, so what is there is said again.
fn allow(used: &Used<'_>, exec: &ExecFacts, judgement: Judgement) -> Judgement {
    let Some(preferences) = exec.preferences.as_ref().filter(|_| used.build.allows_by_command()) else { return judgement };
    let kubectl = used.client.path.display().to_string();
    let policy = ["kuberc", "set", "--section", "credentialplugin", "--policy", "Allowlist"].map(str::to_owned);
    let entries = preferences.allowed.iter().chain([&exec.command]);
    let entries = entries.flat_map(|entry| ["--allowlist-entry".to_owned(), format!("command={entry}")]);
    let file = ["--kuberc".to_owned(), preferences.file.display().to_string()];
    judgement.run("allow it", std::iter::once(kubectl).chain(policy).chain(entries).chain(file))
}
