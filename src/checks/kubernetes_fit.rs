//! Whether the Karpenter release supports the cluster's Kubernetes.

use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Release;

pub(super) struct KubernetesFit;

impl Check for KubernetesFit {
    fn id(&self) -> &'static str {
        "kubernetes-fit"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Karpenter logs an unsupported Kubernetes version once and goes on; what breaks later (AMIs, APIs) does not name the cause."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let (release, kubernetes) = (&spec.release, spec.kubernetes);
        let (oldest, newest) = release.kubernetes_range();
        let subject = format!("Karpenter {release}, Kubernetes {kubernetes}");
        if release.fits(kubernetes) {
            return Ok(vec![Judgement::pass(subject, format!("supported: {oldest} to {newest}"))]);
        }
        let judgement = Judgement::fail(subject, format!("Karpenter {release} supports Kubernetes {oldest} to {newest}, not {kubernetes}"));
        Ok(vec![match Release::default_for(kubernetes) {
            Some(fitting) => judgement.fix(format!("take a Karpenter that fits: --karpenter-version {fitting}")),
            None => judgement.fix(format!("use a cluster with Kubernetes {oldest} to {newest}")),
        }])
    }
}
