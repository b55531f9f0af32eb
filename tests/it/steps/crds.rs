use crate::fake::{FakeWorld, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::plan::{State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::steps::Ownership;
use serde_json::json;

const ID: StepId = StepId::Crds;

fn crd(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("apiextensions.k8s.io/v1", "customresourcedefinitions"), namespace: None, name: name.into() }
}

#[tokio::test(start_paused = true)]
async fn are_installed_by_their_chart() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Absent);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["helm_install karpenter-crd 1.14.1"]);
    assert_eq!(world.names("customresourcedefinitions").len(), 5);
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn releases_without_the_chart_do_not_want_it() {
    assert_eq!(FakeWorld::with_cluster(existing("0.17.0")).assess(ID).await, State::NotWanted);
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_nothing_is_known() {
    let world = FakeWorld::empty(spec("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Unknown("the cluster is not there yet".into()));
}

#[tokio::test(start_paused = true)]
async fn crds_of_somebody_else_are_refused_until_adopted() {
    for (metadata, whose) in [
        (json!({}), "of no helm release"),
        (
            json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "crds", "meta.helm.sh/release-namespace": "x"}}),
            "of the helm release x/crds",
        ),
    ] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        world.put(&crd("nodepools.karpenter.sh"), json!({"metadata": metadata, "spec": {"versions": []}}));
        let state = world.assess(ID).await;
        assert!(words(&state).contains(&format!("nodepools.karpenter.sh ({whose})")), "{state:?}");
        assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()));
        assert_eq!(world.assess(ID).await, State::Present);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_crd_and_another_version_are_drift() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    world.inside().objects.remove(&crd("nodeoverlays.karpenter.sh"));
    world.put_release("karpenter-crd", 2, "deployed", "1.13.0", &json!({}));
    assert_eq!(words(&world.assess(ID).await), "chart: 1.13.0 -> 1.14.1\nnodeoverlays.karpenter.sh: not there");
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_first_installation_is_forgotten_never_uninstalled() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    world.inside().objects.retain(|o, _| o.kind.plural != "secrets");
    world.put_release("karpenter-crd", 1, "pending-install", "1.14.1", &json!({}));
    world.forget_calls();
    assert!(words(&world.assess(ID).await).contains("pending-install"));
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["delete secrets/sh.helm.release.v1.karpenter-crd.v1", "helm_install karpenter-crd 1.14.1"]);
}

/// helm 4 works on the server's side where it is not told that there is a release, and what others wrote since is then a conflict.
#[tokio::test(start_paused = true)]
async fn helm_goes_on_from_a_release_that_failed_below_one_that_never_ended() {
    for (below, goes_on) in [("failed", true), ("deployed", true), ("uninstalled", false)] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        world.put_release("karpenter-crd", 1, below, "1.14.1", &json!({}));
        world.put_release("karpenter-crd", 2, "pending-upgrade", "1.14.1", &json!({}));
        let (result, said) = world.apply(ID, Ownership::OursOnly).await;
        assert_eq!(result, Ok(()));
        assert_eq!(world.changes(), ["delete secrets/sh.helm.release.v1.karpenter-crd.v2", "helm_install karpenter-crd 1.14.1"]);
        assert_eq!(said.iter().any(|line| line.contains("helm goes on from a release")), goes_on, "{below}: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn objects_stored_in_the_old_version_forbid_the_new_crds() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    let mut old = world.object(&crd("nodepools.karpenter.sh")).unwrap();
    old["status"]["storedVersions"] = json!(["v1beta1", "v1"]);
    world.put(&crd("nodepools.karpenter.sh"), old);
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    assert!(words(&state).contains("still stored as v1beta1"), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn adopted_crds_are_nobody_elses_fields_any_more() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let status = json!({"manager": "kube-apiserver", "subresource": "status"});
    let managers = json!([{"manager": "kubectl-client-side-apply", "operation": "Update"}, status]);
    world.put(&crd("nodepools.karpenter.sh"), json!({"metadata": {"managedFields": managers}, "spec": {"versions": []}}));
    let other = crd("nodeclaims.karpenter.sh");
    // The merge patch is what counts: helm itself replaces the object in this world.
    world.fail("helm_install", crate::fake::Fault::Before(crate::fake::error(ErrorKind::Tool)));
    assert!(world.apply(ID, Ownership::Adopt).await.0.is_err());
    assert_eq!(world.object(&crd("nodepools.karpenter.sh")).unwrap()["metadata"]["managedFields"], json!([status]));
    assert!(world.object(&other).is_none());
}
