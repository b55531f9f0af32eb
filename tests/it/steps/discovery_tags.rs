use super::chart::{SHELLS, is_there};
use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::facts::{Facts, NetworkFacts, Probed, RouteTableFacts, SubnetFacts};
use karpctl::plan::{Direction, State, StepId};
use karpctl::spec::{DISCOVERY_TAG, Spec};
use karpctl::steps::Ownership;
use std::sync::Arc;

const ID: StepId = StepId::DiscoveryTags;

/// A cluster whose node groups run in these subnets; beside its own two there is a private one, subnet-0000000d.
fn with_subnets_of_node_groups(ids: &[&str]) -> Arc<FakeWorld> {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let mut inside = world.inside();
    let other = SubnetFacts { id: "subnet-0000000d".into(), ..inside.subnets[0].clone() };
    inside.subnets.push(other);
    inside.node_group_subnets = ids.iter().map(ToString::to_string).collect();
    drop(inside);
    world
}

#[tokio::test(start_paused = true)]
async fn are_for_existing_clusters_only() {
    let world = FakeWorld::with_cluster(spec("1.14.1"));
    assert_eq!(world.assess(ID).await, State::NotWanted);
    assert_eq!(world.assess_removal(ID).await, State::NotWanted);
}

#[tokio::test(start_paused = true)]
async fn private_subnets_and_the_cluster_security_group_are_tagged() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Absent);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000a sg-0123456789abcdef0"]);
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
    assert!(world.inside().subnets.iter().all(|s| s.tags.is_empty()));
}

/// terraform-aws-eks makes a group for nodes, with the mark of the cluster, and its example for Karpenter gives it the tag.
#[tokio::test(start_paused = true)]
async fn the_cluster_security_group_is_left_out_where_one_for_nodes_has_the_tag() {
    for (tags, tagged) in [
        (vec![DISCOVERY_TAG, "kubernetes.io/cluster/demo"], "tag_ec2 subnet-0000000a"),
        // These do not say that nodes need no other.
        (vec![DISCOVERY_TAG], "tag_ec2 subnet-0000000a sg-0123456789abcdef0"),
        (vec!["kubernetes.io/cluster/demo"], "tag_ec2 subnet-0000000a sg-0123456789abcdef0"),
    ] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        let tags = tags.into_iter().map(|key| (key.to_owned(), "demo".to_owned())).collect();
        world.inside().security_groups.insert("sg-nodes".into(), tags);
        world.apply_ok(ID).await;
        assert_eq!(world.changes(), [tagged]);
    }
}

/// terraform-aws-eks gives the nodes of its node groups a group of its own alone, which lets in the API server and itself.
#[tokio::test(start_paused = true)]
async fn the_security_groups_of_the_node_groups_are_those_of_karpenters_nodes() {
    const OWN: &str = "sg-0123456789abcdef0";
    let with = |groups: &[&str], mark: Option<&str>| {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        for id in groups {
            let tags = mark.map(|key| (key.to_owned(), "owned".to_owned())).into_iter().collect();
            world.inside().security_groups.entry((*id).to_owned()).or_insert(tags);
        }
        world.inside().node_group_security_groups = groups.iter().map(ToString::to_string).collect();
        world
    };
    let mark = Some("kubernetes.io/cluster/demo");
    let five = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"];
    for (groups, mark, tagged) in [
        (&["sg-node"][..], mark, "sg-node".to_owned()),
        // Those without the mark may not lead to the API server.
        (&["sg-db", "sg-node"], None, format!("{OWN} sg-db sg-node")),
        (&[OWN, "sg-node"], mark, format!("{OWN} sg-node")),
        (&[OWN], None, OWN.to_owned()),
        // An interface takes no more.
        (&five, None, five.join(" ")),
    ] {
        let world = with(groups, mark);
        let facts = world.facts(step(ID).reads()).await;
        let details = step(ID).details(&world.spec, &facts).join("\n");
        let named = format!("security groups {}: as the managed node groups' nodes have them", tagged.replace(' ', ", "));
        assert!(details.contains(&named), "{details}");
        let printed = step(ID).commands(&world.spec, &facts, Direction::Apply);
        assert!(printed[0].contains(&format!("subnet-0000000a {tagged} --tags")), "{printed:?}");
        world.apply_ok(ID).await;
        assert_eq!(world.changes(), [format!("tag_ec2 subnet-0000000a {tagged}")]);
        // The node groups may be gone by then.
        world.inside().node_group_security_groups.clear();
        assert_eq!(world.remove(ID).await.0, Ok(()));
        assert_eq!(world.assess_removal(ID).await, State::Absent);
        let inside = world.inside();
        assert!(inside.security_groups.values().all(|tags| !tags.contains_key(DISCOVERY_TAG)), "{:?}", inside.security_groups);
    }
    // What is tagged stays the choice: other groups would replace the nodes that are there.
    let world = with(&["sg-node"], mark);
    world.inside().security_groups.get_mut(OWN).unwrap().insert(DISCOVERY_TAG.into(), "demo".into());
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000a"]);
    // Another cluster's Karpenter goes by the tag of a group that both have.
    let world = with(&["sg-node"], mark);
    world.inside().security_groups.get_mut("sg-node").unwrap().insert(DISCOVERY_TAG.into(), "other".into());
    assert!(matches!(world.assess(ID).await, State::Foreign { .. }));
    // Who may not look is told.
    let world = with(&["sg-node"], mark);
    world.fail("list node groups of demo", Fault::Before(error(ErrorKind::Denied)));
    let facts = world.facts(step(ID).reads()).await;
    let details = step(ID).details(&world.spec, &facts).join("\n");
    assert!(details.contains("which security groups the managed node groups' nodes have is not known (the test says so)"), "{details}");
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_subnet_is_private_by_its_routes_whether_or_not_instances_get_an_address_there() {
    // By its own table, else by the main one.
    for own in [true, false] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        {
            let mut inside = world.inside();
            inside.subnets.iter_mut().for_each(|subnet| subnet.gives_address = false);
            if !own {
                inside.route_tables.iter_mut().for_each(|table| table.to_internet_gateway = !table.to_internet_gateway);
            }
        }
        let private = if own { "subnet-0000000a" } else { "subnet-0000000b" };
        world.apply_ok(ID).await;
        assert_eq!(world.changes(), [format!("tag_ec2 {private} sg-0123456789abcdef0")]);
        assert_eq!(world.assess(ID).await, State::Present);
    }
}

/// terraform-aws-eks gives the control plane subnets of its own, from which nothing leads out.
#[tokio::test(start_paused = true)]
async fn the_subnets_of_the_node_groups_come_before_those_of_the_control_plane() {
    let world = with_subnets_of_node_groups(&["subnet-0000000d"]);
    let facts = world.facts(step(ID).reads()).await;
    let details = step(ID).details(&world.spec, &facts);
    assert_eq!(details, ["subnets subnet-0000000d: in which the managed node groups run; --subnet names others"]);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000d sg-0123456789abcdef0"]);
    assert_eq!(world.assess(ID).await, State::Present);
    // It is found by its tag: the node group is gone by then.
    world.inside().node_group_subnets.clear();
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(world.inside().subnets.iter().all(|s| s.tags.is_empty()));
    // Where all are public, they are taken as they are.
    let world = with_subnets_of_node_groups(&["subnet-0000000b"]);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000b sg-0123456789abcdef0"]);
    // Named ones come before.
    let named = FakeWorld::with_cluster(Spec { subnets: vec!["subnet-0000000b".parse().unwrap()], ..existing("1.14.1") });
    named.inside().node_group_subnets = vec!["subnet-0000000a".into()];
    named.apply_ok(ID).await;
    assert_eq!(named.changes(), ["tag_ec2 subnet-0000000b sg-0123456789abcdef0"]);
}

#[tokio::test(start_paused = true)]
async fn of_the_control_planes_subnets_those_that_lead_out_come_first() {
    let world = with_subnets_of_node_groups(&[]);
    {
        let mut inside = world.inside();
        let intra = RouteTableFacts {
            id: "rtb-intra".into(),
            main: false,
            leads_out: false,
            subnets: vec!["subnet-0000000a".into()],
            ..inside.route_tables[0].clone()
        };
        inside.route_tables.push(intra);
    }
    let of_control_plane = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000d"].map(str::to_owned);
    world.inside().cluster.as_mut().unwrap().subnet_ids = of_control_plane.to_vec();
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000d sg-0123456789abcdef0"]);
    // Where none leads out, it is a private VPC.
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    for table in &mut world.inside().route_tables {
        table.leads_out = false;
    }
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000a sg-0123456789abcdef0"]);
}

#[tokio::test(start_paused = true)]
async fn a_subnet_that_is_named_and_is_not_there_is_refused_before_anything_is_tagged() {
    let ids = ["subnet-0000000a", "subnet-99999999"];
    let world = FakeWorld::with_cluster(Spec { subnets: ids.map(|id| id.parse().unwrap()).to_vec(), ..existing("1.14.1") });
    let State::Blocked { why, hints } = world.assess(ID).await else { panic!("it is not refused") };
    assert_eq!(why, "there is no subnet subnet-99999999 in us-west-2 of account 111122223333");
    assert!(hints[0].starts_with("`aws ec2 describe-subnets --region us-west-2` lists those that are there"), "{hints:?}");
    // One that goes between the plan and the step, too.
    let (result, _) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(world.changes(), [] as [&str; 0]);
    // The way back takes the tags of those that are there.
    let marks = [DISCOVERY_TAG, "karpctl.dev/discovery"].map(|key| (key.to_owned(), "demo".to_owned()));
    world.inside().subnets[0].tags.extend(marks);
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(world.inside().subnets[0].tags.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_node_groups_it_goes_by_the_cluster_and_says_so() {
    let world = with_subnets_of_node_groups(&["subnet-0000000d"]);
    world.fail("list subnets of node groups", Fault::Before(error(ErrorKind::Denied)));
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert!(
        said.iter().any(|s| s.starts_with("warning: which subnets the managed node groups run in is not known (the test says so)")),
        "{said:?}"
    );
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000a sg-0123456789abcdef0"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_routes_it_goes_by_the_addresses_and_says_so() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    // It is asked once more.
    for _ in 0..2 {
        world.fail("describe route tables", Fault::Before(error(ErrorKind::Denied)));
    }
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert!(said.iter().any(|s| s.starts_with("warning: which subnets are private is not known (the test says so)")), "{said:?}");
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000a sg-0123456789abcdef0"]);
}

#[tokio::test(start_paused = true)]
async fn the_subnets_of_the_spec_are_taken_as_they_are() {
    let world = FakeWorld::with_cluster(Spec { subnets: vec!["subnet-0000000b".parse().unwrap()], ..existing("1.14.1") });
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["tag_ec2 subnet-0000000b sg-0123456789abcdef0"]);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_was_there_before_stays_on_the_way_back() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.inside().subnets[0].tags.insert(DISCOVERY_TAG.into(), "demo".into());
    assert!(words(&world.assess(ID).await).contains("sg-0123456789abcdef0: not tagged"));
    world.apply_ok(ID).await;
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.inside().subnets[0].tags[DISCOVERY_TAG], "demo");
}

/// Nodes would begin to run where nobody wants them: the subnets of a node group for GPUs, of an appliance, or the three that were left out.
#[tokio::test(start_paused = true)]
async fn subnets_that_are_tagged_stay_the_choice_whatever_node_groups_come() {
    let world = with_subnets_of_node_groups(&["subnet-0000000a"]);
    world.apply_ok(ID).await;
    world.forget_calls();
    world.inside().node_group_subnets.push("subnet-0000000d".into());
    assert_eq!(world.assess(ID).await, State::Present);
    let facts = world.facts(step(ID).reads()).await;
    assert_eq!(step(ID).details(&world.spec, &facts), ["subnets subnet-0000000a: as they are tagged; --subnet names others"]);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), [""; 0]);
    // Whoever wants more names them.
    let more = ["subnet-0000000a", "subnet-0000000d"].map(|id| id.parse().unwrap()).to_vec();
    let named = step(ID).assess(&Spec { subnets: more, ..world.spec.clone() }, &Facts { network: named_network(&facts), ..facts.clone() });
    assert_eq!(words(&named), "subnet-0000000d: not tagged");
}

/// The network as it is read where these subnets are named.
fn named_network(facts: &Facts) -> Probed<NetworkFacts> {
    let mut network = facts.network.known().unwrap().clone();
    network.subnets.retain(|subnet| ["subnet-0000000a", "subnet-0000000d"].contains(&subnet.id.as_str()));
    Probed::Known(network)
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_another_cluster_is_refused_until_adopted() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.inside().subnets[0].tags.insert(DISCOVERY_TAG.into(), "other".into());
    let state = world.assess(ID).await;
    assert!(words(&state).contains("subnet-0000000a (other)"), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Present);
}

/// zsh splits no variable: what AWS names in one line are several subnets all the same.
#[test]
fn the_printed_tags_are_of_each_subnet_in_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    let asked = "case $* in *subnetIds*) printf 'subnet-0000000a\\tsubnet-0000000b\\n' ;; *GroupId*) echo sg-1 ;; *) printf '%s\\n' \"$@\" > tagged ;; esac";
    let aws = dir.path().join("aws");
    std::fs::write(&aws, format!("#!/bin/sh\n{asked}\n")).unwrap();
    std::fs::set_permissions(&aws, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let printed = step(ID).commands(&existing("1.14.1"), &Facts::default(), Direction::Apply).join("\n");
    for program in SHELLS.into_iter().filter(|program| is_there(program)) {
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let ended =
            std::process::Command::new(program).args(["-euc", &printed]).env("PATH", path).current_dir(dir.path()).output().unwrap();
        assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
        let tagged = std::fs::read_to_string(dir.path().join("tagged")).unwrap();
        assert!(tagged.contains("\nsubnet-0000000a\nsubnet-0000000b\nsg-1\n"), "{program}: {tagged}");
    }
}
