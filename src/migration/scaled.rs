//! Which node groups a Cluster Autoscaler scales: the others are not the migration's.

use super::{SCALING_BEFORE, is_begun, pool_for, remembered};
use crate::facts::{AutoscalerFacts, Fleet, NodeGroupShape};
use crate::spec::Spec;
use std::collections::BTreeMap;

/// Why a group is none of the migration's, where that is so. Where nothing says what an autoscaler scales, it may be any group.
pub(super) fn apart(spec: &Spec, group: &NodeGroupShape, groups: &[NodeGroupShape], fleet: &Fleet) -> Option<String> {
    if is_begun(group, fleet) {
        return None;
    }
    // What was left out when it began stays so: nothing else says it by now.
    if fleet.autoscalers.iter().all(|a| a.replicas == 0) && groups.iter().any(|g| remembered(g, fleet).is_some()) {
        return pool_for(group, fleet).is_none().then(|| {
            format!(
                "it was not part of the migration that has begun; where it is to be, mark it so: `aws eks tag-resource --region {} \
                 --resource-arn {} --tags {SCALING_BEFORE}={}`",
                spec.region, group.arn, group.scaling
            )
        });
    }
    if fleet.autoscalers.is_empty() {
        return None;
    }
    let mut why = Vec::new();
    for autoscaler in &fleet.autoscalers {
        why.push(not_scaled(spec, group, autoscaler)?);
    }
    Some(why.join("; "))
}

/// Why an autoscaler does not scale a group.
fn not_scaled(spec: &Spec, group: &NodeGroupShape, autoscaler: &AutoscalerFacts) -> Option<String> {
    let own = &group.scaling_groups;
    let among = |names: &[String]| own.iter().any(|name| names.contains(name));
    let shown = own.join(", ");
    if among(&autoscaler.scaling_groups) {
        return None;
    }
    match &autoscaler.works_on {
        Some(names) if !own.is_empty() => {
            return (!among(names)).then(|| format!("the autoscaler's status does not name its Auto Scaling group {shown}"));
        }
        _ => {}
    }
    if autoscaler.discovers.is_empty() {
        let named = !autoscaler.scaling_groups.is_empty();
        return named.then(|| format!("the autoscaler's --nodes does not name its Auto Scaling group {shown}"));
    }
    let carried = carried(spec, group);
    let missing = |tags: &BTreeMap<String, Option<String>>| -> Vec<String> {
        let lacks = |(key, value): &(&String, &Option<String>)| match carried.get(*key) {
            Some(there) => value.as_ref().is_some_and(|wanted| wanted != there),
            None => true,
        };
        tags.iter().filter(lacks).map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("true"))).collect()
    };
    let missing = autoscaler.discovers.iter().map(missing).min_by_key(Vec::len)?;
    (!missing.is_empty()).then(|| {
        format!(
            "the autoscaler looks for the tag {tags}, which EKS does not show for it, and has no status that names it; if its Auto Scaling \
             group has the tag, tag the node group too: `aws eks tag-resource --region {} --resource-arn {} --tags {tags}`",
            spec.region,
            group.arn,
            tags = missing.join(",")
        )
    })
}

/// The tags of a group's Auto Scaling group, as far as EKS lets see: those that EKS gives it for the autoscaler, and those of the group
/// itself, which tools like eksctl give to both.
fn carried(spec: &Spec, group: &NodeGroupShape) -> BTreeMap<String, String> {
    let of_eks = [
        ("k8s.io/cluster-autoscaler/enabled".to_owned(), "true".to_owned()),
        (format!("k8s.io/cluster-autoscaler/{}", spec.cluster_name), "owned".to_owned()),
        (spec.cluster_tag(), "owned".to_owned()),
        ("eks:cluster-name".to_owned(), spec.cluster_name.to_string()),
        ("eks:nodegroup-name".to_owned(), group.name.clone()),
    ];
    group.tags.clone().into_iter().chain(of_eks).collect()
}
