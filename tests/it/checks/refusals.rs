//! What a bootstrap refuses to change is told beforehand: every refusal of a step has a check that finds it.

use super::aws::known;
use super::{DAY, bad, exactly, healthy_world, seen};
use karpctl::engine::{Goal, plan};
use karpctl::facts::{Declared, Facts, NeighbourKind, Probed, StackFacts, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::plan::{Direction, State, StepId};
use karpctl::spec::{ClusterMode, NodeAccess, Spec};
use karpctl::steps::{self, Ownership};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A healthy cluster, with what the steps are judged by besides.
async fn healthy() -> (Spec, Facts) {
    let world = healthy_world().await;
    let (spec, mut facts) = seen(&world).await;
    facts.controller = world.facts(&[Topic::Controller]).await.controller;
    (spec, facts)
}

fn strangers(object: &mut Probed<Value>) {
    known(object)["metadata"]["managedFields"] = json!([{"manager": "kubectl-client-side-apply"}]);
}

/// Karpenter's Deployment, as the step of the chart sees it and as the doctor does.
fn deployment(facts: &mut Facts, namespace: &str, helm_owner: Option<&str>) {
    let owner = helm_owner.map(str::to_owned);
    let controller = known(&mut facts.controller);
    (controller.namespace, controller.helm_owner) = (namespace.to_owned(), owner.clone());
    let workloads = known(&mut facts.neighbours).workloads.iter_mut();
    let karpenter = workloads.into_iter().find(|w| w.what == NeighbourKind::Karpenter).unwrap();
    (karpenter.namespace, karpenter.helm_owner) = (namespace.to_owned(), owner);
    facts.chart_release = Probed::Absent;
}

/// A way to break a healthy cluster, and what is wanted of it.
type Breakage = fn(&mut Spec, &mut Facts);

const REFUSED: [(StepId, &str, Breakage); 24] = [
    (StepId::Stack, "stack-state", |_, f| known(&mut f.stack).tags.clear()),
    (StepId::Stack, "stack-state", |_, f| known(&mut f.stack).status = "UPDATE_ROLLBACK_FAILED".into()),
    (StepId::Cluster, "auto-mode", |_, f| known(&mut f.cluster).auto_mode = true),
    (StepId::Cluster, "cluster-state", |_, f| f.cluster = Probed::Absent),
    (StepId::Cluster, "cluster-state", |_, f| known(&mut f.cluster).status = "FAILED".into()),
    (StepId::Cluster, "cluster-state", |s, f| {
        s.cluster = ClusterMode::Managed;
        f.eksctl_stack = Probed::Absent;
        known(&mut f.cluster).tags.clear();
    }),
    (StepId::Cluster, "stack-state", |s, f| {
        s.cluster = ClusterMode::Managed;
        let id = "arn:aws:cloudformation:us-west-2:111122223333:stack/eksctl-demo-cluster/1";
        f.eksctl_stack = Probed::Known(StackFacts { id: id.into(), status: "CREATE_FAILED".into(), ..known(&mut f.stack).clone() });
    }),
    (StepId::DiscoveryTags, "node-network", |_, f| {
        known(&mut f.network).tagged.clear();
        let subnets = known(&mut f.network).subnets.iter_mut().chain(&mut known(&mut f.selection).subnets);
        subnets.for_each(|s| drop(s.tags.insert("karpenter.sh/discovery".into(), "other".into())));
    }),
    (StepId::OidcProvider, "oidc-issuer", |s, f| {
        s.identity = karpctl::spec::Identity::Irsa;
        let arn = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id".parse().unwrap();
        f.oidc_provider = Probed::Known(karpctl::facts::OidcFacts { arn, audiences: vec!["other".into()], tags: BTreeMap::new() });
    }),
    (StepId::NodeMapping, "foreign-objects", |s, f| {
        s.node_access = Some(NodeAccess::AccessEntry);
        known(&mut f.cluster).authentication_mode = "CONFIG_MAP".into();
    }),
    (StepId::NodeMapping, "foreign-objects", |s, f| {
        s.node_access = Some(NodeAccess::Both);
        known(&mut f.cluster).authentication_mode = "API".into();
    }),
    (StepId::NodeMapping, "node-access", |_, f| {
        known(&mut f.cluster).authentication_mode = "CONFIG_MAP".into();
        known(&mut f.aws_auth).map_roles = Some("- rolearn: [".into());
    }),
    (StepId::ControllerRole, "foreign-objects", |_, f| known(&mut f.controller_role).tags.clear()),
    (StepId::ControllerRole, "foreign-objects", |_, f| {
        known(&mut f.controller_role).tags.insert("karpctl.dev/region".into(), "eu-west-1".into());
    }),
    (StepId::PodIdentityAssociation, "controller-association", |_, f| {
        let association = known(&mut f.association);
        association.role_arn = "arn:aws:iam::111122223333:role/other".into();
        association.tags.clear();
    }),
    (StepId::Crds, "crd-owner", |_, f| known(&mut f.crds).values_mut().for_each(|crd| crd.helm_owner = None)),
    (StepId::Chart, "upgrade-hops", |_, f| known(&mut f.chart_release).chart_version = "0.32.1".into()),
    (StepId::Chart, "chart-names", |_, f| known(&mut f.chart_release).values["settings"]["clusterName"] = json!("other")),
    (StepId::Chart, "other-karpenter", |_, f| deployment(f, "karpenter", Some("karpenter/karpenter"))),
    (StepId::Chart, "other-karpenter", |_, f| deployment(f, "kube-system", None)),
    (StepId::Chart, "other-karpenter", |_, f| deployment(f, "kube-system", Some("kube-system/karpenter"))),
    (StepId::Chart, "other-karpenter", |_, f| {
        let declared = || Some(Declared::Application("platform".into()));
        known(&mut f.controller).declared = declared();
        known(&mut f.neighbours).workloads.iter_mut().filter(|w| w.what == NeighbourKind::Karpenter).for_each(|w| w.declared = declared());
        known(&mut f.chart_release).values["logLevel"] = json!("debug");
    }),
    (StepId::EarlierIdentity, "one-identity", |s, f| {
        s.identity = karpctl::spec::Identity::Irsa;
        let (ours, association) = (s.controller_role_arn(), known(&mut f.association));
        association.role_arn = "arn:aws:iam::111122223333:role/other".into();
        association.tags.clear();
        known(&mut f.chart_release).values["serviceAccount"]["annotations"]["eks.amazonaws.com/role-arn"] = json!(ours.as_str());
    }),
    (StepId::NodePool, "foreign-objects", |_, f| strangers(&mut f.node_pool)),
];

fn state(step: StepId, spec: &Spec, facts: &Facts) -> State {
    steps::all().into_iter().find(|s| s.id() == step).unwrap().assess(spec, facts)
}

#[tokio::test(start_paused = true)]
async fn every_refusal_of_a_step_is_told_beforehand() {
    let (spec, facts) = healthy().await;
    for (number, (step, check, breakage)) in REFUSED.into_iter().enumerate() {
        let (mut spec, mut facts) = (spec.clone(), facts.clone());
        breakage(&mut spec, &mut facts);
        let state = state(step, &spec, &facts);
        assert!(matches!(state, State::Foreign { .. } | State::Blocked { .. }), "{number}: {step:?} is not refused: {state:?}");
        let found = bad(&spec, &facts, DAY);
        assert!(found.iter().any(|f| f.id == check && !f.fixes.is_empty()), "{number}: {check} does not tell it: {found:#?}");
    }
    // A step of another kind than these refuses nothing by itself.
    let refusing: Vec<StepId> = REFUSED.iter().map(|(step, ..)| *step).collect();
    let others = steps::all().into_iter().map(|s| s.id()).filter(|id| !refusing.contains(id));
    assert_eq!(others.collect::<Vec<_>>(), [StepId::SpotRole, StepId::PodIdentityAgent, StepId::Ready]);
}

#[tokio::test(start_paused = true)]
async fn what_is_somebody_elses_is_one_finding() {
    let (spec, facts) = healthy().await;
    let with = |spec: &Spec, change: &dyn Fn(&mut Facts)| -> Vec<Finding> {
        let mut facts = facts.clone();
        change(&mut facts);
        bad(spec, &facts, DAY)
    };
    let one = |found: &[Finding], subject: &str, words: &str, fix: &str| {
        assert_eq!(found[0].subject, subject);
        assert!(found[0].message.contains(words), "{found:#?}");
        let fixes: Vec<String> = found[0].fixes.iter().map(|f| format!("{} {}", f.title, f.command.join(" "))).collect();
        assert!(fixes.iter().any(|f| f.contains(fix)), "`{fix}` is not in {fixes:#?}");
    };
    let adopt = "karpctl bootstrap --adopt --dry-run --cluster-name demo --region us-west-2 --existing-cluster";
    let role = with(&spec, &|f| known(&mut f.controller_role).tags.clear());
    exactly(&role, "foreign-objects", Verdict::Warn);
    one(&role, "role demo-karpenter", "is there and is not karpctl's: `karpctl bootstrap` refuses", adopt);
    for object in [|f: &mut Facts| strangers(&mut f.node_pool), |f: &mut Facts| strangers(&mut f.node_class)] {
        let found = with(&spec, &object);
        exactly(&found, "foreign-objects", Verdict::Warn);
        one(&found, "NodePool and EC2NodeClass default", "karpctl did not apply it", adopt);
    }
    // Who leaves the pool alone may have one of their own.
    let mut kept = spec.clone();
    kept.node_pool.keep = true;
    assert!(with(&kept, &|f| strangers(&mut f.node_pool)).is_empty());

    let entries = Spec { node_access: Some(NodeAccess::AccessEntry), ..spec.clone() };
    let found = with(&entries, &|f| known(&mut f.cluster).authentication_mode = "CONFIG_MAP".into());
    exactly(&found, "foreign-objects", Verdict::Fail);
    one(&found, "node access of role KarpenterNodeRole-demo", "takes no access entries", "`karpctl bootstrap --node-access aws-auth`");

    let mut unread = facts.clone();
    unread.controller_role = Probed::Unavailable("AccessDenied: iam:GetRole".into());
    let said = super::judge(
        &super::all(),
        &super::Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &unread, today: DAY.parse().unwrap() },
    );
    let said: Vec<_> = said.iter().filter(|f| f.id == "foreign-objects").collect();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].result, said[0].subject.as_str()), (Verdict::Skip, "role demo-karpenter"));
    assert!(said[0].message.contains("iam:GetRole"), "{said:#?}");
}

/// A cluster that a Terraform made, by a name that a new one was to have.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_another_tool_made_is_told() {
    let (spec, mut facts) = healthy().await;
    let made = Spec { cluster: ClusterMode::Managed, ..spec.clone() };
    known(&mut facts.cluster).tags.clear();
    facts.eksctl_stack = Probed::Absent;
    let found = bad(&made, &facts, DAY);
    exactly(&found, "cluster-state", Verdict::Warn);
    assert!(found[0].fixes[0].title.contains("--existing-cluster"), "{found:#?}");
    assert!(bad(&spec, &facts, DAY).is_empty(), "it is said that it is there");
    let mut moving = facts.clone();
    known(&mut moving.cluster).status = "UPDATING".into();
    let found = bad(&made, &moving, DAY);
    exactly(&found, "cluster-state", Verdict::Warn);
    assert!(!found[0].heals, "it is nobody else's when that is over");
    let mut auto = facts.clone();
    known(&mut auto.cluster).auto_mode = true;
    exactly(&bad(&made, &auto, DAY), "auto-mode", Verdict::Warn);
    facts.eksctl_stack = Probed::Unavailable("AccessDenied".into());
    assert!(bad(&made, &facts, DAY).is_empty(), "it may be eksctl's");
}

/// What cannot be gone on with may be ours all the same: only of what is marked as somebody else's the way back says so.
#[tokio::test(start_paused = true)]
async fn what_is_ours_and_refused_is_never_called_somebody_elses_on_the_way_back() {
    let (spec, facts) = healthy().await;
    let goal = Goal { select: StepId::ALL.into(), direction: Direction::Remove, ownership: Ownership::OursOnly };
    for (number, (id, _, breakage)) in REFUSED.into_iter().enumerate() {
        let (mut spec, mut facts) = (spec.clone(), facts.clone());
        breakage(&mut spec, &mut facts);
        let plan = plan(&steps::all(), &spec, &facts, &goal);
        let foreign = plan.steps.iter().filter(|step| step.why.iter().any(|why| why.starts_with("not ours")));
        let foreign: Vec<StepId> = foreign.map(|step| step.id).collect();
        match state(id, &spec, &facts) {
            State::Blocked { .. } => assert_eq!(foreign, [], "{number}: {plan:#?}"),
            _ => assert!(foreign.iter().all(|other| *other == id), "{number}: {plan:#?}"),
        }
    }
}

/// What a tool that renders and applies gave the chart is not known: nobody's defaults are judged in its place.
#[tokio::test(start_paused = true)]
async fn the_values_of_a_karpenter_without_helm_are_not_guessed() {
    let (spec, mut facts) = healthy().await;
    deployment(&mut facts, "kube-system", None);
    let taint = karpctl::facts::Taint { key: "dedicated".into(), value: "infra".into(), effect: "NoSchedule".into() };
    for node in known(&mut facts.nodes) {
        node.taints.push(taint.clone());
    }
    let meant = karpctl::spec::Meant::default();
    let said =
        super::judge(&super::all(), &super::Situation { spec: Some(&spec), meant: &meant, facts: &facts, today: DAY.parse().unwrap() });
    for check in ["node-capacity", "cluster-dns"] {
        let of: Vec<_> = said.iter().filter(|f| f.id == check).map(|f| (f.result, f.message.contains("without helm"))).collect();
        assert_eq!(of, [(Verdict::Skip, true)], "{check}");
    }
}
