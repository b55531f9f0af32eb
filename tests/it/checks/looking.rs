//! How a doctor looks: all at the same time, and so that what it saw can be judged elsewhere.

use super::{DAY, healthy, healthy_world, seen};
use crate::fake::inside::place;
use karpctl::checks::all;
use karpctl::doctor::{FACTS_SCHEMA, SavedFacts, topics};
use karpctl::facts::{Facts, Probed, Topic};
use karpctl::spec::Meant;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// The longest chain of calls of which each needs the answer of the one before: the cluster, the way into it, its CRDs, the objects of those, the
/// images that these pin.
const LONGEST_CHAIN: u64 = 5;

/// Each call takes a second: the whole look takes as many as the longest chain has calls, and no topic takes longer with the others than alone.
#[tokio::test(start_paused = true)]
async fn the_whole_look_takes_as_long_as_its_longest_chain_of_calls() {
    let world = healthy_world().await;
    let all: Vec<Topic> = topics(&all()).into_iter().collect();
    let calls = world.count();
    world.inside().each_call = Duration::from_secs(1);
    let begun = Instant::now();
    world.facts(&all).await;
    let (whole, calls) = (begun.elapsed(), world.count() - calls);
    assert!(calls > 60, "there is much to do at the same time: {calls}");
    let mut slowest = Duration::ZERO;
    for topic in all {
        let begun = Instant::now();
        world.facts(&[topic]).await;
        slowest = slowest.max(begun.elapsed());
    }
    assert_eq!(whole.as_secs(), LONGEST_CHAIN, "{calls} calls");
    assert!(whole <= slowest + Duration::from_secs(1), "together {whole:?}, the slowest alone {slowest:?}");
}

/// What is in the way of a stack is not asked before what node classes name, nor after: neither needs the other's answer.
#[tokio::test(start_paused = true)]
async fn what_follows_from_different_answers_is_asked_at_the_same_time() {
    let world = healthy_world().await;
    let role = world.inside().roles["demo-karpenter"].clone();
    world.inside().roles.insert("KarpenterNodeRole-demo".into(), role);
    world.inside().stacks.clear();
    let all: Vec<Topic> = topics(&all()).into_iter().collect();
    world.inside().each_call = Duration::from_secs(1);
    let begun = Instant::now();
    let facts = world.facts(&all).await;
    assert!(facts.node_role_ties.known().is_some() && facts.stack_policies.known().is_some());
    assert_eq!(begun.elapsed().as_secs(), LONGEST_CHAIN);
}

/// One helm release has several CRDs, mostly.
#[tokio::test(start_paused = true)]
async fn a_release_that_has_crds_is_read_once() {
    let mut reads = Vec::new();
    for names in
        [&["nodeclaims.karpenter.sh"][..], &["nodeclaims.karpenter.sh", "nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"]]
    {
        let world = healthy_world().await;
        for name in names {
            let crd = place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, name);
            world.change(&crd, |crd| crd["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("cas"));
        }
        world.forget_calls();
        let (_, facts) = seen(&world).await;
        assert_eq!(facts.crds.known().unwrap().values().filter(|crd| crd.held == Some(false)).count(), names.len());
        reads.push(world.calls().iter().filter(|call| *call == "list secrets").count());
    }
    assert_eq!(reads[0], reads[1]);
}

/// What was seen is judged elsewhere as it is here, whatever it is.
#[tokio::test(start_paused = true)]
async fn saved_facts_are_judged_like_those_that_were_seen() {
    let (spec, facts) = healthy().await;
    let broken = {
        let world = healthy_world().await;
        world.inside().cluster = None;
        seen(&world).await.1
    };
    let unread = {
        let mut facts = Facts::default();
        for topic in topics(&all()) {
            facts.say_unavailable(topic, "not allowed");
        }
        facts
    };
    let judged_alike = |facts: Facts| {
        let saved =
            SavedFacts { schema: FACTS_SCHEMA.into(), day: DAY.parse().unwrap(), spec: Some(spec.clone()), meant: Meant::default(), facts };
        let text = serde_json::to_string(&saved).unwrap();
        let read: SavedFacts = serde_json::from_str(&text).unwrap();
        assert_eq!(read.facts, saved.facts);
        assert_eq!(read.judge(&all()), saved.judge(&all()));
    };
    judged_alike(facts);
    judged_alike(broken);
    judged_alike(unread);
    judged_alike(Facts { caller: Probed::Absent, ..Facts::default() });
}
