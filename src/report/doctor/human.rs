//! The report for a person at a terminal.

use super::super::lines::{GoesOn, folded};
use super::super::printer::{BAD, BOLD, CARE, FAINT, GOOD, styled};
use super::{by_area, message, summary, to_mend};
use crate::finding::Fix;
use crate::finding::{DoctorReport, Finding, Verdict};

/// From how many on checks that were left out for one reason are told together.
const TOGETHER: usize = 4;

/// Grouped by area, worst first, a line each, and one for all that were left out for the same reason; then what to do and why, in order, and a
/// count. On a terminal of so many columns lines end between words, but for commands, which are copied.
pub(super) fn text(report: &DoctorReport, columns: Option<usize>) -> String {
    let count = columns.map_or_else(|| summary(report), |columns| folded(&summary(report), columns, GoesOn::FurtherIn));
    format!("{}\n\n{count}", without_count(report, columns)).trim_start().to_owned()
}

/// As [`text`], without the count: it would be that of the findings that are shown.
pub(super) fn without_count(report: &DoctorReport, columns: Option<usize>) -> String {
    let told = |line: String| columns.map_or_else(|| line.clone(), |columns| folded(&line, columns, GoesOn::FurtherIn));
    let mut lines = Vec::new();
    let together = left_out_together(report);
    for (area, findings) in by_area(report) {
        let shown: Vec<_> = findings.iter().filter(|f| !together.iter().any(|(reason, _)| left_out(f, reason))).collect();
        if shown.is_empty() {
            continue;
        }
        lines.push(styled(BOLD, area.as_str()));
        lines.extend(
            shown
                .iter()
                .map(|f| told(format!("  {} {}: {} {}", word(f.result), f.subject, message(f), styled(FAINT, format!("[{}]", f.id))))),
        );
    }
    if !together.is_empty() {
        lines.push(styled(BOLD, "left out"));
        lines.extend(together.iter().map(|(reason, count)| told(format!("  {} {count} checks: {reason}", word(Verdict::Skip)))));
    }
    let to_mend = to_mend(report);
    if !to_mend.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "What to do"));
    }
    let (items, mut told_why) = (alike(&to_mend), Vec::new());
    for (number, (first, subjects)) in items.iter().enumerate() {
        lines.push(told(format!("  {}. {} [{}]", number + 1, subjects.join("; "), first.id)));
        if !told_why.contains(&first.id.as_str()) {
            told_why.push(first.id.as_str());
            lines.extend((!first.why.is_empty()).then(|| told(format!("     {}", styled(FAINT, &first.why)))));
        }
        for fix in &first.fixes {
            lines.push(told(format!("     - {}", fix.title)));
            lines.extend((!fix.command.is_empty()).then(|| format!("         {}", crate::shell::command(&fix.command))));
        }
    }
    if let Some((first, _)) = items.first() {
        lines.push(told(format!("  More of each name in brackets: `karpctl explain {}`", first.id)));
    }
    lines.join("\n")
}

/// The findings, those of one check that are mended alike once, with the subject of each: helm and kubectl often have one kubeconfig.
fn alike<'f>(findings: &[&'f Finding]) -> Vec<(&'f Finding, Vec<&'f str>)> {
    let mut items: Vec<(&Finding, Vec<&str>)> = Vec::new();
    let says = |fix: &Fix| (fix.title.clone(), fix.command.clone());
    for finding in findings {
        let same = |other: &Finding| other.id == finding.id && other.fixes.iter().map(says).eq(finding.fixes.iter().map(says));
        match items.iter_mut().find(|(first, _)| same(first)) {
            Some((_, subjects)) => subjects.push(&finding.subject),
            None => items.push((finding, vec![&finding.subject])),
        }
    }
    items
}

fn left_out(finding: &Finding, reason: &str) -> bool {
    finding.result == Verdict::Skip && finding.accepted.is_none() && finding.message == reason
}

/// The reasons for which many checks were left out, and how many: each by itself would hide the rest.
fn left_out_together(report: &DoctorReport) -> Vec<(&str, usize)> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for finding in report.checks.iter().filter(|f| f.result == Verdict::Skip) {
        if !reasons.iter().any(|(known, _)| *known == finding.message) {
            reasons.push((&finding.message, report.checks.iter().filter(|f| left_out(f, &finding.message)).count()));
        }
    }
    reasons.retain(|(_, count)| *count >= TOGETHER);
    reasons
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

#[cfg(test)]
mod tests {
    use super::super::{cleaned, sample};
    use super::*;
    use crate::finding::Area;

    #[test]
    fn it_is_grouped_by_area_and_ends_with_what_to_do_and_a_count() {
        let text = anstream::adapter::strip_str(&text(&cleaned(&sample::report()), None)).to_string();
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no `{needle}` in\n{text}"));
        assert!(at("client\n  fail context a|b") < at("account\n  skip") && at("account\n  skip") < at("cluster\n  warn"), "{text}");
        assert!(at("[is-well]") < at("What to do\n  1. context a|b"), "{text}");
        assert!(text.ends_with("\n\n1 failed, 2 warned, 1 passed, 1 skipped."), "{text}");
    }

    #[test]
    fn what_is_mended_alike_is_one_item_with_its_reason() {
        let mut report = sample::report();
        let broken = report.checks.iter().find(|f| f.id == "is-broken").unwrap().clone();
        let other = Fix { title: "Another cure".into(), ..broken.fixes[1].clone() };
        let of = |subject: &str, fixes: &[Fix]| Finding { subject: subject.into(), fixes: fixes.to_vec(), ..broken.clone() };
        report.checks = vec![of("here, helm", &broken.fixes), of("here, kubectl", &broken.fixes), of("there, helm", &[other])];
        let text = anstream::adapter::strip_str(&text(&cleaned(&report), None)).to_string();
        let (_, to_do) = text.split_once("What to do\n").unwrap();
        let why = "     It matters. And here is more of why.\n";
        assert!(to_do.starts_with(&format!("  1. here, helm; here, kubectl [is-broken]\n{why}     - ")), "{text}");
        assert_eq!((to_do.matches("Take a newer helm").count(), to_do.matches(why).count()), (1, 1), "{text}");
        assert!(
            to_do.contains(
                "  2. there, helm [is-broken]\n     - Another cure\n  More of each name in brackets: `karpctl explain is-broken`\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_is_left_out_for_one_reason_is_one_line() {
        let mut report = sample::report();
        let skipped = |reason: &str, area| Finding {
            message: reason.into(),
            area,
            ..report.checks.iter().find(|f| f.result == Verdict::Skip).unwrap().clone()
        };
        let (none, other) = ("no cluster is named: give --cluster-name and --region", "another reason");
        let many = [Area::Account, Area::Release, Area::Release, Area::Release].map(|area| skipped(none, area));
        let few = [Area::Account, Area::Release, Area::Cluster].map(|area| skipped(other, area));
        report.checks = many.into_iter().chain(few).collect();
        let text = anstream::adapter::strip_str(&text(&cleaned(&report), None)).to_string();
        assert_eq!(text.matches(none).count(), 1, "{text}");
        assert!(text.contains("left out\n  skip 4 checks: no cluster is named: give --cluster-name and --region\n"), "{text}");
        assert_eq!(text.matches(other).count(), 3, "{text}");
        assert!(text.ends_with("0 failed, 0 warned, 0 passed, 7 skipped."), "{text}");
    }
}
