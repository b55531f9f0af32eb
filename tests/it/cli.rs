//! The command line as a stranger meets it: bad input, help, documents. No AWS: credentials and endpoints lead nowhere.

use std::path::Path;
use std::process::{Command, Stdio};

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

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

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn run(&self, words: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_karpctl"))
            .env_clear()
            .env("HOME", self.dir.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .envs(self.env.iter().cloned())
            .current_dir(self.dir.path())
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

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
fn an_unknown_flag_is_answered_with_the_nearest() {
    usage_error(&Shell::new().run(&["bootstrap", "--clustername", "demo"]), &["--clustername", "--cluster-name"]);
    usage_error(&Shell::new().run(&["bootstrp"]), &["bootstrp", "bootstrap"]);
}

#[test]
fn an_unknown_field_is_answered_with_file_place_and_the_nearest() {
    let shell = Shell::new().file("karpctl.yaml", "clusterName: demo\nregoin: us-west-2\n");
    usage_error(&shell.run(&["status"]), &["karpctl.yaml", "regoin", "did you mean `region`?", "line 2"]);
    let nested = Shell::new().file("karpctl.yaml", "clusterName: demo\nnodePool:\n  capacityType: [spot]\n");
    usage_error(&nested.run(&["status"]), &["capacityType", "did you mean `capacityTypes`?"]);
}

#[test]
fn names_that_are_not_valid_are_all_said_at_once() {
    let ended = Shell::new().run(&[
        "render",
        "cloudformation",
        "--cluster-name",
        "_demo",
        "--region",
        "nowhere",
        "--account-id",
        "12",
        "--permissions-boundary",
        "role",
    ]);
    usage_error(&ended, &["4 settings", "_demo", "nowhere", "twelve digits", "arn:<partition>"]);
}

#[test]
fn versions_that_are_not_known_are_refused_with_the_range() {
    usage_error(&render(&Shell::new(), "cloudformation", &["--karpenter-version", "0.16.3"]), &["0.16.3", "0.17.0"]);
    usage_error(&render(&Shell::new(), "cloudformation", &["--karpenter-version", "latest"]), &["latest"]);
    usage_error(&render(&Shell::new(), "cluster-config", &["--kubernetes-version", "1.x"]), &["1.x"]);
}

#[test]
fn what_is_missing_is_named_with_the_ways_to_give_it() {
    usage_error(&Shell::new().run(&["bootstrap", "--dry-run"]), &["cluster has no name", "CLUSTER_NAME", "AWS_REGION"]);
    usage_error(&Shell::new().run(&["token"]), &["cluster has no name"]);
    usage_error(&Shell::new().run(&["status", "-f", "nothere.yaml"]), &["nothere.yaml"]);
    usage_error(&render(&Shell::new(), "all", &[]), &["--out"]);
}

#[test]
fn a_flag_wins_over_the_environment_and_says_so() {
    let shell = Shell::new().env("AWS_REGION", "eu-west-1").env("KARPENTER_VERSION", "v1.0.8").file("karpctl.yaml", "region: eu-north-1\n");
    let ended = render(&shell, "node-pool", &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("the flag says `us-west-2` and wins over the environment, which says `eu-west-1`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the file karpctl.yaml, which says `eu-north-1`"), "{}", ended.stderr);
    assert!(ended.stdout.contains("kind: NodePool"));
}

#[test]
fn an_unquoted_version_is_refused_with_the_reason() {
    let shell = Shell::new().file("karpctl.yaml", "clusterName: demo\nkubernetesVersion: 1.30\n");
    usage_error(&shell.run(&["status"]), &["quoted", "karpctl.yaml"]);
}

#[test]
fn no_credentials_is_an_error_with_a_hint() {
    let ended = Shell::new().run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("credentials") && ended.stderr.contains("hint:"), "{}", ended.stderr);
}

#[test]
fn an_endpoint_that_does_not_answer_is_an_error_with_a_hint() {
    let shell = Shell::new().env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_MAX_ATTEMPTS", "1");
    let ended = shell.run(&["status", "--cluster-name", "demo", "--region", "us-west-2", "-o", "json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    let error: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["kind"], "unreachable");
    assert!(!error["hints"].as_array().unwrap().is_empty(), "{error}");
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
fn render_all_writes_every_document_and_overwrites_none() {
    let shell = Shell::new();
    let first = render(&shell, "all", &["--out", "docs"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let config = shell.dir.path().join("docs/cluster-config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert_eq!(render(&shell, "cluster-config", &[]).stdout, text);
    assert_eq!(render(&shell, "all", &["--out", "docs"]).code, 0, "the same again is fine");
    std::fs::write(&config, "mine").unwrap();
    let refused = render(&shell, "all", &["--out", "docs"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "mine");
    assert_eq!(render(&shell, "all", &["--out", "docs", "--force"]).code, 0);
}

#[test]
fn a_document_that_a_release_has_not_is_refused_with_the_first_that_has_it() {
    let refused = render(&Shell::new(), "flow-schemas", &["--karpenter-version", "0.32.10"]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("0.32.10") && refused.stderr.contains("--karpenter-version 0.33.0"), "{}", refused.stderr);
    let shell = Shell::new();
    assert_eq!(render(&shell, "all", &["--karpenter-version", "0.32.10", "--out", "old"]).code, 0);
    assert!(shell.dir.path().join("old/prometheus-values.yaml").exists() && !shell.dir.path().join("old/flow-schemas.yaml").exists());
}

#[test]
fn a_release_that_the_table_has_not_is_rendered_with_a_warning_and_refused_when_strict() {
    let known = render(&Shell::new(), "cloudformation", &[]);
    let newer = render(&Shell::new(), "cloudformation", &["--karpenter-version", "99.0.0"]);
    assert_eq!((newer.code, newer.stdout), (0, known.stdout));
    assert!(newer.stderr.contains("99.0.0 is newer than this karpctl's table") && known.stderr.is_empty(), "{}", newer.stderr);
    let refused = render(&Shell::new(), "cloudformation", &["--karpenter-version", "99.0.0", "--strict"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (4, ""));
    let trap = render(&Shell::new(), "helm-values", &["--karpenter-version", "1.0.0"]);
    assert!(trap.code == 0 && trap.stderr.contains("--karpenter-version 1.0.14"), "{}", trap.stderr);
    assert_eq!(render(&Shell::new(), "helm-values", &["--karpenter-version", "1.0.0", "--strict"]).code, 4);
    let leak = render(&Shell::new(), "helm-values", &["--karpenter-version", "0.29.1"]);
    assert!(leak.code == 0 && leak.stderr.contains("leaks memory"), "{}", leak.stderr);
    let apart = render(&Shell::new(), "helm-values", &["--karpenter-version", "1.14.1", "--kubernetes-version", "1.25", "--strict"]);
    assert!(apart.code == 4 && apart.stderr.contains("1.26 to 1.36"), "{}", apart.stderr);
}

#[test]
fn where_the_guide_is_wrong_is_explained_for_a_release() {
    let shell = Shell::new();
    let all = shell.run(&["explain", "guide"]).stdout;
    assert!(
        all.contains("values-of-0.19.0") && all.contains("1.9.0 to 1.9.2") && all.contains("orphaned-nodes, 0.17.0 and newer"),
        "{all}"
    );
    let one = shell.run(&["explain", "guide", "--karpenter-version", "1.12.1"]).stdout;
    assert!(one.contains("KarpenterControllerZonalShiftPolicy") && !one.contains("values-of-0.19.0"), "{one}");
    let trap = shell.run(&["explain", "guide", "--karpenter-version", "1.0.0"]).stdout;
    assert!(trap.contains("take 1.0.14 instead"), "{trap}");
    assert_eq!(shell.run(&["explain", "guide", "--karpenter-version", "0.16.0"]).code, 2);
    let said = |release: &str, document: &str| render(&shell, document, &["--karpenter-version", release]).stderr;
    assert!(said("1.12.1", "cluster-config").contains("karpctl explain guide --karpenter-version 1.12.1"));
    assert_eq!(said("1.12.1", "helm-values"), "");
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
fn every_example_renders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        seen += 1;
        let file = path.to_str().unwrap();
        let words =
            ["render", "all", "--out", "out", "-f", file, "--cluster-endpoint", "https://example.invalid", "--account-id", "111122223333"];
        let ended = Shell::new().run(&words);
        assert_eq!(ended.code, 0, "{file}: {}", ended.stderr);
    }
    assert!(seen >= 4, "{seen} examples");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_karpctl")).args(["versions"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn every_command_shows_two_examples() {
    let help = Shell::new().run(&["--help"]).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.trim().is_empty())
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for command in commands {
        let help = Shell::new().run(&[command, "--help"]).stdout;
        let examples = help.lines().skip_while(|l| *l != "Examples:").filter(|l| l.contains("karpctl ")).count();
        assert!(examples >= 2, "{command} has {examples} examples");
    }
}

#[test]
fn explain_knows_every_step_of_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let listed = Shell::new().run(&["explain"]).stdout;
    for id in karpctl::plan::StepId::ALL.into_iter().chain(karpctl::plan::StepId::MIGRATION) {
        assert!(readme.contains(&format!("| `{id}` |")), "README does not list {id}");
        assert!(listed.lines().any(|l| l == id.as_str()), "{id}");
        let text = Shell::new().run(&["explain", id.as_str()]).stdout;
        assert!(text.len() > 80, "{id}: {text}");
    }
    usage_error(&Shell::new().run(&["explain", "node-maping"]), &["did you mean `node-mapping`?"]);
}

#[test]
fn explain_finds_a_page_by_the_error_that_people_paste() {
    let explain = |words: &[&str]| Shell::new().run(&[&["explain"], words].concat()).stdout;
    let page = explain(&["exec-api-version"]);
    assert!(page.contains("client-go before 0.24") || page.contains("before 0.24"), "{page}");
    assert_eq!(explain(&["exec plugin: invalid apiVersion"]), page);
    assert_eq!(explain(&["exec", "plugin:", "invalid", "apiVersion"]), page, "without quotes");
    assert!(explain(&["--lang", "ko", "exec plugin: invalid apiVersion"]).contains("고치는 법"));
    usage_error(&Shell::new().run(&["explain", "some other error"]), &["no page quotes such an error"]);
}

#[test]
fn the_schema_of_the_spec_and_of_the_doctors_report_can_be_printed() {
    let schema = |words: &[&str]| -> serde_json::Value { serde_json::from_str(&Shell::new().run(words).stdout).unwrap() };
    let spec = schema(&["generate", "schema"]);
    assert!(spec["properties"]["clusterName"].is_object(), "{spec}");
    assert_eq!(spec, schema(&["generate", "schema", "spec"]));
    let doctor = schema(&["generate", "schema", "doctor"]);
    assert!(doctor["properties"]["checks"].is_object(), "{doctor}");
    assert_ne!(spec, doctor);
}

/// Documents that the program makes of itself are kept as it makes them.
#[test]
fn the_command_reference_and_the_other_made_documents_are_up_to_date() {
    for (words, file) in [
        (&["generate", "markdown"][..], "docs/cli.md"),
        (&["generate", "checks"], "docs/checks.md"),
        (&["generate", "schema", "doctor"], "docs/schema/doctor.json"),
        (&["generate", "schema", "accepted"], "docs/schema/accepted.json"),
    ] {
        let made = Shell::new().run(words).stdout;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("KARPCTL_UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            made == kept,
            "{file} is not what `karpctl {}` prints: KARPCTL_UPDATE_DOCS=1 cargo test command_reference",
            words.join(" ")
        );
    }
}

#[test]
fn a_spec_file_that_cannot_be_read_says_what_and_where() {
    let of = |text: &str| {
        let ended = Shell::new().file("karpctl.yaml", text).run(&["status"]);
        for inner in ["<input>", "error: line", "Options", "from_str", "u32"] {
            assert!(!ended.stderr.contains(inner), "the reader's own words:\n{}", ended.stderr);
        }
        ended
    };
    usage_error(&of("clusterName: demo\nclusterName: two\n"), &["line 2", "`clusterName` stands there twice"]);
    usage_error(&of("clusterName: demo\n\tregion: us-west-2\n"), &["line 2", "tab"]);
    usage_error(&of("clusterName: demo\n---\nclusterName: two\n"), &["one"]);
    usage_error(&of("nodeGroup:\n  maxSize: lots\n"), &["line 2", "whole number", "maxSize: lots"]);
    usage_error(&of("fargate: perhaps\n"), &["line 1", "true or false"]);
    usage_error(&of("- a\n"), &["expected fields"]);
    let short = of("a: 1\n");
    usage_error(&short, &["unknown field `a`"]);
    assert!(!short.stderr.contains("did you mean"), "{}", short.stderr);
    usage_error(&Shell::new().run(&["status", "-f", "."]), &["cannot read the spec file .", "hint:"]);
}

#[test]
fn a_kubeconfig_that_is_not_there_is_said_before_anything_is_asked() {
    let words = ["bootstrap", "--cluster-name", "demo", "--region", "us-west-2", "--yes", "--kubeconfig", "nothere"];
    usage_error(&Shell::new().run(&words), &["there is no kubeconfig nothere", "hint:"]);
}

#[test]
fn a_tag_has_one_value() {
    usage_error(&render(&Shell::new(), "cloudformation", &["--tag", "team=a", "--tag", "team=b"]), &["team", "twice"]);
    assert_eq!(render(&Shell::new(), "cloudformation", &["--tag", "team=a", "--tag", "team=a"]).code, 0);
}

#[test]
fn a_machine_format_gets_its_errors_as_json() {
    for words in [["render", "cloudformation"].as_slice(), &["status"], &["verify"], &["destroy"], &["install"]] {
        let ended = Shell::new().run(&[words, &["--cluster-name", "_x", "-o", "json"]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{words:?}: {}", ended.stderr);
        let error: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!((error["kind"].as_str(), error["exit"].as_u64()), (Some("usage"), Some(2)), "{words:?}");
    }
}

#[test]
fn a_wait_is_given_as_a_duration() {
    let of = |timeout: &str| Shell::new().run(&["bootstrap", "--cluster-name", "_x", "--timeout", timeout]);
    usage_error(&of("soon"), &["soon", "90s"]);
    usage_error(&of("0"), &["24h"]);
    for taken in ["90", "90s", "20m", "1h"] {
        usage_error(&of(taken), &["_x"]);
    }
}

#[test]
fn a_flag_that_wins_over_the_file_is_said_for_variants_too() {
    let shell = Shell::new().file("karpctl.yaml", "identity: irsa\n");
    let ended = render(&shell, "helm-values", &["--identity", "pod-identity"]);
    assert!(ended.stderr.contains("identity: the flag says `pod-identity` and wins over the file karpctl.yaml"), "{}", ended.stderr);
}

#[test]
fn the_second_interruption_leaves_at_once() {
    use rustix::process::{Pid, Signal, kill_process};
    // An AWS that takes the request and never answers: what is in flight is waited for, until a person has had enough.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let shell = Shell::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_karpctl"))
        .env_clear()
        .envs([("HOME", shell.dir.path().to_str().unwrap()), ("AWS_ENDPOINT_URL", &endpoint), ("AWS_EC2_METADATA_DISABLED", "true")])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .args(["status", "--cluster-name", "demo", "--region", "us-west-2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _in_flight = silent.accept().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "the first interruption must let what is in flight finish");
    kill_process(pid, Signal::INT).unwrap();
    let asked = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(asked.elapsed().as_secs() < 5, "the second interruption must leave at once");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_command_line_that_cannot_be_read_is_json_where_json_is_asked_for() {
    for words in [&["status", "--bogus", "-o", "json"][..], &["bootstrap", "--output=ndjson", "--regoin", "x"], &["bootstrapp", "-ojson"]] {
        let ended = Shell::new().run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{words:?}: {}", ended.stderr);
        let error: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap_or_else(|e| panic!("{words:?}: {e}: {}", ended.stderr));
        assert_eq!((&error["schema"], &error["kind"]), (&"karpctl/error/v1".into(), &"usage".into()));
        assert!(error["message"].as_str().unwrap().contains("un"), "{error}");
        assert!(!error["hints"].as_array().unwrap().is_empty(), "{error}");
    }
    let ended = Shell::new().run(&["status", "--bogus"]);
    assert!(ended.stderr.starts_with("error: unexpected argument"), "{}", ended.stderr);
}

#[test]
fn help_is_a_command_too() {
    let ended = Shell::new().run(&["help", "bootstrap"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("karpctl bootstrap --cluster-name demo"), "{}", ended.stdout);
}

#[test]
fn a_tool_that_cannot_be_run_is_not_said_to_be_missing() {
    let shell = Shell::new().file("helm", "#!/bin/sh\n");
    let file = shell.dir.path().join("helm");
    let find = |program: &Path| karpctl::adapters::helm::HelmCli {
        program: program.to_owned(),
        karpctl: "karpctl".into(),
        aws: karpctl::adapters::aws::AwsSettings::default(),
    };
    let said = |program: &Path| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(karpctl::ports::Helm::facts(&find(program))).unwrap_err()
    };
    assert!(said(&file).message.ends_with("is not executable"), "{:?}", said(&file));
    assert!(said(&file).hints[0].contains("chmod +x"));
    assert!(said(shell.dir.path()).message.ends_with("is a folder, not helm"));
    assert!(said(&shell.dir.path().join("nowhere")).message.contains("there is no helm at"));
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
    for heading in ["  eksctl\n0.17.0 to 0.18.1 ", "Kubernetes  Karpenter  kubectl        eksctl"] {
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn flags_that_would_do_nothing_are_not_offered() {
    for (command, flags) in
        [("verify", &["--fargate", "--identity=irsa"][..]), ("destroy", &["--ami-alias=al2023@latest", "--private", "--tag=a=b"])]
    {
        for flag in flags {
            usage_error(&Shell::new().run(&[command, flag]), &["unexpected argument"]);
        }
    }
    let explained = Shell::new().run(&["explain", "discovery-tags"]).stdout;
    let flag = explained.split_whitespace().find(|word| word.starts_with("--sub")).unwrap();
    assert_eq!(flag.trim_matches(|c: char| !c.is_alphanumeric()), "subnet", "the flag is --subnet: {explained}");
}
