//! What keeps Karpenter from draining the nodes that go.

use super::StepContext;
use crate::error::Error;
use crate::knowledge::STAY_ANNOTATIONS;
use crate::ports::{Kube, ObjectKind};
use crate::probe::kinds::{name_of, nodes};
use crate::spec::ClusterMode;
use serde_json::Value;
use std::collections::BTreeSet;

/// The most of a kind that are named.
const NAMED: usize = 5;

/// The failure of a drain that does not end although the controller runs: it names the budgets and pods that forbid it, as far as they can be
/// read. Karpenter waits for both without end (its page on disruption, "may block draining indefinitely").
pub(super) async fn held(context: &StepContext<'_>, kube: &dyn Kube, pool_label: &str) -> Error {
    let cluster = &context.spec.cluster_name;
    let (nodes, pods) = (nodes(), ObjectKind::new("v1", "pods"));
    let budgets = ObjectKind::new("policy/v1", "poddisruptionbudgets");
    let (nodes, pods, budgets) =
        tokio::join!(kube.list(&nodes, None, Some(pool_label)), kube.list(&pods, None, None), kube.list(&budgets, None, None));
    let going: BTreeSet<String> = nodes.unwrap_or_default().iter().map(name_of).collect();
    let mut pods = pods.unwrap_or_default();
    pods.retain(|pod| pod["spec"]["nodeName"].as_str().is_some_and(|node| going.contains(node)) && !has_ended(pod));
    let namespaces: BTreeSet<&str> = pods.iter().filter_map(|pod| pod["metadata"]["namespace"].as_str()).collect();
    let mut budgets = budgets.unwrap_or_default();
    budgets.retain(|budget| {
        forbids(budget) && budget["metadata"]["namespace"].as_str().is_some_and(|namespace| namespaces.contains(namespace))
    });
    let held: Vec<&Value> = pods.iter().filter(|pod| is_held(pod)).collect();

    let error = Error::failed(format!("cannot remove the node pools of cluster {cluster}: their nodes do not drain"));
    let error = budgets
        .iter()
        .take(NAMED)
        .fold(error, |error, budget| error.because(format!("the disruption budget {} allows no pod to go", shown(budget))));
    let error =
        held.iter().take(NAMED).fold(error, |error, pod| error.because(format!("the pod {} is annotated do-not-disrupt", shown(pod))));
    let why = match context.spec.cluster {
        ClusterMode::Managed => "the cluster goes, and they with it",
        ClusterMode::Existing => "or give the workload another replica, and the budget another number",
    };
    let error =
        budgets.iter().take(NAMED).fold(error, |error, budget| error.hint(format!("`{}`: {why}", delete("poddisruptionbudget", budget))));
    let error = held.iter().take(NAMED).fold(error, |error, pod| error.hint(format!("end it yourself: `{}`", delete("pod", pod))));
    if budgets.is_empty() && held.is_empty() {
        return error.hint(
            "Karpenter says what it waits for: `kubectl get events --all-namespaces --field-selector reason=FailedDraining`; mostly a disruption budget, or the annotation karpenter.sh/do-not-disrupt",
        );
    }
    error
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn is_held(pod: &Value) -> bool {
    let said = |annotation: &str| pod["metadata"]["annotations"][annotation].as_str();
    STAY_ANNOTATIONS.into_iter().filter_map(said).any(|value| value != "false")
}

fn forbids(budget: &Value) -> bool {
    budget["status"]["disruptionsAllowed"] == 0 && budget["status"]["expectedPods"].as_u64().is_some_and(|pods| pods > 0)
}

fn shown(object: &Value) -> String {
    format!("{}/{}", object["metadata"]["namespace"].as_str().unwrap_or_default(), name_of(object))
}

fn delete(kind: &str, object: &Value) -> String {
    format!("kubectl --namespace {} delete {kind} {}", object["metadata"]["namespace"].as_str().unwrap_or_default(), name_of(object))
}
