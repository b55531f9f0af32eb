//! What Karpenter made in the account and leaves behind: instance profiles that hold the node role, and launch templates.

use super::StepContext;
use crate::error::Result;
use crate::ports::InstanceProfile;
use crate::probe::earlier::{launch_templates, named_for};
use crate::spec::Spec;

/// Removes the instance profiles and launch templates that Karpenter made for this cluster.
pub(super) async fn clear_leftovers(context: &StepContext<'_>) -> Result<()> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    for profile in aws.instance_profiles().await?.into_iter().filter(|profile| profile.name != spec.instance_profile_name()) {
        let holds = profile.roles.contains(&spec.node_role_name());
        // Whether a removal was broken off after it had taken the node role out of a profile of this cluster's Karpenter: without a
        // role, only the whole path or name tells whose it is.
        let has_lost_its_role = profile.roles.is_empty() && named_for(spec, &profile);
        if holds && is_karpenters(spec, &profile) || has_lost_its_role {
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
    for name in launch_templates(spec, aws.as_ref()).await? {
        context.doing(format!("removing the launch template {name}, which Karpenter made"));
        aws.delete_launch_template(&name).await?;
    }
    Ok(())
}

/// Karpenter names its profiles `<cluster>_<hash>`, since 1.7 under the path `/karpenter/<region>/<cluster>/`.
fn is_karpenters(spec: &Spec, profile: &InstanceProfile) -> bool {
    profile.path.starts_with("/karpenter/") || profile.name.starts_with(&format!("{}_", spec.cluster_name))
}
