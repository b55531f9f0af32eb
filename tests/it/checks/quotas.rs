//! What the account may run.

use super::aws::{known, said, to_be_made};
use super::{DAY, bad, exactly, healthy};
use crate::fake::FakeWorld;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Facts, Probed};
use karpctl::finding::Verdict;
use karpctl::spec::Spec;

#[tokio::test(start_paused = true)]
async fn vcpus_are_counted_by_capacity_type_without_other_families() {
    use karpctl::facts::{QuotaUse, VcpuFacts};
    let (_, facts) = healthy().await;
    let expected = VcpuFacts {
        on_demand: QuotaUse { quota: Some(64), used: 6 },
        spot: QuotaUse { quota: Some(64), used: 4 },
        node_group_instance: None,
        unknown_type: None,
    };
    assert_eq!(facts.vcpus, Probed::Known(expected));
    let world = FakeWorld::empty(crate::fixture::spec("1.14.1"));
    let seen = world.facts(&[karpctl::facts::Topic::Vcpus]).await;
    assert_eq!(seen.vcpus.known().unwrap().node_group_instance, Some(2), "the m5.large of the node group that is made");
    let mut misspelt = crate::fixture::spec("1.14.1");
    misspelt.capacity = karpctl::spec::ControllerCapacity::NodeGroup(karpctl::spec::NodeGroup {
        instance_type: "m7i.lrge".into(),
        ..karpctl::spec::NodeGroup::default()
    });
    let seen = FakeWorld::empty(misspelt).facts(&[karpctl::facts::Topic::Vcpus]).await;
    assert_eq!(seen.vcpus.known().unwrap().unknown_type.as_deref(), Some("m7i.lrge"));
}

#[tokio::test(start_paused = true)]
async fn a_quota_without_room_for_the_pool_is_one_finding() {
    let (spec, mut facts) = healthy().await;
    assert_eq!(bad(&spec, &facts, DAY), []);
    known(&mut facts.vcpus).on_demand.quota = Some(0);
    exactly(&bad(&spec, &facts, DAY), "vcpu-quotas", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn the_account_may_run_what_is_asked_for() {
    let of_quotas = |spec: &Spec, facts: &Facts| bad(spec, facts, DAY).into_iter().filter(|f| f.id == "vcpu-quotas").collect::<Vec<_>>();
    let (spec, facts) = to_be_made().await;
    assert!(of_quotas(&spec, &facts).is_empty(), "{:#?}", of_quotas(&spec, &facts));
    let with = |change: &dyn Fn(&mut karpctl::facts::VcpuFacts)| {
        let mut facts = facts.clone();
        change(known(&mut facts.vcpus));
        of_quotas(&spec, &facts)
    };
    let found = with(&|v| v.unknown_type = Some("m7i.lrge".into()));
    exactly(&found, "vcpu-quotas", Verdict::Fail);
    said(&found, "EC2 has no instances of this type in us-west-2");
    // Two m5.large beside the six vCPUs that run, and no vCPU more.
    let found = with(&|v| (v.on_demand.quota, v.on_demand.used) = (Some(9), 6));
    exactly(&found, "vcpu-quotas", Verdict::Fail);
    said(&found, "6 of 9 are in use, and the first nodes of demo-ng take 4: VcpuLimitExceeded");
    let command = found[0].fixes[0].command.join(" ");
    assert!(
        command.ends_with("--service-code ec2 --quota-code L-1216C47A --desired-value 18"),
        "what runs, four, and eight for the pool: {command}"
    );
    // Room for the node group and none for the pool, which buys nothing else.
    let found = with(&|v| v.on_demand.quota = Some(11));
    exactly(&found, "vcpu-quotas", Verdict::Fail);
    said(&found, "the node pool can launch nothing");
    assert!(with(&|v| v.on_demand.quota = Some(12)).is_empty(), "room for the smallest instance");
    assert!(with(&|v| v.spot.quota = Some(0)).is_empty(), "this release's guide buys no spot");

    let mut both = spec.clone();
    both.node_pool.capacity_types = vec![karpctl::spec::CapacityType::Spot, karpctl::spec::CapacityType::OnDemand];
    let mut none = facts.clone();
    known(&mut none.vcpus).spot.quota = Some(5);
    let found = of_quotas(&both, &none);
    exactly(&found, "vcpu-quotas", Verdict::Warn);
    said(&found, "4 of 5 are in use: the node pool can launch nothing: MaxSpotInstanceCountExceeded");
    assert!(found[0].fixes[0].command.contains(&"L-34B43A08".to_owned()), "{found:#?}");

    // A limit that somebody chose is meant; the guide's own is a guard.
    let mut chosen = spec.clone();
    chosen.node_pool.cpu_limit = 100;
    let found = of_quotas(&chosen, &facts);
    exactly(&found, "vcpu-quotas", Verdict::Warn);
    said(&found, "may grow to 100 (nodePool.cpuLimit), and the quota ends it at 64");

    // A node pool of somebody else's, in a cluster that is there: nothing is asked for.
    let (mut kept, there) = healthy().await;
    kept.node_pool.keep = true;
    let said = judge(
        &all(),
        &Situation { spec: Some(&kept), meant: &karpctl::spec::Meant::default(), facts: &there, today: DAY.parse().unwrap() },
    );
    assert_eq!(said.iter().find(|f| f.id == "vcpu-quotas").unwrap().result, Verdict::Skip);
}
