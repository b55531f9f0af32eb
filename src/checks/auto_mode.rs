//! Whether EKS Auto Mode already runs a Karpenter in this cluster.

use super::{Check, Judgement, Situation};
use crate::finding::{Area, Verdict};

pub(super) struct AutoMode;

impl Check for AutoMode {
    fn id(&self) -> &'static str {
        "auto-mode"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "EKS Auto Mode is a Karpenter run by AWS on the same NodePool and NodeClaim objects; two controllers would work against each other."
    }

    fn judge(&self, situation: &Situation<'_>) -> Judgement {
        let subject = format!("cluster {}", situation.spec.cluster_name);
        match situation.facts.cluster.known() {
            Some(cluster) if cluster.auto_mode => Judgement::new(Verdict::Fail, subject, "EKS Auto Mode manages this cluster's compute")
                .fix(format!(
                    "turn Auto Mode off first: aws eks update-cluster-config --name {} --compute-config enabled=false …",
                    situation.spec.cluster_name
                ))
                .fix("or stay with Auto Mode: it needs no Karpenter of your own"),
            Some(_) => Judgement::new(Verdict::Pass, subject, "Auto Mode is off"),
            None => Judgement::new(Verdict::Skip, subject, "there is no cluster yet"),
        }
    }
}
