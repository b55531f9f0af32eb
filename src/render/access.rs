//! How nodes and the controller are let in: the `aws-auth` rows, the access entry, and the trust of the controller's role.

use super::template::{Functions, fill};
use crate::error::{Error, Result};
use crate::knowledge::{POD_IDENTITY_ACTIONS, POD_IDENTITY_SERVICE, STS_AUDIENCE, WEB_IDENTITY_ACTION, token_subject};
use crate::spec::{Identity, Spec};
use serde::Serialize;
use serde_json::{Value, json};

/// A row of `mapRoles` in `aws-auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleMapping {
    /// The role.
    pub rolearn: String,
    /// Who its sessions are in the cluster.
    pub username: String,
    /// What they may do there.
    pub groups: Vec<String>,
}

/// The role of the nodes as a row of `mapRoles` names it: without its path, which the session that is to match it does not have (EKS user
/// guide, troubleshooting). An access entry has the whole ARN.
#[must_use]
pub fn mapped_role(spec: &Spec) -> String {
    let whole = spec.node_role_arn().to_string();
    let short = whole.split_once(":role/").map(|(head, _)| format!("{head}:role/{}", spec.node_role_name()));
    short.unwrap_or(whole)
}

/// The rows of `mapRoles` that let nodes in.
#[must_use]
pub fn role_mappings(spec: &Spec) -> Vec<RoleMapping> {
    let windows = spec.windows.then_some("eks:kube-proxy-windows");
    let groups = ["system:bootstrappers", "system:nodes"].into_iter().chain(windows);
    vec![RoleMapping {
        rolearn: mapped_role(spec),
        username: "system:node:{{EC2PrivateDNSName}}".into(),
        groups: groups.map(str::to_owned).collect(),
    }]
}

/// [`role_mappings`] as JSON.
#[must_use]
pub fn identity_mapping(spec: &Spec) -> Value {
    json!(role_mappings(spec))
}

/// [`role_mappings`] as the YAML that stands in `mapRoles`.
pub fn identity_mapping_yaml(spec: &Spec) -> Result<String> {
    fill("identity-mapping.yaml.j2", Functions::Short, &mapping_values(spec))
}

/// The type of the access entry that lets nodes in. That of Windows has all groups of that of Linux.
#[must_use]
pub fn access_entry(spec: &Spec) -> &'static str {
    if spec.windows { "EC2_WINDOWS" } else { "EC2_LINUX" }
}

/// The trust policy of the controller's role. IRSA needs the cluster's OIDC issuer.
pub fn trust_policy(spec: &Spec, oidc_issuer: Option<&str>) -> Result<Value> {
    let statement = match (spec.identity, oidc_issuer) {
        (Identity::PodIdentity, _) => json!({
            "Effect": "Allow",
            "Principal": { "Service": POD_IDENTITY_SERVICE },
            "Action": POD_IDENTITY_ACTIONS,
        }),
        (Identity::Irsa, Some(url)) => {
            let issuer = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
            json!({
                "Effect": "Allow",
                "Principal": {
                    "Federated": spec.oidc_provider_arn(issuer),
                },
                "Action": WEB_IDENTITY_ACTION,
                "Condition": {
                    "StringEquals": {
                        format!("{issuer}:aud"): STS_AUDIENCE,
                        format!("{issuer}:sub"): token_subject(spec.namespace.as_str(), spec.service_account()),
                    },
                },
            })
        }
        (Identity::Irsa, None) => {
            let name = spec.controller_role_name();
            return Err(Error::failed(format!("cannot write the trust policy of {name}"))
                .because(format!("the OIDC issuer of the cluster {} is not known", spec.cluster_name)));
        }
    };
    Ok(json!({ "Version": "2012-10-17", "Statement": [statement] }))
}

fn mapping_values(spec: &Spec) -> Value {
    json!({ "mappings": role_mappings(spec) })
}
