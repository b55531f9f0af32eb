//! What is known of Karpenter releases, Kubernetes and the tools: sourced tables, and the only place that compares versions.
//! Templates and steps ask a [`Features`] for a named behaviour; none of them ever looks at a version.

mod charts;
mod compare;
pub mod exec;
mod features;
mod guide;
mod instances;
mod keys;
mod kubernetes;
mod lapsed;
mod node_tags;
mod offered;
mod operator;
mod own;
mod pin;
mod prices;
mod refusal;
mod regions;
mod release;
mod stack;
mod table;
mod tools;
mod volumes;
pub mod writers;

pub use charts::CrdVersions;
pub use compare::{ChartComparison, KubernetesComparison};
pub use exec::ClientBuild;
pub use features::{Features, MetricsScrape, NodePoolApi, ValueLayout};
pub use guide::{Difference, DifferenceKind};
pub use instances::{ON_DEMAND_VCPUS, SPOT_VCPUS, is_standard_instance};
pub use keys::{SECRETS_KEY_ACTIONS, VOLUME_KEY_ACTIONS};
pub use kubernetes::{InvalidKubernetesVersion, KubernetesVersion, Support, ami_family_ended};
pub use lapsed::Lapsed;
pub use node_tags::is_node_tag;
pub use offered::OfferedVersion;
pub use operator::{CalledBy, OperatorCase, OperatorGrant, Work, operator_grants};
pub use own::newer_karpctl;
pub use pin::{Pin, PinnedIn, pinned_fields};
pub use prices::RunningCost;
pub use refusal::IamRefusal;
pub use regions::unknown_region;
pub use release::{ImageBase, InvalidRelease, NewDefault, Release, Standing, image_tag};
pub use stack::{ActionReason, Condition, EventRule, PolicyPart, StackContent, Statement, action_reasons};
pub use tools::{ExecApiVersion, FittingTools, InvalidToolVersion, Tool, ToolFit, ToolVersion};
pub use volumes::{NodeVolume, node_volumes};
