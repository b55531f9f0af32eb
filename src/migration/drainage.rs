//! Which nodes leave, in which order, and what stands in the way.

use super::ties::tied;
use super::{Fate, GroupPlan};
use crate::facts::{Fleet, FleetNode, FleetPod, NodeOwner, PodEnd, PodOwner, PodVolume};
use crate::wording::named;
use std::collections::{BTreeMap, BTreeSet};

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
            (is_open(node), node.leaving.is_none(), node.ready, std::cmp::Reverse(in_zone), node.created.clone(), node.name.clone())
        };
        let Some(best) = (0..left.len()).max_by_key(|i| rank(left[*i])) else { break };
        let node = left.remove(best);
        *stay.entry(node.zone.as_ref()).or_default() += 1;
    }
    left
}

/// Whether nobody but a migration has cordoned a node: pods go onto it when it stays.
#[must_use]
fn is_open(node: &FleetNode) -> bool {
    node.leaving.as_ref().map_or(!node.cordoned, |leaving| !leaving.cordoned_before)
}

/// The nodes of a group that may stay and that somebody else has cordoned.
#[must_use]
pub fn closed<'f>(plan: &GroupPlan<'_>, fleet: &'f Fleet) -> Vec<&'f FleetNode> {
    let found = nodes_of(plan, fleet).into_iter().filter(|node| !is_open(node));
    if plan.fate == Fate::Keeps { found.collect() } else { Vec::new() }
}

/// The pods of a node that are to go somewhere else before it ends, those that are on their way out among them.
#[must_use]
pub fn movable<'f>(fleet: &'f Fleet, node: &str) -> Vec<&'f FleetPod> {
    fleet.pods.iter().filter(|p| p.node.as_deref() == Some(node) && p.owner != PodOwner::EveryNode).collect()
}

/// Whether a pod is left alone until it has ended, which it does by itself: nobody would make it anew, its Job would fail with it, or it asks to stay.
#[must_use]
pub fn is_awaited(pod: &FleetPod) -> bool {
    pod.end == PodEnd::OnlyTry || pod.end == PodEnd::ByItself && (pod.owner == PodOwner::Nobody || pod.keeps_place.is_some())
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

/// The pods on nodes of a group that leave which nobody would bring back, which ask to stay, or which no node of Karpenter's could take.
#[must_use]
pub fn obstacles(plan: &GroupPlan<'_>, plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<Obstacle> {
    let pods = going(std::slice::from_ref(plan), fleet).into_iter().filter(|pod| !is_awaited(pod));
    pods.filter_map(|pod| obstacle(pod, plan, plans, fleet)).collect()
}

/// The pods on nodes that leave, but those that are on their way out.
fn going<'f>(plans: &[GroupPlan<'_>], fleet: &'f Fleet) -> Vec<&'f FleetPod> {
    let nodes = plans.iter().flat_map(|plan| leaving(plan, fleet));
    nodes.flat_map(|node| movable(fleet, &node.name)).filter(|pod| !pod.leaving).collect()
}

/// The pods that end by themselves, a sentence for those that are waited for, and one for the Jobs of those that are not.
#[must_use]
pub fn ending(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let (awaited, moved): (Vec<&FleetPod>, Vec<&FleetPod>) = going(plans, fleet).into_iter().partition(|pod| is_awaited(pod));
    let mut said = Vec::new();
    if !awaited.is_empty() {
        let shown = awaited
            .iter()
            .map(|pod| if pod.end == PodEnd::OnlyTry { format!("{} (its Job has no other try)", pod.shown()) } else { pod.shown() });
        said.push(format!("pods that end by themselves are not moved but waited for, for the time of --timeout: {}", named(shown, NAMED)));
    }
    let jobs: Vec<&FleetPod> = moved.into_iter().filter(|pod| pod.is_of_job()).collect();
    if !jobs.is_empty() {
        let shown = jobs.iter().map(|pod| format!("{} (since {})", pod.shown(), pod.created));
        said.push(format!(
            "pods of Jobs are ended and begin anew elsewhere: {}; one with the annotation karpenter.sh/do-not-disrupt: \"true\" is waited for",
            named(shown, NAMED)
        ));
    }
    said
}

/// What the autoscaler would have left where it is, and a migration moves, a sentence each: nodes that somebody keeps from it, and pods with an `emptyDir`,
/// which Karpenter moves later, too.
#[must_use]
pub fn left_by_autoscaler(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let kept = plans.iter().flat_map(|plan| leaving(plan, fleet)).filter(|node| node.stays).map(|node| &node.name);
    let kept = named(kept, NAMED);
    let with_data = going(plans, fleet).into_iter().filter(|pod| pod.local_data && !is_awaited(pod)).map(FleetPod::shown);
    let with_data = named(with_data, NAMED);
    let mut said = Vec::new();
    if !kept.is_empty() {
        said.push(format!(
            "nodes that an annotation keeps from the autoscaler (cluster-autoscaler.kubernetes.io/scale-down-disabled) leave all the same: {kept}; where one is to \
             stay, leave its group out: --leave-node-group"
        ));
    }
    if !with_data.is_empty() && fleet.autoscalers.iter().any(|autoscaler| autoscaler.leaves_local_data) {
        said.push(format!(
            "the autoscaler leaves nodes whose pods have an emptyDir, Karpenter does not: {with_data} are moved whenever fewer nodes would do, and lose it, unless \
             their pod template has karpenter.sh/do-not-disrupt: \"true\""
        ));
    }
    said
}

/// The most pods that a sentence names.
const NAMED: usize = 5;

fn obstacle(pod: &FleetPod, plan: &GroupPlan<'_>, plans: &[GroupPlan<'_>], fleet: &Fleet) -> Option<Obstacle> {
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
    let volume_tie = |volume: &PodVolume| Some((volume.claim.clone(), tied(&volume.asks, &[plan], plans, fleet)?));
    if let Some((claim, tie)) = pod.volumes.iter().find_map(volume_tie) {
        return said(
            format!("its volume (claim {claim}) is had only by the node with {tie}, which goes, and what is on it too"),
            format!(
                "copy what is on it, then let claim and pod go, which a StatefulSet makes anew (`kubectl --namespace {namespace} delete \
                 persistentvolumeclaim/{claim} pod/{name}`); or leave the node group out: `--leave-node-group {}`",
                plan.group.name
            ),
        );
    }
    let tie = tied(&pod.asks, &[plan], plans, fleet)?;
    said(
        format!("it asks for a node with {tie}, which no node of Karpenter's has"),
        "take that out of its node selector or affinity: ask for a label of the node group's own, which its node pool gives too (`aws eks \
         update-nodegroup-config --labels` gives the group one)"
            .to_owned(),
    )
}

/// The disruption budgets that hold pods on nodes that leave for as long as nobody changes anything, a sentence each.
#[must_use]
pub fn held(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let mut said = BTreeSet::new();
    for pod in going(plans, fleet).into_iter().filter(|pod| !is_awaited(pod)) {
        let namespace = &pod.namespace;
        if pod.budgets.len() > 1 {
            let names: Vec<&str> = pod.budgets.iter().map(|budget| budget.name.as_str()).collect();
            said.insert(format!(
                "pod {} has several disruption budgets ({}), and the API server evicts no such pod: leave it one (`kubectl --namespace {namespace} \
                 delete poddisruptionbudget {}`, say)",
                pod.shown(),
                names.join(", "),
                names[1]
            ));
        }
        for name in pod.budgets.iter().filter(|budget| budget.closed).map(|budget| &budget.name) {
            said.insert(format!(
                "the disruption budget {namespace}/{name} lets none of its pods go, though all serve: the run waits for it and then ends; give the \
                 workload another replica, or the budget another number (`kubectl --namespace {namespace} get poddisruptionbudget {name}` shows both)"
            ));
        }
    }
    said.into_iter().collect()
}

/// The nodes that a run has cordoned and that stay all the same, because they are not among those that leave.
#[must_use]
pub fn staying_behind<'f>(plan: &GroupPlan<'_>, fleet: &'f Fleet) -> Vec<&'f FleetNode> {
    let leave: Vec<&str> = leaving(plan, fleet).into_iter().map(|n| n.name.as_str()).collect();
    nodes_of(plan, fleet).into_iter().filter(|n| n.leaving.is_some() && !leave.contains(&n.name.as_str())).collect()
}

/// Whether a group gets more nodes than it has.
#[must_use]
pub fn grows(plan: &GroupPlan<'_>) -> bool {
    plan.is_touched() && plan.target.desired > plan.group.scaling.desired
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

/// How many pods are ready of each maker that has one on a node which is to go somewhere else.
#[must_use]
pub fn makers_on(fleet: &Fleet, node: &str) -> BTreeMap<String, u32> {
    let makers = movable(fleet, node).into_iter().filter_map(|pod| pod.maker.clone());
    makers.map(|maker| (maker.clone(), serving(fleet, &maker))).collect()
}

fn serving(fleet: &Fleet, maker: &str) -> u32 {
    let ready = fleet.pods.iter().filter(|p| p.ready && !p.leaving && p.maker.as_deref() == Some(maker)).count();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

/// A maker of which a migration has moved pods, and which has fewer ready than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// `shop/ReplicaSet/web-7d9f`.
    pub maker: String,
    /// How many of its pods are ready.
    pub ready: u32,
    /// How many were.
    pub before: u32,
    /// How many pods it has, but those on their way out.
    pub pods: u32,
}

/// Every maker of whose pods a migration has moved some, from nodes that are still there.
#[must_use]
pub fn debts(fleet: &Fleet) -> Vec<Debt> {
    let mut owed: BTreeMap<&String, u32> = BTreeMap::new();
    for (maker, before) in fleet.nodes.iter().filter_map(|n| n.leaving.as_ref()?.owed.as_ref()).flatten() {
        let most = owed.entry(maker).or_default();
        *most = (*most).max(*before);
    }
    let debt = |(maker, before): (&String, u32)| {
        let pods = fleet.pods.iter().filter(|p| !p.leaving && p.maker.as_ref() == Some(maker)).count();
        Debt { maker: maker.clone(), ready: serving(fleet, maker), before, pods: u32::try_from(pods).unwrap_or(u32::MAX) }
    };
    owed.into_iter().map(debt).collect()
}
