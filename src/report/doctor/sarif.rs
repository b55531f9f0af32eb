//! The report as SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use super::message_and_fixes;
use crate::finding::{DoctorReport, Finding, Place, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The schema that the log names.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A log of one run: the checks that said something but "pass" as rules, what they said as results.
pub(super) fn log(report: &DoctorReport) -> Value {
    let said: Vec<&Finding> = report.checks.iter().filter(|f| f.result != Verdict::Pass).collect();
    let mut rules: Vec<&Finding> = Vec::new();
    for finding in &said {
        if !rules.iter().any(|rule| rule.id == finding.id) {
            rules.push(finding);
        }
    }
    let index = |finding: &Finding| rules.iter().position(|rule| rule.id == finding.id);
    let results: Vec<Value> = said.iter().map(|f| result(f, index(f))).collect();
    let driver = json!({
        "name": "karpctl",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.iter().map(|f| rule(f)).collect::<Vec<_>>(),
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "results": results }],
    })
}

fn rule(finding: &Finding) -> Value {
    let first = finding.why.split_once(". ").map_or(finding.why.as_str(), |(first, _)| first);
    json!({
        "id": finding.id,
        "shortDescription": { "text": sentence(first) },
        "fullDescription": { "text": finding.why },
        "help": { "text": finding.why },
    })
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.into() } else { format!("{text}.") }
}

fn result(finding: &Finding, rule: Option<usize>) -> Value {
    // `open` is the kind for "not enough is known to say", and a kind other than `fail` takes no level.
    let (kind, level) = match finding.result {
        Verdict::Fail => ("fail", "error"),
        Verdict::Warn => ("fail", "warning"),
        Verdict::Skip => ("open", "none"),
        Verdict::Pass => ("pass", "none"),
    };
    let mut result = json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": { "text": unlinked(&format!("{}: {}", finding.subject, message_and_fixes(finding))) },
        "locations": [location(finding)],
        "partialFingerprints": { "checkAndSubject/v1": fingerprint(finding) },
        "properties": { "area": finding.area.as_str() },
    });
    if let Some(accepted) = &finding.accepted {
        let why = format!("{} (until {})", accepted.reason, accepted.until);
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": why }]);
    }
    result
}

/// Text in which a viewer finds no link: `[text](target)` in a message would be one.
fn unlinked(text: &str) -> String {
    text.replace("](", "] (")
}

/// The place in a file, or where there is none the thing that was looked at.
fn location(finding: &Finding) -> Value {
    match &finding.place {
        Some(Place { file, line: Some(line) }) => json!({
            "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } },
        }),
        Some(Place { file, line: None }) => json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file) } } }),
        None => json!({ "logicalLocations": [{ "fullyQualifiedName": finding.subject }] }),
    }
}

/// A path as a URI: of the scheme `file` where it begins at the root, relative otherwise.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same for the same check and subject in every run, whatever is said of it.
fn fingerprint(finding: &Finding) -> String {
    let digest = Sha256::digest(format!("{}\0{}", finding.id, finding.subject));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{cleaned, sample};
    use super::*;

    fn made() -> Value {
        log(&cleaned(&sample::report()))
    }

    /// What the schema of SARIF 2.1.0 requires or restricts, of the objects that a log of ours has.
    #[test]
    fn it_has_what_the_schema_requires() {
        let log = made();
        assert_eq!(log["version"], "2.1.0");
        assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
        let runs = log["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        let driver = &runs[0]["tool"]["driver"];
        assert_eq!((&driver["name"], &driver["version"]), (&"karpctl".into(), &env!("CARGO_PKG_VERSION").into()));
        let rules = driver["rules"].as_array().unwrap();
        for rule in rules {
            assert!(!rule["id"].as_str().unwrap().is_empty());
            assert_eq!(rule["shortDescription"]["text"], "It matters.");
            assert_eq!(rule["help"]["text"], "It matters. And here is more of why.");
        }
        let results = runs[0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 4);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], rules[index]["id"]);
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            let (kind, level) = (result["kind"].as_str().unwrap(), result["level"].as_str().unwrap());
            assert!(["none", "note", "warning", "error"].contains(&level), "{level}");
            assert_eq!(kind != "fail", level == "none", "{result}");
            assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn a_check_is_one_rule_and_what_passes_is_no_result() {
        let log = made();
        let ids = |of: &Value, name: &str| of.as_array().unwrap().iter().map(|v| v[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&log["runs"][0]["tool"]["driver"]["rules"], "id"), ["is-broken", "is-odd", "not-asked"]);
        let results = &log["runs"][0]["results"];
        assert_eq!(ids(results, "ruleId"), ["is-broken", "is-odd", "is-odd", "not-asked"]);
        assert_eq!(ids(results, "kind"), ["fail", "fail", "fail", "open"]);
        assert_eq!(ids(results, "level"), ["error", "warning", "warning", "none"]);
    }

    #[test]
    fn a_place_is_a_uri_and_has_a_region_only_with_a_line() {
        let log = made();
        let at = |n: usize| log["runs"][0]["results"][n]["locations"][0].clone();
        let uri = "file:///home/me/my%20kube%3Aconfig%2C1";
        assert_eq!(at(0), json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": 7 } } }));
        assert_eq!(at(1), json!({ "physicalLocation": { "artifactLocation": { "uri": "kube/config" } } }));
        assert!(at(2)["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap().starts_with("context a|b"));
        assert!(at(2).get("physicalLocation").is_none());
    }

    #[test]
    fn a_message_is_the_text_without_links() {
        let text = made()["runs"][0]["results"][0]["message"]["text"].as_str().unwrap().to_owned();
        assert!(text.contains(&sample::NASTY.replace("](", "] (")), "{text}");
        assert!(!text.contains("]("), "{text}");
    }

    #[test]
    fn a_fingerprint_follows_check_and_subject_only() {
        let mut finding = cleaned(&sample::report()).checks.remove(0);
        let first = fingerprint(&finding);
        finding.message = "something else".into();
        finding.place = None;
        assert_eq!(fingerprint(&finding), first);
        finding.subject.push('x');
        assert_ne!(fingerprint(&finding), first);
    }
}
