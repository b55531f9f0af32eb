//! `karpctl init` as a stranger meets it: with a terminal and without, with answers and without credentials.

use crate::adapters::{Asked, serve};
use karpctl::spec::file::parse;
use karpctl::spec::layer::Layer;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn karpctl(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_karpctl"));
    alone(&mut command, dir);
    command
}

/// Nothing of this machine's AWS configuration, and no AWS.
fn alone(command: &mut Command, dir: &Path) {
    command.env_clear().env("HOME", dir).env("PATH", "/usr/bin:/bin").env("AWS_EC2_METADATA_DISABLED", "true").current_dir(dir);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_MAX_ATTEMPTS", "1");
}

fn run(dir: &Path, words: &[&str]) -> Output {
    karpctl(dir).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stderr(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

fn written(dir: &Path) -> Layer {
    let text = std::fs::read_to_string(dir.join("karpctl.yaml")).unwrap();
    parse("karpctl.yaml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

const DEFAULTS: [&str; 6] = ["init", "--defaults", "--region", "eu-central-1", "--cluster-name", "shop"];

#[test]
fn without_a_terminal_it_asks_for_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["init"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(stderr(&ended).contains("no terminal") && stderr(&ended).contains("--defaults"), "{}", stderr(&ended));
    let ended = run(dir.path(), &["init", "--defaults"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(stderr(&ended).contains("region is not known") && stderr(&ended).contains("--region"), "{}", stderr(&ended));
    assert!(!dir.path().join("karpctl.yaml").exists());
}

#[test]
fn a_program_is_told_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let answer = |words: &[&str]| -> serde_json::Value {
        let ended = run(dir.path(), words);
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {}", stderr(&ended)))
    };
    let made = answer(&[&DEFAULTS[..], &["-o", "json"]].concat());
    assert_eq!((&made["schema"], &made["files"]), (&"karpctl/init/v1".into(), &serde_json::json!(["karpctl.yaml"])));
    assert_eq!(made["settings"], serde_json::to_value(written(dir.path())).unwrap());
    let schema = answer(&["init", "--schema", "-o", "ndjson"]);
    assert_eq!(
        (&schema["files"], &schema["settings"]),
        (&serde_json::json!(["karpctl.schema.json", "karpctl.yaml"]), &serde_json::json!({}))
    );
    let there = run(dir.path(), &[&DEFAULTS[..], &["--cluster-name", "other", "-o", "json"]].concat());
    assert!(there.stdout.is_empty() && serde_json::from_str::<serde_json::Value>(&stderr(&there)).is_ok(), "{}", stderr(&there));
}

#[test]
fn defaults_without_credentials_are_a_spec_that_other_commands_take() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &DEFAULTS);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(ended.stdout.is_empty() && stderr(&ended).contains("karpctl bootstrap --dry-run"), "{}", stderr(&ended));
    // Of a machine and an account that nobody can ask nothing else is known.
    assert!(stderr(&ended).contains("Next:\n  karpctl doctor --only aws-credentials\n"), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("`karpctl init --schema` also writes karpctl.schema.json"), "{}", stderr(&ended));
    let layer = written(dir.path());
    assert_eq!((layer.cluster_name.as_deref(), layer.region.as_deref()), (Some("shop"), Some("eu-central-1")));
    assert_eq!(layer.karpenter_version, Some(karpctl::knowledge::Release::newest().to_string()), "the version is written down");
    assert_eq!(layer.node_pool.unwrap().capacity_types, Some(vec!["on-demand".to_owned()]));
    let rendered = run(dir.path(), &["render", "node-pool", "--account-id", "111122223333"]);
    assert_eq!(rendered.status.code(), Some(0), "{}", stderr(&rendered));
    assert!(String::from_utf8_lossy(&rendered.stdout).contains("on-demand"));
}

/// What nobody could look up is neither made up nor said to be known.
#[test]
fn without_credentials_nothing_is_made_up() {
    let dir = tempfile::tempdir().unwrap();
    let nameless = run(dir.path(), &["init", "--defaults", "--region", "eu-central-1", "--existing-cluster"]);
    assert_eq!(nameless.status.code(), Some(2), "{}", stderr(&nameless));
    assert!(stderr(&nameless).contains("hint: give --cluster-name NAME"), "{}", stderr(&nameless));
    assert!(!dir.path().join("karpctl.yaml").exists());
    let said = stderr(&run(dir.path(), &["init", "--defaults", "--region", "us-wst-2", "--karpenter-version", "0.31.4"]));
    let odd = "note: `us-wst-2` is no region that this karpctl knows; did you mean `us-west-2`?";
    assert_eq!((said.matches("us-wst-2").count(), said.find(odd)), (1, Some(0)), "once, and before all else: {said}");
    assert!(said.contains("EKS makes no cluster of Kubernetes 1.28 any more"), "{said}");
    let text = std::fs::read_to_string(dir.path().join("karpctl.yaml")).unwrap();
    assert!(text.contains("The newest Kubernetes that Karpenter 0.31.4 runs on; EKS was not asked"), "{text}");
}

#[test]
fn an_aws_that_never_answers_is_not_waited_for() {
    // It takes connections and nothing more, as behind a firewall.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut command = karpctl(dir.path());
    command
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_MAX_ATTEMPTS", "9")
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    let ended = command.args(DEFAULTS).stdin(Stdio::null()).output().unwrap();
    let said = stderr(&ended);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let waits = said.find("waiting for the answer of AWS to sts:GetCallerIdentity, 15 s at most").expect(&said);
    let gives_up = said.find("warning: AWS is not asked: no answer to sts:GetCallerIdentity within 15 s; `karpctl doctor").expect(&said);
    assert!(waits < gives_up, "{said}");
    assert_eq!(written(dir.path()).account_id, None);
}

#[test]
fn flags_and_environment_are_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let ended = karpctl(dir.path())
        .args(DEFAULTS)
        .args(["--fargate", "--tag", "team=a", "--schema", "-f", "sub.yaml"])
        .envs([("KARPENTER_VERSION", "1.9.0"), ("CLUSTER_NAME", "other"), ("ALIAS_VERSION", "v20260101")])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("karpctl bootstrap -f sub.yaml") && !stderr(&ended).contains("also writes"), "{}", stderr(&ended));
    let text = std::fs::read_to_string(dir.path().join("sub.yaml")).unwrap();
    let layer = parse("sub.yaml", &text).unwrap();
    assert_eq!(
        (layer.cluster_name.as_deref(), layer.karpenter_version.as_deref(), layer.fargate),
        (Some("shop"), Some("1.9.0"), Some(true))
    );
    assert_eq!(layer.node_pool.unwrap().ami_alias.as_deref(), Some("al2023@v20260101"));
    assert!(text.starts_with("# yaml-language-server: $schema=karpctl.schema.json\n"), "{text}");
    let schema = std::fs::read_to_string(dir.path().join("karpctl.schema.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["properties"]["clusterName"].is_object());
}

#[test]
fn another_text_is_never_overwritten_unasked() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &DEFAULTS).status.code(), Some(0));
    let again = run(dir.path(), &DEFAULTS);
    assert_eq!(again.status.code(), Some(0), "the same again is fine");
    assert!(stderr(&again).contains("karpctl.yaml says so already\n") && !stderr(&again).contains("wrote"), "{}", stderr(&again));
    let file = dir.path().join("karpctl.yaml");
    std::fs::write(&file, "mine").unwrap();
    let refused = run(dir.path(), &DEFAULTS);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    // Its own hint, typed afterwards: the schema alone.
    let schema = run(dir.path(), &["init", "--schema"]);
    assert_eq!(schema.status.code(), Some(0), "{}", stderr(&schema));
    assert!(stderr(&schema).contains("# yaml-language-server: $schema=karpctl.schema.json"), "{}", stderr(&schema));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    std::fs::write(&file, b"clusterName: \xff").unwrap();
    assert_eq!(run(dir.path(), &["init", "--schema"]).status.code(), Some(0));
    assert_eq!(std::fs::read(&file).unwrap(), b"clusterName: \xff", "what cannot be read is not written over");
    std::fs::remove_file(dir.path().join("karpctl.schema.json")).unwrap();
    assert_eq!(run(dir.path(), &[&DEFAULTS[..], &["--force"]].concat()).status.code(), Some(0));
    // A spec file is told where the schema is, once, and stays as it is beside that.
    let (line, before) = ("# yaml-language-server: $schema=karpctl.schema.json\n", std::fs::read_to_string(&file).unwrap());
    for _ in 0..2 {
        let schema = run(dir.path(), &["init", "--schema"]);
        assert_eq!(schema.status.code(), Some(0), "{}", stderr(&schema));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{line}{before}"));
        assert!(!stderr(&schema).contains("by this line"), "{}", stderr(&schema));
    }
    std::fs::remove_file(dir.path().join("karpctl.schema.json")).unwrap();
    assert_eq!(written(dir.path()).cluster_name.as_deref(), Some("shop"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_is_not_valid_is_said_and_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let ended =
        run(dir.path(), &["init", "--defaults", "--region", "eu-central-1", "--cluster-name", "_shop", "--karpenter-version", "0.1.0"]);
    assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("_shop") && stderr(&ended).contains("0.1.0"), "{}", stderr(&ended));
    let ended = run(dir.path(), &[&DEFAULTS[..], &["-f", "nothere/karpctl.yaml"]].concat());
    assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("cannot write nothere/karpctl.yaml"), "{}", stderr(&ended));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// `karpctl init` at a terminal of its own (util-linux's `script` makes one).
struct Terminal {
    child: Child,
    seen: String,
}

impl Terminal {
    fn start(dir: &Path, words: &str) -> Self {
        Self::start_with(dir, words, &[])
    }

    fn start_with(dir: &Path, words: &str, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new("script");
        alone(&mut command, dir);
        command.envs(env.iter().copied());
        command.args(["-qec", &format!("{} {words}", env!("CARGO_BIN_EXE_karpctl")), "/dev/null"]).env("TERM", "xterm");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, seen: String::new() }
    }

    /// Waits until this is said, then types that.
    fn answer(&mut self, question: &str, line: &str) {
        let mut byte = [0];
        let from = self.seen.len();
        while !self.seen[from..].contains(question) || !self.seen.ends_with(": ") {
            let read = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert!(read > 0, "`{question}` is never asked:\n{}", self.seen);
            self.seen.push(char::from(byte[0]));
        }
        self.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), self.seen + &rest)
    }
}

/// Each question says what follows from it, wherever the terminal ends its lines.
#[track_caller]
fn explains(said: &str, all: &[&str]) {
    let words = console::strip_ansi_codes(said).split_whitespace().collect::<Vec<_>>().join(" ");
    for why in all {
        assert!(words.contains(why), "`{why}` is not said:\n{said}");
    }
}

#[test]
fn at_a_terminal_it_asks_what_it_cannot_find_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), "init");
    terminal.answer("Which AWS region?", "mars\n");
    terminal.answer("`mars` is not a valid AWS region", "eu-west-1\n");
    terminal.answer("Which AWS account?", "111122223333\n");
    terminal.answer("What is the new cluster called?", "\n");
    terminal.answer("Where does the controller run?", "lambda\n");
    terminal.answer("none of 1 to 2", "2\n");
    terminal.answer("What capacity may Karpenter launch?", "spot\n");
    let (code, said) = terminal.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("\r\n\r\n\r\n"), "one blank line between two questions:\n{said}");
    explains(
        &said,
        &[
            "Which AWS region? The cluster and everything else is made there.",
            "Which AWS account? Twelve digits, or `none` to take the account of the credentials that a run has.",
            "What is the new cluster called? Letters, digits, `-`; roles and the stack are named after it.",
            "Where does the controller run? It cannot run on the nodes that it makes itself. On Fargate it gets its AWS credentials by IRSA, \
             and the cluster takes no Windows nodes.",
            "What capacity may Karpenter launch? Spot costs less, and EC2 takes it back with two minutes' notice.",
        ],
    );
    let layer = written(dir.path());
    assert_eq!((layer.region.as_deref(), layer.account_id.as_deref()), (Some("eu-west-1"), Some("111122223333")));
    assert_eq!((layer.cluster_name.as_deref(), layer.fargate), (Some("demo"), Some(true)));
    assert_eq!(layer.node_pool.unwrap().capacity_types, Some(vec!["spot".to_owned()]));
}

/// A slip of the hand is told where it is made, not after the last question.
#[test]
fn a_region_that_nobody_knows_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), "init");
    terminal.answer("Which AWS region?", "us-wst-2\n");
    terminal.answer("`us-wst-2` is no region that this karpctl knows; did you mean `us-west-2`?; the same again takes it", "us-west-2\n");
    terminal.answer("Which AWS account?", "\n");
    terminal.answer("What is the new cluster called?", "\n");
    terminal.answer("Where does the controller run?", "\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!((code, written(dir.path()).region.as_deref()), (Some(0), Some("us-west-2")), "{said}");
    // One that is newer than the table is taken, and told of once.
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), "init");
    terminal.answer("Which AWS region?", "mars-olympus-1\n");
    terminal.answer("the same again takes it", "mars-olympus-1\n");
    terminal.answer("Which AWS account?", "\u{3}");
    let (_, said) = terminal.end();
    assert_eq!(said.matches("is no region that this karpctl knows").count(), 1, "{said}");
    for (words, wrong) in [
        ("init --region us-wst-2", "did you mean `us-west-2`?"),
        ("init --region 'us west'", "region (from the flag): `us west` is not a valid AWS region"),
        ("init --karpenter-version 0.1.0", "0.1.0"),
        ("init --cluster-name _x", "clusterName (from the flag): `_x` is not a valid cluster name"),
    ] {
        let mut terminal = Terminal::start(dir.path(), words);
        if words.ends_with("us-wst-2") {
            terminal.answer("Which AWS account?", "\u{3}");
        }
        let (_, said) = terminal.end();
        let first = said.find(wrong).unwrap_or_else(|| panic!("{words}: {said}"));
        assert!(said.find("Which").is_none_or(|question| first < question), "{words}: {said}");
    }
    // What is of another region is right there.
    let mut terminal = Terminal::start(dir.path(), "init --permissions-boundary arn:aws-cn:iam::111122223333:policy/boundary");
    terminal.answer("Which AWS region?", "\u{3}");
    terminal.end();
    assert!(!dir.path().join("karpctl.yaml").exists());
}

/// An account with two regions and two clusters; the clusters have a private and a public subnet.
fn account(asked: &Asked) -> (String, String) {
    let list = |items: &[&str]| items.iter().map(|item| format!("<item>{item}</item>")).collect::<String>();
    let answer = if asked.line().starts_with("GET /clusters/beta ") {
        let vpc = r#"{"vpcId": "vpc-1", "subnetIds": ["subnet-0000000a", "subnet-0000000b"]}"#;
        format!(r#"{{"cluster": {{"name": "beta", "status": "ACTIVE", "version": "1.33", "resourcesVpcConfig": {vpc}}}}}"#)
    } else if asked.line().starts_with("GET /clusters/beta/node-groups") {
        r#"{"nodegroups": []}"#.to_owned()
    } else if asked.line().starts_with("GET /clusters") {
        r#"{"clusters": ["beta", "alpha"]}"#.to_owned()
    } else if asked.body.contains("Action=GetCallerIdentity") {
        let caller = "<Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>AIDA</UserId><Account>111122223333</Account>";
        format!("<GetCallerIdentityResponse><GetCallerIdentityResult>{caller}</GetCallerIdentityResult></GetCallerIdentityResponse>")
    } else if asked.body.contains("Action=DescribeRegions") {
        let regions = ["us-east-1", "eu-west-1"].map(|name| format!("<regionName>{name}</regionName>"));
        format!("<DescribeRegionsResponse><regionInfo>{}</regionInfo></DescribeRegionsResponse>", list(&[&regions[0], &regions[1]]))
    } else if asked.body.contains("Action=DescribeSubnets") {
        // As Terraform's module makes them: none gives a public address.
        let subnet = |id: &str| {
            format!(
                "<subnetId>{id}</subnetId><availabilityZone>us-east-1a</availabilityZone><availableIpAddressCount>99</availableIpAddressCount>"
            )
        };
        let subnets = list(&[&subnet("subnet-0000000a"), &subnet("subnet-0000000b")]);
        format!("<DescribeSubnetsResponse><subnetSet>{subnets}</subnetSet></DescribeSubnetsResponse>")
    } else if asked.body.contains("Action=DescribeRouteTables") {
        let table = |way: &str, of: &str| {
            let route = list(&[&format!("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>{way}<state>active</state>")]);
            format!("<routeSet>{route}</routeSet><associationSet>{}</associationSet>", list(&[of]))
        };
        let public = table("<gatewayId>igw-1</gatewayId>", "<subnetId>subnet-0000000a</subnetId>");
        let tables = list(&[&table("<natGatewayId>nat-1</natGatewayId>", "<main>true</main>"), &public]);
        format!("<DescribeRouteTablesResponse><routeTableSet>{tables}</routeTableSet></DescribeRouteTablesResponse>")
    } else {
        return ("400 Bad Request".into(), String::new());
    };
    ("200 OK".into(), answer)
}

/// The environment of whoever has that account, at this address.
fn signed_in(url: &str) -> [(&str, &str); 3] {
    [("AWS_ENDPOINT_URL", url), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
}

#[test]
fn what_the_account_has_is_listed_to_choose_from() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = serve(account);
    let env = signed_in(&url);
    let mut terminal = Terminal::start_with(dir.path(), "init", &env);
    terminal.answer("Which AWS region?", "2\n");
    terminal.answer("Which cluster gets Karpenter?", "3\n");
    terminal.answer("Which subnets are for nodes?", "1\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("karpctl doctor --area client,account"), "{said}");
    for listed in [
        "1) eu-west-1",
        "2) us-east-1",
        "1) a new cluster",
        "2) alpha",
        "3) beta",
        "1) private: subnet-0000000b in us-east-1a with 99 free addresses",
    ] {
        assert!(said.contains(listed), "`{listed}` is not listed:\n{said}");
    }
    explains(
        &said,
        &[
            "Which cluster gets Karpenter? One that is there is never changed in size or deleted.",
            "Which subnets are for nodes? A private subnet has no route to an internet gateway: nodes there are not reached from outside.",
        ],
    );
    let layer = written(dir.path());
    assert_eq!((layer.region.as_deref(), layer.cluster_name.as_deref()), (Some("us-east-1"), Some("beta")));
    assert_eq!((layer.existing_cluster, layer.subnets), (Some(true), Some(vec!["subnet-0000000b".to_owned()])));
    assert_eq!(layer.account_id.as_deref(), Some("111122223333"));
}

#[test]
fn what_is_known_is_not_asked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".aws")).unwrap();
    std::fs::write(dir.path().join(".aws/config"), "[profile work]\nregion = eu-north-1\n[profile home]\nregion = us-east-1\n").unwrap();
    let mut terminal = Terminal::start(dir.path(), "init --cluster-name shop --account-id 111122223333 --fargate");
    terminal.answer("Which AWS profile?", "work\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("karpctl bootstrap --profile work"), "{said}");
    explains(&said, &["Which AWS profile? Its account is the one that karpctl works in."]);
    assert!(!said.contains("Which AWS region?") && !said.contains("Where does the controller run?"), "{said}");
    assert!(said.contains("AWS region eu-north-1, from the AWS configuration or this instance; --region names another."), "{said}");
    assert_eq!(written(dir.path()).region.as_deref(), Some("eu-north-1"), "the profile's region is taken");
}

#[test]
fn a_name_is_asked_for_as_what_it_is_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), "init --region eu-west-1 --existing-cluster");
    terminal.answer("Which AWS account?", "\n");
    terminal.answer("Which cluster gets Karpenter?", "\n");
    terminal.answer("is not a valid cluster name", "x_y\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!((code, written(dir.path()).cluster_name.as_deref()), (Some(0), Some("x_y")), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(dir.path(), "init --region eu-west-1");
    terminal.answer("Which AWS account?", "\n");
    terminal.answer("What is the new cluster called?", "x_y\n");
    terminal.answer("eksctl makes no cluster with `_`", "x-y\n");
    terminal.answer("Where does the controller run?", "\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!((code, written(dir.path()).cluster_name.as_deref()), (Some(0), Some("x-y")), "{said}");
}

#[test]
fn an_interruption_writes_nothing() {
    for (typed, code) in [("\u{3}", 130), ("\u{4}", 2)] {
        let dir = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::start(dir.path(), "init");
        terminal.answer("Which AWS region?", typed);
        let (ended, said) = terminal.end();
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("nothing was written") && !said.contains("finishing"), "nothing is under way: {said}");
        assert!(!dir.path().join("karpctl.yaml").exists());
    }
}

#[test]
fn of_clusters_that_are_there_only_such_are_offered() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = serve(account);
    let env = signed_in(&url);
    let mut terminal = Terminal::start_with(dir.path(), "init --existing-cluster --region us-east-1", &env);
    terminal.answer("Which cluster gets Karpenter?", "2\n");
    terminal.answer("Which subnets are for nodes?", "1\n");
    terminal.answer("What capacity may Karpenter launch?", "\n");
    let (code, said) = terminal.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("a new cluster") && said.contains("1) alpha"), "{said}");
    assert_eq!(written(dir.path()).cluster_name.as_deref(), Some("beta"));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = karpctl(elsewhere.path());
    let words = ["init", "--defaults", "--existing-cluster", "--cluster-name", "lagacy", "--region", "us-east-1"];
    let ended = command.args(words).envs(env).stdin(Stdio::null()).output().unwrap();
    assert!(
        stderr(&ended).contains("there is no cluster lagacy among those of this account and region: alpha, beta"),
        "{}",
        stderr(&ended)
    );
}

/// Who may not look is told so, and nothing is written down that nobody saw.
#[test]
fn what_may_not_be_read_is_not_taken_for_what_is_not_there() {
    let denied = || {
        let body = r#"{"__type": "AccessDeniedException", "message": "User: me is not authorized"}"#;
        ("403 Forbidden".to_owned(), body.to_owned())
    };
    let init = |answer: fn(&Asked) -> bool| {
        let dir = tempfile::tempdir().unwrap();
        let (url, _) = serve(move |asked| if answer(asked) { denied() } else { account(asked) });
        let words = ["init", "--defaults", "--cluster-name", "beta", "--region", "us-east-1"];
        let ended = karpctl(dir.path()).args(words).envs(signed_in(&url)).stdin(Stdio::null()).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        (written(dir.path()), stderr(&ended))
    };
    let (layer, said) = init(|_| false);
    assert_eq!((layer.existing_cluster, layer.subnets), (Some(true), Some(vec!["subnet-0000000b".to_owned()])), "{said}");
    let (layer, said) = init(|asked| asked.line().contains("/node-groups"));
    assert_eq!((layer.existing_cluster, layer.subnets), (Some(true), None), "{said}");
    assert!(said.contains("warning: the subnets of the node groups of beta are not known: cannot list the node groups of beta"), "{said}");
    let (layer, said) = init(|asked| asked.line().starts_with("GET /clusters/beta "));
    assert_eq!((layer.existing_cluster, layer.subnets, layer.kubernetes_version), (Some(true), None, None), "{said}");
    assert!(said.contains("warning: beta is there, and what it is like is not known: "), "{said}");
}
