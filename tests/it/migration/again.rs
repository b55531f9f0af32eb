//! A run that did not come to its end, and the next one: what it displaced is still waited for.

use super::{apply, back, cluster, cordoned, scaling, step};
use crate::fake::FakeWorld;
use crate::fake::fleet::{at, group};
use karpctl::error::{ErrorKind, Result};
use karpctl::migration::Wish;
use karpctl::plan::{Action, StepId};
use karpctl::steps::Ownership;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A cluster where the autoscaler has stopped, a pod found no node long before, and Karpenter makes none either.
async fn stuck_cluster() -> Arc<FakeWorld> {
    let world = cluster().await;
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &Wish::default()).await.0.unwrap();
    }
    let owner = json!([{"kind": "ReplicaSet", "name": "old", "controller": true}]);
    let metadata = json!({"ownerReferences": owner, "uid": "uid-old", "creationTimestamp": "2026-01-01T00:00:00Z"});
    world.put(&at("v1", "pods", Some("shop"), "old"), json!({"metadata": metadata, "spec": {}, "status": {"phase": "Pending"}}));
    world.inside().karpenter = false;
    world
}

async fn run(world: &Arc<FakeWorld>) -> Result<()> {
    apply(world, StepId::NodeGroups, &Wish::default()).await.0
}

/// What the displaced pod finds in the end.
fn place(world: &FakeWorld, pod: &str) {
    world.change(&at("v1", "pods", Some("shop"), pod), |pod| {
        pod["spec"]["nodeName"] = json!("karpenters-own");
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    });
}

fn is_evicted(world: &FakeWorld, pod: &str) -> bool {
    world.changes().contains(&format!("evict shop/{pod}"))
}

#[tokio::test(start_paused = true)]
async fn the_next_run_waits_for_the_pods_that_the_last_one_displaced() {
    let world = stuck_cluster().await;
    for _ in 0..3 {
        let error = run(&world).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Timeout, "pods that lost their node have no other: 1"));
        assert!(error.causes[0].starts_with("shop/one-anew: 0/3 nodes are available"), "{error:?}");
        assert!(!is_evicted(&world, "two"), "the second node is left alone: {:#?}", world.changes());
    }
    // Nor is a group made small over pods that wait, when its nodes are empty.
    world.inside().objects.remove(&at("v1", "pods", Some("shop"), "two"));
    world.change(&at("apps/v1", "replicasets", Some("shop"), "web"), |set| set["spec"]["replicas"] = json!(1));
    assert_eq!(run(&world).await.unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);

    place(&world, "one-anew");
    assert_eq!(run(&world).await, Ok(()), "the pod that never had a node is nobody's to wait for");
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_after_an_interruption_waits_as_well() {
    let world = stuck_cluster().await;
    let step = step(StepId::NodeGroups, &Wish::default());
    let facts = world.facts(step.reads()).await;
    let said = Mutex::new(Vec::new());
    let interrupted = world.with_context(&facts, Ownership::OursOnly, &said, |context| {
        Box::pin(async move {
            let interrupt = async {
                tokio::time::sleep(Duration::from_secs(30)).await;
                context.cancel.cancel();
            };
            tokio::join!(step.apply(context, Action::Create), interrupt).0
        })
    });
    assert_eq!(interrupted.await.unwrap_err().kind, ErrorKind::Interrupted);
    assert!(is_evicted(&world, "one") && !is_evicted(&world, "two"));
    assert_eq!(run(&world).await.unwrap_err().kind, ErrorKind::Timeout);
    assert!(!is_evicted(&world, "two"), "{:#?}", world.changes());
    place(&world, "one-anew");
    world.inside().karpenter = true;
    assert_eq!(run(&world).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_somebody_cordoned_before_leave_like_the_others_and_stay_cordoned_on_the_way_back() {
    let world = stuck_cluster().await;
    let nodes = world.nodes_of("web");
    for name in &nodes {
        world.change(&at("v1", "nodes", None, name), |node| node["spec"]["unschedulable"] = json!(true));
    }
    for _ in 0..2 {
        assert_eq!(run(&world).await.unwrap_err().kind, ErrorKind::Timeout);
        assert!(!is_evicted(&world, "two"), "{:#?}", world.changes());
    }
    back(&world, &Wish::default()).await;
    assert_eq!(cordoned(&world), 2);
    for name in &nodes {
        let node = world.object(&at("v1", "nodes", None, name)).unwrap();
        assert_eq!(node["metadata"]["annotations"], json!({}), "{node:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_group_that_stays_grows_before_any_pod_is_moved() {
    let world = cluster().await;
    let wish = super::keeping(&["small"]);
    world.add_group(group("small", "1/1/4"));
    world.forget_calls();
    super::there(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 0/0/10", "web 0/0/5", "small 2/2/4"]);
    let changes = world.changes();
    let place = |what: &str| changes.iter().position(|c| c.starts_with(what)).unwrap_or_else(|| panic!("{what} in {changes:#?}"));
    assert!(place("scale_node_group small") < place("evict"), "{changes:#?}");
    assert!(place("scale_node_group small") < place("merge_patch nodes"), "{changes:#?}");
}
