//! Whether another Karpenter works in the cluster.

use super::judgement::read;
use super::neighbours::{is_without_helm, working_karpenters};
use super::whose::is_not_ours;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Facts, HelmRelease, Probed, Topic, Workload};
use crate::finding::Area;
use crate::knowledge::CHART;
use crate::render;
use crate::spec::{ClusterMode, Spec};
use crate::steps::is_as_wanted;

pub(super) struct OtherKarpenter;

impl Check for OtherKarpenter {
    fn id(&self) -> &'static str {
        "other-karpenter"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Two Karpenters see the same pods and node pools: both launch nodes for them, and each takes away what the other made. The namespace of the guide changed from karpenter to kube-system in 0.33, so an upgrade by the guide makes a second one."
    }

    fn explain(&self) -> &'static str {
        "Looks at every Deployment that has the label app.kubernetes.io/name=karpenter, or whose image ends in karpenter/controller, and has replicas. \
         Two of them are one too many. Guides before 0.33 install into the namespace karpenter, later ones into \
         kube-system: who follows the later one on an older cluster has two, which share leader election only within a namespace.\n\n\
         What is seen: nodes come in twos and go again, NodeClaims of unknown names, `invalid ownership metadata` for cluster roles. \
         Remove one: `helm uninstall` takes no node and no node pool along. One with no replicas does nothing and is no finding.\n\n\
         A single one is left where it is. Where it stands in another namespace than that which is looked at, say so: `--namespace`. Where another tool than \
         helm (GitOps, `helm template`, kubectl) or another release than karpenter (a chart of charts) put it there, it is \
         that one's, and `karpctl bootstrap` refuses to install a second; one in the wanted namespace without helm it takes over with `--adopt`. Of \
         a HelmRelease in another namespace Flux keeps helm's record there: karpctl sees objects of the release karpenter and no record, and leaves them as they are. \
         Flux and Argo CD (`argocd.argoproj.io/tracking-id`) mark what they declare, and put back what another changes of it: where `karpctl bootstrap` would change a \
         Karpenter with such a mark, that is a finding, and it refuses without `--adopt`. The label by which Argo CD tracks otherwise is helm's as well, and says nothing."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Neighbours, Topic::Chart, Topic::Cluster, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("cluster {}", spec.cluster_name);
        let Some(neighbours) = read(&subject, &situation.facts.neighbours)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let working: Vec<&Workload> = working_karpenters(neighbours).collect();
        if let [only] = working[..] {
            return Ok(vec![alone(spec, situation.facts, &subject, only)]);
        }
        let wanted = |w: &Workload| is_own(spec, w) || is_without_helm(spec, w);
        if working.iter().any(|w| wanted(w)) {
            let others = working.iter().filter(|w| !is_own(spec, w));
            return Ok(others.map(|w| if is_without_helm(spec, w) { unlike_helm(&subject, w) } else { remove(&subject, w) }).collect());
        }
        if working.is_empty() {
            return Ok(vec![Judgement::pass(subject, "no Karpenter works in it")]);
        }
        // Which of them is the one to keep is not known.
        let named = working.iter().map(|w| named(w)).collect::<Vec<_>>().join(" and ");
        Ok(vec![
            Judgement::fail(subject, format!("{} Karpenters work in it: {named}", working.len()))
                .fix("say which one is to stay, and the doctor says how the other goes: `--namespace NAMESPACE`"),
        ])
    }
}

fn is_own(spec: &Spec, workload: &Workload) -> bool {
    workload.helm_owner.as_deref() == Some(&format!("{}/karpenter", spec.namespace))
}

/// What a person finds it by.
fn named(workload: &Workload) -> String {
    let by = workload.helm_owner.as_ref().map(|owner| format!(", of the helm release {owner}")).unwrap_or_default();
    let from = workload.declared.as_ref().map(|declared| format!(", of {declared}")).unwrap_or_default();
    format!("the {} {}/{}{by}{from}", workload.resource, workload.namespace, workload.name)
}

/// The cluster's only Karpenter: nothing that stops it is printed.
fn alone(spec: &Spec, facts: &Facts, subject: &str, it: &Workload) -> Judgement {
    if is_own(spec, it) {
        let put_back = facts.chart_release.known().and_then(|release| put_back(spec, facts, subject, it, release));
        return match put_back {
            Some(judgement) => judgement,
            None if facts.chart_release == Probed::Absent => unrecorded(spec, subject, it),
            None => Judgement::pass(subject, "no other Karpenter works in it"),
        };
    }
    if is_without_helm(spec, it) {
        return unlike_helm(subject, it);
    }
    let named = named(it);
    let leave = "leave it to who installed it: karpctl changes a Karpenter of the helm release karpenter alone, and installs no second one";
    if it.namespace == spec.namespace.as_str() {
        return Judgement::warn(subject, format!("its Karpenter is not of the helm release {}/karpenter: {named}", spec.namespace))
            .fix(leave);
    }
    let message =
        format!("its Karpenter works in the namespace {}, and not in {}, which is looked at: {named}", it.namespace, spec.namespace);
    let judgement =
        Judgement::warn(subject, message).fix(format!("look there, with all that karpctl does: `--namespace {}`", it.namespace));
    let of_karpenter = it.helm_owner.as_deref().is_some_and(|owner| owner.ends_with("/karpenter"));
    if of_karpenter { judgement } else { judgement.fix(leave) }
}

fn unlike_helm(subject: &str, it: &Workload) -> Judgement {
    Judgement::warn(subject, format!("its Karpenter was not installed by helm: {}", named(it)))
        .fix("leave it to what applies it (GitOps, kubectl), and upgrade it there; `karpctl bootstrap` refuses to install one beside it")
        .fix("or `karpctl bootstrap --adopt` has helm take its objects over, from helm 3.17 on; whatever applies them now must stop before")
}

/// What declares it puts back what a bootstrap changes, which therefore refuses. Where it changes nothing, that is nobody's trouble.
fn put_back(spec: &Spec, facts: &Facts, subject: &str, it: &Workload, release: &HelmRelease) -> Option<Judgement> {
    let declared = it.declared.as_ref().filter(|_| !is_not_ours(spec, facts))?;
    let endpoint = facts.cluster.known().and_then(|cluster| cluster.endpoint.as_deref());
    let values = render::helm_values(spec, endpoint).ok()?;
    if is_as_wanted(release, &spec.release.chart_version(), &values) {
        return None;
    }
    let message =
        format!("{declared} declares its Karpenter, and puts back what `karpctl bootstrap` would change of it: bootstrap refuses");
    let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
    let existing = (spec.cluster == ClusterMode::Existing).then_some("--existing-cluster");
    let look = ["karpctl", "bootstrap", "--adopt", "--dry-run", "--cluster-name", cluster, "--region", region];
    let judgement = Judgement::warn(subject, message)
        .fix(format!("change it there: Karpenter {}, with the values that `karpctl render helm-values` prints", spec.release))
        .run("or see what would become of it", look.into_iter().chain(existing));
    Some(judgement.fix("without --dry-run bootstrap changes it; what declares it must stop before, or say the same"))
}

/// Whoever installs it by helm keeps helm's record in a place of his own.
fn unrecorded(spec: &Spec, subject: &str, it: &Workload) -> Judgement {
    let message = format!("helm keeps no record in {} of its Karpenter: {}", spec.namespace, named(it));
    Judgement::warn(subject, message)
        .fix("leave it to what installed it, and upgrade it there: Flux keeps the record in the namespace of the HelmRelease, unless its storageNamespace says another")
        .fix("`karpctl bootstrap` refuses to install one over it; with `--adopt` it does, and what installs it now must stop before")
}

/// One beside the Karpenter that is meant.
fn remove(subject: &str, other: &Workload) -> Judgement {
    let (namespace, name) = (other.namespace.as_str(), other.name.as_str());
    let judgement = Judgement::fail(subject, format!("another Karpenter works in it: {}", named(other)));
    let judgement = match other.helm_owner.as_deref().and_then(|owner| owner.split_once('/')) {
        Some((namespace, CHART)) => {
            judgement.run("remove that one; its nodes stay", ["helm", "uninstall", CHART, "--namespace", namespace])
        }
        // A release of another name may have more in it than Karpenter.
        _ => judgement
            .run("stop that one; its nodes stay", ["kubectl", "--namespace", namespace, "scale", &other.resource, name, "--replicas", "0"]),
    };
    judgement.fix(format!("or work with that one: `--namespace {namespace}`"))
}
