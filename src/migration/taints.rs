//! Which taints of a group its nodes keep, and which are taken off once they have started.

use crate::facts::{Fleet, GroupTaint, NodeGroupShape, NodeOwner};
use crate::render::PoolTaint;

/// Taints that agents take off (Karpenter's documentation, "Cilium Startup Taint" and troubleshooting, "Pods were scheduled due to a race condition in Kubernetes"; the
/// README of aws-efs-csi-driver).
const OF_AGENTS: [&str; 3] = ["node.cilium.io/agent-not-ready", "ebs.csi.aws.com/agent-not-ready", "efs.csi.aws.com/agent-not-ready"];

/// Whether a taint of the group is there only while a node starts: an agent's, or one that no node of the group carries once it is ready.
pub(super) fn is_passing(taint: &GroupTaint, group: &NodeGroupShape, fleet: &Fleet) -> bool {
    let mut ready = fleet.nodes.iter().filter(|n| n.ready && n.owner == NodeOwner::Group(group.name.clone())).peekable();
    OF_AGENTS.contains(&taint.key.as_str()) || ready.peek().is_some() && ready.all(|node| !node.taints.contains(&taint.key))
}

/// The taints of a group's pool: those that stay, and those that it gives nodes only to start with.
pub(super) struct Taints {
    pub(super) standing: Vec<PoolTaint>,
    pub(super) startup: Vec<PoolTaint>,
}

pub(super) fn taints(group: &NodeGroupShape, fleet: &Fleet) -> Result<Taints, String> {
    let (startup, standing): (Vec<_>, Vec<_>) = group.taints.iter().partition(|t| is_passing(t, group, fleet));
    let all = |of: Vec<&GroupTaint>| of.into_iter().map(taint).collect::<Result<_, _>>();
    Ok(Taints { standing: all(standing)?, startup: all(startup)? })
}

fn taint(taint: &GroupTaint) -> Result<PoolTaint, String> {
    let effect = match taint.effect.as_str() {
        "NO_SCHEDULE" => "NoSchedule",
        "NO_EXECUTE" => "NoExecute",
        "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
        other => return Err(format!("its taint {} has an effect {other} that is not known", taint.key)),
    };
    Ok(PoolTaint { key: taint.key.clone(), value: taint.value.clone(), effect })
}
