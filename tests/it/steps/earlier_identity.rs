//! The way by which the controller had its role before the spec named another one.

use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::existing;
use karpctl::error::{ErrorKind, Result};
use karpctl::facts::AssociationFacts;
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef, Tags};
use karpctl::spec::Identity;
use karpctl::steps::Ownership;
use serde_json::{Value, json};
use std::sync::Arc;

const ID: StepId = StepId::EarlierIdentity;
const AGENT: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// A Karpenter that works by one identity, with a spec that from now on names the other.
async fn changed(before: Identity) -> Arc<FakeWorld> {
    let mut spec = existing("1.14.1");
    spec.identity = before;
    let mut world = FakeWorld::bootstrapped(spec).await;
    let (env, after) = match before {
        Identity::PodIdentity => (AGENT, Identity::Irsa),
        Identity::Irsa => (TOKEN, Identity::PodIdentity),
    };
    let place = ObjectRef { kind: ObjectKind::new("v1", "pods"), namespace: Some("kube-system".into()), name: "karpenter-1".into() };
    let body = json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "karpenter"}, "creationTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {"serviceAccountName": "karpenter", "containers": [{"name": "controller", "env": [{"name": env}]}]},
        "status": {"phase": "Running"},
    });
    world.put(&place, body);
    Arc::get_mut(&mut world).unwrap().spec.identity = after;
    world.forget_calls();
    world
}

/// The steps in order until one fails; what is so already is left alone.
async fn up(world: &Arc<FakeWorld>) -> Result<()> {
    for id in StepId::ALL {
        if !matches!(world.assess(id).await, State::Present | State::NotWanted) {
            world.apply(id, Ownership::OursOnly).await.0?;
        }
    }
    Ok(())
}

/// Whom the role lets in: the principals' kinds.
fn let_in(world: &FakeWorld) -> Vec<&'static str> {
    let trust = world.inside().roles["demo-karpenter"].trust["Statement"].clone();
    let kind = |statement: &Value| if statement["Principal"]["Service"].is_null() { "token" } else { "agent" };
    trust.as_array().unwrap().iter().map(kind).collect()
}

/// By what the controller's pods are led to credentials.
fn led(world: &FakeWorld) -> Vec<String> {
    let inside = world.inside();
    let pods = inside.objects.iter().filter(|(o, _)| o.kind.plural == "pods");
    pods.map(|(_, body)| body["spec"]["containers"][0]["env"][0]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn has_association(world: &FakeWorld) -> bool {
    world.inside().association.is_some()
}

#[tokio::test(start_paused = true)]
async fn the_old_way_goes_when_the_new_one_works() {
    let world = changed(Identity::PodIdentity).await;
    let planned = words(&world.assess(ID).await);
    for part in ["EKS heeds it before the annotation", "pod karpenter-1: goes by Pod Identity", "lets it in by Pod Identity, too"] {
        assert!(planned.contains(part), "{planned}");
    }
    up(&world).await.unwrap();
    let changes = world.changes();
    let own: Vec<&str> = changes.iter().map(String::as_str).filter(|c| !c.contains("oidc")).collect();
    let (trust, restart) = ("set_trust demo-karpenter", "merge_patch deployments/karpenter");
    assert_eq!(own[..2], [trust, "helm_install karpenter 1.14.1"], "{changes:#?}");
    assert!(own[2].starts_with("delete_association ") && own[3..] == [restart, trust], "{changes:#?}");
    assert_eq!((let_in(&world), led(&world), has_association(&world)), (vec!["token"], vec![TOKEN.to_owned()], false));
    assert_eq!(world.assess(ID).await, State::NotWanted);

    let world = changed(Identity::Irsa).await;
    up(&world).await.unwrap();
    let changes = world.changes();
    let at = |what: &str| changes.iter().position(|c| c.starts_with(what)).unwrap_or_else(|| panic!("{what}: {changes:#?}"));
    assert!(at("set_trust") < at("create_association") && at("create_association") < at("helm_install"), "{changes:#?}");
    assert!(at("helm_install") < at("merge_patch deployments/karpenter"), "{changes:#?}");
    assert_eq!(changes.last().map(String::as_str), Some("set_trust demo-karpenter"), "{changes:#?}");
    assert_eq!((let_in(&world), led(&world), has_association(&world)), (vec!["agent"], vec![AGENT.to_owned()], true));
    world.forget_calls();
    up(&world).await.unwrap();
    assert_eq!(world.changes(), Vec::<String>::new(), "a second run finds nothing to do");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_anywhere_leaves_both_ways_in_the_trust_and_the_next_goes_on() {
    for (before, call) in [
        (Identity::Irsa, "create_association"),
        (Identity::Irsa, "helm_install"),
        (Identity::Irsa, "merge_patch"),
        (Identity::PodIdentity, "helm_install"),
        (Identity::PodIdentity, "delete_association"),
        (Identity::PodIdentity, "merge_patch"),
    ] {
        for fault in [Fault::Before(error(ErrorKind::Unreachable)), Fault::After(error(ErrorKind::Unreachable))] {
            let after = matches!(fault, Fault::After(_));
            let world = changed(before).await;
            world.fail(call, fault);
            let ended = up(&world).await;
            // Not each call of the fake can lose its answer.
            assert!(ended.is_err() || after, "{before:?} {call}");
            if ended.is_err() {
                assert_eq!(let_in(&world).len(), 2, "{before:?} {call}");
            }
            up(&world).await.unwrap();
            let alone = if before == Identity::Irsa { ("agent", AGENT) } else { ("token", TOKEN) };
            assert_eq!((let_in(&world), led(&world)), (vec![alone.0], vec![alone.1.to_owned()]), "{before:?} {call}");
            assert_eq!(has_association(&world), before == Identity::Irsa, "{before:?} {call}");
        }
    }
}

/// Pods that get no other way keep the one that they have.
#[tokio::test(start_paused = true)]
async fn what_does_not_work_anew_keeps_what_it_has() {
    let world = changed(Identity::PodIdentity).await;
    let deployments = || world.inside().objects.keys().find(|o| o.kind.plural == "deployments" && o.name == "karpenter").cloned().unwrap();
    let ends_early = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert!(ends_early.hints[0].contains("`karpctl identity`"), "{ends_early:?}");
    assert!(has_association(&world), "nothing goes before the role lets it in by the other way");
    for id in [StepId::OidcProvider, StepId::ControllerRole, StepId::Chart] {
        world.apply_ok(id).await;
    }
    let place = deployments();
    world.inside().objects.get_mut(&place).unwrap()["status"]["readyReplicas"] = json!(0);
    let late = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!((late.kind, let_in(&world).len()), (ErrorKind::Timeout, 2), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn the_shell_says_the_same_in_the_same_order() {
    let world = changed(Identity::PodIdentity).await;
    let facts = world.facts(step(ID).reads()).await;
    let commands = step(ID).commands(&world.spec, &facts, Direction::Apply);
    let begins: Vec<String> = commands.iter().map(|c| c.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        begins,
        [
            "aws eks delete-pod-identity-association",
            "kubectl --namespace kube-system",
            "kubectl --namespace kube-system",
            "aws iam update-assume-role-policy"
        ]
    );
    assert!(commands[3].contains("AssumeRoleWithWebIdentity") && !commands[3].contains("pods.eks"), "{}", commands[3]);
}

#[tokio::test(start_paused = true)]
async fn an_association_of_somebody_else_is_refused_until_adopted() {
    let world = changed(Identity::PodIdentity).await;
    let theirs = AssociationFacts {
        role_arn: "arn:aws:iam::111122223333:role/theirs".into(),
        tags: Tags::new(),
        ..world.inside().association.clone().unwrap()
    };
    world.inside().association = Some(theirs);
    let state = world.assess(ID).await;
    assert!(matches!(&state, State::Foreign { why, .. } if why.contains("role/theirs")), "{state:?}");
}
