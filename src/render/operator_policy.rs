//! The IAM policy of whoever runs karpctl: exactly what this spec calls for.

use super::policies::{cut, substituted};
use crate::knowledge::{OperatorCase, OperatorGrant, Work, operator_grants};
use crate::spec::{ClusterMode, ControllerCapacity, Identity, IpFamily, Spec};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

fn statements(spec: &Spec, works: &[Work], cluster: Standing) -> Vec<Value> {
    // Actions on the same resources stand in one statement: IAM counts characters.
    let mut by_resources: BTreeMap<Vec<String>, (String, BTreeSet<&str>)> = BTreeMap::new();
    let mut order: Vec<Vec<String>> = Vec::new();
    for grant in needed(spec, works, cluster) {
        let mut resources: Vec<String> = grant.resources.iter().map(|r| resource(r, spec)).collect();
        resources.dedup();
        if !by_resources.contains_key(&resources) {
            order.push(resources.clone());
        }
        let statement = by_resources.entry(resources).or_insert_with(|| (grant.sid.to_owned(), BTreeSet::new()));
        statement.1.extend(grant.actions.iter().map(String::as_str));
    }
    order
        .into_iter()
        .map(|resources| {
            let (sid, actions) = &by_resources[&resources];
            json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
        })
        .collect()
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
        ("${EksctlName}", eksctl_name(spec)),
        ("${SecretsKey}", spec.kms_key.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    substituted(&names.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value)), spec)
}

/// What the roles of eksctl's stacks are called. CloudFormation makes their names of the stack's, the logical id and twelve letters, and
/// cuts the stack's short so that all have 64: 16 letters of a cluster's name are always there.
fn eksctl_name(spec: &Spec) -> String {
    let cluster = spec.cluster_name.as_str();
    match cluster.char_indices().nth(16) {
        Some((end, _)) => format!("eksctl-{}*", &cluster[..end]),
        None => format!("eksctl-{cluster}-*"),
    }
}
