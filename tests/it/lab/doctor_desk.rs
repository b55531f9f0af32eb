//! What the doctor finds on a person's own desk: programs, the kubeconfig as the real aws writes it, credentials and permissions. Each is
//! broken for real, the real client says so where it can, and what is printed mends it.

use super::ward::Ward;
use super::{Ended, stage};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whether the kubeconfig lets kubectl in.
fn kubectl(ward: &Ward, file: &str) -> Ended {
    ward.types(&["kubectl", "--kubeconfig", file, "get", "namespace", "default", "--request-timeout", "60s"])
}

fn edit(file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

fn mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed() {
    let Some(stage) = stage("desk") else { return };
    stage.existing("1.34", "API");
    let file = stage.dir().join("kubeconfig").to_str().unwrap().to_owned();
    let bare = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]).without("KUBECONFIG");
    let ward = bare.with(&["--kubeconfig", &file]);

    // There is none, where every client looks for one.
    let found = bare.finds_with_each("exec-kubeconfig", "fail", "there is no kubeconfig in");
    bare.cured(&found[0], &[0]);

    ward.aws_text(&["eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file]);
    mode(Path::new(&file), 0o600);
    for check in ["exec-kubeconfig", "exec-command", "kubeconfig-readable", "kubeconfig-profile", "tool-programs"] {
        ward.passes(check);
    }
    kubectl(&ward, &file).exits(0);

    // Others may read it, and a helm that looks says so.
    let kept = ward.kept("helm-3.16.4").display().to_string();
    let helm = || ward.types(&[&kept, "list", "--kubeconfig", &file]).exits(0).stderr;
    mode(Path::new(&file), 0o644);
    assert!(helm().contains("world-readable"));
    let found = ward.finds_with_each("kubeconfig-readable", "warn", "others on this machine may read it");
    ward.cured(&found[0], &[0]);
    assert!(!helm().contains("readable"));

    // Its plugin is not on this machine.
    edit(&file, "command: aws\n", "command: aws-of-old\n");
    let found = ward.finds_with_each("exec-command", "fail", "executable aws-of-old not found");
    kubectl(&ward, &file).exits(1).says("executable aws-of-old not found");
    assert!(found[0]["fixes"][1]["title"].as_str().unwrap_or_default().contains("by its whole path"), "{found:#?}");
    ward.cured(&found[0], &[0]);
    kubectl(&ward, &file).exits(0);

    // Its current context is gone.
    let arn = format!("arn:aws:eks:us-west-2:{}:cluster/desk", ward.lab().ready.account);
    edit(&file, &format!("current-context: {arn}"), "current-context: gone");
    let found = ward.finds_with_each("exec-kubeconfig", "fail", "has no context `gone`");
    kubectl(&ward, &file).exits(1);
    let listed = ward.cure(&found[0], 0);
    assert!(listed.contains(&arn), "{listed}");
    ward.run(&["kubectl", "config", "use-context", &arn, "--kubeconfig", &file]);
    ward.passes("exec-kubeconfig");

    // The profile of whoever wrote it is not the one in use.
    let config = ward.dir().join("aws-config");
    let of = |name: &str| format!("[{name}]\nregion = us-west-2\naws_access_key_id = test\naws_secret_access_key = test\n");
    std::fs::write(&config, of("default") + &of("profile work")).unwrap();
    // Keys in the environment would go before every profile.
    let ward = ward.having("AWS_CONFIG_FILE", config.to_str().unwrap()).having("AWS_ACCESS_KEY_ID", "").having("AWS_SECRET_ACCESS_KEY", "");
    ward.run(&["aws", "eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file, "--profile", "work"]);
    let found = ward.finds_with_each("kubeconfig-profile", "warn", "has the plugin use the profile work, and no profile is in use here");
    ward.cured(&found[0], &[0]);
    let ward = ward.having("AWS_PROFILE", "work");
    ward.run(&["aws", "eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file, "--profile", "work"]);
    ward.passes("kubeconfig-profile");

    // A profile of another account, which the plugin is given by a flag. The emulator has one account: the gate answers for its key.
    let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:aws:iam::999900001111:user/ops</Arn><UserId>AIDAOTHER</UserId><Account>999900001111</Account>\
                </GetCallerIdentityResult><ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
    let answer = json!([{"service": "sts", "action": "GetCallerIdentity", "key": "other", "times": 0, "status": 200,
        "headers": {"content-type": "text/xml"}, "body": body}]);
    ward.lab().post("faults", &answer).unwrap();
    let other = "[profile other]\nregion = us-west-2\naws_access_key_id = other\naws_secret_access_key = other\n";
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + other).unwrap();
    let account = ward.types(&["aws", "sts", "get-caller-identity", "--profile", "other", "--query", "Account"]).exits(0).stdout;
    assert_eq!(account.trim(), "\"999900001111\"");
    edit(&file, "      - get-token\n", "      - get-token\n      - --profile\n      - other\n");
    let of =
        format!("uses the profile other, which is of account 999900001111, and the cluster is of account {}", ward.lab().ready.account);
    ward.finds_with_each("kubeconfig-profile", "warn", &of);
    ward.run(&["aws", "eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file, "--profile", "work"]);
    ward.passes("kubeconfig-profile");
    ward.lab().clear_faults().unwrap();

    // Another helm goes before the one that was upgraded, and an eksctl is made for another machine.
    let behind = ward.program("helm").display().to_string();
    let first = ward.dir().join("first");
    std::fs::create_dir(&first).unwrap();
    let ward = ward.first_on_path(&first);
    std::os::unix::fs::symlink(ward.kept("helm-3.9.4"), first.join("helm")).unwrap();
    // This machine may have a kubectl of its own behind the lab's.
    let helms = || {
        let mut said = ward.ask("client-shadowed");
        said.retain(|f| f["subject"].as_str().unwrap().starts_with("helm "));
        (said.len(), said[0]["result"].as_str().unwrap().to_owned(), said[0]["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(helms(), (1, "warn".into(), format!("goes before {behind} on PATH")));
    let found = ward.bad("client-shadowed").into_iter().find(|f| f["subject"].as_str().unwrap().starts_with("helm ")).unwrap();
    let named = ward.taking(&found);
    let said = named.ask("client-shadowed").into_iter().find(|f| f["subject"].as_str().unwrap().starts_with("helm ")).unwrap();
    assert_eq!(said["result"], "pass", "{said:#}");
    std::fs::remove_file(first.join("helm")).unwrap();
    assert_eq!(helms().1, "pass");
    let behind = ward.program("aws");
    std::fs::copy(std::fs::canonicalize(&behind).unwrap(), first.join("aws")).unwrap();
    let mut said = ward.ask("client-shadowed");
    said.retain(|f| f["subject"].as_str().unwrap().starts_with("aws "));
    assert!(said[0]["message"].as_str().unwrap().contains(&behind.display().to_string()), "{said:#?}");
    std::fs::remove_file(first.join("aws")).unwrap();

    let mut program = std::fs::read("/bin/true").unwrap();
    // e_machine, 183: AArch64
    program[18..20].copy_from_slice(&[183, 0]);
    std::fs::write(first.join("eksctl"), program).unwrap();
    mode(&first.join("eksctl"), 0o755);
    let found = ward.finds("tool-programs", "fail", "does not run here");
    assert_eq!(found["subject"], "eksctl", "{found:#}");
    ward.cured(&found, &[0]);
}

#[test]
fn credentials_permissions_and_the_spot_role_are_mended_as_printed() {
    let Some(stage) = stage("caller") else { return };
    stage.existing("1.34", "API");
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]);

    ward.passes("aws-credentials");
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the request is \
                expired</Message></Error></ErrorResponse>";
    let fault = json!([{"service": "sts", "action": "GetCallerIdentity", "times": 0, "status": 403,
        "headers": {"content-type": "text/xml"}, "body": body}]);
    ward.lab().post("faults", &fault).unwrap();
    let found = ward.finds("aws-credentials", "fail", "expired");
    assert_eq!(found["fixes"][0]["command"], json!(["aws", "sts", "get-caller-identity"]));
    ward.types(&["aws", "sts", "get-caller-identity"]).exits(255).says("ExpiredToken");
    ward.lab().clear_faults().unwrap();
    ward.passes("aws-credentials");

    // An account that has never had a Spot instance.
    ward.tool("aws", &["iam", "delete-role", "--role-name", "AWSServiceRoleForEC2Spot"]);
    let found = ward.finds("spot-role", "warn", "is not there yet");
    ward.cured(&found, &[0]);

    // Somebody who may do nothing, then ask what they may do, then do it: each by the policy that is printed. A condition of another policy makes
    // nothing unsure.
    let aws = |words: &[&str]| ward.aws(words);
    aws(&["iam", "create-user", "--user-name", "ops"]);
    let allow = |name: &str, policy: &str| {
        aws(&["iam", "put-user-policy", "--user-name", "ops", "--policy-name", name, "--policy-document", policy]);
    };
    let ops = ward.as_user("ops");
    ward.lab().post("settings", &json!({"strict": true})).unwrap();
    let found = ops.finds("caller-permissions", "warn", "IAM may not be asked");
    allow("ask", &ops.cure(&found, 0));
    let statement = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}});
    allow("own", &json!({"Version": "2012-10-17", "Statement": [statement]}).to_string());
    let found = ops.finds("caller-permissions", "fail", "is not authorized to perform: ");
    let printed = ops.cure(&found, 0);
    allow("work", &printed);
    ops.passes("caller-permissions");
}
