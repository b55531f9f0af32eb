//! What is so, as one value. Everything that reads the world ends here; everything that judges starts here.
//! "No permission" is a fact like any other: nothing in this module is an error.

use crate::knowledge::{KubernetesVersion, ToolVersion};
use crate::spec::{AccountId, Arn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The schema id of serialized [`Facts`].
pub const SCHEMA: &str = "karpctl/facts/v1";

/// One thing that was asked of the world, or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "probed", content = "value", rename_all = "kebab-case")]
pub enum Probed<T> {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It is not there.
    Absent,
    /// It is there, and so.
    Known(T),
    /// It could not be read, for this reason (no permission, not reachable, what it depends on is not there).
    Unavailable(String),
}

impl<T> Probed<T> {
    /// The value, where it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

/// A group of facts that is read together. A step names the topics that it is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// [`Facts::caller`].
    Caller,
    /// [`Facts::helm`], [`Facts::eksctl`].
    Tools,
    /// [`Facts::stack`].
    Stack,
    /// [`Facts::cluster`], [`Facts::eksctl_stack`], [`Facts::eksctl_node_group`].
    Cluster,
    /// [`Facts::cluster_versions`].
    ClusterVersions,
    /// [`Facts::spot_role`].
    SpotRole,
    /// [`Facts::controller_role`].
    ControllerRole,
    /// [`Facts::oidc_provider`].
    OidcProvider,
    /// [`Facts::pod_identity_agent`].
    PodIdentityAgent,
    /// [`Facts::association`].
    Association,
    /// [`Facts::access_entry`].
    AccessEntry,
    /// [`Facts::aws_auth`].
    AwsAuth,
    /// [`Facts::network`].
    Network,
    /// [`Facts::ami_version`].
    Ami,
    /// [`Facts::crd_release`], [`Facts::crds`].
    Crds,
    /// [`Facts::chart_release`].
    Chart,
    /// [`Facts::node_pool`], [`Facts::node_class`].
    NodePool,
    /// [`Facts::controller`].
    Controller,
    /// [`Facts::karpenter_nodes`].
    Nodes,
}

impl Topic {
    /// Whether it is read from the Kubernetes API, and so needs a cluster that answers.
    #[must_use]
    pub const fn in_cluster(self) -> bool {
        matches!(self, Self::AwsAuth | Self::Crds | Self::Chart | Self::NodePool | Self::Controller | Self::Nodes)
    }

    /// Whether reading it needs to know the cluster first (its VPC, its issuer, its endpoint).
    #[must_use]
    pub const fn needs_cluster(self) -> bool {
        self.in_cluster() || matches!(self, Self::OidcProvider | Self::Network)
    }
}

/// What is so.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Who asks AWS.
    pub caller: Probed<Caller>,
    /// The helm that will run.
    pub helm: Probed<ToolFacts>,
    /// The eksctl that will run.
    pub eksctl: Probed<ToolFacts>,
    /// The stack `Karpenter-<cluster>`.
    pub stack: Probed<StackFacts>,
    /// The EKS cluster.
    pub cluster: Probed<ClusterFacts>,
    /// eksctl's own stack of the cluster, `eksctl-<cluster>-cluster`: it is how eksctl knows a cluster as its own.
    pub eksctl_stack: Probed<StackFacts>,
    /// eksctl's stack of the spec's node group, `eksctl-<cluster>-nodegroup-<group>`: an eksctl that broke off leaves a cluster without.
    pub eksctl_node_group: Probed<StackFacts>,
    /// The Kubernetes versions of which EKS creates clusters.
    pub cluster_versions: Probed<Vec<KubernetesVersion>>,
    /// The role `AWSServiceRoleForEC2Spot`.
    pub spot_role: Probed<RoleFacts>,
    /// The controller's role.
    pub controller_role: Probed<RoleFacts>,
    /// The OIDC provider of the cluster's issuer.
    pub oidc_provider: Probed<OidcFacts>,
    /// The add-on `eks-pod-identity-agent`.
    pub pod_identity_agent: Probed<AddonFacts>,
    /// The association of the controller's service account.
    pub association: Probed<AssociationFacts>,
    /// The access entry of the node role.
    pub access_entry: Probed<AccessEntryFacts>,
    /// The `aws-auth` `ConfigMap`.
    pub aws_auth: Probed<AwsAuthFacts>,
    /// The cluster's subnets and its security group.
    pub network: Probed<NetworkFacts>,
    /// The version that AWS recommends of the release's AMI family, as it stands behind the `@` of an alias: `v20260101`.
    pub ami_version: Probed<String>,
    /// The helm release `karpenter-crd`.
    pub crd_release: Probed<HelmRelease>,
    /// Karpenter's custom resource definitions that are there, by name.
    pub crds: Probed<BTreeMap<String, CrdFacts>>,
    /// The helm release `karpenter`.
    pub chart_release: Probed<HelmRelease>,
    /// The node pool object, as the API server answers it.
    pub node_pool: Probed<Value>,
    /// The node class object, as the API server answers it.
    pub node_class: Probed<Value>,
    /// The controller's Deployment and pods.
    pub controller: Probed<ControllerFacts>,
    /// What Karpenter has launched in this cluster and is still there.
    pub karpenter_nodes: Probed<KarpenterNodes>,
}

impl Facts {
    /// Takes over what `newer` says of these topics.
    pub fn take_topics(&mut self, newer: &Self, topics: &std::collections::BTreeSet<Topic>) {
        for topic in topics {
            match topic {
                Topic::Caller => self.caller.clone_from(&newer.caller),
                Topic::Tools => {
                    self.helm.clone_from(&newer.helm);
                    self.eksctl.clone_from(&newer.eksctl);
                }
                Topic::Stack => self.stack.clone_from(&newer.stack),
                Topic::Cluster => {
                    self.cluster.clone_from(&newer.cluster);
                    self.eksctl_stack.clone_from(&newer.eksctl_stack);
                    self.eksctl_node_group.clone_from(&newer.eksctl_node_group);
                }
                Topic::ClusterVersions => self.cluster_versions.clone_from(&newer.cluster_versions),
                Topic::SpotRole => self.spot_role.clone_from(&newer.spot_role),
                Topic::ControllerRole => self.controller_role.clone_from(&newer.controller_role),
                Topic::OidcProvider => self.oidc_provider.clone_from(&newer.oidc_provider),
                Topic::PodIdentityAgent => self.pod_identity_agent.clone_from(&newer.pod_identity_agent),
                Topic::Association => self.association.clone_from(&newer.association),
                Topic::AccessEntry => self.access_entry.clone_from(&newer.access_entry),
                Topic::AwsAuth => self.aws_auth.clone_from(&newer.aws_auth),
                Topic::Network => self.network.clone_from(&newer.network),
                Topic::Ami => self.ami_version.clone_from(&newer.ami_version),
                Topic::Crds => {
                    self.crd_release.clone_from(&newer.crd_release);
                    self.crds.clone_from(&newer.crds);
                }
                Topic::Chart => self.chart_release.clone_from(&newer.chart_release),
                Topic::NodePool => {
                    self.node_pool.clone_from(&newer.node_pool);
                    self.node_class.clone_from(&newer.node_class);
                }
                Topic::Controller => self.controller.clone_from(&newer.controller),
                Topic::Nodes => self.karpenter_nodes.clone_from(&newer.karpenter_nodes),
            }
        }
    }
}

/// Who asks AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The ARN as STS says it (a role appears as an assumed role).
    pub arn: Arn,
}

/// A tool on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFacts {
    /// The file that will be run.
    pub path: PathBuf,
    /// Its version.
    pub version: ToolVersion,
}

/// A CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFacts {
    /// The stack id (an ARN).
    pub id: String,
    /// `CREATE_COMPLETE`, …
    pub status: String,
    /// Why, where CloudFormation says so.
    pub status_reason: Option<String>,
    /// The template as it was given. `None` where it was not asked for.
    pub template: Option<String>,
    /// Parameters and their values.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Physical ids by logical id. Empty where they were not asked for.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
}

/// An EKS cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// `CREATING`, `ACTIVE`, `DELETING`, `FAILED`, `UPDATING`, `PENDING`.
    pub status: String,
    /// Its Kubernetes version, as EKS says it.
    pub version: KubernetesVersion,
    /// `CONFIG_MAP`, `API`, `API_AND_CONFIG_MAP`.
    pub authentication_mode: String,
    /// The API server's URL. `None` while it is being created.
    pub endpoint: Option<String>,
    /// The CA of the API server, base64 of PEM.
    pub certificate_authority: Option<String>,
    /// The OIDC issuer's URL.
    pub oidc_issuer: Option<String>,
    /// The VPC.
    pub vpc_id: Option<String>,
    /// The subnets of the control plane.
    pub subnet_ids: Vec<String>,
    /// The security group that EKS made.
    pub cluster_security_group_id: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether EKS Auto Mode manages its compute.
    pub auto_mode: bool,
}

impl ClusterFacts {
    /// Whether nodes can be let in by access entries.
    #[must_use]
    pub fn has_access_entries(&self) -> bool {
        self.authentication_mode.contains("API")
    }

    /// Whether nodes can be let in by the `aws-auth` `ConfigMap`.
    #[must_use]
    pub fn has_config_map(&self) -> bool {
        self.authentication_mode.contains("CONFIG_MAP")
    }
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// Its ARN.
    pub arn: Arn,
    /// The trust policy.
    pub trust: Value,
    /// The ARNs of the attached managed policies, sorted.
    pub policies: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An IAM OIDC provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcFacts {
    /// Its ARN.
    pub arn: Arn,
    /// The audiences (client ids) it takes.
    pub audiences: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An EKS add-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonFacts {
    /// `CREATING`, `ACTIVE`, `DEGRADED`, …
    pub status: String,
    /// Its version.
    pub version: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An EKS Pod Identity association.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociationFacts {
    /// Its id.
    pub id: String,
    /// The role that it gives.
    pub role_arn: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An EKS access entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntryFacts {
    /// `STANDARD`, `EC2_LINUX`, `EC2_WINDOWS`, …
    pub kind: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// The `aws-auth` `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsAuthFacts {
    /// The text of `mapRoles`, byte for byte. `None` where the key is missing.
    pub map_roles: Option<String>,
    /// For an update that must not overwrite somebody else's.
    pub resource_version: String,
}

/// The network that nodes are launched into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// The subnets of the cluster, or those that the spec names.
    pub subnets: Vec<SubnetFacts>,
    /// The cluster's security group and its tags.
    pub security_groups: BTreeMap<String, BTreeMap<String, String>>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetFacts {
    /// Its id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Addresses left.
    pub free_addresses: i32,
    /// Whether instances get a public address.
    pub public: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A helm release, read from where helm keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelmRelease {
    /// `deployed`, `failed`, `pending-install`, …
    pub status: String,
    /// The chart's name.
    pub chart: String,
    /// The chart's version.
    pub chart_version: String,
    /// The values that were given.
    pub values: Value,
    /// The revision.
    pub revision: u32,
    /// What helm says of it ("Upgrade \"karpenter\" failed: …").
    pub description: String,
}

/// A custom resource definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrdFacts {
    /// The helm release that owns it, `<namespace>/<name>`, where labels and annotations say so.
    pub helm_owner: Option<String>,
    /// The versions it serves.
    pub served: Vec<String>,
    /// The versions in which objects are stored.
    pub stored: Vec<String>,
}

/// The controller's Deployment and pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerFacts {
    /// The namespace of the Deployment: another than the spec's where Karpenter runs only there.
    #[serde(default)]
    pub namespace: String,
    /// The helm release that owns the Deployment, `<namespace>/<name>`, where labels and annotations say so.
    #[serde(default)]
    pub helm_owner: Option<String>,
    /// Replicas asked for.
    pub desired: u32,
    /// Replicas ready.
    pub ready: u32,
    /// The image of the controller's container.
    pub image: String,
    /// What its pods and events say, newest last, while it is not ready.
    pub complaints: Vec<String>,
}

/// What Karpenter has launched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KarpenterNodes {
    /// Node pools (or Provisioners).
    pub pools: Vec<String>,
    /// Node classes (or `AWSNodeTemplate`s).
    pub classes: Vec<String>,
    /// Node claims (or Machines).
    pub claims: Vec<String>,
    /// Kubernetes nodes.
    pub nodes: Vec<String>,
}
