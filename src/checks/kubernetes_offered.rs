//! Whether EKS still creates clusters of this Kubernetes version.

use super::{Check, Judged, Judgement, Situation, makes_cluster, makes_none};
use crate::facts::{Probed, Topic};
use crate::finding::Area;
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

    fn explain(&self) -> &'static str {
        "Asks EKS which versions it creates clusters of (eks:DescribeClusterVersions); where that may not be asked, the calendar in karpctl's \
         table stands in.\n\nWhat people see otherwise: `invalid version, 1.30 is no longer supported, supported values: …` of eksctl, or \
         `InvalidParameterException: unsupported Kubernetes version` of EKS.\n\nCure: a newer Kubernetes, and a Karpenter that fits it (`karpctl \
         versions`). A cluster that is there is not looked at: see kubernetes-support."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterVersions]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip(format!("Kubernetes {}", spec.kubernetes), makes_none(situation.facts)));
        }
        let kubernetes = situation.kubernetes("Kubernetes")?;
        let subject = format!("Kubernetes {kubernetes}");
        // What EKS says decides; the table stands in where it cannot be asked.
        let offered = match situation.facts.cluster_versions.known() {
            Some(versions) if !versions.is_empty() => versions.iter().any(|offered| offered.version == kubernetes),
            _ => kubernetes.offered_by_eks(situation.today),
        };
        if offered {
            let unasked = match &situation.facts.cluster_versions {
                Probed::Unavailable(reason) => format!(", by its calendar: it could not be asked: {reason}"),
                _ => String::new(),
            };
            return Ok(vec![Judgement::pass(subject, format!("EKS creates clusters of it{unasked}"))]);
        }
        let release = &spec.release;
        let newest = Release::newest();
        let judgement = Judgement::fail(
            subject,
            format!(
                "EKS creates no cluster of Kubernetes {kubernetes} any more, so Karpenter {release} cannot be had on a new one this way"
            ),
        )
        .fix(format!("take a Karpenter that fits a Kubernetes that EKS offers: --karpenter-version {newest}"))
        .fix("or use a cluster that you have: --existing-cluster");
        Ok(vec![judgement])
    }
}
