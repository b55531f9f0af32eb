//! What is wrong, missing or contradictory on the command line, in the environment or in the spec file: a clear error, with the place
//! and what helps.

use super::{Ended, KARPCTL, OFFLINE, Shell, ended, render, usage_error};
use std::path::Path;

#[test]
fn an_unknown_flag_is_answered_with_the_nearest() {
    usage_error(&Shell::new().run(&["bootstrap", "--clustername", "demo"]), &["--clustername", "--cluster-name"]);
    usage_error(&Shell::new().run(&["bootstrp"]), &["bootstrp", "bootstrap"]);
}

#[test]
fn an_unknown_field_is_answered_with_file_place_and_the_nearest() {
    let shell = Shell::new().file("karpctl.yaml", "clusterName: demo\nregoin: us-west-2\n");
    usage_error(
        &shell.run(&["status"]),
        &["karpctl.yaml:2:1: unknown field `regoin`\n", "2 | regoin: us-west-2\n", " | ^^^^^^\n", "did you mean `region`?"],
    );
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
fn a_region_that_nobody_knows_is_a_note_and_a_reason() {
    let meant = "`us-wst-2` is no region that this karpctl knows; did you mean `us-west-2`?";
    let said = |region: &str| {
        let words = ["render", "inflate", "--cluster-name", "demo", "--account-id", "111122223333", "--region", region];
        let ended = Shell::new().run(&words);
        assert_eq!(ended.code, 0, "a newer region is taken as it is: {}", ended.stderr);
        ended.stderr
    };
    assert_eq!(said("us-wst-2"), format!("note: {meant}\n"));
    assert_eq!(said("us-west-2"), "");
    let offline = ["doctor", "--offline", "--only", "names-and-sizes", "--cluster-name", "demo", "--account-id", "111122223333"];
    let ended = Shell::new().run(&[&offline[..], &["--region", "us-wst-2"]].concat());
    assert_eq!((ended.code, ended.stderr), (0, format!("note: {meant}\n")));
    // The name of AWS's own endpoint is not asked for: the proxy would do it, and there is none.
    let shell = || {
        let shell = Shell::new().env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true").env("HTTPS_PROXY", "http://127.0.0.1:9");
        shell.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_MAX_ATTEMPTS", "1")
    };
    let ended = shell().run(&["bootstrap", "--dry-run", "--cluster-name", "demo", "--region", "us-wst-2"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("at https://sts.us-wst-2.amazonaws.com"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("  caused by: {meant}\n")), "{}", ended.stderr);
    // The proxy is what is not reached, and not AWS; what the libraries say is for whoever asks.
    let proxy = "at https://sts.us-wst-2.amazonaws.com: the proxy http://127.0.0.1:9 (HTTPS_PROXY): the connection is refused";
    assert!(ended.stderr.contains(proxy) && !ended.stderr.contains("dispatch failure"), "{}", ended.stderr);
    let ended = shell().run(&["bootstrap", "--dry-run", "--cluster-name", "demo", "--region", "us-wst-2", "-v"]);
    assert!(ended.stderr.contains("  in detail: dispatch failure: "), "{}", ended.stderr);
    let ended = shell().run(&["doctor", "--only", "aws-credentials", "--region", "us-wst-2", "-o", "json"]);
    assert!(ended.code == 1 && ended.stdout.contains(meant), "{}{}", ended.stdout, ended.stderr);
    let ended = shell().run(&["bootstrap", "--dry-run", "--cluster-name", "demo", "--region", "us-west-2"]);
    assert!(!ended.stderr.contains("is no region"), "{}", ended.stderr);
}

#[test]
fn versions_that_are_not_known_are_refused_with_the_range() {
    usage_error(&render(&Shell::new(), "cloudformation", &["--karpenter-version", "0.16.3"]), &["0.16.3", "0.17.0"]);
    usage_error(&render(&Shell::new(), "cloudformation", &["--karpenter-version", "latest"]), &["latest"]);
    usage_error(&render(&Shell::new(), "cluster-config", &["--kubernetes-version", "1.x"]), &["1.x"]);
}

#[test]
fn what_is_missing_is_named_with_the_ways_to_give_it() {
    usage_error(&Shell::new().run(&["bootstrap", "--dry-run"]), &["cluster has no name", "CLUSTER_NAME", "`karpctl init`", "AWS_REGION"]);
    usage_error(&Shell::new().run(&["token"]), &["cluster has no name"]);
    usage_error(&Shell::new().run(&["status", "-f", "nothere.yaml"]), &["nothere.yaml"]);
    usage_error(&render(&Shell::new(), "all", &[]), &["--out"]);
}

#[test]
fn a_flag_wins_over_the_environment_and_says_so() {
    let shell = Shell::new().env("AWS_REGION", "eu-west-1").env("KARPENTER_VERSION", "v1.0.8").file("karpctl.yaml", "region: eu-north-1\n");
    let ended = render(&shell, "node-pool", &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("the flag says `us-west-2` and wins over AWS_REGION, which says `eu-west-1`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the file karpctl.yaml, which says `eu-north-1`"), "{}", ended.stderr);
    assert!(ended.stdout.contains("kind: NodePool"));
}

#[test]
fn a_word_of_another_tool_leads_to_the_command_that_does_it() {
    let meant = [
        ("uninstall", "destroy"),
        ("delete", "destroy"),
        ("plan", "bootstrap --dry-run"),
        ("apply", "bootstrap"),
        ("upgrade", "bootstrap --karpenter-version VERSION"),
        ("diff", "status"),
        ("check", "doctor"),
        ("completion", "generate completions SHELL"),
        ("template", "render"),
        ("import", "adopt"),
    ];
    for (word, line) in meant {
        let ended = Shell::new().run(&[word]);
        assert!(!ended.stderr.contains("similar subcommand"), "{}", ended.stderr);
        usage_error(&ended, &[&format!("tip: `karpctl {line}` ")]);
        let command = Shell::new().run(&[line.split(' ').next().unwrap(), "--help"]);
        assert_eq!(command.code, 0, "{line}: {}", command.stderr);
    }
    usage_error(&Shell::new().run(&["destory"]), &["subcommand", "'destroy'"]);
    let ended = Shell::new().run(&["uninstall", "-o", "json"]);
    usage_error(&ended, &["`karpctl destroy` takes away what karpctl made"]);
}

#[test]
fn which_cluster_is_destroyed_is_said_by_one_voice() {
    let shell = Shell::new().env("CLUSTER_NAME", "web").file("prod.yaml", "clusterName: prod\nregion: us-west-2\n");
    let ended = shell.run(&["destroy", "-f", "prod.yaml", "--yes"]);
    usage_error(&ended, &["CLUSTER_NAME says web, and the file prod.yaml says prod", "--cluster-name prod, or --cluster-name web"]);
    let shell = Shell::new().env("AWS_REGION", "us-east-1").file("prod.yaml", "clusterName: prod\nregion: us-west-2\n");
    let ended = shell.run(&["destroy", "-f", "prod.yaml", "--yes"]);
    usage_error(&ended, &["AWS_REGION says us-east-1, and the file prod.yaml says us-west-2", "--region us-west-2, or --region us-east-1"]);
}

#[test]
fn a_node_group_and_fargate_do_not_go_together() {
    let file = "fargate: true\nnodeGroup: {instanceType: m7i.large}\n";
    let both = render(&Shell::new().file("karpctl.yaml", file), "cluster-config", &[]);
    usage_error(&both, &["nodeGroup does not go with fargate", "karpctl.yaml:2:1\n"]);
    // A flag goes before the file.
    let shell = Shell::new().file("karpctl.yaml", "nodeGroup: {instanceType: m7i.large}\n");
    let ended = render(&shell, "cluster-config", &["--fargate"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let note = "note: node group: the flag says fargate and wins over the file karpctl.yaml, whose nodeGroup is not used\n";
    assert_eq!(ended.stderr, note);
    assert!(!ended.stdout.contains("m7i.large"), "{}", ended.stdout);
    assert!(render(&shell, "cluster-config", &[]).stdout.contains("m7i.large"));
}

#[test]
fn a_spec_file_by_another_ending_is_told_of_once() {
    let warning = "warning: karpctl.yml is not read: a spec file is looked for as karpctl.yaml; call it so, or name it: -f karpctl.yml\n";
    let shell = Shell::new().file("karpctl.yml", "namespace: mine\n");
    let ended = render(&shell, "helm-values", &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, warning));
    let doctor = shell.run(&[&["doctor", "--offline", "--only", "names-and-sizes"], &OFFLINE[..]].concat());
    assert_eq!((doctor.code, doctor.stderr.as_str()), (0, warning));
    let named = render(&shell, "cluster-config", &["-f", "karpctl.yml"]);
    assert!(named.code == 0 && named.stderr.is_empty() && named.stdout.contains("\"mine\""), "{}{}", named.stdout, named.stderr);
    let right = render(&shell.file("karpctl.yaml", ""), "helm-values", &[]);
    assert_eq!((right.code, right.stderr.as_str()), (0, ""));
}

#[test]
fn an_unquoted_version_is_refused_with_the_reason() {
    let shell = Shell::new().file("karpctl.yaml", "clusterName: demo\nkubernetesVersion: 1.30\n");
    usage_error(&shell.run(&["status"]), &["quoted", "karpctl.yaml:2:20: ", "2 | kubernetesVersion: 1.30\n"]);
}

#[test]
fn no_credentials_is_an_error_with_a_hint() {
    let ended = Shell::new().run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("  caused by: there are no AWS credentials\nhint:"), "{}", ended.stderr);
    // What the SDK tried is for whoever asks.
    let ended = Shell::new().run(&["status", "--cluster-name", "demo", "--region", "us-west-2", "-v"]);
    assert!(ended.stderr.contains("  in detail: no credentials found in chain"), "{}", ended.stderr);
}

#[test]
fn an_endpoint_without_a_scheme_is_said_in_words() {
    let shell = Shell::new().env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_ENDPOINT_URL", "127.0.0.1:9");
    let ended = shell.run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    let said =
        "  caused by: sts:GetCallerIdentity at 127.0.0.1:9: that is no address with a scheme; http://127.0.0.1:9?\nhint: AWS_ENDPOINT_URL";
    assert!(ended.code == 1 && ended.stderr.contains(said), "{}", ended.stderr);
    let ended = shell.env("AWS_ENDPOINT_URL", "http://").run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    let said = "  caused by: sts:GetCallerIdentity at http://: that is no address\nhint: AWS_ENDPOINT_URL";
    assert!(ended.code == 1 && ended.stderr.contains(said), "{}", ended.stderr);
}

#[test]
fn a_session_token_of_two_lines_is_not_the_networks_fault() {
    let shell = Shell::new().env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s").env("AWS_SESSION_TOKEN", "one\ntwo");
    let ended = shell.run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]);
    let said = "  caused by: a key or the session token has characters that no request can carry, such as the end of a line\nhint: give credentials";
    assert!(ended.code == 1 && ended.stderr.contains(said), "{}", ended.stderr);
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
fn a_spec_file_that_cannot_be_read_says_what_and_where() {
    let of = |text: &str| {
        let ended = Shell::new().file("karpctl.yaml", text).run(&["status"]);
        for inner in ["<input>", "error: line", "Options", "from_str", "u32"] {
            assert!(!ended.stderr.contains(inner), "the reader's own words:\n{}", ended.stderr);
        }
        ended
    };
    usage_error(&of("clusterName: demo\nclusterName: two\n"), &["karpctl.yaml:2:", "`clusterName` stands there twice"]);
    usage_error(&of("clusterName: demo\n\tregion: us-west-2\n"), &["karpctl.yaml:2:", "tab"]);
    usage_error(&of("clusterName: demo\n---\nclusterName: two\n"), &["karpctl.yaml:3:1: there is more than one document"]);
    usage_error(&of("nodeGroup:\n  maxSize: lots\n"), &["karpctl.yaml:2:", "whole number", "maxSize: lots"]);
    usage_error(&of("fargate: perhaps\n"), &["karpctl.yaml:1:", "true or false"]);
    usage_error(&of("- a\n"), &["karpctl.yaml:1:1: expected fields, such as `clusterName: demo`\n", "1 | - a\n"]);
    for (text, said) in [
        ("private: \"yes\"", "1:10: private: expected true or false, not in quotes\n"),
        ("fargate: 'true'", "1:10: fargate: expected true or false, not in quotes\n"),
        ("nodePool:\n  cpuLimit: \"3\"", "2:13: cpuLimit: expected a whole number, 0 or more, not in quotes\n"),
        ("tags: [a]", "1:7: tags: expected fields, such as `tags: {team: web}`\n"),
        ("tags:\n- a", "2:3: tags: expected fields, such as `tags: {team: web}`\n"),
        ("tags: {a: ~}", "1:11: a: expected a text, and there is none\n"),
        ("nodePool:\n  capacityTypes: spot", "2:18: capacityTypes: expected a list, such as `capacityTypes: [spot, on-demand]`\n"),
    ] {
        usage_error(&of(text), &[&format!("karpctl.yaml:{said}"), text.lines().last().unwrap()]);
    }
    let empty = "nodePool: {capacityTypes: [], architectures: []}\nsubnets: []\nvpc: {privateSubnets: [], publicSubnets: []}\n";
    let shell = Shell::new().file("karpctl.yaml", &format!("clusterName: demo\nregion: us-west-2\naccountId: \"111122223333\"\n{empty}"));
    let ended = shell.run(&["render", "node-pool"]);
    for (field, place) in [
        ("nodePool.capacityTypes", "4:12"),
        ("nodePool.architectures", "4:31"),
        ("subnets", "5:1"),
        ("vpc.privateSubnets", "6:7"),
        ("vpc.publicSubnets", "6:27"),
    ] {
        let said = format!("{field} is an empty list: name one or more, or leave the field out\n             karpctl.yaml:{place}\n");
        usage_error(&ended, &[&said]);
    }
    let short = of("a: 1\n");
    usage_error(&short, &["unknown field `a`"]);
    let doctor = Shell::new().file("karpctl.yaml", "a: 1\n").run(&["doctor"]);
    usage_error(&doctor, &["unknown field `a`"]);
    assert!(!doctor.stderr.contains("--offline"), "it reads the file, too: {}", doctor.stderr);
    assert!(!short.stderr.contains("did you mean"), "{}", short.stderr);
    usage_error(&Shell::new().run(&["status", "-f", "."]), &["cannot read the spec file .", "hint:"]);
}

#[test]
fn a_value_that_is_not_valid_is_shown_where_it_stands() {
    let file = "clusterName: demo\nregion: us west\nnodePool:\n  capacityTypes:\n  - spott\n";
    let shell = || Shell::new().file("karpctl.yaml", file).env("AWS_ACCOUNT_ID", "111122223333");
    let both = shell().run(&["render", "node-pool"]);
    usage_error(&both, &["2 settings", "karpctl.yaml:2:9\n", "2 | region: us west\n", "karpctl.yaml:5:5\n", "5 |   - spott\n"]);
    let one = shell().run(&["render", "node-pool", "--region", "us-west-2"]);
    usage_error(&one, &["`spott` is not one of spot, on-demand", "caused by: karpctl.yaml:5:5\n"]);
    let old = Shell::new().file("karpctl.yaml", "{clusterName: demo, region: us-west-2, kubernetesVersion: \"1.15\"}\n");
    let ended = old.env("AWS_ACCOUNT_ID", "111122223333").run(&["render", "node-pool"]);
    usage_error(&ended, &["kubernetesVersion (from the file karpctl.yaml): no Karpenter release", "caused by: karpctl.yaml:1:60\n"]);
    let flag = shell().run(&["render", "node-pool", "--region", "eu west"]);
    assert!(!flag.stderr.contains("karpctl.yaml:2"), "the flag's value does not stand in the file: {}", flag.stderr);
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
fn a_tool_that_cannot_be_run_is_not_said_to_be_missing() {
    let shell = Shell::new().file("helm", "#!/bin/sh\n");
    let file = shell.dir.path().join("helm");
    let find = |program: &Path| karpctl::adapters::helm::HelmCli {
        program: program.to_owned(),
        karpctl: "karpctl".into(),
        aws: karpctl::adapters::aws::AwsSettings::default(),
        versions: karpctl::adapters::Versions::default(),
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
fn flags_that_would_do_nothing_are_not_offered() {
    let of_new_clusters = &["--fargate", "--ip-family=ipv6", "--kms-key=arn:aws:kms:us-west-2:111122223333:key/a", "--existing-cluster"];
    for (command, flags) in [
        (&["verify"][..], &["--fargate", "--identity=irsa"][..]),
        (&["destroy"], &["--ami-alias=al2023@latest", "--private", "--tag=a=b"]),
        (&["adopt"], of_new_clusters),
        (&["migrate", "cluster-autoscaler"], of_new_clusters),
    ] {
        for flag in flags {
            usage_error(&Shell::new().run(&[command, &[*flag]].concat()), &["unexpected argument"]);
        }
    }
    let explained = Shell::new().run(&["explain", "discovery-tags"]).stdout;
    let flag = explained.split_whitespace().find(|word| word.starts_with("--sub")).unwrap();
    assert_eq!(flag.trim_matches(|c: char| !c.is_alphanumeric()), "subnet", "the flag is --subnet: {explained}");
}

/// karpctl where the memory of this machine is not its own.
fn in_little_memory(shell: &Shell, words: &[&str]) -> Ended {
    let mut sh = shell.command("/bin/sh");
    sh.args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\"", KARPCTL]);
    ended(sh.args(words))
}

#[test]
fn what_never_ends_is_not_read_to_its_end() {
    let shell = Shell::new();
    let written = in_little_memory(&shell, &["init", "--defaults", "--cluster-name", "demo", "--region", "us-west-2", "-f", "/dev/full"]);
    assert_eq!(written.code, 4, "{}", written.stderr);
    assert!(written.stderr.contains("/dev/full is there already; nothing was written"), "{}", written.stderr);
    let endless = |words: &[&str]| in_little_memory(&shell, words);
    for words in [
        &["render", "node-pool", "-f", "/dev/zero"][..],
        &["doctor", "--facts", "/dev/zero"],
        &["doctor", "--offline", "--accepted", "/dev/zero"],
    ] {
        usage_error(&endless(words), &["/dev/zero", "it is larger than 64 MiB"]);
    }
}

#[test]
fn a_kubeconfig_that_can_be_read_once_is_refused() {
    for words in [&["status"][..], &["doctor", "--offline"], &["doctor", "--offline", "--only", "clock-skew"], &["bootstrap", "--yes"]] {
        let shell = Shell::new();
        // As `--kubeconfig <(…)` gives it; nobody writes to it, and nobody waits.
        let mut command = shell.command(KARPCTL);
        command.args(words).args(OFFLINE).args(["--kubeconfig", "/dev/stdin"]).stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let held = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(held);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("cannot use the kubeconfig /dev/stdin: it is a pipe") && said.contains("--kubeconfig FILE"), "{said}");
    }
}
