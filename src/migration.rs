//! From the Cluster Autoscaler to Karpenter: what becomes of each node group, the node pool that fits it, and which nodes leave in
//! which order. Pure: what is read is in the facts, and what is written is written by the steps.

mod drainage;
mod fate;
mod memory;
mod pool;
mod roles;
mod scaled;
mod taints;
mod ties;
mod weights;

pub use drainage::{
    Debt, Obstacle, closed, debts, ending, grows, held, is_awaited, is_settled, leaving, left_by_autoscaler, makers_on, movable, obstacles,
    staying_behind, unplaced, unplaced_before,
};
pub use fate::{Fate, GroupPlan, marks, plan, self_managed};
pub use memory::{KEPT, SCALING_BEFORE, is_begun, is_kept, pool_for, remembered, scaling_before, small};
pub use roles::lost_policies;
pub use ties::{moved_workloads, tied_workloads};
pub use weights::{order, others};

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
