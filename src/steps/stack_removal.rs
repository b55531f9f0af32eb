//! What keeps the stack from going: somebody protects it, has put what is theirs into it, or holds its role. `CloudFormation` would delete the one, and fail
//! at the others last of all, when what works by the stack is gone.

use super::StepContext;
use super::stack_owner::commands_without_it;
use crate::error::{Error, Result};
use crate::facts::{Facts, Probed, RoleFacts, RoleTies, StackFacts, StackStanding};
use crate::render;
use crate::shell::quoted;
use crate::spec::Spec;
use crate::wording::{first, named};

/// The most things of a kind that are named, and the most commands.
const SHOWN: usize = 6;

/// Why a removal is not begun where somebody protects our stack from being deleted: CloudFormation would refuse it last, when all that works by
/// it is gone.
pub(crate) fn refused_by_protection(spec: &Spec, facts: &Facts) -> Option<Error> {
    let name = spec.stack_name();
    facts.stack.known().filter(|stack| stack.protected && !stack.is_gone() && spec.owns(&stack.tags) && spec.made_elsewhere.is_none())?;
    Some(
        Error::refused(format!("the stack {name} cannot be deleted; nothing was changed"))
            .because("its termination protection is on: CloudFormation would refuse to delete it, after all that works by it")
            .hint(format!(
                "where it is to go, take that off: `aws cloudformation update-termination-protection --region {} --stack-name {name} \
                 --no-enable-termination-protection`",
                spec.region
            )),
    )
}

/// The same where it is ours, and what its owner put into it would go with it, or others hold its role: they decide first. What could not be
/// looked at refuses nothing.
///
/// # Errors
///
/// The refusal, with the commands that let the stack go.
pub fn refused_by_others(spec: &Spec, facts: &Facts) -> Result<()> {
    let ours = |stack: &&StackFacts| spec.owns(&stack.tags) && !stack.is_gone() && !stack.is_going() && spec.made_elsewhere.is_none();
    let Some(stack) = facts.stack.known().filter(ours) else { return Ok(()) };
    let (name, template) = (spec.stack_name(), stack.template.as_deref().unwrap_or_default());
    // Of one that is half gone those that are still there.
    let is_there = |id: &String| !stack.is_broken() || stack.resources.contains_key(id);
    let theirs: Vec<(String, String)> = render::resources_of_others(spec, template)?.into_iter().filter(|(id, _)| is_there(id)).collect();
    let held = match (&facts.node_role, &facts.node_role_ties) {
        (Probed::Known(role), Probed::Known(ties)) => holders(spec, stack, role, ties),
        _ => Vec::new(),
    };
    if theirs.is_empty() && held.is_empty() {
        return Ok(());
    }
    let mut error = Error::refused(format!("the stack {name} is not deleted; nothing was changed"));
    if !theirs.is_empty() {
        let shown = theirs.iter().map(|(id, kind)| match stack.resources.get(id) {
            Some(physical) => format!("{id} ({kind} {physical})"),
            None => format!("{id} ({kind})"),
        });
        error = error.because(format!("its owner has put into it what would go with it: {}", named(shown, SHOWN)));
        let ids: Vec<String> = theirs.into_iter().map(|(id, _)| id).collect();
        error = ways_out(spec, stack, &ids).into_iter().fold(error, Error::hint);
    }
    if !held.is_empty() {
        let holders = named(held.iter().map(|holder| &holder.what), SHOWN);
        error = error.because(format!(
            "IAM deletes no role that others hold, and CloudFormation would fail at it after all that works by the stack is gone: {holders}"
        ));
        error = held.into_iter().take(SHOWN).map(|holder| holder.hint).fold(error, Error::hint);
    }
    Err(error)
}

/// What lets a stack go that has what is its owner's.
fn ways_out(spec: &Spec, stack: &StackFacts, ids: &[String]) -> Vec<String> {
    let (region, name) = (&spec.region, spec.stack_name());
    let delete = format!("aws cloudformation delete-stack --region {region} --stack-name {name}");
    let goes = format!("where it may go with the stack: `{delete}`, and run this again");
    match stack.standing() {
        StackStanding::Broken if stack.stays() => {
            vec![format!("what is to stay: `{delete} --retain-resources {}`, and run this again", ids.join(" ")), goes]
        }
        StackStanding::Broken | StackStanding::Stuck => vec![goes],
        _ => vec![
            format!(
                "what is to stay: give it `DeletionPolicy: Retain` in the stack's template, deploy that, and run this again; \
                 `aws cloudformation get-template --region {region} --stack-name {name}` shows it"
            ),
            format!("where it may go: {}, and run this again", commands_without_it(spec, stack)),
        ],
    }
}

/// What IAM deletes the node role for only when it is gone, and what takes it away.
struct Holder {
    what: String,
    hint: String,
}

/// Who holds the role besides the stack that made it. What karpctl takes away itself is none.
fn holders(spec: &Spec, stack: &StackFacts, role: &RoleFacts, ties: &RoleTies) -> Vec<Holder> {
    let name = spec.node_role_name();
    let given = stack.template.as_deref().and_then(|template| render::node_role_policies(spec, template));
    let Some((attached, written)) = given else { return Vec::new() };
    let of_stack = |arn: &String| attached.contains(arn) || stack.resources.values().any(|physical| physical == arn);
    let policies = role.policies.iter().filter(|arn| !of_stack(arn)).map(|arn| Holder {
        what: format!("the policy {arn}, which is attached to {name}"),
        hint: format!("where it is no longer needed: `aws iam detach-role-policy --role-name {name} --policy-arn {}`", quoted(arn)),
    });
    let inline = ties.inline_policies.iter().filter(|policy| !written.contains(policy)).map(|policy| {
        let of_role = format!("--role-name {name} --policy-name {}", quoted(policy));
        Holder {
            what: format!("the policy {policy}, which is written into {name}"),
            hint: format!("`aws iam get-role-policy {of_role}` shows it, and `aws iam delete-role-policy {of_role}` takes it away"),
        }
    });
    let own = |profile: &&String| **profile == spec.instance_profile_name() || spec.is_profile_of_karpenter(profile);
    let profiles = ties.instance_profiles.iter().filter(|profile| !own(profile)).map(|profile| Holder {
        what: format!("the instance profile {profile}, which holds {name}"),
        hint: if profile.starts_with("eks-") {
            format!("{profile} is of a managed node group, which has the role {name}: delete the node group, or give it another role")
        } else {
            format!(
                "where no instance works with it any more: `aws iam remove-role-from-instance-profile --instance-profile-name {} --role-name {name}`",
                quoted(profile)
            )
        },
    });
    policies.chain(inline).chain(profiles).collect()
}

/// The error of a deletion that failed, with what helps against those who hold what the stack has. Where they cannot be seen, `CloudFormation`'s words
/// must do.
pub(super) async fn with_holders(context: &StepContext<'_>, error: Error) -> Error {
    let (spec, aws) = (context.spec, &context.ports.aws);
    let (name, role) = (spec.stack_name(), spec.node_role_name());
    let (stack, found, ties) = tokio::join!(aws.stack(&name, true), aws.role(&role), aws.role_ties(&role));
    let mut hints = Vec::new();
    if let (Ok(Some(stack)), Ok(Some(role)), Ok(ties)) = (stack, found, ties) {
        hints.extend(first(holders(spec, &stack, &role, &ties).into_iter().map(|holder| holder.hint), SHOWN));
    }
    for arn in render::controller_policy_arns(spec) {
        if let Ok(Some(1..)) = aws.policy_attachments(arn.as_str()).await {
            hints.push(format!("`aws iam list-entities-for-policy --policy-arn {arn}` shows who has that policy of the stack"));
        }
    }
    hints.into_iter().fold(error, Error::hint)
}
