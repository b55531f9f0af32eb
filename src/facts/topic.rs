//! What is read together.

#[cfg(doc)]
use super::Facts;
use serde::{Deserialize, Serialize};

/// A group of facts that is read together. A step names the topics that it is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// [`Facts::clients`].
    Clients,
    /// [`Facts::programs`].
    Programs,
    /// [`Facts::registry_login`].
    RegistryLogin,
    /// [`Facts::chart_tag`].
    ChartTag,
    /// [`Facts::clock`].
    Clock,
    /// [`Facts::caller`].
    Caller,
    /// [`Facts::helm`], [`Facts::eksctl`].
    Tools,
    /// [`Facts::stack`].
    Stack,
    /// [`Facts::stack`] without its template and resources: all that a removal goes by.
    StackStatus,
    /// [`Facts::cluster`].
    Cluster,
    /// [`Facts::eksctl_stack`], [`Facts::eksctl_node_group`], [`Facts::fargate_profile`].
    ClusterStacks,
    /// [`Facts::eksctl_others`].
    EksctlOthers,
    /// [`Facts::metrics_server`].
    MetricsServer,
    /// [`Facts::cluster_versions`].
    ClusterVersions,
    /// [`Facts::spot_role`].
    SpotRole,
    /// [`Facts::node_role`].
    NodeRole,
    /// [`Facts::node_role`], only where the stack that makes it is not there, or has nothing.
    NodeRoleInTheWay,
    /// [`Facts::node_role`], [`Facts::node_role_ties`], where the stack that makes it is there and is to go.
    NodeRoleHolders,
    /// [`Facts::stack_policies`].
    StackPolicies,
    /// [`Facts::controller_role`].
    ControllerRole,
    /// [`Facts::oidc_provider`].
    OidcProvider,
    /// [`Facts::pod_identity_agent`].
    PodIdentityAgent,
    /// [`Facts::agent_pods`].
    AgentPods,
    /// [`Facts::agent_users`].
    AgentUsers,
    /// [`Facts::provider_users`].
    ProviderUsers,
    /// [`Facts::association`].
    Association,
    /// [`Facts::access_entry`]; with [`Topic::Objects`] [`Facts::class_entries`] and [`Facts::class_profiles`].
    AccessEntry,
    /// [`Facts::aws_auth`].
    AwsAuth,
    /// [`Facts::network`].
    Network,
    /// In it the subnets and security groups of the managed node groups, too. It needs [`Topic::Network`].
    NodeSubnets,
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
    /// [`Facts::nodes`].
    Capacity,
    /// [`Facts::neighbours`].
    Neighbours,
    /// [`Facts::webhooks`], [`Facts::gates`].
    Webhooks,
    /// [`Facts::trials`]. It needs [`Topic::NodePool`].
    Trials,
    /// [`Facts::conversion`].
    Conversion,
    /// [`Facts::entry`].
    Entry,
    /// [`Facts::windows_ipam`].
    WindowsIpam,
    /// [`Facts::custom_networking`].
    CustomNetworking,
    /// [`Facts::network_role`].
    NetworkRole,
    /// [`Facts::policies`].
    Policies,
    /// [`Facts::objects`].
    Objects,
    /// The same, only where the wanted release may lose some of what the installed one works with, or that one is not seen to work under the spec's
    /// role.
    ObjectsAtStake,
    /// [`Facts::caller_permissions`].
    CallerPermissions,
    /// [`Facts::controller_permissions`].
    ControllerPermissions,
    /// [`Facts::iam_summary`].
    IamSummary,
    /// [`Facts::vcpus`].
    Vcpus,
    /// [`Facts::network_quotas`].
    NetworkQuotas,
    /// [`Facts::cluster_quota`], [`Facts::provider_quota`], [`Facts::rule_quota`]. It needs [`Topic::Cluster`], [`Topic::Stack`] and
    /// [`Topic::OidcProvider`].
    ClusterQuotas,
    /// [`Facts::selection`].
    Selection,
    /// [`Facts::routes`].
    Routes,
    /// [`Facts::endpoints`].
    Endpoints,
    /// [`Facts::vpc`].
    Vpc,
    /// [`Facts::own_subnets`].
    OwnSubnets,
    /// [`Facts::leftovers`].
    Leftovers,
    /// [`Facts::node_groups`].
    NodeGroups,
    /// [`Facts::webhook_ways`]. It needs [`Topic::NodeGroups`].
    WebhookWays,
    /// [`Facts::fargate_selectors`].
    FargateSelectors,
    /// [`Facts::ebs`], [`Facts::volume_key`].
    Ebs,
    /// [`Facts::secrets_key`].
    SecretsKey,
    /// [`Facts::ami_image`], [`Facts::ami_image_arm`]; with [`Topic::Objects`] [`Facts::class_images`].
    AmiImage,
    /// [`Facts::queue`], [`Facts::queue_rules`]; with [`Topic::Chart`] [`Facts::told_queue`].
    Queue,
    /// [`Facts::origin`].
    Origin,
    /// [`Facts::node_group_shapes`].
    NodeGroupShapes,
    /// [`Facts::node_group_roles`]. It needs [`Topic::NodeGroupShapes`] or [`Topic::NodeGroups`].
    NodeGroupRoles,
    /// [`Facts::fleet`].
    Fleet,
    /// [`Facts::outliving`].
    Outliving,
}

impl Topic {
    /// Whether it is read from the Kubernetes API, and so needs a cluster that answers.
    #[must_use]
    pub const fn in_cluster(self) -> bool {
        matches!(self, Self::AgentPods | Self::AwsAuth | Self::Crds | Self::Chart | Self::NodePool | Self::Controller | Self::Nodes)
            || matches!(self, Self::Origin | Self::Fleet | Self::ObjectsAtStake | Self::WindowsIpam | Self::Entry | Self::Outliving)
            || matches!(self, Self::Capacity | Self::Neighbours | Self::Webhooks | Self::Conversion | Self::Policies | Self::Objects)
            || matches!(self, Self::CustomNetworking | Self::NetworkRole | Self::ProviderUsers | Self::Trials)
    }

    /// Whether only a doctor looks at it: no step is judged by it.
    #[must_use]
    pub const fn of_doctor(self) -> bool {
        matches!(
            self,
            Self::CallerPermissions
                | Self::ControllerPermissions
                | Self::NodeRole
                | Self::StackPolicies
                | Self::IamSummary
                | Self::Vcpus
                | Self::NetworkQuotas
                | Self::ClusterQuotas
                | Self::Selection
                | Self::Endpoints
                | Self::Vpc
                | Self::Leftovers
                | Self::NodeGroups
                | Self::WebhookWays
                | Self::FargateSelectors
                | Self::Ebs
                | Self::SecretsKey
                | Self::AmiImage
                | Self::ChartTag
                | Self::Clock
                | Self::Queue
                | Self::Capacity
                | Self::Neighbours
                | Self::Webhooks
                | Self::Trials
                | Self::Conversion
                | Self::Entry
                | Self::WindowsIpam
                | Self::CustomNetworking
                | Self::NetworkRole
                | Self::Policies
                | Self::Objects
        )
    }

    /// Whether it is read from this machine alone.
    #[must_use]
    pub const fn on_this_machine(self) -> bool {
        matches!(self, Self::Clients | Self::Tools | Self::Programs | Self::RegistryLogin)
    }

    /// Whether it is the same for every cluster of the account, and so can be read without one being named.
    #[must_use]
    pub const fn of_account(self) -> bool {
        matches!(self, Self::Caller | Self::SpotRole | Self::Clock)
    }

    /// Whether reading it needs to know the cluster first (its VPC, its issuer, its endpoint).
    #[must_use]
    pub const fn needs_cluster(self) -> bool {
        self.in_cluster()
            || matches!(
                self,
                Self::OidcProvider
                    | Self::EksctlOthers
                    | Self::Network
                    | Self::NodeSubnets
                    | Self::Routes
                    | Self::Endpoints
                    | Self::Vpc
                    | Self::OwnSubnets
                    | Self::Leftovers
            )
    }
}
