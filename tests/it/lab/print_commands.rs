//! The shell that `--print-commands` prints, pasted: it makes what the plan says, so that karpctl has nothing left to do, and takes
//! it away again.

use super::{Ended, Stage, stage};
use std::path::Path;
use std::process::Stdio;

fn slices(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Pastes what karpctl prints into a shell that stops at the first failure.
pub(super) fn paste(stage: &Stage, words: &[String]) {
    let printed = stage.karpctl(&[&slices(words)[..], &["--print-commands"]].concat()).exits(0).stdout;
    let document = stage.karpctl(&[&slices(words)[..], &["--print-commands", "-o", "json"]].concat()).exits(0).json();
    let (schema, cluster) = (&document["schema"], &document["cluster"]);
    assert_eq!((schema.as_str(), cluster.as_str()), (Some("karpctl/commands/v1"), Some(stage.cluster())));
    assert_eq!((document["shell"].as_str().map(str::trim_end), document.get("refused")), (Some(printed.trim_end()), None));
    let karpctl = Path::new(env!("CARGO_BIN_EXE_karpctl")).parent().unwrap();
    let path = format!("{}:{}", karpctl.display(), stage.lab().ready.env["PATH"]);
    let mut shell = stage.lab().command(Path::new("/bin/bash"));
    shell
        .args(["-euo", "pipefail", "-c", &printed])
        .current_dir(stage.dir())
        .env("PATH", path)
        .env("KUBECONFIG", stage.dir().join("config"));
    // Whatever the reader's shell says of another cluster, the printed spec is what counts.
    shell.env("KARPENTER_VERSION", "1.0.8").env("CLUSTER_NAME", "another").stdin(Stdio::null());
    let ended = Ended::from(shell.output().unwrap());
    assert_eq!(ended.code, 0, "--- shell\n{printed}\n--- stdout\n{}\n--- stderr\n{}", ended.stdout, ended.stderr);
}

/// What helm says that the chart's digest is.
fn digest(stage: &Stage, version: &str) -> String {
    let mut helm = stage.lab().command(Path::new("helm"));
    helm.args(["pull", "oci://public.ecr.aws/karpenter/karpenter", "--version", version]).current_dir(stage.dir());
    let ended = Ended::from(helm.output().unwrap()).exits(0);
    let said = ended.stdout + &ended.stderr;
    said.lines().find_map(|line| line.strip_prefix("Digest: ")).unwrap_or_else(|| panic!("no digest in {said}")).to_owned()
}

fn there_and_back(stage: &Stage, words: &[&str], up: &[&str]) {
    let before = stage.inventory();
    let with = |command: &[&str]| -> Vec<String> { [command, words].concat().into_iter().map(str::to_owned).collect() };
    paste(stage, &with(&[&["bootstrap"], up].concat()));
    stage.karpctl(&slices(&with(&[&["bootstrap", "--dry-run", "--exit-code"], up].concat()))).exits(0).says("Nothing to do");
    paste(stage, &with(&["destroy", "--delete-crds"]));
    let text = |inventory| serde_json::to_string_pretty(&inventory).unwrap();
    assert_eq!(text(stage.inventory()), text(before), "the cluster is not as it was");
}

#[test]
fn the_printed_shell_is_the_plan_with_pod_identity_and_both_mappings() {
    let Some(stage) = stage("pasted") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    let digest = digest(&stage, "1.14.1");
    there_and_back(&stage, &["--existing-cluster", "--karpenter-version", "1.14.1"], &["--tag", "team=a b:c", "--chart-digest", &digest]);
}

#[test]
fn the_printed_shell_is_the_plan_with_irsa_and_an_old_chart() {
    let Some(stage) = stage("pastedold") else { return };
    stage.existing("1.23", "CONFIG_MAP");
    there_and_back(&stage, &["--existing-cluster", "--karpenter-version", "v0.17.0"], &[]);
}

#[test]
fn the_printed_shell_makes_and_removes_a_cluster_too() {
    let Some(stage) = stage("pastednew") else { return };
    there_and_back(&stage, &["--karpenter-version", "1.14.1"], &[]);
}
