//! The network policies that select the controller's pods, or will.

use super::{items, text};
use crate::error::Result;
use crate::facts::{Peers, PolicyFacts, PolicyPort, PolicyRule, PolicyRules, Probed};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::told;
use crate::spec::Spec;
use serde_json::{Value, json};

/// What the policies of Karpenter's namespace let through. Where Karpenter is not there yet, those that will select its pods.
pub(crate) async fn policies(spec: &Spec, kube: &dyn Kube) -> Probed<PolicyFacts> {
    told(read(spec, kube).await)
}

async fn read(spec: &Spec, kube: &dyn Kube) -> Result<PolicyFacts> {
    let namespace = spec.namespace.as_str();
    let deployment =
        ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(namespace.to_owned()), name: "karpenter".into() };
    let kind = ObjectKind::new("networking.k8s.io/v1", "networkpolicies");
    let (deployment, listed) = tokio::join!(kube.get(&deployment), kube.list(&kind, Some(namespace), None));
    let template = deployment?.map_or_else(|| to_come(spec), |deployment| deployment["spec"]["template"].clone());
    let ports = items(&template["spec"]["containers"]).iter().flat_map(|container| items(&container["ports"]));
    let listed = listed?;
    let about = |direction: Direction| {
        let selecting = listed.iter().filter(|policy| selects(&policy["spec"]["podSelector"], &template["metadata"]["labels"]));
        selecting.filter(|policy| is_about(policy, direction)).map(|policy| rules(policy, direction)).collect()
    };
    Ok(PolicyFacts {
        ports: ports.filter_map(|port| Some((text(port["name"].as_str()?), port["containerPort"].as_i64()?))).collect(),
        host_network: template["spec"]["hostNetwork"] == true,
        policies: about(Direction::Ingress),
        egress: about(Direction::Egress),
    })
}

/// What policies go by of the pods that the chart will make.
fn to_come(spec: &Spec) -> Value {
    json!({"metadata": {"labels": pod_labels(spec)}, "spec": {"hostNetwork": spec.chart.values.get("hostNetwork")}})
}

/// The labels of the pods that the chart will make.
pub(super) fn pod_labels(spec: &Spec) -> Value {
    let values = &spec.chart.values;
    let mut labels = json!({"app.kubernetes.io/name": "karpenter", "app.kubernetes.io/instance": "karpenter"});
    for (key, value) in values.get("podLabels").and_then(Value::as_object).into_iter().flatten() {
        labels[key.as_str()] = value.clone();
    }
    labels
}

/// Which way a policy is about.
#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

/// Whether a label selector selects what has these labels. One that the API server would not take selects nothing.
pub(in crate::probe) fn selects(selector: &Value, labels: &Value) -> bool {
    let all = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key.as_str()] == *value);
    all && items(&selector["matchExpressions"]).iter().all(|expression| {
        let label = expression["key"].as_str().map_or(&Value::Null, |key| &labels[key]);
        let among = items(&expression["values"]).contains(label);
        match expression["operator"].as_str() {
            Some("In") => among,
            Some("NotIn") => !among,
            Some("Exists") => !label.is_null(),
            Some("DoesNotExist") => label.is_null(),
            _ => false,
        }
    })
}

/// A policy that says nothing of types is about what comes in, and about what goes out where it has rules for that.
fn is_about(policy: &Value, direction: Direction) -> bool {
    let types = items(&policy["spec"]["policyTypes"]);
    match direction {
        Direction::Ingress => types.is_empty() || types.iter().any(|kind| kind == "Ingress"),
        Direction::Egress if types.is_empty() => !items(&policy["spec"]["egress"]).is_empty(),
        Direction::Egress => types.iter().any(|kind| kind == "Egress"),
    }
}

fn rules(policy: &Value, direction: Direction) -> PolicyRules {
    let (list, peers) = match direction {
        Direction::Ingress => ("ingress", "from"),
        Direction::Egress => ("egress", "to"),
    };
    let rules = policy["spec"][list].as_array();
    PolicyRules {
        name: text(policy["metadata"]["name"].as_str().unwrap_or_default()),
        rules: rules.map(|rules| rules.iter().map(|r| rule(r, peers)).collect()),
    }
}

fn rule(rule: &Value, peers: &str) -> PolicyRule {
    PolicyRule {
        ports: items(&rule["ports"]).iter().map(port).collect(),
        peers: match items(&rule[peers]) {
            [] => Peers::Anybody,
            peers if peers.iter().any(|peer| !peer["ipBlock"].is_null()) => Peers::Addresses,
            peers if peers.iter().all(|peer| peer["namespaceSelector"].is_null()) => Peers::OwnPods,
            _ => Peers::Pods,
        },
    }
}

fn port(port: &Value) -> PolicyPort {
    let of = match &port["port"] {
        Value::Number(number) => number.to_string(),
        Value::String(name) => text(name),
        _ => String::new(),
    };
    PolicyPort { port: of, end: port["endPort"].as_i64(), protocol: text(port["protocol"].as_str().unwrap_or("TCP")) }
}

#[cfg(test)]
mod tests {
    use super::selects;
    use serde_json::json;

    #[test]
    fn a_selector_selects_as_kubernetes_does() {
        let labels = json!({"app.kubernetes.io/name": "karpenter", "tier": "system"});
        let by = |operator: &str, key: &str, values: serde_json::Value| {
            selects(&json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}), &labels)
        };
        assert!(selects(&json!({}), &labels), "an empty one selects all");
        assert!(selects(&json!({"matchLabels": {"app.kubernetes.io/name": "karpenter"}}), &labels));
        assert!(!selects(&json!({"matchLabels": {"app.kubernetes.io/name": "karpenter", "tier": "web"}}), &labels));
        assert!(by("In", "tier", json!(["system"])) && !by("In", "tier", json!(["web"])) && !by("In", "none", json!(["web"])));
        assert!(by("NotIn", "tier", json!(["web"])) && by("NotIn", "none", json!(["web"])));
        assert!(by("Exists", "tier", json!([])) && !by("Exists", "none", json!([])));
        assert!(by("DoesNotExist", "none", json!([])) && !by("DoesNotExist", "tier", json!([])));
        assert!(!by("Like", "tier", json!([])));
    }
}
