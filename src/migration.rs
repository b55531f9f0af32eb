//! From the Cluster Autoscaler to Karpenter: what becomes of each node group, the node pool that fits it, and which nodes leave in
//! which order. Pure: what is read is in the facts, and what is written is written by the steps.

mod drainage;
mod fate;
mod pool;
mod roles;
mod scaled;
mod taints;
mod ties;

pub use drainage::{Obstacle, is_settled, leaving, movable, obstacles, staying_behind, unplaced, unplaced_before};
pub use fate::{Fate, GroupPlan, marks, plan, self_managed};
pub use roles::lost_policies;
pub use ties::tied_workloads;

use crate::facts::{NodeGroupShape, Scaling};

/// On a node group: its size before the migration, as `min/desired/max`.
pub const SCALING_BEFORE: &str = "karpctl.dev/scaling-before";
/// On a node group: it stays, for Karpenter's controller.
pub const KEPT: &str = "karpctl.dev/kept-for-karpenter";

/// What a person asks of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The node groups that stay for Karpenter's controller. Empty: the one that fits best.
    pub keep: Vec<String>,
    /// The node groups that are left out: they stay as they are.
    pub leave: Vec<String>,
    /// What becomes of the migration's node pools on the way back.
    pub pools: PoolsOnReturn,
}

/// What becomes of the migration's node pools on the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolsOnReturn {
    /// They stay, and their nodes with them.
    #[default]
    Stay,
    /// They are deleted: Karpenter drains their nodes, and their pods go to the node groups.
    Go,
}

/// The size of a node group before the migration: as remembered, else as it is.
#[must_use]
pub fn scaling_before(group: &NodeGroupShape) -> Scaling {
    remembered(group).unwrap_or(group.scaling)
}

/// The size of a node group before the migration, where the migration has begun with it.
#[must_use]
pub fn remembered(group: &NodeGroupShape) -> Option<Scaling> {
    group.tags.get(SCALING_BEFORE)?.parse().ok()
}
