//! What the account of a test may have, and has.

use karpctl::facts::{IamSummary, InstanceTypeFacts};
use karpctl::ports::RunningInstance;
use karpctl::spec::CapacityType;

/// Every quota of Service Quotas.
pub(super) const EVERY: u64 = 64;

pub(super) fn iam_summary() -> IamSummary {
    let counts = [("Roles", 40), ("RolesQuota", 1000), ("Policies", 20), ("PoliciesQuota", 1500), ("AttachedPoliciesPerRoleQuota", 10)];
    let profiles = [("InstanceProfiles", 5), ("InstanceProfilesQuota", 1000)];
    counts.into_iter().chain(profiles).map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(super) fn running_instances() -> Vec<RunningInstance> {
    let running = |instance_type: &str, capacity_type| RunningInstance { instance_type: instance_type.into(), capacity_type };
    vec![
        running("m5.large", CapacityType::OnDemand),
        running("m5.xlarge", CapacityType::OnDemand),
        running("c7i.xlarge", CapacityType::Spot),
        running("g5.xlarge", CapacityType::OnDemand),
    ]
}

/// A type of a size that there is.
pub(super) fn instance_type(name: &str) -> Option<InstanceTypeFacts> {
    let (_, size) = name.split_once('.')?;
    let vcpus = match size {
        "large" => 2,
        size if size.ends_with("xlarge") => 4,
        _ => return None,
    };
    Some(InstanceTypeFacts { name: name.to_owned(), vcpus, memory_mib: 8192, architectures: vec!["x86_64".into()] })
}
