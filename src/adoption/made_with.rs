//! With which settings karpctl's own Karpenter was made, as far as what is there shows them.

use super::values;
use crate::facts::Facts;
use crate::knowledge::{Release, value_at};
use crate::render::{boundary_of, tags_of};
use crate::spec::layer::Layer;
use crate::spec::{Identity, Spec};

/// What only a flag may have said when it was made, and would be undone by whoever says nothing of it: how the controller gets credentials, the
/// boundary of its roles, that the cluster is private, and the tags of what was made. `spec` says what the chart is told besides.
#[must_use]
pub fn made_with(spec: &Spec, facts: &Facts) -> Layer {
    let release = facts.chart_release.known().filter(|release| release.status != "uninstalled");
    // One that stands on the controller's role alone was put there by somebody else.
    let stack = facts.stack.known().filter(|stack| spec.owns(&stack.tags));
    let associated = facts.association.known().map(|_| Identity::PodIdentity);
    let annotated = || release.and_then(|release| release.annotated_role()).map(|_| Identity::Irsa);
    let made = release.and_then(|release| release.chart_version.parse::<Release>().ok()).unwrap_or_else(|| spec.release.clone());
    let path = made.features().isolated_vpc_path().filter(|path| value_at(&serde_json::json!(spec.chart.values), path).is_none());
    let isolated = path.zip(release).and_then(|(path, release)| values::flag(&release.values, path));
    Layer {
        // Both are there while one takes the other's place. The annotation is the later to come and the later to go: by it the run goes on, or back.
        identity: annotated().or(associated).map(|identity| identity.as_str().to_owned()),
        permissions_boundary: stack.and_then(|stack| boundary_of(spec, stack.template.as_deref()?)).map(|boundary| boundary.to_string()),
        private: isolated.filter(|isolated| *isolated),
        tags: stack.and_then(|stack| stack.template.as_deref()).map(tags_of).filter(|tags| !tags.is_empty()),
        ..Layer::default()
    }
}
