//! What Karpenter made in the account and leaves behind: instance profiles that hold the node role, and launch templates.

use super::StepContext;
use crate::error::Result;
use crate::probe::earlier::{launch_templates, named_for};

/// Removes the instance profiles and launch templates that Karpenter made for this cluster.
pub(super) async fn clear_leftovers(context: &StepContext<'_>) -> Result<()> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    for profile in aws.instance_profiles().await?.into_iter().filter(|profile| profile.name != spec.instance_profile_name()) {
        let holds = profile.roles.contains(&spec.node_role_name());
        // Only the whole path or name tells whose it is: another cluster's Karpenter may have been given this node role, and a removal
        // that was broken off may have taken the role out.
        if (holds || profile.roles.is_empty()) && named_for(spec, &profile) {
            context.doing(format!("removing the instance profile {}, which Karpenter made", profile.name));
            aws.delete_instance_profile(&profile).await?;
        } else if holds {
            context.warn(format!(
                "the instance profile {} holds the role {} and was not made by this cluster's Karpenter: while it does, the role cannot be \
                 deleted",
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
