//! Carries a plan out: independent steps at the same time, each proved by a fresh look, nothing undone on failure.

use super::planner::assess;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Topic};
use crate::plan::{Action, Direction, Event, Outcome, Plan, Planned, Progress, State, StepId};
use crate::ports::{ClusterAccess, Ports};
use crate::probe::{ProbeContext, probe};
use crate::spec::Spec;
use crate::steps::{Ownership, Step, StepContext};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Everything that carrying out a plan needs beside the plan.
pub struct Run<'a> {
    /// All steps.
    pub steps: &'a [Box<dyn Step>],
    /// What the person wants.
    pub spec: &'a Spec,
    /// The world.
    pub ports: &'a Ports,
    /// Takes the events, from several steps at once.
    pub on_event: &'a (dyn Fn(&Event) + Send + Sync),
    /// Set by the first interruption.
    pub cancel: &'a CancellationToken,
    /// Whether what is there but not ours may be taken over.
    pub ownership: Ownership,
    /// The person's own kubeconfig, where asked for.
    pub kubeconfig: Option<&'a ClusterAccess>,
    /// How long a step's waits may take.
    pub timeout: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub struct RunOutcome {
    /// What is so now, as far as the steps looked.
    pub facts: Facts,
    /// The failures, in the order in which they happened. Empty: everything is done.
    pub failures: Vec<(StepId, Error)>,
    /// The steps that are done or were so already.
    pub done: Vec<StepId>,
    /// The steps that never ran.
    pub not_run: Vec<StepId>,
}

impl RunOutcome {
    /// Whether everything is done.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && self.not_run.is_empty()
    }
}

/// Carries the plan out. A step begins as soon as all that it needs is done; after a failure or an interruption nothing new
/// begins, and what runs is finished.
pub async fn execute(run: &Run<'_>, plan: &Plan, facts: Facts) -> RunOutcome {
    let started = Instant::now();
    let emit = run.on_event;
    emit(&Event::RunStarted { changes: plan.steps.iter().filter(|s| s.action.is_change()).count() });
    let shared = Mutex::new(facts);
    let mut waiting: Vec<&Planned> = plan.steps.iter().collect();
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    let mut order = Vec::new();
    let mut failures: Vec<(StepId, Error)> = Vec::new();
    let mut running = FuturesUnordered::new();
    loop {
        if failures.is_empty() && !run.cancel.is_cancelled() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|s| s.needs.iter().all(|n| done.contains(n)));
            waiting = later;
            for step in ready {
                running.push(one(run, plan.direction, step, &shared));
            }
        }
        let Some((planned, result, elapsed)) = running.next().await else { break };
        let outcome = match result {
            Ok(()) => {
                done.insert(planned.id);
                order.push(planned.id);
                if planned.action.is_change() { Outcome::Done } else { Outcome::Kept }
            }
            Err(error) => {
                failures.push((planned.id, error.clone()));
                Outcome::Failed { error }
            }
        };
        emit(&Event::StepFinished { step: planned.id, outcome, elapsed_ms: millis(elapsed) });
    }
    if failures.is_empty() && run.cancel.is_cancelled() && !waiting.is_empty() {
        failures.push((waiting[0].id, Error::new(ErrorKind::Interrupted, "interrupted")));
    }
    for step in &waiting {
        let reason = match failures.first() {
            Some((_, e)) if e.kind == ErrorKind::Interrupted => "the run was interrupted before it".to_owned(),
            Some(first) => match failures.iter().find(|(id, _)| stands_on(plan, step, *id)) {
                Some((id, _)) => format!("it needs the step `{id}`, which failed"),
                None => format!("not begun, because the step `{}` failed", first.0),
            },
            None => "nothing that it needs was done".to_owned(),
        };
        emit(&Event::StepFinished { step: step.id, outcome: Outcome::NotRun { reason }, elapsed_ms: 0 });
    }
    emit(&Event::RunFinished { ok: failures.is_empty() && waiting.is_empty(), elapsed_ms: millis(started.elapsed()) });
    let not_run = waiting.iter().map(|s| s.id).collect();
    RunOutcome { facts: lock(&shared).clone(), failures, done: order, not_run }
}

/// Whether a step needs another, or something that needs it.
fn stands_on(plan: &Plan, step: &Planned, other: StepId) -> bool {
    step.needs.iter().any(|need| *need == other || plan.steps.iter().any(|s| s.id == *need && stands_on(plan, s, other)))
}

async fn one<'p>(run: &Run<'_>, direction: Direction, planned: &'p Planned, shared: &Mutex<Facts>) -> (&'p Planned, Result<()>, Duration) {
    let started = Instant::now();
    if !planned.action.is_change() {
        return (planned, Ok(()), Duration::ZERO);
    }
    (run.on_event)(&Event::StepStarted {
        step: planned.id,
        action: planned.action,
        title: planned.title.clone(),
        usual_seconds: planned.usual_seconds,
    });
    let result = match run.steps.iter().find(|s| s.id() == planned.id) {
        // Boxed, because it holds facts several times, and is large.
        Some(step) => Box::pin(change(run, direction, planned, step.as_ref(), shared)).await,
        None => Err(Error::failed(format!("there is no step `{}`", planned.id))),
    };
    (planned, result, started.elapsed())
}

async fn change(run: &Run<'_>, direction: Direction, planned: &Planned, step: &dyn Step, shared: &Mutex<Facts>) -> Result<()> {
    let say = |progress: Progress| (run.on_event)(&Event::StepProgress { step: planned.id, progress });
    // What a step reads may have come to be since the plan was made: the steps before it made it.
    let facts = look(run, direction, step, shared).await;
    let state = assess(step, run.spec, &facts, direction);
    if let Some(reason) = refused(&state, direction, run.ownership) {
        return Err(reason.within(format!("cannot go on with {}", planned.title)));
    }
    if settled(&state, direction) {
        return Ok(());
    }
    let context = StepContext {
        spec: run.spec,
        facts: &facts,
        ports: run.ports,
        say: &say,
        cancel: run.cancel,
        ownership: run.ownership,
        kubeconfig: run.kubeconfig,
        timeout: run.timeout,
    };
    match direction {
        Direction::Apply => {
            if let Err(error) = step.apply(&context, action_for(&state, planned.action)).await {
                let message = step.does_without(run.spec, &error).ok_or(error)?;
                say(Progress::Warning { message });
                return Ok(());
            }
        }
        Direction::Remove => step.remove(&context).await?,
    }
    prove(run, direction, planned, step, shared).await
}

/// The action for the state that was seen last: the plan's own word may be older than the world.
fn action_for(state: &State, planned: Action) -> Action {
    match state {
        State::Absent | State::Unknown(_) => Action::Create,
        State::Drifted(_) => Action::Update,
        State::Busy(_) => Action::Wait,
        State::Broken(_) => Action::Replace,
        State::Foreign { .. } => Action::Adopt,
        State::Present | State::NotWanted | State::Blocked { .. } => planned,
    }
}

fn refused(state: &State, direction: Direction, ownership: Ownership) -> Option<Error> {
    match state {
        State::Foreign { .. } if direction == Direction::Apply && ownership == Ownership::Adopt => None,
        State::Foreign { .. } | State::Blocked { .. } => Some(state.clone().into_error()),
        _ => None,
    }
}

/// Whether nothing is left to do.
const fn settled(state: &State, direction: Direction) -> bool {
    match direction {
        Direction::Apply => matches!(state, State::Present | State::NotWanted),
        Direction::Remove => matches!(state, State::Absent | State::NotWanted),
    }
}

/// How often the world is looked at again before a step that says it is done is called failed: reads behind AWS APIs lag.
const LOOKS: u32 = 6;

async fn prove(run: &Run<'_>, direction: Direction, planned: &Planned, step: &dyn Step, shared: &Mutex<Facts>) -> Result<()> {
    let mut pause = Duration::from_millis(250);
    for look_number in 1..=LOOKS {
        let facts = look(run, direction, step, shared).await;
        let state = assess(step, run.spec, &facts, direction);
        match (&state, direction) {
            (state, direction) if settled(state, direction) => return Ok(()),
            (State::Unknown(_), Direction::Remove) => return Ok(()),
            // Who may make a thing may not always look at it.
            (State::Unknown(reason), Direction::Apply) if look_number == LOOKS => {
                let message = format!("{} was changed, and cannot be looked at: {reason}", planned.title);
                (run.on_event)(&Event::StepProgress { step: planned.id, progress: Progress::Warning { message } });
                return Ok(());
            }
            _ => {}
        }
        if look_number == LOOKS {
            return Err(Error::failed(format!("{} is not as it should be after it was changed", planned.title)).because(describe(&state)));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}

/// What a state says, in a line.
fn describe(state: &State) -> String {
    match state {
        State::Absent => "it is not there".into(),
        State::Present => "it is still there".into(),
        State::NotWanted => "it is not part of this spec".into(),
        State::Drifted(changes) => changes.join("; "),
        State::Foreign { why, .. } | State::Blocked { why, .. } => why.clone(),
        State::Busy(what) | State::Broken(what) | State::Unknown(what) => what.clone(),
    }
}

/// What a step is judged by on this way.
#[must_use]
pub fn reads(step: &dyn Step, direction: Direction) -> &'static [Topic] {
    match direction {
        Direction::Apply => step.reads(),
        Direction::Remove => step.reads_on_removal(),
    }
}

/// Reads the step's topics anew, and merges them into what all steps share.
async fn look(run: &Run<'_>, direction: Direction, step: &dyn Step, shared: &Mutex<Facts>) -> Facts {
    let mut topics: BTreeSet<Topic> = reads(step, direction).iter().copied().collect();
    let mut facts = lock(shared).clone();
    // A cluster that was not there when the plan was made is there by the time a step needs it.
    if topics.iter().any(|t| t.needs_cluster()) && facts.cluster.known().is_none_or(|c| c.endpoint.is_none()) {
        topics.insert(Topic::Cluster);
    }
    probe(&ProbeContext { spec: run.spec, ports: run.ports, kubeconfig: run.kubeconfig }, &topics, &mut facts).await;
    let mut all = lock(shared);
    all.take_topics(&facts, &topics);
    all.clone()
}

fn lock(shared: &Mutex<Facts>) -> std::sync::MutexGuard<'_, Facts> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
