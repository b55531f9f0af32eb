//! What Karpenter made in the account and leaves behind: instance profiles that hold the node role, and launch templates.

use super::StepContext;
use crate::error::Result;
use crate::ports::InstanceProfile;
use crate::spec::Spec;

/// Removes the instance profiles and launch templates that Karpenter made for this cluster.
pub(super) async fn clear_leftovers(context: &StepContext<'_>) -> Result<()> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    let cluster = spec.cluster_name.as_str();
    for profile in aws.instance_profiles().await?.into_iter().filter(|profile| profile.name != spec.instance_profile_name()) {
        let holds = profile.roles.contains(&spec.node_role_name());
        if holds && is_karpenters(spec, &profile) || has_lost_its_role(spec, &profile) {
            context.doing(format!("removing the instance profile {}, which Karpenter made", profile.name));
            aws.delete_instance_profile(&profile).await?;
        } else if holds {
            context.warn(format!(
                "the instance profile {} holds the role {} and was not made by Karpenter: while it does, the role cannot be deleted",
                profile.name,
                spec.node_role_name()
            ));
        }
    }
    let tags = ["eks:eks-cluster-name", "karpenter.k8s.aws/cluster"].map(|key| (key.to_owned(), cluster.to_owned()));
    for name in aws.launch_templates(&tags).await? {
        // The tags are Karpenter's and the names too: a template of eksctl or EKS is never one of them.
        if name.starts_with("karpenter.k8s.aws/") || name.starts_with(&format!("Karpenter-{cluster}-")) {
            context.doing(format!("removing the launch template {name}, which Karpenter made"));
            aws.delete_launch_template(&name).await?;
        }
    }
    Ok(())
}

/// Whether a removal was broken off after it had taken the node role out of a profile of this cluster's Karpenter: without a role,
/// only the whole path or name tells whose it is.
fn has_lost_its_role(spec: &Spec, profile: &InstanceProfile) -> bool {
    let by_path = || profile.path.starts_with(&format!("/karpenter/{}/{}/", spec.region, spec.cluster_name));
    let hash = profile.name.strip_prefix(spec.cluster_name.as_str()).and_then(|rest| rest.strip_prefix('_'));
    let by_name = || profile.path == "/" && hash.is_some_and(|h| !h.is_empty() && h.bytes().all(|b| b.is_ascii_digit()));
    profile.roles.is_empty() && (by_path() || by_name())
}

/// Karpenter names its profiles `<cluster>_<hash>`, since 1.7 under the path `/karpenter/<region>/<cluster>/`.
fn is_karpenters(spec: &Spec, profile: &InstanceProfile) -> bool {
    profile.path.starts_with("/karpenter/") || profile.name.starts_with(&format!("{}_", spec.cluster_name))
}
