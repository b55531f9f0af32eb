//! A Karpenter under another tool's roles: karpctl's controller could give none of its nodes theirs.

use crate::fake::inside::place;
use crate::fake::{FakeWorld, Fault, error, words};
use crate::fixture::existing;
use karpctl::error::ErrorKind;
use karpctl::facts::AssociationFacts;
use karpctl::plan::{State, StepId};
use karpctl::spec::{Identity, Spec};
use serde_json::{Value, json};
use std::sync::Arc;

const ID: StepId = StepId::Chart;
const THEIRS: &str = "arn:aws:iam::111122223333:role/KarpenterController-2026";
const OURS: &str = "arn:aws:iam::111122223333:role/demo-karpenter";

/// A cluster with the CRDs, and a release of the chart with these values.
async fn with_release(identity: Identity, values: &Value) -> Arc<FakeWorld> {
    let world = FakeWorld::with_cluster(Spec { identity, ..existing("1.14.1") });
    world.apply_ok(StepId::Crds).await;
    world.put_release("karpenter", 1, "deployed", "1.14.1", values);
    world
}

fn annotated(role: &str) -> Value {
    json!({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": role}}})
}

fn put_class(world: &FakeWorld, spec: &Value) {
    world.put(&place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "apps"), json!({"metadata": {}, "spec": spec}));
}

fn associate(world: &FakeWorld, role: &str) {
    let tags = karpctl::ports::Tags::new();
    world.inside().association = Some(AssociationFacts { id: "a-1".into(), role_arn: role.into(), tags, changed_at: None });
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_over_only_where_asked_and_not_where_its_classes_name_other_roles() {
    for (identity, values, associated, how) in [
        (Identity::Irsa, annotated(THEIRS), None, THEIRS),
        (Identity::PodIdentity, annotated(THEIRS), None, THEIRS),
        (Identity::PodIdentity, json!({}), Some(THEIRS), THEIRS),
        (Identity::PodIdentity, json!({"serviceAccount": {"name": "demo-karpenter"}}), None, "the service account demo-karpenter"),
    ] {
        let world = with_release(identity, &values).await;
        if let Some(role) = associated {
            associate(&world, role);
        }
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Foreign { .. }) && words(&state).contains(how), "{state:?}");
        put_class(&world, &json!({"role": "KarpenterNodeRole-demo"}));
        assert!(matches!(world.assess(ID).await, State::Foreign { .. }), "the guide's role is in karpctl's hands");
        for (named, of) in [
            ("role Karpenter-demo-2026", json!({"role": "Karpenter-demo-2026"})),
            ("instance profile nodes", json!({"instanceProfile": "nodes"})),
        ] {
            put_class(&world, &of);
            let state = world.assess(ID).await;
            let State::Blocked { why, hints } = &state else { panic!("{state:?}") };
            assert!(why.contains(how) && why.contains(&format!("ec2nodeclasses.karpenter.k8s.aws/apps with the {named}")), "{why}");
            assert!(hints[0].starts_with("`karpctl adopt --cluster-name demo --region us-west-2`"), "{hints:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn classes_that_cannot_be_seen_are_taken_for_such() {
    let world = with_release(Identity::Irsa, &annotated(THEIRS)).await;
    world.fail("list ec2nodeclasses", Fault::Before(error(ErrorKind::Denied)));
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }) && words(&state).contains("could not be seen"), "{state:?}");
}

/// That of the guide, of eksctl's `iamserviceaccount` in it, and karpctl's own, whatever its classes name.
#[tokio::test(start_paused = true)]
async fn what_works_under_the_guides_role_is_upgraded_as_ever() {
    let by_values = with_release(Identity::Irsa, &annotated(OURS)).await;
    let by_association = with_release(Identity::PodIdentity, &json!({})).await;
    associate(&by_association, OURS);
    // Nor is it known of one without a role.
    let without = with_release(Identity::PodIdentity, &json!({})).await;
    // Whoever gives the controller a role by a value of the chart gives it what that role may.
    let mut told = Spec { identity: Identity::Irsa, ..existing("1.14.1") };
    told.chart.values = serde_json::from_value(annotated(THEIRS)).unwrap();
    let told = FakeWorld::with_cluster(told);
    told.apply_ok(StepId::Crds).await;
    told.put_release("karpenter", 1, "deployed", "1.14.1", &annotated(THEIRS));
    for world in [by_values, by_association, without, told] {
        put_class(&world, &json!({"role": "Karpenter-demo-2026"}));
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Drifted(_)), "{state:?}");
    }
}

/// What broke off after the stack and the role goes on without being asked again.
#[tokio::test(start_paused = true)]
async fn what_is_taken_over_already_goes_on() {
    let world = with_release(Identity::Irsa, &annotated(THEIRS)).await;
    for id in [StepId::Stack, StepId::OidcProvider, StepId::ControllerRole] {
        world.apply_ok(id).await;
    }
    assert!(matches!(world.assess(ID).await, State::Drifted(_)));
    world.apply_ok(ID).await;
}
