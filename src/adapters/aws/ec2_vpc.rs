//! EC2: a VPC, its endpoints, and who gets to them.

use super::AwsClient;
use super::ec2_network::{FILTER_VALUES, filter_any, only};
use super::errors::Call;
use crate::error::Result;
use crate::facts::{EndpointFacts, VpcFacts};
use aws_sdk_ec2::operation::describe_vpc_attribute::DescribeVpcAttributeOutput;
use aws_sdk_ec2::types::{AttributeBooleanValue, IpPermission, VpcAttributeName, VpcEndpoint};
use std::collections::{BTreeMap, BTreeSet};

/// The port of AWS's services.
const HTTPS: u16 = 443;

pub(super) async fn vpc(aws: &AwsClient, id: &str) -> Result<Option<VpcFacts>> {
    let call = Call::new("ec2:DescribeVpcs", "*", format!("cannot read the VPC {id}"));
    let answer = aws.ec2.describe_vpcs().filters(only("vpc-id", id)).send().await.map_err(|e| aws.error(&call, &e))?;
    let Some(vpc) = answer.vpcs.unwrap_or_default().into_iter().next() else { return Ok(None) };
    let (support, hostnames) =
        tokio::join!(attribute(aws, id, VpcAttributeName::EnableDnsSupport), attribute(aws, id, VpcAttributeName::EnableDnsHostnames),);
    let ranges = vpc.cidr_block_association_set().iter().filter_map(|a| a.cidr_block().map(str::to_owned));
    let is_on = |value: Option<&AttributeBooleanValue>| value.and_then(AttributeBooleanValue::value) == Some(true);
    Ok(Some(VpcFacts {
        id: id.to_owned(),
        ranges: ranges.collect(),
        dns_support: is_on(support?.enable_dns_support()),
        dns_hostnames: is_on(hostnames?.enable_dns_hostnames()),
    }))
}

async fn attribute(aws: &AwsClient, vpc: &str, name: VpcAttributeName) -> Result<DescribeVpcAttributeOutput> {
    let call = Call::new("ec2:DescribeVpcAttribute", "*", format!("cannot read {name} of the VPC {vpc}"));
    aws.ec2.describe_vpc_attribute().vpc_id(vpc).attribute(name).send().await.map_err(|e| aws.error(&call, &e))
}

/// `ecr.api` of `com.amazonaws.us-west-2.ecr.api`, in China with `cn.` before it. A service of all regions names none: `com.amazonaws.iam`.
fn service_of(name: &str, region: &str) -> String {
    let regional = name.split_once(&format!(".{region}.")).map(|(_, service)| service);
    let global = || name.split_once("com.amazonaws.").map(|(_, service)| service).filter(|service| !service.contains('.'));
    regional.or_else(global).unwrap_or_default().to_owned()
}

pub(super) async fn vpc_endpoints(aws: &AwsClient, vpc: &str) -> Result<Vec<EndpointFacts>> {
    let call = Call::new("ec2:DescribeVpcEndpoints", "*", format!("cannot list the endpoints of {vpc}"));
    let pages = aws.ec2.describe_vpc_endpoints().filters(only("vpc-id", vpc)).into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let region = aws.region().unwrap_or_default();
    let groups: BTreeSet<String> = listed.iter().flat_map(groups_of).collect();
    let lets_in = let_in(aws, &groups.into_iter().collect::<Vec<_>>(), HTTPS).await?;
    let endpoint = |e: &VpcEndpoint| EndpointFacts {
        service: e.service_name().map(|name| service_of(name, &region)).unwrap_or_default(),
        state: e.state().map(|s| s.as_str().to_lowercase()).unwrap_or_default(),
        kind: e.vpc_endpoint_type().map(|k| k.as_str().to_owned()).unwrap_or_default(),
        private_dns: e.private_dns_enabled().unwrap_or_default(),
        id: e.vpc_endpoint_id().unwrap_or_default().to_owned(),
        route_tables: e.route_table_ids().to_vec(),
        security_groups: groups_of(e).collect(),
        lets_in: groups_of(e).filter_map(|group| lets_in.get(&group)).flatten().cloned().collect(),
    };
    Ok(listed.iter().map(endpoint).collect())
}

fn groups_of(endpoint: &VpcEndpoint) -> impl Iterator<Item = String> {
    endpoint.groups().iter().filter_map(|group| group.group_id().map(str::to_owned))
}

/// Whom these security groups let in at a port, group by group.
pub(super) async fn let_in(aws: &AwsClient, groups: &[String], port: u16) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    // By a filter: an id that is no more there is no error.
    for groups in groups.chunks(FILTER_VALUES) {
        let call = Call::new("ec2:DescribeSecurityGroups", "*", format!("cannot read the security groups {}", groups.join(", ")));
        let pages = aws.ec2.describe_security_groups().filters(filter_any("group-id", groups)).into_paginator().items().send();
        let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
        let rules =
            |g: &aws_sdk_ec2::types::SecurityGroup| g.ip_permissions().iter().filter(|rule| is_of(port, rule)).flat_map(sources).collect();
        found.extend(listed.iter().filter_map(|g| Some((g.group_id()?.to_owned(), rules(g)))));
    }
    Ok(found)
}

fn is_of(port: u16, rule: &IpPermission) -> bool {
    let ports = rule.from_port().unwrap_or(0)..=rule.to_port().unwrap_or(i32::from(u16::MAX));
    match rule.ip_protocol() {
        Some("-1") => true,
        Some("tcp" | "6") => ports.contains(&i32::from(port)),
        _ => false,
    }
}

fn sources(rule: &IpPermission) -> Vec<String> {
    let ranges = rule.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let groups = rule.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let lists = rule.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id());
    ranges.chain(groups).chain(lists).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{HTTPS, is_of, sources};
    use aws_sdk_ec2::types::{IpPermission, IpRange, PrefixListId, UserIdGroupPair};

    #[test]
    fn a_rule_lets_in_at_a_port_where_its_ports_say_so() {
        let rule = |protocol: &str, ports: Option<(i32, i32)>| {
            let (from, to) = ports.unzip();
            IpPermission::builder().ip_protocol(protocol).set_from_port(from).set_to_port(to).build()
        };
        assert!(is_of(HTTPS, &rule("-1", None)));
        assert!(is_of(HTTPS, &rule("tcp", Some((443, 443)))));
        assert!(is_of(HTTPS, &rule("6", Some((0, 65535)))));
        assert!(!is_of(HTTPS, &rule("tcp", Some((80, 80)))));
        assert!(!is_of(HTTPS, &rule("udp", Some((443, 443)))));
        assert!(!is_of(8443, &rule("tcp", Some((443, 443)))));
    }

    #[test]
    fn who_is_let_in_is_a_range_a_group_or_a_list() {
        let rule = IpPermission::builder()
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/8").build())
            .user_id_group_pairs(UserIdGroupPair::builder().group_id("sg-1").build())
            .prefix_list_ids(PrefixListId::builder().prefix_list_id("pl-1").build());
        assert_eq!(sources(&rule.build()), ["10.0.0.0/8", "sg-1", "pl-1"]);
    }

    #[test]
    fn a_service_of_all_regions_has_no_region_in_its_name() {
        let of = |name| super::service_of(name, "us-west-2");
        assert_eq!(
            [of("com.amazonaws.us-west-2.ecr.api"), of("com.amazonaws.iam"), of("com.amazonaws.eu-west-1.sts"), of("com.example.x")],
            ["ecr.api", "iam", "", ""]
        );
        assert_eq!(super::service_of("cn.com.amazonaws.cn-north-1.ec2", "cn-north-1"), "ec2");
    }
}
