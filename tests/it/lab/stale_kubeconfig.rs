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
    let kubeconfig = stage.dir().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: k, cluster: {{server: {server}, certificate-authority-data: {ca}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\nusers:\n- name: u\n  user:\n    exec:\n      \
         apiVersion: client.authentication.k8s.io/v1alpha1\n      command: aws\n      args: [eks, get-token, --cluster-name, {}]\n",
        stage.cluster()
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let file = kubeconfig.to_str().unwrap();

    // The real helm, with this kubeconfig, fails in the very words.
    let plain = stage.lab().command(&helm("3.9.4")).args(["list", "--kubeconfig", file]).output().unwrap();
    Ended::from(plain).exits(1).says(r#"exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#);

    doctor_says_it_and_mends_it(&stage, &helm("3.9.4"), file);

    // The same helm, run by karpctl, installs; and so do older and newer ones.
    for version in ["3.9.4", "3.8.1", "3.17.3", "4.2.3"] {
        let mut command = stage.command(&["bootstrap", "--existing-cluster", "--yes", "--helm", helm(version).to_str().unwrap()]);
        Ended::from(command.env("KUBECONFIG", file).output().unwrap()).exits(0).says("is at work");
        stage.karpctl(&["destroy", "--existing-cluster", "--delete-crds", "--yes"]).exits(0);
    }

    // Asked to use that kubeconfig all the same, it says what is wrong with it.
    let words =
        ["bootstrap", "--existing-cluster", "--yes", "--helm", helm("3.9.4").to_str().unwrap(), "--kubeconfig", file].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    stage.karpctl(&words).exits(1).says("v1alpha1").says("hint");
}

/// Before helm is run, doctor says what helm will say, and where; --fix mends it, the same helm then gets in, and --undo takes it back.
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
    let words = [r#"exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1""#, file, "an aws older than 1.23.9"];
    assert!(words.iter().all(|w| message.contains(w)), "{message}");

    // The cure is run as it is printed.
    let command: Vec<&str> = failed[0]["fixes"][0]["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(command[0], "karpctl");
    stage.karpctl(&[&command[1..], &["--offline", "--helm", helm.to_str().unwrap()]].concat()).exits(0).says("v1beta1");
    list().exits(0);
    doctor(&[]).exits(0);
    stage.karpctl(&["doctor", "--undo", "--kubeconfig", file]).exits(0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), before);
    list().exits(1);
}
