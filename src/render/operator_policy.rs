//! The IAM policy of whoever runs karpctl: exactly what this spec calls for.

use super::operator_names::Names;
use super::policies::{add_conditions, cut};
use crate::knowledge::{Condition, OperatorCase, OperatorGrant, Work, operator_grants};
use crate::spec::{Boundary, ClusterMode, ControllerCapacity, Identity, IpFamily, Spec};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How a cluster of karpctl's own stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is yet to be made, or is to be removed.
    ToCome,
    /// It is there, and stays.
    There,
}

/// The policy for these works, whatever its length.
#[must_use]
pub fn operator_policy(spec: &Spec, works: &[Work], cluster: Standing) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements(spec, works, cluster)})
}

/// The policy for these works, as so few policies as IAM takes.
#[must_use]
pub fn operator_policies(spec: &Spec, works: &[Work]) -> Vec<Value> {
    cut(&statements(spec, works, Standing::ToCome), spec)
}

/// Grants on the same resources, under the same conditions: IAM counts characters.
#[derive(Clone)]
struct Merged {
    resources: Vec<String>,
    conditions: Vec<Condition>,
    sids: Vec<&'static str>,
    actions: BTreeSet<&'static str>,
}

fn statements(spec: &Spec, works: &[Work], cluster: Standing) -> Vec<Value> {
    let names = Names::of(spec);
    let mut all: Vec<Merged> = Vec::new();
    let (conditioned, free): (Vec<Merged>, Vec<Merged>) =
        needed(spec, works, cluster).iter().map(|grant| merged(grant, &names)).partition(|m| !m.conditions.is_empty());
    // What is allowed without a condition need not be allowed with one.
    let is_free = |resources: &[String], action: &str| free.iter().any(|m| m.resources == resources && m.actions.contains(action));
    let conditioned = conditioned.into_iter().map(|mut m| {
        m.actions.retain(|action| !is_free(&m.resources, action));
        m
    });
    for grant in free.iter().cloned().chain(conditioned).filter(|m| !m.actions.is_empty()) {
        match all.iter_mut().find(|m| m.resources == grant.resources && m.conditions == grant.conditions) {
            Some(same) => {
                same.sids.extend(grant.sids);
                same.actions.extend(grant.actions);
            }
            None => all.push(grant),
        }
    }
    all.iter().map(statement).collect()
}

fn merged(grant: &OperatorGrant, names: &Names<'_>) -> Merged {
    let mut resources: Vec<String> = grant.resources.iter().flat_map(|r| names.expanded(r)).collect();
    resources.dedup();
    Merged {
        resources,
        conditions: conditions(grant, names),
        sids: vec![grant.sid],
        actions: grant.actions.iter().map(String::as_str).collect(),
    }
}

fn statement(merged: &Merged) -> Value {
    let mut out = json!({"Sid": sid(&merged.sids), "Effect": "Allow", "Action": merged.actions, "Resource": merged.resources});
    add_conditions(&mut out, &merged.conditions);
    out
}

/// The conditions of a grant for this spec: one of which no value is left is none.
fn conditions(grant: &OperatorGrant, names: &Names<'_>) -> Vec<Condition> {
    let of_spec = |condition: &&Condition| {
        let mut values: Vec<String> = condition.values.iter().flat_map(|v| names.expanded(v)).collect();
        values.dedup();
        let key = names.expanded(&condition.key).pop()?;
        (!values.is_empty()).then(|| Condition { operator: condition.operator.clone(), key, values })
    };
    grant.conditions.iter().filter_map(of_spec).collect()
}

/// The name of a statement: of several grants it says all that they do, since a reader goes by it. That they look, too, goes without saying.
fn sid<'a>(sids: &[&'a str]) -> String {
    if let [one] = sids {
        return (*one).to_owned();
    }
    let parted =
        |sid: &&'a str| sid.split_at(sid.char_indices().skip(1).find(|(_, c)| c.is_ascii_uppercase()).map_or(sid.len(), |(at, _)| at));
    let all: Vec<(&'a str, &'a str)> = sids.iter().map(parted).collect();
    let mut named: Vec<(&'a str, &'a str)> = all.iter().copied().filter(|(verb, _)| !matches!(*verb, "See" | "List")).collect();
    if named.is_empty() {
        named.clone_from(&all);
    }
    let mut verbs: Vec<&str> = Vec::new();
    for (verb, _) in &named {
        if !verbs.contains(verb) {
            verbs.push(verb);
        }
    }
    verbs.sort_by_key(|verb| *verb == "Remove");
    let first = named.first().map_or("", |(_, object)| object);
    let more = if named.iter().any(|(_, object)| *object != first) { "AndMore" } else { "" };
    format!("{}{first}{more}", verbs.concat())
}

/// What these works need for this spec.
#[must_use]
pub fn needed(spec: &Spec, works: &[Work], cluster: Standing) -> Vec<OperatorGrant> {
    let holds = |case: &OperatorCase| match case {
        OperatorCase::ExistingCluster => spec.cluster == ClusterMode::Existing,
        OperatorCase::NewCluster => spec.cluster == ClusterMode::Managed,
        OperatorCase::ByEksctl => spec.cluster == ClusterMode::Managed && cluster == Standing::ToCome,
        OperatorCase::OwnNetwork => spec.vpc.is_none(),
        OperatorCase::Ipv6 => spec.ip_family == IpFamily::Ipv6,
        OperatorCase::Private => spec.private,
        OperatorCase::SecretsKey => spec.kms_key.is_some(),
        OperatorCase::NodeGroup => matches!(spec.capacity, ControllerCapacity::NodeGroup(_)),
        OperatorCase::Fargate => spec.capacity == ControllerCapacity::Fargate,
        OperatorCase::PodIdentity => spec.identity == Identity::PodIdentity,
        OperatorCase::Irsa => spec.identity == Identity::Irsa,
        OperatorCase::InterruptionQueue => spec.release.features().interruption_queue,
        OperatorCase::InstanceProfile => super::cloudformation::has_instance_profile(spec),
        OperatorCase::NoInstanceProfile => !super::cloudformation::has_instance_profile(spec),
        OperatorCase::OwnStack => spec.made_elsewhere.is_none(),
        OperatorCase::Boundary => spec.boundary().is_some(),
        OperatorCase::NoBoundary => spec.boundary().is_none(),
        OperatorCase::BoundaryTakenOff => spec.permissions_boundary == Some(Boundary::None),
    };
    let wanted = |grant: &OperatorGrant| works.iter().any(|w| w.needs(grant.works)) && grant.cases.iter().all(holds);
    operator_grants().into_iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_all_that_a_statement_lets_one_do() {
        for (sids, name) in [
            (&["SeeCluster"][..], "SeeCluster"),
            (&["SeePoliciesInTheWay", "MakePolicies", "ChangePolicies", "RemovePolicies"], "MakeChangeRemovePolicies"),
            (&["SeeCluster", "MakeCluster", "ClosePublicEndpoint"], "MakeCloseClusterAndMore"),
            (&["RemoveNetworkAddon", "MakeAddons"], "MakeRemoveNetworkAddonAndMore"),
            (&["SeeZones", "ListStacks"], "SeeListZonesAndMore"),
        ] {
            assert_eq!(sid(sids), name);
        }
    }
}
