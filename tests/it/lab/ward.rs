//! A lab with a patient in it: something is broken, the doctor is asked, what it prints is typed, and it is asked again.

use super::{Ended, Stage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What karpctl asks before it does it; whoever types the cure says yes.
const ASKS: [&str; 5] = ["bootstrap", "iam", "identity", "install", "node-pool"];

/// A stage, how the doctor is asked there, and the environment of the person who asks.
#[derive(Clone)]
pub(super) struct Ward {
    stage: Rc<Stage>,
    words: Vec<String>,
    env: BTreeMap<&'static str, String>,
}

impl Deref for Ward {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Ward {
    /// Whoever asks with these words is an administrator of the cluster.
    pub(super) fn new(stage: Stage, words: &[&str]) -> Self {
        let administrators = stage.lab().ready.kubeconfig.display().to_string();
        let ward = Self { stage: Rc::new(stage), words: Vec::new(), env: BTreeMap::from([("KUBECONFIG", administrators)]) };
        ward.with(words)
    }

    /// The same, asked with these words besides.
    pub(super) fn with(&self, words: &[&str]) -> Self {
        let mut ward = self.clone();
        ward.words.extend(words.iter().map(ToString::to_string));
        ward
    }

    /// The same, with the flag that the first cure's words name, and its value: `take …: --karpenter-version 1.14.1`.
    #[track_caller]
    pub(super) fn taking(&self, finding: &Value) -> Self {
        let title = finding["fixes"][0]["title"].as_str().unwrap();
        let (_, words) = title.split_once(": --").unwrap_or_else(|| panic!("no flag: {title}"));
        self.with(&format!("--{words}").split(' ').collect::<Vec<_>>())
    }

    /// The same, with this variable in the environment.
    pub(super) fn having(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut ward = self.clone();
        ward.env.insert(name, value.into());
        ward
    }

    /// The same, without this variable.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut ward = self.clone();
        ward.env.remove(name);
        ward
    }

    /// The same, with a new access key of this user.
    #[track_caller]
    pub(super) fn as_user(&self, user: &str) -> Self {
        let made = self.aws(&["iam", "create-access-key", "--user-name", user])["AccessKey"].clone();
        let of = |key: &str| made[key].as_str().unwrap().to_owned();
        self.having("AWS_ACCESS_KEY_ID", of("AccessKeyId")).having("AWS_SECRET_ACCESS_KEY", of("SecretAccessKey"))
    }

    /// The same, where this folder is the first on PATH.
    pub(super) fn first_on_path(&self, folder: &Path) -> Self {
        self.having("PATH", format!("{}:{}", folder.display(), self.path()))
    }

    fn path(&self) -> &str {
        self.env.get("PATH").unwrap_or(&self.lab().ready.env["PATH"])
    }

    /// What one check says now.
    #[track_caller]
    pub(super) fn ask(&self, check: &str) -> Vec<Value> {
        let mut command = self.command(&["doctor", "--only", check, "-o", "json"]);
        let ended = Ended::from(command.args(&self.words).envs(&self.env).output().unwrap());
        assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
        let said = ended.json()["checks"].as_array().unwrap().clone();
        assert!(!said.is_empty(), "{check} says nothing");
        said
    }

    /// What one check says that is not a pass.
    #[track_caller]
    pub(super) fn bad(&self, check: &str) -> Vec<Value> {
        self.ask(check).into_iter().filter(|finding| finding["result"] != "pass").collect()
    }

    /// The check finds exactly one thing, and says so in these words.
    #[track_caller]
    pub(super) fn finds(&self, check: &str, result: &str, words: &str) -> Value {
        let found = self.finds_with_each(check, result, words);
        assert_eq!(found.len(), 1, "{check}: {found:#?}");
        found[0].clone()
    }

    /// The check finds it with one client or with several, and says so of each in these words.
    #[track_caller]
    pub(super) fn finds_with_each(&self, check: &str, result: &str, words: &str) -> Vec<Value> {
        let found = self.bad(check);
        assert!(!found.is_empty(), "{check} finds nothing: {:#?}", self.ask(check));
        for finding in &found {
            assert_eq!(finding["result"], result, "{check}: {found:#?}");
            assert!(result == "skip" || finding["fixes"][0]["title"].is_string(), "it says what helps: {finding:#}");
            assert!(finding["message"].as_str().unwrap().contains(words), "{check}: `{words}` is not in {finding:#}");
        }
        found
    }

    /// The check is content, or will be: what was mended may take its time.
    #[track_caller]
    pub(super) fn passes(&self, check: &str) {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let bad = self.bad(check);
            if bad.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "{check} is not content: {bad:#?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Runs these of a finding's cures as they are printed, after which the check is content.
    #[track_caller]
    pub(super) fn cured(&self, finding: &Value, cures: &[usize]) {
        for cure in cures {
            self.cure(finding, *cure);
        }
        self.passes(finding["id"].as_str().unwrap());
    }

    /// Runs one of a finding's cures as it is printed; what it prints.
    #[track_caller]
    pub(super) fn cure(&self, finding: &Value, cure: usize) -> String {
        let words = finding["fixes"][cure]["command"].as_array().filter(|words| !words.is_empty());
        let words = words.unwrap_or_else(|| panic!("the cure {cure} is no command: {finding:#}"));
        self.run(&words.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>())
    }

    /// A command of a person's, as it is typed, which does what it should; what it prints.
    #[track_caller]
    pub(super) fn run(&self, words: &[&str]) -> String {
        self.types(words).exits(0).stdout
    }

    /// The same, whatever comes of it.
    #[track_caller]
    pub(super) fn types(&self, words: &[&str]) -> Ended {
        let mut command = self.lab().command(&self.program(words[0]));
        command.current_dir(self.dir()).args(&words[1..]).stdin(std::process::Stdio::null());
        if words[0] == "karpctl"
            && words.get(1).is_some_and(|word| ASKS.contains(word))
            && ["--yes", "--dry-run"].iter().all(|flag| !words.contains(flag))
        {
            command.arg("--yes");
        }
        command.envs(&self.env).output().unwrap().into()
    }

    /// The file that a person runs by this name.
    #[track_caller]
    pub(super) fn program(&self, name: &str) -> PathBuf {
        if name == "karpctl" { env!("CARGO_BIN_EXE_karpctl").into() } else { self.found(name).unwrap_or_else(|| panic!("no {name}")) }
    }

    /// The file of this name that PATH finds.
    pub(super) fn found(&self, name: &str) -> Option<PathBuf> {
        self.path().split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.exists())
    }

    /// A program that the lab has of this very version, by its file's name: `helm-3.9.4`.
    pub(super) fn kept(&self, name: &str) -> PathBuf {
        Path::new(&self.lab().ready.env["KARPCTL_LAB_CACHE"]).join("bin").join(name)
    }

    /// A spec file that every command of karpctl here reads.
    pub(super) fn spec_file(&self, spec: &Value) {
        std::fs::write(self.dir().join("karpctl.yaml"), spec.to_string()).unwrap();
    }

    /// An object in the cluster.
    #[track_caller]
    pub(super) fn apply(&self, object: &Value) {
        let file = self.dir().join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        self.run(&["kubectl", "apply", "--filename", file.to_str().unwrap()]);
    }
}
