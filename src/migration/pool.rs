//! The node pool that makes the nodes of a node group.

use super::taints::taints;
use crate::facts::{Fleet, NodeGroupShape};
use crate::knowledge::NodePoolApi;
use crate::render::{PoolDisk, PoolShape};
use crate::spec::{AmiAlias, Architecture, CapacityType, ObjectName, Spec};
use std::collections::BTreeMap;

/// The domains of labels that only Kubernetes and Karpenter give (`RestrictedLabelDomains` of sigs.k8s.io/karpenter at v1.14.1).
const RESTRICTED: [&str; 4] = ["kubernetes.io", "k8s.io", "karpenter.sh", "karpenter.k8s.aws"];
/// Those of them that anybody may give (`LabelDomainExceptions`, the same place).
const FREE: [&str; 3] = ["kops.k8s.io", "node.kubernetes.io", "node-restriction.kubernetes.io"];
/// The domains of labels that say of which node group a node is.
pub(super) const OF_GROUPS: [&str; 3] = ["eks.amazonaws.com", "alpha.eksctl.io", "eksctl.io"];

/// The pool of a group, with what it does not carry over, a sentence each; or why there can be none. `recommended` is the version that
/// AWS recommends of the release's own AMI family.
pub(super) fn pool_of(
    spec: &Spec,
    group: &NodeGroupShape,
    fleet: &Fleet,
    recommended: Option<&AmiAlias>,
) -> Result<(PoolShape, Vec<String>), String> {
    let mut notes = Vec::new();
    let capacity_type = match group.capacity_type.as_str() {
        "ON_DEMAND" => CapacityType::OnDemand,
        "SPOT" => CapacityType::Spot,
        other => return Err(format!("its capacity type {other} is not one that a node pool buys")),
    };
    if group.instance_types.is_empty() {
        return Err("its instance types are not known: its launch template asks for them in another way than by name".to_owned());
    }
    if group.zones.is_empty() {
        return Err("its subnets are not known".to_owned());
    }
    let ami = ami(spec, group, recommended, &mut notes)?;
    let subnets = group.subnets.iter().map(|id| id.parse().map_err(|e| format!("its subnet: {e}"))).collect::<Result<_, String>>()?;
    if let Some(template) = &group.launch_template {
        notes.push(format!("of its launch template {template} only instance type, security groups, hop limit and the disk's size, type, speed and key are taken over: user data, other metadata options, public addresses, placement, tenancy and tags are not"));
    }
    if let Some(key) = &group.disk.key {
        notes.push(format!("its disks are encrypted with {key}, which Karpenter's controller must be let use by the key's policy: `karpctl explain ebs-key`"));
    }
    let taints = taints(group, fleet)?;
    let most = |of: fn(&crate::facts::InstanceTypeFacts) -> u64| group.instance_types.iter().map(of).max().unwrap_or_default();
    let nodes = u64::from(super::scaling_before(group, fleet).max);
    let shape = PoolShape {
        name: name(&group.name)?,
        node_group: group.name.clone(),
        ami,
        architectures: architectures(group),
        capacity_type,
        instance_types: group.instance_types.iter().map(|t| t.name.clone()).collect(),
        zones: group.zones.clone(),
        subnets,
        security_groups: group.security_groups.clone(),
        hop_limit: hop_limit(group),
        labels: labels(group, &mut notes),
        taints: taints.standing,
        startup_taints: taints.startup,
        cpu_limit: nodes * most(|t| u64::from(t.vcpus)),
        memory_limit_mib: nodes * most(|t| t.memory_mib),
        disk: PoolDisk {
            gib: group.disk_gib,
            kind: group.disk.kind.clone(),
            iops: group.disk.iops,
            throughput: group.disk.throughput,
            key: group.disk.key.clone(),
        },
        weight: None,
        keeps_nodes: !fleet.autoscalers.is_empty() && fleet.autoscalers.iter().all(|a| a.keeps_nodes),
        consolidate_after: unneeded_time(spec, fleet),
    };
    Ok((shape, notes))
}

/// After how long without need a node goes, as the autoscaler's flag has it, where a pool of this release can say it and would take it.
fn unneeded_time(spec: &Spec, fleet: &Fleet) -> Option<String> {
    // The pattern of `consolidateAfter` in the CRD of v1; before that only empty nodes may be waited for.
    let is_taken = |time: &str| {
        let parts: Vec<&str> = time.split_inclusive(['s', 'm', 'h']).collect();
        let is_part =
            |part: &&str| part.len() > 1 && part.ends_with(['s', 'm', 'h']) && part[..part.len() - 1].chars().all(|c| c.is_ascii_digit());
        !parts.is_empty() && parts.iter().all(is_part)
    };
    let said = fleet.autoscalers.iter().find_map(|autoscaler| autoscaler.unneeded_time.clone())?;
    (spec.release.features().node_pool_api == NodePoolApi::V1 && is_taken(&said)).then_some(said)
}

/// A node group's name may have capitals and underscores, an object's may not.
fn name(group: &str) -> Result<ObjectName, String> {
    let text: String = group.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    text.trim_matches('-').parse().map_err(|_| format!("no node pool can have a name like `{group}`"))
}

/// The image that the group runs, where an alias can name it; else the newest of its family.
fn ami(spec: &Spec, group: &NodeGroupShape, recommended: Option<&AmiAlias>, notes: &mut Vec<String>) -> Result<AmiAlias, String> {
    let kind = group.ami_type.as_str();
    let mut family = match kind {
        _ if kind.ends_with("_FIPS") => return Err(format!("no AMI alias names an image of the kind {kind}")),
        _ if kind.starts_with("AL2023_") => "al2023".to_owned(),
        _ if kind.starts_with("AL2_") => "al2".to_owned(),
        _ if kind.starts_with("BOTTLEROCKET_") => "bottlerocket".to_owned(),
        _ if kind.starts_with("WINDOWS_") => windows(spec, kind, notes)?,
        _ => return Err(format!("its AMI type is {kind}: only its launch template knows how such a node starts")),
    };
    let mut version = pinned(spec, group, &family);
    if let Some(runs) = group.kubernetes.as_ref().filter(|runs| **runs != spec.kubernetes.to_string()) {
        notes.push(format!("its nodes run Kubernetes {runs}, Karpenter's will run {}, as the cluster does", spec.kubernetes));
    }
    if !spec.kubernetes.has_ami_family(&family) {
        notes.push(format!("EKS makes no images of {family} for Kubernetes {}: its nodes become al2023", spec.kubernetes));
        (family, version) = ("al2023".to_owned(), None);
    }
    if !spec.release.features().ami_families.contains(&family) {
        return Err(format!("Karpenter {} makes no nodes of {family}", spec.release));
    }
    let recommended = || recommended.filter(|alias| alias.family() == family).map(|alias| alias.version().to_owned());
    let version = version.or_else(recommended).unwrap_or_else(|| "latest".to_owned());
    format!("{family}@{version}").parse().map_err(|e| format!("its image: {e}"))
}

fn windows(spec: &Spec, kind: &str, notes: &mut Vec<String>) -> Result<String, String> {
    if !spec.windows {
        return Err("it is of Windows, whose nodes are let in only with --windows".to_owned());
    }
    let year: String = kind.chars().filter(char::is_ascii_digit).take(4).collect();
    if kind.contains("_FULL_") {
        notes.push("Karpenter makes Windows nodes of the Core edition".to_owned());
    }
    Ok(format!("windows{year}"))
}

/// What stands behind the `@` of the alias of an image that EKS calls `1.34.1-20251103`, or `1.26.1-943d9a41` for Bottlerocket. An alias
/// means an image for the cluster's Kubernetes: one for another is named by none.
fn pinned(spec: &Spec, group: &NodeGroupShape, family: &str) -> Option<String> {
    let version = group.release_version.as_deref()?;
    let (first, second) = version.split_once('-')?;
    if group.kubernetes.as_ref().is_some_and(|runs| *runs != spec.kubernetes.to_string()) {
        return None;
    }
    match family {
        "al2" | "al2023" => {
            let same = first == spec.kubernetes.to_string() || first.starts_with(&format!("{}.", spec.kubernetes));
            (same && second.len() == 8 && second.chars().all(|c| c.is_ascii_digit())).then(|| format!("v{second}"))
        }
        "bottlerocket" => Some(format!("v{first}")),
        _ => None,
    }
}

/// How many hops answers of the instance metadata make: a pod is one further than its node. EKS's own launch templates let them make two, but
/// for AL2023, where Karpenter's class says one as well (the check node-group has the sources).
fn hop_limit(group: &NodeGroupShape) -> Option<u32> {
    let of_eks = group.launch_template.is_none() && ["AL2_", "BOTTLEROCKET_"].iter().any(|kind| group.ami_type.starts_with(kind));
    group.hop_limit.or(of_eks.then_some(2))
}

fn architectures(group: &NodeGroupShape) -> Vec<Architecture> {
    let runs = |name: &str| group.instance_types.iter().any(|t| t.architectures.iter().any(|a| a == name));
    let arm = group.ami_type.contains("_ARM_64") || group.ami_type.contains("_arm64");
    match (runs("x86_64") && !arm, runs("arm64")) {
        (false, true) => vec![Architecture::Arm64],
        _ => vec![Architecture::Amd64],
    }
}

/// Whether a label's key is of one of these domains.
pub(super) fn within(key: &str, domains: &[&str]) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    domains.iter().any(|d| domain == *d || domain.ends_with(&format!(".{d}")))
}

fn labels(group: &NodeGroupShape, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (key, value) in &group.labels {
        if within(key, &OF_GROUPS) {
            notes.push(format!("the label {key}={value} is of node groups, and stays with them"));
        } else if within(key, &RESTRICTED) && !within(key, &FREE) {
            notes.push(format!("the label {key}={value} is of a domain in which Karpenter lets nobody give labels"));
        } else {
            kept.insert(key.clone(), value.clone());
        }
    }
    kept
}
