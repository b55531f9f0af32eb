//! The nodes of the node groups, emptied one by one, and the groups made small.

use super::autoscaler::Autoscaler;
use super::migration::{READS, READS_ON_REMOVAL, look, planned, world};
use super::migration_shell;
use super::node_emptying::{Emptying, release};
use super::node_group_size::{belongs, resize, wait_for_nodes};
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AutoscalerFacts, Facts, Fleet, NodeGroupShape, Topic};
use crate::migration::{
    Fate, GroupPlan, KEPT, Obstacle, SCALING_BEFORE, Wish, closed, ending, grows, held, is_begun, is_kept, is_settled, leaving,
    left_by_autoscaler, marks, movable, obstacles, pool_for, remembered, staying_behind,
};
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::Kube;
use crate::probe::kinds::{Kinds, cluster_wide, name_of};
use crate::render::NODE_GROUP_LABEL;
use crate::spec::Spec;
use crate::wording::counted;
use async_trait::async_trait;
use serde_json::{Value, json};
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
            Ok((groups, fleet)) if groups.iter().any(|g| is_open(g, fleet)) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn restores(&self, facts: &Facts) -> Option<Vec<String>> {
        let Ok((groups, fleet)) = world(facts) else { return Some(Vec::new()) };
        let how = |g: &NodeGroupShape| Some(format!("node group {}: {} -> {} (min/now/max)", g.name, g.scaling, remembered(g, fleet)?));
        Some(groups.iter().filter_map(how).collect())
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match direction {
            Direction::Apply => {
                let Ok((plans, fleet)) = planned(spec, facts, &self.0) else { return Vec::new() };
                migration_shell::there(spec, &plans, fleet)
            }
            Direction::Remove => {
                let Ok((groups, fleet)) = world(facts) else { return Vec::new() };
                migration_shell::back(spec, &groups.iter().filter(|g| is_open(g, fleet)).collect::<Vec<_>>(), fleet)
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
            if let Some(back) = fleet.autoscalers.iter().find(|a| a.replicas > 0) {
                return Err(comes_back(context.spec, back));
            }
            // What leaves a group may be pods of the controller, which only the group that stays can take: it grows first, where it is to grow,
            // and is emptied last.
            let mut open: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| !is_settled(p, fleet)).collect();
            open.sort_by_key(|p| (!grows(p), p.fate == Fate::Keeps));
            let Some(plan) = open.first() else { return Ok(()) };
            if grows(plan) {
                resize(context, plan.group, plan.target).await?;
                match wait_for_nodes(context, &[(&plan.group.name, plan.target.desired)]).await?.first() {
                    Some(short) => return Err(Error::new(ErrorKind::Timeout, short.shown())),
                    None => continue,
                }
            }
            // What came onto a group whose turn is later may have ended by then.
            if let Some(error) = in_the_way(std::slice::from_ref(*plan), &plans, fleet) {
                return Err(error.into_error());
            }
            emptying.settle(fleet).await?;
            let nodes = leaving(plan, fleet);
            emptying.cordon(&nodes).await?;
            match nodes.iter().position(|node| !movable(fleet, &node.name).is_empty()) {
                Some(at) => {
                    let which = format!("{} of {} of node group {}", at + 1, nodes.len(), plan.group.name);
                    emptying.empty(fleet, nodes[at], &which).await?;
                }
                None => self.shrink(context, plan).await?,
            }
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (groups, fleet) = world(context.facts).map_err(State::into_error)?;
        let kube = context.kube().await?;
        let begun: Vec<&NodeGroupShape> = groups.iter().filter(|g| is_open(g, fleet)).collect();
        let mut failed = Vec::new();
        let mut wanted = Vec::new();
        for group in &begun {
            match give_back(context, kube.as_ref(), group, fleet).await {
                Ok(()) => wanted.extend(remembered(group, fleet).map(|before| (group.name.as_str(), before.desired))),
                Err(e) if e.kind == ErrorKind::Interrupted => return Err(e),
                Err(e) => failed.push((group.name.clone(), e.to_string())),
            }
        }
        let short = wait_for_nodes(context, &wanted).await?;
        failed.extend(short.iter().map(|short| (short.group.clone(), short.shown())));
        for group in begun.into_iter().filter(|group| !failed.iter().any(|(name, _)| *name == group.name)) {
            forget(context, kube.as_ref(), group, fleet).await?;
        }
        if failed.is_empty() {
            return Ok(());
        }
        // Whatever one group lacks, pods that wait have somebody again who makes nodes for them.
        Autoscaler.remove(context).await?;
        let why = failed.iter().map(|(_, why)| why.clone());
        let error = Error::new(ErrorKind::Timeout, "not every node group is as it was; the autoscaler runs again");
        Err(why.fold(error, Error::because)
            .hint("once EKS makes their nodes, run this again: it looks at these groups only")
            .hint(format!("where nodes of Karpenter's hold what they lack (a quota of vCPUs, addresses), let those go first: `kubectl delete {} --selector {NODE_GROUP_LABEL}`; their pods wait until the groups have nodes", Kinds::of(context.spec).pool.plural)))
    }

    fn explain(&self) -> &'static str {
        "Remembers the size of each node group in its tag karpctl.dev/scaling-before, and in an annotation of its node pool, then cordons the nodes of a group that leave and \
         empties them one after another: their pods are asked to go by the Eviction API, which keeps to pod disruption budgets, and the \
         next node waits until every pod that lost its node has another and as many of its owner's are ready as before, those that an earlier run displaced among them: since when a node \
         leaves stands in its annotation karpctl.dev/leaving, and how many were ready in karpctl.dev/ready-before.\n\nNothing is deleted by force: an eviction that stays refused for the \
         time of --timeout ends the run and names the pod and its budget. A group is made small only when the nodes that leave are \
         empty. One group stays, with two nodes, for Karpenter's controller (--keep-node-group names it; several stay with a node each); one that has \
         fewer gets them first.\n\nPods \
         that nobody would make anew, that ask to stay or that ask for a node of a group by its label are named before anything begins; of these, one that ends \
         by itself, as the pod of a CI job does, is waited for, and so is that of a Job without another try. \
         Which instances a group ends, EC2 Auto Scaling decides: for the group that stays karpctl empties those that it usually ends, the \
         oldest, zone by zone.\n\nThe way back sets the sizes of before in all groups, waits for the nodes, and leaves the pods where they are. What does not get its nodes in time is told at the end, when the autoscaler \
         runs again."
    }
}

impl NodeGroups {
    fn judge(&self, spec: &Spec, facts: &Facts) -> Result<State, State> {
        let (plans, fleet) = planned(spec, facts, &self.0)?;
        let open: Vec<&GroupPlan<'_>> = plans.iter().filter(|p| !is_settled(p, fleet)).collect();
        if open.is_empty() {
            return Ok(State::Present);
        }
        if let Some(refusal) = in_the_way(&plans, &plans, fleet) {
            return Err(refusal);
        }
        let lines = open.iter().flat_map(|plan| std::iter::once(intended(plan, fleet)).chain(cordoned(plan, fleet)));
        Ok(State::Drifted(
            lines
                .chain(held(&plans, fleet))
                .chain(ending(&plans, fleet))
                .chain(left_by_autoscaler(&plans, fleet))
                .chain([IN_FILES.to_owned()])
                .collect(),
        ))
    }

    /// Writes down the sizes of all groups before any of them changes.
    async fn remember(&self, context: &StepContext<'_>) -> Result<()> {
        let (plans, fleet) = planned(context.spec, context.facts, &self.0).map_err(State::into_error)?;
        let kube = context.kube().await?;
        // The step before may have made the pools just now.
        let pools = kube.list(&Kinds::of(context.spec).pool, None, None).await?;
        let now = Fleet { pools, ..Fleet::default() };
        for plan in plans.iter().filter(|p| p.is_touched()) {
            let marks = marks(plan, fleet);
            let there = pool_for(plan.group, &now);
            let mut tags = marks.clone();
            tags.retain(|key, value| plan.group.tags.get(key) != Some(value));
            if !tags.is_empty() {
                context.ports.aws.tag_eks(&plan.group.arn, &tags).await?;
            }
            if let Some(pool) = there.filter(|pool| marks.iter().any(|(key, value)| pool["metadata"]["annotations"][key] != **value)) {
                note(context.spec, kube.as_ref(), pool, &json!(marks)).await?;
            }
            // Another was named since: a run in which nobody names one goes by what is written.
            if plan.fate == Fate::Leaves && is_kept(plan.group, fleet) {
                context.ports.aws.untag_eks(&plan.group.arn, &[KEPT]).await?;
                if let Some(pool) = there {
                    note(context.spec, kube.as_ref(), pool, &json!({KEPT: null})).await?;
                }
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

/// Whether something of a group is to be set as it was.
fn is_open(group: &NodeGroupShape, fleet: &Fleet) -> bool {
    is_begun(group, fleet) || fleet.nodes.iter().any(|n| n.leaving.is_some() && belongs(&n.owner, &group.name))
}

/// Lets pods onto the nodes of a group again, and gives it the size that it had.
async fn give_back(context: &StepContext<'_>, kube: &dyn Kube, group: &NodeGroupShape, fleet: &Fleet) -> Result<()> {
    for node in fleet.nodes.iter().filter(|n| n.leaving.is_some() && belongs(&n.owner, &group.name)) {
        context.doing(format!("letting pods onto node {} again", node.name));
        release(kube, node).await?;
    }
    match remembered(group, fleet) {
        Some(before) => resize(context, group, before).await,
        None => Ok(()),
    }
}

/// Takes off what was written down of a group.
async fn forget(context: &StepContext<'_>, kube: &dyn Kube, group: &NodeGroupShape, fleet: &Fleet) -> Result<()> {
    let noted = |pool: &&Value| [SCALING_BEFORE, KEPT].iter().any(|key| !pool["metadata"]["annotations"][*key].is_null());
    if let Some(pool) = pool_for(group, fleet).filter(noted) {
        note(context.spec, kube, pool, &json!({SCALING_BEFORE: null, KEPT: null})).await?;
    }
    context.ports.aws.untag_eks(&group.arn, &[SCALING_BEFORE, KEPT]).await
}

/// Writes annotations of a pool.
async fn note(spec: &Spec, kube: &dyn Kube, pool: &Value, annotations: &Value) -> Result<()> {
    let place = cluster_wide(&Kinds::of(spec).pool, &name_of(pool));
    kube.merge_patch(&place, &json!({"metadata": {"annotations": annotations}})).await.map(drop)
}

/// The failure where somebody starts the autoscaler again: it would enlarge the groups for the pods that are moved.
fn comes_back(spec: &Spec, found: &AutoscalerFacts) -> Error {
    let (place, cluster, region) = (format!("{}/{}", found.namespace, found.name), &spec.cluster_name, &spec.region);
    Error::failed(format!("the Cluster Autoscaler runs again: Deployment {place} has {} replicas", found.replicas))
        .because("it would make nodes of the groups for the pods that are moved")
        .hint("whoever keeps its Deployment (Argo CD, Flux, a chart) writes 0 replicas there too; then run this again")
        .hint(format!("or go back: `karpctl migrate cluster-autoscaler --back --cluster-name {cluster} --region {region}`"))
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

/// What Terraform, say, would undo: it sets what its files say.
const IN_FILES: &str = "whoever keeps the node groups in files (Terraform, CloudFormation, eksctl) writes the new sizes there too, min_size above all: \
                        else the next apply brings the nodes back. The sizes of before are kept in tags of the groups and in annotations of their node pools";

/// Nodes that may stay and take no pod of the controller's, a sentence each.
fn cordoned(plan: &GroupPlan<'_>, fleet: &Fleet) -> Vec<String> {
    let said = |node: &crate::facts::FleetNode| {
        let name = &node.name;
        format!(
            "node {name} of node group {} is cordoned, and may be one that stays for the controller: let pods onto it first (`kubectl uncordon {name}`), or end it",
            plan.group.name
        )
    };
    closed(plan, fleet).into_iter().map(said).collect()
}

/// The refusal for pods of these groups that are not to be moved.
fn in_the_way(of: &[GroupPlan<'_>], plans: &[GroupPlan<'_>], fleet: &Fleet) -> Option<State> {
    let found: Vec<Obstacle> = of.iter().flat_map(|plan| obstacles(plan, plans, fleet)).collect();
    if found.is_empty() {
        return None;
    }
    let why = found.iter().map(|o| format!("pod {}: {}", o.pod, o.why)).collect::<Vec<_>>().join("; ");
    let hints: BTreeSet<String> = found.into_iter().map(|o| o.hint).collect();
    Some(State::Blocked { why: format!("pods are in the way. {why}"), hints: hints.into_iter().collect() })
}
