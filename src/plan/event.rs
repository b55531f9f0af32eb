//! What happens while a plan is carried out, as data: the same events feed the screen, the journal and the machine formats.

use super::{Action, StepId};
use crate::error::Error;
use serde::Serialize;

/// Something that happened. `elapsed_ms` counts from the start of the step, or of the run where the event is about the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// How many steps change something.
        changes: usize,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        step: StepId,
        /// What is done.
        action: Action,
        /// What it is about.
        title: String,
        /// How long it usually takes, in seconds.
        usual_seconds: u32,
    },
    /// Something within a step.
    StepProgress {
        /// Which.
        step: StepId,
        /// What.
        #[serde(flatten)]
        progress: Progress,
    },
    /// Something within the live proof, which is no step.
    VerifyProgress {
        /// What.
        #[serde(flatten)]
        progress: Progress,
    },
    /// A step ended.
    StepFinished {
        /// Which.
        step: StepId,
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
        /// Milliseconds since it began; 0 for a step that never did.
        elapsed_ms: u64,
    },
    /// The run ended.
    RunFinished {
        /// Whether every step is done.
        ok: bool,
        /// Milliseconds since the run began.
        elapsed_ms: u64,
    },
}

/// Something within a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Progress {
    /// What the step now does or waits for, in karpctl's words.
    Doing {
        /// The words.
        message: String,
    },
    /// A line of a tool, or an event of a service, as it came.
    Foreign {
        /// Who said it: `eksctl`, `helm`, `cloudformation`.
        source: &'static str,
        /// The line, cleaned.
        line: String,
    },
    /// How far the step is, where it has stages that are known beforehand.
    Stage {
        /// Which stage it is in, from 1.
        number: u8,
        /// How many there are.
        of: u8,
        /// What is done in it.
        message: &'static str,
    },
    /// Something that the person should know and that does not stop the step.
    Warning {
        /// The words.
        message: String,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, and seen to be so by a fresh look.
    Done,
    /// There was nothing to do.
    Kept,
    /// It failed.
    Failed {
        /// How.
        error: Error,
    },
    /// It never ran.
    NotRun {
        /// Why: the step that failed before it, or the interruption.
        reason: String,
    },
}
