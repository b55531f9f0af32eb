//! Whether an earlier cluster of the same name left something that its Karpenter made.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{LeftProfile, Probed, Topic};
use crate::finding::Area;
use crate::spec::{ClusterMode, DISCOVERY_MARK, DISCOVERY_TAG, Spec};
use crate::wording::named;

pub(super) struct EarlierCluster;

/// How many things of a kind are named, and how many cures.
const NAMED: usize = 8;

/// How many instances a command ends: a command line has an end, and so has a call of EC2.
const AT_ONCE: usize = 100;

impl Check for EarlierCluster {
    fn id(&self) -> &'static str {
        "earlier-cluster"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Karpenter's instances outlive a cluster that is deleted under it: they cost money and take quota and addresses, and a role cannot be deleted while an instance profile holds it."
    }

    fn explain(&self) -> &'static str {
        "Where the cluster is not there, looks for what the Karpenter of an earlier one of that name made: instances with the tags \
         kubernetes.io/cluster/<cluster>=owned and karpenter.sh/nodepool (before 0.32 karpenter.sh/provisioner-name); instance profiles named \
         <cluster>_<hash> with the cluster's tag, since 1.7 under the path /karpenter/<region>/<cluster>/; launch templates with the tag \
         karpenter.k8s.aws/cluster or eks:eks-cluster-name; network interfaces with the tag cluster.k8s.amazonaws.com/name that nothing uses; \
         EBS volumes with the tag kubernetes.io/cluster/<cluster>=owned that nothing uses: those of its PersistentVolumeClaims; and what karpctl \
         left: subnets and security groups with the tag karpctl.dev/discovery=<cluster>, and IAM OIDC providers of the region with \
         karpctl.dev/cluster=<cluster>, or with eksctl's alpha.eksctl.io/cluster-name.\n\n\
         What is seen of it: `Cannot delete entity, must remove roles from instance profile first` (DeleteConflict) where the stack is deleted, \
         `DependencyViolation` where a subnet or security group is, and instances on the bill that no node belongs to.\n\n\
         End the instances first: profiles, templates and interfaces are in use until then. Tags are all that tells whose something is: a \
         cluster of that name that is not EKS's carries the same ones."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Leftovers]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("what an earlier cluster {} left", spec.cluster_name);
        if spec.cluster == ClusterMode::Existing && situation.facts.cluster == Probed::Absent {
            return Err(Judgement::skip(subject, "with --existing-cluster karpctl makes no cluster that it could be in the way of"));
        }
        let Some(left) = read(&subject, &situation.facts.leftovers)? else {
            return Ok(vec![Judgement::pass(subject, "the cluster is there: what carries its name is its own")]);
        };
        let said: Vec<Judgement> = [
            of_kind(spec, "instances", &left.instances, instances),
            of_kind(spec, "instance profiles", &left.profiles, profiles),
            of_kind(spec, "launch templates", &left.launch_templates, launch_templates),
            of_kind(spec, "network interfaces", &left.interfaces, interfaces),
            of_kind(spec, "volumes", &left.volumes, volumes),
            of_kind(spec, "tags", &left.tagged, tagged),
            of_kind(spec, "OIDC providers", &left.providers, providers),
        ]
        .concat();
        Ok(if said.is_empty() { vec![Judgement::pass(subject, "nothing that its Karpenter made")] } else { said })
    }
}

/// What is said of the things of a kind, or why they could not be read.
fn of_kind<T>(spec: &Spec, kind: &str, found: &Probed<Vec<T>>, tell: fn(&Spec, String, &[T]) -> Vec<Judgement>) -> Vec<Judgement> {
    let subject = format!("{kind} of an earlier cluster {}", spec.cluster_name);
    match read(&subject, found) {
        Ok(Some(found)) if !found.is_empty() => tell(spec, subject, found),
        Ok(_) => Vec::new(),
        Err(unread) => vec![unread],
    }
}

fn instances(spec: &Spec, subject: String, ids: &[String]) -> Vec<Judgement> {
    let message = format!("its Karpenter launched them, and they run on and cost money: {}", named(ids, NAMED));
    let end = |judgement: Judgement, some: &[String]| {
        let terminate = aws(spec, "ec2", "terminate-instances").into_iter().chain(["--instance-ids"]);
        judgement.run("end them", terminate.chain(some.iter().map(String::as_str)))
    };
    let judgement = ids.chunks(AT_ONCE).take(NAMED).fold(Judgement::warn(subject, message), end);
    vec![if ids.len() > AT_ONCE * NAMED { judgement.fix("then look again: there are more") } else { judgement }]
}

fn profiles(_: &Spec, subject: String, left: &[LeftProfile]) -> Vec<Judgement> {
    let mut said: Vec<Judgement> = left.iter().take(NAMED).map(profile).collect();
    let rest = left.get(NAMED..).unwrap_or_default();
    if !rest.is_empty() {
        let message = format!("{} more that its Karpenter made: {}", rest.len(), named(rest.iter().map(|p| &p.name), NAMED));
        said.push(Judgement::warn(subject, message).fix("delete those that are named first, then look again"));
    }
    said
}

fn profile(left: &LeftProfile) -> Judgement {
    let subject = format!("instance profile {}", left.name);
    let of_profile = |operation: &'static str| ["aws", "iam", operation, "--instance-profile-name", left.name.as_str()];
    let judgement = Judgement::warn(
        subject,
        match &left.roles[..] {
            [] => "an earlier cluster's Karpenter made it".to_owned(),
            roles => format!(
                "an earlier cluster's Karpenter made it, and it holds the role {}, which cannot be deleted before: Cannot delete entity, must remove roles from instance profile first",
                roles.join(", ")
            ),
        },
    );
    let emptied = left.roles.iter().fold(judgement, |judgement, role| {
        judgement.run("take the role out of it", of_profile("remove-role-from-instance-profile").into_iter().chain(["--role-name", role]))
    });
    emptied.run("delete it", of_profile("delete-instance-profile"))
}

fn launch_templates(spec: &Spec, subject: String, names: &[String]) -> Vec<Judgement> {
    let message = format!("its Karpenter made them, and nobody uses them: {}", named(names, NAMED));
    vec![names.iter().take(NAMED).fold(Judgement::warn(subject, message), |judgement, name| {
        judgement.run("delete it", aws(spec, "ec2", "delete-launch-template").into_iter().chain(["--launch-template-name", name]))
    })]
}

fn interfaces(spec: &Spec, subject: String, ids: &[String]) -> Vec<Judgement> {
    let message = format!("nothing uses them, and their subnets and security groups cannot be deleted before: {}", named(ids, NAMED));
    vec![ids.iter().take(NAMED).fold(Judgement::warn(subject, message), |judgement, id| {
        judgement.run("delete it", aws(spec, "ec2", "delete-network-interface").into_iter().chain(["--network-interface-id", id]))
    })]
}

fn tagged(spec: &Spec, subject: String, ids: &[String]) -> Vec<Judgement> {
    let message = format!(
        "karpctl tagged these subnets and security groups for it, and the Karpenter of the next cluster of that name would launch nodes there: {}",
        named(ids, NAMED)
    );
    let tags = [DISCOVERY_TAG, DISCOVERY_MARK].map(|key| format!("Key={key},Value={}", spec.cluster_name));
    let delete = aws(spec, "ec2", "delete-tags").into_iter().chain(["--resources"]).chain(ids.iter().take(AT_ONCE).map(String::as_str));
    vec![Judgement::warn(subject, message).run("take the tags off", delete.chain(["--tags"]).chain(tags.iter().map(String::as_str)))]
}

fn providers(_: &Spec, subject: String, arns: &[String]) -> Vec<Judgement> {
    let message =
        format!("karpctl or eksctl made them for it, their issuer is gone, and an account has room for 100: {}", named(arns, NAMED));
    vec![arns.iter().take(NAMED).fold(Judgement::warn(subject, message), |judgement, arn| {
        judgement.run("delete it", ["aws", "iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", arn])
    })]
}

fn volumes(spec: &Spec, subject: String, ids: &[String]) -> Vec<Judgement> {
    let message = format!("they are of its PersistentVolumeClaims, nothing uses them, and they cost money: {}", named(ids, NAMED));
    vec![ids.iter().take(NAMED).fold(Judgement::warn(subject, message), |judgement, id| {
        judgement.run("if nobody needs what is on it, delete it", aws(spec, "ec2", "delete-volume").into_iter().chain(["--volume-id", id]))
    })]
}
