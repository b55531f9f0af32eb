//! Children.

use super::runtime;
use karpctl::adapters::process::{Ended, Run};
use karpctl::error::ErrorKind;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn sh(body: &str) -> Run {
    Run::new("/bin/sh").args(["-c", body])
}

#[test]
fn lines_come_clean_and_the_last_ones_are_kept() {
    let seen = Mutex::new(Vec::new());
    let body = r"printf '\033[31mred\033[0m\n  in\377dented\rover\n\n\nlast'; echo complaint >&2; exit 3";
    let take = |line: &str| seen.lock().unwrap().push(line.to_owned());
    let ended = runtime().block_on(sh(body).lines(&take, &CancellationToken::new())).unwrap();
    let mut seen = seen.into_inner().unwrap();
    assert_eq!(ended.tail, seen);
    seen.retain(|l| l != "complaint");
    assert_eq!(seen, ["red", "  in\u{fffd}dented", "over", "last"]);
    assert_eq!((ended.status.code(), ended.interrupted), (Some(3), false));
}

#[test]
fn memory_is_bounded() {
    let body = "head -c 3000000 /dev/zero | tr '\\0' x; echo; i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done";
    let ended = runtime().block_on(sh(body).lines(&|_| {}, &CancellationToken::new())).unwrap();
    assert_eq!((ended.tail.len(), ended.tail[0].as_str(), ended.tail[99].as_str()), (100, "line 100", "line 199"));
    let captured = runtime().block_on(sh("head -c 3000000 /dev/zero | tr '\\0' x").captured(Duration::from_secs(20))).unwrap();
    assert_eq!(captured.stdout.len(), 1024 * 1024);
}

#[test]
fn the_environment_is_inherited_set_and_taken_away() {
    let run = sh("echo \"[$PATH_GIVEN] [${HOME-none}]\"").env("PATH_GIVEN", "a b").without_env("HOME");
    let captured = runtime().block_on(run.captured(Duration::from_secs(20))).unwrap();
    assert_eq!(captured.stdout, "[a b] [none]\n");
}

/// Cancels as soon as the child says that it is ready.
fn cancelled(body: &str, grace: Duration) -> (Ended, Duration) {
    let cancel = CancellationToken::new();
    let take = |line: &str| {
        if line == "ready" {
            cancel.cancel();
        }
    };
    let begun = Instant::now();
    let ended = runtime().block_on(sh(body).grace(grace).lines(&take, &cancel)).unwrap();
    (ended, begun.elapsed())
}

#[test]
fn an_interrupted_child_cleans_up() {
    // One process that waits, as helm does: a shell that waits for another command may run its trap late.
    let body = r#"exec perl -e '$| = 1; $SIG{INT} = sub { print "cleaning\n"; exit 7 }; print "ready\n"; sleep 1 while 1'"#;
    let (ended, _) = cancelled(body, Duration::from_mins(1));
    assert_eq!((ended.status.code(), ended.interrupted), (Some(7), true), "{:?} {:?}", ended.status, ended.tail);
    assert_eq!(ended.tail, ["ready", "cleaning"]);
}

#[test]
fn a_child_that_will_not_end_is_killed_with_all_that_it_started() {
    use std::os::unix::process::ExitStatusExt as _;
    let body = "trap '' INT TERM; sleep 300 & echo ready; while :; do sleep 0.05; done";
    let (ended, took) = cancelled(body, Duration::from_millis(300));
    assert_eq!((ended.status.signal(), ended.interrupted), (Some(9), true));
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_grandchild_that_holds_the_pipe_is_not_waited_for() {
    let begun = Instant::now();
    let ended = runtime().block_on(sh("sleep 20 & echo done").lines(&|_| {}, &CancellationToken::new())).unwrap();
    assert_eq!(ended.tail, ["done"]);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_missing_file_and_a_slow_answer_are_errors() {
    let error = runtime().block_on(Run::new("/nowhere/helm").lines(&|_| {}, &CancellationToken::new())).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Tool, "cannot run /nowhere/helm"));
    assert_eq!(error.hints, ["install helm, or name its file with --helm"]);
    let error = runtime().block_on(sh("sleep 30").captured(Duration::from_millis(200))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Tool);
}
