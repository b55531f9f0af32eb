//! The documents of a release, as text: a spec and a few inputs in, YAML or JSON out. Nothing here reads the world, and the same
//! input gives the same bytes.

mod access;
mod ascii;
mod chart_values;
mod cloudformation;
mod cluster_config;
mod controller;
mod deployed;
mod extended;
mod flow_schemas;
mod helm_values;
mod inflate;
mod monitoring;
mod node_pool;
mod operator_names;
mod operator_policy;
mod policies;
mod template;

pub use access::{RoleMapping, access_entry, identity_mapping, identity_mapping_yaml, mapped_role, role_mappings, trust_policy};
pub use ascii::is_answered_as;
pub use chart_values::{chart_values, over_chart};
pub use cloudformation::{cloudformation, cloudformation_json, cloudformation_over, gives_tag, has_instance_profile};
pub use cluster_config::{ConfigScope, EksctlAbilities, cluster_config};
pub(crate) use cluster_config::{NETWORK_ADDON, network_addon_policy, network_policy};
pub use controller::{UNKNOWN_DIGEST, controller};
pub use extended::{Extension, boundary_of, extension, node_role_policies, put_in_by_others, resources_of_others, tags_of};
pub use flow_schemas::flow_schemas_yaml;
pub use helm_values::{crd_values, helm_values, helm_values_yaml};
pub use inflate::{inflate, inflate_yaml};
pub use monitoring::{grafana_values_yaml, prometheus_values_yaml};
pub use node_pool::{
    NODE_GROUP_LABEL, PoolDisk, PoolShape, PoolTaint, ami_family, ami_parameter, node_pool, node_pool_yaml, pool_architectures,
    shaped_pool, shaped_pool_yaml,
};
pub use operator_policy::{Standing, needed as operator_needs, operator_policies, operator_policy};
pub use policies::{
    ControllerPolicy, POLICY_SIZE, controller_policies, controller_policy_arns, other_controller_policy_arns, policy_size, substituted,
};

use crate::error::Result;
use crate::knowledge::Release;
use crate::spec::Spec;
use serde_json::{Value, json};

/// A document that `karpctl render` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The stack `Karpenter-<cluster>`.
    Cloudformation,
    /// The file for `eksctl create cluster`.
    ClusterConfig,
    /// The values of the chart.
    HelmValues,
    /// The node class and the node pool.
    NodePool,
    /// The rows of `aws-auth` that let nodes in.
    IdentityMapping,
    /// The Deployment that asks for nodes.
    Inflate,
    /// The `FlowSchemas` that put Karpenter's requests first.
    FlowSchemas,
    /// The values of the chart `prometheus`.
    PrometheusValues,
    /// The values of the chart `grafana`.
    GrafanaValues,
}

/// What a document may need beside the spec. The default knows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// The API server's URL.
    pub cluster_endpoint: Option<String>,
    /// The version that AWS recommends of [`ami_family`], as it stands behind the `@` of an alias.
    pub ami_version: Option<String>,
    /// What the eksctl at hand knows.
    pub eksctl: EksctlAbilities,
    /// How many pods `inflate` asks for.
    pub replicas: u32,
}

impl Document {
    /// Every document, in the order in which a person needs them.
    pub const ALL: [Self; 9] = [
        Self::Cloudformation,
        Self::ClusterConfig,
        Self::IdentityMapping,
        Self::HelmValues,
        Self::NodePool,
        Self::Inflate,
        Self::FlowSchemas,
        Self::PrometheusValues,
        Self::GrafanaValues,
    ];

    /// Those that the guide of this release has.
    pub fn of(release: &Release) -> impl Iterator<Item = Self> {
        let flow_schemas = release.features().flow_schemas;
        Self::ALL.into_iter().filter(move |document| flow_schemas || *document != Self::FlowSchemas)
    }

    /// Those that this spec calls for: where another tool keeps roles and queue, there is no stack.
    pub fn called_for(spec: &Spec) -> impl Iterator<Item = Self> {
        let stack = spec.made_elsewhere.is_none();
        Self::of(&spec.release).filter(move |document| stack || *document != Self::Cloudformation)
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Cloudformation => "cloudformation",
            Self::ClusterConfig => "cluster-config",
            Self::HelmValues => "helm-values",
            Self::NodePool => "node-pool",
            Self::IdentityMapping => "identity-mapping",
            Self::Inflate => "inflate",
            Self::FlowSchemas => "flow-schemas",
            Self::PrometheusValues => "prometheus-values",
            Self::GrafanaValues => "grafana-values",
        }
    }

    /// The file that it is written to.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{}.yaml", self.id())
    }
}

/// A document as YAML.
pub fn document(document: Document, spec: &Spec, inputs: &Inputs) -> Result<String> {
    match document {
        Document::Cloudformation => cloudformation(spec),
        Document::ClusterConfig => cluster_config(spec, ConfigScope::Complete, &inputs.eksctl),
        Document::HelmValues => helm_values_yaml(spec, inputs.cluster_endpoint.as_deref()),
        Document::NodePool => node_pool_yaml(spec, inputs.ami_version.as_deref()),
        Document::IdentityMapping => identity_mapping_yaml(spec),
        Document::Inflate => inflate_yaml(spec, inputs.replicas),
        Document::FlowSchemas => flow_schemas_yaml(spec),
        Document::PrometheusValues => prometheus_values_yaml(spec),
        Document::GrafanaValues => grafana_values_yaml(spec),
    }
}

/// A document as JSON. Several Kubernetes objects become one `List`, which kubectl takes as it does a file of several documents.
pub fn document_json(document: Document, spec: &Spec, inputs: &Inputs) -> Result<Value> {
    match document {
        Document::Cloudformation => cloudformation_json(spec),
        Document::ClusterConfig => {
            template::read_one(cluster_config::TEMPLATE, &cluster_config(spec, ConfigScope::Complete, &inputs.eksctl)?)
        }
        Document::HelmValues => helm_values(spec, inputs.cluster_endpoint.as_deref()),
        Document::NodePool => Ok(list(&node_pool(spec, inputs.ami_version.as_deref())?)),
        Document::IdentityMapping => Ok(identity_mapping(spec)),
        Document::Inflate => inflate(spec, inputs.replicas),
        Document::FlowSchemas => Ok(list(&template::read(flow_schemas::TEMPLATE, &flow_schemas_yaml(spec)?)?)),
        Document::PrometheusValues => template::read_one(monitoring::PROMETHEUS, &prometheus_values_yaml(spec)?),
        Document::GrafanaValues => template::read_one(monitoring::GRAFANA, &grafana_values_yaml(spec)?),
    }
}

fn list(items: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}
