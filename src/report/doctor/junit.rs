//! The report as `JUnit` XML, which GitLab, Jenkins and Azure Pipelines show.

use super::{by_area, message, message_and_fixes, one_line};
use crate::error::{Error, Result};
use crate::finding::{DoctorReport, Finding, Place, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// A suite for each area, a case for each finding. A warning passes and says so in its output: `JUnit` knows no warnings.
pub(super) fn text(report: &DoctorReport) -> Result<String> {
    let mut all = Report::new("karpctl doctor");
    for (area, findings) in by_area(report) {
        let mut suite = TestSuite::new(area.as_str());
        suite.add_test_cases(findings.into_iter().map(case));
        all.add_test_suite(suite);
    }
    let written = all.to_string().map_err(|e| Error::failed("cannot write the report as JUnit XML").because(e.to_string()))?;
    Ok(without_skipped(&written))
}

/// The schema that Jenkins and pytest use has no `skipped` on the outermost element, where the writer puts one.
fn without_skipped(written: &str) -> String {
    let (Some(begin), Some(end)) = (written.find("<testsuites "), written.find("<testsuite ")) else { return written.to_owned() };
    let kept: Vec<&str> = written[begin..end].split(' ').filter(|word| !word.starts_with("skipped=\"")).collect();
    format!("{}{}{}", &written[..begin], kept.join(" "), &written[end..])
}

fn case(finding: &Finding) -> TestCase {
    let status = match finding.result {
        // JUnit has no word for "known and accepted"; a skipped case says why and fails nothing.
        _ if finding.accepted.is_some() => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(xml(&one_line(&message(finding))));
            status
        }
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(xml(&one_line(&finding.message))).set_type(finding.id.as_str()).set_description(xml(&explained(finding)));
            status
        }
        Verdict::Skip => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(xml(&one_line(&finding.message)));
            status
        }
    };
    // An XML reader makes spaces of the line ends in an attribute; made here, every reader sees the same name.
    let mut case = TestCase::new(xml(&one_line(&format!("{}: {}", finding.id, finding.subject))), status);
    case.set_classname(format!("karpctl.doctor.{}", finding.area.as_str()));
    if finding.counts_as(Verdict::Warn) {
        case.set_system_out(xml(&format!("warning: {}", explained(finding))));
    }
    case
}

/// What is so, what mends it, why it matters, and where: the schema has no attribute of a case for a place.
fn explained(finding: &Finding) -> String {
    let place = match &finding.place {
        Some(Place { file, line: Some(line) }) => format!("\n\nIn {file}, line {line}."),
        Some(Place { file, line: None }) => format!("\n\nIn {file}."),
        None => String::new(),
    };
    format!("{}\n\n{}{place}", message_and_fixes(finding), finding.why)
}

/// Text without the two characters that XML cannot hold and that are no control characters.
fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "")
}

#[cfg(test)]
mod tests {
    use super::super::{cleaned, sample};
    use super::*;

    fn read_back(report: &DoctorReport) -> Report {
        let written = text(&cleaned(report)).unwrap();
        Report::deserialize_from_str(&written).unwrap_or_else(|e| panic!("{e}:\n{written}"))
    }

    #[test]
    fn a_suite_is_an_area_and_a_case_is_a_finding() {
        let read = read_back(&sample::report());
        let suites: Vec<_> = read.test_suites.iter().map(|s| (s.name.as_str(), s.tests, s.failures)).collect();
        assert_eq!(suites, [("client", 2, 1), ("account", 1, 0), ("cluster", 1, 0), ("release", 1, 0)]);
        assert!(read.test_suites[0].test_cases[0].name.as_str().starts_with("is-broken: context a|b, helm 3.9.4"));
    }

    #[test]
    fn each_verdict_has_its_element_and_texts_come_back_as_they_were() {
        let read = read_back(&sample::report());
        let broken = &read.test_suites[0].test_cases[0];
        let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, message, description, .. } = &broken.status else {
            panic!("{:?}", broken.status)
        };
        assert!(description.as_ref().unwrap().as_str().starts_with(sample::NASTY), "{description:?}");
        assert!(message.as_ref().unwrap().as_str().starts_with(&sample::NASTY.replace('\n', " ")), "{message:?}");
        assert!(broken.system_out.is_none());
        assert!(description.as_ref().unwrap().as_str().ends_with("In /home/me/my kube:config,1, line 7."), "{description:?}");

        let odd = &read.test_suites[0].test_cases[1];
        assert!(matches!(odd.status, TestCaseStatus::Success { .. }), "{:?}", odd.status);
        assert!(odd.system_out.as_ref().unwrap().as_str().starts_with(&format!("warning: {}", sample::NASTY)));
        assert!(odd.system_out.as_ref().unwrap().as_str().ends_with("In kube/config."));

        let skipped = &read.test_suites[1].test_cases[0].status;
        let TestCaseStatus::Skipped { message: Some(message), .. } = skipped else { panic!("{skipped:?}") };
        assert!(message.as_str().starts_with("a|b <c> & ]]> 100%"), "{message:?}");

        let well = &read.test_suites[3].test_cases[0];
        assert!(matches!(well.status, TestCaseStatus::Success { .. }) && well.system_out.is_none());
    }

    #[test]
    fn characters_that_xml_cannot_hold_are_left_out() {
        let mut report = sample::report();
        report.checks[0].message = "a\u{ffff}b\u{fffe}c\u{0}d".into();
        let written = text(&cleaned(&report)).unwrap();
        assert!(written.contains("message=\"abc\\u0000d\""), "{written}");
    }
}
