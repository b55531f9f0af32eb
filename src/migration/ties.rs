//! What asks for nodes by a label that only nodes of node groups have.

use super::pool::{OF_GROUPS, within};
use super::{Fate, GroupPlan};
use crate::facts::{Fleet, LabelWish, NodeLabels};

/// The first label of those asked for that is lost. Any one term of an affinity is enough for the scheduler: a term without such a label sets
/// the pod free.
fn tie(asks: &NodeLabels, is_lost: impl Fn(&LabelWish) -> bool) -> Option<&LabelWish> {
    let lost = |wishes: &'_ [LabelWish]| wishes.iter().position(&is_lost);
    if let Some(at) = lost(&asks.selector) {
        return Some(&asks.selector[at]);
    }
    let ties: Vec<Option<usize>> = asks.terms.iter().map(|term| lost(term)).collect();
    let first = ties.first().copied().flatten().filter(|_| ties.iter().all(Option::is_some))?;
    Some(&asks.terms[0][first])
}

/// The label by which something is tied to nodes of these groups, as `key=value`: their nodes have it, those of their pools do not. A group that
/// stays has nodes of its own for what asks for it by name, as the guide has it for critical workloads.
pub(super) fn tied(asks: &NodeLabels, of: &[&GroupPlan<'_>], all: &[GroupPlan<'_>]) -> Option<String> {
    let stays = |wish: &LabelWish| all.iter().any(|p| p.fate != Fate::Leaves && wish.values.contains(&p.group.name));
    let pools = || of.iter().filter_map(|p| p.pool.as_ref());
    let dropped = |key: &str| of.iter().any(|p| p.group.labels.contains_key(key)) && !pools().any(|pool| pool.labels.contains_key(key));
    let is_lost = |wish: &LabelWish| within(&wish.key, &OF_GROUPS) || dropped(&wish.key);
    let found = tie(asks, |wish| is_lost(wish) && !stays(wish))?;
    Some(if found.values.is_empty() { found.key.clone() } else { format!("{}={}", found.key, found.values.join(",")) })
}

/// What makes pods later, or has one on each node, and asks for a label that no node of Karpenter's has: a sentence each.
#[must_use]
pub fn tied_workloads(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let of: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| p.is_touched()).collect();
    let said = |w: &crate::facts::PodMaker| {
        let label = tied(&w.asks, &of, plans)?;
        let what = if w.kind == "DaemonSet" { "it has no pod on any of them" } else { "its pods find none of them" };
        Some(format!("{} {}/{} asks for nodes with {label}, which no node of Karpenter's has: {what}", w.kind, w.namespace, w.name))
    };
    fleet.workloads.iter().filter_map(said).collect()
}
