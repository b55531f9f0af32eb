//! Texts that others wrote and a terminal would obey: AWS's answers, a kubeconfig, what tools print, a command line. Whatever karpctl
//! writes, none of them reaches a terminal, a file or a reader of JSON as anything but text.

use crate::adapters::serve;
use karpctl::characters::{acts, written_out};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// A cleared screen, a title, a link, a cursor that goes up by the other spelling, a name that reads backwards, hidden words.
const HOSTILE: &str = "seen\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]8;;http://x\u{1b}\\\u{9b}1A\u{202e}nwo\u{2066}\u{200f}\u{1b}[8m\rover\u{7f}";

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn karpctl(folder: &Path, aws: &str, words: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_karpctl"))
        .env_clear()
        .envs([("HOME", folder), ("PATH", &folder.join("bin"))])
        .envs([("AWS_ENDPOINT_URL", aws), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_MAX_ATTEMPTS", "1")])
        .envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")])
        .current_dir(folder)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Nothing in it acts but our colours, and the text was not merely left out.
#[track_caller]
fn is_text(what: &str, text: &str) {
    let colours = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[38;5;28m", "\u{1b}[38;5;130m"];
    let plain = colours.iter().fold(text.to_owned(), |text, colour| text.replace(colour, ""));
    assert!(!plain.contains(acts), "{what}:\n{plain:?}");
}

fn script(folder: &Path, name: &str, body: &str) {
    let file = folder.join("bin").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// An AWS that knows who asks, and answers everything else with a refusal of hostile words.
fn aws() -> String {
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn>\
                  <UserId>me</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let (url, _) = serve(move |asked| {
        if asked.body.contains("Action=GetCallerIdentity") {
            return ("200 OK".into(), caller.into());
        }
        if asked.body.contains("Action=") {
            // XML can hold those of eight bits.
            let said = "<Error><Code>ValidationError</Code><Message>seen \u{9b}2J\u{202e}</Message></Error>";
            return ("400 Bad Request".into(), format!("<ErrorResponse>{said}</ErrorResponse>"));
        }
        ("400 Bad Request".into(), json!({"__type": "ClientException", "message": HOSTILE}).to_string())
    });
    url
}

const WHERE: [&str; 4] = ["--cluster-name", "demo", "--region", "us-west-2"];

#[test]
fn what_aws_says_is_text() {
    let (aws, folder) = (aws(), tempfile::tempdir().unwrap());
    script(folder.path(), "helm", "echo v3.17.3");
    script(folder.path(), "eksctl", "echo 0.230.0");
    for words in [
        &["status"][..],
        &["status", "--color", "always", "-vv"],
        &["status", "-o", "json"],
        &["doctor", "--color", "always"],
        &["doctor", "-o", "json"],
        &["doctor", "-o", "markdown"],
        &["doctor", "-o", "sarif"],
        &["doctor", "-o", "junit"],
        &["doctor", "-o", "github"],
        &["bootstrap", "--yes"],
        &["bootstrap", "--dry-run", "-o", "ndjson", "--report", "page.html"],
        &["bootstrap", "--dry-run", "--report", "page.html"],
        &["doctor", "--save-facts", "facts.json"],
    ] {
        let ended = karpctl(folder.path(), &aws, &[words, &WHERE].concat());
        let (what, said) = (words.join(" "), ended.stdout.clone() + &ended.stderr);
        is_text(&what, &said);
        assert!(ended.code > 0 || words[0] != "bootstrap" || words.contains(&"--dry-run"), "{what}: {said}");
        // What was skipped for it is no annotation.
        assert!(said.contains("seen") || words.ends_with(&["github"]), "{what} shows nothing of it:\n{said}");
        if words.ends_with(&["json"]) {
            serde_json::from_str::<Value>(&ended.stdout).unwrap();
        }
    }
    for file in ["page.html", "facts.json"] {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.contains("seen"), "{file}:\n{text}");
        is_text(file, &text);
    }
    let facts: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("facts.json")).unwrap()).unwrap();
    assert!(facts.is_object());
}

#[test]
fn what_a_kubeconfig_a_plugin_and_a_tool_say_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let name = json!(format!("ctx-{HOSTILE}"));
    let plugin =
        json!({"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "plugin", "args": [HOSTILE], "interactiveMode": "Never"});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": format!("https://{HOSTILE}")}}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    });
    std::fs::write(folder.path().join("config"), &*written_out(&config.to_string())).unwrap();
    std::fs::write(folder.path().join("said"), format!("{HOSTILE}\nplugin of {HOSTILE}\n")).unwrap();
    let said = folder.path().join("said");
    script(folder.path(), "plugin", &format!("/bin/cat {0}; /bin/cat {0} >&2; exit 3", said.display()));
    script(folder.path(), "helm", "echo v3.17.3");
    script(folder.path(), "kubectl", &format!("/bin/cat {}", said.display()));
    for more in
        [&["--color", "always"][..], &["-o", "json"], &["-o", "markdown"], &["-o", "github"], &["-o", "sarif"], &["-o", "junit"], &["-vv"]]
    {
        let words = [&["doctor", "--area", "client", "--offline", "--kubeconfig", "config"], more].concat();
        let ended = karpctl(folder.path(), "http://127.0.0.1:9", &words);
        let text = ended.stdout + &ended.stderr;
        is_text(&words.join(" "), &text);
        assert!(text.contains("seen") || more.contains(&"json"), "{}:\n{text}", words.join(" "));
    }
}

#[test]
fn a_command_line_and_a_spec_file_are_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("karpctl.yaml"), json!({ HOSTILE: 1, "clusterName": HOSTILE }).to_string()).unwrap();
    let run = |words: &[&str]| {
        let ended = karpctl(folder.path(), "http://127.0.0.1:9", words);
        is_text(&words.join(" "), &(ended.stdout + &ended.stderr));
        assert_eq!(ended.code, 2, "{words:?}");
    };
    let flag = format!("--{HOSTILE}");
    run(&["status", &flag]);
    run(&["status", "--color", HOSTILE]);
    run(&["explain", HOSTILE]);
    run(&["render", "inflate"]);
    run(&["render", "inflate", "-f", "none.yaml", "--cluster-name", HOSTILE, "--region", HOSTILE]);
    run(&["status", "-o", "json", &flag]);
}
