//! A cluster that is not there, and one that could not be read: the commands that need one say either in the same words.

use super::{Ended, OFFLINE, Shell};
use crate::adapters::serve;

pub(super) const WHO: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"#;

const COMMANDS: [&[&str]; 3] = [&["adopt", "--yes"], &["verify"], &["migrate", "cluster-autoscaler", "--yes"]];

/// The command, where AWS knows the caller and says this of the cluster.
fn run(words: &[&str], status: &'static str, body: &'static str) -> Ended {
    shell(status, body).run(&[words, &OFFLINE].concat())
}

fn shell(status: &'static str, body: &'static str) -> Shell {
    let (url, _) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => (status.to_owned(), body.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), r#"{"clusterVersions": []}"#.to_owned()),
    });
    Shell::new().asks(&url)
}

fn errors(ended: &Ended) -> Vec<&str> {
    // On a busy machine it is told of answers that are waited for.
    ended.stderr.lines().filter(|line| !line.starts_with("note: ") && !line.starts_with("waiting for ")).collect()
}

#[test]
fn a_cluster_that_is_not_there_is_said_in_one_way() {
    for words in COMMANDS {
        let ended =
            run(words, "404 Not Found", r#"{"__type": "ResourceNotFoundException", "message": "No cluster found for name: demo."}"#);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}: {}", ended.stderr);
        let said = errors(&ended);
        assert_eq!(said[0], "error: there is no cluster demo in us-west-2 of account 111122223333", "{words:?}");
        assert_eq!(said[1], "hint: `aws eks list-clusters --region us-west-2` shows which there are", "{words:?}");
        // Only who could have made it is told how it is made.
        assert_eq!(said.get(2).is_some_and(|hint| hint.contains("karpctl bootstrap")), words == ["verify"], "{said:?}");
    }
}

#[test]
fn a_cluster_that_may_not_be_read_is_not_taken_for_one_that_is_not_there() {
    let denied = r#"{"__type": "AccessDeniedException", "message": "User: arn:aws:iam::111122223333:user/me is not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:us-west-2:111122223333:cluster/demo"}"#;
    for words in COMMANDS {
        let ended = run(words, "403 Forbidden", denied);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{words:?}: {}", ended.stderr);
        let said = errors(&ended);
        assert_eq!(said[0], "error: cannot read the cluster demo", "{words:?}");
        assert!(said[1].starts_with("  caused by: eks:DescribeCluster is denied: AccessDeniedException"), "{said:?}");
        assert!(
            said[2].starts_with("hint: allow `eks:DescribeCluster` on `arn:aws:eks:us-west-2:111122223333:cluster/demo`"),
            "{words:?}: {said:?}"
        );
    }
}

#[test]
fn a_bootstrap_is_refused_where_the_cluster_may_not_be_read() {
    let denied = r#"{"__type": "AccessDeniedException", "message": "not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:us-west-2:111122223333:cluster/demo"}"#;
    for more in [&["--dry-run", "--exit-code"][..], &["--dry-run", "--exit-code", "--existing-cluster"]] {
        let ended = run(&[&["bootstrap"], more].concat(), "403 Forbidden", denied);
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        assert!(ended.stderr.contains("a run without --dry-run is refused: cannot read the cluster demo"), "{}", ended.stderr);
        assert!(ended.stderr.contains("allow `eks:DescribeCluster` on"), "{}", ended.stderr);
    }
}

#[test]
fn a_page_is_kept_of_what_the_checks_refuse_too() {
    let cluster = r#"{"cluster": {"name": "demo", "version": "1.34", "status": "ACTIVE"}}"#;
    let shell = shell("200 OK", cluster);
    let words = ["bootstrap", "--existing-cluster", "--yes", "--karpenter-version", "0.17.0"];
    let without = shell.run(&[&words[..], &OFFLINE].concat());
    let ended = shell.run(&[&words[..], &["--report", "report.html"], &OFFLINE].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{}", ended.stderr);
    assert_eq!(errors(&ended), errors(&without), "it is refused in the same words");
    let page = std::fs::read_to_string(shell.dir.path().join("report.html")).unwrap();
    for said in ["Refused; nothing was changed", "<td class=\"is-fail\">fail</td><td><code>kubernetes-fit</code></td>", "id=\"step-stack\""]
    {
        assert!(page.contains(said), "`{said}` is not in {page}");
    }
    // Where the page cannot be written it is refused for the same reason.
    let unwritten = shell.run(&[&words[..], &["--report", "nowhere/report.html"], &OFFLINE].concat());
    let said = errors(&unwritten);
    assert_eq!((unwritten.code, &said[1..]), (4, &errors(&without)[..]), "{}", unwritten.stderr);
    assert!(said[0].starts_with("warning: cannot write the report nowhere/report.html"), "{said:?}");
}

#[test]
fn a_cluster_that_karpctl_made_is_not_adopted() {
    let ours = r#"{"cluster": {"name": "demo", "version": "1.34", "status": "ACTIVE", "tags": {"karpctl.dev/cluster": "demo"}}}"#;
    let ended = run(&["adopt", "--yes"], "200 OK", ours);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert_eq!(errors(&ended)[0], "error: karpctl made cluster demo and its Karpenter: there is nothing to adopt");
}

#[test]
fn wrong_settings_are_told_before_wrong_credentials() {
    let (url, _) =
        serve(|_| ("403 Forbidden".to_owned(), "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>".to_owned()));
    let shell = Shell::new().asks(&url);
    let at = ["bootstrap", "--cluster-name", "demo", "--region", "us-west-2"];
    let ended = shell.run(&[&at[..], &["--identity", "isra", "--account-id", "12"]].concat());
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("isra") && ended.stderr.contains("12"), "{}", ended.stderr);
    assert_eq!(shell.run(&at).code, 1);
}

#[test]
fn a_cluster_that_eks_says_nothing_readable_of_is_said_with_the_reason() {
    for words in COMMANDS {
        let ended = run(words, "200 OK", r#"{"cluster": {"name": "demo", "version": "newest"}}"#);
        assert_eq!(ended.code, 1, "{words:?}: {}", ended.stderr);
        let said = errors(&ended);
        assert_eq!(said[0], "error: cannot read the cluster demo", "{words:?}");
        assert!(said[1].contains("EKS answered the Kubernetes version `newest`"), "{said:?}");
    }
}
