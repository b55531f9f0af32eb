//! The admission webhooks of others, and whether Karpenter's own are reached.

use super::aws::known;
use super::{DAY, bad, exactly, healthy_world, seen};
use crate::checks_inside::{after, says};
use crate::fake::inside::place;
use crate::fake::{FakeWorld, Fault};
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::{Facts, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::ports::Trial;
use karpctl::spec::{ChartSource, Meant, Spec};
use serde_json::{Value, json};
use std::sync::Arc;

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

/// What is found where the API server says this in a dry run of an object of this kind.
async fn refused(plural: &'static str, answer: Trial) -> Vec<Finding> {
    after(move |w| drop(w.inside().refusals.insert(plural, answer))).await
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_refuses_is_told_before_helm_is() {
    let id = "admission-policies";
    let policy =
        "deployments.apps \"karpenter\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'here' denied request: one is enough";
    let bound = |matches: Value| {
        after(move |w| {
            let place = place("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", None, "here");
            w.put(&place, json!({"spec": {"policyName": "few", "matchResources": matches}}));
            w.inside().refusals.insert("deployments", Trial::Refused(policy.into()));
        })
    };
    let found = bound(json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}})).await;
    says(&found, id, Verdict::Fail, "is refused: deployments.apps \"karpenter\" is forbidden: ValidatingAdmissionPolicy 'few'");
    let patch = r#"--patch {"spec":{"matchResources":{"namespaceSelector":{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kube-system"]}]}}}}"#;
    says(&found, id, Verdict::Fail, patch);
    let unread = refused("deployments", Trial::Refused(policy.into())).await;
    assert!(unread[0].fixes.iter().all(|fix| fix.command.is_empty()), "what the binding is about is not known: {unread:#?}");
    let level =
        refused("pods", Trial::Refused("pods \"k\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces".into())).await;
    says(
        &level,
        "admission-policies",
        Verdict::Fail,
        "kubectl label namespace kube-system pod-security.kubernetes.io/enforce=privileged --overwrite",
    );
    let webhook = Trial::Refused("admission webhook \"validation.gatekeeper.sh\" denied the request: [owner] who owns it?".into());
    let found = refused("nodepools", webhook).await;
    exactly(&found, id, Verdict::Fail);
    assert!(found[0].fixes[0].title.starts_with("leave NodePool default out of what validation.gatekeeper.sh judges"), "{found:#?}");
    let quota = Trial::Refused("pods \"k\" is forbidden: exceeded quota: few, requested: cpu=1, used: cpu=2, limited: cpu=2".into());
    says(&refused("pods", quota).await, id, Verdict::Warn, "kubectl --namespace kube-system describe resourcequota,limitrange");
}

/// Nobody said no to it, and nobody said yes.
#[tokio::test(start_paused = true)]
async fn what_no_policy_was_asked_about_is_no_pass() {
    for (answer, words) in [
        (Trial::NoPlace, "its CRD is not there yet"),
        (Trial::Refused("admission webhook \"a.b\" does not support dry run".into()), "the webhook a.b does not support a dry run"),
        (Trial::Refused("nodepools.karpenter.sh is forbidden: User \"me\" cannot patch resource".into()), "could not be tried: nodepools"),
    ] {
        let world = healthy_world().await;
        world.inside().refusals.insert("nodepools", answer);
        let (spec, facts) = seen(&world).await;
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        let said: Vec<Finding> = judge(&all(), &situation).into_iter().filter(|f| f.id == "admission-policies").collect();
        assert_eq!(said.iter().map(|f| f.result).collect::<Vec<_>>(), [Verdict::Pass, Verdict::Skip], "{said:#?}");
        assert!(said[1].subject == "NodePool default" && said[1].message.contains(words), "{said:#?}");
        assert!(said[0].message.contains("they take Deployment kube-system/karpenter, a pod of"), "{said:#?}");
    }
}

/// What is said of the policies of a world.
async fn of_policies(world: &Arc<FakeWorld>) -> Vec<(Verdict, String, String)> {
    let (spec, facts) = seen(world).await;
    let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
    let said = judge(&all(), &situation).into_iter().filter(|f| f.id == "admission-policies");
    said.map(|f| (f.result, f.subject, f.message)).collect()
}

/// An API server that fails once knows of the others all the same.
#[tokio::test(start_paused = true)]
async fn one_trial_without_an_answer_leaves_the_others() {
    let world = healthy_world().await;
    world.inside().refusals.insert("nodepools", Trial::Refused("admission webhook \"a.b\" denied the request: no".into()));
    world.fail("dry_run", Fault::Before(Error::new(ErrorKind::Unreachable, "the API server answered 500: etcdserver: leader changed")));
    let said = of_policies(&world).await;
    assert_eq!(said.iter().map(|(verdict, ..)| *verdict).collect::<Vec<_>>(), [Verdict::Pass, Verdict::Skip, Verdict::Fail], "{said:#?}");
    assert!(said[1].2.contains("etcdserver: leader changed") && said[2].1 == "NodePool default", "{said:#?}");
}

/// The chart names its image by a digest that nobody knows before it is pulled.
#[tokio::test(start_paused = true)]
async fn a_policy_about_digests_refuses_nothing_by_what_is_not_known() {
    let says = |why: &str| Trial::Refused(format!("admission webhook \"validate.kyverno.svc-fail\" denied the request: {why}"));
    let (wants, unsigned, owner) =
        (says("images must have a digest"), says("failed to verify image: no signatures found"), says("who owns it?"));
    let both = |by_digest: Option<&Trial>, by_tag: Option<&Trial>| {
        let answers = [("pods by digest", by_digest.cloned()), ("pods by tag", by_tag.cloned())];
        async move {
            let world = healthy_world().await;
            let answers = answers.into_iter().filter_map(|(of, answer)| Some((of, answer?)));
            world.inside().refusals.extend(answers);
            of_policies(&world).await.into_iter().find(|(_, subject, _)| subject.starts_with("a pod of"))
        }
    };
    assert_eq!(both(None, Some(&wants)).await, None, "the chart's image has one");
    assert_eq!(both(Some(&unsigned), None).await, None, "nobody has signed what stands in for it");
    for (by_digest, by_tag) in [(&owner, &wants), (&unsigned, &owner), (&owner, &owner)] {
        let (verdict, _, message) = both(Some(by_digest), Some(by_tag)).await.unwrap();
        assert!(verdict == Verdict::Fail && message.contains("who owns it?"), "{message}");
    }
    let (verdict, _, message) = both(Some(&unsigned), Some(&wants)).await.unwrap();
    assert!(verdict == Verdict::Skip && message.contains("a digest that is not known before it is pulled"), "{message}");
    // A value that says which, or that there is none, leaves nothing open.
    for (digest, how) in [("sha256:11", "pods by digest"), ("", "pods by tag")] {
        let spec = existing("1.14.1");
        let values = json!({"controller": {"image": {"digest": digest}}});
        let chart = ChartSource { values: serde_json::from_value(values).unwrap(), ..spec.chart.clone() };
        let world = FakeWorld::bootstrapped(Spec { chart, ..spec }).await;
        world.furnish();
        world.inside().refusals.insert(how, wants.clone());
        let said = of_policies(&world).await;
        assert!(said.iter().any(|(verdict, _, message)| *verdict == Verdict::Fail && message.contains("must have a digest")), "{said:#?}");
    }
}

/// A Karpenter of a release that has webhooks, and a pod of this address.
async fn of_webhooks(release: &str, address: &str) -> (Spec, Facts) {
    let world = FakeWorld::bootstrapped(existing(release)).await;
    world.furnish();
    world.change(&place("v1", "pods", Some("kube-system"), "coredns-node-a"), |pod| pod["status"]["podIP"] = json!(address));
    seen(&world).await
}

fn reach(spec: &Spec, facts: &Facts) -> Vec<Finding> {
    bad(spec, facts, DAY).into_iter().filter(|f| f.id == "webhook-reach").collect()
}

#[tokio::test(start_paused = true)]
async fn the_control_plane_reaches_addresses_of_the_vpc_alone() {
    let (mut spec, facts) = of_webhooks("1.0.8", "10.0.3.4").await;
    assert_eq!(reach(&spec, &facts), []);
    let (_, mut facts) = of_webhooks("1.0.8", "100.64.3.4").await;
    let found = reach(&spec, &facts);
    says(&found, "webhook-reach", Verdict::Fail, "pods have addresses that are none of the VPC's (100.64.3.4): Address is not allowed");
    assert_eq!(
        found[0].fixes[0].title,
        "let the controller have the address of its node: `hostNetwork: true` under `chart.values` in karpctl.yaml"
    );
    // Pods on hybrid nodes are elsewhere, and those of a Karpenter that has no webhooks need not be reached.
    for node in known(&mut facts.nodes) {
        node.labels.insert("eks.amazonaws.com/compute-type".into(), "hybrid".into());
    }
    assert_eq!(reach(&spec, &facts), []);
    let (newest, of_newest) = of_webhooks("1.14.1", "100.64.3.4").await;
    assert_eq!(reach(&newest, &of_newest), []);
    // One that is there on the way to one without.
    let (_, facts) = of_webhooks("1.0.8", "100.64.3.4").await;
    assert_eq!(reach(&newest, &facts).len(), 1);
    let (older, facts) = of_webhooks("0.32.10", "100.64.3.4").await;
    assert_eq!(reach(&older, &facts).len(), 1);
    let (_, facts) = of_webhooks("1.0.8", "100.64.3.4").await;
    spec.chart.values.insert("hostNetwork".into(), json!(true));
    assert_eq!(reach(&spec, &facts), []);
}

/// What people with an overlay do once every object is stored as v1.
#[tokio::test(start_paused = true)]
async fn webhooks_that_are_switched_off_need_not_be_reached() {
    let (plain, mut facts) = of_webhooks("1.0.8", "100.64.3.4").await;
    known(&mut facts.node_groups)[0].security_groups = vec!["sg-nodes".into()];
    facts.webhook_ways = Probed::Known([("sg-nodes".to_owned(), Vec::new())].into());
    let given = |name: &str, value: Value| {
        let mut spec = plain.clone();
        spec.chart.values.insert(name.into(), value);
        reach(&spec, &facts).len()
    };
    let off = json!({"enabled": false});
    let env = json!({"env": [{"name": "DISABLE_WEBHOOK", "value": "true"}]});
    assert_eq!([given("replicas", json!(3)), given("webhook", off.clone()), given("controller", env)], [2, 0, 0]);
    known(&mut facts.chart_release).values["webhook"] = off.clone();
    assert_eq!(reach(&plain, &facts).len(), 2, "the bootstrap switches them on");
    // One that is there without them, on the way to one that has none.
    let (newest, _) = of_webhooks("1.14.1", "100.64.3.4").await;
    assert_eq!(reach(&newest, &facts), []);
    // A chart that does not read the value leaves them on.
    let (mut older, facts) = of_webhooks("0.31.5", "100.64.3.4").await;
    older.chart.values.insert("webhook".into(), off);
    assert_eq!(reach(&older, &facts).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn security_groups_of_nodes_let_the_control_plane_in_at_the_webhook() {
    let (spec, facts) = of_webhooks("1.0.8", "10.0.3.4").await;
    let own = facts.cluster.known().unwrap().cluster_security_group_id.clone().unwrap();
    let with = |groups: &[&str], lets_in: &[&str], more: bool| {
        let mut facts = facts.clone();
        let node_groups = known(&mut facts.node_groups);
        if more {
            node_groups.push(node_groups[0].clone());
        }
        node_groups[0].security_groups = groups.iter().map(ToString::to_string).collect();
        let lets_in: Vec<String> = lets_in.iter().map(ToString::to_string).collect();
        facts.webhook_ways = Probed::Known(groups.iter().map(|group| ((*group).to_owned(), lets_in.clone())).collect());
        reach(&spec, &facts)
    };
    let closed = with(&["sg-nodes"], &[], false);
    says(
        &closed,
        "webhook-reach",
        Verdict::Fail,
        "sg-nodes: they let nobody in at port 8443, where the API server has to ask Karpenter 1.0.8",
    );
    let rule = format!("--group-id sg-nodes --protocol tcp --port 8443 --source-group {own}");
    assert!(closed[0].fixes[0].command.join(" ").ends_with(&rule), "{closed:#?}");
    says(&with(&["sg-nodes"], &[], true), "webhook-reach", Verdict::Warn, "context deadline exceeded");
    for (groups, lets_in) in [(vec!["sg-nodes"], vec!["sg-other"]), (vec!["sg-nodes", own.as_str()], vec![]), (vec![], vec![])] {
        assert_eq!(with(&groups, &lets_in, false), [], "{groups:?} {lets_in:?}");
    }
}
