//! A proof as it goes on: a bar on a terminal, a line a phase elsewhere, an event a line for a program.

use super::bars::Bars;
use super::journal::event_line;
use super::{Format, Printer};
use crate::plan::{Event, Progress};

/// The bar's id.
const BAR: &str = "verify";

/// Shows a proof as it goes on. Dropped, it takes its bar away.
pub struct ProofReporter<'a> {
    printer: &'a Printer,
    format: Format,
    bars: Option<&'a Bars>,
}

impl<'a> ProofReporter<'a> {
    /// A reporter in this format of a proof that usually takes so long.
    #[must_use]
    pub fn new(printer: &'a Printer, format: Format, title: &str, usual_seconds: u32) -> Self {
        let bars = printer.bars().filter(|_| format == Format::Human);
        if let Some(bars) = bars {
            bars.begin(BAR, title, usual_seconds);
        }
        Self { printer, format, bars }
    }

    /// Shows how far it is.
    pub fn show(&self, progress: Progress) {
        if self.format == Format::Ndjson {
            return self.printer.document(&event_line(&Event::VerifyProgress { progress }));
        }
        match (progress, self.bars) {
            (Progress::Doing { message }, Some(bars)) => bars.say(BAR, &message),
            (Progress::Doing { message }, None) => self.printer.status(&message),
            (Progress::Stage { number, of, message }, Some(bars)) => {
                bars.stage(BAR, &format!("{number} of {of}"));
                bars.say(BAR, &format!("waiting until {message}"));
            }
            (Progress::Stage { number, of, message }, None) => {
                self.printer.status(&format!("{number} of {of}: waiting until {message}"));
            }
            (Progress::Foreign { source, line }, _) => self.printer.detail(&format!("{source}: {line}")),
            (Progress::Warning { message }, _) => self.printer.warn(&message),
        }
    }
}

impl Drop for ProofReporter<'_> {
    fn drop(&mut self) {
        if let Some(bars) = self.bars {
            bars.end(BAR);
        }
    }
}
