//! What is so, as one value. Everything that reads the world ends here; everything that judges starts here.
//! "No permission" is a fact like any other: nothing in this module is an error.

mod account;
mod admission;
mod client;
mod custom_networking;
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
pub use admission::*;
pub use client::*;
pub use custom_networking::*;
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
use std::collections::{BTreeMap, BTreeSet};

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

    /// Why it could not be read, where it could not.
    pub const fn unread(&self) -> Option<&str> {
        match self {
            Self::Unavailable(reason) => Some(reason.as_str()),
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
    /// eksctl's other stacks with karpctl's tag (roles of add-ons and service accounts). Asked where the cluster is not there: with it eksctl takes
    /// them away.
    pub eksctl_others: Probed<Vec<StackFacts>>,
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
    /// What holds the role of the nodes. Asked where it is there and the stack that makes it is not, or is to go.
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
    /// The service accounts with a Pod Identity association, `namespace/name`.
    pub agent_users: Probed<Vec<String>>,
    /// The service accounts that name a role of IAM, and so go by the OIDC provider, `namespace/name`.
    pub provider_users: Probed<Vec<String>>,
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
    /// What the API server says of what the chart and karpctl write, before it is written.
    pub trials: Probed<Vec<TrialFacts>>,
    /// What stands behind the conversion webhooks of the CRDs.
    pub conversion: Probed<Vec<ConversionFacts>>,
    /// Whether the API server lets the caller in.
    pub entry: Probed<EntryFacts>,
    /// Whether the `ConfigMap` of the VPC CNI has EKS give the pods of Windows nodes their addresses. Absent: there is no such `ConfigMap`.
    pub windows_ipam: Probed<bool>,
    /// Where pods get their addresses in subnets of their own. Absent: they get them in those of their nodes.
    pub custom_networking: Probed<Box<CustomNetworking>>,
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
    /// How many EKS clusters the account may have in the region, and has. Asked where one is to be made.
    pub cluster_quota: Probed<QuotaUse>,
    /// How many OIDC providers the account may have, and has. Asked where one is to be made.
    pub provider_quota: Probed<QuotaUse>,
    /// How many rules the region's event bus may have, and has. Asked where the stack is to make some.
    pub rule_quota: Probed<QuotaUse>,
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
    /// The subnets of a VPC of one's own that a cluster is to be made in. Absent: none is to be made in one.
    pub own_subnets: Probed<Vec<SubnetFacts>>,
    /// What an earlier cluster of this name left. Absent: the cluster is there, and what carries its name is its own.
    pub leftovers: Probed<LeftoverFacts>,
    /// The managed node groups.
    pub node_groups: Probed<Vec<NodeGroupFacts>>,
    /// The Fargate profiles, by which pods they take; those that are not there yet, or no more, take none.
    pub fargate_selectors: Probed<Vec<FargateSelectors>>,
    /// Whom the security groups of node groups let in at the port of Karpenter's webhooks, group by group. Absent: all have the cluster's own.
    pub webhook_ways: Probed<BTreeMap<String, Vec<String>>>,
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
    /// The policies of their nodes' roles and of Karpenter's, by the names of the roles.
    pub node_group_roles: Probed<BTreeMap<String, Probed<RolePolicies>>>,
    /// What runs where in the cluster.
    pub fleet: Probed<Box<Fleet>>,
    /// What would be left in the account if the cluster were deleted as it stands.
    pub outliving: Probed<OutlivingFacts>,
}

impl Facts {
    /// The role under which the Karpenter that is there works, where one is seen: that of its Pod Identity association, which goes before the one that
    /// its helm release annotates.
    #[must_use]
    pub fn controller_works_as(&self) -> Option<&str> {
        let annotated = || self.chart_release.known()?.annotated_role();
        self.association.known().map(|association| association.role_arn.as_str()).or_else(annotated)
    }
}

/// Which facts are read together: a row for each topic, or for topics that read the same.
macro_rules! of_topics {
    ($($($topic:ident)|+ => $($fact:ident),+;)+) => {
        impl Facts {
            /// Takes over what `newer` says of these topics.
            pub fn take_topics(&mut self, newer: &Self, topics: &BTreeSet<Topic>) {
                for topic in topics {
                    match topic {
                        $($(Topic::$topic)|+ => { $(self.$fact.clone_from(&newer.$fact);)+ })+
                    }
                }
            }

            /// Says of a topic why it could not be read.
            pub fn say_unavailable(&mut self, topic: Topic, reason: &str) {
                match topic {
                    $($(Topic::$topic)|+ => { $(self.$fact = Probed::Unavailable(reason.to_owned());)+ })+
                }
            }
        }
    };
}

of_topics! {
    Clients => clients;
    Programs => programs;
    RegistryLogin => registry_login;
    ChartTag => chart_tag;
    Clock => clock;
    Caller => caller;
    Tools => helm, eksctl;
    Stack | StackStatus => stack;
    Cluster => cluster;
    ClusterStacks => eksctl_stack, eksctl_node_group, fargate_profile;
    EksctlOthers => eksctl_others;
    MetricsServer => metrics_server;
    ClusterVersions => cluster_versions;
    SpotRole => spot_role;
    NodeRole | NodeRoleInTheWay | NodeRoleHolders => node_role, node_role_ties;
    StackPolicies => stack_policies;
    ControllerRole => controller_role, left_policies;
    OidcProvider => oidc_provider;
    PodIdentityAgent => pod_identity_agent;
    AgentPods => agent_pods;
    AgentUsers => agent_users;
    ProviderUsers => provider_users;
    Association => association;
    AccessEntry => access_entry;
    AwsAuth => aws_auth;
    Network | NodeSubnets => network;
    Ami => ami_version;
    Crds => crd_release, crds;
    Chart => chart_release;
    NodePool => node_pool, node_class;
    Controller => controller;
    Nodes => karpenter_nodes;
    Capacity => nodes;
    Neighbours => neighbours;
    Webhooks => webhooks, gates;
    Trials => trials;
    Conversion => conversion;
    Entry => entry;
    WindowsIpam => windows_ipam;
    CustomNetworking => custom_networking;
    NetworkRole => network_role;
    Policies => policies;
    Objects | ObjectsAtStake => objects;
    CallerPermissions => caller_permissions;
    ControllerPermissions => controller_permissions;
    IamSummary => iam_summary;
    Vcpus => vcpus;
    NetworkQuotas => network_quotas;
    ClusterQuotas => cluster_quota, provider_quota, rule_quota;
    Selection => selection;
    Routes => routes;
    Endpoints => endpoints;
    Vpc => vpc;
    OwnSubnets => own_subnets;
    Leftovers => leftovers;
    NodeGroups => node_groups;
    WebhookWays => webhook_ways;
    FargateSelectors => fargate_selectors;
    Ebs => ebs, volume_key;
    SecretsKey => secrets_key;
    AmiImage => ami_image, ami_image_arm;
    Origin => origin;
    Queue => queue, queue_rules, told_queue;
    NodeGroupShapes => node_group_shapes;
    NodeGroupRoles => node_group_roles;
    Fleet => fleet;
    Outliving => outliving;
}
