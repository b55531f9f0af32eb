//! The IAM policy of whoever runs karpctl: exactly what this spec calls for.

use super::policies::substituted;
use crate::knowledge::{OperatorCase, OperatorGrant, Work, operator_grants};
use crate::spec::{ClusterMode, Identity, Spec};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The policy for these works.
#[must_use]
pub fn operator_policy(spec: &Spec, works: &[Work]) -> Value {
    // Actions on the same resources stand in one statement: IAM counts characters.
    let mut by_resources: BTreeMap<Vec<String>, (String, BTreeSet<&str>)> = BTreeMap::new();
    let mut order: Vec<Vec<String>> = Vec::new();
    for grant in needed(spec, works) {
        let mut resources: Vec<String> = grant.resources.iter().map(|r| resource(r, spec)).collect();
        resources.dedup();
        if !by_resources.contains_key(&resources) {
            order.push(resources.clone());
        }
        let statement = by_resources.entry(resources).or_insert_with(|| (grant.sid.to_owned(), BTreeSet::new()));
        statement.1.extend(grant.actions.iter().map(String::as_str));
    }
    let statements: Vec<Value> = order
        .into_iter()
        .map(|resources| {
            let (sid, actions) = &by_resources[&resources];
            json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What these works need for this spec.
#[must_use]
pub fn needed(spec: &Spec, works: &[Work]) -> Vec<OperatorGrant> {
    let holds = |case: &OperatorCase| match case {
        OperatorCase::ExistingCluster => spec.cluster == ClusterMode::Existing,
        OperatorCase::NewCluster => spec.cluster == ClusterMode::Managed,
        OperatorCase::PodIdentity => spec.identity == Identity::PodIdentity,
        OperatorCase::Irsa => spec.identity == Identity::Irsa,
        OperatorCase::InterruptionQueue => spec.release.features().interruption_queue,
        OperatorCase::InstanceProfile => super::cloudformation::has_instance_profile(spec),
    };
    let wanted = |grant: &OperatorGrant| works.iter().any(|w| w.needs(grant.works)) && grant.cases.iter().all(holds);
    operator_grants().into_iter().filter(wanted).collect()
}

/// A resource of the table as an ARN of this spec.
fn resource(text: &str, spec: &Spec) -> String {
    let names = [
        ("${StackName}", spec.stack_name()),
        ("${LockStackName}", spec.lock_stack_name()),
        ("${NodeRoleName}", spec.node_role_name()),
        ("${ControllerRoleName}", spec.controller_role_name()),
        ("${InstanceProfileName}", spec.instance_profile_name()),
        ("${QueueName}", spec.queue_name()),
    ];
    substituted(&names.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value)), spec)
}
