//! What karpctl says, to a person or to a pipeline. stdout is the answer only; everything else goes to stderr.

mod bars;
mod columns;
mod doctor;
mod error;
mod findings;
mod html;
mod journal;
mod lines;
mod plan;
mod printer;
mod proof;
mod run;
mod status;

pub use columns::{Table, table};
pub use doctor::{DoctorFormat, doctor_text, findings_text};
pub use error::show_error;
pub use findings::{cure, show_findings};
pub use html::{Page, Stage, page};
pub use journal::{Journal, event_line};
pub use plan::{Surroundings, commands, explain_plan, show_plan, summary};
pub use printer::{ColorChoice, Printer, Verbosity, page_at};
pub use proof::ProofReporter;
pub use run::{RunReport, RunReporter, StepReport};
pub use status::{StatusReport, StepStatus, show_status};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// A JSON document a line, as things happen.
    Ndjson,
}

impl Format {
    /// Whether a program reads it.
    #[must_use]
    pub const fn is_machine(self) -> bool {
        !matches!(self, Self::Human)
    }
}

/// Seconds as a person says them: `45 s`, `3 min`, `12 min`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    if seconds < 90 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}
