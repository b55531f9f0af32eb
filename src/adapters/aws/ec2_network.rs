//! EC2: what a doctor asks of the network around a cluster, and of encryption.

use super::ec2::{carries, filter, owned, subnet_facts};
use super::errors::Call;
use super::{AwsClient, present};
use crate::error::Result;
use crate::facts::{EbsFacts, InstanceTypeFacts, RouteTableFacts, SecurityGroupFacts, SubnetFacts};
use aws_sdk_ec2::types::{
    Filter, InstanceTypeInfo, LaunchTemplateInstanceNetworkInterfaceSpecification, NetworkInterfaceStatus, ResponseLaunchTemplateData,
    Route, RouteState, RouteTable,
};
use std::collections::BTreeSet;

/// The most values of a filter (EC2 API reference, "Filtering").
pub(super) const FILTER_VALUES: usize = 200;

pub(super) fn only(name: impl Into<String>, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

pub(super) async fn tagged_subnets(aws: &AwsClient, (key, value): (&str, &str)) -> Result<Vec<SubnetFacts>> {
    let call = Call::new("ec2:DescribeSubnets", "*", format!("cannot list the subnets with the tag {key}={value}"));
    let pages = aws.ec2.describe_subnets().filters(only(format!("tag:{key}"), value)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    Ok(listed.iter().map(subnet_facts).collect())
}

pub(super) async fn tagged_security_groups(aws: &AwsClient, (key, value): (&str, &str)) -> Result<Vec<SecurityGroupFacts>> {
    let call = Call::new("ec2:DescribeSecurityGroups", "*", format!("cannot list the security groups with the tag {key}={value}"));
    let pages = aws.ec2.describe_security_groups().filters(only(format!("tag:{key}"), value)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let group = |g: &aws_sdk_ec2::types::SecurityGroup| SecurityGroupFacts {
        id: g.group_id().unwrap_or_default().to_owned(),
        vpc_id: g.vpc_id().unwrap_or_default().to_owned(),
        tags: owned(g.tags()),
    };
    Ok(listed.iter().map(group).collect())
}

pub(super) async fn route_tables(aws: &AwsClient, vpc: &str) -> Result<Vec<RouteTableFacts>> {
    let call = Call::new("ec2:DescribeRouteTables", "*", format!("cannot list the route tables of {vpc}"));
    let pages = aws.ec2.describe_route_tables().filters(only("vpc-id", vpc)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    Ok(listed.iter().map(route_table).collect())
}

fn route_table(table: &RouteTable) -> RouteTableFacts {
    let routes = || table.routes().iter().filter(|r| r.state() != Some(&RouteState::Blackhole));
    let elsewhere = |r: &Route| {
        let by_gateway = r.gateway_id().is_some_and(|id| id.starts_with("vgw-"));
        by_gateway || [r.transit_gateway_id(), r.vpc_peering_connection_id(), r.core_network_arn()].iter().any(Option::is_some)
    };
    // One of `::/0` alone is no way to a service whose name is of IPv4, as it is by default.
    let everywhere = |r: &Route| r.destination_cidr_block() == Some("0.0.0.0/0");
    RouteTableFacts {
        id: table.route_table_id().unwrap_or_default().to_owned(),
        main: table.associations().iter().any(|a| a.main() == Some(true)),
        subnets: table.associations().iter().filter_map(|a| a.subnet_id().map(str::to_owned)).collect(),
        leads_out: routes().any(everywhere),
        leads_elsewhere: routes().any(elsewhere),
        to_internet_gateway: routes().any(|r| everywhere(r) && r.gateway_id().is_some_and(|id| id.starts_with("igw-"))),
    }
}

pub(super) async fn unused_interfaces(aws: &AwsClient, any_of: &[(String, String)]) -> Result<Vec<String>> {
    let mut ids = BTreeSet::new();
    for tag in any_of {
        let call = Call::new("ec2:DescribeNetworkInterfaces", "*", format!("cannot list the network interfaces with the tag {}", tag.0));
        let request = aws.ec2.describe_network_interfaces().filters(filter(tag)).filters(only("status", "available"));
        let pages = request.into_paginator().items().send();
        let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
        let unused = listed.into_iter().filter(|i| i.status() == Some(&NetworkInterfaceStatus::Available) && carries(i.tag_set(), tag));
        ids.extend(unused.filter_map(|i| i.network_interface_id));
    }
    Ok(ids.into_iter().collect())
}

pub(super) async fn unused_volumes(aws: &AwsClient, tag: &(String, String)) -> Result<Vec<String>> {
    let call = Call::new("ec2:DescribeVolumes", "*", format!("cannot list the volumes with the tag {}", tag.0));
    let request = aws.ec2.describe_volumes().filters(filter(tag)).filters(only("status", "available"));
    let pages = request.into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let unused = listed.into_iter().filter(|v| v.state() == Some(&aws_sdk_ec2::types::VolumeState::Available) && carries(v.tags(), tag));
    Ok(unused.filter_map(|volume| volume.volume_id).collect())
}

pub(super) async fn ebs_encryption(aws: &AwsClient) -> Result<EbsFacts> {
    let doing = "cannot read how EBS volumes are encrypted";
    let call = Call::new("ec2:GetEbsEncryptionByDefault", "*", doing);
    let answer = aws.ec2.get_ebs_encryption_by_default().send().await.map_err(|e| aws.error(&call, &e))?;
    let by_default = answer.ebs_encryption_by_default() == Some(true);
    // It is also that of each volume for which encryption is asked and no key is named.
    let call = Call::new("ec2:GetEbsDefaultKmsKeyId", "*", doing);
    let answer = aws.ec2.get_ebs_default_kms_key_id().send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(EbsFacts { by_default, key: answer.kms_key_id })
}

/// What a version of a launch template sets. `None`: there is no such template any more, or no such version.
pub(super) async fn launch_template(aws: &AwsClient, template: &str, version: &str) -> Result<Option<ResponseLaunchTemplateData>> {
    let call = Call::new("ec2:DescribeLaunchTemplateVersions", "*", format!("cannot read the launch template {template}"));
    let request = aws.ec2.describe_launch_template_versions().launch_template_id(template).versions(version);
    let answer = present(request.send().await.map_err(|e| aws.error(&call, &e)))?;
    let versions = answer.and_then(|answer| answer.launch_template_versions).unwrap_or_default();
    Ok(versions.into_iter().next().and_then(|v| v.launch_template_data))
}

/// The security groups that a launch template names, as the guide for leaving the Cluster Autoscaler reads them: those of its first network
/// interface, else its own.
pub(super) fn groups_of(template: &ResponseLaunchTemplateData) -> Vec<String> {
    let of_interface = template.network_interfaces().first().map(LaunchTemplateInstanceNetworkInterfaceSpecification::groups);
    of_interface.filter(|groups| !groups.is_empty()).unwrap_or_else(|| template.security_group_ids()).to_vec()
}

/// These instance types.
pub(super) async fn instance_types(aws: &AwsClient, names: &[String]) -> Result<Vec<InstanceTypeFacts>> {
    let mut listed = Vec::new();
    for names in names.chunks(FILTER_VALUES) {
        let call = Call::new("ec2:DescribeInstanceTypes", "*", format!("cannot read the instance types {}", names.join(", ")));
        let only = filter_any("instance-type", names);
        let pages = aws.ec2.describe_instance_types().filters(only).into_paginator().items().send();
        listed.extend(pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?);
    }
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
    let of = |t: &InstanceTypeInfo| InstanceTypeFacts {
        name: t.instance_type().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        vcpus: u32::try_from(number(t.v_cpu_info().and_then(aws_sdk_ec2::types::VCpuInfo::default_v_cpus).map(i64::from)))
            .unwrap_or_default(),
        memory_mib: number(t.memory_info().and_then(aws_sdk_ec2::types::MemoryInfo::size_in_mib)),
        architectures: t
            .processor_info()
            .map(|p| p.supported_architectures().iter().map(|a| a.as_str().to_owned()).collect())
            .unwrap_or_default(),
    };
    Ok(listed.iter().map(of).collect())
}

pub(super) fn filter_any(name: &str, values: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        LaunchTemplateInstanceNetworkInterfaceSpecification, ResponseLaunchTemplateData, Route, RouteState, RouteTable,
    };

    #[test]
    fn a_launch_template_names_groups_for_its_interface_or_for_itself() {
        let template = || ResponseLaunchTemplateData::builder().security_group_ids("sg-own");
        let interface = LaunchTemplateInstanceNetworkInterfaceSpecification::builder();
        assert_eq!(super::groups_of(&template().build()), ["sg-own"]);
        assert_eq!(super::groups_of(&template().network_interfaces(interface.clone().build()).build()), ["sg-own"]);
        assert_eq!(super::groups_of(&template().network_interfaces(interface.groups("sg-first").build()).build()), ["sg-first"]);
        assert!(super::groups_of(&ResponseLaunchTemplateData::builder().build()).is_empty());
    }

    #[test]
    fn a_way_out_is_of_ipv4_and_one_elsewhere_is_told_apart() {
        let leads = |route: Route| {
            let facts = super::route_table(&RouteTable::builder().routes(route).build());
            (facts.leads_out, facts.leads_elsewhere)
        };
        let to = |destination: &str| Route::builder().destination_cidr_block(destination);
        assert_eq!(leads(to("0.0.0.0/0").nat_gateway_id("nat-1").build()), (true, false));
        assert_eq!(leads(to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole).build()), (false, false));
        let by_ipv6 = Route::builder().destination_ipv6_cidr_block("::/0").egress_only_internet_gateway_id("eigw-1");
        assert_eq!(leads(by_ipv6.build()), (false, false));
        assert_eq!(leads(to("10.0.0.0/8").transit_gateway_id("tgw-1").build()), (false, true));
        assert_eq!(leads(to("10.0.0.0/8").gateway_id("vgw-1").build()), (false, true));
        assert_eq!(leads(to("10.1.0.0/16").gateway_id("local").build()), (false, false));
    }
}
