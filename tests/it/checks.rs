//! A healthy world with one thing broken gives exactly that finding.

mod aws;
mod capacity;
mod clients;
mod crds;
mod earlier;
mod elsewhere;
mod endpoints;
mod identity;
mod keys;
mod looking;
mod machine;
mod network;
mod node_addons;
mod node_roles;
mod objects;
mod others;
mod own_vpc;
mod permissions;
mod quotas;
mod refusals;
mod typed;
mod unread;
mod upgrades;
mod webhooks;
mod windows;

use crate::fake::FakeWorld;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::doctor::topics;
use karpctl::facts::{Facts, Probed, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::{KubernetesVersion, OfferedVersion};
use karpctl::spec::{CapacityType, ClusterMode, Meant, Spec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a healthy world answers to every check that is not about this machine.
async fn healthy() -> (Spec, Facts) {
    seen(&healthy_world().await).await
}

/// A cluster with everything that it should have.
pub(crate) async fn healthy_world() -> Arc<FakeWorld> {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.furnish();
    world
}

/// What a world answers to every check that is not about this machine.
pub(crate) async fn seen(world: &Arc<FakeWorld>) -> (Spec, Facts) {
    let asked: Vec<Topic> = topics(&all())
        .into_iter()
        .filter(|t| !matches!(t, Topic::Clients | Topic::Programs | Topic::RegistryLogin | Topic::ChartTag | Topic::Caller))
        .collect();
    let mut facts = world.facts(&asked).await;
    facts.caller = Probed::Known(karpctl::facts::Caller {
        account: "111122223333".parse().unwrap(),
        arn: "arn:aws:iam::111122223333:role/me".parse().unwrap(),
        good_for: None,
    });
    // The fake API server keeps no schemas.
    if let Probed::Known(crds) = &mut facts.crds {
        for (name, crd) in crds {
            crd.schema = world.spec.release.crd_fingerprint(name).map(str::to_owned);
        }
    }
    if let Probed::Known(selection) = &mut facts.selection
        && let Some(second) = selection.subnets.first().cloned()
    {
        selection.subnets.push(karpctl::facts::SubnetFacts { id: "subnet-0000000c".into(), zone: "us-west-2b".into(), ..second });
    }
    // The fake helm supports this one.
    (Spec { kubernetes: "1.34".parse().unwrap(), ..world.spec.clone() }, facts)
}

pub(crate) fn bad(spec: &Spec, facts: &Facts, day: &str) -> Vec<Finding> {
    let said = judge(&all(), &Situation { spec: Some(spec), meant: &karpctl::spec::Meant::default(), facts, today: day.parse().unwrap() });
    by_its_topics_alone(spec, facts, day, &said);
    typed::to_the_cluster_that_was_looked_at(spec, facts, day);
    let bad: Vec<Finding> = said.into_iter().filter(|f| matches!(f.result, Verdict::Fail | Verdict::Warn)).collect();
    for finding in &bad {
        assert!(!finding.fixes.is_empty(), "it says what helps: {finding:#?}");
        assert!(finding.fixes.iter().all(|fix| fix.safe == fix.edit.is_some()), "what is safe is what --fix does: {finding:#?}");
    }
    bad
}

/// The checks that look at a topic where another check has it read, and what for.
const BESIDE: [(&str, Topic); 1] = [
    // What takes no cluster, and no permission, is not to ask for one.
    ("aws-credentials", Topic::Cluster),
];

/// Each check alone says what it says with the others: it names every topic that it looks at.
#[track_caller]
fn by_its_topics_alone(spec: &Spec, facts: &Facts, day: &str, said: &[Finding]) {
    for check in all() {
        let beside = BESIDE.iter().filter(|(id, _)| *id == check.id()).map(|(_, topic)| *topic);
        // Who asks is known to every look beyond this machine.
        let reads: BTreeSet<Topic> = check.reads().iter().copied().chain(beside).chain([Topic::Caller]).collect();
        let has = |topics: &[Topic]| topics.iter().all(|topic| reads.contains(topic));
        let mut alone = Facts::default();
        alone.take_topics(facts, &reads);
        if has(&[Topic::AccessEntry, Topic::Objects]) {
            (alone.class_entries, alone.class_profiles) = (facts.class_entries.clone(), facts.class_profiles.clone());
        }
        if has(&[Topic::Selection, Topic::Objects]) {
            alone.class_subnets = facts.class_subnets.clone();
        }
        if has(&[Topic::AmiImage, Topic::Objects]) {
            alone.class_images = facts.class_images.clone();
        }
        let id = check.id();
        let situation = Situation { spec: Some(spec), meant: &Meant::default(), facts: &alone, today: day.parse().unwrap() };
        let with_others: Vec<&Finding> = said.iter().filter(|finding| finding.id == id).collect();
        assert_eq!(judge(&[check], &situation).iter().collect::<Vec<_>>(), with_others, "{id} looks at what it does not name");
    }
}

pub(crate) const DAY: &str = "2026-09-01";

#[track_caller]
pub(crate) fn exactly(found: &[Finding], id: &str, verdict: Verdict) {
    let seen: Vec<_> = found.iter().map(|f| (f.id.as_str(), f.result)).collect();
    assert_eq!(seen, [(id, verdict)], "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn one_broken_thing_is_one_finding() {
    let (spec, facts) = healthy().await;
    assert!(bad(&spec, &facts, DAY).is_empty(), "{:#?}", bad(&spec, &facts, DAY));

    let mut broken = facts.clone();
    broken.caller = Probed::Unavailable("the credentials have expired".into());
    exactly(&bad(&spec, &broken, DAY), "aws-credentials", Verdict::Fail);

    let mut broken = facts.clone();
    broken.spot_role = Probed::Absent;
    exactly(&bad(&spec, &broken, DAY), "spot-role", Verdict::Warn);
    let mut none = spec.clone();
    none.node_pool.capacity_types = vec![CapacityType::OnDemand];
    assert_eq!(bad(&none, &broken, DAY), [], "nobody asks for spot");
    none.node_pool.capacity_types.push(CapacityType::Spot);
    exactly(&bad(&none, &broken, DAY), "spot-role", Verdict::Warn);

    let mut broken = facts.clone();
    let Probed::Known(cluster) = &mut broken.cluster else { panic!() };
    cluster.auto_mode = true;
    let found = bad(&spec, &broken, DAY);
    exactly(&found, "auto-mode", Verdict::Warn);
    let cures: Vec<bool> = found[0].fixes.iter().map(|fix| fix.command.is_empty()).collect();
    assert_eq!(cures, [true, false], "what turns it off comes last: {found:#?}");
    // None of one's own is to be put beside it.
    let Probed::Known(neighbours) = &mut broken.neighbours else { panic!() };
    neighbours.workloads.retain(|w| w.what != karpctl::facts::NeighbourKind::Karpenter);
    exactly(&bad(&spec, &broken, DAY), "auto-mode", Verdict::Fail);
    // Its CRDs are not to be changed, whoever owns them.
    let Probed::Known(crds) = &mut broken.crds else { panic!() };
    for crd in crds.values_mut() {
        (crd.helm_owner, crd.schema) = (None, Some("000000000000".into()));
    }
    exactly(&bad(&spec, &broken, DAY), "auto-mode", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_takes_nothing_is_found() {
    let (spec, facts) = healthy().await;
    let made = Spec { cluster: ClusterMode::Managed, ..spec.clone() };
    let with = |of: &Spec, status: &str| {
        let mut broken = facts.clone();
        let Probed::Known(cluster) = &mut broken.cluster else { panic!() };
        cluster.status = status.into();
        bad(of, &broken, DAY)
    };
    for status in ["DELETING", "FAILED"] {
        let found = with(&spec, status);
        exactly(&found, "cluster-state", Verdict::Fail);
        assert!(!found[0].heals, "{status}");
    }
    exactly(&with(&made, "FAILED"), "cluster-state", Verdict::Warn);
    let found = with(&spec, "UPDATING");
    exactly(&found, "cluster-state", Verdict::Warn);
    assert!(found[0].heals, "it is ACTIVE when that is over");
    // EKS leaves one ACTIVE that lost what it was made with.
    let mut ill = facts.clone();
    let Probed::Known(cluster) = &mut ill.cluster else { panic!() };
    cluster.issues = vec!["Ec2SubnetNotFound: subnet-0000000a".into()];
    let found = bad(&spec, &ill, DAY);
    exactly(&found, "cluster-state", Verdict::Warn);
    assert!(found[0].message.ends_with(": Ec2SubnetNotFound: subnet-0000000a"), "{found:#?}");
    assert!(found[0].fixes[0].command.contains(&"cluster.health".to_owned()), "{found:#?}");
    let mut broken = facts.clone();
    broken.cluster = Probed::Absent;
    let state = |of: &Spec| bad(of, &broken, DAY).into_iter().find(|f| f.id == "cluster-state");
    let found = state(&spec).expect("a cluster that must be there");
    assert_eq!((found.result, found.message.as_str()), (Verdict::Fail, "there is none in us-west-2 of account 111122223333"));
    assert_eq!(state(&made), None, "one that is made is none that is missing");
}

#[tokio::test(start_paused = true)]
async fn where_no_cluster_is_made_it_is_said_why() {
    let (spec, facts) = healthy().await;
    let why = |facts: &Facts| {
        let said =
            judge(&all(), &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts, today: DAY.parse().unwrap() });
        let of = |id: &str| said.iter().find(|f| f.id == id).map(|f| f.message.clone()).unwrap_or_default();
        assert_eq!(of("eksctl-version"), of("kubernetes-offered"));
        of("eksctl-version")
    };
    assert_eq!(why(&facts), "the cluster is there: `karpctl bootstrap` makes none");
    assert!(why(&Facts { cluster: Probed::Absent, ..facts.clone() }).contains("--existing-cluster"));
}

#[test]
fn a_check_that_means_nothing_without_a_cluster_says_so_beforehand() {
    for check in all() {
        let said = judge(
            &[check],
            &Situation { spec: None, meant: &karpctl::spec::Meant::default(), facts: &Facts::default(), today: DAY.parse().unwrap() },
        );
        let check = all().into_iter().find(|c| c.id() == said[0].id).unwrap();
        assert!(check.of_cluster() || !said[0].message.contains("no cluster is named"), "{said:#?}");
    }
    let free: Vec<_> = all().iter().filter(|c| !c.of_cluster()).map(|c| c.id()).collect();
    assert!(free.contains(&"exec-api-version") && free.contains(&"aws-credentials") && free.contains(&"spot-role"), "{free:?}");
}

#[tokio::test(start_paused = true)]
async fn support_ends_on_a_day() {
    let (spec, facts) = healthy().await;
    assert!(bad(&spec, &facts, DAY).is_empty());
    for (day, words) in [("2026-11-24", "ends on 2026-12-02"), ("2026-12-03", "extended support"), ("2027-12-03", "support ended on")] {
        let found = bad(&spec, &facts, day);
        exactly(&found, "kubernetes-support", Verdict::Warn);
        assert!(found[0].message.contains(words), "{day}: {}", found[0].message);
        assert!(found[0].message.contains("by karpctl's table (no dates of EKS are known)"), "{}", found[0].message);
    }
}

/// What is not there yet is made of a newer Kubernetes, not upgraded.
#[tokio::test(start_paused = true)]
async fn a_cluster_to_come_is_made_of_a_kubernetes_that_is_supported() {
    let (spec, mut facts) = healthy().await;
    facts.cluster = Probed::Absent;
    let cures = |release: &str, offered: &[&str]| {
        let spec = Spec { cluster: ClusterMode::Managed, release: release.parse().unwrap(), ..spec.clone() };
        let versions = offered.iter().map(|version| version.parse::<KubernetesVersion>().unwrap().into()).collect();
        let facts = Facts { cluster_versions: Probed::Known(versions), ..facts.clone() };
        let found: Vec<_> = bad(&spec, &facts, "2026-11-24").into_iter().filter(|f| f.id == "kubernetes-support").collect();
        exactly(&found, "kubernetes-support", Verdict::Warn);
        assert!(found[0].fixes.iter().all(|fix| fix.command.is_empty()), "{found:#?}");
        found[0].fixes.iter().map(|fix| fix.title.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(cures("1.14.1", &["1.33", "1.34", "1.35"]), "make the cluster of a newer Kubernetes: --kubernetes-version 1.35");
    assert!(cures("1.14.1", &[]).starts_with("make the cluster of a newer Kubernetes: --kubernetes-version 1."), "by the table");
    // 1.7.4 ends with Kubernetes 1.34.
    assert!(cures("1.7.4", &["1.34", "1.35"]).starts_with("take a Karpenter that fits a newer Kubernetes: --karpenter-version 1."));
}

/// EKS keeps a cluster whose upgrade policy is STANDARD in no extended support: it upgrades it, whatever Karpenter is in it.
#[tokio::test(start_paused = true)]
async fn a_cluster_without_extended_support_is_upgraded_by_itself() {
    let (spec, mut facts) = healthy().await;
    let Probed::Known(cluster) = &mut facts.cluster else { panic!() };
    cluster.standard_support_only = true;
    assert_eq!(bad(&spec, &facts, DAY), []);
    for (day, words, stays) in [
        (
            "2026-11-24",
            "standard support ends on 2026-12-02, by karpctl's table (no dates of EKS are known): EKS upgrades it to 1.35 by itself",
            true,
        ),
        (
            "2026-12-03",
            "standard support has ended, by karpctl's table (no dates of EKS are known): EKS upgrades it to 1.35 by itself",
            false,
        ),
    ] {
        let found = bad(&spec, &facts, day);
        exactly(&found, "kubernetes-support", Verdict::Warn);
        assert!(found[0].message.starts_with(words) && !found[0].message.contains("billed"), "{}", found[0].message);
        assert_eq!(found[0].fixes[0].command[..3], ["aws", "eks", "update-cluster-version"]);
        assert_eq!(found[0].fixes.iter().any(|fix| fix.command.contains(&"supportType=EXTENDED".to_owned())), stays, "{found:#?}");
    }
    // 1.7.4 ends with Kubernetes 1.34.
    let Probed::Known(live) = &mut facts.chart_release else { panic!() };
    live.chart_version = "1.7.4".into();
    let found = bad(&spec, &facts, "2026-11-24");
    let found: Vec<_> = found.into_iter().filter(|f| f.id == "kubernetes-support").collect();
    exactly(&found, "kubernetes-support", Verdict::Fail);
    assert!(found[0].message.ends_with(", and Karpenter 1.7.4 does not fit that"), "{}", found[0].message);
}

/// EKS has moved the end of support before, and tells those who ask it.
#[tokio::test(start_paused = true)]
async fn support_ends_on_the_day_that_eks_says() {
    let (spec, mut facts) = healthy().await;
    let day = |text: &str| Some(text.parse().unwrap());
    let offered =
        OfferedVersion { standard_until: day("2027-03-01"), extended_until: day("2028-03-01"), ..OfferedVersion::from(spec.kubernetes) };
    let by_eks = |facts: &Facts, day: &str| {
        let found = bad(&spec, facts, day);
        exactly(&found, "kubernetes-support", Verdict::Warn);
        found[0].message.clone()
    };
    facts.cluster_versions = Probed::Known(vec![offered.clone()]);
    assert_eq!(bad(&spec, &facts, "2026-12-03"), [], "later than the table has it");
    assert_eq!(
        by_eks(&facts, "2027-02-01"),
        "standard support ends on 2027-03-01, by EKS's own dates; extended support is billed from then on"
    );
    facts.cluster_versions = Probed::Known(vec![OfferedVersion { extended: true, ..offered }]);
    assert_eq!(by_eks(&facts, DAY), "in extended support, which is billed, until 2028-03-01, by EKS's own dates");
    facts.cluster_versions = Probed::Unavailable("AccessDenied: eks:DescribeClusterVersions".into());
    let untold = by_eks(&facts, "2026-11-24");
    assert!(untold.contains("2026-12-02, by karpctl's table (EKS could not be asked: AccessDenied"), "{untold}");

    let newer = Spec { kubernetes: "1.99".parse().unwrap(), ..spec.clone() };
    let situation = Situation { spec: Some(&newer), meant: &Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
    let said = judge(&all(), &situation).into_iter().find(|f| f.id == "kubernetes-support").unwrap();
    assert_eq!(said.result, Verdict::Skip, "{said:#?}");
}

/// The guide's Kubernetes is no cluster's: only what is said or read is judged by.
#[tokio::test(start_paused = true)]
async fn a_guessed_kubernetes_is_not_judged() {
    let (spec, mut facts) = healthy().await;
    let of_kubernetes = |facts: &Facts, meant: &Meant| {
        let situation = Situation { spec: Some(&spec), meant, facts, today: DAY.parse().unwrap() };
        let ids = ["karpenter-release", "kubernetes-fit", "ami-alias", "helm-version"];
        let said = judge(&all(), &situation).into_iter().filter(move |f| ids.contains(&f.id.as_str()));
        said.map(|f| (f.id, f.result, f.message)).collect::<Vec<_>>()
    };
    let all_are = |said: &[(String, Verdict, String)], verdict| {
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(said.iter().all(|(_, result, _)| *result == verdict), "{said:#?}");
    };
    let meant = Meant { kubernetes: Some(spec.kubernetes), ..Meant::default() };
    all_are(&of_kubernetes(&facts, &Meant::default()), Verdict::Pass);
    facts.cluster = Probed::Unavailable("AccessDenied: eks:DescribeCluster".into());
    let guessed = of_kubernetes(&facts, &Meant::default());
    all_are(&guessed, Verdict::Skip);
    assert!(guessed.iter().all(|(_, _, why)| why.contains("could not be read: AccessDenied: eks:DescribeCluster")), "{guessed:#?}");
    all_are(&of_kubernetes(&facts, &meant), Verdict::Pass);
    // What is wrong whatever the cluster's Kubernetes is.
    let trapped = Spec { release: "1.0.0".parse().unwrap(), ..spec.clone() };
    assert!(bad(&trapped, &facts, DAY).iter().any(|f| f.id == "karpenter-release" && f.result == Verdict::Fail));
}

/// Two blanks within a line are a continuation that was lost in the source.
#[test]
fn texts_have_no_gaps() {
    let steps = karpctl::steps::all();
    let checks = all();
    let of_checks = checks.iter().flat_map(|check| [(check.id().to_owned(), check.why()), (check.id().to_owned(), check.explain())]);
    let of_steps = steps.iter().map(|step| (step.id().to_string(), step.explain()));
    for (id, text) in of_checks.chain(of_steps) {
        for line in text.lines() {
            assert!(!line.trim_start().contains("  "), "{id}: {line}");
        }
    }
}
