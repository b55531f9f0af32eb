//! What the doctor finds on a person's own desk: programs, the kubeconfig as the real aws writes it, credentials and permissions. Each is
//! broken for real, the real client says so where it can, and what is printed mends it.

use super::doctor_cluster::Ward;
use super::{Ended, stage};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A person with a kubeconfig of their own, and an environment.
struct Desk {
    ward: Ward,
    kubeconfig: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Desk {
    fn command(&self, program: &Path, words: &[&str]) -> Ended {
        let mut command: Command = self.ward.stage.lab().command(program);
        command.args(words).envs(self.env.iter().map(|(k, v)| (*k, v))).current_dir(self.ward.stage.dir());
        command.output().unwrap().into()
    }

    fn ask(&self, check: &str, more: &[&str]) -> Vec<Value> {
        let words = ["doctor", "--existing-cluster", "--karpenter-version", "1.14.1", "--cluster-name", self.ward.stage.cluster()];
        let words = [&words[..], &["--only", check, "-o", "json"], more].concat();
        let ended = self.command(Path::new(env!("CARGO_BIN_EXE_karpctl")), &words);
        assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
        ended.json()["checks"].as_array().unwrap().clone()
    }

    /// The clients with which something is wrong; each says the same.
    #[track_caller]
    fn finds(&self, check: &str, more: &[&str], result: &str, words: &str) -> Value {
        let said = self.ask(check, more);
        let bad: Vec<&Value> = said.iter().filter(|f| f["result"] != "pass").collect();
        assert!(!bad.is_empty(), "{check} finds nothing: {said:#?}");
        for finding in &bad {
            assert_eq!(finding["result"], result, "{check}: {finding:#}");
            assert!(finding["message"].as_str().unwrap().contains(words), "{check}: `{words}` is not in {finding:#}");
        }
        bad[0].clone()
    }

    #[track_caller]
    fn passes(&self, check: &str, more: &[&str]) {
        let said = self.ask(check, more);
        assert!(!said.is_empty() && said.iter().all(|f| f["result"] == "pass"), "{check}: {said:#?}");
    }

    /// Runs the first cure that is a command, as it is printed.
    #[track_caller]
    fn cure(&self, finding: &Value) {
        let words: Vec<&str> = finding["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        self.command(&self.program(words[0]), &words[1..]).exits(0);
    }

    fn program(&self, name: &str) -> PathBuf {
        if name == "karpctl" {
            return env!("CARGO_BIN_EXE_karpctl").into();
        }
        let path = &self.ward.stage.lab().ready.env["PATH"];
        path.split(':').map(|d| Path::new(d).join(name)).find(|f| f.exists()).unwrap_or_else(|| panic!("no {name}"))
    }

    fn kubectl(&self) -> Ended {
        let file = self.kubeconfig.to_str().unwrap();
        self.command(&self.program("kubectl"), &["--kubeconfig", file, "get", "namespace", "default", "--request-timeout", "60s"])
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.kubeconfig).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&self.kubeconfig, text.replace(from, to)).unwrap();
    }
}

/// A program of a certain version.
fn lab_program(desk: &Desk, name: &str) -> PathBuf {
    Path::new(&desk.ward.stage.lab().ready.env["KARPCTL_LAB_CACHE"]).join("bin").join(name)
}

fn mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_kubeconfig_and_the_programs_beside_it_are_mended_as_printed() {
    let Some(stage) = stage("desk") else { return };
    stage.existing("1.34", "API");
    let kubeconfig = stage.dir().join("kubeconfig");
    // So that what is printed names the cluster, without a look at AWS.
    let env = vec![("AWS_ACCOUNT_ID", stage.lab().ready.account.clone())];
    let mut desk = Desk { ward: Ward { stage }, kubeconfig, env };
    let file = desk.kubeconfig.to_str().unwrap().to_owned();
    let named = ["--kubeconfig", file.as_str()];

    // There is none, where every client looks for one.
    let found = desk.finds("exec-kubeconfig", &[], "fail", "there is no kubeconfig in");
    desk.cure(&found);
    desk.passes("exec-kubeconfig", &[]);

    desk.ward.stage.aws_text(&["eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file]);
    mode(&desk.kubeconfig, 0o600);
    for check in ["exec-kubeconfig", "exec-command", "kubeconfig-readable", "kubeconfig-profile", "tool-programs"] {
        desk.passes(check, &named);
    }
    desk.kubectl().exits(0);

    // Others may read it, and a helm that looks says so.
    let helm = |desk: &Desk| desk.command(&lab_program(desk, "helm-3.16.4"), &["list", "--kubeconfig", &file]).exits(0).stderr;
    mode(&desk.kubeconfig, 0o644);
    assert!(helm(&desk).contains("world-readable"));
    let found = desk.finds("kubeconfig-readable", &named, "warn", "others on this machine may read it");
    desk.cure(&found);
    desk.passes("kubeconfig-readable", &named);
    assert!(!helm(&desk).contains("readable"));

    // Its plugin is not on this machine.
    desk.edit("command: aws\n", "command: aws-of-old\n");
    let found = desk.finds("exec-command", &named, "fail", "executable aws-of-old not found");
    desk.kubectl().exits(1).says("executable aws-of-old not found");
    assert!(found["fixes"][0]["title"].as_str().unwrap_or_default().contains("by its whole path"), "{found:#}");
    desk.edit("command: aws-of-old\n", &format!("command: {}\n", desk.program("aws").display()));
    desk.passes("exec-command", &named);
    desk.kubectl().exits(0);

    // Its current context is gone.
    let text = std::fs::read_to_string(&desk.kubeconfig).unwrap();
    let current = text.lines().find(|line| line.starts_with("current-context:")).unwrap().to_owned();
    desk.edit(&current, "current-context: gone");
    let found = desk.finds("exec-kubeconfig", &named, "fail", "has no context `gone`");
    desk.kubectl().exits(1);
    desk.cure(&found);
    desk.edit("current-context: gone", &current);
    desk.passes("exec-kubeconfig", &named);

    // The profile of whoever wrote it is not the one in use.
    let config = desk.ward.stage.dir().join("aws-config");
    std::fs::write(&config, "[profile work]\nregion = us-west-2\naws_access_key_id = test\naws_secret_access_key = test\n").unwrap();
    desk.env.push(("AWS_CONFIG_FILE", config.to_str().unwrap().into()));
    let words = ["eks", "update-kubeconfig", "--name", "desk", "--kubeconfig", &file, "--profile", "work"];
    desk.command(&desk.program("aws"), &words).exits(0);
    desk.finds("kubeconfig-profile", &named, "warn", "has the plugin use the profile work, and no profile is in use here");
    desk.env.push(("AWS_PROFILE", "work".into()));
    desk.passes("kubeconfig-profile", &named);

    // Another helm goes before the one that was upgraded, and an eksctl is made for another machine.
    let first = desk.ward.stage.dir().join("first");
    std::fs::create_dir(&first).unwrap();
    desk.env.push(("PATH", format!("{}:{}", first.display(), desk.ward.stage.lab().ready.env["PATH"])));
    std::os::unix::fs::symlink(lab_program(&desk, "helm-3.9.4"), first.join("helm")).unwrap();
    // This machine may have a kubectl of its own behind the lab's.
    let helms = |desk: &Desk| {
        let mut said = desk.ask("client-shadowed", &named);
        said.retain(|f| f["subject"].as_str().unwrap().starts_with("helm "));
        (said.len(), said[0]["result"].as_str().unwrap().to_owned(), said[0]["message"].as_str().unwrap().to_owned())
    };
    let behind = desk.program("helm").display().to_string();
    assert_eq!(helms(&desk), (1, "warn".into(), format!("goes before {behind} on PATH")));
    std::fs::remove_file(first.join("helm")).unwrap();
    assert_eq!(helms(&desk).1, "pass");

    let mut program = std::fs::read("/bin/true").unwrap();
    // e_machine, 183: AArch64
    program[18..20].copy_from_slice(&[183, 0]);
    std::fs::write(first.join("eksctl"), program).unwrap();
    mode(&first.join("eksctl"), 0o755);
    let found = desk.finds("tool-programs", &named, "fail", "does not run here");
    assert_eq!(found["subject"], "eksctl", "{found:#}");
    std::fs::remove_file(first.join("eksctl")).unwrap();
    desk.passes("tool-programs", &named);
}

#[test]
fn credentials_permissions_and_the_spot_role_are_mended_as_printed() {
    let Some(stage) = stage("caller") else { return };
    stage.existing("1.34", "API");
    let kubeconfig = stage.dir().join("kubeconfig");
    let mut desk = Desk { ward: Ward { stage }, kubeconfig, env: Vec::new() };

    desk.passes("aws-credentials", &[]);
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the request is \
                expired</Message></Error></ErrorResponse>";
    let fault = json!([{"service": "sts", "action": "GetCallerIdentity", "times": 0, "status": 403,
        "headers": {"content-type": "text/xml"}, "body": body}]);
    desk.ward.stage.lab().post("faults", &fault).unwrap();
    let found = desk.finds("aws-credentials", &[], "fail", "expired");
    assert_eq!(found["fixes"][0]["command"], json!(["aws", "sts", "get-caller-identity"]));
    desk.command(&desk.program("aws"), &["sts", "get-caller-identity"]).exits(255).says("ExpiredToken");
    desk.ward.stage.lab().clear_faults().unwrap();
    desk.passes("aws-credentials", &[]);

    // An account that has never had a Spot instance.
    desk.ward.stage.tool("aws", &["iam", "delete-role", "--role-name", "AWSServiceRoleForEC2Spot"]);
    let found = desk.finds("spot-role", &[], "warn", "is not there yet");
    desk.cure(&found);
    desk.passes("spot-role", &[]);

    // Somebody who may do nothing but ask what they may do, then with the policy that is printed.
    let aws = |words: &[&str]| desk.ward.stage.aws(words);
    aws(&["iam", "create-user", "--user-name", "ops"]);
    let allow = |name: &str, policy: &str| {
        aws(&["iam", "put-user-policy", "--user-name", "ops", "--policy-name", name, "--policy-document", policy]);
    };
    allow(
        "ask",
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}]}"#,
    );
    let made = aws(&["iam", "create-access-key", "--user-name", "ops"])["AccessKey"].clone();
    for (name, key) in [("AWS_ACCESS_KEY_ID", "AccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey")] {
        desk.env.push((name, made[key].as_str().unwrap().into()));
    }
    let found = desk.finds("caller-permissions", &[], "fail", "is not authorized to perform: ");
    let words: Vec<&str> = found["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let printed = desk.command(&desk.program(words[0]), &words[1..]).exits(0).stdout;
    desk.ward.stage.aws(&["iam", "put-user-policy", "--user-name", "ops", "--policy-name", "work", "--policy-document", &printed]);
    desk.passes("caller-permissions", &[]);
}
