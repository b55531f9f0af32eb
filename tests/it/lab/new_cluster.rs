//! From nothing to a working Karpenter and back, on a cluster that the real eksctl makes.

use super::{Stage, assert_empty, stage};
use serde_json::{Value, json};

#[test]
fn newest_release_from_nothing_and_back() {
    let Some(stage) = stage("newest") else { return };
    whole_way(&stage, "1.14.1", 6);
}

#[test]
fn release_1_0_8_from_nothing_and_back() {
    let Some(stage) = stage("oneohate") else { return };
    whole_way(&stage, "1.0.8", 1);
}

/// The guide's Fargate variant: no node group, the controller and `CoreDNS` on Fargate, credentials by IRSA.
#[test]
fn on_fargate_from_nothing_and_back() {
    let Some(stage) = stage("lean") else { return };
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fargate-irsa.yaml");
    let with = |words: &[&str]| stage.karpctl(&[words, &["--file", spec]].concat());
    with(&["bootstrap", "--yes"]).exits(0);
    assert_eq!(stages(&journal(&stage), "cluster"), [1, 2, 3, 4], "the stages of the real eksctl");
    assert_eq!(stage.aws(&["eks", "list-nodegroups", "--cluster-name", "lean"])["nodegroups"], serde_json::json!([]));
    for name in ["karpenter", "coredns"] {
        let found = stage.kubectl(&["-n", "kube-system", "get", "pods", "-o", "json"]);
        let pods: Vec<&Value> =
            found["items"].as_array().unwrap().iter().filter(|p| p["metadata"]["name"].as_str().unwrap().starts_with(name)).collect();
        assert!(!pods.is_empty(), "no pod of {name}");
        assert!(pods.iter().all(|p| p["spec"]["nodeName"].as_str().unwrap().starts_with("fargate-")), "{name} runs elsewhere: {pods:#?}");
    }
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
    with(&["verify", "--replicas", "2"]).exits(0);
    with(&["destroy", "--yes"]).exits(0);
    assert_empty(&stage.inventory());
}

fn whole_way(stage: &Stage, release: &str, policies: usize) {
    let version = ["--karpenter-version", release];
    let with = |words: &[&str]| stage.karpctl(&[words, &version].concat());
    let plan = with(&["bootstrap", "--dry-run", "-o", "json", "--exit-code"]).exits(3).json();
    let planned: Vec<&str> = plan["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(plan["schema"], "karpctl/plan/v1");
    assert_eq!(
        (&plan["cluster"], &plan["region"], &plan["account"]),
        (&json!(stage.cluster()), &json!("us-west-2"), &json!("123456789012"))
    );
    assert!(
        planned.contains(&"stack") && planned.contains(&"pod-identity-association") && !planned.contains(&"oidc-provider"),
        "{planned:?}"
    );

    let report = with(&["bootstrap", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!(report["ok"], true);
    parallel(&report);
    assert_eq!(stages(&journal(stage), "cluster"), [1, 2, 3, 4], "the stages of the real eksctl");
    look(stage, release, policies);

    // A converged system: nothing to do, and few requests. One is for each policy that another release would have and may have left: of the
    // seven that there are, those of this one are asked of the stack.
    let before = stage.requests().len();
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
    let calls = &stage.requests()[before..];
    assert!(calls.len() <= 22 + (7 - policies), "a converged run made {} AWS requests: {calls:?}", calls.len());
    let status = with(&["status", "-o", "json", "--exit-code"]).exits(0).json();
    assert_eq!(status["converged"], true);

    let proof = with(&["verify", "--replicas", "3", "-o", "ndjson"]).exits(0);
    let mut lines: Vec<Value> = proof.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.pop().unwrap()["schema"], "karpctl/verify/v1", "the report is the last line");
    assert!(lines.iter().all(|line| line["schema"] == "karpctl/event/v1" && line["event"] == "verify-progress"), "{lines:#?}");
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["number"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6], "{lines:#?}");

    let steps = |words: &[&str]| {
        let plan = with(&[&["destroy", "--dry-run", "-o", "json"], words].concat()).exits(0).json();
        plan["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (whole, kept) = (steps(&[]), steps(&["--keep-cluster"]));
    assert!(whole.iter().any(|id| id == "cluster") && whole.iter().any(|id| id == "stack"), "{whole:?}");
    assert!(kept.iter().all(|id| id != "cluster") && kept.iter().any(|id| id == "stack"), "{kept:?}");
    stage.kubectl(&["create", "service", "loadbalancer", "front", "--tcp", "80"]);
    with(&["destroy", "--dry-run"]).exits(0).says("remove").says("Services: default/front");
    what_is_protected_is_not_begun(stage, &version);
    with(&["destroy", "--yes"]).exits(0);
    assert_empty(&stage.inventory());
    with(&["destroy", "--yes"]).exits(0).says("Nothing to do");
}

/// A cluster that a person deletes in the console, as EKS lets them: node groups first. All that eksctl and karpctl made beside it goes, and what
/// only tags tell is named.
#[test]
fn a_cluster_that_was_deleted_by_hand_leaves_nothing() {
    let Some(stage) = stage("byhand") else { return };
    stage.karpctl(&["bootstrap", "--yes", "--identity", "irsa"]).exits(0);
    // Karpenter has launched nothing yet.
    let eks = |command: &str, more: &[&str]| stage.aws(&[&["eks", command], more].concat());
    let of = ["--cluster-name", stage.cluster()];
    for group in eks("list-nodegroups", &of)["nodegroups"].as_array().unwrap() {
        let group = [&of[..], &["--nodegroup-name", group.as_str().unwrap()]].concat();
        eks("delete-nodegroup", &group);
        eks("wait", &[&["nodegroup-deleted"], &group[..]].concat());
    }
    eks("delete-cluster", &["--name", stage.cluster()]);
    eks("wait", &["cluster-deleted", "--name", stage.cluster()]);
    let stacks = stage.inventory()["aws"]["stacks"].to_string();
    assert!(stacks.contains("eksctl-byhand-cluster"), "{stacks}");
    let ended = stage.karpctl(&["destroy", "--yes", "--identity", "irsa"]).exits(0);
    let commands = ended.stderr.lines().filter_map(|line| line.trim().strip_prefix("fix: ")?.split('`').nth(1));
    let commands: Vec<String> = commands.map(str::to_owned).collect();
    let provider = commands.iter().find(|command| command.starts_with("aws iam delete-open-id-connect-provider "));
    let provider = provider.unwrap_or_else(|| panic!("eksctl's is not named: {}", ended.stderr));
    // The rest of what only tags tell went with the stack.
    stage.aws(&provider.split_whitespace().skip(1).collect::<Vec<_>>());
    assert_empty(&stage.inventory());
    stage.karpctl(&["destroy", "--yes", "--identity", "irsa"]).exits(0).says("Nothing to do");
}

/// What a person protects AWS would refuse to delete, when all else is gone.
fn what_is_protected_is_not_begun(stage: &Stage, version: &[&str]) {
    // Karpenter makes launch templates when it likes.
    let inventory = || {
        let mut all = stage.inventory();
        all["aws"].as_object_mut().unwrap().remove("launch_templates");
        all
    };
    let before = inventory();
    let (cluster, stack) = (stage.cluster(), format!("Karpenter-{}", stage.cluster()));
    let of_cluster = |flag: &str| stage.aws(&["eks", "update-cluster-config", "--name", cluster, flag]);
    let of_stack = |flag: &str| stage.aws(&["cloudformation", "update-termination-protection", "--stack-name", &stack, flag]);
    let destroy = || stage.karpctl(&[&["destroy", "--yes"], version].concat()).exits(4);
    of_cluster("--deletion-protection");
    destroy().says("--no-deletion-protection");
    of_cluster("--no-deletion-protection");
    of_stack("--enable-termination-protection");
    destroy().says("--no-enable-termination-protection");
    of_stack("--no-enable-termination-protection");
    assert_eq!(inventory(), before, "a refusal changes nothing");
}

/// What the journal tells.
fn journal(stage: &Stage) -> Vec<Value> {
    let folder = std::path::Path::new(&stage.lab().ready.env["HOME"]).join(".local/state/karpctl");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()).collect()
}

/// The numbers of a step's stages, in the order in which they came.
fn stages(events: &[Value], step: &str) -> Vec<u64> {
    events.iter().filter(|e| e["step"] == step && e["kind"] == "stage").filter_map(|e| e["number"].as_u64()).collect()
}

/// Stack and cluster do not wait for each other.
fn parallel(report: &Value) {
    let span = |id: &str| {
        let step = report["steps"].as_array().unwrap().iter().find(|s| s["step"] == id).unwrap_or_else(|| panic!("no {id} in {report}"));
        let began = step["began_ms"].as_u64().unwrap();
        (began, began + step["elapsed_ms"].as_u64().unwrap())
    };
    let (stack, cluster) = (span("stack"), span("cluster"));
    assert!(stack.0 < cluster.1 && cluster.0 < stack.1, "stack {stack:?} and cluster {cluster:?} ran one after the other");
}

/// What the real aws and kubectl see.
fn look(stage: &Stage, release: &str, policies: usize) {
    let cluster = stage.cluster();
    let stack = format!("Karpenter-{cluster}");
    let found = stage.aws(&["cloudformation", "describe-stacks", "--stack-name", &stack]);
    assert_eq!(found["Stacks"][0]["StackStatus"], "CREATE_COMPLETE");
    let resources = stage.aws(&["cloudformation", "list-stack-resources", "--stack-name", &stack]);
    let kinds: Vec<&str> =
        resources["StackResourceSummaries"].as_array().unwrap().iter().map(|r| r["ResourceType"].as_str().unwrap()).collect();
    let count = |kind: &str| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!(count("AWS::IAM::ManagedPolicy"), policies);
    assert_eq!((count("AWS::IAM::Role"), count("AWS::SQS::Queue"), count("AWS::SQS::QueuePolicy")), (1, 1, 1));
    assert_eq!(count("AWS::Events::Rule"), if release.starts_with("1.14") { 5 } else { 4 });

    assert_eq!(stage.aws(&["eks", "describe-cluster", "--name", cluster])["cluster"]["status"], "ACTIVE");
    let entries = stage.aws(&["eks", "list-access-entries", "--cluster-name", cluster]);
    assert!(entries.to_string().contains(&format!("role/KarpenterNodeRole-{cluster}")), "{entries}");
    let aws_auth = stage.kubectl(&["-n", "kube-system", "get", "configmap", "aws-auth", "-o", "json"]);
    let rows = aws_auth["data"]["mapRoles"].as_str().unwrap();
    assert_eq!(rows.matches(&format!("role/KarpenterNodeRole-{cluster}")).count(), 1, "{rows}");
    let associations = stage.aws(&["eks", "list-pod-identity-associations", "--cluster-name", cluster]);
    assert_eq!(associations["associations"][0]["serviceAccount"], "karpenter");
    let attached = stage.aws(&["iam", "list-attached-role-policies", "--role-name", &format!("{cluster}-karpenter")]);
    assert_eq!(attached["AttachedPolicies"].as_array().unwrap().len(), policies);

    let secrets = stage.kubectl(&["-n", "kube-system", "get", "secret", "-l", "owner=helm,name=karpenter,status=deployed", "-o", "json"]);
    assert_eq!(secrets["items"].as_array().unwrap().len(), 1);
    for object in ["nodepool/default", "ec2nodeclass/default"] {
        let found = stage.kubectl(&["get", object, "-o", "json"]);
        let ready = found["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
        assert_eq!(ready["status"], "True", "{object}");
    }
}
