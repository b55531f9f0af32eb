//! What is known of a KMS key.

use super::{ClusterFacts, Denial, Probed};
use crate::spec::{Arn, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A KMS key, and who may use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Its ARN, where an alias was asked for too.
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, …
    pub state: String,
    /// Whether it is a symmetric one, which is all that EBS and EKS take.
    pub symmetric: bool,
    /// Whether it is AWS's own in this account, which needs no permission.
    pub by_aws: bool,
    /// Its key policy; null: of AWS's own it is not read.
    pub policy: Value,
    /// Its grants, but for those that hold for one volume only.
    pub grants: Vec<GrantFacts>,
}

/// A grant of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantFacts {
    /// Who may: an ARN.
    pub grantee: String,
    /// What: `Decrypt`, `CreateGrant`, …
    pub operations: Vec<String>,
}

/// A key and what IAM's policies say to it, for where the key policy leaves it to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The key.
    pub key: KeyFacts,
    /// Who is to use it: an ARN.
    pub user: String,
    /// What of it the user's own policies in IAM do not allow. Absent: there is no such role yet.
    pub denied: Probed<Vec<Denial>>,
}

/// The key of a cluster's secrets, by who names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsKey<'a> {
    /// The cluster that is there has it.
    ByCluster(&'a Arn),
    /// The cluster is to be made with it.
    BySpec(&'a Arn),
}

impl<'a> SecretsKey<'a> {
    /// A cluster that has one keeps it, whatever the spec says. `None`: neither names one.
    #[must_use]
    pub fn of(cluster: &'a Probed<ClusterFacts>, spec: &'a Spec) -> Option<Self> {
        let own = cluster.known().and_then(|cluster| cluster.secrets_key.as_ref());
        own.map(Self::ByCluster).or_else(|| spec.kms_key.as_ref().map(Self::BySpec))
    }

    /// The key.
    #[must_use]
    pub const fn arn(self) -> &'a Arn {
        match self {
            Self::ByCluster(arn) | Self::BySpec(arn) => arn,
        }
    }
}
