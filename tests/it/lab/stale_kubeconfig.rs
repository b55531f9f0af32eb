//! The story that karpctl began with: a kubeconfig as an old aws wrote it, a newer helm, and
//! `exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1"`. karpctl gets through, whatever the kubeconfig says.

use super::{Ended, Stage, stage};
use std::path::Path;

#[test]
fn helm_never_depends_on_the_persons_kubeconfig() {
    let Some(stage) = stage("stale") else { return };
    let helm = |version: &str| Path::new(&stage.lab().ready.env["KARPCTL_LAB_CACHE"]).join(format!("bin/helm-{version}"));
    stage.existing("1.34", "API");
    let described = stage.aws(&["eks", "describe-cluster", "--name", stage.cluster()]);
    let (server, ca) = (&described["cluster"]["endpoint"], &described["cluster"]["certificateAuthority"]["data"]);
    let kubeconfig = |name: &str, exec: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: k, cluster: {{server: {server}, certificate-authority-data: {ca}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\nusers:\n- name: u\n  user:\n    exec:\n      \
             apiVersion: client.authentication.k8s.io/{exec}\n      args: [eks, get-token, --cluster-name, {}]\n",
            stage.cluster()
        );
        let file = stage.dir().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let stale = kubeconfig("kubeconfig", "v1alpha1\n      command: aws");
    let file = stale.as_str();

    // The real helm, with this kubeconfig, fails in the very words.
    let plain = stage.lab().command(&helm("3.9.4")).args(["list", "--kubeconfig", file]).output().unwrap();
    Ended::from(plain).exits(1).says(r#"exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#);

    doctor_says_it_and_mends_it(&stage, &helm("3.9.4"), file);

    // The reverse: a version that asks for more than the entry says, and a plugin that answers another than it is asked for.
    let silent = kubeconfig("silent", "v1\n      command: aws");
    says_what_helm_says(&stage, &helm("3.8.1"), &silent, "exec-interactive-mode", "interactiveMode must be specified");
    let plugin = stage.dir().join("old-aws");
    std::fs::write(&plugin, "#!/bin/sh\naws \"$@\" | sed 's,io/v1beta1,io/v1alpha1,'\n").unwrap();
    std::fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let other = kubeconfig("other", &format!("v1beta1\n      command: {}", plugin.display()));
    let words = "plugin returned version client.authentication.k8s.io/v1alpha1";
    says_what_helm_says(&stage, &helm("3.8.1"), &other, "exec-answer", words);
    let words = r#"no kind "ExecCredential" is registered for version "client.authentication.k8s.io/v1alpha1""#;
    says_what_helm_says(&stage, &helm("3.17.3"), &other, "exec-answer", words);
    is_mended_as_printed(&stage, &helm("3.8.1"), &silent);
    is_mended_by_aws(&stage, &helm("3.17.3"), &other);
    is_mended_by_hand(&stage, &helm("3.17.3"), &other, |text, finding| {
        let command: Vec<&str> = finding["fixes"][2]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        assert_eq!(command[..2], ["karpctl", "token"]);
        let args = text.lines().find(|line| line.trim_start().starts_with("args:")).unwrap();
        let text = text.replace(args, &format!("      args: [{}]", command[1..].join(", ")));
        text.replace(&plugin.display().to_string(), env!("CARGO_BIN_EXE_karpctl"))
    });

    // The same helms, run by karpctl, install, with nothing mended.
    for (version, file) in [("3.9.4", file), ("3.8.1", &silent), ("3.17.3", &other), ("4.2.3", file)] {
        let by_karpctl = |work: &str| {
            let mut command = stage.command(&[work, "--existing-cluster", "--yes", "--helm", helm(version).to_str().unwrap()]);
            Ended::from(command.env("KUBECONFIG", file).output().unwrap()).exits(0)
        };
        by_karpctl("bootstrap").says("is at work");
        if version == "3.9.4" {
            // The oldest helm takes what the others refuse.
            let uninstall = ["uninstall", "karpenter", "--namespace", "kube-system", "--kubeconfig", file];
            Ended::from(stage.lab().command(&helm("3.8.1")).args(uninstall).output().unwrap()).exits(0);
            let next = format!("  karpctl node-pool --existing-cluster --yes --helm {} --cluster-name", helm(version).display());
            let ended = by_karpctl("install").says("chart karpenter 1.14.1").says("There, of what `karpctl install` looks at:");
            ended.says(" karpenter 1.14.1 in kube-system").says(&next).says("      makes the node pool and its node class");
        }
        stage.karpctl(&["destroy", "--existing-cluster", "--delete-crds", "--yes"]).exits(0);
    }

    // Asked to use that kubeconfig all the same, it says what is wrong with it.
    let words =
        ["bootstrap", "--existing-cluster", "--yes", "--helm", helm("3.9.4").to_str().unwrap(), "--kubeconfig", file].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    stage.karpctl(&words).exits(1).says("v1alpha1").says("hint");
}

/// helm fails in these words, and doctor says them beforehand, as that check alone.
fn says_what_helm_says(stage: &Stage, helm: &Path, file: &str, check: &str, words: &str) {
    let list = stage.lab().command(helm).args(["list", "--kubeconfig", file]).output().unwrap();
    Ended::from(list).exits(1).says(words);
    let helm = helm.to_str().unwrap();
    let report =
        stage.karpctl(&["doctor", "--offline", "--area", "client", "--helm", helm, "--kubeconfig", file, "-o", "json"]).exits(1).json();
    let failed: Vec<_> = report["checks"].as_array().unwrap().iter().filter(|c| c["result"] == "fail").collect();
    assert_eq!((failed.len(), failed[0]["id"].as_str()), (1, Some(check)), "{failed:#?}");
    assert!(failed[0]["message"].as_str().unwrap().contains(words), "{failed:#?}");
}

/// What a finding says is done by hand to a copy of the file, after which helm gets in and nothing is found.
fn is_mended_by_hand(stage: &Stage, helm: &Path, file: &str, mend: impl Fn(&str, &serde_json::Value) -> String) {
    let mended = format!("{file}-mended");
    let finding = failed(stage, helm, file).unwrap_or_else(|| panic!("nothing is wrong with {file}"));
    std::fs::write(&mended, mend(&std::fs::read_to_string(file).unwrap(), &finding)).unwrap();
    assert_eq!(failed(stage, helm, &mended), None);
    Ended::from(stage.lab().command(helm).args(["list", "--kubeconfig", &mended]).output().unwrap()).exits(0);
}

/// The first thing that doctor says fails with this helm and kubeconfig.
fn failed(stage: &Stage, helm: &Path, file: &str) -> Option<serde_json::Value> {
    let words = ["doctor", "--offline", "--area", "client", "--helm", helm.to_str().unwrap(), "--kubeconfig", file, "-o", "json"];
    let report = stage.karpctl(&words).json();
    report["checks"].as_array().unwrap().iter().find(|c| c["result"] == "fail").cloned()
}

/// aws writes the entry anew, as it is printed; then the file is as it was again.
fn is_mended_by_aws(stage: &Stage, helm: &Path, file: &str) {
    let before = std::fs::read_to_string(file).unwrap();
    let finding = failed(stage, helm, file).unwrap_or_else(|| panic!("nothing is wrong with {file}"));
    let command: Vec<&str> = finding["fixes"][1]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(command[..3], ["aws", "eks", "update-kubeconfig"]);
    Ended::from(stage.lab().command(Path::new(command[0])).args(&command[1..]).output().unwrap()).exits(0);
    assert_eq!(failed(stage, helm, file), None);
    Ended::from(stage.lab().command(helm).args(["list", "--kubeconfig", file]).output().unwrap()).exits(0);
    std::fs::write(file, before).unwrap();
}

/// The command that is printed is run, after which helm gets in and nothing is found; then the file is as it was again.
fn is_mended_as_printed(stage: &Stage, helm: &Path, file: &str) {
    let before = std::fs::read_to_string(file).unwrap();
    let helm_is = ["--offline", "--helm", helm.to_str().unwrap()];
    let doctor = |more: &[&str]| stage.karpctl(&[&["doctor", "--area", "client", "--kubeconfig", file], &helm_is[..], more].concat());
    let report = doctor(&["-o", "json"]).exits(1).json();
    let finding = report["checks"].as_array().unwrap().iter().find(|c| c["result"] == "fail").unwrap();
    let command: Vec<&str> = finding["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    stage.karpctl(&[&command[1..], &helm_is].concat()).exits(0).says("interactiveMode: IfAvailable");
    doctor(&[]).exits(0);
    Ended::from(stage.lab().command(helm).args(["list", "--kubeconfig", file]).output().unwrap()).exits(0);
    stage.karpctl(&["doctor", "--undo", "--kubeconfig", file]).exits(0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), before);
}

/// helm by hand installs the real charts with this kubeconfig, and takes them away again.
fn installs(stage: &Stage, helm: &Path, file: &str) {
    let run = |words: &[&str]| {
        let common = ["--namespace", "kube-system", "--kubeconfig", file];
        Ended::from(stage.lab().command(helm).args(words).args(common).output().unwrap()).exits(0)
    };
    let chart = |name: &'static str, more: &[&str]| {
        let source = format!("oci://public.ecr.aws/karpenter/{name}");
        run(&[&["upgrade", "--install", name, &source, "--version", "1.14.1"], more].concat()).says("STATUS: deployed");
    };
    chart("karpenter-crd", &[]);
    chart("karpenter", &["--skip-crds", "--set", &format!("settings.clusterName={}", stage.cluster())]);
    run(&["uninstall", "karpenter"]);
    run(&["uninstall", "karpenter-crd"]);
}

/// Before helm is run, doctor says what helm will say, and where; --fix mends it, the same helm then installs, and --undo takes it back.
fn doctor_says_it_and_mends_it(stage: &Stage, helm: &Path, file: &str) {
    let before = std::fs::read_to_string(file).unwrap();
    let doctor = |more: &[&str]| {
        let words = ["doctor", "--offline", "--area", "client", "--helm", helm.to_str().unwrap(), "--kubeconfig", file];
        stage.karpctl(&[&words[..], more].concat())
    };
    let list = || Ended::from(stage.lab().command(helm).args(["list", "--kubeconfig", file]).output().unwrap());
    let report = doctor(&["-o", "json"]).exits(1).json();
    let failed: Vec<_> = report["checks"].as_array().unwrap().iter().filter(|c| c["result"] == "fail").collect();
    assert_eq!(failed.len(), 1, "exactly that finding: {failed:#?}");
    assert_eq!((failed[0]["id"].as_str(), failed[0]["place"]["line"].as_u64()), (Some("exec-api-version"), Some(10)));
    assert_eq!(failed[0]["subject"], "context c, helm 3.9.4");
    let message = failed[0]["message"].as_str().unwrap();
    let words = [
        r#"exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#,
        file,
        "an aws older than 1.23.9",
        "the aws at hand (",
        "writes v1beta1",
    ];
    assert!(words.iter().all(|w| message.contains(w)), "{message}");

    // The cure is run as it is printed.
    let command: Vec<&str> = failed[0]["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(command[0], "karpctl");
    stage.karpctl(&[&command[1..], &["--offline", "--helm", helm.to_str().unwrap()]].concat()).exits(0).says("v1beta1");
    list().exits(0);
    doctor(&[]).exits(0);
    installs(stage, helm, file);
    stage.karpctl(&["doctor", "--undo", "--kubeconfig", file]).exits(0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), before);
    list().exits(1);
}
