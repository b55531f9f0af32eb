//! What the person wants, resolved and valid. A [`Spec`] is complete: nothing later asks where a value came from.

mod boundary;
mod combination;
mod derived;
pub mod draft;
mod elsewhere;
pub mod file;
pub mod layer;
mod meant;
pub mod names;
pub mod pinned;
pub mod place;
pub mod resolve;
mod tags;

pub use boundary::Boundary;
pub use derived::{ChangedName, DISCOVERY_MARK, DISCOVERY_TAG, OWNER_TAG, POD_IDENTITY_AGENT, SERVICE_ACCOUNT};
pub use elsewhere::Elsewhere;
pub use meant::Meant;
pub use names::{
    AccountId, AmiAlias, Arn, ChartDigest, ClusterName, InstanceProfileName, InvalidName, Namespace, ObjectName, Partition, QueueName,
    Region, SecurityGroupId, SubnetId, VpcId,
};

use crate::knowledge::{Features, KubernetesVersion, Release};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a plan and a rendering follow from, beside the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The EKS cluster.
    pub cluster_name: ClusterName,
    /// Its region.
    pub region: Region,
    /// Its account.
    pub account_id: AccountId,
    /// The partition of the region.
    pub partition: Partition,
    /// The Karpenter release.
    pub release: Release,
    /// The cluster's Kubernetes minor version.
    pub kubernetes: KubernetesVersion,
    /// The namespace of the Karpenter release.
    pub namespace: Namespace,
    /// How the controller gets its AWS credentials.
    pub identity: Identity,
    /// How nodes are let into the cluster. `None`: what the cluster's authentication mode asks for.
    pub node_access: Option<NodeAccess>,
    /// Whether the cluster is made, or must be there.
    pub cluster: ClusterMode,
    /// What runs the controller in a new cluster.
    pub capacity: ControllerCapacity,
    /// EKS zonal shift for the cluster and the controller. Only with releases that know it. Where nobody says: as the guide has it for a
    /// cluster that is made, and as an existing one has it; a controller that is to heed it and cannot read it ends at its start.
    pub zonal_shift: Option<bool>,
    /// No way to the internet: isolated VPC values and an instance profile instead of a role.
    pub private: bool,
    /// Windows nodes will join: the mapping gets `eks:kube-proxy-windows`.
    pub windows: bool,
    /// The node pool and its node class.
    pub node_pool: NodePool,
    /// The subnets that nodes may run in, for an existing cluster. Empty: those of the cluster.
    pub subnets: Vec<SubnetId>,
    /// The VPC of one's own in which a new cluster is made. `None`: eksctl makes one.
    #[serde(default)]
    pub vpc: Option<Vpc>,
    /// The IP family of a new cluster.
    #[serde(default)]
    pub ip_family: IpFamily,
    /// The KMS key that encrypts the secrets of a new cluster.
    #[serde(default)]
    pub kms_key: Option<Arn>,
    /// Tags that everything karpctl creates in AWS gets.
    pub tags: BTreeMap<String, String>,
    /// The permissions boundary of the roles that karpctl creates. `None`: nothing is said of it.
    pub permissions_boundary: Option<Boundary>,
    /// Where the chart comes from.
    pub chart: ChartSource,
    /// Roles and queue that another tool made and keeps. `None`: karpctl makes them.
    #[serde(default)]
    pub made_elsewhere: Option<Box<Elsewhere>>,
}

/// How the controller gets its AWS credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// An EKS Pod Identity association.
    PodIdentity,
    /// A role that trusts the cluster's OIDC issuer (IAM roles for service accounts).
    Irsa,
}

impl Identity {
    /// The way of a release where nobody says one, but on Fargate.
    #[must_use]
    pub const fn usual(features: &Features) -> Self {
        if features.pod_identity { Self::PodIdentity } else { Self::Irsa }
    }

    /// As `--identity` takes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PodIdentity => "pod-identity",
            Self::Irsa => "irsa",
        }
    }
}

/// How nodes are let into the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAccess {
    /// A row of the `aws-auth` `ConfigMap`.
    AwsAuth,
    /// An access entry of type `EC2_LINUX`.
    AccessEntry,
    /// Both.
    Both,
}

/// Whether the cluster is made, or must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMode {
    /// eksctl makes the cluster when it is not there.
    Managed,
    /// The cluster is somebody else's: it must be there and is never created or deleted.
    Existing,
}

/// The Fargate profile that eksctl makes for the controller's namespace.
pub const FARGATE_PROFILE: &str = "karpenter";

/// A VPC of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// The VPC. `None`: that of the subnets.
    pub id: Option<VpcId>,
    /// Subnets without a way in from the internet: nodes run in these, where there are any.
    pub private_subnets: Vec<SubnetId>,
    /// Subnets with one.
    pub public_subnets: Vec<SubnetId>,
}

impl Vpc {
    /// Its subnets, the private ones first.
    pub fn subnets(&self) -> impl Iterator<Item = &SubnetId> {
        self.private_subnets.iter().chain(&self.public_subnets)
    }
}

/// The family of the addresses of pods and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpFamily {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What runs the controller in a new cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControllerCapacity {
    /// A managed node group.
    NodeGroup(NodeGroup),
    /// A Fargate profile for the namespace.
    Fargate,
}

/// The managed node group that runs the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// EC2 instance type.
    pub instance_type: String,
    /// Nodes at the start.
    pub desired_capacity: u32,
    /// Fewest nodes.
    pub min_size: u32,
    /// Most nodes.
    pub max_size: u32,
}

impl Default for NodeGroup {
    /// What the getting-started guide of every release uses.
    fn default() -> Self {
        Self { instance_type: "m5.large".into(), desired_capacity: 2, min_size: 1, max_size: 10 }
    }
}

/// The node pool (Provisioner or NodePool) and its node class (`AWSNodeTemplate` or EC2NodeClass).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePool {
    /// The name of both objects.
    pub name: ObjectName,
    /// `spot` and/or `on-demand`. Empty: what the release's guide uses.
    pub capacity_types: Vec<CapacityType>,
    /// `amd64` and/or `arm64`. Empty: what the release's guide uses.
    pub architectures: Vec<Architecture>,
    /// The most vCPUs that the pool may hold.
    pub cpu_limit: u32,
    /// The AMI alias. `None`: the release's family at the version that AWS recommends.
    pub ami_alias: Option<AmiAlias>,
    /// Node pools and node classes are somebody else's: karpctl applies none, and tags nothing for one to find.
    #[serde(default)]
    pub keep: bool,
    /// The KMS key of the nodes' volumes. `None`: the one that the account has for EBS.
    pub volume_key: Option<Arn>,
}

/// The limit of the node pool of every guide: more than most accounts may run, and a guard rather than a wish.
pub const GUIDE_CPU_LIMIT: u32 = 1000;

/// How EC2 capacity is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// Spare capacity that EC2 may take back.
    Spot,
    /// On-demand capacity.
    OnDemand,
}

impl CapacityType {
    /// As Karpenter writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        }
    }
}

/// The CPU architecture of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Architecture {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Where Karpenter's own charts are.
const PUBLIC_CHARTS: &str = "oci://public.ecr.aws/karpenter";

/// Where the chart comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartSource {
    /// The OCI repository that holds `karpenter` and `karpenter-crd`, without a trailing slash:
    /// `oci://public.ecr.aws/karpenter`.
    pub repository: String,
    /// A registry configuration of the person's own (docker or helm `config.json`), for a private mirror. `None`: helm runs
    /// with an empty one, so that an expired login cannot break the pull.
    pub registry_config: Option<std::path::PathBuf>,
    /// Values of the chart `karpenter` beside those of the guide, as a merge patch: `null` leaves one of the guide's out.
    #[serde(default)]
    pub values: BTreeMap<String, serde_json::Value>,
    /// What the chart `karpenter` is held to. Its own values name the controller's image by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ChartDigest>,
    /// What the chart `karpenter-crd` is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crd_digest: Option<ChartDigest>,
}

impl ChartSource {
    /// Whether they are Karpenter's own, not a mirror's.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.repository == PUBLIC_CHARTS
    }
}

impl Default for ChartSource {
    fn default() -> Self {
        Self { repository: PUBLIC_CHARTS.into(), registry_config: None, values: BTreeMap::new(), digest: None, crd_digest: None }
    }
}
