//! EC2: what a doctor asks of the network around a cluster, and of encryption.

use super::AwsClient;
use super::ec2::{owned, subnet_facts};
use super::errors::Call;
use crate::error::Result;
use crate::facts::{EbsFacts, EndpointFacts, RouteTableFacts, SecurityGroupFacts, SubnetFacts};
use aws_sdk_ec2::types::{Filter, Route, RouteState};

fn only(name: impl Into<String>, value: &str) -> Filter {
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

pub(super) async fn vpc_endpoints(aws: &AwsClient, vpc: &str) -> Result<Vec<EndpointFacts>> {
    let call = Call::new("ec2:DescribeVpcEndpoints", "*", format!("cannot list the endpoints of {vpc}"));
    let pages = aws.ec2.describe_vpc_endpoints().filters(only("vpc-id", vpc)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let region = aws.region().unwrap_or_default();
    let endpoint = |e: &aws_sdk_ec2::types::VpcEndpoint| EndpointFacts {
        // `com.amazonaws.us-west-2.ecr.api`, in China with `cn.` before it.
        service: e.service_name().and_then(|n| n.split_once(&format!(".{region}."))).map(|(_, s)| s.to_owned()).unwrap_or_default(),
        state: e.state().map(|s| s.as_str().to_lowercase()).unwrap_or_default(),
        kind: e.vpc_endpoint_type().map(|k| k.as_str().to_owned()).unwrap_or_default(),
        private_dns: e.private_dns_enabled().unwrap_or_default(),
    };
    Ok(listed.iter().map(endpoint).collect())
}

pub(super) async fn route_tables(aws: &AwsClient, vpc: &str) -> Result<Vec<RouteTableFacts>> {
    let call = Call::new("ec2:DescribeRouteTables", "*", format!("cannot list the route tables of {vpc}"));
    let pages = aws.ec2.describe_route_tables().filters(only("vpc-id", vpc)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let everywhere =
        |route: &Route| route.destination_cidr_block() == Some("0.0.0.0/0") || route.destination_ipv6_cidr_block() == Some("::/0");
    let table = |t: &aws_sdk_ec2::types::RouteTable| RouteTableFacts {
        id: t.route_table_id().unwrap_or_default().to_owned(),
        main: t.associations().iter().any(|a| a.main() == Some(true)),
        subnets: t.associations().iter().filter_map(|a| a.subnet_id().map(str::to_owned)).collect(),
        leads_out: t.routes().iter().any(|r| everywhere(r) && r.state() != Some(&RouteState::Blackhole)),
    };
    Ok(listed.iter().map(table).collect())
}

pub(super) async fn ebs_encryption(aws: &AwsClient) -> Result<EbsFacts> {
    let doing = "cannot read how EBS volumes are encrypted";
    let call = Call::new("ec2:GetEbsEncryptionByDefault", "*", doing);
    let answer = aws.ec2.get_ebs_encryption_by_default().send().await.map_err(|e| aws.error(&call, &e))?;
    if answer.ebs_encryption_by_default() != Some(true) {
        return Ok(EbsFacts { by_default: false, key: None });
    }
    let call = Call::new("ec2:GetEbsDefaultKmsKeyId", "*", doing);
    let answer = aws.ec2.get_ebs_default_kms_key_id().send().await.map_err(|e| aws.error(&call, &e))?;
    Ok(EbsFacts { by_default: true, key: answer.kms_key_id })
}

/// The hop limit that a version of a launch template sets.
pub(super) async fn hop_limit(aws: &AwsClient, template: &str, version: &str) -> Result<Option<i32>> {
    let call = Call::new("ec2:DescribeLaunchTemplateVersions", "*", format!("cannot read the launch template {template}"));
    let request = aws.ec2.describe_launch_template_versions().launch_template_id(template).versions(version);
    let answer = request.send().await.map_err(|e| aws.error(&call, &e))?;
    let data = answer.launch_template_versions().first().and_then(|v| v.launch_template_data());
    Ok(data
        .and_then(|d| d.metadata_options())
        .and_then(aws_sdk_ec2::types::LaunchTemplateInstanceMetadataOptions::http_put_response_hop_limit))
}
