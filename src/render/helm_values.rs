//! What the charts are told.

use super::cluster_config::{vpc_endpoints, zonal_shift};
use super::template::{Functions, fill, read_one};
use crate::characters::{acts, written_out};
use crate::error::{Error, Result};
use crate::knowledge::{CHART, WEBHOOK_PORT};
use crate::spec::{Identity, Spec};
use serde_json::{Value, json};

const TEMPLATE: &str = "helm-values.yaml.j2";

/// The values of the chart `karpenter`, as YAML. Old charts must be told the cluster's endpoint.
pub fn helm_values_yaml(spec: &Spec, cluster_endpoint: Option<&str>) -> Result<String> {
    let features = spec.release.features();
    if features.cluster_endpoint_value && cluster_endpoint.is_none() {
        return Err(Error::usage(format!("cannot write the values of the chart karpenter {}", spec.release.chart_version()))
            .because(format!("it must be told the endpoint of the cluster {}, which is not known", spec.cluster_name))
            .hint("give it: `karpctl render helm-values --cluster-endpoint URL`"));
    }
    // Later charts find the endpoint by themselves, where the EKS API can be reached.
    let tell_endpoint = features.cluster_endpoint_value || spec.private;
    let values = json!({
        "irsa": spec.identity == Identity::Irsa,
        "controller_role_arn": spec.controller_role_arn(),
        "layout": features.value_layout,
        "cluster_name": spec.cluster_name,
        "cluster_endpoint": cluster_endpoint.filter(|_| tell_endpoint),
        "instance_profile_name": features.stack_instance_profile.then(|| spec.instance_profile_name()),
        "queue_value": features.queue_value,
        "queue_name": spec.has_queue().then(|| spec.queue_name()),
        "zonal_shift": features.zonal_shift.then(|| zonal_shift(spec)),
        "vpc_endpoints": spec.private.then(|| vpc_endpoints(spec)),
        "isolated_vpc": spec.private && features.isolated_vpc_value,
        "controller_resources": features.controller_resources,
    });
    let text = fill(TEMPLATE, Functions::Short, &values)?;
    if spec.chart.values.is_empty() {
        return Ok(text);
    }
    let mut all = read_one(TEMPLATE, &text)?;
    for (key, patch) in &spec.chart.values {
        merge(&mut all, key, patch);
    }
    let yaml = serde_saphyr::to_string(&all)
        .map_err(|e| Error::failed("cannot write the values of the chart karpenter").because(e.to_string()))?;
    // What a terminal obeys is written as it is there. JSON is YAML as well, and has an escape for everything.
    Ok(if yaml.contains(acts) { written_out(&format!("{all:#}\n")).into_owned() } else { yaml })
}

/// A JSON merge patch (RFC 7396) of one field.
fn merge(object: &mut Value, key: &str, patch: &Value) {
    if patch.is_null() {
        object.as_object_mut().map(|fields| fields.remove(key));
        return;
    }
    let Value::Object(fields) = patch else {
        object[key] = patch.clone();
        return;
    };
    if !object[key].is_object() {
        object[key] = json!({});
    }
    for (name, inner) in fields {
        merge(&mut object[key], name, inner);
    }
}

/// [`helm_values_yaml`] as JSON.
pub fn helm_values(spec: &Spec, cluster_endpoint: Option<&str>) -> Result<Value> {
    read_one(TEMPLATE, &helm_values_yaml(spec, cluster_endpoint)?)
}

/// The values of the chart `karpenter-crd`: where the conversion webhook is, for the releases that convert.
#[must_use]
pub fn crd_values(spec: &Spec) -> Value {
    if !spec.release.features().conversion_webhook {
        return json!({});
    }
    json!({
        "webhook": {
            "enabled": true,
            "serviceName": CHART,
            "serviceNamespace": spec.namespace,
            "port": WEBHOOK_PORT,
        },
    })
}
