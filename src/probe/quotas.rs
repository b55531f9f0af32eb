//! What the account may have, and has: vCPUs, what a new cluster's network takes, and what else is made once for each cluster.

use super::{ProbeContext, failed, told, when};
use crate::error::Result;
use crate::facts::{Facts, NetworkQuotas, Probed, QuotaUse, VcpuFacts};
use crate::knowledge::{ADDRESSES, CLUSTERS, ON_DEMAND_VCPUS, PROVIDERS, RULES, SPOT_VCPUS, VPCS, is_standard_instance};
use crate::spec::{CapacityType, ClusterMode, ControllerCapacity, Identity, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

pub(super) async fn vcpus(context: &ProbeContext<'_>) -> Probed<VcpuFacts> {
    told(read(context).await)
}

async fn read(context: &ProbeContext<'_>) -> Result<VcpuFacts> {
    let aws = &context.ports.aws;
    let (on_demand, spot, running) = tokio::join!(aws.quota(ON_DEMAND_VCPUS), aws.quota(SPOT_VCPUS), aws.running_instances());
    let (on_demand, spot, mut running) = (on_demand?, spot?, running?);
    running.retain(|instance| is_standard_instance(&instance.instance_type));
    let own = node_group_type(context.spec);
    let counted = own.filter(|name| is_standard_instance(name));
    let types: BTreeSet<String> = running.iter().map(|i| i.instance_type.as_str()).chain(own).map(str::to_owned).collect();
    let sizes = aws.instance_types(&types.into_iter().collect::<Vec<_>>()).await?;
    let sizes: BTreeMap<&str, u64> = sizes.iter().map(|t| (t.name.as_str(), u64::from(t.vcpus))).collect();
    let used = |kind| running.iter().filter(|i| i.capacity_type == kind).filter_map(|i| sizes.get(i.instance_type.as_str())).sum();
    Ok(VcpuFacts {
        on_demand: QuotaUse { quota: on_demand, used: used(CapacityType::OnDemand) },
        spot: QuotaUse { quota: spot, used: used(CapacityType::Spot) },
        node_group_instance: counted.and_then(|own| sizes.get(own).copied()),
        unknown_type: own.filter(|own| !sizes.contains_key(own)).map(str::to_owned),
    })
}

/// What there is of VPCs and addresses. Absent: the spec takes none.
pub(super) async fn network(context: &ProbeContext<'_>) -> Probed<Box<NetworkQuotas>> {
    if context.spec.cluster == ClusterMode::Existing || context.spec.vpc.is_some() {
        return Probed::Absent;
    }
    let (aws, account) = (&context.ports.aws, context.spec.account_id.as_str());
    match tokio::try_join!(aws.quota(VPCS), aws.vpc_count(account), aws.quota(ADDRESSES), aws.address_count()) {
        Ok((vpcs, there, addresses, taken)) => Probed::Known(Box::new(NetworkQuotas {
            vpcs: QuotaUse { quota: vpcs, used: there },
            addresses: QuotaUse { quota: addresses, used: taken },
        })),
        Err(e) => failed(&e),
    }
}

/// What there is of EKS clusters, of OIDC providers and of rules: each only where more of it is made.
pub(super) async fn of_cluster(context: &ProbeContext<'_>, facts: &Facts) -> [Probed<QuotaUse>; 3] {
    let (aws, spec) = (&context.ports.aws, context.spec);
    let made = spec.cluster == ClusterMode::Managed && facts.cluster == Probed::Absent;
    let own = spec.made_elsewhere.is_none();
    // eksctl makes one with the cluster, whichever way the controller gets its credentials.
    let provider = made || own && spec.identity == Identity::Irsa && facts.oidc_provider == Probed::Absent;
    let rules = own && facts.stack == Probed::Absent && !spec.release.stack().rules.is_empty();
    let (clusters, providers, rules) = tokio::join!(
        when(made, async { tokio::try_join!(aws.quota(CLUSTERS), count(aws.cluster_names())) }),
        when(provider, async { tokio::try_join!(aws.quota(PROVIDERS), count(aws.oidc_providers())) }),
        when(rules, async { tokio::try_join!(aws.quota(RULES), aws.rule_count()) }),
    );
    [clusters, providers, rules].map(|asked| match asked {
        Some(Ok((quota, used))) => Probed::Known(QuotaUse { quota, used }),
        Some(Err(e)) => failed(&e),
        None => Probed::NotAsked,
    })
}

async fn count<T>(listed: impl Future<Output = Result<Vec<T>>>) -> Result<u64> {
    Ok(listed.await?.len() as u64)
}

/// The instance type of the node group that the spec makes.
fn node_group_type(spec: &Spec) -> Option<&str> {
    match (&spec.capacity, spec.cluster) {
        (ControllerCapacity::NodeGroup(group), ClusterMode::Managed) => Some(group.instance_type.as_str()),
        _ => None,
    }
}
