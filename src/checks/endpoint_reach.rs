//! Who gets to the endpoints of a VPC, and the commands that make such as all of it gets to.

use super::class_selection::{Selected, own_selections};
use super::ways_out::{UsedSubnet, Ways};
use super::{Judgement, aws};
use crate::facts::{EndpointFacts, Facts, VpcFacts};
use crate::spec::{DISCOVERY_TAG, Spec};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The service whose endpoint is a gateway: an entry of route tables, without security groups.
const GATEWAY: &str = "s3";

/// Endpoints of these services that are there, and that nodes in these subnets do not get to.
pub(super) fn unreached(spec: &Spec, facts: &Facts, ways: Ways<'_>, services: &[&str], subnets: &[UsedSubnet<'_>]) -> Vec<Judgement> {
    let interfaces = || ways.endpoints.iter().filter(|e| e.kind == "Interface" && services.contains(&e.service.as_str()));
    let shut = shut(spec, facts, interfaces());
    // The name leads to a gateway all the same.
    let by_gateway = |endpoint: &&EndpointFacts| ways.to(&endpoint.service).any(|other| other.kind == "Gateway");
    let without_name = interfaces().filter(|endpoint| !endpoint.private_dns && !by_gateway(endpoint)).map(|endpoint| {
        Judgement::warn(format!("VPC endpoint {}", endpoint.service), "has no private DNS: the service's own name does not lead to it")
            .fix("turn private DNS on, or give the name a private zone of your own")
    });
    unrouted(spec, ways, subnets).into_iter().chain(shut).chain(without_name).collect()
}

/// Route tables of these subnets from which no gateway leads to S3.
fn unrouted(spec: &Spec, ways: Ways<'_>, subnets: &[UsedSubnet<'_>]) -> Option<Judgement> {
    let gateways: Vec<&EndpointFacts> = ways.to(GATEWAY).filter(|endpoint| endpoint.kind == "Gateway" && !endpoint.id.is_empty()).collect();
    let first = gateways.first()?;
    if ways.to(GATEWAY).count() > gateways.len() {
        return None;
    }
    let without = |table: &&str| !gateways.iter().any(|gateway| gateway.route_tables.iter().any(|id| id == table));
    let tables = closed_tables(ways, subnets);
    let tables: Vec<&str> = tables.into_iter().filter(without).collect();
    (!tables.is_empty()).then(|| {
        let words = [&["--vpc-endpoint-id", first.id.as_str(), "--add-route-table-ids"][..], &tables[..]].concat();
        Judgement::fail(
            format!("VPC endpoint {GATEWAY}"),
            format!("{} is no way from the route table {} of nodes: they get the layers of no image", first.id, tables.join(", ")),
        )
        .run("add it there", [aws(spec, "ec2", "modify-vpc-endpoint"), words].concat())
    })
}

fn closed_tables<'f>(ways: Ways<'f>, subnets: &[UsedSubnet<'_>]) -> BTreeSet<&'f str> {
    let tables = subnets.iter().filter_map(|subnet| ways.table_of(subnet.id)).filter(|table| !table.leads_out);
    tables.map(|table| table.id.as_str()).collect()
}

/// Endpoints whose security groups let nodes not in: a finding for those of the same groups.
fn shut<'f>(spec: &Spec, facts: &Facts, endpoints: impl Iterator<Item = &'f EndpointFacts>) -> Vec<Judgement> {
    let (Some(nodes), Some(vpc)) = (node_groups(spec, facts), facts.vpc.known()) else { return Vec::new() };
    // A list of prefixes is not read: it may hold them.
    let is_way =
        |source: &String| source.starts_with("pl-") || nodes.contains(source) || vpc.ranges.iter().any(|range| meet(range, source));
    let mut by_groups: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
    for endpoint in endpoints.filter(|endpoint| !endpoint.lets_in.iter().any(is_way)) {
        by_groups.entry(&endpoint.security_groups).or_default().push(&endpoint.service);
    }
    let nodes = nodes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let judged = |(groups, services): (&[String], Vec<&str>)| {
        let judgement = Judgement::fail(
            format!("VPC endpoints of {}", services.join(", ")),
            format!(
                "their security groups ({}) let in neither {nodes} nor addresses of {} at port 443: nodes do not get there",
                groups.join(", "),
                vpc.id
            ),
        );
        // Facts of an older karpctl name no group.
        let group = groups.first()?;
        let allow = |judgement: Judgement, range: &String| {
            let rule = ["--group-id", group, "--protocol", "tcp", "--port", "443", "--cidr", range];
            judgement.run(format!("let {range} in"), [&aws(spec, "ec2", "authorize-security-group-ingress")[..], &rule].concat())
        };
        Some(vpc.ranges.iter().fold(judgement, allow))
    };
    by_groups.into_iter().filter_map(judged).collect()
}

/// The security groups that nodes have or will have, where that is known.
fn node_groups(spec: &Spec, facts: &Facts) -> Option<BTreeSet<String>> {
    let groups: BTreeSet<String> = if let Some(classes) = own_selections(spec, facts, Selected::SecurityGroups) {
        classes.iter().map(|(_, selection)| selection.groups.clone()).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()
    } else {
        let selected = facts.selection.known().into_iter().flat_map(|selection| &selection.security_groups);
        selected.map(|group| group.id.clone()).collect()
    };
    let own = facts.cluster.known().and_then(|cluster| cluster.cluster_security_group_id.clone());
    let groups = if groups.is_empty() { own.into_iter().collect() } else { groups };
    (!groups.is_empty()).then_some(groups)
}

/// The finding with the commands that make these endpoints, which all of the VPC gets to: private DNS holds for all of it.
pub(super) fn make(
    judgement: Judgement,
    spec: &Spec,
    ways: Ways<'_>,
    vpc: &VpcFacts,
    subnets: &[UsedSubnet<'_>],
    missing: &[&str],
) -> Judgement {
    let parts = Parts { spec, ways, vpc, subnets };
    let open = ways.endpoints.iter().find(|endpoint| !endpoint.security_groups.is_empty() && is_open(endpoint, vpc));
    match open {
        None if missing.iter().any(|service| *service != GATEWAY) => judgement.run(
            format!("make them, with a security group that lets in all of the VPC; deleting the stack {} takes them away", parts.stack()),
            parts.make_stack(missing),
        ),
        _ => missing.iter().fold(judgement, |judgement, service| {
            let groups = open.map(|endpoint| endpoint.security_groups.as_slice()).unwrap_or_default();
            judgement.run(format!("make {service}"), parts.make_one(service, groups))
        }),
    }
}

/// Whether an endpoint lets in every range of its VPC.
fn is_open(endpoint: &EndpointFacts, vpc: &VpcFacts) -> bool {
    let is_within = |range: &String| endpoint.lets_in.iter().any(|source| within(range, source));
    !vpc.ranges.is_empty() && vpc.ranges.iter().all(is_within)
}

/// What endpoints are made of.
struct Parts<'a> {
    spec: &'a Spec,
    ways: Ways<'a>,
    vpc: &'a VpcFacts,
    subnets: &'a [UsedSubnet<'a>],
}

impl Parts<'_> {
    fn stack(&self) -> String {
        format!("karpctl-endpoints-{}", self.spec.cluster_name)
    }

    fn service_name(&self, service: &str) -> String {
        self.spec.partition.endpoint_name(&self.spec.region, service)
    }

    /// The subnets of an interface: it takes one of a zone.
    fn interface_subnets(&self) -> Vec<&str> {
        let zones: BTreeMap<&str, &str> = self.subnets.iter().rev().map(|s| (s.zone, s.id)).collect();
        zones.into_values().collect()
    }

    fn make_one(&self, service: &str, groups: &[String]) -> Vec<String> {
        let name = self.service_name(service);
        let mut words = aws(self.spec, "ec2", "create-vpc-endpoint");
        words.extend(["--vpc-id", &self.vpc.id, "--service-name", &name]);
        if service == GATEWAY {
            words.extend(["--vpc-endpoint-type", "Gateway", "--route-table-ids"]);
            words.extend(closed_tables(self.ways, self.subnets));
        } else {
            words.extend(["--vpc-endpoint-type", "Interface", "--private-dns-enabled", "--security-group-ids"]);
            words.extend(groups.iter().map(String::as_str));
            words.push("--subnet-ids");
            words.extend(self.interface_subnets());
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// One stack: the endpoints need the id of the group, which nobody knows before it is made.
    fn make_stack(&self, missing: &[&str]) -> Vec<String> {
        let template = json!({"Resources": self.resources(missing)}).to_string();
        let stack = self.stack();
        let words = ["--stack-name", &stack, "--template-body", &template];
        [&aws(self.spec, "cloudformation", "create-stack")[..], &words].concat().into_iter().map(str::to_owned).collect()
    }

    fn resources(&self, missing: &[&str]) -> Map<String, Value> {
        let from = |range: &String| json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": range});
        let group = json!({"Type": "AWS::EC2::SecurityGroup", "Properties": {
            "GroupDescription": format!("VPC endpoints of {}", self.spec.cluster_name),
            "VpcId": self.vpc.id,
            "SecurityGroupIngress": self.vpc.ranges.iter().map(from).collect::<Vec<_>>(),
        }});
        let endpoint = |service: &&str| {
            let mut properties = json!({"VpcId": self.vpc.id, "ServiceName": self.service_name(service)});
            let more = if *service == GATEWAY {
                json!({"VpcEndpointType": "Gateway", "RouteTableIds": closed_tables(self.ways, self.subnets)})
            } else {
                json!({"VpcEndpointType": "Interface", "PrivateDnsEnabled": true, "SubnetIds": self.interface_subnets(),
                    "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]})
            };
            if let (Some(properties), Value::Object(more)) = (properties.as_object_mut(), more) {
                properties.extend(more);
            }
            // Names of resources are of letters and digits.
            let name: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
            (format!("To{name}"), json!({"Type": "AWS::EC2::VPCEndpoint", "Properties": properties}))
        };
        std::iter::once(("Group".to_owned(), group)).chain(missing.iter().map(endpoint)).collect()
    }
}

/// What is said of the subnets from which there is no way, where others have one.
pub(super) fn leave_out(judgement: Judgement, spec: &Spec, facts: &Facts, closed: &[&str], open: &[&str]) -> Judgement {
    let flags = flags(open);
    if own_selections(spec, facts, Selected::Subnets).is_some() {
        return judgement.fix("let the node class select only those that have one");
    }
    let is_tagged = facts.selection.known().is_some_and(|selection| selection.subnets.iter().any(|s| closed.contains(&s.id.as_str())));
    if !is_tagged {
        return judgement.fix(format!("name those that have one: {flags}"));
    }
    let tag = format!("Key={DISCOVERY_TAG},Value={}", spec.cluster_name);
    let words = [&aws(spec, "ec2", "delete-tags")[..], &["--resources"], closed, &["--tags", &tag]].concat();
    let judgement = judgement.run("take the tag from those, so that no node is launched there", words);
    judgement.fix(format!("and name the others from now on: {flags}"))
}

/// These subnets, as karpctl is told them.
pub(super) fn flags(subnets: &[&str]) -> String {
    subnets.iter().map(|id| format!("--subnet {id}")).collect::<Vec<_>>().join(" ")
}

/// The first and the last address of a range. `None`: it is none of IPv4.
fn bounds(range: &str) -> Option<(u32, u32)> {
    let (address, bits) = range.split_once('/')?;
    let (address, bits) = (u32::from(address.parse::<Ipv4Addr>().ok()?), bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?);
    let rest = u32::MAX.checked_shr(bits).unwrap_or_default();
    Some((address & !rest, address | rest))
}

/// Whether two ranges have an address in common.
fn meet(one: &str, other: &str) -> bool {
    bounds(one).zip(bounds(other)).is_some_and(|(one, other)| one.0 <= other.1 && other.0 <= one.1)
}

/// Whether all of a range is in another.
pub(super) fn within(range: &str, other: &str) -> bool {
    bounds(range).zip(bounds(other)).is_some_and(|(range, other)| other.0 <= range.0 && range.1 <= other.1)
}

#[cfg(test)]
mod tests {
    use super::{bounds, meet, within};

    #[test]
    fn ranges_are_compared_by_their_addresses() {
        assert_eq!(bounds("0.0.0.0/0"), Some((0, u32::MAX)));
        assert_eq!(bounds("10.0.0.1/32"), Some((0x0a00_0001, 0x0a00_0001)));
        assert!(meet("10.0.0.0/16", "10.0.128.0/20") && !within("10.0.0.0/16", "10.0.128.0/20"));
        assert!(within("10.0.0.0/16", "10.0.0.0/8") && within("10.0.0.0/16", "0.0.0.0/0"));
        assert!(!meet("10.0.0.0/16", "10.1.0.0/16"));
        for none in ["sg-1", "fd00::/8", "10.0.0.0/33", "10.0.0.0"] {
            assert_eq!(bounds(none), None, "{none}");
        }
    }
}
