//! What is there for a cluster, as far as facts say: names, ARNs, and where the console shows it. Pure.

use crate::facts::{Facts, Probed};
use crate::knowledge::{CHART, CRD_CHART};
use crate::spec::{ClusterMode, Partition, Spec};
use serde::Serialize;

/// Something that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// What it is: "IAM role of the controller".
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// Its ARN, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Where the console of its partition shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
}

/// What these facts say is there.
#[must_use]
pub fn inventory(spec: &Spec, facts: &Facts) -> Vec<Thing> {
    let mut things = Vec::new();
    let mut add = |what, name: String, arn: Option<String>, console: Option<String>| things.push(Thing { what, name, arn, console });
    let region = |service: &str, rest: &str| Some(console(spec, service, rest));
    let role = |name: &str| Some(format!("https://{}/iam/home#/roles/{name}", host(spec.partition)));
    if facts.cluster.known().is_some() {
        let what = if spec.cluster == ClusterMode::Existing { "EKS cluster (was there before)" } else { "EKS cluster" };
        let name = spec.cluster_name.to_string();
        add(what, name, Some(spec.cluster_arn().to_string()), region("eks", &format!("#/clusters/{}", spec.cluster_name)));
    }
    if let Some(stack) = facts.stack.known() {
        let link = region("cloudformation", &format!("#/stacks?filteringText={}", spec.stack_name()));
        add("CloudFormation stack", spec.stack_name(), Some(stack.id.clone()), link);
        let features = spec.release.features();
        add("IAM role of the nodes", spec.node_role_name(), Some(spec.node_role_arn().to_string()), role(&spec.node_role_name()));
        for part in &features.controller_policies {
            let arn = spec.controller_policy_arn(part).to_string();
            add("IAM policy of the controller", spec.controller_policy_name(part), Some(arn), None);
        }
        if features.interruption_queue {
            let arn = Some(spec.queue_arn().to_string());
            add("SQS queue for interruptions", spec.queue_name(), arn, region("sqs/v3", "#/queues"));
        }
    }
    if let Some(found) = facts.controller_role.known() {
        add("IAM role of the controller", spec.controller_role_name(), Some(found.arn.to_string()), role(&spec.controller_role_name()));
    }
    if let Some(found) = facts.oidc_provider.known() {
        add("IAM OIDC provider", found.arn.as_str().rsplit('/').next().unwrap_or_default().to_owned(), Some(found.arn.to_string()), None);
    }
    if let Some(found) = facts.pod_identity_agent.known() {
        let version = found.version.as_deref().unwrap_or_default();
        add("EKS add-on", format!("eks-pod-identity-agent {version}").trim_end().to_owned(), None, None);
    }
    if let Some(found) = facts.association.known() {
        add("Pod Identity association", found.id.clone(), None, None);
    }
    if let Some(found) = facts.access_entry.known() {
        add("EKS access entry", format!("{} {}", found.kind, spec.node_role_name()), None, None);
    }
    for (release, found) in [(CRD_CHART, &facts.crd_release), (CHART, &facts.chart_release)] {
        if let Probed::Known(found) = found {
            add("helm release", format!("{release} {} in {}", found.chart_version, spec.namespace), None, None);
        }
    }
    for (what, found) in [("node pool", &facts.node_pool), ("node class", &facts.node_class)] {
        if let Probed::Known(found) = found {
            let kind = found.get("kind").and_then(serde_json::Value::as_str).unwrap_or(what);
            add(what, format!("{kind} {}", spec.node_pool.name), None, None);
        }
    }
    things
}

/// The host of the console, by partition (AWS General Reference, service endpoints of the Management Console).
const fn host(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => "console.aws.amazon.com",
        Partition::AwsCn => "console.amazonaws.cn",
        Partition::AwsUsGov => "console.amazonaws-us-gov.com",
    }
}

fn console(spec: &Spec, service: &str, rest: &str) -> String {
    format!("https://{}/{service}/home?region={}{rest}", host(spec.partition), spec.region)
}
