//! One karpctl at a time: who has hold, who is told so, and what becomes of a holder that died.

use crate::fake::{FakeWorld, Fault, error};
use crate::fixture::existing;
use karpctl::engine::{Claim, Hold, Lives, Timing};
use karpctl::error::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TIMING: Timing = Timing { beat: Duration::from_secs(15), lease: Duration::from_secs(75), look: Duration::from_secs(3) };

fn claim(name: &str) -> Claim {
    Claim {
        holder: format!("{name}@{name}-laptop"),
        command: "bootstrap".into(),
        since: "2026-01-01T10:00:00Z".into(),
        process: format!("{name}/4711/1"),
        run: name.into(),
    }
}

/// As from another machine: nothing is known of any process.
fn elsewhere(_: &str) -> Option<bool> {
    None
}

/// Does something with a hold of this world.
async fn with<T>(world: &Arc<FakeWorld>, name: &str, lives: Lives<'_>, act: impl AsyncFnOnce(&Hold<'_>) -> T) -> T {
    let (ports, claim, cancel) = (world.ports(), claim(name), CancellationToken::new());
    let hold = Hold {
        ports: &ports,
        spec: &world.spec,
        tags: world.spec.tags.clone(),
        claim: &claim,
        lives,
        say: &|_| {},
        cancel: &cancel,
        timing: TIMING,
    };
    act(&hold).await
}

async fn take(world: &Arc<FakeWorld>, name: &str, lives: Lives<'_>) -> karpctl::error::Result<String> {
    with(world, name, lives, async |hold| hold.take().await).await
}

#[tokio::test(start_paused = true)]
async fn the_second_is_told_who_has_it_and_since_when() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    // The holder's own machine knows at once.
    let refused = take(&world, "bob", &|_| Some(true)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
    for words in ["alice@alice-laptop", "4711", "2026-01-01T10:00:00Z", "karpctl bootstrap"] {
        assert!(refused.message.contains(words), "{words} in {}", refused.message);
    }
    // Another machine sees that it lives by its next beat.
    let told = with(&world, "alice", &elsewhere, async |alice| {
        tokio::select! {
            lost = alice.keep(&first) => panic!("{lost}"),
            told = take(&world, "carol", &elsewhere) => told,
        }
    });
    assert!(told.await.unwrap_err().message.contains("alice@alice-laptop"));
    // Once it lets go, the next has it.
    with(&world, "alice", &elsewhere, async |alice| alice.release(&first).await).await.unwrap();
    assert_ne!(take(&world, "bob", &elsewhere).await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_died_is_taken_over_from() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    let begun = tokio::time::Instant::now();
    let second = take(&world, "bob", &|_| Some(false)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "on its own machine at once: {:?}", begun.elapsed());
    assert_ne!(first, second);
    // From another machine only after so long without a sign of life.
    let begun = tokio::time::Instant::now();
    take(&world, "carol", &elsewhere).await.unwrap();
    assert!(begun.elapsed() >= TIMING.lease, "{:?}", begun.elapsed());
}

/// CloudFormation deletes no stack that is still at its last update.
#[tokio::test(start_paused = true)]
async fn a_lock_that_is_at_its_last_beat_is_let_go_of_and_taken_over_when_that_is_done() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let busy = || {
        for _ in 0..3 {
            world.fail("delete_stack", Fault::Before(error(ErrorKind::Conflict)));
        }
    };
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    busy();
    with(&world, "alice", &elsewhere, async |alice| alice.release(&first).await).await.unwrap();
    take(&world, "alice", &elsewhere).await.unwrap();
    busy();
    take(&world, "bob", &|_| Some(false)).await.unwrap();
}

/// A proxy's page in the place of the answer does not say whether the request took effect.
#[tokio::test(start_paused = true)]
async fn letting_go_without_an_answer_is_looked_after() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let release = async |who: &str, id: &str| with(&world, who, &elsewhere, async |hold| hold.release(id).await).await;
    let asked = || world.calls().iter().filter(|call| call.starts_with("delete_stack")).count();
    let left = || world.inside().stacks.get("karpctl-lock-demo").is_some_and(|s| !s.facts.status.starts_with("DELETE"));
    for (who, fault, requests) in [("alice", Fault::After as fn(_) -> _, 1), ("bob", Fault::Before as fn(_) -> _, 2)] {
        let id = take(&world, who, &elsewhere).await.unwrap();
        world.forget_calls();
        world.fail("delete_stack", fault(error(ErrorKind::Unreachable)));
        release(who, &id).await.unwrap();
        assert_eq!((asked(), left()), (requests, false), "{who}");
    }
    let id = take(&world, "carol", &elsewhere).await.unwrap();
    for _ in 0..3 {
        world.fail("delete_stack", Fault::Before(error(ErrorKind::Unreachable)));
    }
    let told = release("carol", &id).await.unwrap_err();
    assert!(told.hints.iter().any(|h| h.contains("aws cloudformation delete-stack") && h.contains("karpctl-lock-demo")), "{told:?}");
    release("carol", &id).await.unwrap();
    assert!(!left());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_still_being_made_is_no_sign_of_death() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    take(&world, "alice", &elsewhere).await.unwrap();
    let looks = 40;
    world.inside().stacks.get_mut("karpctl-lock-demo").unwrap().next = vec!["CREATE_IN_PROGRESS".to_owned(); looks].into();
    world.inside().stacks.get_mut("karpctl-lock-demo").unwrap().next.push_back("CREATE_COMPLETE".into());
    let begun = tokio::time::Instant::now();
    take(&world, "bob", &elsewhere).await.unwrap();
    assert!(begun.elapsed() >= TIMING.look * 40 + TIMING.lease, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_who_was_taken_for_dead_stops_and_cannot_remove_the_others_hold() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    let second = take(&world, "bob", &|_| Some(false)).await.unwrap();
    let lost = with(&world, "alice", &elsewhere, async |alice| alice.keep(&first).await).await;
    assert_eq!(lost.kind, ErrorKind::Conflict, "{lost}");
    with(&world, "alice", &elsewhere, async |alice| alice.release(&first).await).await.unwrap();
    let there = world.inside().stacks["karpctl-lock-demo"].facts.clone();
    assert_eq!((there.id, there.status.starts_with("DELETE")), (second, false));
}

#[tokio::test(start_paused = true)]
async fn one_who_cannot_give_a_sign_stops_before_it_is_taken_for_dead() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    let keep = async || {
        let begun = tokio::time::Instant::now();
        let lost = with(&world, "alice", &elsewhere, async |alice| tokio::time::timeout(TIMING.lease * 2, alice.keep(&first)).await).await;
        (lost, begun.elapsed())
    };
    // A beat now and then is enough.
    for kind in [ErrorKind::Unreachable, ErrorKind::Denied, ErrorKind::Conflict, ErrorKind::Conflict] {
        world.fail("update_stack", Fault::Before(error(kind)));
    }
    let (kept, _) = keep().await;
    assert!(kept.is_err(), "{kept:?}");
    for _ in 0..10 {
        world.fail("update_stack", Fault::Before(error(ErrorKind::Unreachable)));
    }
    let (lost, after) = keep().await;
    let lost = lost.expect("it is still at work when another takes over");
    assert!(after < TIMING.lease && after > TIMING.beat, "{after:?}");
    assert!(lost.kind == ErrorKind::Conflict && lost.causes.iter().any(|cause| cause.contains("for 45 s")), "{lost:?}");
    assert!(lost.causes.contains(&"the test says so".to_owned()), "what kept it from giving one is said: {lost:?}");
}

/// As by Ctrl-Z: the clock goes on, and nothing is asked. Whether another took over meanwhile is for the next beat to find.
#[tokio::test(start_paused = true)]
async fn one_who_stood_still_goes_on_unless_another_took_over() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    let stand_still = async |id: &str| {
        with(&world, "alice", &elsewhere, async |alice| {
            let keeping = alice.keep(id);
            tokio::pin!(keeping);
            let working = tokio::time::timeout(TIMING.beat / 2, &mut keeping).await;
            assert!(working.is_err(), "{working:?}");
            tokio::time::advance(TIMING.lease * 3).await;
            tokio::time::timeout(TIMING.beat, keeping).await
        })
        .await
    };
    let went_on = stand_still(&first).await;
    assert!(went_on.is_err(), "{went_on:?}");
    take(&world, "bob", &|_| Some(false)).await.unwrap();
    let lost = stand_still(&first).await.expect("another is at work");
    assert!(lost.causes.iter().any(|cause| cause.contains("is at work")), "{lost:?}");
}

/// A name is not free at once after a deletion, and asking without a pause would be throttled.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_free_yet_is_asked_for_after_a_pause() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.fail("create_stack", Fault::Before(error(ErrorKind::Conflict)));
    let begun = tokio::time::Instant::now();
    take(&world, "alice", &elsewhere).await.unwrap();
    assert!(begun.elapsed() >= TIMING.look, "{:?}", begun.elapsed());
}

/// CloudFormation takes the next beat of a stack whose last one it undid, and none of one that it could not make.
#[tokio::test(start_paused = true)]
async fn a_beat_that_went_wrong_is_no_death() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    take(&world, "alice", &elsewhere).await.unwrap();
    let is = |status: &str| world.inside().stacks.get_mut("karpctl-lock-demo").unwrap().facts.status = status.into();
    is("UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(take(&world, "bob", &|_| Some(true)).await.unwrap_err().kind, ErrorKind::Refused);
    let begun = tokio::time::Instant::now();
    take(&world, "bob", &elsewhere).await.unwrap();
    assert!(begun.elapsed() >= TIMING.lease, "{:?}", begun.elapsed());
    is("ROLLBACK_COMPLETE");
    let begun = tokio::time::Instant::now();
    take(&world, "carol", &elsewhere).await.unwrap();
    assert!(begun.elapsed() < TIMING.lease, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_is_told_as_such_and_at_once() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let first = take(&world, "alice", &elsewhere).await.unwrap();
    let expired = error(ErrorKind::Credentials).because("ExpiredToken").hint("log in again");
    world.fail("update_stack", Fault::Before(expired));
    let begun = tokio::time::Instant::now();
    let ended =
        with(&world, "alice", &elsewhere, async |alice| tokio::time::timeout(TIMING.lease, alice.keep(&first)).await).await.unwrap();
    assert!(begun.elapsed() <= TIMING.beat, "{:?}", begun.elapsed());
    assert!(ended.kind == ErrorKind::Credentials && ended.causes.contains(&"ExpiredToken".to_owned()), "{ended:?}");
    assert_eq!(ended.hints[0], "log in again");
    assert!(!ended.to_string().contains("lost hold"), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_holds_goes_also_when_there_is_nothing_to_do() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    take(&world, "alice", &elsewhere).await.unwrap();
    let left = || world.inside().stacks.get("karpctl-lock-demo").is_some_and(|s| !s.facts.status.starts_with("DELETE"));
    for lives in [None, Some(true)] {
        with(&world, "bob", &|_| lives, async |bob| bob.clear_dead().await).await.unwrap();
        assert!(left(), "{lives:?}");
    }
    with(&world, "bob", &|_| Some(false), async |bob| bob.clear_dead().await).await.unwrap();
    assert!(!left());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_no_other_holder() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    // The stack is made, the SDK's own retry is refused over it.
    world.fail("create_stack", Fault::After(error(ErrorKind::Conflict)));
    take(&world, "alice", &elsewhere).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_may_not_take_or_keep_hold_is_told_before_anything_is_begun() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.fail("create_stack", Fault::Before(error(ErrorKind::Denied)));
    assert_eq!(take(&world, "alice", &elsewhere).await.unwrap_err().kind, ErrorKind::Denied);
    world.fail("update_stack", Fault::Before(error(ErrorKind::Denied)));
    assert_eq!(take(&world, "alice", &elsewhere).await.unwrap_err().kind, ErrorKind::Denied);
    // And what was begun of it is gone again.
    take(&world, "bob", &elsewhere).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_a_stranger_is_not_touched() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    take(&world, "alice", &elsewhere).await.unwrap();
    world.inside().stacks.get_mut("karpctl-lock-demo").unwrap().facts.tags.clear();
    let refused = take(&world, "bob", &elsewhere).await.unwrap_err();
    assert!(refused.message.contains("karpctl-lock-demo") && refused.kind == ErrorKind::Refused, "{refused}");
}
