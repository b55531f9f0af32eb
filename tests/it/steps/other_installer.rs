//! A Karpenter that is no helm release by which karpctl could take it away.

use crate::fake::{FakeWorld, words};
use crate::fixture::{existing, spec};
use karpctl::error::{Error, Exit};
use karpctl::facts::Topic;
use karpctl::plan::{State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::spec::{Identity, Spec};
use karpctl::steps::refused_by_installer;
use serde_json::{Value, json};
use std::sync::Arc;

/// What somebody does to the Deployment.
type Change = fn(&mut Value);

fn of_flux(it: &mut Value) {
    it["metadata"]["labels"]["helm.toolkit.fluxcd.io/namespace"] = json!("flux-system");
    it["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] = json!("autoscaler");
}

fn of_argo_cd(it: &mut Value) {
    it["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("platform_karpenter:apps/Deployment:kube-system/karpenter");
}

fn object(api_version: &str, plural: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: Some(namespace.into()), name: name.into() }
}

fn deployment(namespace: &str) -> ObjectRef {
    object("apps/v1", "deployments", namespace, "karpenter")
}

/// Whether a removal is refused that leaves the cluster.
async fn refused(world: &Arc<FakeWorld>) -> Option<Error> {
    let topics = [Topic::Chart, Topic::Controller, Topic::Association, Topic::StackStatus, Topic::ControllerRole, Topic::NodePool];
    refused_by_installer(&world.spec, &world.facts(&topics).await)
}

/// helm's record of it is in another namespace, as Flux keeps it, or there is none, as Argo CD and kubectl have it.
async fn without_record(spec: Spec) -> Arc<FakeWorld> {
    let world = FakeWorld::bootstrapped(spec).await;
    world.inside().objects.retain(|object, body| object.kind.plural != "secrets" || body["metadata"]["labels"]["name"] != "karpenter");
    world
}

#[tokio::test(start_paused = true)]
async fn what_works_by_ours_and_is_not_ours_to_remove_is_refused_with_its_owner() {
    let cases: [(Change, &str, &str); 5] = [
        (|_| {}, "helm keeps no record there of its release kube-system/karpenter", "take it away with what installed it"),
        (
            of_flux,
            "it is of Flux's HelmRelease flux-system/autoscaler",
            "`kubectl --namespace flux-system delete helmreleases.helm.toolkit.fluxcd.io autoscaler`",
        ),
        (of_argo_cd, "it is of Argo CD's Application platform/karpenter", "`argocd app delete platform/karpenter`"),
        (
            |it| it["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("kp"),
            "it is of the helm release kube-system/kp",
            "`helm uninstall kp --namespace kube-system --wait`",
        ),
        (
            |it| it["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "--core:x"}),
            "it was installed without helm",
            "take it away with what installed it",
        ),
    ];
    for (change, owner, help) in cases {
        let world = without_record(existing("1.14.1")).await;
        world.change(&deployment("kube-system"), change);
        let error = refused(&world).await.unwrap_or_else(|| panic!("{owner}: it is not refused"));
        assert_eq!(error.exit(), Exit::Refused);
        assert!(error.causes.iter().any(|cause| cause.ends_with(owner)), "{error:?}");
        assert!(
            error.hints[0]
                .contains("`kubectl delete nodepools.karpenter.sh default && kubectl delete ec2nodeclasses.karpenter.k8s.aws default`"),
            "{error:?}"
        );
        assert!(error.hints.iter().any(|hint| hint.contains(help)), "{error:?}");
        assert_eq!(error.hints.last().unwrap(), "then run this again: the rest is karpctl's");

        world.inside().objects.remove(&deployment("kube-system"));
        assert_eq!(refused(&world).await, None, "its owner took it away");
    }
}

/// Argo CD applies over what helm installed and leaves its record, and Flux goes on with a release of that name.
#[tokio::test(start_paused = true)]
async fn what_gitops_took_over_is_refused_where_helms_record_stays() {
    let cases: [(Change, &str, &str, &str); 2] = [
        (of_flux, "Flux's HelmRelease flux-system/autoscaler", "takes all in its release away", "label deployments --selector"),
        (of_argo_cd, "Argo CD's Application platform/karpenter", "takes all in it away", "annotate deployments --selector"),
    ];
    for (change, owner, with, mark) in cases {
        let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
        assert_eq!(refused(&world).await, None, "it is karpctl's");
        world.change(&deployment("kube-system"), change);
        let error = refused(&world).await.unwrap_or_else(|| panic!("{owner}: it is not refused"));
        assert!(error.causes.iter().any(|cause| cause.ends_with(owner)), "{error:?}");
        assert!(error.hints[1].contains(with) && error.hints[2].contains(mark), "{error:?}");
        for step in [StepId::Chart, StepId::Crds] {
            let state = world.assess_removal(step).await;
            assert!(matches!(state, State::Blocked { .. }) && words(&state).contains(owner), "{step}: {state:?}");
        }
        // What works by another role is theirs alone, and the rest is karpctl's to take away.
        world.inside().association.as_mut().unwrap().role_arn = "arn:aws:iam::111122223333:role/tf-karpenter".into();
        assert_eq!(refused(&world).await, None);
        assert!(words(&world.assess_removal(StepId::Chart).await).contains(owner));
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_work_by_ours_stays_and_ours_goes() {
    let theirs = "arn:aws:iam::111122223333:role/tf-karpenter";
    let world = without_record(existing("1.14.1")).await;
    world.inside().association.as_mut().unwrap().role_arn = theirs.into();
    assert_eq!(refused(&world).await, None);
    for step in [StepId::Chart, StepId::Crds] {
        let state = world.assess_removal(step).await;
        assert!(matches!(state, State::Blocked { .. }) && words(&state).contains("somebody else installed"), "{step}: {state:?}");
    }
    assert_eq!(world.assess_removal(StepId::NodePool).await, State::Present, "its own pools are karpctl's");
    assert_eq!(world.assess_removal(StepId::ControllerRole).await, State::Present);

    // One beside what is left of karpctl's: its definitions stay.
    let world = without_record(existing("1.14.1")).await;
    let body = world.inside().objects.remove(&deployment("kube-system")).unwrap();
    world.put(&deployment("team"), body);
    assert_eq!(refused(&world).await, None, "the association is that of another service account");
    assert_eq!(world.assess_removal(StepId::Chart).await, State::Absent);
    assert!(matches!(world.assess_removal(StepId::Crds).await, State::Blocked { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_role_by_irsa_is_that_of_the_service_account() {
    let world = without_record(Spec { identity: Identity::Irsa, ..existing("1.14.1") }).await;
    let account = object("v1", "serviceaccounts", "kube-system", "karpenter");
    let with = |role: &str| json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": role}}});
    world.change(&deployment("kube-system"), |it| it["spec"]["template"]["spec"]["serviceAccountName"] = json!("karpenter"));
    world.put(&account, with("arn:aws:iam::111122223333:role/other"));
    assert_eq!(refused(&world).await, None);
    world.put(&account, with(world.spec.controller_role_arn().as_str()));
    assert!(refused(&world).await.is_some());
    world.inside().objects.remove(&account);
    assert!(refused(&world).await.is_some(), "what cannot be seen to be another's is taken for ours");
    world.inside().stacks.clear();
    world.inside().roles.clear();
    assert_eq!(refused(&world).await, None, "there is nothing of karpctl's by which it could work");
}

#[tokio::test(start_paused = true)]
async fn with_a_cluster_of_ours_it_goes() {
    let world = without_record(spec("1.14.1")).await;
    assert_eq!(refused(&world).await, None);
    assert_eq!(world.assess_removal(StepId::Chart).await, State::NotWanted);
}

#[tokio::test(start_paused = true)]
async fn what_gitops_would_put_back_is_changed_only_where_that_is_wanted() {
    for (mark, owner) in [
        (of_flux as Change, "it is of Flux's HelmRelease flux-system/autoscaler"),
        (of_argo_cd, "it is of Argo CD's Application platform/karpenter"),
    ] {
        let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
        world.change(&deployment("kube-system"), mark);
        assert_eq!(world.assess(StepId::Chart).await, State::Present, "where nothing is to be changed, nothing is put back");
        world.put_release("karpenter", 2, "deployed", "1.14.0", &json!({}));
        let state = world.assess(StepId::Chart).await;
        assert!(matches!(state, State::Foreign { .. }) && words(&state).contains(owner), "{state:?}");
    }
    // The label by which Argo CD tracks where it is told to is what helm's own charts have.
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.change(&deployment("kube-system"), |it| it["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("karpenter"));
    world.put_release("karpenter", 2, "deployed", "1.14.0", &json!({}));
    assert!(matches!(world.assess(StepId::Chart).await, State::Drifted(_)));
}
