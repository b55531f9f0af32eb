//! What a migration looks at: what the managed node groups are made of, and what runs where in the cluster.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Fewest, wanted and most nodes of a node group. Written `1/3/10`, which a tag's value can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Fewest nodes.
    pub min: u32,
    /// Nodes now wanted.
    pub desired: u32,
    /// Most nodes.
    pub max: u32,
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.min, self.desired, self.max)
    }
}

impl FromStr for Scaling {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Vec<u32> = text.split('/').map(|n| n.parse().map_err(drop)).collect::<Result<_, ()>>()?;
        match numbers[..] {
            [min, desired, max] if min <= desired && desired <= max => Ok(Self { min, desired, max }),
            _ => Err(()),
        }
    }
}

/// An EC2 instance type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTypeFacts {
    /// `m5.large`.
    pub name: String,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// The architectures that it runs, as EC2 names them: `x86_64`, `arm64`.
    pub architectures: Vec<String>,
}

/// A taint that a node group gives its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTaint {
    /// Its key.
    pub key: String,
    /// Its value; empty where it has none.
    pub value: String,
    /// As EKS names it: `NO_SCHEDULE`, `NO_EXECUTE`, `PREFER_NO_SCHEDULE`.
    pub effect: String,
}

/// What a launch template says of the disk that pods use, beside its size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskFacts {
    /// `gp3`, `io2`, …
    pub kind: Option<String>,
    /// I/O operations per second.
    pub iops: Option<u32>,
    /// MiB per second.
    pub throughput: Option<u32>,
    /// The KMS key that encrypts it, as the template names it.
    pub key: Option<String>,
}

/// What a managed node group is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroupShape {
    /// Its name.
    pub name: String,
    /// Its ARN, by which it is tagged.
    pub arn: String,
    /// `ACTIVE`, `UPDATING`, `DEGRADED`, …
    pub status: String,
    /// What EKS complains of.
    #[serde(default)]
    pub issues: Vec<String>,
    /// The instance types, its own or those of its launch template.
    pub instance_types: Vec<InstanceTypeFacts>,
    /// `AL2023_x86_64_STANDARD`, `BOTTLEROCKET_ARM_64`, `CUSTOM`, …
    pub ami_type: String,
    /// The version of its AMI as EKS writes it: `1.34.1-20251103`.
    pub release_version: Option<String>,
    /// The Kubernetes that its nodes run: `1.34`.
    #[serde(default)]
    pub kubernetes: Option<String>,
    /// `ON_DEMAND`, `SPOT`, `CAPACITY_BLOCK`.
    pub capacity_type: String,
    /// The labels that its nodes get.
    pub labels: BTreeMap<String, String>,
    /// The taints that its nodes get.
    pub taints: Vec<GroupTaint>,
    /// Its size.
    pub scaling: Scaling,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// The zones of its subnets.
    pub zones: Vec<String>,
    /// The size of its nodes' disks in GiB, where it or its launch template says so.
    pub disk_gib: Option<u32>,
    /// What else its launch template says of them.
    #[serde(default)]
    pub disk: DiskFacts,
    /// The security groups that its launch template names. None: its nodes have the cluster's.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// The name of its nodes' role; empty where EKS names none.
    #[serde(default)]
    pub node_role: String,
    /// How many hops answers of the instance metadata may make, where its launch template says so.
    #[serde(default)]
    pub hop_limit: Option<u32>,
    /// The id of its launch template, where somebody gave it one.
    pub launch_template: Option<String>,
    /// The names of its Auto Scaling groups.
    pub scaling_groups: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// The policies of a role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RolePolicies {
    /// The ARNs of those that are attached to it, sorted.
    pub attached: Vec<String>,
    /// The names of those that are written into it.
    pub inline: Vec<String>,
}

/// The Deployment of a Cluster Autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoscalerFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Pods asked for.
    pub replicas: u32,
    /// Pods that are there.
    pub running: u32,
    /// How many pods were asked for before a migration stopped it, as remembered on it.
    pub before: Option<u32>,
    /// The Auto Scaling groups that its flags `--nodes` name.
    pub scaling_groups: Vec<String>,
    /// For each of its flags `--node-group-auto-discovery`: the tags of the Auto Scaling groups that it looks for, with the value where it
    /// asks for one.
    #[serde(default)]
    pub discovers: Vec<BTreeMap<String, Option<String>>>,
    /// The Auto Scaling groups on which it works, as its status says. `None`: it says nothing.
    #[serde(default)]
    pub works_on: Option<Vec<String>>,
    /// Whether it never takes nodes away (`--scale-down-enabled=false`).
    #[serde(default)]
    pub keeps_nodes: bool,
    /// How long a node must have been without need before it goes, where a flag says so (`--scale-down-unneeded-time=20m`).
    #[serde(default)]
    pub unneeded_time: Option<String>,
    /// Whether it leaves nodes whose pods have an `emptyDir` (`--skip-nodes-with-local-storage`, which is true where nothing is said).
    #[serde(default)]
    pub leaves_local_data: bool,
    /// Where it goes by priorities (`--expander=priority`): each with the patterns of the names of Auto Scaling groups that have it.
    #[serde(default)]
    pub priorities: BTreeMap<i64, Vec<String>>,
}

/// A node, as far as a migration has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetNode {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: NodeOwner,
    /// Its zone, where a label names it.
    pub zone: Option<String>,
    /// When it joined, as the API server says it: the later, the greater.
    pub created: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The keys of its taints.
    pub taints: Vec<String>,
    /// Whether its kubelet says that it is ready.
    pub ready: bool,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// Whether somebody asks the autoscaler to leave it.
    #[serde(default)]
    pub stays: bool,
    /// That a migration empties it.
    pub leaving: Option<Leaving>,
}

/// That a migration empties a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Since when, as the API server writes times. Empty: the mark does not say.
    pub since: String,
    /// Whether it was cordoned before the migration came.
    pub cordoned_before: bool,
    /// How many pods were ready, when its emptying began, of each maker that had one there: as many are waited for. `None`: it has not begun.
    #[serde(default)]
    pub owed: Option<BTreeMap<String, u32>>,
}

/// Whose a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeOwner {
    /// A managed node group.
    Group(String),
    /// A node group that EKS does not manage, by the name that eksctl gave it; `None` where nothing names it.
    SelfManaged(Option<String>),
    /// Karpenter, Fargate or EKS Auto Mode.
    Other,
}

/// Who makes a pod anew when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodOwner {
    /// A controller: the pod comes back on another node.
    Controller,
    /// Its node has its own: a `DaemonSet`, or the kubelet's static pods.
    EveryNode,
    /// Nobody: evicted, it is gone for good.
    Nobody,
}

/// Whether a pod ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodEnd {
    /// It runs until somebody ends it.
    #[default]
    Never,
    /// It ends when its work is done.
    ByItself,
    /// The same, and it is the only try of its Job, which fails with it.
    OnlyTry,
}

/// A label that a pod asks its node for, with one of these values; none: with any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelWish {
    /// Its key.
    pub key: String,
    /// The values that will do.
    pub values: Vec<String>,
}

/// The labels that a pod asks its node for, by `In` and `Exists`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeLabels {
    /// Those of its node selector: all of them.
    pub selector: Vec<LabelWish>,
    /// Those of each term of its required node affinity: all of one term.
    pub terms: Vec<Vec<LabelWish>>,
}

/// What makes pods and is told of: it has none now that a migration could look at, or its own on each node, or they are to stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodMaker {
    /// `DaemonSet`, `CronJob`, `Deployment`, `StatefulSet`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The labels that its pods ask their nodes for, where its pods are not looked at themselves.
    pub asks: NodeLabels,
    /// Whether its pods ask the autoscaler, and not Karpenter, to leave them where they are.
    #[serde(default)]
    pub stays: bool,
}

/// A disruption budget that selects a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodBudget {
    /// Its name.
    pub name: String,
    /// Whether it lets no pod go even while all of its pods serve.
    pub closed: bool,
}

/// A volume of a pod that not every node gets at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodVolume {
    /// The claim by which the pod has it.
    pub claim: String,
    /// The labels of the nodes that get at it.
    pub asks: NodeLabels,
}

/// A pod, as far as a migration has to do with it. One that has ended, or is the kubelet's own, is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a pod that comes after it may have the same name.
    pub uid: String,
    /// When it was made, as the API server says it: the later, the greater.
    pub created: String,
    /// Its node; `None`: it has none yet.
    pub node: Option<String>,
    /// Who makes it anew.
    pub owner: PodOwner,
    /// Its controller, as `shop/ReplicaSet/web-7d9f`; `None`: it has none.
    #[serde(default)]
    pub maker: Option<String>,
    /// Whether it serves.
    #[serde(default)]
    pub ready: bool,
    /// Whether it ends by itself.
    #[serde(default)]
    pub end: PodEnd,
    /// Whether it is on its way out.
    pub leaving: bool,
    /// The annotation by which it asks not to be moved.
    pub keeps_place: Option<String>,
    /// The disruption budgets that select it.
    #[serde(default)]
    pub budgets: Vec<PodBudget>,
    /// The labels that it asks its node for.
    pub asks: NodeLabels,
    /// Its volumes that not every node gets at.
    #[serde(default)]
    pub volumes: Vec<PodVolume>,
    /// Whether what it keeps on its node is lost when it moves.
    pub local_data: bool,
    /// Why it has no node yet, as the scheduler says it, or why it does not start, as its kubelet does.
    pub waits_for: Option<String>,
}

impl FleetPod {
    /// `shop/web-0`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether a Job makes it.
    #[must_use]
    pub fn is_of_job(&self) -> bool {
        self.maker.as_deref().and_then(|maker| maker.split('/').nth(1)) == Some("Job")
    }
}

/// What runs where in the cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Fleet {
    /// The Cluster Autoscalers.
    pub autoscalers: Vec<AutoscalerFacts>,
    /// The nodes, but Fargate's.
    pub nodes: Vec<FleetNode>,
    /// The pods that run or are to run.
    pub pods: Vec<FleetPod>,
    /// Every `DaemonSet` and `CronJob`, and the Deployments and `StatefulSet`s of no pods, that ask for labels of nodes; and all whose pods are to stay
    /// where they are.
    #[serde(default)]
    pub workloads: Vec<PodMaker>,
    /// The node pools, as the API server answers them.
    pub pools: Vec<Value>,
    /// The node classes, as the API server answers them.
    pub classes: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written_and_never_wrongly() {
        let size = Scaling { min: 1, desired: 3, max: 10 };
        assert_eq!(size.to_string().parse(), Ok(size));
        for wrong in ["", "1/3", "1/3/10/2", "3/1/10", "1/11/10", "-1/3/10", "a/b/c", "1 3 10"] {
            assert_eq!(wrong.parse::<Scaling>(), Err(()), "{wrong}");
        }
    }
}
