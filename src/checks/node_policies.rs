//! Whether the role of the nodes may do what a node does.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, not_made, whose};
use crate::facts::{Probed, Topic};
use crate::finding::Area;
use crate::spec::IpFamily;

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
const CNI: &str = "AmazonEKS_CNI_Policy";

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
         for IPv4 that of the network add-on. The stack attaches them; somebody may have taken one away, and a role that is made elsewhere has its own. \
         What people see otherwise: NodeClaims that are launched and not registered, nodes that are NotReady with `container runtime network not \
         ready: NetworkReady=false … cni plugin not initialized`, `failed to pull image … 602401143452.dkr.ecr… 403 Forbidden`.\n\n\
         It is a warning, since a policy of one's own, also one within the role, may allow the same, and the network add-on may have a role of its own. \
         Roles that node classes name in place of it are not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::NodeRole, Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("role {}", spec.node_role_name());
        if let Some(not_ours) = whose::not_ours(spec, situation.facts, &subject) {
            return Err(not_ours);
        }
        let Some(role) = read(&subject, &situation.facts.node_role)? else {
            return Err(not_made(spec, situation.facts, &subject));
        };
        if spec.made_elsewhere.is_none() && situation.facts.stack == Probed::Absent {
            return Err(Judgement::skip(subject, "is in the way of the stack that makes it: see the check stack-state"));
        }
        let has = |name: &&str| role.policies.iter().any(|arn| arn.rsplit('/').next() == Some(*name));
        let asked = NEEDS.iter().filter(|(any_of, _)| spec.ip_family == IpFamily::Ipv4 || !any_of.contains(&CNI));
        let lacking: Vec<Judgement> = asked
            .filter(|(any_of, _)| !any_of.iter().any(has))
            .map(|(any_of, seen)| {
                let arn = format!("arn:{}:iam::aws:policy/{}", spec.partition, any_of[0]);
                let command = ["aws", "iam", "attach-role-policy", "--role-name", &spec.node_role_name(), "--policy-arn", &arn];
                Judgement::warn(&subject, format!("has not {}; without, {seen}", any_of.join(" or "))).run("attach it", command)
            })
            .collect();
        Ok(if lacking.is_empty() { vec![Judgement::pass(subject, "has AWS's policies for nodes")] } else { lacking })
    }
}
