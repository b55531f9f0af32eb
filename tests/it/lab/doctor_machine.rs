//! What the doctor finds on this machine and of the chart registry, with the lab's AWS and registry.

use super::stage;
use super::ward::Ward;
use serde_json::json;

#[test]
fn a_clock_a_login_and_a_tag_are_told_before_they_break_anything() {
    let Some(stage) = stage("machine") else { return };
    stage.existing("1.34", "API");
    let ward = Ward::new(stage, &["--existing-cluster"]);

    // AWS refuses everything over the clock, and its refusal says what time it is.
    ward.passes("clock-skew");
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>";
    let headers = json!({"content-type": "text/xml", "Date": "Sun, 01 Nov 2026 01:00:00 GMT"});
    let fault = json!([{"service": "sts", "action": "GetCallerIdentity", "times": 0, "status": 403, "headers": headers, "body": body}]);
    ward.lab().post("faults", &fault).unwrap();
    ward.finds("clock-skew", "fail", "that of AWS, which then refuses what is signed here");
    ward.lab().clear_faults().unwrap();
    ward.passes("clock-skew");

    ward.passes("chart-tag");
    ward.with(&["--karpenter-version", "1.13.0"]).finds("chart-tag", "fail", "is not in the registry");

    ward.passes("registry-login");
    let login = ward.dir().join("login.json");
    std::fs::write(&login, r#"{"credHelpers": {"public.ecr.aws": "nowhere"}}"#).unwrap();
    let named = ward.with(&["--registry-config", login.to_str().unwrap()]);
    named.finds("registry-login", "fail", "docker-credential-nowhere, which is not on PATH");
}
