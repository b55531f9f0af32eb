//! The taints of a group that its nodes keep, and those that an agent takes off.

use super::{assess, cluster, keeping, kind};
use crate::fake::fleet::{at, group};
use crate::fixture::existing;
use karpctl::facts::{Fleet, GroupTaint, NodeGroupShape};
use karpctl::migration::{Fate, Wish, plan};
use karpctl::plan::{State, StepId};
use karpctl::render::shaped_pool;
use serde_json::{Value, json};

fn tainted(name: &str, keys: &[&str]) -> NodeGroupShape {
    let taint = |key: &&str| GroupTaint { key: (*key).into(), value: "true".into(), effect: "NO_EXECUTE".into() };
    NodeGroupShape { taints: keys.iter().map(taint).collect(), ..group(name, "1/2/5") }
}

/// The taints and the startup taints of the pool of a group without nodes.
fn of_pool(release: &str, one: NodeGroupShape) -> [Value; 2] {
    let spec = existing(release);
    let groups = [group("system", "1/2/4"), one];
    let plans = plan(&spec, &groups, &Fleet::default(), &keeping(&["system"]), None).unwrap();
    let [_, pool] = shaped_pool(&spec, plans[1].pool.as_ref().unwrap()).unwrap();
    ["taints", "startupTaints"].map(|key| pool["spec"]["template"]["spec"][key].clone())
}

#[test]
fn taints_that_agents_take_off_are_startup_taints() {
    let written = |key: &str| json!([{"key": key, "value": "true", "effect": "NoExecute"}]);
    for release in ["1.14.1", "0.37.8"] {
        for key in ["node.cilium.io/agent-not-ready", "ebs.csi.aws.com/agent-not-ready", "efs.csi.aws.com/agent-not-ready"] {
            assert_eq!(of_pool(release, tainted("web", &[key])), [Value::Null, written(key)]);
            assert_eq!(of_pool(release, tainted("web", &["dedicated", key])), [written("dedicated"), written(key)]);
        }
    }
}

/// The group that stays is the only one, and its nodes had a taint to start with.
#[test]
fn a_group_with_startup_taints_can_keep_the_controller() {
    let groups = [tainted("system", &["node.cilium.io/agent-not-ready"])];
    let plans = plan(&existing("1.14.1"), &groups, &Fleet::default(), &Wish::default(), None).unwrap();
    assert_eq!(plans[0].fate, Fate::Keeps);
}

#[tokio::test(start_paused = true)]
async fn a_taint_that_no_ready_node_carries_is_a_startup_taint() {
    let world = cluster().await;
    world
        .add_group(NodeGroupShape { instance_types: vec![kind("m5.large", 2, 8, "x86_64")], ..tainted("own", &["dedicated", "starting"]) });
    let [first, second] = <[String; 2]>::try_from(world.nodes_of("own")).unwrap();
    let keep = |node: &str, keys: &[&str]| {
        let taints: Vec<Value> = keys.iter().map(|key| json!({"key": key, "effect": "NoExecute"})).collect();
        world.change(&at("v1", "nodes", None, node), |node| node["spec"]["taints"] = json!(taints));
    };
    // One of them still starts.
    keep(&first, &["dedicated"]);
    world.change(&at("v1", "nodes", None, &second), |node| node["status"]["conditions"][0]["status"] = json!("False"));
    let wish = Wish::default();
    super::apply(&world, StepId::MigrationPools, &wish).await.0.unwrap();
    let pool = world.object(&at("karpenter.sh/v1", "nodepools", None, "own")).unwrap();
    let keys =
        |field: &str| pool["spec"]["template"]["spec"][field].as_array().unwrap().iter().map(|t| t["key"].clone()).collect::<Vec<_>>();
    assert_eq!((keys("taints"), keys("startupTaints")), (vec![json!("dedicated")], vec![json!("starting")]));
    assert!(matches!(assess(&world, StepId::NodeGroups, &keeping(&["system"])).await, State::Drifted(_)));
}
