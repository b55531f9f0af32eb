//! The Deployment that asks for nodes.

use super::template::{Functions, fill, read_one};
use crate::error::Result;
use crate::spec::Spec;
use serde_json::{Value, json};

const TEMPLATE: &str = "inflate.yaml.j2";

/// The Deployment, as YAML.
pub fn inflate_yaml(spec: &Spec, replicas: u32) -> Result<String> {
    let features = spec.release.features();
    let values = json!({
        "replicas": replicas,
        "image": features.inflate_image,
        "security_context": features.inflate_security_context,
    });
    fill(TEMPLATE, Functions::Short, &values)
}

/// The Deployment, as JSON.
pub fn inflate(spec: &Spec, replicas: u32) -> Result<Value> {
    read_one(TEMPLATE, &inflate_yaml(spec, replicas)?)
}
