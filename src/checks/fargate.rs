//! Whether a Fargate profile takes the controller's pods.

use super::policy::fits;
use crate::facts::{Facts, FargateSelector};
use crate::spec::Spec;
use serde_json::Value;

/// The labels that the chart gives the controller's pods, by which a profile may select them.
const LABELS: [(&str, &str); 2] = [("app.kubernetes.io/name", "karpenter"), ("app.kubernetes.io/instance", "karpenter")];

/// The Fargate profile that takes the controller's pods: each then gets a node of its own, on which nothing else runs. `given` is what the
/// chart's value `podLabels` says.
pub(super) fn takes_controller<'f>(spec: &Spec, facts: &'f Facts, given: &Value) -> Option<&'f str> {
    let label = |name: &str| given[name].as_str().or_else(|| LABELS.iter().find(|(own, _)| *own == name).map(|(_, value)| *value));
    let has = |(key, wanted): (&String, &String)| label(key).is_some_and(|value| fits(wanted, value));
    let takes = |selector: &FargateSelector| fits(&selector.namespace, spec.namespace.as_str()) && selector.labels.iter().all(has);
    let profiles = facts.fargate_selectors.known()?;
    profiles.iter().find(|profile| profile.selectors.iter().any(takes)).map(|profile| profile.name.as_str())
}
