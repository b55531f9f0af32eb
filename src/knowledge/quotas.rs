//! The quotas of what a new cluster's network takes, by service and code.

/// "VPCs per Region".
pub const VPCS: (&str, &str) = ("vpc", "L-F678F1CE");
/// "EC2-VPC Elastic IPs".
pub const ADDRESSES: (&str, &str) = ("ec2", "L-0263D0A3");
