//! Whose Karpenter is installed. A command that makes a working one into what karpctl would have made is never printed.

use super::judgement::installed;
use crate::facts::{Facts, NeighbourKind, Neighbours, Probed, Workload};
use crate::spec::Spec;

/// Every Karpenter of the cluster, whoever installed it, also one without replicas.
pub(super) fn karpenters(neighbours: &Neighbours) -> impl Iterator<Item = &Workload> {
    neighbours.workloads.iter().filter(|w| w.what == NeighbourKind::Karpenter)
}

/// Whether a Karpenter is installed in the cluster, whoever installed it.
pub(super) enum Presence {
    /// None is, or there is no cluster.
    None,
    /// One is.
    Karpenter,
    /// It could not be seen, for this reason.
    Unseen(String),
}

/// Whether a Karpenter is installed. Read from [`Facts::cluster`], [`Facts::chart_release`] and [`Facts::neighbours`].
pub(super) fn presence(facts: &Facts) -> Presence {
    let by_helm = facts.chart_release.known().is_some_and(installed);
    if by_helm || facts.neighbours.known().is_some_and(|found| karpenters(found).next().is_some()) {
        return Presence::Karpenter;
    }
    if facts.cluster == Probed::Absent {
        return Presence::None;
    }
    match &facts.neighbours {
        Probed::Known(_) | Probed::Absent => Presence::None,
        Probed::Unavailable(reason) => Presence::Unseen(reason.clone()),
        Probed::NotAsked => Presence::Unseen("was not looked at".to_owned()),
    }
}

/// What makes karpctl work with the Karpenter that is there, as it is.
pub(super) fn adopt(spec: &Spec) -> [&str; 6] {
    ["karpctl", "adopt", "--cluster-name", spec.cluster_name.as_str(), "--region", spec.region.as_str()]
}
