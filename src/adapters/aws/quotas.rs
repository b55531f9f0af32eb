//! Service Quotas, and what counts to EC2's.

use super::errors::Call;
use super::{AwsClient, present};
use crate::error::Result;
use crate::ports::RunningInstance;
use crate::spec::{CapacityType, Partition};
use aws_sdk_ec2::types::{Address, Filter, Instance, InstanceLifecycleType, Reservation, Tenancy};
use aws_sdk_servicequotas::config::Region;
use aws_sdk_servicequotas::types::ServiceQuota;

/// The value of a quota. Those of IAM are kept in one region of the partition.
pub(super) async fn quota(aws: &AwsClient, (service, code): (&str, &str)) -> Result<Option<u64>> {
    let doing = format!("cannot read the quota {code} of {service}");
    let call = Call::new("servicequotas:GetServiceQuota", code, &doing);
    let mut asked = aws.quotas.get_service_quota().service_code(service).quota_code(code).customize();
    if service == "iam" {
        let kept = Region::new(Partition::of_region(&aws.known_region(&doing)?).region_of_iam());
        asked = asked.config_override(aws_sdk_servicequotas::config::Builder::new().region(kept));
    }
    let sent = asked.send().await;
    Ok(present(sent.map_err(|e| aws.error(&call, &e)))?.and_then(|answer| answer.quota).as_ref().and_then(value))
}

/// Service Quotas counts everything in floating point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, which is cut to what can be one")]
fn value(quota: &ServiceQuota) -> Option<u64> {
    quota.value.map(|value| value as u64)
}

/// VPCs that another account shares count to that one's quota.
pub(super) async fn vpc_count(aws: &AwsClient, account: &str) -> Result<u64> {
    let call = Call::new("ec2:DescribeVpcs", "*", "cannot count the VPCs");
    let pages = aws.ec2.describe_vpcs().into_paginator().items().send();
    let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    let own = listed.iter().filter(|vpc| vpc.owner_id().is_none_or(|owner| owner == account));
    Ok(own.count() as u64)
}

/// Addresses of one's own pools (BYOIP) count to no quota.
pub(super) async fn address_count(aws: &AwsClient) -> Result<u64> {
    let call = Call::new("ec2:DescribeAddresses", "*", "cannot count the Elastic IP addresses");
    let answer = aws.ec2.describe_addresses().send().await.map_err(|e| aws.error(&call, &e))?;
    let of_amazon = |address: &&Address| address.public_ipv4_pool().is_none_or(|pool| pool == "amazon");
    Ok(answer.addresses().iter().filter(of_amazon).count() as u64)
}

/// Rules that AWS services made are among them, and count.
pub(super) async fn rule_count(aws: &AwsClient) -> Result<u64> {
    let call = Call::new("events:ListRules", "*", "cannot count the rules of EventBridge");
    let (mut counted, mut next) = (0, None);
    loop {
        let page = aws.events.list_rules().set_next_token(next).send().await.map_err(|e| aws.error(&call, &e))?;
        counted += page.rules().len() as u64;
        next = page.next_token;
        if next.is_none() {
            return Ok(counted);
        }
    }
}

pub(super) async fn running_instances(aws: &AwsClient) -> Result<Vec<RunningInstance>> {
    let call = Call::new("ec2:DescribeInstances", "*", "cannot list the instances that run");
    let running = Filter::builder().name("instance-state-name").values("pending").values("running").build();
    let pages = aws.ec2.describe_instances().filters(running).into_paginator().items().send();
    let reservations = pages.collect::<std::result::Result<Vec<_>, _>>().await.map_err(|e| aws.error(&call, &e))?;
    Ok(reservations.iter().flat_map(Reservation::instances).filter_map(counted).collect())
}

/// What counts to a quota of vCPUs: an instance on a dedicated host does not, the host counts to another.
fn counted(instance: &Instance) -> Option<RunningInstance> {
    if instance.placement().and_then(|p| p.tenancy()) == Some(&Tenancy::Host) {
        return None;
    }
    let capacity_type = match instance.instance_lifecycle() {
        Some(InstanceLifecycleType::Spot) => CapacityType::Spot,
        _ => CapacityType::OnDemand,
    };
    Some(RunningInstance { instance_type: instance.instance_type()?.as_str().to_owned(), capacity_type })
}
