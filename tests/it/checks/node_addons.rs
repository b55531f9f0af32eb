//! What makes a node ready.

use super::aws::known;
use super::{DAY, bad, healthy};
use crate::checks_inside::{after, says};
use crate::fake::FakeWorld;
use crate::fake::inside::{daemon_set, place};
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
