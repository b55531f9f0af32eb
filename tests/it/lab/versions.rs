//! `versions --compare` with a registry that has the real charts, and with what EKS answers.

use super::{Ended, Stage, stage};
use serde_json::{Value, json};
use std::path::Path;

const COMPARE: [&str; 3] = ["versions", "--compare", "--exit-code"];

#[test]
fn the_table_is_compared_with_the_registry_and_with_eks() {
    let Some(stage) = stage("compared") else { return };
    let words = || [&COMPARE[..], &["-o", "json"]].concat();
    let now = stage.karpctl(&words()).exits(0).json();
    let repository = "oci://public.ecr.aws/karpenter/karpenter";
    assert_eq!((&now["charts"]["compared"], &now["charts"]["repository"]), (&json!(true), &json!(repository)));
    assert_eq!((&now["kubernetes"]["compared"], &now["behind"]), (&json!(true), &json!(false)));
    let nothing = json!({ "unlisted": [], "notOffered": [], "otherDates": [] });
    assert_eq!(now["kubernetes"]["found"], nothing);
    assert_eq!(now["charts"]["found"]["unlisted"], json!([]));
    // The registry of the lab has the charts of these three.
    let without: Vec<&Value> = now["charts"]["found"]["withoutChart"].as_array().unwrap().iter().collect();
    assert!(without.contains(&&json!("1.0.7")) && !["0.17.0", "1.0.8", "1.14.1"].iter().any(|r| without.contains(&&json!(r))), "{now:#}");
    let text = stage.karpctl(&COMPARE).exits(0).says("The table is up to date.").stdout;
    assert!(text.contains("table without a chart:  0.18.0 to 1.0.7, 1.0.9 to 1.14.0\n"), "{text}");

    release_a_chart(&stage, "karpenter", "1.14.1", "1.99.0");
    let behind = stage.karpctl(&words()).exits(3).json();
    assert_eq!((&behind["behind"], &behind["charts"]["found"]["unlisted"]), (&json!(true), &json!(["1.99.0"])));
    stage.karpctl(&COMPARE).exits(3).says("not in the table:       1.99.0").says("The table is behind.");

    let moved = json!({ "clusterVersions": [
        { "clusterVersion": "1.99", "versionStatus": "STANDARD_SUPPORT" },
        { "clusterVersion": "1.36", "versionStatus": "STANDARD_SUPPORT", "endOfStandardSupportDate": 1_817_596_800 },
    ]});
    let fault = json!({ "service": "eks", "action": "DescribeClusterVersions", "status": 200, "body": moved.to_string() });
    stage.lab().post("faults", &fault).unwrap();
    let other = stage.karpctl(&words()).exits(3).json()["kubernetes"]["found"].clone();
    assert_eq!(other["unlisted"], json!(["1.99"]));
    assert!(other["notOffered"].as_array().unwrap().contains(&json!("1.35")), "{other}");
    assert_eq!(other["otherDates"], json!(["Kubernetes 1.36: EKS ends standard support on 2027-08-07, the table says 2027-08-02"]));
}

/// Puts a real chart into the registry as another version, with the real helm.
pub(super) fn release_a_chart(stage: &Stage, chart: &str, of: &str, version: &str) {
    let helm = |words: &[&str]| Ended::from(stage.tool("helm", words)).exits(0);
    let at = |name: &str| stage.dir().join(name).to_str().unwrap().to_owned();
    let (from, charts) = (format!("oci://public.ecr.aws/karpenter/{chart}"), format!("charts-{chart}-{version}"));
    helm(&["pull", &from, "--version", of, "--untar", "--untardir", &at(&charts)]);
    helm(&["package", &at(&format!("{charts}/{chart}")), "--version", version, "--destination", &at("")]);
    let packed = at(&format!("{chart}-{version}.tgz"));
    assert!(Path::new(&packed).exists());
    helm(&["push", &packed, "oci://public.ecr.aws/karpenter"]);
}
