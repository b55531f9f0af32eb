//! The node pools that make the nodes of the node groups from now on.

use super::looked::foreign;
use super::migration::{READS, READS_ON_REMOVAL, look, planned, world};
use super::node_pool::put;
use super::node_pool_removal::remove_these;
use super::ready::not_ready_yet;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Fleet, Topic};
use crate::migration::{Fate, GroupPlan, PoolsOnReturn, Wish, lost_policies, moved_workloads, order, others, self_managed, tied_workloads};
use crate::plan::{Action, Direction, State, StepId};
use crate::probe::kinds::{Kinds, MANAGER, cluster_wide, name_of};
use crate::render::{self, NODE_GROUP_LABEL, PoolShape};
use crate::spec::Spec;
use async_trait::async_trait;
use serde_json::Value;

/// See the module.
pub(super) struct MigrationPools(pub(super) Wish);

#[async_trait]
impl Step for MigrationPools {
    fn id(&self) -> StepId {
        StepId::MigrationPools
    }

    fn title(&self, spec: &Spec) -> String {
        format!("{}s for the node groups", Kinds::of(spec).pool_word)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Stack, StepId::Cluster, StepId::DiscoveryTags, StepId::NodeMapping, StepId::SpotRole, StepId::Chart]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::NodeGroupShapes, Topic::NodeGroupRoles, Topic::Fleet, Topic::Ami]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        READS_ON_REMOVAL
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        10
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        self.judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, _: &Spec, facts: &Facts) -> State {
        match (self.0.pools, world(facts)) {
            (PoolsOnReturn::Stay, _) => State::NotWanted,
            (PoolsOnReturn::Go, Err(state)) => state,
            (PoolsOnReturn::Go, Ok((_, fleet))) if fleet.pools.iter().chain(&fleet.classes).any(is_marked) => State::Present,
            (PoolsOnReturn::Go, Ok(_)) => State::Absent,
        }
    }

    fn details(&self, spec: &Spec, facts: &Facts) -> Vec<String> {
        let Ok((plans, fleet)) = planned(spec, facts, &self.0) else { return Vec::new() };
        let (groups, _) = world(facts).unwrap_or((&[], fleet));
        let lost = |plan: &GroupPlan<'_>| match plan.pool {
            Some(_) => lost_policies(spec, plan.group, &facts.node_group_roles),
            None => Vec::new(),
        };
        let told = |plan| described(plan).into_iter().chain(lost(plan).into_iter().map(|note| format!("  {note}")));
        let of_pods = tied_workloads(&plans, fleet).into_iter().chain(moved_workloads(fleet));
        plans.iter().flat_map(told).chain(order(&plans)).chain(others(fleet)).chain(self_managed(groups, fleet)).chain(of_pods).collect()
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let kinds = Kinds::of(spec);
        match direction {
            Direction::Apply => {
                let Ok((plans, _)) = planned(spec, facts, &self.0) else { return Vec::new() };
                let documents = plans.iter().filter_map(|p| render::shaped_pool_yaml(spec, p.pool.as_ref()?).ok());
                let all = documents.collect::<Vec<_>>().join("---\n");
                vec![format!("kubectl apply --server-side --field-manager {MANAGER} --filename - <<'END'\n{}\nEND", all.trim_end())]
            }
            Direction::Remove => [&kinds.pool.plural, &kinds.class.plural]
                .map(|plural| format!("kubectl delete {plural} --selector {NODE_GROUP_LABEL}"))
                .into(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let spec = context.spec;
        let kinds = Kinds::of(spec);
        let kube = context.kube().await?;
        let (plans, fleet) = planned(spec, context.facts, &self.0).map_err(State::into_error)?;
        for shape in plans.iter().filter_map(|p| p.pool.as_ref()) {
            let [class, pool] = render::shaped_pool(spec, shape)?;
            let found = of_shape(fleet, shape);
            for ((kind, word, body), found) in
                [(&kinds.class, kinds.class_word, class), (&kinds.pool, kinds.pool_word, pool)].into_iter().zip([found.0, found.1])
            {
                // What is there was made by an earlier run, and may have been changed since: it is a proposal.
                if found.is_none_or(|object| !is_marked(object)) {
                    context.doing(format!("applying {word} {}", shape.name));
                    put(context, kube.as_ref(), &cluster_wide(kind, shape.name.as_str()), &body, action).await?;
                }
            }
        }
        let mut told = String::new();
        let begun = tokio::time::Instant::now();
        loop {
            let facts = look(context, READS).await?;
            let what = match self.assess(spec, &facts) {
                State::Present => return Ok(()),
                State::Busy(what) | State::Unknown(what) => what,
                other => return Err(other.into_error()),
            };
            if begun.elapsed() >= context.timeout {
                return Err(Error::new(ErrorKind::Timeout, "the node pools for the node groups do not become ready").because(what));
            }
            if what != told {
                context.doing(format!("waiting: {what}"));
                told = what;
            }
            context.pause(super::BRIEF).await?;
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (_, fleet) = world(context.facts).map_err(State::into_error)?;
        let ours = |objects: &[Value]| objects.iter().filter(|o| is_marked(o)).cloned().collect::<Vec<_>>();
        remove_these(context, &ours(&fleet.pools), &ours(&fleet.classes)).await
    }

    fn explain(&self) -> &'static str {
        "Proposes a node pool and a node class for each managed node group that the autoscaler scales: its instance types, the zones of its subnets, its subnets, the security groups and the hop limit that its launch template names, \
         capacity type, labels and taints (one that its ready nodes do not carry becomes a startup taint), the AMI that it runs where an alias can name it, the size, type, speed and key of its disks, the order of the autoscaler's priorities as weights, how long it leaves a node without need, and as limits what \
         its most nodes of the largest type have.\n\nWhat is not taken over is said in the plan, and so are policies that the role of the group's nodes has and Karpenter's has not: pods \
         may go by them. Both carry the label \
         karpctl.dev/node-group. Once they are there they are yours: a later run does not change them back.\n\nNode groups with an AMI of their own, \
         of capacity blocks or of types that are not named stay as they are, and so do those that --leave-node-group names and those that EKS \
         does not manage. What the autoscaler scales is read from its status in the ConfigMap cluster-autoscaler-status, else from its flags.\n\nOn the way \
         back they stay unless --delete-pools is given: Karpenter then drains their nodes."
    }
}

impl MigrationPools {
    fn judge(&self, spec: &Spec, facts: &Facts) -> Result<State, State> {
        let kinds = Kinds::of(spec);
        let (plans, fleet) = planned(spec, facts, &self.0)?;
        let (mut missing, mut waiting, mut all) = (Vec::new(), Vec::new(), 0);
        for shape in plans.iter().filter_map(|p| p.pool.as_ref()) {
            let (class, pool) = of_shape(fleet, shape);
            for (word, object) in [(kinds.class_word, class), (kinds.pool_word, pool)] {
                all += 1;
                let Some(object) = object else {
                    missing.push(format!("{word} {}: not there", shape.name));
                    continue;
                };
                if !object["metadata"]["deletionTimestamp"].is_null() {
                    return Err(State::Busy(format!("{word} {} is being deleted", shape.name)));
                }
                if !is_marked(object) {
                    return Err(foreign(
                        format!("{word} {} is there and was not made for the node group {}", shape.name, shape.node_group),
                        "it becomes what fits the node group",
                    ));
                }
            }
            if let (Some(class), Some(pool)) = (class, pool) {
                waiting.extend(not_ready_yet(spec, class, pool).into_iter().map(|what| format!("{}: {what}", shape.name)));
            }
        }
        Ok(match (missing.len(), waiting.is_empty()) {
            (0, true) => State::Present,
            (0, false) => State::Busy(waiting.join("; ")),
            (many, _) if many == all => State::Absent,
            _ => State::Drifted(missing),
        })
    }
}

fn is_marked(object: &Value) -> bool {
    !object["metadata"]["labels"][NODE_GROUP_LABEL].is_null()
}

/// The node class and the node pool of a shape, where they are there.
fn of_shape<'f>(fleet: &'f Fleet, shape: &PoolShape) -> (Option<&'f Value>, Option<&'f Value>) {
    let named = |objects: &'f [Value]| objects.iter().find(|o| name_of(o) == shape.name.as_str());
    (named(&fleet.classes), named(&fleet.pools))
}

/// A node group and the pool that fits it.
fn described(plan: &GroupPlan<'_>) -> Vec<String> {
    let name = &plan.group.name;
    let Some(pool) = &plan.pool else {
        return match &plan.fate {
            Fate::Untouched(why) => vec![format!("node group {name} stays as it is, and nothing scales it any more: {why}")],
            Fate::Apart(why) => vec![format!("node group {name} is not part of it: {why}")],
            Fate::Keeps | Fate::Leaves => Vec::new(),
        };
    };
    let joined =
        |map: &std::collections::BTreeMap<String, String>| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ");
    let mut parts = vec![
        pool.instance_types.join(", "),
        format!("zones {}", pool.zones.join(", ")),
        pool.capacity_type.as_str().to_owned(),
        pool.architectures.iter().map(|a| a.as_str()).collect::<Vec<_>>().join(", "),
        pool.ami.to_string(),
    ];
    if !pool.security_groups.is_empty() {
        parts.push(format!("security groups {}", pool.security_groups.join(", ")));
    }
    parts.extend(pool.hop_limit.map(|hops| format!("hop limit {hops} of the instance metadata")));
    if !pool.labels.is_empty() {
        parts.push(format!("labels {}", joined(&pool.labels)));
    }
    for (what, taints) in
        [("taints", &pool.taints), ("startup taints, which something takes off nodes that have started", &pool.startup_taints)]
    {
        let taints: Vec<String> = taints.iter().map(|t| format!("{}={}:{}", t.key, t.value, t.effect)).collect();
        if !taints.is_empty() {
            parts.push(format!("{what} {}", taints.join(", ")));
        }
    }
    parts.extend(pool.disk.gib.map(|gib| format!("disks of {gib} GiB")));
    parts.extend(pool.disk.kind.as_ref().map(|kind| format!("of type {kind}")));
    parts.extend(pool.disk.iops.map(|iops| format!("{iops} IOPS")));
    parts.extend(pool.disk.throughput.map(|throughput| format!("{throughput} MiB/s")));
    parts.extend(pool.weight.map(|weight| format!("weight {weight}, by the autoscaler's priorities")));
    if pool.keeps_nodes {
        parts.push("nodes stay though fewer would do, as the autoscaler's --scale-down-enabled=false has it".to_owned());
    }
    parts.extend(
        pool.consolidate_after.as_ref().filter(|_| !pool.keeps_nodes).map(|time| {
            format!("nodes go when they have not been needed for {time}, as the autoscaler's --scale-down-unneeded-time has it")
        }),
    );
    parts.push(format!("at most {} vCPUs and {} GiB", pool.cpu_limit, pool.memory_limit_mib / 1024));
    let mut lines = vec![format!("node group {name} -> {}: {}", pool.name, parts.join("; "))];
    lines.extend(plan.notes.iter().map(|note| format!("  {note}")));
    lines
}
