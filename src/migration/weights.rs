//! In which order the pools are asked for nodes: as the autoscaler's priorities have it, where it goes by such.

use super::GroupPlan;
use crate::facts::{Fleet, NodeGroupShape};
use crate::knowledge::AUTO_MODE_GROUP;
use crate::render::NODE_GROUP_LABEL;
use regex_lite::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// The highest weight of a node pool.
const MOST: usize = 100;

/// The priority of a group, by the names of its Auto Scaling groups: the highest of which a pattern fits.
fn priority(group: &NodeGroupShape, fleet: &Fleet) -> Option<i64> {
    let fits = |pattern: &String| Regex::new(pattern).is_ok_and(|pattern| group.scaling_groups.iter().any(|name| pattern.is_match(name)));
    let all = fleet.autoscalers.iter().flat_map(|autoscaler| &autoscaler.priorities);
    all.filter(|(_, patterns)| patterns.iter().any(fits)).map(|(priority, _)| *priority).max()
}

/// Gives the pools weights in the order of their groups' priorities.
pub(super) fn weigh(plans: &mut [GroupPlan<'_>], fleet: &Fleet) {
    let ranks: BTreeSet<i64> = plans.iter().filter_map(|plan| priority(plan.group, fleet)).collect();
    for plan in plans {
        let Some(at) = priority(plan.group, fleet).and_then(|found| ranks.iter().position(|rank| *rank == found)) else { continue };
        if let Some(pool) = &mut plan.pool {
            pool.weight = u32::try_from((MOST * (at + 1) / ranks.len()).max(1)).ok();
        }
    }
}

/// The node pools of others that take any pod, a sentence: they share it with those of the groups.
#[must_use]
pub fn others(fleet: &Fleet) -> Option<String> {
    let takes_any = |pool: &&Value| {
        let template = &pool["spec"]["template"]["spec"];
        let tainted = template["taints"].as_array().is_some_and(|taints| !taints.is_empty());
        pool["metadata"]["labels"][NODE_GROUP_LABEL].is_null() && !tainted && template["nodeClassRef"]["group"] != AUTO_MODE_GROUP
    };
    let names: Vec<&str> = fleet.pools.iter().filter(takes_any).filter_map(|pool| pool["metadata"]["name"].as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "there are node pools of no node group that take any pod: {}; where one comes first, by `spec.weight` and then by the later name, pods get its \
             nodes, with its subnets, security groups and image (`kubectl delete nodepool {}` takes it away, and drains its nodes)",
            names.join(", "),
            names[0]
        )
    })
}

/// Which pool comes first where nothing says so, of those that take any pod.
#[must_use]
pub fn order(plans: &[GroupPlan<'_>]) -> Option<String> {
    let open = plans.iter().filter_map(|plan| plan.pool.as_ref()).filter(|pool| pool.taints.is_empty() && pool.weight.is_none());
    let names: BTreeSet<&str> = open.map(|pool| pool.name.as_str()).collect();
    (names.len() > 1).then(|| {
        let names: Vec<&str> = names.into_iter().rev().collect();
        format!(
            "a pod that several of these pools fit gets a node of the first in this order, by their names: {}; `spec.weight` of a pool puts it before others",
            names.join(", ")
        )
    })
}
