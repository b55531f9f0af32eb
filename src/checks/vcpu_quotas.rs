//! Whether EC2 lets the account run what the node group and the node pool ask for.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster, raise_quota};
use crate::facts::{Facts, QuotaUse, Topic, VcpuFacts};
use crate::finding::Area;
use crate::knowledge::{ON_DEMAND_VCPUS, SPOT_VCPUS};
use crate::spec::{CapacityType, ControllerCapacity, GUIDE_CPU_LIMIT, Spec};

pub(super) struct VcpuQuotas;

/// The smallest instances that the guides' node pools ask for have two vCPUs.
const SMALLEST: u64 = 2;
/// What a node pool is asked for where nobody says how far it shall grow: the nodes of the guide's five pods of one CPU each.
const FIRST: u64 = 8;

impl Check for VcpuQuotas {
    fn id(&self) -> &'static str {
        "vcpu-quotas"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "An account may run a fixed number of vCPUs in a region, a new one often 5 or fewer; beyond it no instance starts, and pods stay Pending."
    }

    fn explain(&self) -> &'static str {
        "Reads the quotas \"Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances\" (L-1216C47A) and \"All Standard Spot Instance \
         Requests\" (L-34B43A08), both in vCPUs and for one region, and counts the vCPUs of the instances that run. It fails where the first \
         nodes of the node group, or the smallest instance of every capacity type of the node pool, find no room; it warns where one \
         capacity type of two has none, and where nodePool.cpuLimit was chosen and is more than the quota lets run.\n\n\
         What people see otherwise: `VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 5 allows`, \
         `MaxSpotInstanceCountExceeded: Max spot instance count exceeded`, and a node group that stays CREATING for half an hour and ends \
         with `AsgInstanceLaunchFailures`.\n\n\
         Cure: ask for more (`aws service-quotas request-service-quota-increase`); AWS grants a small raise in minutes, a large one in \
         days. Other families (G, P, Inf, Trn, X, …) have quotas of their own, which are not looked at; nor are unused capacity reservations, which \
         count too."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Vcpus, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("EC2 vCPUs in {}", spec.region);
        let Some(facts) = read(&subject, &situation.facts.vcpus)? else {
            return Err(Judgement::skip(subject, "EC2 names no quota"));
        };
        if let Some(unknown) = facts.unknown_type.as_ref().filter(|_| makes_cluster(spec, situation.facts)) {
            let offered = aws(spec, "ec2", "describe-instance-type-offerings").into_iter().chain([
                "--query",
                "InstanceTypeOfferings[].InstanceType",
                "--output",
                "text",
            ]);
            let subject = format!("nodeGroup.instanceType {unknown}");
            return Ok(vec![
                Judgement::fail(subject, format!("EC2 has no instances of this type in {}: the node group cannot be made", spec.region))
                    .run("see which it has", offered),
            ]);
        }
        let first = first_nodes(spec, situation.facts, facts);
        let mut kinds: Vec<Kind<'_>> = [(CapacityType::OnDemand, &facts.on_demand, first), (CapacityType::Spot, &facts.spot, 0)]
            .into_iter()
            .map(|(of, quota, first)| Kind { of, quota, first, pooled: buys(spec, of) })
            .collect();
        kinds.retain(|kind| kind.first > 0 || kind.pooled);
        if kinds.is_empty() {
            return Err(Judgement::skip(subject, "neither a node group nor a node pool of karpctl's asks for any"));
        }
        let somewhere = kinds.iter().any(|kind| kind.pooled && kind.room().is_none_or(|room| room >= SMALLEST));
        Ok(kinds.iter().map(|kind| kind.judge(spec, somewhere)).collect())
    }
}

/// A capacity type and what is asked of it.
struct Kind<'a> {
    of: CapacityType,
    quota: &'a QuotaUse,
    /// What the first nodes of the node group take.
    first: u64,
    /// Whether the node pool buys it.
    pooled: bool,
}

impl Kind<'_> {
    /// What is left for the node pool. `None`: not known.
    fn room(&self) -> Option<u64> {
        self.quota.quota.map(|quota| quota.saturating_sub(self.quota.used + self.first))
    }

    /// `somewhere`: the node pool finds room, here or with another capacity type.
    fn judge(&self, spec: &Spec, somewhere: bool) -> Judgement {
        let (name, refusal) = match self.of {
            CapacityType::OnDemand => ("On-Demand", "VcpuLimitExceeded"),
            CapacityType::Spot => ("Spot", "MaxSpotInstanceCountExceeded"),
        };
        let subject = format!("{name} vCPUs in {}", spec.region);
        let (Some(quota), Some(room)) = (self.quota.quota, self.room()) else {
            return Judgement::skip(subject, "Service Quotas does not know this quota here");
        };
        let used = self.quota.used;
        let so_far = match self.first {
            0 => format!("{used} of {quota} are in use"),
            first => format!("{used} of {quota} are in use, and the first nodes of {} take {first}", spec.node_group_name()),
        };
        let limit = u64::from(spec.node_pool.cpu_limit);
        if used + self.first > quota && self.first > 0 {
            self.raised(spec, Judgement::fail(subject, format!("{so_far}: {refusal}")))
        } else if self.pooled && room < SMALLEST {
            let message = format!("{so_far}: the node pool can launch nothing: {refusal}");
            let judgement = if somewhere { Judgement::warn(subject, message) } else { Judgement::fail(subject, message) };
            self.raised(spec, judgement)
        } else if self.pooled && spec.node_pool.cpu_limit != GUIDE_CPU_LIMIT && limit + self.first > quota {
            let message = format!("the node pool may grow to {limit} (nodePool.cpuLimit), and the quota ends it at {quota}");
            self.raised(spec, Judgement::warn(subject, message))
        } else {
            Judgement::pass(subject, so_far)
        }
    }

    fn raised(&self, spec: &Spec, judgement: Judgement) -> Judgement {
        let quota = match self.of {
            CapacityType::OnDemand => ON_DEMAND_VCPUS,
            CapacityType::Spot => SPOT_VCPUS,
        };
        let pool = match spec.node_pool.cpu_limit {
            _ if !self.pooled => 0,
            GUIDE_CPU_LIMIT => FIRST,
            chosen => u64::from(chosen),
        };
        judgement.run("ask AWS for more", raise_quota(spec.region.as_str(), quota, self.quota.used + self.first + pool))
    }
}

/// The vCPUs of the node group's first nodes, where it is still to be made.
fn first_nodes(spec: &Spec, facts: &Facts, vcpus: &VcpuFacts) -> u64 {
    match (&spec.capacity, vcpus.node_group_instance) {
        (ControllerCapacity::NodeGroup(group), Some(each)) if makes_cluster(spec, facts) => each * u64::from(group.desired_capacity),
        _ => 0,
    }
}

/// Whether the node pool of the spec's buys this capacity type. Of one that is kept nothing is known.
fn buys(spec: &Spec, of: CapacityType) -> bool {
    !spec.node_pool.keep && spec.buys(of)
}
