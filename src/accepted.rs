//! Findings that somebody has accepted: named, with a reason and the day until which they count as accepted. Pure; the file comes
//! in as text.

use crate::error::{Error, Result, did_you_mean};
use crate::finding::{Acceptance, Finding, Verdict};
use crate::spec::file::{self, Kind};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema id of [`AcceptedFindings`].
pub const SCHEMA: &str = "karpctl/accepted/v1";

const FILE: Kind = Kind {
    what: "a valid file of accepted findings",
    example: "check: spot-role",
    schema: || schemars::schema_for!(AcceptedFindings),
    help: "it reads: `{schema: karpctl/accepted/v1, accepted: [{check: ID, subject: WHAT, reason: WHY, until: 2026-12-31}]}`; \
           `karpctl generate schema accepted` prints every field",
};

/// A file of accepted findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "karpctl accepted findings", description = "The file of karpctl doctor --accepted.")]
pub struct AcceptedFindings {
    /// [`SCHEMA`].
    pub schema: String,
    /// What is accepted.
    pub accepted: Vec<Accepted>,
}

/// One finding that is accepted, or all of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The check's id.
    pub check: String,
    /// What it is about, as the report says it. Left out: whatever this check finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is: 2026-12-31.
    #[schemars(with = "String")]
    pub until: Date,
}

impl AcceptedFindings {
    /// Reads the text of a file. `known`: the ids that there are.
    pub fn read(name: &str, text: &str, known: &[&str]) -> Result<Self> {
        let wrong = |quoted: &str, said: &str| file::wrong(name, text, quoted, said, &FILE);
        let read: Self = file::read(name, text, &FILE)?;
        if read.schema != SCHEMA {
            return Err(wrong(&read.schema, &format!("the schema is not {SCHEMA}")));
        }
        for entry in &read.accepted {
            if !known.contains(&entry.check.as_str()) {
                let error = wrong(&entry.check, &format!("there is no check `{}`", entry.check));
                let error = did_you_mean(&entry.check, known.iter().copied()).into_iter().fold(error, Error::hint);
                return Err(error.hint("`karpctl explain` lists them all"));
            }
            if entry.reason.trim().is_empty() {
                return Err(wrong(&entry.check, &format!("no reason is given for accepting `{}`", entry.check)));
            }
        }
        Ok(read)
    }

    /// Marks what is accepted on this day, and says of what was accepted until an earlier one that it counts again. What no entry
    /// of the file is needed for any more is returned.
    pub fn mark(&self, findings: &mut [Finding], today: Date) -> Vec<&Accepted> {
        let concerns = |entry: &Accepted, finding: &Finding| {
            entry.check == finding.id && entry.subject.as_ref().is_none_or(|subject| *subject == finding.subject)
        };
        for finding in findings.iter_mut().filter(|f| matches!(f.result, Verdict::Fail | Verdict::Warn)) {
            let entries = || self.accepted.iter().filter(|entry| concerns(entry, finding));
            let Some(entry) = entries().max_by_key(|entry| entry.until) else { continue };
            let (reason, until) = (entry.reason.clone(), entry.until);
            if until < today {
                finding.message = format!("{} (was accepted until {until}: {reason}; it counts again)", finding.message);
            } else {
                finding.accepted = Some(Acceptance { reason, until: until.to_string() });
            }
        }
        let bad = |f: &&mut Finding| matches!(f.result, Verdict::Fail | Verdict::Warn);
        let found: Vec<&mut Finding> = findings.iter_mut().filter(bad).collect();
        self.accepted.iter().filter(|entry| !found.iter().any(|f| concerns(entry, f))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Area, DoctorReport};

    fn finding(id: &str, subject: &str, result: Verdict) -> Finding {
        let text = String::new;
        let (area, fixes) = (Area::Client, Vec::new());
        Finding {
            id: id.into(),
            area,
            result,
            subject: subject.into(),
            message: "m".into(),
            why: text(),
            place: None,
            accepted: None,
            heals: false,
            fixes,
        }
    }

    fn read(entries: &str) -> Result<AcceptedFindings> {
        AcceptedFindings::read("f", &format!("schema: {SCHEMA}\naccepted:\n{entries}"), &["a", "b"])
    }

    #[test]
    fn accepted_findings_do_not_count_until_their_day_is_over() {
        let file =
            read("- {check: a, reason: known, until: 2026-12-31}\n- {check: b, subject: s, reason: r, until: 2026-01-01}\n").unwrap();
        let on = |day: &str| {
            let mut findings = vec![finding("a", "x", Verdict::Fail), finding("b", "other", Verdict::Pass)];
            let unused: Vec<String> = file.mark(&mut findings, day.parse().unwrap()).iter().map(|e| e.check.clone()).collect();
            let report = DoctorReport::new(findings);
            let a = report.checks.iter().find(|f| f.id == "a").unwrap().clone();
            (report.ok, a, unused)
        };
        let (ok, a, unused) = on("2026-12-31");
        assert!(ok && a.result == Verdict::Fail && a.accepted.is_some(), "the truth stays");
        assert_eq!(unused, ["b"], "its subject is another");
        let (ok, a, _) = on("2027-01-01");
        assert!(!ok && a.accepted.is_none());
        assert!(a.message.contains("accepted until 2026-12-31: known; it counts again"));
    }

    #[test]
    fn a_file_that_means_nothing_is_refused() {
        for (entries, words) in [
            ("- {check: nope, reason: r, until: 2026-12-31}", "f:3:11: there is no check `nope`\n3 | - {check: nope,"),
            ("- {check: a, reason: ' ', until: 2026-12-31}", "no reason"),
            ("- {check: a, until: 2026-12-31}", "reason"),
            ("- {check: a, reason: r}", "until"),
            ("- {check: a, reason: r, until: soon}", "f:3:32: until: expected a day, such as 2026-12-31\n"),
            ("- {check: a, reason: r, until: 2026-12-31, sub: x}", "f:3:44: unknown field `sub`"),
            ("- {check: a, reason: r, untill: 2026-12-31}", "f:3:25: unknown field `untill`"),
        ] {
            let error = read(entries).unwrap_err();
            assert!(error.causes.join(" ").contains(words), "{entries}: {error:?}");
        }
        let error = read("- {check: a, reason: r, untill: 2026-12-31}").unwrap_err();
        assert!(error.hints.iter().any(|hint| hint == "did you mean `until`?"), "{error:?}");
    }
}
