//! What README and the documents tell a person to type is typed here: the blocks of a page one after the other, every line as it
//! stands, at a terminal, with the answers that a person would give. The last line of each list says what has come of it.

use super::{Ended, Stage, adopt, assert_empty, migration, stage};
use crate::docs::{Block, blocks_of};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The pages that are typed here.
pub(crate) const PAGES: [&str; 9] = [
    "README.md",
    "docs/cluster-autoscaler.md",
    "docs/doctor.md",
    "docs/existing-cluster.md",
    "docs/five-minutes.md",
    "docs/pipelines.md",
    "docs/private-cluster.md",
    "docs/releases.md",
    "docs/teardown.md",
];

/// The examples of `--help` that no page has, in the order in which they are typed on a cluster that is there, and how each ends. The lab
/// has no DNS of a cluster and no way out of a VPC, and the doctor says so.
pub(crate) const EXAMPLES: [(&str, i32); 20] = [
    ("karpctl bootstrap --cluster-name demo --existing-cluster --yes -o ndjson", 0),
    ("karpctl status --cluster-name demo --region us-west-2 -o json --exit-code", 0),
    ("karpctl iam --cluster-name demo --region us-west-2 --dry-run", 0),
    ("karpctl iam --cluster-name demo --region us-west-2 --yes", 0),
    ("karpctl identity --cluster-name demo --region us-west-2 --dry-run", 0),
    ("karpctl install --cluster-name demo --region us-west-2 --dry-run", 0),
    ("karpctl install --cluster-name demo --region us-west-2 --karpenter-version 1.14.1 --yes", 0),
    ("karpctl token --cluster-name demo --region us-west-2", 0),
    ("karpctl token --cluster-name demo --region us-west-2 --profile work", 0),
    (SET_CREDENTIALS, 0),
    ("karpctl doctor --area client --offline", 1),
    ("karpctl doctor --fix --only exec-api-version", 0),
    ("karpctl doctor --cluster-name demo --region us-west-2 -o junit > doctor.xml", 1),
    (WAIT, 1),
    ("karpctl node-pool --cluster-name demo --region us-west-2 --dry-run", 0),
    ("karpctl node-pool --cluster-name demo --region us-west-2 --ami-alias al2023@latest --yes", 0),
    ("karpctl verify --cluster-name demo --region us-west-2 --replicas 10 --timeout 20m -o json", 0),
    ("karpctl identity --cluster-name demo --region us-west-2 --identity irsa --yes", 0),
    ("karpctl destroy --cluster-name demo --region us-west-2 --dry-run", 0),
    ("karpctl destroy --cluster-name demo --region us-west-2 --keep-cluster --yes", 0),
];

/// The example that is typed before the page of the Cluster Autoscaler, whose own command then finds all done.
pub(crate) const MIGRATION: &str =
    "karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 --keep-node-group prod-ng --yes";

const SET_CREDENTIALS: &str = "kubectl config set-credentials demo --exec-api-version=client.authentication.k8s.io/v1beta1 \
                               --exec-command=karpctl --exec-arg=token --exec-arg=--cluster-name=demo --exec-arg=--region=us-west-2";

const WAIT: &str = "karpctl doctor --cluster-name demo --region us-west-2 --wait 10m --fail-on warning";

/// Somebody who reads a page from its top, in a folder of theirs.
struct Reader<'s> {
    stage: &'s Stage,
    folder: PathBuf,
    page: &'static str,
    left: std::vec::IntoIter<Block>,
}

impl<'s> Reader<'s> {
    fn of(page: &'static str, stage: &'s Stage, folder: &str) -> Self {
        assert!(PAGES.contains(&page), "{page} is not in PAGES");
        let folder = stage.dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut blocks = blocks_of(page);
        for (_, lines) in &mut blocks {
            lines.retain(|line| line.starts_with("karpctl "));
        }
        blocks.retain(|(_, lines)| !lines.is_empty());
        Self { stage, folder, page, left: blocks.into_iter() }
    }

    /// Types the lines of the next block. Each ends with 0, but for those that another code is given for.
    #[track_caller]
    fn block(&mut self, codes: &[(&str, i32)]) -> Vec<Ended> {
        let (at, lines) = self.left.next().unwrap_or_else(|| panic!("{} has no more blocks", self.page));
        let mut typed = Vec::new();
        for line in lines {
            let code = codes.iter().find(|(words, _)| line.contains(words)).map_or(0, |(_, code)| *code);
            let ended = self.line(&line);
            assert_eq!(ended.code, code, "{}, block at line {at}: `{line}`\n{}", self.page, ended.stdout);
            typed.push(ended);
        }
        typed
    }

    /// Nothing of the page is left out.
    #[track_caller]
    fn ends(mut self) {
        let next = self.left.next();
        assert!(next.is_none(), "{}: nobody types {next:?}", self.page);
    }

    /// One line, typed at a terminal of 80 columns, which util-linux's `script` makes.
    fn line(&self, line: &str) -> Ended {
        // Who is asked for one of several takes what is usual; a plan is agreed to.
        let answers = if line.starts_with("karpctl init") { "\n".repeat(12) } else { "y\n".to_owned() };
        let mut script = self.stage.lab().command(Path::new("script"));
        let own = Path::new(env!("CARGO_BIN_EXE_karpctl")).parent().unwrap().display();
        let path = format!("{own}:{}", self.stage.lab().ready.env["PATH"]);
        script.args(["-qec", &format!("stty rows 50 columns 80; {line}"), "/dev/null"]);
        script.env("PATH", path).env("TERM", "xterm").env("SHELL", "/bin/bash").current_dir(&self.folder);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        keyboard.write_all(answers.as_bytes()).unwrap();
        let mut shown = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut shown).unwrap();
        let code = child.wait().unwrap().code().unwrap_or(-1);
        Ended { code, stdout: String::from_utf8_lossy(&shown).into_owned(), stderr: String::new() }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_else(|e| panic!("{}: {name}: {e}", self.page))
    }
}

/// A new account may run 5 vCPUs, and the doctor says so, with this command.
fn grant_more_vcpus(stage: &Stage) {
    let quota = ["--service-code", "ec2", "--quota-code", "L-1216C47A", "--desired-value", "64"];
    stage.aws(&[&["service-quotas", "request-service-quota-increase"][..], &quota].concat());
}

/// No line of these is as wide as the terminal, but what is copied: a terminal breaks a line anywhere, within a word too.
#[track_caller]
fn whole_lines(typed: &[Ended]) {
    // The first bar is drawn behind the question: nobody's keyboard has ended its line.
    const COPIED: [&str; 8] = ["https://", "/", "`", "karpctl ", "aws ", "helm ", "kubectl ", "Go on? "];
    let is_copied = |text: &str| COPIED.iter().any(|begin| text.trim_start().starts_with(begin));
    for ended in typed {
        let written = ended.stdout.lines().map(|text| console::strip_ansi_codes(text).into_owned());
        let broken: Vec<String> = written.filter(|text| console::measure_text_width(text) > 80 && !is_copied(text)).collect();
        assert!(broken.is_empty(), "a terminal of 80 columns breaks {broken:#?}\n{}", ended.stdout);
    }
}

/// It says these words, wherever a terminal ends its lines.
#[track_caller]
fn says(ended: &Ended, all: &[&str]) {
    let said = console::strip_ansi_codes(&ended.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    for words in all {
        assert!(said.contains(words), "`{words}` is not said:\n{}", ended.stdout);
    }
}

/// The whole way on an account that has nothing: the cluster is made by the real eksctl.
#[test]
fn five_minutes_from_nothing_and_the_way_back() {
    let Some(stage) = stage("demo") else { return };
    grant_more_vcpus(&stage);
    let mut reader = Reader::of("docs/five-minutes.md", &stage, "work");
    whole_lines(&reader.block(&[]));
    assert!(reader.file("karpctl.yaml").contains("clusterName: demo"), "{}", reader.file("karpctl.yaml"));
    let said = reader.block(&[]);
    whole_lines(&said);
    // The plan is a tree, with how long each step and the whole usually take.
    says(&said[1], &["\\_ ", " 15 min ", "usually about "]);
    let said = reader.block(&[]);
    whole_lines(&said);
    says(
        &said[0],
        &["There: ", "In the console: ", " https://console.aws.amazon.com/", " Karpenter-demo ", "To leave it running costs about $"],
    );
    for command in ["verify", "status", "destroy"] {
        says(&said[0], &[&format!(" karpctl {command} --cluster-name demo --region us-west-2 ")]);
    }
    assert!(reader.file("report.html").contains("Karpenter-demo"));
    whole_lines(&reader.block(&[]));
    reader.ends();

    let mut reader = Reader::of("docs/teardown.md", &stage, "work");
    whole_lines(&reader.block(&[]));
    reader.ends();
    assert_empty(&stage.inventory());
}

/// A kubeconfig for the cluster as aws wrote it some years ago: where it is, and its text.
fn stale_kubeconfig(stage: &Stage) -> (PathBuf, String) {
    let kubeconfig = Path::new(&stage.lab().ready.env["HOME"]).join(".kube/config");
    let words = ["eks", "update-kubeconfig", "--name", stage.cluster(), "--kubeconfig", kubeconfig.to_str().unwrap()];
    Ended::from(stage.tool("aws", &words)).exits(0);
    let new = std::fs::read_to_string(&kubeconfig).unwrap();
    let old = new.replace("client.authentication.k8s.io/v1beta1", "client.authentication.k8s.io/v1alpha1");
    assert_ne!(old, new);
    std::fs::write(&kubeconfig, &old).unwrap();
    (kubeconfig, old)
}

/// README, where `init` finds the cluster that is there; the kubeconfig of the error that it begins with; then the pages for a cluster
/// that has its Karpenter.
#[test]
fn the_readme_from_its_top_and_what_follows_it() {
    let Some(stage) = stage("demo") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    grant_more_vcpus(&stage);
    let before = stage.inventory();
    let mut reader = Reader::of("README.md", &stage, "work");
    let said = reader.block(&[]);
    says(&said[2], &["There: ", "Karpenter itself costs next to nothing", "Next: "]);
    assert!(reader.file("karpctl.yaml").contains("existingCluster: true"), "{}", reader.file("karpctl.yaml"));
    // Karpenter's CRDs stay in a cluster that stays.
    assert_eq!(stage.inventory()["aws"], before["aws"], "the account is not as it was");
    let (kubeconfig, old) = stale_kubeconfig(&stage);
    let said = reader.block(&[("--area client", 1)]);
    assert!(said[0].stdout.contains("v1alpha1"), "{}", said[0].stdout);
    assert_ne!(std::fs::read_to_string(&kubeconfig).unwrap(), old, "it is mended");
    reader.block(&[]);
    assert!(reader.file("report.html").contains("Karpenter-demo"));
    reader.block(&[]);
    assert!(reader.file("doctor.xml").contains("<testsuites"));
    reader.ends();

    // The lab has no DNS of a cluster and no way out of a VPC, and the doctor says so.
    let sick = [("--area", 0), ("--only", 0), ("doctor", 1)];
    for page in ["docs/doctor.md", "docs/releases.md"] {
        let mut reader = Reader::of(page, &stage, "work");
        while !reader.left.as_slice().is_empty() {
            let lines = reader.left.as_slice()[0].1.clone();
            // What programs read has lines of any length.
            let for_people = reader.block(&sick).into_iter().zip(lines).filter(|(_, line)| !line.contains(" -o "));
            whole_lines(&for_people.map(|(ended, _)| ended).collect::<Vec<_>>());
        }
    }
    let mut reader = Reader::of("docs/pipelines.md", &stage, "work");
    reader.block(&[]);
    reader.block(&[]);
    says(&reader.block(&[])[0], &["note: "]);
    reader.block(&sick);
    for file in ["plan.json", "doctor.sarif"] {
        serde_json::from_str::<Value>(&reader.file(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    assert!(reader.file("events.ndjson").lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(reader.file("doctor.xml").contains("<testsuites"));
    reader.ends();

    let mut reader = Reader::of("docs/private-cluster.md", &stage, "private");
    reader.block(&[]);
    assert!(reader.file("karpctl.yaml").contains("private: true"));
    // What `helm registry login` would have written, of a registry that is none of the lab's.
    std::fs::write(reader.folder.join("registry.json"), r#"{"auths": {}}"#).unwrap();
    says(&reader.block(&[])[0], &["Plan: bootstrap inside "]);
    reader.ends();
}

#[test]
fn the_page_of_existing_clusters() {
    let Some(stage) = stage("legacy-apps") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    let mut reader = Reader::of("docs/existing-cluster.md", &stage, "mine");
    reader.block(&[]);
    // The subnets that init chose are in its file.
    let file = reader.folder.join("karpctl.yaml");
    stage.karpctl(&["status", "--existing-cluster", "--exit-code", "-f", file.to_str().unwrap()]).exits(0);
    stage.karpctl(&["destroy", "--existing-cluster", "--yes", "--delete-crds"]).exits(0);
    adopt::shell(&stage, &adopt::script("terraform.sh")).exits(0);
    reader.folder = stage.dir().join("theirs");
    std::fs::create_dir(&reader.folder).unwrap();
    let said = reader.block(&[]);
    says(&said[1], &["Karpenter 1.14.1 is at work in legacy-apps.", "There: ", "In the console: ", "Next: karpctl verify "]);
    assert!(said[2].stdout.contains("Nothing to do"), "{}", said[2].stdout);
    reader.block(&[]);
    reader.ends();
}

#[test]
fn the_page_of_the_cluster_autoscaler() {
    let Some(stage) = stage("prod") else { return };
    migration::make_scaled_cluster(&stage);
    let mut reader = Reader::of("docs/cluster-autoscaler.md", &stage, "work");
    let example = reader.line(MIGRATION);
    assert!(example.code == 0 && example.stdout.contains("Karpenter makes the nodes of prod now"), "{}", example.stdout);
    let said = reader.block(&[]);
    assert!(said[1].stdout.contains("Nothing to do"), "{}", said[1].stdout);
    assert!(said[2].stdout.contains("are as they were before"), "{}", said[2].stdout);
    reader.ends();
}

/// The DNS that the lab's clusters lack: the doctor would wait for it until the time is over.
fn make_dns(stage: &Stage) {
    let labels = json!({"k8s-app": "kube-dns"});
    let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "coredns", "image": "eks/coredns:v1"}]}});
    let dns = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "kube-system", "name": "coredns", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
    });
    let file = stage.dir().join("coredns.json");
    std::fs::write(&file, dns.to_string()).unwrap();
    stage.kubectl(&["apply", "-f", file.to_str().unwrap()]);
}

#[test]
fn the_examples_of_every_help() {
    let Some(stage) = stage("demo") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    let before = stage.inventory();
    let mut reader = Reader::of("README.md", &stage, "work");
    reader.left = Vec::new().into_iter();
    std::fs::write(reader.folder.join("karpctl.yaml"), "clusterName: demo\nregion: us-west-2\nexistingCluster: true\n").unwrap();
    let config = Path::new(&stage.lab().ready.env["HOME"]).join(".aws/config");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, "[profile work]\naws_access_key_id = test\naws_secret_access_key = test\n").unwrap();
    stale_kubeconfig(&stage);
    for (line, code) in EXAMPLES {
        if line.starts_with("karpctl verify") {
            // So that Karpenter takes the nodes of the proof away at once.
            let soon = r#"{"spec": {"disruption": {"consolidateAfter": "0s"}}}"#;
            stage.kubectl(&["patch", "nodepool", "default", "--type", "merge", "-o", "json", "-p", soon]);
            std::thread::sleep(std::time::Duration::from_secs(2));
            stage.kubectl(&["wait", "nodepool", "default", "--for", "condition=Ready", "--timeout", "60s"]);
        }
        if line == WAIT {
            make_dns(&stage);
        }
        let ended = reader.line(line);
        assert_eq!(ended.code, code, "`{line}`\n{}", ended.stdout);
        if line == SET_CREDENTIALS {
            let used = reader.line("kubectl --user demo get namespaces");
            assert!(used.code == 0 && used.stdout.contains("kube-system"), "{}", used.stdout);
        }
    }
    // The provider of IRSA too, though the spec that this removal goes by is one of Pod Identity.
    assert_eq!(stage.inventory()["aws"], before["aws"], "the account is not as it was");
    reader.ends();
}
