//! Upgrades that cannot be made in one hop, by what the releases do and what the cluster stores: pure.

use crate::facts::Facts;
use crate::knowledge::{Features, NodePoolApi, Release};
use crate::spec::Spec;

/// What helps against a hop that is refused.
pub(super) const HOPS: &str = "each hop is `karpctl install` with `--karpenter-version`; `karpctl versions` lists the releases";

/// Why the release that is installed cannot be changed to the spec's in one hop, and which hop comes first.
pub(super) fn refused_hop(spec: &Spec, facts: &Facts) -> Option<String> {
    let target = spec.release.features();
    let installed = facts.chart_release.known().and_then(|found| found.chart_version.parse::<Release>().ok());
    if let Some(installed) = installed
        && let Some(why) = between(&installed.features(), &target)
    {
        return Some(format!("Karpenter {installed} is installed, and {why}"));
    }
    stored(facts, &target)
}

fn between(from: &Features, to: &Features) -> Option<&'static str> {
    use NodePoolApi::{V1, V1Alpha5, V1Beta1};
    let converts = to.conversion_webhook;
    match (from.node_pool_api, to.node_pool_api) {
        (V1Alpha5, V1Beta1 | V1) if !knows(to, "provisioners.karpenter.sh") => Some(
            "only 0.32 knows both its Provisioners and the NodePools of later releases: upgrade to the newest 0.32 first, move to NodePools, then go on",
        ),
        (V1Beta1, V1) if !converts => Some(
            "its objects are v1beta1, which only 1.0 converts: upgrade to the newest patch of its minor, then to the newest 1.0, then go on",
        ),
        (V1, V1Beta1 | V1Alpha5) | (V1Beta1, V1Alpha5) => {
            Some("an older release cannot read its objects: there is no way back to an older API but to destroy and make anew")
        }
        _ => None,
    }
}

fn knows(features: &Features, crd: &str) -> bool {
    features.crds.iter().any(|name| name == crd)
}

/// A release without conversion drops the old version from its CRDs, which the API server refuses while objects are stored in it.
fn stored(facts: &Facts, to: &Features) -> Option<String> {
    if to.node_pool_api != NodePoolApi::V1 || to.conversion_webhook {
        return None;
    }
    let ours = |name: &str| ["nodepools.", "nodeclaims.", "ec2nodeclasses."].iter().any(|kind| name.starts_with(kind));
    let (name, _) = facts.crds.known()?.iter().find(|(name, crd)| ours(name) && crd.stored.iter().any(|v| v == "v1beta1"))?;
    Some(format!(
        "objects of {name} are still stored as v1beta1: run the newest 1.0 with its CRDs until `kubectl get crd {name} --output jsonpath={{.status.storedVersions}}` says [\"v1\"]"
    ))
}
