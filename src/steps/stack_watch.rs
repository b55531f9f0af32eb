//! Follows a stack until it comes to rest, and shows its events as they come.

use super::StepContext;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::StackFacts;
use crate::knowledge::IamRefusal;
use crate::ports::StackEvent;
use crate::spec::Spec;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How long a stack may take. The guide's takes one to three minutes.
const LONGEST: Duration = Duration::from_mins(45);

/// One operation of a stack, followed by its events.
pub(super) struct Watch {
    id: String,
    shown: BTreeSet<String>,
    first_failure: Option<String>,
    told: bool,
}

impl Watch {
    /// For a stack that was just created: all of its events are of this operation.
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), shown: BTreeSet::new(), first_failure: None, told: false }
    }

    /// For a stack that is there: its events so far are of operations before.
    pub(super) async fn begin(context: &StepContext<'_>, id: &str) -> Self {
        // Events are shown, and nothing hangs on them: that they cannot be read is no reason to stop.
        let events = context.ports.aws.stack_events(id).await.unwrap_or_default();
        Self { id: id.to_owned(), shown: events.into_iter().map(|e| e.id).collect(), first_failure: None, told: false }
    }

    /// The stack once it is at rest, or `None` once it is gone. With `expect`, only a status that begins so is rest: right after
    /// a request the old status may still be told.
    pub(super) async fn follow(&mut self, context: &StepContext<'_>, expect: Option<&str>) -> Result<Option<StackFacts>> {
        let aws = &context.ports.aws;
        let deadline = Instant::now() + LONGEST;
        let mut pause = Duration::from_secs(1);
        loop {
            let (stack, events) = tokio::join!(aws.stack(&self.id, false), aws.stack_events(&self.id));
            // The events of a stack that is gone cannot always be read, and are only shown.
            match events {
                Err(e) if e.kind == ErrorKind::Denied && !self.told => {
                    self.told = true;
                    context.warn(format!("what happens in the stack cannot be shown: {e}"));
                }
                events => self.show(context, events.unwrap_or_default()),
            }
            match stack? {
                None => return Ok(None),
                Some(stack) if at_rest(&stack, expect) => return Ok(Some(stack)),
                Some(stack) if Instant::now() >= deadline => {
                    return Err(Error::new(ErrorKind::Timeout, format!("the stack {} is still {}", stack_name(&stack.id), stack.status))
                        .hint("CloudFormation goes on by itself; run karpctl again, which waits for it"));
                }
                Some(_) => {}
            }
            context.pause(pause).await?;
            pause = Duration::from_secs(2);
        }
    }

    /// What CloudFormation said of the first resource that failed.
    pub(super) fn first_failure(&self) -> Option<String> {
        self.first_failure.clone()
    }

    fn show(&mut self, context: &StepContext<'_>, events: Vec<StackEvent>) {
        for event in events {
            if !self.shown.insert(event.id.clone()) {
                continue;
            }
            let line = line(&event);
            context.foreign("cloudformation", &line);
            if is_failure(&event) && self.first_failure.is_none() {
                self.first_failure = Some(line);
            }
        }
    }
}

fn line(event: &StackEvent) -> String {
    let reason = event.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
    // What is cut off at a narrow terminal's edge is the type.
    format!("{} {} ({}){reason}", event.status, event.logical_id, event.kind)
}

/// Whether something failed by itself: the resources that are cancelled because of another say nothing of why.
fn is_failure(event: &StackEvent) -> bool {
    event.status.ends_with("_FAILED") && !event.reason.as_deref().is_some_and(|reason| reason.contains("cancelled"))
}

/// An error of eksctl's, with what CloudFormation says of these stacks of its: eksctl tells why the cluster's was not made, and of no other,
/// nor why something cannot be removed.
pub(super) async fn with_failures_of(context: &StepContext<'_>, stacks: &[String], mut error: Error) -> Error {
    for stack in stacks {
        // Where they cannot be read, and where there is no such stack, eksctl's own words must do.
        let events = context.ports.aws.stack_events(stack).await.unwrap_or_default();
        for event in failures(&events, stack) {
            let by_eksctl = format!("{}/{}: {}", event.kind, event.logical_id, event.status);
            if error.causes.iter().any(|cause| cause.contains(&by_eksctl)) {
                continue;
            }
            error = error.because(format!("the stack {stack}: {}", line(event)));
            error = held(context.spec, event.reason.as_deref()).into_iter().fold(error, Error::hint);
            if let Some(refusal) = event.reason.as_deref().and_then(IamRefusal::read) {
                error = Error { kind: ErrorKind::Denied, ..error }.hint(refusal.help());
            }
        }
    }
    error
}

/// The first resource that could not be made, and the first that could not be removed, in the last operation of a stack.
fn failures<'e>(events: &'e [StackEvent], stack: &str) -> Vec<&'e StackEvent> {
    let begun = events.iter().rposition(|e| e.logical_id == stack && StackEvent::BEGINS.contains(&e.status.as_str())).unwrap_or_default();
    let mut seen = BTreeSet::new();
    events[begun..].iter().filter(|e| e.logical_id != stack && is_failure(e) && seen.insert(&e.status)).collect()
}

/// What helps where something that is in no stack holds what is to be deleted.
pub(super) fn held(spec: &Spec, reason: Option<&str>) -> Option<String> {
    let is_held = |reason: &str| reason.contains("DependencyViolation") || reason.contains("has dependencies");
    reason.filter(|reason| is_held(reason)).map(|_| {
        format!(
            "`karpctl doctor --only earlier-cluster --cluster-name {} --region {}` finds what the cluster's Karpenter and its pods left in its \
             network, with the commands that delete it",
            spec.cluster_name, spec.region
        )
    })
}

fn at_rest(stack: &StackFacts, expect: Option<&str>) -> bool {
    !stack.is_busy() && expect.is_none_or(|begin| stack.status.starts_with(begin))
}

/// The name within a stack's id, or the name itself.
fn stack_name(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}

/// A token that makes one request of several tries, and differs for each request.
pub(super) fn token() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let seed = format!("{now} {} {}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let digest = Sha256::digest(seed.as_bytes());
    format!("karpctl-{:x}", digest.iter().take(12).fold(0_u128, |all, byte| all << 8 | u128::from(*byte)))
}
