//! What `doctor --fix` changes and what it leaves alone; what of a kubeconfig and its plugin is never shown.

use super::doctor::{PLUGIN, checks, kubeconfig, machine};
use super::{Shell, usage_error};

fn fix(shell: &Shell) -> super::Ended {
    shell.run(&["doctor", "--fix", "--yes", "--only", "exec-api-version", "--helm", "./helm", "--kubeconfig", "config"])
}

#[test]
fn contexts_that_change_together_are_named() {
    let text = kubeconfig(&[("a", "v1alpha1")]).replace("users:\n", "- name: b\n  context: {cluster: k, user: of-a}\nusers:\n");
    let ended = fix(&machine(&[("a", "v1")]).file("config", &text));
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("of-a is the user of 2 contexts, which change together: a, b"), "{}", ended.stderr);
}

/// The way back is typed as it is printed, and brings every byte back.
#[test]
fn what_is_printed_takes_a_cure_back() {
    let text = kubeconfig(&[("a", "v1alpha1")]).replace("users:\n", "users: # mine\t\r\n\n");
    let shell = machine(&[("a", "v1")]).file("my config", text.trim_end());
    let of_mine = ["doctor", "--fix", "--yes", "--only", "exec-api-version", "--helm", "./helm", "--kubeconfig", "my config"];
    let file = shell.dir.path().join("my config");
    let before = std::fs::read(&file).unwrap();
    let ended = shell.run(&of_mine);
    assert!(ended.code == 0 && std::fs::read(&file).unwrap() != before, "{}{}", ended.stdout, ended.stderr);
    let undo = ended.stderr.split('`').find(|code| code.starts_with("karpctl doctor --undo")).unwrap_or_else(|| panic!("{}", ended.stderr));
    let script = undo.replacen("karpctl", super::KARPCTL, 1);
    let ended = super::ended(shell.command("/bin/sh").args(["-c", &script]));
    assert_eq!((ended.code, std::fs::read(&file).unwrap()), (0, before), "`{undo}`: {}{}", ended.stdout, ended.stderr);
}

/// What would change another context too is made only where it is named: of two contexts of one user, none changes by the way.
#[test]
fn what_reaches_another_context_is_mended_only_where_it_is_named() {
    let text = kubeconfig(&[("a", "v1alpha1")]).replace("users:\n", "- name: b\n  context: {cluster: k, user: of-a}\nusers:\n");
    let shell = machine(&[("a", "v1")]).file("config", &text);
    let doctor = |more: &[&str]| {
        let words =
            ["doctor", "--offline", "--area", "client", "--skip", "kubeconfig-readable", "--helm", "./helm", "--kubeconfig", "config"];
        shell.run(&[&words[..], more].concat())
    };
    let said = checks(&doctor(&["-o", "json"]));
    let found = said.iter().find(|found| found["id"] == "exec-api-version" && found["result"] == "fail").unwrap();
    assert_eq!(found["fixes"][0]["safe"], false, "{found:#}");
    assert!(found["fixes"][0]["title"].as_str().unwrap().contains("it is the user of b too"), "{found:#}");
    let ended = doctor(&["--fix", "--yes"]);
    assert!(
        ended.stderr.contains("is left as it is, because other contexts have the same user; to change all of them:"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("nothing that karpctl could mend"), "{}", ended.stderr);
    let file = shell.dir.path().join("config");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let cure: Vec<&str> = found["fixes"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(ended.stderr.contains(&format!("\n  {}", cure[..6].join(" "))), "{}", ended.stderr);
    let ended = shell.run(&[&cure[1..], &["--helm", "./helm"]].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text.replace("v1alpha1", "v1beta1"));
}

/// Of all that is found in a kubeconfig exactly what is safe is done; of the rest nothing.
#[test]
fn exactly_the_safe_cures_are_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let text = kubeconfig(&[("a", "v1alpha1"), ("b", "v1alpha1")]);
    let trace = "#!/bin/sh\ncase \"$*\" in *version*) echo aws-cli/2.7.0 ;; *) echo \"$*\" >> ran ;; esac\n";
    let shell = machine(&[("a", "v1")]).file("config", &text).program("aws", trace).program("chmod", trace);
    let file = shell.dir.path().join("config");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = shell.dir.path().display().to_string();
    let shell = shell.env("PATH", &path);
    let doctor = |more: &[&str]| {
        let words = ["doctor", "--offline", "--area", "client", "--helm", "./helm", "--kubeconfig", "config", "-o", "json"];
        shell.run(&[&words[..], more].concat())
    };
    let safe = |said: &[serde_json::Value]| -> Vec<String> {
        let safe = |found: &&serde_json::Value| found["fixes"].as_array().unwrap().iter().any(|fix| fix["safe"] == true);
        said.iter().filter(safe).map(|found| found["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = checks(&doctor(&[]));
    assert_eq!(safe(&before), ["exec-api-version", "kubeconfig-readable"], "{before:#?}");
    let ended = doctor(&["--fix", "--yes"]);
    assert!(ended.stderr.contains("chmod 600 ") && ended.stderr.contains("closed "), "{}", ended.stderr);
    let after = checks(&ended);
    assert_eq!(safe(&after), [""; 0], "{after:#?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text.replacen("v1alpha1", "v1beta1", 1));
    assert!(!shell.dir.path().join("ran").exists(), "a command was run");
    // What else there was is left to the person, or came right by these.
    let wrong = |said: &[serde_json::Value]| -> Vec<(String, String)> {
        let wrong = said.iter().filter(|found| found["result"] == "fail" || found["result"] == "warn");
        wrong.map(|found| (found["id"].to_string(), found["subject"].to_string())).collect()
    };
    let was = wrong(&before);
    assert!(wrong(&after).iter().all(|left| was.contains(left)), "{after:#?}");
}

/// Where a helm does not say in its file which client it has.
#[test]
fn the_client_of_a_helm_that_is_no_go_program_is_known_by_its_version() {
    for (says, client, source) in [
        ("v3.8.2", Some(23), "the version that it says, 3.8.2"),
        ("v3.17.3+g1", Some(32), "the version that it says, 3.17.3"),
        ("a build of ours", None, "neither its build information nor its version say it"),
    ] {
        let shell = machine(&[("a", "v1beta1")]).program("helm", &format!("#!/bin/sh\necho '{says}'\n"));
        let words = ["doctor", "--offline", "--only", "exec-api-version", "--helm", "./helm", "--kubeconfig", "config"];
        shell.run(&[&words[..], &["--save-facts", "facts.json"]].concat());
        let facts = std::fs::read_to_string(shell.dir.path().join("facts.json")).unwrap();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        let helm = facts["facts"]["clients"]["value"].as_array().unwrap()[0].clone();
        assert!(helm["build_source"].as_str().unwrap().starts_with(source), "{says}: {helm:#}");
        assert_eq!(helm["build"]["client_go"].as_u64(), client, "{says}: {helm:#}");
    }
}

#[test]
fn a_mode_that_v1_asks_for_is_written() {
    let text = kubeconfig(&[("a", "v1")]).replace("      interactiveMode: Never\n", "");
    let shell = machine(&[("a", "v1")]).file("config", &text).program("plugin", &PLUGIN.replace("v1beta1", "v1"));
    let doctor = |more: &[&str]| {
        let words = ["doctor", "--only", "exec-interactive-mode", "--helm", "./helm", "--kubeconfig", "config"];
        shell.run(&[&words[..], more].concat())
    };
    let failed = checks(&doctor(&["-o", "json"]));
    let cure: Vec<&str> = failed[0]["fixes"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let ended = shell.run(&[&cure[1..], &["--helm", "./helm"]].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let mended = text.replace("      apiVersion", "      interactiveMode: IfAvailable\n      apiVersion");
    assert_eq!(std::fs::read_to_string(shell.dir.path().join("config")).unwrap(), mended);
    assert_eq!(doctor(&["--fix", "--yes"]).stderr, "There is nothing to mend.\n");
    assert_eq!(shell.run(&["doctor", "--undo", "--kubeconfig", "config"]).code, 0);
    assert_eq!(std::fs::read_to_string(shell.dir.path().join("config")).unwrap(), text);
}

#[test]
fn a_user_that_shares_its_text_is_left_alone() {
    let text = kubeconfig(&[("a", "v1alpha1"), ("b", "v1alpha1")]);
    let (head, users) = text.split_once("- name: of-a\n  user:\n").unwrap();
    let (of_a, _) = users.split_once("- name: of-b").unwrap();
    let text = format!("{head}- name: of-a\n  user: &x\n{of_a}- name: of-b\n  user: *x\n");
    let shell = machine(&[("a", "v1")]).file("config", &text);
    let ended = fix(&shell);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    for words in ["users[name=of-a] in ", "cannot be changed without changing others", "nothing that karpctl could mend by itself"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert_eq!(std::fs::read_to_string(shell.dir.path().join("config")).unwrap(), text);
}

#[test]
fn what_is_accepted_is_so_after_a_cure_too() {
    let accepted = "schema: karpctl/accepted/v1\naccepted:\n\
         - {check: exec-answer, reason: known, until: 2999-12-31}\n- {check: exec-api-version, reason: old, until: 2999-12-31}\n";
    let doctor = |more: &[&str]| {
        let shell = machine(&[("a", "v1alpha1")]).file("karpctl-accepted.yaml", accepted).program("plugin", "#!/bin/sh\nexit 1\n");
        let words = ["doctor", "--only", "exec-api-version,exec-answer", "--helm", "./helm", "--kubeconfig", "config", "-o", "json"];
        shell.run(&[&words[..], more].concat())
    };
    let ended = doctor(&["--fix", "--yes"]);
    let said = checks(&ended);
    let answer = said.iter().find(|finding| finding["id"] == "exec-answer").unwrap();
    assert_eq!((answer["result"].as_str(), answer["accepted"]["reason"].as_str()), (Some("fail"), Some("known")), "{answer:#}");
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    // What the cure made an end of needs no entry any more.
    let notes = |ended: &super::Ended, check: &str| ended.stderr.matches(&format!("accepted as `{check}`")).count();
    assert_eq!((notes(&ended, "exec-api-version"), notes(&ended, "exec-answer")), (1, 0), "{}", ended.stderr);
}

/// A kubeconfig whose plugin is given secrets in every way, and a plugin that complains of them.
fn with_secrets(version: &str) -> Shell {
    let more = r#"
      args: [--pass, canary1, -p, canary2, -H, "Authorization: Bearer canary3", --secret-id=canary4]
      env:
      - {name: VAULT_PIN, value: canary5}
      - {name: AWS_PROFILE, value: prod}"#;
    let text = kubeconfig(&[("a", version)]).replace("interactiveMode: Never", &format!("interactiveMode: Never{more}"));
    let plugin = "#!/bin/sh\nprintf 'VAULT_PASS=canary6\\nAuthorization: Bearer canary7\\nPassword: canary8\\npin %s of %s\\n' \"$VAULT_PIN\" \"$AWS_PROFILE\" >&2\nexit 1\n";
    machine(&[("a", "v1")]).file("config", &text).program("plugin", plugin)
}

#[test]
fn no_secret_of_the_plugin_is_shown_or_kept() {
    let shell = with_secrets("v1beta1");
    for format in ["human", "json", "junit", "sarif", "github", "markdown"] {
        let words = ["doctor", "--offline", "--area", "client", "--helm", "./helm", "--kubeconfig", "config", "-o", format];
        let ended = shell.run(&[&words[..], &["--save-facts", "facts.json"]].concat());
        assert!(ended.stdout.contains("of prod"), "the complaint itself is told: {}", ended.stdout);
        let facts = std::fs::read_to_string(shell.dir.path().join("facts.json")).unwrap();
        for (place, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr), ("facts", &facts)] {
            assert!(!text.contains("canary"), "{format}, {place}: {text}");
        }
    }
    let ended = fix(&with_secrets("v1alpha1"));
    assert!((ended.stderr.clone() + &ended.stdout).contains("v1beta1"), "{}", ended.stderr);
    assert!(!(ended.stderr.clone() + &ended.stdout).contains("canary"), "{}{}", ended.stderr, ended.stdout);
}

#[test]
fn keys_in_the_environment_go_before_the_profile_of_a_kubeconfig() {
    let found = |shell: Shell| {
        let words = ["doctor", "--offline", "--only", "kubeconfig-profile", "--helm", "./helm", "--kubeconfig", "config", "-o", "json"];
        let found = checks(&shell.run(&words)).remove(0);
        (found["result"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
    };
    let (result, message) = found(with_secrets("v1beta1"));
    assert!(result == "warn" && message.contains("the profile prod, and no profile is in use here"), "{result} {message}");
    let (result, message) = found(with_secrets("v1beta1").env("AWS_ACCESS_KEY_ID", "k").env("AWS_PROFILE", "dev"));
    assert!(result == "pass" && message.contains("go before the profile prod"), "{result} {message}");
}

#[test]
fn a_plugin_that_floods_hangs_or_babbles_is_a_finding() {
    let doctor = |plugin: &str| {
        let shell = machine(&[("a", "v1beta1")]).program("plugin", &format!("#!/bin/sh\n{plugin}\n"));
        let words = ["doctor", "--offline", "--only", "exec-answer", "--helm", "./helm", "--kubeconfig", "config"];
        let ended = shell.run(&[&words[..], &["--plugin-timeout", "1s", "-o", "json"]].concat());
        let found = checks(&ended).remove(0);
        (ended.code, found["message"].as_str().unwrap().to_owned())
    };
    for (plugin, words) in [
        ("exec cat /dev/zero", ""),
        ("exec yes", ""),
        ("head -c 100000 /dev/urandom", ""),
        ("trap '' TERM INT; while :; do sleep 0.05; done", "did not end within 1 s"),
        ("sleep 60 & echo '{}'", "did not end within 1 s"),
        ("kill -9 $$", "failed with signal 9"),
    ] {
        let (code, message) = doctor(plugin);
        assert_eq!(code, 1, "{plugin}: {message}");
        assert!(message.starts_with("getting credentials: ") && message.contains(words), "{plugin}: {message}");
        assert!(message.len() < 4000 && !message.contains(char::is_control), "{plugin}: {message}");
    }
}

#[test]
fn a_choice_that_leaves_nothing_is_an_error() {
    for words in [["--only", "exec-answer", "--skip", "exec-answer"], ["--area", "release", "--only", "exec-answer"]] {
        usage_error(&Shell::new().run(&[&["doctor", "--offline"], &words[..]].concat()), &["no check is left", "karpctl explain"]);
    }
}
