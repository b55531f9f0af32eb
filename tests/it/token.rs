//! The credential plugin's answer.

use karpctl::error::ErrorKind;
use karpctl::knowledge::ExecApiVersion;
use karpctl::token::{answer, asked_for, expiry};
use serde_json::{Value, json};

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn version_for(exec_info: Option<&str>) -> String {
    let text = answer(asked_for(exec_info).unwrap(), "k8s-aws-v1.secret", at("2026-01-01T00:14:00Z"));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["kind"], "ExecCredential");
    assert_eq!(document["status"], json!({"expirationTimestamp": "2026-01-01T00:14:00Z", "token": "k8s-aws-v1.secret"}));
    document["apiVersion"].as_str().unwrap().to_owned()
}

fn asking(api_version: &str) -> String {
    json!({"kind": "ExecCredential", "apiVersion": api_version, "spec": {"interactive": false}}).to_string()
}

#[test]
fn answers_the_version_that_is_asked_for() {
    for version in ["v1alpha1", "v1beta1", "v1"] {
        let api_version = format!("client.authentication.k8s.io/{version}");
        assert_eq!(version_for(Some(&asking(&api_version))), api_version);
    }
}

#[test]
fn answers_v1beta1_where_nothing_is_asked() {
    for exec_info in [None, Some(""), Some(" \n")] {
        assert_eq!(version_for(exec_info), "client.authentication.k8s.io/v1beta1");
    }
}

#[test]
fn takes_an_exec_info_without_a_kind() {
    assert_eq!(version_for(Some(r#"{"apiVersion":"client.authentication.k8s.io/v1"}"#)), "client.authentication.k8s.io/v1");
}

#[test]
fn says_what_it_got_instead() {
    let all = [
        ("{", "it is not JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "it names no apiVersion"),
        (r#"{"apiVersion":"v1"}"#, "it asks for the apiVersion `v1`; known are client.authentication.k8s.io/v1alpha1, v1beta1 and v1"),
        (r#"{"kind":"Pod","apiVersion":"client.authentication.k8s.io/v1"}"#, "its kind is \"Pod\", not ExecCredential"),
        (
            r#"{"apiVersion":"client.authentication.k8s.io/v2"}"#,
            "it asks for the apiVersion `client.authentication.k8s.io/v2`; known are client.authentication.k8s.io/v1alpha1, v1beta1 and v1",
        ),
    ];
    for (exec_info, why) in all {
        let error = asked_for(Some(exec_info)).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Usage, "cannot read KUBERNETES_EXEC_INFO"));
        assert_eq!(error.causes, [why.to_owned(), format!("it is `{exec_info}`")]);
    }
}

#[test]
fn expires_a_minute_before_eks_says_no_and_without_a_fraction() {
    let expires = expiry(at("2026-01-01T00:00:00.6Z"));
    let document: Value = serde_json::from_str(&answer(ExecApiVersion::V1, "t", expires)).unwrap();
    assert_eq!(document["status"]["expirationTimestamp"], "2026-01-01T00:14:01Z");
}
