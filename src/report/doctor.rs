//! The doctor's report in each of its formats: a file a format.

mod github;
mod human;
mod junit;
mod markdown;
#[cfg(test)]
mod sample;
mod sarif;

use super::Printer;
use crate::characters::written_out;
use crate::error::{Error, Result, clean};
use crate::finding::{Acceptance, Area, DoctorReport, Finding, Fix, Place, Verdict};
use std::path::Path;

/// How the doctor's report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum DoctorFormat {
    /// For a person.
    #[default]
    Human,
    /// karpctl/doctor/v1.
    Json,
    /// `JUnit` XML: a suite for each area, a case for each finding.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// Tables, for a merge request or a job's summary.
    Markdown,
}

/// The report as text; empty where the format has nothing to say of it. `spec` is the file whose cluster was looked at, there or not.
pub fn doctor_text(report: &DoctorReport, format: DoctorFormat, spec: &Path) -> Result<String> {
    let report = cleaned(report);
    match format {
        DoctorFormat::Human => Ok(human::text(&report, Printer::columns())),
        DoctorFormat::Json => json(&report),
        DoctorFormat::Junit => Ok(written_out(&junit::text(&report)?).into_owned()),
        DoctorFormat::Sarif => json(&sarif::log(&report, spec)),
        DoctorFormat::Github => Ok(written_out(&github::text(&report)).into_owned()),
        DoctorFormat::Markdown => Ok(written_out(&markdown::text(&report)).into_owned()),
    }
}

/// These findings alone, for a person who wants to read nothing else; empty where there are none.
#[must_use]
pub fn findings_text(findings: Vec<Finding>) -> String {
    human::without_count(&cleaned(&DoctorReport::new(findings)), Printer::columns())
}

fn json(document: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(document);
    // JSON escapes the control characters below the space only, and a terminal obeys U+009B as well.
    text.map(|t| written_out(&t).into_owned()).map_err(|e| Error::failed("cannot write the report as JSON").because(e.to_string()))
}

/// The report with what a terminal would obey written out: subjects and messages quote kubeconfigs and the output of plugins. A command
/// would be another one: it is for each format to write it.
fn cleaned(report: &DoctorReport) -> DoctorReport {
    let fix = |f: &Fix| Fix { title: clean(&f.title), ..f.clone() };
    let finding = |f: &Finding| Finding {
        id: clean(&f.id),
        subject: clean(&f.subject),
        message: clean(&f.message),
        why: clean(&f.why),
        place: f.place.as_ref().map(|p| Place { file: clean(&p.file), line: p.line }),
        accepted: f.accepted.as_ref().map(|a| Acceptance { reason: clean(&a.reason), until: clean(&a.until) }),
        fixes: f.fixes.iter().map(fix).collect(),
        ..f.clone()
    };
    DoctorReport { checks: report.checks.iter().map(finding).collect(), ..report.clone() }
}

/// The findings of each area that has any, in the order of the report.
fn by_area(report: &DoctorReport) -> Vec<(Area, Vec<&Finding>)> {
    let mut areas: Vec<_> = report.checks.iter().map(|f| f.area).collect();
    areas.sort_unstable();
    areas.dedup();
    areas.into_iter().map(|area| (area, report.checks.iter().filter(|f| f.area == area).collect())).collect()
}

/// The findings that ask for something to be done, worst first.
fn to_mend(report: &DoctorReport) -> Vec<&Finding> {
    let counts = |f: &Finding| f.counts_as(Verdict::Fail) || f.counts_as(Verdict::Warn);
    report.checks.iter().filter(|f| counts(f) && !f.fixes.is_empty()).collect()
}

/// How many came out how, as a sentence.
fn summary(report: &DoctorReport) -> String {
    let count = |verdict| report.checks.iter().filter(|f| f.counts_as(verdict)).count();
    let accepted = match report.checks.iter().filter(|f| f.accepted.is_some()).count() {
        0 => String::new(),
        n => format!(", {n} accepted"),
    };
    format!(
        "{} failed, {} warned, {} passed, {} skipped{accepted}.",
        count(Verdict::Fail),
        count(Verdict::Warn),
        count(Verdict::Pass),
        count(Verdict::Skip)
    )
}

/// What is so, and that it is accepted.
fn message(finding: &Finding) -> String {
    match &finding.accepted {
        Some(accepted) => format!("{} (accepted until {}: {})", finding.message, accepted.until, accepted.reason),
        None => finding.message.clone(),
    }
}

/// What is so and what mends it, a line each, where a format has room for plain text only.
fn message_and_fixes(finding: &Finding) -> String {
    let fix = |fix: &Fix| match fix.command.as_slice() {
        [] => format!("To mend it: {}", fix.title),
        command => format!("To mend it: {}: {}", fix.title, crate::shell::command(command)),
    };
    std::iter::once(message(finding)).chain(finding.fixes.iter().map(fix)).collect::<Vec<_>>().join("\n")
}

/// Text on one line, where a line end would be read as another thing.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn no_format_lets_a_terminal_escape_through() {
        for format in DoctorFormat::value_variants() {
            let text = doctor_text(&sample::report(), *format, Path::new("karpctl.yaml")).unwrap();
            // Our own colours are taken out by the stream; what a finding brought is not ours.
            let foreign = text.contains("\u{1b}]0;") || text.contains("\u{1b}[2J") || text.contains('\u{7}') || text.contains('\u{9b}');
            assert!(text.contains("helm 3.9.4") && !foreign, "{format:?}:\n{text:?}");
        }
    }

    #[test]
    fn a_command_is_not_cut_and_not_trimmed() {
        let long = "x".repeat(5_000);
        let mut report = sample::report();
        report.checks[0].fixes[0].command = vec!["echo".into(), format!("{long} ")];
        assert_eq!(cleaned(&report).checks[0].fixes[0].command[1], format!("{long} "));
    }

    #[test]
    fn a_report_without_findings_can_be_written_in_every_format() {
        let report = DoctorReport::new(Vec::new());
        let empty: Vec<_> = DoctorFormat::value_variants()
            .iter()
            .filter(|f| doctor_text(&report, **f, Path::new("karpctl.yaml")).unwrap().is_empty())
            .collect();
        assert_eq!(empty, [&DoctorFormat::Github]);
    }
}
