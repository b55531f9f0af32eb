//! The namespace of the helm releases: made with karpctl's mark where it is not there, and removed only with that mark and empty.

use super::StepContext;
use super::context::OWNER_TAG;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Force, Kube, ObjectKind, ObjectRef};
use crate::spec::Spec;
use serde_json::json;

/// Whether an object is nothing that would be lost with its namespace: it comes with every namespace, tells of what was, or is the lease by
/// which a Karpenter that is gone was the one that works.
fn is_no_loss(plural: &str, name: &str) -> bool {
    match plural {
        // Endpoints go with their Service.
        "events" | "endpoints" => true,
        "leases" => name.starts_with("karpenter"),
        "configmaps" => name == "kube-root-ca.crt",
        "serviceaccounts" => name == "default",
        _ => false,
    }
}

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
    // One that cannot be listed, or a program that is not there, must not look like an empty namespace. zsh takes `$kinds` for one word, and
    // what it echoes for many; the bash of macOS reads no `case` in `$(…)` whose patterns have no opening parenthesis.
    let lone = r#"{{range .items}}{{if not .metadata.ownerReferences}}{{.kind}}/{{.metadata.name}}{{\"\n\"}}{{end}}{{end}}"#;
    let remove = format!(
        "if kinds=$(kubectl api-resources --namespaced --verbs list --output name) && left=$(for kind in $(echo \"$kinds\"); do case $kind in \
         (events|events.*|leases.*|endpoints|*.metrics.k8s.io) ;; (*) kubectl --namespace {name} get \"$kind\" --output go-template=\"{lone}\" || exit 1 ;; \
         esac; done) && [ -z \"$(printf '%s\\n' \"$left\" | grep -v -E '^(ConfigMap/kube-root-ca.crt|ServiceAccount/default)$')\" ]; then \
         kubectl delete namespace --selector {OWNER_TAG}={cluster} --field-selector metadata.name={name}; fi"
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
    let ours = kube.get(&place).await?.is_some_and(|found| found["metadata"]["labels"][OWNER_TAG] == *context.spec.cluster_name.as_str());
    if !ours {
        return Ok(());
    }
    match content(kube, &place.name).await {
        Ok(None) => {}
        Ok(Some(found)) => {
            context.doing(format!("the namespace {} stays: {found} is in it", place.name));
            return Ok(());
        }
        // Whoever cannot see all that is in it cannot know that nothing is lost.
        Err(e) if e.kind != ErrorKind::Interrupted => {
            context.doing(format!("the namespace {} stays, because what is in it could not be looked at: {e}", place.name));
            return Ok(());
        }
        Err(e) => return Err(e),
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

/// Something that would be lost with a namespace, of whatever kind. Kubernetes collects what belonged to a chart's objects only after them.
async fn content(kube: &dyn Kube, namespace: &str) -> Result<Option<String>> {
    for kind in kube.namespaced_kinds().await? {
        let found = kube.list(&kind, Some(namespace), None).await?;
        let lone = found.iter().filter(|object| object["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty));
        let names = lone.filter_map(|object| object["metadata"]["name"].as_str());
        if let Some(name) = names.into_iter().find(|name| !is_no_loss(&kind.plural, name)) {
            return Ok(Some(format!("{} {name}", kind.plural)));
        }
    }
    Ok(None)
}
