//! Settings as they are given, before they are valid: by a file, the environment or flags. All three have the same shape.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A spec file, by its path.
    File(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("the flag"),
            Self::Environment => f.write_str("the environment"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// Settings of one source. Scalars are text here, so that one that is wrong is reported with all the others.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "karpctl.yaml", description = "The spec file of karpctl. Every field may be left out.")]
pub struct Layer {
    /// The EKS cluster: 1 to 100 letters, digits, `-` or `_`.
    pub cluster_name: Option<String>,
    /// The AWS region, such as us-west-2.
    pub region: Option<String>,
    /// The AWS account: twelve digits. A run with credentials of another account is refused.
    pub account_id: Option<String>,
    /// aws, aws-cn or aws-us-gov. Follows from the region unless given.
    pub partition: Option<String>,
    /// The Karpenter release, such as 1.14.1 or v0.17.0.
    pub karpenter_version: Option<String>,
    /// The Kubernetes minor version, such as "1.35". Quote it, or YAML reads a number.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "Option<String>")]
    pub kubernetes_version: Option<String>,
    /// The namespace of the Karpenter release.
    pub namespace: Option<String>,
    /// How the controller gets its AWS credentials: pod-identity or irsa.
    pub identity: Option<String>,
    /// How nodes are let in: aws-auth, access-entry or both.
    pub node_access: Option<String>,
    /// true: the cluster must be there and is never created or deleted.
    pub existing_cluster: Option<bool>,
    /// true: the controller of a new cluster runs on Fargate.
    pub fargate: Option<bool>,
    /// The managed node group that runs the controller of a new cluster.
    pub node_group: Option<NodeGroupLayer>,
    /// EKS zonal shift (Karpenter 1.12 and newer).
    pub zonal_shift: Option<bool>,
    /// true: no way to the internet.
    pub private: Option<bool>,
    /// true: Windows nodes will join.
    pub windows: Option<bool>,
    /// The node pool and its node class.
    pub node_pool: Option<NodePoolLayer>,
    /// The subnets that nodes may run in, for an existing cluster.
    pub subnets: Option<Vec<String>>,
    /// Tags that everything karpctl creates in AWS gets.
    pub tags: Option<BTreeMap<String, String>>,
    /// The permissions boundary of the roles that karpctl creates: an ARN.
    pub permissions_boundary: Option<String>,
    /// Where the chart comes from.
    pub chart: Option<ChartLayer>,
}

/// Settings of the managed node group.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeGroupLayer {
    /// EC2 instance type.
    pub instance_type: Option<String>,
    /// Nodes at the start.
    pub desired_capacity: Option<u32>,
    /// Fewest nodes.
    pub min_size: Option<u32>,
    /// Most nodes.
    pub max_size: Option<u32>,
}

/// Settings of the node pool.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodePoolLayer {
    /// The name of both objects.
    pub name: Option<String>,
    /// spot and/or on-demand.
    pub capacity_types: Option<Vec<String>>,
    /// amd64 and/or arm64.
    pub architectures: Option<Vec<String>>,
    /// The most vCPUs that the pool may hold.
    pub cpu_limit: Option<u32>,
    /// The AMI alias, such as al2023@v20260101.
    pub ami_alias: Option<String>,
}

/// Settings of the chart's origin.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChartLayer {
    /// The OCI repository that holds `karpenter` and `karpenter-crd`: `oci://public.ecr.aws/karpenter`.
    pub repository: Option<String>,
    /// A registry configuration (docker or helm config.json) for a private mirror.
    pub registry_config: Option<String>,
}

/// A version that was not quoted is a number to YAML (`1.30` becomes `1.3`): it is taken as a number only to be refused with
/// the reason.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<serde_json::Value>::deserialize(deserializer)? {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text)),
        Some(serde_json::Value::Number(number)) => Err(serde::de::Error::custom(format!(
            "kubernetesVersion must be quoted (YAML reads {number} as a number, and \"1.30\" would become 1.3)"
        ))),
        Some(other) => Err(serde::de::Error::custom(format!("kubernetesVersion must be text such as \"1.35\", not {other}"))),
    }
}
