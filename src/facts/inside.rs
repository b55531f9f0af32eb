//! What is known of the cluster from within: its nodes, what else works in it, and what is left of earlier Karpenters.

use super::Declared;
use crate::spec::{AmiAlias, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How the API server answers the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// The answer.
    pub answer: Entry,
    /// Whether it was the person's own kubeconfig that was asked with, and not karpctl's token.
    pub by_kubeconfig: bool,
}

/// What the API server says of who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// May do everything.
    Open,
    /// It does not know who it is (401).
    NotKnown,
    /// May not do everything.
    TooLittle,
    /// It did not answer, for this reason.
    NotReached(String),
}

/// Who made a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeOrigin {
    /// A Karpenter: it may take the node away again.
    Karpenter,
    /// Fargate: a node for each pod, with room for no other.
    Fargate,
    /// A node group, or a person.
    Other,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; empty where it has none.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}

/// A node, and the room on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub origin: NodeOrigin,
    /// The managed node group, where it is of one.
    pub node_group: Option<String>,
    /// Its zone, where a label names it.
    pub zone: Option<String>,
    /// Its labels. Every node has some: none are only in facts of a karpctl that kept none.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it runs Linux.
    pub linux: bool,
    /// Whether its kubelet says that it is ready.
    pub ready: bool,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// What is left of its CPU, in thousandths, not counting the pods of our own controller.
    pub free_cpu: i64,
    /// What is left of its memory, in bytes, counted the same way.
    pub free_memory: i64,
    /// How many pods more it takes, counted the same way.
    pub free_pods: i64,
    /// The pods of the cluster's DNS that are ready on it.
    pub dns_pods: u32,
    /// The address of one of its pods, of those that have one of their own.
    #[serde(default)]
    pub pod_address: Option<String>,
    /// What keeps it there, where it is being deleted.
    pub deleting: Option<Deleting>,
}

/// A deletion that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleting {
    /// When, as the API server says it.
    pub since: String,
    /// The finalizers that are still to be taken away.
    pub finalizers: Vec<String>,
}

/// An object of Karpenter's of which there is something to say: it is being deleted, it is a node pool or class, its kind is one that the
/// wanted release does not know, or it holds what only some releases read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// What kubectl takes for its kind: `nodeclaims.karpenter.sh`.
    pub resource: String,
    /// Its name.
    pub name: String,
    /// Since when it is being deleted, and what that waits for.
    pub deleting: Option<Deleting>,
    /// The kubelet's settings that 1.0 keeps in an annotation of a node pool.
    pub kept_kubelet: Option<String>,
    /// The node class that a pool or claim of v1 names.
    pub class_ref: Option<ClassRef>,
    /// The role that a node class names.
    pub role: Option<String>,
    /// The instance profile that a node class names.
    pub instance_profile: Option<String>,
    /// Whether a node class makes Windows nodes.
    pub windows: bool,
    /// The alias by which a node class finds its images.
    #[serde(default)]
    pub ami_alias: Option<String>,
    /// Of which images a node class makes nodes, and how these come in.
    #[serde(default)]
    pub images: Option<ClassImages>,
    /// What a node class selects.
    #[serde(default)]
    pub selection: Option<ClassSelection>,
    /// The requirements of a node pool, as they are written.
    #[serde(default)]
    pub requirements: Vec<Value>,
    /// The labels that a node pool gives its nodes.
    #[serde(default)]
    pub node_labels: BTreeMap<String, String>,
    /// What it says of what some release does otherwise where nothing is said, by the dotted path in its spec.
    #[serde(default)]
    pub said: BTreeMap<String, Value>,
}

impl ObjectFacts {
    /// The role that a node class names, where it is another than the spec's.
    #[must_use]
    pub fn other_role(&self, spec: &Spec) -> Option<&str> {
        self.role.as_deref().filter(|role| self.is_class() && *role != spec.node_role_name())
    }

    /// The instance profile that a node class names, where it is another than the spec's.
    #[must_use]
    pub fn other_profile(&self, spec: &Spec) -> Option<&str> {
        self.instance_profile.as_deref().filter(|profile| self.is_class() && *profile != spec.instance_profile_name())
    }

    /// The alias by which a node class pins the image of a day.
    #[must_use]
    pub fn pinned_alias(&self) -> Option<AmiAlias> {
        let alias: AmiAlias = self.ami_alias.as_deref()?.parse().ok()?;
        (alias.version() != "latest").then_some(alias)
    }

    fn is_class(&self) -> bool {
        self.resource.starts_with("ec2nodeclasses.")
    }
}

/// Of which images a node class makes nodes, and how these come in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassImages {
    /// Its `amiFamily`; of one that 1.0 converted from Ubuntu and finds no image for, still `Ubuntu`.
    pub family: Option<String>,
    /// Whether it says by what the images are found.
    pub selected: bool,
    /// Whether its `userData` names the taint `karpenter.sh/unregistered`, with which nodes come in since v1.
    pub marks_unregistered: bool,
}

/// What a node class selects, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassSelection {
    /// The terms of its selector of subnets, as they are written.
    pub subnet_terms: Vec<Value>,
    /// The terms of its selector of security groups.
    pub group_terms: Vec<Value>,
    /// The subnets that Karpenter found by them. `None`: its status does not say yet.
    pub subnets: Option<Vec<ClassSubnet>>,
    /// The ids of the security groups.
    pub groups: Option<Vec<String>>,
}

/// A subnet as the status of a node class names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSubnet {
    /// Its id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
}

/// A node class as an object of v1 names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRef {
    /// Its API group; empty where it is not said.
    pub group: String,
    /// Its kind; empty where it is not said.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What a workload is, as far as Karpenter has to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeighbourKind {
    /// A Karpenter controller.
    Karpenter,
    /// The Cluster Autoscaler.
    ClusterAutoscaler,
    /// The AWS node termination handler.
    TerminationHandler,
    /// The cluster's DNS.
    Dns,
}

/// The pods of a `DaemonSet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPods {
    /// On so many nodes there should be one.
    pub desired: u64,
    /// So many are ready.
    pub ready: u64,
}

/// A workload that Karpenter depends on, or that works at the same things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// What it is.
    pub what: NeighbourKind,
    /// What kubectl takes for its kind: `deployment`, `daemonset`.
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The helm release that owns it, `<namespace>/<name>`, where labels and annotations say so.
    pub helm_owner: Option<String>,
    /// The object of `GitOps` that declares it, where its labels or annotations say so.
    #[serde(default)]
    pub declared: Option<Declared>,
    /// The service account of its pods, where it is said.
    #[serde(default)]
    pub service_account: Option<String>,
    /// Pods asked for.
    pub desired: u64,
    /// Pods ready.
    pub ready: u64,
    /// The image that says what it is, else that of its first container.
    #[serde(default)]
    pub image: Option<String>,
    /// What each pod asks for.
    #[serde(default)]
    pub asks: Option<PodRequests>,
    /// The labels that its pods want of a node.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// The terms of what else they want of a node, of which one must hold; as they are written.
    #[serde(default)]
    pub node_terms: Vec<Value>,
    /// Of a node termination handler that works by a queue: whether it is told to drain only instances with its own tag, where that is said.
    #[serde(default)]
    pub checks_tag: Option<bool>,
}

/// What a pod asks of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRequests {
    /// CPU, in thousandths.
    pub cpu: i64,
    /// Memory, in bytes.
    pub memory: i64,
}

/// What else works in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// Workloads, Karpenter's own among them.
    pub workloads: Vec<Workload>,
    /// Whether the cluster knows the node classes of EKS Auto Mode.
    pub auto_mode_api: bool,
    /// The `DaemonSet` that enforces network policies, where it is one that is known to.
    #[serde(default)]
    pub policy_enforcer: Option<String>,
    /// What each node needs to be ready. `None`: an earlier karpctl did not look.
    #[serde(default)]
    pub node_addons: Option<Vec<NodeAddon>>,
}

/// What a node needs to be ready and to reach Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAddonKind {
    /// A network add-on.
    Network,
    /// Cilium, a network add-on that can stand for kube-proxy.
    Cilium,
    /// kube-proxy.
    KubeProxy,
}

/// A `DaemonSet` of such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAddon {
    /// What it is.
    pub kind: NodeAddonKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// On so many nodes there should be a pod.
    pub desired: u64,
    /// So many are ready.
    pub ready: u64,
}

/// What controllers of the cluster made in AWS, and would delete only while they run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutlivingFacts {
    /// The claims of EBS volumes that go with their claim, as `namespace/name`.
    pub claims: Vec<String>,
    /// The Services of type `LoadBalancer`, as `namespace/name`.
    pub services: Vec<String>,
    /// The Ingresses of the AWS Load Balancer Controller, as `namespace/name`.
    pub ingresses: Vec<String>,
}

/// The network policies of Karpenter's namespace that select the controller's pods: those that are there, else those that will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// The ports of its containers, by name. None where it is not installed.
    pub ports: BTreeMap<String, i64>,
    /// Whether its pods are in the network of their nodes.
    #[serde(default)]
    pub host_network: bool,
    /// The policies about what comes in.
    pub policies: Vec<PolicyRules>,
    /// The policies about what goes out.
    #[serde(default)]
    pub egress: Vec<PolicyRules>,
}

/// What a network policy lets through in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRules {
    /// Its name.
    pub name: String,
    /// Its rules. `None`: it has no such list, and lets nothing through.
    pub rules: Option<Vec<PolicyRule>>,
}

/// A rule of a network policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// The ports that it opens. Empty: every one.
    pub ports: Vec<PolicyPort>,
    /// For whom.
    #[serde(alias = "from")]
    pub peers: Peers,
}

/// For whom a rule opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peers {
    /// Everybody.
    Anybody,
    /// Addresses, and perhaps pods.
    Addresses,
    /// Pods only.
    Pods,
    /// Pods of the policy's own namespace only.
    OwnPods,
}

impl Peers {
    /// Whether there may be what is no pod among them.
    #[must_use]
    pub const fn has_addresses(self) -> bool {
        matches!(self, Self::Anybody | Self::Addresses)
    }
}

/// A port of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPort {
    /// Its number, or its name; empty: every port.
    pub port: String,
    /// The last of a range that begins with it.
    pub end: Option<i64>,
    /// `TCP`, `UDP` or `SCTP`.
    #[serde(default = "tcp")]
    pub protocol: String,
}

fn tcp() -> String {
    "TCP".to_owned()
}
