//! The doctor as a stranger runs it: in a folder without a spec file, with things named that are not there, by the commands that it
//! prints itself.

use super::{Ended, OFFLINE, Shell, usage_error};
use crate::adapters::serve;
use serde_json::Value;
use std::fmt::Write as _;

const WHO: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"#;
const NO_ROLE: &str = r#"<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role cannot be found.</Message></Error><RequestId>1</RequestId></ErrorResponse>"#;
pub(super) const PLUGIN: &str = r#"#!/bin/sh
echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"t"}}'
"#;

/// A kubeconfig whose contexts, the first of which is the current one, have plugins of these versions.
pub(super) fn kubeconfig(contexts: &[(&str, &str)]) -> String {
    let mut text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n", contexts[0].0);
    text += "- name: k\n  cluster:\n    server: https://127.0.0.1:9\ncontexts:\n";
    for (name, _) in contexts {
        let _ = write!(text, "- name: {name}\n  context:\n    cluster: k\n    user: of-{name}\n");
    }
    text += "users:\n";
    for (name, version) in contexts {
        let exec = format!("apiVersion: client.authentication.k8s.io/{version}\n      command: ./plugin\n      interactiveMode: Never");
        let _ = write!(text, "- name: of-{name}\n  user:\n    exec:\n      {exec}\n");
    }
    text
}

/// A machine with a helm, a plugin and this kubeconfig.
pub(super) fn machine(contexts: &[(&str, &str)]) -> Shell {
    Shell::new().program("helm", "#!/bin/sh\necho v3.17.3\n").program("plugin", PLUGIN).file("config", &kubeconfig(contexts))
}

/// With credentials, and an AWS that knows who asks and has no spot role.
fn aws() -> Shell {
    let (url, _) = serve(|asked| match asked.body.as_str() {
        body if body.contains("GetRole") => ("404 Not Found".to_owned(), NO_ROLE.to_owned()),
        _ => ("200 OK".to_owned(), WHO.to_owned()),
    });
    Shell::new().asks(&url)
}

pub(super) fn checks(ended: &Ended) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", ended.stdout, ended.stderr));
    report["checks"].as_array().unwrap().clone()
}

#[test]
fn the_printed_cure_works_where_no_cluster_is_named() {
    let shell = machine(&[("here", "v1alpha1")]);
    let doctor = |more: &[&str]| {
        let words = ["doctor", "--helm", "./helm", "--only", "exec-api-version", "--kubeconfig", "config"];
        shell.run(&[&words[..], more].concat())
    };
    let failed = checks(&doctor(&["-o", "json"]));
    let cure: Vec<&str> = failed[0]["fixes"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(cure[..4], ["karpctl", "doctor", "--fix", "--yes"]);
    let ended = shell.run(&[&cure[1..], &["--helm", "./helm"]].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("takes client.authentication.k8s.io/v1beta1"), "{}", ended.stdout);
    // Once more: all is well, and it says so.
    let ended = doctor(&["--fix", "--yes"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, "There is nothing to mend.\n"));
}

#[test]
fn what_a_context_names_and_no_entry_has_is_named() {
    let text = kubeconfig(&[("here", "v1beta1")]);
    let doctor = |text: &str| {
        let shell = machine(&[("here", "v1beta1")]).file("config", text);
        let words = ["doctor", "--helm", "./helm", "--only", "exec-kubeconfig,exec-credentials", "--kubeconfig", "config", "-o", "json"];
        let file = shell.dir.path().join("config").display().to_string();
        let found = checks(&shell.run(&words)).into_iter().find(|check| check["result"] == "fail").unwrap();
        (found["message"].as_str().unwrap().to_owned(), file)
    };
    let (message, file) = doctor(&text.replace("user: of-here", "user: nouser"));
    assert_eq!(message, format!("users[name=nouser] in {file}: there is no user of that name, which the context has"));
    let (message, file) = doctor(&text.replace("cluster: k\n", "cluster: nocluster\n"));
    assert_eq!(message, format!("{file}: there is no cluster `nocluster`, which the context names"));
    for nothing in ["", "# later\n"] {
        let (message, file) = doctor(nothing);
        assert!(message.starts_with(&format!("there is nothing in {file}, and helm ")), "{message}");
    }
}

#[test]
fn what_is_mended_by_kubeconfig_is_taken_back_by_it() {
    let shell = machine(&[("here", "v1alpha1"), ("there", "v1alpha1"), ("good", "v1"), ("far", "v1alpha1")])
        .file("second", &kubeconfig(&[("else", "v1alpha1")]))
        .env("KUBECONFIG", "config:second:nowhere");
    let text = |name: &str| std::fs::read_to_string(shell.dir.path().join(name)).unwrap();
    let before = (text("config"), text("second"));
    let fix = |more: &[&str]| shell.run(&[&["doctor", "--fix", "--yes", "--only", "exec-api-version", "--helm", "./helm"], more].concat());
    let ended = fix(&[]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    // The other contexts of the file are not chosen, and so not mended.
    assert!(ended.stderr.contains("2 more contexts of "), "{}", ended.stderr);
    assert!(ended.stderr.contains("v1alpha1: there, far; to mend one:\n  karpctl doctor --fix --only exec-api-version --kubeconfig "));
    assert!(ended.stderr.trim_end().ends_with("/config --context there"), "{}", ended.stderr);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let ended = fix(&["--context", "else"]);
    assert!(!ended.stderr.contains("more context"), "{}", ended.stderr);
    assert!(text("config") != before.0 && text("second") != before.1);
    let undo = || shell.run(&["doctor", "--undo"]);
    assert!(undo().stdout.ends_with("/second is as it was.\n"), "the last change first");
    assert!(undo().stdout.ends_with("/config is as it was.\n"));
    assert_eq!((text("config"), text("second")), before);
    let ended = undo();
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("/second, ") && ended.stderr.contains("there is no backup"), "{}", ended.stderr);
}

#[test]
fn what_is_of_the_account_is_asked_without_cluster_and_region() {
    let ended = aws().run(&["doctor", "--only", "aws-credentials"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("pass account 111122223333: the caller is arn:aws:iam::111122223333:user/me"), "{}", ended.stdout);
    assert!(ended.stderr.contains("no AWS region is set, so us-east-1 is asked"), "{}", ended.stderr);
    let ended = aws().env("AWS_REGION", "eu-west-1").run(&["doctor", "--only", "spot-role"]);
    assert!(ended.stdout.contains("warn role AWSServiceRoleForEC2Spot: is not there yet"), "{}{}", ended.stdout, ended.stderr);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    // What nobody is about to make is not waited for.
    let ended = aws().env("AWS_REGION", "eu-west-1").run(&["doctor", "--only", "spot-role", "--fail-on", "warning", "--wait", "30s"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    let ended = aws().run(&["doctor", "--only", "aws-credentials", "--account-id", "999900001111"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    // What is about a cluster asks for one, as before.
    for id in ["node-access", "names-and-sizes", "helm-version"] {
        usage_error(&aws().run(&["doctor", "--only", id]), &["the cluster has no name"]);
    }
}

#[test]
fn the_profiles_of_kubeconfigs_are_asked_at_the_same_time() {
    let (url, _) = serve(|_| ("200 OK".to_owned(), WHO.to_owned()));
    // Either credential is given only once the other has been asked for.
    let meets = "#!/bin/sh\n: > asked-$1\nn=0\nwhile [ ! -e asked-$2 ]; do n=$((n+1)); [ $n -gt 300 ] && exit 1; sleep 0.1; done\n\
         echo '{\"Version\": 1, \"AccessKeyId\": \"k\", \"SecretAccessKey\": \"s\"}'\n";
    let profiles = "[profile a]\ncredential_process = ./meets a b\n[profile b]\ncredential_process = ./meets b a\n";
    let text = kubeconfig(&[("a", "v1beta1"), ("b", "v1beta1")]);
    let (of_a, of_b) = text.split_once("- name: of-b").unwrap();
    let mode = "interactiveMode: Never";
    let pin = |text: &str, profile| text.replace(mode, &format!("{mode}\n      env: [{{name: AWS_PROFILE, value: {profile}}}]"));
    let shell = machine(&[("a", "v1beta1")])
        .file("config", &format!("{}- name: of-b{}", pin(of_a, "a"), pin(of_b, "b")))
        .file("profiles", profiles)
        .program("meets", meets)
        .program("kubectl", "#!/bin/sh\necho '{\"clientVersion\": {\"gitVersion\": \"v1.34.0\"}}'\n")
        .env("AWS_ENDPOINT_URL", &url)
        .env("AWS_CONFIG_FILE", "profiles")
        .env("HELM_KUBECONTEXT", "b");
    let words = ["doctor", "--only", "kubeconfig-profile", "--helm", "./helm", "--kubectl", "./kubectl", "--kubeconfig", "config"];
    let said = checks(&shell.run(&[&words[..], &["-o", "json"]].concat()));
    let messages: Vec<&str> = said.iter().map(|finding| finding["message"].as_str().unwrap()).collect();
    assert!(messages.len() == 2 && messages.iter().all(|message| message.contains(", in account 111122223333")), "{messages:#?}");
}

#[test]
fn explain_prints_a_doctor_that_can_be_run() {
    let last = |shell: &Shell, id: &str| shell.run(&["explain", id]).stdout.lines().last().unwrap_or_default().to_owned();
    let shell = Shell::new();
    assert_eq!(last(&shell, "spot-role"), "To see how it is here: `karpctl doctor --only spot-role`");
    let of = "To see how it is here: `karpctl doctor --only node-access";
    assert_eq!(last(&shell, "node-access"), format!("{of} --cluster-name NAME --region REGION`"));
    assert_eq!(last(&shell.file("karpctl.yaml", "clusterName: demo\n"), "node-access"), format!("{of}`"));
}

#[test]
fn a_named_thing_that_is_missing_is_an_error() {
    let shell = machine(&[("here", "v1beta1")]).file("karpctl.txt", "");
    for (flag, named) in [("--helm", "/nope/helm"), ("--kubectl", "nope-kubectl"), ("--eksctl", "./karpctl.txt"), ("--helm", "/")] {
        usage_error(&shell.run(&["doctor", "--offline", "--only", "tool-programs", flag, named]), &[named, "hint:", flag]);
    }
    let of = |more: &[&str]| shell.run(&[&["doctor", "--only", "exec-api-version"], more].concat());
    for fix in [&[][..], &["--fix", "--yes"]] {
        usage_error(&of(&[&["--helm", "./helm", "--kubeconfig", "/nope/x"], fix].concat()), &["there is no kubeconfig /nope/x", "hint:"]);
        let words = ["--helm", "./helm", "--kubeconfig", "config", "--context", "nope"];
        usage_error(&of(&[&words[..], fix].concat()), &["there is no context `nope` in ", "/config", "get-contexts"]);
        usage_error(&of(&[&["--helm", "/nope/helm", "--kubeconfig", "config"], fix].concat()), &["/nope/helm", "hint:"]);
    }
    // So it is where there is no client that would say it.
    let alone = Shell::new().env("PATH", "/nope").run(&["doctor", "--offline", "--only", "exec-kubeconfig", "--kubeconfig", "/nope/x"]);
    usage_error(&alone, &["there is no kubeconfig /nope/x", "hint:"]);
    // The check that is about just that says it as the client does.
    let words = ["doctor", "--offline", "--only", "exec-kubeconfig", "--helm", "./helm", "-o", "json", "--kubeconfig"];
    for more in [&["/nope/x"][..], &["config", "--context", "nope"]] {
        let ended = shell.run(&[&words[..], more].concat());
        assert_eq!((ended.code, &checks(&ended)[0]["result"]), (1, &Value::from("fail")), "{}", ended.stdout);
    }
}

#[test]
fn a_named_kubeconfig_that_no_client_loads_is_an_error() {
    let broken = "apiVersion: v1\nkind: Config\nusers: [\n";
    let shell = || machine(&[("here", "v1beta1")]).file("broken", broken);
    let words = ["doctor", "--only", "exec-api-version", "--helm", "./helm"];
    let said = ["helm 3.17.3 cannot load the kubeconfig ", "/broken, line ", "caused by: ", "hint: mend it there"];
    for more in [&[][..], &["-o", "junit"], &["--fix", "--yes"]] {
        usage_error(&shell().run(&[&words[..], &["--kubeconfig", "broken"], more].concat()), &said);
        usage_error(&shell().env("KUBECONFIG", "config:broken").run(&[&words[..], more].concat()), &said);
    }
    // The check that is about just that says it as the client does.
    let ended = shell().run(&["doctor", "--only", "exec-kubeconfig", "--helm", "./helm", "--kubeconfig", "broken", "-o", "json"]);
    assert_eq!((ended.code, &checks(&ended)[0]["result"]), (1, &Value::from("fail")), "{}", ended.stdout);
    // What none of the checks reads is nobody's concern.
    let ended = shell().run(&["doctor", "--offline", "--only", "tool-programs", "--kubeconfig", "broken"]);
    assert!(!ended.stderr.contains("cannot load"), "{}", ended.stderr);
}

#[test]
fn a_kubeconfig_that_nobody_read_is_not_said_to_be_closed() {
    let shell = machine(&[("here", "v1beta1")]);
    let doctor = |more: &[&str]| {
        let ended = shell.run(&[&["doctor", "--only", "kubeconfig-readable", "--helm", "./helm", "-o", "json"], more].concat());
        let said = checks(&ended);
        assert_eq!(said.len(), 1, "{said:#?}");
        said[0]["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(doctor(&[]), "skip", "there is none at home");
    std::fs::create_dir(shell.dir.path().join(".kube")).unwrap();
    std::fs::write(shell.dir.path().join(".kube/config"), "a: [\n").unwrap();
    assert_eq!(doctor(&[]), "skip", "nobody named it, and no client loads it");
    assert_eq!(doctor(&["--kubeconfig", "config"]), "warn", "others may read it");
}

#[test]
fn quietly_only_what_failed_is_said() {
    let shell = machine(&[("bad", "v1alpha1"), ("good", "v1beta1")]);
    let of = |context: &str, more: &[&str]| {
        let words = ["doctor", "-q", "--area", "client", "--skip", "helm-version,eksctl-version,registry-login", "--helm", "./helm"];
        shell.run(&[&words[..], &["--kubeconfig", "config", "--context", context], more].concat())
    };
    let ended = of("bad", &[]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0] == "client" && lines[1].starts_with("  fail context bad") && lines[2].is_empty() && lines[3] == "What to do");
    assert!(["pass", "warn", "skip"].iter().all(|word| !ended.stdout.contains(&format!("  {word} "))), "{}", ended.stdout);
    assert!(!ended.stdout.contains("failed,"), "{}", ended.stdout);
    let ended = of("good", &[]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    // What counts is said: others may read the file.
    let ended = of("good", &["--fail-on", "warning"]);
    assert!(ended.code == 1 && ended.stdout.contains("warn ") && ended.stdout.contains("[kubeconfig-readable]"), "{}", ended.stdout);
}

#[test]
fn a_report_is_ok_where_nothing_failed_but_what_is_accepted() {
    const ACCEPTED: &str = "schema: karpctl/accepted/v1\naccepted:\n- {check: exec-api-version, reason: old, until: 2999-12-31}\n";
    let doctor = |version: &str, shell: fn(Shell) -> Shell| {
        let words =
            ["doctor", "--only", "exec-api-version,kubeconfig-readable", "--helm", "./helm", "--kubeconfig", "config", "-o", "json"];
        let ended = shell(machine(&[("here", version)])).run(&words);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let of = |id: &str| report["checks"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()["result"].clone();
        // What only warns is no failure.
        assert_eq!(of("kubeconfig-readable"), "warn", "{report:#}");
        (of("exec-api-version").as_str().unwrap().to_owned(), report["ok"].as_bool(), ended.code)
    };
    assert_eq!(doctor("v1alpha1", |shell| shell), ("fail".to_owned(), Some(false), 1));
    assert_eq!(doctor("v1beta1", |shell| shell), ("pass".to_owned(), Some(true), 0));
    let with_accepted = |shell: Shell| shell.file("karpctl-accepted.yaml", ACCEPTED);
    assert_eq!(doctor("v1alpha1", with_accepted), ("fail".to_owned(), Some(true), 0));
}

#[test]
fn a_quiet_status_is_what_is_not_as_it_should_be() {
    let gone = r#"{"__type": "ResourceNotFoundException", "message": "No cluster found for name: demo."}"#;
    let (url, _) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("404 Not Found".to_owned(), gone.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), r#"{"clusterVersions": []}"#.to_owned()),
    });
    let shell = Shell::new().asks(&url);
    let status = |more: &[&str]| shell.run(&[&["status"], &OFFLINE[..], more].concat()).stdout;
    let (all, quiet) = (status(&[]), status(&["-q"]));
    assert!(all.starts_with("demo in us-west-2 of account 111122223333 (") && all.contains("could not be looked at"), "{all}");
    assert!(
        quiet.contains("  absent ") && !quiet.contains("looked at, for") && quiet.lines().all(|line| line.starts_with("  ")),
        "{quiet}"
    );
}

#[test]
fn an_account_that_cannot_be_asked_is_the_reason_that_is_given() {
    let shell = || Shell::new().env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_MAX_ATTEMPTS", "1");
    let ended = shell().env("AWS_REGION", "us-west-2").run(&["doctor", "--area", "account", "--cluster-name", "demo", "-o", "json"]);
    let said = checks(&ended);
    let skipped: Vec<&str> = said.iter().filter(|c| c["result"] == "skip").map(|c| c["message"].as_str().unwrap()).collect();
    assert!(skipped.len() > 5 && skipped.iter().all(|why| why.contains("127.0.0.1:9")), "{skipped:#?}");
    // Offline the account is to be given too.
    let ended = shell().run(&[&["doctor", "--offline", "--only", "names-and-sizes"], &OFFLINE[..4]].concat());
    assert!(ended.stdout.contains("skip cluster: with --offline it takes --account-id, as AWS is not asked for it"), "{}", ended.stdout);
    let ended = shell().run(&["doctor", "--offline", "--only", "names-and-sizes"]);
    assert!(ended.stdout.contains("skip cluster: with --offline it takes --cluster-name, --region and --account-id"), "{}", ended.stdout);
}

#[test]
fn facts_that_this_karpctl_did_not_save_are_refused_with_what_they_are() {
    let shell = Shell::new();
    assert_eq!(shell.run(&["doctor", "--offline", "--only", "names-and-sizes", "--save-facts", "saved.json"]).code, 0);
    let saved = std::fs::read_to_string(shell.dir.path().join("saved.json")).unwrap();
    let again = "hint: `karpctl doctor --save-facts FILE` of this release writes such a file";
    for (text, why) in [
        (saved.replace("karpctl/facts/v1", "karpctl/facts/v9"), "the schema karpctl/facts/v1 was expected; it has `karpctl/facts/v9`"),
        (r#"{"schema": "karpctl/doctor/v1", "checks": []}"#.into(), "the schema karpctl/facts/v1 was expected; it has `karpctl/doctor/v1`"),
        ("{}".into(), "the schema karpctl/facts/v1 was expected; it names none"),
        ("[1]".into(), "the schema karpctl/facts/v1 was expected; it names none"),
        ("clusterName: demo\n".into(), "JSON of the schema karpctl/facts/v1 was expected; it is no JSON: "),
        (saved.replace("\"day\"", "\"days\""), "its schema is karpctl/facts/v1, and its fields are another release's: missing field `day`"),
    ] {
        std::fs::write(shell.dir.path().join("facts.json"), &text).unwrap();
        let ended = shell.run(&["doctor", "--facts", "facts.json"]);
        usage_error(&ended, &["error: cannot judge by facts.json: these are no facts that this karpctl saved", why, again]);
    }
}

#[test]
fn saved_facts_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new();
    let file = shell.dir.path().join("facts.json");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let save = || shell.run(&[&["doctor", "--offline", "--only", "exec-kubeconfig", "--save-facts", "facts.json"], &OFFLINE[..]].concat());
    save();
    assert_eq!(mode(), 0o600);
    // Also where one was there that others could read.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    save();
    assert_eq!(mode(), 0o600);
}
