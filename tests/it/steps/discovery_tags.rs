use crate::fake::{FakeWorld, Fault, error, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::plan::{State, StepId};
use karpctl::spec::{DISCOVERY_TAG, Spec};
use karpctl::steps::Ownership;

const ID: StepId = StepId::DiscoveryTags;

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
