//! The next node is emptied when what left the last one serves again.

use super::{apply, cluster, scaling};
use crate::fake::FakeWorld;
use crate::fake::fleet::at;
use karpctl::error::ErrorKind;
use karpctl::migration::Wish;
use karpctl::plan::StepId;
use serde_json::{Value, json};
use std::sync::Arc;

/// A cluster whose autoscaler has stopped.
async fn begun() -> Arc<FakeWorld> {
    let world = cluster().await;
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &Wish::default()).await.0.unwrap();
    }
    world
}

async fn run(world: &Arc<FakeWorld>) -> karpctl::error::Result<()> {
    apply(world, StepId::NodeGroups, &Wish::default()).await.0
}

fn evicted(world: &FakeWorld) -> Vec<String> {
    world.changes().into_iter().filter(|change| change.starts_with("evict")).collect()
}

fn change(world: &FakeWorld, plural: &str, name: &str, how: fn(&mut Value)) {
    let version = if plural == "pods" { "v1" } else { "apps/v1" };
    world.change(&at(version, plural, Some("shop"), name), how);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_has_a_node_and_does_not_start_there_holds_up_the_next_node() {
    let world = begun().await;
    world.inside().moved_pods_break = Some("Back-off pulling image");
    // However often it is run again.
    for _ in 0..2 {
        let error = run(&world).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert_eq!(error.message, "pods that were moved do not get ready where they are now: ReplicaSet shop/web has 1 of 2");
        assert_eq!(error.causes, ["shop/one-anew on karpenters-own: Back-off pulling image"]);
        assert!(error.hints[0].contains("kubectl --namespace shop describe pod one-anew"), "{error:?}");
        assert_eq!(evicted(&world), ["evict shop/one"]);
    }
    world.inside().moved_pods_break = None;
    change(&world, "pods", "one-anew", |pod| {
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    });
    assert_eq!(run(&world).await, Ok(()));
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_ready_before_or_shall_be_fewer_by_now_is_not_waited_for() {
    // It did not serve where it was.
    let world = begun().await;
    for pod in ["one", "two"] {
        change(&world, "pods", pod, |pod| pod["status"] = json!({"phase": "Running"}));
    }
    world.inside().moved_pods_break = Some("Back-off pulling image");
    assert_eq!(run(&world).await, Ok(()));
    // Somebody wants one less.
    let world = begun().await;
    world.inside().moved_pods_break = Some("Back-off pulling image");
    assert_eq!(run(&world).await.unwrap_err().kind, ErrorKind::Timeout);
    change(&world, "replicasets", "web", |set| set["spec"]["replicas"] = json!(0));
    assert_eq!(run(&world).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn pods_of_others_that_come_without_a_node_stop_nothing() {
    let world = begun().await;
    // As a CronJob makes them whose nodes nobody has, or Kueue holds them.
    let owner = json!([{"kind": "Job", "name": "gated", "controller": true}]);
    let now = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let metadata =
        json!({"ownerReferences": owner, "uid": "uid-gated", "creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
    world.inside().held.insert("shop/one".into(), 2);
    let waits = {
        let world = Arc::clone(&world);
        async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            world.put(&at("v1", "pods", Some("shop"), "gated"), json!({"metadata": metadata, "spec": {}, "status": {"phase": "Pending"}}));
        }
    };
    let (result, ()) = tokio::join!(run(&world), waits);
    assert_eq!(result, Ok(()));
    assert!(world.names("pods").contains(&"gated".to_owned()));
}
