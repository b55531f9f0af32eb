//! The tools that karpctl runs. Each run shows its lines as they come.

use super::ClusterAccess;
use crate::error::Result;
use crate::facts::ToolFacts;
use crate::spec::ChartDigest;
use async_trait::async_trait;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Takes the lines of a tool as they come, cleaned of control characters.
pub type Lines<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How helm reaches cluster and registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmAccess {
    /// The cluster. For [`ClusterAccess::Eks`] helm gets a private kubeconfig whose credential plugin is `karpctl token`.
    pub cluster: ClusterAccess,
    /// The person's own registry configuration; `None`: an empty one.
    pub registry_config: Option<PathBuf>,
}

/// What a chart must prove before it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing.
    Any,
    /// That its manifest has this digest.
    Digest(ChartDigest),
    /// That Karpenter's release workflow has signed it at this tag, where cosign is there to see that.
    SignedAt(String),
}

/// A release to install or to upgrade to.
#[derive(Debug, Clone, PartialEq)]
pub struct HelmInstall {
    /// The release's name.
    pub release: String,
    /// Its namespace, created where it is not there.
    pub namespace: String,
    /// `oci://…`.
    pub chart: String,
    /// The chart's version.
    pub version: String,
    /// What the chart must prove.
    pub origin: Origin,
    /// Values.
    pub values: Value,
    /// Leaves the chart's `crds/` alone.
    pub skip_crds: bool,
    /// Takes over objects that carry another (or no) release's mark.
    pub take_ownership: bool,
    /// A release is there, from which helm goes on: what differs between the two charts is changed, whoever wrote a field since.
    pub goes_on: bool,
    /// Waits until what it installs is ready, this long. `None`: does not wait.
    pub wait: Option<Duration>,
}

/// helm.
#[async_trait]
pub trait Helm: Send + Sync {
    /// Which file will run and its version. `None`: none found.
    async fn facts(&self) -> Result<Option<ToolFacts>>;
    /// `helm upgrade --install`.
    async fn install(&self, access: &HelmAccess, install: &HelmInstall, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `helm uninstall --wait`. A release that is not there is fine.
    async fn uninstall(&self, access: &HelmAccess, release: &str, namespace: &str, lines: Lines<'_>) -> Result<()>;
}

/// eksctl.
#[async_trait]
pub trait Eksctl: Send + Sync {
    /// Which file will run and its version. `None`: none found.
    async fn facts(&self) -> Result<Option<ToolFacts>>;
    /// `eksctl create cluster -f`, with a kubeconfig of its own that is thrown away.
    async fn create_cluster(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl create nodegroup -f`: makes the node groups of the configuration that are not there, in a cluster that is.
    /// Mends a creation that broke off between the two.
    async fn create_node_group(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl create fargateprofile -f`: the same for the Fargate profiles of the configuration.
    async fn create_fargate_profile(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl utils associate-iam-oidc-provider -f`: makes the cluster's OIDC provider where there is none.
    async fn associate_oidc_provider(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl create addon -f`: makes the add-ons of the configuration that are not there, with their roles.
    async fn create_addons(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl update addon -f`: gives the add-ons that are there the roles of the configuration.
    async fn update_addons(&self, config: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
    /// `eksctl delete cluster --wait`.
    async fn delete_cluster(&self, name: &str, region: &str, lines: Lines<'_>, cancel: &CancellationToken) -> Result<()>;
}
