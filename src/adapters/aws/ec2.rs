//! EC2: the network, tags, and what Karpenter launched.
//!
//! Two precautions, because removals follow from these answers: EC2 takes an empty list of ids or filters for "all", so an empty
//! question is answered here; and what a filter let through is looked at again.

use super::ec2_network::filter_any;
use super::errors::Call;
use super::{AwsClient, gone, present};
use crate::error::Result;
use crate::facts::SubnetFacts;
use crate::knowledge::AUTO_MODE_POOL_TAG;
use crate::ports::{LaunchedInstance, Tags};
use aws_sdk_ec2::types::{Filter, InstanceStateName, Tag};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn owned(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))).collect()
}

fn given(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The filter of a tag; an empty value means any.
pub(super) fn filter((key, value): &(String, String)) -> Filter {
    if value.is_empty() {
        Filter::builder().name("tag-key").values(key).build()
    } else {
        Filter::builder().name(format!("tag:{key}")).values(value).build()
    }
}

pub(super) fn carries(tags: &[Tag], (key, value): &(String, String)) -> bool {
    tags.iter().any(|t| t.key() == Some(key) && (value.is_empty() || t.value() == Some(value)))
}

pub(super) async fn regions(aws: &AwsClient) -> Result<Vec<String>> {
    let call = Call::new("ec2:DescribeRegions", "*", "cannot list the regions of the account");
    let answer = aws.ec2.describe_regions().send().await.map_err(|e| aws.error(&call, &e))?;
    let mut names: Vec<String> = answer.regions().iter().filter_map(|r| r.region_name().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

pub(super) async fn subnets(aws: &AwsClient, ids: &[String]) -> Result<Vec<SubnetFacts>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call::new("ec2:DescribeSubnets", "*", format!("cannot read the subnets {}", ids.join(", ")));
    let pages = aws.ec2.describe_subnets().filters(filter_any("subnet-id", ids)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    Ok(listed.iter().map(subnet_facts).collect())
}

pub(super) fn subnet_facts(s: &aws_sdk_ec2::types::Subnet) -> SubnetFacts {
    SubnetFacts {
        id: s.subnet_id().unwrap_or_default().to_owned(),
        zone: s.availability_zone().unwrap_or_default().to_owned(),
        zone_id: s.availability_zone_id().unwrap_or_default().to_owned(),
        vpc_id: s.vpc_id().unwrap_or_default().to_owned(),
        free_addresses: s.available_ip_address_count().unwrap_or_default(),
        gives_address: s.map_public_ip_on_launch().unwrap_or_default(),
        tags: owned(s.tags()),
    }
}

pub(super) async fn security_groups(aws: &AwsClient, ids: &[String]) -> Result<BTreeMap<String, Tags>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let call = Call::new("ec2:DescribeSecurityGroups", "*", format!("cannot read the security groups {}", ids.join(", ")));
    let pages = aws.ec2.describe_security_groups().filters(filter_any("group-id", ids)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    Ok(listed.into_iter().filter_map(|g| Some((g.group_id()?.to_owned(), owned(g.tags())))).collect())
}

pub(super) async fn tag(aws: &AwsClient, ids: &[String], tags: &Tags) -> Result<()> {
    if ids.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let call = Call::new("ec2:CreateTags", "*", format!("cannot tag {}", ids.join(", ")));
    let request = aws.ec2.create_tags().set_resources(Some(ids.to_vec())).set_tags(Some(given(tags)));
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn untag(aws: &AwsClient, ids: &[String], tags: &Tags) -> Result<()> {
    if ids.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let call = Call::new("ec2:DeleteTags", "*", format!("cannot remove the tags of {}", ids.join(", ")));
    let request = aws.ec2.delete_tags().set_resources(Some(ids.to_vec())).set_tags(Some(given(tags)));
    request.send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(())
}

pub(super) async fn launch_templates(aws: &AwsClient, any_of: &[(String, String)]) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for tag in any_of {
        let call = Call::new("ec2:DescribeLaunchTemplates", "*", format!("cannot list the launch templates with the tag {}", tag.0));
        let pages = aws.ec2.describe_launch_templates().filters(filter(tag)).into_paginator().items().send();
        let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
        names.extend(listed.into_iter().filter(|t| carries(t.tags(), tag)).filter_map(|t| t.launch_template_name));
    }
    Ok(names.into_iter().collect())
}

pub(super) async fn delete_launch_template(aws: &AwsClient, name: &str) -> Result<()> {
    let call = Call::new("ec2:DeleteLaunchTemplate", name, format!("cannot delete the launch template {name}"));
    gone(aws.ec2.delete_launch_template().launch_template_name(name).send().await.map_err(|e| aws.error(&call, &e)))
}

/// The ids of the instances with one of these instance profiles that are not terminated.
pub(super) async fn instances_of_profiles(aws: &AwsClient, arns: &[String]) -> Result<Vec<String>> {
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call::new("ec2:DescribeInstances", "*", format!("cannot list the instances with the profile {}", arns[0]));
    let filter = Filter::builder().name("iam-instance-profile.arn").set_values(Some(arns.to_vec())).build();
    let pages = aws.ec2.describe_instances().filters(filter).into_paginator().items().send();
    let reservations = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let works = |instance: &&aws_sdk_ec2::types::Instance| {
        let has = instance.iam_instance_profile().and_then(|p| p.arn()).is_some_and(|arn| arns.iter().any(|a| a == arn));
        has && instance.state().and_then(|s| s.name()).is_some_and(|state| *state != InstanceStateName::Terminated)
    };
    let all = reservations.iter().flat_map(aws_sdk_ec2::types::Reservation::instances).filter(works);
    Ok(all.filter_map(|instance| instance.instance_id().map(str::to_owned)).collect())
}

pub(super) async fn instances(aws: &AwsClient, all_of: &[(String, String)]) -> Result<Vec<LaunchedInstance>> {
    if all_of.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call::new("ec2:DescribeInstances", "*", format!("cannot list the instances with the tag {}", all_of[0].0));
    let request = aws.ec2.describe_instances().set_filters(Some(all_of.iter().map(filter).collect()));
    let pages = request.into_paginator().items().send();
    let reservations = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let launched = |instance: &aws_sdk_ec2::types::Instance| {
        let state = instance.state().and_then(|s| s.name())?;
        let ours = *state != InstanceStateName::Terminated && all_of.iter().all(|tag| carries(instance.tags(), tag));
        ours.then(|| LaunchedInstance {
            id: instance.instance_id().unwrap_or_default().to_owned(),
            state: state.as_str().to_owned(),
            of_auto_mode: instance.tags().iter().any(|tag| tag.key() == Some(AUTO_MODE_POOL_TAG)),
        })
    };
    Ok(reservations.iter().flat_map(aws_sdk_ec2::types::Reservation::instances).filter_map(launched).collect())
}

pub(super) async fn image_name(aws: &AwsClient, id: &str) -> Result<Option<String>> {
    let call = Call::new("ec2:DescribeImages", "*", format!("cannot read the image {id}"));
    let answer = aws.ec2.describe_images().image_ids(id).send().await.map_err(|e| aws.error(&call, &e));
    Ok(present(answer)?.and_then(|a| a.images().first().and_then(|i| i.name().map(str::to_owned))))
}
