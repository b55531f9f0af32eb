//! Upgrades that cannot be made in one hop, by what the releases do and what the cluster stores: pure.

use super::hop_objects::{Comes, Cure, Loss, losses};
use super::looked::{Refusal, looked};
use crate::error::Error;
use crate::facts::Facts;
use crate::knowledge::{Features, KubernetesVersion, NodePoolApi, Release, Standing, image_tag, value_at};
use crate::plan::State;
use crate::shell::command;
use crate::spec::Spec;

/// The kind of node pool that only releases until 0.32 know.
const PROVISIONERS: &str = "provisioners.karpenter.sh";
/// The kind by which releases from 0.28 to 0.32 know their nodes.
const MACHINES: &str = "machines.karpenter.sh";
/// The value of the chart by which it runs its webhooks.
const WEBHOOK_SWITCH: &str = "webhook.enabled";
/// What helps against a hop that is refused.
pub(crate) const HOPS: &str = "each hop is `karpctl bootstrap` with `--karpenter-version`; `karpctl versions` lists the releases";

/// Whether the release that is installed can become the spec's in one hop, and nothing of what is there is lost by it.
pub(super) fn may_hop(spec: &Spec, facts: &Facts) -> Result<(), State> {
    let refused = |why: String| Err(Refusal::new(why).hint(HOPS).into());
    let recorded = facts.chart_release.known().and_then(|found| found.chart_version.parse::<Release>().ok());
    // Without helm's record its image says which it is.
    let installed = recorded.or_else(|| image_tag(&facts.controller.known()?.image)?.parse().ok());
    if let Some(installed) = &installed
        && let Some(why) = skipped_hop(installed, &spec.release, spec.kubernetes)
    {
        return refused(format!("Karpenter {installed} is installed, and {why}"));
    }
    if let Some(installed) = &installed
        && is_converted(installed.features(), spec.release.features())
        && facts.chart_release.known().is_some_and(|found| value_at(&found.values, WEBHOOK_SWITCH) == Some(&false.into()))
    {
        return refused(format!(
            "Karpenter {installed} is installed with the value {WEBHOOK_SWITCH} false: it does not convert its objects, which the CRDs of {} have converted from their first \
             moment on; set it to true first",
            spec.release
        ));
    }
    if let Some(name) = still_stored(facts, spec.release.features()).first() {
        return refused(format!(
            "objects of {name} are still stored as v1beta1: run the newest 1.0 with its CRDs until `kubectl get crd {name} --output jsonpath={{.status.storedVersions}}` says [\"v1\"]"
        ));
    }
    let Some(from) = installed.as_ref().map(Release::features).filter(|from| spec.release.features().may_lose(from)) else {
        return Ok(());
    };
    let objects = looked(&facts.objects)?.map_or(&[][..], Vec::as_slice);
    let lost = losses(Some(from), spec.release.features(), objects).into_iter().find(|loss| loss.comes == Comes::ByUpgrade);
    lost.map_or(Ok(()), |loss| Err(refusal(spec, &loss).into()))
}

/// The refusal of a hop that the chart's step would not make: for a stack without the chart, by which the controller that is there works.
pub(crate) fn refused_hop(spec: &Spec, facts: &Facts) -> Option<Error> {
    match may_hop(spec, facts) {
        Err(state @ State::Blocked { .. }) => Some(state.into_error()),
        _ => None,
    }
}

/// The refusal of an upgrade that loses something, with the cures of the check upgrade-objects.
fn refusal(spec: &Spec, loss: &Loss) -> Refusal {
    let refusal = Refusal::new(format!("Karpenter {} does not read all that is there, {}: {}", spec.release, loss.subject, loss.message));
    let hint = |cure: &Cure| {
        if cure.command.is_empty() { cure.title.clone() } else { format!("{}: `{}`", cure.title, command(&cure.command)) }
    };
    loss.cures.iter().map(hint).fold(refusal, Refusal::hint)
}

/// Why there must be another release between these two.
pub(crate) fn skipped_hop(from: &Release, to: &Release, kubernetes: KubernetesVersion) -> Option<&'static str> {
    between(from.features(), to.features()).or_else(|| {
        // One that does not run on the cluster's Kubernetes is no way: then writes fail until the new controller is there.
        let bridge = !converts(from.features()) && from.latest_patch().fits(kubernetes);
        (bridge && is_converted(from.features(), to.features())).then_some(
            "its chart runs no conversion webhook, which 1.0's CRDs ask for from their first moment on, while it still runs: upgrade to the newest patch of its minor first, then go on",
        )
    })
}

/// Whether its controller converts objects, as its chart installs it.
const fn converts(features: &Features) -> bool {
    features.conversion_webhook && features.admission_webhooks
}

/// Whether the upgrade has its objects converted from v1beta1 to v1.
fn is_converted(from: &Features, to: &Features) -> bool {
    from.node_pool_api == NodePoolApi::V1Beta1 && to.node_pool_api == NodePoolApi::V1 && to.conversion_webhook
}

/// The release that comes first between these two, where there is a way. `None`: it is one hop, or there is none.
pub(crate) fn first_hop(from: &Release, to: &Release, kubernetes: KubernetesVersion) -> Option<Release> {
    use NodePoolApi::{V1, V1Alpha5, V1Beta1};
    skipped_hop(from, to, kubernetes)?;
    let newest = |bridges: fn(&Features) -> bool| {
        let may =
            |release: &Release| release.standing() == Standing::Known && *release == release.latest_patch() && bridges(release.features());
        Release::all().into_iter().rev().find(may)
    };
    match (from.features().node_pool_api, to.features().node_pool_api) {
        (V1Alpha5, V1Beta1 | V1) if !knows(from.features(), MACHINES) => newest(|features| features.node_pool_api == V1Alpha5),
        (V1Alpha5, V1Beta1 | V1) => newest(|features| features.node_pool_api == V1Beta1 && knows(features, PROVISIONERS)),
        (V1Beta1, V1) if knows(from.features(), PROVISIONERS) => {
            newest(|features| features.node_pool_api == V1Beta1 && !knows(features, PROVISIONERS))
        }
        (V1Beta1, V1) if *from != from.latest_patch() => Some(from.latest_patch()),
        (V1Beta1, V1) => newest(|features| features.node_pool_api == V1 && features.conversion_webhook),
        _ => None,
    }
}

fn between(from: &Features, to: &Features) -> Option<&'static str> {
    use NodePoolApi::{V1, V1Alpha5, V1Beta1};
    let converts = to.conversion_webhook;
    match (from.node_pool_api, to.node_pool_api) {
        (V1Alpha5, V1Beta1 | V1) if !knows(from, MACHINES) => Some(
            "0.32 takes over the nodes of 0.31, which gives each a Machine: upgrade to the newest 0.31 first, then to the newest 0.32, then go on",
        ),
        (V1Alpha5, V1Beta1 | V1) if !knows(to, PROVISIONERS) => Some(
            "only 0.32 knows both its Provisioners and the NodePools of later releases: upgrade to the newest 0.32 first, move to NodePools, then go on",
        ),
        (V1Beta1, V1) if knows(from, PROVISIONERS) => {
            Some("1.0 takes over from 0.33 to 0.37 alone: move to NodePools, upgrade to the newest 0.37, then go on")
        }
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
