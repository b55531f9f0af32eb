//! What the checks of other workloads in the cluster have in common.

use super::judgement::read;
use super::{Judged, Judgement, Situation};
use crate::facts::{NeighbourKind, Neighbours, Workload};
use crate::knowledge::{Release, image_tag};
use crate::spec::Spec;

/// A judgement for each workload of this kind that works in the cluster and is meant; where there is none, that `none` does.
pub(super) fn each(
    situation: &Situation<'_>,
    kind: NeighbourKind,
    none: &str,
    is_meant: impl Fn(&Workload) -> bool,
    judge: impl Fn(&str, &Workload) -> Judgement,
) -> Judged {
    let subject = format!("cluster {}", situation.spec()?.cluster_name);
    let Some(neighbours) = read(&subject, &situation.facts.neighbours)? else {
        return Err(Judgement::skip(subject, "there is no cluster yet"));
    };
    let found = neighbours.workloads.iter().filter(|w| w.what == kind && w.desired > 0 && is_meant(w));
    let said: Vec<Judgement> = found.map(|w| judge(&subject, w)).collect();
    Ok(if said.is_empty() { vec![Judgement::pass(subject, format!("no {none} works in it"))] } else { said })
}

/// Every Karpenter of the cluster, whoever installed it, also one without replicas.
pub(super) fn karpenters(neighbours: &Neighbours) -> impl Iterator<Item = &Workload> {
    neighbours.workloads.iter().filter(|w| w.what == NeighbourKind::Karpenter)
}

/// Those that have replicas.
pub(super) fn working_karpenters(neighbours: &Neighbours) -> impl Iterator<Item = &Workload> {
    karpenters(neighbours).filter(|w| w.desired > 0)
}

/// The cluster's Karpenter: one with replicas before one without, and then that of the wanted namespace before others.
pub(super) fn karpenter<'n>(spec: &Spec, neighbours: &'n Neighbours) -> Option<&'n Workload> {
    karpenters(neighbours).max_by_key(|w| (w.desired > 0, w.namespace == spec.namespace.as_str()))
}

/// The cluster's Karpenter, where it is in another namespace than the wanted one.
pub(super) fn elsewhere<'n>(spec: &Spec, neighbours: &'n Neighbours) -> Option<&'n Workload> {
    karpenter(spec, neighbours).filter(|w| w.namespace != spec.namespace.as_str())
}

/// The release of a Karpenter, as the tag of its image says it.
pub(super) fn release_of(workload: &Workload) -> Option<Release> {
    image_tag(workload.image.as_deref()?)?.parse().ok()
}

/// Whether it is a Karpenter that stands where this spec installs Karpenter, and helm did not put it there.
pub(super) fn is_without_helm(spec: &Spec, workload: &Workload) -> bool {
    workload.what == NeighbourKind::Karpenter
        && workload.helm_owner.is_none()
        && workload.namespace == spec.namespace.as_str()
        && workload.name == "karpenter"
}
