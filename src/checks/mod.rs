//! Checks: each judges what is known and says findings. Pure, like everything that judges.

mod admission_policies;
mod admission_webhooks;
mod agent_health;
mod ami_alias;
mod auto_mode;
mod auto_mode_api;
mod aws_credentials;
mod aws_partition;
mod caller_permissions;
mod chart_names;
mod chart_tag;
mod chart_values;
mod class_selection;
mod client_shadowed;
mod clock_skew;
mod cluster_autoscaler;
mod cluster_dns;
mod cluster_entry;
mod cluster_quotas;
mod cluster_state;
mod controller_association;
mod controller_image;
mod controller_permissions;
mod controller_trust;
mod conversion_webhook;
mod crd_owner;
mod crd_schema;
mod crd_stored_versions;
mod custom_networking;
mod earlier_cluster;
mod ebs_key;
mod eksctl_version;
mod endpoint_reach;
mod exec;
mod exec_answer;
mod exec_api_version;
mod exec_command;
mod exec_credentials;
mod exec_interactive_mode;
mod exec_kubeconfig;
mod exec_plugin_policy;
mod fargate;
mod foreign_objects;
mod given_values;
mod helm;
mod helm_version;
mod iam_quotas;
mod installed_fit;
mod interruption_queue;
mod judgement;
mod karpenter_release;
mod key_policy;
mod kubeconfig_cluster;
mod kubeconfig_profile;
mod kubeconfig_readable;
mod kubernetes_fit;
mod kubernetes_offered;
mod kubernetes_support;
mod names_and_sizes;
mod neighbours;
mod network_policies;
mod network_quotas;
mod node_access;
mod node_addons;
mod node_capacity;
mod node_group;
mod node_network;
mod node_policies;
mod node_security_groups;
mod node_trust;
mod oidc_issuer;
mod one_identity;
mod other_karpenter;
mod own_vpc;
mod permissions;
mod placement;
mod policy;
mod private_endpoints;
mod private_values;
mod private_vpc;
mod registry_login;
mod secrets_key;
mod spot_role;
mod stack_state;
mod stuck_deletions;
mod termination_handler;
mod tool_programs;
mod typed;
mod upgrade_defaults;
mod upgrade_hops;
mod upgrade_objects;
mod vcpu_quotas;
mod vpc_dns;
mod ways_out;
mod webhook_endpoints;
mod webhook_reach;
mod whose;
mod windows_ipam;
mod zonal_shift;

pub use judgement::Judgement;

use crate::facts::{Facts, OFFLINE, Probed, Topic};
use crate::finding::{Area, Finding};
use crate::knowledge::KubernetesVersion;
use crate::plan::StepId;
use crate::spec::{Meant, Spec};
use std::collections::BTreeSet;

/// What a check judges.
pub struct Situation<'a> {
    /// What the person wants. `None`: no cluster is named, or too little is said of it.
    pub spec: Option<&'a Spec>,
    /// What is said of which cluster is meant, for where there is no spec.
    pub meant: &'a Meant,
    /// What is so.
    pub facts: &'a Facts,
    /// The day, for what ends on a day.
    pub today: jiff::civil::Date,
}

impl<'a> Situation<'a> {
    /// What the person wants, for a check that means nothing without it.
    fn spec(&self) -> Result<&'a Spec, Judgement> {
        self.spec.ok_or_else(|| match &self.facts.caller {
            // Named or not: without the account there is no spec.
            Probed::Unavailable(reason) if reason == OFFLINE => {
                let named = self.meant.cluster_name.is_some() && self.meant.region.is_some();
                let takes = if named { "--account-id, as AWS is not asked for it" } else { "--cluster-name, --region and --account-id" };
                Judgement::skip("cluster", format!("with --offline it takes {takes}"))
            }
            Probed::Unavailable(reason) => Judgement::skip("cluster", format!("the account could not be asked: {reason}")),
            _ => Judgement::skip("cluster", "no cluster is named: give --cluster-name and --region"),
        })
    }

    /// The cluster's Kubernetes. Where the cluster could not be read and nobody says its version, the spec's is the guide's: a guess.
    fn kubernetes(&self, subject: &str) -> Result<KubernetesVersion, Judgement> {
        let spec = self.spec()?;
        if self.meant.kubernetes.is_none() && matches!(self.facts.cluster, Probed::Unavailable(_)) {
            judgement::read(subject, &self.facts.cluster)?;
        }
        Ok(spec.kubernetes)
    }
}

/// Whether this spec makes a cluster that is not there yet.
fn makes_cluster(spec: &Spec, facts: &Facts) -> bool {
    spec.cluster == crate::spec::ClusterMode::Managed && facts.cluster.known().is_none()
}

/// Why this spec makes no cluster, where [`makes_cluster`] says that it does not.
const fn makes_none(facts: &Facts) -> &'static str {
    match facts.cluster {
        Probed::Known(_) => "the cluster is there: `karpctl bootstrap` makes none",
        _ => "the cluster is one that is there already (--existing-cluster): `karpctl bootstrap` makes none",
    }
}

/// What is missing of Karpenter's own: before anything was made that is as it should be and ends the look, afterwards it breaks what is there.
/// Judged by the stack, the controller's role, and whose the Karpenter is that is there.
fn missing(situation: &Situation<'_>, subject: impl Into<String>, message: impl Into<String>) -> Result<Judgement, Judgement> {
    let (facts, subject) = (situation.facts, subject.into());
    if facts.stack.known().is_some() || facts.controller_role.known().is_some() {
        return Ok(Judgement::fail(subject, message));
    }
    Err(not_made(situation.spec()?, facts, &subject))
}

/// Why what karpctl makes is not there, where nothing of it is.
fn not_made(spec: &Spec, facts: &Facts, subject: &str) -> Judgement {
    whose::not_ours(spec, facts, subject).unwrap_or_else(|| Judgement::skip(subject, "is not made yet: `karpctl bootstrap` makes it"))
}

/// The words of an `aws` command in the spec's region.
fn aws<'a>(spec: &'a Spec, service: &'a str, operation: &'a str) -> Vec<&'a str> {
    vec!["aws", service, operation, "--region", spec.region.as_str()]
}

/// The command by which AWS is asked to raise a quota.
fn raise_quota(region: &str, (service, code): (&str, &str), wanted: impl std::fmt::Display) -> Vec<String> {
    let request = ["aws", "service-quotas", "request-service-quota-increase", "--region", region];
    let quota = ["--service-code", service, "--quota-code", code, "--desired-value"];
    request.into_iter().chain(quota).map(str::to_owned).chain([wanted.to_string()]).collect()
}

/// What a check says: a judgement for each thing that it looked at, or the one that ended the look.
pub type Judged = Result<Vec<Judgement>, Judgement>;

/// A check.
pub trait Check: Send + Sync {
    /// Its id: file stem, anchor and name everywhere.
    fn id(&self) -> &'static str;
    /// Its area.
    fn area(&self) -> Area;
    /// Why it matters, in a sentence or two.
    fn why(&self) -> &'static str;
    /// The long text: what it looks at, the words of the error that people look up, how to mend it, what it does not see.
    fn explain(&self) -> &'static str {
        self.why()
    }
    /// What it is judged by.
    fn reads(&self) -> &'static [Topic];
    /// Whether it is about a cluster, and so says nothing where none is named. It follows from what it reads, but for what is worked out
    /// from the spec alone.
    fn of_cluster(&self) -> bool {
        let alike_for_all = |topic: &Topic| (topic.on_this_machine() && *topic != Topic::Tools) || topic.of_account();
        self.reads().is_empty() || !self.reads().iter().all(alike_for_all)
    }
    /// What it says.
    fn judge(&self, situation: &Situation<'_>) -> Judged;
}

/// Every check, in the order in which they are shown.
#[must_use]
pub fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(exec_kubeconfig::ExecKubeconfig),
        Box::new(exec_credentials::ExecCredentials),
        Box::new(exec_api_version::ExecApiVersion),
        Box::new(exec_interactive_mode::ExecInteractiveMode),
        Box::new(exec_command::ExecCommand),
        Box::new(exec_plugin_policy::ExecPluginPolicy),
        Box::new(exec_answer::ExecAnswer),
        Box::new(kubeconfig_readable::KubeconfigReadable),
        Box::new(kubeconfig_profile::KubeconfigProfile),
        Box::new(kubeconfig_cluster::KubeconfigCluster),
        Box::new(client_shadowed::ClientShadowed),
        Box::new(tool_programs::ToolPrograms),
        Box::new(registry_login::RegistryLogin),
        Box::new(clock_skew::ClockSkew),
        Box::new(aws_credentials::AwsCredentials),
        Box::new(aws_partition::AwsPartition),
        Box::new(caller_permissions::CallerPermissions),
        Box::new(spot_role::SpotRole),
        Box::new(names_and_sizes::NamesAndSizes),
        Box::new(stack_state::StackState),
        Box::new(earlier_cluster::EarlierCluster),
        Box::new(controller_permissions::ControllerPermissions),
        Box::new(node_policies::NodePolicies),
        Box::new(node_trust::NodeTrust),
        Box::new(iam_quotas::IamQuotas),
        Box::new(vcpu_quotas::VcpuQuotas),
        Box::new(network_quotas::NetworkQuotas),
        Box::new(cluster_quotas::ClusterQuotas),
        Box::new(interruption_queue::InterruptionQueue),
        Box::new(ebs_key::EbsKey),
        Box::new(secrets_key::SecretsKey),
        Box::new(cluster_state::ClusterState),
        Box::new(cluster_entry::ClusterEntry),
        Box::new(kubernetes_support::KubernetesSupport),
        Box::new(node_network::NodeNetwork),
        Box::new(node_security_groups::NodeSecurityGroups),
        Box::new(vpc_dns::VpcDns),
        Box::new(private_endpoints::PrivateEndpoints),
        Box::new(private_vpc::PrivateVpc),
        Box::new(own_vpc::OwnVpc),
        Box::new(node_group::NodeGroup),
        Box::new(oidc_issuer::OidcIssuer),
        Box::new(agent_health::AgentHealth),
        Box::new(controller_association::ControllerAssociation),
        Box::new(controller_trust::ControllerTrust),
        Box::new(one_identity::OneIdentity),
        Box::new(node_access::NodeAccess),
        Box::new(windows_ipam::WindowsIpam),
        Box::new(foreign_objects::ForeignObjects),
        Box::new(node_capacity::NodeCapacity),
        Box::new(cluster_dns::ClusterDns),
        Box::new(node_addons::NodeAddons),
        Box::new(custom_networking::CustomNetworking),
        Box::new(webhook_endpoints::WebhookEndpoints),
        Box::new(admission_policies::AdmissionPolicies),
        Box::new(other_karpenter::OtherKarpenter),
        Box::new(cluster_autoscaler::ClusterAutoscaler),
        Box::new(termination_handler::TerminationHandler),
        Box::new(karpenter_release::KarpenterRelease),
        Box::new(chart_tag::ChartTag),
        Box::new(kubernetes_fit::KubernetesFit),
        Box::new(kubernetes_offered::KubernetesOffered),
        Box::new(ami_alias::AmiAlias),
        Box::new(auto_mode::AutoMode),
        Box::new(auto_mode_api::AutoModeApi),
        Box::new(zonal_shift::ZonalShift),
        Box::new(installed_fit::InstalledFit),
        Box::new(controller_image::ControllerImage),
        Box::new(upgrade_hops::UpgradeHops),
        Box::new(upgrade_defaults::UpgradeDefaults),
        Box::new(upgrade_objects::UpgradeObjects),
        Box::new(crd_owner::CrdOwner),
        Box::new(crd_schema::CrdSchema),
        Box::new(crd_stored_versions::CrdStoredVersions),
        Box::new(conversion_webhook::ConversionWebhook),
        Box::new(webhook_reach::WebhookReach),
        Box::new(network_policies::NetworkPolicies),
        Box::new(admission_webhooks::AdmissionWebhooks),
        Box::new(chart_values::ChartValues),
        Box::new(chart_names::ChartNames),
        Box::new(private_values::PrivateValues),
        Box::new(stuck_deletions::StuckDeletions),
        Box::new(helm_version::HelmVersion),
        Box::new(eksctl_version::EksctlVersion),
    ]
}

/// The checks without which these steps are not begun: a step is not refused for a tool that it does not run.
#[must_use]
pub fn preflight(steps: &BTreeSet<StepId>) -> Vec<Box<dyn Check>> {
    let concerns = |id: &str| match id {
        "karpenter-release" | "kubernetes-fit" | "auto-mode" => true,
        "kubernetes-offered" | "eksctl-version" | "private-vpc" | "own-vpc" => steps.contains(&StepId::Cluster),
        "zonal-shift" => steps.contains(&StepId::Chart),
        "helm-version" => steps.contains(&StepId::Chart) || steps.contains(&StepId::Crds),
        _ => false,
    };
    all().into_iter().filter(|check| concerns(check.id())).collect()
}

/// The check of what the Karpenter of a cluster that is gone left.
#[must_use]
pub fn earlier_cluster() -> Box<dyn Check> {
    Box::new(earlier_cluster::EarlierCluster)
}

/// What these checks say.
#[must_use]
pub fn judge(checks: &[Box<dyn Check>], situation: &Situation<'_>) -> Vec<Finding> {
    let said = |check: &dyn Check| check.judge(situation).unwrap_or_else(|ended| vec![ended]);
    let mut findings: Vec<Finding> = checks.iter().flat_map(|c| said(c.as_ref()).into_iter().map(|j| j.of(c.as_ref()))).collect();
    for finding in &mut findings {
        typed::as_typed(situation, &mut finding.fixes);
    }
    findings
}
