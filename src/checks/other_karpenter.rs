//! Whether another Karpenter works in the cluster.

use super::neighbours::{each, is_without_helm};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{NeighbourKind, Topic, Workload};
use crate::finding::Area;

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
        "A Deployment with the label app.kubernetes.io/name=karpenter, or whose image ends in karpenter/controller, that is not of the helm release \
         karpenter in the wanted namespace, is another Karpenter. Guides before 0.33 install into the namespace karpenter, later ones into \
         kube-system: who follows the later one on an older cluster has two, which share leader election only within a namespace. One that stands in the wanted namespace without helm (by a GitOps tool, `helm template` or \
         kubectl) is refused by `karpctl bootstrap` unless `--adopt` is given.\n\n\
         What is seen: nodes come in twos and go again, NodeClaims of unknown names, `invalid ownership metadata` for cluster roles.\n\n\
         Remove one: `helm uninstall` takes no node and no node pool along. One with no replicas does nothing and is no finding."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let own = format!("{}/karpenter", spec.namespace);
        let is_other = |w: &Workload| w.helm_owner.as_ref() != Some(&own);
        let judge = |subject: &str, w: &Workload| if is_without_helm(spec, w) { adopt(subject, w) } else { remove(subject, w) };
        each(situation, NeighbourKind::Karpenter, "other Karpenter", is_other, judge)
    }
}

fn adopt(subject: &str, it: &Workload) -> Judgement {
    let (namespace, name) = (it.namespace.as_str(), it.name.as_str());
    Judgement::fail(subject, format!("Karpenter works in it already, and was not installed by helm: the {} {namespace}/{name}", it.resource))
        .fix("`karpctl bootstrap --adopt` has helm take its objects over, from helm 3.17 on; whatever applies them now (GitOps, kubectl) must stop")
        .fix("or leave Karpenter to what applies it now, and have karpctl make the rest: `karpctl iam`")
}

fn remove(subject: &str, other: &Workload) -> Judgement {
    let (namespace, name) = (other.namespace.as_str(), other.name.as_str());
    let by = other.helm_owner.as_ref().map(|owner| format!(", of the helm release {owner}")).unwrap_or_default();
    let judgement = Judgement::fail(subject, format!("another Karpenter works in it: the {} {namespace}/{name}{by}", other.resource));
    let judgement = match other.helm_owner.as_deref().and_then(|owner| owner.split_once('/')) {
        Some((namespace, release)) => {
            judgement.run("remove that one; its nodes stay", ["helm", "uninstall", release, "--namespace", namespace])
        }
        None => judgement
            .run("stop that one; its nodes stay", ["kubectl", "--namespace", namespace, "scale", &other.resource, name, "--replicas", "0"]),
    };
    judgement.fix(format!("or work with that one: `--namespace {namespace}`"))
}
