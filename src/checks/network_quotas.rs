//! Whether EC2 lets the account have the VPC and the address that a new cluster takes.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, makes_cluster, makes_none, raise_quota};
use crate::facts::{QuotaUse, Topic};
use crate::finding::Area;
use crate::knowledge::{ADDRESSES, VPCS};
use crate::spec::{IpFamily, Spec};

pub(super) struct NetworkQuotas;

/// eksctl makes one VPC, and one NAT gateway with an address of its own.
const TAKES: u64 = 1;

impl Check for NetworkQuotas {
    fn id(&self) -> &'static str {
        "network-quotas"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "A new cluster takes a VPC and an Elastic IP address, of which an account may have five in a region: without room its stack is rolled back."
    }

    fn explain(&self) -> &'static str {
        "Where a cluster is to be made and eksctl makes its VPC, compares how many VPCs and Elastic IP addresses there are in the region with the quotas \
         \"VPCs per Region\" (L-F678F1CE) and \"EC2-VPC Elastic IPs\" (L-0263D0A3). The address is that of the NAT gateway; a private cluster of \
         IPv4 has none.\n\n\
         What people see otherwise, after some minutes and as the reason of a stack's rollback: `The maximum number of VPCs has been reached` \
         (VpcLimitExceeded), `The maximum number of addresses has been reached` (AddressLimitExceeded).\n\n\
         Cure: ask for more, give back what nobody uses, or name the subnets of a VPC that is there (vpc.privateSubnets)."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::NetworkQuotas, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("VPCs and Elastic IPs in {}", spec.region);
        if !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip(subject, makes_none(situation.facts)));
        }
        if spec.vpc.is_some() {
            return Ok(vec![Judgement::pass(subject, "none is taken: the VPC is named in the spec")]);
        }
        let Some(found) = read(&subject, &situation.facts.network_quotas)? else {
            return Err(Judgement::skip(subject, "were not counted"));
        };
        let mut said = vec![judge(spec, "VPCs", &found.vpcs, VPCS, "VpcLimitExceeded: The maximum number of VPCs has been reached")];
        if !spec.private || spec.ip_family == IpFamily::Ipv6 {
            let refusal = "AddressLimitExceeded: The maximum number of addresses has been reached";
            said.push(judge(spec, "Elastic IPs", &found.addresses, ADDRESSES, refusal));
        }
        Ok(said)
    }
}

fn judge(spec: &Spec, name: &str, found: &QuotaUse, quota: (&str, &str), refusal: &str) -> Judgement {
    let subject = format!("{name} in {}", spec.region);
    let Some(most) = found.quota else { return Judgement::skip(subject, "Service Quotas does not know this quota here") };
    let used = format!("{} of {most} are in use", found.used);
    let wanted = found.used + TAKES;
    if wanted <= most {
        return Judgement::pass(subject, used);
    }
    Judgement::fail(subject, format!("{used}, and the cluster takes one: {refusal}"))
        .run("ask AWS for more", raise_quota(spec.region.as_str(), quota, wanted))
        .fix("or name the subnets of a VPC that is there: vpc.privateSubnets")
}
