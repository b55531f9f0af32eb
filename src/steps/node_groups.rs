//! The nodes of the node groups, emptied one by one, and the groups made small.

use super::migration::{READS, READS_ON_REMOVAL, look, planned, world};
use super::node_emptying::{Emptying, release};
use super::shell::eks_scaling;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Fleet, NodeGroupShape, NodeOwner, Scaling, Topic};
use crate::migration::{
    Fate, GroupPlan, KEPT, SCALING_BEFORE, Wish, is_settled, leaving, marks, movable, obstacles, remembered, staying_behind,
};
use crate::plan::{Action, Direction, State, StepId};
use crate::spec::Spec;
use crate::wording::counted;
use async_trait::async_trait;
use std::collections::BTreeSet;

/// See the module.
pub(super) struct NodeGroups(pub(super) Wish);

#[async_trait]
impl Step for NodeGroups {
    fn id(&self) -> StepId {
        StepId::NodeGroups
    }

    fn title(&self, _: &Spec) -> String {
        "nodes of the node groups".to_owned()
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::MigrationPools, StepId::Autoscaler]
    }

    fn reads(&self) -> &'static [Topic] {
        READS
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        READS_ON_REMOVAL
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        600
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        self.judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, _: &Spec, facts: &Facts) -> State {
        match world(facts) {
            Ok((groups, fleet)) if groups.iter().any(|g| is_begun(g, fleet)) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn restores(&self, facts: &Facts) -> Option<Vec<String>> {
        let groups = world(facts).map(|(groups, _)| groups).unwrap_or_default();
        let how = |g: &NodeGroupShape| Some(format!("node group {}: {} -> {} (min/now/max)", g.name, g.scaling, remembered(g)?));
        Some(groups.iter().filter_map(how).collect())
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match direction {
            Direction::Apply => {
                let Ok((plans, fleet)) = planned(spec, facts, &self.0) else { return Vec::new() };
                plans.iter().filter(|p| !is_settled(p, fleet)).flat_map(|plan| shell(spec, plan, fleet)).collect()
            }
            Direction::Remove => {
                let Ok((groups, _)) = world(facts) else { return Vec::new() };
                groups.iter().filter_map(|g| Some(eks_scaling(spec, &g.name, remembered(g)?))).collect()
            }
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        self.remember(context).await?;
        let (_, fleet) = world(context.facts).map_err(State::into_error)?;
        let emptying = Emptying::new(context, context.kube().await?, fleet);
        loop {
            let facts = look(context, READS).await?;
            let (plans, fleet) = planned(context.spec, &facts, &self.0).map_err(State::into_error)?;
            if let Some(error) = in_the_way(&plans, fleet) {
                return Err(error.into_error());
            }
            // What leaves a group may be pods of the controller, which only the group that stays can take: it grows first, where it is to grow,
            // and is emptied last.
            let mut open: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| !is_settled(p, fleet)).collect();
            open.sort_by_key(|p| (!grows(p), p.fate == Fate::Keeps));
            let Some(plan) = open.first() else { return Ok(()) };
            if grows(plan) {
                resize(context, plan.group, plan.target).await?;
                wait_for_nodes(context, &plan.group.name, plan.target.desired).await?;
                continue;
            }
            emptying.settle(fleet).await?;
            let nodes = leaving(plan, fleet);
            emptying.cordon(&nodes).await?;
            match nodes.iter().position(|node| !movable(fleet, &node.name).is_empty()) {
                Some(at) => {
                    let which = format!("{} of {} of node group {}", at + 1, nodes.len(), plan.group.name);
                    emptying.empty(nodes[at], &which).await?;
                }
                None => self.shrink(context, plan).await?,
            }
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (groups, fleet) = world(context.facts).map_err(State::into_error)?;
        let kube = context.kube().await?;
        for group in groups.iter().filter(|g| is_begun(g, fleet)) {
            for node in fleet.nodes.iter().filter(|n| n.leaving.is_some() && belongs(&n.owner, &group.name)) {
                context.doing(format!("letting pods onto node {} again", node.name));
                release(kube.as_ref(), node).await?;
            }
            if let Some(before) = remembered(group) {
                resize(context, group, before).await?;
                wait_for_nodes(context, &group.name, before.desired).await?;
            }
            context.ports.aws.untag_eks(&group.arn, &[SCALING_BEFORE, KEPT]).await?;
        }
        Ok(())
    }

    fn explain(&self) -> &'static str {
        "Remembers the size of each node group in its tag karpctl.dev/scaling-before, then cordons the nodes of a group that leave and \
         empties them one after another: their pods are asked to go by the Eviction API, which keeps to pod disruption budgets, and the \
         next node waits until every pod that lost its node has another, those that an earlier run displaced among them: since when a node \
         leaves stands in its annotation karpctl.dev/leaving.\n\nNothing is deleted by force: an eviction that stays refused for the \
         time of --timeout ends the run and names the pod and its budget. A group is made small only when the nodes that leave are \
         empty. One group stays, with two nodes, for Karpenter's controller (--keep-node-group names it; several stay with a node each); one that has \
         fewer gets them first.\n\nPods \
         that nobody would make anew, that ask to stay or that ask for a node of a group by its label are named before anything begins. \
         Which instances a group ends, EC2 Auto Scaling decides: for the group that stays karpctl empties those that it usually ends, the \
         oldest, zone by zone.\n\nThe way back sets the sizes of before, waits for the nodes, and leaves the pods where they are."
    }
}

impl NodeGroups {
    fn judge(&self, spec: &Spec, facts: &Facts) -> Result<State, State> {
        let (plans, fleet) = planned(spec, facts, &self.0)?;
        let open: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| !is_settled(p, fleet)).collect();
        if open.is_empty() {
            return Ok(State::Present);
        }
        if let Some(refusal) = in_the_way(&plans, fleet) {
            return Err(refusal);
        }
        Ok(State::Drifted(open.iter().map(|plan| intended(plan, fleet)).collect()))
    }

    /// Writes down the sizes of all groups before any of them changes.
    async fn remember(&self, context: &StepContext<'_>) -> Result<()> {
        let (plans, _) = planned(context.spec, context.facts, &self.0).map_err(State::into_error)?;
        for plan in plans.iter().filter(|p| p.is_touched()) {
            let tags = marks(plan);
            if !tags.is_empty() {
                context.ports.aws.tag_eks(&plan.group.arn, &tags).await?;
            }
        }
        Ok(())
    }

    /// Makes a group small whose leaving nodes are empty, and waits until they are gone.
    async fn shrink(&self, context: &StepContext<'_>, plan: &GroupPlan<'_>) -> Result<()> {
        let name = &plan.group.name;
        resize(context, plan.group, plan.target).await?;
        let kube = context.kube().await?;
        let timed_out = || Error::new(ErrorKind::Timeout, format!("the nodes of the node group {name} do not go"));
        context.doing(format!("waiting until node group {name} has {} nodes", plan.target.desired));
        context
            .wait_for(super::BRIEF, timed_out, || async {
                let facts = look(context, READS).await?;
                let (plans, fleet) = planned(context.spec, &facts, &self.0).map_err(State::into_error)?;
                let Some(plan) = plans.iter().find(|p| p.group.name == *name) else { return Ok(Some(())) };
                // One that was emptied and is not ended: EC2 Auto Scaling chose another.
                for node in staying_behind(plan, fleet) {
                    context.doing(format!("node {} stays: letting pods onto it again", node.name));
                    release(kube.as_ref(), node).await?;
                }
                Ok(is_settled(plan, fleet).then_some(()))
            })
            .await
    }
}

/// Whether a migration has begun with a group.
fn is_begun(group: &NodeGroupShape, fleet: &Fleet) -> bool {
    group.tags.contains_key(SCALING_BEFORE)
        || group.tags.contains_key(KEPT)
        || fleet.nodes.iter().any(|n| n.leaving.is_some() && belongs(&n.owner, &group.name))
}

/// Whether a group gets more nodes than it has.
fn grows(plan: &GroupPlan<'_>) -> bool {
    plan.is_touched() && plan.target.desired > plan.group.scaling.desired
}

fn belongs(owner: &NodeOwner, group: &str) -> bool {
    matches!(owner, NodeOwner::Group(name) if name == group)
}

/// What is done about a group, in words.
fn intended(plan: &GroupPlan<'_>, fleet: &Fleet) -> String {
    let nodes = leaving(plan, fleet);
    let pods: usize = nodes.iter().map(|n| movable(fleet, &n.name).len()).sum();
    let local = nodes.iter().flat_map(|n| movable(fleet, &n.name)).filter(|p| p.local_data).count();
    let lost = if local > 0 { format!(", {local} of which lose what is in an emptyDir") } else { String::new() };
    let role = if plan.fate == Fate::Keeps { " (stays for Karpenter's controller)" } else { "" };
    let (name, before, after) = (&plan.group.name, plan.group.scaling, plan.target);
    let size = format!("its size {before} -> {after} (min/now/max)");
    match nodes.len() {
        0 => format!("node group {name}{role}: {size}"),
        many => format!("node group {name}{role}: empty {} of {}{lost}; then {size}", counted(many, "node"), counted(pods, "pod")),
    }
}

/// The refusal for pods that are not to be moved.
fn in_the_way(plans: &[GroupPlan<'_>], fleet: &Fleet) -> Option<State> {
    let found = obstacles(plans, fleet);
    if found.is_empty() {
        return None;
    }
    let why = found.iter().map(|o| format!("pod {}: {}", o.pod, o.why)).collect::<Vec<_>>().join("; ");
    let hints: BTreeSet<String> = found.into_iter().map(|o| o.hint).collect();
    Some(State::Blocked { why: format!("pods are in the way. {why}"), hints: hints.into_iter().collect() })
}

/// The shell for a group.
fn shell(spec: &Spec, plan: &GroupPlan<'_>, fleet: &Fleet) -> Vec<String> {
    let drain = |node: &str| format!("kubectl drain {node} --ignore-daemonsets --delete-emptydir-data");
    let nodes = leaving(plan, fleet).into_iter().map(|n| drain(&n.name));
    nodes.chain([eks_scaling(spec, &plan.group.name, plan.target)]).collect()
}

/// Sets the size of a group and waits until EKS has done so. A group that is just being changed is waited for.
async fn resize(context: &StepContext<'_>, group: &NodeGroupShape, to: Scaling) -> Result<()> {
    let (aws, cluster, name) = (&context.ports.aws, context.spec.cluster_name.as_str(), group.name.as_str());
    let timed_out = || Error::new(ErrorKind::Timeout, format!("EKS does not set the size of the node group {name} to {to}"));
    context.doing(format!("setting the size of node group {name} to {to}"));
    context
        .wait_for(super::BRIEF, timed_out, || async {
            let facts = look(context, &[Topic::NodeGroupShapes, Topic::Fleet]).await?;
            let (groups, _) = world(&facts).map_err(State::into_error)?;
            let Some(now) = groups.iter().find(|g| g.name == name) else {
                return Err(Error::new(ErrorKind::NotFound, format!("the node group {name} is not there any more")));
            };
            if now.status == "UPDATING" {
                return Ok(None);
            }
            if now.scaling == to {
                return Ok(Some(()));
            }
            match aws.scale_node_group(cluster, name, to).await {
                Err(e) if e.kind != ErrorKind::Conflict => Err(e),
                _ => Ok(None),
            }
        })
        .await
}

/// Waits until as many nodes of a group are ready that no migration empties. What somebody else cordoned is somebody else's to let in.
async fn wait_for_nodes(context: &StepContext<'_>, group: &str, wanted: u32) -> Result<()> {
    let timed_out = || Error::new(ErrorKind::Timeout, format!("the node group {group} does not get its {wanted} nodes"));
    context.doing(format!("waiting until node group {group} has {wanted} nodes that are ready"));
    context
        .wait_for(super::BRIEF, timed_out, || async {
            let facts = look(context, READS_ON_REMOVAL).await?;
            let (_, fleet) = world(&facts).map_err(State::into_error)?;
            let ready = fleet.nodes.iter().filter(|n| n.ready && n.leaving.is_none() && belongs(&n.owner, group)).count();
            Ok((ready >= usize::try_from(wanted).unwrap_or(usize::MAX)).then_some(()))
        })
        .await
}
