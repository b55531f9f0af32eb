//! Plans carried out: in which order, what a failure stops, what an interruption leaves, what running again does. That stack and
//! cluster are made at the same time is seen in the lab, where they take time.

use crate::fake::{FakeWorld, Fault};
use crate::fixture::{existing, spec};
use karpctl::engine::{Goal, Run, RunOutcome, execute, plan, reads};
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::{Facts, Topic};
use karpctl::plan::{Action, Direction, Event, Outcome, Plan, StepId};
use karpctl::ports::Tags;
use karpctl::steps::{OWNER_TAG, Ownership, all};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn planned(world: &Arc<FakeWorld>, direction: Direction) -> (Plan, Facts) {
    let steps = all();
    let topics: Vec<Topic> = steps.iter().flat_map(|s| reads(s.as_ref(), direction).iter().copied()).collect();
    let facts = world.facts(&topics).await;
    let goal = Goal { select: StepId::ALL.into(), direction, ownership: Ownership::OursOnly };
    (plan(&steps, &world.spec, &facts, &goal), facts)
}

/// Carries the whole way out, and returns how it ended with the events of it.
async fn go(world: &Arc<FakeWorld>, direction: Direction, cancel: &CancellationToken) -> (RunOutcome, Vec<Event>) {
    let (plan, facts) = planned(world, direction).await;
    let (steps, ports, events) = (all(), world.ports(), Mutex::new(Vec::new()));
    let run = Run {
        steps: &steps,
        spec: &world.spec,
        ports: &ports,
        on_event: &|event| events.lock().unwrap().push(event.clone()),
        cancel,
        ownership: Ownership::OursOnly,
        kubeconfig: None,
        timeout: Duration::from_mins(15),
    };
    let outcome = execute(&run, &plan, facts).await;
    (outcome, events.into_inner().unwrap())
}

fn outcomes(events: &[Event]) -> BTreeMap<StepId, Outcome> {
    let finished = |e: &Event| match e {
        Event::StepFinished { step, outcome, .. } => Some((*step, outcome.clone())),
        _ => None,
    };
    events.iter().filter_map(finished).collect()
}

fn position(events: &[Event], found: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(found).unwrap_or_else(|| panic!("no such event in {events:#?}"))
}

#[tokio::test(start_paused = true)]
async fn each_step_begins_after_all_that_it_needs() {
    let world = FakeWorld::empty(spec("1.14.1"));
    let (outcome, events) = go(&world, Direction::Apply, &CancellationToken::new()).await;
    assert!(outcome.ok(), "{:#?}", outcome.failures);
    let begun = |id: StepId| position(&events, |e| matches!(e, Event::StepStarted { step, .. } if *step == id));
    let ended = |id: StepId| position(&events, |e| matches!(e, Event::StepFinished { step, .. } if *step == id));
    for (later, earlier) in [(StepId::NodeMapping, StepId::Stack), (StepId::Chart, StepId::Crds), (StepId::Ready, StepId::NodePool)] {
        assert!(begun(later) > ended(earlier), "{later} began before {earlier} was done");
    }
    let (again, _) = planned(&world, Direction::Apply).await;
    assert!(!again.has_changes(), "{again:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_what_needs_it_and_running_again_goes_on() {
    let cluster = FakeWorld::with_cluster(existing("1.14.1"));
    let denied = Error::new(ErrorKind::Denied, "cannot create the role demo-karpenter");
    cluster.fail("create_role", Fault::Before(denied.clone()));
    let (outcome, events) = go(&cluster, Direction::Apply, &CancellationToken::new()).await;
    assert_eq!(outcome.failures, [(StepId::ControllerRole, denied)]);
    let outcomes = outcomes(&events);
    assert_eq!(outcomes[&StepId::Stack], Outcome::Done);
    let Outcome::NotRun { reason } = &outcomes[&StepId::Chart] else { panic!("{outcomes:#?}") };
    assert_eq!(reason, "it needs the step `controller-role`, which failed");
    // The CRDs of an upgrade would be those of another controller than the one that runs.
    assert!(!cluster.changes().iter().any(|c| c.starts_with("helm_install")), "{:?}", cluster.changes());
    for (id, outcome) in &outcomes {
        if let Outcome::NotRun { reason } = outcome {
            let needs = [StepId::PodIdentityAssociation, StepId::Crds, StepId::Chart, StepId::NodePool, StepId::Ready].contains(id);
            assert_eq!(reason.starts_with("it needs the step"), needs, "{id}: {reason}");
        }
    }
    assert_eq!(outcomes.len(), planned(&cluster, Direction::Apply).await.0.steps.len(), "every step of the plan has an end");
    cluster.forget_calls();
    let (outcome, _) = go(&cluster, Direction::Apply, &CancellationToken::new()).await;
    assert!(outcome.ok(), "{:#?}", outcome.failures);
    assert!(!cluster.changes().iter().any(|c| c.starts_with("create_stack")), "what was done is kept: {:?}", cluster.changes());
}

/// An organisation that denies Spot denies its role as well: nothing that is bought needs it.
#[tokio::test(start_paused = true)]
async fn a_spot_role_that_may_not_be_made_ends_a_run_only_where_spot_is_bought() {
    use karpctl::spec::CapacityType::{OnDemand, Spot};
    for (kinds, kind, ends_well) in [
        (vec![], ErrorKind::Denied, true),
        (vec![OnDemand], ErrorKind::Denied, true),
        (vec![OnDemand], ErrorKind::Unreachable, false),
        (vec![Spot, OnDemand], ErrorKind::Denied, false),
    ] {
        let mut wanted = existing("1.14.1");
        wanted.node_pool.capacity_types.clone_from(&kinds);
        let world = FakeWorld::with_cluster(wanted);
        world.fail("create_service_linked_role", Fault::Before(Error::new(kind, "cannot create the service-linked role")));
        let (outcome, events) = go(&world, Direction::Apply, &CancellationToken::new()).await;
        assert_eq!(outcome.ok(), ends_well, "{kinds:?} {kind:?}: {:#?}", outcome.failures);
        let warned = format!("{events:?}").contains("no node pool gets Spot instances without: cannot create the service-linked role");
        assert_eq!(warned, ends_well, "{kinds:?}: {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_makes_nothing_is_planned_as_a_wait() {
    let world = FakeWorld::empty(spec("1.14.1"));
    let (plan, _) = planned(&world, Direction::Apply).await;
    let action = |id: StepId| plan.steps.iter().find(|s| s.id == id).map(|s| s.action);
    assert_eq!((action(StepId::Ready), action(StepId::Chart)), (Some(Action::Wait), Some(Action::Create)));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_says_what_helps() {
    let missing = FakeWorld::empty(existing("1.14.1"));
    let foreign = FakeWorld::with_cluster(spec("1.14.1"));
    for (world, command) in [(&missing, "aws eks list-clusters --region us-west-2"), (&foreign, "`--existing-cluster`")] {
        let (plan, _) = planned(world, Direction::Apply).await;
        let refused = plan.refused().find(|s| s.id == StepId::Cluster).unwrap();
        assert!(refused.hints.iter().any(|h| h.contains(command)), "{refused:#?}");
        assert!(refused.why.iter().all(|w| !w.contains('`')), "a reason is no command: {refused:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_begins_nothing_new() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (outcome, events) = go(&world, Direction::Apply, &cancel).await;
    assert!(world.changes().is_empty(), "{:?}", world.changes());
    assert_eq!(outcome.failures[0].1.kind, ErrorKind::Interrupted);
    assert!(outcomes(&events).values().all(|o| matches!(o, Outcome::NotRun { .. })), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_way_back_removes_each_after_what_needs_it() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let (plan, _) = planned(&world, Direction::Remove).await;
    let order: Vec<StepId> = plan.steps.iter().filter(|s| s.action == Action::Remove).map(|s| s.id).collect();
    let at = |id: StepId| order.iter().position(|o| *o == id).unwrap_or_else(|| panic!("{id} is not removed: {order:?}"));
    for (first, then) in [
        (StepId::NodePool, StepId::Chart),
        (StepId::Chart, StepId::ControllerRole),
        (StepId::NodePool, StepId::NodeMapping),
        (StepId::ControllerRole, StepId::Stack),
        (StepId::NodeMapping, StepId::Cluster),
    ] {
        assert!(at(first) < at(then), "{first} comes before {then}: {order:?}");
    }
    let (outcome, _) = go(&world, Direction::Remove, &CancellationToken::new()).await;
    assert!(outcome.ok(), "{:#?}", outcome.failures);
    let (again, _) = planned(&world, Direction::Remove).await;
    assert!(!again.has_changes(), "{again:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_way_is_refused_where_what_it_stands_on_is_missing() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let steps = all();
    let topics: Vec<Topic> = steps.iter().flat_map(|s| s.reads().iter().copied()).collect();
    let facts = world.facts(&topics).await;
    let goal = Goal { select: BTreeSet::from([StepId::Chart]), direction: Direction::Apply, ownership: Ownership::OursOnly };
    let plan = plan(&steps, &world.spec, &facts, &goal);
    let refused: Vec<_> = plan.refused().collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].why.iter().any(|w| w.contains("`crds`")), "{refused:#?}");
}

/// A plan does not say that it keeps what there is not.
#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_kept() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let (plan, _) = planned(&world, Direction::Remove).await;
    let stack = plan.steps.iter().find(|s| s.id == StepId::Stack).unwrap();
    assert_eq!((stack.action, stack.why.as_slice()), (Action::Absent, &["nothing to remove".to_owned()][..]));
    assert_eq!(serde_json::to_value(stack).unwrap()["action"], "absent");
    assert!(!plan.has_changes() && stack.usual_seconds == 0 && stack.commands.is_empty(), "{plan:#?}");
}

/// What cannot be updated can be deleted: it is not taken for somebody else's.
#[tokio::test(start_paused = true)]
async fn what_is_ours_and_stuck_goes_and_what_is_not_ours_stays() {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    let ours = Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())]);
    for (tags, action, why) in [(ours, Action::Remove, "ours"), (Tags::new(), Action::Keep, "not ours, so it stays: the stack")] {
        world.set_stack("Karpenter-demo", "UPDATE_ROLLBACK_FAILED", &[], tags);
        let (plan, _) = planned(&world, Direction::Remove).await;
        let stack = plan.steps.iter().find(|s| s.id == StepId::Stack).unwrap();
        assert_eq!(stack.action, action, "{stack:#?}");
        assert!(stack.why[0].starts_with(why), "{stack:#?}");
    }
}
