//! What the doctor finds in an account where a cluster is still to be made, and of the key that a cluster was made with: broken for real,
//! found, mended by the cures as they are printed, and found no more.

use super::stage;
use super::ward::Ward;
use serde_json::json;

#[test]
fn the_quotas_of_a_new_account_are_raised_as_printed() {
    let Some(stage) = stage("grows") else { return };
    // Somebody else's cluster has taken four of the five vCPUs of a new account.
    let other = json!({"name": "other", "version": "1.34", "authenticationMode": "API"});
    stage.lab().make_cluster(&other).unwrap();
    let ward = Ward::new(stage, &["--karpenter-version", "1.14.1"]);
    let check = "vcpu-quotas";

    let found = ward.finds(check, "fail", "4 of 5 are in use, and the first nodes of grows-ng take 4: VcpuLimitExceeded");
    ward.cured(&found, &[0]);

    // The pool buys spot besides, of which there is none left; then it may grow beyond what the quota lets run.
    ward.spec_file(&json!({"nodePool": {"capacityTypes": ["spot", "on-demand"], "cpuLimit": 16}}));
    let instance = |market: &[&str]| {
        let words = ["ec2", "run-instances", "--image-id", "ami-12345678", "--instance-type", "m5.large", "--count", "2"];
        ward.aws(&[&words[..], market].concat());
    };
    instance(&["--instance-market-options", "MarketType=spot"]);
    let said = ward.ask(check);
    let spot = said.iter().find(|f| f["subject"] == "Spot vCPUs in us-west-2").unwrap_or_else(|| panic!("{said:#?}"));
    assert_eq!(spot["result"], "warn", "{spot:#}");
    assert!(
        spot["message"].as_str().unwrap().contains("4 of 5 are in use: the node pool can launch nothing: MaxSpotInstanceCountExceeded"),
        "{spot:#}"
    );
    ward.cure(spot, 0);
    let found = ward.finds(check, "warn", "the node pool may grow to 16 (nodePool.cpuLimit), and the quota ends it at 16");
    assert_eq!(found["subject"], "On-Demand vCPUs in us-west-2");
    ward.cured(&found, &[0]);
}

#[test]
fn the_key_of_the_secrets_is_mended_as_printed() {
    let Some(stage) = stage("secret") else { return };
    let ward = Ward::new(stage, &["--karpenter-version", "1.14.1"]);
    let aws = |words: &[&str]| ward.aws(words);
    let key = aws(&["kms", "create-key"])["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let check = "secrets-key";

    // The cluster is to be made, by somebody whom neither the key nor IAM lets use the key.
    ward.spec_file(&json!({"kmsKey": key}));
    aws(&["iam", "create-user", "--user-name", "ops"]);
    let ops = ward.as_user("ops");
    let found = ops.finds(check, "fail", ":user/ops do kms:CreateGrant, kms:DescribeKey");
    ward.cure(&found, 0);
    ops.passes(check);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ops.finds(check, "fail", "is Disabled");
    ward.cure(&found, 0);
    ops.passes(check);
    let nowhere = key.rsplit_once('/').unwrap().0.to_owned() + "/00000000-0000-0000-0000-000000000000";
    ward.spec_file(&json!({"kmsKey": nowhere}));
    ops.finds(check, "fail", "there is no such key");

    // The cluster is there, and was made with the key: nobody else says so.
    std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();
    let wanted = json!({"name": "secret", "version": "1.34", "authenticationMode": "API", "kms_key": key});
    ward.lab().make_cluster(&wanted).unwrap();
    assert_eq!(aws(&["eks", "describe-cluster", "--name", "secret"])["cluster"]["encryptionConfig"][0]["provider"]["keyArn"], key.as_str());
    let ward = ward.with(&["--existing-cluster"]);
    ward.passes(check);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is Disabled");
    assert_eq!(found["subject"], "secrets of secret");
    ward.cured(&found, &[0]);
    aws(&["kms", "schedule-key-deletion", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is PendingDeletion");
    ward.cured(&found, &[0, 1]);
}
