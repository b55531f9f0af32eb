//! What a migration remembers of the node groups, whatever becomes of their tags, and what goes by it: the way back, and a destroy.

use super::{apply, assess, back, cluster, scaling, step, there};
use crate::fake::FakeWorld;
use crate::fake::fleet::at;
use karpctl::error::{ErrorKind, Exit};
use karpctl::facts::Topic;
use karpctl::migration::{PoolsOnReturn, Wish};
use karpctl::plan::{State, StepId};
use karpctl::steps::{Ownership, refused_without_nodes};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn pool(world: &FakeWorld, name: &str) -> Value {
    world.object(&at("karpenter.sh/v1", "nodepools", None, name)).unwrap()
}

/// As Terraform applies a configuration that knows nothing of the migration: it takes tags off, and sets its own sizes.
fn applied_by_terraform(world: &FakeWorld, min: u32) {
    for group in &mut world.inside().node_groups {
        group.tags.clear();
    }
    let groups = world.inside().node_groups.clone();
    for group in groups.into_iter().filter(|group| group.scaling.min < min) {
        let mut to = group.scaling;
        (to.min, to.desired) = (min, to.desired.max(min));
        world.set_size(&group.name, to);
    }
}

#[tokio::test(start_paused = true)]
async fn sizes_of_before_outlive_the_tags_of_the_groups() {
    let world = cluster().await;
    let wish = Wish::default();
    there(&world, &wish).await;
    let annotations = &pool(&world, "system")["metadata"]["annotations"];
    assert_eq!(
        (&annotations["karpctl.dev/scaling-before"], &annotations["karpctl.dev/kept-for-karpenter"]),
        (&json!("1/3/10"), &json!("true"))
    );
    applied_by_terraform(&world, 1);
    assert_eq!(scaling(&world), ["system 2/2/10", "web 1/1/5"]);
    // Another run makes small what came back, and remembers what was before both.
    there(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
    applied_by_terraform(&world, 0);
    back(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);
    assert_eq!(pool(&world, "system")["metadata"]["annotations"], json!({}), "what was is no longer remembered");
    // A migration after that remembers the sizes of its own day, in pools that are there.
    world.set_size("web", "1/3/5".parse().unwrap());
    there(&world, &wish).await;
    assert_eq!(pool(&world, "web")["metadata"]["annotations"]["karpctl.dev/scaling-before"], "1/3/5");
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_that_files_are_to_have_the_sizes_too() {
    let State::Drifted(lines) = assess(&cluster().await, StepId::NodeGroups, &Wish::default()).await else { panic!() };
    assert!(lines.last().unwrap().contains("Terraform") && lines.last().unwrap().contains("min_size"), "{lines:#?}");
}

/// Why a destroy is refused.
async fn refused(world: &Arc<FakeWorld>) -> Option<karpctl::error::Error> {
    refused_without_nodes(&world.spec, &world.facts(&[Topic::NodeGroupShapes, Topic::Fleet]).await)
}

#[tokio::test(start_paused = true)]
async fn karpenter_is_not_taken_away_while_nothing_else_makes_nodes() {
    let world = cluster().await;
    let nodes =
        |world: Arc<FakeWorld>| async move { world.facts(&[Topic::Nodes]).await.karpenter_nodes.known().unwrap().of_node_groups.clone() };
    assert_eq!((refused(&world).await, nodes(Arc::clone(&world)).await), (None, Vec::new()));
    there(&world, &Wish::default()).await;
    assert_eq!(nodes(Arc::clone(&world)).await, ["system", "web"]);
    applied_by_terraform(&world, 0);
    let error = refused(&world).await.unwrap();
    assert_eq!(error.exit(), Exit::Refused);
    assert!(error.causes[0].contains("system 1/3/10 -> 2/2/10 (min/now/max), web 1/2/5 -> 0/0/5"), "{error:?}");
    assert!(error.hints[0].contains("karpctl migrate cluster-autoscaler --back --delete-pools --cluster-name demo"), "{error:?}");
    back(&world, &Wish::default()).await;
    assert_eq!(refused(&world).await, None, "the pools are there, and so are the groups");
}

/// The way back of one step.
async fn remove(world: &Arc<FakeWorld>, id: StepId) -> karpctl::error::Result<()> {
    let step = step(id, &Wish { pools: PoolsOnReturn::Go, ..Wish::default() });
    let facts = world.facts(step.reads_on_removal()).await;
    let said = Mutex::new(Vec::new());
    world.with_context(&facts, Ownership::OursOnly, &said, |context| Box::pin(async move { step.remove(context).await })).await
}

#[tokio::test(start_paused = true)]
async fn a_group_that_does_not_get_its_nodes_holds_up_no_other() {
    let world = cluster().await;
    there(&world, &Wish::default()).await;
    world.inside().node_groups[0].issues =
        vec!["AsgInstanceLaunchFailures: You have requested more vCPU capacity than your current limit".into()];
    world.inside().no_capacity = vec!["system".into()];
    let error = remove(&world, StepId::NodeGroups).await.unwrap_err();
    assert_eq!((error.kind, error.causes.len()), (ErrorKind::Timeout, 1), "{error:?}");
    assert!(error.causes[0].starts_with("the node group system has 2 of 3 nodes: AsgInstanceLaunchFailures: "), "{error:?}");
    assert!(error.hints.iter().any(|hint| hint.contains("kubectl delete nodepools --selector karpctl.dev/node-group")), "{error:?}");
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"], "all have their sizes");
    let autoscaler = world.object(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler")).unwrap();
    assert_eq!(autoscaler["spec"]["replicas"], 2, "it makes what is missing");
    // The next run goes by this group alone.
    world.inside().no_capacity.clear();
    world.set_size("system", "1/3/10".parse().unwrap());
    world.forget_calls();
    assert_eq!(remove(&world, StepId::NodeGroups).await, Ok(()));
    assert!(world.inside().node_groups.iter().all(|g| g.tags.is_empty()));
    assert!(!world.changes().iter().any(|change| change.contains("nodegroup/demo/web")), "{:#?}", world.changes());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_left_out_stays_so() {
    let world = cluster().await;
    let left = Wish { leave: vec!["web".into()], ..Wish::default() };
    there(&world, &left).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 1/2/5"]);
    there(&world, &Wish::default()).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 1/2/5"], "nobody took that back");
    let step = step(StepId::MigrationPools, &Wish::default());
    let said = step.details(&world.spec, &world.facts(step.reads()).await);
    let why = said.iter().find(|line| line.contains("node group web is not part of it")).unwrap_or_else(|| panic!("{said:#?}"));
    assert!(
        why.contains("aws eks tag-resource --region us-west-2 --resource-arn") && why.contains("--tags karpctl.dev/scaling-before=1/2/5"),
        "{why}"
    );
    // As it says.
    world.inside().node_groups[1].tags.insert("karpctl.dev/scaling-before".into(), "1/2/5".into());
    there(&world, &Wish::default()).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
}

#[tokio::test(start_paused = true)]
async fn the_group_that_was_named_last_is_the_one_that_stays() {
    let world = cluster().await;
    there(&world, &Wish::default()).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
    for wish in [super::keeping(&["web"]), Wish::default()] {
        there(&world, &wish).await;
        assert_eq!(scaling(&world), ["system 0/0/10", "web 2/2/5"]);
        assert!(!world.inside().node_groups[0].tags.contains_key("karpctl.dev/kept-for-karpenter"));
        assert_eq!(pool(&world, "system")["metadata"]["annotations"], json!({"karpctl.dev/scaling-before": "1/3/10"}));
    }
    back(&world, &Wish::default()).await;
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_that_comes_back_ends_the_run() {
    let world = cluster().await;
    for id in [StepId::MigrationPools, StepId::Autoscaler] {
        apply(&world, id, &Wish::default()).await.0.unwrap();
    }
    world.change(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler"), |found| found["spec"]["replicas"] = json!(1));
    let error = apply(&world, StepId::NodeGroups, &Wish::default()).await.0.unwrap_err();
    assert!(
        error.message.contains("the Cluster Autoscaler runs again: Deployment kube-system/cluster-autoscaler has 1 replicas"),
        "{error:?}"
    );
    assert!(!world.changes().iter().any(|change| change.starts_with("evict")), "{:#?}", world.changes());
}
