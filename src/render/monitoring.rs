//! The values of the charts by which the guides show Karpenter's metrics: Prometheus and Grafana.

use super::template::{Functions, fill};
use crate::error::Result;
use crate::spec::Spec;
use serde_json::json;

pub(super) const PROMETHEUS: &str = "prometheus-values.yaml.j2";
pub(super) const GRAFANA: &str = "grafana-values.yaml.j2";

/// The values of the chart `prometheus`, as YAML. It looks for the controller in the namespace of the spec.
pub fn prometheus_values_yaml(spec: &Spec) -> Result<String> {
    let scrape = spec.release.features().metrics_scrape;
    fill(PROMETHEUS, Functions::Short, &json!({ "scrape": scrape, "namespace": spec.namespace }))
}

/// The values of the chart `grafana`, as YAML.
pub fn grafana_values_yaml(spec: &Spec) -> Result<String> {
    fill(GRAFANA, Functions::Short, &json!({ "dashboards": spec.release.features().dashboards }))
}
