//! Pods that get their addresses in other subnets than their nodes'.

use super::SubnetFacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the VPC CNI goes by where it is told to give pods their addresses in subnets of their own (custom networking).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomNetworking {
    /// The label of a node that names its `ENIConfig`.
    pub label: String,
    /// The subnet of each `ENIConfig`, by its name; empty where it says none.
    pub configs: BTreeMap<String, String>,
    /// Those subnets, as far as EC2 knows them.
    pub subnets: Vec<SubnetFacts>,
}
