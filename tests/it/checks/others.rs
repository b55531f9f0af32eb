//! A Karpenter that somebody else installed works: no finding tells to take it away or to make it into karpctl's.

use super::aws::known;
use super::{DAY, bad, exactly, healthy, healthy_world, seen};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{
    Denial, DeniedBy, EbsFacts, Facts, KeyFacts, KeyUse, NeighbourKind, ObjectFacts, Probed, RoleFacts, RoleTies, Taint, Workload,
};
use karpctl::finding::{Finding, Verdict};
use karpctl::plan::StepId;
use karpctl::spec::{Identity, Meant, Spec};
use karpctl::steps::Ownership;
use serde_json::json;
use std::collections::BTreeMap;

/// What this check says.
fn of(id: &str, spec: &Spec, facts: &Facts) -> Vec<Finding> {
    bad(spec, facts, DAY).into_iter().filter(|f| f.id == id).collect()
}

fn commands(found: &[Finding]) -> Vec<String> {
    found.iter().flat_map(|f| &f.fixes).map(|fix| fix.command.join(" ")).filter(|command| !command.is_empty()).collect()
}

fn karpenter(facts: &mut Facts) -> &mut Workload {
    known(&mut facts.neighbours).workloads.iter_mut().find(|w| w.what == NeighbourKind::Karpenter).unwrap()
}

/// The only Karpenter, of this namespace and helm release, on nodes that have no room for another.
async fn installed_by(namespace: &str, owner: Option<&str>) -> (Spec, Facts) {
    let (spec, mut facts) = healthy().await;
    let it = karpenter(&mut facts);
    (it.namespace, it.helm_owner) = (namespace.into(), owner.map(str::to_owned));
    facts.chart_release = Probed::Absent;
    for crd in known(&mut facts.crds).values_mut() {
        (crd.helm_owner, crd.held) = (Some(format!("{namespace}/karpenter-crd")), Some(true));
    }
    for node in known(&mut facts.nodes) {
        node.free_cpu = 600;
    }
    (spec, facts)
}

#[tokio::test(start_paused = true)]
async fn the_only_karpenter_is_never_taken_away() {
    for (namespace, owner, words) in [
        ("karpenter", Some("karpenter/karpenter"), "works in the namespace karpenter, and not in kube-system"),
        ("karpenter", Some("karpenter/platform"), "works in the namespace karpenter, and not in kube-system"),
        ("karpenter", None, "works in the namespace karpenter, and not in kube-system"),
        ("kube-system", Some("kube-system/platform"), "is not of the helm release kube-system/karpenter"),
        ("kube-system", Some("kube-system/karpenter"), "helm keeps no record in kube-system of its Karpenter"),
        ("kube-system", None, "was not installed by helm"),
    ] {
        let (spec, facts) = installed_by(namespace, owner).await;
        let found = bad(&spec, &facts, DAY);
        exactly(&found, "other-karpenter", Verdict::Warn);
        assert!(found[0].message.contains(words), "{found:#?}");
        assert_eq!(commands(&found), Vec::<String>::new());
        let told = found[0].fixes.iter().any(|fix| fix.title.contains("`--namespace karpenter`"));
        assert_eq!(told, namespace == "karpenter", "{found:#?}");
        assert_eq!(passes_as_none(&spec, &facts), []);
        // Where it is looked for, it is the one that is meant, once helm's record of it is read.
        let there = Spec { namespace: "karpenter".parse().unwrap(), ..spec };
        let found = of("other-karpenter", &there, &facts);
        assert_eq!(found[0].message.contains("helm keeps no record"), owner == Some("karpenter/karpenter"), "{found:#?}");
    }
}

/// What `GitOps` declares is its own where a bootstrap would change something of it.
#[tokio::test(start_paused = true)]
async fn what_gitops_would_put_back_is_told() {
    let flux = json!({"helm.toolkit.fluxcd.io/namespace": "kube-system", "helm.toolkit.fluxcd.io/name": "karpenter"});
    let argo = json!({"argocd.argoproj.io/tracking-id": "platform_karpenter:apps/Deployment:kube-system/karpenter"});
    for (of_what, marks, owner) in
        [("labels", flux, "Flux's HelmRelease kube-system/karpenter"), ("annotations", argo, "Argo CD's Application platform/karpenter")]
    {
        let world = healthy_world().await;
        world.change(&place("apps/v1", "deployments", Some("kube-system"), "karpenter"), |it| {
            it["metadata"][of_what].as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
        });
        let (spec, mut facts) = seen(&world).await;
        assert_eq!(bad(&spec, &facts, DAY), [], "a bootstrap changes nothing of it");
        known(&mut facts.chart_release).values["logLevel"] = json!("debug");
        let found = of("other-karpenter", &spec, &facts);
        exactly(&found, "other-karpenter", Verdict::Warn);
        assert!(found[0].message.starts_with(&format!("{owner} declares its Karpenter, and puts back what")), "{found:#?}");
        let look = "karpctl bootstrap --adopt --dry-run --cluster-name demo --region us-west-2 --existing-cluster";
        assert_eq!(found[0].fixes[1].command.join(" "), look);
        // Without helm's record it says whose it is as well.
        facts.chart_release = Probed::Absent;
        let found = of("other-karpenter", &spec, &facts);
        assert!(found[0].message.contains(&format!("of the helm release kube-system/karpenter, of {owner}")), "{found:#?}");
    }
}

/// What passes because no Karpenter is there.
fn passes_as_none(spec: &Spec, facts: &Facts) -> Vec<Finding> {
    let situation = Situation { spec: Some(spec), meant: &Meant::default(), facts, today: DAY.parse().unwrap() };
    let none = |f: &Finding| f.message.contains("not installed") || f.message.contains("is installed");
    judge(&all(), &situation).into_iter().filter(|f| f.result == Verdict::Pass && none(f)).collect()
}

/// The guide's namespace was `karpenter` until 0.32: its Provisioners are no leftovers.
#[tokio::test(start_paused = true)]
async fn what_a_karpenter_elsewhere_works_with_is_not_deleted() {
    let (spec, mut facts) = installed_by("karpenter", Some("karpenter/karpenter")).await;
    karpenter(&mut facts).image = Some("public.ecr.aws/karpenter/controller:v0.31.5".into());
    facts.crds = Probed::Absent;
    let pool = known(&mut facts.objects)[0].clone();
    let of_kind = |resource: &str| ObjectFacts { resource: resource.into(), ..pool.clone() };
    facts.objects = Probed::Known(vec![of_kind("provisioners.karpenter.sh"), of_kind("machines.karpenter.sh")]);
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "other-karpenter", Verdict::Warn);
    assert_eq!(passes_as_none(&spec, &facts), []);
    // Without replicas it is there all the same.
    (karpenter(&mut facts).desired, karpenter(&mut facts).ready) = (0, 0);
    assert_eq!((bad(&spec, &facts, DAY), passes_as_none(&spec, &facts)), (vec![], vec![]));
}

/// In the wanted namespace its image says which it is, and what installed it upgrades it, though the guide's stack is there.
#[tokio::test(start_paused = true)]
async fn a_karpenter_without_helm_s_record_is_upgraded_where_it_was_installed() {
    for owner in [None, Some("kube-system/karpenter")] {
        for (release, id) in [("0.31.5", "installed-fit"), ("0.31.5", "upgrade-hops"), ("1.5.6", "controller-image")] {
            let (spec, mut facts) = installed_by("kube-system", owner).await;
            karpenter(&mut facts).image = Some(format!("public.ecr.aws/karpenter/controller:{release}"));
            let found = of(id, &spec, &facts);
            assert_eq!((found.len(), commands(&found)), (1, Vec::new()), "{found:#?}");
            assert!(found[0].message.contains(&format!("Karpenter {release} is installed")), "{found:#?}");
            // Its CRDs are with what installed it, too.
            for crd in known(&mut facts.crds).values_mut() {
                crd.helm_owner = None;
            }
            karpenter(&mut facts).image = Some("public.ecr.aws/karpenter/controller:1.14.1".into());
            exactly(&bad(&spec, &facts, DAY), "other-karpenter", Verdict::Warn);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_karpenters_the_one_that_is_not_meant_goes() {
    let (spec, mut facts) = installed_by("karpenter", Some("karpenter/karpenter")).await;
    let first = karpenter(&mut facts).clone();
    let with = |owner: Option<&str>| {
        let mut facts = facts.clone();
        let second = Workload { namespace: "kube-system".into(), helm_owner: owner.map(str::to_owned), ..first.clone() };
        known(&mut facts.neighbours).workloads.push(second);
        of("other-karpenter", &spec, &facts)
    };
    let found = with(Some("kube-system/karpenter"));
    exactly(&found, "other-karpenter", Verdict::Fail);
    assert_eq!(commands(&found), ["helm uninstall karpenter --namespace karpenter"]);
    // Neither is the one that is meant.
    let found = with(Some("kube-system/platform"));
    exactly(&found, "other-karpenter", Verdict::Fail);
    assert!(found[0].message.starts_with("2 Karpenters work in it: "), "{found:#?}");
    assert_eq!(commands(&found), Vec::<String>::new());
}

/// As eksctl and the page on the move from the Cluster Autoscaler leave it: Karpenter works without the guide's stack.
async fn without_stack() -> (Spec, Facts) {
    let (spec, mut facts) = healthy().await;
    facts.stack = Probed::Absent;
    facts.node_role = Probed::Absent;
    facts.stack_policies = Probed::Known(BTreeMap::new());
    (spec, facts)
}

/// As Terraform's module leaves it, and nobody has adopted it: roles, queue and access entry have names of their own.
async fn of_another_tool() -> (Spec, Facts) {
    let (spec, mut facts) = without_stack().await;
    (facts.controller_role, facts.queue, facts.queue_rules) = (Probed::Absent, Probed::Absent, Probed::Known(Vec::new()));
    known(&mut facts.association).role_arn = "arn:aws:iam::111122223333:role/KarpenterController-20250101".into();
    known(&mut facts.chart_release).values["settings"]["interruptionQueue"] = json!("Karpenter-demo");
    let entry = std::mem::replace(&mut facts.access_entry, Probed::Absent);
    facts.aws_auth = Probed::Absent;
    class(&mut facts).role = Some("Karpenter-demo-2025".into());
    facts.class_entries.insert("Karpenter-demo-2025".into(), entry);
    (spec, facts)
}

fn class(facts: &mut Facts) -> &mut ObjectFacts {
    known(&mut facts.objects).iter_mut().find(|o| o.resource.starts_with("ec2nodeclasses.")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_karpenter_of_another_tool_is_not_measured_by_what_karpctl_makes() {
    let (spec, mut facts) = of_another_tool().await;
    exactly(&bad(&spec, &facts, DAY), "controller-association", Verdict::Warn);
    let said = |facts: &Facts| {
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts, today: DAY.parse().unwrap() };
        judge(&all(), &situation)
    };
    let skipped = |facts: &Facts| {
        let of_adoption = said(facts).into_iter().filter(|f| f.message.ends_with("what another tool made: `karpctl adopt` finds it"));
        of_adoption.map(|f| (f.id, f.result, f.fixes.len())).collect::<Vec<_>>()
    };
    let of = |id: &str| (id.to_owned(), Verdict::Skip, 0);
    let wanted = [
        "controller-permissions",
        "node-policies",
        "node-trust",
        "iam-quotas",
        "cluster-quotas",
        "interruption-queue",
        "controller-trust",
        "node-access",
    ];
    let wanted = wanted.map(of);
    assert_eq!(skipped(&facts), wanted);
    assert!(!said(&facts).iter().any(|f| f.message.contains("is not made yet")), "it works, with what another tool made");
    // A class that names the role of karpctl's name has its nodes judged, whoever made it.
    class(&mut facts).role = Some(spec.node_role_name());
    let found = self::of("node-access", &spec, &facts);
    exactly(&found, "node-access", Verdict::Warn);
    assert_eq!(found[0].subject, "cluster demo, role KarpenterNodeRole-demo of node class default");
    // Once it is adopted, or none is there, karpctl knows what is to be there.
    known(&mut facts.neighbours).workloads.retain(|w| w.what != NeighbourKind::Karpenter);
    facts.chart_release = Probed::Absent;
    assert_eq!(skipped(&facts), []);
}

/// `karpctl adopt` keeps the values that it has, so they are those that will be.
#[tokio::test(start_paused = true)]
async fn a_karpenter_of_another_tool_keeps_the_nodes_and_the_dns_that_it_has() {
    let (spec, mut facts) = of_another_tool().await;
    let values = &mut known(&mut facts.chart_release).values;
    (values["tolerations"], values["dnsPolicy"]) = (json!([{"key": "dedicated", "operator": "Exists"}]), json!("Default"));
    for node in known(&mut facts.nodes) {
        node.taints = vec![Taint { key: "dedicated".into(), value: "system".into(), effect: "NoSchedule".into() }];
        (node.free_cpu, node.dns_pods) = (100, 0);
    }
    exactly(&bad(&spec, &facts, DAY), "controller-association", Verdict::Warn);
    // One of karpctl's own is given the guide's.
    let role = healthy().await.1.controller_role;
    let found = bad(&spec, &Facts { controller_role: role, ..facts }, DAY);
    let of_values = |f: &&Finding| f.message.contains("`karpctl bootstrap` changes");
    let ids: Vec<&str> = found.iter().filter(of_values).map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["node-capacity", "cluster-dns"], "{found:#?}");
}

/// Argo CD installs Karpenter, and the stack is the guide's.
#[tokio::test(start_paused = true)]
async fn nodes_are_let_in_whoever_installed_karpenter() {
    let (spec, mut facts) = installed_by("kube-system", None).await;
    (facts.access_entry, facts.aws_auth) = (Probed::Absent, Probed::Absent);
    exactly(&of("node-access", &spec, &facts), "node-access", Verdict::Fail);
    let neighbours = std::mem::replace(&mut facts.neighbours, Probed::Unavailable("the cluster does not answer".into()));
    assert_eq!(of("node-access", &spec, &facts), [], "whether one is there is not known");
    facts.neighbours = neighbours;
    known(&mut facts.neighbours).workloads.retain(|w| w.what != NeighbourKind::Karpenter);
    assert_eq!(of("node-access", &spec, &facts), [], "it is to come");
}

/// A bootstrap would refuse that, or make roles and a queue of karpctl's beside those that Karpenter has.
#[tokio::test(start_paused = true)]
async fn a_karpenter_of_another_tool_is_adopted_before_it_is_upgraded() {
    for (installed, id, to) in
        [("0.32.1", "installed-fit", "1.14.1"), ("0.32.1", "upgrade-hops", "0.37."), ("1.5.6", "controller-image", "1.5.")]
    {
        let (spec, mut facts) = of_another_tool().await;
        known(&mut facts.chart_release).chart_version = installed.into();
        let found = of(id, &spec, &facts);
        assert_eq!(commands(&found), ["karpctl adopt --cluster-name demo --region us-west-2"], "{found:#?}");
        let title = &found[0].fixes[0].title;
        assert!(title.starts_with(to) && title.contains(" is the one to take: first have karpctl work with what is there"), "{title}");
        // What helm did not install is upgraded where it was.
        facts.chart_release = Probed::Absent;
        (karpenter(&mut facts).helm_owner, karpenter(&mut facts).image) =
            (None, Some(format!("public.ecr.aws/karpenter/controller:{installed}")));
        let found = of(id, &spec, &facts);
        assert_eq!((found.len(), commands(&found)), (1, Vec::new()), "{found:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_karpenter_s_queue_and_role_are_not_deleted() {
    let (spec, facts) = without_stack().await;
    let adopt = ["karpctl adopt --cluster-name demo --region us-west-2"];
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Warn);
    assert_eq!((found[0].subject.as_str(), commands(&found)), ("queue demo", adopt.map(str::to_owned).to_vec()));

    let mut facts = Facts { queue: Probed::Absent, ..facts };
    facts.node_role = Probed::Known(RoleFacts {
        arn: "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo".parse().unwrap(),
        trust: serde_json::Value::Null,
        policies: vec!["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy".into()],
        permissions_boundary: None,
        tags: BTreeMap::new(),
    });
    // At this moment it has no node.
    facts.node_role_ties = Probed::Known(RoleTies { instance_profiles: vec!["nodes".into()], ..RoleTies::default() });
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Warn);
    assert_eq!(commands(&found), adopt);
    // Without helm there is nothing to adopt.
    facts.chart_release = Probed::Absent;
    karpenter(&mut facts).helm_owner = None;
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Warn);
    assert_eq!(commands(&found), Vec::<String>::new());
    // A cluster that does not answer may have one, and one that is not there has none.
    facts.neighbours = Probed::Unavailable("the cluster does not answer".into());
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Fail);
    assert_eq!(commands(&found), ["aws iam list-instance-profiles-for-role --role-name KarpenterNodeRole-demo"]);
    facts.cluster = Probed::Absent;
    assert!(commands(&of("stack-state", &spec, &facts)).iter().any(|command| command.contains("delete-role")));
    // What a Karpenter made says that one works under it, somewhere.
    facts.node_role_ties = Probed::Known(RoleTies { instance_profiles: vec!["demo_4711".into()], ..RoleTies::default() });
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Fail);
    assert!(found[0].message.ends_with("It is in use by the instance profile demo_4711, which a Karpenter made"), "{found:#?}");
    assert_eq!(commands(&found), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_rules_send_to_is_not_deleted() {
    let (spec, mut facts) = without_stack().await;
    facts.chart_release = Probed::Absent;
    known(&mut facts.neighbours).workloads.retain(|w| w.what != NeighbourKind::Karpenter);
    let found = of("stack-state", &spec, &facts);
    exactly(&found, "stack-state", Verdict::Fail);
    assert_eq!(commands(&found), Vec::<String>::new());
    facts.queue_rules = Probed::Known(Vec::new());
    assert!(commands(&of("stack-state", &spec, &facts))[0].starts_with("aws sqs delete-queue "));
}

#[tokio::test(start_paused = true)]
async fn an_association_with_another_tool_s_role_is_left() {
    let (spec, mut facts) = without_stack().await;
    let other = "arn:aws:iam::111122223333:role/KarpenterController-20250101".to_owned();
    known(&mut facts.association).role_arn = other;
    facts.controller_role = Probed::Absent;
    let found = of("controller-association", &spec, &facts);
    exactly(&found, "controller-association", Verdict::Warn);
    assert_eq!(commands(&found), ["karpctl adopt --cluster-name demo --region us-west-2"]);
    // Nor is it made where Karpenter gets its role in another way, or is in another namespace.
    facts = healthy().await.1;
    facts.association = Probed::Absent;
    exactly(&of("controller-association", &spec, &facts), "controller-association", Verdict::Fail);
    let annotated = json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/irsa"}});
    known(&mut facts.chart_release).values["serviceAccount"] = annotated;
    assert_eq!(of("controller-association", &spec, &facts), []);
    // As the guides until 0.33 have it: the role lets Pod Identity in nowhere, and there is no agent.
    (facts.pod_identity_agent, facts.agent_pods) = (Probed::Absent, Probed::Absent);
    known(&mut facts.controller_role).trust = json!({"Statement": []});
    assert_eq!(bad(&spec, &facts, DAY), []);
    let irsa = Spec { identity: Identity::Irsa, ..spec.clone() };
    exactly(&of("controller-trust", &irsa, &facts), "controller-trust", Verdict::Fail);
    facts.chart_release = Probed::Absent;
    karpenter(&mut facts).namespace = "karpenter".into();
    assert_eq!(of("controller-association", &spec, &facts), []);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_not_judged_by_a_role_that_karpenter_has_not() {
    let (spec, mut facts) = without_stack().await;
    let arn = "arn:aws:kms:us-west-2:111122223333:key/1".to_owned();
    let actions = karpctl::knowledge::VOLUME_KEY_ACTIONS;
    let denied =
        actions.map(|action| Denial { action: action.into(), resource: arn.clone(), by: DeniedBy::Nobody, unknown_keys: Vec::new() });
    let policy = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/KarpenterController-2025"}, "Action": "kms:*"}]});
    let key = KeyFacts { arn: arn.clone(), state: "Enabled".into(), symmetric: true, by_aws: false, policy, grants: Vec::new() };
    let user = spec.controller_role_arn().to_string();
    facts.ebs = Probed::Known(EbsFacts { by_default: true, key: Some(arn) });
    facts.volume_key = Probed::Known(KeyUse { key, user, denied: Probed::Known(denied.to_vec()) });
    exactly(&of("ebs-key", &spec, &facts), "ebs-key", Verdict::Fail);
    facts.controller_role = Probed::Absent;
    assert_eq!(of("ebs-key", &spec, &facts), []);
    // What no role can use is said of any.
    known(&mut facts.volume_key).key.state = "Disabled".into();
    exactly(&of("ebs-key", &spec, &facts), "ebs-key", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn the_queue_of_another_tool_keeps_its_name() {
    let (spec, facts) = healthy().await;
    let with = |queue: &str, stack: bool| {
        let mut facts = facts.clone();
        known(&mut facts.chart_release).values["settings"]["interruptionQueue"] = json!(queue);
        if !stack {
            facts.stack = Probed::Absent;
        }
        of("chart-names", &spec, &facts)
    };
    exactly(&with("Karpenter-demo", true), "chart-names", Verdict::Fail);
    for name in ["Karpenter-demo", "demo", ""] {
        assert_eq!(with(name, false), [], "{name}");
    }
    // An ARN is no name, whoever made the queue.
    let found = with("arn:aws:sqs:us-west-2:111122223333:Karpenter-demo", false);
    exactly(&found, "chart-names", Verdict::Fail);
    assert!(commands(&found)[0].ends_with("--set settings.interruptionQueue=Karpenter-demo"), "{found:#?}");
}

/// Which queue another tool made nobody knows, and that the one which is named has to be there everybody does.
#[tokio::test(start_paused = true)]
async fn the_queue_that_another_tools_karpenter_is_told_is_there() {
    let asked = async |told: Option<&str>, there: &[&str]| {
        let world = healthy_world().await;
        let values = told.map_or(json!({"clusterName": "demo"}), |name| json!({"clusterName": "demo", "interruptionQueue": name}));
        world.put_release("karpenter", 2, "deployed", "1.14.1", &json!({"settings": values}));
        world.inside().stacks.clear();
        world.inside().other_queues = there.iter().map(ToString::to_string).collect();
        let (spec, facts) = seen(&world).await;
        let situation = Situation { spec: Some(&spec), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        judge(&all(), &situation).into_iter().filter(|f| f.id == "chart-names").collect::<Vec<_>>()
    };
    let passes = |found: &[Finding], words: &str| {
        let said: Vec<_> = found.iter().map(|f| (f.result, f.message.as_str())).collect();
        assert_eq!(said, [(Verdict::Pass, words)]);
    };
    passes(&asked(Some("theirs"), &["theirs"]).await, "it names this cluster and its queue");
    passes(&asked(Some("demo"), &["demo"]).await, "it names this cluster and its queue");
    passes(&asked(None, &["theirs"]).await, "it names this cluster, and no queue: interruptions are not handled");
    for gone in ["theirs", "demo"] {
        let found = asked(Some(gone), &["other"]).await;
        exactly(&found, "chart-names", Verdict::Fail);
        assert!(found[0].message.contains("us-west-2 has no such queue: AWS.SimpleQueueService.NonExistentQueue"), "{found:#?}");
        let make = format!("aws sqs create-queue --region us-west-2 --queue-name {gone}");
        assert_eq!(commands(&found), ["aws sqs list-queues --region us-west-2".to_owned(), make]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chart_that_brings_karpenter_is_not_replaced() {
    let (spec, mut facts) = healthy().await;
    let release = known(&mut facts.chart_release);
    (release.chart, release.chart_version) = ("platform-karpenter".into(), "1.0.0".into());
    release.values = json!({"karpenter": {"settings": {"clusterName": "other"}}});
    for id in ["installed-fit", "chart-names", "chart-values", "upgrade-hops", "upgrade-defaults"] {
        assert_eq!(of(id, &spec, &facts), [], "{id}: the image says which Karpenter it is, and its values are not known");
    }
    // One that is too old is told, and left to that chart.
    karpenter(&mut facts).image = Some("public.ecr.aws/karpenter/controller:0.32.1@sha256:00".into());
    for id in ["installed-fit", "upgrade-hops"] {
        let found = of(id, &spec, &facts);
        exactly(&found, id, Verdict::Fail);
        assert_eq!(commands(&found), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_account_of_another_name_is_the_controller_s() {
    let mut told = existing("1.14.1");
    told.chart.values.insert("serviceAccount".into(), json!({"name": "demo-sa"}));
    for identity in [Identity::PodIdentity, Identity::Irsa] {
        let world = FakeWorld::bootstrapped(Spec { identity, ..told.clone() }).await;
        world.furnish();
        let (spec, facts) = seen(&world).await;
        assert_eq!(bad(&spec, &facts, DAY), []);
        // Who does not say so is told nothing false: the release says it, or the pods.
        let mut unsaid = spec.clone();
        unsaid.chart.values.clear();
        let mut facts = Facts { association: Probed::Absent, ..facts };
        for id in ["controller-association", "controller-trust"] {
            assert_eq!(of(id, &unsaid, &facts), [], "{id}");
        }
        facts.chart_release = Probed::Absent;
        (karpenter(&mut facts).helm_owner, karpenter(&mut facts).service_account) = (None, Some("demo-sa".into()));
        for id in ["controller-association", "controller-trust"] {
            assert_eq!(of(id, &unsaid, &facts), [], "{id}");
        }
        // A policy that lets in the chart's own account alone is mended for the one that there is.
        if identity == Identity::Irsa {
            let policy = known(&mut facts.controller_role).trust.to_string().replace(":demo-sa", ":karpenter");
            known(&mut facts.controller_role).trust = serde_json::from_str(&policy).unwrap();
            let found = of("controller-trust", &unsaid, &facts);
            exactly(&found, "controller-trust", Verdict::Fail);
            assert!(commands(&found)[0].contains("system:serviceaccount:kube-system:demo-sa"), "{found:#?}");
        }
    }
    let world = FakeWorld::with_cluster(told.clone());
    world.apply(StepId::PodIdentityAssociation, Ownership::OursOnly).await.0.unwrap();
    assert!(world.calls().iter().any(|call| call.contains("kube-system/demo-sa")), "{:#?}", world.calls());
    // What is no name is given to no command.
    told.chart.values.insert("serviceAccount".into(), json!({"name": "a; b"}));
    assert_eq!(told.service_account(), "karpenter");
}

/// A cluster that was made anew has another endpoint, and nodes are told the old one.
#[tokio::test(start_paused = true)]
async fn nodes_are_told_this_clusters_endpoint() {
    let (spec, facts) = healthy().await;
    let endpoint = known(&mut facts.cluster.clone()).endpoint.clone().unwrap();
    let with = |told: &str| {
        let mut facts = facts.clone();
        known(&mut facts.chart_release).values["settings"]["clusterEndpoint"] = json!(told);
        of("chart-names", &spec, &facts)
    };
    assert_eq!([with(""), with(&endpoint), with(&format!("{endpoint}/"))], [vec![], vec![], vec![]]);
    let found = with("https://old.gr7.us-west-2.eks.amazonaws.com");
    exactly(&found, "chart-names", Verdict::Fail);
    assert!(commands(&found)[0].ends_with(&format!("--set settings.clusterEndpoint={endpoint}")), "{found:#?}");
}
