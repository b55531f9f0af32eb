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
        Some(why) if asked => Judgement::fail(used.subject.clone(), format!("getting credentials: {why}"))
            .fix(format!("allow {} under credentialPluginAllowlist there, or call kubectl with KUBERC=off", exec.command)),
        _ => Judgement::pass(used.subject.clone(), "no preference keeps the client from running the plugin"),
    }
}
