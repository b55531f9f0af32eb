//! From the Cluster Autoscaler to Karpenter and back, on real parts: pods keep to their disruption budget all the way, and an
//! interruption half-way goes on where it stopped.

use super::print_commands::paste;
use super::{Ended, Stage, stage};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WEB: &str = "web_Group";
/// The fewest pods that the budget allows.
const FEWEST: usize = 3;

fn migrate(stage: &Stage, more: &[&str]) -> Ended {
    stage.karpctl(&[&["migrate", "cluster-autoscaler", "--karpenter-version", "1.14.1"], more].concat())
}

fn apply(stage: &Stage, object: &Value) {
    let file = stage.dir().join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    stage.kubectl(&["apply", "--filename", file.to_str().unwrap(), "--output", "json"]);
}

/// A node group that the autoscaler does not scale.
const APART: &str = "apart";

/// A node group for the web, as the aws CLI makes it, with a taint and a label of its own; and one that is nobody's to migrate.
fn make_groups(stage: &Stage) {
    let cluster = stage.cluster();
    let system = format!("{cluster}-ng");
    let found = stage.aws(&["eks", "describe-nodegroup", "--cluster-name", cluster, "--nodegroup-name", &system]);
    let subnets: Vec<&str> = found["nodegroup"]["subnets"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    let role = found["nodegroup"]["nodeRole"].as_str().unwrap();
    let words = [
        &["eks", "create-nodegroup", "--cluster-name", cluster, "--nodegroup-name", WEB, "--node-role", role],
        &["--instance-types", "m5.large", "m5a.large", "--labels", "team=web", "--ami-type", "AL2023_x86_64_STANDARD"][..],
        &["--taints", "key=dedicated,value=web,effect=NO_SCHEDULE", "--disk-size", "50"],
        &["--scaling-config", "minSize=1,desiredSize=3,maxSize=6", "--subnets"],
        &subnets,
    ];
    stage.aws(&words.concat());
    let words = [
        &["eks", "create-nodegroup", "--cluster-name", cluster, "--nodegroup-name", APART, "--node-role", role][..],
        &["--instance-types", "m5.large", "--ami-type", "AL2023_x86_64_STANDARD"],
        &["--scaling-config", "minSize=1,desiredSize=1,maxSize=2", "--subnets"],
        &subnets,
    ];
    stage.aws(&words.concat());
}

/// What the autoscaler says of itself: it works on these groups, and on one that EKS does not manage.
fn says_what_it_works_on(stage: &Stage, groups: &[&str]) {
    let names = groups.iter().map(|name| group(stage, name)["resources"]["autoScalingGroups"][0]["name"].as_str().unwrap().to_owned());
    let names: Vec<String> = names.chain(["batch-asg".to_owned()]).map(|name| format!("- name: {name}")).collect();
    let status = format!("autoscalerStatus: Running\nnodeGroups:\n{}\n", names.join("\n"));
    let metadata = json!({"name": "cluster-autoscaler-status", "namespace": "kube-system"});
    apply(stage, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"status": status}}));
}

fn workloads(stage: &Stage) {
    let deployment = |namespace: &str, name: &str, replicas: u32, pod: &Value| {
        apply(
            stage,
            &json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
                },
            }),
        );
    };
    let autoscaler = json!({"name": "autoscaler", "image": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0", "command": ["./cluster-autoscaler", "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled"]});
    deployment("kube-system", "cluster-autoscaler", 1, &json!({"containers": [autoscaler]}));
    let web = json!({
        "nodeSelector": {"team": "web"},
        "tolerations": [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}],
        "containers": [{"name": "web", "image": "nginx", "resources": {"requests": {"cpu": "700m"}}}],
    });
    deployment("default", "web", 4, &web);
    let budget = json!({"minAvailable": FEWEST, "selector": {"matchLabels": {"app": "web"}}});
    apply(
        stage,
        &json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "default"}, "spec": budget}),
    );
}

/// The pods of the web that serve: ready, and not on their way out.
fn serving(stage: &Stage) -> Vec<Value> {
    let found = stage.kubectl(&["get", "pods", "--selector", "app=web", "--output", "json"]);
    let ready = |p: &Value| {
        p["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
    };
    let pods = found["items"].as_array().unwrap().iter();
    pods.filter(|p| ready(p) && p["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
}

fn wait_until(what: &str, longest: u64, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(longest);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The labels of the nodes on which the web runs.
fn homes(stage: &Stage) -> Vec<Value> {
    let nodes = stage.kubectl(&["get", "nodes", "--output", "json"]);
    let node = |name: &Value| nodes["items"].as_array().unwrap().iter().find(|n| n["metadata"]["name"] == *name).cloned();
    serving(stage).iter().map(|p| node(&p["spec"]["nodeName"]).unwrap_or_default()["metadata"]["labels"].clone()).collect()
}

fn group(stage: &Stage, name: &str) -> Value {
    stage.aws(&["eks", "describe-nodegroup", "--cluster-name", stage.cluster(), "--nodegroup-name", name])["nodegroup"].clone()
}

fn nodes_of(stage: &Stage, group: &str) -> usize {
    let selector = format!("eks.amazonaws.com/nodegroup={group}");
    stage.kubectl(&["get", "nodes", "--selector", &selector, "--output", "json"])["items"].as_array().unwrap().len()
}

fn autoscalers(stage: &Stage) -> Value {
    stage.kubectl(&["--namespace", "kube-system", "get", "deployment", "cluster-autoscaler", "--output", "json"])["spec"]["replicas"]
        .clone()
}

/// Looks at the pods of the web again and again, and counts the looks at which too few served.
fn watch(stage: &Arc<Stage>) -> (Arc<AtomicBool>, std::thread::JoinHandle<(usize, usize)>) {
    let over = Arc::new(AtomicBool::new(false));
    let (stage, ends) = (Arc::clone(stage), Arc::clone(&over));
    let looks = AtomicUsize::new(0);
    let watcher = std::thread::spawn(move || {
        let mut fewest = usize::MAX;
        while !ends.load(Ordering::Relaxed) {
            fewest = fewest.min(serving(&stage).len());
            looks.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(200));
        }
        (fewest, looks.load(Ordering::Relaxed))
    });
    (over, watcher)
}

/// Runs a migration until it empties the first node, interrupts it there, and checks how it ends.
fn interrupt_half_way(stage: &Stage) {
    let log = stage.dir().join("interrupted.log");
    let mut command = stage.command(&["migrate", "cluster-autoscaler", "--karpenter-version", "1.14.1", "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    wait_until("no node is emptied", 120, || said().contains("emptying node"));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(130), "{}", said());
    assert!(said().contains("a later run goes on with them") && said().contains("--back"), "{}", said());
    assert_eq!(nodes_of(stage, WEB), 3, "no group is made small before its nodes are empty");
}

/// A cluster whose node groups the autoscaler scales, and what runs there.
pub(super) fn make_scaled_cluster(stage: &Stage) {
    stage.lab().make_cluster(&json!({"name": stage.cluster(), "version": "1.34", "authenticationMode": "API", "nodes": 3})).unwrap();
    make_groups(stage);
    workloads(stage);
    wait_until("the web does not run", 60, || serving(stage).len() == 4);
}

#[test]
fn from_the_cluster_autoscaler_and_back() {
    let Some(stage) = stage("leaver") else { return };
    make_scaled_cluster(&stage);
    let stage = Arc::new(stage);
    let system = format!("{}-ng", stage.cluster());

    let plan = migrate(&stage, &["--dry-run", "--exit-code", "-o", "json"]).exits(3).json();
    let why = plan["steps"].as_array().unwrap().iter().find(|s| s["id"] == "migration-pools").unwrap()["why"].to_string();
    // By the tags that EKS gives them it might be any of them.
    assert!(why.contains("web-group: m5.large, m5a.large") && why.contains("apart -> apart"), "{why}");
    says_what_it_works_on(&stage, &[&system, WEB]);
    let planned = |more: &[&str]| {
        let plan = migrate(&stage, &[&["--dry-run", "--exit-code", "-o", "json"], more].concat()).exits(3).json();
        plan["steps"].as_array().unwrap().iter().find(|s| s["id"] == "migration-pools").unwrap()["why"].to_string()
    };
    let why = planned(&[]);
    for words in
        ["web-group: m5.large, m5a.large", "batch-asg", "node group apart is not part of it: the autoscaler's status does not name"]
    {
        assert!(why.contains(words), "{words} in {why}");
    }
    assert!(planned(&["--leave-node-group", WEB]).contains("node group web_Group stays as it is, and nothing scales it any more"));

    let (over, watcher) = watch(&stage);
    interrupt_half_way(&stage);
    migrate(&stage, &["--yes"]).exits(0).says("Karpenter makes the nodes of leaver now");
    assert_eq!((autoscalers(&stage), nodes_of(&stage, WEB), nodes_of(&stage, &system)), (json!(0), 0, 2));
    assert_eq!((nodes_of(&stage, APART), &group(&stage, APART)["tags"]), (1, &json!({})), "what is not the autoscaler's is left alone");
    wait_until("the web does not run on Karpenter's nodes", 60, || {
        let homes = homes(&stage);
        homes.len() == 4 && homes.iter().all(|labels| labels["karpenter.sh/nodepool"] == "web-group" && labels["team"] == "web")
    });
    migrate(&stage, &["--yes"]).exits(0).says("Nothing to do");

    let destroy = stage.karpctl(&["destroy", "--existing-cluster", "--yes"]).exits(4);
    destroy
        .says("Karpenter of cluster leaver is not taken away; nothing was changed")
        .says("migrate cluster-autoscaler --back --delete-pools");
    // As Terraform takes off what its files do not have: the pools remember.
    for name in [WEB, system.as_str()] {
        let arn = group(&stage, name)["nodegroupArn"].as_str().unwrap().to_owned();
        stage.aws(&[
            "eks",
            "untag-resource",
            "--resource-arn",
            &arn,
            "--tag-keys",
            "karpctl.dev/scaling-before",
            "karpctl.dev/kept-for-karpenter",
        ]);
    }
    migrate(&stage, &["--back", "--delete-pools", "--yes"]).exits(0).says("are as they were before");
    assert_eq!((autoscalers(&stage), nodes_of(&stage, WEB), nodes_of(&stage, &system)), (json!(1), 3, 3));
    wait_until("the web does not run on the node group's nodes", 60, || {
        let homes = homes(&stage);
        homes.len() == 4 && homes.iter().all(|labels| labels["eks.amazonaws.com/nodegroup"] == WEB)
    });
    let (web, system) = (group(&stage, WEB), group(&stage, &system));
    assert_eq!(web["scalingConfig"], json!({"minSize": 1, "desiredSize": 3, "maxSize": 6}));
    assert_eq!((&web["tags"], &system["tags"]), (&json!({}), &json!({})));
    assert_eq!(system["scalingConfig"], json!({"minSize": 1, "desiredSize": 3, "maxSize": 10}));
    let pools = stage.kubectl(&["get", "nodepools", "--output", "json"]);
    assert_eq!(pools["items"], json!([]));

    over.store(true, Ordering::Relaxed);
    let (fewest, looks) = watcher.join().unwrap();
    assert!(looks > 50, "{looks} looks are too few to tell");
    assert!(fewest >= FEWEST, "{fewest} pods served at worst, and the budget wants {FEWEST}");
    a_budget_that_never_gives_way_ends_the_run(&stage);
}

/// The sizes of the groups, and how many autoscalers run.
fn state(stage: &Stage) -> [Value; 3] {
    let size = |name: &str| group(stage, name)["scalingConfig"].clone();
    [size(WEB), size(&format!("{}-ng", stage.cluster())), autoscalers(stage)]
}

#[test]
fn the_printed_shell_goes_there_and_back_too() {
    let Some(stage) = stage("leavershell") else { return };
    make_scaled_cluster(&stage);
    says_what_it_works_on(&stage, &[&format!("{}-ng", stage.cluster()), WEB]);
    let before = state(&stage);
    let shell = |more: &[&str]| {
        let words = [&["migrate", "cluster-autoscaler", "--karpenter-version", "1.14.1"], more].concat();
        paste(&stage, &words.into_iter().map(str::to_owned).collect::<Vec<_>>());
    };
    shell(&[]);
    assert_eq!((autoscalers(&stage), nodes_of(&stage, WEB)), (json!(0), 0));
    migrate(&stage, &["--yes"]).exits(0).says("Nothing to do");
    // What comes after it leaves the pool out that the migration leaves out.
    for words in [&["bootstrap", "--existing-cluster", "--dry-run", "--exit-code"][..], &["status", "--existing-cluster", "--exit-code"]] {
        stage.karpctl(words).exits(0).says("no node pool default is made, as those of a migration are there (leavershell-ng, web-group)");
    }
    stage.karpctl(&["node-pool", "--existing-cluster", "--dry-run", "--exit-code"]).exits(3);
    // By the marks that the shell wrote.
    migrate(&stage, &["--back", "--yes"]).exits(0).says("are as they were before");
    assert_eq!(state(&stage), before);
    migrate(&stage, &["--yes"]).exits(0);
    shell(&["--back", "--delete-pools"]);
    assert_eq!(state(&stage), before);
    assert_eq!((&group(&stage, WEB)["tags"], nodes_of(&stage, WEB)), (&json!({}), 3));
    assert_eq!(stage.kubectl(&["get", "nodepools", "--output", "json"])["items"], json!([]));
}

fn a_budget_that_never_gives_way_ends_the_run(stage: &Stage) {
    stage.kubectl(&[
        "patch",
        "poddisruptionbudget",
        "web",
        "--type",
        "merge",
        "--patch",
        r#"{"spec":{"minAvailable":4}}"#,
        "--output",
        "json",
    ]);
    migrate(stage, &["--dry-run"]).says("the disruption budget default/web lets none of its pods go");
    let ended =
        migrate(stage, &["--yes", "--timeout", "10s"]).exits(1).says("The disruption budget web needs 4 healthy pods").says("--back");
    assert!(ended.stderr.contains("held back by disruption budgets"), "{}", ended.stderr);
    assert_eq!((serving(stage).len(), nodes_of(stage, WEB)), (4, 3), "nothing was forced");
    migrate(stage, &["--back", "--yes"]).exits(0);
    assert_eq!(autoscalers(stage), json!(1));
}
