//! The namespace of the helm releases: made with karpctl's mark where it is not there, and removed only with that mark and empty.

use super::StepContext;
use super::context::OWNER_TAG;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Force, Kube, ObjectKind, ObjectRef};
use crate::spec::Spec;
use serde_json::json;

/// What would be lost with a namespace; service accounts and the root certificate come with every one.
const CONTENTS: [(&str, &str); 8] = [
    ("v1", "pods"),
    ("v1", "services"),
    ("v1", "secrets"),
    ("v1", "configmaps"),
    ("v1", "persistentvolumeclaims"),
    ("apps/v1", "deployments"),
    ("apps/v1", "statefulsets"),
    ("apps/v1", "daemonsets"),
];

fn place(context: &StepContext<'_>) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("v1", "namespaces"), namespace: None, name: context.spec.namespace.to_string() }
}

/// The namespaces that every cluster has.
fn is_of_the_cluster(spec: &Spec) -> bool {
    matches!(spec.namespace.as_str(), "kube-system" | "default")
}

/// What [`ensure`] stands for.
pub(super) fn ensure_commands(spec: &Spec) -> Vec<String> {
    let (name, cluster) = (&spec.namespace, &spec.cluster_name);
    let make = format!(
        "kubectl get namespace {name} || {{ kubectl create namespace {name} && kubectl label namespace {name} {OWNER_TAG}={cluster}; }}"
    );
    if is_of_the_cluster(spec) { Vec::new() } else { vec![make] }
}

/// What [`remove_if_ours`] stands for.
pub(super) fn remove_commands(spec: &Spec) -> Vec<String> {
    let (name, cluster) = (&spec.namespace, &spec.cluster_name);
    let remove = format!(
        "[ -n \"$(kubectl --namespace {name} get all --output name)\" ] || \
         kubectl delete namespace --selector {OWNER_TAG}={cluster} --field-selector metadata.name={name}"
    );
    if is_of_the_cluster(spec) { Vec::new() } else { vec![remove] }
}

/// Makes the namespace where it is not there.
pub(super) async fn ensure(context: &StepContext<'_>, kube: &dyn Kube) -> Result<()> {
    let place = place(context);
    if kube.get(&place).await?.is_some() {
        return Ok(());
    }
    let body = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": place.name, "labels": {OWNER_TAG: context.spec.cluster_name}},
    });
    kube.apply(&place, &body, Force::No).await.map(drop)
}

/// Removes the namespace where karpctl made it and nothing is left in it.
pub(super) async fn remove_if_ours(context: &StepContext<'_>, kube: &dyn Kube) -> Result<()> {
    let place = place(context);
    let ours = kube.get(&place).await?.is_some_and(|found| found["metadata"]["labels"][OWNER_TAG].is_string());
    if !ours {
        return Ok(());
    }
    for (api_version, plural) in CONTENTS {
        let found = kube.list(&ObjectKind::new(api_version, plural), Some(&place.name), None).await?;
        let left = found.iter().filter_map(|o| o["metadata"]["name"].as_str()).find(|name| *name != "kube-root-ca.crt");
        if let Some(name) = left {
            context.doing(format!("the namespace {} stays: {plural} {name} is in it", place.name));
            return Ok(());
        }
    }
    context.doing(format!("removing the namespace {}", place.name));
    kube.delete(&place).await?;
    let timed_out = || {
        Error::new(ErrorKind::Timeout, format!("the namespace {} is not gone in time", place.name))
            .hint(format!("`kubectl get namespace {} --output yaml` says what keeps it; then run karpctl again", place.name))
    };
    let place = &place;
    context.wait_for(super::BRIEF, timed_out, || async move { Ok(kube.get(place).await?.is_none().then_some(())) }).await
}
