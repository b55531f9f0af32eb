//! What only a doctor asks of AWS: permissions, quotas, and what stands around the cluster.

use super::{OF_INTERFACE, Probed, Scaling};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What IAM says a principal may do, of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionFacts {
    /// Whose permissions they are: an ARN. `…:root`: the account's root user, who may do everything, and of whom IAM tells nothing.
    pub principal: String,
    /// How many pairs of action and resource were asked for.
    pub asked: usize,
    /// Those that are not allowed.
    pub denied: Vec<Denial>,
    /// Why nothing is known: the caller may not have IAM judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

/// An action that a principal may not do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Denial {
    /// `ec2:RunInstances`, …
    pub action: String,
    /// The resource that it was asked for.
    pub resource: String,
    /// Who says so.
    pub by: DeniedBy,
    /// Condition keys that a policy asks for and that the question had no value for: with them it may be allowed.
    pub unknown_keys: Vec<String>,
}

/// Who denies an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeniedBy {
    /// A service control policy of the organization.
    Organization,
    /// The permissions boundary of the principal.
    Boundary,
    /// A policy denies it in so many words.
    Policy,
    /// No policy allows it.
    Nobody,
}

/// A Fargate profile, by which pods it takes: those that any of its selectors does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateSelectors {
    /// Its name.
    pub name: String,
    /// The selectors.
    pub selectors: Vec<FargateSelector>,
}

/// Which pods a Fargate profile takes: those of a namespace that have all of these labels. `*` and `?` stand for any text and any character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateSelector {
    /// The namespace.
    pub namespace: String,
    /// The labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How much of IAM's quotas is used: by the names of `GetAccountSummary` (`Roles`, `RolesQuota`, …).
pub type IamSummary = BTreeMap<String, i64>;

/// How many vCPUs of EC2's standard families the account may run in the region, and runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcpuFacts {
    /// Of on-demand instances.
    pub on_demand: QuotaUse,
    /// Of spot instances.
    pub spot: QuotaUse,
    /// Those of an instance of the spec's node group. `None`: it has none, or one of another family.
    pub node_group_instance: Option<u64>,
    /// The type of the node group's instances, where EC2 has none of that name in the region.
    #[serde(default)]
    pub unknown_type: Option<String>,
}

/// How many VPCs and Elastic IP addresses the account may have in the region, and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkQuotas {
    /// Of VPCs.
    pub vpcs: QuotaUse,
    /// Of Elastic IP addresses.
    pub addresses: QuotaUse,
}

/// A quota, and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    /// How many there may be. `None`: Service Quotas does not know it in this region.
    pub quota: Option<u64>,
    /// How many there are.
    pub used: u64,
}

/// What Karpenter's selectors find now: by the discovery tag with the cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionFacts {
    /// The subnets.
    pub subnets: Vec<super::SubnetFacts>,
    /// The security groups.
    pub security_groups: Vec<SecurityGroupFacts>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupFacts {
    /// Its id.
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointFacts {
    /// The service without the region: `ec2`, `ecr.api`.
    pub service: String,
    /// `available`, `pending`, …
    pub state: String,
    /// `Interface`, `Gateway`, …
    pub kind: String,
    /// Whether the service's own name leads to it.
    pub private_dns: bool,
    /// Its id; empty where facts of an older karpctl do not say, which say nothing of who gets to it either.
    #[serde(default)]
    pub id: String,
    /// The route tables that lead to it, where it is a `Gateway`.
    #[serde(default)]
    pub route_tables: Vec<String>,
    /// Its security groups, where it is an `Interface`.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whom these let in at port 443: ranges of IPv4 addresses, security groups and prefix lists.
    #[serde(default)]
    pub lets_in: Vec<String>,
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcFacts {
    /// Its id.
    pub id: String,
    /// Its ranges of IPv4 addresses.
    pub ranges: Vec<String>,
    /// Whether AWS's own DNS answers there (`enableDnsSupport`).
    pub dns_support: bool,
    /// Whether what is in it has names there (`enableDnsHostnames`).
    pub dns_hostnames: bool,
}

/// A route table.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own, as EC2 says it")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableFacts {
    /// Its id.
    pub id: String,
    /// Whether it is that of every subnet that has none of its own.
    pub main: bool,
    /// The subnets that it is given to.
    pub subnets: Vec<String>,
    /// Whether a route leads everywhere (`0.0.0.0/0`: the names of AWS's services are of IPv4) and to something that is there.
    pub leads_out: bool,
    /// Whether a route leads to other networks: by a transit gateway, a peering, a VPN or AWS's own core network.
    #[serde(default)]
    pub leads_elsewhere: bool,
    /// Whether the route that leads everywhere is an internet gateway's: who has no public address has no way out by it.
    #[serde(default)]
    pub to_internet_gateway: bool,
}

impl RouteTableFacts {
    /// The table that a subnet goes by: its own, else its VPC's main one.
    #[must_use]
    pub fn of_subnet<'t>(tables: &'t [Self], subnet: &str) -> Option<&'t Self> {
        let own = tables.iter().find(|table| table.subnets.iter().any(|s| s == subnet));
        own.or_else(|| tables.iter().find(|table| table.main))
    }
}

/// A managed node group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroupFacts {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DEGRADED`, …
    pub status: String,
    /// What EKS complains of.
    pub issues: Vec<String>,
    /// How many hops an answer of the instance metadata may make, where its launch template says so.
    pub hop_limit: Option<i32>,
    /// Whether it has a launch template of its own; EKS makes one for a group that has none.
    #[serde(default)]
    pub own_template: bool,
    /// The security groups that its launch template names. None: its nodes have the cluster's.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// The subnets that its nodes run in.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// `AL2023_x86_64_STANDARD`, `BOTTLEROCKET_ARM_64`, `CUSTOM`, …; empty where facts of an older karpctl do not say.
    #[serde(default)]
    pub ami_type: String,
    /// How many nodes it has, may have and must have. Nothing where facts of an older karpctl do not say.
    #[serde(default)]
    pub scaling: Option<Scaling>,
    /// The name of its nodes' role; empty where EKS names none.
    #[serde(default)]
    pub node_role: String,
}

impl NodeGroupFacts {
    /// The security groups with which the launch templates of node groups start nodes: of all, or, where a network interface takes no more, of the
    /// first that names any, to which Karpenter's guide goes.
    #[must_use]
    pub fn launched_with(groups: &[Self]) -> BTreeSet<&str> {
        let mut named = groups.iter().map(|group| &group.security_groups).filter(|ids| !ids.is_empty());
        let all: BTreeSet<&str> = named.clone().flatten().map(String::as_str).collect();
        if all.len() <= OF_INTERFACE { all } else { named.next().into_iter().flatten().map(String::as_str).collect() }
    }
}

/// The interruption queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueFacts {
    /// Its URL, by which SQS is asked.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// Its policy; null: it has none.
    pub policy: Value,
    /// The KMS key that its messages are encrypted with, as SQS names it. `None`: it is encrypted by SQS itself, or not at all.
    #[serde(default)]
    pub key: Option<String>,
    /// That key, where it is not AWS's own.
    #[serde(default)]
    pub key_facts: Box<Probed<super::KeyFacts>>,
}

/// An `EventBridge` rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFacts {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// The events that it is for.
    pub pattern: Value,
}

/// How new EBS volumes are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EbsFacts {
    /// Whether every volume is encrypted, asked for or not.
    pub by_default: bool,
    /// The key of volumes that are encrypted and name none: `alias/aws/ebs`, or the ARN of a key of the account's own.
    pub key: Option<String>,
}

/// The image behind the node class's alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmiFacts {
    /// The public parameter that names it.
    pub parameter: String,
    /// The image's name. `None`: there is no such parameter or image.
    pub image: Option<String>,
}

/// What an earlier cluster of the same name left in the account, each kind read by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftoverFacts {
    /// The instances that its Karpenter launched and that are not terminated.
    pub instances: Probed<Vec<String>>,
    /// The instance profiles that its Karpenter made.
    pub profiles: Probed<Vec<LeftProfile>>,
    /// The names of the launch templates that its Karpenter made.
    pub launch_templates: Probed<Vec<String>>,
    /// The network interfaces of its pods that nothing uses.
    pub interfaces: Probed<Vec<String>>,
    /// The EBS volumes of its claims that nothing uses. Not asked: the facts are of a karpctl that did not look for them.
    #[serde(default)]
    pub volumes: Probed<Vec<String>>,
    /// The subnets and security groups that karpctl tagged for it, by id.
    #[serde(default)]
    pub tagged: Probed<Vec<String>>,
    /// The IAM OIDC providers of the region with karpctl's tag, by ARN.
    #[serde(default)]
    pub providers: Probed<Vec<String>>,
}

/// An instance profile that a Karpenter made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftProfile {
    /// Its name.
    pub name: String,
    /// The names of the roles in it.
    pub roles: Vec<String>,
}
