//! The report as SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
//!
//! GitHub's code scanning asks for more than the standard and refuses the whole file for one result that lacks it: each has a physical
//! location with a line (<https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning>).

use super::message_and_fixes;
use crate::finding::{DoctorReport, Finding, Place, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// The schema that the log names.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A log of one run: the checks that fail or warn as rules, what they said as results, what could not be asked as notifications. `spec` is
/// the file whose cluster was looked at: the place of what is found in no file.
pub(super) fn log(report: &DoctorReport, spec: &Path) -> Value {
    let said: Vec<&Finding> = report.checks.iter().filter(|f| matches!(f.result, Verdict::Fail | Verdict::Warn)).collect();
    let mut rules: Vec<&Finding> = Vec::new();
    for finding in &said {
        if !rules.iter().any(|rule| rule.id == finding.id) {
            rules.push(finding);
        }
    }
    let index = |finding: &Finding| rules.iter().position(|rule| rule.id == finding.id);
    let results: Vec<Value> = said.iter().map(|f| result(f, index(f), spec)).collect();
    // A result is an alert in code scanning, and what could not be asked is none.
    let open: Vec<Value> = report.checks.iter().filter(|f| f.result == Verdict::Skip).map(notification).collect();
    let driver = json!({
        "name": "karpctl",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.iter().map(|f| rule(f)).collect::<Vec<_>>(),
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": open }],
            "results": results,
        }],
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

/// What a finding says, of what.
fn text(finding: &Finding) -> Value {
    json!({ "text": unlinked(&format!("{}: {}", finding.subject, message_and_fixes(finding))) })
}

fn notification(finding: &Finding) -> Value {
    json!({ "descriptor": { "id": finding.id }, "level": "note", "message": text(finding) })
}

fn result(finding: &Finding, rule: Option<usize>, spec: &Path) -> Value {
    let mut result = json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "kind": "fail",
        "level": if finding.result == Verdict::Fail { "error" } else { "warning" },
        "message": text(finding),
        "locations": [location(finding, spec)],
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

/// The place in a file; where there is none the spec file, with the thing that was looked at.
fn location(finding: &Finding, spec: &Path) -> Value {
    let at = |file: &str, line: u32| json!({ "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } });
    if let Some(Place { file, line }) = &finding.place {
        return json!({ "physicalLocation": at(file, line.unwrap_or(1)) });
    }
    let spec: PathBuf = spec.components().filter(|part| *part != Component::CurDir).collect();
    json!({
        "physicalLocation": at(&spec.to_string_lossy(), 1),
        "logicalLocations": [{ "fullyQualifiedName": finding.subject }],
    })
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
        log(&cleaned(&sample::report()), Path::new("./clusters/team 1.yaml"))
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
        assert_eq!(results.len(), 3);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], rules[index]["id"]);
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            assert_eq!(result["kind"], "fail");
            assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        }
    }

    /// One result without is enough for GitHub to refuse the file.
    #[test]
    fn every_result_has_what_code_scanning_asks_for() {
        for result in made()["runs"][0]["results"].as_array().unwrap() {
            let place = &result["locations"][0]["physicalLocation"];
            assert!(!place["artifactLocation"]["uri"].as_str().unwrap().is_empty(), "{result}");
            assert!(place["region"]["startLine"].as_u64().unwrap() > 0, "{result}");
        }
    }

    #[test]
    fn a_check_is_one_rule_and_what_passes_or_is_skipped_is_no_result() {
        let log = made();
        let ids = |of: &Value, name: &str| of.as_array().unwrap().iter().map(|v| v[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&log["runs"][0]["tool"]["driver"]["rules"], "id"), ["is-broken", "is-odd"]);
        let results = &log["runs"][0]["results"];
        assert_eq!(ids(results, "ruleId"), ["is-broken", "is-odd", "is-odd"]);
        assert_eq!(ids(results, "level"), ["error", "warning", "warning"]);
        let open = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
        assert_eq!((open.as_array().unwrap().len(), &open[0]["descriptor"]["id"]), (1, &"not-asked".into()));
    }

    #[test]
    fn a_place_is_a_uri_with_a_line_and_what_is_found_in_no_file_is_placed_in_the_spec() {
        let log = made();
        let at = |n: usize| log["runs"][0]["results"][n]["locations"][0].clone();
        let uri = "file:///home/me/my%20kube%3Aconfig%2C1";
        assert_eq!(at(0), json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": 7 } } }));
        assert_eq!(at(1), json!({ "physicalLocation": { "artifactLocation": { "uri": "kube/config" }, "region": { "startLine": 1 } } }));
        assert!(at(2)["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap().starts_with("context a|b"));
        let spec = json!({ "artifactLocation": { "uri": "clusters/team%201.yaml" }, "region": { "startLine": 1 } });
        assert_eq!(at(2)["physicalLocation"], spec);
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
