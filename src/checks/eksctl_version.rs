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

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Tools, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip("eksctl", makes_none(situation.facts)));
        }
        Ok(vec![tool(spec, Tool::Eksctl, &situation.facts.eksctl)])
    }
}
