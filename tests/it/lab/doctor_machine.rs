//! What the doctor finds on this machine and of the chart registry, with the lab's AWS and registry.

use super::stage;
use serde_json::json;

#[test]
fn a_clock_a_login_and_a_tag_are_told_before_they_break_anything() {
    let Some(stage) = stage("machine") else { return };
    stage.existing("1.34", "API");
    let result = |id: &str, more: &[&str]| {
        let report = stage.karpctl(&[&["doctor", "--existing-cluster", "--only", id, "-o", "json"], more].concat());
        let found = serde_json::from_str::<serde_json::Value>(&report.stdout).unwrap_or_else(|e| panic!("{e}: {}", report.stderr));
        (found["checks"][0]["result"].as_str().unwrap().to_owned(), found["checks"][0]["message"].as_str().unwrap().to_owned())
    };
    let passes = |id: &str| assert_eq!(result(id, &[]).0, "pass", "{:?}", result(id, &[]));

    // AWS refuses everything over the clock, and its refusal says what time it is.
    passes("clock-skew");
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>";
    let headers = json!({"content-type": "text/xml", "Date": "Sun, 01 Nov 2026 01:00:00 GMT"});
    let fault = json!([{"service": "sts", "action": "GetCallerIdentity", "times": 0, "status": 403, "headers": headers, "body": body}]);
    stage.lab().post("faults", &fault).unwrap();
    let (verdict, message) = result("clock-skew", &[]);
    assert!(verdict == "fail" && message.contains("that of AWS, which then refuses what is signed here"), "{verdict}: {message}");
    stage.lab().clear_faults().unwrap();
    passes("clock-skew");

    passes("chart-tag");
    let (verdict, message) = result("chart-tag", &["--karpenter-version", "1.13.0"]);
    assert_eq!((verdict.as_str(), message.as_str()), ("fail", "is not in the registry"));

    passes("registry-login");
    let login = stage.dir().join("login.json");
    std::fs::write(&login, r#"{"credHelpers": {"public.ecr.aws": "nowhere"}}"#).unwrap();
    let (verdict, message) = result("registry-login", &["--registry-config", login.to_str().unwrap()]);
    assert!(verdict == "fail" && message.contains("docker-credential-nowhere, which is not on PATH"), "{verdict}: {message}");
}
