//! Whether nodes and controller reach AWS where there is no way to the internet.

use super::class_selection::unread_classes;
use super::endpoint_reach::{flags, leave_out, make, unreached};
use super::judgement::read;
use super::ways_out::{UsedSubnet, Ways, other_way, told_way, used_subnets, ways};
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::{ClusterFacts, Facts, Topic};
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct PrivateEndpoints;

const SUBJECT: &str = "ways out of the VPC";

/// The services that a node needs to join and to get its images; the others are the controller's.
const OF_NODES: [&str; 5] = ["ec2", "ecr.api", "ecr.dkr", "s3", "sts"];

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
         ec2, ecr.api, ecr.dkr, s3, sts, ssm, eks since 0.25, sqs where there is an interruption queue, and eks-auth with Pod Identity (of a Karpenter that is there and has its role by IRSA, it is not asked for).\n\n\
         What people see otherwise: `Post \"https://sts.us-west-2.amazonaws.com/\": dial tcp …: i/o timeout`, `Post \
         \"https://iam.amazonaws.com/\": i/o timeout` (IAM's endpoint, com.amazonaws.iam, is made in one region alone: a private cluster mostly needs an instance profile instead of a \
         role), `failed to resolve cluster endpoint`, `api error RequestError: send request failed … api.pricing` (noise: prices have no \
         endpoint; `settings.isolatedVPC=true` stops it). --private renders the chart and the node class for such a VPC. A way out \
         counts where a route of 0.0.0.0/0 leads to it; whether something answers there is not tried. Endpoints of another VPC behind a transit gateway or \
         a peering, a proxy of the controller, a controller that is ready without an endpoint of ec2: these are a warning, and no endpoint is proposed.\n\n\
         Private DNS of an endpoint holds for the whole VPC: who is not let in by the endpoint's security group is cut off from that service, \
         nodes, functions and other clusters that have a way out alike. So where some subnets lead out and others do not, the cure is to leave those out, as \
         with subnets that terraform-aws-eks gives the control plane (`intra_subnets`). Endpoints are made by a command only where nothing in the VPC leads \
         out, with a security group that lets in the whole VPC at port 443.\n\n\
         Of endpoints that are there it looks whether nodes get to them: a gateway to S3 counts in the route tables that it is given to, an \
         interface where one of its security groups lets in at port 443 a group that nodes have, or addresses of the VPC.\n\nNot seen: endpoint policies.\n\n\
         A public endpoint of the cluster that answers some addresses alone, beside which there is no private one, is a warning: a node \
         whose way out has another address never joins.\n\nCure: the private endpoint, by which nodes then go."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Selection,
            Topic::Network,
            Topic::NodeSubnets,
            Topic::Routes,
            Topic::Endpoints,
            Topic::Vpc,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Association,
            Topic::Crds,
            Topic::Objects,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let Some(cluster) = read(SUBJECT, &facts.cluster)? else {
            return Err(Judgement::skip(SUBJECT, "there is no cluster yet"));
        };
        let mut said: Vec<Judgement> = limited(spec, cluster).into_iter().collect();
        match ways_of_nodes(situation, spec) {
            Ok(of_nodes) => {
                said.extend(of_nodes);
                said.extend(unread_classes(spec, facts));
            }
            Err(ended) => said.push(ended),
        }
        Ok(said)
    }
}

/// What is said of the ways that nodes have.
fn ways_of_nodes(situation: &Situation<'_>, spec: &Spec) -> Judged {
    let facts = situation.facts;
    let ways = ways(SUBJECT, facts)?;
    let subnets = used_subnets(spec, facts, SUBJECT)?;
    if subnets.is_empty() {
        return Err(Judgement::skip(SUBJECT, "no subnet of nodes is known"));
    }
    let (open, closed): (Vec<UsedSubnet<'_>>, Vec<UsedSubnet<'_>>) = subnets.iter().partition(|s| ways.lead_out(s.id));
    if closed.is_empty() && !spec.private {
        return Ok(vec![Judgement::pass(SUBJECT, "every subnet of nodes has a route that leads out")]);
    }
    let services = services(spec, facts);
    let (coming, missing): (Vec<&str>, Vec<&str>) =
        services.iter().copied().filter(|service| !ways.has(service)).partition(|service| ways.await_one(service));
    let closed_ones = format!("{} of {} subnets ({})", closed.len(), subnets.len(), ids(&closed).join(", "));
    let way = if open.is_empty() { other_way(situation, ways, &subnets) } else { told_way(situation, ways, &closed) };
    let mut said: Vec<Judgement> = coming.iter().map(|service| pending(service)).collect();
    match way {
        _ if missing.is_empty() => {}
        Some(way) => said.push(unseen_way(spec, way, &missing)),
        None if closed.is_empty() => said.push(unneeded(&missing)),
        None if !open.is_empty() => {
            let message = format!("{closed_ones} have no route that leads out, and the others have: what is launched there never joins");
            said.push(leave_out(Judgement::warn(SUBJECT, message), spec, facts, &ids(&closed), &ids(&open)));
        }
        None => said.push(shut_in(situation, spec, ways, &closed, &missing)),
    }
    said.extend(
        unreached(spec, facts, ways, &services, &closed)
            .into_iter()
            .map(|judgement| if way.is_some() { judgement.milder() } else { judgement }),
    );
    if open.is_empty() && !spec.private && way.is_none() {
        said.push(
            Judgement::warn(SUBJECT, format!("{closed_ones} have no route that leads out, and the spec is not private"))
                .fix("say --private: the chart and the node class are then those of a VPC without a way to the internet"),
        );
    }
    if said.is_empty() {
        said.push(Judgement::pass(SUBJECT, "there is none, and nodes get to every endpoint that is needed"));
    }
    Ok(said)
}

/// The services that nodes and controller reach by endpoints: a controller that has its role by IRSA asks no agent for it.
fn services(spec: &Spec, facts: &Facts) -> Vec<&'static str> {
    let by_irsa = whose::has_role_by_irsa(spec, facts, SUBJECT).is_err();
    spec.vpc_endpoints().into_iter().filter(|service| *service != "eks-auth" || !by_irsa).collect()
}

fn ids<'f>(subnets: &[UsedSubnet<'f>]) -> Vec<&'f str> {
    subnets.iter().map(|subnet| subnet.id).collect()
}

/// An endpoint that was asked for and does not work yet.
fn pending(service: &str) -> Judgement {
    Judgement::warn(format!("VPC endpoint {service}"), "is pending: EC2 is still making it").fix("wait: it takes a few minutes").heals()
}

/// Endpoints that are not there, where another way may lead to the services.
fn unseen_way(spec: &Spec, way: &str, missing: &[&str]) -> Judgement {
    let message =
        format!("the VPC has no endpoint of {}, and {way}: whether they are reached so is not seen from here", missing.join(", "));
    Judgement::warn(SUBJECT, message)
        .fix(format!(
            "ask from a node: `curl --max-time 5 https://sts.{}.{}` gets some answer where there is a way",
            spec.region,
            spec.partition.url_suffix()
        ))
        .fix("where nodes join and pods get their images, accept the finding")
}

/// Endpoints that a private spec would go by, where every subnet of nodes leads out.
fn unneeded(missing: &[&str]) -> Judgement {
    let message = format!(
        "the spec is private, every subnet of nodes has a route that leads out, and the VPC has no endpoint of {}",
        missing.join(", ")
    );
    Judgement::warn(SUBJECT, message).fix("leave --private out, or make them before that route goes").fix(WITH_CARE)
}

const WITH_CARE: &str = "give endpoints a security group that lets in the whole VPC at port 443: their private DNS holds for all of it, and whoever is not let \
                         in is cut off from these services";

/// Endpoints that are not there, where no subnet of nodes has another way.
fn shut_in(situation: &Situation<'_>, spec: &Spec, ways: Ways<'_>, subnets: &[UsedSubnet<'_>], missing: &[&str]) -> Judgement {
    let facts = situation.facts;
    let ends = if missing.iter().any(|service| OF_NODES.contains(service)) { "no node joins" } else { "the controller does not get there" };
    let judgement = Judgement::fail(
        "VPC endpoints",
        format!("the VPC has none of {}, and no subnet of nodes ({}) has a way out: {ends}", missing.join(", "), ids(subnets).join(", ")),
    );
    if ways.lead_out_anywhere() {
        let known = facts.network.known().into_iter().flat_map(|network| &network.subnets);
        let open: Vec<&str> = known.map(|subnet| subnet.id.as_str()).filter(|id| ways.lead_out(id)).collect();
        let flags = if open.is_empty() { "--subnet ID".to_owned() } else { flags(&open) };
        return judgement
            .fix(format!("have nodes launched into subnets of the VPC that have a way out: {flags}"))
            .fix("or make an endpoint of each")
            .fix(WITH_CARE);
    }
    match facts.vpc.known() {
        Some(vpc) if !vpc.ranges.is_empty() => make(judgement, spec, ways, vpc, subnets, missing),
        _ => judgement.fix("make an endpoint of each").fix(WITH_CARE),
    }
}

/// A public endpoint that answers some addresses alone, where nodes have no other.
fn limited(spec: &Spec, cluster: &ClusterFacts) -> Option<Judgement> {
    let ranges = &cluster.public_ranges;
    let is_limited = cluster.public_endpoint && !cluster.private_endpoint && !ranges.is_empty() && !ranges.iter().any(|r| r == "0.0.0.0/0");
    let turn_on = ["--name", spec.cluster_name.as_str(), "--resources-vpc-config", "endpointPrivateAccess=true"];
    is_limited.then(|| {
        Judgement::warn(
            format!("API server of cluster {}", spec.cluster_name),
            format!(
                "answers {} alone, and has no private endpoint: a node whose way out has another address never joins",
                ranges.join(", ")
            ),
        )
        .run("turn the private endpoint on: nodes then go by it", [&aws(spec, "eks", "update-cluster-config")[..], &turn_on].concat())
        .fix("where these are the addresses of the NAT gateways and nodes join, accept the finding")
    })
}
