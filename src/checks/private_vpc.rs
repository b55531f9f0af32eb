//! Whether a private cluster that is to be made has a VPC in which it can be finished.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster, makes_none};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct PrivateVpc;

/// The services of which eksctl makes endpoints in a VPC of its own (`pkg/apis/eksctl.io/v1alpha5/endpoint_service.go` at 0.230).
const BY_EKSCTL: [&str; 5] = ["ec2", "ecr.api", "ecr.dkr", "s3", "sts"];

impl Check for PrivateVpc {
    fn id(&self) -> &'static str {
        "private-vpc"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A private cluster in a VPC that is made with it lacks endpoints that Karpenter needs, and nobody is in that VPC to finish it."
    }

    fn explain(&self) -> &'static str {
        "Where `private` asks for a new cluster and `vpc` names none, eksctl makes the VPC, with endpoints of ec2, ecr.api, ecr.dkr, s3 and sts. Karpenter \
         also needs eks, ssm, sqs and, with Pod Identity, eks-auth. At its end eksctl closes the cluster's public endpoint, so that karpctl, \
         which is not in that VPC, no longer reaches it: `dial tcp 192.168.…:443: i/o timeout`.\n\n\
         Cure: a VPC of your own that has the endpoints and a way in from where karpctl runs (a peering, a VPN, a machine in another subnet with a way out: \
         karpctl itself needs IAM and CloudFormation), named by vpc.privateSubnets. Or make the cluster first, and \
         `karpctl bootstrap --existing-cluster --private` once it has them."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "the VPC of a private cluster";
        read(subject, &situation.facts.cluster)?;
        if !makes_cluster(spec, situation.facts) {
            return Err(Judgement::skip(subject, makes_none(situation.facts)));
        }
        if !spec.private || spec.vpc.is_some() {
            return Ok(vec![Judgement::pass(subject, if spec.private { "is named in the spec" } else { "the cluster is not private" })]);
        }
        let lacking: Vec<&str> = spec.vpc_endpoints().into_iter().filter(|service| !BY_EKSCTL.contains(service)).collect();
        let message = format!(
            "is made by eksctl, without endpoints of {}, and the cluster's public endpoint is closed at the end: karpctl cannot go on from outside",
            lacking.join(", ")
        );
        let query = "Subnets[].[VpcId,SubnetId,AvailabilityZone,MapPublicIpOnLaunch]";
        let subnets = aws(spec, "ec2", "describe-subnets").into_iter().chain(["--query", query, "--output", "text"]);
        Ok(vec![
            Judgement::warn(subject, message)
                .run("see which subnets are there; nodes in one that says True get public addresses", subnets)
                .fix("name the subnets of a VPC of your own that has them, and that is reached from here: vpc.privateSubnets")
                .fix("or make the cluster, the endpoints and a way to it first, then `karpctl bootstrap --existing-cluster --private`"),
        ])
    }
}
