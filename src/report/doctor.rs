//! The doctor's report in each of its formats.

use super::printer::{BAD, BOLD, CARE, FAINT, GOOD, styled};
use crate::error::{Error, Result};
use crate::finding::{DoctorReport, Finding, Fix, Verdict};

/// How the doctor's report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum DoctorFormat {
    /// For a person.
    #[default]
    Human,
    /// karpctl/doctor/v1.
    Json,
}

/// The report as text.
pub fn doctor_text(report: &DoctorReport, format: DoctorFormat) -> Result<String> {
    match format {
        DoctorFormat::Human => Ok(human(report)),
        DoctorFormat::Json => {
            serde_json::to_string_pretty(report).map_err(|e| Error::failed("cannot write the report as JSON").because(e.to_string()))
        }
    }
}

fn word(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn => CARE,
        Verdict::Fail => BAD,
        Verdict::Skip => FAINT,
    };
    styled(style, format!("{:<4}", verdict.as_str()))
}

/// Grouped by area, worst first, a line each; then what to do, in order.
fn human(report: &DoctorReport) -> String {
    let mut lines = Vec::new();
    let mut areas: Vec<_> = report.checks.iter().map(|f| f.area).collect();
    areas.sort_unstable();
    areas.dedup();
    for area in areas {
        lines.push(styled(BOLD, area.as_str()));
        let of_area = report.checks.iter().filter(|f| f.area == area);
        lines
            .extend(of_area.map(|f| format!("  {} {}: {} {}", word(f.result), f.subject, f.message, styled(FAINT, format!("[{}]", f.id)))));
    }
    let to_mend: Vec<&Finding> =
        report.checks.iter().filter(|f| matches!(f.result, Verdict::Fail | Verdict::Warn) && !f.fixes.is_empty()).collect();
    if !to_mend.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "What to do"));
    }
    for (number, finding) in to_mend.iter().enumerate() {
        lines.push(format!("  {}. {} [{}]", number + 1, finding.subject, finding.id));
        lines.extend(finding.fixes.iter().flat_map(fix_lines));
    }
    let count = |verdict| report.checks.iter().filter(|f| f.result == verdict).count();
    lines.push(String::new());
    lines.push(format!(
        "{} failed, {} warned, {} passed, {} skipped.",
        count(Verdict::Fail),
        count(Verdict::Warn),
        count(Verdict::Pass),
        count(Verdict::Skip)
    ));
    lines.join("\n")
}

fn fix_lines(fix: &Fix) -> Vec<String> {
    let mut lines = vec![format!("     - {}", fix.title)];
    if !fix.command.is_empty() {
        lines.push(format!("         {}", crate::finding::shell(&fix.command)));
    }
    lines
}
