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
        "Most releases of Karpenter log an unsupported Kubernetes version once and go on; what breaks later (AMIs, APIs) does not name the cause."
    }

    fn explain(&self) -> &'static str {
        "Compares the cluster's Kubernetes with the oldest and the newest that the release's own source names \
         (pkg/providers/version/version.go).\n\nWhat people see: `karpenter version is not compatible with K8s version 1.34`, since 1.5 `karpenter \
         is not compatible with kubernetes version`. Most releases log it once and go on, and what breaks later does not name the cause; 1.1.0 \
         and 1.1.1 end at once with `panic: validating kubernetes version`.\n\nCure: a release that fits, which the finding names; `karpctl \
         versions` shows the range of each. Karpenter goes first where the cluster is upgraded too."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let release = &spec.release;
        let kubernetes = situation.kubernetes(&format!("Karpenter {release}"))?;
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
