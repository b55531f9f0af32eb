//! Whether names are found in the VPC of the nodes.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{Probed, Topic};
use crate::finding::Area;

pub(super) struct VpcDns;

impl Check for VpcDns {
    fn id(&self) -> &'static str {
        "vpc-dns"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "In a VPC without DNS support and DNS hostnames nodes do not find the cluster's private endpoint, and no VPC endpoint has private DNS."
    }

    fn explain(&self) -> &'static str {
        "Reads the attributes enableDnsSupport and enableDnsHostnames of the VPC, of which EKS says that both must be on, or nodes cannot \
         register. A VPC that is made by `aws ec2 create-vpc` or by Terraform has no DNS hostnames unless somebody asks for them; eksctl \
         turns them on.\n\nWhat people see: nodes that never join and `NodeNotFound` of the NodeClaim, `dial tcp: lookup \
         0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com: no such host` in the kubelet's log; `InvalidParameter: Enabling private DNS \
         requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true` where an endpoint is made. Where the cluster has \
         its public endpoint alone, whose name every DNS knows, that is a warning. Of a cluster that is to be made in a VPC of one's own \
         (`vpc` in the spec file) it is looked at beforehand.\n\nCure: `aws ec2 modify-vpc-attribute`, one attribute at a time.\n\nNot seen: a DNS of one's own \
         that the VPC's DHCP options name."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Vpc]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "DNS of the VPC";
        let cluster = read(subject, &facts.cluster)?;
        let Some(vpc) = read(subject, &facts.vpc)? else {
            let why = if cluster.is_some() || facts.cluster != Probed::Absent || spec.vpc.is_some() {
                "EC2 knows no VPC of that id"
            } else {
                "there is no cluster yet"
            };
            return Err(Judgement::skip(subject, why));
        };
        let attributes = [
            ("enableDnsSupport", "--enable-dns-support", vpc.dns_support),
            ("enableDnsHostnames", "--enable-dns-hostnames", vpc.dns_hostnames),
        ];
        let off: Vec<_> = attributes.into_iter().filter(|(_, _, on)| !on).collect();
        if off.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("{} has DNS support and DNS hostnames", vpc.id))]);
        }
        let names: Vec<&str> = off.iter().map(|(name, _, _)| *name).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let message = format!("{} of {} {verb} off, and EKS asks for both: ", names.join(" and "), vpc.id);
        let judgement = match cluster {
            Some(cluster) if cluster.public_endpoint && !cluster.private_endpoint => Judgement::warn(
                subject,
                message + "nodes find the cluster by its public endpoint only, and no VPC endpoint gets private DNS",
            ),
            _ => Judgement::fail(subject, message + "nodes do not find the cluster and never join"),
        };
        let turn_on = |judgement: Judgement, (name, flag, _): (&str, &'static str, bool)| {
            judgement.run(format!("turn {name} on"), [&aws(spec, "ec2", "modify-vpc-attribute")[..], &["--vpc-id", &vpc.id, flag]].concat())
        };
        Ok(vec![off.into_iter().fold(judgement, turn_on)])
    }
}
