//! Pods of the controller that were made before their Pod Identity association worked.

use crate::fake::FakeWorld;
use crate::fake::aws::MADE_AT;
use crate::fixture::existing;
use karpctl::error::ErrorKind;
use karpctl::plan::{State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::spec::{Identity, Spec};
use karpctl::steps::Ownership;
use serde_json::{Value, json};
use std::sync::Arc;

const ID: StepId = StepId::Chart;
const DRIFT: &str = "pod karpenter-1: made before its Pod Identity association worked, so it never gets credentials";

/// A pod of the controller, made so many seconds after the association.
fn put_pod(world: &FakeWorld, after: i64, env: &Value) {
    let place = ObjectRef { kind: ObjectKind::new("v1", "pods"), namespace: Some("kube-system".into()), name: "karpenter-1".into() };
    let made = jiff::Timestamp::from_second(MADE_AT + after).unwrap().to_string();
    let body = json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "karpenter"}, "creationTimestamp": made},
        "spec": {"serviceAccountName": "karpenter", "containers": [{"name": "controller", "env": env}]},
        "status": {"phase": "Running"},
    });
    world.put(&place, body);
}

async fn with_association(spec: Spec) -> Arc<FakeWorld> {
    let world = FakeWorld::with_cluster(spec);
    world.apply_ok(StepId::PodIdentityAssociation).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_ran_before_its_association_is_restarted_and_nothing_else() {
    let world = with_association(existing("1.14.1")).await;
    world.apply_ok(ID).await;
    put_pod(&world, -3600, &json!([{"name": "CLUSTER_NAME", "value": "demo"}]));
    assert_eq!(world.assess(ID).await, State::Drifted(vec![DRIFT.into()]));
    world.forget_calls();
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!((result, said.len()), (Ok(()), 1), "{said:?}");
    assert_eq!(world.changes(), ["merge_patch deployments/karpenter"], "helm would change nothing");
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_so_while_the_association_is_still_to_be_made() {
    let world = with_association(existing("1.14.1")).await;
    world.apply_ok(ID).await;
    put_pod(&world, 0, &json!([]));
    world.inside().association = None;
    assert_eq!(world.assess(ID).await, State::Drifted(vec![DRIFT.into()]));
}

#[tokio::test(start_paused = true)]
async fn pods_that_have_credentials_or_lack_them_for_another_reason_are_left_alone() {
    let led = json!([{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"}]);
    for (identity, after, env) in
        [(Identity::PodIdentity, 5, &led), (Identity::PodIdentity, 121, &json!([])), (Identity::Irsa, -60, &json!([]))]
    {
        let world = FakeWorld::with_cluster(Spec { identity, ..existing("1.14.1") });
        if identity == Identity::PodIdentity {
            world.apply_ok(StepId::PodIdentityAssociation).await;
        }
        world.apply_ok(ID).await;
        put_pod(&world, after, env);
        assert_eq!(world.assess(ID).await, State::Present, "{identity:?} {after} {env}");
    }
}

#[tokio::test(start_paused = true)]
async fn helm_does_not_wait_in_vain_for_pods_that_started_too_early() {
    let world = with_association(existing("1.14.1")).await;
    world.apply_ok(StepId::Crds).await;
    put_pod(&world, 2, &json!([]));
    world.inside().too_early = 1;
    world.forget_calls();
    let begun = tokio::time::Instant::now();
    world.apply_ok(ID).await;
    let restart = "merge_patch deployments/karpenter";
    assert_eq!(world.changes(), ["helm_install karpenter 1.14.1", restart, restart], "the first restart was too early, too");
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn restarts_that_never_help_end_with_an_error() {
    let world = with_association(existing("1.14.1")).await;
    world.apply_ok(ID).await;
    put_pod(&world, 2, &json!([]));
    world.inside().too_early = u32::MAX;
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.starts_with("pods of the controller have no credentials: karpenter-1-anew"), "{error:?}");
}
