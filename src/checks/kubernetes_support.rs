//! How long EKS goes on supporting the cluster's Kubernetes.

use super::judgement::{installed_release, read};
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster};
use crate::facts::{Probed, Topic};
use crate::finding::Area;
use crate::knowledge::{KubernetesVersion, Release, Support};
use crate::spec::Spec;
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
         Karpenter is in it. A cluster whose upgradePolicy is STANDARD has no extended support: EKS upgrades it at the end of standard support, \
         which fails here where the Karpenter that is in it does not fit the next version. A warning from 60 days before the end of \
         standard support on.\n\nCure: upgrade one minor version at a time, with a \
         Karpenter that fits both before and after (see kubernetes-fit); a cluster that is yet to be made is made of a newer one. A version that neither has dates for is skipped."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterVersions, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("Kubernetes {}", spec.kubernetes);
        // The version of a cluster that may not be looked at is not known: the spec's would be that of another one.
        let cluster = read(&subject, &situation.facts.cluster)?;
        if cluster.is_none() && !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        }
        let (support, source) = told(situation, spec.kubernetes);
        if cluster.is_some_and(|cluster| cluster.standard_support_only) {
            return by_itself(situation, subject, support, &source);
        }
        let cure = |judgement: Judgement| {
            if cluster.is_none() {
                return judgement.fix(make_newer(situation, spec));
            }
            let (title, upgrade) = upgrade(spec);
            judgement.run(title, upgrade)
        };
        Ok(vec![match support {
            Support::Unknown => return Err(Judgement::skip(subject, format!("{source} has no dates for it"))),
            Support::Standard { until } if until > situation.today.saturating_add(SOON.days()) => {
                Judgement::pass(subject, format!("in standard support until {until}, by {source}"))
            }
            Support::Standard { until } => cure(Judgement::warn(
                subject,
                format!("standard support ends on {until}, by {source}; extended support is billed from then on"),
            )),
            Support::Extended { until } => {
                cure(Judgement::warn(subject, format!("in extended support, which is billed, until {until}, by {source}")))
            }
            Support::Ended { since } => {
                cure(Judgement::warn(subject, format!("support ended on {since}, by {source}: EKS upgrades it by itself")))
            }
        }])
    }
}

/// Of a cluster that EKS keeps in no extended support: nothing is billed when standard support ends, and EKS waits for nobody.
fn by_itself(situation: &Situation<'_>, subject: String, support: Support, source: &str) -> Judged {
    let spec = situation.spec()?;
    let next = spec.kubernetes.plus(1);
    let ends = match support {
        Support::Unknown => return Err(Judgement::skip(subject, format!("{source} has no dates for it"))),
        Support::Standard { until } if until > situation.today.saturating_add(SOON.days()) => {
            let message =
                format!("in standard support until {until}, by {source}; EKS upgrades it by itself then (upgradePolicy STANDARD)");
            return Ok(vec![Judgement::pass(subject, message)]);
        }
        Support::Standard { until } => format!("ends on {until}"),
        Support::Extended { .. } | Support::Ended { .. } => "has ended".to_owned(),
    };
    let message =
        format!("standard support {ends}, by {source}: EKS upgrades it to {next} by itself from then on (upgradePolicy STANDARD)");
    // What stands there now is what meets the new Kubernetes.
    let release = installed_release(situation, &subject).ok().flatten().unwrap_or_else(|| spec.release.clone());
    let judgement = if release.fits(next) {
        Judgement::warn(subject, message)
    } else {
        Judgement::fail(subject, format!("{message}, and Karpenter {release} does not fit that"))
    };
    let (title, upgrade) = upgrade(spec);
    let judgement = judgement.run(title, upgrade);
    let stay = aws(spec, "eks", "update-cluster-config").into_iter().chain(["--name", spec.cluster_name.as_str()]);
    Ok(vec![match support {
        Support::Standard { .. } => {
            let stay = stay.chain(["--upgrade-policy", "supportType=EXTENDED"]);
            judgement.run("or have it stay where it is, in extended support, which is billed", stay)
        }
        _ => judgement,
    }])
}

/// What helps before there is a cluster: the newest Kubernetes that EKS makes one of and Karpenter fits.
fn make_newer(situation: &Situation<'_>, spec: &Spec) -> String {
    let offered: Vec<KubernetesVersion> = match situation.facts.cluster_versions.known() {
        Some(versions) if !versions.is_empty() => versions.iter().map(|offered| offered.version).collect(),
        _ => KubernetesVersion::all().filter(|version| version.offered_by_eks(situation.today)).collect(),
    };
    match offered.into_iter().filter(|version| *version > spec.kubernetes && spec.release.fits(*version)).max() {
        Some(newest) => format!("make the cluster of a newer Kubernetes: --kubernetes-version {newest}"),
        None => format!("take a Karpenter that fits a newer Kubernetes: --karpenter-version {}", Release::newest()),
    }
}

/// The upgrade by a minor version, and what it takes.
fn upgrade(spec: &Spec) -> (String, Vec<String>) {
    let next = spec.kubernetes.plus(1).to_string();
    let words = aws(spec, "eks", "update-cluster-version").into_iter();
    let words = words.chain(["--name", spec.cluster_name.as_str(), "--kubernetes-version", next.as_str()]);
    (format!("upgrade the cluster to {next}, with a Karpenter that fits both"), words.map(str::to_owned).collect())
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
