//! Whether the cluster is one that can be worked with.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::ClusterMode;
use crate::steps::is_strangers;

pub(super) struct ClusterState;

impl Check for ClusterState {
    fn id(&self) -> &'static str {
        "cluster-state"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A cluster that is not there, that failed or that is being deleted takes nothing, and what is said of it would be said of another one."
    }

    fn explain(&self) -> &'static str {
        "Reads the cluster by its name in the region and account that are in use. With --existing-cluster it must be there: `No cluster found \
         for name: …` (ResourceNotFoundException) is mostly a misspelt name, another region, or the credentials of another account. A cluster that \
         is FAILED or DELETING takes nothing; one that karpctl made and that is FAILED holds nothing, and `karpctl bootstrap` makes it anew. A \
         cluster that is CREATING or UPDATING is waited for. One that is ACTIVE may have health issues (`IamRoleNotFound`, `Ec2SubnetNotFound`, `Ec2SecurityGroupNotFound`, `VpcNotFound`, \
         `KmsKeyDisabled`): something that it was made with is gone. One that neither karpctl nor eksctl made is refused by `karpctl bootstrap`, unless it \
         is said that it is there already: --existing-cluster."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::ClusterStacks]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("cluster {}", spec.cluster_name);
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Ok(vec![match spec.cluster {
                ClusterMode::Managed => Judgement::pass(subject, "is not there yet: `karpctl bootstrap` makes it"),
                ClusterMode::Existing => Judgement::fail(
                    subject,
                    format!("there is none in {} of account {}", spec.region, spec.account_id),
                )
                .run("see which there are", aws(spec, "eks", "list-clusters"))
                .run("see whose account it is", ["aws", "sts", "get-caller-identity"])
                .fix("give its name, its region and the profile of its account; without --existing-cluster `karpctl bootstrap` makes one"),
            }]);
        };
        let why =
            aws(spec, "eks", "describe-cluster").into_iter().chain(["--name", spec.cluster_name.as_str(), "--query", "cluster.health"]);
        let status = cluster.status.as_str();
        Ok(vec![match status {
            // Of Auto Mode the check auto-mode tells: --existing-cluster is no way round it.
            "ACTIVE" | "CREATING" | "UPDATING" | "PENDING"
                if spec.cluster == ClusterMode::Managed && !cluster.auto_mode && is_strangers(spec, situation.facts, cluster) =>
            {
                read(&subject, &situation.facts.eksctl_stack)?;
                let message = format!("is {status}, and neither karpctl nor eksctl made it: `karpctl bootstrap` refuses it");
                Judgement::warn(subject, message).fix(
                    "with --existing-cluster (existingCluster in the spec file) it is worked with as it is, and never changed or deleted",
                )
            }
            "ACTIVE" if cluster.issues.is_empty() => Judgement::pass(subject, "is ACTIVE"),
            "ACTIVE" => {
                let message = format!(
                    "is ACTIVE, and EKS may refuse to change its control plane until this is mended: {}",
                    cluster.issues.join("; ")
                );
                Judgement::warn(subject, message).run("see what EKS says, and of which resources", why)
            }
            "CREATING" | "UPDATING" | "PENDING" => {
                Judgement::warn(subject, format!("is {status}: `karpctl bootstrap` waits for it")).heals().run("see how it stands", why)
            }
            "FAILED" if spec.cluster == ClusterMode::Managed => Judgement::warn(subject, "is FAILED, and takes nothing")
                .run("see why", why)
                .fix("`karpctl bootstrap` deletes it and makes it anew, where it is karpctl's own"),
            _ => Judgement::fail(subject, format!("is {status}, and takes nothing"))
                .run("see why", why)
                .fix("wait until it is gone, or name another cluster"),
        }])
    }
}
