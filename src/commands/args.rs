//! The flags that commands share.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, which is no Markdown")]

use super::offered;
use crate::error::{Error, Result};
use crate::report::ColorChoice;
use crate::spec::layer::{ChartLayer, Layer, NodePoolLayer};
use clap::{ArgAction, Args};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArgs {
    /// The command writes the spec file, which may be there already: then its settings count.
    #[arg(skip)]
    pub writes_file: bool,
    /// The EKS cluster [env: CLUSTER_NAME]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Where")]
    pub cluster_name: Option<String>,
    /// The AWS region [env: AWS_REGION, AWS_DEFAULT_REGION]
    #[arg(long, global = true, value_name = "REGION", help_heading = "Where")]
    pub region: Option<String>,
    /// The AWS profile [env: AWS_PROFILE]
    #[arg(long, global = true, value_name = "PROFILE", help_heading = "Where")]
    pub profile: Option<String>,
    /// The AWS account; credentials of another one are refused [env: AWS_ACCOUNT_ID]
    #[arg(long, global = true, value_name = "ID", help_heading = "Where")]
    pub account_id: Option<String>,
    /// aws, aws-cn or aws-us-gov; follows from the region unless given [env: AWS_PARTITION]
    #[arg(long, global = true, value_name = "PARTITION", help_heading = "Where")]
    pub partition: Option<String>,
    /// The Karpenter release, with or without v [env: KARPENTER_VERSION]
    #[arg(long, global = true, value_name = "VERSION", help_heading = "What")]
    pub karpenter_version: Option<String>,
    /// The Kubernetes version of a new cluster [env: K8S_VERSION]
    #[arg(long, global = true, value_name = "VERSION", help_heading = "What")]
    pub kubernetes_version: Option<String>,
    /// The namespace of the Karpenter release [env: KARPENTER_NAMESPACE]
    #[arg(long, global = true, value_name = "NAMESPACE", help_heading = "What")]
    pub namespace: Option<String>,
    /// The spec file; karpctl.yaml where it is there
    #[arg(long, short, global = true, value_name = "FILE", help_heading = "What")]
    pub file: Option<PathBuf>,
    /// Refuse a Karpenter release that karpctl's table warns of or does not have
    #[arg(long, global = true, help_heading = "What")]
    pub strict: bool,
    /// Reach the cluster by this kubeconfig instead of karpctl's own access; where it leads to another cluster, doctor says so and all else is refused
    #[arg(long, global = true, value_name = "PATH", help_heading = "Tools")]
    pub kubeconfig: Option<PathBuf>,
    /// Reach the cluster by this context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", help_heading = "Tools")]
    pub context: Option<String>,
    /// The helm to run
    #[arg(long, global = true, value_name = "PATH", help_heading = "Tools")]
    pub helm: Option<PathBuf>,
    /// The kubectl to judge
    #[arg(long, global = true, value_name = "PATH", help_heading = "Tools")]
    pub kubectl: Option<PathBuf>,
    /// The eksctl to run
    #[arg(long, global = true, value_name = "PATH", help_heading = "Tools")]
    pub eksctl: Option<PathBuf>,
    /// When to use colour [env: NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub color: ColorChoice,
    /// Say more: every line of the tools
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Output")]
    pub verbose: u8,
    /// Say only what failed
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,
}

/// Flags of what is to be built; each is also a field of the spec file.
#[derive(Debug, Clone, Default, Args)]
pub struct VariantArgs {
    /// How a cluster is made, or that it is there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Karpenter, and what it needs.
    #[command(flatten)]
    pub karpenter: KarpenterArgs,
}

/// Flags of how a cluster is made, or that it is there. Commands that only work on a cluster that is there do not take them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Variants")]
pub struct ClusterArgs {
    /// The cluster must be there; it is never created or deleted
    #[arg(long)]
    pub existing_cluster: bool,
    /// The controller of a new cluster runs on Fargate
    #[arg(long)]
    pub fargate: bool,
    /// The IP family of a new cluster: ipv4 or ipv6
    #[arg(long, value_name = "FAMILY", value_parser = offered::ip_families(), hide_possible_values = true)]
    pub ip_family: Option<String>,
    /// The KMS key that encrypts the secrets of a new cluster
    #[arg(long, value_name = "ARN")]
    pub kms_key: Option<String>,
}

/// Flags of Karpenter, and of what it needs, on any cluster.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Variants")]
pub struct KarpenterArgs {
    /// EKS zonal shift, Karpenter 1.12 and newer [env: ENABLE_ZONAL_SHIFT]
    #[arg(long, value_name = "true|false")]
    pub zonal_shift: Option<bool>,
    /// How the controller gets AWS credentials: pod-identity or irsa
    #[arg(long, value_name = "HOW", value_parser = offered::identities(), hide_possible_values = true)]
    pub identity: Option<String>,
    /// How nodes are let in: aws-auth, access-entry or both; follows from the cluster unless given
    #[arg(long, value_name = "HOW", value_parser = offered::node_accesses(), hide_possible_values = true)]
    pub node_access: Option<String>,
    /// A cluster without a way to the internet
    #[arg(long)]
    pub private: bool,
    /// Windows nodes will join
    #[arg(long)]
    pub windows: bool,
    /// The AMI alias of the node class, such as al2023@v20260101 [env: ALIAS_VERSION]
    #[arg(long, value_name = "ALIAS")]
    pub ami_alias: Option<String>,
    /// A subnet for nodes of an existing cluster; may be repeated
    #[arg(long = "subnet", value_name = "ID")]
    pub subnets: Vec<String>,
    /// A tag of everything created in AWS, also of nodes, beside those of the spec file; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// The permissions boundary of the roles created; none takes off that of an earlier run
    #[arg(long, value_name = "ARN|none")]
    pub permissions_boundary: Option<String>,
    /// The OCI repository of the charts, for a mirror
    #[arg(long, value_name = "OCI")]
    pub chart_repository: Option<String>,
    /// A registry configuration (docker or helm config.json) for a private mirror
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<String>,
    /// The digest that the chart `karpenter` must have, as `helm pull` prints it: a mirror's chart is held to nothing else, as
    /// signatures are verified (where cosign is there) for the public repository only
    #[arg(long, value_name = "SHA256")]
    pub chart_digest: Option<String>,
    /// The digest that the chart `karpenter-crd` must have
    #[arg(long, value_name = "SHA256")]
    pub crd_chart_digest: Option<String>,
}

impl VariantArgs {
    /// The variant of a cluster that is there.
    #[must_use]
    pub fn of_existing(karpenter: KarpenterArgs) -> Self {
        Self { cluster: ClusterArgs { existing_cluster: true, ..ClusterArgs::default() }, karpenter }
    }
}

impl GlobalArgs {
    /// The settings among the flags.
    pub fn layer(&self, VariantArgs { cluster, karpenter }: &VariantArgs) -> Result<Layer> {
        let yes = |flag: bool| flag.then_some(true);
        let mut tags = BTreeMap::new();
        for tag in &karpenter.tags {
            let (key, value) = tag
                .split_once('=')
                .filter(|(key, _)| !key.is_empty())
                .ok_or_else(|| Error::usage(format!("--tag `{tag}` is not KEY=VALUE")).hint("for example: --tag team=platform"))?;
            if tags.insert(key.to_owned(), value.to_owned()).is_some_and(|other| other != value) {
                return Err(Error::usage(format!("--tag {key} is given twice, with different values")).hint("give each key once"));
            }
        }
        let chart = ChartLayer {
            repository: karpenter.chart_repository.clone(),
            registry_config: karpenter.registry_config.clone(),
            values: None,
            digest: karpenter.chart_digest.clone(),
            crd_digest: karpenter.crd_chart_digest.clone(),
        };
        Ok(Layer {
            cluster_name: self.cluster_name.clone(),
            region: self.region.clone(),
            account_id: self.account_id.clone(),
            partition: self.partition.clone(),
            karpenter_version: self.karpenter_version.clone(),
            kubernetes_version: self.kubernetes_version.clone(),
            namespace: self.namespace.clone(),
            identity: karpenter.identity.clone(),
            node_access: karpenter.node_access.clone(),
            existing_cluster: yes(cluster.existing_cluster),
            fargate: yes(cluster.fargate),
            node_group: None,
            zonal_shift: karpenter.zonal_shift,
            private: yes(karpenter.private),
            windows: yes(karpenter.windows),
            node_pool: karpenter.ami_alias.clone().map(|alias| NodePoolLayer { ami_alias: Some(alias), ..NodePoolLayer::default() }),
            subnets: (!karpenter.subnets.is_empty()).then(|| karpenter.subnets.clone()),
            vpc: None,
            ip_family: cluster.ip_family.clone(),
            kms_key: cluster.kms_key.clone(),
            tags: (!tags.is_empty()).then_some(tags),
            permissions_boundary: karpenter.permissions_boundary.clone(),
            chart: (chart != ChartLayer::default()).then_some(chart),
            made_elsewhere: None,
            written: None,
            region_variable: None,
        })
    }
}

/// `90s`, `15m`, `1h`, or seconds.
pub(super) fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds: u64 = number.parse().map_err(|_| format!("`{text}` is not a duration such as 90s or 15m"))?;
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{text}` is not a duration such as 90s or 15m")),
    };
    seconds
        .checked_mul(factor)
        .filter(|s| (1..=86_400).contains(s))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is not between 1s and 24h"))
}
