//! Whether a cluster can be made in the VPC that the spec names, and nodes in its subnets.

use super::judgement::read;
use super::node_network::taken;
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster, makes_none};
use crate::facts::{SubnetFacts, Topic};
use crate::finding::Area;
use crate::knowledge::ZONES_WITHOUT_EKS;
use crate::spec::{Spec, SubnetId, Vpc, VpcId};
use std::collections::BTreeSet;

pub(super) struct OwnVpc;

/// How many addresses the control plane takes in each of its subnets (EKS user guide, network requirements).
const OF_CONTROL_PLANE: i32 = 6;

impl Check for OwnVpc {
    fn id(&self) -> &'static str {
        "own-vpc"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A subnet that is not there, is of another VPC or leaves one zone alone is told by eksctl or EKS after the stacks are begun."
    }

    fn explain(&self) -> &'static str {
        "Asks EC2 for the subnets under `vpc` in the spec file, where a cluster is to be made in them: each must be there, in the region and the VPC that \
         are meant; together they must be in two zones or more, none of which is one where EKS makes no control plane (use1-az3, usw1-az2, \
         cac1-az3: ids, as the names of zones differ between accounts), and each must have six free addresses for the control plane. Where nodes \
         run in public subnets, eksctl asks that they give addresses.\n\nWhat people see otherwise: `InvalidSubnetID.NotFound`, \
         `Subnets specified must be in at least two different AZs`, `UnsupportedAvailabilityZoneException`, `does not currently have sufficient \
         capacity to support the cluster`, eksctl's `found mis-configured or non-public subnets`.\n\nCure: name others under vpc.privateSubnets \
         and vpc.publicSubnets.\n\nNot seen: where their routes lead; `karpctl doctor` says it once the cluster is there."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::OwnSubnets]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "VPC of the cluster to be made";
        read(subject, &facts.cluster)?;
        if !makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, makes_none(facts)));
        }
        let Some(own) = &spec.vpc else {
            return Ok(vec![Judgement::pass(subject, "none is named: eksctl makes one")]);
        };
        let Some(subnets) = read(subject, &facts.own_subnets)? else {
            return Err(Judgement::skip(subject, "its subnets were not asked for"));
        };
        let mut said: Vec<Judgement> =
            own.subnets().filter_map(|id| is_missing(spec, id, own.id.as_ref().map(VpcId::as_str), subnets)).collect();
        let vpc = own.id.as_ref().map_or_else(|| subnets.first().map(|subnet| subnet.vpc_id.as_str()), |id| Some(id.as_str()));
        for subnet in subnets {
            said.extend(of_vpc(subnet, vpc));
            said.extend(takes_control_plane(subnet));
            said.extend(reaches_out(spec, own, subnet));
            said.extend(of_nodes(spec, &subnet.id).then(|| taken(subnet, spec.cluster_name.as_str(), &[])).flatten());
        }
        let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
        if zones.len() < 2 && said.iter().all(|judgement| !judgement.is_failure()) {
            let zone = zones.first().copied().unwrap_or("no zone");
            let message = format!("its subnets are all in {zone}: Subnets specified must be in at least two different AZs");
            said.push(
                listed(spec, vpc, Judgement::fail(subject, message))
                    .fix("name one of another zone too: vpc.privateSubnets, vpc.publicSubnets"),
            );
        }
        if said.is_empty() {
            let message = format!("{}: {} subnets in {} zones", vpc.unwrap_or_default(), subnets.len(), zones.len());
            said.push(Judgement::pass(subject, message));
        }
        Ok(said)
    }
}

fn named(subnet: &SubnetFacts) -> String {
    format!("subnet {} ({})", subnet.id, subnet.zone)
}

/// What helps to choose others.
fn listed(spec: &Spec, vpc: Option<&str>, judgement: Judgement) -> Judgement {
    let words = aws(spec, "ec2", "describe-subnets").into_iter().map(str::to_owned);
    let of_vpc = vpc.into_iter().flat_map(|vpc| ["--filters".to_owned(), format!("Name=vpc-id,Values={vpc}")]);
    let columns = "Subnets[].[VpcId,SubnetId,AvailabilityZone,AvailabilityZoneId,AvailableIpAddressCount]";
    let table = ["--query", columns, "--output", "text"].map(str::to_owned);
    judgement.run("see which subnets are there", words.chain(of_vpc).chain(table))
}

/// A subnet that is named and is not among those that there are. `vpc`: of which one is to be.
pub(super) fn is_missing(spec: &Spec, id: &SubnetId, vpc: Option<&str>, subnets: &[SubnetFacts]) -> Option<Judgement> {
    let missing = !subnets.iter().any(|subnet| subnet.id == id.as_str());
    missing.then(|| {
        let message = format!("is not in {} of account {}: InvalidSubnetID.NotFound", spec.region, spec.account_id);
        listed(spec, vpc, Judgement::fail(format!("subnet {id}"), message))
    })
}

fn of_vpc(subnet: &SubnetFacts, vpc: Option<&str>) -> Option<Judgement> {
    let wanted = vpc.filter(|vpc| *vpc != subnet.vpc_id)?;
    let message = format!("is of {}, not of {wanted}: a cluster's subnets are of one VPC", subnet.vpc_id);
    Some(Judgement::fail(named(subnet), message).fix(format!("name subnets of {wanted}, or another vpc.id")))
}

fn takes_control_plane(subnet: &SubnetFacts) -> Option<Judgement> {
    if ZONES_WITHOUT_EKS.contains(&subnet.zone_id.as_str()) {
        let message = format!("its zone is {}, where EKS makes no control plane: UnsupportedAvailabilityZoneException", subnet.zone_id);
        return Some(Judgement::fail(named(subnet), message).fix("name a subnet of another zone in its place"));
    }
    (subnet.free_addresses < OF_CONTROL_PLANE).then(|| {
        let message =
            format!("has {} free addresses, and the control plane takes {OF_CONTROL_PLANE} in each subnet", subnet.free_addresses);
        Judgement::fail(named(subnet), message).fix("name a larger subnet in its place")
    })
}

/// Whether nodes run there.
fn of_nodes(spec: &Spec, id: &str) -> bool {
    spec.node_subnets().iter().any(|subnet| subnet.as_str() == id)
}

/// eksctl makes no node group in a public subnet that gives no address.
fn reaches_out(spec: &Spec, own: &Vpc, subnet: &SubnetFacts) -> Option<Judgement> {
    let is_public = own.public_subnets.iter().any(|id| id.as_str() == subnet.id);
    (is_public && of_nodes(spec, &subnet.id) && !subnet.gives_address).then(|| {
        let message = "nodes run there, as no private subnet is named, and it gives them no public address: eksctl refuses it";
        let give = [&aws(spec, "ec2", "modify-subnet-attribute")[..], &["--subnet-id", &subnet.id, "--map-public-ip-on-launch"]].concat();
        Judgement::fail(named(subnet), message).fix("name private subnets: vpc.privateSubnets").run("or let it give addresses", give)
    })
}
