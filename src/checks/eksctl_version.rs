//! Whether the eksctl at hand can create this cluster.

use super::helm_version::tool;
use super::{Check, Judged, Judgement, Situation, makes_cluster, makes_none};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Tool;

pub(super) struct EksctlVersion;

impl Check for EksctlVersion {
    fn id(&self) -> &'static str {
        "eksctl-version"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "An eksctl older than what the release's guide asks for does not know the fields of its cluster configuration, and one older than the cluster's Kubernetes refuses to create it."
    }

    fn explain(&self) -> &'static str {
        "Compares eksctl with what the release's guide asks for and with the Kubernetes of the cluster that is to be made.\n\nWhat people see \
         otherwise: `unknown field` with the name of the field that it does not know, and `invalid version, supported values: …` for a Kubernetes that came \
         after it.\n\nCure: a newer eksctl, in another place where need be (--eksctl PATH). `karpctl versions` \
         shows the oldest that fits. Asked only where a cluster is made: nothing else runs eksctl."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Tools, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip("eksctl", makes_none(situation.facts)));
        }
        let judgement = tool(spec, Tool::Eksctl, &situation.facts.eksctl);
        if !judgement.is_failure() {
            situation.kubernetes("eksctl")?;
        }
        Ok(vec![judgement])
    }
}
