use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::facts::{RoleTies, Topic};
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::Tags;
use karpctl::spec::{Identity, Spec};
use karpctl::steps::{OWNER_TAG, Ownership};
use serde_json::json;

const ID: StepId = StepId::ControllerRole;
const ROLE: &str = "demo-karpenter";

#[tokio::test(start_paused = true)]
async fn is_made_with_the_stacks_policies() {
    let world = FakeWorld::empty(spec("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Absent);
    world.apply_ok(ID).await;
    let role = world.inside().roles[ROLE].clone();
    assert_eq!(role.policies.len(), 6);
    assert_eq!(role.tags[OWNER_TAG], "demo");
    assert_eq!(role.trust["Statement"][0]["Principal"]["Service"], "pods.eks.amazonaws.com");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Absent);
    assert_eq!(world.remove(ID).await.0, Ok(()), "not there is fine");
}

#[tokio::test(start_paused = true)]
async fn irsa_trusts_the_clusters_issuer() {
    let world = FakeWorld::empty(Spec { identity: Identity::Irsa, ..spec("1.14.1") });
    let (result, _) = world.apply(ID, Ownership::OursOnly).await;
    assert!(result.unwrap_err().to_string().contains("the cluster demo is not known to EKS"), "without a cluster there is no issuer");
    world.apply_ok(StepId::Cluster).await;
    world.apply_ok(ID).await;
    let trust = world.inside().roles[ROLE].trust.to_string();
    assert!(trust.contains("system:serviceaccount:kube-system:karpenter"), "{trust}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for() {
    for kind in [ErrorKind::Conflict, ErrorKind::Unreachable] {
        let world = FakeWorld::empty(spec("1.14.1"));
        world.fail("create_role", Fault::After(error(kind)));
        let first = world.apply(ID, Ownership::OursOnly).await.0;
        assert_eq!(first.is_ok(), kind == ErrorKind::Conflict);
        world.apply_ok(ID).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_role_that_iam_does_not_know_yet_is_waited_for() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.fail("attach_policy", Fault::Before(error(ErrorKind::NotFound)));
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_was_just_taken_off_holds_the_role_for_a_while_and_another_for_good() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    for _ in 0..20 {
        world.fail("delete_role", Fault::Before(error(ErrorKind::Conflict)));
    }
    assert_eq!(world.remove(ID).await.0, Ok(()));
    world.apply_ok(ID).await;
    let ties = RoleTies { inline_policies: vec!["theirs".into()], ..RoleTies::default() };
    world.inside().role_ties.insert(ROLE.into(), ties);
    world.fail("delete_role", Fault::Before(error(ErrorKind::Conflict)));
    let error = world.remove(ID).await.0.unwrap_err();
    assert!(error.hints.iter().any(|hint| hint.contains("aws iam list-role-policies --role-name demo-karpenter")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn drift_is_mended_and_what_a_person_attached_stays() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    {
        let mut inside = world.inside();
        let role = inside.roles.get_mut(ROLE).unwrap();
        role.trust = json!({"Version": "2012-10-17", "Statement": []});
        role.policies.remove(0);
        role.policies.push("arn:aws:iam::111122223333:policy/KarpenterControllerPolicy-demo".into());
        role.policies.push("arn:aws:iam::111122223333:policy/mine".into());
    }
    let state = words(&world.assess(ID).await);
    for part in ["its trust policy does not let the controller in", "not attached", "KarpenterControllerPolicy-demo: no longer wanted"] {
        assert!(state.contains(part), "{state}");
    }
    assert!(!state.contains("mine"), "{state}");
    world.apply_ok(ID).await;
    let policies = world.inside().roles[ROLE].policies.clone();
    assert_eq!(policies.len(), 7);
    assert!(policies.contains(&"arn:aws:iam::111122223333:policy/mine".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whom_others_let_in_stays_let_in() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let ours = world.inside().roles[ROLE].trust["Statement"][0].clone();
    let debug = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/debug"}, "Action": "sts:AssumeRole"});
    let set = |statements: serde_json::Value| {
        world.inside().roles.get_mut(ROLE).unwrap().trust = json!({"Version": "2012-10-17", "Statement": statements});
    };
    set(json!([debug, ours]));
    assert_eq!(world.assess(ID).await, State::Present);
    set(json!([debug]));
    assert!(words(&world.assess(ID).await).contains("does not let the controller in"));
    let before = world.facts(&[Topic::Cluster, Topic::ControllerRole]).await;
    let printed = step(ID).commands(&world.spec, &before, Direction::Apply).join("\n");
    assert!(printed.contains("update-assume-role-policy") && printed.contains("role/debug"), "{printed}");
    world.apply_ok(ID).await;
    assert_eq!(world.inside().roles[ROLE].trust["Statement"], json!([debug, ours]));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_ours_is_refused_until_adopted() {
    for (tags, word) in [
        (Tags::new(), "is not karpctl's"),
        (Tags::from([("alpha.eksctl.io/cluster-name".into(), "demo".into())]), "made by eksctl for this cluster"),
    ] {
        let world = FakeWorld::empty(spec("1.14.1"));
        world.apply_ok(ID).await;
        world.inside().roles.get_mut(ROLE).unwrap().tags = tags;
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Foreign { .. }), "{state:?}");
        assert!(words(&state).contains(word), "{state:?}");
        assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(world.remove(ID).await.0.unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()));
        assert_eq!(world.assess(ID).await, State::Present);
    }
}

/// That cluster's Karpenter works with it.
#[tokio::test(start_paused = true)]
async fn that_of_another_region_is_never_taken_over() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let tags = [(OWNER_TAG, "demo"), ("karpctl.dev/region", "eu-west-1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    world.inside().roles.get_mut(ROLE).unwrap().tags = Tags::from(tags);
    world.forget_calls();
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    for word in ["is that of the cluster demo in eu-west-1", "take another cluster name", "destroy --cluster-name demo --region eu-west-1"]
    {
        assert!(words(&state).contains(word), "{state:?}");
    }
    for ownership in [Ownership::OursOnly, Ownership::Adopt] {
        assert_eq!(world.apply(ID, ownership).await.0.unwrap_err().kind, ErrorKind::Refused);
    }
    let facts = world.facts(step(ID).reads_on_removal()).await;
    let said = std::sync::Mutex::new(Vec::new());
    let removed = world.with_context(&facts, Ownership::Adopt, &said, |c| Box::pin(async move { step(ID).remove(c).await }));
    assert_eq!(removed.await.unwrap_err().kind, ErrorKind::Refused, "`destroy --adopt` leaves it, too");
    assert!(world.changes().is_empty(), "{:?}", world.changes());
}

#[tokio::test(start_paused = true)]
async fn another_permissions_boundary_is_drift_and_one_that_is_not_named_stays() {
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    let world = FakeWorld::empty(Spec { permissions_boundary: Some(boundary.parse().unwrap()), ..spec("1.14.1") });
    world.apply_ok(ID).await;
    for (found, word) in [(Some("arn:aws:iam::111122223333:policy/wider".to_owned()), "policy/wider -> "), (None, "none -> ")] {
        world.inside().roles.get_mut(ROLE).unwrap().permissions_boundary = found;
        let state = words(&world.assess(ID).await);
        assert!(state.contains(word) && state.contains(boundary), "{state}");
        world.apply_ok(ID).await;
        assert_eq!(world.inside().roles[ROLE].permissions_boundary.as_deref(), Some(boundary));
    }
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    world.inside().roles.get_mut(ROLE).unwrap().permissions_boundary = Some(boundary.into());
    assert_eq!(world.assess(ID).await, State::Present, "the organization may have set it");
    // One that is told to go does.
    let spec = Spec { permissions_boundary: "none".parse().ok(), ..world.spec.clone() };
    let facts = world.facts(step(ID).reads()).await;
    assert_eq!(words(&step(ID).assess(&spec, &facts)), format!("permissions boundary: {boundary} -> none"));
    let shell = step(ID).commands(&spec, &facts, Direction::Apply).join("\n");
    assert!(shell.contains(&format!("aws iam delete-role-permissions-boundary --role-name {ROLE}")), "{shell}");
    let world = FakeWorld::empty(spec);
    world.apply_ok(ID).await;
    world.inside().roles.get_mut(ROLE).unwrap().permissions_boundary = Some(boundary.into());
    world.apply_ok(ID).await;
    assert_eq!(world.inside().roles[ROLE].permissions_boundary, None);
}
