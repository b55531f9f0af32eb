//! What the nodes of a group may do in AWS by their role, and Karpenter's may not.

use crate::facts::{NodeGroupShape, Probed, RolePolicies};
use crate::spec::Spec;
use std::collections::BTreeMap;

/// Policies of AWS that give a node nothing which those of Karpenter's role do not.
const OF_NODES: [&str; 3] =
    ["AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"];

/// What pods that go by their node's role lose, a sentence each.
#[must_use]
pub fn lost_policies(spec: &Spec, group: &NodeGroupShape, roles: &Probed<BTreeMap<String, RolePolicies>>) -> Vec<String> {
    let (role, own) = (&group.node_role, spec.node_role_name());
    let roles = match roles {
        Probed::Known(roles) => roles,
        Probed::Unavailable(why) => return vec![format!("what the role of its nodes, {role}, may do is not known: {why}")],
        Probed::Absent | Probed::NotAsked => return Vec::new(),
    };
    let Some(theirs) = roles.get(role).filter(|_| *role != own) else { return Vec::new() };
    let has = roles.get(&own).cloned().unwrap_or_default();
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
