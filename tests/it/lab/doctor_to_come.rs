//! What the doctor finds in an account where a cluster is still to be made, and of the key that a cluster was made with: broken for real,
//! found, mended by the cures as they are printed, and found no more.

use super::doctor_cluster::Ward;
use super::stage;
use serde_json::{Value, json};

/// What one check says of a cluster that karpctl makes, with these variables.
#[track_caller]
fn ask(ward: &Ward, check: &str, env: &[(&str, &str)]) -> Vec<Value> {
    let mut command = ward.stage.command(&["doctor", "--karpenter-version", "1.14.1", "--only", check, "-o", "json"]);
    let ended = super::Ended::from(command.envs(env.iter().copied()).output().unwrap());
    assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
    ended.json()["checks"].as_array().unwrap().clone()
}

/// The one thing that it finds, which is this.
#[track_caller]
fn finds(ward: &Ward, check: &str, env: &[(&str, &str)], result: &str, words: &str) -> Value {
    let said = ask(ward, check, env);
    let bad: Vec<&Value> = said.iter().filter(|f| f["result"] != "pass").collect();
    assert!(bad.len() == 1 && bad[0]["result"] == result, "{check}: {said:#?}");
    assert!(bad[0]["message"].as_str().unwrap().contains(words), "{check}: `{words}` is not in {:#}", bad[0]);
    bad[0].clone()
}

/// Runs a cure as it is printed, after which the check is content.
#[track_caller]
fn cured(ward: &Ward, check: &str, env: &[(&str, &str)], finding: &Value) {
    let words: Vec<&str> = finding["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    ward.run(&words);
    let said = ask(ward, check, env);
    assert!(said.iter().all(|f| f["result"] == "pass"), "{check}: {said:#?}");
}

fn spec_file(ward: &Ward, spec: &Value) {
    std::fs::write(ward.stage.dir().join("karpctl.yaml"), spec.to_string()).unwrap();
}

#[test]
fn the_quotas_of_a_new_account_are_raised_as_printed() {
    let Some(stage) = stage("grows") else { return };
    // Somebody else's cluster has taken four of the five vCPUs of a new account.
    let other = json!({"name": "other", "version": "1.34", "authenticationMode": "API"});
    stage.lab().make_cluster(&other).unwrap();
    let ward = Ward { stage };
    let check = "vcpu-quotas";

    let found = finds(&ward, check, &[], "fail", "4 of 5 are in use, and the first nodes of grows-ng take 4: VcpuLimitExceeded");
    cured(&ward, check, &[], &found);

    // The pool buys spot besides, of which there is none left; then it may grow beyond what the quota lets run.
    spec_file(&ward, &json!({"nodePool": {"capacityTypes": ["spot", "on-demand"], "cpuLimit": 16}}));
    let instance = |market: &[&str]| {
        let words = ["ec2", "run-instances", "--image-id", "ami-12345678", "--instance-type", "m5.large", "--count", "2"];
        ward.stage.aws(&[&words[..], market].concat());
    };
    instance(&["--instance-market-options", "MarketType=spot"]);
    let said = ask(&ward, check, &[]);
    let spot = said.iter().find(|f| f["subject"] == "Spot vCPUs in us-west-2").unwrap_or_else(|| panic!("{said:#?}"));
    assert_eq!(spot["result"], "warn", "{spot:#}");
    assert!(
        spot["message"].as_str().unwrap().contains("4 of 5 are in use: the node pool can launch nothing: MaxSpotInstanceCountExceeded"),
        "{spot:#}"
    );
    let raise = |finding: &Value| {
        let words: Vec<&str> = finding["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        ward.run(&words);
    };
    raise(spot);
    let found = finds(&ward, check, &[], "warn", "the node pool may grow to 16 (nodePool.cpuLimit), and the quota ends it at 16");
    assert_eq!(found["subject"], "On-Demand vCPUs in us-west-2");
    cured(&ward, check, &[], &found);
}

#[test]
fn the_key_of_the_secrets_is_mended_as_printed() {
    let Some(stage) = stage("secret") else { return };
    let ward = Ward { stage };
    let aws = |words: &[&str]| ward.stage.aws(words);
    let key = aws(&["kms", "create-key"])["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let check = "secrets-key";

    // The cluster is to be made, by somebody whom neither the key nor IAM lets use the key.
    spec_file(&ward, &json!({"kmsKey": key}));
    aws(&["iam", "create-user", "--user-name", "ops"]);
    let made = aws(&["iam", "create-access-key", "--user-name", "ops"])["AccessKey"].clone();
    let ops = [
        ("AWS_ACCESS_KEY_ID", made["AccessKeyId"].as_str().unwrap()),
        ("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"].as_str().unwrap()),
    ];
    let found = finds(&ward, check, &ops, "fail", ":user/ops do kms:CreateGrant, kms:DescribeKey");
    cured(&ward, check, &ops, &found);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = finds(&ward, check, &ops, "fail", "is Disabled");
    cured(&ward, check, &ops, &found);
    let nowhere = key.rsplit_once('/').unwrap().0.to_owned() + "/00000000-0000-0000-0000-000000000000";
    spec_file(&ward, &json!({"kmsKey": nowhere}));
    finds(&ward, check, &ops, "fail", "there is no such key");

    // The cluster is there, and was made with the key: nobody else says so.
    std::fs::remove_file(ward.stage.dir().join("karpctl.yaml")).unwrap();
    let wanted = json!({"name": "secret", "version": "1.34", "authenticationMode": "API", "kms_key": key});
    ward.stage.lab().make_cluster(&wanted).unwrap();
    assert_eq!(aws(&["eks", "describe-cluster", "--name", "secret"])["cluster"]["encryptionConfig"][0]["provider"]["keyArn"], key.as_str());
    ward.cured(check, &Value::Null, &[]);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is Disabled");
    assert_eq!(found["subject"], "secrets of secret");
    ward.cured(check, &found, &[0]);
    aws(&["kms", "schedule-key-deletion", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is PendingDeletion");
    ward.cured(check, &found, &[0, 1]);
}
