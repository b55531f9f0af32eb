//! Policies of the controller that another release had, and that an update of the stack left in the account.
//!
//! CloudFormation cannot delete a policy while a role has it. At the end of an update it tries three times, lets go of the policy and
//! ends well: nobody owns it from then on, and a way back fails by its name.

use super::StepContext;
use crate::error::Result;
use crate::facts::{Facts, StackFacts};
use crate::render;
use crate::spec::Spec;

/// How often a policy is looked at, while IAM may still count the role that it was taken from.
const LOOKS: u32 = 6;

/// Those that nothing holds any more: no role, and not the stack, as far as it was looked at.
pub(super) fn left<'f>(spec: &'f Spec, facts: &'f Facts) -> impl Iterator<Item = &'f String> {
    let unattached = facts.left_policies.known().map(Vec::as_slice).unwrap_or_default();
    unattached.iter().filter(|arn| facts.stack.known().is_some_and(|stack| let_go(spec, stack, arn)))
}

/// Whether our stack is at rest and has this policy no more. Its template says so: what could not be deleted may be listed still.
fn let_go(spec: &Spec, stack: &StackFacts, arn: &str) -> bool {
    let name = arn.rsplit('/').next().and_then(|name| name.strip_suffix(spec.cluster_name.as_str()));
    let names = |template: &str| name.is_none_or(|name| template.contains(name));
    spec.owns(&stack.tags) && !stack.is_busy() && stack.template.as_deref().is_some_and(|t| !names(t))
}

/// Deletes the policies of other releases that the role just had, or that were found left, where the stack has let go of them.
pub(super) async fn clear(context: &StepContext<'_>, taken_off: &[String]) -> Result<()> {
    let (spec, facts) = (context.spec, context.facts);
    let taken_off = taken_off.iter().filter(|arn| facts.stack.known().is_some_and(|stack| let_go(spec, stack, arn)));
    for arn in taken_off.chain(left(spec, facts)) {
        if is_unused(context, arn, LOOKS).await? {
            delete(context, arn).await?;
        }
    }
    Ok(())
}

/// The same on the way back, before the role goes, by which a run that was broken off knows that there may be some. What the stack still
/// has is left to it.
pub(super) async fn clear_before_removal(context: &StepContext<'_>, taken_off: &[String]) -> Result<()> {
    let spec = context.spec;
    let mut unused = Vec::new();
    for arn in render::other_controller_policy_arns(spec).iter().map(ToString::to_string) {
        let was_ours = taken_off.contains(&arn);
        let looks = if was_ours { LOOKS } else { 1 };
        match is_unused(context, &arn, looks).await {
            Ok(true) => unused.push(arn),
            Ok(false) => {}
            Err(e) => context.warn(format!("the policy {arn} may be left of another release, and stays: it was not looked at: {e}")),
        }
    }
    if unused.is_empty() {
        return Ok(());
    }
    let stack = match context.ports.aws.stack(&spec.stack_name(), true).await {
        Ok(stack) => stack,
        Err(e) => {
            let all = unused.join(", ");
            context.warn(format!("{all} may be left of another release, and stays: whether the stack has it was not looked at: {e}"));
            return Ok(());
        }
    };
    for arn in unused.iter().filter(|arn| stack.as_ref().is_none_or(|stack| let_go(spec, stack, arn))) {
        delete(context, arn).await?;
    }
    Ok(())
}

async fn delete(context: &StepContext<'_>, arn: &str) -> Result<()> {
    context.doing(format!("deleting the policy {arn}, which was another release's"));
    context.ports.aws.delete_policy(arn).await
}

/// Whether there is such a policy and nothing has it. Where somebody else does, that is said.
async fn is_unused(context: &StepContext<'_>, arn: &str, looks: u32) -> Result<bool> {
    for look in 1..=looks {
        match context.ports.aws.policy_attachments(arn).await? {
            None => return Ok(false),
            Some(0) => return Ok(true),
            Some(_) if look < looks => context.pause(super::BRIEF).await?,
            Some(_) => context.warn(format!("the policy {arn} was another release's and stays: something else has it attached")),
        }
    }
    Ok(false)
}
