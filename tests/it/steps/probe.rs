//! Reading: what is not there, what cannot be read, and how often the world is asked.

use crate::fake::{FakeWorld, Fault, error};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::facts::{Probed, Topic};
use karpctl::plan::StepId;
use karpctl::steps::all;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn no_permission_is_a_fact() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.fail("list", Fault::Before(error(ErrorKind::Denied)));
    let facts = world.facts(&[Topic::Chart, Topic::Stack]).await;
    assert_eq!(facts.chart_release, Probed::Unavailable("the test says so".into()));
    assert!(facts.stack.known().is_some());
    assert_eq!(facts.aws_auth, Probed::NotAsked);
}

#[tokio::test(start_paused = true)]
async fn the_newest_revision_counts() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.put_release("karpenter", 9, "failed", "1.13.0", &json!({"a": 1}));
    world.put_release("karpenter", 10, "pending-upgrade", "1.14.1", &json!({}));
    let facts = world.facts(&[Topic::Chart]).await;
    let release = facts.chart_release.known().unwrap();
    assert_eq!((release.revision, release.status.as_str(), release.chart.as_str()), (10, "pending-upgrade", "karpenter"));
    assert_eq!(facts.crd_release, Probed::NotAsked);
}

#[tokio::test(start_paused = true)]
async fn a_whole_look_takes_a_handful_of_calls() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let topics: Vec<Topic> = all().iter().flat_map(|s| s.reads().iter().copied()).collect();
    world.forget_calls();
    let facts = world.facts(&topics).await;
    assert!(world.changes().is_empty(), "{:?}", world.changes());
    assert!(world.count() <= 30, "{} calls", world.count());
    for step in all() {
        let state = step.assess(&world.spec, &facts);
        assert!(matches!(state, karpctl::plan::State::Present | karpctl::plan::State::NotWanted), "{}: {state:?}", step.id());
    }
}

#[tokio::test(start_paused = true)]
async fn facts_can_be_replayed() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let topics: Vec<Topic> = all().iter().flat_map(|s| s.reads().iter().copied()).collect();
    let facts = world.facts(&topics).await;
    let text = serde_json::to_string(&facts).unwrap();
    let again: karpctl::facts::Facts = serde_json::from_str(&text).unwrap();
    assert_eq!(again, facts);
    assert_eq!(StepId::ALL.len(), all().len());
}
