//! What goes wrong: one clear error with a hint, nothing half-written, and running again after the cure works.

use super::{Stage, stage};
use crate::adapters::serve;
use serde_json::json;

fn bootstrap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["bootstrap", "--existing-cluster", "--yes", "--timeout", "120"], more].concat()
}

#[test]
fn stacks_that_are_not_as_they_should_be() {
    let Some(stage) = stage("stacks") else { return };
    stage.existing("1.34", "API");
    foreign_stack(&stage);
    rolled_back_stack(&stage);
    tag_outside_ascii(&stage);
}

/// CloudFormation makes what it was sent, and answers `?` for it. A tag stays while nothing is said of tags, and goes where others are named.
fn tag_outside_ascii(stage: &Stage) {
    let iam = |more: &[&str]| stage.karpctl(&[&["iam", "--existing-cluster", "--yes"], more].concat()).exits(0);
    let role = format!("KarpenterNodeRole-{}", stage.cluster());
    let tags = || stage.aws(&["iam", "list-role-tags", "--role-name", &role])["Tags"].to_string();
    iam(&["--tag", "team=Größe"]);
    assert!(tags().contains("Größe"), "{}", tags());
    iam(&["--tag", "team=Größe"]).says("Nothing to do");
    let name = format!("Karpenter-{}", stage.cluster());
    let deployed = || stage.aws(&["cloudformation", "get-template", "--stack-name", &name])["TemplateBody"].to_string();
    assert!(deployed().contains("u00f6") && deployed().is_ascii(), "{}", deployed());
    iam(&[]).says("Nothing to do");
    // The emulator takes no tag from a role: what it was asked for is looked at.
    iam(&["--tag", "owner=lab"]);
    let of_stack = stage.aws(&["cloudformation", "describe-stacks", "--stack-name", &name])["Stacks"][0]["Tags"].to_string();
    assert!(!deployed().contains("u00f6") && !of_stack.contains("team") && of_stack.contains("owner"), "{of_stack} {}", deployed());
    iam(&[]).says("Nothing to do");
}

/// A stack of that name that the guide's own command made.
fn foreign_stack(stage: &Stage) {
    let template = stage.karpctl(&["render", "cloudformation", "--account-id", "123456789012", "--region", "us-west-2"]).exits(0).stdout;
    let file = stage.dir().join("cloudformation.yaml");
    std::fs::write(&file, template).unwrap();
    let name = format!("Karpenter-{}", stage.cluster());
    let body = format!("file://{}", file.display());
    let create =
        ["cloudformation", "create-stack", "--stack-name", &name, "--template-body", &body, "--capabilities", "CAPABILITY_NAMED_IAM"];
    stage.aws(&create);
    let before = stage.inventory();
    stage.karpctl(&bootstrap(&[])).exits(4).says("--adopt").says(&name);
    assert_eq!(stage.inventory(), before, "a refusal changes nothing");
    stage.karpctl(&bootstrap(&["--adopt"])).exits(0);
    stage.karpctl(&bootstrap(&[])).exits(0).says("Nothing to do");
    stage.karpctl(&["destroy", "--existing-cluster", "--yes", "--delete-crds"]).exits(0);
}

/// A creation that CloudFormation undid: a policy of that name is there.
fn rolled_back_stack(stage: &Stage) {
    let policy = format!("KarpenterControllerInterruptionPolicy-{}", stage.cluster());
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:GetQueueUrl","Resource":"*"}]}"#;
    let made = stage.aws(&["iam", "create-policy", "--policy-name", &policy, "--policy-document", document]);
    stage.karpctl(&bootstrap(&[])).exits(1).says("stack");
    let arn = made["Policy"]["Arn"].as_str().unwrap();
    stage.aws(&["iam", "delete-policy", "--policy-arn", arn]);
    stage.karpctl(&["bootstrap", "--existing-cluster", "--dry-run"]).exits(0).says("replace");
    stage.karpctl(&bootstrap(&[])).exits(0);
    stage.karpctl(&bootstrap(&[])).exits(0).says("Nothing to do");
}

#[test]
fn charts_that_cannot_be_had_and_releases_that_hang() {
    let Some(stage) = stage("charts") else { return };
    stage.existing("1.34", "API");
    stage.karpctl(&bootstrap(&["--chart-repository", "oci://public.ecr.aws/nobody"])).exits(1).says("chart").says("hint");
    stage.karpctl(&bootstrap(&["--chart-repository", "oci://registry.example/karpenter"])).exits(1).says("hint");
    // A registry that lets nobody in, and one that has not got it.
    for (status, code, said, hint) in [
        ("403 Forbidden", "DENIED", "403", "log in to the registry"),
        ("404 Not Found", "NAME_UNKNOWN", "not found", "check that the registry has it"),
    ] {
        let body = json!({"errors": [{"code": code, "message": "the test says so"}]}).to_string();
        let (registry, _) = serve(move |_| (status.to_owned(), body.clone()));
        let repository = format!("{}/karpenter", registry.replace("http://", "oci://"));
        stage.karpctl(&bootstrap(&["--chart-repository", &repository])).exits(1).says(said).says(hint);
    }
    // The cure: the right repository. What was done is kept.
    stage.karpctl(&bootstrap(&[])).exits(0);
    // A helm that was killed in the middle leaves its release pending.
    let secrets = stage.kubectl(&["-n", "kube-system", "get", "secret", "-l", "owner=helm,name=karpenter", "-o", "json"]);
    let name = secrets["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    pending(&stage, &name);
    stage.karpctl(&["status", "--existing-cluster", "--exit-code"]).exits(3).says("pending-install");
    stage.karpctl(&bootstrap(&[])).exits(0);
    stage.karpctl(&bootstrap(&[])).exits(0).says("Nothing to do");
}

/// Makes a helm release look as a killed `helm install` leaves it.
fn pending(stage: &Stage, secret: &str) {
    use base64::Engine as _;
    use std::io::{Read as _, Write as _};
    let base64 = base64::engine::general_purpose::STANDARD;
    let found = stage.kubectl(&["-n", "kube-system", "get", "secret", secret, "-o", "json"]);
    let outer = base64.decode(found["data"]["release"].as_str().unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(base64.decode(outer).unwrap().as_slice()).read_to_string(&mut text).unwrap();
    let mut release: serde_json::Value = serde_json::from_str(&text).unwrap();
    release["info"]["status"] = json!("pending-install");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(release.to_string().as_bytes()).unwrap();
    let data = base64.encode(base64.encode(packed.finish().unwrap()));
    let patch = json!({"metadata": {"labels": {"status": "pending-install"}}, "data": {"release": data}}).to_string();
    stage.kubectl(&["-n", "kube-system", "patch", "secret", secret, "--type", "merge", "-p", &patch, "-o", "json"]);
}

#[test]
fn crds_of_somebody_else() {
    let Some(stage) = stage("crds") else { return };
    stage.existing("1.34", "API");
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "nodepools.karpenter.sh", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {"group": "karpenter.sh", "scope": "Cluster", "names": {"kind": "NodePool", "plural": "nodepools", "singular": "nodepool"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}
    });
    let file = stage.dir().join("crd.json");
    std::fs::write(&file, crd.to_string()).unwrap();
    stage.kubectl(&["apply", "-f", file.to_str().unwrap(), "-o", "json"]);
    stage.karpctl(&bootstrap(&[])).exits(4).says("nodepools.karpenter.sh").says("--adopt");
    // Whose home cannot be written to is told so, and served all the same.
    let mut adopting = stage.command(&bootstrap(&["--adopt"]));
    adopting.env("XDG_STATE_HOME", &file);
    super::Ended::from(adopting.output().unwrap()).exits(0).says("no journal is kept");
}

#[test]
fn credentials_that_do_not_work() {
    let Some(stage) = stage("creds") else { return };
    let none = |words: &[&str]| {
        let mut command = stage.command(words);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        super::Ended::from(command.output().unwrap())
    };
    none(&["bootstrap", "--dry-run"]).exits(1).says("credentials").says("hint");
    let expired = r"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let fault =
        json!([{"service": "sts", "action": ".*", "times": 20, "status": 403, "headers": {"content-type": "text/xml"}, "body": expired}]);
    stage.lab().post("faults", &fault).unwrap();
    stage.karpctl(&["bootstrap", "--dry-run"]).exits(1).says("expired");
    stage.lab().clear_faults().unwrap();
    stage.karpctl(&["bootstrap", "--dry-run", "--account-id", "999999999999"]).exits(4).says("123456789012").says("999999999999");
    let mut nowhere = stage.command(&["bootstrap", "--dry-run"]);
    nowhere.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_MAX_ATTEMPTS", "1");
    super::Ended::from(nowhere.output().unwrap()).exits(1).says("hint");
}
