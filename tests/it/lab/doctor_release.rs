//! What the doctor finds around a release and its identity, made for real on a cluster that goes from one release to the next.

use super::{Ended, Stage, stage};
use serde_json::{Value, json};
use std::path::Path;

/// A patient, and how it is asked for.
struct Patient {
    stage: Stage,
}

impl Patient {
    /// What one check says, with these flags.
    #[track_caller]
    fn ask(&self, check: &str, more: &[&str]) -> Value {
        let ended = self.stage.karpctl(&[&["doctor", "--existing-cluster", "--only", check, "-o", "json"], more].concat());
        assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
        ended.json()["checks"].clone()
    }

    /// The one finding of a check, with this result and these words.
    #[track_caller]
    fn finds(&self, check: &str, more: &[&str], result: &str, words: &str) -> Value {
        let said = self.ask(check, more);
        let bad: Vec<&Value> = said.as_array().unwrap().iter().filter(|f| f["result"] != "pass").collect();
        assert!(bad.len() == 1 && bad[0]["result"] == result, "{check}: {said:#}");
        assert!(bad[0]["message"].as_str().unwrap().contains(words), "{check}: `{words}` is not in {:#}", bad[0]);
        bad[0].clone()
    }

    #[track_caller]
    fn passes(&self, check: &str, more: &[&str]) {
        let said = self.ask(check, more);
        assert!(said.as_array().unwrap().iter().all(|f| f["result"] == "pass"), "{check}: {said:#}");
    }

    /// Runs a cure as it is printed; what it prints.
    #[track_caller]
    fn run(&self, finding: &Value, cure: usize) -> String {
        let words: Vec<&str> = finding["fixes"][cure]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let lab = self.stage.lab();
        let file = if words[0] == "karpctl" {
            env!("CARGO_BIN_EXE_karpctl").into()
        } else {
            lab.ready.env["PATH"].split(':').map(|d| Path::new(d).join(words[0])).find(|f| f.exists()).unwrap()
        };
        let more: &[&str] = if words[0] == "karpctl" { &["--yes"] } else { &[] };
        let mut command = lab.command(&file);
        command.current_dir(self.stage.dir()).args(&words[1..]).args(more).stdin(std::process::Stdio::null());
        Ended::from(command.env("KUBECONFIG", &lab.ready.kubeconfig).output().unwrap()).exits(0).stdout
    }
}

#[test]
fn a_release_an_identity_and_an_image_are_mended_as_printed() {
    let Some(stage) = stage("release") else { return };
    stage.existing("1.30", "API_AND_CONFIG_MAP");
    let patient = Patient { stage };
    let aws = |words: &[&str]| patient.stage.aws(words);
    Ended::from(patient.stage.command(&["bootstrap", "--existing-cluster", "--karpenter-version", "1.0.8", "--yes"]).output().unwrap())
        .exits(0);

    // The way back is none; the way on is.
    let found = patient.finds("upgrade-hops", &["--karpenter-version", "0.37.8"], "fail", "Karpenter 1.0.8 is installed, and");
    assert!(!found["fixes"].as_array().unwrap().is_empty(), "{found:#}");
    patient.passes("upgrade-hops", &["--karpenter-version", "1.14.1"]);

    // The cluster was upgraded before Karpenter.
    patient.passes("installed-fit", &[]);
    aws(&["eks", "update-cluster-version", "--name", "release", "--kubernetes-version", "1.36"]);
    let found = patient.finds("installed-fit", &[], "fail", "Karpenter 1.0.8 is installed and supports Kubernetes 1.25 to 1.31, not 1.36");
    patient.run(&found, 0);
    patient.passes("installed-fit", &[]);

    identity(&patient);
    images(&patient);
    hops_of_metadata(&patient);
}

/// The provider of IRSA, and an identity given twice.
fn identity(patient: &Patient) {
    let aws = |words: &[&str]| patient.stage.aws(words);
    let irsa = ["--identity", "irsa", "--karpenter-version", "1.14.1"];
    let found = patient.finds("oidc-issuer", &irsa, "fail", "No OpenIDConnect provider found in your account");
    patient.run(&found, 0);
    patient.passes("oidc-issuer", &irsa);
    let listed = aws(&["iam", "list-open-id-connect-providers"]);
    let provider = listed["OpenIDConnectProviderList"][0]["Arn"].as_str().unwrap().to_owned();
    let audience = ["--open-id-connect-provider-arn", &provider, "--client-id", "sts.amazonaws.com"];
    aws(&[&["iam", "remove-client-id-from-open-id-connect-provider"], &audience[..]].concat());
    let found = patient.finds("oidc-issuer", &irsa, "fail", "Incorrect token audience");
    patient.run(&found, 0);
    patient.passes("oidc-issuer", &irsa);

    patient.passes("one-identity", &irsa);
    let role = format!("arn:aws:iam::{}:role/release-karpenter", patient.stage.lab().ready.account);
    let annotation = format!(r"serviceAccount.annotations.eks\.amazonaws\.com/role-arn={role}");
    let chart = ["upgrade", "karpenter", "oci://public.ecr.aws/karpenter/karpenter", "--version", "1.14.1", "--namespace", "kube-system"];
    let kubeconfig = ["--kubeconfig", patient.stage.lab().ready.kubeconfig.to_str().unwrap(), "--reuse-values", "--set", &annotation];
    Ended::from(patient.stage.tool("helm", &[&chart[..], &kubeconfig].concat())).exits(0);
    let found = patient.finds("one-identity", &irsa, "warn", "which goes before the association");
    patient.run(&found, 0);
    patient.passes("one-identity", &irsa);
}

/// An image of a day that has not come.
fn images(patient: &Patient) {
    let pinned = |version: &str| format!("al2023@{version}");
    let newest = pinned("v20991231");
    let of = |alias: &str| ["--karpenter-version".to_owned(), "1.14.1".to_owned(), "--ami-alias".to_owned(), alias.to_owned()];
    let words = of(&newest);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = patient.finds("ami-alias", &words, "fail", "there is no image");
    let listed = patient.run(&found, 0);
    let there = listed
        .split_whitespace()
        .find_map(|name| name.rsplit_once("-v")?.1.strip_suffix("/image_id"))
        .unwrap_or_else(|| panic!("{listed}"));
    let words = of(&pinned(&format!("v{there}")));
    patient.passes("ami-alias", &words.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A node group whose pods get no answer of the instance metadata.
fn hops_of_metadata(patient: &Patient) {
    let aws = |words: &[&str]| patient.stage.aws(words);
    let made = ["ec2", "create-launch-template", "--launch-template-name", "near", "--launch-template-data"];
    let made = aws(&[&made[..], &[r#"{"MetadataOptions":{"HttpPutResponseHopLimit":1}}"#]].concat());
    let template = made["LaunchTemplate"]["LaunchTemplateId"].as_str().unwrap().to_owned();
    let group = aws(&["eks", "describe-nodegroup", "--cluster-name", "release", "--nodegroup-name", "release-ng"])["nodegroup"].clone();
    let (role, subnet) = (group["nodeRole"].as_str().unwrap(), group["subnets"][0].as_str().unwrap());
    let near = ["--cluster-name", "release", "--nodegroup-name", "near"];
    let of = |version: &str| format!("id={template},version={version}");
    let rest =
        ["--node-role", role, "--subnets", subnet, "--scaling-config", "minSize=1,maxSize=2,desiredSize=1", "--launch-template", &of("1")];
    aws(&[&["eks", "create-nodegroup"], &near[..], &rest].concat());
    let found = patient.finds("node-group", &[], "warn", "make one hop: pods get none");
    assert!(found["fixes"][0]["title"].as_str().unwrap().contains("HttpPutResponseHopLimit 2"), "{found:#}");
    // As the finding says it in words: another version of the template, and the group on it.
    let next = ["ec2", "create-launch-template-version", "--launch-template-id", &template, "--source-version", "1"];
    aws(&[&next[..], &["--launch-template-data", &json!({"MetadataOptions": {"HttpPutResponseHopLimit": 2}}).to_string()]].concat());
    aws(&[&["eks", "update-nodegroup-version"], &near[..], &["--launch-template", &of("2")]].concat());
    patient.passes("node-group", &[]);
}
