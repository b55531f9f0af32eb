//! Names and ARNs that follow from a spec. Every document and every step takes them from here, so that they agree.

use super::elsewhere::{Elsewhere, role_name};
use super::{Arn, CapacityType, Identity, Spec, SubnetId};
use crate::knowledge::ZONAL_SHIFT_VALUE;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The longest name of an IAM role (IAM API reference, `CreateRole`).
const ROLE_NAME: usize = 64;
/// The longest name of an instance profile or managed policy (IAM API reference).
const IAM_NAME: usize = 128;
/// The longest name of an SQS queue (SQS API reference, `CreateQueue`).
const QUEUE_NAME: usize = 80;
/// The longest name of a stack (CloudFormation API reference, `CreateStack`).
const STACK_NAME: usize = 128;
/// The longest name of an EKS managed node group (EKS API reference, `CreateNodegroup`).
const NODE_GROUP_NAME: usize = 63;

/// A name that is not the guide's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedName {
    /// What is named so.
    pub what: &'static str,
    /// What the guide calls it.
    pub guide: String,
    /// What karpctl calls it.
    pub used: String,
}

impl Spec {
    /// The spec file that the printed shell writes, in the working directory: by a name that nobody gives a spec of one's own.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("karpctl-{}-resolved.yaml", self.cluster_name)
    }

    /// The CloudFormation stack with the node role, the controller policies and the interruption queue.
    #[must_use]
    pub fn stack_name(&self) -> String {
        // A stack name knows no underscore, which a cluster name may have.
        let name = format!("Karpenter-{}", self.cluster_name);
        if name.contains('_') { hashed(&name.replace('_', "-"), &name, STACK_NAME) } else { fit(&name, STACK_NAME) }
    }

    /// The CloudFormation stack by which one karpctl at a time has hold of the cluster.
    #[must_use]
    pub fn lock_stack_name(&self) -> String {
        let name = format!("karpctl-lock-{}", self.cluster_name);
        if name.contains('_') { hashed(&name.replace('_', "-"), &name, STACK_NAME) } else { fit(&name, STACK_NAME) }
    }

    /// The AWS services that nodes and controller reach by VPC endpoints where there is no way to the internet, by the ends of the
    /// endpoints' names.
    #[must_use]
    pub fn vpc_endpoints(&self) -> Vec<&'static str> {
        let services = self.release.features().vpc_endpoints.iter().map(String::as_str);
        // The agent of EKS Pod Identity asks there for credentials.
        let agent = (self.identity == Identity::PodIdentity).then_some("eks-auth");
        // Where zonal shift is on, the controller asks for it at its start, and ends without an answer.
        let zonal_shift = self.heeds_zonal_shift().then_some("arc-zonal-shift");
        let mut services: Vec<_> = services.chain(agent).chain(zonal_shift).filter(|s| *s != "sqs" || self.has_queue()).collect();
        services.sort_unstable();
        services
    }

    /// The permissions boundary of the roles that karpctl creates, where they have one.
    #[must_use]
    pub fn boundary(&self) -> Option<&Arn> {
        self.permissions_boundary.as_ref()?.policy()
    }

    /// What the chart is told of zonal shifts by a value of the person's own, which goes before [`Self::zonal_shift`].
    #[must_use]
    pub fn given_zonal_shift(&self) -> Option<bool> {
        let (group, value) = ZONAL_SHIFT_VALUE.split_once('.')?;
        self.chart.values.get(group)?[value].as_bool()
    }

    /// Whether the controller is told to heed zonal shifts.
    #[must_use]
    pub fn heeds_zonal_shift(&self) -> bool {
        self.given_zonal_shift().or(self.zonal_shift) == Some(true)
    }

    /// Whether the node pool buys this capacity type: by the spec, else by the release's guide.
    #[must_use]
    pub fn buys(&self, of: CapacityType) -> bool {
        let own = &self.node_pool.capacity_types;
        if own.is_empty() { self.release.features().capacity_types.iter().any(|kind| kind == of.as_str()) } else { own.contains(&of) }
    }

    /// The role of the nodes that Karpenter launches.
    #[must_use]
    pub fn node_role_name(&self) -> String {
        match &self.made_elsewhere {
            Some(elsewhere) => role_name(&elsewhere.node_role),
            None => fit(&format!("KarpenterNodeRole-{}", self.cluster_name), ROLE_NAME),
        }
    }

    /// The ARN of [`Self::node_role_name`].
    #[must_use]
    pub fn node_role_arn(&self) -> Arn {
        match &self.made_elsewhere {
            Some(elsewhere) => elsewhere.node_role.clone(),
            None => self.iam_arn("role", &self.node_role_name()),
        }
    }

    /// The same, of nodes of another role that somebody else made, by its name. `None`: it is no role's name.
    #[must_use]
    pub fn of_node_role(&self, name: &str) -> Option<Self> {
        let is_name = name.len() <= ROLE_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
        let role = self.iam_arn("role", Some(name).filter(|name| is_name && !name.is_empty())?);
        // Which profile it has nobody says; this is none's.
        Some(self.of_node_profile(role, ""))
    }

    /// The same, of nodes that have their role by an instance profile of somebody else's.
    #[must_use]
    pub fn of_node_profile(&self, node_role: Arn, profile: &str) -> Self {
        let elsewhere = Elsewhere {
            by: String::new(),
            node_role,
            controller_role: self.controller_role_arn(),
            instance_profile: Some(profile.to_owned()),
            queue: None,
        };
        Self { made_elsewhere: Some(Box::new(elsewhere)), windows: false, ..self.clone() }
    }

    /// The instance profile of releases before v0.32, and of private clusters.
    #[must_use]
    pub fn instance_profile_name(&self) -> String {
        let named = self.made_elsewhere.as_ref().and_then(|elsewhere| elsewhere.instance_profile.clone());
        named.unwrap_or_else(|| fit(&format!("KarpenterNodeInstanceProfile-{}", self.cluster_name), IAM_NAME))
    }

    /// The role of the controller.
    #[must_use]
    pub fn controller_role_name(&self) -> String {
        match &self.made_elsewhere {
            Some(elsewhere) => role_name(&elsewhere.controller_role),
            None => fit(&format!("{}-karpenter", self.cluster_name), ROLE_NAME),
        }
    }

    /// The ARN of [`Self::controller_role_name`].
    #[must_use]
    pub fn controller_role_arn(&self) -> Arn {
        match &self.made_elsewhere {
            Some(elsewhere) => elsewhere.controller_role.clone(),
            None => self.iam_arn("role", &self.controller_role_name()),
        }
    }

    /// The name of a managed policy of the stack: `KarpenterController<part>Policy-<cluster>`.
    #[must_use]
    pub fn controller_policy_name(&self, part: &str) -> String {
        fit(&format!("KarpenterController{part}Policy-{}", self.cluster_name), IAM_NAME)
    }

    /// The ARN of [`Self::controller_policy_name`].
    #[must_use]
    pub fn controller_policy_arn(&self, part: &str) -> Arn {
        self.iam_arn("policy", &self.controller_policy_name(part))
    }

    /// Whether there is an interruption queue: one of another tool's making may be missing.
    #[must_use]
    pub fn has_queue(&self) -> bool {
        self.made_elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.queue.is_some())
    }

    /// The interruption queue.
    #[must_use]
    pub fn queue_name(&self) -> String {
        let named = self.made_elsewhere.as_ref().and_then(|elsewhere| elsewhere.queue.as_ref());
        named.map_or_else(|| fit(self.cluster_name.as_str(), QUEUE_NAME), ToString::to_string)
    }

    /// The ARN of [`Self::queue_name`].
    #[must_use]
    pub fn queue_arn(&self) -> Arn {
        arn(&format!("arn:{}:sqs:{}:{}:{}", self.partition, self.region, self.account_id, self.queue_name()))
    }

    /// The ARN of the IAM OIDC provider of an issuer, given as a URL or without its scheme.
    #[must_use]
    pub fn oidc_provider_arn(&self, issuer: &str) -> String {
        let host = issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/');
        format!("arn:{}:iam::{}:oidc-provider/{host}", self.partition, self.account_id)
    }

    /// The managed node group that runs the controller.
    #[must_use]
    pub fn node_group_name(&self) -> String {
        // eksctl names the group's stack after both, and cuts nothing.
        let of_stack = STACK_NAME - "eksctl--nodegroup-".len() - self.cluster_name.as_str().len();
        fit(&format!("{}-ng", self.cluster_name), NODE_GROUP_NAME.min(of_stack))
    }

    /// The subnets that nodes may run in, where they are named: those of the spec, else the private ones of the VPC of one's own,
    /// else its public ones. Empty: those that carry the discovery tag.
    #[must_use]
    pub fn node_subnets(&self) -> &[SubnetId] {
        match &self.vpc {
            _ if !self.subnets.is_empty() => &self.subnets,
            Some(vpc) if !vpc.private_subnets.is_empty() => &vpc.private_subnets,
            Some(vpc) => &vpc.public_subnets,
            None => &[],
        }
    }

    /// The ARN of the cluster.
    #[must_use]
    pub fn cluster_arn(&self) -> Arn {
        arn(&format!("arn:{}:eks:{}:{}:cluster/{}", self.partition, self.region, self.account_id, self.cluster_name))
    }

    /// The chart reference that helm is given.
    #[must_use]
    pub fn chart_reference(&self) -> String {
        format!("{}/karpenter", self.chart.repository)
    }

    /// The reference of the chart that holds only the CRDs.
    #[must_use]
    pub fn crd_chart_reference(&self) -> String {
        format!("{}/karpenter-crd", self.chart.repository)
    }

    /// The names that are not those of the guide, because a name of that kind may not be so long (or, a stack's, so written).
    #[must_use]
    pub fn changed_names(&self) -> Vec<ChangedName> {
        if self.made_elsewhere.is_some() {
            return Vec::new();
        }
        let cluster = &self.cluster_name;
        let named = |what, guide: String, used: String| ChangedName { what, guide, used };
        let mut names = vec![
            named("stack", format!("Karpenter-{cluster}"), self.stack_name()),
            named("node role", format!("KarpenterNodeRole-{cluster}"), self.node_role_name()),
            named("controller role", format!("{cluster}-karpenter"), self.controller_role_name()),
            named("node group", format!("{cluster}-ng"), self.node_group_name()),
            named("queue", cluster.to_string(), self.queue_name()),
            named("instance profile", format!("KarpenterNodeInstanceProfile-{cluster}"), self.instance_profile_name()),
        ];
        let parts = &self.release.features().controller_policies;
        names.extend(
            parts
                .iter()
                .map(|part| named("policy", format!("KarpenterController{part}Policy-{cluster}"), self.controller_policy_name(part))),
        );
        names.retain(|name| name.guide != name.used);
        names
    }

    /// The controller's service account: that which the chart is told, else the chart's own.
    #[must_use]
    pub fn service_account(&self) -> &str {
        let told = self.chart.values.get("serviceAccount").and_then(|account| account["name"].as_str());
        told.filter(|name| is_name_of_object(name)).unwrap_or(SERVICE_ACCOUNT)
    }

    /// The key of the tag, with the value `owned`, that Kubernetes, EKS, eksctl and Karpenter give what they make for a cluster.
    #[must_use]
    pub fn cluster_tag(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.cluster_name)
    }

    /// Whether an instance profile has a name as Karpenter gives it for this cluster: `<cluster>_<hash>`.
    #[must_use]
    pub fn is_profile_of_karpenter(&self, name: &str) -> bool {
        let hash = name.strip_prefix(self.cluster_name.as_str()).and_then(|rest| rest.strip_prefix('_'));
        hash.is_some_and(|hash| !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Whether tags carry karpctl's mark for this cluster.
    #[must_use]
    pub fn owns(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(OWNER_TAG).is_some_and(|cluster| cluster == self.cluster_name.as_str())
    }

    fn iam_arn(&self, kind: &str, name: &str) -> Arn {
        arn(&format!("arn:{}:iam::{}:{kind}/{name}", self.partition, self.account_id))
    }
}

/// The tag by which karpctl knows what it made. Its value is the cluster's name.
pub const OWNER_TAG: &str = "karpctl.dev/cluster";

/// The add-on that hands out Pod Identity credentials.
pub const POD_IDENTITY_AGENT: &str = "eks-pod-identity-agent";

/// The controller's service account, where every release's chart is told no other.
pub const SERVICE_ACCOUNT: &str = "karpenter";

/// The `karpenter.sh/discovery` tag, whose value is the cluster's name: subnets and security groups are found by it.
pub const DISCOVERY_TAG: &str = "karpenter.sh/discovery";

/// The mark of what karpctl gave that tag, with the same value. Not the owner's tag: eksctl puts that on the subnets of a cluster that it makes
/// for karpctl, and there the discovery tags are eksctl's.
pub const DISCOVERY_MARK: &str = "karpctl.dev/discovery";

/// Whether Kubernetes takes it for the name of an object (RFC 1123).
fn is_name_of_object(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_fit)
}

fn arn(text: &str) -> Arn {
    // Made of parts that are valid by type, so this is not a failure that can happen to a person.
    text.parse().expect("an ARN made of valid parts")
}

/// The name itself where it fits, else a stable shortened one that ends in a hash of the whole.
fn fit(name: &str, longest: usize) -> String {
    if name.len() <= longest { name.to_owned() } else { hashed(name, name, longest) }
}

fn hashed(shown: &str, whole: &str, longest: usize) -> String {
    let digest: String = Sha256::digest(whole.as_bytes()).iter().take(4).map(|b| format!("{b:02x}")).collect();
    let kept: String = shown.chars().take(longest - 9).collect();
    format!("{}-{digest}", kept.trim_end_matches('-'))
}
