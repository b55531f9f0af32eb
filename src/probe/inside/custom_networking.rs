//! Custom networking of the VPC CNI: pods that get their addresses in other subnets than their nodes'.

use super::windows::YES;
use super::{items, text};
use crate::error::Result;
use crate::facts::{CustomNetworking, Probed};
use crate::ports::{Aws, Kube, ObjectKind, ObjectRef};
use crate::probe::release::crd_ref;
use crate::probe::{ProbeContext, said};
use crate::spec::SubnetId;
use serde_json::Value;
use std::collections::BTreeMap;

/// The label that counts where `ENI_CONFIG_LABEL_DEF` names none (pkg/eniconfig of the VPC CNI).
const OWN_LABEL: &str = "k8s.amazonaws.com/eniConfig";

/// Absent: pods get their addresses in the subnets of their nodes.
pub(crate) async fn custom_networking(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<Box<CustomNetworking>> {
    said(read(context.ports.aws.as_ref(), kube).await)
}

async fn read(aws: &dyn Aws, kube: &dyn Kube) -> Result<Option<Box<CustomNetworking>>> {
    let aws_node =
        ObjectRef { kind: ObjectKind::new("apps/v1", "daemonsets"), namespace: Some("kube-system".into()), name: "aws-node".into() };
    let Some(aws_node) = kube.get(&aws_node).await?.filter(|set| YES.contains(&told(set, "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"))) else {
        return Ok(None);
    };
    let label = Some(told(&aws_node, "ENI_CONFIG_LABEL_DEF")).filter(|label| !label.is_empty()).unwrap_or(OWN_LABEL);
    let configs = configs(kube).await?;
    let ids: Vec<String> = configs.values().filter(|id| id.parse::<SubnetId>().is_ok()).cloned().collect();
    let subnets = if ids.is_empty() { Vec::new() } else { aws.subnets(&ids).await? };
    Ok(Some(Box::new(CustomNetworking { label: text(label), configs, subnets })))
}

/// What a variable of its containers says; nothing where none has it.
fn told<'s>(daemon_set: &'s Value, variable: &str) -> &'s str {
    let containers = items(&daemon_set["spec"]["template"]["spec"]["containers"]).iter();
    let variables = containers.flat_map(|container| items(&container["env"])).find(|env| env["name"] == variable);
    variables.and_then(|env| env["value"].as_str()).unwrap_or_default()
}

/// The subnet of each `ENIConfig`, in whichever version the CRD serves them.
async fn configs(kube: &dyn Kube) -> Result<BTreeMap<String, String>> {
    let crd = kube.get(&crd_ref("eniconfigs.crd.k8s.amazonaws.com")).await?.unwrap_or_default();
    let Some(version) = items(&crd["spec"]["versions"]).iter().find(|v| v["served"] == true).and_then(|v| v["name"].as_str()) else {
        return Ok(BTreeMap::new());
    };
    let listed = kube.list(&ObjectKind::new(format!("crd.k8s.amazonaws.com/{version}"), "eniconfigs"), None, None).await?;
    let config = |object: &Value| {
        let subnet = object["spec"]["subnet"].as_str().unwrap_or_default();
        Some((text(object["metadata"]["name"].as_str()?), text(subnet)))
    };
    Ok(listed.iter().filter_map(config).collect())
}
