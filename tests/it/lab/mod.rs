//! Tests on the real parts: eksctl, helm, kube-apiserver, Karpenter, with an emulator in place of AWS. See tests/lab/NOTES.md.

mod adopt;
mod bad_days;
mod build_information;
mod chart_made;
mod doctor_aws;
mod doctor_cluster;
mod doctor_crds;
mod doctor_desk;
mod doctor_fit;
mod doctor_kubeconfig;
mod doctor_machine;
mod doctor_otherwise;
mod doctor_release;
mod doctor_scenes;
mod doctor_to_come;
mod doctor_wait;
pub(crate) mod documents;
mod existing_cluster;
mod given_away;
mod init;
mod interruption;
mod migration;
mod new_cluster;
mod print_commands;
mod stale_kubeconfig;
mod versions;
mod ward;
mod worse_days;

use karpctl::adapters::lab::Lab;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// A lab and what a test does in it.
pub(crate) struct Stage {
    lab: Lab,
    dir: tempfile::TempDir,
    cluster: String,
}

/// What a command came to.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The same, where it ended as expected; a test that fails shows everything that was said.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{}", self.stdout))
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "`{words}` is not said\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Whether the lab's parts are installed. Where they are not it is said loudly, and a failure in CI.
fn is_installed() -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
    let check = std::process::Command::new("python3").arg(source.join("setup.py")).arg("--check").output();
    let installed = check.is_ok_and(|o| o.status.success());
    if !installed {
        let words = "the lab's parts are not installed: `make lab` installs them";
        assert!(std::env::var_os("CI").is_none(), "{words}");
        std::io::Write::write_all(&mut std::io::stderr(), format!("\nSKIPPED, NOTHING TESTED: {words}\n\n").as_bytes()).unwrap();
    }
    installed
}

/// A lab of its own for a test, or `None` where the parts are not installed.
pub(crate) fn stage(cluster: &str) -> Option<Stage> {
    if !is_installed() {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
    let dir = tempfile::tempdir().unwrap();
    match Lab::start(&source, dir.path(), &[], &tokio_util::sync::CancellationToken::new(), |_| {}) {
        Ok(lab) => Some(Stage { lab, dir, cluster: cluster.to_owned() }),
        Err(e) => panic!("{e}; logs: {}", dir.keep().join("log").display()),
    }
}

impl Stage {
    /// karpctl with these words, for the stage's cluster.
    pub(crate) fn karpctl(&self, words: &[&str]) -> Ended {
        self.command(words).output().unwrap().into()
    }

    /// The same, not yet run.
    pub(crate) fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.lab.command(Path::new(env!("CARGO_BIN_EXE_karpctl")));
        command.current_dir(self.dir.path()).args(words).args(["--cluster-name", &self.cluster]);
        command.stdin(std::process::Stdio::null());
        command
    }

    /// The real aws.
    #[track_caller]
    pub(crate) fn aws(&self, words: &[&str]) -> Value {
        let ended = Ended::from(self.tool("aws", words)).exits(0);
        if ended.stdout.trim().is_empty() { Value::Null } else { ended.json() }
    }

    /// The real aws, where its answer is a sentence.
    #[track_caller]
    pub(crate) fn aws_text(&self, words: &[&str]) -> String {
        Ended::from(self.tool("aws", words)).exits(0).stdout
    }

    /// The real kubectl, as administrator, answering JSON.
    #[track_caller]
    pub(crate) fn kubectl(&self, words: &[&str]) -> Value {
        let mut all = vec!["--kubeconfig", self.lab.ready.kubeconfig.to_str().unwrap()];
        all.extend(words);
        let ended = Ended::from(self.tool("kubectl", &all)).exits(0);
        serde_json::from_str(&ended.stdout).unwrap_or(Value::String(ended.stdout))
    }

    fn tool(&self, name: &str, words: &[&str]) -> Output {
        let path = &self.lab.ready.env["PATH"];
        let file = path.split(':').map(|d| Path::new(d).join(name)).find(|f| f.exists()).unwrap_or_else(|| panic!("no {name} in the lab"));
        self.lab.command(&file).args(words).output().unwrap()
    }

    /// A cluster that is there already.
    #[track_caller]
    pub(crate) fn existing(&self, version: &str, mode: &str) {
        let wanted = serde_json::json!({"name": self.cluster, "version": version, "authenticationMode": mode});
        self.lab.make_cluster(&wanted).unwrap();
    }

    /// The same, with a node group as eksctl makes it: with a launch template, by which pods get at the instance metadata.
    pub(crate) fn existing_by_template(&self, version: &str, mode: &str) {
        let wanted = serde_json::json!({"name": self.cluster, "version": version, "authenticationMode": mode, "launch_template": true});
        self.lab.make_cluster(&wanted).unwrap();
    }

    /// What exists, but for what belongs to the account as such.
    pub(crate) fn inventory(&self) -> Value {
        let mut all = self.lab.get("inventory").unwrap();
        all.as_object_mut().unwrap().remove("account_level");
        all
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The AWS requests so far, `service:action` each. Without those of Karpenter itself, which goes on whatever a test does.
    pub(crate) fn requests(&self) -> Vec<String> {
        let karpenters = |request: &Value| request["agent"].as_str().is_some_and(|agent| agent.to_lowercase().contains("karpenter"));
        self.lab
            .get("requests")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .filter(|request| !karpenters(request))
            .map(|r| format!("{}:{}", r["service"].as_str().unwrap_or_default(), r["action"].as_str().unwrap_or_default()))
            .collect()
    }
}

/// An inventory says that nothing is there: no list in it has an element.
#[track_caller]
pub(crate) fn assert_empty(inventory: &Value) {
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| leaves(v, &format!("{path}.{k}"), found)),
            Value::Array(list) => list.iter().for_each(|v| found.push(format!("{path}: {v}"))),
            _ => {}
        }
    }
    let mut found = Vec::new();
    leaves(inventory, "", &mut found);
    assert!(found.is_empty(), "left over:\n{}", found.join("\n"));
}
