//! EKS: managed node groups.

use super::errors::Call;
use super::{AwsClient, ec2_network, present};
use crate::error::Result;
use crate::facts::NodeGroupFacts;
use futures_util::future::try_join_all;

pub(super) async fn node_groups(aws: &AwsClient, cluster: &str) -> Result<Vec<NodeGroupFacts>> {
    let call = Call::new("eks:ListNodegroups", cluster, format!("cannot list the node groups of {cluster}"));
    let listed = aws.eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
    let listed = listed.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e));
    let names = present(listed)?.unwrap_or_default();
    let groups = try_join_all(names.iter().map(|name| node_group(aws, cluster, name))).await?;
    Ok(groups.into_iter().flatten().collect())
}

async fn node_group(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<NodeGroupFacts>> {
    let call = Call::new("eks:DescribeNodegroup", name, format!("cannot read the node group {name}"));
    let sent = aws.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send().await;
    let Some(group) = present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|a| a.nodegroup) else { return Ok(None) };
    let template = group.launch_template().and_then(|t| Some((t.id()?, t.version()?)));
    let hop_limit = match template {
        Some((id, version)) => ec2_network::hop_limit(aws, id, version).await?,
        None => None,
    };
    let issue = |i: &aws_sdk_eks::types::Issue| {
        let code = i.code().map(|c| c.as_str().to_owned()).unwrap_or_default();
        crate::error::clean(&format!("{code}: {}", i.message().unwrap_or_default()))
    };
    Ok(Some(NodeGroupFacts {
        name: name.to_owned(),
        status: group.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        issues: group.health().map(|h| h.issues().iter().map(issue).collect()).unwrap_or_default(),
        hop_limit,
    }))
}
