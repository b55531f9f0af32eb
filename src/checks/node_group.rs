//! Whether the managed node groups, on which the controller runs, are well and let it know who it is.

use super::given_values::GivenValues;
use super::judgement::{installed, read};
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::{NodeGroupFacts, Topic};
use crate::finding::Area;
use crate::spec::{Identity, Spec};

pub(super) struct NodeGroup;

impl Check for NodeGroup {
    fn id(&self) -> &'static str {
        "node-group"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "The controller needs nodes that Karpenter did not make, and where it has no role of its own, their instance metadata from inside a pod."
    }

    fn explain(&self) -> &'static str {
        "Reads the managed node groups, what EKS complains of in them, and the hop limit that their launch templates set for answers of \
         the instance metadata (IMDS). A pod is one hop further than its node: with a limit of 1 it gets no answer.\n\nWhat people see: \
         `panic: operation error ec2imds: GetRegion, canceled, context deadline exceeded`. Karpenter asks there for \
         its region where nothing tells it, and for its credentials where it has no role of its own. With IRSA and with Pod Identity EKS writes region and \
         credentials into each of its containers (amazon-eks-pod-identity-webhook), so a limit of 1 is no finding then, nor before an install, nor with \
         `hostNetwork`. A pod that started before its association has neither until it is restarted; other pods may ask IMDS, too.\n\n\
         A group without a launch template of its own gets one from EKS: with a limit of 1 for AL2023 (EKS User Guide, upgrade from \
         Amazon Linux 2; kubernetes-sigs/aws-load-balancer-controller#3695), of 2 for AL2 (hashicorp/terraform-provider-aws#38516); of \
         Bottlerocket none of less than 2 is known. What a template leaves out is not judged. eksctl gives every group a template with 2.\n\n\
         Cure: a role of its own for the controller; or a launch template version with a hop limit of 2, which the node group is then updated to; for a group without a template \
         a new one with it, since EKS gives none to a group that is there. A degraded group (`AsgInstanceLaunchFailures`, `NodeCreationFailure`, \
         `InsufficientFreeAddresses`, `Ec2LaunchTemplateNotFound`) makes no room for the controller's second replica.\n\n\
         With Pod Identity, looks also whether the role of its nodes has one of AWS's policies that allow eks-auth:AssumeRoleForPodIdentity, which \
         is how the agent on a node asks for the roles of pods: one with policies of your own may lack it, and the agent is ready all the same. It is \
         a warning, since your own may allow it.\n\nWhat people see, in the agent's log: `AccessDeniedException: … is not authorized to perform: \
         eks-auth:AssumeRoleForPodIdentity`."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::NodeGroups,
            Topic::Association,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::NodeGroupRoles,
        ]
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
        let (mut said, mut unread) = (Vec::new(), None);
        for group in groups {
            let subject = format!("node group {}", group.name);
            let agent = no_agent(situation, spec, group, &subject).unwrap_or_else(|why| {
                unread.get_or_insert(why);
                None
            });
            said.extend(judge(situation, spec, group, subject, agent));
        }
        // Once for all groups: who may not read one role may mostly read none.
        Ok(said.into_iter().chain(unread).collect())
    }
}

fn judge(situation: &Situation<'_>, spec: &Spec, group: &NodeGroupFacts, subject: String, agent: Option<Judgement>) -> Vec<Judgement> {
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
    said.extend(one_hop(situation, group, &subject));
    said.extend(agent);
    if said.is_empty() {
        said.push(Judgement::pass(subject, format!("is {}", group.status)));
    }
    said
}

/// The policies of AWS by which the Pod Identity agent on a node may ask for the roles of pods (`eks-auth:AssumeRoleForPodIdentity`).
const OF_AGENT: [&str; 2] = ["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"];

/// That the agent on its nodes gets no credentials for the controller. One that works by Pod Identity shows that it does.
fn no_agent(situation: &Situation<'_>, spec: &Spec, group: &NodeGroupFacts, subject: &str) -> Result<Option<Judgement>, Judgement> {
    let facts = situation.facts;
    let by_agent = facts.association.known().is_some() && whose::works(spec, facts);
    let by_irsa = whose::has_role_by_irsa(spec, facts, subject).is_err();
    if spec.identity != Identity::PodIdentity || by_agent || by_irsa || group.node_role.is_empty() {
        return Ok(None);
    }
    let (role, of_roles) = (&group.node_role, "roles of node groups");
    let found = read(of_roles, &facts.node_group_roles)?.and_then(|roles| roles.get(role));
    let Some(policies) = found.map(|found| read(of_roles, found)).transpose()?.flatten() else { return Ok(None) };
    if policies.attached.iter().any(|arn| OF_AGENT.iter().any(|name| arn.rsplit('/').next() == Some(*name))) {
        return Ok(None);
    }
    let message = format!(
        "its role {role} has neither {}: unless a policy of your own allows eks-auth:AssumeRoleForPodIdentity, the Pod Identity agent gets the \
         controller no credentials there",
        OF_AGENT.join(" nor ")
    );
    let arn = format!("arn:{}:iam::aws:policy/{}", spec.partition, OF_AGENT[1]);
    let attach = ["aws", "iam", "attach-role-policy", "--role-name", role, "--policy-arn", &arn];
    Ok(Some(Judgement::warn(subject, message).run("attach the smaller one", attach)))
}

/// That pods get no answer of the instance metadata, which matters to a controller that asks.
fn one_hop(situation: &Situation<'_>, group: &NodeGroupFacts, subject: &str) -> Option<Judgement> {
    let (message, cure) = if group.hop_limit == Some(1) {
        (
            "its launch template lets answers of the instance metadata make one hop: pods get none",
            "give it a launch template version with HttpPutResponseHopLimit 2, and update the group to it",
        )
    } else if !group.own_template && group.ami_type.starts_with("AL2023") {
        (
            "is of AL2023 without a launch template: by EKS's default answers of the instance metadata make one hop, and pods get none",
            "make a group with a launch template with HttpPutResponseHopLimit 2 in its place: EKS gives none to a group that is there",
        )
    } else {
        return None;
    };
    match asks(situation, subject) {
        Ok(None) => None,
        Ok(Some(what)) => Some(
            Judgement::warn(subject, format!("{message}, and the controller asks there for {what}"))
                .fix("let the controller have a role by Pod Identity or IRSA, which tells it its region too: `karpctl bootstrap` does")
                .fix(cure),
        ),
        Err(unknown) => Some(unknown),
    }
}

/// What the controller asks the instance metadata for. `None`: nothing.
fn asks(situation: &Situation<'_>, subject: &str) -> Result<Option<&'static str>, Judgement> {
    let (spec, facts) = (situation.spec()?, situation.facts);
    // With a role by either way EKS tells each container its region; IRSA's stands in the values that the chart is given.
    if spec.identity == Identity::Irsa || read(subject, &facts.association)?.is_some() {
        return Ok(None);
    }
    let values = GivenValues::of(spec, facts, subject)?;
    // What is not installed yet is given an association before.
    let Some(live) = facts.chart_release.known().filter(|release| installed(release)) else { return Ok(None) };
    if live.annotated_role().is_some() || *values.at("hostNetwork") == true {
        return Ok(None);
    }
    let told = values.at("controller.env").as_array().into_iter().flatten().any(|variable| variable["name"] == "AWS_REGION");
    Ok(Some(if told { "its credentials" } else { "its region and its credentials" }))
}
