//! The report as workflow commands, which GitHub Actions shows as annotations:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use super::message_and_fixes;
use crate::finding::{DoctorReport, Finding, Verdict};

/// A command a line for what fails, warns or is accepted. What could not be asked is for the summary: a runner without credentials has
/// dozens, and GitHub shows ten of a kind.
pub(super) fn text(report: &DoctorReport) -> String {
    report.checks.iter().filter_map(annotation).collect::<Vec<_>>().join("\n")
}

fn annotation(finding: &Finding) -> Option<String> {
    let command = match finding.result {
        Verdict::Fail | Verdict::Warn if finding.accepted.is_some() => "notice",
        Verdict::Fail => "error",
        Verdict::Warn => "warning",
        Verdict::Skip | Verdict::Pass => return None,
    };
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        properties.push(format!("file={}", property(&place.file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&format!("{}: {}", finding.id, finding.subject))));
    Some(format!("::{command} {}::{}", properties.join(","), data(&message_and_fixes(finding))))
}

/// A message as the runner unescapes it: a line end in it would end the command and begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, which a comma and a colon would end as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::{cleaned, sample};
    use super::*;

    /// A line as the runner reads it: command, properties, message.
    fn read(line: &str) -> (String, Vec<(String, String)>, String) {
        let plain = |s: &str| {
            let s = s.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
            s.replace("%25", "%")
        };
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (command, properties) = head.split_once(' ').unwrap();
        let pair = |p: &str| p.split_once('=').map(|(k, v)| (k.to_owned(), plain(v))).unwrap();
        (command.into(), properties.split(',').map(pair).collect(), plain(message))
    }

    #[test]
    fn every_line_is_one_command_and_what_passes_or_is_skipped_says_nothing() {
        let text = text(&cleaned(&sample::report()));
        let commands: Vec<_> = text.lines().map(|l| read(l).0).collect();
        assert_eq!(commands, ["error", "warning", "warning"], "{text}");
        assert!(!text.contains("is-well") && !text.contains("not-asked"), "{text}");
    }

    #[test]
    fn texts_come_back_as_they_were() {
        let text = text(&cleaned(&sample::report()));
        let (_, properties, message) = read(text.lines().next().unwrap());
        assert_eq!(properties[0], ("file".into(), "/home/me/my kube:config,1".into()));
        assert_eq!(properties[1], ("line".into(), "7".into()));
        assert_eq!(properties[2].0, "title");
        assert!(properties[2].1.starts_with("is-broken: context a|b, helm 3.9.4"), "{properties:?}");
        assert!(
            message.starts_with(sample::NASTY) && message.contains("To mend it: Write `v1beta1` | there: kubectl config "),
            "{message}"
        );

        let (_, whole_file, _) = read(text.lines().nth(1).unwrap());
        assert_eq!((whole_file.len(), whole_file[0].1.as_str()), (2, "kube/config"));
        let (_, nowhere, _) = read(text.lines().nth(2).unwrap());
        assert_eq!(nowhere.len(), 1);
    }

    #[test]
    fn what_looks_escaped_already_is_escaped_again() {
        assert_eq!(data("50%0A"), "50%250A");
        assert_eq!(property("a:b,c\r\n"), "a%3Ab%2Cc%0D%0A");
    }
}
