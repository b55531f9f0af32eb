//! The admission webhooks of others that must answer before what Karpenter needs is written.

use super::admission::Configuration;
use super::conversion::{behind, webhook_service};
use super::policies::{pod_labels, selects};
use super::{items, text};
use crate::error::Result;
use crate::facts::{GateFacts, WebhookService, WebhookState};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::spec::Spec;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whose labels an object has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Labels {
    /// Those that the chart gives.
    Chart,
    /// Others, none of which is known beforehand.
    Others,
}

/// Where an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In Karpenter's namespace.
    Namespace,
    /// In none.
    Cluster,
}

/// What helm, the chart, the controller and karpctl write: of which API group, its plural, where, with which labels.
const WRITTEN: [(&str, &str, Place, Labels); 19] = [
    ("", "secrets", Place::Namespace, Labels::Others),
    ("", "serviceaccounts", Place::Namespace, Labels::Chart),
    ("", "services", Place::Namespace, Labels::Chart),
    ("", "pods", Place::Namespace, Labels::Chart),
    ("apps", "deployments", Place::Namespace, Labels::Chart),
    ("apps", "replicasets", Place::Namespace, Labels::Chart),
    ("policy", "poddisruptionbudgets", Place::Namespace, Labels::Chart),
    ("rbac.authorization.k8s.io", "roles", Place::Namespace, Labels::Chart),
    ("rbac.authorization.k8s.io", "rolebindings", Place::Namespace, Labels::Chart),
    ("rbac.authorization.k8s.io", "clusterroles", Place::Cluster, Labels::Chart),
    ("rbac.authorization.k8s.io", "clusterrolebindings", Place::Cluster, Labels::Chart),
    ("coordination.k8s.io", "leases", Place::Namespace, Labels::Others),
    ("apiextensions.k8s.io", "customresourcedefinitions", Place::Cluster, Labels::Others),
    ("karpenter.sh", "provisioners", Place::Cluster, Labels::Others),
    ("karpenter.sh", "nodepools", Place::Cluster, Labels::Others),
    ("karpenter.sh", "nodeclaims", Place::Cluster, Labels::Others),
    ("karpenter.k8s.aws", "awsnodetemplates", Place::Cluster, Labels::Others),
    ("karpenter.k8s.aws", "ec2nodeclasses", Place::Cluster, Labels::Others),
    ("", "nodes", Place::Cluster, Labels::Others),
];

/// The labels of Karpenter's namespace. Every namespace has this one; one that is not there yet will have no other.
pub(super) async fn namespace_labels(spec: &Spec, kube: &dyn Kube) -> Result<Value> {
    let name = spec.namespace.as_str();
    let found = kube.get(&ObjectRef { kind: ObjectKind::new("v1", "namespaces"), namespace: None, name: name.to_owned() }).await?;
    let mut labels = found.and_then(|found| found["metadata"]["labels"].as_object().cloned()).unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    Ok(Value::Object(labels))
}

/// Those of these configurations that are asked about any of it, with what stands behind them.
pub(super) async fn gates(spec: &Spec, kube: &dyn Kube, namespace: &Value, configurations: &[Configuration<'_>]) -> Result<Vec<GateFacts>> {
    let labels = pod_labels(spec);
    let mut asked: BTreeMap<(&str, &str, WebhookService), GateFacts> = BTreeMap::new();
    for &(resource, called, configuration) in configurations {
        for webhook in items(&configuration["webhooks"]) {
            let Some(service) = webhook_service(&webhook["clientConfig"]) else { continue };
            let covers = covered(webhook, namespace, &labels);
            if covers.is_empty() || webhook["failurePolicy"] == "Ignore" {
                continue;
            }
            let gate = asked.entry((resource, called, service.clone())).or_insert_with(|| GateFacts {
                resource: resource.to_owned(),
                configuration: text(called),
                webhooks: Vec::new(),
                conditional: true,
                covers: Vec::new(),
                service,
                state: WebhookState::Answers,
            });
            gate.webhooks.push(text(webhook["name"].as_str().unwrap_or_default()));
            gate.conditional &= !items(&webhook["matchConditions"]).is_empty();
            gate.covers.extend(covers.into_iter().filter(|one| !gate.covers.contains(one)).collect::<Vec<_>>());
        }
    }
    let gates = asked.into_values().map(|gate| async move { Ok(GateFacts { state: behind(kube, &gate.service).await?, ..gate }) });
    try_join_all(gates).await
}

/// What of all that is written a webhook is asked about.
fn covered(webhook: &Value, namespace: &Value, labels: &Value) -> Vec<String> {
    let among = |list: &Value, one: &str, any: &[&str]| items(list).iter().any(|v| v == one || any.iter().any(|any| v == any));
    let ruled = |group: &str, plural: &str, place: Place| {
        items(&webhook["rules"]).iter().any(|rule| {
            let in_scope = match rule["scope"].as_str() {
                Some("Namespaced") => place == Place::Namespace,
                Some("Cluster") => place == Place::Cluster,
                _ => true,
            };
            let writes = ["CREATE", "UPDATE"].iter().any(|operation| among(&rule["operations"], operation, &["*"]));
            in_scope && writes && among(&rule["apiGroups"], group, &["*"]) && among(&rule["resources"], plural, &["*", "*/*"])
        })
    };
    let none = json!({});
    let written = WRITTEN.iter().filter(|(group, plural, place, whose)| {
        let own = if *whose == Labels::Chart { labels } else { &none };
        ruled(group, plural, *place)
            && (*place == Place::Cluster || selects(&webhook["namespaceSelector"], namespace))
            && selects(&webhook["objectSelector"], own)
    });
    written.map(|(_, plural, ..)| (*plural).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(rule: &Value, more: &Value) -> Vec<String> {
        let mut webhook = json!({"rules": [rule]});
        webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        covered(&webhook, &json!({"kubernetes.io/metadata.name": "kube-system"}), &json!({"app.kubernetes.io/name": "karpenter"}))
    }

    #[test]
    fn a_webhook_is_asked_by_its_rules_and_selectors() {
        let rule = |group: &str, resource: &str| json!({"operations": ["CREATE"], "apiGroups": [group], "resources": [resource]});
        assert_eq!(asked(&rule("", "services"), &json!({})), ["services"]);
        assert_eq!(asked(&rule("*", "*"), &json!({})).len(), WRITTEN.len());
        assert_eq!(asked(&rule("", "services/status"), &json!({})), [""; 0], "a part of it is not written");
        assert_eq!(asked(&rule("apps", "services"), &json!({})), [""; 0]);
        let deletes = json!({"operations": ["DELETE"], "apiGroups": ["*"], "resources": ["*"]});
        assert_eq!(asked(&deletes, &json!({})), [""; 0]);
        let scoped = json!({"operations": ["*"], "apiGroups": [""], "resources": ["*"], "scope": "Cluster"});
        assert_eq!(asked(&scoped, &json!({})), ["nodes"]);
        let elsewhere =
            json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]});
        assert_eq!(asked(&rule("", "*"), &json!({"namespaceSelector": elsewhere})), ["nodes"], "what is in no namespace has no namespace");
        let of_the_chart = json!({"matchLabels": {"app.kubernetes.io/name": "karpenter"}});
        assert_eq!(asked(&rule("", "*"), &json!({"objectSelector": of_the_chart})), ["serviceaccounts", "services", "pods"]);
        let of_others = json!({"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["karpenter"]}]});
        assert_eq!(asked(&rule("", "*"), &json!({"objectSelector": of_others})), ["secrets", "nodes"]);
    }
}
