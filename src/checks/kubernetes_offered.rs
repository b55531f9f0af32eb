//! Whether EKS still creates clusters of this Kubernetes version.

use super::{Check, Judgement, Situation};
use crate::finding::{Area, Verdict};
use crate::knowledge::Release;

pub(super) struct KubernetesOffered;

impl Check for KubernetesOffered {
    fn id(&self) -> &'static str {
        "kubernetes-offered"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "EKS refuses to create a cluster of a version whose support has ended, after everything else has been made."
    }

    fn judge(&self, situation: &Situation<'_>) -> Judgement {
        let kubernetes = situation.spec.kubernetes;
        let subject = format!("Kubernetes {kubernetes}");
        if !situation.makes_cluster() {
            return Judgement::new(Verdict::Skip, subject, "no cluster is made");
        }
        // What EKS says decides; the table stands in where it cannot be asked.
        let offered = match situation.facts.cluster_versions.known() {
            Some(versions) if !versions.is_empty() => versions.contains(&kubernetes),
            _ => kubernetes.offered_by_eks(situation.today),
        };
        if offered {
            return Judgement::new(Verdict::Pass, subject, "EKS creates clusters of it");
        }
        let release = &situation.spec.release;
        let newest = Release::newest();
        Judgement::new(
            Verdict::Fail,
            subject,
            format!(
                "EKS creates no cluster of Kubernetes {kubernetes} any more, so Karpenter {release} cannot be had on a new one this way"
            ),
        )
        .fix(format!("take a Karpenter that fits a Kubernetes that EKS offers: --karpenter-version {newest}"))
        .fix("or use a cluster that you have: --existing-cluster")
    }
}
