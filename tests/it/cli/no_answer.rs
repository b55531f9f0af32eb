//! An API server that does not say what is installed: what goes by the Karpenter that is installed is not begun by the rules of another release.

use super::no_cluster::WHO;
use super::{Ended, OFFLINE, Shell};
use crate::adapters::serve;

const STACK: &str = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackId>arn:aws:cloudformation:us-west-2:111122223333:stack/Karpenter-demo/1</StackId><StackName>Karpenter-demo</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime><Tags><member><Key>karpctl.dev/cluster</Key><Value>demo</Value></member></Tags></member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>"#;
const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>";

/// What a command says where karpctl's stack is there and the API server tells nothing, and what that was asked.
fn run(words: &[&str]) -> (Ended, Vec<String>) {
    let (api, asked) = serve(|_| ("403 Forbidden".to_owned(), r#"{"kind": "Status", "message": "not for you"}"#.to_owned()));
    let cluster = format!(r#"{{"cluster": {{"name": "demo", "version": "1.34", "status": "ACTIVE", "endpoint": "{api}"}}}}"#);
    let (aws, _) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), cluster.clone()),
        _ if asked.body.contains("GetCallerIdentity") => ("200 OK".to_owned(), WHO.to_owned()),
        _ if asked.body.contains("DescribeStacks") => ("200 OK".to_owned(), STACK.to_owned()),
        _ => ("403 Forbidden".to_owned(), DENIED.to_owned()),
    });
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: demo\ncontexts: [{{name: demo, context: {{cluster: demo, user: demo}}}}]\n\
         clusters: [{{name: demo, cluster: {{server: \"{api}\"}}}}]\nusers: [{{name: demo, user: {{}}}}]\n"
    );
    let shell = Shell::new().asks(&aws).file("kubeconfig", &kubeconfig);
    let ended = shell.run(&[words, &["--existing-cluster", "--kubeconfig", "kubeconfig"], &OFFLINE].concat());
    let asked = asked.lock().unwrap().iter().map(|asked| asked.line().to_owned()).collect();
    (ended, asked)
}

/// Each question is asked once: who does not answer one keeps whoever asks again as long.
#[track_caller]
fn once(asked: &[String]) {
    let different: std::collections::BTreeSet<&String> = asked.iter().collect();
    assert!(!asked.is_empty() && different.len() == asked.len(), "{asked:?}");
}

#[test]
fn the_stack_is_not_changed_by_the_rules_of_a_release_that_may_not_be_installed() {
    let (ended, asked) = run(&["iam", "--yes"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    for said in [
        "error: cannot look into the cluster demo; nothing was changed",
        "so it is not known which release of Karpenter is installed",
        "hint: or name the release that is installed: `--karpenter-version VERSION`",
    ] {
        assert!(ended.stderr.contains(said), "`{said}` is not in {}", ended.stderr);
    }
    once(&asked);
    let (plan, asked_for_plan) = run(&["iam", "--dry-run", "--exit-code"]);
    assert_eq!(plan.code, 4, "{}", plan.stderr);
    assert!(plan.stderr.contains("a run without --dry-run is refused: cannot look into the cluster demo"), "{}", plan.stderr);
    assert_eq!(asked_for_plan, asked, "a plan waits no longer");
    let (_, asked) = run(&["bootstrap", "--dry-run"]);
    once(&asked);
}

#[test]
fn who_names_the_release_goes_on_and_is_told_what_was_not_looked_at() {
    let (ended, asked) = run(&["iam", "--dry-run", "--karpenter-version", "1.14.1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("is refused"), "{}", ended.stderr);
    once(&asked);
}

#[test]
fn a_status_says_that_it_goes_by_a_release_that_may_be_another() {
    let (ended, asked) = run(&["status"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: which release of Karpenter is installed could not be seen"), "{}", ended.stderr);
    once(&asked);
}

#[test]
fn nothing_is_taken_away_where_the_nodes_cannot_be_looked_for() {
    let (ended, _) = run(&["destroy", "--yes"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("error: cannot look into the cluster demo; nothing was changed"), "{}", ended.stderr);
    let (plan, _) = run(&["destroy", "--dry-run", "--exit-code"]);
    assert_eq!(plan.code, 4, "{}", plan.stderr);
}

#[test]
fn what_could_not_be_looked_at_is_no_difference() {
    let (ended, _) = run(&["status", "--exit-code"]);
    assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("could not be looked at, for the reasons above"), "{}", ended.stdout);
}
