//! Whether nodes and controller reach AWS where there is no way to the internet.

use super::class_selection::{Selected, own_selections, unread_classes};
use super::judgement::{installed, read};
use super::neighbours::karpenters;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{EndpointFacts, Facts, RouteTableFacts, Topic};
use crate::finding::Area;
use crate::spec::Spec;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct PrivateEndpoints;

/// What the ways out of the VPC are judged by.
pub(super) const READS: &[Topic] = &[
    Topic::Cluster,
    Topic::Selection,
    Topic::Network,
    Topic::Routes,
    Topic::Endpoints,
    Topic::Chart,
    Topic::Neighbours,
    Topic::Crds,
    Topic::Objects,
];

impl Check for PrivateEndpoints {
    fn id(&self) -> &'static str {
        "private-endpoints"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A node without a way to EC2, ECR, STS and EKS never joins, and a controller without one times out call by call."
    }

    fn explain(&self) -> &'static str {
        "Reads the VPC's route tables and endpoints. A subnet whose route table leads nowhere outside needs a VPC endpoint for each of \
         ec2, ecr.api, ecr.dkr, s3, sts, ssm, eks since 0.25, sqs where there is an interruption queue, and eks-auth with Pod Identity. \
         What people see otherwise: `Post \"https://sts.us-west-2.amazonaws.com/\": dial tcp …: i/o timeout`, `Post \
         \"https://iam.amazonaws.com/\": i/o timeout` (IAM's endpoint, com.amazonaws.iam, is made in one region alone: a private cluster mostly needs an instance profile instead of a \
         role), `failed to resolve cluster endpoint`, `api error RequestError: send request failed … api.pricing` (noise: prices have no \
         endpoint; `settings.isolatedVPC=true` stops it). --private renders the chart and the node class for such a VPC. A way out \
         counts where a route of 0.0.0.0/0 leads to it; whether something answers there is not tried. Endpoints of another VPC behind a transit gateway or \
         a peering, a proxy of the controller, a controller that is ready without an endpoint of ec2: these are a warning, and no endpoint is proposed."
    }

    fn reads(&self) -> &'static [Topic] {
        READS
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "ways out of the VPC";
        let Some(cluster) = read(subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let ways = ways(subject, situation.facts)?;
        let subnets = used_subnets(spec, situation.facts, subject)?;
        if subnets.is_empty() {
            return Err(Judgement::skip(subject, "no subnet of nodes is known"));
        }
        let closed: Vec<&str> = subnets.iter().map(|s| s.id).filter(|id| !ways.lead_out(id)).collect();
        let closed_ones = format!("{} of {} subnets ({})", closed.len(), subnets.len(), closed.join(", "));
        if closed.is_empty() && !spec.private {
            let out = Judgement::pass(subject, "every subnet of nodes has a route that leads out");
            return Ok([out].into_iter().chain(unread_classes(spec, situation.facts)).collect());
        }
        let vpc = cluster.vpc_id.as_deref().unwrap_or_default();
        let group = cluster.cluster_security_group_id.as_deref().unwrap_or_default();
        let missing: Vec<&str> = spec.vpc_endpoints().into_iter().filter(|service| !ways.has(service)).collect();
        let other_way = other_way(situation, ways, &subnets);
        let mut said = Vec::new();
        match other_way {
            Some(way) if !missing.is_empty() => said.push(
                Judgement::warn(
                    subject,
                    format!(
                        "the VPC has no endpoint of {}, and {way}: whether they are reached so is not seen from here",
                        missing.join(", ")
                    ),
                )
                .fix(format!(
                    "ask from a node: `curl --max-time 5 https://sts.{}.{}` gets some answer where there is a way",
                    spec.region,
                    spec.partition.url_suffix()
                ))
                .fix("where nodes join and pods get their images, accept the finding"),
            ),
            _ => said.extend(missing.into_iter().map(|service| {
                let why = if closed.is_empty() {
                    "the spec is private".to_owned()
                } else {
                    format!("{} of {} subnets have no way out", closed.len(), subnets.len())
                };
                Judgement::fail(format!("VPC endpoint {service}"), format!("is not there, and {why}"))
                    .run("make it", create(spec, ways, vpc, group, service, &subnets))
            })),
        }
        for endpoint in
            ways.endpoints.iter().filter(|e| e.kind == "Interface" && !e.private_dns && spec.vpc_endpoints().contains(&e.service.as_str()))
        {
            said.push(
                Judgement::warn(
                    format!("VPC endpoint {}", endpoint.service),
                    "has no private DNS: the service's own name does not lead to it",
                )
                .fix("turn private DNS on, or give the name a private zone of your own"),
            );
        }
        if !closed.is_empty() && !spec.private && other_way.is_none() {
            said.push(
                Judgement::warn(subject, format!("{closed_ones} have no route that leads out, and the spec is not private"))
                    .fix("say --private: the chart and the node class are then those of a VPC without a way to the internet"),
            );
        }
        if said.is_empty() {
            said.push(Judgement::pass(subject, "there is none, and every endpoint that is needed is there"));
        }
        said.extend(unread_classes(spec, situation.facts));
        Ok(said)
    }
}

/// A subnet that nodes will be launched into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UsedSubnet<'f> {
    pub(super) id: &'f str,
    zone: &'f str,
}

/// The subnets that nodes will be launched into: those that node classes found by selectors of their own, else those of the discovery tag,
/// else those that will be tagged.
pub(super) fn used_subnets<'f>(spec: &Spec, facts: &'f Facts, subject: &str) -> Result<Vec<UsedSubnet<'f>>, Judgement> {
    if let Some(classes) = own_selections(spec, facts, Selected::Subnets) {
        let found = classes.iter().filter_map(|(_, selection)| selection.subnets.as_ref()).flatten();
        let found: BTreeSet<UsedSubnet<'_>> = found.map(|subnet| UsedSubnet { id: &subnet.id, zone: &subnet.zone }).collect();
        return Ok(found.into_iter().collect());
    }
    let used = match read(subject, &facts.selection)?.map(|selection| &selection.subnets).filter(|subnets| !subnets.is_empty()) {
        Some(selected) => Some(selected),
        None => read(subject, &facts.network)?.map(|network| &network.subnets),
    };
    Ok(used.into_iter().flatten().map(|subnet| UsedSubnet { id: &subnet.id, zone: &subnet.zone }).collect())
}

/// The ways out of the cluster's VPC.
#[derive(Clone, Copy)]
pub(super) struct Ways<'f> {
    routes: &'f [RouteTableFacts],
    endpoints: &'f [EndpointFacts],
}

/// The ways out, where both routes and endpoints could be read.
pub(super) fn ways<'f>(subject: &str, facts: &'f Facts) -> Result<Ways<'f>, Judgement> {
    match (read(subject, &facts.routes)?, read(subject, &facts.endpoints)?) {
        (Some(routes), Some(endpoints)) => Ok(Ways { routes, endpoints }),
        _ => Err(Judgement::skip(subject, "the ways out of the VPC were not looked at")),
    }
}

impl<'f> Ways<'f> {
    /// Whether a route of this subnet leads out of the VPC.
    pub(super) fn lead_out(self, subnet: &str) -> bool {
        self.table_of(subnet).is_some_and(|table| table.leads_out)
    }

    fn table_of(self, subnet: &str) -> Option<&'f RouteTableFacts> {
        RouteTableFacts::of_subnet(self.routes, subnet)
    }

    /// Whether a service has an endpoint in the VPC.
    pub(super) fn has(self, service: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.service == service && endpoint.state == "available")
    }
}

/// What speaks for a way to AWS's services that routes and endpoints of this VPC do not show.
pub(super) fn other_way(situation: &Situation<'_>, ways: Ways<'_>, subnets: &[UsedSubnet<'_>]) -> Option<&'static str> {
    let facts = situation.facts;
    if subnets.iter().any(|s| ways.table_of(s.id).is_some_and(|table| table.leads_elsewhere)) {
        return Some("a route leads to another network, which may have them");
    }
    let live = facts.chart_release.known().filter(|release| installed(release));
    let given = [live.map(|release| &release.values["controller"]), situation.spec.and_then(|spec| spec.chart.values.get("controller"))];
    let env = given.into_iter().flatten().filter_map(|controller| controller["env"].as_array()).flatten();
    if env.filter_map(|variable| variable["name"].as_str()).any(|name| name.eq_ignore_ascii_case("HTTPS_PROXY")) {
        return Some("the controller is told a proxy");
    }
    // It ends with its first call of EC2 where there is no way.
    let works = facts.neighbours.known().is_some_and(|n| karpenters(n).any(|w| w.ready > 0));
    (works && !ways.has("ec2")).then_some("a Karpenter is ready, which it is by a way to EC2 only")
}

fn create(spec: &Spec, ways: Ways<'_>, vpc: &str, group: &str, service: &str, subnets: &[UsedSubnet<'_>]) -> Vec<String> {
    let name = spec.partition.endpoint_name(&spec.region, service);
    let mut words: Vec<String> = aws(spec, "ec2", "create-vpc-endpoint").into_iter().map(str::to_owned).collect();
    words.extend(["--vpc-id", vpc, "--service-name", &name].map(str::to_owned));
    if service == "s3" {
        let tables: BTreeSet<String> = subnets.iter().filter_map(|s| Some(ways.table_of(s.id)?.id.clone())).collect();
        words.extend(["--vpc-endpoint-type", "Gateway", "--route-table-ids"].map(str::to_owned).into_iter().chain(tables));
    } else {
        words.extend(
            ["--vpc-endpoint-type", "Interface", "--private-dns-enabled", "--security-group-ids", group, "--subnet-ids"].map(str::to_owned),
        );
        // An endpoint takes one subnet of a zone.
        let zones: BTreeMap<&str, &str> = subnets.iter().rev().map(|s| (s.zone, s.id)).collect();
        words.extend(zones.into_values().map(str::to_owned));
    }
    words
}
