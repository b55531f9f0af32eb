//! What a migration writes down of each node group, and where: in tags of the group, and on its node pool. Whoever keeps the group in a file
//! (Terraform, say) takes tags off that the file does not name.

use crate::facts::{Fleet, NodeGroupShape, Scaling};
use crate::render::NODE_GROUP_LABEL;
use serde_json::Value;

/// A node group's size before the migration, as `min/desired/max`.
pub const SCALING_BEFORE: &str = "karpctl.dev/scaling-before";
/// That a node group stays, for Karpenter's controller.
pub const KEPT: &str = "karpctl.dev/kept-for-karpenter";

/// The node pool that was made for a group.
#[must_use]
pub fn pool_for<'f>(group: &NodeGroupShape, fleet: &'f Fleet) -> Option<&'f Value> {
    fleet.pools.iter().find(|pool| pool["metadata"]["labels"][NODE_GROUP_LABEL] == group.name)
}

/// What is written down of a group: in its tags, else in an annotation of its pool.
fn noted<'f>(group: &'f NodeGroupShape, fleet: &'f Fleet, key: &str) -> Option<&'f str> {
    let on_pool = || pool_for(group, fleet)?["metadata"]["annotations"][key].as_str();
    group.tags.get(key).map(String::as_str).or_else(on_pool)
}

/// Whether a group is one that stays for the controller, by what an earlier run chose.
#[must_use]
pub fn is_kept(group: &NodeGroupShape, fleet: &Fleet) -> bool {
    noted(group, fleet, KEPT).is_some()
}

/// Whether a migration has begun with a group: every group that it takes is marked so before the first of them changes.
#[must_use]
pub fn is_begun(group: &NodeGroupShape, fleet: &Fleet) -> bool {
    noted(group, fleet, SCALING_BEFORE).is_some() || is_kept(group, fleet)
}

/// The size of a node group before the migration, where the migration has begun with it.
#[must_use]
pub fn remembered(group: &NodeGroupShape, fleet: &Fleet) -> Option<Scaling> {
    noted(group, fleet, SCALING_BEFORE)?.parse().ok()
}

/// The size of a node group before the migration: as remembered, else as it is.
#[must_use]
pub fn scaling_before(group: &NodeGroupShape, fleet: &Fleet) -> Scaling {
    remembered(group, fleet).unwrap_or(group.scaling)
}

/// The groups that a migration has made smaller than they were, with how large they were.
#[must_use]
pub fn small<'g>(groups: &'g [NodeGroupShape], fleet: &Fleet) -> Vec<(&'g NodeGroupShape, Scaling)> {
    let before = groups.iter().filter_map(|group| Some((group, remembered(group, fleet)?)));
    before.filter(|(group, before)| group.scaling.desired < before.desired).collect()
}
