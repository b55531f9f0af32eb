//! Pods that end by themselves (those of CI, of Jobs): they are waited for where nobody would make them anew, and end no run on a group whose turn is later.

use super::{apply, assess, cluster, scaling};
use crate::fake::FakeWorld;
use crate::fake::fleet::at;
use karpctl::error::ErrorKind;
use karpctl::migration::Wish;
use karpctl::plan::{State, StepId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A pod of shop on a node, without a controller unless these name one.
fn add_pod(world: &FakeWorld, name: &str, node: &str, restarts: &str, owners: &Value) {
    let metadata = json!({"uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owners});
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let body = json!({"metadata": metadata, "spec": {"nodeName": node, "restartPolicy": restarts}, "status": status});
    world.put(&at("v1", "pods", Some("shop"), name), body);
}

async fn ready_to_empty() -> Arc<FakeWorld> {
    let world = cluster().await;
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &Wish::default()).await.0.unwrap();
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_ci_is_waited_for() {
    let world = ready_to_empty().await;
    let node = world.nodes_of("web")[0].clone();
    add_pod(&world, "ci", &node, "Never", &Value::Null);
    let State::Drifted(lines) = assess(&world, StepId::NodeGroups, &Wish::default()).await else { panic!("it is in nobody's way") };
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("pods that end by themselves are not moved but waited for") && line.ends_with(": shop/ci")),
        "{lines:#?}"
    );
    // One that does not end in time is named, and its group is not made small.
    let error = apply(&world, StepId::NodeGroups, &Wish::default()).await.0.unwrap_err();
    assert_eq!((error.kind, &error.causes[0][..]), (ErrorKind::Timeout, "shop/ci: it has not ended by itself"));
    assert!(error.hints.iter().any(|hint| hint.contains("kubectl --namespace shop delete pod ci")), "{error:?}");
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);
    let wish = Wish::default();
    let ends = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        world.change(&at("v1", "pods", Some("shop"), "ci"), |pod| pod["status"]["phase"] = json!("Succeeded"));
        // The node goes with its group.
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.inside().objects.remove(&at("v1", "pods", Some("shop"), "ci"));
    };
    let ((result, said), ()) = tokio::join!(apply(&world, StepId::NodeGroups, &wish), ends);
    assert_eq!(result, Ok(()), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("1 waited for until they end")), "{said:#?}");
    assert!(!world.changes().iter().any(|change| change == "evict shop/ci"), "{:#?}", world.changes());
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_on_a_group_whose_turn_is_later_ends_no_run() {
    let world = ready_to_empty().await;
    let node = world.nodes_of("system")[0].clone();
    world.inside().held.extend(["shop/one", "shop/two"].map(|pod| (pod.to_owned(), 10)));
    let comes_and_goes = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        add_pod(&world, "bare", &node, "Always", &Value::Null);
        tokio::time::sleep(Duration::from_secs(27)).await;
        world.inside().objects.remove(&at("v1", "pods", Some("shop"), "bare"));
    };
    let wish = Wish::default();
    let ((result, said), ()) = tokio::join!(apply(&world, StepId::NodeGroups, &wish), comes_and_goes);
    assert_eq!(result, Ok(()), "{said:#?}");
    // In its turn it is in the way.
    let world = ready_to_empty().await;
    let node = world.nodes_of("system")[0].clone();
    world.inside().held.insert("shop/one".into(), 10);
    let comes = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        add_pod(&world, "bare", &node, "Always", &Value::Null);
    };
    let ((result, _), ()) = tokio::join!(apply(&world, StepId::NodeGroups, &wish), comes);
    assert!(result.unwrap_err().to_string().contains("shop/bare: no controller would make it anew"));
    assert_eq!(scaling(&world), ["system 1/3/10", "web 0/0/5"], "the first group has gone over");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_named_and_one_without_another_try_is_waited_for() {
    let world = cluster().await;
    let node = world.nodes_of("web")[0].clone();
    let job = |name: &str| json!([{"kind": "Job", "name": name, "controller": true}]);
    for (name, limit) in [("import", 0), ("report", 6)] {
        world.put(&at("batch/v1", "jobs", Some("shop"), name), json!({"metadata": {}, "spec": {"backoffLimit": limit}}));
        add_pod(&world, &format!("{name}-1"), &node, "Never", &job(name));
    }
    let State::Drifted(lines) = assess(&world, StepId::NodeGroups, &Wish::default()).await else { panic!() };
    assert!(lines.iter().any(|line| line.ends_with("for the time of --timeout: shop/import-1 (its Job has no other try)")), "{lines:#?}");
    let anew = lines.iter().find(|line| line.starts_with("pods of Jobs are ended and begin anew elsewhere")).unwrap();
    assert!(anew.contains(": shop/report-1 (since 2026-01-01T00:00:00Z);"), "{anew}");
    // As the plan says.
    world.change(&at("v1", "pods", Some("shop"), "report-1"), |pod| {
        pod["metadata"]["annotations"] = json!({"karpenter.sh/do-not-disrupt": "true"});
    });
    let State::Drifted(lines) = assess(&world, StepId::NodeGroups, &Wish::default()).await else { panic!() };
    assert!(lines.iter().any(|line| line.ends_with("shop/import-1 (its Job has no other try), shop/report-1")), "{lines:#?}");
}
