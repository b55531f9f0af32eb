//! The controller's Deployment, and what its pods complain of while it is not ready.

use super::inside::{is_ready, items};
use super::release::helm_owner;
use super::{ProbeContext, failed, said};
use crate::error::{Result, clean};
use crate::facts::{ControllerFacts, Declared, PodFacts, Probed};
use crate::knowledge::{CHART, ROLE_ANNOTATION};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::spec::{Identity, Spec};
use serde_json::Value;

/// The label that every release's chart gives its Deployment and pods.
pub(crate) const SELECTOR: &str = "app.kubernetes.io/name=karpenter";
/// The label of Flux's helm-controller on what it applies: the name of its `HelmRelease`.
pub(crate) const FLUX_MARK: &str = "helm.toolkit.fluxcd.io/name";
/// The annotation of Argo CD on what it applies.
pub(crate) const ARGO_MARK: &str = "argocd.argoproj.io/tracking-id";

/// Whether a pod is one of the controller that is installed in this namespace.
pub(crate) fn is_controller(pod: &Value, namespace: &str) -> bool {
    let metadata = &pod["metadata"];
    metadata["namespace"] == namespace && metadata["labels"]["app.kubernetes.io/name"] == "karpenter"
}

/// The most complaints that are kept: the newest.
const COMPLAINTS: usize = 8;

pub(super) async fn controller(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<ControllerFacts> {
    let deployment = match deployment(context.spec, kube).await {
        Ok(Some(found)) => found,
        Ok(None) => return Probed::Absent,
        Err(e) => return failed(&e),
    };
    let mut facts = facts_of(&deployment);
    facts.role = role_of(kube, &deployment).await;
    if facts.ready < facts.desired || facts.desired == 0 {
        let (pods, events) = pods_and_events(kube, &facts.namespace, SELECTOR).await.unwrap_or_default();
        (facts.complaints, facts.without_node) = (said_by(&pods, events, CHART), without_node(&pods));
    }
    facts.led_otherwise = led_otherwise(kube, &facts.namespace, context.spec).await.unwrap_or_default();
    said(Ok(Some(facts)))
}

/// The Deployment in the spec's namespace, else one elsewhere: two Karpenters in one cluster work against each other.
async fn deployment(spec: &Spec, kube: &dyn Kube) -> Result<Option<Value>> {
    let kind = ObjectKind::new("apps/v1", "deployments");
    let mut found = kube.list(&kind, None, Some(SELECTOR)).await?;
    let here = found.iter().position(|d| d["metadata"]["namespace"] == spec.namespace.as_str());
    if let Some(at) = here {
        return Ok(Some(found.swap_remove(at)));
    }
    let named = ObjectRef { kind, namespace: Some(spec.namespace.to_string()), name: "karpenter".into() };
    Ok(kube.get(&named).await?.or_else(|| found.into_iter().next()))
}

fn facts_of(deployment: &Value) -> ControllerFacts {
    let count = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let current = deployment["status"]["observedGeneration"].as_u64() >= deployment["metadata"]["generation"].as_u64();
    let status = &deployment["status"];
    // While a new ReplicaSet comes up, pods of the old one are ready too: they do not count.
    let updated = count(&status["updatedReplicas"]);
    let ready = count(&status["readyReplicas"]).unwrap_or(0);
    ControllerFacts {
        namespace: deployment["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
        helm_owner: helm_owner(deployment),
        declared: declared(deployment),
        role: None,
        desired: count(&deployment["spec"]["replicas"]).unwrap_or(1),
        ready: if current { updated.map_or(ready, |n| n.min(ready)) } else { 0 },
        image: image_of(deployment),
        without_node: 0,
        complaints: Vec::new(),
        led_otherwise: Vec::new(),
    }
}

/// The role of the controller's service account by IRSA. One that cannot be read is taken for one without.
async fn role_of(kube: &dyn Kube, deployment: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = ObjectKind::new("v1", "serviceaccounts");
    let name = text(&deployment["spec"]["template"]["spec"]["serviceAccountName"])?;
    let account = kube.get(&ObjectRef { kind, namespace: text(&deployment["metadata"]["namespace"]), name }).await.ok()??;
    text(&account["metadata"]["annotations"][ROLE_ANNOTATION])
}

/// What `GitOps` wrote on an object: Flux's helm-controller two labels (its changelog, 0.9.0), Argo CD `<application>:<object>`, and before an
/// Application of another namespace than its own `<namespace>_` (its guide, "Resource Tracking").
pub(super) fn declared(object: &Value) -> Option<Declared> {
    let metadata = &object["metadata"];
    let label = |key: &str| metadata["labels"][key].as_str();
    if let (Some(namespace), Some(name)) = (label("helm.toolkit.fluxcd.io/namespace"), label(FLUX_MARK)) {
        return Some(Declared::HelmRelease(format!("{namespace}/{name}")));
    }
    let (application, _) = metadata["annotations"][ARGO_MARK].as_str()?.split_once(':')?;
    // Anybody may write anything into an annotation.
    let is_name = application.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) && !application.starts_with('-');
    is_name.then(|| Declared::Application(application.replace('_', "/")))
}

/// The variable by which EKS leads a container to the Pod Identity agent. A pod gets it when it is made, or never
/// (EKS User Guide, "Understand how EKS Pod Identity works").
const AGENT_VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// The Deployments of the controller in a namespace.
pub(crate) async fn deployments(kube: &dyn Kube, namespace: &str) -> Result<Vec<Value>> {
    kube.list(&ObjectKind::new("apps/v1", "deployments"), Some(namespace), Some(SELECTOR)).await
}

/// The controller's pods that are not led to credentials as the spec says, without those that go or have ended: by Pod Identity those that are not
/// led to its agent, by IRSA those that are.
pub(crate) async fn led_otherwise(kube: &dyn Kube, namespace: &str, spec: &Spec) -> Result<Vec<PodFacts>> {
    let pods = kube.list(&ObjectKind::new("v1", "pods"), Some(namespace), Some(SELECTOR)).await?;
    let by_agent = spec.identity == Identity::PodIdentity;
    let otherwise = |pod: &&Value| runs_as(pod, spec.service_account()) && is_led_to_agent(pod) != by_agent;
    Ok(pods.iter().filter(otherwise).filter_map(pod_facts).collect())
}

/// How many of the controller's pods wait for a node.
fn without_node(pods: &[Value]) -> u32 {
    let waits = |pod: &&Value| {
        let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let refused = |c: &Value| c["type"] == "PodScheduled" && c["status"] == "False" && c["reason"] == "Unschedulable";
        pod["metadata"]["deletionTimestamp"].is_null() && conditions.iter().any(refused)
    };
    u32::try_from(pods.iter().filter(waits).count()).unwrap_or(u32::MAX)
}

fn runs_as(pod: &Value, account: &str) -> bool {
    pod["spec"]["serviceAccountName"] == account
        && pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn is_led_to_agent(pod: &Value) -> bool {
    let named = |container: &Value| container["env"].as_array().is_some_and(|env| env.iter().any(|e| e["name"] == AGENT_VARIABLE));
    pod["spec"]["containers"].as_array().is_some_and(|containers| containers.iter().any(named))
}

fn pod_facts(pod: &Value) -> Option<PodFacts> {
    let metadata = &pod["metadata"];
    let created: jiff::Timestamp = metadata["creationTimestamp"].as_str()?.parse().ok()?;
    Some(PodFacts { name: metadata["name"].as_str()?.to_owned(), created_at: created.as_second() })
}

fn image_of(deployment: &Value) -> String {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let controller = containers.iter().find(|c| c["name"] == "controller").or_else(|| containers.first());
    controller.and_then(|c| c["image"].as_str()).unwrap_or_default().to_owned()
}

/// What the controller's pods and the events about them say, newest last.
pub(crate) async fn complaints(kube: &dyn Kube, namespace: &str) -> Result<Vec<String>> {
    complaints_of(kube, namespace, SELECTOR, CHART).await
}

/// What these pods and the warnings about objects whose name begins with `prefix` say, newest last.
pub(crate) async fn complaints_of(kube: &dyn Kube, namespace: &str, selector: &str, prefix: &str) -> Result<Vec<String>> {
    let (pods, events) = pods_and_events(kube, namespace, selector).await?;
    Ok(said_by(&pods, events, prefix))
}

async fn pods_and_events(kube: &dyn Kube, namespace: &str, selector: &str) -> Result<(Vec<Value>, Vec<Value>)> {
    let (pods, events) = (ObjectKind::new("v1", "pods"), ObjectKind::new("v1", "events"));
    let (pods, events) = tokio::join!(kube.list(&pods, Some(namespace), Some(selector)), kube.list(&events, Some(namespace), None));
    // Events are only a help: that they cannot be read must not hide what the pods say.
    Ok((pods?, events.unwrap_or_default()))
}

fn said_by(pods: &[Value], events: Vec<Value>, prefix: &str) -> Vec<String> {
    let mut said: Vec<String> = pods.iter().flat_map(of_pod).collect();
    said.extend(of_events(events, prefix));
    let mut kept: Vec<String> = Vec::new();
    for line in said {
        if !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.split_off(kept.len().saturating_sub(COMPLAINTS))
}

fn of_pod(pod: &Value) -> Vec<String> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let status = &pod["status"];
    if is_ready(pod) {
        return Vec::new();
    }
    let conditions = items(&status["conditions"]);
    let mut lines = Vec::new();
    for condition in conditions.iter().filter(|c| c["type"] == "PodScheduled" && c["status"] == "False") {
        lines.push(line(&format!("pod {name} is not scheduled"), &condition["message"]));
    }
    for container in status["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let waiting = &container["state"]["waiting"];
        if let Some(reason) = waiting["reason"].as_str() {
            lines.push(line(&format!("pod {name}: {reason}"), &waiting["message"]));
        }
        let ended = &container["lastState"]["terminated"];
        if let Some(code) = ended["exitCode"].as_i64() {
            lines.push(line(&format!("pod {name} ended with {code}"), &ended["message"]));
        }
    }
    if lines.is_empty() {
        lines.push(format!("pod {name} is {}, not ready", status["phase"].as_str().unwrap_or("Pending")));
    }
    lines
}

fn of_events(mut events: Vec<Value>, prefix: &str) -> Vec<String> {
    events.retain(|e| {
        e["type"] == "Warning" && e["involvedObject"]["name"].as_str().is_some_and(|n| n == prefix || n.starts_with(&format!("{prefix}-")))
    });
    events.sort_by_key(|e| {
        let time = |key: &str| e[key].as_str().unwrap_or_default().to_owned();
        time("lastTimestamp").max(time("eventTime")).max(e["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned())
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|e| {
            let about = format!("{} {}", text(&e["involvedObject"]["kind"]).to_lowercase(), text(&e["involvedObject"]["name"]));
            line(&format!("{about}: {}", text(&e["reason"])), &e["message"])
        })
        .collect()
}

fn line(what: &str, message: &Value) -> String {
    match message.as_str().map(clean).filter(|m| !m.is_empty()) {
        Some(message) => format!("{what}: {}", message.replace('\n', " ")),
        None => what.to_owned(),
    }
}
