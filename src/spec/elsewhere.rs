//! What another tool made and keeps.

use super::{Arn, QueueName};
use serde::{Deserialize, Serialize};

/// Roles and queue that another tool made and keeps. karpctl uses them, and neither changes nor deletes them: there is then no stack
/// and no controller role of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The tool, as people call it: `eksctl`, `Terraform`.
    pub by: String,
    /// The role of the nodes.
    pub node_role: Arn,
    /// The role of the controller.
    pub controller_role: Arn,
    /// The instance profile, for the releases that need one. `None`: called as the guide calls it; empty: nobody knows.
    pub instance_profile: Option<String>,
    /// The name of the interruption queue. `None`: there is none.
    pub queue: Option<QueueName>,
}

/// The name of a role: the last part of its ARN, behind its path.
pub(super) fn role_name(role: &Arn) -> String {
    role.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}
