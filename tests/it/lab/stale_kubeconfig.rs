//! The story that karpctl began with: a kubeconfig as an old aws wrote it, a newer helm, and
//! `exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1"`. karpctl gets through, whatever the kubeconfig says.

use super::{Ended, stage};
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
