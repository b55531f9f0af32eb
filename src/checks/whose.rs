//! Whose Karpenter is installed. A command that makes a working one into what karpctl would have made is never printed.

use super::judgement::{Judgement, VALUES_WITHIN, installed, of_own_chart};
use super::neighbours::{elsewhere, karpenters};
use crate::facts::{Facts, Neighbours, Probed, Workload};
use crate::knowledge::Release;
use crate::spec::Spec;

/// The Karpenter of the wanted namespace, whoever installed it.
pub(super) fn in_wanted_namespace<'n>(spec: &Spec, neighbours: &'n Neighbours) -> Option<&'n Workload> {
    karpenters(neighbours).find(|w| w.namespace == spec.namespace.as_str())
}

/// Whether the Karpenter of the wanted namespace runs as it should: without credentials it would end.
pub(super) fn works(spec: &Spec, facts: &Facts) -> bool {
    let it = facts.neighbours.known().and_then(|neighbours| in_wanted_namespace(spec, neighbours));
    it.is_some_and(|it| it.desired > 0 && it.ready >= it.desired)
}

/// Whether a Karpenter is installed in the cluster, whoever installed it.
pub(super) enum Presence {
    /// None is, or there is no cluster.
    None,
    /// One is.
    Karpenter,
    /// It could not be seen, for this reason.
    Unseen(String),
}

/// Whether a Karpenter is installed. Read from [`Facts::cluster`], [`Facts::chart_release`] and [`Facts::neighbours`].
pub(super) fn presence(facts: &Facts) -> Presence {
    let by_helm = facts.chart_release.known().is_some_and(installed);
    if by_helm || facts.neighbours.known().is_some_and(|found| karpenters(found).next().is_some()) {
        return Presence::Karpenter;
    }
    if facts.cluster == Probed::Absent {
        return Presence::None;
    }
    match &facts.neighbours {
        Probed::Known(_) | Probed::Absent => Presence::None,
        Probed::Unavailable(reason) => Presence::Unseen(reason.clone()),
        Probed::NotAsked => Presence::Unseen("was not looked at".to_owned()),
    }
}

/// What makes karpctl work with the Karpenter that is there, as it is.
pub(super) fn adopt(spec: &Spec) -> [&str; 6] {
    ["karpctl", "adopt", "--cluster-name", spec.cluster_name.as_str(), "--region", spec.region.as_str()]
}

/// Whether the controller works under the role that the guide makes beside its stack.
pub(super) fn has_guides_roles(spec: &Spec, facts: &Facts) -> bool {
    spec.made_elsewhere.is_none() && facts.stack.known().is_some() && facts.controller_role.known().is_some()
}

/// Whether a Karpenter is installed whose role is none that the spec names.
pub(super) fn has_another_role(facts: &Facts) -> bool {
    facts.controller_role == Probed::Absent && matches!(presence(facts), Presence::Karpenter)
}

/// Whether the Karpenter that is installed works with what another tool made, and nobody has told karpctl with what.
pub(super) fn is_not_ours(spec: &Spec, facts: &Facts) -> bool {
    spec.made_elsewhere.is_none() && facts.stack.known().is_none() && has_another_role(facts)
}

/// Whether helm has no record of the Karpenter that is there: what installed it upgrades it, and brings its CRDs.
pub(super) fn is_unrecorded(facts: &Facts) -> bool {
    !facts.chart_release.known().is_some_and(installed)
}

/// Whether another tool upgrades the Karpenter that is there, or it is to be adopted before: what [`upgraded`] says helps.
pub(super) fn is_not_upgraded_by_us(spec: &Spec, facts: &Facts) -> bool {
    is_unrecorded(facts) || is_not_ours(spec, facts)
}

/// Why nothing is said of what karpctl would have made, where Karpenter works without: see [`is_not_ours`].
pub(super) fn not_ours(spec: &Spec, facts: &Facts, subject: &str) -> Option<Judgement> {
    is_not_ours(spec, facts).then(|| Judgement::skip(subject, "Karpenter works with what another tool made: `karpctl adopt` finds it"))
}

/// What brings a Karpenter that is not ours to this release, in place of a command that would make karpctl's own beside it.
pub(super) fn upgraded(spec: &Spec, facts: &Facts, judgement: Judgement, to: &Release) -> Judgement {
    // What helm did not install is nothing to adopt.
    if is_unrecorded(facts) {
        judgement.fix(format!("{to} is the one to take, with the tool that made what is there"))
    } else {
        judgement.run(format!("{to} is the one to take: first have karpctl work with what is there, then look again"), adopt(spec))
    }
}

/// Ends a look at what is in the wanted namespace, where the cluster's Karpenter is in another one.
pub(super) fn is_elsewhere(spec: &Spec, facts: &Facts, subject: &str) -> Result<(), Judgement> {
    let Some(other) = facts.neighbours.known().and_then(|n| elsewhere(spec, n)) else { return Ok(()) };
    let namespace = &other.namespace;
    Err(Judgement::skip(subject, format!("Karpenter is in the namespace {namespace}: look there, with --namespace {namespace}")))
}

/// Ends a look at the values of a helm release that was not found, where a Karpenter is there all the same.
pub(super) fn has_no_record(spec: &Spec, facts: &Facts, subject: &str) -> Result<(), Judgement> {
    is_elsewhere(spec, facts, subject)?;
    let Some(it) = facts.neighbours.known().and_then(|n| in_wanted_namespace(spec, n)) else { return Ok(()) };
    let by = match &it.helm_owner {
        None => "was installed there without helm".to_owned(),
        Some(owner) => format!("is there by the helm release {owner}, whose record was not found"),
    };
    Err(Judgement::skip(subject, format!("Karpenter {by}: its values are not known")))
}

/// Ends a look at Pod Identity where the controller has its role by IRSA, or may have: no association gives it one.
pub(super) fn has_role_by_irsa(spec: &Spec, facts: &Facts, subject: &str) -> Result<(), Judgement> {
    if facts.association.known().is_some() {
        return Ok(());
    }
    match facts.chart_release.known().filter(|release| installed(release)) {
        None => has_no_record(spec, facts, subject),
        Some(release) if !of_own_chart(release) => Err(Judgement::skip(subject, VALUES_WITHIN)),
        Some(release) => release.annotated_role().map_or(Ok(()), |role| {
            Err(Judgement::skip(subject, format!("the service account has the role {role} by IRSA: look with --identity irsa")))
        }),
    }
}

/// The service account under which the controller works: that of its pods, else that which the live release was told, else the spec's.
pub(super) fn service_account<'f>(spec: &'f Spec, facts: &'f Facts) -> &'f str {
    let of_pods = facts.neighbours.known().and_then(|n| in_wanted_namespace(spec, n)?.service_account.as_deref());
    let told = || {
        let release = facts.chart_release.known().filter(|release| installed(release) && of_own_chart(release))?;
        release.values["serviceAccount"]["name"].as_str().filter(|name| !name.is_empty())
    };
    of_pods.or_else(told).unwrap_or_else(|| spec.service_account())
}

/// Whether a chart of somebody's own brings Karpenter: its release is upgraded there, and never by the chart `karpenter`.
pub(super) fn is_within_another_chart(facts: &Facts) -> bool {
    facts.chart_release.known().is_some_and(|release| installed(release) && !of_own_chart(release))
}

/// What helps instead of installing a release of Karpenter.
pub(super) const UPGRADE_WITHIN: &str = "upgrade it in the chart that brings Karpenter: it names Karpenter's chart among its dependencies";
