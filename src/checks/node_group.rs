//! Whether the managed node groups, on which the controller runs, are well and let it ask who it is.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{NodeGroupFacts, Topic};
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct NodeGroup;

impl Check for NodeGroup {
    fn id(&self) -> &'static str {
        "node-group"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "The controller needs nodes that Karpenter did not make, and where it is told no region, their instance metadata from inside a pod."
    }

    fn explain(&self) -> &'static str {
        "Reads the managed node groups, what EKS complains of in them, and the hop limit that their launch templates set for answers of \
         the instance metadata (IMDS). A pod is one hop further than its node: with a limit of 1 it gets no answer. What people see: \
         `panic: operation error ec2imds: GetRegion, canceled, context deadline exceeded`. IRSA and Pod Identity tell the controller its \
         region, so it breaks only without them, or where the agent is late; other pods that ask IMDS break as well. Cure: a launch \
         template version with a hop limit of 2, which the node group is then updated to, or the variable AWS_REGION for the \
         controller (`controller.env`). A degraded group (`AsgInstanceLaunchFailures`, `NodeCreationFailure`, \
         `InsufficientFreeAddresses`, `Ec2LaunchTemplateNotFound`) makes no room for the controller's second replica."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::NodeGroups]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if read("node groups", &situation.facts.cluster)?.is_none() {
            return Err(Judgement::skip("node groups", "there is no cluster yet"));
        }
        let groups = read("node groups", &situation.facts.node_groups)?.map(Vec::as_slice).unwrap_or_default();
        if groups.is_empty() {
            return Err(Judgement::skip("node groups", "the cluster has no managed one"));
        }
        Ok(groups.iter().flat_map(|group| judge(spec, group)).collect())
    }
}

fn judge(spec: &Spec, group: &NodeGroupFacts) -> Vec<Judgement> {
    let subject = format!("node group {}", group.name);
    let describe = || {
        aws(spec, "eks", "describe-nodegroup")
            .into_iter()
            .chain(["--cluster-name", spec.cluster_name.as_str(), "--nodegroup-name", group.name.as_str()])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let issues = if group.issues.is_empty() { String::new() } else { format!(": {}", group.issues.join("; ")) };
    let mut said = Vec::new();
    match group.status.as_str() {
        "ACTIVE" | "UPDATING" | "CREATING" if group.issues.is_empty() => {}
        "CREATE_FAILED" | "DELETE_FAILED" => {
            said.push(Judgement::fail(&subject, format!("is {}{issues}", group.status)).run("see what EKS says", describe()));
        }
        status => said.push(Judgement::warn(&subject, format!("is {status}{issues}")).heals().run("see what EKS says", describe())),
    }
    if group.hop_limit == Some(1) {
        said.push(
            Judgement::warn(&subject, "its launch template lets answers of the instance metadata make one hop: pods get none")
                .fix("give it a launch template version with HttpPutResponseHopLimit 2, and update the group to it"),
        );
    }
    if said.is_empty() {
        said.push(Judgement::pass(subject, format!("is {}", group.status)));
    }
    said
}
