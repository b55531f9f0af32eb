//! What the nodes of a group may do in AWS by their role, and Karpenter's may not.

use crate::facts::{NodeGroupShape, Probed, RolePolicies};
use crate::spec::Spec;
use std::collections::BTreeMap;

/// Policies of AWS that give a node nothing which those of Karpenter's role do not.
const OF_NODES: [&str; 3] =
    ["AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"];

/// What pods that go by their node's role lose, a sentence each.
#[must_use]
pub fn lost_policies(spec: &Spec, group: &NodeGroupShape, roles: &Probed<BTreeMap<String, Probed<RolePolicies>>>) -> Vec<String> {
    let (role, own) = (&group.node_role, spec.node_role_name());
    let unknown = |whose: &str, why: &str| vec![format!("what the role of {whose} may do is not known: {why}")];
    let whose = format!("its nodes, {role},");
    let roles = match roles {
        Probed::Known(roles) => roles,
        Probed::Unavailable(why) => return unknown(&whose, why),
        Probed::Absent | Probed::NotAsked => return Vec::new(),
    };
    let theirs = match roles.get(role).filter(|_| *role != own) {
        Some(Probed::Known(theirs)) => theirs,
        Some(Probed::Unavailable(why)) => return unknown(&whose, why),
        _ => return Vec::new(),
    };
    let none = RolePolicies::default();
    let has = match roles.get(&own) {
        Some(Probed::Unavailable(why)) => return unknown(&format!("Karpenter's nodes, {own},"), why),
        own => own.and_then(Probed::known).unwrap_or(&none),
    };
    let usual = spec.release.stack().node_policies;
    let is_usual = |arn: &str| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        arn.contains(":iam::aws:policy/") && (OF_NODES.contains(&name) || usual.iter().any(|policy| policy == name))
    };
    let mut said = Vec::new();
    for arn in theirs.attached.iter().filter(|arn| !is_usual(arn) && !has.attached.contains(arn)) {
        said.push(format!(
            "the role of its nodes, {role}, has the policy {arn}, and Karpenter's has not; if pods go by it: \
             `aws iam attach-role-policy --role-name {own} --policy-arn {arn}` (take it off again before `karpctl destroy`)"
        ));
    }
    let inline: Vec<&str> = theirs.inline.iter().filter(|name| !has.inline.contains(name)).map(String::as_str).collect();
    if !inline.is_empty() {
        said.push(format!(
            "the role of its nodes, {role}, has policies written into it, and Karpenter's has not: {}; \
             `aws iam get-role-policy --role-name {role} --policy-name {}` shows what pods lose that go by it",
            inline.join(", "),
            inline[0]
        ));
    }
    said
}
