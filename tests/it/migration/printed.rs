//! The shell that a migration prints: it writes the same marks as karpctl, so that there is a way back from it.

use super::{apply, back, cluster, keeping, scaling, step};
use crate::fake::FakeWorld;
use crate::fake::fleet::{at, group};
use karpctl::facts::Scaling;
use karpctl::migration::Wish;
use karpctl::plan::{Direction, State, StepId};
use serde_json::{Value, json};
use std::sync::Arc;

async fn printed(world: &Arc<FakeWorld>, id: StepId, wish: &Wish, direction: Direction) -> Vec<String> {
    let step = step(id, wish);
    let reads = if direction == Direction::Apply { step.reads() } else { step.reads_on_removal() };
    step.commands(&world.spec, &world.facts(reads).await, direction)
}

/// The word after another.
fn after<'w>(words: &[&'w str], word: &str) -> &'w str {
    let at = words.iter().position(|w| *w == word).unwrap_or_else(|| panic!("{word} in {words:?}"));
    words[at + 1].trim_matches('\'')
}

/// What a line does, in the world in memory. What only waits, or is of one node, does nothing.
fn run(world: &FakeWorld, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["aws", "eks", "tag-resource", ..] => {
            let tags: Value = serde_json::from_str(after(&words, "--tags")).unwrap();
            let mut inside = world.inside();
            let group = inside.node_groups.iter_mut().find(|g| g.arn == after(&words, "--resource-arn")).unwrap();
            group.tags.extend(tags.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())));
        }
        ["aws", "eks", "update-nodegroup-config", ..] => {
            let sizes: Vec<u32> =
                after(&words, "--scaling-config").split(',').map(|pair| pair.split_once('=').unwrap().1.parse().unwrap()).collect();
            world.set_size(after(&words, "--nodegroup-name"), Scaling { min: sizes[0], desired: sizes[1], max: sizes[2] });
        }
        ["kubectl", "annotate", "nodepools", name, "--overwrite", ..] => {
            world.change(&at("karpenter.sh/v1", "nodepools", None, name), |pool| {
                for (key, value) in words[5..].iter().map(|pair| pair.split_once('=').unwrap()) {
                    pool["metadata"]["annotations"][key] = json!(value);
                }
            });
        }
        ["kubectl", "--namespace", namespace, "patch", "deployment", name, ..] => {
            let patch: Value = serde_json::from_str(after(&words, "--patch")).unwrap();
            world.change(&at("apps/v1", "deployments", Some(namespace), name), |found| {
                found["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
                found["spec"]["replicas"] = patch["spec"]["replicas"].clone();
            });
        }
        ["kubectl", "drain", node, ..] => {
            for name in world.names("pods") {
                world.change(&at("v1", "pods", Some("shop"), &name), |pod| {
                    if pod["spec"]["nodeName"] == node {
                        pod["spec"]["nodeName"] = json!("karpenters-own");
                    }
                });
            }
        }
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn karpctl_goes_back_from_what_the_shell_did() {
    let world = cluster().await;
    let wish = Wish::default();
    apply(&world, StepId::MigrationPools, &wish).await.0.unwrap();
    for id in [StepId::Autoscaler, StepId::NodeGroups] {
        printed(&world, id, &wish, Direction::Apply).await.iter().for_each(|line| run(&world, line));
        assert_eq!(super::assess(&world, id, &wish).await, State::Present, "{id}");
    }
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5"]);
    // The tags are Terraform's to take off.
    world.inside().node_groups.iter_mut().for_each(|group| group.tags.clear());
    assert_eq!(printed(&world, StepId::NodeGroups, &wish, Direction::Apply).await, Vec::<String>::new(), "there is nothing left to do");
    back(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 1/3/10", "web 1/2/5"]);
    let autoscaler = world.object(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler")).unwrap();
    assert_eq!(autoscaler["spec"]["replicas"], 2);
}

#[tokio::test(start_paused = true)]
async fn the_shell_does_things_in_the_order_of_a_run() {
    let world = cluster().await;
    let wish = keeping(&["small"]);
    world.add_group(group("small", "1/1/4"));
    apply(&world, StepId::MigrationPools, &wish).await.0.unwrap();
    let nodes = world.nodes_of("web");
    world.change(&at("v1", "nodes", None, &nodes[1]), |node| node["spec"]["unschedulable"] = json!(true));
    let lines = printed(&world, StepId::NodeGroups, &wish, Direction::Apply).await;
    let place = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words} in {lines:#?}"));
    let last_mark = lines.iter().rposition(|line| line.contains("karpctl.dev/scaling-before")).unwrap();
    assert!(last_mark < place("--nodegroup-name small --scaling-config minSize=2,desiredSize=2,maxSize=4"), "{lines:#?}");
    assert!(place("eks.amazonaws.com/nodegroup=small --no-headers | grep -c ' Ready ')\" -ge 2 ]") < place("kubectl cordon"), "{lines:#?}");
    // All nodes of a group before the first of them is emptied; and which somebody else had cordoned is written down.
    assert!(place(&format!("kubectl cordon {} {}", nodes[0], nodes[1])) < place(&format!("kubectl drain {}", nodes[0])), "{lines:#?}");
    let cordon = place(&format!("kubectl cordon {} {}", nodes[0], nodes[1]));
    assert!(place(&format!("annotate nodes {} --overwrite karpctl.dev/cordoned-before=true", nodes[1])) < cordon, "{lines:#?}");
    assert!(
        place(&format!("kubectl drain {}", nodes[1])) < place("--nodegroup-name web --scaling-config minSize=0,desiredSize=0,maxSize=5")
    );
}

#[tokio::test(start_paused = true)]
async fn the_way_back_takes_the_marks_off_when_the_nodes_are_there() {
    let world = cluster().await;
    super::there(&world, &Wish::default()).await;
    let lines = printed(&world, StepId::NodeGroups, &Wish::default(), Direction::Remove).await;
    let place = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words} in {lines:#?}"));
    for name in ["system", "web"] {
        let off = place(&format!("kubectl annotate nodepools {name} karpctl.dev/scaling-before- karpctl.dev/kept-for-karpenter-"));
        let nodes = place(&format!("--selector eks.amazonaws.com/nodegroup={name} --no-headers"));
        assert!(place("--nodegroup-name web --scaling-config minSize=1,desiredSize=2,maxSize=5") < nodes && nodes < off, "{lines:#?}");
        place(&format!("nodegroup/demo/{name}/1 --tag-keys karpctl.dev/scaling-before karpctl.dev/kept-for-karpenter"));
    }
    let autoscaler = printed(&world, StepId::Autoscaler, &Wish::default(), Direction::Remove).await;
    assert!(
        autoscaler[0].ends_with(r#"{"metadata":{"annotations":{"karpctl.dev/replicas-before":null}},"spec":{"replicas":2}}'"#),
        "{autoscaler:?}"
    );
}
