//! What asks for nodes by labels that only the node groups' nodes have.

use super::{assess, cluster, keeping, step};
use crate::fake::FakeWorld;
use crate::fake::fleet::{at, group};
use karpctl::facts::NodeGroupShape;
use karpctl::plan::{State, StepId};
use serde_json::{Value, json};
use std::sync::Arc;

/// A cluster with a group whose nodes have labels that its pool does not give, one that it gives, and a pod there.
async fn labelled() -> Arc<FakeWorld> {
    let world = cluster().await;
    let labels = [("alpha.eksctl.io/cluster-name", "demo"), ("karpenter.sh/team", "a"), ("tier", "front")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    world.add_group(NodeGroupShape { labels, ..group("labelled", "1/1/5") });
    world.add_pod("three", &world.nodes_of("labelled")[0]);
    world
}

fn required(terms: &Value) -> Value {
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
}

fn term(key: &str) -> Value {
    json!({"matchExpressions": [{"key": key, "operator": "Exists"}]})
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_a_label_that_its_pool_does_not_give_is_in_the_way() {
    let wish = keeping(&["system"]);
    for (spec, tie) in [
        (json!({"nodeSelector": {"alpha.eksctl.io/cluster-name": "demo"}}), "alpha.eksctl.io/cluster-name=demo"),
        (json!({"nodeSelector": {"karpenter.sh/team": "a"}}), "karpenter.sh/team=a"),
        (json!({"nodeSelector": {"eks.amazonaws.com/nodegroup-image": "ami-1"}}), "eks.amazonaws.com/nodegroup-image=ami-1"),
        (json!({"affinity": required(&json!([term("karpenter.sh/team")]))}), "a node with karpenter.sh/team,"),
    ] {
        let world = labelled().await;
        world.change(&at("v1", "pods", Some("shop"), "three"), |pod| {
            pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        });
        let state = assess(&world, StepId::NodeGroups, &wish).await;
        let State::Blocked { why, .. } = &state else { panic!("{tie}: {state:?}") };
        assert!(why.contains("shop/three") && why.contains(tie), "{why}");
    }
    for spec in [
        json!({"nodeSelector": {"tier": "front"}}),
        json!({"nodeSelector": {"kubernetes.io/os": "linux"}}),
        // One term is enough.
        json!({"affinity": required(&json!([term("karpenter.sh/team"), term("tier")]))}),
    ] {
        let world = labelled().await;
        world.change(&at("v1", "pods", Some("shop"), "three"), |pod| {
            pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        });
        let state = assess(&world, StepId::NodeGroups, &wish).await;
        assert!(matches!(state, State::Drifted(_)), "{spec}: {state:?}");
    }
}

/// A label that the nodes got by user data or by hand, or that is a node's own name, is in no pool.
#[tokio::test(start_paused = true)]
async fn a_label_that_only_nodes_have_that_leave_is_in_the_way() {
    let wish = keeping(&["system"]);
    let world = labelled().await;
    let node = world.nodes_of("labelled")[0].clone();
    world.change(&at("v1", "nodes", None, &node), |node| {
        node["metadata"]["labels"]["gpu.team/a"] = json!("b");
        node["metadata"]["labels"]["kubernetes.io/hostname"] = json!("here");
        node["metadata"]["labels"]["topology.kubernetes.io/region"] = json!("us-west-2");
    });
    let ask = |spec: Value| {
        world.change(&at("v1", "pods", Some("shop"), "three"), |pod| {
            pod["spec"] = json!({"nodeName": node});
            pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        });
    };
    let fields = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]);
    for (spec, tie) in [
        (json!({"nodeSelector": {"gpu.team/a": "b"}}), "gpu.team/a=b".to_owned()),
        (json!({"nodeSelector": {"kubernetes.io/hostname": "here"}}), "kubernetes.io/hostname=here".to_owned()),
        (json!({"affinity": required(&fields)}), format!("metadata.name={node}")),
    ] {
        ask(spec);
        let state = assess(&world, StepId::NodeGroups, &wish).await;
        let State::Blocked { why, hints } = &state else { panic!("{tie}: {state:?}") };
        assert!(
            why.contains("shop/three") && why.contains(&tie) && hints[0].contains("update-nodegroup-config --labels"),
            "{why} {hints:?}"
        );
    }
    for spec in [
        json!({"nodeSelector": {"topology.kubernetes.io/region": "us-west-2"}}),
        json!({"affinity": required(&json!([term("gpu.team/a"), term("tier")]))}),
    ] {
        ask(spec);
        assert!(matches!(assess(&world, StepId::NodeGroups, &wish).await, State::Drifted(_)));
    }
    // A node that stays has it too.
    ask(json!({"nodeSelector": {"gpu.team/a": "b"}}));
    let stays = world.nodes_of("system")[2].clone();
    world.change(&at("v1", "nodes", None, &stays), |node| node["metadata"]["labels"]["gpu.team/a"] = json!("b"));
    assert!(matches!(assess(&world, StepId::NodeGroups, &wish).await, State::Drifted(_)));
}

/// What is on a disk of a node goes with the node; a volume of the zone does not.
#[tokio::test(start_paused = true)]
async fn a_volume_that_only_nodes_have_that_leave_is_in_the_way() {
    let wish = keeping(&["system"]);
    let world = labelled().await;
    let node = world.nodes_of("labelled")[0].clone();
    world.change(&at("v1", "nodes", None, &node), |node| node["metadata"]["labels"]["kubernetes.io/hostname"] = json!("here"));
    world.change(&at("v1", "pods", Some("shop"), "three"), |pod| {
        pod["spec"]["volumes"] = json!([{"persistentVolumeClaim": {"claimName": "data-three"}}]);
    });
    world.put(&at("v1", "persistentvolumeclaims", Some("shop"), "data-three"), json!({"metadata": {}, "spec": {"volumeName": "pv-1"}}));
    for (key, values, is_held) in
        [("kubernetes.io/hostname", json!(["here"]), true), ("topology.kubernetes.io/zone", json!(["us-west-2a"]), false)]
    {
        let terms = json!([{"matchExpressions": [{"key": key, "operator": "In", "values": values}]}]);
        let volume = json!({"metadata": {}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}});
        world.put(&at("v1", "persistentvolumes", None, "pv-1"), volume);
        let state = assess(&world, StepId::NodeGroups, &wish).await;
        let State::Blocked { why, hints } = &state else {
            assert!(!is_held && matches!(state, State::Drifted(_)), "{state:?}");
            continue;
        };
        assert!(
            is_held && why.contains("shop/three: its volume (claim data-three) is had only by the node with kubernetes.io/hostname=here"),
            "{why}"
        );
        assert!(
            hints[0].contains("delete persistentvolumeclaim/data-three pod/three") && hints[0].contains("--leave-node-group labelled"),
            "{hints:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_pods_to_look_at_is_told() {
    let world = labelled().await;
    let template = |key: &str, value: &str| json!({"spec": {"nodeSelector": {key: value}}});
    let put = |version: &str, plural: &str, name: &str, spec: Value| {
        world.put(&at(version, plural, Some("shop"), name), json!({"metadata": {}, "spec": spec}));
    };
    put("apps/v1", "daemonsets", "agent", json!({"template": template("alpha.eksctl.io/nodegroup-name", "web")}));
    put("apps/v1", "daemonsets", "everywhere", json!({"template": template("kubernetes.io/os", "linux")}));
    put("batch/v1", "cronjobs", "nightly", json!({"jobTemplate": {"spec": {"template": template("karpenter.sh/team", "a")}}}));
    put("apps/v1", "deployments", "off", json!({"replicas": 0, "template": template("eks.amazonaws.com/nodegroup", "web")}));
    put("apps/v1", "deployments", "fine", json!({"replicas": 0, "template": template("eks.amazonaws.com/nodegroup", "system")}));
    let step = step(StepId::MigrationPools, &keeping(&["system"]));
    let said: Vec<String> = step.details(&world.spec, &world.facts(step.reads()).await);
    let said: Vec<&String> = said.iter().filter(|line| line.contains("asks for nodes")).collect();
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].starts_with("DaemonSet shop/agent asks for nodes with alpha.eksctl.io/nodegroup-name=web"), "{said:#?}");
    assert!(said[1].starts_with("CronJob shop/nightly asks for nodes with karpenter.sh/team=a"), "{said:#?}");
    assert!(said[2].starts_with("Deployment shop/off asks for nodes with eks.amazonaws.com/nodegroup=web"), "{said:#?}");
}
