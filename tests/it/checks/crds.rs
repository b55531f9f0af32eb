//! The CRDs in a cluster: of which release, whose they are, and who answers for their conversion.

use super::aws::known;
use super::{DAY, bad, exactly, healthy_world, seen};
use crate::checks_inside::{after, says, when};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use karpctl::facts::{CrdFacts, Facts, NeighbourKind, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::Release;
use karpctl::ports::ObjectRef;
use serde_json::{Value, json};

fn the_crd(name: &str) -> ObjectRef {
    place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, name)
}

fn crd<'f>(facts: &'f mut Facts, name: &str) -> &'f mut CrdFacts {
    let Probed::Known(crds) = &mut facts.crds else { panic!() };
    crds.get_mut(name).unwrap()
}

fn fingerprint(version: &str, name: &str) -> Option<String> {
    version.parse::<Release>().unwrap().crd_fingerprint(name).map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn crds_are_helms_and_of_the_release() {
    const CLAIMS: &str = "nodeclaims.karpenter.sh";
    let owner = |w: &FakeWorld| w.change(&the_crd(CLAIMS), |crd| crd["metadata"]["labels"] = json!({}));
    let words = "kubectl label customresourcedefinition nodeclaims.karpenter.sh app.kubernetes.io/managed-by=Helm --overwrite";
    says(&after(owner).await, "crd-owner", Verdict::Warn, words);
    // Where they are not of its release either, it does not work.
    let found = when(|f| {
        let claims = crd(f, CLAIMS);
        (claims.helm_owner, claims.schema) = (None, Some("000000000000".into()));
    })
    .await;
    assert!(found.iter().any(|f| f.id == "crd-owner" && f.result == Verdict::Fail), "{found:#?}");
    let other = |w: &FakeWorld| {
        w.change(&the_crd(CLAIMS), |crd| crd["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("cas"));
    };
    let found = after(other).await;
    says(&found, "crd-owner", Verdict::Warn, "of the helm release kube-system/cas, which has it no more");
    assert!(found[0].fixes.iter().any(|fix| fix.command.iter().any(|word| word == "meta.helm.sh/release-name=karpenter-crd")));
    let old = fingerprint("1.9.0", "nodepools.karpenter.sh");
    assert_ne!(old, fingerprint("1.14.1", "nodepools.karpenter.sh"));
    let found = when(|f| crd(f, "nodepools.karpenter.sh").schema = old).await;
    says(&found, "crd-schema", Verdict::Fail, "nodepools.karpenter.sh is of Karpenter 1.9");
    let found = when(|f| crd(f, CLAIMS).schema = Some("000000000000".into())).await;
    says(&found, "crd-schema", Verdict::Fail, "of no official release");
    let gone = |f: &mut Facts| {
        let Probed::Known(crds) = &mut f.crds else { panic!() };
        crds.remove("nodeoverlays.karpenter.sh");
    };
    says(&when(gone).await, "crd-schema", Verdict::Fail, "nodeoverlays.karpenter.sh is not there");

    let found = when(|f| crd(f, CLAIMS).stored = vec!["v1beta1".into(), "v1".into()]).await;
    says(
        &found,
        "crd-stored-versions",
        Verdict::Fail,
        "kubectl patch customresourcedefinition nodeclaims.karpenter.sh --subresource status",
    );
}

/// A CRD of the API that it shares with Karpenter, as the Cluster Autoscaler's chart brings it.
#[tokio::test(start_paused = true)]
async fn a_crd_that_another_release_has_is_not_taken_from_it() {
    const BUFFERS: &str = "capacitybuffers.autoscaling.x-k8s.io";
    let owned = |w: &FakeWorld| {
        w.change(&the_crd(BUFFERS), |crd| crd["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("cas"));
        w.change(&the_crd("nodeclaims.karpenter.sh"), |crd| crd["metadata"]["labels"] = json!({}));
    };
    let release = |status: &str, manifest: &str| {
        let text = json!({"info": {"status": status}, "manifest": manifest}).to_string();
        let labels = json!({"owner": "helm", "name": "cas", "version": "3", "status": status});
        json!({"type": "helm.sh/release.v1", "metadata": {"labels": labels}, "data": {"release": STANDARD.encode(STANDARD.encode(text))}})
    };
    let secret = place("v1", "secrets", Some("kube-system"), "sh.helm.release.v1.cas.v3");
    let with = async |body: Value| {
        let found = after(|w| {
            owned(w);
            w.put(&secret, body);
        })
        .await;
        exactly(&found, "crd-owner", Verdict::Warn);
        let commands: Vec<String> = found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect();
        commands.into_iter().filter(|command| command.contains(BUFFERS)).collect::<Vec<_>>()
    };
    let brings = format!("kind: CustomResourceDefinition\nmetadata:\n  name: {BUFFERS}\n");
    let keep = format!("kubectl annotate customresourcedefinition {BUFFERS} helm.sh/resource-policy=keep --overwrite");
    assert_eq!(with(release("deployed", &brings)).await, std::slice::from_ref(&keep), "nothing gives it to another");
    // Who may not read the release does not know.
    assert_eq!(
        with(json!({"type": "helm.sh/release.v1", "metadata": release("deployed", "")["metadata"]})).await,
        std::slice::from_ref(&keep)
    );
    // GitOps keeps a release's record where its own object is.
    let found = after(|w| {
        owned(w);
        w.put(&place("v1", "secrets", Some("flux-system"), "sh.helm.release.v1.cas.v3"), release("deployed", &brings));
    })
    .await;
    assert!(found[0].fixes.iter().any(|fix| fix.command.join(" ") == keep), "{found:#?}");
    for gone in [release("deployed", "kind: Deployment"), release("uninstalled", &brings)] {
        let marks = with(gone).await;
        assert_eq!(marks.len(), 2, "{marks:#?}");
        assert!(marks.iter().all(|command| command.contains(&format!("{BUFFERS} nodeclaims.karpenter.sh"))), "{marks:#?}");
    }
}

/// Karpenter was in another namespace before, and its CRDs are still of the release there.
#[tokio::test(start_paused = true)]
async fn helm_is_had_forget_a_release_of_nothing_but_these_crds() {
    let name = "nodeclaims.karpenter.sh";
    let text = json!({"info": {"status": "deployed"}, "manifest": format!("kind: CustomResourceDefinition\nmetadata:\n  name: {name}\n")})
        .to_string();
    let labels = json!({"owner": "helm", "name": "karpenter-crd", "version": "1", "status": "deployed"});
    let found = after(|w| {
        w.change(&the_crd(name), |crd| crd["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!("karpenter"));
        let body = json!({"type": "helm.sh/release.v1", "metadata": {"labels": labels}, "data": {"release": STANDARD.encode(STANDARD.encode(text))}});
        w.put(&place("v1", "secrets", Some("karpenter"), "sh.helm.release.v1.karpenter-crd.v1"), body);
    })
    .await;
    exactly(&found, "crd-owner", Verdict::Warn);
    let commands: Vec<String> = found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect();
    assert!(commands[0].starts_with(&format!("kubectl label customresourcedefinition {name} ")), "{commands:#?}");
    assert!(
        commands.iter().any(|c| c == "kubectl --namespace karpenter delete secret --selector owner=helm,name=karpenter-crd"),
        "{commands:#?}"
    );
    assert!(found[0].fixes.iter().any(|fix| fix.title.contains("never `helm uninstall` it")), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn no_command_names_a_namespace_that_there_cannot_be() {
    let found = after(|w| {
        w.change(&the_crd("nodeclaims.karpenter.sh"), |crd| {
            crd["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!("k\u{1b}[2J");
            crd["metadata"]["managedFields"] = json!([{"manager": "helm"}]);
        });
    })
    .await;
    let commands = found.iter().filter(|f| f.id == "crd-owner").flat_map(|f| &f.fixes).map(|fix| fix.command.concat());
    assert!(commands.clone().count() > 0, "{found:#?}");
    assert!(commands.clone().all(|command| !command.chars().any(char::is_control)), "{:?}", commands.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn somebody_must_answer_for_conversion() {
    let ask = |w: &FakeWorld| {
        w.change(&the_crd("nodeclaims.karpenter.sh"), |crd| {
            let service = json!({"namespace": "kube-system", "name": "karpenter", "port": 8443});
            crd["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {"clientConfig": {"service": service}}});
        });
    };
    let service = |w: &FakeWorld, port: u16| {
        ask(w);
        w.put(&place("v1", "services", Some("kube-system"), "karpenter"), json!({"spec": {"ports": [{"port": port}]}}));
    };
    let slice = |w: &FakeWorld, ready: Value| {
        service(w, 8443);
        let endpoints = json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]);
        let body = json!({"metadata": {"labels": {"kubernetes.io/service-name": "karpenter"}}, "endpoints": endpoints});
        w.put(&place("discovery.k8s.io/v1", "endpointslices", Some("kube-system"), "karpenter-x"), body);
    };
    let check = |found: Vec<Finding>, words: &str| says(&found, "conversion-webhook", Verdict::Fail, words);
    check(after(ask).await, "service \"karpenter\" not found");
    check(after(ask).await, r#"--patch {"spec":{"conversion":{"strategy":"None","webhook":null}}}"#);
    // It is the controller that is there that converts, not the one that is wanted.
    let patch = async |namespace: &str, version: &str| {
        let world = healthy_world().await;
        ask(&world);
        let (spec, mut facts) = seen(&world).await;
        let karpenter = known(&mut facts.neighbours).workloads.iter_mut().find(|w| w.what == NeighbourKind::Karpenter).unwrap();
        (karpenter.namespace, karpenter.image) = (namespace.into(), Some(format!("mirror:5000/karpenter/controller:{version}")));
        let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "conversion-webhook").collect();
        exactly(&found, "conversion-webhook", Verdict::Fail);
        (found[0].fixes[0].title.clone(), found[0].fixes[0].command.last().cloned().unwrap_or_default())
    };
    let (title, there) = patch("karpenter", "1.0.14").await;
    assert_eq!(title, "ask the controller that is there");
    assert!(there.contains(r#"{"namespace":"karpenter","name":"karpenter","port":8443}"#), "{there}");
    assert!(patch("karpenter", "1.14.1").await.1.contains(r#""strategy":"None""#));
    let (title, nothing) = patch("kube-system", "1.0.14").await;
    assert!(title.contains("`webhook.enabled: true`") && nothing.is_empty(), "{title}");
    check(after(|w| service(w, 8000)).await, "no service port 8443 found for service \"karpenter\"");
    check(after(|w| service(w, 8443)).await, "no endpoints available for service \"karpenter\"");
    check(after(|w| slice(w, json!(false))).await, "no endpoints available");
    assert!(after(|w| slice(w, json!(true))).await.is_empty());
}
