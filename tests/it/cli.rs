//! The command line as a stranger meets it: bad input, help, documents. No AWS: credentials and endpoints lead nowhere.

mod asked;
mod bad_input;
mod destroy;
mod doctor;
mod doctor_mends;
mod documents;
mod no_answer;
mod no_cluster;
mod operator_policy;
mod profiles;
mod release_notice;
mod settings;
mod waiting;

use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// What is set beside the environment of a [`Shell`].
type Variables = &'static [(&'static str, &'static str)];

/// karpctl in an empty folder, with an environment of its own.
struct Shell {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Shell {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// This one stands in AWS's place. What it answers and no service would is not asked for again: that takes its time.
    fn asks(self, url: &str) -> Self {
        let keys = self.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        keys.env("AWS_ENDPOINT_URL", url).env("AWS_MAX_ATTEMPTS", "1")
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn program(self, name: &str, text: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        // Written beside and moved: a file that is open for writing in another thread's fork cannot be executed.
        let (file, beside) = (self.dir.path().join(name), self.dir.path().join(format!("{name}.new")));
        std::fs::write(&beside, text).unwrap();
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        self
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").envs(self.env.iter().cloned());
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        ended(self.command(KARPCTL).args(words))
    }
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const KARPCTL: &str = env!("CARGO_BIN_EXE_karpctl");
const OFFLINE: [&str; 6] = ["--cluster-name", "demo", "--region", "us-west-2", "--account-id", "111122223333"];

fn render(shell: &Shell, document: &str, more: &[&str]) -> Ended {
    shell.run(&[&["render", document], &OFFLINE[..], more].concat())
}

#[track_caller]
fn usage_error(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, 2, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "stdout is the answer only");
    assert!(!ended.stderr.contains('\u{1b}'), "no escapes where there is no terminal");
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is not in:\n{}", ended.stderr);
    }
}

#[test]
fn a_token_answers_what_the_client_asks_for_and_sends_nothing() {
    let shell = |info: Option<&str>| {
        let shell = Shell::new().env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        match info {
            Some(version) => shell.env(
                "KUBERNETES_EXEC_INFO",
                &format!(r#"{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":false}}}}"#),
            ),
            None => shell,
        }
    };
    let words = ["token", "--cluster-name", "demo", "--region", "us-west-2"];
    for version in ["v1alpha1", "v1beta1", "v1"] {
        let version = format!("client.authentication.k8s.io/{version}");
        let answer: serde_json::Value = serde_json::from_str(&shell(Some(&version)).run(&words).stdout).unwrap();
        assert_eq!(answer["apiVersion"], version.as_str());
        assert!(answer["status"]["token"].as_str().unwrap().starts_with("k8s-aws-v1."));
    }
    let answer: serde_json::Value = serde_json::from_str(&shell(None).run(&words).stdout).unwrap();
    assert_eq!(answer["apiVersion"], "client.authentication.k8s.io/v1beta1");
    usage_error(&shell(Some("client.authentication.k8s.io/v9")).run(&words), &["v9", "v1beta1"]);
}

#[test]
fn versions_shows_the_table_and_compares_what_can_be_reached() {
    let shell = Shell::new();
    let text = shell.run(&["versions"]).stdout;
    assert!(text.contains("1.9.0 to 1.9.2") && text.contains("1.8.4") && text.contains("2027-12-02"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&shell.run(&["versions", "-o", "json"]).stdout).unwrap();
    let newest = json["releases"].as_array().unwrap().last().unwrap();
    assert_eq!((json["schema"].as_str(), newest["controllerPolicies"].as_array().unwrap().len()), (Some("karpctl/versions/v1"), 6));
    let v1 = serde_json::json!({ "served": ["v1"], "storage": "v1" });
    assert_eq!((&newest["crdVersions"]["nodepools.karpenter.sh"], newest["crdVersions"].as_object().unwrap().len()), (&v1, 5));
    let alone = ["versions", "--compare", "--chart-repository", "oci://127.0.0.1:9/karpenter"];
    let nobody = shell.run(&alone);
    assert_eq!(nobody.code, 1);
    assert_eq!(nobody.stdout.matches("not compared: ").count(), 2, "{}", nobody.stdout);
    let json: serde_json::Value = serde_json::from_str(&shell.run(&[&alone[..], &["-o", "json"]].concat()).stdout).unwrap();
    assert_eq!((&json["charts"]["compared"], &json["behind"]), (&false.into(), &false.into()));
    usage_error(&shell.run(&["versions", "--compare", "--chart-repository", "charts.karpenter.sh"]), &["oci://"]);
}

#[test]
fn versions_shows_what_goes_with_the_versions_that_are_named() {
    let json = |flags: &[&str]| {
        let ended = Shell::new().run(&[&["versions", "-o", "json"], flags].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let names = |list: &str, of: &str| {
            answer[list].as_array().unwrap().iter().map(|row| row[of].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        (names("releases", "karpenter"), names("tools", "kubernetes"))
    };
    let (releases, kubernetes) = json(&["--karpenter-version", "v1.0.8"]);
    assert_eq!(releases, ["1.0.8"]);
    assert_eq!(kubernetes, ["1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31"]);
    let (releases, kubernetes) = json(&["--kubernetes-version", "1.33"]);
    assert_eq!(kubernetes, ["1.33"]);
    assert!(releases.contains(&"1.5.0".to_owned()) && !releases.contains(&"1.4.0".to_owned()), "{releases:?}");
    assert_eq!(json(&["--kubernetes-version", "1.30", "--karpenter-version", "1.0.8"]), (vec!["1.0.8".into()], vec!["1.30".into()]));
    let text = Shell::new().run(&["versions", "--karpenter-version", "1.0.8"]).stdout;
    assert!(text.contains("\n1.0.8 ") && !text.contains("\n1.14") && !text.contains("Not to be installed"), "{text}");
    for (flags, says) in [
        (
            &["--karpenter-version", "1.0.8", "--kubernetes-version", "1.33"][..],
            "Karpenter 1.0.8 supports Kubernetes 1.25 to 1.31, not 1.33",
        ),
        (&["--karpenter-version", "1.99.0"], "this karpctl's table has no Karpenter 1.99.0"),
        (&["--kubernetes-version", "1.99"], "this karpctl's table has no Kubernetes 1.99"),
        (&["--kubernetes-version", "new"], "--kubernetes-version: "),
        (&["--compare", "--karpenter-version", "1.0.8"], "--compare is about the whole table"),
    ] {
        usage_error(&Shell::new().run(&[&["versions"], flags].concat()), &[says]);
    }
}

#[test]
fn version_says_which_karpctl_it_is() {
    let shell = Shell::new();
    let newest = karpctl::knowledge::Release::newest().to_string();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(shell.run(&["version"]).stdout, format!("karpctl {own} ({os} {arch}), knows Karpenter up to {newest}\n"));
    let whole = serde_json::json!({
        "schema": "karpctl/version/v1", "version": own, "os": os, "arch": arch, "karpenter": {"newest": newest},
    });
    for format in ["json", "ndjson"] {
        let answer = shell.run(&["version", "-o", format]).stdout;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&answer).unwrap(), whole, "{answer}");
        assert!(format == "json" || answer.lines().count() == 1, "{answer}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = Command::new(KARPCTL).args(["versions"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

/// A command that has asked AWS, which takes the request and never answers.
fn asking_a_silent_aws(karpctl: &mut Command, words: &[&str]) -> (Child, impl Sized + use<>) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let shell = Shell::new();
    let child = karpctl
        .env_clear()
        .envs([("HOME", shell.dir.path().to_str().unwrap()), ("AWS_ENDPOINT_URL", &endpoint), ("AWS_EC2_METADATA_DISABLED", "true")])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let in_flight = silent.accept().unwrap();
    (child, (shell, silent, in_flight))
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// What it says then.
#[track_caller]
fn is_interrupted_at_once(mut child: Child, code: i32) -> String {
    let asked = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(asked.elapsed().as_secs() < 5, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

const DEMO: [&str; 4] = ["--cluster-name", "demo", "--region", "us-west-2"];

#[test]
fn what_only_reads_is_interrupted_at_once() {
    let no_charts = ["versions", "--compare", "--chart-repository", "oci://127.0.0.1:9/karpenter"];
    let commands: [&[&str]; 9] = [
        &["doctor", "--only", "aws-credentials"],
        &["status"],
        &["verify"],
        &["adopt", "--yes"],
        &["init", "--defaults"],
        &["render", "cluster-config"],
        // Nothing is changed yet: the plan is not made.
        &["bootstrap", "--yes"],
        &["destroy", "--dry-run"],
        &no_charts,
    ];
    for (number, words) in commands.into_iter().enumerate() {
        let (signal, code) = if number % 2 == 0 { (Signal::INT, 130) } else { (Signal::TERM, 143) };
        let mut karpctl = Command::new(KARPCTL);
        let (child, in_flight) = asking_a_silent_aws(&mut karpctl, &[words, &DEMO].concat());
        send(&child, signal);
        let said = is_interrupted_at_once(child, code);
        assert!(said.contains("error: interrupted; nothing was ") && !said.contains("finishing"), "{words:?}: {said}");
        drop(in_flight);
    }
}

#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let mut nohup = Command::new("/bin/sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", KARPCTL]);
    let (mut child, _in_flight) = asking_a_silent_aws(&mut nohup, &[&["status"], &DEMO[..]].concat());
    for _ in 0..2 {
        send(&child, Signal::HUP);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    send(&child, Signal::INT);
    is_interrupted_at_once(child, 130);
}

#[test]
fn versions_lists_the_tools_that_fit() {
    let shell = Shell::new();
    let listed: serde_json::Value = serde_json::from_str(&shell.run(&["versions", "-o", "json"]).stdout).unwrap();
    assert_eq!(listed["schema"], "karpctl/versions/v1");
    let of = |version: &str| listed["tools"].as_array().unwrap().iter().find(|t| t["kubernetes"] == version).unwrap().clone();
    // Kubernetes' own skew policy for kubectl; helm's support table.
    assert_eq!((&of("1.33")["kubectl"]["oldest"], &of("1.33")["kubectl"]["newest"]), (&"1.32".into(), &"1.34".into()));
    assert!(of("1.33")["helm"].to_string().contains("3.18"), "{}", of("1.33"));
    let newest = listed["releases"].as_array().unwrap().iter().find(|r| r["karpenter"] == "1.14.1").unwrap();
    assert_eq!(newest["eksctl"]["oldest"], "0.202.0");
    let text = shell.run(&["versions"]).stdout;
    let headings = ["Karpenter              Kubernetes  chart ", "Kubernetes  Karpenter  kubectl    eksctl"];
    assert!(text.contains("  eksctl\n0.17.0 to 0.18.1 ") && headings.iter().all(|h| text.contains(h)), "{text}");
    // What a column holds is said below its table.
    let (releases, kubernetes) = text.split_once(headings[1]).unwrap();
    for (table, columns) in [
        (releases, &["Kubernetes", "chart", "API", "namespace, identity", "policies", "events", "CRDs", "eksctl"][..]),
        (kubernetes, &["Karpenter", "kubectl", "eksctl", "support ends", "extended", "helm"]),
    ] {
        let missing: Vec<_> = columns.iter().filter(|column| !table.contains(&format!("{column}: "))).collect();
        assert!(missing.is_empty(), "{missing:?} are not explained in {table}");
    }
}

#[test]
fn a_tool_is_asked_for_its_version_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new().file("helm", "#!/bin/sh\necho \"$*\" >> \"${0%/*}/asked\"\necho v3.19.0\n");
    let helm = shell.dir.path().join("helm");
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Three ask: which client it is, whether it fits, and how it reads log-ins.
    let only = ["doctor", "--offline", "--only", "helm-version,exec-kubeconfig,registry-login", "-o", "json", "--helm"];
    let ended = shell.run(&[&only[..], &[helm.to_str().unwrap()], &OFFLINE].concat());
    let checks = serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()["checks"].clone();
    assert!(checks.as_array().unwrap().iter().any(|c| c["subject"].as_str().unwrap().contains("helm 3.19.0")), "{checks:#}");
    let asked = std::fs::read_to_string(shell.dir.path().join("asked")).unwrap();
    assert_eq!(asked, "version --template {{.Version}}\n");
}
