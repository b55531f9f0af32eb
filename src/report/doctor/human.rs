//! The report for a person at a terminal.

use super::super::lines::folded;
use super::super::printer::{BAD, BOLD, CARE, FAINT, GOOD, styled};
use super::{by_area, message, summary, to_mend};
use crate::finding::{DoctorReport, Verdict};

/// Grouped by area, worst first, a line each; then what to do, in order. On a terminal of so many columns lines end between words, but
/// for commands, which are copied.
pub(super) fn text(report: &DoctorReport, columns: Option<usize>) -> String {
    let told = |line: String| columns.map_or_else(|| line.clone(), |columns| folded(&line, columns));
    let mut lines = Vec::new();
    for (area, findings) in by_area(report) {
        lines.push(styled(BOLD, area.as_str()));
        lines.extend(
            findings
                .iter()
                .map(|f| told(format!("  {} {}: {} {}", word(f.result), f.subject, message(f), styled(FAINT, format!("[{}]", f.id))))),
        );
    }
    let to_mend = to_mend(report);
    if !to_mend.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "What to do"));
    }
    for (number, finding) in to_mend.iter().enumerate() {
        lines.push(told(format!("  {}. {} [{}]", number + 1, finding.subject, finding.id)));
        for fix in &finding.fixes {
            lines.push(told(format!("     - {}", fix.title)));
            lines.extend((!fix.command.is_empty()).then(|| format!("         {}", crate::shell::command(&fix.command))));
        }
    }
    lines.push(String::new());
    lines.push(told(summary(report)));
    lines.join("\n")
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

    #[test]
    fn it_is_grouped_by_area_and_ends_with_what_to_do_and_a_count() {
        let text = anstream::adapter::strip_str(&text(&cleaned(&sample::report()), None)).to_string();
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no `{needle}` in\n{text}"));
        assert!(at("client\n  fail context a|b") < at("account\n  skip") && at("account\n  skip") < at("cluster\n  warn"), "{text}");
        assert!(at("[is-well]") < at("What to do\n  1. context a|b"), "{text}");
        assert!(text.ends_with("\n\n1 failed, 2 warned, 1 passed, 1 skipped."), "{text}");
    }
}
