//! What is known of Karpenter releases, Kubernetes and the tools: sourced tables, and the only place that compares versions.
//! Templates and steps ask a [`Features`] for a named behaviour; none of them ever looks at a version.

mod charts;
pub mod exec;
mod features;
mod kubernetes;
mod operator;
mod release;
mod stack;
mod table;
mod tools;

pub use exec::ClientBuild;
pub use features::{Features, MetricsScrape, NodePoolApi, ValueLayout};
pub use kubernetes::{InvalidKubernetesVersion, KubernetesVersion, Support};
pub use operator::{CalledBy, OperatorCase, OperatorGrant, Work, operator_grants};
pub use release::{InvalidRelease, Release, Standing};
pub use stack::{Condition, EventRule, PolicyPart, StackContent, Statement};
pub use tools::{ExecApiVersion, FittingTools, InvalidToolVersion, Tool, ToolFit, ToolVersion};
