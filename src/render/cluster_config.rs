//! What eksctl is given to make the cluster.

use super::access::{access_entry, role_mappings};
use super::policies::controller_policy_arns;
use super::template::{Functions, fill};
use crate::error::{Error, Result};
use crate::knowledge::ToolVersion;
use crate::spec::{
    ControllerCapacity, DISCOVERY_TAG, FARGATE_PROFILE, Identity, IpFamily, NodeAccess, OWNER_TAG, POD_IDENTITY_AGENT, Spec,
};
use serde_json::{Value, json};

pub(super) const TEMPLATE: &str = "cluster-config.yaml.j2";

/// How much of the way the file covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigScope {
    /// With the stack, all that the release's guide gives.
    Complete,
    /// The cluster and what runs the controller; karpctl makes the controller's role and the nodes' access itself.
    ClusterOnly,
    /// The same with no add-on but the network's and the Pod Identity agent, for an eksctl that makes the first with its role.
    NetworkAddon,
}

/// What the eksctl at hand knows and does beyond the guides. The default is an eksctl that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EksctlAbilities {
    /// `autoModeConfig`: it is then said that EKS Auto Mode stays off.
    pub auto_mode_config: bool,
    /// It installs the add-on metrics-server by itself.
    pub metrics_server: bool,
    /// It installs vpc-cni, kube-proxy and coredns as add-ons; before, they were EKS's own.
    pub default_addons: bool,
}

impl Default for EksctlAbilities {
    fn default() -> Self {
        // A field that it does not know would be refused; an add-on that it would not install does no harm.
        Self { auto_mode_config: false, metrics_server: true, default_addons: true }
    }
}

impl EksctlAbilities {
    /// What this version knows.
    #[must_use]
    pub fn of(eksctl: &ToolVersion) -> Self {
        Self {
            auto_mode_config: eksctl.knows_auto_mode_config(),
            metrics_server: eksctl.adds_metrics_server(),
            default_addons: eksctl.adds_default_addons(),
        }
    }
}

/// The `ClusterConfig`.
pub fn cluster_config(spec: &Spec, scope: ConfigScope, eksctl: &EksctlAbilities) -> Result<String> {
    let fargate = spec.capacity == ControllerCapacity::Fargate;
    let pod_identity = spec.identity == Identity::PodIdentity;
    if fargate && pod_identity {
        return Err(Error::usage("the controller cannot use EKS Pod Identity on Fargate")
            .because("the Pod Identity agent is a DaemonSet, and Fargate runs none")
            .hint("use `--identity irsa` with `--fargate`"));
    }
    let features = spec.release.features();
    let access = spec.node_access.unwrap_or(NodeAccess::AwsAuth);
    let values = json!({
        "complete": scope == ConfigScope::Complete,
        "cluster_name": spec.cluster_name,
        "region": spec.region,
        "kubernetes": spec.kubernetes,
        "namespace": spec.namespace,
        "service_account": spec.service_account(),
        "discovery_tag": DISCOVERY_TAG,
        "tags": spec.tags.iter().filter(|(key, _)| *key != DISCOVERY_TAG).collect::<Vec<_>>(),
        "tags_of_parts": tags_of_parts(spec),
        "permissions_boundary": spec.boundary(),
        "auto_mode_config": eksctl.auto_mode_config,
        "fargate": fargate,
        "fargate_profile": FARGATE_PROFILE,
        "pod_identity": pod_identity,
        "controller_role_name": spec.controller_role_name(),
        "made_elsewhere": spec.made_elsewhere.as_ref().map(|elsewhere| &elsewhere.controller_role),
        "controller_policy_arns": controller_policy_arns(spec),
        "aws_auth": access != NodeAccess::AccessEntry,
        "access_entries": access != NodeAccess::AwsAuth,
        "access_entry_type": access_entry(spec),
        "node_role_arn": spec.node_role_arn(),
        "mappings": role_mappings(spec),
        "private": spec.private,
        "vpc_endpoints": vpc_endpoints(spec),
        "vpc": spec.vpc,
        "ipv6": spec.ip_family == IpFamily::Ipv6,
        "windows": spec.windows,
        "kms_key": spec.kms_key,
        "addons": addons(spec, scope, *eksctl),
        "network_addon_policy": (scope == ConfigScope::NetworkAddon && spec.ip_family == IpFamily::Ipv4).then(|| network_addon_policy(spec)),
        "network_policy": network_policy(spec),
        "node_group": node_group(spec, &features.node_group_ami_family),
        "zonal_shift": features.zonal_shift.then(|| zonal_shift(spec)),
    });
    fill(TEMPLATE, Functions::Short, &values)
}

/// The names of the VPC endpoints that a private cluster needs.
pub(super) fn vpc_endpoints(spec: &Spec) -> Vec<String> {
    spec.vpc_endpoints().into_iter().map(|service| spec.partition.endpoint_name(&spec.region, service)).collect()
}

/// The tags that somebody asked for. eksctl puts those of a cluster on its stacks, but on no add-on and no Fargate profile.
fn tags_of_parts(spec: &Spec) -> Vec<(&String, &String)> {
    spec.tags.iter().filter(|(key, _)| ![DISCOVERY_TAG, OWNER_TAG].contains(&key.as_str())).collect()
}

/// The add-ons that eksctl must be told. Those that it installs by itself are among them where there is more to say: it asks for the first
/// three where pods have IPv6, for a word on whose permissions the first has (eksctl 0.207.0 and newer; 0.181.0 is the first that knows the
/// field of Pod Identity); tags, the boundary of the first one's role and addresses for Windows pods have
/// no other place.
fn addons(spec: &Spec, scope: ConfigScope, eksctl: EksctlAbilities) -> Vec<&'static str> {
    let tagged = !tags_of_parts(spec).is_empty();
    let core = tagged || spec.boundary().is_some() || spec.ip_family == IpFamily::Ipv6 || spec.windows;
    let alone = scope == ConfigScope::NetworkAddon;
    let mut found = match (alone, core) {
        (true, _) => vec![NETWORK_ADDON],
        (false, true) => vec![NETWORK_ADDON, "coredns", "kube-proxy"],
        (false, false) => Vec::new(),
    };
    if !alone && tagged && eksctl.metrics_server && spec.partition.has_metrics_server_addon() {
        found.push("metrics-server");
    }
    found.extend((spec.identity == Identity::PodIdentity).then_some(POD_IDENTITY_AGENT));
    found
}

/// The add-on that gives pods their addresses.
pub(crate) const NETWORK_ADDON: &str = "vpc-cni";

/// AWS's policy for it, for IPv4: eksctl takes it unasked when it makes a cluster, but not when it mends one.
pub(crate) fn network_addon_policy(spec: &Spec) -> String {
    format!("arn:{}:iam::aws:policy/AmazonEKS_CNI_Policy", spec.partition)
}

/// What the network add-on may do where pods have IPv6; AWS has a policy of its own for IPv4 alone (docs/iam-policy.md of the VPC CNI, as of
/// 1.22.1, which looks for subnets and their groups). It is always said: eksctl's own lacks some of it before 0.231, and what it takes by
/// default with Pod Identity it replaces by AWS's for IPv4 before the nodes come (eksctl#8388).
pub(crate) fn network_policy(spec: &Spec) -> Value {
    let see = [
        "AssignIpv6Addresses",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeTags",
    ];
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": see.map(|action| format!("ec2:{action}")), "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": format!("arn:{}:ec2:*:*:network-interface/*", spec.partition)},
    ]})
}

/// Whether zonal shift is on: what a spec came to when it was resolved; of one that was not, as the guide has it.
pub(super) fn zonal_shift(spec: &Spec) -> bool {
    spec.zonal_shift.unwrap_or(true)
}

fn node_group(spec: &Spec, guide_family: &str) -> Value {
    let ControllerCapacity::NodeGroup(group) = &spec.capacity else { return Value::Null };
    // The guides of before v1.3 name a family that EKS no longer makes images of.
    let ami_family = if spec.kubernetes.has_ami_family("al2") { guide_family } else { "AmazonLinux2023" };
    json!({
        "name": spec.node_group_name(),
        "instance_type": group.instance_type,
        "ami_family": ami_family,
        "desired_capacity": group.desired_capacity,
        "min_size": group.min_size,
        "max_size": group.max_size,
        "private_networking": spec.private || spec.vpc.as_ref().is_some_and(|vpc| !vpc.private_subnets.is_empty()),
    })
}
