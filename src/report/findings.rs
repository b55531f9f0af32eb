//! Findings for a person.

use super::printer::{BAD, CARE, FAINT, GOOD, Printer, styled};
use crate::finding::{Finding, Fix, Verdict};

/// What mends a finding and the command that does, on one line.
#[must_use]
pub fn cure(fix: &Fix) -> String {
    match fix.command.as_slice() {
        [] => fix.title.clone(),
        command => format!("{}: `{}`", fix.title, crate::shell::command(command)),
    }
}

/// Says findings on stderr, those that pass or were skipped only where more is asked for.
pub fn show_findings(printer: &Printer, findings: &[Finding]) {
    for finding in findings {
        let word = match finding.result {
            Verdict::Pass => styled(GOOD, "pass"),
            Verdict::Warn => styled(CARE, "warning"),
            Verdict::Fail => styled(BAD, "fail"),
            Verdict::Skip => styled(FAINT, "skip"),
        };
        let line = format!("{word}: {}: {} [{}]", finding.subject, finding.message, finding.id);
        match finding.result {
            Verdict::Pass | Verdict::Skip => printer.detail(&line),
            Verdict::Warn | Verdict::Fail => {
                printer.status(&line);
                for fix in &finding.fixes {
                    printer.status(&format!("  fix: {}", cure(fix)));
                }
            }
        }
    }
}
