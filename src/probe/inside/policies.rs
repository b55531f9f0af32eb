//! The network policies that select the controller's pods.

use super::{items, text};
use crate::error::Result;
use crate::facts::{Admits, IngressPolicy, IngressRule, PolicyFacts, PolicyPort, Probed};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::said;
use crate::spec::Spec;
use serde_json::Value;

/// What the policies of Karpenter's namespace let in. Absent: no Karpenter is there.
pub(crate) async fn policies(spec: &Spec, kube: &dyn Kube) -> Probed<PolicyFacts> {
    said(read(spec, kube).await)
}

async fn read(spec: &Spec, kube: &dyn Kube) -> Result<Option<PolicyFacts>> {
    let namespace = spec.namespace.as_str();
    let deployment =
        ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(namespace.to_owned()), name: "karpenter".into() };
    let kind = ObjectKind::new("networking.k8s.io/v1", "networkpolicies");
    let (deployment, listed) = tokio::join!(kube.get(&deployment), kube.list(&kind, Some(namespace), None));
    let Some(deployment) = deployment? else { return Ok(None) };
    let template = &deployment["spec"]["template"];
    let ports = items(&template["spec"]["containers"]).iter().flat_map(|container| items(&container["ports"]));
    let about = |policy: &&Value| selects(&policy["spec"]["podSelector"], &template["metadata"]["labels"]) && is_about_ingress(policy);
    Ok(Some(PolicyFacts {
        ports: ports.filter_map(|port| Some((text(port["name"].as_str()?), port["containerPort"].as_i64()?))).collect(),
        host_network: template["spec"]["hostNetwork"] == true,
        policies: listed?.iter().filter(about).map(policy).collect(),
    }))
}

/// Whether a label selector selects what has these labels. One that the API server would not take selects nothing.
fn selects(selector: &Value, labels: &Value) -> bool {
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

/// A policy that says nothing of types is about what comes in.
fn is_about_ingress(policy: &Value) -> bool {
    let types = items(&policy["spec"]["policyTypes"]);
    types.is_empty() || types.iter().any(|kind| kind == "Ingress")
}

fn policy(policy: &Value) -> IngressPolicy {
    let rules = policy["spec"]["ingress"].as_array();
    IngressPolicy {
        name: text(policy["metadata"]["name"].as_str().unwrap_or_default()),
        rules: rules.map(|rules| rules.iter().map(rule).collect()),
    }
}

fn rule(rule: &Value) -> IngressRule {
    let from = items(&rule["from"]);
    let tcp = items(&rule["ports"]).iter().filter(|port| port["protocol"].is_null() || port["protocol"] == "TCP");
    let mut ports: Vec<PolicyPort> = tcp.map(port).collect();
    if ports.is_empty() && !items(&rule["ports"]).is_empty() {
        // It is about other protocols only: no port of this range is one.
        ports.push(PolicyPort { port: "0".into(), end: None });
    }
    IngressRule {
        ports,
        from: match from {
            [] => Admits::Anybody,
            peers if peers.iter().any(|peer| !peer["ipBlock"].is_null()) => Admits::Addresses,
            _ => Admits::Pods,
        },
    }
}

fn port(port: &Value) -> PolicyPort {
    let of = match &port["port"] {
        Value::Number(number) => number.to_string(),
        Value::String(name) => text(name),
        _ => String::new(),
    };
    PolicyPort { port: of, end: port["endPort"].as_i64() }
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
