//! Whose Karpenter is installed. A command that makes a working one into what karpctl would have made is never printed.

use crate::facts::{NeighbourKind, Neighbours, Workload};

/// Every Karpenter of the cluster, whoever installed it, also one without replicas.
pub(super) fn karpenters(neighbours: &Neighbours) -> impl Iterator<Item = &Workload> {
    neighbours.workloads.iter().filter(|w| w.what == NeighbourKind::Karpenter)
}
