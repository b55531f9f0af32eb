//! From the Cluster Autoscaler to Karpenter: the node pool that fits a node group field by field, what becomes of each group, and the
//! way there and back in a world in memory.

mod again;
mod carried;
mod ending;
mod memory;
mod printed;
mod ready;
mod roles;
mod scaled;
mod taints;
mod ties;

use crate::fake::FakeWorld;
use crate::fake::fleet::{at, group};
use crate::fixture::existing;
use karpctl::error::{ErrorKind, Exit, Result};
use karpctl::facts::{Fleet, GroupTaint, InstanceTypeFacts, NodeGroupShape, Topic};
use karpctl::migration::{Fate, GroupPlan, PoolsOnReturn, Wish, leaving, plan};
use karpctl::plan::{Action, State, StepId};
use karpctl::render::shaped_pool;
use karpctl::spec::{AmiAlias, Spec};
use karpctl::steps::{Ownership, Step, migration};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn keeping(names: &[&str]) -> Wish {
    Wish { keep: names.iter().map(|n| (*n).to_owned()).collect(), ..Wish::default() }
}

/// The plan of one group beside a plain one that stays for the controller.
fn planned<T>(spec: &Spec, one: NodeGroupShape, look: impl FnOnce(&GroupPlan<'_>) -> T) -> T {
    let groups = [group("system", "1/2/4"), one];
    let plans = plan(spec, &groups, &Fleet::default(), &keeping(&["system"]), None).unwrap();
    look(&plans[1])
}

/// The node class and the node pool of a group.
fn rendered(release: &str, one: NodeGroupShape) -> [Value; 2] {
    let spec = existing(release);
    planned(&spec, one, |plan| shaped_pool(&spec, plan.pool.as_ref().unwrap_or_else(|| panic!("{:?}", plan.fate))).unwrap())
}

fn requirement(pool: &Value, key: &str) -> Value {
    let all = pool["spec"]["template"]["spec"]["requirements"].as_array().unwrap();
    all.iter().find(|r| r["key"] == key).unwrap_or_else(|| panic!("{key} in {all:#?}"))["values"].clone()
}

fn kind(name: &str, vcpus: u32, gib: u64, architecture: &str) -> InstanceTypeFacts {
    InstanceTypeFacts { name: name.into(), vcpus, memory_mib: gib * 1024, architectures: vec![architecture.into()] }
}

#[test]
fn types_zones_and_subnets_are_those_of_the_group() {
    let types = vec![kind("m6g.large", 2, 8, "arm64"), kind("m6g.xlarge", 4, 16, "arm64")];
    let zones = vec!["us-west-2b".to_owned(), "us-west-2c".to_owned()];
    let subnets = vec!["subnet-0000aaaa".to_owned(), "subnet-0000bbbb".to_owned()];
    let arm = NodeGroupShape { instance_types: types, zones, subnets, ami_type: "AL2023_ARM_64_STANDARD".into(), ..group("arm", "0/1/5") };
    let [class, pool] = rendered("1.14.1", arm);
    assert_eq!(requirement(&pool, "node.kubernetes.io/instance-type"), json!(["m6g.large", "m6g.xlarge"]));
    assert_eq!(requirement(&pool, "topology.kubernetes.io/zone"), json!(["us-west-2b", "us-west-2c"]));
    assert_eq!(requirement(&pool, "kubernetes.io/arch"), json!(["arm64"]));
    assert_eq!(class["spec"]["subnetSelectorTerms"], json!([{"id": "subnet-0000aaaa"}, {"id": "subnet-0000bbbb"}]));
    // Five nodes of the largest.
    assert_eq!(pool["spec"]["limits"], json!({"cpu": 20, "memory": format!("{}Mi", 5 * 16 * 1024)}));
    // What the guide asks for would only narrow what the group names.
    let keys = pool["spec"]["template"]["spec"]["requirements"].to_string();
    assert!(!keys.contains("instance-category") && !keys.contains("instance-generation"), "{keys}");
}

#[test]
fn nodes_get_the_security_groups_that_the_launch_template_names() {
    for release in ["1.14.1", "0.37.8"] {
        let groups = vec!["sg-nodes".to_owned(), "sg-db".to_owned()];
        let [class, _] = rendered(release, NodeGroupShape { security_groups: groups, ..group("web", "1/2/3") });
        assert_eq!(class["spec"]["securityGroupSelectorTerms"], json!([{"id": "sg-nodes"}, {"id": "sg-db"}]));
        let [class, _] = rendered(release, group("web", "1/2/3"));
        assert_eq!(class["spec"]["securityGroupSelectorTerms"], json!([{"tags": {"karpenter.sh/discovery": "demo"}}]));
    }
}

#[test]
fn limits_are_those_of_before_when_the_group_has_been_made_small() {
    let mut small = group("web", "0/0/6");
    small.tags.insert("karpctl.dev/scaling-before".into(), "1/3/10".into());
    assert_eq!(rendered("1.14.1", small)[1]["spec"]["limits"]["cpu"], 20);
}

#[test]
fn labels_go_along_but_for_those_that_nobody_may_give() {
    let labels = [
        ("team", "web"),
        ("example.com/tier", "front"),
        ("node-restriction.kubernetes.io/zone", "pci"),
        ("kubernetes.io/role", "x"),
        ("sub.karpenter.sh/a", "b"),
        ("alpha.eksctl.io/nodegroup-name", "web"),
    ];
    let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let spec = existing("1.14.1");
    planned(&spec, NodeGroupShape { labels, ..group("web", "0/1/2") }, |plan| {
        let [_, pool] = shaped_pool(&spec, plan.pool.as_ref().unwrap()).unwrap();
        let wanted = json!({"team": "web", "example.com/tier": "front", "node-restriction.kubernetes.io/zone": "pci"});
        assert_eq!(pool["spec"]["template"]["metadata"]["labels"], wanted);
        assert_eq!(plan.notes.len(), 3, "{:#?}", plan.notes);
        assert!(plan.notes.iter().any(|n| n.contains("alpha.eksctl.io/nodegroup-name=web is of node groups")), "{:#?}", plan.notes);
    });
}

#[test]
fn taints_are_written_as_kubernetes_writes_them() {
    let taint = |key: &str, value: &str, effect: &str| GroupTaint { key: key.into(), value: value.into(), effect: effect.into() };
    let taints = vec![taint("dedicated", "web", "NO_SCHEDULE"), taint("slow", "", "PREFER_NO_SCHEDULE"), taint("off", "1", "NO_EXECUTE")];
    let [_, pool] = rendered("1.14.1", NodeGroupShape { taints, ..group("web", "0/1/2") });
    let wanted = json!([
        {"key": "dedicated", "value": "web", "effect": "NoSchedule"},
        {"key": "slow", "effect": "PreferNoSchedule"},
        {"key": "off", "value": "1", "effect": "NoExecute"},
    ]);
    assert_eq!(pool["spec"]["template"]["spec"]["taints"], wanted);
    assert_eq!(rendered("1.14.1", group("web", "0/1/2"))[1]["spec"]["template"]["spec"]["taints"], Value::Null);
}

#[test]
fn capacity_is_bought_as_before() {
    for (capacity_type, wanted) in [("ON_DEMAND", "on-demand"), ("SPOT", "spot")] {
        let [_, pool] = rendered("1.14.1", NodeGroupShape { capacity_type: capacity_type.into(), ..group("web", "0/1/2") });
        assert_eq!(requirement(&pool, "karpenter.sh/capacity-type"), json!([wanted]));
    }
}

#[test]
fn the_image_is_that_of_the_group_where_an_alias_names_it() {
    let spec = Spec { kubernetes: "1.32".parse().unwrap(), ..existing("1.14.1") };
    let recommended: AmiAlias = "al2023@v20260101".parse().unwrap();
    for (ami_type, release_version, wanted) in [
        ("AL2023_x86_64_STANDARD", Some("1.32.7-20251103"), "al2023@v20251103"),
        // An image for another Kubernetes has no alias here: the one that AWS recommends, or the newest, is taken.
        ("AL2023_x86_64_STANDARD", Some("1.31.7-20251103"), "al2023@v20260101"),
        ("AL2023_x86_64_STANDARD", None, "al2023@v20260101"),
        ("AL2_x86_64", Some("1.32.7-20251103"), "al2@v20251103"),
        ("AL2_x86_64", Some("something"), "al2@latest"),
        ("BOTTLEROCKET_x86_64", Some("1.26.1-943d9a41"), "bottlerocket@v1.26.1"),
    ] {
        let groups =
            [NodeGroupShape { ami_type: ami_type.into(), release_version: release_version.map(Into::into), ..group("web", "1/2/3") }];
        let plans = plan(&spec, &groups, &Fleet::default(), &Wish::default(), Some(&recommended)).unwrap();
        assert_eq!(plans[0].pool.as_ref().unwrap().ami.to_string(), wanted, "{ami_type} {release_version:?}");
    }
    // There are no images of Amazon Linux 2 from 1.33 on.
    let newer = Spec { kubernetes: "1.33".parse().unwrap(), ..existing("1.14.1") };
    planned(&newer, NodeGroupShape { ami_type: "AL2_x86_64".into(), ..group("web", "1/2/3") }, |plan| {
        assert_eq!(plan.pool.as_ref().unwrap().ami.to_string(), "al2023@latest");
        assert!(plan.notes[0].contains("EKS makes no images of al2"), "{:?}", plan.notes);
    });
}

#[test]
fn the_disk_for_data_is_as_large_as_before() {
    for (ami_type, device) in [("AL2023_x86_64_STANDARD", "/dev/xvda"), ("BOTTLEROCKET_x86_64", "/dev/xvdb")] {
        let [class, _] = rendered("1.14.1", NodeGroupShape { disk_gib: Some(50), ami_type: ami_type.into(), ..group("web", "0/1/2") });
        let disk = class["spec"]["blockDeviceMappings"].as_array().and_then(|all| all.last()).unwrap();
        assert_eq!((&disk["deviceName"], &disk["ebs"]["volumeSize"]), (&json!(device), &json!("50Gi")), "{class:#}");
    }
    assert_eq!(rendered("1.14.1", group("web", "0/1/2"))[0]["spec"]["blockDeviceMappings"], Value::Null);
}

#[test]
fn the_beta_api_names_a_family_and_the_alpha_api_is_refused() {
    let [class, pool] = rendered("0.37.8", NodeGroupShape { disk_gib: Some(50), ..group("web", "0/1/2") });
    assert_eq!((&class["apiVersion"], &class["spec"]["amiFamily"]), (&json!("karpenter.k8s.aws/v1beta1"), &json!("AL2023")));
    assert_eq!(pool["spec"]["template"]["metadata"]["labels"]["team"], "web");
    let alpha = existing("0.31.4");
    let shape = planned(&existing("1.14.1"), group("web", "0/1/2"), |plan| plan.pool.clone().unwrap());
    let refused = shaped_pool(&alpha, &shape).unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
}

#[test]
fn a_group_that_no_pool_fits_stays_as_it_is_and_says_why() {
    let plain = || group("odd", "1/2/3");
    let taint = GroupTaint { key: "a".into(), value: String::new(), effect: "NEW_EFFECT".into() };
    for (odd, why) in [
        (NodeGroupShape { ami_type: "CUSTOM".into(), ..plain() }, "its AMI type is CUSTOM"),
        (NodeGroupShape { ami_type: "BOTTLEROCKET_x86_64_FIPS".into(), ..plain() }, "no AMI alias"),
        (NodeGroupShape { ami_type: "WINDOWS_CORE_2022_x86_64".into(), ..plain() }, "--windows"),
        (NodeGroupShape { capacity_type: "CAPACITY_BLOCK".into(), ..plain() }, "CAPACITY_BLOCK"),
        (NodeGroupShape { instance_types: Vec::new(), ..plain() }, "instance types are not known"),
        (NodeGroupShape { status: "DELETING".into(), ..plain() }, "it is DELETING"),
        (NodeGroupShape { taints: vec![taint], ..plain() }, "NEW_EFFECT"),
    ] {
        planned(&existing("1.14.1"), odd, |plan| {
            let Fate::Untouched(said) = &plan.fate else { panic!("{why}: {plan:?}") };
            assert!(said.contains(why), "{said}");
            assert_eq!((plan.target, plan.pool.is_none()), (plan.group.scaling, true));
        });
    }
    let windows = Spec { windows: true, ..existing("1.14.1") };
    planned(&windows, NodeGroupShape { ami_type: "WINDOWS_FULL_2022_x86_64".into(), ..plain() }, |plan| {
        assert_eq!(plan.pool.as_ref().unwrap().ami.to_string(), "windows2022@latest");
        assert!(plan.notes[0].contains("Core edition"));
    });
}

#[test]
fn one_group_stays_for_the_controller_and_it_is_the_same_one_whenever_one_looks() {
    let spec = existing("1.14.1");
    let tainted = |name: &str, max: &str, key: &str| {
        let taints = vec![GroupTaint { key: key.into(), value: String::new(), effect: "NO_SCHEDULE".into() }];
        NodeGroupShape { taints, ..group(name, max) }
    };
    let spot = |name: &str, max: &str| NodeGroupShape { capacity_type: "SPOT".into(), ..group(name, max) };
    let stays = |groups: &[NodeGroupShape], wish: &Wish| -> Result<Vec<(String, String)>> {
        let plans = plan(&spec, groups, &Fleet::default(), wish, None)?;
        Ok(plans.iter().filter(|p| p.fate == Fate::Keeps).map(|p| (p.group.name.clone(), p.target.to_string())).collect())
    };
    let one = |name: &str, size: &str| vec![(name.to_owned(), size.to_owned())];
    let groups =
        [spot("a", "1/9/90"), tainted("b", "1/9/80", "dedicated"), group("c", "1/1/10"), group("d", "3/9/10"), group("e", "1/1/9")];
    assert_eq!(stays(&groups, &Wish::default()).unwrap(), one("c", "2/2/10"), "on-demand, large, first by name");
    // An earlier run chose another, and nothing but the person changes that.
    let mut begun = groups.clone();
    begun[4].tags.insert("karpctl.dev/kept-for-karpenter".into(), "true".into());
    assert_eq!(stays(&begun, &Wish::default()).unwrap(), one("e", "2/2/9"));
    assert_eq!(stays(&begun, &keeping(&["d"])).unwrap(), one("d", "2/2/10"));
    let two = stays(&groups, &keeping(&["c", "d"])).unwrap();
    assert_eq!(two, [("c".to_owned(), "1/1/10".to_owned()), ("d".to_owned(), "1/1/10".to_owned())], "several keep one each");
    // A group of one node at most is let grow.
    assert_eq!(stays(&[group("c", "1/1/1")], &Wish::default()).unwrap(), one("c", "2/2/2"));
    assert_eq!(stays(&[tainted("c", "1/1/4", "CriticalAddonsOnly")], &Wish::default()).unwrap(), one("c", "2/2/4"));
    for (groups, wish, words) in [
        (vec![tainted("b", "1/9/80", "dedicated")], Wish::default(), "its taint dedicated"),
        (groups.to_vec(), keeping(&["b"]), "its taint dedicated"),
        (groups.to_vec(), keeping(&["nope"]), "no managed node group nope"),
        (Vec::new(), Wish::default(), "no managed node group"),
    ] {
        let error = stays(&groups, &wish).unwrap_err();
        assert!(error.to_string().contains(words) && !error.hints.is_empty(), "{error}");
    }
}

#[test]
fn names_that_an_object_cannot_have_are_made_fit_and_kept_apart() {
    let spec = existing("1.14.1");
    let groups = [group("Web_One", "1/2/3"), group("web-one", "0/1/2")];
    let plans = plan(&spec, &groups, &Fleet::default(), &Wish::default(), None).unwrap();
    let names: Vec<&str> = plans.iter().map(|p| p.pool.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(names, ["web-one", "web-one-2"]);
}

// --- the way, in a world in memory

/// A cluster with a working Karpenter, two node groups, and an autoscaler.
async fn cluster() -> Arc<FakeWorld> {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.add_group(group("system", "1/3/10"));
    world.add_group(NodeGroupShape { instance_types: vec![kind("c5.large", 2, 4, "x86_64")], ..group("web", "1/2/5") });
    let image = json!({"containers": [{"image": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0"}]});
    let autoscaler = at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler");
    world.put(&autoscaler, json!({"metadata": {}, "spec": {"replicas": 2, "template": {"spec": image}}, "status": {}}));
    let web = world.nodes_of("web");
    world.add_pod("one", &web[0]);
    world.add_pod("two", &web[1]);
    world.forget_calls();
    world
}

fn step(id: StepId, wish: &Wish) -> Box<dyn Step> {
    migration(wish).into_iter().find(|s| s.id() == id).unwrap()
}

async fn assess(world: &Arc<FakeWorld>, id: StepId, wish: &Wish) -> State {
    let step = step(id, wish);
    step.assess(&world.spec, &world.facts(step.reads()).await)
}

/// One step of the migration, as the engine takes it.
async fn apply(world: &Arc<FakeWorld>, id: StepId, wish: &Wish) -> (Result<()>, Vec<String>) {
    let step = step(id, wish);
    let facts = world.facts(step.reads()).await;
    let said = Mutex::new(Vec::new());
    let result = world
        .with_context(&facts, Ownership::OursOnly, &said, move |context| Box::pin(async move { step.apply(context, Action::Create).await }))
        .await;
    (result, said.into_inner().unwrap())
}

async fn there(world: &Arc<FakeWorld>, wish: &Wish) {
    for id in StepId::MIGRATION {
        let (result, said) = apply(world, id, wish).await;
        assert_eq!(result, Ok(()), "{id} said {said:#?}");
        assert_eq!(assess(world, id, wish).await, State::Present, "{id}");
    }
}

async fn back(world: &Arc<FakeWorld>, wish: &Wish) {
    for id in StepId::MIGRATION.into_iter().rev() {
        let step = step(id, wish);
        let facts = world.facts(step.reads_on_removal()).await;
        if matches!(step.assess_removal(&world.spec, &facts), State::Absent | State::NotWanted) {
            continue;
        }
        let said = Mutex::new(Vec::new());
        let result =
            world.with_context(&facts, Ownership::OursOnly, &said, |context| Box::pin(async move { step.remove(context).await })).await;
        assert_eq!(result, Ok(()), "{id} said {said:#?}");
    }
}

fn scaling(world: &FakeWorld) -> Vec<String> {
    world.inside().node_groups.iter().map(|g| format!("{} {}", g.name, g.scaling)).collect()
}

fn cordoned(world: &FakeWorld) -> usize {
    world.inside().objects.iter().filter(|(o, body)| o.kind.plural == "nodes" && body["spec"]["unschedulable"] == true).count()
}

#[tokio::test(start_paused = true)]
async fn there_again_and_back() {
    let world = cluster().await;
    let wish = Wish::default();
    there(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
    assert_eq!(world.names("pods").iter().filter(|n| n.ends_with("-anew")).count(), 2, "{:?}", world.names("pods"));
    assert_eq!(cordoned(&world), 0, "what stays takes pods");
    let changes = world.changes();
    let place = |what: &str| changes.iter().position(|c| c.starts_with(what)).unwrap_or_else(|| panic!("{what} in {changes:#?}"));
    assert!(place("apply nodepools/web") < place("merge_patch deployments/cluster-autoscaler"), "pools before the autoscaler stops");
    assert!(place("merge_patch deployments/cluster-autoscaler") < place("tag_eks"), "it is stopped before any group is touched");
    assert!(place("tag_eks") < place("evict") && place("evict shop/two") < place("scale_node_group web"), "{changes:#?}");
    assert!(!changes.iter().any(|c| c.starts_with("delete")), "nothing is deleted: {changes:#?}");
    world.forget_calls();
    there(&world, &wish).await;
    let again: Vec<String> = world.changes().into_iter().filter(|c| !c.starts_with("connect")).collect();
    assert!(again.is_empty(), "a second run changes nothing: {again:#?}");

    back(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);
    let autoscaler = world.object(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler")).unwrap();
    assert_eq!((&autoscaler["spec"]["replicas"], &autoscaler["metadata"]["annotations"]), (&json!(2), &json!({})));
    assert!(world.inside().node_groups.iter().all(|g| g.tags.is_empty()));
    assert_eq!(world.names("nodepools"), ["default", "system", "web"], "pools stay unless asked");
    back(&world, &Wish { pools: PoolsOnReturn::Go, ..wish }).await;
    assert_eq!(world.names("nodepools"), ["default"], "and only the migration's go");
    assert_eq!(world.names("ec2nodeclasses"), ["default"]);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_waited_for_and_one_that_never_gives_way_is_named() {
    let world = cluster().await;
    let wish = Wish::default();
    world.inside().held.insert("shop/one".into(), 5);
    there(&world, &wish).await;
    assert_eq!(world.changes().iter().filter(|c| *c == "evict shop/one").count(), 6);

    let world = cluster().await;
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &wish).await.0.unwrap();
    }
    world.inside().held.insert("shop/one".into(), u32::MAX);
    let (result, _) = apply(&world, StepId::NodeGroups, &wish).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.causes[0].contains("shop/one: Cannot evict pod as it would violate"), "{error:?}");
    assert!(
        error.hints.iter().any(|h| h.contains("--back")) && error.hints.iter().any(|h| h.contains("get poddisruptionbudgets")),
        "{error:?}"
    );
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"], "no group is made small over pods");
    // Halfway is a place from which one can go back.
    assert_eq!(cordoned(&world), 2, "a pod that leaves one of them is not moved again from the next");
    back(&world, &wish).await;
    assert_eq!(cordoned(&world), 0);
    assert!(world.inside().node_groups.iter().all(|g| g.tags.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn the_next_node_waits_until_the_pods_of_the_last_have_one() {
    let world = cluster().await;
    let wish = Wish::default();
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &wish).await.0.unwrap();
    }
    world.inside().karpenter = false;
    let error = apply(&world, StepId::NodeGroups, &wish).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.causes[0].contains("shop/one-anew: 0/3 nodes are available"), "{error:?}");
    assert!(!world.changes().contains(&"evict shop/two".to_owned()), "the second node is left alone");
}

type Change = fn(&mut Value);

#[tokio::test(start_paused = true)]
async fn pods_that_are_not_to_be_moved_are_named_before_anything_begins() {
    let wish = Wish::default();
    let one = at("v1", "pods", Some("shop"), "one");
    let cases: [(Change, &str); 3] = [
        (|pod| pod["metadata"]["ownerReferences"] = Value::Null, "no controller would make it anew"),
        (|pod| pod["metadata"]["annotations"] = json!({"karpenter.sh/do-not-disrupt": "true"}), "it asks to stay"),
        (
            |pod| pod["spec"]["nodeSelector"] = json!({"eks.amazonaws.com/nodegroup": "web"}),
            "asks for a node with eks.amazonaws.com/nodegroup=web",
        ),
    ];
    for (change, words) in cases {
        let world = cluster().await;
        world.change(&one, change);
        let State::Blocked { why, hints } = assess(&world, StepId::NodeGroups, &wish).await else { panic!("{words}") };
        assert!(why.contains("shop/one") && why.contains(words) && !hints.is_empty(), "{why} {hints:?}");
    }
    // What its node has of its own, and what the group that stays can take, is in nobody's way.
    let fine: [Change; 2] = [
        (|pod| pod["metadata"]["ownerReferences"][0]["kind"] = json!("DaemonSet")),
        (|pod| pod["spec"]["nodeSelector"] = json!({"eks.amazonaws.com/nodegroup": "system"})),
    ];
    for change in fine {
        let world = cluster().await;
        world.change(&one, change);
        assert!(matches!(assess(&world, StepId::NodeGroups, &wish).await, State::Drifted(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_somebody_else_is_refused_and_one_that_was_changed_stays_changed() {
    let world = cluster().await;
    let wish = Wish::default();
    let pool = at("karpenter.sh/v1", "nodepools", None, "web");
    world.put(&pool, json!({"metadata": {}, "spec": {}}));
    assert!(matches!(assess(&world, StepId::MigrationPools, &wish).await, State::Foreign { .. }));
    world.inside().objects.remove(&pool);
    apply(&world, StepId::MigrationPools, &wish).await.0.unwrap();
    world.change(&pool, |pool| pool["spec"]["limits"]["cpu"] = json!(1));
    assert_eq!(assess(&world, StepId::MigrationPools, &wish).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn without_an_autoscaler_there_is_nothing_to_go_over_from() {
    let world = cluster().await;
    world.inside().objects.remove(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler"));
    let state = assess(&world, StepId::Autoscaler, &Wish::default()).await;
    let State::Blocked { why, .. } = &state else { panic!("{state:?}") };
    assert!(why.starts_with("there is no Cluster Autoscaler in the cluster"), "{why}");
    // One that was deleted when its groups had gone over is not asked for again.
    let world = cluster().await;
    there(&world, &Wish::default()).await;
    world.inside().objects.remove(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler"));
    assert_eq!(assess(&world, StepId::Autoscaler, &Wish::default()).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn the_nodes_that_stay_are_the_newest_of_different_zones() {
    let world = cluster().await;
    let newest = world.nodes_of("system")[2].clone();
    world.change(&at("v1", "nodes", None, &world.nodes_of("system")[0]), |node| {
        node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!("us-west-2b");
    });
    let facts = world.facts(&[Topic::Fleet, Topic::NodeGroupShapes]).await;
    let groups = facts.node_group_shapes.known().unwrap();
    let fleet: &Fleet = facts.fleet.known().unwrap();
    let plans = plan(&world.spec, groups, fleet, &Wish::default(), None).unwrap();
    let left: Vec<&str> = leaving(&plans[0], fleet).iter().map(|n| n.name.as_str()).collect();
    assert_eq!(left, [world.nodes_of("system")[1].as_str()], "the only one of its zone and {newest} stay");
}
