//! Which nodes leave, in which order, and what stands in the way.

use super::GroupPlan;
use super::ties::tied;
use crate::facts::{Fleet, FleetNode, FleetPod, NodeOwner, PodOwner};
use std::collections::BTreeMap;

/// The nodes of a group.
fn nodes_of<'f>(plan: &GroupPlan<'_>, fleet: &'f Fleet) -> Vec<&'f FleetNode> {
    fleet.nodes.iter().filter(|n| matches!(&n.owner, NodeOwner::Group(name) if *name == plan.group.name)).collect()
}

/// The nodes of a group that leave: those first that have begun to. The ones that stay are spread over the zones, and of each zone the
/// newest, as EC2 Auto Scaling lets them stay: it evens out the zones and ends the oldest.
#[must_use]
pub fn leaving<'f>(plan: &GroupPlan<'_>, fleet: &'f Fleet) -> Vec<&'f FleetNode> {
    if !plan.is_touched() {
        return Vec::new();
    }
    let mut left = nodes_of(plan, fleet);
    left.sort_by_key(|n| (n.leaving.is_none(), n.created.clone(), n.name.clone()));
    let mut stay: BTreeMap<Option<&String>, u32> = BTreeMap::new();
    for _ in 0..plan.target.desired {
        let rank = |node: &FleetNode| {
            let in_zone = stay.get(&node.zone.as_ref()).copied().unwrap_or(0);
            (node.leaving.is_none(), node.ready, std::cmp::Reverse(in_zone), node.created.clone(), node.name.clone())
        };
        let Some(best) = (0..left.len()).max_by_key(|i| rank(left[*i])) else { break };
        let node = left.remove(best);
        *stay.entry(node.zone.as_ref()).or_default() += 1;
    }
    left
}

/// The pods of a node that are to go somewhere else before it ends, those that are on their way out among them.
#[must_use]
pub fn movable<'f>(fleet: &'f Fleet, node: &str) -> Vec<&'f FleetPod> {
    fleet.pods.iter().filter(|p| p.node.as_deref() == Some(node) && p.owner != PodOwner::EveryNode).collect()
}

/// A pod that is not to be moved, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// `shop/web-0`.
    pub pod: String,
    /// Why.
    pub why: String,
    /// What helps, a sentence with a command.
    pub hint: String,
}

/// The pods on nodes that leave which nobody would bring back, which ask to stay, or which no node of Karpenter's could take.
#[must_use]
pub fn obstacles(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<Obstacle> {
    let nodes = plans.iter().flat_map(|plan| leaving(plan, fleet).into_iter().map(move |node| (plan, node)));
    let pods = nodes.flat_map(|(plan, node)| movable(fleet, &node.name).into_iter().map(move |pod| (plan, pod)));
    pods.filter(|(_, pod)| !pod.leaving).filter_map(|(plan, pod)| obstacle(pod, plan, plans)).collect()
}

fn obstacle(pod: &FleetPod, plan: &GroupPlan<'_>, plans: &[GroupPlan<'_>]) -> Option<Obstacle> {
    let (namespace, name) = (&pod.namespace, &pod.name);
    let said = |why: String, hint: String| Some(Obstacle { pod: pod.shown(), why, hint });
    if pod.owner == PodOwner::Nobody {
        return said(
            "no controller would make it anew".to_owned(),
            format!("delete it once it may go (`kubectl --namespace {namespace} delete pod {name}`), or let a Deployment make it"),
        );
    }
    if let Some(annotation) = &pod.keeps_place {
        let key = annotation.split(':').next().unwrap_or_default();
        return said(
            format!("it asks to stay, by {annotation}"),
            format!("let it go once it may: `kubectl --namespace {namespace} annotate pod {name} {key}-`"),
        );
    }
    let tie = tied(&pod.asks, &[plan], plans)?;
    said(
        format!("it asks for a node with {tie}, which no node of Karpenter's has"),
        "take that out of its node selector or affinity: ask for a label of the node group's own, which its node pool gives too".to_owned(),
    )
}

/// The nodes that a run has cordoned and that stay all the same, because they are not among those that leave.
#[must_use]
pub fn staying_behind<'f>(plan: &GroupPlan<'_>, fleet: &'f Fleet) -> Vec<&'f FleetNode> {
    let leave: Vec<&str> = leaving(plan, fleet).into_iter().map(|n| n.name.as_str()).collect();
    nodes_of(plan, fleet).into_iter().filter(|n| n.leaving.is_some() && !leave.contains(&n.name.as_str())).collect()
}

/// Whether a group is as it shall be.
#[must_use]
pub fn is_settled(plan: &GroupPlan<'_>, fleet: &Fleet) -> bool {
    !plan.is_touched()
        || plan.group.scaling.min == plan.target.min
            && plan.group.scaling.desired == plan.target.desired
            && plan.group.status != "UPDATING"
            && leaving(plan, fleet).is_empty()
            && staying_behind(plan, fleet).is_empty()
}

/// The pods that wait for a node, but those that are on their way out.
#[must_use]
pub fn unplaced(fleet: &Fleet) -> Vec<&FleetPod> {
    fleet.pods.iter().filter(|p| p.node.is_none() && !p.leaving && p.owner != PodOwner::EveryNode).collect()
}

/// Those of them that are no doing of the migration: they were there before it began to empty a node. While no node is being emptied, all.
#[must_use]
pub fn unplaced_before(fleet: &Fleet) -> Vec<&FleetPod> {
    let begun = fleet.nodes.iter().filter_map(|n| n.leaving.as_ref()).map(|leaving| leaving.since.as_str()).min();
    unplaced(fleet).into_iter().filter(|pod| begun.is_none_or(|begun| pod.created.as_str() < begun)).collect()
}
