//! The documents that karpctl prints: those of Karpenter, and those of itself.

use super::{Shell, render, usage_error};
use std::path::Path;
use std::process::Command;

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
    // What is no text is somebody's too.
    let stack = shell.dir.path().join("docs/cloudformation.yaml");
    std::fs::write(&stack, b"\xff\xfe").unwrap();
    let refused = render(&shell, "all", &["--out", "docs"]);
    assert!(refused.code == 4 && std::fs::read(&stack).unwrap() == b"\xff\xfe", "{}", refused.stderr);
    assert_eq!(render(&shell, "all", &["--out", "docs", "--force"]).code, 0);
}

#[test]
fn what_another_tool_made_is_not_rendered() {
    let shell = || {
        Shell::new().file(
            "karpctl.yaml",
            "madeElsewhere:\n  by: eksctl\n  nodeRole: arn:aws:iam::111122223333:role/nodes\n  controllerRole: arn:aws:iam::111122223333:role/its\n",
        )
    };
    for format in ["yaml", "json"] {
        let refused = render(&shell(), "cloudformation", &["-o", format]);
        assert_eq!((refused.code, refused.stdout.as_str()), (4, ""), "{}", refused.stderr);
        for words in ["there is no stack Karpenter-demo to render", "roles and queue are eksctl's"] {
            assert!(refused.stderr.contains(words), "{}", refused.stderr);
        }
    }
    let shell = shell();
    let all = render(&shell, "all", &["--out", "docs"]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    assert!(!shell.dir.path().join("docs/cloudformation.yaml").exists() && shell.dir.path().join("docs/helm-values.yaml").exists());
    // eksctl is told of the role that is there, and makes none beside it.
    let config = render(&shell, "cluster-config", &[]).stdout;
    assert!(config.contains("roleARN: \"arn:aws:iam::111122223333:role/its\"") && !config.contains("roleName:"), "{config}");
    let config = render(&shell, "cluster-config", &["--identity", "irsa"]).stdout;
    assert!(!config.contains("serviceAccounts:") && !config.contains("role/its"), "{config}");
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
    assert!(
        newer.stderr.contains("does not have Karpenter 99.0.0: it goes by the rules of") && known.stderr.is_empty(),
        "{}",
        newer.stderr
    );
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

/// What `--print-commands` prints where there is something already.
#[test]
fn what_is_deployed_is_kept() {
    let deployed = render(&Shell::new(), "cloudformation", &[]).stdout.replace("      Path: /\n", "");
    let pool = serde_json::json!({"items": [
        {"kind": "NodePool", "spec": {"template": {"spec": {"requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}]}}}},
        {"kind": "EC2NodeClass", "spec": {"amiSelectorTerms": [{"alias": "bottlerocket@v1.50.0"}]}},
    ]});
    let shell = Shell::new().file("stack.yaml", &deployed).file("pool.json", &pool.to_string()).file("none", "{");
    assert_eq!(render(&shell, "cloudformation", &["--deployed", "stack.yaml"]).stdout, deployed);
    let list: serde_json::Value = serde_json::from_str(&render(&shell, "node-pool", &["--deployed", "pool.json"]).stdout).unwrap();
    assert_eq!(list["items"][0]["spec"]["amiSelectorTerms"][0]["alias"], "bottlerocket@v1.50.0");
    assert_eq!(list["items"][1]["spec"]["template"]["spec"]["requirements"][2]["values"], serde_json::json!(["spot"]));
    for (what, file, word) in [
        ("node-pool", "none", "cannot read what is deployed in none"),
        ("cloudformation", "nowhere", "cannot read what is deployed in nowhere"),
        ("inflate", "pool.json", "--deployed is for"),
    ] {
        let ended = render(&shell, what, &["--deployed", file]);
        assert!(ended.code == 2 && ended.stderr.contains(word), "{what}: {}", ended.stderr);
    }
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
        assert!(listed.lines().any(|l| l.starts_with(&format!("  {id} "))), "{id}: {listed}");
        let text = Shell::new().run(&["explain", id.as_str()]).stdout;
        assert!(text.len() > 80, "{id}: {text}");
    }
    for check in karpctl::checks::all() {
        let page = karpctl::pages::page(check.id(), karpctl::pages::Language::En).unwrap_or_else(|| check.explain());
        assert!(page.len() > check.why().len() + 100, "{}: what is seen, and the cure: {page}", check.id());
    }
    let asked = Shell::new().run(&["explain", "why does the controller need iam:PassRole?"]).stdout;
    assert!(asked.starts_with("Why Karpenter's controller may call iam:PassRole:\n"), "{asked}");
    assert_eq!(asked, Shell::new().run(&["explain", "iam:PassRole"]).stdout);
    let quoted = Shell::new().run(&["explain", "NodeNotFound"]).stdout;
    assert!(quoted.contains("\nQuoted also by: ") && quoted.contains("node-access"), "{quoted}");
    let both = Shell::new().run(&["explain", "spot-role"]).stdout;
    assert!(both.contains("An account needs it once") && both.contains("ServiceLinkedRoleCreationNotPermitted"), "step and check: {both}");
    usage_error(&Shell::new().run(&["explain", "node-maping"]), &["did you mean `node-mapping`?", "`karpctl explain` lists them all"]);
}

/// By headings, with words: nobody knows ids by heart.
#[test]
fn what_can_be_explained_is_listed_with_what_it_is() {
    let listed = Shell::new().run(&["explain"]).stdout;
    let heads: Vec<&str> = listed.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    let checks = ["Checks of the area client", "Checks of the area account", "Checks of the area cluster", "Checks of the area release"];
    assert!(heads[0] == "Steps" && heads[1..5] == checks && heads.contains(&"Permissions of Karpenter's controller"), "{heads:?}");
    for check in karpctl::checks::all() {
        let (_, of_area) = listed.split_once(&format!("\nChecks of the area {}\n", check.area().as_str())).unwrap();
        let row = format!("  {:<26} {}", check.id(), check.why());
        assert!(of_area.split("\n\n").next().unwrap().lines().any(|line| line == row), "{row} is not in {of_area}");
    }
    for (_, text) in karpctl::error::ErrorKind::ALL.map(|kind| (kind, serde_json::to_value(kind).unwrap())) {
        assert!(listed.contains(&format!("\n  {} ", text.as_str().unwrap())), "{text}");
    }
    assert!(listed.contains(" iam:PassRole, ") && !listed.lines().any(|line| line == "iam:PassRole"), "{listed}");
}

/// What has no room is left out and named.
#[test]
fn the_table_of_versions_is_no_wider_than_the_terminal() {
    let shell = Shell::new();
    for (columns, without) in [(80, "policies, events, CRDs, chart"), (100, "policies"), (120, "")] {
        let words = format!("stty rows 50 columns {columns}; {} versions", env!("CARGO_BIN_EXE_karpctl"));
        let ended = Command::new("script").args(["-qec", &words, "/dev/null"]).env("HOME", shell.dir.path()).output().unwrap();
        let text = String::from_utf8(ended.stdout).unwrap();
        assert!(text.contains(" to 1.14.1 ") && text.contains("3.18-3.20, 4.0-4.2"), "{text}");
        let wide: Vec<&str> = text.lines().filter(|line| console::measure_text_width(line) > columns).collect();
        assert!(wide.is_empty(), "{columns}: {wide:#?}");
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.contains("Not shown on a terminal that is so narrow"), !without.is_empty(), "{columns}: {said}");
        assert!(said.contains(&format!(": {without}")), "{columns}: {said}");
    }
}

/// Every name in a stack, of each way in which releases have their stacks, can be asked for.
#[test]
fn explain_knows_every_statement_and_action_of_every_stack() {
    let mut names = std::collections::BTreeSet::new();
    let mut stacks = Vec::new();
    for release in karpctl::knowledge::Release::all() {
        let (stack, features) = (release.stack(), release.features());
        let alike = (stack.policies, features.interruption_queue, features.queue_tls_only);
        if !stacks.contains(&alike) {
            stacks.push(alike);
            let version = release.to_string();
            let made = render(&Shell::new(), "cloudformation", &["--karpenter-version", &version, "-o", "json"]);
            collect_names(&serde_json::from_str(&made.stdout).unwrap_or_else(|e| panic!("{version}: {e}: {}", made.stderr)), &mut names);
        }
    }
    for name in ["ReceiveEvents", "RefusePlainHttp", "sqs:SendMessage", "UseComputeUnscoped", "ReadInstanceStatus", "iam:PassRole"] {
        assert!(names.contains(name), "{name} is in no stack: {names:?}");
    }
    let shell = Shell::new();
    for name in &names {
        let ended = shell.run(&["explain", name]);
        assert!(ended.code == 0 && ended.stdout.contains(name.as_str()), "{name}: {}{}", ended.stdout, ended.stderr);
    }
    let old = shell.run(&["explain", "UseComputeUnscoped"]).stdout;
    assert!(old.contains("It is in the stacks of Karpenter 0.17.0 to 0.28.1.") && old.contains("  ec2:CreateFleet\n"), "{old}");
    let queue = shell.run(&["explain", "RefusePlainHttp"]).stdout;
    assert!(queue.contains("It is in the stacks of Karpenter 1.0.0 and newer.") && queue.contains("aws:SecureTransport"), "{queue}");
}

/// The names of all statements in `cloudformation.yaml` of the official guide, at every tag from v0.17.0 to v1.14.1.
const OFFICIAL: [&str; 24] = [
    "AllowAPIServerEndpointDiscovery",
    "AllowGlobalReadActions",
    "AllowInstanceProfileReadActions",
    "AllowInterruptionQueueActions",
    "AllowMachineMigrationTagging",
    "AllowPassingInstanceRole",
    "AllowPricingReadActions",
    "AllowRegionalReadActions",
    "AllowSSMReadActions",
    "AllowScopedDeletion",
    "AllowScopedEC2InstanceAccessActions",
    "AllowScopedEC2InstanceActions",
    "AllowScopedEC2InstanceActionsWithTags",
    "AllowScopedEC2LaunchTemplateAccessActions",
    "AllowScopedEC2LaunchTemplateActions",
    "AllowScopedInstanceProfileActions",
    "AllowScopedInstanceProfileCreationActions",
    "AllowScopedInstanceProfileTagActions",
    "AllowScopedResourceCreationTagging",
    "AllowScopedResourceTagging",
    "AllowUnscopedEC2DescribeInstanceStatus",
    "AllowUnscopedInstanceProfileListAction",
    "AllowZonalShiftStatusReadOnly",
    "DenyHTTP",
];

#[test]
fn explain_finds_a_statement_by_its_name_in_the_official_template() {
    let shell = Shell::new();
    let explain = |name: &str| shell.run(&["explain", name]);
    for name in OFFICIAL {
        let ended = explain(name);
        assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
        assert!(ended.stdout.contains(&format!("calls it {name}.")) || name == "DenyHTTP", "{name}: {}", ended.stdout);
    }
    assert_eq!(explain("AllowScopedInstanceProfileActions").stdout, explain("UseOwnInstanceProfiles").stdout);
    assert_eq!(explain("denyhttp").stdout, explain("RefusePlainHttp").stdout);
    let two = explain("AllowGlobalReadActions").stdout;
    assert!(two.contains("by the statement ReadAmiParameters") && two.contains("by the statement ReadPrices"), "{two}");
}

/// The ids and actions of all statements in a document; policies stand in it as texts, too.
fn collect_names(value: &serde_json::Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Array(all) => all.iter().for_each(|value| collect_names(value, names)),
        serde_json::Value::String(text) => {
            if let Ok(policy @ serde_json::Value::Object(_)) = serde_json::from_str(text) {
                collect_names(&policy, names);
            }
        }
        serde_json::Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    serde_json::Value::String(name) if field == "Sid" || field == "Action" => _ = names.insert(name.clone()),
                    serde_json::Value::Array(all) if field == "Action" => names.extend(all.iter().map(|a| a.as_str().unwrap().to_owned())),
                    _ => collect_names(value, names),
                }
            }
        }
        _ => {}
    }
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
    assert_eq!(explain(&["v1alpha1"]), page);
    let refused = explain(&["connection refused"]);
    for id in ["exec-kubeconfig", "webhook-endpoints", "admission-webhooks", "conversion-webhook"] {
        assert!(refused.contains(&format!("\n  {id} ")), "{id}: {refused}");
    }
    let webhook = "failed calling webhook \"mservice.elbv2.k8s.aws\": failed to call webhook: Post \"https://a.kube-system.svc:443/m?timeout=10s\": dial tcp 10.0.1.7:9443: connect: connection refused";
    let webhook = explain(&[webhook]);
    assert!(webhook.contains("webhook-endpoints") && !webhook.contains("exec-kubeconfig"), "{webhook}");
    let part = explain(&["Unauthorized"]);
    assert!(
        part.contains("pages have `Unauthorized` in what they quote") && part.contains("cluster-entry") && part.contains("clock-skew"),
        "{part}"
    );
    let slow = "Error: INSTALLATION FAILED: context deadline exceeded";
    assert_eq!(explain(&[slow]), explain(&["node-capacity"]));
    let webhook = "Internal error occurred: failed calling webhook \"validation.webhook.karpenter.k8s.aws\": failed to call webhook: Post \"https://karpenter.kube-system.svc:8443/?timeout=10s\": context deadline exceeded";
    let webhook = explain(&[webhook]);
    assert!(webhook.contains("NetworkPolic") && !webhook.contains("--only node-capacity"), "{webhook}");
    assert_eq!(explain(&["expiredtoken"]), explain(&["aws-credentials"]));
    for action in ["PassRole", "iam:passrole", "passrole"] {
        assert_eq!(explain(&[action]), explain(&["iam:PassRole"]), "{action}");
    }
    assert!(explain(&["iam:PassRole"]).starts_with("Why Karpenter's controller may call iam:PassRole:"));
    usage_error(&Shell::new().run(&["explain", "exec"]), &["did you mean `exec-kubeconfig`, `exec-credentials`, "]);
    for far in ["foo", "checks"] {
        let ended = Shell::new().run(&["explain", far]);
        usage_error(&ended, &["`karpctl explain` lists them all"]);
        assert!(!ended.stderr.contains("did you mean"), "{far}: {}", ended.stderr);
    }
}

/// What karpctl prints itself is pasted too: it leads to the kind of the error, and to the step whose words they are.
#[test]
fn explain_knows_the_errors_that_karpctl_prints() {
    let explain = |error: &str| Shell::new().run(&["explain", error]).stdout;
    let run = Shell::new().run(&["status", "--cluster-name", "demo", "--region", "us-west-2"]).stderr;
    for error in ["cannot find out who you are in AWS", "there are no AWS credentials", &run] {
        assert_eq!(explain(error), explain("credentials"), "{error}");
    }
    let not_ready = explain("error: Karpenter of cluster shop is not ready");
    assert!(not_ready.contains(explain("timeout").trim()) && not_ready.contains(explain("ready").trim()), "{not_ready}");
    assert_eq!(explain("there is no cluster shop in eu-west-1 of account 444455556666"), explain("not-found"));
    let usage = Shell::new().run(&["bootstrap", "--region", "us-west-2"]).stderr;
    assert_eq!(explain(&usage), explain("usage"), "{usage}");
}

/// The same answers as a person gets: the list without texts, a topic with its own, and those that quote the same error after it.
#[test]
fn explain_answers_programs_too() {
    let explain = |words: &[&str]| -> serde_json::Value {
        let ended = Shell::new().run(&[&["explain", "-o", "json"], words].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {}", ended.stderr))
    };
    let topics = |words: &[&str]| explain(words)["topics"].as_array().unwrap().clone();
    let ids = |topics: &[serde_json::Value]| topics.iter().map(|t| t["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let all = topics(&[]);
    assert!(all.len() > 400 && all.iter().all(|t| t["text"].is_null() && t["summary"].as_str().is_some_and(|s| !s.is_empty())), "{all:?}");
    assert!(ids(&all).contains(&"guide".to_owned()));
    let one = topics(&["node-mapping"]);
    assert_eq!((ids(&one), one[0]["kind"].as_str()), (vec!["node-mapping".into()], Some("step")));
    assert_eq!(one[0]["text"].as_str().unwrap().trim_end(), Shell::new().run(&["explain", "node-mapping"]).stdout.trim_end());
    let both = topics(&["spot-role"]);
    assert_eq!(both.iter().map(|t| t["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["step", "check"]);
    let quoted = topics(&["NodeNotFound"]);
    assert!(quoted[0]["text"].is_string() && quoted[1]["text"].is_null() && ids(&quoted).contains(&"node-access".to_owned()), "{quoted:?}");
    let guide = topics(&["guide", "--karpenter-version", "1.9.2"]);
    assert_eq!((guide.len(), guide[0]["kind"].as_str()), (1, Some("guide")));
    let unknown = Shell::new().run(&["explain", "node-maping", "-o", "ndjson"]);
    let error: serde_json::Value = serde_json::from_str(&unknown.stderr).unwrap();
    assert_eq!((unknown.code, error["kind"].as_str()), (2, Some("usage")));
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
        (&["generate", "schema", "verify"], "docs/schema/verify.json"),
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
fn help_is_a_command_too() {
    let ended = Shell::new().run(&["help", "bootstrap"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("karpctl bootstrap --cluster-name demo"), "{}", ended.stdout);
}

/// What people see, as it is written down by those who asked about it.
#[test]
fn an_error_is_found_by_its_words() {
    for (error, id) in [
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "spot-role"),
        ("Attempted to launch a spot instance but failed due to", "spot-role"),
        ("CreateFleetAuthCheckFailed", "controller-permissions"),
        ("RunInstancesAuthCheckFailed", "controller-permissions"),
        ("spec.conversion.webhookClientConfig: Forbidden", "crd-stored-versions"),
        ("timed out waiting for the condition", "karpenter-release"),
        ("Cannot delete a policy attached to entities", "stack-state"),
        ("exec: \"aws\": executable file not found in $PATH", "exec-command"),
    ] {
        let said = Shell::new().run(&["explain", error]).stdout;
        assert!(said.contains(&format!("`karpctl doctor --only {id}")), "{error}: {said}");
    }
}
