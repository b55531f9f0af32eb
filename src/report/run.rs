//! A run as it happens: bars on a terminal, a line an event elsewhere, JSON for a program.

use super::bars::Bars;
use super::journal::event_line;
use super::printer::{BAD, CARE, FAINT, GOOD, styled};
use super::{Format, Journal, Printer};
use crate::error::ErrorKind;
use crate::plan::{Event, Outcome, Plan, Progress, StepId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The schema id of a [`RunReport`].
const SCHEMA: &str = "karpctl/run/v1";

/// A run that is over, as one document.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Whether every step is done.
    pub ok: bool,
    /// What was planned.
    pub plan: Plan,
    /// How each step ended, in the order in which they did.
    pub steps: Vec<StepReport>,
    /// Milliseconds in all.
    pub elapsed_ms: u64,
}

/// How a step ended.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Which.
    pub step: StepId,
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Milliseconds since the run began when it began.
    pub began_ms: u64,
    /// Milliseconds that it took.
    pub elapsed_ms: u64,
}

/// Shows a run as it happens.
pub struct RunReporter<'a> {
    printer: &'a Printer,
    format: Format,
    journal: Option<Journal>,
    bars: Option<&'a Bars>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<StepId, (Duration, String)>,
    steps: Vec<StepReport>,
}

impl<'a> RunReporter<'a> {
    /// A reporter in this format.
    #[must_use]
    pub fn new(printer: &'a Printer, format: Format, journal: Option<Journal>) -> Self {
        let bars = printer.bars().filter(|_| format == Format::Human);
        Self { printer, format, journal, bars, started: Instant::now(), state: Mutex::default() }
    }

    /// Shows an event.
    pub fn show(&self, event: &Event) {
        if let Some(journal) = &self.journal
            && let Err(e) = journal.write(event)
        {
            self.printer.warn(&format!("the journal {} is not written any further: {e}", journal.path().display()));
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = self.started.elapsed();
        match event {
            Event::StepStarted { step, title, usual_seconds, .. } => {
                state.running.insert(*step, (at, title.clone()));
                match self.bars {
                    Some(bars) => bars.begin(step.as_str(), title, *usual_seconds),
                    None => self.say(at, *step, &format!("{title} …")),
                }
            }
            Event::StepProgress { step, progress } => self.progress(at, *step, progress),
            Event::StepFinished { step, outcome, elapsed_ms } => self.finished(&mut state, at, *step, outcome, *elapsed_ms),
            Event::RunStarted { .. } | Event::VerifyProgress { .. } | Event::RunFinished { .. } => {}
        }
        if self.format == Format::Ndjson {
            self.printer.document(&event_line(event));
        }
    }

    fn progress(&self, at: Duration, step: StepId, progress: &Progress) {
        match (progress, self.bars) {
            (Progress::Doing { message }, Some(bars)) => bars.say(step.as_str(), message),
            (Progress::Doing { message }, None) => self.say(at, step, message),
            (Progress::Stage { number, of, message }, bars) => {
                let stage = format!("{number} of {of}: {message}");
                match bars {
                    Some(bars) => bars.stage(step.as_str(), &stage),
                    None => self.say(at, step, &stage),
                }
            }
            (Progress::Foreign { source, line }, Some(bars)) => bars.say(step.as_str(), &format!("{source}: {line}")),
            (Progress::Foreign { source, line }, None) => self.say(at, step, &styled(FAINT, format!("{source}: {line}"))),
            (Progress::Warning { message }, _) => self.above(&format!("{}: {step}: {message}", styled(CARE, "warning"))),
        }
    }

    fn finished(&self, state: &mut State, at: Duration, step: StepId, outcome: &Outcome, elapsed_ms: u64) {
        let (began, title) = state.running.remove(&step).unwrap_or_else(|| (at, step.to_string()));
        if let Some(bars) = self.bars {
            bars.end(step.as_str());
        }
        state.steps.push(StepReport { step, outcome: outcome.clone(), began_ms: millis(began), elapsed_ms });
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let took = elapsed_ms as f64 / 1000.0;
        match outcome {
            Outcome::Done => self.above(&format!("{} {title} ({took:.1} s)", styled(GOOD, "done   "))),
            Outcome::Kept => {}
            Outcome::Failed { error } if error.kind == ErrorKind::Interrupted => {
                self.above(&format!("{} {title} ({took:.1} s): {}", styled(CARE, "stopped"), error.message));
            }
            Outcome::Failed { error } => self.above(&format!("{} {title} ({took:.1} s): {}", styled(BAD, "failed "), error.message)),
            Outcome::NotRun { reason } => self.above(&format!("{} {title}: {reason}", styled(CARE, "not run"))),
        }
    }

    fn say(&self, at: Duration, step: StepId, message: &str) {
        if self.format == Format::Human {
            self.printer.status(&format!("[{:>6.1} s] {step}: {message}", at.as_secs_f64()));
        }
    }

    /// A line that stays, above the bars.
    fn above(&self, text: &str) {
        if self.format == Format::Human {
            self.printer.status(text);
        }
    }

    /// The run as far as it is.
    #[must_use]
    pub fn so_far(&self, plan: &Plan) -> RunReport {
        let steps = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).steps.clone();
        RunReport { schema: SCHEMA, ok: false, plan: plan.clone(), steps, elapsed_ms: millis(self.started.elapsed()) }
    }

    /// The whole run as a document.
    #[must_use]
    pub fn finish(self, plan: &Plan, ok: bool) -> RunReport {
        let state = self.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        RunReport { schema: SCHEMA, ok, plan: plan.clone(), steps: state.steps, elapsed_ms: millis(self.started.elapsed()) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
