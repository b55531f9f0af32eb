//! What is asked of an API server, and what its answers become.

use super::{Asked, KEYS, in_child, runtime, serve};
use karpctl::adapters::aws::{AwsClient, AwsSettings};
use karpctl::adapters::kube::Connector;
use karpctl::error::{Error, ErrorKind};
use karpctl::ports::{ClusterAccess, Eviction, Force, Kube, KubeConnector, ObjectKind, ObjectRef};
use serde_json::{Value, json};
use std::sync::Arc;

const OK: &str = "200 OK";

async fn connector() -> Connector {
    Connector::new(Arc::new(AwsClient::connect(&AwsSettings::default()).await.unwrap()))
}

pub(super) async fn eks(endpoint: &str) -> Arc<dyn Kube> {
    let access = ClusterAccess::Eks { name: "demo".into(), endpoint: endpoint.into(), certificate_authority: CA.into() };
    connector().await.connect(&access).await.unwrap()
}

/// Over plain http it is not looked at, but it must be a certificate.
const CA: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJkakNDQVJ1Z0F3SUJBZ0lVSWF2SUh0b1R6bFBNSGNjSmNQU08yMG5FdDQwd0NnWUlLb1pJemowRUF3SXcKRHpFTk1Bc0dBMVVFQXd3RWRHVnpkREFnRncweU5qRXhNak13T1RFNU1UWmFHQTh5TVRJMk1UQXpNREE1TVRreApObG93RHpFTk1Bc0dBMVVFQXd3RWRHVnpkREJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCUG93ClN0emZQWG9PaitNUm4zb3BueHRlMFR2ZkhPR3BJYWliYjQrbW53QVgrbnp4UVB1cDFVVWkwbHI0cEtwa1hTbnIKenpwV0FkTE14V0N0c2J6TTZyZWpVekJSTUIwR0ExVWREZ1FXQkJSbzk5K1ZnZUdYRzA3TWtYMGpuZFJXbVpOWQpiREFmQmdOVkhTTUVHREFXZ0JSbzk5K1ZnZUdYRzA3TWtYMGpuZFJXbVpOWWJEQVBCZ05WSFJNQkFmOEVCVEFECkFRSC9NQW9HQ0NxR1NNNDlCQU1DQTBrQU1FWUNJUUNnelUySGQvTFNzQ3FsQnlyeDZ3SXUyS1ZYM05zWXVzREgKVXYyVHhSL0NlUUloQUpFQVhtSXlSWUN1TzRyNkk5eFhzM05MWDlNYXQ3WnVHYTFNL0dsLzJSeDYKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

pub(super) fn pool() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("karpenter.sh/v1", "nodepools"), namespace: None, name: "default".into() }
}

fn aws_auth() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("v1", "configmaps"), namespace: Some("kube-system".into()), name: "aws-auth".into() }
}

fn status(code: u16, message: &str) -> (String, String) {
    (format!("{code} X"), json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}).to_string())
}

#[test]
fn an_eviction_that_a_budget_refuses_is_answered_at_once() {
    if !in_child(module_path!(), "an_eviction_that_a_budget_refuses_is_answered_at_once", &KEYS) {
        return;
    }
    // Word for word what Kubernetes 1.36 answers.
    let refused = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429,
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 4 healthy pods and has 4 currently"}]},
    });
    let other = "Operation cannot be fulfilled on pods \"web-0\": the UID in the precondition (a) does not match the UID in record (b).";
    let two = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    for (answer, wanted) in [
        ((OK.to_owned(), "{}".to_owned()), Eviction::Accepted),
        (status(404, "pods \"web-0\" not found"), Eviction::Gone),
        (status(409, other), Eviction::Gone),
        (status(500, two), Eviction::Refused(two.into())),
        (
            ("429 X".to_owned(), refused.to_string()),
            Eviction::Refused(
                "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 4 healthy pods and has 4 currently".into(),
            ),
        ),
    ] {
        let (url, asked) = serve(move |_| answer.clone());
        let said = runtime().block_on(async { eks(&url).await.evict("shop", "web-0", "a").await });
        assert_eq!(said, Ok(wanted));
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 1, "asked once");
        assert_eq!(asked[0].line, "POST /api/v1/namespaces/shop/pods/web-0/eviction HTTP/1.1");
        assert!(asked[0].body.contains(r#""preconditions":{"uid":"a"}"#), "{}", asked[0].body);
    }
}

#[test]
fn requests_are_those_of_the_kubernetes_api() {
    if !in_child(module_path!(), "requests_are_those_of_the_kubernetes_api", &KEYS) {
        return;
    }
    let (url, asked) = serve(|_| (OK.into(), r#"{"kind":"X"}"#.into()));
    runtime().block_on(async {
        let kube = eks(&url).await;
        let body = json!({"spec": {}});
        assert_eq!(kube.get(&aws_auth()).await, Ok(Some(json!({"kind": "X"}))));
        kube.apply(&pool(), &body, Force::No).await.unwrap();
        kube.apply(&pool(), &body, Force::Yes).await.unwrap();
        kube.create(&aws_auth(), &body).await.unwrap();
        kube.replace(&aws_auth(), &body).await.unwrap();
        kube.merge_patch(&aws_auth(), &body).await.unwrap();
        kube.delete(&pool()).await.unwrap();
        kube.list(&ObjectKind::new("v1", "secrets"), Some("kube-system"), Some("owner=helm,name in (a)")).await.unwrap();
    });
    let asked = asked.lock().unwrap();
    let lines: Vec<&str> = asked.iter().map(|a| a.line.strip_suffix(" HTTP/1.1").unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/namespaces/kube-system/configmaps/aws-auth",
            "PATCH /apis/karpenter.sh/v1/nodepools/default?fieldManager=karpctl&fieldValidation=Strict&force=false",
            "PATCH /apis/karpenter.sh/v1/nodepools/default?fieldManager=karpctl&fieldValidation=Strict&force=true",
            "POST /api/v1/namespaces/kube-system/configmaps?fieldManager=karpctl&fieldValidation=Strict",
            "PUT /api/v1/namespaces/kube-system/configmaps/aws-auth?fieldManager=karpctl&fieldValidation=Strict",
            "PATCH /api/v1/namespaces/kube-system/configmaps/aws-auth?fieldManager=karpctl&fieldValidation=Strict",
            "DELETE /apis/karpenter.sh/v1/nodepools/default",
            "GET /api/v1/namespaces/kube-system/secrets?limit=500&labelSelector=owner%3Dhelm%2Cname%20in%20%28a%29",
        ]
    );
    let types: Vec<Option<&str>> = asked.iter().map(|a| a.headers.lines().find_map(|l| l.strip_prefix("content-type: "))).collect();
    let (apply, plain, merge) = ("application/apply-patch+yaml", "application/json", "application/merge-patch+json");
    assert_eq!(types, [None, Some(apply), Some(apply), Some(plain), Some(plain), Some(merge), None, None]);
    assert!(asked.iter().all(|a| a.headers.contains("authorization: bearer k8s-aws-v1.")));
    assert_eq!(asked[1].body, r#"{"spec":{}}"#);
}

#[test]
fn lists_are_whole() {
    if !in_child(module_path!(), "lists_are_whole", &KEYS) {
        return;
    }
    let page = |items: Value, next: &str| (OK.to_owned(), json!({"metadata": {"continue": next}, "items": items}).to_string());
    let (url, _) = serve(move |asked| match asked.line.split_whitespace().nth(1).unwrap() {
        "/api/v1/nodes?limit=500" => page(json!([1]), "a=="),
        "/api/v1/nodes?limit=500&continue=a%3D%3D" => page(json!([2]), ""),
        // One that expires on the way is asked for again, in one piece.
        "/api/v1/pods?limit=500" => page(json!([1]), "old"),
        "/api/v1/pods?limit=500&continue=old" => status(410, "The provided continue parameter is too old"),
        "/api/v1/endless?limit=500" | "/api/v1/endless?limit=500&continue=more" => page(json!([]), "more"),
        "/api/v1/pods?limit=0" => page(json!([1, 2, 3]), ""),
        _ => ("404 Not Found".into(), "404 page not found".into()),
    });
    runtime().block_on(async {
        let kube = eks(&url).await;
        let list = async |plural: &str| kube.list(&ObjectKind::new("v1", plural), None, None).await;
        assert_eq!(list("nodes").await, Ok(vec![json!(1), json!(2)]));
        assert_eq!(list("pods").await, Ok(vec![json!(1), json!(2), json!(3)]));
        assert_eq!(list("unheard").await, Ok(vec![]));
        assert!(list("endless").await.unwrap_err().to_string().contains("goes on with its list after 2000 pages"));
        assert_eq!(kube.get(&pool()).await, Ok(None));
        assert_eq!(kube.delete(&pool()).await, Ok(()));
    });
}

#[test]
fn a_refused_token_is_made_anew_once() {
    if !in_child(module_path!(), "a_refused_token_is_made_anew_once", &KEYS) {
        return;
    }
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let (url, asked) = serve(move |_| match seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        1 => (OK.into(), "{}".into()),
        _ => status(401, "Unauthorized"),
    });
    runtime().block_on(async {
        let kube = eks(&url).await;
        assert_eq!(kube.get(&pool()).await, Ok(Some(json!({}))));
        assert_eq!(asked.lock().unwrap().len(), 2);
        let error = kube.get(&pool()).await.unwrap_err();
        assert_eq!(asked.lock().unwrap().len(), 4);
        assert_eq!(error.kind, ErrorKind::Denied);
        assert!(error.hints[0].contains("karpctl doctor --only cluster-entry"), "{error:?}");
    });
}

#[test]
fn answers_become_kinds() {
    if !in_child(module_path!(), "answers_become_kinds", &KEYS) {
        return;
    }
    runtime().block_on(async {
        for (code, kind) in [
            (400, ErrorKind::Failed),
            (403, ErrorKind::Denied),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (422, ErrorKind::Failed),
            (500, ErrorKind::Unreachable),
        ] {
            let (url, _) = serve(move |_: &Asked| status(code, "because"));
            let error: Error = eks(&url).await.create(&aws_auth(), &json!({})).await.unwrap_err();
            assert_eq!(error.kind, kind, "{error:?}");
            assert_eq!(error.message, "cannot create configmaps/aws-auth in kube-system");
            assert_eq!(error.causes, [format!("the API server {url} answered {code}: because")]);
        }
        let error = eks("https://127.0.0.1:1").await.get(&pool()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.causes[0].starts_with("https://127.0.0.1:1: ") && error.hints[0].contains("VPN"), "{error:?}");
    });
}

#[test]
fn a_kubeconfig_is_read_as_it_is() {
    if !in_child(module_path!(), "a_kubeconfig_is_read_as_it_is", &KEYS) {
        return;
    }
    let (url, asked) = serve(|_| (OK.into(), "{}".into()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    let context = |name: &str, user: &str| json!({"name": name, "context": {"cluster": "c", "user": user}});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [
            {"name": "a", "user": {"token": "first"}},
            {"name": "b", "user": {"token": "second"}},
            {"name": "broken", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never"}}},
        ],
        "contexts": [context("a", "a"), context("b", "b"), context("broken", "broken")],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    runtime().block_on(async {
        let connector = connector().await;
        let access = |context: Option<&str>| ClusterAccess::Kubeconfig { path: Some(path.clone()), context: context.map(Into::into) };
        for context in [None, Some("b")] {
            connector.connect(&access(context)).await.unwrap().get(&pool()).await.unwrap();
        }
        let tokens: Vec<String> = asked.lock().unwrap().iter().map(|a| a.headers.clone()).collect();
        assert!(tokens[0].contains("bearer first") && tokens[1].contains("bearer second"));

        let error = connector.connect(&access(Some("nobody"))).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Usage, "{error:?}");
        let error = connector.connect(&access(Some("broken"))).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Credentials, "{error:?}");
        let gone = ClusterAccess::Kubeconfig { path: Some(dir.path().join("gone")), context: None };
        let error = connector.connect(&gone).await.err().unwrap();
        assert!(error.kind == ErrorKind::Usage && !error.causes[0].contains('"'), "one pair of quotes is enough: {error:?}");
    });
}

#[test]
fn a_proxy_is_asked_for_others_and_never_for_loopback() {
    // A port on which nobody listens: whoever asks it fails, and says that it tunnels.
    let env: Vec<(&str, &str)> = KEYS
        .into_iter()
        .chain([
            ("HTTPS_PROXY", "127.0.0.1:1"),
            ("NO_PROXY", "direct.invalid,.inner.invalid,*.as-go-has-it.invalid,port.invalid:443,other.invalid:8443"),
        ])
        .collect();
    if !in_child(module_path!(), "a_proxy_is_asked_for_others_and_never_for_loopback", &env) {
        return;
    }
    let (url, _) = serve(|_| (OK.into(), "{}".into()));
    runtime().block_on(async {
        eks(&url).await.get(&pool()).await.unwrap();
        let through = async |host: &str| eks(host).await.get(&pool()).await.unwrap_err().causes[0].contains("tunnel");
        assert!(through("https://eks.invalid").await);
        assert!(!through("https://direct.invalid").await);
        assert!(!through("https://eks.inner.invalid").await);
        assert!(!through("https://eks.as-go-has-it.invalid").await);
        assert!(!through("https://port.invalid").await);
        assert!(through("https://other.invalid").await);
        assert!(!through("https://127.0.0.1:1").await);
    });
}
