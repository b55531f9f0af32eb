//! A Karpenter that karpctl does not install, or no longer: of another helm release, of `GitOps`, of kubectl. karpctl does not take it away.

use super::helm_release::{is_there, made_by_karpctl};
use super::looked::Refusal;
use super::node_pool::deletion;
use crate::error::Error;
use crate::facts::{ControllerFacts, Declared, Facts, HelmRelease, Probed};
use crate::knowledge::CHART;
use crate::probe::controller::{ARGO_MARK, FLUX_MARK, SELECTOR};
use crate::shell::quoted;
use crate::spec::{ClusterMode, Spec};

/// The Karpenter that is there where `GitOps` would put it back, whatever helm's record says (Argo CD applies over a release of helm's and leaves the
/// record, Flux goes on with the release of that name), or where helm keeps no record by which karpctl could take it away.
fn of_another(facts: &Facts) -> Option<&ControllerFacts> {
    let no_record = |release: &Probed<HelmRelease>| match release {
        Probed::Known(found) => !is_there(found),
        Probed::Absent => true,
        Probed::NotAsked | Probed::Unavailable(_) => false,
    };
    facts.controller.known().filter(|found| found.declared.is_some() || no_record(&facts.chart_release))
}

/// Whether another tool than karpctl installs the Karpenter that is there.
pub(crate) fn is_of_another_installer(facts: &Facts) -> bool {
    of_another(facts).is_some()
}

/// Why that one, and what it works with, stays on the way back; where it is in another namespace, its own.
pub(super) fn of_other_installer(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    let found = of_another(facts).filter(|_| spec.cluster == ClusterMode::Existing)?;
    Some(Refusal::new(format!("somebody else installed the Karpenter in {}: {}", found.namespace, by(spec, found))))
}

/// The same where it is in the namespace in which karpctl's would be.
pub(super) fn in_our_place(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    let is_here = of_another(facts).is_some_and(|found| found.namespace == spec.namespace.as_str());
    of_other_installer(spec, facts).filter(|_| is_here)
}

/// Why a removal that leaves the cluster is not begun: a Karpenter would go on without the role, the queue and the node role that it works by.
#[must_use]
pub fn refused_by_installer(spec: &Spec, facts: &Facts) -> Option<Error> {
    let found = of_another(facts).filter(|found| works_by_ours(spec, facts, found))?;
    let refusal = Error::refused(format!("Karpenter of cluster {} is not taken away; nothing was changed", spec.cluster_name))
        .because(format!("karpctl does not take away what another installs: {}", by(spec, found)))
        .because("it works by the role and the stack that karpctl made, and would go on without them");
    let pools = facts.node_pool.known().map(|_| format!("have it end its nodes first, while it runs: `{}`", deletion(spec)));
    let refusal = pools.into_iter().fold(refusal, Error::hint);
    let refusal = refusal.hint(removal(spec, found));
    let stale = facts.chart_release.known().filter(|release| is_there(release)).and_then(|_| without_mark(found));
    Some(stale.into_iter().fold(refusal, Error::hint).hint("then run this again: the rest is karpctl's"))
}

/// Whether it has karpctl's role. Where none can be seen, one in the place of karpctl's is taken to have it.
fn works_by_ours(spec: &Spec, facts: &Facts, found: &ControllerFacts) -> bool {
    if spec.cluster == ClusterMode::Managed || spec.made_elsewhere.is_some() || !made_by_karpctl(spec, facts) {
        return false;
    }
    let is_here = found.namespace == spec.namespace.as_str();
    let associated = facts.association.known().filter(|_| is_here).map(|association| &association.role_arn);
    associated.or(found.role.as_ref()).map_or(is_here, |role| role == spec.controller_role_arn().as_str())
}

/// By what it is there.
fn by(spec: &Spec, found: &ControllerFacts) -> String {
    match (&found.declared, &found.helm_owner) {
        (Some(declared), _) => format!("it is of {declared}"),
        (None, Some(owner)) if *owner == release(spec.namespace.as_str()) => format!("helm keeps no record there of its release {owner}"),
        (None, Some(owner)) => format!("it is of the helm release {owner}"),
        (None, None) => "it was installed without helm".to_owned(),
    }
}

/// Why what karpctl changes would not last, though helm has its record: `GitOps` declares the objects, and puts them back as it has them.
pub(super) fn put_back(spec: &Spec, facts: &Facts) -> Option<String> {
    let found = facts.controller.known().filter(|found| found.declared.is_some())?;
    Some(format!("what is changed of the Karpenter in {} is put back: {}", found.namespace, by(spec, found)))
}

/// The release that karpctl makes in a namespace.
fn release(namespace: &str) -> String {
    format!("{namespace}/{CHART}")
}

/// What takes it away.
fn removal(spec: &Spec, found: &ControllerFacts) -> String {
    let is_release = |namespace: &str| found.helm_owner.as_deref() == Some(&release(namespace));
    let place = |name: &str| name.split_once('/').map(|(namespace, name)| (quoted(namespace), quoted(name)));
    match (&found.declared, found.helm_owner.as_deref().and_then(place)) {
        (Some(Declared::HelmRelease(name)), _) => {
            let (namespace, name) = place(name).unwrap_or_default();
            format!(
                "take that HelmRelease out of the source from which Flux applies it, or, where it has none: \
                 `kubectl --namespace {namespace} delete helmreleases.helm.toolkit.fluxcd.io {name}`, which takes all in its release away"
            )
        }
        (Some(Declared::Application(name)), _) => format!(
            "take Karpenter out of that Application's source and have it pruned, or, where nothing else is in it, and nothing makes it anew: \
             `argocd app delete {}`, which takes all in it away",
            quoted(name)
        ),
        (None, Some((namespace, _))) if is_release(&found.namespace) && found.namespace != spec.namespace.as_str() => {
            format!("the same command with `--namespace {namespace}` takes it away")
        }
        (None, Some((namespace, name))) if !is_release(&found.namespace) => {
            format!("take it away, with all that is in its release: `helm uninstall {name} --namespace {namespace} --wait`")
        }
        _ => format!(
            "take it away with what installed it (GitOps, kubectl); `kubectl --namespace {} get deployments {CHART} --output yaml` may say what",
            quoted(&found.namespace)
        ),
    }
}

/// What takes off the mark of one that is gone: helm's record is there, so karpctl can take the rest away.
fn without_mark(found: &ControllerFacts) -> Option<String> {
    let (verb, mark) = match found.declared.as_ref()? {
        Declared::HelmRelease(_) => ("label", FLUX_MARK),
        Declared::Application(_) => ("annotate", ARGO_MARK),
    };
    let namespace = quoted(&found.namespace);
    Some(format!(
        "if that one is gone, and only its mark is left: `kubectl --namespace {namespace} {verb} deployments --selector {SELECTOR} {mark}-`"
    ))
}
