//! A run as it happens: bars on a terminal, a line an event elsewhere, JSON for a program.

use super::journal::line;
use super::printer::{BAD, CARE, FAINT, GOOD, styled};
use super::{Format, Journal, Printer};
use crate::error::ErrorKind;
use crate::plan::{Event, Outcome, Plan, Progress, StepId};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
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
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: Option<MultiProgress>,
    running: BTreeMap<StepId, (ProgressBar, Duration, String)>,
    steps: Vec<StepReport>,
}

impl<'a> RunReporter<'a> {
    /// A reporter in this format.
    #[must_use]
    pub fn new(printer: &'a Printer, format: Format, journal: Option<Journal>) -> Self {
        let bars = (format == Format::Human && printer.draws_bars()).then(MultiProgress::new).filter(|bars| !bars.is_hidden());
        Self { printer, format, journal, started: Instant::now(), state: Mutex::new(State { bars, ..State::default() }) }
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
                let bar = state.bars.as_ref().map_or_else(ProgressBar::hidden, |bars| {
                    // Dressed and ticking only once it is among the others: before, it would draw a line of its own that stays.
                    let bar = bars.add(ProgressBar::new_spinner());
                    dress(&bar, title, *usual_seconds);
                    if !bar.is_hidden() {
                        bar.enable_steady_tick(Duration::from_millis(200));
                    }
                    bar
                });
                state.running.insert(*step, (bar, at, title.clone()));
                if state.bars.is_none() {
                    self.say(at, *step, &format!("{title} …"));
                }
            }
            Event::StepProgress { step, progress } => self.progress(&state, at, *step, progress),
            Event::StepFinished { step, outcome, elapsed_ms } => self.finished(&mut state, at, *step, outcome, *elapsed_ms),
            Event::RunStarted { .. } | Event::RunFinished { .. } => {}
        }
        if self.format == Format::Ndjson {
            self.printer.answer(&line(event));
        }
    }

    fn progress(&self, state: &State, at: Duration, step: StepId, progress: &Progress) {
        let bar = state.running.get(&step).map(|(bar, _, _)| bar);
        match progress {
            Progress::Doing { message } => match (bar, &state.bars) {
                (Some(bar), Some(_)) => bar.set_message(message.clone()),
                _ => self.say(at, step, message),
            },
            Progress::Foreign { source, line } => match (bar, &state.bars) {
                (Some(bar), Some(_)) => bar.set_message(format!("{source}: {line}")),
                _ => self.say(at, step, &styled(FAINT, format!("{source}: {line}"))),
            },
            Progress::Warning { message } => self.above(state, &format!("{}: {step}: {message}", styled(CARE, "warning"))),
        }
    }

    fn finished(&self, state: &mut State, at: Duration, step: StepId, outcome: &Outcome, elapsed_ms: u64) {
        let (title, began) = match state.running.remove(&step) {
            Some((bar, began, title)) => {
                bar.finish_and_clear();
                (title, began)
            }
            None => (step.to_string(), at),
        };
        state.steps.push(StepReport { step, outcome: outcome.clone(), began_ms: millis(began), elapsed_ms });
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let took = elapsed_ms as f64 / 1000.0;
        match outcome {
            Outcome::Done => self.above(state, &format!("{} {title} ({took:.1} s)", styled(GOOD, "done   "))),
            Outcome::Kept => {}
            Outcome::Failed { error } if error.kind == ErrorKind::Interrupted => {
                self.above(state, &format!("{} {title} ({took:.1} s): {}", styled(CARE, "stopped"), error.message));
            }
            Outcome::Failed { error } => self.above(state, &format!("{} {title} ({took:.1} s): {}", styled(BAD, "failed "), error.message)),
            Outcome::NotRun { reason } => self.above(state, &format!("{} {title}: {reason}", styled(CARE, "not run"))),
        }
    }

    fn say(&self, at: Duration, step: StepId, message: &str) {
        if self.format == Format::Human {
            self.printer.status(&format!("[{:>6.1} s] {step}: {message}", at.as_secs_f64()));
        }
    }

    /// A line that stays, above the bars.
    fn above(&self, state: &State, text: &str) {
        if self.format != Format::Human {
            return;
        }
        match &state.bars {
            Some(bars) => bars.suspend(|| self.printer.status(text)),
            None => self.printer.status(text),
        }
    }

    /// The whole run as a document, and the terminal left clean.
    #[must_use]
    pub fn finish(self, plan: &Plan, ok: bool) -> RunReport {
        let state = self.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bars) = state.bars {
            let _ = bars.clear();
        }
        RunReport { schema: SCHEMA, ok, plan: plan.clone(), steps: state.steps, elapsed_ms: millis(self.started.elapsed()) }
    }
}

fn dress(bar: &ProgressBar, title: &str, usual_seconds: u32) {
    let usually = if usual_seconds > 5 { format!(" of about {}", super::duration(usual_seconds.into())) } else { String::new() };
    let template = format!("{{spinner}} {{prefix}} [{{elapsed}}{usually}] {{wide_msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_prefix(title.to_owned());
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
