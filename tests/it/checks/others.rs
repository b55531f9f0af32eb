//! A Karpenter that somebody else installed works: no finding tells to take it away or to make it into karpctl's.

use super::aws::known;
use super::{DAY, bad, exactly, healthy};
use karpctl::facts::{Facts, NeighbourKind, Probed, Workload};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::Spec;

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

/// The only Karpenter, of this namespace and helm release.
async fn installed_by(namespace: &str, owner: Option<&str>) -> (Spec, Facts) {
    let (spec, mut facts) = healthy().await;
    let it = karpenter(&mut facts);
    (it.namespace, it.helm_owner) = (namespace.into(), owner.map(str::to_owned));
    facts.chart_release = Probed::Absent;
    (spec, facts)
}

#[tokio::test(start_paused = true)]
async fn the_only_karpenter_is_never_taken_away() {
    for (namespace, owner, words) in [
        ("karpenter", Some("karpenter/karpenter"), "works in the namespace karpenter, and not in kube-system"),
        ("karpenter", Some("karpenter/platform"), "works in the namespace karpenter, and not in kube-system"),
        ("karpenter", None, "works in the namespace karpenter, and not in kube-system"),
        ("kube-system", Some("kube-system/platform"), "is not of the helm release kube-system/karpenter"),
        ("kube-system", None, "was not installed by helm"),
    ] {
        let (spec, facts) = installed_by(namespace, owner).await;
        let found = of("other-karpenter", &spec, &facts);
        exactly(&found, "other-karpenter", Verdict::Warn);
        assert!(found[0].message.contains(words), "{found:#?}");
        assert_eq!(commands(&found), Vec::<String>::new());
        let told = found[0].fixes.iter().any(|fix| fix.title.contains("`--namespace karpenter`"));
        assert_eq!(told, namespace == "karpenter", "{found:#?}");
        // Where it is looked for, it is the one that is meant.
        let there = Spec { namespace: "karpenter".parse().unwrap(), ..spec };
        let found = of("other-karpenter", &there, &facts);
        assert_eq!(found.is_empty(), owner == Some("karpenter/karpenter"), "{found:#?}");
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
