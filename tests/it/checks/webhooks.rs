//! The admission webhooks of others.

use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use karpctl::finding::Verdict;
use serde_json::{Value, json};

const ID: &str = "webhook-endpoints";

/// Gatekeeper's, Kyverno's and others', asked about every pod.
fn guard(w: &FakeWorld, more: &Value) {
    let mut hook = json!({
        "name": "guard.example.com",
        "clientConfig": {"service": {"namespace": "guard", "name": "guard"}},
        "rules": [{"apiGroups": [""], "operations": ["CREATE"], "resources": ["pods"]}],
    });
    hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    w.put(&place("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", None, "guard"), json!({"webhooks": [hook]}));
}

fn service(w: &FakeWorld, port: u16) {
    guard(w, &json!({}));
    w.put(&place("v1", "services", Some("guard"), "guard"), json!({"spec": {"ports": [{"port": port}]}}));
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_before_anything_is_written_must_answer() {
    let gone = after(|w| guard(w, &json!({}))).await;
    says(&gone, "webhook-endpoints", Verdict::Fail, "guard.example.com must answer before pods are written: service \"guard\" not found");
    says(&gone, ID, Verdict::Fail, "kubectl delete validatingwebhookconfiguration guard");
    says(&after(|w| service(w, 8443)).await, ID, Verdict::Fail, "no service port 443 found for service \"guard\"");
    let silent = after(|w| service(w, 443)).await;
    says(&silent, ID, Verdict::Fail, "no endpoints available for service \"guard\"");
    says(&silent, ID, Verdict::Fail, "kubectl --namespace guard get pods --output wide");
    assert!(silent[0].heals && silent[0].fixes.iter().all(|fix| !fix.command.contains(&"delete".to_owned())), "{silent:#?}");
    let answers = |w: &FakeWorld| {
        service(w, 443);
        let labels = json!({"kubernetes.io/service-name": "guard"});
        let endpoints = json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]);
        let slice = json!({"metadata": {"labels": labels}, "endpoints": endpoints});
        w.put(&place("discovery.k8s.io/v1", "endpointslices", Some("guard"), "guard-x"), slice);
    };
    assert_eq!(after(answers).await, []);
}

#[tokio::test(start_paused = true)]
async fn who_lets_karpenter_through_need_not() {
    for more in [
        json!({"failurePolicy": "Ignore"}),
        json!({"clientConfig": {"url": "https://127.0.0.1:23443/mutate"}}),
        json!({"rules": [{"apiGroups": ["apps"], "operations": ["*"], "resources": ["statefulsets"]}]}),
        json!({"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]}}),
        json!({"objectSelector": {"matchLabels": {"app.kubernetes.io/name": "something"}}}),
    ] {
        assert_eq!(after(|w| guard(w, &more)).await, [], "{more}");
    }
    let conditional = after(|w| guard(w, &json!({"matchConditions": [{"name": "n", "expression": "true"}]}))).await;
    says(&conditional, ID, Verdict::Warn, "unless its conditions leave these out");
    let all = json!({"rules": [{"apiGroups": ["*"], "operations": ["*"], "resources": ["*"]}]});
    says(&after(|w| guard(w, &all)).await, ID, Verdict::Fail, "before secrets, serviceaccounts, services and more are written");
}
