//! helm's commands as they are printed.

use crate::facts::HelmRelease;
use crate::spec::Spec;

/// Changes these values of Karpenter's live release and nothing else of it.
pub(super) fn set_values(spec: &Spec, release: &HelmRelease, values: impl IntoIterator<Item = String>) -> Vec<String> {
    let (chart, namespace) = (spec.chart_reference(), spec.namespace.as_str());
    let command = ["helm", "upgrade", "karpenter", &chart, "--version", &release.chart_version, "--namespace", namespace, "--reuse-values"];
    let mut words: Vec<String> = command.map(str::to_owned).into();
    for value in values {
        words.extend(["--set".to_owned(), value]);
    }
    words
}
