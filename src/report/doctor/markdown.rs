//! The report as GitHub-flavoured Markdown, for a merge request or a job's summary.

use super::{by_area, message, one_line, summary, to_mend};
use crate::finding::{DoctorReport, Finding, Fix};

/// A table for each area, then what to do with a shell block for each command.
pub(super) fn text(report: &DoctorReport) -> String {
    let mut blocks = vec!["# karpctl doctor".to_owned(), summary(report)];
    for (area, findings) in by_area(report) {
        blocks.push(format!("## {}", area.as_str()));
        let rows = findings.iter().map(|f| row(f));
        let head = ["| Result | What | Says | Check |".to_owned(), "|---|---|---|---|".to_owned()];
        blocks.push(head.into_iter().chain(rows).collect::<Vec<_>>().join("\n"));
    }
    let to_mend = to_mend(report);
    if !to_mend.is_empty() {
        blocks.push("## What to do".to_owned());
    }
    for (number, finding) in to_mend.iter().enumerate() {
        let bullet = format!("{}. ", number + 1);
        blocks.push(format!("{bullet}**{}** ({}): {}", plain(&finding.subject), plain(&finding.id), plain(&finding.why)));
        let inner = " ".repeat(bullet.len());
        blocks.extend(finding.fixes.iter().flat_map(fix_blocks).map(|block| indented(&block, &inner)));
    }
    blocks.join("\n\n")
}

fn row(finding: &Finding) -> String {
    let message = message(finding).lines().map(plain).collect::<Vec<_>>().join("<br>");
    format!("| {} | {} | {} | {} |", finding.result.as_str(), plain(&finding.subject), message, plain(&finding.id))
}

fn fix_blocks(fix: &Fix) -> Vec<String> {
    let mut blocks = vec![format!("- {}", plain(&fix.title))];
    if !fix.command.is_empty() {
        blocks.push(indented(&fenced(&crate::shell::command(&fix.command)), "  "));
    }
    blocks
}

/// A shell block whose fence is longer than any in the command.
fn fenced(command: &str) -> String {
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{command}\n{fence}")
}

/// Every line further in, as a part of the list item above it.
fn indented(block: &str, by: &str) -> String {
    block.lines().map(|line| format!("{by}{line}")).collect::<Vec<_>>().join("\n")
}

/// Text on one line in which nothing is Markdown or HTML.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '#' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{cleaned, sample};
    use super::*;

    /// The bars that divide cells: those that no backslash stands before.
    fn bars(line: &str) -> usize {
        line.replace("\\|", "").matches('|').count()
    }

    #[test]
    fn each_area_has_a_table_whose_rows_have_four_cells() {
        let text = text(&cleaned(&sample::report()));
        for area in ["client", "account", "cluster", "release"] {
            assert!(text.contains(&format!("\n## {area}\n\n| Result | What | Says | Check |\n|---|---|---|---|\n| ")), "{area}:\n{text}");
        }
        let rows: Vec<_> = text.lines().filter(|l| l.starts_with('|')).collect();
        assert_eq!(rows.len(), 4 * 2 + 5, "{text}");
        assert!(rows.iter().all(|row| bars(row) == 5), "{text}");
    }

    #[test]
    fn nothing_in_a_finding_is_markdown_or_html() {
        let text = text(&cleaned(&sample::report()));
        let said = r#"a\|b &lt;c&gt; &amp; \]\]&gt; 100% ::error::x, \`d\` \*e\* \[f\](g) "h"<br>second: line"#;
        assert_eq!(text.matches(said).count(), 5, "{text}");
        assert!(text.contains("| is-odd |"), "{text}");
    }

    #[test]
    fn what_to_do_has_a_shell_block_for_each_command() {
        let text = text(&cleaned(&sample::report()));
        let (_, to_do) = text.split_once("## What to do\n\n").unwrap();
        assert!(to_do.starts_with("1. **context a\\|b, helm 3.9.4"), "{to_do}");
        assert!(to_do.contains("\n   - Write \\`v1beta1\\` \\| there\n\n     ```sh\n     kubectl config $'it\\'s `one` 100%"), "{to_do}");
        assert!(to_do.contains("\n     two'\n     ```\n\n   - Take a newer helm"), "{to_do}");
        assert_eq!(to_do.matches("```").count(), 2, "{to_do}");
    }

    #[test]
    fn a_fence_is_longer_than_what_is_in_it() {
        assert_eq!(fenced("echo '```'"), "````sh\necho '```'\n````");
        assert_eq!(fenced("ls"), "```sh\nls\n```");
    }
}
