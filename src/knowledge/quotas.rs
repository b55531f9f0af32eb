//! The quotas of what a cluster takes, by service and code.

/// "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs.
pub const ON_DEMAND_VCPUS: (&str, &str) = ("ec2", "L-1216C47A");
/// "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", in vCPUs.
pub const SPOT_VCPUS: (&str, &str) = ("ec2", "L-34B43A08");

/// "VPCs per Region".
pub const VPCS: (&str, &str) = ("vpc", "L-F678F1CE");
/// "EC2-VPC Elastic IPs".
pub const ADDRESSES: (&str, &str) = ("ec2", "L-0263D0A3");

/// "Clusters", of a region.
pub const CLUSTERS: (&str, &str) = ("eks", "L-1194D53C");
/// "`OpenId` connect providers per account".
pub const PROVIDERS: (&str, &str) = ("iam", "L-858F3967");
/// "Number of rules", of an event bus.
pub const RULES: (&str, &str) = ("events", "L-244521F2");
