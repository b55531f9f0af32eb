//! The Deployment that asks for nodes.

use super::template::{Functions, fill, read_one};
use crate::error::Result;
use serde_json::{Value, json};

const TEMPLATE: &str = "inflate.yaml.j2";

/// The Deployment, as YAML.
pub fn inflate_yaml(replicas: u32) -> Result<String> {
    fill(TEMPLATE, Functions::Short, &json!({ "replicas": replicas }))
}

/// The Deployment, as JSON.
pub fn inflate(replicas: u32) -> Result<Value> {
    read_one(TEMPLATE, &inflate_yaml(replicas)?)
}
