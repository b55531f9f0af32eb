//! Commands that install a chart, as they are printed.

use super::judgement::installed;
use crate::facts::{Facts, HelmRelease};
use crate::knowledge::{CHART, CRD_CHART, Release, WEBHOOK_PORT};
use crate::spec::{Identity, Spec};

/// Changes these values of Karpenter's live release and nothing else of it.
pub(super) fn set_values(spec: &Spec, release: &HelmRelease, values: impl IntoIterator<Item = String>) -> Vec<String> {
    let (chart, namespace) = (spec.chart_reference(), spec.namespace.as_str());
    let command = ["helm", "upgrade", CHART, &chart, "--version", &release.chart_version, "--namespace", namespace, "--reuse-values"];
    let mut words: Vec<String> = command.map(str::to_owned).into();
    for value in values {
        words.extend(["--set".to_owned(), value]);
    }
    words
}

/// Installs the CRDs of a release by their own chart, over what another tool wrote.
pub(super) fn install_crds(spec: &Spec, release: &Release, facts: &Facts) -> Vec<String> {
    let (chart, version, namespace) = (spec.crd_chart_reference(), release.chart_version(), spec.namespace.as_str());
    let mut words: Vec<String> =
        ["helm", "upgrade", "--install", CRD_CHART, &chart, "--version", &version, "--namespace", namespace].map(str::to_owned).into();
    if release.features().conversion_webhook {
        let place =
            format!("webhook.enabled=true,webhook.serviceName={CHART},webhook.serviceNamespace={namespace},webhook.port={WEBHOOK_PORT}");
        words.extend(["--set".to_owned(), place]);
    }
    if facts.helm.known().is_some_and(|helm| helm.version.applies_server_side()) {
        let converts = facts.crds.known().is_some_and(|crds| crds.values().any(|crd| crd.conversion.is_some()));
        if converts && !release.features().conversion_webhook {
            // What the controller wrote of its conversion would stay where the rest of it goes.
            words.push("--server-side=false".to_owned());
        } else {
            words.extend(["--server-side=true".to_owned(), "--force-conflicts".to_owned()]);
        }
    }
    words
}

/// Installs this release of Karpenter where there is one of the same minor, with its controller's credentials by the way that is there.
pub(super) fn install(spec: &Spec, facts: &Facts, release: &Release) -> Vec<String> {
    with_release("install", spec, facts, release)
}

/// The same where there is one of another minor: with the permissions that this one needs.
pub(super) fn bootstrap(spec: &Spec, facts: &Facts, release: &Release) -> Vec<String> {
    with_release("bootstrap", spec, facts, release)
}

fn with_release(by: &str, spec: &Spec, facts: &Facts, release: &Release) -> Vec<String> {
    let (name, region, version) = (spec.cluster_name.as_str(), spec.region.as_str(), release.to_string());
    // The default namespace is another for old releases.
    let namespace = spec.namespace.as_str();
    // So is the default identity, and a spec file may say another one.
    let said = |identity: &Identity| [spec.identity, Identity::usual(release.features())].iter().any(|usual| usual != identity);
    let identity = identity(facts).filter(said);
    let words = [
        "karpctl",
        by,
        "--cluster-name",
        name,
        "--region",
        region,
        "--existing-cluster",
        "--namespace",
        namespace,
        "--karpenter-version",
        &version,
    ];
    words.into_iter().chain(identity.into_iter().flat_map(|identity| ["--identity", identity.as_str()])).map(str::to_owned).collect()
}

/// How the controller that is there gets its credentials. `None`: nothing says so.
fn identity(facts: &Facts) -> Option<Identity> {
    if facts.chart_release.known().is_some_and(|release| installed(release) && release.annotated_role().is_some()) {
        return Some(Identity::Irsa);
    }
    facts.association.known().map(|_| Identity::PodIdentity)
}
