//! The VPC of one's own that a cluster is to be made in.

use super::aws::said;
use super::{DAY, bad, exactly, healthy};
use crate::fake::FakeWorld;
use karpctl::facts::{Facts, Probed, Topic};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Spec, Vpc};

const TWO: [&str; 2] = ["subnet-0000000a", "subnet-0000000b"];

fn within(private: &[&str], public: &[&str], id: Option<&str>) -> Spec {
    let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect();
    let vpc = Vpc { id: id.map(|id| id.parse().unwrap()), private_subnets: ids(private), public_subnets: ids(public) };
    Spec { vpc: Some(vpc), ..crate::fixture::spec("1.14.1") }
}

async fn facts(spec: &Spec) -> Facts {
    FakeWorld::empty(spec.clone()).facts(&[Topic::Cluster, Topic::OwnSubnets]).await
}

fn found(spec: &Spec, facts: &Facts) -> Vec<Finding> {
    bad(spec, facts, DAY).into_iter().filter(|finding| finding.id == "own-vpc").collect()
}

#[tokio::test(start_paused = true)]
async fn its_subnets_are_there_in_two_zones_of_one_vpc() {
    let spec = within(&TWO, &[], None);
    let healthy = facts(&spec).await;
    assert_eq!(found(&spec, &healthy), []);
    let change = |of: &dyn Fn(&mut karpctl::facts::SubnetFacts)| {
        let mut facts = healthy.clone();
        let Probed::Known(subnets) = &mut facts.own_subnets else { panic!("{:?}", facts.own_subnets) };
        of(&mut subnets[1]);
        let found = found(&spec, &facts);
        exactly(&found, "own-vpc", Verdict::Fail);
        found
    };
    said(
        &change(&|subnet| subnet.zone = "us-west-2a".into()),
        "all in us-west-2a: Subnets specified must be in at least two different AZs",
    );
    said(&change(&|subnet| subnet.vpc_id = "vpc-2".into()), "is of vpc-2, not of vpc-1");
    said(&change(&|subnet| subnet.zone_id = "use1-az3".into()), "its zone is use1-az3, where EKS makes no control plane");
    said(&change(&|subnet| subnet.free_addresses = 5), "has 5 free addresses, and the control plane takes 6");
    said(&change(&|subnet| drop(subnet.tags.insert("karpenter.sh/discovery".into(), "other".into()))), "karpenter.sh/discovery=other");

    let typo = within(&[TWO[0], "subnet-0000000c"], &[], None);
    let gone = found(&typo, &facts(&typo).await);
    exactly(&gone, "own-vpc", Verdict::Fail);
    assert_eq!(gone[0].subject, "subnet subnet-0000000c");
    said(&gone, "is not in us-west-2 of account 111122223333: InvalidSubnetID.NotFound");
    assert_eq!(gone[0].fixes[0].command[..5].join(" "), "aws ec2 describe-subnets --region us-west-2");
    let elsewhere = within(&TWO, &[], Some("vpc-0a1b2c3d"));
    let both: Vec<String> = found(&elsewhere, &facts(&elsewhere).await).into_iter().map(|finding| finding.message).collect();
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.iter().all(|message| message.contains("is of vpc-1, not of vpc-0a1b2c3d")), "{both:?}");
}

/// eksctl looks whether a public subnet gives addresses only where it puts nodes into it.
#[tokio::test(start_paused = true)]
async fn nodes_in_public_subnets_get_addresses() {
    let spec = within(&[], &TWO, None);
    let closed = found(&spec, &facts(&spec).await);
    exactly(&closed, "own-vpc", Verdict::Fail);
    said(&closed, "it gives them no public address: eksctl refuses it");
    assert_eq!(
        closed[0].fixes[1].command.join(" "),
        "aws ec2 modify-subnet-attribute --region us-west-2 --subnet-id subnet-0000000a --map-public-ip-on-launch"
    );
    let beside = within(&TWO[..1], &TWO[1..], None);
    assert_eq!(found(&beside, &facts(&beside).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_there_is_judged_by_its_own_subnets() {
    let (spec, facts) = healthy().await;
    assert_eq!(facts.own_subnets, Probed::Absent);
    assert_eq!(found(&spec, &facts), []);
}
