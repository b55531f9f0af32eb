//! Spot role, OIDC provider, Pod Identity agent and association.

use crate::fake::inside::daemon_set;
use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::{existing, spec};
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::{AddonFacts, Facts, Probed};
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef, Tags};
use karpctl::spec::{ClusterMode, Identity, Spec};
use karpctl::steps::Ownership;
use serde_json::json;

fn irsa() -> Spec {
    Spec { identity: Identity::Irsa, ..existing("1.14.1") }
}

#[tokio::test(start_paused = true)]
async fn the_spot_role_is_made_once_and_kept() {
    let world = FakeWorld::empty(spec("1.14.1"));
    assert_eq!(world.assess(StepId::SpotRole).await, State::Absent);
    world.apply_ok(StepId::SpotRole).await;
    world.fail("get role", Fault::Before(error(ErrorKind::Denied)));
    let state = world.assess(StepId::SpotRole).await;
    assert!(matches!(state, State::Unknown(_)), "{state:?}");
    let (result, said) = world.apply(StepId::SpotRole, Ownership::OursOnly).await;
    assert_eq!((result, said), (Ok(()), vec!["it was there already".to_owned()]));
    assert!(crate::fake::step(StepId::SpotRole).kept_on_destroy(&world.spec).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_oidc_provider_is_for_irsa_and_only_ours_is_removed() {
    let id = StepId::OidcProvider;
    assert_eq!(FakeWorld::with_cluster(existing("1.14.1")).assess(id).await, State::NotWanted);
    let world = FakeWorld::with_cluster(irsa());
    assert_eq!(world.assess(id).await, State::Absent);
    world.fail("create_oidc_provider", Fault::After(error(ErrorKind::Conflict)));
    world.apply_ok(id).await;
    assert_eq!(world.assess_removal(id).await, State::Present);
    world.inside().oidc.values_mut().for_each(|p| p.tags.clear());
    assert_eq!(world.assess_removal(id).await, State::Absent, "eksctl's own is not ours");
    assert_eq!(world.remove(id).await.0, Ok(()));
    assert_eq!(world.inside().oidc.len(), 1);
    world.inside().oidc.values_mut().for_each(|p| p.audiences.clear());
    assert!(words(&world.assess(id).await).contains("add-client-id-to-open-id-connect-provider"));
}

#[tokio::test(start_paused = true)]
async fn the_oidc_provider_of_a_cluster_to_come_is_unknown() {
    let world = FakeWorld::empty(Spec { identity: Identity::Irsa, ..spec("1.14.1") });
    assert_eq!(world.assess(StepId::OidcProvider).await, State::Unknown("the cluster is not there yet".into()));
}

#[tokio::test(start_paused = true)]
async fn the_agent_is_made_and_waited_for() {
    let id = StepId::PodIdentityAgent;
    assert_eq!(FakeWorld::with_cluster(irsa()).assess(id).await, State::NotWanted);
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    assert_eq!(world.assess(id).await, State::Absent);
    world.apply_ok(id).await;
    assert_eq!(world.assess_removal(id).await, State::Present);
    assert_eq!(world.remove(id).await.0, Ok(()));
    assert_eq!(world.assess(id).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_others_is_left_as_it_is() {
    let id = StepId::PodIdentityAgent;
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let (object, body) = daemon_set("kube-system", "eks-pod-identity-agent", "eks/eks-pod-identity-agent:0.1.33");
    world.put(&object, body);
    assert_eq!(world.assess(id).await, State::Present);
    assert_eq!(world.assess_removal(id).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn the_agents_states() {
    let id = StepId::PodIdentityAgent;
    for (status, kind) in [("CREATING", "Busy"), ("ACTIVE", "Present"), ("DEGRADED", "Present"), ("CREATE_FAILED", "Broken")] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        let addon = AddonFacts { status: status.into(), version: None, tags: Tags::new() };
        world.inside().addons.insert("eks-pod-identity-agent".into(), addon.clone());
        let state = world.assess(id).await;
        assert!(format!("{state:?}").starts_with(kind), "{status}: {state:?}");
        world.inside().addons.insert("eks-pod-identity-agent".into(), addon);
        let (result, said) = world.apply(id, Ownership::OursOnly).await;
        assert_eq!(result, Ok(()), "{status}");
        assert_eq!(said.iter().any(|s| s.starts_with("warning")), status == "DEGRADED", "{said:?}");
        assert_eq!(world.assess(id).await, State::Present, "{status}");
        if status != "CREATE_FAILED" {
            assert_eq!(world.assess_removal(id).await, State::Absent, "not ours");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_association_is_made_changed_and_removed() {
    let id = StepId::PodIdentityAssociation;
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    assert_eq!(world.assess(id).await, State::Absent);
    // eksctl's own double request looks like this: the first made it, the second says that it is there.
    world.fail("create_association", Fault::After(error(ErrorKind::Conflict)));
    // EKS does not see a role that is a few seconds old.
    let unseen = || Error::failed("cannot create it").because("InvalidParameterException: Role provided in the request does not exist.");
    for _ in 0..15 {
        world.fail("create_association", Fault::Before(unseen()));
    }
    world.apply_ok(id).await;
    assert_eq!(world.changes(), ["create_association kube-system/karpenter arn:aws:iam::111122223333:role/demo-karpenter"]);
    world.inside().association.as_mut().unwrap().role_arn = "arn:aws:iam::111122223333:role/old".into();
    assert!(matches!(world.assess(id).await, State::Drifted(_)));
    world.apply_ok(id).await;
    assert_eq!(world.remove(id).await.0, Ok(()));
    assert_eq!(world.assess(id).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn an_association_of_somebody_else_is_refused_until_adopted() {
    let id = StepId::PodIdentityAssociation;
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(id).await;
    {
        let mut inside = world.inside();
        let association = inside.association.as_mut().unwrap();
        association.role_arn = "arn:aws:iam::111122223333:role/other".into();
        association.tags.clear();
    }
    assert!(matches!(world.assess(id).await, State::Foreign { .. }));
    assert_eq!(world.assess_removal(id).await, State::Absent);
    assert_eq!(world.apply(id, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(world.apply(id, Ownership::Adopt).await.0, Ok(()));
    assert_eq!(world.assess(id).await, State::Present);
}

/// A cluster of others lives on: who gets credentials by what karpctl made there keeps it.
#[tokio::test(start_paused = true)]
async fn what_others_get_credentials_by_stays() {
    let agent = FakeWorld::bootstrapped(existing("1.14.1")).await;
    agent.inside().other_accounts.push("kube-system/ebs-csi-controller-sa".into());
    let provider = FakeWorld::bootstrapped(irsa()).await;
    let account =
        |name: &str| ObjectRef { kind: ObjectKind::new("v1", "serviceaccounts"), namespace: Some("kube-system".into()), name: name.into() };
    let annotated = |name: &str| {
        let annotations = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/x"});
        provider.put(&account(name), json!({"metadata": {"name": name, "namespace": "kube-system", "annotations": annotations}}));
    };
    annotated("karpenter");
    assert_eq!(provider.assess_removal(StepId::OidcProvider).await, State::Present, "the controller's own goes too");
    annotated("ebs-csi-controller-sa");
    for (world, id, other, command) in [
        (
            &agent,
            StepId::PodIdentityAgent,
            irsa(),
            "`aws eks delete-addon --region us-west-2 --cluster-name demo --addon-name eks-pod-identity-agent`",
        ),
        (
            &provider,
            StepId::OidcProvider,
            existing("1.14.1"),
            "`aws iam delete-open-id-connect-provider --open-id-connect-provider-arn arn:",
        ),
    ] {
        let step = step(id);
        let facts = world.facts(step.reads_on_removal()).await;
        for spec in [&world.spec, &other] {
            let state = step.assess_removal(spec, &facts);
            assert!(matches!(state, State::Blocked { .. }), "{id}: {state:?}");
            let words = words(&state);
            assert!(words.contains("get their credentials by it: kube-system/ebs-csi-controller-sa") && words.contains(command), "{words}");
        }
        let mut unread = facts.clone();
        unread.say_unavailable(step.reads_on_removal()[1], "it is denied");
        let state = step.assess_removal(&world.spec, &unread);
        assert!(words(&state).contains("could not be seen: it is denied"), "{id}: {state:?}");
    }
    agent.inside().other_accounts.clear();
    assert_eq!(agent.assess_removal(StepId::PodIdentityAgent).await, State::Present, "the controller's own association goes too");
    let own = Spec { cluster: ClusterMode::Managed, ..irsa() };
    let facts = provider.facts(step(StepId::OidcProvider).reads_on_removal()).await;
    assert_eq!(step(StepId::OidcProvider).assess_removal(&own, &facts), State::Present, "a cluster of ours takes its users along");
}

/// A destroy is not always given the identity that the bootstrap was given.
#[tokio::test(start_paused = true)]
async fn what_another_identity_made_is_removed_after_the_chart() {
    let chart = step(StepId::Chart);
    let pod_identity = [StepId::PodIdentityAgent, StepId::PodIdentityAssociation];
    for (made_by, other, ids) in
        [(irsa(), existing("1.14.1"), &[StepId::OidcProvider][..]), (existing("1.14.1"), irsa(), &pod_identity[..])]
    {
        let world = FakeWorld::bootstrapped(made_by).await;
        for id in ids.iter().copied() {
            let step = step(id);
            let facts = world.facts(step.reads_on_removal()).await;
            assert_eq!(step.assess_removal(&other, &facts), State::Present, "{id}");
            assert!(chart.needs(&other).contains(&id), "{id}");
            let mut unread = Facts { cluster: facts.cluster.clone(), ..Facts::default() };
            step.reads_on_removal().iter().for_each(|topic| unread.say_unavailable(*topic, "it is denied"));
            assert_eq!(step.assess_removal(&other, &unread), State::NotWanted, "{id}: who may not look is not held up");
            let told = |spec: &Spec, direction| step.goes_without(spec, &unread, direction).join("\n");
            assert!(told(&other, Direction::Remove).ends_with("it was not looked at: it is denied"), "{id}");
            assert_eq!((told(&world.spec, Direction::Remove), told(&other, Direction::Apply)), (String::new(), String::new()), "{id}");
            let gone = Facts { cluster: Probed::Absent, ..unread.clone() };
            assert_eq!(
                step.goes_without(&other, &gone, Direction::Remove),
                Vec::<String>::new(),
                "{id}: of what is gone nothing is left to be looked at"
            );
        }
    }
}
