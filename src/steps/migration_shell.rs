//! The shell that the nodes of the node groups stand for. It writes the same marks as karpctl does: by them karpctl goes on, and back.

use super::node_group_size::belongs;
use super::shell::{eks_scaling, map};
use crate::facts::{Fleet, FleetNode, NodeGroupShape, Scaling};
use crate::knowledge::NODE_GROUP_LABEL;
use crate::migration::{Fate, GroupPlan, KEPT, SCALING_BEFORE, grows, is_kept, is_settled, leaving, marks, pool_for, remembered};
use crate::probe::fleet::{CORDONED_BEFORE, LEAVING, READY_BEFORE};
use crate::probe::kinds::{Kinds, name_of};
use crate::spec::Spec;

/// The way there: every size is written down before any group changes, the group that is to grow does so first, and the one that stays is
/// emptied last.
pub(super) fn there(spec: &Spec, plans: &[GroupPlan<'_>], fleet: &Fleet) -> Vec<String> {
    let touched = || plans.iter().filter(|plan| plan.is_touched());
    let mut open: Vec<&GroupPlan<'_>> = touched().filter(|plan| !is_settled(plan, fleet)).collect();
    if open.is_empty() {
        return Vec::new();
    }
    open.sort_by_key(|plan| plan.fate == Fate::Keeps);
    let grown = open.iter().filter(|plan| grows(plan)).flat_map(|plan| resized(spec, &plan.group.name, plan.target));
    let emptied = open.iter().flat_map(|plan| emptied(spec, plan, fleet));
    touched().flat_map(|plan| remembering(spec, plan, fleet)).chain(grown).chain(emptied).collect()
}

/// The way back of these groups: all get their sizes, and what was written down of one goes when it has its nodes.
pub(super) fn back(spec: &Spec, groups: &[&NodeGroupShape], fleet: &Fleet) -> Vec<String> {
    let mut lines = Vec::new();
    for group in groups {
        lines.extend(opened(&of_group(fleet, group).filter(|node| node.leaving.is_some()).collect::<Vec<_>>()));
        lines.extend(remembered(group, fleet).map(|before| eks_scaling(spec, &group.name, before)));
    }
    for group in groups {
        if let Some(before) = remembered(group, fleet) {
            lines.push(active(spec, &group.name));
            lines.push(nodes_come(&group.name, before.desired));
        }
        lines.extend(pool_for(group, fleet).map(|pool| annotated(spec, &name_of(pool), &format!("{SCALING_BEFORE}- {KEPT}-"))));
        lines.push(untagged(spec, group, &format!("{SCALING_BEFORE} {KEPT}")));
    }
    lines
}

fn of_group<'f>(fleet: &'f Fleet, group: &'f NodeGroupShape) -> impl Iterator<Item = &'f FleetNode> {
    fleet.nodes.iter().filter(|node| belongs(&node.owner, &group.name))
}

/// Writes down the size of before, and which group stays.
fn remembering(spec: &Spec, plan: &GroupPlan<'_>, fleet: &Fleet) -> Vec<String> {
    let marks = marks(plan, fleet);
    let mut lines = Vec::new();
    if marks.iter().any(|(key, value)| plan.group.tags.get(key) != Some(value)) {
        let (region, arn) = (&spec.region, &plan.group.arn);
        lines.push(format!("aws eks tag-resource --region {region} --resource-arn {arn} --tags {}", map(&marks)));
    }
    let there = pool_for(plan.group, fleet);
    if there.is_none_or(|pool| marks.iter().any(|(key, value)| pool["metadata"]["annotations"][key] != **value)) {
        let name = there.map(name_of).or_else(|| Some(plan.pool.as_ref()?.name.to_string()));
        let pairs = marks.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
        lines.extend(name.map(|name| annotated(spec, &name, &format!("--overwrite {pairs}"))));
    }
    if plan.fate == Fate::Leaves && is_kept(plan.group, fleet) {
        lines.push(untagged(spec, plan.group, KEPT));
        lines.extend(there.map(|pool| annotated(spec, &name_of(pool), &format!("{KEPT}-"))));
    }
    lines
}

fn untagged(spec: &Spec, group: &NodeGroupShape, keys: &str) -> String {
    format!("aws eks untag-resource --region {} --resource-arn {} --tag-keys {keys}", spec.region, group.arn)
}

fn annotated(spec: &Spec, pool: &str, what: &str) -> String {
    format!("kubectl annotate {} {pool} {what}", Kinds::of(spec).pool.plural)
}

/// Empties the nodes of a group that leave, one after another, and makes it small.
fn emptied(spec: &Spec, plan: &GroupPlan<'_>, fleet: &Fleet) -> Vec<String> {
    let name = &plan.group.name;
    let nodes = leaving(plan, fleet);
    let mut lines = Vec::new();
    let named = |chosen: &dyn Fn(&FleetNode) -> bool| {
        let names: Vec<&str> = nodes.iter().filter(|node| chosen(node)).map(|node| node.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(" "))
    };
    lines.extend(
        named(&|node| node.leaving.is_none())
            .map(|names| format!("kubectl annotate nodes {names} --overwrite \"{LEAVING}=$(date -u +%Y-%m-%dT%H:%M:%SZ)\"")),
    );
    lines.extend(
        named(&|node| node.leaving.is_none() && node.cordoned)
            .map(|names| format!("kubectl annotate nodes {names} --overwrite {CORDONED_BEFORE}=true")),
    );
    // All of them first: a pod that leaves one would only be moved again from the next.
    lines.extend(named(&|_| true).map(|names| format!("kubectl cordon {names}")));
    lines.extend(nodes.iter().map(|node| format!("kubectl drain {} --ignore-daemonsets --delete-emptydir-data", node.name)));
    lines.push(eks_scaling(spec, name, plan.target));
    if plan.fate == Fate::Keeps && !nodes.is_empty() {
        // EC2 Auto Scaling may end another than the one that was emptied.
        lines.push(active(spec, name));
        lines.push(until(name, "wc -l", &format!("-le {}", plan.target.desired)));
        lines.extend(opened(&nodes));
    }
    lines
}

/// Sets a size and waits until the nodes are there.
fn resized(spec: &Spec, group: &str, to: Scaling) -> Vec<String> {
    vec![eks_scaling(spec, group, to), active(spec, group), nodes_come(group, to.desired)]
}

fn active(spec: &Spec, group: &str) -> String {
    format!("aws eks wait nodegroup-active --region {} --cluster-name {} --nodegroup-name {group}", spec.region, spec.cluster_name)
}

/// Waits until as many nodes of a group are ready, and not cordoned.
fn nodes_come(group: &str, wanted: u32) -> String {
    until(group, "grep -c ' Ready '", &format!("-ge {wanted}"))
}

/// Waits until the nodes of a group, counted so, are as many.
fn until(group: &str, counted: &str, wanted: &str) -> String {
    format!("until [ \"$(kubectl get nodes --selector {NODE_GROUP_LABEL}={group} --no-headers | {counted})\" {wanted} ]; do sleep 5; done")
}

/// Lets pods onto those of these nodes again that are still there.
fn opened(nodes: &[&FleetNode]) -> Vec<String> {
    let line = |cordoned_before: bool| {
        let is_so = |node: &&&FleetNode| node.leaving.as_ref().map_or(node.cordoned, |leaving| leaving.cordoned_before) == cordoned_before;
        let names: Vec<&str> = nodes.iter().filter(is_so).map(|node| node.name.as_str()).collect();
        let uncordon = if cordoned_before { "" } else { "kubectl uncordon \"$node\"; " };
        (!names.is_empty()).then(|| {
            format!(
                "kubectl get nodes {} --ignore-not-found --output name | while read -r node; do {uncordon}kubectl annotate \"$node\" {LEAVING}- \
                 {CORDONED_BEFORE}- {READY_BEFORE}-; done",
                names.join(" ")
            )
        })
    };
    [false, true].into_iter().filter_map(line).collect()
}
