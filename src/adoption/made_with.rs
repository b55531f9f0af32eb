//! With which settings karpctl's own Karpenter was made, as far as what is there shows them.

use super::values;
use crate::facts::Facts;
use crate::knowledge::value_at;
use crate::spec::layer::Layer;
use crate::spec::{Identity, Spec};

/// What only a flag may have said when it was made, and would be undone by whoever says nothing of it: how the controller gets credentials, the
/// boundary of its role, and that the cluster is private. `spec` says what the chart is told besides.
#[must_use]
pub fn made_with(spec: &Spec, facts: &Facts) -> Layer {
    let release = facts.chart_release.known().filter(|release| release.status != "uninstalled");
    let associated = facts.association.known().map(|_| Identity::PodIdentity);
    let annotated = || release.and_then(|release| release.annotated_role()).map(|_| Identity::Irsa);
    let path = spec.release.features().isolated_vpc_path().filter(|path| value_at(&serde_json::json!(spec.chart.values), path).is_none());
    let isolated = path.zip(release).and_then(|(path, release)| values::flag(&release.values, path));
    Layer {
        identity: associated.or_else(annotated).map(|identity| identity.as_str().to_owned()),
        permissions_boundary: facts.controller_role.known().and_then(|role| role.permissions_boundary.clone()),
        private: isolated.filter(|isolated| *isolated),
        ..Layer::default()
    }
}
