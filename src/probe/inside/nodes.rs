//! Nodes and the room on them: what they have, less what their pods ask for.

use super::neighbours::is_dns;
use super::{deleting, is_ready, items, text};
use crate::facts::quantity::{milli_cpu, units};
use crate::facts::{NodeFacts, NodeOrigin, PodRequests, Probed, Taint};
use crate::knowledge::{COMPUTE_TYPE_LABEL, NODE_GROUP_LABEL, OS_LABEL, POOL_LABELS, ZONE_LABEL};
use crate::ports::{Kube, ObjectKind};
use crate::probe::controller::is_controller;
use crate::probe::kinds::nodes as node_kind;
use crate::probe::{ProbeContext, failed};
use serde_json::Value;
use std::collections::BTreeMap;

/// What pods take of a node.
#[derive(Debug, Clone, Default)]
struct Amount {
    cpu: i64,
    memory: i64,
    pods: i64,
    dns: u32,
    address: Option<String>,
}

pub(crate) async fn nodes(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<Vec<NodeFacts>> {
    let (node, pod) = (node_kind(), ObjectKind::new("v1", "pods"));
    let (nodes, pods) = tokio::join!(kube.list(&node, None, None), kube.list(&pod, None, None));
    let (nodes, pods) = match (nodes, pods) {
        (Ok(nodes), Ok(pods)) => (nodes, pods),
        (Err(e), _) | (_, Err(e)) => return failed(&e),
    };
    let mut taken: BTreeMap<&str, Amount> = BTreeMap::new();
    for pod in pods.iter().filter(|p| !matches!(p["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))) {
        let Some(node) = pod["spec"]["nodeName"].as_str() else { continue };
        let taken = taken.entry(node).or_default();
        // The controller of an earlier run makes room for that of the next.
        if !is_controller(pod, context.spec.namespace.as_str()) {
            taken.cpu = taken.cpu.saturating_add(asked(pod, "cpu", milli_cpu));
            taken.memory = taken.memory.saturating_add(asked(pod, "memory", units));
            taken.pods += 1;
        }
        taken.dns += u32::from(is_dns(pod, &pod["spec"]) && is_ready(pod));
        if pod["spec"]["hostNetwork"] != true && taken.address.is_none() {
            taken.address = pod["status"]["podIP"].as_str().map(text);
        }
    }
    Probed::Known(nodes.iter().map(|node| facts_of(node, taken.get(node["metadata"]["name"].as_str().unwrap_or_default()))).collect())
}

fn facts_of(node: &Value, taken: Option<&Amount>) -> NodeFacts {
    let taken = taken.cloned().unwrap_or_default();
    let labels = &node["metadata"]["labels"];
    let label = |keys: &[&str]| keys.iter().find_map(|key| labels[*key].as_str()).map(text);
    let origin = if label(&POOL_LABELS).is_some() {
        NodeOrigin::Karpenter
    } else if labels[COMPUTE_TYPE_LABEL] == "fargate" {
        NodeOrigin::Fargate
    } else {
        NodeOrigin::Other
    };
    let has = |resource: &str| amount(&node["status"]["allocatable"][resource]);
    NodeFacts {
        name: text(node["metadata"]["name"].as_str().unwrap_or_default()),
        origin,
        node_group: label(&[NODE_GROUP_LABEL]),
        zone: label(&[ZONE_LABEL]),
        labels: labels.as_object().into_iter().flatten().filter_map(|(key, value)| Some((text(key), text(value.as_str()?)))).collect(),
        linux: labels[OS_LABEL].as_str().is_none_or(|os| os == "linux"),
        ready: is_ready(node),
        cordoned: node["spec"]["unschedulable"] == true,
        taints: items(&node["spec"]["taints"]).iter().filter_map(taint).collect(),
        free_cpu: milli_cpu(&has("cpu")).saturating_sub(taken.cpu),
        free_memory: units(&has("memory")).saturating_sub(taken.memory),
        free_pods: units(&has("pods")).saturating_sub(taken.pods),
        dns_pods: taken.dns,
        pod_address: taken.address,
        deleting: deleting(node),
    }
}

fn taint(taint: &Value) -> Option<Taint> {
    let value = taint["value"].as_str().unwrap_or_default();
    Some(Taint { key: text(taint["key"].as_str()?), value: text(value), effect: text(taint["effect"].as_str()?) })
}

/// What a pod, or a template of pods, asks of its node.
pub(super) fn requests(pod: &Value) -> PodRequests {
    PodRequests { cpu: asked(pod, "cpu", milli_cpu), memory: asked(pod, "memory", units) }
}

/// What the scheduler counts for a pod: its containers and those that start before them and stay; or, where that is more, what one
/// that starts before them takes for itself.
fn asked(pod: &Value, resource: &str, read: fn(&str) -> i64) -> i64 {
    let spec = &pod["spec"];
    let of = |container: &Value| read(&amount(&container["resources"]["requests"][resource]));
    let overhead = read(&amount(&spec["overhead"][resource]));
    let whole = &spec["resources"]["requests"][resource];
    if !whole.is_null() {
        return read(&amount(whole)).saturating_add(overhead);
    }
    let (mut staying, mut peak) = (0_i64, 0_i64);
    for first in items(&spec["initContainers"]) {
        let asked = of(first);
        if first["restartPolicy"] == "Always" {
            staying = staying.saturating_add(asked);
            peak = peak.max(staying);
        } else {
            peak = peak.max(staying.saturating_add(asked));
        }
    }
    let running = items(&spec["containers"]).iter().fold(staying, |sum, c| sum.saturating_add(of(c)));
    running.max(peak).saturating_add(overhead)
}

/// An amount is text in JSON, but may be a number.
fn amount(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_number() { value.to_string() } else { String::new() }, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_asks_for_what_it_asks_at_its_hungriest() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let stays = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        for (spec, milli) in [
            (json!({"containers": [container("100m"), container("1")]}), 1100),
            (json!({"containers": [container("100m")], "initContainers": [container("2")]}), 2000),
            (json!({"containers": [container("100m")], "initContainers": [stays("50m"), container("200m")]}), 250),
            (json!({"containers": [container("1")], "initContainers": [stays("500m"), container("1")], "overhead": {"cpu": "10m"}}), 1510),
            (json!({"containers": [container("1")], "resources": {"requests": {"cpu": 2}}}), 2000),
            (json!({"containers": "none"}), 0),
        ] {
            assert_eq!(asked(&json!({"spec": spec}), "cpu", milli_cpu), milli, "{spec}");
        }
    }
}
