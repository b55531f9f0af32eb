//! By what it shows who made a Karpenter that is there.

use crate::spec::Arn;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is there of a Karpenter that somebody else may have made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OriginFacts {
    /// Every node pool (or Provisioner), as the API server answers it.
    pub pools: Vec<Value>,
    /// Every node class (or `AWSNodeTemplate`).
    pub classes: Vec<Value>,
    /// The role that the controller's service account names by its annotation.
    pub service_account_role: Option<String>,
    /// Whether there is the stack that eksctl makes for its `karpenter:` block.
    pub eksctl_stack: bool,
    /// The roles that exist of those that node classes name, and of those that the known tools make for nodes; in this order.
    pub node_roles: Vec<Arn>,
}
