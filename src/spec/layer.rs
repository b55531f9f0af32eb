//! Settings as they are given, before they are valid: by a file, the environment or flags. All three have the same shape.

use super::place::Written;
use super::{ClusterMode, ControllerCapacity, Elsewhere, IpFamily, NodeGroup, Spec, SubnetId, Vpc};
use serde::{Deserialize, Serialize};
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
    /// What was found in AWS and in the cluster.
    Found,
}

/// The fields that a variable of the environment gives, and which; the region has two.
const VARIABLES: [(&str, &str); 8] = [
    ("clusterName", "CLUSTER_NAME"),
    ("accountId", "AWS_ACCOUNT_ID"),
    ("partition", "AWS_PARTITION"),
    ("karpenterVersion", "KARPENTER_VERSION"),
    ("kubernetesVersion", "K8S_VERSION"),
    ("namespace", "KARPENTER_NAMESPACE"),
    ("nodePool.amiAlias", "ALIAS_VERSION"),
    ("zonalShift", "ENABLE_ZONAL_SHIFT"),
];

impl Source {
    /// As it is named where its layer gives this field: of the environment the variable.
    pub(super) fn of(&self, field: &str, layer: &Layer) -> String {
        let variable = || match field {
            "region" => layer.region_variable,
            _ => VARIABLES.iter().find(|(of, _)| *of == field).map(|(_, variable)| *variable),
        };
        let named = if *self == Self::Environment { variable() } else { None };
        named.map_or_else(|| self.to_string(), str::to_owned)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("the flag"),
            Self::Environment => f.write_str("the environment"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Found => f.write_str("the cluster"),
        }
    }
}

/// Settings of one source. Scalars are text here, so that one that is wrong is reported with all the others.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "karpctl.yaml", description = "The spec file of karpctl. Every field may be left out.")]
pub struct Layer {
    /// The EKS cluster: 1 to 100 letters, digits, `-` or `_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// The AWS region, such as us-west-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The AWS account: twelve digits. A run with credentials of another account is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// aws, aws-cn or aws-us-gov. Follows from the region unless given.
    #[schemars(extend("enum" = ["aws", "aws-cn", "aws-us-gov", null]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The Karpenter release, such as 1.14.1 or v0.17.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub karpenter_version: Option<String>,
    /// The Kubernetes minor version, such as "1.35". Quote it, or YAML reads a number.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// The namespace of the Karpenter release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How the controller gets its AWS credentials: pod-identity or irsa.
    #[schemars(extend("enum" = ["pod-identity", "irsa", null]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How nodes are let in: aws-auth, access-entry or both.
    #[schemars(extend("enum" = ["aws-auth", "access-entry", "both", null]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_access: Option<String>,
    /// true: the cluster must be there and is never created or deleted.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub existing_cluster: Option<bool>,
    /// true: the controller of a new cluster runs on Fargate.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub fargate: Option<bool>,
    /// The managed node group that runs the controller of a new cluster.
    #[schemars(extend("examples" = [{"instanceType": "m5.large", "desiredCapacity": 2}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_group: Option<NodeGroupLayer>,
    /// EKS zonal shift (Karpenter 1.12 and newer).
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub zonal_shift: Option<bool>,
    /// true: no way to the internet.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// true: Windows nodes will join.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub windows: Option<bool>,
    /// The node pool and its node class.
    #[schemars(extend("examples" = [{"capacityTypes": ["spot", "on-demand"]}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<NodePoolLayer>,
    /// The subnets that nodes may run in, for an existing cluster.
    #[schemars(length(min = 1), extend("examples" = [["subnet-0a1b2c3d4e5f60718"]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Vec<String>>,
    /// The VPC of your own in which a new cluster is made. eksctl makes one unless given.
    #[schemars(extend("examples" = [{"privateSubnets": ["subnet-0a1b2c3d4e5f60718", "subnet-0b1c2d3e4f5061728"]}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcLayer>,
    /// The IP family of a new cluster: ipv4 or ipv6.
    #[schemars(extend("enum" = ["ipv4", "ipv6", null]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<String>,
    /// The KMS key that encrypts the secrets of a new cluster: an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Tags that everything karpctl creates in AWS gets.
    #[schemars(extend("examples" = [{"team": "web"}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// The permissions boundary of the roles that karpctl creates: an ARN. none takes off the one of an earlier run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Where the chart comes from, and what it is told beside what the guide tells it.
    #[schemars(extend("examples" = [{"repository": "oci://registry.example.com/karpenter"}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartLayer>,
    /// Roles and queue that another tool (eksctl, Terraform) made and keeps: karpctl uses them and makes none of its own.
    #[schemars(extend("examples" = [{"nodeRole": "arn:aws:iam::111122223333:role/nodes", "controllerRole": "arn:aws:iam::111122223333:role/karpenter"}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_elsewhere: Option<ElsewhereLayer>,
    /// The file that it was read from, where it was one.
    #[serde(skip)]
    pub written: Option<Written>,
    /// The variable that gave the region, where one did.
    #[serde(skip)]
    pub region_variable: Option<&'static str>,
}

/// Settings of what another tool made and keeps.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ElsewhereLayer {
    /// The tool, as people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The role of the nodes: an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_role: Option<String>,
    /// The role of the controller: an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller_role: Option<String>,
    /// The name of the instance profile, for releases that need one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<String>,
    /// The name of the interruption queue. Left out: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interruption_queue: Option<String>,
}

/// Settings of a VPC of one's own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VpcLayer {
    /// The VPC; that of the subnets unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Subnets without a way in from the internet. Nodes run in these, where there are any.
    #[schemars(length(min = 1), extend("examples" = [["subnet-0a1b2c3d4e5f60718"]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_subnets: Option<Vec<String>>,
    /// Subnets with one.
    #[schemars(length(min = 1), extend("examples" = [["subnet-0a1b2c3d4e5f60718"]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_subnets: Option<Vec<String>>,
}

/// Settings of the managed node group.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeGroupLayer {
    /// EC2 instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Nodes at the start.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub desired_capacity: Option<u32>,
    /// Fewest nodes.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u32>,
    /// Most nodes.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u32>,
}

/// Settings of the node pool.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodePoolLayer {
    /// The name of both objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// spot and/or on-demand.
    #[schemars(extend("items" = {"type": "string", "enum": ["spot", "on-demand"]}), length(min = 1), extend("examples" = [["spot", "on-demand"]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_types: Option<Vec<String>>,
    /// amd64 and/or arm64.
    #[schemars(extend("items" = {"type": "string", "enum": ["amd64", "arm64"]}), length(min = 1), extend("examples" = [["amd64", "arm64"]]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<String>>,
    /// The most vCPUs that the pool may hold.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<u32>,
    /// The AMI alias, such as al2023@v20260101.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ami_alias: Option<String>,
    /// true: node pools and node classes are somebody else's, and karpctl applies none.
    #[serde(deserialize_with = "unquoted", skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
    /// The KMS key that encrypts the nodes' volumes: an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_key: Option<String>,
}

/// Settings of the chart's origin.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChartLayer {
    /// The OCI repository that holds `karpenter` and `karpenter-crd`: `oci://public.ecr.aws/karpenter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// A registry configuration (docker or helm config.json) for a private mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_config: Option<String>,
    /// Values of the chart karpenter beside those of the guide. null leaves one of the guide's out.
    #[schemars(extend("examples" = [{"logLevel": "debug"}]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, serde_json::Value>>,
    /// The digest that the chart `karpenter` must have: `sha256:…`, as `helm pull` prints it. A mirror's chart is held to nothing else:
    /// signatures are verified (where cosign is there) for the public repository only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The digest that the chart `karpenter-crd` must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crd_digest: Option<String>,
}

/// true, false or a number, as YAML has them. In quotes they are text, to an editor and to every other reader.
fn unquoted<'de, T: serde::de::DeserializeOwned, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?.unwrap_or_default();
    serde_json::from_value(value).map_err(serde::de::Error::custom)
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

/// A value that is written as a word, as the word.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned))
}

impl From<&Spec> for Layer {
    /// Every setting of a spec, so that nothing is left to be found out.
    fn from(spec: &Spec) -> Self {
        let pool = &spec.node_pool;
        let words = |list: Vec<Option<String>>| (!list.is_empty()).then(|| list.into_iter().flatten().collect());
        Self {
            cluster_name: Some(spec.cluster_name.to_string()),
            region: Some(spec.region.to_string()),
            account_id: Some(spec.account_id.to_string()),
            partition: word(&spec.partition),
            karpenter_version: Some(spec.release.to_string()),
            kubernetes_version: Some(spec.kubernetes.to_string()),
            namespace: Some(spec.namespace.to_string()),
            identity: word(&spec.identity),
            node_access: spec.node_access.as_ref().and_then(word),
            existing_cluster: (spec.cluster == ClusterMode::Existing).then_some(true),
            fargate: (spec.capacity == ControllerCapacity::Fargate).then_some(true),
            node_group: match &spec.capacity {
                ControllerCapacity::Fargate => None,
                ControllerCapacity::NodeGroup(group) => Some(group.into()),
            },
            zonal_shift: spec.zonal_shift,
            private: spec.private.then_some(true),
            windows: spec.windows.then_some(true),
            node_pool: Some(NodePoolLayer {
                name: Some(pool.name.to_string()),
                capacity_types: words(pool.capacity_types.iter().map(word).collect()),
                architectures: words(pool.architectures.iter().map(word).collect()),
                cpu_limit: Some(pool.cpu_limit),
                ami_alias: pool.ami_alias.as_ref().map(ToString::to_string),
                keep: pool.keep.then_some(true),
                volume_key: pool.volume_key.as_ref().map(ToString::to_string),
            }),
            subnets: (!spec.subnets.is_empty()).then(|| spec.subnets.iter().map(ToString::to_string).collect()),
            vpc: spec.vpc.as_ref().map(VpcLayer::from),
            ip_family: (spec.ip_family != IpFamily::default()).then(|| word(&spec.ip_family)).flatten(),
            kms_key: spec.kms_key.as_ref().map(ToString::to_string),
            tags: (!spec.tags.is_empty()).then(|| spec.tags.clone()),
            permissions_boundary: spec.permissions_boundary.as_ref().map(ToString::to_string),
            chart: Some(ChartLayer {
                repository: Some(spec.chart.repository.clone()),
                registry_config: spec.chart.registry_config.as_ref().map(|file| file.display().to_string()),
                values: (!spec.chart.values.is_empty()).then(|| spec.chart.values.clone()),
                digest: spec.chart.digest.as_ref().map(ToString::to_string),
                crd_digest: spec.chart.crd_digest.as_ref().map(ToString::to_string),
            }),
            made_elsewhere: spec.made_elsewhere.as_deref().map(ElsewhereLayer::from),
            written: None,
            region_variable: None,
        }
    }
}

impl From<&Elsewhere> for ElsewhereLayer {
    fn from(found: &Elsewhere) -> Self {
        Self {
            by: Some(found.by.clone()),
            node_role: Some(found.node_role.to_string()),
            controller_role: Some(found.controller_role.to_string()),
            instance_profile: found.instance_profile.clone(),
            interruption_queue: found.queue.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&Vpc> for VpcLayer {
    fn from(vpc: &Vpc) -> Self {
        let words = |subnets: &[SubnetId]| (!subnets.is_empty()).then(|| subnets.iter().map(ToString::to_string).collect());
        Self {
            id: vpc.id.as_ref().map(ToString::to_string),
            private_subnets: words(&vpc.private_subnets),
            public_subnets: words(&vpc.public_subnets),
        }
    }
}

impl From<&NodeGroup> for NodeGroupLayer {
    fn from(group: &NodeGroup) -> Self {
        Self {
            instance_type: Some(group.instance_type.clone()),
            desired_capacity: Some(group.desired_capacity),
            min_size: Some(group.min_size),
            max_size: Some(group.max_size),
        }
    }
}
