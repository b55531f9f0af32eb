//! What the three steps of a migration from the Cluster Autoscaler share: the plan of the node groups, and fresh looks at them.

use super::looked::{Refusal, looked};
use super::{StepContext, autoscaler, migration_pools, node_groups};
use crate::error::{Error, Result};
use crate::facts::{Facts, Fleet, NodeGroupShape, Topic};
use crate::migration::{GroupPlan, Wish, plan, small};
use crate::plan::State;
use crate::probe::kinds::Kinds;
use crate::probe::{ProbeContext, probe};
use crate::render;
use crate::spec::Spec;
use std::collections::BTreeSet;

/// What the steps are judged by.
pub(super) const READS: &[Topic] = &[Topic::NodeGroupShapes, Topic::Fleet, Topic::Ami];
/// What they are judged by on the way back.
pub(super) const READS_ON_REMOVAL: &[Topic] = &[Topic::NodeGroupShapes, Topic::Fleet];

/// The steps of a migration, which come after those that install Karpenter.
#[must_use]
pub fn migration(wish: &Wish) -> Vec<Box<dyn super::Step>> {
    vec![
        Box::new(migration_pools::MigrationPools(wish.clone())),
        Box::new(autoscaler::Autoscaler),
        Box::new(node_groups::NodeGroups(wish.clone())),
    ]
}

/// The node groups and the fleet, or the state that says why they are not known.
pub(super) fn world(facts: &Facts) -> Result<(&[NodeGroupShape], &Fleet), State> {
    static NOBODY: Fleet = Fleet {
        autoscalers: Vec::new(),
        nodes: Vec::new(),
        pods: Vec::new(),
        workloads: Vec::new(),
        pools: Vec::new(),
        classes: Vec::new(),
    };
    let groups = looked(&facts.node_group_shapes)?.map_or(&[][..], Vec::as_slice);
    Ok((groups, looked(&facts.fleet)?.map_or(&NOBODY, Box::as_ref)))
}

/// What becomes of each node group, and the fleet.
pub(super) fn planned<'f>(spec: &Spec, facts: &'f Facts, wish: &Wish) -> Result<(Vec<GroupPlan<'f>>, &'f Fleet), State> {
    let (groups, fleet) = world(facts)?;
    let recommended = facts.ami_version.known().and_then(|version| format!("{}@{version}", render::ami_family(spec)).parse().ok());
    let plans = plan(spec, groups, fleet, wish, recommended.as_ref()).map_err(|e| {
        let why = e.causes.iter().fold(e.message.clone(), |all, cause| format!("{all}; {cause}"));
        e.hints.iter().fold(Refusal::new(why), |refusal, hint| refusal.hint(hint.clone()))
    })?;
    Ok((plans, fleet))
}

/// Why Karpenter is not taken away after a migration: its node groups are small, and nobody makes nodes any more.
#[must_use]
pub fn refused_without_nodes(spec: &Spec, facts: &Facts) -> Option<Error> {
    let (cluster, region) = (&spec.cluster_name, &spec.region);
    let why = match world(facts) {
        Ok((groups, fleet)) => {
            let small = small(groups, fleet);
            let shown: Vec<String> =
                small.iter().map(|(g, before)| format!("{} {before} -> {} (min/now/max)", g.name, g.scaling)).collect();
            if shown.is_empty() {
                return None;
            }
            format!("a migration from the Cluster Autoscaler has made its node groups small: {}", shown.join(", "))
        }
        Err(State::Unknown(why)) => {
            format!("it has node pools of a migration from the Cluster Autoscaler, and how large the node groups are is not known: {why}")
        }
        Err(_) => return None,
    };
    let error = Error::refused(format!("Karpenter of cluster {cluster} is not taken away; nothing was changed"))
        .because(why)
        .because("without Karpenter nothing would make nodes for the pods")
        .hint(format!(
            "go back first: `karpctl migrate cluster-autoscaler --back --delete-pools --cluster-name {cluster} --region {region}`"
        ));
    let pools = format!("kubectl delete {} --selector {}", Kinds::of(spec).pool.plural, render::NODE_GROUP_LABEL);
    Some(error.hint(format!("or, where something else makes nodes by now, end those of its pools: `{pools}`; then run this again")))
}

/// Reads these topics anew. What cannot be read ends the step.
pub(super) async fn look(context: &StepContext<'_>, topics: &[Topic]) -> Result<Facts> {
    let mut facts = context.facts.clone();
    let probing = ProbeContext { spec: context.spec, ports: context.ports, kubeconfig: context.kubeconfig };
    probe(&probing, &topics.iter().copied().collect::<BTreeSet<_>>(), &mut facts).await;
    world(&facts).map(drop).map_err(|state| match state {
        State::Unknown(why) => Error::failed("cannot look at the node groups and their nodes").because(why),
        _ => Error::failed("cannot look at the node groups and their nodes"),
    })?;
    Ok(facts)
}
