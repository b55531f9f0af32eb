//! What is known of Karpenter releases, Kubernetes and the tools: sourced tables, and the only place that compares versions.
//! Templates and steps ask a [`Features`] for a named behaviour; none of them ever looks at a version.

mod admission;
mod charts;
mod compare;
mod credentials;
pub mod exec;
mod features;
mod guide;
mod instances;
mod keys;
mod kubernetes;
mod labels;
mod lapsed;
mod mfa;
mod node_tags;
mod offered;
mod operator;
mod own;
mod pin;
mod prices;
mod quotas;
mod refusal;
mod regions;
mod release;
mod stack;
mod table;
mod tools;
mod volumes;
pub mod writers;

pub use admission::{Objection, is_about_digest};
pub use charts::{CHART, CRD_CHART, CrdVersions, WEBHOOK_PORT, ZONAL_SHIFT_VALUE, value_at};
pub use compare::{ChartComparison, KubernetesComparison};
pub use credentials::{POD_IDENTITY_ACTIONS, POD_IDENTITY_SERVICE, ROLE_ANNOTATION, STS_AUDIENCE, WEB_IDENTITY_ACTION, token_subject};
pub use exec::ClientBuild;
pub use features::{Features, MetricsScrape, NodePoolApi, ValueLayout, is_ami_family};
pub use guide::{Difference, DifferenceKind};
pub use instances::is_standard_instance;
pub use keys::{SECRETS_KEY_ACTIONS, VOLUME_KEY_ACTIONS};
pub use kubernetes::{InvalidKubernetesVersion, KubernetesVersion, Support, ami_family_ended};
pub use labels::{
    ARCH_LABEL, AUTO_MODE_GROUP, AUTO_MODE_POOL_TAG, CAPACITY_TYPE_LABEL, COMPUTE_TYPE_LABEL, EKSCTL_CLUSTER_TAG, HOST_LABEL,
    NODE_GROUP_LABEL, NODE_POOL_LABEL, OS_LABEL, POOL_LABELS, PROVISIONER_LABEL, STAY_ANNOTATIONS, ZONE_LABEL,
};
pub use lapsed::Lapsed;
pub use mfa::MfaProfile;
pub use node_tags::is_node_tag;
pub use offered::OfferedVersion;
pub use operator::{CalledBy, OperatorCase, OperatorGrant, Work, operator_grants};
pub use own::newer_karpctl;
pub use pin::{Pin, PinnedIn, pinned_fields};
pub use prices::RunningCost;
pub use quotas::{ADDRESSES, CLUSTERS, ON_DEMAND_VCPUS, PROVIDERS, RULES, SPOT_VCPUS, VPCS};
pub use refusal::IamRefusal;
pub use regions::{ZONES_WITHOUT_EKS, may_be_of_another_partition, of_another_partition, unknown_keys, unknown_region};
pub use release::{ImageBase, InvalidRelease, NewDefault, Release, Standing, image_tag};
pub use stack::{ActionReason, Condition, EventRule, PolicyPart, StackContent, Statement, action_reasons};
pub use tools::{ExecApiVersion, FittingTools, InvalidToolVersion, Tool, ToolFit, ToolVersion};
pub use volumes::{NodeVolume, node_volumes};
