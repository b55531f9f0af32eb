//! What is so, as one value. Everything that reads the world ends here; everything that judges starts here.
//! "No permission" is a fact like any other: nothing in this module is an error.

mod account;
mod client;
mod fleet;
mod inside;
mod keys;
mod machine;
mod origin;
pub(crate) mod quantity;
mod stack;
mod things;
mod topic;

pub use account::*;
pub use client::*;
pub use fleet::*;
pub use inside::*;
pub use keys::*;
pub use machine::*;
pub use origin::*;
pub use stack::*;
pub use things::*;
pub use topic::Topic;

use crate::knowledge::OfferedVersion;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The schema id of serialized [`Facts`].
pub const SCHEMA: &str = "karpctl/facts/v1";

/// Why nothing is known of what a doctor with `--offline` does not look at.
pub const OFFLINE: &str = "not asked, because of --offline";

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
    /// What a question was answered with.
    pub fn of<E: std::fmt::Display>(read: Result<Option<T>, E>) -> Self {
        match read {
            Ok(Some(value)) => Self::Known(value),
            Ok(None) => Self::Absent,
            Err(e) => Self::Unavailable(e.to_string()),
        }
    }

    /// The value, where it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

/// What is so.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The Kubernetes clients on this machine, and how far each would get with its kubeconfig.
    pub clients: Probed<Vec<ClientFacts>>,
    /// The programs that karpctl runs, or that the commands which it prints name.
    pub programs: Probed<Vec<ProgramFacts>>,
    /// Who helm would say to the chart registry that it is. Absent: nobody.
    pub registry_login: Probed<Box<RegistryLogin>>,
    /// Whether the registry has the chart's version.
    pub chart_tag: Probed<Box<ChartTag>>,
    /// How many seconds this machine's clock is ahead of AWS's; behind where negative.
    pub clock: Probed<i64>,
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
    /// The spec's Fargate profile, where the controller runs on one.
    pub fargate_profile: Probed<FargateProfileFacts>,
    /// The add-on metrics-server: it is the last that eksctl makes.
    pub metrics_server: Probed<AddonFacts>,
    /// The Kubernetes versions of which EKS creates clusters.
    pub cluster_versions: Probed<Vec<OfferedVersion>>,
    /// The role `AWSServiceRoleForEC2Spot`.
    pub spot_role: Probed<RoleFacts>,
    /// The role of the nodes, whoever made it.
    pub node_role: Probed<RoleFacts>,
    /// What holds the role of the nodes. Asked where it is there and the stack that makes it is not.
    pub node_role_ties: Probed<RoleTies>,
    /// The policies that are there by the ARNs of those that the stack makes, with how often each is attached. Asked where the stack is not
    /// there.
    pub stack_policies: Probed<BTreeMap<String, u32>>,
    /// The controller's role.
    pub controller_role: Probed<RoleFacts>,
    /// The policies of the controller of other releases that are there and attached to nothing, by ARN.
    pub left_policies: Probed<Vec<String>>,
    /// The OIDC provider of the cluster's issuer.
    pub oidc_provider: Probed<OidcFacts>,
    /// The add-on `eks-pod-identity-agent`.
    pub pod_identity_agent: Probed<AddonFacts>,
    /// The Pod Identity agent's `DaemonSet`, whoever put it there.
    pub agent_pods: Probed<AgentPods>,
    /// The association of the controller's service account.
    pub association: Probed<AssociationFacts>,
    /// The access entry of the node role.
    pub access_entry: Probed<AccessEntryFacts>,
    /// Those of the roles that node classes name in place of it, by the role's name. Asked where the cluster knows access entries.
    pub class_entries: BTreeMap<String, Probed<AccessEntryFacts>>,
    /// The instance profiles that node classes name in place of it, by name.
    pub class_profiles: BTreeMap<String, Probed<ProfileFacts>>,
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
    /// The nodes and the room on them.
    pub nodes: Probed<Vec<NodeFacts>>,
    /// What else works in the cluster: other Karpenters, other autoscalers, its DNS.
    pub neighbours: Probed<Neighbours>,
    /// The admission webhooks that Karpenters left.
    pub webhooks: Probed<Vec<WebhookFacts>>,
    /// The admission webhooks of others that must answer before what Karpenter needs is written.
    pub gates: Probed<Vec<GateFacts>>,
    /// What stands behind the conversion webhooks of the CRDs.
    pub conversion: Probed<Vec<ConversionFacts>>,
    /// Whether the API server lets the caller in.
    pub entry: Probed<EntryFacts>,
    /// Whether the `ConfigMap` of the VPC CNI has EKS give the pods of Windows nodes their addresses. Absent: there is no such `ConfigMap`.
    pub windows_ipam: Probed<bool>,
    /// The role that the network add-on has of its own, by its service account. Asked where pods get IPv6.
    pub network_role: Probed<String>,
    /// The network policies that select the controller, or will.
    pub policies: Probed<PolicyFacts>,
    /// The pools, classes and claims of which there is something to say.
    pub objects: Probed<Vec<ObjectFacts>>,
    /// What the caller may do of what a bootstrap calls for.
    pub caller_permissions: Probed<PermissionFacts>,
    /// What the controller's role may do of what the release needs.
    pub controller_permissions: Probed<PermissionFacts>,
    /// How much of IAM's quotas is used.
    pub iam_summary: Probed<IamSummary>,
    /// How many vCPUs the account may run, and runs.
    pub vcpus: Probed<VcpuFacts>,
    /// How many VPCs and Elastic IP addresses the account may have, and has. Absent: no VPC is to be made.
    pub network_quotas: Probed<Box<NetworkQuotas>>,
    /// What the node class's selectors find.
    pub selection: Probed<SelectionFacts>,
    /// The subnets that node classes found, whatever their selectors go by.
    pub class_subnets: Probed<Vec<SubnetFacts>>,
    /// The route tables of the cluster's VPC.
    pub routes: Probed<Vec<RouteTableFacts>>,
    /// The endpoints of the cluster's VPC.
    pub endpoints: Probed<Vec<EndpointFacts>>,
    /// The cluster's VPC; while there is no cluster, that of one's own where the spec names it.
    pub vpc: Probed<VpcFacts>,
    /// What an earlier cluster of this name left. Absent: the cluster is there, and what carries its name is its own.
    pub leftovers: Probed<LeftoverFacts>,
    /// The managed node groups.
    pub node_groups: Probed<Vec<NodeGroupFacts>>,
    /// How new EBS volumes are encrypted.
    pub ebs: Probed<EbsFacts>,
    /// The key of the nodes' volumes, where it is not AWS's own.
    pub volume_key: Probed<KeyUse>,
    /// The key of the cluster's secrets, where the spec names one.
    pub secrets_key: Probed<KeyUse>,
    /// The x86-64 image behind the node class's alias.
    pub ami_image: Probed<AmiFacts>,
    /// The image of 64-bit Arm behind it.
    pub ami_image_arm: Probed<AmiFacts>,
    /// The images behind the pinned aliases of node classes that are there, by alias: of any architecture.
    pub class_images: BTreeMap<String, Probed<AmiFacts>>,
    /// The interruption queue.
    pub queue: Probed<QueueFacts>,
    /// The rules that send to the interruption queue.
    pub queue_rules: Probed<Vec<RuleFacts>>,
    /// The queue that the live release names, where another tool made what Karpenter works with.
    pub told_queue: Probed<QueueFacts>,
    /// What shows who made the Karpenter that is there.
    pub origin: Probed<Box<OriginFacts>>,
    /// What the managed node groups are made of.
    pub node_group_shapes: Probed<Vec<NodeGroupShape>>,
    /// The policies of their nodes' roles and of Karpenter's, by the names of the roles that are there.
    pub node_group_roles: Probed<BTreeMap<String, RolePolicies>>,
    /// What runs where in the cluster.
    pub fleet: Probed<Box<Fleet>>,
    /// What would be left in the account if the cluster were deleted as it stands.
    pub outliving: Probed<OutlivingFacts>,
}

impl Facts {
    /// Takes over what `newer` says of these topics.
    pub fn take_topics(&mut self, newer: &Self, topics: &std::collections::BTreeSet<Topic>) {
        for topic in topics {
            match topic {
                Topic::Clients => self.clients.clone_from(&newer.clients),
                Topic::Programs => self.programs.clone_from(&newer.programs),
                Topic::RegistryLogin => self.registry_login.clone_from(&newer.registry_login),
                Topic::ChartTag => self.chart_tag.clone_from(&newer.chart_tag),
                Topic::Clock => self.clock.clone_from(&newer.clock),
                Topic::Caller => self.caller.clone_from(&newer.caller),
                Topic::Tools => {
                    self.helm.clone_from(&newer.helm);
                    self.eksctl.clone_from(&newer.eksctl);
                }
                Topic::Stack | Topic::StackStatus => self.stack.clone_from(&newer.stack),
                Topic::Cluster => self.cluster.clone_from(&newer.cluster),
                Topic::ClusterStacks => {
                    self.eksctl_stack.clone_from(&newer.eksctl_stack);
                    self.eksctl_node_group.clone_from(&newer.eksctl_node_group);
                    self.fargate_profile.clone_from(&newer.fargate_profile);
                }
                Topic::MetricsServer => self.metrics_server.clone_from(&newer.metrics_server),
                Topic::ClusterVersions => self.cluster_versions.clone_from(&newer.cluster_versions),
                Topic::SpotRole => self.spot_role.clone_from(&newer.spot_role),
                Topic::NodeRole | Topic::NodeRoleInTheWay => {
                    self.node_role.clone_from(&newer.node_role);
                    self.node_role_ties.clone_from(&newer.node_role_ties);
                }
                Topic::StackPolicies => self.stack_policies.clone_from(&newer.stack_policies),
                Topic::ControllerRole => {
                    self.controller_role.clone_from(&newer.controller_role);
                    self.left_policies.clone_from(&newer.left_policies);
                }
                Topic::OidcProvider => self.oidc_provider.clone_from(&newer.oidc_provider),
                Topic::PodIdentityAgent => self.pod_identity_agent.clone_from(&newer.pod_identity_agent),
                Topic::AgentPods => self.agent_pods.clone_from(&newer.agent_pods),
                Topic::Association => self.association.clone_from(&newer.association),
                Topic::AccessEntry => self.access_entry.clone_from(&newer.access_entry),
                Topic::AwsAuth => self.aws_auth.clone_from(&newer.aws_auth),
                Topic::Network | Topic::NodeSubnets => self.network.clone_from(&newer.network),
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
                Topic::Capacity => self.nodes.clone_from(&newer.nodes),
                Topic::Neighbours => self.neighbours.clone_from(&newer.neighbours),
                Topic::Webhooks => {
                    self.webhooks.clone_from(&newer.webhooks);
                    self.gates.clone_from(&newer.gates);
                }
                Topic::Conversion => self.conversion.clone_from(&newer.conversion),
                Topic::Entry => self.entry.clone_from(&newer.entry),
                Topic::WindowsIpam => self.windows_ipam.clone_from(&newer.windows_ipam),
                Topic::NetworkRole => self.network_role.clone_from(&newer.network_role),
                Topic::Policies => self.policies.clone_from(&newer.policies),
                Topic::Objects | Topic::ObjectsAtStake => self.objects.clone_from(&newer.objects),
                Topic::CallerPermissions => self.caller_permissions.clone_from(&newer.caller_permissions),
                Topic::ControllerPermissions => self.controller_permissions.clone_from(&newer.controller_permissions),
                Topic::IamSummary => self.iam_summary.clone_from(&newer.iam_summary),
                Topic::Vcpus => self.vcpus.clone_from(&newer.vcpus),
                Topic::NetworkQuotas => self.network_quotas.clone_from(&newer.network_quotas),
                Topic::Selection => self.selection.clone_from(&newer.selection),
                Topic::Routes => self.routes.clone_from(&newer.routes),
                Topic::Endpoints => self.endpoints.clone_from(&newer.endpoints),
                Topic::Vpc => self.vpc.clone_from(&newer.vpc),
                Topic::Leftovers => self.leftovers.clone_from(&newer.leftovers),
                Topic::NodeGroups => self.node_groups.clone_from(&newer.node_groups),
                Topic::Ebs => {
                    self.ebs.clone_from(&newer.ebs);
                    self.volume_key.clone_from(&newer.volume_key);
                }
                Topic::SecretsKey => self.secrets_key.clone_from(&newer.secrets_key),
                Topic::AmiImage => {
                    self.ami_image.clone_from(&newer.ami_image);
                    self.ami_image_arm.clone_from(&newer.ami_image_arm);
                }
                Topic::Origin => self.origin.clone_from(&newer.origin),
                Topic::Queue => {
                    self.queue.clone_from(&newer.queue);
                    self.queue_rules.clone_from(&newer.queue_rules);
                    self.told_queue.clone_from(&newer.told_queue);
                }
                Topic::NodeGroupShapes => self.node_group_shapes.clone_from(&newer.node_group_shapes),
                Topic::NodeGroupRoles => self.node_group_roles.clone_from(&newer.node_group_roles),
                Topic::Fleet => self.fleet.clone_from(&newer.fleet),
                Topic::Outliving => self.outliving.clone_from(&newer.outliving),
            }
        }
    }

    /// Says of a topic why it could not be read.
    pub fn say_unavailable(&mut self, topic: Topic, reason: &str) {
        fn say<T>(fact: &mut Probed<T>, reason: &str) {
            *fact = Probed::Unavailable(reason.to_owned());
        }
        match topic {
            Topic::Clients => say(&mut self.clients, reason),
            Topic::Programs => say(&mut self.programs, reason),
            Topic::RegistryLogin => say(&mut self.registry_login, reason),
            Topic::ChartTag => say(&mut self.chart_tag, reason),
            Topic::Clock => say(&mut self.clock, reason),
            Topic::Caller => say(&mut self.caller, reason),
            Topic::Tools => {
                say(&mut self.helm, reason);
                say(&mut self.eksctl, reason);
            }
            Topic::Stack | Topic::StackStatus => say(&mut self.stack, reason),
            Topic::Cluster => say(&mut self.cluster, reason),
            Topic::ClusterStacks => {
                say(&mut self.eksctl_stack, reason);
                say(&mut self.eksctl_node_group, reason);
                say(&mut self.fargate_profile, reason);
            }
            Topic::MetricsServer => say(&mut self.metrics_server, reason),
            Topic::ClusterVersions => say(&mut self.cluster_versions, reason),
            Topic::SpotRole => say(&mut self.spot_role, reason),
            Topic::NodeRole | Topic::NodeRoleInTheWay => {
                say(&mut self.node_role, reason);
                say(&mut self.node_role_ties, reason);
            }
            Topic::StackPolicies => say(&mut self.stack_policies, reason),
            Topic::ControllerRole => {
                say(&mut self.controller_role, reason);
                say(&mut self.left_policies, reason);
            }
            Topic::OidcProvider => say(&mut self.oidc_provider, reason),
            Topic::PodIdentityAgent => say(&mut self.pod_identity_agent, reason),
            Topic::AgentPods => say(&mut self.agent_pods, reason),
            Topic::Association => say(&mut self.association, reason),
            Topic::AccessEntry => say(&mut self.access_entry, reason),
            Topic::AwsAuth => say(&mut self.aws_auth, reason),
            Topic::Network | Topic::NodeSubnets => say(&mut self.network, reason),
            Topic::Ami => say(&mut self.ami_version, reason),
            Topic::Crds => {
                say(&mut self.crd_release, reason);
                say(&mut self.crds, reason);
            }
            Topic::Chart => say(&mut self.chart_release, reason),
            Topic::NodePool => {
                say(&mut self.node_pool, reason);
                say(&mut self.node_class, reason);
            }
            Topic::Controller => say(&mut self.controller, reason),
            Topic::Nodes => say(&mut self.karpenter_nodes, reason),
            Topic::Capacity => say(&mut self.nodes, reason),
            Topic::Neighbours => say(&mut self.neighbours, reason),
            Topic::Webhooks => {
                say(&mut self.webhooks, reason);
                say(&mut self.gates, reason);
            }
            Topic::Conversion => say(&mut self.conversion, reason),
            Topic::Entry => say(&mut self.entry, reason),
            Topic::WindowsIpam => say(&mut self.windows_ipam, reason),
            Topic::NetworkRole => say(&mut self.network_role, reason),
            Topic::Policies => say(&mut self.policies, reason),
            Topic::Objects | Topic::ObjectsAtStake => say(&mut self.objects, reason),
            Topic::CallerPermissions => say(&mut self.caller_permissions, reason),
            Topic::ControllerPermissions => say(&mut self.controller_permissions, reason),
            Topic::IamSummary => say(&mut self.iam_summary, reason),
            Topic::Vcpus => say(&mut self.vcpus, reason),
            Topic::NetworkQuotas => say(&mut self.network_quotas, reason),
            Topic::Selection => say(&mut self.selection, reason),
            Topic::Routes => say(&mut self.routes, reason),
            Topic::Endpoints => say(&mut self.endpoints, reason),
            Topic::Vpc => say(&mut self.vpc, reason),
            Topic::Leftovers => say(&mut self.leftovers, reason),
            Topic::NodeGroups => say(&mut self.node_groups, reason),
            Topic::Ebs => {
                say(&mut self.ebs, reason);
                say(&mut self.volume_key, reason);
            }
            Topic::SecretsKey => say(&mut self.secrets_key, reason),
            Topic::AmiImage => {
                say(&mut self.ami_image, reason);
                say(&mut self.ami_image_arm, reason);
            }
            Topic::Origin => say(&mut self.origin, reason),
            Topic::Queue => {
                say(&mut self.queue, reason);
                say(&mut self.queue_rules, reason);
                say(&mut self.told_queue, reason);
            }
            Topic::NodeGroupShapes => say(&mut self.node_group_shapes, reason),
            Topic::NodeGroupRoles => say(&mut self.node_group_roles, reason),
            Topic::Fleet => say(&mut self.fleet, reason),
            Topic::Outliving => say(&mut self.outliving, reason),
        }
    }
}
