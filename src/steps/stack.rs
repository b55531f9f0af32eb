//! The CloudFormation stack of the guide: node role, controller policies, interruption queue.

use super::context::owner_tags;
use super::looked::{Refusal, foreign, looked};
use super::shell::{pairs, render_command};
use super::stack_differences::{differences, parameters, wanted, with_those_of_others};
use super::stack_leftovers::clear_leftovers;
use super::stack_owner::{drifted_or_refused, foreign_or_refused, refused_as_extended, refused_as_extended_since};
use super::stack_removal::with_holders;
use super::stack_watch::{Watch, token};
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Probed, StackFacts, StackStanding, Topic};
use crate::knowledge::IamRefusal;
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::ChangeStack;
use crate::render;
use crate::spec::Spec;
use async_trait::async_trait;
use std::time::Duration;

/// See the module.
pub(super) struct Stack;

/// The most rounds of looking and doing: busy, then broken, then absent, then there, and one more.
const ROUNDS: u32 = 6;

#[async_trait]
impl Step for Stack {
    fn id(&self) -> StepId {
        StepId::Stack
    }

    fn title(&self, spec: &Spec) -> String {
        format!("stack {}", spec.stack_name())
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        Vec::new()
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Stack, Topic::NodeRoleInTheWay]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::StackStatus]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        75
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.made_elsewhere.is_some() {
            return State::NotWanted;
        }
        match judge(spec, &facts.stack) {
            State::Absent => in_its_way(spec, facts).map_or(State::Absent, State::from),
            state @ State::Broken(_) if facts.stack.known().is_some_and(StackFacts::has_nothing) => {
                in_its_way(spec, facts).map_or(state, State::from)
            }
            state @ State::Foreign { .. } => facts.stack.known().map_or(state.clone(), |stack| foreign_or_refused(spec, stack, state)),
            state => state,
        }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        match looked(&facts.stack) {
            _ if spec.made_elsewhere.is_some() => State::NotWanted,
            // What cannot be updated any more can still be deleted.
            Ok(Some(found))
                if !is_foreign(spec, found) && matches!(standing(spec, Some(found)), Standing::Settled | Standing::Stuck(_)) =>
            {
                State::Present
            }
            _ => judge(spec, &facts.stack),
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let (region, name, role, cluster) = (&spec.region, spec.stack_name(), spec.node_role_name(), &spec.cluster_name);
        let delete = [
            format!("aws cloudformation delete-stack --region {region} --stack-name {name}"),
            format!("aws cloudformation wait stack-delete-complete --region {region} --stack-name {name}"),
        ];
        let keeps = render::has_instance_profile(spec);
        match direction {
            Direction::Apply => {
                let mut commands = Vec::new();
                let over = facts.stack.known().filter(|found| wanted(spec, found).ok() != render::cloudformation(spec).ok());
                let what = if over.is_some() {
                    commands.push(format!(
                        "aws cloudformation get-template --region {region} --stack-name {name} --query TemplateBody --output json > deployed.json"
                    ));
                    "cloudformation --deployed deployed.json"
                } else {
                    "cloudformation"
                };
                commands.push(render_command(spec, what, "cloudformation.yaml"));
                let is_broken = |found: &StackFacts| !is_foreign(spec, found) && matches!(standing(spec, Some(found)), Standing::Broken);
                if facts.stack.known().is_some_and(is_broken) {
                    commands.extend(delete);
                }
                commands.push(format!(
                    "aws cloudformation deploy --region {region} --stack-name {name} --template-file cloudformation.yaml \
                     --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --parameter-overrides ClusterName={cluster} --tags {}",
                    pairs(&with_those_of_others(facts.stack.known(), owner_tags(spec)))
                ));
                commands
            }
            Direction::Remove => [
                format!(
                    "for p in $(aws iam list-instance-profiles-for-role --role-name {role} --query 'InstanceProfiles[?InstanceProfileName{}`{}` {} (starts_with(Path, `/karpenter/{region}/{cluster}/`) || Path == `/` && starts_with(InstanceProfileName, `{cluster}_`))].InstanceProfileName' --output text); do \
                     aws iam remove-role-from-instance-profile --instance-profile-name \"$p\" --role-name {role}; aws iam delete-instance-profile --instance-profile-name \"$p\"; done",
                    if keeps { "!=" } else { "==" },
                    spec.instance_profile_name(),
                    if keeps { "&&" } else { "||" },
                ),
                format!(
                    "for t in $(aws ec2 describe-launch-templates --region {region} --filters 'Name=tag:eks:eks-cluster-name,Values={cluster}' --query 'LaunchTemplates[].LaunchTemplateName' --output text) \
                     $(aws ec2 describe-launch-templates --region {region} --filters 'Name=tag:karpenter.k8s.aws/cluster,Values={cluster}' --query 'LaunchTemplates[].LaunchTemplateName' --output text); do \
                     aws ec2 delete-launch-template --region {region} --launch-template-name \"$t\"; done"
                ),
            ]
            .into_iter()
            .chain(delete)
            .collect(),
        }
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match &facts.chart_release {
            Probed::Unavailable(reason)
                if direction == Direction::Apply
                    && facts.cluster.known().is_some()
                    && matches!(self.assess(spec, facts), State::Drifted(_)) =>
            {
                vec![format!(
                    "whether a Karpenter of another release works by the stack, and loses permissions, was not looked at: {reason}"
                )]
            }
            _ => Vec::new(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let spec = context.spec;
        let adopt = action == Action::Adopt || context.adopts();
        let mut change = ChangeStack {
            name: spec.stack_name(),
            template: render::cloudformation(spec)?,
            parameters: parameters(spec),
            tags: context.tags(),
            token: token(),
        };
        let (mut updated, mut waited) = (false, false);
        for _ in 0..ROUNDS {
            let found = context.ports.aws.stack(&change.name, true).await?;
            if let Some(stack) = &found
                && is_foreign(spec, stack)
            {
                if !adopt {
                    return Err(Error::refused(not_ours(&change.name)));
                }
                if let Some(refusal) = refused_as_extended(spec, stack)? {
                    return Err(refusal.into());
                }
            }
            match (standing(spec, found.as_ref()), found) {
                (Standing::Gone, _) => match context.ports.aws.create_stack(&change).await {
                    Ok(id) => {
                        context.doing(format!("creating the stack {}", change.name));
                        match created(context, &change.name, &id).await {
                            Err(e) if !waited && is_closed_name(&e) => {
                                context
                                    .doing(format!("waiting {} s: SQS gives the name of a deleted queue away no sooner", CLOSED.as_secs()));
                                context.pause(CLOSED).await?;
                                waited = true;
                                change.token = token();
                            }
                            ended => return ended,
                        }
                    }
                    // Our own request, whose answer was lost, or somebody else's: the next look says which.
                    Err(e) if e.kind == ErrorKind::Conflict => context.pause(super::BRIEF).await?,
                    Err(e) => return Err(e),
                },
                (Standing::Stuck(refusal), _) => return Err(refusal.into()),
                (Standing::Busy, Some(stack)) => {
                    context.doing(format!("waiting for the stack {}, which is {}", change.name, stack.status));
                    Watch::begin(context, &stack.id).await.follow(context, None).await?;
                }
                (Standing::Broken, Some(stack)) => delete(context, &stack).await?,
                (Standing::Settled, Some(stack)) => {
                    // A stack that says so is not asked twice: what still differs is then for the proof to say.
                    if updated {
                        return Ok(());
                    }
                    let found = differences(spec, &stack)?;
                    if found.changes.is_empty() {
                        return Ok(());
                    }
                    if let Some(more) = found.extension {
                        return Err(refused_as_extended_since(spec, &stack, more).into());
                    }
                    updated = true;
                    update(context, &ChangeStack { template: wanted(spec, &stack)?, ..change.clone() }, &stack).await?;
                }
                (_, None) => {}
            }
        }
        Err(Error::failed(format!("the stack {} does not come to rest", change.name))
            .because("something else goes on changing it")
            .hint(format!("see what: `aws cloudformation describe-stack-events --region {} --stack-name {}`", spec.region, change.name)))
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let spec = context.spec;
        let found = context.ports.aws.stack(&spec.stack_name(), false).await?;
        if let Some(stack) = &found
            && is_foreign(spec, stack)
            && !context.adopts()
        {
            return Err(Error::refused(not_ours(&spec.stack_name())));
        }
        clear_leftovers(context, found.as_ref()).await?;
        let Some(stack) = found else { return Ok(()) };
        if stack.is_busy() {
            context.doing(format!("waiting for the stack {}, which is {}", spec.stack_name(), stack.status));
            let Some(rested) = Watch::begin(context, &stack.id).await.follow(context, None).await? else { return Ok(()) };
            return if rested.is_gone() { Ok(()) } else { delete(context, &rested).await };
        }
        delete(context, &stack).await
    }

    fn explain(&self) -> &'static str {
        "Creates the CloudFormation stack `Karpenter-<cluster>` of the getting-started guide: the role of the nodes, the \
         controller's managed policies, and the interruption queue with its event rules. karpctl makes it through the API and \
         shows the stack's events. A stack of that name without karpctl's tag (the guide's own `aws cloudformation deploy` makes \
         one) is refused until --adopt takes it over.\n\n\
         What its owner put into it since (resources, outputs, statements, properties) is not overwritten: an update that would take it away is refused, and where nothing else differs \
         nothing is to be done. What CloudFormation cannot change of a resource that bears a name, its path, stays as \
         the stack has it, and so does the instance profile of the nodes, which later releases do without: node classes may name it. A creation that was rolled back holds nothing and is deleted and made anew. \
         On the way back, instance profiles and launch templates that Karpenter made are removed first: they hold the node role."
    }
}

/// How a stack stands, for the way up.
enum Standing {
    Gone,
    Busy,
    Broken,
    Settled,
    Stuck(Refusal),
}

fn standing(spec: &Spec, stack: Option<&StackFacts>) -> Standing {
    let Some(stack) = stack else { return Standing::Gone };
    match stack.standing() {
        StackStanding::Gone => Standing::Gone,
        StackStanding::Busy => Standing::Busy,
        StackStanding::Broken => Standing::Broken,
        StackStanding::Stuck => {
            let name = spec.stack_name();
            let reason = stack.status_reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            Standing::Stuck(Refusal::new(format!("the stack {name} is {}{reason}", stack.status)).hint(format!(
                "`aws cloudformation continue-update-rollback --region {} --stack-name {name}` brings it back to where it was",
                spec.region
            )))
        }
        StackStanding::WentBack | StackStanding::HalfUpdated | StackStanding::Settled => Standing::Settled,
    }
}

/// For how long SQS takes no new queue of the name of one that was deleted (its API reference, error `QueueDeletedRecently`).
const CLOSED: Duration = Duration::from_mins(1);

fn is_closed_name(error: &Error) -> bool {
    let said = error.to_string();
    said.contains("QueueDeletedRecently") || said.contains("60 seconds after deleting a queue")
}

pub(super) fn is_foreign(spec: &Spec, stack: &StackFacts) -> bool {
    !spec.owns(&stack.tags) && !stack.is_gone()
}

fn not_ours(name: &str) -> String {
    format!("the stack {name} is there without karpctl's mark: the guide's own commands, or somebody else, made it")
}

/// The refusal of a creation that cannot end well: a role is there by the name that the stack gives its own.
fn in_its_way(spec: &Spec, facts: &Facts) -> Option<Refusal> {
    facts.node_role.known()?;
    let (role, stack, cluster, region) = (spec.node_role_name(), spec.stack_name(), &spec.cluster_name, &spec.region);
    let is = facts.stack.known().map_or("is not", |_| "has nothing");
    Some(
        Refusal::new(format!("the role {role} is there, and the stack {stack}, which makes it, {is}: its creation would fail"))
            .hint(format!(
                "IAM has a name once for all regions: where it is that of a cluster {cluster} in another region, take another cluster name"
            ))
            .hint(format!(
                "`karpctl doctor --only stack-state --cluster-name {cluster} --region {region}` says who uses it, with the commands that delete it"
            ))
            .hint("or say in the spec file whose it is (madeElsewhere): the stack is not made then"),
    )
}

fn judge(spec: &Spec, probed: &Probed<StackFacts>) -> State {
    let stack = match looked(probed) {
        Ok(stack) => stack,
        Err(state) => return state,
    };
    let Some(found) = stack else { return State::Absent };
    let reason = found.status_reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    if is_foreign(spec, found) {
        return foreign(not_ours(&spec.stack_name()), "it is updated to this template, and tagged");
    }
    match standing(spec, stack) {
        Standing::Gone => State::Absent,
        Standing::Busy => State::Busy(format!("the stack is {}{reason}", found.status)),
        Standing::Broken => State::Broken(format!("the stack is {}{reason}: it is deleted and made anew", found.status)),
        Standing::Stuck(refusal) => refusal.into(),
        Standing::Settled => match differences(spec, found) {
            Ok(differences) => drifted_or_refused(spec, found, differences),
            Err(e) => State::Unknown(e.to_string()),
        },
    }
}

async fn created(context: &StepContext<'_>, name: &str, id: &str) -> Result<()> {
    let mut watch = Watch::new(id);
    match watch.follow(context, None).await? {
        Some(stack) if stack.status == "CREATE_COMPLETE" => Ok(()),
        other => Err(failure(context.spec, &watch, other.as_ref(), &format!("cannot create the stack {name}"))
            .hint("CloudFormation has taken back what it made; the stack is deleted and made anew when karpctl runs again")),
    }
}

async fn update(context: &StepContext<'_>, change: &ChangeStack, stack: &StackFacts) -> Result<()> {
    let mut watch = Watch::begin(context, &stack.id).await;
    context.doing(format!("updating the stack {}", change.name));
    // Each update is a request of its own.
    let tags = with_those_of_others(Some(stack), change.tags.clone());
    let change = ChangeStack { token: token(), tags, ..change.clone() };
    match context.ports.aws.update_stack(&change).await {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        // Our own request, whose answer was lost, or somebody else's update: the next look says which.
        Err(e) if e.kind == ErrorKind::Conflict => return context.pause(super::BRIEF).await,
        Err(e) => return Err(e),
    }
    match watch.follow(context, None).await? {
        Some(stack) if stack.status == "UPDATE_COMPLETE" => Ok(()),
        other => Err(failure(context.spec, &watch, other.as_ref(), &format!("cannot update the stack {}", change.name))
            .hint("CloudFormation has gone back to the template before; nothing is lost")),
    }
}

async fn delete(context: &StepContext<'_>, stack: &StackFacts) -> Result<()> {
    let name = context.spec.stack_name();
    let mut watch = Watch::begin(context, &stack.id).await;
    context.doing(format!("deleting the stack {name}"));
    context.ports.aws.delete_stack(&name, &token()).await?;
    match watch.follow(context, Some("DELETE_")).await? {
        None => Ok(()),
        Some(rested) if rested.is_gone() => Ok(()),
        other => {
            let error = failure(context.spec, &watch, other.as_ref(), &format!("cannot delete the stack {name}"))
                .hint("remove what holds the resource that is named, then run karpctl again: what is deleted already stays so");
            Err(with_holders(context, error).await)
        }
    }
}

fn failure(spec: &Spec, watch: &Watch, stack: Option<&StackFacts>, message: &str) -> Error {
    let error = Error::failed(message);
    let error = match stack {
        Some(stack) => error.because(format!("the stack is {}", stack.status)),
        None => error.because("the stack is gone"),
    };
    let reason = watch.first_failure().or_else(|| stack.and_then(|s| s.status_reason.clone()));
    let error = reason.iter().fold(error, Error::because);
    match reason {
        Some(r) if r.contains("already exists") => {
            error.hint(format!(
                "it exists outside of the stack, from an earlier try, another tool or a cluster {} in another region: delete it if nothing uses it",
                spec.cluster_name
            ))
        }
        Some(r) => IamRefusal::read(&r).iter().fold(error, |error, refusal| error.hint(refusal.help())),
        None => error,
    }
}
