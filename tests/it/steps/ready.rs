use crate::fake::{FakeWorld, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::facts::Topic;
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::steps::Ownership;
use serde_json::json;
use std::sync::Arc;

const ID: StepId = StepId::Ready;

fn deployment() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some("kube-system".into()), name: "karpenter".into() }
}

fn class() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("karpenter.k8s.aws/v1", "ec2nodeclasses"), namespace: None, name: "default".into() }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_api_says_nothing_of_itself() {
    let world = FakeWorld::bootstrapped(existing("0.17.0")).await;
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_comes_up_is_waited_for() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let mut body = world.object(&deployment()).unwrap();
    body["status"]["readyReplicas"] = json!(1);
    world.put(&deployment(), body);
    assert_eq!(words(&world.assess(ID).await), "1 of 2 replicas of the controller are ready");
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_eq!(error.message, "Karpenter of cluster demo is not ready");
}

/// On the only node of a cluster that was there the second replica never comes.
#[tokio::test(start_paused = true)]
async fn a_replica_for_which_no_node_comes_is_not_waited_for() {
    let lacks = |world: &FakeWorld, reason: &str| {
        let mut body = world.object(&deployment()).unwrap();
        body["status"]["readyReplicas"] = json!(1);
        world.put(&deployment(), body);
        let pod = ObjectRef { kind: ObjectKind::new("v1", "pods"), namespace: Some("kube-system".into()), name: "karpenter-2".into() };
        world.put(
            &pod,
            json!({
                "metadata": {"labels": {"app.kubernetes.io/name": "karpenter"}},
                "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": reason}]},
            }),
        );
    };
    let told = async |world: &Arc<FakeWorld>| {
        let facts = world.facts(&[Topic::Controller, Topic::NodePool]).await;
        let steps = karpctl::steps::all();
        let ready = steps.iter().find(|step| step.id() == ID).unwrap();
        ready.goes_without(&world.spec, &facts, Direction::Apply).join("\n")
    };
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    assert_eq!(told(&world).await, "");
    lacks(&world, "Unschedulable");
    assert_eq!(world.assess(ID).await, State::Present);
    let said = told(&world).await;
    let helps = "`karpctl doctor --only node-capacity --cluster-name demo --region us-west-2` says what helps";
    assert!(said.starts_with("1 of 2 replicas of the controller run, and no node takes more") && said.ends_with(helps), "{said}");
    // One that has a node may still come up.
    lacks(&world, "SchedulingGated");
    assert_eq!(words(&world.assess(ID).await), "1 of 2 replicas of the controller are ready");
    assert_eq!(told(&world).await, "");
    // The nodes of a cluster that is made here are on their way.
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    lacks(&world, "Unschedulable");
    assert_eq!(words(&world.assess(ID).await), "1 of 2 replicas of the controller are ready");
}

#[tokio::test(start_paused = true)]
async fn a_class_that_is_not_ready_says_why() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.inside().karpenter = false;
    let mut body = world.object(&class()).unwrap();
    body["status"]["conditions"] = json!([
        {"type": "SubnetsReady", "status": "False", "message": "SubnetSelector did not match any Subnets"},
        {"type": "Ready", "status": "False", "message": "SubnetsReady=False"},
    ]);
    world.put(&class(), body);
    assert_eq!(words(&world.assess(ID).await), "EC2NodeClass is not Ready (SubnetsReady: SubnetSelector did not match any Subnets)");
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert!(result.unwrap_err().to_string().contains("SubnetSelector did not match"));
    assert_eq!(said.len(), 1, "what is waited for is said once: {said:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_a_change_does_not_count() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.inside().karpenter = false;
    let mut body = world.object(&class()).unwrap();
    body["metadata"]["generation"] = json!(2);
    let mut says = |seen: i64| {
        body["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "observedGeneration": seen}]);
        world.put(&class(), body.clone());
    };
    says(1);
    assert_eq!(words(&world.assess(ID).await), "EC2NodeClass was changed, and its controller has not looked at it since");
    says(2);
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn beta_classes_without_conditions_are_ready_once_resolved() {
    let world = FakeWorld::with_cluster(existing("0.36.9"));
    world.inside().karpenter = false;
    world.apply_ok(StepId::Crds).await;
    world.apply_ok(StepId::Chart).await;
    world.apply_ok(StepId::NodePool).await;
    assert_eq!(words(&world.assess(ID).await), "EC2NodeClass has no condition Ready yet");
    let place = ObjectRef { kind: ObjectKind::new("karpenter.k8s.aws/v1beta1", "ec2nodeclasses"), ..class() };
    let mut body = world.object(&place).unwrap();
    body["status"]["subnets"] = json!([{"id": "subnet-1"}]);
    world.put(&place, body);
    assert_eq!(world.assess(ID).await, State::Present);
}
