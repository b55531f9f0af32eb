//! The checks that read the Kubernetes API: a healthy cluster with one thing broken gives exactly that finding, however odd the
//! API server's answers are nothing falls over, and nothing is asked twice.

use crate::checks::{DAY, bad, exactly, healthy_world, seen};
use crate::fake::FakeWorld;
use crate::fake::aws::MADE_AT;
use crate::fake::inside::{deployment, node, place, pod};
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Facts, HelmRelease, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::Release;
use karpctl::ports::ObjectRef;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is found in a healthy cluster after this.
pub(crate) async fn after(breakage: impl FnOnce(&FakeWorld)) -> Vec<Finding> {
    let world = healthy_world().await;
    breakage(&world);
    let (spec, facts) = seen(&world).await;
    bad(&spec, &facts, DAY)
}

/// Exactly this is found after a breakage, and it says so in these words.
#[track_caller]
pub(crate) fn says(found: &[Finding], id: &str, verdict: Verdict, words: &str) {
    exactly(found, id, verdict);
    let fixes: Vec<String> = found[0].fixes.iter().map(|f| f.command.join(" ")).collect();
    let all = format!("{}\n{}", found[0].message, fixes.join("\n"));
    assert!(all.contains(words), "`{words}` is not in: {all}");
}

pub(crate) fn the_node(name: &str) -> ObjectRef {
    place("v1", "nodes", None, name)
}

fn aws_auth() -> ObjectRef {
    place("v1", "configmaps", Some("kube-system"), "aws-auth")
}

#[tokio::test(start_paused = true)]
async fn node_access_is_judged_by_mode_entry_and_row() {
    let check = |found: Vec<Finding>, words: &str| says(&found, "node-access", Verdict::Fail, words);
    let mode = |world: &FakeWorld, mode: &str| world.inside().cluster.as_mut().unwrap().authentication_mode = mode.into();
    let rows = |world: &FakeWorld, from: &str, to: &str| {
        world.change(&aws_auth(), |map| {
            let text = map["data"]["mapRoles"].as_str().unwrap().replace(from, to);
            map["data"]["mapRoles"] = json!(text);
        });
    };
    // The row is no help where an access entry is there: the entry wins.
    let standard = after(|w| w.inside().entries.values_mut().for_each(|e| e.kind = "STANDARD".into())).await;
    check(standard, "aws eks delete-access-entry --region us-west-2 --cluster-name demo");
    // What other nodes may run by is left.
    let others = after(|w| w.inside().entries.values_mut().for_each(|e| e.kind = "HYBRID_LINUX".into())).await;
    exactly(&others, "node-access", Verdict::Fail);
    assert!(others[0].fixes.iter().all(|fix| fix.command.is_empty()), "{others:#?}");
    // EKS lets in the role that there was when the entry was made.
    let earlier = |w: &FakeWorld| w.inside().entries.values_mut().for_each(|e| e.made = Some(MADE_AT - 1));
    let of_earlier = after(|w| (earlier(w), mode(w, "API")).1).await;
    check(of_earlier.clone(), "it is of an earlier one of that name, and lets nobody in");
    let commands: Vec<String> = of_earlier[0].fixes.iter().map(|fix| fix.command.join(" ")).collect();
    assert!(commands[0].contains("delete-access-entry") && commands[1].contains("create-access-entry"), "{commands:?}");
    let gone = |w: &FakeWorld| w.inside().node_role_made = None;
    check(after(|w| (gone(w), mode(w, "API")).1).await, "of a role that is gone");
    says(&after(earlier).await, "node-access", Verdict::Warn, "the row in aws-auth would, if EKS looks for it beside an entry");
    let none = |w: &FakeWorld| {
        w.inside().entries.clear();
        w.inside().objects.remove(&aws_auth());
    };
    check(after(none).await, "neither an access entry nor a row");
    check(after(|w| (none(w), mode(w, "API")).1).await, "aws-auth is not looked at");
    check(after(|w| (none(w), mode(w, "CONFIG_MAP")).1).await, "no row for it in aws-auth");
    // Either way is enough.
    assert!(after(|w| w.inside().entries.clear()).await.is_empty());
    assert!(after(|w| drop(w.inside().objects.remove(&aws_auth()))).await.is_empty());
    let by_row = |from: &'static str, to: &'static str| after(move |w| (mode(w, "CONFIG_MAP"), rows(w, from, to)).1);
    check(by_row("system:nodes", "nodes").await, "lacks the group system:nodes");
    check(by_row("- system:nodes", "- system:nodes\n  - system:masters").await, "makes every node an administrator");
    check(by_row("system:node:{{EC2PrivateDNSName}}", "node").await, "has the username \"node\"");
    check(by_row("role/KarpenterNodeRole-demo", "role/nodes/KarpenterNodeRole-demo").await, "without a path");
    check(by_row(":role/", ":instance-profile/").await, "instance-profile/KarpenterNodeRole-demo");
    check(by_row("- rolearn", "- rolearn: [").await, "is not YAML");
    // A node class of Windows, of which the spec says nothing.
    let windows = |w: &FakeWorld| {
        let spec = json!({"role": "KarpenterNodeRole-demo", "amiSelectorTerms": [{"alias": "windows2022@latest"}]});
        w.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "win"), json!({"spec": spec}));
    };
    let words = "--principal-arn arn:aws:iam::111122223333:role/KarpenterNodeRole-demo --type EC2_WINDOWS";
    let found = after(windows).await;
    check(found.clone(), words);
    check(found.clone(), "of type EC2_LINUX: Linux nodes are let in by it, Windows nodes whole only by one of type EC2_WINDOWS");
    let titles: Vec<&str> = found[0].fixes.iter().map(|fix| fix.title.as_str()).collect();
    assert!(titles[0].contains("nodes that run by it are refused until the next command"), "{titles:?}");
    assert!(titles[0].contains("karpctl doctor --only caller-permissions") && titles[1].starts_with("and at once"), "{titles:?}");
    assert!(after(|w| (windows(w), w.inside().entries.values_mut().for_each(|e| e.kind = "EC2_WINDOWS".into())).1).await.is_empty());
    let by_windows_row = |from: &'static str, to: &'static str| after(move |w| (windows(w), mode(w, "CONFIG_MAP"), rows(w, from, to)).2);
    check(by_windows_row("x", "x").await, "lacks the group eks:kube-proxy-windows");
    check(by_windows_row("x", "x").await, "--existing-cluster --yes --windows");
    assert!(by_windows_row("- system:nodes", "- system:nodes\n  - eks:kube-proxy-windows").await.is_empty());
    let others = by_row("- rolearn", "- name: someone\n- rolearn").await;
    says(&others, "node-access", Verdict::Warn, "row 1 of mapRoles in aws-auth has no rolearn");
}

#[tokio::test(start_paused = true)]
async fn what_bootstrap_makes_is_no_finding_before_it() {
    let world = FakeWorld::with_cluster(crate::fixture::existing("1.14.1"));
    world.furnish();
    let (spec, facts) = seen(&world).await;
    let ids = ["node-access", "node-capacity", "cluster-dns"];
    let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| ids.contains(&f.id.as_str())).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn others_at_the_same_work_are_named() {
    let put = |w: &FakeWorld, (object, body): (ObjectRef, Value)| w.put(&object, body);
    let mut second = deployment("karpenter", "karpenter", "mirror:5000/karpenter/controller:v0.32.1");
    let found = after(|w| put(w, second.clone())).await;
    says(&found, "other-karpenter", Verdict::Fail, "kubectl --namespace karpenter scale deployment karpenter --replicas 0");
    second.1["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    second.1["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "karp", "meta.helm.sh/release-namespace": "karpenter"});
    let scaled = "kubectl --namespace karpenter scale deployment karpenter --replicas 0";
    says(&after(|w| put(w, second.clone())).await, "other-karpenter", Verdict::Fail, scaled);
    second.1["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("karpenter");
    says(&after(|w| put(w, second.clone())).await, "other-karpenter", Verdict::Fail, "helm uninstall karpenter --namespace karpenter");
    second.1["spec"]["replicas"] = json!(0);
    assert!(after(|w| put(w, second)).await.is_empty(), "one that is stopped does nothing");
    let without_helm = deployment("kube-system", "karpenter", "public.ecr.aws/karpenter/controller:1.14.1");
    says(
        &after(|w| put(w, without_helm)).await,
        "other-karpenter",
        Verdict::Warn,
        "its Karpenter was not installed by helm: the deployment kube-system/karpenter",
    );
    let autoscaler = deployment("kube-system", "cas", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0");
    says(&after(|w| put(w, autoscaler)).await, "cluster-autoscaler", Verdict::Warn, "kubectl --namespace kube-system scale deployment cas");
    let handler = json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "aws-node-termination-handler"}},
        "status": {"desiredNumberScheduled": 2, "numberReady": 2},
    });
    let handler = (place("apps/v1", "daemonsets", Some("kube-system"), "nth"), handler);
    says(&after(|w| put(w, handler)).await, "termination-handler", Verdict::Warn, "kubectl --namespace kube-system delete daemonset nth");
    let auto = place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, "nodeclasses.eks.amazonaws.com");
    says(&after(|w| w.put(&auto, json!({}))).await, "auto-mode-api", Verdict::Warn, "nodeclasses.eks.amazonaws.com");
}

/// What is found when this is what was seen.
pub(crate) async fn when(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let (spec, mut facts) = seen(&healthy_world().await).await;
    change(&mut facts);
    bad(&spec, &facts, DAY)
}

fn live(facts: &mut Facts) -> &mut HelmRelease {
    let Probed::Known(release) = &mut facts.chart_release else { panic!() };
    release
}

#[tokio::test(start_paused = true)]
async fn what_older_karpenters_left_is_named() {
    for (kind, name) in [
        ("mutating", "defaulting.webhook.karpenter.k8s.aws"),
        ("mutating", "defaulting.webhook.karpenter.sh"),
        ("validating", "validation.webhook.config.karpenter.sh"),
        ("validating", "validation.webhook.karpenter.k8s.aws"),
        ("validating", "validation.webhook.karpenter.sh"),
    ] {
        let hook = place("admissionregistration.k8s.io/v1", &format!("{kind}webhookconfigurations"), None, name);
        let found = after(|w| w.put(&hook, json!({}))).await;
        says(&found, "admission-webhooks", Verdict::Fail, &format!("kubectl delete {kind}webhookconfiguration {name}"));
    }
    let stranger = place("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", None, "gatekeeper");
    assert!(after(|w| w.put(&stranger, json!({}))).await.is_empty());

    let deleting = |w: &FakeWorld, finalizer: &str| {
        let metadata = json!({"deletionTimestamp": "2026-08-01T00:00:00Z", "finalizers": [finalizer, "other/keeps"]});
        w.put(&place("karpenter.sh/v1", "nodeclaims", None, "default-x"), json!({"metadata": metadata}));
    };
    let controller = place("apps/v1", "deployments", Some("kube-system"), "karpenter");
    let alone = |w: &FakeWorld| {
        deleting(w, "karpenter.sh/termination");
        w.inside().objects.remove(&controller);
    };
    let found = after(alone).await;
    says(
        &found,
        "stuck-deletions",
        Verdict::Fail,
        r#"kubectl patch nodeclaims.karpenter.sh default-x --type merge --patch {"metadata":{"finalizers":["other/keeps"]}}"#,
    );
    let scaled = |w: &FakeWorld| {
        deleting(w, "karpenter.sh/termination");
        w.change(&controller, |d| (d["spec"]["replicas"], d["status"]) = (json!(0), json!({})));
    };
    says(&after(scaled).await, "stuck-deletions", Verdict::Fail, "kubectl --namespace kube-system scale deployment karpenter --replicas 2");
    let held = |w: &FakeWorld| {
        w.inside().karpenter = false;
        deleting(w, "karpenter.sh/termination");
    };
    says(&after(held).await, "stuck-deletions", Verdict::Warn, "since before yesterday");
    let others = |w: &FakeWorld| {
        w.inside().karpenter = false;
        deleting(w, "foregroundDeletion");
    };
    assert!(after(others).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_live_release_is_judged_by_what_its_chart_reads() {
    let dead = when(|f| live(f).values["settings"]["interruptionQueueName"] = json!("demo")).await;
    says(&dead, "chart-values", Verdict::Warn, "settings.interruptionQueueName (now settings.interruptionQueue)");
    says(&dead, "chart-values", Verdict::Warn, "--reuse-values --set settings.interruptionQueueName=null");
    let webhook = when(|f| live(f).values["webhook"] = json!({"enabled": true, "port": 8443})).await;
    says(&webhook, "chart-values", Verdict::Warn, "does not read: webhook.enabled, webhook.port");
    let odd = when(|f| live(f).values["a,b"] = json!(1)).await;
    assert!(odd[0].fixes[0].command.is_empty(), "a key that --set would take apart: {odd:#?}");

    let set = |path: &'static str, value: Value| when(move |f| *live(f).values.pointer_mut(path).unwrap() = value);
    let cluster = set("/settings/clusterName", json!("other")).await;
    says(&cluster, "chart-names", Verdict::Fail, "settings.clusterName is \"other\", not demo");
    let arn = set("/settings/interruptionQueue", json!("arn:aws:sqs:us-west-2:111122223333:demo")).await;
    says(&arn, "chart-names", Verdict::Fail, "it must be the queue's name, demo");
    let none = set("/settings/interruptionQueue", json!("")).await;
    says(&none, "chart-names", Verdict::Warn, "--set settings.interruptionQueue=demo");

    // The last release before the one that takes the cluster's Kubernetes; between them nothing changes silently.
    let old = when(|f| {
        live(f).chart_version = "1.12.2".into();
        let Probed::Known(cluster) = &mut f.cluster else { panic!() };
        cluster.version = "1.36".parse().unwrap();
    })
    .await;
    says(&old, "installed-fit", Verdict::Fail, "karpctl bootstrap --cluster-name demo");
    let found = when(|f| live(f).chart_version = "0.37.8".into()).await;
    let hop = found.iter().find(|f| f.id == "upgrade-hops").unwrap_or_else(|| panic!("{found:#?}"));
    assert!(hop.message.contains("to the newest 1.0"), "{hop:#?}");
}

/// karpctl's own values are read by the chart of every release: none is lost as helm loses them.
#[test]
fn no_chart_ignores_what_karpctl_gives_it() {
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found)),
            _ => found.push(path.trim_start_matches('.').to_owned()),
        }
    }
    for release in Release::all() {
        let spec = crate::fixture::spec(&release.to_string());
        let mut found = Vec::new();
        leaves(&karpctl::render::helm_values(&spec, Some("https://endpoint")).unwrap(), "", &mut found);
        assert!(found.len() > 1);
        let lost: Vec<_> = found.iter().filter(|path| !release.reads_value(path)).collect();
        assert!(lost.is_empty(), "{release}: {lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_twice() {
    let world = healthy_world().await;
    world.forget_calls();
    seen(&world).await;
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    world.calls().into_iter().for_each(|call| *asked.entry(call).or_default() += 1);
    let twice: Vec<_> = asked.iter().filter(|(call, times)| **times > 1 && !call.starts_with("describe")).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(asked.contains_key("list nodes") && asked.contains_key("list pods"), "{asked:#?}");
}

#[tokio::test(start_paused = true)]
async fn no_step_reads_what_only_a_doctor_looks_at() {
    for step in karpctl::steps::all() {
        let read = step.reads().iter().chain(step.reads_on_removal());
        assert!(read.into_iter().all(|topic| !topic.of_doctor()), "{}", step.id());
    }
}

/// Anything that JSON can say, now and then of a terrible size, and with what a terminal would obey.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("\u{1b}[31m\u{1b}]0;owned\u{7}\r\n")),
        Just(json!("9".repeat(5000) + "Ei")),
        Just(json!("1e400")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{0,4}", inner), 0..4)
                .prop_map(|pairs| pairs.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// The paths of all values within one.
fn paths(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| paths(value, &format!("{here}/{}", escaped(key)), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| paths(value, &format!("{here}/{at}"), found)),
        _ => {}
    }
}

/// One thing of each kind that a doctor reads.
fn odd_world(world: &FakeWorld) {
    let put = |(object, body): (ObjectRef, Value)| world.put(&object, body);
    put(deployment("karpenter", "other", "karpenter/controller:1"));
    put(deployment("kube-system", "cas", "cluster-autoscaler:1"));
    put(node("node-c", "us-west-2c"));
    let (object, mut body) = pod("default", "p", "node-c", "1");
    body["spec"]["initContainers"] = json!([{"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}]);
    put((object, body));
}

#[test]
fn hostile_answers_neither_panic_nor_reach_the_terminal() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let world = runtime.block_on(healthy_world());
    odd_world(&world);
    // The fake's own controllers are no part of what is tested, and trust what they see.
    world.inside().karpenter = false;
    let plain: BTreeMap<ObjectRef, Value> = world.inside().objects.clone();
    let mut places = Vec::new();
    for (object, body) in &plain {
        let mut found = Vec::new();
        paths(body, "", &mut found);
        places.extend(found.into_iter().map(|path| (object.clone(), path)));
    }
    let mut runner = TestRunner::new(Config { cases: 120, failure_persistence: None, ..Config::default() });
    let strategy = prop::collection::vec((0..places.len(), anything()), 1..5);
    let result = runner.run(&strategy, |changes| {
        world.inside().objects.clone_from(&plain);
        for (at, value) in changes {
            let (object, path) = &places[at];
            let mut inside = world.inside();
            if let Some(place) = inside.objects.get_mut(object).and_then(|body| body.pointer_mut(path)) {
                *place = value;
            }
        }
        let found = runtime.block_on(all_said(&world));
        let shown = serde_json::to_string(&found).unwrap();
        prop_assert!(found.iter().all(|f| !f.message.chars().chain(f.subject.chars()).any(char::is_control)), "{shown}");
        prop_assert!(found.iter().flat_map(|f| &f.fixes).all(|f| !f.command.concat().chars().any(char::is_control)), "{shown}");
        prop_assert!(shown.len() < 200_000, "{} bytes", shown.len());
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

async fn all_said(world: &Arc<FakeWorld>) -> Vec<Finding> {
    let (spec, facts): (_, Facts) = seen(world).await;
    judge(&all(), &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() })
}
