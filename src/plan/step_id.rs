//! The ids of the steps. They are a contract: plans, journals, `explain` and docs name steps by them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The id of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepId {
    /// The CloudFormation stack: node role, controller policies, interruption queue.
    Stack,
    /// The EKS cluster, by eksctl.
    Cluster,
    /// The service-linked role that EC2 Spot needs once per account.
    SpotRole,
    /// The `karpenter.sh/discovery` tags on an existing cluster's subnets and security group.
    DiscoveryTags,
    /// The IAM OIDC provider of the cluster's issuer (IRSA only).
    OidcProvider,
    /// The EKS Pod Identity agent add-on (Pod Identity only).
    PodIdentityAgent,
    /// The nodes' way into the cluster: access entry and/or aws-auth row.
    NodeMapping,
    /// The controller's IAM role with the stack's policies.
    ControllerRole,
    /// The Pod Identity association of the controller's service account.
    PodIdentityAssociation,
    /// Karpenter's custom resource definitions, by the chart karpenter-crd.
    Crds,
    /// The Karpenter chart.
    Chart,
    /// The way to credentials that the controller had before, taken away once the spec's works.
    EarlierIdentity,
    /// The node pool and its node class.
    NodePool,
    /// Controller ready, node pool ready.
    Ready,
    /// Node pools that fit the node groups (migration from the Cluster Autoscaler only).
    MigrationPools,
    /// The Cluster Autoscaler, stopped (the same).
    Autoscaler,
    /// The nodes of the node groups, emptied (the same).
    NodeGroups,
}

impl StepId {
    /// All steps of the way to a working Karpenter, in the order in which they are listed.
    pub const ALL: [Self; 14] = [
        Self::Stack,
        Self::Cluster,
        Self::SpotRole,
        Self::DiscoveryTags,
        Self::OidcProvider,
        Self::PodIdentityAgent,
        Self::NodeMapping,
        Self::ControllerRole,
        Self::PodIdentityAssociation,
        Self::Crds,
        Self::Chart,
        Self::EarlierIdentity,
        Self::NodePool,
        Self::Ready,
    ];

    /// The steps by which a cluster leaves the Cluster Autoscaler, which come after the others.
    pub const MIGRATION: [Self; 3] = [Self::MigrationPools, Self::Autoscaler, Self::NodeGroups];

    /// The id as it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Cluster => "cluster",
            Self::SpotRole => "spot-role",
            Self::DiscoveryTags => "discovery-tags",
            Self::OidcProvider => "oidc-provider",
            Self::PodIdentityAgent => "pod-identity-agent",
            Self::NodeMapping => "node-mapping",
            Self::ControllerRole => "controller-role",
            Self::PodIdentityAssociation => "pod-identity-association",
            Self::Crds => "crds",
            Self::Chart => "chart",
            Self::EarlierIdentity => "earlier-identity",
            Self::NodePool => "node-pool",
            Self::Ready => "ready",
            Self::MigrationPools => "migration-pools",
            Self::Autoscaler => "autoscaler",
            Self::NodeGroups => "node-groups",
        }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
