//! How long EKS goes on supporting the cluster's Kubernetes.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Probed, Topic};
use crate::finding::Area;
use crate::knowledge::{KubernetesVersion, Support};
use jiff::ToSpan as _;

pub(super) struct KubernetesSupport;

/// How many days before its end standard support is worth a word.
const SOON: i32 = 60;

impl Check for KubernetesSupport {
    fn id(&self) -> &'static str {
        "kubernetes-support"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "In extended support a cluster costs several times as much per hour, and at its end EKS upgrades the control plane by itself."
    }

    fn explain(&self) -> &'static str {
        "Compares the cluster's Kubernetes with the dates that EKS gives it (eks:DescribeClusterVersions); where EKS gives none or may not be \
         asked, karpctl's own table stands in, and the finding says so. Standard support is followed by extended \
         support, in which the control plane costs several times as much, and at its end EKS upgrades the control plane by itself, whatever \
         Karpenter is in it. A warning from 60 days before the end of standard support on. Cure: upgrade one minor version at a time, with a \
         Karpenter that fits both before and after (see kubernetes-fit). A version that neither has dates for is skipped."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterVersions]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("Kubernetes {}", spec.kubernetes);
        // The version of a cluster that may not be looked at is not known: the spec's would be that of another one.
        read(&subject, &situation.facts.cluster)?;
        let next = spec.kubernetes.plus(1).to_string();
        let upgrade = ["aws", "eks", "update-cluster-version", "--region", spec.region.as_str(), "--name", spec.cluster_name.as_str()];
        let upgrade = upgrade.into_iter().chain(["--kubernetes-version", next.as_str()]);
        let title = format!("upgrade the cluster to {next}, with a Karpenter that fits both");
        let (support, source) = told(situation, spec.kubernetes);
        Ok(vec![match support {
            Support::Unknown => return Err(Judgement::skip(subject, format!("{source} has no dates for it"))),
            Support::Standard { until } if until > situation.today.saturating_add(SOON.days()) => {
                Judgement::pass(subject, format!("in standard support until {until}, by {source}"))
            }
            Support::Standard { until } => {
                Judgement::warn(subject, format!("standard support ends on {until}, by {source}; extended support is billed from then on"))
                    .run(title, upgrade)
            }
            Support::Extended { until } => {
                Judgement::warn(subject, format!("in extended support, which is billed, until {until}, by {source}")).run(title, upgrade)
            }
            Support::Ended { since } => {
                Judgement::warn(subject, format!("support ended on {since}, by {source}: EKS upgrades it by itself")).run(title, upgrade)
            }
        }])
    }
}

/// What is known of a version, and who says it: EKS, or else the table.
fn told(situation: &Situation<'_>, kubernetes: KubernetesVersion) -> (Support, String) {
    let versions = &situation.facts.cluster_versions;
    let offered = versions.known().and_then(|all| all.iter().find(|offered| offered.version == kubernetes));
    match offered.map_or(Support::Unknown, |offered| offered.support(situation.today)) {
        Support::Unknown => {
            let why = match versions {
                Probed::Known(_) => "no dates of EKS are known".to_owned(),
                Probed::Unavailable(reason) => format!("EKS could not be asked: {reason}"),
                Probed::Absent | Probed::NotAsked => "EKS was not asked".to_owned(),
            };
            (kubernetes.support(situation.today), format!("karpctl's table ({why})"))
        }
        by_eks => (by_eks, "EKS's own dates".to_owned()),
    }
}
