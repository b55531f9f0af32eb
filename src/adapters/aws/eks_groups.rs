//! EKS: managed node groups.

use super::errors::Call;
use super::{AwsClient, ec2_network, present};
use crate::error::Result;
use crate::facts::{NodeGroupFacts, Scaling};
use aws_sdk_eks::types::{Nodegroup, NodegroupScalingConfig};
use futures_util::future::try_join_all;
use std::collections::BTreeSet;

pub(super) async fn node_groups(aws: &AwsClient, cluster: &str) -> Result<Vec<NodeGroupFacts>> {
    let names = names(aws, cluster).await?;
    let groups = try_join_all(names.iter().map(|name| node_group(aws, cluster, name))).await?;
    Ok(groups.into_iter().flatten().collect())
}

/// The names of the managed node groups; none where there is no cluster.
pub(super) async fn names(aws: &AwsClient, cluster: &str) -> Result<Vec<String>> {
    let call = Call::new("eks:ListNodegroups", cluster, format!("cannot list the node groups of {cluster}"));
    let listed = aws.eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
    let listed = listed.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e));
    Ok(present(listed)?.unwrap_or_default())
}

/// A node group as EKS describes it.
pub(super) async fn described(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<Nodegroup>> {
    let call = Call::new("eks:DescribeNodegroup", name, format!("cannot read the node group {name}"));
    let sent = aws.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send().await;
    Ok(present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|a| a.nodegroup))
}

/// The name of its nodes' role; empty where EKS names none.
pub(super) fn role_of(group: &Nodegroup) -> String {
    group.node_role().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned()
}

/// One thing that EKS complains of, in a line.
pub(super) fn issue(code: Option<&str>, message: Option<&str>) -> String {
    crate::error::clean(&format!("{}: {}", code.unwrap_or_default(), message.unwrap_or_default()))
}

/// What EKS complains of in a group.
pub(super) fn issues_of(group: &Nodegroup) -> Vec<String> {
    let issue = |i: &aws_sdk_eks::types::Issue| issue(i.code().map(aws_sdk_eks::types::NodegroupIssueCode::as_str), i.message());
    group.health().map(|h| h.issues().iter().map(issue).collect()).unwrap_or_default()
}

/// The ids of the subnets of the node groups, sorted.
pub(super) async fn subnets(aws: &AwsClient, cluster: &str) -> Result<Vec<String>> {
    let names = names(aws, cluster).await?;
    let groups = try_join_all(names.iter().map(|name| described(aws, cluster, name))).await?;
    let ids: BTreeSet<String> = groups.iter().flatten().flat_map(|group| group.subnets().iter().cloned()).collect();
    Ok(ids.into_iter().collect())
}

/// How many nodes a group has, may have and must have.
pub(super) fn scaling_of(config: &NodegroupScalingConfig) -> Scaling {
    let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    Scaling { min: number(config.min_size()), desired: number(config.desired_size()), max: number(config.max_size()) }
}

async fn node_group(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<NodeGroupFacts>> {
    let Some(group) = described(aws, cluster, name).await? else { return Ok(None) };
    let template = group.launch_template().and_then(|t| Some((t.id()?, t.version()?)));
    let set = match template {
        Some((id, version)) => ec2_network::launch_template(aws, id, version).await?,
        None => None,
    };
    Ok(Some(NodeGroupFacts {
        name: name.to_owned(),
        subnets: group.subnets().to_vec(),
        status: group.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        issues: issues_of(&group),
        security_groups: set.as_ref().map(ec2_network::groups_of).unwrap_or_default(),
        hop_limit: set.and_then(|t| t.metadata_options.and_then(|m| m.http_put_response_hop_limit)),
        own_template: template.is_some(),
        node_role: role_of(&group),
        ami_type: group.ami_type().map(|t| t.as_str().to_owned()).unwrap_or_default(),
        scaling: group.scaling_config().map(scaling_of),
    }))
}
