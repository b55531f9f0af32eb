//! What `karpctl destroy` is about to take away.

use super::{OFFLINE, Shell, no_cluster::WHO};
use crate::adapters::serve;
use serde_json::Value;

/// The steps of a destroy of a cluster that karpctl made, with what each does.
fn plan(more: &[&str]) -> Vec<(String, String)> {
    let (url, _) = serve(|asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), CLUSTER.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), "{}".to_owned()),
    });
    let shell = Shell::new().asks(&url);
    let ended = shell.run(&[&["destroy", "--dry-run", "-o", "json"], &OFFLINE[..], more].concat());
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", ended.stdout, ended.stderr));
    let text = |step: &Value, field: &str| step[field].as_str().unwrap_or_default().to_owned();
    plan["steps"].as_array().unwrap().iter().map(|step| (text(step, "id"), text(step, "action"))).collect()
}

pub(super) const CLUSTER: &str =
    r#"{"cluster": {"name": "demo", "version": "1.34", "status": "ACTIVE", "tags": {"karpctl.dev/cluster": "demo"}}}"#;

#[test]
fn a_cluster_that_karpctl_made_goes_unless_it_is_kept() {
    let of_cluster = |plan: &[(String, String)]| plan.iter().find(|(id, _)| id == "cluster").map(|(_, action)| action.clone());
    let whole = plan(&[]);
    assert_eq!(of_cluster(&whole).as_deref(), Some("remove"), "{whole:?}");
    let kept = plan(&["--keep-cluster"]);
    assert_eq!(of_cluster(&kept), None, "{kept:?}");
    assert!(kept.iter().any(|(id, _)| id == "stack"), "all else goes: {kept:?}");
}

/// A cluster of somebody else, and what is asked of AWS by this command.
fn of_somebody_else(words: &[&str]) -> (super::Ended, Vec<String>) {
    let stack = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>eksctl-demo-cluster</StackName><StackId>arn:aws:cloudformation:us-west-2:111122223333:stack/eksctl-demo-cluster/1</StackId><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Tags><member><Key>alpha.eksctl.io/cluster-name</Key><Value>demo</Value></member></Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#;
    let (url, asked) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => {
            ("200 OK".to_owned(), r#"{"cluster": {"name": "demo", "version": "1.34", "status": "ACTIVE"}}"#.to_owned())
        }
        _ if asked.body.contains("Action=DescribeStacks") => ("200 OK".to_owned(), stack.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), "{}".to_owned()),
    });
    let shell = Shell::new().asks(&url);
    let ended = shell.run(&[words, &OFFLINE].concat());
    let lines = asked.lock().unwrap().iter().map(|asked| format!("{} {}", asked.line(), asked.body)).collect();
    (ended, lines)
}

#[test]
fn a_cluster_that_karpctl_did_not_make_is_refused_before_anything() {
    for words in [&["destroy", "--yes"][..], &["destroy", "--dry-run"], &["destroy", "--print-commands"], &["destroy", "--yes", "--adopt"]]
    {
        let (ended, asked) = of_somebody_else(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: cluster demo is not taken away; nothing was changed"), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: the same command with `--existing-cluster` leaves it"), "{}", ended.stderr);
        let reads = ["GET ", "POST / HTTP/1.1 Action=Get", "POST / HTTP/1.1 Action=DescribeStacks"];
        assert!(asked.iter().all(|line| reads.iter().any(|read| line.starts_with(read))), "{asked:#?}");
    }
    for words in [&["destroy", "--dry-run", "--existing-cluster"][..], &["destroy", "--dry-run", "--keep-cluster"]] {
        let (ended, _) = of_somebody_else(words);
        assert!(
            !ended.stdout.contains("remove   cluster demo") && ended.stdout.contains("Plan: destroy demo"),
            "{words:?}: {}",
            ended.stdout
        );
    }
}

/// AWS refuses to delete what a person protects, and would be asked last: when all in it is gone.
#[test]
fn what_is_protected_from_deletion_is_refused_before_anything() {
    let of_cluster = CLUSTER.replace(r#""tags""#, r#""deletionProtection": true, "tags""#);
    let stack = |protected: bool| {
        format!(
            r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>Karpenter-demo</StackName><StackId>arn:aws:cloudformation:us-west-2:111122223333:stack/Karpenter-demo/1</StackId><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><EnableTerminationProtection>{protected}</EnableTerminationProtection><Tags><member><Key>karpctl.dev/cluster</Key><Value>demo</Value></member></Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"#
        )
    };
    let run = |cluster: &str, protected: bool, words: &[&str]| {
        let (cluster, stack) = (cluster.to_owned(), stack(protected));
        let (url, asked) = serve(move |asked| match asked.line() {
            line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), cluster.clone()),
            _ if asked.body.contains("StackName=Karpenter-demo") => ("200 OK".to_owned(), stack.clone()),
            _ if asked.body.contains("Action=DescribeStacks") => ("400 Bad Request".to_owned(), GONE.to_owned()),
            line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
            _ => ("200 OK".to_owned(), "{}".to_owned()),
        });
        let shell = Shell::new().asks(&url);
        let ended = shell.run(&[words, &OFFLINE].concat());
        let changed = asked.lock().unwrap().iter().any(|asked| asked.line().starts_with("DELETE") || asked.body.contains("Action=Delete"));
        assert!(!changed, "{}", ended.stderr);
        ended
    };
    for words in [&["destroy", "--yes"][..], &["destroy", "--dry-run"]] {
        let ended = run(&of_cluster, false, words);
        assert_eq!(ended.code, 4, "{words:?}: {}", ended.stderr);
        let hint = "`aws eks update-cluster-config --region us-west-2 --name demo --no-deletion-protection`";
        assert!(
            ended.stderr.contains("cluster demo is not taken away; nothing was changed") && ended.stderr.contains(hint),
            "{}",
            ended.stderr
        );
    }
    let kept = run(&of_cluster, false, &["destroy", "--dry-run", "--keep-cluster"]);
    assert_eq!(kept.code, 0, "what stays may be protected: {}", kept.stderr);
    let failed = of_cluster.replace("ACTIVE", "FAILED");
    assert_eq!(run(&failed, false, &["destroy", "--dry-run"]).code, 0, "EKS does not heed it there");
    for words in [&["destroy", "--yes"][..], &["destroy", "--yes", "--existing-cluster"]] {
        let ended = run(CLUSTER, true, words);
        assert_eq!(ended.code, 4, "{words:?}: {}", ended.stderr);
        let hint = "`aws cloudformation update-termination-protection --region us-west-2 --stack-name Karpenter-demo --no-enable-termination-protection`";
        assert!(ended.stderr.contains(hint), "{}", ended.stderr);
    }
}

/// Instances that Karpenter launched outlive a cluster that is deleted under it.
#[test]
fn what_the_karpenter_of_a_cluster_that_is_gone_left_is_named_with_its_commands() {
    let instances = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item><instanceId>i-0auto</instanceId><instanceState><code>16</code><name>running</name></instanceState><tagSet><item><key>kubernetes.io/cluster/demo</key><value>owned</value></item><item><key>karpenter.sh/nodepool</key><value>x</value></item><item><key>eks:kubernetes-node-pool-name</key><value>x</value></item></tagSet></item></instancesSet></item><item><instancesSet><item><instanceId>i-0abc</instanceId><instanceState><code>16</code><name>running</name></instanceState><tagSet><item><key>kubernetes.io/cluster/demo</key><value>owned</value></item><item><key>karpenter.sh/nodepool</key><value>default</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"#;
    let (url, asked) = serve(move |asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => (
            "404 Not Found".to_owned(),
            r#"{"__type": "ResourceNotFoundException", "message": "No cluster found for name: demo."}"#.to_owned(),
        ),
        _ if asked.body.contains("Action=DescribeInstances") => ("200 OK".to_owned(), instances.to_owned()),
        _ if asked.body.contains("Action=GetCallerIdentity") => ("200 OK".to_owned(), WHO.to_owned()),
        line if line.starts_with("POST / ") => ("400 Bad Request".to_owned(), GONE.to_owned()),
        _ => ("200 OK".to_owned(), r#"{"clusterVersions": []}"#.to_owned()),
    });
    let shell = Shell::new().asks(&url);
    for words in [&["destroy", "--dry-run"][..], &["destroy", "--dry-run", "--existing-cluster"], &["destroy", "--dry-run", "-o", "json"]] {
        let ended = shell.run(&[words, &OFFLINE].concat());
        let said = "warning: instances of an earlier cluster demo: its Karpenter launched them, and they run on and cost money: i-0abc [earlier-cluster]";
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("fix: end them: `aws ec2 terminate-instances --region us-west-2 --instance-ids i-0abc`"),
            "{}",
            ended.stderr
        );
        // What could not be looked for is not passed over.
        assert!(ended.stderr.contains("warning: launch templates of an earlier cluster demo: "), "{}", ended.stderr);
        assert!(ended.stderr.contains("warning: tags of an earlier cluster demo: "), "{}", ended.stderr);
        assert!(!ended.stderr.contains("may be left"), "of the cluster's own provider nothing can be known: {}", ended.stderr);
    }
    assert!(!asked.lock().unwrap().iter().any(|asked| asked.body.contains("Action=TerminateInstances")), "karpctl ends none itself");
}

/// What CloudFormation says of a stack that is not there, and others of what they do not know.
const GONE: &str = r"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id demo does not exist</Message></Error></ErrorResponse>";

#[test]
fn without_the_programs_that_take_it_away_nothing_goes() {
    let (url, asked) = serve(|asked| match asked.line() {
        line if line.starts_with("GET /clusters/demo ") => ("200 OK".to_owned(), CLUSTER.to_owned()),
        line if line.starts_with("POST / ") => ("200 OK".to_owned(), WHO.to_owned()),
        _ => ("200 OK".to_owned(), "{}".to_owned()),
    });
    let shell = Shell::new().env("PATH", "/nonexistent").asks(&url);
    let ended = shell.run(&[&["destroy", "--yes"], &OFFLINE[..]].concat());
    assert_eq!(ended.code, 4, "{}\n{}", ended.stdout, ended.stderr);
    for said in ["there is no helm on PATH", "nothing was changed", "hint: install helm, or name its file with --helm"] {
        assert!(ended.stderr.contains(said), "`{said}` is not in {}", ended.stderr);
    }
    let changes = ["Create", "Delete", "Update"].map(|verb| format!("Action={verb}"));
    assert!(asked.lock().unwrap().iter().all(|asked| changes.iter().all(|change| !asked.body.contains(change))));
    let plan = shell.run(&[&["destroy", "--dry-run", "--exit-code"], &OFFLINE[..]].concat());
    assert!(plan.code == 4 && plan.stderr.contains("a run without --dry-run is refused"), "{}\n{}", plan.stdout, plan.stderr);
}
