//! What Karpenter made in the account and leaves behind: instance profiles that hold the node role, and launch templates.

use super::StepContext;
use crate::error::Result;
use crate::ports::InstanceProfile;
use crate::spec::Spec;

/// Removes the instance profiles and launch templates that Karpenter made for this cluster.
pub(super) async fn clear_leftovers(context: &StepContext<'_>) -> Result<()> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    let cluster = spec.cluster_name.as_str();
    for profile in aws.instance_profiles_of_role(&spec.node_role_name()).await? {
        if profile.name == spec.instance_profile_name() {
            continue;
        }
        if is_karpenters(spec, &profile) {
            context.doing(format!("removing the instance profile {}, which Karpenter made", profile.name));
            aws.delete_instance_profile(&profile).await?;
        } else {
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

/// Karpenter names its profiles `<cluster>_<hash>`, since 1.7 under the path `/karpenter/<region>/<cluster>/`.
fn is_karpenters(spec: &Spec, profile: &InstanceProfile) -> bool {
    profile.path.starts_with("/karpenter/") || profile.name.starts_with(&format!("{}_", spec.cluster_name))
}
