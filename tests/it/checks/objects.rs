//! Karpenter's own objects, and the release that is installed: what they say must be what the release reads, and can do in its network.

use super::aws::known;
use super::{DAY, bad, exactly, seen};
use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::facts::{
    ConversionFacts, EndpointFacts, Facts, Peers, PolicyFacts, PolicyPort, PolicyRule, PolicyRules, Probed, WebhookFacts, WebhookService,
    WebhookState,
};
use karpctl::finding::{Finding, Verdict};
use karpctl::ports::ObjectRef;
use karpctl::spec::{ClusterMode, Spec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KUBELET: &str = "compatibility.karpenter.sh/v1beta1-kubelet-conversion";

fn pool(name: &str) -> ObjectRef {
    place("karpenter.sh/v1", "nodepools", None, name)
}

fn keeps_kubelet(world: &FakeWorld, name: &str, settings: &str) {
    let of = json!({"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"});
    let annotations = json!({KUBELET: settings});
    world.put(&pool(name), json!({"metadata": {"annotations": annotations}, "spec": {"template": {"spec": {"nodeClassRef": of}}}}));
}

#[tokio::test(start_paused = true)]
async fn what_the_objects_say_is_read_by_the_wanted_release() {
    let check = |found: &[Finding], words: &str| says(found, "upgrade-objects", Verdict::Warn, words);
    let found = after(|w| keeps_kubelet(w, "old", r#"{"maxPods":10}"#)).await;
    check(&found, r#"kubectl patch ec2nodeclasses.karpenter.k8s.aws default --type merge --patch {"spec":{"kubelet":{"maxPods":10}}}"#);
    check(&found, "kubectl annotate nodepools.karpenter.sh old compatibility.karpenter.sh/v1beta1-kubelet-conversion-");
    let two = |second: &'static str| {
        after(move |w| {
            keeps_kubelet(w, "old", r#"{"maxPods":10}"#);
            keeps_kubelet(w, "other", second);
        })
    };
    check(&two(r#"{"maxPods": 10}"#).await, "--patch");
    let apart = two(r#"{"maxPods":20}"#).await;
    check(&apart, "nodepools.karpenter.sh/old, nodepools.karpenter.sh/other");
    assert!(apart[0].fixes[0].title.contains("give each an EC2NodeClass of its own in place of default"), "{apart:#?}");

    for kind in [("karpenter.sh/v1alpha5", "provisioners"), ("karpenter.k8s.aws/v1alpha1", "awsnodetemplates")] {
        let found = after(|w| w.put(&place(kind.0, kind.1, None, "old"), json!({}))).await;
        check(&found, &format!("kubectl delete {}.{} old", kind.1, kind.0.split_once('/').unwrap().0));
    }

    let check = |found: &[Finding], words: &str| says(found, "upgrade-objects", Verdict::Fail, words);
    let vague = |class: Value| after(move |w| w.put(&pool("vague"), json!({"spec": {"template": {"spec": {"nodeClassRef": class}}}})));
    let patch = r#"--patch {"spec":{"template":{"spec":{"nodeClassRef":{"group":"karpenter.k8s.aws","kind":"EC2NodeClass"}}}}}"#;
    check(&vague(json!({"name": "default"})).await, patch);
    check(&vague(json!({"group": "", "kind": "EC2NodeClass", "name": "default"})).await, "nodepools.karpenter.sh/vague");
    let claim = place("karpenter.sh/v1", "nodeclaims", None, "vague-1");
    let found = after(|w| {
        w.inside().karpenter = false;
        w.put(&claim, json!({"spec": {"nodeClassRef": {"name": "default"}}}));
    });
    check(&found.await, "kubectl delete nodeclaims.karpenter.sh vague-1");
}

#[tokio::test(start_paused = true)]
async fn what_an_upgrade_loses_is_a_failure() {
    let world = super::healthy_world().await;
    keeps_kubelet(&world, "old", r#"{"maxPods":10}"#);
    let (spec, facts) = seen(&world).await;
    let from = |version: &str| {
        let mut facts = facts.clone();
        known(&mut facts.chart_release).chart_version = version.into();
        let found = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "upgrade-objects").collect::<Vec<_>>();
        (found.len(), found[0].result)
    };
    assert_eq!([from("1.0.8"), from("1.1.0")], [(1, Verdict::Fail), (1, Verdict::Warn)]);
    // 1.0 itself reads it.
    let world = FakeWorld::bootstrapped(existing("1.0.8")).await;
    keeps_kubelet(&world, "old", r#"{"maxPods":10}"#);
    let (spec, facts) = seen(&world).await;
    assert!(!bad(&spec, &facts, DAY).iter().any(|f| f.id == "upgrade-objects"));
}

/// v1 looks up no images of Ubuntu, and wants nodes to come in with its taint.
#[tokio::test(start_paused = true)]
async fn node_classes_say_what_v1_has_no_default_for() {
    let said = async |from: &str, class: Value| {
        let world = super::healthy_world().await;
        world.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "own"), class);
        let (spec, mut facts) = seen(&world).await;
        known(&mut facts.chart_release).chart_version = from.into();
        let found = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "upgrade-objects");
        found.map(|f| (f.result, f.subject)).collect::<Vec<_>>()
    };
    let images = |verdict| vec![(verdict, "images of node classes".to_owned())];
    let spec = |family: &str, rest: Value| {
        let mut spec = json!({"amiFamily": family, "role": "KarpenterNodeRole-demo"});
        spec.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"spec": spec})
    };
    assert_eq!(said("0.37.8", spec("Ubuntu", json!({}))).await, images(Verdict::Fail));
    assert_eq!(said("0.37.8", spec("Ubuntu", json!({"amiSelectorTerms": [{"id": "ami-1"}]}))).await, []);
    // As 1.0 serves what it has converted.
    let mut converted = spec("AL2", json!({"amiSelectorTerms": [{"id": "ami-placeholder"}]}));
    converted["metadata"]["annotations"] = json!({"compatibility.karpenter.k8s.aws/v1beta1-ubuntu": "amiFamily,incompatible"});
    assert_eq!(said("1.0.8", converted.clone()).await, images(Verdict::Warn));
    let mut mended = converted.clone();
    mended["spec"]["amiSelectorTerms"] = json!([{"id": "ami-1"}]);
    assert_eq!(said("1.1.0", mended).await, []);
    converted["metadata"]["annotations"] = json!({"compatibility.karpenter.k8s.aws/v1beta1-ubuntu": "amiFamily"});
    assert_eq!(said("1.0.8", converted).await, []);

    let data = |text: &str| spec("Custom", json!({"amiSelectorTerms": [{"id": "ami-1"}], "userData": text}));
    assert_eq!(said("0.37.8", data("#!/bin/bash")).await, [(Verdict::Warn, "userData of node classes".to_owned())]);
    assert_eq!(said("0.37.8", data("registerWithTaints: [{key: karpenter.sh/unregistered}]")).await, []);
    assert_eq!(said("1.0.8", data("#!/bin/bash")).await, [], "its nodes are there");
}

#[tokio::test(start_paused = true)]
async fn policies_let_in_who_must_get_to_the_controller() {
    let policy = |ports: Value, ingress: Value, selector: Value| {
        after(move |w: &FakeWorld| {
            w.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |deployment| {
                let template = &mut deployment["spec"]["template"];
                template["metadata"]["labels"] = json!({"app.kubernetes.io/name": "karpenter"});
                template["spec"]["containers"][0]["ports"] = ports;
            });
            let mut spec = json!({"podSelector": selector});
            if !ingress.is_null() {
                spec["ingress"] = ingress;
            }
            w.put(&place("networking.k8s.io/v1", "networkpolicies", Some("kube-system"), "strict"), json!({"spec": spec}));
        })
    };
    // The node's own kubelet is always let in to the port of its health.
    let ports = || {
        json!([
            {"name": "http-metrics", "containerPort": 8080},
            {"name": "webhook-metrics", "containerPort": 8001},
            {"name": "http", "containerPort": 8081},
        ])
    };
    let check = |found: &[Finding], words: &str| says(found, "network-policies", Verdict::Warn, words);
    let found = policy(ports(), Value::Null, json!({})).await;
    check(&found, "they let nobody get to 8080 (http-metrics), 8001 (webhook-metrics)");
    // A policy that selects every pod is left as it is.
    check(
        &found,
        r#""podSelector":{"matchLabels":{"app.kubernetes.io/name":"karpenter"}},"policyTypes":["Ingress"],"ingress":[{"ports":["#,
    );
    assert!(!found[0].fixes.iter().any(|fix| fix.command.iter().any(|word| word.contains("strict"))), "{found:#?}");
    for (ingress, shut) in [
        (json!([]), "to 8080 (http-metrics), 8001 (webhook-metrics)"),
        (json!([{"ports": [{"port": "webhook-metrics"}]}]), "to 8080 (http-metrics)"),
        (json!([{"ports": [{"port": 8080, "protocol": "UDP"}]}, {"ports": [{"port": 8001}]}]), "to 8080 (http-metrics)"),
    ] {
        check(&policy(ports(), ingress, json!({})).await, shut);
    }
    for ingress in [json!([{}]), json!([{"ports": [{"port": 8000, "endPort": 8080}], "from": [{"podSelector": {}}]}])] {
        assert_eq!(policy(ports(), ingress, json!({})).await, []);
    }
    let others = json!({"matchLabels": {"app": "other"}});
    assert_eq!(policy(ports(), Value::Null, others).await, []);
    // No CRD has its objects converted: nobody asks there.
    let webhook = || json!([{"name": "https-webhook", "containerPort": 8443}]);
    assert_eq!(policy(webhook(), Value::Null, json!({})).await, []);
}

/// A namespace in which nothing is allowed unless it is said, before Karpenter is there and after.
#[tokio::test(start_paused = true)]
async fn the_controller_needs_ways_out() {
    let found = |installed: bool, spec: Value, values: Value, enforced: bool| async move {
        let mut wanted = existing("1.14.1");
        wanted.chart.values = serde_json::from_value(values).unwrap();
        let world = if installed { FakeWorld::bootstrapped(wanted).await } else { FakeWorld::with_cluster(wanted) };
        world.furnish();
        world.put(&place("networking.k8s.io/v1", "networkpolicies", Some("kube-system"), "strict"), json!({"spec": spec}));
        let (spec, mut facts) = seen(&world).await;
        if enforced {
            known(&mut facts.neighbours).policy_enforcer = Some("aws-node".into());
        }
        let of_policies = |f: &Finding| installed || f.id == "network-policies";
        bad(&spec, &facts, DAY).into_iter().filter(of_policies).collect::<Vec<_>>()
    };
    let none = || json!({"podSelector": {}, "policyTypes": ["Egress"]});
    let words = "they do not let the controller get to port 443 (AWS and the API server), 53 (DNS), 80 (the Pod Identity agent)";
    for installed in [false, true] {
        says(&found(installed, none(), json!({}), true).await, "network-policies", Verdict::Fail, words);
        says(&found(installed, none(), json!({}), false).await, "network-policies", Verdict::Warn, "if anything enforces them");
        assert_eq!(found(installed, none(), json!({"hostNetwork": true}), true).await, []);
    }
    // Those of the pods that there will be, with the labels that they will have.
    let of_team = || json!({"podSelector": {"matchLabels": {"team": "infra"}}, "policyTypes": ["Egress"]});
    assert_eq!(found(false, of_team(), json!({}), true).await, []);
    says(&found(false, of_team(), json!({"podLabels": {"team": "infra"}}), true).await, "network-policies", Verdict::Fail, words);
    let with = |rules: Value| found(false, json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}), json!({}), true);
    let dns = json!({"ports": [{"port": 53, "protocol": "UDP"}], "to": [{"namespaceSelector": {}}]});
    let addresses = |port: i64| json!({"ports": [{"port": port}], "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]});
    for (rules, missing) in [
        (json!([dns]), "443 (AWS and the API server), 80"),
        (json!([dns, addresses(443)]), "port 80 (the Pod Identity agent)"),
        (json!([dns, {"ports": [{"port": 443}], "to": [{"podSelector": {}}]}, addresses(80)]), "port 443 (AWS and the API server)"),
        (json!([addresses(443), addresses(80), {"ports": [{"port": 53}]}]), "port 53 (DNS)"),
    ] {
        says(&with(rules).await, "network-policies", Verdict::Fail, missing);
    }
    // The whole of it, since a policy of that name may be there with a part.
    let cure = &with(json!([dns, addresses(443)])).await[0].fixes[0].command.join(" ");
    let all = [("TCP", 443), ("UDP", 53), ("TCP", 80)].map(|(protocol, port)| format!(r#"{{"protocol":"{protocol}","port":{port}}}"#));
    let egress = format!(r#""policyTypes":["Egress"],"egress":[{{"ports":[{}]}}]"#, all.join(","));
    assert!(cure.contains(&egress), "{cure}");
    // The port of CoreDNS by its name; its namespace is Karpenter's too here.
    let by_name = json!({"ports": [{"port": "dns", "protocol": "UDP"}], "to": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]});
    assert_eq!(with(json!([by_name, addresses(443), addresses(80)])).await, []);
    // The DNS of the node is no pod.
    let by_node = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns, addresses(443), addresses(80)]});
    let found_by_node = found(false, by_node, json!({"dnsPolicy": "Default"}), true).await;
    says(&found_by_node, "network-policies", Verdict::Fail, "port 53 (DNS)");
    assert_eq!(with(json!([dns, addresses(443), addresses(80)])).await, []);
    assert_eq!(with(json!([{}])).await, []);
    // A policy that says nothing of types and has no rule for what goes out is not about it.
    assert_eq!(found(false, json!({"podSelector": {}}), json!({}), true).await, []);
}

#[tokio::test(start_paused = true)]
async fn the_api_server_is_no_pod() {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.furnish();
    let (spec, mut facts) = seen(&world).await;
    let service = WebhookService { namespace: "kube-system".into(), name: "karpenter".into(), port: 8443 };
    facts.conversion = Probed::Known(vec![ConversionFacts { service, crds: vec!["x".into()], state: WebhookState::Answers }]);
    known(&mut facts.neighbours).policy_enforcer = Some("aws-node".into());
    let under = |facts: &Facts, peers: Peers, port: &str| {
        let ports = vec![PolicyPort { port: port.into(), end: None, protocol: "TCP".into() }];
        let rules = Some(vec![PolicyRule { ports, peers }]);
        let policies = vec![PolicyRules { name: "strict".into(), rules }];
        let ports = [("https-webhook".to_owned(), 8443)].into();
        Facts { policies: Probed::Known(PolicyFacts { ports, host_network: false, policies, egress: Vec::new() }), ..facts.clone() }
    };
    let with = |from: Peers, port: &str| bad(&spec, &under(&facts, from, port), DAY);
    says(&with(Peers::Pods, "8443"), "network-policies", Verdict::Fail, "do not let the API server get to port 8443");
    says(&with(Peers::Anybody, "8000"), "network-policies", Verdict::Fail, r#""ingress":[{"ports":[{"protocol":"TCP","port":8443}]}]"#);
    for (from, port) in [(Peers::Anybody, "8443"), (Peers::Addresses, "https-webhook")] {
        assert_eq!(with(from, port), []);
    }
    let pods_only = |change: &dyn Fn(&mut Facts)| {
        let mut facts = under(&facts, Peers::Pods, "8443");
        change(&mut facts);
        bad(&spec, &facts, DAY)
    };
    // An older release has what is written looked at there, and converts nothing.
    let admission = |f: &mut Facts| {
        f.conversion = Probed::Known(Vec::new());
        let (resource, name) = ("validatingwebhookconfiguration".into(), "validation.webhook.karpenter.sh".into());
        f.webhooks = Probed::Known(vec![WebhookFacts { resource, name, helm_owner: Some("kube-system/karpenter".into()) }]);
    };
    let found = pods_only(&admission);
    let of_policies = found.iter().find(|f| f.id == "network-policies").unwrap();
    assert!(of_policies.message.contains("(https-webhook), where what is written is looked at"), "{found:#?}");
    let words = "if anything enforces them: the VPC CNI does not, unless it is told to";
    says(&pods_only(&|f| known(&mut f.neighbours).policy_enforcer = None), "network-policies", Verdict::Warn, words);
    // Whether it is in its node's network is for the values to say, where helm installed it.
    says(&pods_only(&|f| known(&mut f.policies).host_network = true), "network-policies", Verdict::Fail, "port 8443");
    // What could not be read takes nothing from what was found.
    let found = pods_only(&|f| {
        f.webhooks = Probed::Unavailable("not allowed".into());
        f.conversion = Probed::Known(Vec::new());
        let rules = Some(Vec::new());
        known(&mut f.policies).egress = vec![PolicyRules { name: "strict".into(), rules }];
    });
    says(&found, "network-policies", Verdict::Fail, "do not let the controller get to port 443");
}

/// The controller's image in a registry that the VPC reaches.
fn mirrored() -> BTreeMap<String, Value> {
    let image = json!({"image": {"repository": "111122223333.dkr.ecr.us-west-2.amazonaws.com/karpenter/controller"}});
    BTreeMap::from([("controller".to_owned(), image)])
}

/// A private cluster as karpctl makes one, in a VPC without a way out and with every endpoint.
async fn closed() -> (Spec, Facts) {
    let mut private = Spec { private: true, ..existing("1.14.1") };
    private.chart.values = mirrored();
    let world = FakeWorld::bootstrapped(private).await;
    world.furnish();
    let (spec, mut facts) = seen(&world).await;
    for table in known(&mut facts.routes).iter_mut() {
        table.leads_out = false;
    }
    *known(&mut facts.endpoints) = spec.vpc_endpoints().into_iter().map(super::endpoints::endpoint).collect();
    (spec, facts)
}

#[tokio::test(start_paused = true)]
async fn a_karpenter_without_a_way_out_asks_neither_iam_nor_for_prices() {
    let (spec, facts) = closed().await;
    assert_eq!(bad(&spec, &facts, DAY), []);
    let broken = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        bad(&spec, &facts, DAY)
    };
    let prices = |f: &mut Facts| known(&mut f.chart_release).values["settings"]["isolatedVPC"] = json!(false);
    says(&broken(&prices), "private-values", Verdict::Warn, "--reuse-values --set settings.isolatedVPC=true");
    let by_endpoint = |f: &mut Facts| {
        prices(f);
        let endpoints = known(&mut f.endpoints);
        let pricing = EndpointFacts { service: "pricing.api".into(), ..endpoints[0].clone() };
        endpoints.push(pricing);
    };
    assert_eq!(broken(&by_endpoint), []);
    let by_role = |f: &mut Facts| known(&mut f.objects)[0].role = Some("KarpenterNodeRole-demo".into());
    let found = broken(&by_role);
    exactly(&found, "private-values", Verdict::Fail);
    assert_eq!(found[0].fixes[0].command[..3], ["karpctl", "iam", "--private"]);
    assert_eq!(
        found[0].fixes[1].command.join(" "),
        r#"kubectl patch ec2nodeclasses.karpenter.k8s.aws default --type json --patch [{"op":"remove","path":"/spec/role"},{"op":"add","path":"/spec/instanceProfile","value":"KarpenterNodeInstanceProfile-demo"}]"#
    );
    let one_way = |f: &mut Facts| {
        by_role(f);
        for table in known(&mut f.routes).iter_mut() {
            table.leads_out = true;
        }
    };
    assert_eq!(broken(&one_way), []);
    // The stack's profile holds the nodes' role: another role's class does not get it.
    let of_another = |f: &mut Facts| known(&mut f.objects)[0].role = Some("MyGpuRole".into());
    let found = broken(&of_another);
    exactly(&found, "private-values", Verdict::Fail);
    assert!(found[0].message.contains("(MyGpuRole)") && found[0].fixes.iter().all(|fix| fix.command.is_empty()), "{found:#?}");
    let by_iam = |f: &mut Facts| {
        by_role(f);
        let endpoints = known(&mut f.endpoints);
        let iam = EndpointFacts { service: "iam".into(), ..endpoints[0].clone() };
        endpoints.push(iam);
    };
    assert_eq!(broken(&by_iam), []);
    let unread = |f: &mut Facts| {
        prices(f);
        f.objects = Probed::Unavailable("no".into());
    };
    says(&broken(&unread), "private-values", Verdict::Warn, "--set settings.isolatedVPC=true");
    assert!(broken(&|f| f.objects = Probed::Unavailable("no".into())).iter().all(|f| f.id != "private-values"));
}

#[tokio::test(start_paused = true)]
async fn one_endpoint_that_is_not_there_is_one_finding() {
    let (spec, facts) = closed().await;
    let mut missing = facts.clone();
    known(&mut missing.endpoints).retain(|endpoint| endpoint.service != "sqs");
    let found = bad(&spec, &missing, DAY);
    exactly(&found, "private-endpoints", Verdict::Fail);
    assert!(found[0].message.starts_with("the VPC has none of sqs, and"), "{found:#?}");
    let mut by_address = facts.clone();
    known(&mut by_address.endpoints)[0].private_dns = false;
    exactly(&bad(&spec, &by_address, DAY), "private-endpoints", Verdict::Warn);
}

/// ECR Public has no endpoint in any VPC: the image must come from elsewhere, also where nothing is installed yet.
#[tokio::test(start_paused = true)]
async fn an_image_that_no_node_can_pull_is_told_before_the_install() {
    let (spec, facts) = closed().await;
    let mut given = spec.clone();
    given.chart.values.clear();
    let mut uninstalled = Facts { chart_release: Probed::Absent, ..facts.clone() };
    known(&mut uninstalled.neighbours).workloads.clear();
    let said = |spec: &Spec, facts: &Facts| {
        let said = bad(spec, facts, DAY).into_iter().filter(|f| f.id == "private-values");
        said.map(|f| (f.result, f.message, f.fixes[0].title.clone())).collect::<Vec<_>>()
    };
    for facts in [&facts, &uninstalled] {
        assert_eq!(said(&spec, facts), []);
        let found = said(&given, facts);
        assert_eq!(found.len(), 1, "{found:#?}");
        let (result, message, fix) = &found[0];
        assert_eq!(*result, Verdict::Warn);
        assert!(message.starts_with("public.ecr.aws/karpenter/controller is of ECR Public"), "{message}");
        assert!(fix.contains("name it as `controller.image.repository` under `chart.values`"), "{fix}");
    }
    let mut open = facts.clone();
    for table in known(&mut open.routes).iter_mut() {
        table.leads_out = true;
    }
    assert_eq!(said(&given, &open), []);

    // A private cluster that is to be made.
    let managed = Spec { cluster: ClusterMode::Managed, ..given };
    let none = Facts { cluster: Probed::Absent, chart_release: Probed::Unavailable("the cluster is not there yet".into()), ..facts };
    assert_eq!(said(&managed, &none).len(), 1);
    let mut by_mirror = managed.clone();
    by_mirror.chart.values = mirrored();
    assert_eq!(said(&by_mirror, &none), []);
    // Old charts have the image in one text.
    let old = Spec { release: "0.25.0".parse().unwrap(), ..managed };
    assert!(said(&old, &none)[0].2.contains("name it as `controller.image` under"), "{:#?}", said(&old, &none));
}
