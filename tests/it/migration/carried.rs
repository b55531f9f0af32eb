//! What a pool has of its group beside types, zones and labels, and what the plan says of what it has not.

use super::{assess, cluster, keeping, planned, rendered, step, there};
use crate::fake::fleet::{at, group};
use crate::fixture::existing;
use karpctl::facts::{DiskFacts, Fleet, GroupTaint, InstanceTypeFacts, NodeGroupShape, Topic};
use karpctl::migration::{Fate, Wish, leaving, plan};
use karpctl::plan::{State, StepId};
use karpctl::spec::Spec;
use serde_json::{Value, json};

#[test]
fn a_disk_has_the_type_the_speed_and_the_key_of_before() {
    let key = "arn:aws:kms:us-west-2:111122223333:key/1";
    let disk = DiskFacts { kind: Some("io2".into()), iops: Some(6000), throughput: Some(250), key: Some(key.into()) };
    for release in ["1.14.1", "0.37.8"] {
        let bottlerocket = NodeGroupShape { disk: disk.clone(), ami_type: "BOTTLEROCKET_x86_64".into(), ..group("web", "0/1/2") };
        let [class, _] = rendered(release, bottlerocket);
        let disks = class["spec"]["blockDeviceMappings"].as_array().unwrap();
        let of = |at: usize, field: &str| disks[at]["ebs"][field].clone();
        assert_eq!((of(0, "volumeType"), of(0, "iops"), of(0, "kmsKeyID")), (json!("gp3"), Value::Null, json!(key)), "{class:#}");
        assert_eq!(
            (of(1, "volumeType"), of(1, "iops"), of(1, "throughput"), of(1, "kmsKeyID")),
            (json!("io2"), json!(6000), json!(250), json!(key))
        );
        assert!(disks.iter().all(|disk| disk["ebs"]["volumeSize"].is_string()), "no mapping goes without: {class:#}");
    }
    planned(&existing("1.14.1"), NodeGroupShape { disk, ..group("web", "0/1/2") }, |plan| {
        assert!(plan.notes.iter().any(|note| note.contains(key) && note.contains("karpctl explain ebs-key")), "{:#?}", plan.notes);
    });
}

#[test]
fn an_image_of_bottlerocket_for_another_kubernetes_is_not_asked_for() {
    let spec = Spec { kubernetes: "1.32".parse().unwrap(), ..existing("1.14.1") };
    for (kubernetes, wanted) in [("1.32", "bottlerocket@v1.26.1"), ("1.31", "bottlerocket@latest")] {
        let ami_type = "BOTTLEROCKET_x86_64".into();
        let version = Some("1.26.1-943d9a41".into());
        let one = NodeGroupShape { ami_type, release_version: version, kubernetes: Some(kubernetes.into()), ..group("web", "1/2/3") };
        planned(&spec, one, |plan| {
            assert_eq!(plan.pool.as_ref().unwrap().ami.to_string(), wanted);
            assert_eq!(
                plan.notes.iter().any(|note| note.contains("its nodes run Kubernetes 1.31, Karpenter's will run 1.32")),
                kubernetes == "1.31"
            );
        });
    }
}

#[test]
fn what_stays_for_the_controller_is_small_and_has_no_accelerators() {
    let kind = |name: &str, vcpus: u32, gib: u64| InstanceTypeFacts {
        name: name.into(),
        vcpus,
        memory_mib: gib * 1024,
        architectures: vec!["x86_64".into()],
    };
    let of = |name: &str, size: &str, kind: InstanceTypeFacts| NodeGroupShape { instance_types: vec![kind], ..group(name, size) };
    let gpu = NodeGroupShape { ami_type: "AL2023_x86_64_NVIDIA".into(), ..of("gpu", "0/1/20", kind("g4dn.large", 2, 8)) };
    let critical = vec![GroupTaint { key: "CriticalAddonsOnly".into(), value: "true".into(), effect: "NO_SCHEDULE".into() }];
    let groups = [
        gpu,
        of("huge", "0/1/30", kind("m5.24xlarge", 96, 384)),
        of("tiny", "0/1/40", kind("t3.small", 2, 2)),
        of("plain", "1/2/3", kind("m5.large", 2, 8)),
        NodeGroupShape { taints: critical, ..of("critical", "1/2/3", kind("m5.xlarge", 4, 16)) },
    ];
    for (many, wanted) in [(3, "huge"), (4, "plain"), (5, "critical")] {
        let plans = plan(&existing("1.14.1"), &groups[..many], &Fleet::default(), &Wish::default(), None).unwrap();
        let kept: Vec<&str> = plans.iter().filter(|p| p.fate == Fate::Keeps).map(|p| p.group.name.as_str()).collect();
        assert_eq!(kept, [wanted]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_somebody_cordoned_is_not_one_that_stays() {
    let world = cluster().await;
    let nodes = world.nodes_of("system");
    world.change(&at("v1", "nodes", None, &nodes[2]), |node| node["spec"]["unschedulable"] = json!(true));
    let facts = world.facts(&[Topic::Fleet, Topic::NodeGroupShapes]).await;
    let (groups, fleet) = (facts.node_group_shapes.known().unwrap(), facts.fleet.known().unwrap());
    let plans = plan(&world.spec, groups, fleet, &Wish::default(), None).unwrap();
    let left: Vec<&str> = leaving(&plans[0], fleet).iter().map(|n| n.name.as_str()).collect();
    assert_eq!(left, [nodes[2].as_str()], "though it is the newest");
    let State::Drifted(lines) = assess(&world, StepId::NodeGroups, &Wish::default()).await else { panic!() };
    let cure = format!("`kubectl uncordon {}`", nodes[2]);
    assert!(lines.iter().any(|line| line.contains("is cordoned") && line.contains(&cure)), "{lines:#?}");
}

fn autoscaler_says(world: &crate::fake::FakeWorld, flags: &[&str]) {
    let command = json!(flags);
    world.change(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler"), |found| {
        found["spec"]["template"]["spec"]["containers"][0]["command"] = command;
    });
}

async fn details(world: &std::sync::Arc<crate::fake::FakeWorld>) -> Vec<String> {
    let step = step(StepId::MigrationPools, &keeping(&["system"]));
    step.details(&world.spec, &world.facts(step.reads()).await)
}

#[tokio::test(start_paused = true)]
async fn pools_have_the_order_of_the_autoscalers_priorities() {
    let world = cluster().await;
    let said = details(&world).await;
    assert!(said.iter().any(|line| line.contains("by their names: web, system; `spec.weight`")), "{said:#?}");
    let priorities = "10:\n  - .*\n50:\n  - eks-web.*\n  - (";
    let place = at("v1", "configmaps", Some("kube-system"), "cluster-autoscaler-priority-expander");
    world.put(&place, json!({"metadata": {}, "data": {"priorities": priorities}}));
    assert!(!details(&world).await.iter().any(|line| line.contains("weight 100")), "it does not go by them");
    autoscaler_says(&world, &["./cluster-autoscaler", "--expander=priority,least-waste"]);
    let said = details(&world).await;
    assert!(said.iter().any(|line| line.starts_with("node group web -> web:") && line.contains("weight 100")), "{said:#?}");
    there(&world, &keeping(&["system"])).await;
    let weight = |name: &str| world.object(&at("karpenter.sh/v1", "nodepools", None, name)).unwrap()["spec"]["weight"].clone();
    assert_eq!((weight("web"), weight("system")), (json!(100), json!(50)));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_the_autoscaler_never_took_away_stay() {
    let disruption = async |flags: &[&str]| {
        let world = cluster().await;
        autoscaler_says(&world, flags);
        there(&world, &Wish::default()).await;
        world.object(&at("karpenter.sh/v1", "nodepools", None, "web")).unwrap()["spec"]["disruption"]["consolidateAfter"].clone()
    };
    assert_eq!(disruption(&["./cluster-autoscaler"]).await, "1m");
    assert_eq!(disruption(&["./cluster-autoscaler", "--scale-down-enabled=false"]).await, "Never");
}

#[tokio::test(start_paused = true)]
async fn nodes_wait_as_long_as_the_autoscaler_let_them() {
    for (flag, wanted) in [("--scale-down-unneeded-time=20m0s", "20m0s"), ("--scale-down-unneeded-time=1.5h", "1m")] {
        let world = cluster().await;
        autoscaler_says(&world, &["./cluster-autoscaler", flag]);
        let said = details(&world).await;
        assert_eq!(said.iter().any(|line| line.contains("not been needed for 20m0s")), wanted == "20m0s", "{said:#?}");
        there(&world, &Wish::default()).await;
        let pool = world.object(&at("karpenter.sh/v1", "nodepools", None, "web")).unwrap();
        assert_eq!(pool["spec"]["disruption"]["consolidateAfter"], wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_autoscaler_would_have_left_where_it_is_is_told() {
    let told = async |world: &std::sync::Arc<crate::fake::FakeWorld>| {
        let State::Drifted(lines) = assess(world, StepId::NodeGroups, &Wish::default()).await else { panic!() };
        lines
            .into_iter()
            .filter(|line| line.contains("scale-down-disabled") || line.contains("emptyDir, Karpenter does not"))
            .collect::<Vec<_>>()
    };
    let world = cluster().await;
    assert_eq!(told(&world).await, [""; 0]);
    let node = world.nodes_of("web")[0].clone();
    world.change(&at("v1", "nodes", None, &node), |node| {
        node["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/scale-down-disabled"] = json!("true");
    });
    world.change(&at("v1", "pods", Some("shop"), "two"), |pod| pod["spec"]["volumes"] = json!([{"emptyDir": {}}]));
    let said = told(&world).await;
    assert!(
        said.len() == 2 && said[0].contains(&format!("all the same: {node};")) && said[1].contains(": shop/two are moved"),
        "{said:#?}"
    );
    autoscaler_says(&world, &["./cluster-autoscaler", "--skip-nodes-with-local-storage=false"]);
    assert_eq!(told(&world).await.len(), 1, "it did not leave them");
}

#[tokio::test(start_paused = true)]
async fn pools_of_others_that_take_any_pod_are_told() {
    let world = cluster().await;
    let told = async || details(&world).await.into_iter().find(|line| line.contains("take any pod"));
    assert!(told().await.unwrap().starts_with("there are node pools of no node group that take any pod: default;"));
    world.change(&at("karpenter.sh/v1", "nodepools", None, "default"), |pool| {
        pool["spec"]["template"]["spec"]["taints"] = json!([{"key": "batch", "effect": "NoSchedule"}]);
    });
    assert_eq!(told().await, None);
}

#[tokio::test(start_paused = true)]
async fn what_asks_the_autoscaler_alone_to_stay_is_told() {
    let world = cluster().await;
    let stays = |more: Value| {
        let mut annotations = json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"});
        annotations.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"metadata": {"annotations": annotations}, "spec": {}})
    };
    let put = |version: &str, plural: &str, name: &str, spec: Value| {
        world.put(&at(version, plural, Some("shop"), name), json!({"metadata": {}, "spec": spec}));
    };
    put("batch/v1", "cronjobs", "nightly", json!({"jobTemplate": {"spec": {"template": stays(json!({}))}}}));
    put("apps/v1", "deployments", "driver", json!({"replicas": 3, "template": stays(json!({}))}));
    put("apps/v1", "deployments", "both", json!({"replicas": 3, "template": stays(json!({"karpenter.sh/do-not-disrupt": "true"}))}));
    let said: Vec<String> = details(&world).await.into_iter().filter(|line| line.contains("safe-to-evict")).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    for words in ["CronJob shop/nightly", "Deployment shop/driver", "karpenter.sh/do-not-disrupt: \"true\""] {
        assert!(said.iter().any(|line| line.contains(words)), "{words} in {said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn budgets_that_hold_pods_for_ever_are_in_the_plan() {
    let world = cluster().await;
    world.change(&at("v1", "pods", Some("shop"), "one"), |pod| pod["metadata"]["labels"] = json!({"app": "web"}));
    let budget = |name: &str, allowed: u32, healthy: u32| {
        let selector = json!({"selector": {"matchLabels": {"app": "web"}}});
        let status = json!({"expectedPods": 2, "disruptionsAllowed": allowed, "desiredHealthy": healthy, "currentHealthy": 2});
        world
            .put(&at("policy/v1", "poddisruptionbudgets", Some("shop"), name), json!({"metadata": {}, "spec": selector, "status": status}));
    };
    let lines = async || {
        let State::Drifted(lines) = assess(&world, StepId::NodeGroups, &Wish::default()).await else { panic!() };
        lines.into_iter().filter(|line| line.contains("disruption budget")).collect::<Vec<_>>()
    };
    budget("gives", 1, 1);
    assert_eq!(lines().await, [""; 0]);
    // One of its pods is not well just now: that passes.
    budget("gives", 0, 1);
    assert_eq!(lines().await, [""; 0]);
    budget("gives", 0, 2);
    let said = lines().await;
    assert!(
        said.len() == 1 && said[0].contains("shop/gives lets none of its pods go") && said[0].contains("kubectl --namespace shop"),
        "{said:#?}"
    );
    budget("gives", 1, 1);
    budget("other", 1, 1);
    let said = lines().await;
    assert!(said.len() == 1 && said[0].starts_with("pod shop/one has several disruption budgets (gives, other)"), "{said:#?}");
}
