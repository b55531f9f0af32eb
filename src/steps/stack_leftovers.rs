//! What Karpenter made in the account and leaves behind: instance profiles that hold the node role, and launch templates. So does the stack of a
//! release before, whose instance profile CloudFormation let go of where it could not delete it.

use super::StepContext;
use crate::error::Result;
use crate::facts::StackFacts;
use crate::ports::InstanceProfile;
use crate::probe::earlier::{is_of_region, launch_templates, named_for};
use crate::render::has_instance_profile;
use crate::spec::Spec;

/// Removes the instance profiles and launch templates that Karpenter made for this cluster. `stack` is the one that makes the node role: where it has made
/// none, a role of that name is that of another region's cluster, and so is what holds it.
pub(super) async fn clear_leftovers(context: &StepContext<'_>, stack: Option<&StackFacts>) -> Result<()> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    let has_role = stack.is_some_and(|stack| !stack.has_nothing());
    for profile in aws.instance_profiles().await?.into_iter().filter(|profile| !is_of_stack(spec, profile) || !has_instance_profile(spec)) {
        let holds = profile.roles.contains(&spec.node_role_name());
        if holds && !has_role {
            continue;
        }
        // Only the whole path or name tells whose it is: another cluster's Karpenter may have been given this node role, and a removal
        // that was broken off may have taken the role out.
        let of_earlier = is_of_stack(spec, &profile);
        if (holds || profile.roles.is_empty())
            && (of_earlier || named_for(spec, &profile) && is_of_region(spec, aws.as_ref(), &profile).await?)
        {
            let made = if of_earlier { "which the stack of another release made" } else { "which Karpenter made" };
            context.doing(format!("removing the instance profile {}, {made}", profile.name));
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

/// Whether it is called as the stack calls its own. Where the stack of the release has none, it is left of one that had.
fn is_of_stack(spec: &Spec, profile: &InstanceProfile) -> bool {
    profile.name == spec.instance_profile_name()
}
