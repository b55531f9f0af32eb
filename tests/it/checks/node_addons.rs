//! What makes a node ready.

use super::aws::known;
use super::{DAY, bad, exactly, healthy};
use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::{daemon_set, place};
use karpctl::facts::Probed;
use karpctl::finding::Verdict;
use karpctl::ports::ObjectRef;
use serde_json::json;

fn set(name: &str) -> ObjectRef {
    place("apps/v1", "daemonsets", Some("kube-system"), name)
}

fn without(w: &FakeWorld, name: &str) {
    w.inside().objects.remove(&set(name));
}

fn ready(w: &FakeWorld, name: &str, ready: u32, desired: u32) {
    w.change(&set(name), |set| set["status"] = json!({"desiredNumberScheduled": desired, "numberReady": ready}));
}

#[tokio::test(start_paused = true)]
async fn nodes_need_a_network_and_a_way_to_services() {
    const ID: &str = "node-addons";
    assert_eq!(after(|w| without(w, "aws-node")).await, [], "nodes are ready, by another");
    let (spec, mut facts) = healthy().await;
    known(&mut facts.neighbours).node_addons.as_mut().unwrap().retain(|addon| addon.name != "aws-node");
    for node in known(&mut facts.nodes).iter_mut() {
        node.ready = false;
    }
    let found: Vec<_> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "node-addons").collect();
    says(&found, "node-addons", Verdict::Fail, "aws eks create-addon --region us-west-2 --cluster-name demo --addon-name vpc-cni");
    says(&after(|w| without(w, "kube-proxy")).await, ID, Verdict::Warn, "--addon-name kube-proxy");
    says(&after(|w| ready(w, "aws-node", 0, 2)).await, ID, Verdict::Fail, "0 of 2 pods are ready: those nodes are NotReady");
    let few = after(|w| ready(w, "kube-proxy", 7, 10)).await;
    says(&few, ID, Verdict::Warn, "7 of 10 pods are ready: pods there do not reach Services");
    says(&few, ID, Verdict::Warn, "kubectl --namespace kube-system logs daemonset/kube-proxy --all-containers --tail 20");
    assert!(few[0].heals);
    // A node has just come; or all are Fargate's.
    for (count, of) in [(9, 10), (0, 0)] {
        assert_eq!(after(|w| ready(w, "aws-node", count, of)).await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn other_networks_and_auto_mode_stand_for_them() {
    let other = |image: &'static str| {
        move |w: &FakeWorld| {
            without(w, "aws-node");
            let (object, body) = daemon_set("kube-system", "other", image);
            w.put(&object, body);
        }
    };
    assert_eq!(after(other("mirror:5000/calico/node:v3.30.0")).await, []);
    let cilium = |w: &FakeWorld| {
        other("quay.io/cilium/cilium:v1.18.0@sha256:00")(w);
        without(w, "kube-proxy");
    };
    assert_eq!(after(cilium).await, []);
    let (spec, mut facts) = healthy().await;
    known(&mut facts.neighbours).node_addons = Some(Vec::new());
    let of = |facts: &karpctl::facts::Facts| bad(&spec, facts, DAY).into_iter().filter(|f| f.id == "node-addons").count();
    assert_eq!(of(&facts), 1);
    known(&mut facts.cluster).auto_mode = true;
    assert_eq!(of(&facts), 0);
    known(&mut facts.cluster).auto_mode = false;
    // Saved by an earlier karpctl.
    known(&mut facts.neighbours).node_addons = None;
    assert_eq!(of(&facts), 0);
}

/// Pods get their addresses by an `ENIConfig` for each zone, with a subnet of it.
fn custom_networking(w: &FakeWorld, label: &str) {
    let env = json!([{"name": "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "value": "true"}, {"name": "ENI_CONFIG_LABEL_DEF", "value": label}]);
    w.change(&set("aws-node"), |set| set["spec"]["template"]["spec"]["containers"][0]["env"] = env);
    let crd = place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, "eniconfigs.crd.k8s.amazonaws.com");
    w.put(&crd, json!({"spec": {"versions": [{"name": "v1alpha1", "served": true}]}}));
    for zone in ["us-west-2a", "us-west-2b"] {
        let mut subnet = w.inside().subnets[0].clone();
        (subnet.id, subnet.zone, subnet.free_addresses) = (format!("subnet-{}", of_pods(zone)), zone.into(), 500);
        subnet.tags.clear();
        w.inside().subnets.push(subnet);
        eni_config(w, zone, of_pods(zone));
    }
}

fn of_pods(zone: &str) -> &'static str {
    if zone.ends_with('a') { "0000000d" } else { "0000000e" }
}

fn eni_config(w: &FakeWorld, name: &str, subnet: &str) {
    let body = json!({"metadata": {"name": name}, "spec": {"subnet": format!("subnet-{subnet}"), "securityGroups": ["sg-1"]}});
    w.put(&place("crd.k8s.amazonaws.com/v1alpha1", "eniconfigs", None, name), body);
}

/// The node pool gives its nodes a label, which names their `ENIConfig`.
#[tokio::test(start_paused = true)]
async fn a_label_of_a_node_pool_names_where_its_pods_find_addresses() {
    const ID: &str = "custom-networking";
    const LABEL: &str = "example.com/eni";
    let of_pool = |name: &'static str, zones: &'static [&'static str]| {
        after(move |w| {
            custom_networking(w, LABEL);
            w.change(&place("karpenter.sh/v1", "nodepools", None, "default"), |pool| {
                pool["spec"]["template"]["metadata"]["labels"] = json!({LABEL: name});
                let zone = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": zones});
                pool["spec"]["template"]["spec"]["requirements"].as_array_mut().unwrap().push(zone);
            });
        })
    };
    assert_eq!(of_pool("us-west-2b", &["us-west-2b"]).await, []);
    let both = of_pool("us-west-2b", &["us-west-2a", "us-west-2b"]).await;
    says(&both, ID, Verdict::Fail, "which is in us-west-2b: a node takes no network interface of another zone");
    says(&both, ID, Verdict::Fail, "kubectl edit nodepools.karpenter.sh default");
    let none = of_pool("team", &["us-west-2a"]).await;
    says(&none, ID, Verdict::Fail, "is not there, and Karpenter finds subnets in us-west-2a");
    assert_eq!(none[0].subject, "ENIConfig team");
    // Without the label it may be any.
    assert_eq!(after(|w| custom_networking(w, LABEL)).await, []);
}

/// A node takes one address where pods have theirs elsewhere.
#[tokio::test(start_paused = true)]
async fn subnets_of_nodes_need_little_room_where_pods_have_others() {
    let warned = |own: bool, left: i32| async move {
        let found = after(|w| {
            w.inside().subnets[0].free_addresses = left;
            if own {
                custom_networking(w, "topology.kubernetes.io/zone");
                w.inside().subnets.iter_mut().skip(2).for_each(|subnet| subnet.free_addresses = 500);
            }
        });
        let found = found.await;
        assert!(found.iter().all(|f| f.id == "node-network" && f.result == Verdict::Warn), "{found:#?}");
        !found.is_empty()
    };
    assert_eq!([warned(false, 20).await, warned(true, 20).await, warned(true, 2).await], [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn pods_with_subnets_of_their_own_find_addresses_in_every_zone() {
    const ID: &str = "custom-networking";
    const ZONE: &str = "topology.kubernetes.io/zone";
    let with = |change: fn(&FakeWorld)| {
        after(move |w| {
            custom_networking(w, ZONE);
            change(w);
        })
    };
    let gone =
        |w: &FakeWorld, zone: &str| drop(w.inside().objects.remove(&place("crd.k8s.amazonaws.com/v1alpha1", "eniconfigs", None, zone)));
    assert_eq!(with(|_| {}).await, []);
    let found = after(|w| (custom_networking(w, ZONE), gone(w, "us-west-2b")).1).await;
    says(&found, "custom-networking", Verdict::Fail, "nodes there stay NotReady (Failed to attach any ENIs for custom networking)");
    assert_eq!(found[0].subject, "ENIConfig us-west-2b");
    says(&found, ID, Verdict::Fail, "Name=availability-zone,Values=us-west-2b");
    says(&with(|w| eni_config(w, "us-west-2b", "0000000d")).await, ID, Verdict::Fail, "which is in us-west-2a");
    says(&with(|w| eni_config(w, "us-west-2b", "0000000f")).await, ID, Verdict::Fail, "subnet-0000000f, which is not in us-west-2");
    let full = with(|w| w.inside().subnets.iter_mut().filter(|s| s.id == "subnet-0000000e").for_each(|s| s.free_addresses = 3)).await;
    says(&full, ID, Verdict::Warn, "has 3 free addresses for pods");
    says(&full, ID, Verdict::Warn, "kubectl edit eniconfig us-west-2b");
    // In a zone that no pool takes none is missed.
    let of_pools = |requirements: [Option<serde_json::Value>; 2]| {
        after(move |w| {
            custom_networking(w, ZONE);
            gone(w, "us-west-2b");
            let pool = w.object(&place("karpenter.sh/v1", "nodepools", None, "default")).unwrap();
            for (name, requirement) in ["default", "other"].into_iter().zip(requirements) {
                let mut body = pool.clone();
                body["spec"]["template"]["spec"]["requirements"].as_array_mut().unwrap().extend(requirement);
                w.put(&place("karpenter.sh/v1", "nodepools", None, name), body);
            }
        })
    };
    let zone = |operator: &str, zones: &[&str]| Some(json!({"key": ZONE, "operator": operator, "values": zones}));
    assert_eq!(of_pools([zone("In", &["us-west-2a"]), zone("NotIn", &["us-west-2b"])]).await, []);
    let found = of_pools([zone("In", &["us-west-2a"]), zone("In", &["us-west-2a", "us-west-2b"])]).await;
    assert_eq!(found[0].subject, "ENIConfig us-west-2b");
    exactly(&found, ID, Verdict::Fail);
    // By another label a pool says it, and nobody where there is none at all.
    for label in ["", "example.com/network"] {
        let none = after(|w| (custom_networking(w, label), gone(w, "us-west-2a"), gone(w, "us-west-2b")).2).await;
        says(&none, ID, Verdict::Fail, "and there is none");
        assert_eq!(after(|w| (custom_networking(w, label), gone(w, "us-west-2b")).1).await, []);
    }
    // In zones where no node comes none is missed, and aws-node may be told no.
    let (spec, mut facts) = healthy().await;
    assert_eq!(facts.custom_networking, Probed::Absent);
    let world = crate::checks::healthy_world().await;
    custom_networking(&world, ZONE);
    gone(&world, "us-west-2b");
    facts.custom_networking = world.facts(&[karpctl::facts::Topic::CustomNetworking]).await.custom_networking;
    known(&mut facts.selection).subnets.retain(|subnet| subnet.zone == "us-west-2a");
    let found = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == ID).count();
    assert_eq!(found, 0);
}
