//! Upgrades that cannot be made in one hop, by what the releases do and what the cluster stores: pure.

use crate::facts::Facts;
use crate::knowledge::{Features, NodePoolApi, Release};
use crate::spec::Spec;

/// What helps against a hop that is refused.
pub(crate) const HOPS: &str = "each hop is `karpctl install` with `--karpenter-version`; `karpctl versions` lists the releases";

/// Why the release that is installed cannot be changed to the spec's in one hop, and which hop comes first.
pub(super) fn refused_hop(spec: &Spec, facts: &Facts) -> Option<String> {
    let installed = facts.chart_release.known().and_then(|found| found.chart_version.parse::<Release>().ok());
    if let Some(installed) = installed
        && let Some(why) = skipped_hop(&installed, &spec.release)
    {
        return Some(format!("Karpenter {installed} is installed, and {why}"));
    }
    let held = still_stored(facts, spec.release.features());
    held.first().map(|name| {
        format!(
            "objects of {name} are still stored as v1beta1: run the newest 1.0 with its CRDs until `kubectl get crd {name} --output jsonpath={{.status.storedVersions}}` says [\"v1\"]"
        )
    })
}

/// Why there must be another release between these two.
pub(crate) fn skipped_hop(from: &Release, to: &Release) -> Option<&'static str> {
    between(from.features(), to.features())
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

/// The CRDs of which objects may be stored in a version that the release drops: without conversion the API server refuses that.
pub(crate) fn still_stored<'f>(facts: &'f Facts, to: &Features) -> Vec<&'f str> {
    if to.node_pool_api != NodePoolApi::V1 || to.conversion_webhook {
        return Vec::new();
    }
    let ours = |name: &str| ["nodepools.", "nodeclaims.", "ec2nodeclasses."].iter().any(|kind| name.starts_with(kind));
    let crds = facts.crds.known().into_iter().flatten();
    crds.filter(|(name, crd)| ours(name) && crd.stored.iter().any(|v| v == "v1beta1")).map(|(name, _)| name.as_str()).collect()
}
