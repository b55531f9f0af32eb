use crate::fake::{FakeWorld, Fault, error, words};
use crate::fixture::existing;
use karpctl::error::ErrorKind;
use karpctl::facts::AccessEntryFacts;
use karpctl::plan::{State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef, Tags};
use karpctl::spec::{NodeAccess, Spec};
use karpctl::steps::Ownership;
use serde_json::json;
use std::sync::Arc;

const ID: StepId = StepId::NodeMapping;
const ROLE: &str = "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo";
const OTHERS: &str = "- rolearn: arn:aws:iam::111122223333:role/admin   # ours\r\n  username: admin\r\n- just a string\r\n";

fn aws_auth() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("v1", "configmaps"), namespace: Some("kube-system".into()), name: "aws-auth".into() }
}

fn world(mode: &str, access: Option<NodeAccess>) -> Arc<FakeWorld> {
    let world = FakeWorld::with_cluster(Spec { node_access: access, ..existing("1.14.1") });
    world.inside().cluster.as_mut().unwrap().authentication_mode = mode.into();
    world
}

fn map_roles(world: &FakeWorld) -> Option<String> {
    world.object(&aws_auth()).and_then(|o| o["data"]["mapRoles"].as_str().map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn the_authentication_mode_decides() {
    for (mode, entry, row) in [("API", true, false), ("CONFIG_MAP", false, true), ("API_AND_CONFIG_MAP", true, true)] {
        let world = world(mode, None);
        assert_eq!(world.assess(ID).await, State::Absent, "{mode}");
        world.apply_ok(ID).await;
        assert_eq!(world.inside().entries.contains_key(ROLE), entry, "{mode}");
        assert_eq!(map_roles(&world).is_some_and(|t| t.contains(ROLE)), row, "{mode}");
        assert_eq!(world.assess_removal(ID).await, State::Present);
        assert_eq!(world.remove(ID).await.0, Ok(()));
        assert_eq!(world.assess(ID).await, State::Absent, "{mode}");
        assert_eq!(world.assess_removal(ID).await, State::Absent);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_mode_does_not_allow_is_refused() {
    for (mode, access, hint) in [
        ("API", NodeAccess::AwsAuth, "--node-access access-entry"),
        ("CONFIG_MAP", NodeAccess::Both, "authenticationMode=API_AND_CONFIG_MAP"),
    ] {
        let world = world(mode, Some(access));
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Foreign { adopt: None, .. }), "{state:?}");
        assert!(words(&state).contains(hint), "{state:?}");
        assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_the_wrong_type_is_made_anew() {
    let world = world("API", None);
    world.inside().entries.insert(ROLE.into(), AccessEntryFacts { kind: "STANDARD".into(), tags: Tags::new() });
    assert_eq!(words(&world.assess(ID).await), "access entry: STANDARD -> EC2_LINUX");
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), [format!("delete_access_entry {ROLE}"), format!("create_access_entry EC2_LINUX {ROLE}")]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_for_windows_is_enough_for_linux() {
    let world = world("API", None);
    world.inside().entries.insert(ROLE.into(), AccessEntryFacts { kind: "EC2_WINDOWS".into(), tags: Tags::new() });
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn windows_gets_its_group() {
    let world = FakeWorld::with_cluster(Spec { windows: true, ..existing("1.14.1") });
    world.apply_ok(ID).await;
    assert!(map_roles(&world).unwrap().contains("eks:kube-proxy-windows"));
    assert_eq!(world.inside().entries[ROLE].kind, "EC2_WINDOWS");
}

#[tokio::test(start_paused = true)]
async fn other_rows_stay_byte_for_byte_and_malformed_ones_are_told() {
    let world = world("CONFIG_MAP", None);
    world.put(&aws_auth(), json!({"data": {"mapRoles": OTHERS, "mapUsers": "[]"}}));
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert_eq!(said, ["warning: row 2 of mapRoles in aws-auth is not a map; it is kept as it is"]);
    assert!(map_roles(&world).unwrap().starts_with(OTHERS));
    assert_eq!(world.object(&aws_auth()).unwrap()["data"]["mapUsers"], "[]");
    assert_eq!(world.assess(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(map_roles(&world).unwrap(), OTHERS);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_lacks_groups_is_replaced() {
    let world = world("CONFIG_MAP", None);
    let wrong = format!("- rolearn: {ROLE}\n  username: system:node:{{{{EC2PrivateDNSName}}}}\n  groups: [system:nodes]\n# end\n");
    world.put(&aws_auth(), json!({"data": {"mapRoles": wrong}}));
    assert!(words(&world.assess(ID).await).contains("lacks groups"));
    world.apply_ok(ID).await;
    assert!(map_roles(&world).unwrap().starts_with("# end\n- rolearn"));
}

#[tokio::test(start_paused = true)]
async fn somebody_else_who_writes_in_between_is_not_overwritten() {
    let world = world("CONFIG_MAP", None);
    world.put(&aws_auth(), json!({"data": {"mapRoles": OTHERS}}));
    for _ in 0..3 {
        world.fail("replace", Fault::Before(error(ErrorKind::Conflict)));
    }
    world.apply_ok(ID).await;
    for _ in 0..9 {
        world.fail("replace", Fault::Before(error(ErrorKind::Conflict)));
    }
    let error = world.remove(ID).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("somebody else goes on changing it"));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_not_yaml_is_refused_and_left() {
    let world = world("CONFIG_MAP", None);
    world.put(&aws_auth(), json!({"data": {"mapRoles": "- a: \"unclosed\n"}}));
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Foreign { adopt: None, .. }), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    let (result, said) = world.remove(ID).await;
    assert_eq!(result, Ok(()));
    assert!(said[0].starts_with("warning: mapRoles"), "{said:?}");
    assert!(!world.changes().iter().any(|c| c.starts_with("replace")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for() {
    let world = world("API_AND_CONFIG_MAP", None);
    world.fail("create_access_entry", Fault::After(error(ErrorKind::Conflict)));
    world.fail("create", Fault::After(error(ErrorKind::Conflict)));
    world.apply_ok(ID).await;
    assert_eq!(map_roles(&world).unwrap().matches("rolearn").count(), 1);
}
