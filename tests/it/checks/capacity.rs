//! Where the controller runs and whom it asks for names: by the values that the next bootstrap gives its chart.

use super::aws::known;
use super::{DAY, bad, healthy_world, seen};
use crate::checks_inside::{after, says, the_node};
use crate::fake::FakeWorld;
use crate::fake::inside::{node, place, pod};
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Facts, FargateSelector, FargateSelectors, Probed, Scaling, Taint};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Identity, Meant, Spec};
use serde_json::{Value, json};

/// What is found in a healthy cluster after this, where a replica of the controller waits: what all run on is not asked again.
async fn pending(breakage: impl FnOnce(&FakeWorld)) -> Vec<Finding> {
    after(|w| {
        w.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |d| d["status"]["readyReplicas"] = json!(1));
        breakage(w);
    })
    .await
}

/// A Fargate profile that takes the pods of a namespace that have these labels.
fn profile(namespace: &str, labels: &[(&str, &str)]) -> FargateSelectors {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    FargateSelectors { name: "fp-default".into(), selectors: vec![FargateSelector { namespace: namespace.into(), labels }] }
}

/// `eksctl create cluster --fargate` makes a profile for `kube-system`; no agent runs on its nodes.
#[tokio::test(start_paused = true)]
async fn no_controller_gets_its_credentials_by_pod_identity_on_fargate() {
    let with = async |profile: FargateSelectors, identity: Identity| {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        world.furnish();
        world.inside().fargate_selectors = vec![profile];
        let (spec, facts) = seen(&world).await;
        let spec = Spec { identity, ..spec };
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        let said = judge(&all(), &situation);
        ["one-identity", "node-capacity"].map(|id| said.iter().find(|f| f.id == id).cloned().unwrap())
    };
    let labels = [("app.kubernetes.io/name", "karpenter")];
    for profile in [profile("kube-system", &[]), profile("*", &[]), profile("kube-system", &labels)] {
        let [identity, capacity] = with(profile.clone(), Identity::PodIdentity).await;
        assert_eq!((identity.result, identity.subject.as_str()), (Verdict::Fail, "Fargate profile fp-default"), "{identity:#?}");
        assert!(identity.message.contains("no Pod Identity agent runs on Fargate"), "{}", identity.message);
        assert!(identity.fixes[0].title.contains("--identity irsa"), "{identity:#?}");
        assert_eq!(capacity.message, "the Fargate profile fp-default makes a node for each replica");
        let [identity, capacity] = with(profile, Identity::Irsa).await;
        assert_eq!((identity.result, capacity.result), (Verdict::Skip, Verdict::Pass));
    }
    let other = [("app.kubernetes.io/name", "web")];
    for profile in [profile("default", &[]), profile("kube-system", &other)] {
        let [identity, _] = with(profile, Identity::PodIdentity).await;
        assert_eq!(identity.result, Verdict::Skip, "{identity:#?}");
    }
    // A label that the spec has the chart give them, also in place of the chart's own.
    let labelled = async |labels: &[(&str, &str)], value: &str| {
        let mut spec = existing("1.14.1");
        let labels_of_pods = json!({"compute": value, "app.kubernetes.io/name": "scaler"});
        spec.chart.values.insert("podLabels".to_owned(), labels_of_pods);
        let world = FakeWorld::with_cluster(spec);
        world.furnish();
        world.inside().fargate_selectors = vec![profile("kube-system", labels)];
        let (spec, facts) = seen(&world).await;
        bad(&spec, &facts, DAY).into_iter().find(|f| f.id == "one-identity").map(|found| found.result)
    };
    assert_eq!(labelled(&[("compute", "fargate")], "fargate").await, Some(Verdict::Fail));
    assert_eq!(labelled(&[("compute", "fargate")], "nodes").await, None);
    assert_eq!(labelled(&labels, "fargate").await, None);
    // One that works on Fargate by IRSA, whatever this doctor was asked for.
    let world = FakeWorld::bootstrapped(Spec { identity: Identity::Irsa, ..existing("1.14.1") }).await;
    world.furnish();
    world.inside().fargate_selectors = vec![profile("kube-system", &[])];
    let (spec, mut facts) = seen(&world).await;
    let spec = Spec { identity: Identity::PodIdentity, ..spec };
    let found = |facts: &Facts| bad(&spec, facts, DAY).into_iter().filter(|f| f.id == "one-identity").collect::<Vec<_>>();
    assert_eq!(found(&facts), []);
    // The role may be its service account's by somebody else than the chart, while it works.
    known(&mut facts.chart_release).values["serviceAccount"] = json!({"create": false, "name": "karpenter"});
    assert_eq!(found(&facts), []);
    known(&mut facts.neighbours).workloads.iter_mut().for_each(|workload| workload.ready = 0);
    says(&found(&facts), "one-identity", Verdict::Fail, "no Pod Identity agent runs on Fargate");
}

#[tokio::test(start_paused = true)]
async fn the_controllers_replicas_need_nodes() {
    let check = |found: Vec<Finding>, words: &str| says(&found, "node-capacity", Verdict::Fail, words);
    check(pending(|w| w.change(&the_node("node-b"), |n| n["spec"]["unschedulable"] = json!(true))).await, "kubectl uncordon node-b");
    let taint = json!([{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]);
    check(
        pending(|w| w.change(&the_node("node-b"), |n| n["spec"]["taints"] = taint)).await,
        "node-b has the taint dedicated=gpu:NoSchedule",
    );
    let tolerated = json!([{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]);
    assert!(pending(|w| w.change(&the_node("node-b"), |n| n["spec"]["taints"] = tolerated)).await.is_empty());
    let hog = |w: &FakeWorld, name: &str, cpu: &str| {
        let (object, body) = pod("default", &format!("hog-{name}"), name, cpu);
        w.put(&object, body);
    };
    check(pending(|w| hog(w, "node-b", "900m")).await, "node-b has 930m CPU left of 1000m");
    let one = pending(|w| hog(w, "node-b", "900m")).await;
    assert!(one[0].fixes.iter().any(|fix| fix.title.ends_with("`replicas: 1` under `chart.values` in karpctl.yaml")), "{one:#?}");
    assert!(pending(|w| hog(w, "node-b", "800m")).await.is_empty());
    let big = |n: &mut Value| n["status"]["allocatable"]["memory"] = json!("1000Mi");
    check(pending(|w| w.change(&the_node("node-b"), big)).await, "930 MiB of memory left of 1024");
    check(pending(|w| w.change(&the_node("node-b"), |n| n["status"]["conditions"] = json!([]))).await, "node-b is not ready");
    let karpenters = |n: &mut Value| n["metadata"]["labels"]["karpenter.sh/nodepool"] = json!("default");
    check(pending(|w| w.change(&the_node("node-b"), karpenters)).await, "node-b is Karpenter's own");
    // One node is enough room for two, but they must be apart.
    let lone = |w: &FakeWorld| {
        w.inside().objects.remove(&the_node("node-b"));
        w.change(&the_node("node-a"), |n| n["status"]["allocatable"]["cpu"] = json!("8"));
    };
    check(pending(lone).await, "no two of them run on one node");
    // A third node helps nothing where the zones would be uneven; in one zone alone there is nothing to be even with.
    let uneven = |w: &FakeWorld| {
        let (object, body) = node("node-c", "us-west-2a");
        w.put(&object, body);
        hog(w, "node-b", "1500m");
    };
    check(pending(uneven).await, "the zones must be even");
    let one_zone = |n: &mut Value| n["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!("us-west-2a");
    assert!(pending(|w| w.change(&the_node("node-b"), one_zone)).await.is_empty());
    // Which pods a Fargate profile takes, nobody but EKS knows.
    let fargate = |n: &mut Value| n["metadata"]["labels"]["eks.amazonaws.com/compute-type"] = json!("fargate");
    let with = async |profiles: Option<&str>| {
        let world = healthy_world().await;
        world.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |d| d["status"]["readyReplicas"] = json!(1));
        world.change(&the_node("node-b"), fargate);
        world.inside().fargate_selectors = profiles.into_iter().map(|namespace| profile(namespace, &[])).collect();
        let (spec, mut facts) = seen(&world).await;
        if profiles.is_none() {
            facts.fargate_selectors = Probed::Unavailable("AccessDenied: eks:ListFargateProfiles".into());
        }
        bad(&Spec { identity: Identity::Irsa, ..spec }, &facts, DAY).into_iter().filter(|f| f.id == "node-capacity").collect::<Vec<_>>()
    };
    says(&with(None).await, "node-capacity", Verdict::Warn, "unless a Fargate profile takes them");
    says(&with(Some("web")).await, "node-capacity", Verdict::Fail, "node-b is Fargate's");
    assert_eq!(with(Some("kube-*")).await, []);
    // The controllers that run already make room for their own next ones.
    let running = |w: &FakeWorld| {
        for node in ["node-a", "node-b"] {
            let (object, mut body) = pod("kube-system", &format!("karpenter-{node}"), node, "1");
            body["metadata"]["labels"] = json!({"app.kubernetes.io/name": "karpenter"});
            w.put(&object, body);
        }
    };
    assert!(pending(running).await.is_empty());
    // An installed controller says itself what it asks for: less than the guide's, or more.
    let requests = |w: &FakeWorld, cpu: &str| {
        w.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |d| {
            d["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(cpu);
        });
    };
    let modest = |w: &FakeWorld| {
        hog(w, "node-b", "1500m");
        requests(w, "250m");
    };
    assert!(pending(modest).await.is_empty());
    check(pending(|w| requests(w, "1900m")).await, "CPU left of 1900m");
}

/// A node group that may have more nodes keeps its maximum, and one of which nodes have not joined yet does not lose them.
#[tokio::test(start_paused = true)]
async fn a_node_group_grows_within_what_it_may_have() {
    let asked = async |scaling: Option<Scaling>| {
        let world = healthy_world().await;
        world.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |d| d["status"]["readyReplicas"] = json!(1));
        world.inside().objects.remove(&the_node("node-b"));
        let (spec, mut facts) = seen(&world).await;
        known(&mut facts.node_groups)[0].scaling = scaling;
        let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "node-capacity").collect();
        let command = found[0].fixes.iter().map(|fix| fix.command.join(" ")).find(|command| !command.is_empty()).unwrap();
        let group = "aws eks update-nodegroup-config --region us-west-2 --cluster-name demo --nodegroup-name demo-ng --scaling-config ";
        command.strip_prefix(group).unwrap_or_else(|| panic!("{command}")).to_owned()
    };
    let of = |desired, max| Some(Scaling { min: 1, desired, max });
    assert_eq!(asked(of(1, 10)).await, "desiredSize=2");
    assert_eq!(asked(of(1, 1)).await, "desiredSize=2,maxSize=2");
    assert_eq!(asked(of(3, 10)).await, "desiredSize=4");
    assert_eq!(asked(None).await, "desiredSize=2", "EKS refuses what is more than the most");
}

/// What the spec says of the chart's values is what counts, beside the release that is there.
fn told(spec: &Spec, values: &Value) -> Spec {
    let mut spec = spec.clone();
    spec.chart.values = values.as_object().unwrap().clone().into_iter().collect();
    spec
}

#[tokio::test(start_paused = true)]
async fn values_to_come_decide_where_the_controller_may_run() {
    // Before the installation: nodes whose taint nothing takes.
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.furnish();
    let (spec, mut facts) = seen(&world).await;
    let found = |values: Value, facts: &Facts| {
        let found = bad(&told(&spec, &values), facts, DAY);
        found.into_iter().filter(|f| ["node-capacity", "cluster-dns"].contains(&f.id.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({}), &facts), []);
    let nodes = known(&mut facts.nodes);
    for node in nodes.iter_mut() {
        node.taints = vec![Taint { key: "dedicated".into(), value: "infra".into(), effect: "NoSchedule".into() }];
    }
    let shut = found(json!({}), &facts);
    says(&shut, "node-capacity", Verdict::Fail, "node-a has the taint dedicated=infra:NoSchedule; node-b has");
    assert!(!shut[0].fixes.iter().any(|fix| fix.command.iter().any(|word| word == "nodegroup")), "more of those are no help: {shut:#?}");
    assert!(shut[0].fixes.iter().any(|fix| fix.title.contains("`tolerations`")), "{shut:#?}");
    let takes = json!([{"key": "dedicated", "operator": "Exists"}]);
    assert_eq!(found(json!({"tolerations": takes}), &facts), []);
    assert_eq!(found(json!({"replicas": 0}), &facts), []);
    // Labels, and the zones of the nodes that have them.
    for node in known(&mut facts.nodes) {
        node.taints.clear();
    }
    let infra = json!({"nodeSelector": {"role": "infra"}});
    says(&found(infra.clone(), &facts), "node-capacity", Verdict::Fail, "node-a has no label role=infra");
    for node in known(&mut facts.nodes) {
        node.labels.insert("role".into(), "infra".into());
    }
    assert_eq!(found(infra.clone(), &facts), []);
    // What an older karpctl saved has no labels: that is not judged, and is no failure.
    for node in known(&mut facts.nodes) {
        node.labels.clear();
    }
    let infra = told(&spec, &infra);
    let said = judge(&all(), &Situation { spec: Some(&infra), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() });
    let said = said.iter().find(|f| f.id == "node-capacity").unwrap();
    assert_eq!(said.result, Verdict::Skip, "{said:#?}");
    assert!(said.message.ends_with("(not judged: labels of nodes, which these facts do not have)"), "{said:#?}");
    known(&mut facts.nodes)[1].free_cpu = 10;
    says(&found(json!({}), &facts), "node-capacity", Verdict::Fail, "1 of 2 replicas");
    let others = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}});
    says(&found(others, &facts), "node-capacity", Verdict::Warn, "find a node (not judged: rules about other pods)");
    assert_eq!(found(json!({"replicas": 1}), &facts), []);
    assert_eq!(found(json!({"controller": {"resources": {"requests": {"cpu": "10m"}, "limits": null}}}), &facts), []);
    // Where the zones need not be even, a full one is no matter.
    let third = known(&mut facts.nodes)[0].clone();
    known(&mut facts.nodes).push(karpctl::facts::NodeFacts { name: "node-c".into(), ..third });
    says(&found(json!({}), &facts), "node-capacity", Verdict::Fail, "the zones must be even");
    let anyway = json!([{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}]);
    assert_eq!(found(json!({"topologySpreadConstraints": anyway}), &facts), []);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_run_are_not_doubted_unless_bootstrap_moves_them() {
    let (spec, facts) = seen(&healthy_world().await).await;
    let with = |spec: &Spec, live: Value, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        let values = &mut known(&mut facts.chart_release).values;
        live.as_object().unwrap().iter().for_each(|(key, value)| values[key] = value.clone());
        change(&mut facts);
        bad(spec, &facts, DAY)
    };
    let full = |f: &mut Facts| {
        for node in known(&mut f.nodes) {
            node.free_cpu = 10;
        }
    };
    assert_eq!(with(&spec, json!({}), &full), []);
    // A new release starts new pods, which must find a node.
    let newer = Spec { release: "1.14.0".parse().unwrap(), ..spec.clone() };
    let found: Vec<Finding> = with(&newer, json!({}), &full).into_iter().filter(|f| f.id == "node-capacity").collect();
    says(&found, "node-capacity", Verdict::Fail, "0 of 2 replicas");
    // What somebody gave the release by hand, bootstrap takes away again.
    let anywhere = json!({"tolerations": [{"operator": "Exists"}]});
    let tainted = |f: &mut Facts| {
        let taint = Taint { key: "dedicated".into(), value: String::new(), effect: "NoSchedule".into() };
        for node in known(&mut f.nodes) {
            node.taints.push(taint.clone());
        }
    };
    let found = with(&spec, anywhere.clone(), &tainted);
    says(&found, "node-capacity", Verdict::Fail, "has the taint dedicated:NoSchedule; ");
    assert!(found[0].message.contains("; `karpctl bootstrap` changes tolerations"), "{found:#?}");
    assert!(found[0].fixes.iter().any(|fix| fix.title.starts_with("or keep what the release has")), "{found:#?}");
    assert_eq!(with(&told(&spec, &anywhere), anywhere, &tainted), []);
}

#[tokio::test(start_paused = true)]
async fn the_clusters_dns_must_not_depend_on_karpenter() {
    let coredns = place("apps/v1", "deployments", Some("kube-system"), "coredns");
    let pods = ["node-a", "node-b"].map(|n| place("v1", "pods", Some("kube-system"), &format!("coredns-{n}")));
    let unready = |w: &FakeWorld| pods.iter().for_each(|p| w.change(p, |p| p["status"]["conditions"][0]["status"] = json!("False")));
    says(&after(unready).await, "cluster-dns", Verdict::Fail, "k8s-app in (kube-dns, coredns)");
    // CoreDNS's own chart has another label.
    let of_chart = |w: &FakeWorld| {
        for object in pods.iter().chain([&coredns]) {
            w.change(object, |o| o["metadata"]["labels"]["k8s-app"] = json!("coredns"));
        }
    };
    assert_eq!(after(of_chart).await, []);
    let scaled = |w: &FakeWorld| {
        for pod in &pods {
            w.inside().objects.remove(pod);
        }
        w.change(&coredns, |d| d["spec"]["replicas"] = json!(0));
    };
    says(&after(scaled).await, "cluster-dns", Verdict::Fail, "kubectl --namespace kube-system scale deployment coredns --replicas 2");
    let gone = |w: &FakeWorld| {
        scaled(w);
        w.inside().objects.remove(&coredns);
    };
    says(&after(gone).await, "cluster-dns", Verdict::Fail, "--addon-name coredns");
    let on_karpenters = |w: &FakeWorld| {
        let (object, mut body) = node("node-k", "us-west-2a");
        body["metadata"]["labels"]["karpenter.sh/nodepool"] = json!("default");
        w.put(&object, body);
        for pod in &pods {
            w.change(pod, |p| p["spec"]["nodeName"] = json!("node-k"));
        }
    };
    says(&after(on_karpenters).await, "cluster-dns", Verdict::Warn, "only on nodes that Karpenter made");
    // What the next bootstrap tells the chart counts: its cure makes the check pass, a release that somebody changed by hand does not.
    let world = healthy_world().await;
    unready(&world);
    let (spec, mut facts) = seen(&world).await;
    let found = bad(&spec, &facts, DAY);
    let cure = "the chart's value `dnsPolicy: Default` under `chart.values` in karpctl.yaml";
    assert!(found[0].fixes.iter().any(|fix| fix.title.ends_with(cure)), "{found:#?}");
    let default = json!({"dnsPolicy": "Default"});
    assert_eq!(bad(&told(&spec, &default), &facts, DAY), []);
    assert_eq!(bad(&told(&spec, &json!({"hostNetwork": true})), &facts, DAY), []);
    let of_host = json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"});
    says(&bad(&told(&spec, &of_host), &facts, DAY), "cluster-dns", Verdict::Fail, "CoreDNS is not ready");
    known(&mut facts.chart_release).values["dnsPolicy"] = json!("Default");
    let found = bad(&spec, &facts, DAY);
    says(&found, "cluster-dns", Verdict::Fail, "; `karpctl bootstrap` changes dnsPolicy: Default -> ClusterFirst");
    assert_eq!(bad(&told(&spec, &default), &facts, DAY), []);
}

/// helm takes an empty list in the place of the chart's own, and a step sees no difference to nothing.
#[tokio::test(start_paused = true)]
async fn a_release_that_stays_is_judged_by_its_own_values() {
    let (spec, mut facts) = seen(&healthy_world().await).await;
    known(&mut facts.chart_release).values["topologySpreadConstraints"] = json!([]);
    known(&mut facts.nodes)[1].free_cpu = 0;
    let mut third = known(&mut facts.nodes)[0].clone();
    third.name += "-too";
    third.labels.insert("kubernetes.io/hostname".into(), third.name.clone());
    known(&mut facts.nodes).push(third);
    assert_eq!(bad(&spec, &facts, DAY), [], "the controller runs");
    known(&mut facts.neighbours).workloads.iter_mut().for_each(|w| w.ready = w.ready.min(1));
    let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "node-capacity").collect();
    assert_eq!(found, [], "two nodes have room, and no zones must be even");
}
