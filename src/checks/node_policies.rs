//! Whether the role of the nodes may do what a node does.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, not_made, whose};
use crate::facts::{ClusterFacts, Facts, Probed, RoleFacts, Topic};
use crate::finding::Area;
use crate::render;
use crate::spec::{IpFamily, Spec};

pub(super) struct NodePolicies;

/// What a node does, AWS's policies any of which is enough for it, the first as one that is proposed; and what is seen without.
const NEEDS: [(&[&str], &str); 3] = [
    (&["AmazonEKSWorkerNodePolicy"], "nodes do not join: they may not read their own instance"),
    (
        &["AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPowerUser"],
        "nodes stay NotReady: the images of the network add-on and of kube-proxy are not pulled",
    ),
    (&[CNI], "nodes stay NotReady, unless the network add-on has a role of its own: `cni plugin not initialized`"),
];
/// The `DaemonSet` of the VPC CNI.
const VPC_CNI: &str = "aws-node";
const CNI: &str = "AmazonEKS_CNI_Policy";
/// What the EKS user guide calls the policy that one makes for IPv6 ("Amazon EKS node IAM role", "IPv6").
const CNI_IPV6: &str = "AmazonEKS_CNI_IPv6_Policy";

impl Check for NodePolicies {
    fn id(&self) -> &'static str {
        "node-policies"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Nodes work under a role: one that lacks AWS's policies for nodes is launched, and never gets ready."
    }

    fn explain(&self) -> &'static str {
        "Looks whether AWS's policies for nodes are attached to the role of the nodes: that of a worker node, one of those that pull images, and \
         for IPv4 that of the network add-on, where that is the VPC CNI and its service account aws-node has no role of its own. AWS has none for IPv6: there the add-on needs a role of its own, by Pod Identity or IRSA, or the nodes' role a policy \
         of one's own that allows ec2:AssignIpv6Addresses, which is looked for by the name that the EKS user guide gives it. The stack attaches them; somebody may have taken one away, and a role that is made elsewhere has its own.\n\n\
         What people see otherwise: NodeClaims that are launched and not registered, nodes that are NotReady with `container runtime network not \
         ready: NetworkReady=false … cni plugin not initialized`, `failed to pull image … 602401143452.dkr.ecr… 403 Forbidden`.\n\n\
         It is a warning, since a policy of one's own, also one within the role, may allow the same. \
         Roles that node classes name in place of it are not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::NodeRole, Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::NetworkRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("role {}", spec.node_role_name());
        let role = role(spec, situation.facts, &subject)?;
        let has = |name: &&str| role.policies.iter().any(|arn| arn.rsplit('/').next() == Some(*name));
        let is_ipv6 = |cluster: &ClusterFacts| cluster.ip_family == IpFamily::Ipv6;
        let ipv6 = spec.ip_family == IpFamily::Ipv6 || situation.facts.cluster.known().is_some_and(is_ipv6);
        // Who else gives the nodes' network what it may do, and what is not known of that.
        let by_other = if has_no_vpc_cni(situation.facts) {
            Ok(true)
        } else {
            read(&format!("network of the {subject}"), &situation.facts.network_role).map(|role| role.is_some())
        };
        let by_nodes = !ipv6 && !matches!(by_other, Ok(true));
        let asked = NEEDS.iter().filter(|(any_of, _)| by_nodes || !any_of.contains(&CNI));
        let mut lacking: Vec<Judgement> = asked
            .filter(|(any_of, _)| !any_of.iter().any(has))
            .map(|(any_of, seen)| {
                let arn = format!("arn:{}:iam::aws:policy/{}", spec.partition, any_of[0]);
                let command = ["aws", "iam", "attach-role-policy", "--role-name", &spec.node_role_name(), "--policy-arn", &arn];
                Judgement::warn(&subject, format!("has not {}; without, {seen}", any_of.join(" or "))).run("attach it", command)
            })
            .collect();
        if ipv6 && !has(&CNI_IPV6) {
            match by_other {
                Ok(true) => {}
                Ok(false) => lacking.push(without_ipv6(spec, &subject)),
                Err(unread) => lacking.push(unread),
            }
        }
        Ok(if lacking.is_empty() { vec![Judgement::pass(subject, "has AWS's policies for nodes")] } else { lacking })
    }
}

/// What must be known for [`role`].
pub(super) const OF_ROLE: &[Topic] =
    &[Topic::NodeRole, Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours];

/// The role of the nodes, where there is one that Karpenter's nodes work under.
pub(super) fn role<'f>(spec: &Spec, facts: &'f Facts, subject: &str) -> Result<&'f RoleFacts, Judgement> {
    if let Some(not_ours) = whose::not_ours(spec, facts, subject) {
        return Err(not_ours);
    }
    let Some(role) = read(subject, &facts.node_role)? else {
        return Err(not_made(spec, facts, subject));
    };
    if spec.made_elsewhere.is_none() && facts.stack == Probed::Absent {
        return Err(Judgement::skip(subject, "is in the way of the stack that makes it: see the check stack-state"));
    }
    Ok(role)
}

/// Whether the cluster is seen to have no VPC CNI: another network takes nothing by the nodes' role.
fn has_no_vpc_cni(facts: &Facts) -> bool {
    let addons = facts.neighbours.known().and_then(|neighbours| neighbours.node_addons.as_ref());
    addons.is_some_and(|addons| !addons.iter().any(|addon| addon.name == VPC_CNI))
}

/// That the network add-on gets no addresses of IPv6 by the role of the nodes, on which it then depends.
fn without_ipv6(spec: &Spec, subject: &str) -> Judgement {
    let of_aws = |service: &str, rest: &str| format!("arn:{}:{service}:{rest}", spec.partition);
    let policy = render::network_policy(spec).to_string();
    let arn = of_aws("iam", &format!(":{}:policy/{CNI_IPV6}", spec.account_id));
    let role = spec.node_role_name();
    let message = "the cluster is IPv6, and AWS's policy for the network add-on has no ec2:AssignIpv6Addresses: nodes stay NotReady, unless \
                   another policy of the role, or a role of the add-on's own, allows it";
    Judgement::warn(subject, message)
        .run("make the policy, once per account", ["aws", "iam", "create-policy", "--policy-name", CNI_IPV6, "--policy-document", &policy])
        .run("attach it", ["aws", "iam", "attach-role-policy", "--role-name", &role, "--policy-arn", &arn])
}
