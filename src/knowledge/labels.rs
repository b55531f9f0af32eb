//! Labels, annotations and tags by which Kubernetes, EKS and Karpenter mark what they make.

/// The label, and the tag, by which a node, a claim and an instance name their `NodePool`.
pub const NODE_POOL_LABEL: &str = "karpenter.sh/nodepool";
/// The same of a Provisioner, before 0.32.
pub const PROVISIONER_LABEL: &str = "karpenter.sh/provisioner-name";
/// Both: who has either was launched by a Karpenter.
pub const POOL_LABELS: [&str; 2] = [NODE_POOL_LABEL, PROVISIONER_LABEL];
/// The label by which EKS names the managed node group of a node.
pub const NODE_GROUP_LABEL: &str = "eks.amazonaws.com/nodegroup";
/// The label of nodes of Fargate (`fargate`) and of EKS Auto Mode (`auto`).
pub const COMPUTE_TYPE_LABEL: &str = "eks.amazonaws.com/compute-type";
/// The API group of the node classes of EKS Auto Mode.
pub const AUTO_MODE_GROUP: &str = "eks.amazonaws.com";
/// The tag by which an instance names its node pool of EKS Auto Mode: AWS' policy for it (`AmazonEKSComputePolicy`) lets it launch none without.
pub const AUTO_MODE_POOL_TAG: &str = "eks:kubernetes-node-pool-name";
/// The tag by which eksctl says for which cluster something is.
pub const EKSCTL_CLUSTER_TAG: &str = "alpha.eksctl.io/cluster-name";
/// The annotations for which Karpenter evicts no pod: since 0.33, and before.
pub const STAY_ANNOTATIONS: [&str; 2] = ["karpenter.sh/do-not-disrupt", "karpenter.sh/do-not-evict"];

/// The label of Karpenter's for `spot` and `on-demand`.
pub const CAPACITY_TYPE_LABEL: &str = "karpenter.sh/capacity-type";
/// The architecture of a node.
pub const ARCH_LABEL: &str = "kubernetes.io/arch";
/// The operating system of a node.
pub const OS_LABEL: &str = "kubernetes.io/os";
/// The name of a node's machine.
pub const HOST_LABEL: &str = "kubernetes.io/hostname";
/// The availability zone of a node.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
