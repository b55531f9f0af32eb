//! Whether admission webhooks of an older Karpenter are left.

use super::judgement::{installed, installed_release, read};
use super::neighbours::{release_of, working_karpenters};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Topic, WebhookFacts, Workload};
use crate::finding::Area;

pub(super) struct AdmissionWebhooks;

impl Check for AdmissionWebhooks {
    fn id(&self) -> &'static str {
        "admission-webhooks"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Later releases have no admission webhooks. One that an older release left is still asked, by nobody's leave, and every write of a node pool fails: `failed calling webhook \"validation.webhook.karpenter.sh\": … the server rejected our request for an unknown reason`."
    }

    fn explain(&self) -> &'static str {
        "Releases up to 0.32, and the newest patches of 0.33 to 0.37, have admission webhooks. helm takes its own away in an upgrade; those of \
         `helm template`, GitOps or another release stay.\n\n\
         What is seen: `Internal error occurred: failed calling webhook \"validation.webhook.karpenter.sh\": failed to call webhook: the server \
         rejected our request for an unknown reason`, `service \"karpenter\" not found`, or `failed calling webhook … connect: connection refused`, for every write of a node pool.\n\n\
         Delete the configurations that are named; nothing else hangs on them."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Webhooks, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("admission webhooks for Karpenter {}", spec.release);
        let Some(found) = read(&subject, &facts.webhooks)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        if found.is_empty() {
            return Ok(vec![Judgement::pass(subject, "none is left of an older release")]);
        }
        let live = read(&subject, &facts.chart_release)?.filter(|r| installed(r));
        let release = installed_release(situation, &subject)?.unwrap_or_else(|| spec.release.clone());
        // helm takes those of its own release away when it upgrades.
        let own = format!("{}/karpenter", spec.namespace);
        let is_own = |webhook: &WebhookFacts| live.is_some() && webhook.helm_owner.as_ref() == Some(&own);
        if let Some(other) = facts.neighbours.known().and_then(|n| working_karpenters(n).find(|w| may_ask(w, &own))) {
            return Ok(vec![Judgement::pass(subject, format!("they may be those of the Karpenter {}/{}", other.namespace, other.name))]);
        }
        let left: Vec<&WebhookFacts> = found.iter().filter(|w| !release.features().admission_webhooks && !is_own(w)).collect();
        if left.is_empty() {
            return Ok(vec![Judgement::pass(subject, "they are those of the release that is installed")]);
        }
        let names: Vec<&str> = left.iter().map(|w| w.name.as_str()).collect();
        let judgement = Judgement::fail(subject, format!("left of an older Karpenter: {}", names.join(", ")));
        Ok(vec![
            left.iter().fold(judgement, |judgement, webhook| {
                judgement.run("take it away", ["kubectl", "delete", &webhook.resource, &webhook.name])
            }),
        ])
    }
}

/// Whether a Karpenter is not of our helm release, and works with admission webhooks, or may: its image does not say of which release it is.
fn may_ask(workload: &Workload, own: &str) -> bool {
    workload.helm_owner.as_deref() != Some(own) && release_of(workload).is_none_or(|release| release.features().admission_webhooks)
}
