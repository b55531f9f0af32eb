//! What becomes of each node group.

use super::pool::pool_of;
use super::scaled::apart;
use super::taints::is_passing;
use super::weights::weigh;
use super::{KEPT, SCALING_BEFORE, Wish, is_kept, scaling_before};
use crate::error::{Error, Result};
use crate::facts::{Fleet, NodeGroupShape, NodeOwner, Scaling};
use crate::render::PoolShape;
use crate::spec::{AmiAlias, Spec};
use std::collections::BTreeSet;

/// What becomes of a node group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It shrinks to as many nodes as Karpenter's controller needs, which Karpenter itself cannot make.
    Keeps,
    /// It goes down to no nodes. The group itself stays, for the way back.
    Leaves,
    /// It stays as it is, for this reason, and nothing scales it any more.
    Untouched(String),
    /// It is none of the migration's, for this reason: the autoscaler does not scale it.
    Apart(String),
}

/// A node group and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan<'a> {
    /// The group.
    pub group: &'a NodeGroupShape,
    /// What becomes of it.
    pub fate: Fate,
    /// The node pool that makes its nodes from now on. None only for one that is untouched.
    pub pool: Option<PoolShape>,
    /// Its size afterwards.
    pub target: Scaling,
    /// What the pool does not carry over, a sentence each.
    pub notes: Vec<String>,
}

impl GroupPlan<'_> {
    /// Whether the migration changes its size.
    #[must_use]
    pub const fn is_touched(&self) -> bool {
        matches!(self.fate, Fate::Keeps | Fate::Leaves)
    }
}

/// How many nodes a single group keeps, as the guide for leaving the Cluster Autoscaler has it: the controller has two replicas, and its
/// chart lets no two run on one node. Where several groups stay, each keeps one.
const KEPT_NODES: u32 = 2;

/// What becomes of each node group. `recommended` is the image that AWS recommends of the release's own AMI family.
pub fn plan<'a>(
    spec: &Spec,
    groups: &'a [NodeGroupShape],
    fleet: &Fleet,
    wish: &Wish,
    recommended: Option<&AmiAlias>,
) -> Result<Vec<GroupPlan<'a>>> {
    if groups.is_empty() {
        return Err(Error::refused(format!("cluster {} has no managed node group that could be migrated", spec.cluster_name)).hint(
            "node groups that EKS does not manage are not migrated: make node pools for them yourself, `karpctl node-pool` makes one",
        ));
    }
    let fated = |group: &'a NodeGroupShape| match apart(spec, group, groups, fleet) {
        Some(why) => stays(group, Fate::Apart(why)),
        None if wish.leave.contains(&group.name) => stays(group, Fate::Untouched("--leave-node-group names it".to_owned())),
        None => shaped(spec, group, fleet, recommended),
    };
    let mut plans: Vec<GroupPlan<'a>> = groups.iter().map(fated).collect();
    let kept = kept(&plans, fleet, wish)?;
    let each = if kept.len() == 1 { KEPT_NODES } else { 1 };
    for plan in plans.iter_mut().filter(|p| p.is_touched()) {
        let max = scaling_before(plan.group, fleet).max;
        if kept.contains(&plan.group.name) {
            plan.fate = Fate::Keeps;
            plan.target = Scaling { min: each, desired: each, max: max.max(each) };
        } else {
            plan.target = Scaling { min: 0, desired: 0, max };
        }
    }
    name_apart(&mut plans);
    weigh(&mut plans, fleet);
    Ok(plans)
}

fn stays(group: &NodeGroupShape, fate: Fate) -> GroupPlan<'_> {
    GroupPlan { group, fate, pool: None, target: group.scaling, notes: Vec::new() }
}

fn shaped<'a>(spec: &Spec, group: &'a NodeGroupShape, fleet: &Fleet, recommended: Option<&AmiAlias>) -> GroupPlan<'a> {
    let untouched = |why: String| stays(group, Fate::Untouched(why));
    if !matches!(group.status.as_str(), "ACTIVE" | "UPDATING" | "DEGRADED") {
        return untouched(format!("it is {}", group.status));
    }
    match pool_of(spec, group, fleet, recommended) {
        Ok((pool, notes)) => GroupPlan { group, fate: Fate::Leaves, pool: Some(pool), target: group.scaling, notes },
        Err(why) => untouched(why),
    }
}

/// The groups that stay for the controller: those that the person names, else those that an earlier run chose, else the one that fits
/// best by what a migration does not change.
fn kept(plans: &[GroupPlan<'_>], fleet: &Fleet, wish: &Wish) -> Result<BTreeSet<String>> {
    let names = || plans.iter().map(|p| p.group.name.as_str()).collect::<Vec<_>>().join(", ");
    let named = |flag: &str, name: &str| {
        let unknown = || Error::usage(format!("{flag}: there is no managed node group {name}")).hint(format!("there are: {}", names()));
        plans.iter().find(|p| p.group.name == name).ok_or_else(unknown)
    };
    for name in &wish.leave {
        named("--leave-node-group", name)?;
    }
    if let Some(error) = nothing_scaled(plans) {
        return Err(error);
    }
    for name in &wish.keep {
        let plan = named("--keep-node-group", name)?;
        if let Some(why) = unfit(plan.group, fleet) {
            return Err(Error::refused(format!("the node group {name} cannot keep Karpenter's controller: {why}"))
                .hint(format!("name another by --keep-node-group: {}", names())));
        }
    }
    if !wish.keep.is_empty() {
        return Ok(wish.keep.iter().cloned().collect());
    }
    let chosen: BTreeSet<String> = plans.iter().filter(|p| is_kept(p.group, fleet)).map(|p| p.group.name.clone()).collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let best = plans.iter().filter(|p| p.is_touched() && unfit(p.group, fleet).is_none()).max_by_key(|p| fitness(p.group, fleet));
    best.map(|p| BTreeSet::from([p.group.name.clone()])).ok_or_else(|| {
        let why = plans.iter().map(|p| match (&p.fate, unfit(p.group, fleet)) {
            (Fate::Untouched(why) | Fate::Apart(why), _) => format!("{}: {why}", p.group.name),
            (_, why) => format!("{}: {}", p.group.name, why.unwrap_or_default()),
        });
        let error = Error::refused("no node group can keep Karpenter's controller, which cannot run on nodes that it makes itself");
        why.fold(error, Error::because).hint("make a small node group of Linux without taints for it, then run this again")
    })
}

/// The memory of a type of which a node has room for the controller beside what every node runs, in MiB: its chart asks for 1 CPU and 1 GiB.
const ROOMY_MIB: u64 = 4096;

/// How well a group fits to stay: its nodes stay theirs, have no accelerators, have room, are meant for what the cluster itself runs, and cost little.
fn fitness<'g>(group: &'g NodeGroupShape, fleet: &Fleet) -> impl Ord + use<'g> {
    let accelerated = ["GPU", "NVIDIA", "NEURON"].iter().any(|word| group.ami_type.contains(word));
    let roomy = group.instance_types.iter().all(|t| t.vcpus >= 2 && t.memory_mib >= ROOMY_MIB);
    let for_the_cluster = group.taints.iter().any(|taint| taint.key == CRITICAL);
    let largest = group.instance_types.iter().map(|t| t.vcpus).max();
    let name = std::cmp::Reverse(&group.name);
    (
        group.capacity_type == "ON_DEMAND",
        !accelerated,
        roomy,
        for_the_cluster,
        std::cmp::Reverse(largest),
        scaling_before(group, fleet).max,
        name,
    )
}

/// The taint that the controller's chart tolerates.
const CRITICAL: &str = "CriticalAddonsOnly";

/// The refusal where the autoscaler scales none of the groups.
fn nothing_scaled(plans: &[GroupPlan<'_>]) -> Option<Error> {
    let why = |p: &GroupPlan<'_>| match &p.fate {
        Fate::Apart(why) => Some(format!("{}: {why}", p.group.name)),
        _ => None,
    };
    let all: Vec<String> = plans.iter().map(why).collect::<Option<_>>()?;
    let error = Error::refused("the Cluster Autoscaler scales none of the managed node groups");
    Some(
        all.iter()
            .fold(error, Error::because)
            .hint("see what it works on: `kubectl --namespace kube-system get configmap cluster-autoscaler-status --output yaml`"),
    )
}

/// Why the controller's pods cannot run on a group's nodes. Its chart tolerates one taint.
fn unfit(group: &NodeGroupShape, fleet: &Fleet) -> Option<String> {
    if group.ami_type.starts_with("WINDOWS_") {
        return Some("its nodes run Windows".to_owned());
    }
    let repels = |t: &&crate::facts::GroupTaint| t.effect != "PREFER_NO_SCHEDULE" && t.key != CRITICAL && !is_passing(t, group, fleet);
    group.taints.iter().find(repels).map(|t| format!("its taint {} lets no pod of Karpenter's in", t.key))
}

/// Two groups whose names differ by what an object's name cannot have.
fn name_apart(plans: &mut [GroupPlan<'_>]) {
    let mut taken = BTreeSet::new();
    for pool in plans.iter_mut().filter_map(|p| p.pool.as_mut()) {
        let mut number = 1;
        let name = pool.name.clone();
        while !taken.insert(pool.name.clone()) {
            number += 1;
            let room: String = name.as_str().chars().take(59).collect();
            if let Ok(other) = format!("{room}-{number}").parse() {
                pool.name = other;
            }
        }
    }
}

/// What is scaled by a Cluster Autoscaler, or is there, and is of no managed node group: a sentence each.
#[must_use]
pub fn self_managed(groups: &[NodeGroupShape], fleet: &Fleet) -> Vec<String> {
    let managed: BTreeSet<&String> = groups.iter().flat_map(|g| &g.scaling_groups).collect();
    let scaled = fleet.autoscalers.iter().flat_map(|a| a.scaling_groups.iter().chain(a.works_on.iter().flatten()));
    let mut said: BTreeSet<String> = scaled
        .filter(|name| !managed.contains(name))
        .map(|name| format!("the Auto Scaling group {name}, which the autoscaler scales"))
        .collect();
    let mut unnamed = 0;
    for node in &fleet.nodes {
        match &node.owner {
            NodeOwner::SelfManaged(Some(group)) => {
                said.insert(format!("the self-managed node group {group}"));
            }
            NodeOwner::SelfManaged(None) => unnamed += 1,
            NodeOwner::Group(_) | NodeOwner::Other => {}
        }
    }
    let said = said.into_iter().chain((unnamed > 0).then(|| format!("{unnamed} nodes of no node group")));
    said.map(|what| format!("not migrated: {what}; it stays as it is, and nothing scales it any more")).collect()
}

/// What a run writes down of a group.
#[must_use]
pub fn marks(plan: &GroupPlan<'_>, fleet: &Fleet) -> std::collections::BTreeMap<String, String> {
    let size = (SCALING_BEFORE.to_owned(), scaling_before(plan.group, fleet).to_string());
    let kept = (plan.fate == Fate::Keeps).then(|| (KEPT.to_owned(), "true".to_owned()));
    std::iter::once(size).chain(kept).collect()
}
