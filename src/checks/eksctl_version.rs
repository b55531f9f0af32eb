//! Whether the eksctl at hand can create this cluster.

use super::helm_version::tool;
use super::{Check, Judgement, Situation};
use crate::finding::{Area, Verdict};
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
        "An eksctl older than what the release's guide asks for does not know the fields of its cluster configuration."
    }

    fn judge(&self, situation: &Situation<'_>) -> Judgement {
        if situation.makes_cluster() {
            tool(situation, Tool::Eksctl, "eksctl", &situation.facts.eksctl, "--eksctl PATH")
        } else {
            Judgement::new(Verdict::Skip, "eksctl", "no cluster is made")
        }
    }
}
