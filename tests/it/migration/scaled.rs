//! Only the node groups that the autoscaler scales are migrated, and of those none that the person leaves out.

use super::{assess, cluster, keeping, scaling, there};
use crate::fake::fleet::{at, group};
use crate::fixture::existing;
use karpctl::error::{Error, Exit};
use karpctl::facts::{AutoscalerFacts, Fleet, NodeGroupShape};
use karpctl::migration::{Fate, Wish, plan};
use karpctl::plan::{State, StepId};
use serde_json::json;

fn autoscaler() -> AutoscalerFacts {
    AutoscalerFacts {
        namespace: "kube-system".into(),
        name: "cluster-autoscaler".into(),
        replicas: 1,
        running: 1,
        before: None,
        scaling_groups: Vec::new(),
        discovers: Vec::new(),
        works_on: None,
        keeps_nodes: false,
        unneeded_time: None,
        leaves_local_data: true,
        priorities: std::collections::BTreeMap::new(),
    }
}

/// One that looks for these tags: `key`, or `key=value`.
fn discovering(tags: &[&str]) -> AutoscalerFacts {
    let tag = |tag: &&str| match tag.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => ((*tag).to_owned(), None),
    };
    AutoscalerFacts { discovers: vec![tags.iter().map(tag).collect()], ..autoscaler() }
}

/// What becomes of the groups `system` and `web`, whose Auto Scaling groups are `eks-system` and `eks-web`, and of these.
fn fates(autoscalers: Vec<AutoscalerFacts>, wish: &Wish, more: Vec<NodeGroupShape>) -> Result<Vec<String>, Error> {
    let groups: Vec<_> = [group("system", "1/3/10"), group("web", "1/2/5")].into_iter().chain(more).collect();
    let fleet = Fleet { autoscalers, ..Fleet::default() };
    let plans = plan(&existing("1.14.1"), &groups, &fleet, wish, None)?;
    let word = |fate: &Fate| match fate {
        Fate::Keeps => "keeps".to_owned(),
        Fate::Leaves => "leaves".to_owned(),
        Fate::Untouched(why) => format!("untouched: {why}"),
        Fate::Apart(why) => format!("apart: {why}"),
    };
    assert!(plans.iter().all(|p| p.is_touched() == p.pool.is_some() && (p.is_touched() || p.target == p.group.scaling)));
    Ok(plans.iter().map(|p| word(&p.fate)).collect())
}

#[test]
fn what_the_autoscaler_says_of_itself_goes_before_its_tags() {
    let standard = discovering(&["k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/demo"]);
    let all = Ok(vec!["keeps".to_owned(), "leaves".to_owned()]);
    // EKS gives every managed group these tags.
    assert_eq!(fates(vec![standard.clone()], &Wish::default(), vec![]), all);
    assert_eq!(fates(vec![discovering(&["k8s.io/cluster-autoscaler/demo=owned"])], &Wish::default(), vec![]), all);
    let said = AutoscalerFacts { works_on: Some(vec!["eks-web".into(), "another".into()]), ..standard };
    let fates = fates(vec![said], &Wish::default(), vec![]).unwrap();
    assert_eq!(fates, ["apart: the autoscaler's status does not name its Auto Scaling group eks-system", "keeps"]);
}

#[test]
fn groups_that_flags_name_are_taken_and_the_others_are_not() {
    let named = AutoscalerFacts { scaling_groups: vec!["eks-web".into()], ..autoscaler() };
    let one = fates(vec![named.clone()], &Wish::default(), vec![]).unwrap();
    assert_eq!(one, ["apart: the autoscaler's --nodes does not name its Auto Scaling group eks-system", "keeps"]);
    // A second one scales the other.
    let other = AutoscalerFacts { works_on: Some(vec!["eks-system".into()]), ..autoscaler() };
    assert_eq!(fates(vec![named, other], &Wish::default(), vec![]).unwrap(), ["keeps", "leaves"]);
    // Where nothing is said, it may be any.
    assert_eq!(fates(vec![autoscaler()], &Wish::default(), vec![]).unwrap(), ["keeps", "leaves"]);
    assert_eq!(fates(vec![], &Wish::default(), vec![]).unwrap(), ["keeps", "leaves"]);
}

#[test]
fn a_tag_of_ones_own_is_looked_for_on_the_node_group() {
    let ours = || vec![discovering(&["k8s.io/cluster-autoscaler/enabled", "scaled-by=us"])];
    let tagged = |value: &str| NodeGroupShape { tags: [("scaled-by".to_owned(), value.to_owned())].into(), ..group("tagged", "0/1/5") };
    let found = fates(ours(), &Wish::default(), vec![tagged("us")]).unwrap();
    assert_eq!(found[2], "keeps");
    for apart in &found[..2] {
        let cure = "`aws eks tag-resource --region us-west-2 --resource-arn arn:aws:eks:us-west-2:111122223333:nodegroup/demo/";
        assert!(
            apart.contains("looks for the tag scaled-by=us") && apart.contains(cure) && apart.ends_with("--tags scaled-by=us`"),
            "{apart}"
        );
    }
    let none = fates(ours(), &Wish::default(), vec![tagged("them")]).unwrap_err();
    assert_eq!((none.exit(), none.causes.len()), (Exit::Refused, 3), "{none:?}");
    assert!(none.message.contains("scales none of the managed node groups") && !none.hints.is_empty(), "{none:?}");
}

#[test]
fn a_group_that_is_left_out_stays_and_can_keep_the_controller() {
    let leaving = |names: &[&str]| Wish { leave: names.iter().map(|n| (*n).to_owned()).collect(), ..Wish::default() };
    assert_eq!(fates(vec![], &leaving(&["system"]), vec![]).unwrap(), ["untouched: --leave-node-group names it", "keeps"]);
    let both = Wish { leave: vec!["system".into()], ..keeping(&["system"]) };
    assert_eq!(fates(vec![], &both, vec![]).unwrap(), ["untouched: --leave-node-group names it", "leaves"]);
    let unknown = fates(vec![], &leaving(&["nope"]), vec![]).unwrap_err();
    assert_eq!(unknown.exit(), Exit::Usage);
    assert!(unknown.message.contains("--leave-node-group") && unknown.hints[0].contains("system, web"), "{unknown:?}");
}

#[test]
fn a_migration_that_has_begun_goes_on_with_its_groups_whatever_becomes_of_the_autoscaler() {
    let begun = |name: &str| NodeGroupShape {
        tags: [("karpctl.dev/scaling-before".to_owned(), "1/3/10".to_owned())].into(),
        ..group(name, "0/0/10")
    };
    let elsewhere = AutoscalerFacts { works_on: Some(vec!["eks-web".into()]), ..autoscaler() };
    assert_eq!(fates(vec![elsewhere], &Wish::default(), vec![begun("old")]).unwrap()[1..], ["leaves", "keeps"]);
    // Its Deployment is gone: that is no reason to take more than was taken.
    let found = fates(vec![], &Wish::default(), vec![begun("old")]).unwrap();
    assert!(found[..2].iter().all(|fate| fate.starts_with("apart: it was not part of the migration that has begun")), "{found:#?}");
    assert_eq!(found[2], "keeps");
}

#[tokio::test(start_paused = true)]
async fn the_groups_are_read_from_the_status_and_the_others_keep_their_nodes() {
    let world = cluster().await;
    world.add_group(group("apart", "1/2/3"));
    let status = "autoscalerStatus: Running\nnodeGroups:\n- name: eks-system\n- name: eks-web\n- name: eks-of-another-cluster\n";
    world.put(
        &at("v1", "configmaps", Some("kube-system"), "cluster-autoscaler-status"),
        json!({"metadata": {}, "data": {"status": status}}),
    );
    let wish = Wish::default();
    there(&world, &wish).await;
    assert_eq!(scaling(&world), ["system 2/2/10", "web 0/0/5", "apart 1/2/3"]);
    assert_eq!(world.names("nodepools"), ["default", "system", "web"]);
    // Where it was, whatever its Deployment does meanwhile.
    world.inside().objects.remove(&at("apps/v1", "deployments", Some("kube-system"), "cluster-autoscaler"));
    assert_eq!(assess(&world, StepId::NodeGroups, &wish).await, State::Present);
}
