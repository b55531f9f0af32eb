//! Whether nodes and controller reach AWS where there is no way to the internet.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Facts, ReachFacts, SubnetFacts, Topic};
use crate::finding::Area;
use crate::spec::Spec;
use std::collections::BTreeMap;

pub(super) struct PrivateEndpoints;

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
         endpoint; `settings.isolatedVPC=true` stops it). --private renders the chart and the node class for such a VPC. A way out by a \
         proxy or a transit gateway counts where a route leads to it; whether something answers there is not tried."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Selection, Topic::Network, Topic::Reach]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "ways out of the VPC";
        let Some(cluster) = read(subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let Some(reach) = read(subject, &situation.facts.reach)? else {
            return Err(Judgement::skip(subject, "were not looked at"));
        };
        let subnets = used_subnets(situation.facts);
        let closed: Vec<&str> = subnets.iter().map(|s| s.id.as_str()).filter(|id| !leads_out(reach, id)).collect();
        let closed_ones = format!("{} of {} subnets ({})", closed.len(), subnets.len(), closed.join(", "));
        if closed.is_empty() && !spec.private {
            return Ok(vec![Judgement::pass(subject, "every subnet of nodes has a route that leads out")]);
        }
        let vpc = cluster.vpc_id.as_deref().unwrap_or_default();
        let group = cluster.cluster_security_group_id.as_deref().unwrap_or_default();
        let mut said: Vec<Judgement> = spec
            .vpc_endpoints()
            .into_iter()
            .filter(|service| !reach.endpoints.iter().any(|e| e.service == *service && e.state == "available"))
            .map(|service| {
                let subject = format!("VPC endpoint {service}");
                let why = if closed.is_empty() {
                    "the spec is private".to_owned()
                } else {
                    format!("{} of {} subnets have no way out", closed.len(), subnets.len())
                };
                Judgement::fail(subject, format!("is not there, and {why}"))
                    .run("make it", create(spec, reach, vpc, group, service, &subnets))
            })
            .collect();
        for endpoint in
            reach.endpoints.iter().filter(|e| e.kind == "Interface" && !e.private_dns && spec.vpc_endpoints().contains(&e.service.as_str()))
        {
            said.push(
                Judgement::warn(
                    format!("VPC endpoint {}", endpoint.service),
                    "has no private DNS: the service's own name does not lead to it",
                )
                .fix("turn private DNS on, or give the name a private zone of your own"),
            );
        }
        if !closed.is_empty() && !spec.private {
            said.push(
                Judgement::warn(subject, format!("{closed_ones} have no route that leads out, and the spec is not private"))
                    .fix("say --private: the chart and the node class are then those of a VPC without a way to the internet"),
            );
        }
        if said.is_empty() {
            said.push(Judgement::pass(subject, "there is none, and every endpoint that is needed is there"));
        }
        Ok(said)
    }
}

/// The subnets that nodes will be launched into: those that the selector finds, else those that will be tagged.
pub(super) fn used_subnets(facts: &Facts) -> Vec<&SubnetFacts> {
    let selected = facts.selection.known().map(|s| &s.subnets).filter(|s| !s.is_empty());
    let candidates = facts.network.known().map(|n| &n.subnets);
    selected.or(candidates).into_iter().flatten().collect()
}

/// Whether a route of this subnet leads out of the VPC.
pub(super) fn leads_out(reach: &ReachFacts, subnet: &str) -> bool {
    let own = reach.route_tables.iter().find(|t| t.subnets.iter().any(|s| s == subnet));
    own.or_else(|| reach.route_tables.iter().find(|t| t.main)).is_some_and(|t| t.leads_out)
}

fn create(spec: &Spec, reach: &ReachFacts, vpc: &str, group: &str, service: &str, subnets: &[&SubnetFacts]) -> Vec<String> {
    let name = spec.partition.endpoint_name(&spec.region, service);
    let mut words: Vec<String> = aws(spec, "ec2", "create-vpc-endpoint").into_iter().map(str::to_owned).collect();
    words.extend(["--vpc-id", vpc, "--service-name", &name].map(str::to_owned));
    if service == "s3" {
        let tables = reach.route_tables.iter().map(|t| t.id.clone());
        words.extend(["--vpc-endpoint-type", "Gateway", "--route-table-ids"].map(str::to_owned).into_iter().chain(tables));
    } else {
        words.extend(
            ["--vpc-endpoint-type", "Interface", "--private-dns-enabled", "--security-group-ids", group, "--subnet-ids"].map(str::to_owned),
        );
        // An endpoint takes one subnet of a zone.
        let zones: BTreeMap<&str, &str> = subnets.iter().rev().map(|s| (s.zone.as_str(), s.id.as_str())).collect();
        words.extend(zones.into_values().map(str::to_owned));
    }
    words
}
