//! What asks for nodes by a label that only nodes of node groups have.

use super::pool::{OF_GROUPS, within};
use super::{Fate, GroupPlan, leaving};
use crate::facts::{Fleet, FleetNode, LabelWish, NodeLabels};
use std::collections::BTreeSet;

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

/// Labels that every node of Karpenter's has: by the types, zones and images of its pool, or by itself (`WellKnownLabels` and `NormalizedLabels` of
/// sigs.k8s.io/karpenter and of its provider for AWS at v1.14.1).
const WELL_KNOWN: [&str; 13] = [
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.ebs.csi.aws.com/zone",
    "topology.k8s.aws/zone-id",
];
const OF_KARPENTER: [&str; 2] = ["karpenter.sh", "karpenter.k8s.aws"];

/// Whether a label of this value is what is asked for.
fn takes(wish: &LabelWish, value: Option<&str>) -> bool {
    value.is_some_and(|value| wish.values.is_empty() || wish.values.iter().any(|wanted| wanted == value))
}

/// Whether a node has what is asked for.
fn has(node: &FleetNode, wish: &LabelWish) -> bool {
    let value = if wish.key == NODE_NAME { Some(&node.name) } else { node.labels.get(&wish.key) };
    takes(wish, value.map(String::as_str))
}

/// The field by which affinity asks for one node.
const NODE_NAME: &str = "metadata.name";

/// The names of the nodes of these groups that leave.
fn going<'p, 'f, 'g: 'p>(plans: impl Iterator<Item = &'p GroupPlan<'g>>, fleet: &'f Fleet) -> BTreeSet<&'f str> {
    plans.flat_map(|plan| leaving(plan, fleet)).map(|node| node.name.as_str()).collect()
}

/// Whether only nodes that leave have a label: they got it by something else than their group, or it is a node's own name.
fn leaves(wish: &LabelWish, of: &[&GroupPlan<'_>], all: &[GroupPlan<'_>], fleet: &Fleet) -> bool {
    if WELL_KNOWN.contains(&wish.key.as_str()) || within(&wish.key, &OF_KARPENTER) {
        return false;
    }
    let given = all.iter().filter_map(|plan| plan.pool.as_ref()).any(|pool| takes(wish, pool.labels.get(&wish.key).map(String::as_str)));
    let by_others = fleet.pools.iter().map(|pool| &pool["spec"]["template"]).any(|template| {
        let asked = template["spec"]["requirements"].as_array().into_iter().flatten();
        takes(wish, template["metadata"]["labels"][&wish.key].as_str()) || asked.into_iter().any(|asked| asked["key"] == *wish.key)
    });
    if given || by_others {
        return false;
    }
    let (own, all_going) = (going(of.iter().copied(), fleet), going(all.iter(), fleet));
    let having = || fleet.nodes.iter().filter(|node| has(node, wish)).map(|node| node.name.as_str());
    having().any(|name| own.contains(name)) && having().all(|name| all_going.contains(name))
}

/// The label by which something is tied to nodes of these groups, as `key=value`: their nodes have it, those of their pools do not. A group that
/// stays has nodes of its own for what asks for it by name, as the guide has it for critical workloads.
pub(super) fn tied(asks: &NodeLabels, of: &[&GroupPlan<'_>], all: &[GroupPlan<'_>], fleet: &Fleet) -> Option<String> {
    let stays = |wish: &LabelWish| all.iter().any(|p| p.fate != Fate::Leaves && wish.values.contains(&p.group.name));
    let pools = || of.iter().filter_map(|p| p.pool.as_ref());
    let dropped = |key: &str| of.iter().any(|p| p.group.labels.contains_key(key)) && !pools().any(|pool| pool.labels.contains_key(key));
    let is_lost = |wish: &LabelWish| within(&wish.key, &OF_GROUPS) || dropped(&wish.key) || leaves(wish, of, all, fleet);
    let found = tie(asks, |wish| is_lost(wish) && !stays(wish))?;
    Some(if found.values.is_empty() { found.key.clone() } else { format!("{}={}", found.key, found.values.join(",")) })
}

/// What makes pods that ask the autoscaler to stay where they are, a sentence each: Karpenter knows another annotation.
#[must_use]
pub fn moved_workloads(fleet: &Fleet) -> Vec<String> {
    let said = |w: &crate::facts::PodMaker| {
        format!(
            "the pods of {} {}/{} have cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\", which Karpenter does not know: give its pod template \
             karpenter.sh/do-not-disrupt: \"true\" too, or they are moved whenever fewer nodes would do",
            w.kind, w.namespace, w.name
        )
    };
    fleet.workloads.iter().filter(|w| w.stays).map(said).collect()
}

/// What makes pods later, or has one on each node, and asks for a label that no node of Karpenter's has: a sentence each.
#[must_use]
pub fn tied_workloads(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let of: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| p.is_touched()).collect();
    let said = |w: &crate::facts::PodMaker| {
        let label = tied(&w.asks, &of, plans, fleet)?;
        let what = if w.kind == "DaemonSet" { "it has no pod on any of them" } else { "its pods find none of them" };
        Some(format!("{} {}/{} asks for nodes with {label}, which no node of Karpenter's has: {what}", w.kind, w.namespace, w.name))
    };
    fleet.workloads.iter().filter_map(said).collect()
}
