//! What a release does, by name. The values come from the table; nothing else knows versions.

use super::table::KARPENTER;
use super::{KubernetesVersion, ToolVersion};
use serde::{Deserialize, Serialize};

/// The API of node pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodePoolApi {
    /// `karpenter.sh/v1alpha5` Provisioner and `karpenter.k8s.aws/v1alpha1` `AWSNodeTemplate`.
    V1Alpha5,
    /// `karpenter.sh/v1beta1` `NodePool` and `karpenter.k8s.aws/v1beta1` `EC2NodeClass`.
    V1Beta1,
    /// `karpenter.sh/v1` `NodePool` and `karpenter.k8s.aws/v1` `EC2NodeClass`.
    V1,
}

/// Where the chart expects what it must be told of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueLayout {
    /// `clusterName`, `clusterEndpoint`, `aws.defaultInstanceProfile`.
    Flat,
    /// `settings.aws.*`.
    SettingsAws,
    /// `settings.*`.
    Settings,
}

impl ValueLayout {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::Flat, Self::SettingsAws, Self::Settings];

    /// The value by which the chart is told the name of the cluster, as a path.
    #[must_use]
    pub const fn cluster_name_path(self) -> &'static str {
        match self {
            Self::Flat => "clusterName",
            Self::SettingsAws => "settings.aws.clusterName",
            Self::Settings => "settings.clusterName",
        }
    }

    /// The value by which the chart is told the endpoint of the cluster, as a path.
    #[must_use]
    pub const fn cluster_endpoint_path(self) -> &'static str {
        match self {
            Self::Flat => "clusterEndpoint",
            Self::SettingsAws => "settings.aws.clusterEndpoint",
            Self::Settings => "settings.clusterEndpoint",
        }
    }
}

/// How the guide's Prometheus finds the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsScrape {
    /// By the name of its Service, as a fixed target.
    Service,
    /// Every endpoint of its namespace whose port has the name of the metrics.
    PortName,
    /// The endpoints of its Service whose port has the name of the metrics.
    ServiceAndPortName,
}

/// What a release does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a behaviour of its own that a release has or has not")]
pub struct Features {
    /// The namespace that its guide installs into.
    pub default_namespace: String,
    /// Its API of node pools.
    pub node_pool_api: NodePoolApi,
    /// Its guide gives the controller credentials by Pod Identity (else IRSA).
    pub pod_identity: bool,
    /// The parts of the controller's managed policies, as they stand in `KarpenterController<part>Policy-<cluster>`; one empty
    /// part for the releases with one policy.
    pub controller_policies: Vec<String>,
    /// The AWS SDK that it is built with knows Pod Identity.
    pub pod_identity_sdk: bool,
    /// It has an interruption queue and its event rules.
    pub interruption_queue: bool,
    /// Its template gives the controller's managed policies a path.
    pub policy_path: bool,
    /// The stack has an instance profile for the nodes, and the chart is told its name.
    pub stack_instance_profile: bool,
    /// The chart must be told the cluster's endpoint.
    pub cluster_endpoint_value: bool,
    /// Cluster and chart know zonal shift.
    pub zonal_shift: bool,
    /// The controller's policies let it read zonal shifts. Those of 1.12 grant it on the cluster's ARN, which the action does not know.
    pub zonal_shift_granted: bool,
    /// There is a chart `karpenter-crd`.
    pub crd_chart: bool,
    /// The chart `karpenter-crd` is told where the conversion webhook is.
    pub conversion_webhook: bool,
    /// Its charts are signed by its release workflow.
    pub signed_charts: bool,
    /// The names of its custom resource definitions.
    pub crds: Vec<String>,
    /// The AMI family of its guide's node class as an alias family (`al2`, `al2023`); `None` where aliases are not known.
    pub ami_alias_family: Option<String>,
    /// The AMI families that its node class takes, as aliases name them.
    pub ami_families: Vec<String>,
    /// The AWS services that the controller and its nodes must reach by VPC endpoints where there is no way to the internet.
    pub vpc_endpoints: Vec<String>,
    /// What stands before the version in the chart's tag: `v` or nothing.
    pub chart_version_prefix: String,
    /// Where the chart expects its values.
    pub value_layout: ValueLayout,
    /// The chart has a value `isolatedVPC`.
    pub isolated_vpc_value: bool,
    /// The chart has the controller's image in parts, `controller.image.repository` among them.
    pub image_repository: bool,
    /// The chart is told the name of the queue.
    pub queue_value: bool,
    /// The queue is encrypted by SQS.
    pub queue_encrypted: bool,
    /// The queue refuses messages over plain HTTP.
    pub queue_tls_only: bool,
    /// Its node class may name an instance profile instead of a role.
    pub node_class_instance_profile: bool,
    /// The controller asks for a CPU and a gibibyte, by its chart's defaults or by its guide.
    pub controller_requests: bool,
    /// Its chart lets no two controllers run on one node.
    pub controllers_apart: bool,
    /// Its chart lets the controllers of one zone be only one more than those of another.
    pub zones_even: bool,
    /// Its chart gives the seccomp profile to the pod, not to the controller's container.
    pub pod_seccomp: bool,
    /// Its controller looks names up in the cluster's own DNS.
    pub cluster_dns: bool,
    /// Its chart installs admission webhooks.
    pub admission_webhooks: bool,
    /// It may work beside EKS Auto Mode, for a migration to that.
    pub beside_auto_mode: bool,
    /// Its guide sets the controller's resource requests and limits.
    pub controller_resources: bool,
    /// Its guide's Provisioner consolidates (else it removes empty nodes after a while).
    pub consolidation: bool,
    /// The capacity types of its guide's node pool: `spot`, `on-demand`.
    pub capacity_types: Vec<String>,
    /// The architectures of its guide's node pool; empty where the guide leaves them out.
    pub architectures: Vec<String>,
    /// The AMI family of its guide's managed node group, in eksctl's words.
    pub node_group_ami_family: String,
    /// The Kubernetes version of its guide.
    pub guide_kubernetes: KubernetesVersion,
    /// The image of its guide's `inflate`.
    pub inflate_image: String,
    /// Its guide's `inflate` runs without privileges.
    pub inflate_security_context: bool,
    /// Its guide has `FlowSchemas`.
    pub flow_schemas: bool,
    /// How its guide's Prometheus finds the controller.
    pub metrics_scrape: MetricsScrape,
    /// The folder from which its guide's Grafana takes the dashboards, as a URL.
    pub dashboards: String,
    /// The oldest eksctl that its guide asks for.
    pub eksctl_minimum: Option<ToolVersion>,
}

impl Features {
    /// Whether it reads what only serves to move objects from v1beta1 to v1.
    #[must_use]
    pub fn reads_leftovers(&self) -> bool {
        self.node_pool_api != NodePoolApi::V1 || self.conversion_webhook
    }

    /// Whether it loses objects that a release before it works with, wherever there are some.
    #[must_use]
    pub fn may_lose(&self, before: &Self) -> bool {
        let becomes_v1 = before.node_pool_api != NodePoolApi::V1 && self.node_pool_api == NodePoolApi::V1;
        before.crds.iter().any(|kind| !self.crds.contains(kind)) || before.reads_leftovers() && !self.reads_leftovers() || becomes_v1
    }

    /// The value by which the chart is told the name of the queue, as a path. `None`: it is told none.
    #[must_use]
    pub const fn interruption_queue_path(&self) -> Option<&'static str> {
        match self.value_layout {
            _ if !self.queue_value => None,
            ValueLayout::Flat => None,
            ValueLayout::SettingsAws => Some("settings.aws.interruptionQueueName"),
            ValueLayout::Settings => Some("settings.interruptionQueue"),
        }
    }

    /// The value by which the chart is told that its VPC has no way out, as a path. `None`: it is told nothing.
    #[must_use]
    pub const fn isolated_vpc_path(&self) -> Option<&'static str> {
        match self.value_layout {
            _ if !self.isolated_vpc_value => None,
            ValueLayout::Flat => None,
            ValueLayout::SettingsAws => Some("settings.aws.isolatedVPC"),
            ValueLayout::Settings => Some("settings.isolatedVPC"),
        }
    }

    /// The value by which the chart is told the instance profile of nodes whose node class names none, as a path.
    #[must_use]
    pub const fn instance_profile_path(&self) -> &'static str {
        match self.value_layout {
            ValueLayout::Flat => "aws.defaultInstanceProfile",
            ValueLayout::SettingsAws => "settings.aws.defaultInstanceProfile",
            ValueLayout::Settings => "settings.defaultInstanceProfile",
        }
    }
}

/// Whether a release has an AMI family of this name, as aliases name them.
#[must_use]
pub fn is_ami_family(name: &str) -> bool {
    let mut families = KARPENTER.features.iter().filter_map(|row| row.set.get("ami_families")?.as_array()).flatten();
    families.any(|family| family == name)
}
