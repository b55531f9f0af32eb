//! EKS: what managed node groups are made of, and their size.

use super::ec2::subnets;
use super::ec2_network::{groups_of, instance_types, launch_template};
use super::eks_groups::{described, issues_of, names, role_of, scaling_of};
use super::errors::Call;
use super::{AwsClient, present};
use crate::error::Result;
use crate::facts::{DiskFacts, GroupTaint, InstanceTypeFacts, NodeGroupShape, Scaling, SubnetFacts};
use crate::ports::Tags;
use aws_sdk_ec2::types::{LaunchTemplateEbsBlockDevice, LaunchTemplateInstanceMetadataOptions, ResponseLaunchTemplateData};
use aws_sdk_eks::types::{Nodegroup, NodegroupResources, NodegroupScalingConfig};
use futures_util::future::try_join_all;
use std::collections::BTreeSet;

pub(super) async fn node_group_shapes(aws: &AwsClient, cluster: &str) -> Result<Vec<NodeGroupShape>> {
    let names = names(aws, cluster).await?;
    let groups = try_join_all(names.iter().map(|name| group(aws, cluster, name))).await?;
    let groups: Vec<(Nodegroup, Option<ResponseLaunchTemplateData>)> = groups.into_iter().flatten().collect();
    let types: BTreeSet<String> = groups.iter().flat_map(|(group, template)| types_of(group, template.as_ref())).collect();
    let types = instance_types(aws, &types.into_iter().collect::<Vec<_>>()).await?;
    let ids: BTreeSet<String> = groups.iter().flat_map(|(group, _)| group.subnets().to_vec()).collect();
    let subnets = subnets(aws, &ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(groups.iter().map(|(group, template)| shape(group, template.as_ref(), &types, &subnets)).collect())
}

/// A node group with its launch template.
async fn group(aws: &AwsClient, cluster: &str, name: &str) -> Result<Option<(Nodegroup, Option<ResponseLaunchTemplateData>)>> {
    let Some(group) = described(aws, cluster, name).await? else { return Ok(None) };
    let named = group.launch_template().and_then(|t| Some((t.id()?.to_owned(), t.version()?.to_owned())));
    let template = match named {
        Some((id, version)) => launch_template(aws, &id, &version).await?,
        None => None,
    };
    Ok(Some((group, template)))
}

/// The names of its instance types. A group that says none has that of its launch template.
fn types_of(group: &Nodegroup, template: Option<&ResponseLaunchTemplateData>) -> Vec<String> {
    let own = group.instance_types();
    if own.is_empty() {
        template.and_then(|t| t.instance_type()).map(|t| t.as_str().to_owned()).into_iter().collect()
    } else {
        own.to_vec()
    }
}

/// The disk that pods use: a template may name several, and the one for data is the largest.
fn disk_of(template: &ResponseLaunchTemplateData) -> Option<&LaunchTemplateEbsBlockDevice> {
    template.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()).max_by_key(|disk| disk.volume_size())
}

/// What a template says of it beside its size.
fn disk_facts(disk: &LaunchTemplateEbsBlockDevice) -> DiskFacts {
    DiskFacts {
        kind: disk.volume_type().map(|kind| kind.as_str().to_owned()),
        iops: number(disk.iops()),
        throughput: number(disk.throughput()),
        key: disk.kms_key_id().map(str::to_owned),
    }
}

fn number(n: Option<i32>) -> Option<u32> {
    n.and_then(|n| u32::try_from(n).ok())
}

fn shape(
    group: &Nodegroup,
    template: Option<&ResponseLaunchTemplateData>,
    types: &[InstanceTypeFacts],
    subnets: &[SubnetFacts],
) -> NodeGroupShape {
    let own = types_of(group, template);
    let disk = template.and_then(disk_of);
    let zones: BTreeSet<&String> = subnets.iter().filter(|s| group.subnets().contains(&s.id)).map(|s| &s.zone).collect();
    let taint = |t: &aws_sdk_eks::types::Taint| GroupTaint {
        key: t.key().unwrap_or_default().to_owned(),
        value: t.value().unwrap_or_default().to_owned(),
        effect: t.effect().map(|e| e.as_str().to_owned()).unwrap_or_default(),
    };
    let scaling_groups = group.resources().map(NodegroupResources::auto_scaling_groups).unwrap_or_default();
    NodeGroupShape {
        name: group.nodegroup_name().unwrap_or_default().to_owned(),
        arn: group.nodegroup_arn().unwrap_or_default().to_owned(),
        status: group.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        issues: issues_of(group),
        // In the group's own order: it is the order in which EC2 is asked for on-demand capacity.
        instance_types: own.iter().filter_map(|name| types.iter().find(|t| t.name == *name)).cloned().collect(),
        ami_type: group.ami_type().map(|t| t.as_str().to_owned()).unwrap_or_default(),
        release_version: group.release_version().filter(|v| !v.is_empty()).map(str::to_owned),
        kubernetes: group.version().map(str::to_owned),
        capacity_type: group.capacity_type().map_or_else(|| "ON_DEMAND".to_owned(), |t| t.as_str().to_owned()),
        labels: group.labels().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        taints: group.taints().iter().map(taint).collect(),
        scaling: group.scaling_config().map_or(Scaling { min: 0, desired: 0, max: 0 }, scaling_of),
        subnets: group.subnets().to_vec(),
        zones: zones.into_iter().cloned().collect(),
        disk_gib: number(group.disk_size().or_else(|| disk?.volume_size())),
        disk: disk.map(disk_facts).unwrap_or_default(),
        security_groups: template.map(groups_of).unwrap_or_default(),
        node_role: role_of(group),
        hop_limit: number(
            template.and_then(|t| t.metadata_options()).and_then(LaunchTemplateInstanceMetadataOptions::http_put_response_hop_limit),
        ),
        launch_template: group.launch_template().and_then(|t| t.id()).map(str::to_owned),
        scaling_groups: scaling_groups.iter().filter_map(|g| g.name().map(str::to_owned)).collect(),
        tags: group.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
    }
}

pub(super) async fn scale(aws: &AwsClient, cluster: &str, group: &str, scaling: Scaling) -> Result<()> {
    let call = Call::new("eks:UpdateNodegroupConfig", group, format!("cannot set the size of the node group {group} to {scaling}"));
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let size = NodegroupScalingConfig::builder()
        .min_size(number(scaling.min))
        .desired_size(number(scaling.desired))
        .max_size(number(scaling.max))
        .build();
    let request = aws.eks.update_nodegroup_config().cluster_name(cluster).nodegroup_name(group).scaling_config(size);
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn tag(aws: &AwsClient, arn: &str, tags: &Tags) -> Result<()> {
    let call = Call::new("eks:TagResource", arn, format!("cannot tag {arn}"));
    let request = aws.eks.tag_resource().resource_arn(arn).set_tags(Some(tags.clone().into_iter().collect()));
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn untag(aws: &AwsClient, arn: &str, keys: &[&str]) -> Result<()> {
    let call = Call::new("eks:UntagResource", arn, format!("cannot take the tags {} off {arn}", keys.join(", ")));
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let sent = aws.eks.untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await;
    present(sent.map_err(|e| aws.error(&call, &e))).map(drop)
}
