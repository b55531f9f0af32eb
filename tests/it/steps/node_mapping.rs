use crate::fake::aws::{MADE_AT, new_entry};
use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::existing;
use karpctl::error::ErrorKind;
use karpctl::facts::{AccessEntryFacts, Topic};
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef, Tags};
use karpctl::spec::{Elsewhere, NodeAccess, Spec};
use karpctl::steps::{OWNER_TAG, Ownership};
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
        assert!(matches!(state, State::Blocked { .. }), "{state:?}");
        assert!(words(&state).contains(hint), "{state:?}");
        assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    }
}

fn entry(kind: &str, tags: &[(&str, &str)]) -> AccessEntryFacts {
    new_entry(kind, &tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

#[tokio::test(start_paused = true)]
async fn an_entry_by_which_no_node_is_let_in_is_made_anew() {
    let world = world("API", None);
    world.inside().entries.insert(ROLE.into(), entry("STANDARD", &[("team", "a"), ("aws:cloudformation:stack-name", "x")]));
    assert_eq!(words(&world.assess(ID).await), "access entry: STANDARD -> EC2_LINUX");
    let facts = world.facts(&[Topic::Cluster, Topic::AccessEntry]).await;
    let printed = step(ID).commands(&world.spec, &facts, Direction::Apply);
    assert!(printed[0].contains("delete-access-entry") && printed[1].contains("create-access-entry"), "{printed:?}");
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), [format!("delete_access_entry {ROLE}"), format!("create_access_entry EC2_LINUX {ROLE}")]);
    let tags = world.inside().entries[ROLE].tags.clone();
    assert_eq!(tags.keys().map(String::as_str).filter(|key| !key.starts_with("karp")).collect::<Vec<_>>(), ["team"], "{tags:?}");
}

/// EKS keeps the unique id of the role with an entry, and shows it to nobody.
#[tokio::test(start_paused = true)]
async fn an_entry_that_is_older_than_the_role_is_made_anew() {
    for (kind, mode) in [("EC2_LINUX", "API"), ("EC2_WINDOWS", "API_AND_CONFIG_MAP")] {
        let world = world(mode, None);
        world.apply_ok(ID).await;
        world.forget_calls();
        let of_earlier = AccessEntryFacts { made: Some(MADE_AT - 1), ..entry(kind, &[("team", "a")]) };
        world.inside().entries.insert(ROLE.into(), of_earlier);
        let state = words(&world.assess(ID).await);
        assert!(state.contains("access entry: of an earlier role of this name") && state.ends_with("made anew"), "{state}");
        let facts = world.facts(&[Topic::Cluster, Topic::AccessEntry]).await;
        let printed = step(ID).commands(&world.spec, &facts, Direction::Apply);
        assert!(printed[0].contains("delete-access-entry") && printed[1].contains(&format!("--type {kind} ")), "{printed:?}");
        world.apply_ok(ID).await;
        assert_eq!(world.changes(), [format!("delete_access_entry {ROLE}"), format!("create_access_entry {kind} {ROLE}")]);
        assert_eq!(world.inside().entries[ROLE].tags["team"], "a");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_role_that_is_yet_to_be_made_is_not_kept() {
    let world = world("API", None);
    world.apply_ok(ID).await;
    world.inside().node_role_made = None;
    assert!(words(&world.assess(ID).await).contains("access entry: of a role that is gone"));
    // The stack has made the role by the time that the step looks again.
    world.inside().node_role_made = Some(MADE_AT + 60);
    assert!(words(&world.assess(ID).await).contains("of an earlier role of this name"));
    // Whoever may not look at the role keeps what is there, and is told.
    world.fail("get age", Fault::Before(error(ErrorKind::Denied)));
    let facts = world.facts(&[Topic::Cluster, Topic::AccessEntry]).await;
    assert_eq!(step(ID).assess(&world.spec, &facts), State::Present);
    assert!(step(ID).goes_without(&world.spec, &facts, Direction::Apply)[0].contains("is older than the role, and lets nobody in"));
}

#[tokio::test(start_paused = true)]
async fn a_row_of_aws_auth_is_of_any_role_of_that_name() {
    let world = world("CONFIG_MAP", None);
    world.apply_ok(ID).await;
    world.inside().node_role_made = Some(MADE_AT + 60);
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn an_entry_for_nodes_of_another_kind_stays() {
    for kind in ["HYBRID_LINUX", "FARGATE_LINUX", "EC2"] {
        let world = world("API", None);
        world.inside().entries.insert(ROLE.into(), entry(kind, &[(OWNER_TAG, "demo")]));
        let state = world.assess(ID).await;
        assert!(matches!(&state, State::Blocked { hints, .. } if hints.len() == 2), "{state:?}");
        assert!(words(&state).contains("delete-access-entry") && words(&state).contains("a role of their own"), "{state:?}");
        for ownership in [Ownership::OursOnly, Ownership::Adopt] {
            assert_eq!(world.apply(ID, ownership).await.0.unwrap_err().kind, ErrorKind::Refused);
        }
        assert!(world.changes().is_empty(), "{:?}", world.changes());
    }
}

/// The spec of a cluster whose nodes have this role, which another tool made.
fn of_another_tool(node_role: &str) -> Spec {
    let elsewhere = Elsewhere {
        by: "Terraform".into(),
        node_role: node_role.parse().unwrap(),
        controller_role: "arn:aws:iam::111122223333:role/c".parse().unwrap(),
        instance_profile: None,
        queue: None,
    };
    Spec { made_elsewhere: Some(Box::new(elsewhere)), ..existing("1.14.1") }
}

/// The authenticator looks for the role of the session, whose ARN has no path; an access entry is of the role itself.
#[tokio::test(start_paused = true)]
async fn a_row_of_aws_auth_names_a_role_without_its_path() {
    let (whole, short) = ("arn:aws:iam::111122223333:role/team/nodes", "arn:aws:iam::111122223333:role/nodes");
    let world = FakeWorld::with_cluster(of_another_tool(whole));
    world.inside().cluster.as_mut().unwrap().authentication_mode = "API_AND_CONFIG_MAP".into();
    let facts = world.facts(&[Topic::AccessEntry, Topic::AwsAuth]).await;
    let commands = step(ID).commands(&world.spec, &facts, Direction::Apply).join("\n");
    assert!(commands.contains(&format!("--arn {short} ")) && commands.contains(&format!("--principal-arn {whole} ")), "{commands}");
    world.apply_ok(ID).await;
    let rows = map_roles(&world).unwrap();
    assert!(rows.contains(&format!("rolearn: {short}\n")) && world.inside().entries.contains_key(whole), "{rows}");
    // The same row of somebody else's is recognised, and is the one that goes.
    assert_eq!(world.assess(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(!map_roles(&world).unwrap_or_default().contains("nodes"), "{:?}", map_roles(&world));
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_role_that_another_tool_made_stays() {
    let world = FakeWorld::with_cluster(of_another_tool("arn:aws:iam::111122223333:role/theirs"));
    let role = world.spec.node_role_arn().to_string();
    world.inside().entries.insert(role, entry("STANDARD", &[]));
    let state = world.assess(ID).await;
    assert!(matches!(&state, State::Blocked { .. }) && words(&state).contains("another tool"), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0.unwrap_err().kind, ErrorKind::Refused);
    let role = world.spec.node_role_arn().to_string();
    world.inside().entries.insert(role, AccessEntryFacts { made: Some(MADE_AT - 1), ..entry("EC2_LINUX", &[]) });
    let state = world.assess(ID).await;
    assert!(matches!(&state, State::Blocked { .. }) && words(&state).contains("is of an earlier role of that name"), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0.unwrap_err().kind, ErrorKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn an_entry_for_linux_is_made_one_for_windows_where_it_is_ours_or_adopted() {
    for (tags, ownership, made_anew) in
        [(&[(OWNER_TAG, "demo")][..], Ownership::OursOnly, true), (&[], Ownership::OursOnly, false), (&[], Ownership::Adopt, true)]
    {
        let world = FakeWorld::with_cluster(Spec { windows: true, ..existing("1.14.1") });
        world.inside().cluster.as_mut().unwrap().authentication_mode = "API".into();
        world.inside().entries.insert(ROLE.into(), entry("EC2_LINUX", tags));
        let state = world.assess(ID).await;
        assert_eq!(matches!(&state, State::Foreign { .. }), tags.is_empty(), "{state:?}");
        let applied = world.apply(ID, ownership).await.0;
        assert_eq!(applied.is_ok(), made_anew);
        assert!(applied.err().is_none_or(|error| error.hints[0].contains("`--adopt`")), "the error says how");
        assert_eq!(world.inside().entries[ROLE].kind, if made_anew { "EC2_WINDOWS" } else { "EC2_LINUX" });
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_for_windows_is_enough_for_linux() {
    let world = world("API", None);
    world.inside().entries.insert(ROLE.into(), new_entry("EC2_WINDOWS", &Tags::new()));
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
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
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
