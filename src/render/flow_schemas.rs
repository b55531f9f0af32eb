//! The `FlowSchemas` that put Karpenter's requests before those of workloads.

use super::template::{Functions, fill};
use crate::error::{Error, Result};
use crate::knowledge::Release;
use crate::spec::Spec;
use serde_json::json;

pub(super) const TEMPLATE: &str = "flow-schemas.yaml.j2";

/// The `FlowSchemas`, as YAML, in the newest version of the API that the cluster serves: the guides name one that some of their
/// clusters have not.
pub fn flow_schemas_yaml(spec: &Spec) -> Result<String> {
    if !spec.release.features().flow_schemas {
        let error = Error::refused(format!("the guide of Karpenter {} has no FlowSchemas", spec.release));
        return Err(match Release::first_with(|features| features.flow_schemas) {
            Some(first) => error.because(format!("they came with Karpenter {first}")).hint(format!(
                "they work with any release: `karpctl render flow-schemas --karpenter-version {first} --namespace {}`",
                spec.namespace
            )),
            None => error,
        });
    }
    let values =
        json!({ "api": spec.kubernetes.flow_control_api(), "namespace": spec.namespace, "service_account": spec.service_account() });
    fill(TEMPLATE, Functions::Short, &values)
}
