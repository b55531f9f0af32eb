//! What is done about a whole cluster: made, or deleted.

use super::StepContext;
use super::context::owner_tags;
use super::eksctl_stage::Stages;
use super::stack_watch::{Watch, held, token, with_failures_of};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Probed, StackFacts};
use crate::knowledge::IamRefusal;
use crate::ports::ObjectKind;
use crate::probe::cluster::{cluster_stack_name, node_group_stack_name};
use crate::probe::kinds::cluster_wide;
use crate::render::{self, ConfigScope, EksctlAbilities};
use crate::spec::Spec;
use std::time::Duration;

/// How long a new API server may take until it answers with the creator's access in place.
const ANSWERS: Duration = Duration::from_mins(5);

/// What eksctl says where it may not list Fargate profiles.
const NO_FARGATE: &str = "either account is not authorized to use Fargate";

/// What the eksctl at hand knows.
pub(super) async fn abilities(context: &StepContext<'_>) -> Result<EksctlAbilities> {
    let version = match context.facts.eksctl.known() {
        Some(eksctl) => Some(eksctl.version.clone()),
        None => context.ports.eksctl.facts().await?.map(|f| f.version),
    };
    Ok(version.as_ref().map(EksctlAbilities::of).unwrap_or_default())
}

/// The file that eksctl is given: without what karpctl makes itself, and with karpctl's tag. eksctl puts its tags on the cluster
/// and its stacks: by them karpctl knows what it had made.
pub(crate) fn cluster_config_of_bootstrap(spec: &Spec, eksctl: EksctlAbilities) -> Result<String> {
    eksctl_config(spec, ConfigScope::ClusterOnly, eksctl)
}

pub(super) fn eksctl_config(spec: &Spec, scope: ConfigScope, eksctl: EksctlAbilities) -> Result<String> {
    let spec = Spec { tags: owner_tags(spec), ..spec.clone() };
    render::cluster_config(&spec, scope, &eksctl)
}

pub(super) async fn create(context: &StepContext<'_>) -> Result<()> {
    let config = cluster_config_of_bootstrap(context.spec, abilities(context).await?)?;
    context.doing(format!("eksctl creates the cluster {}", context.spec.cluster_name));
    let stages = Stages::default();
    let said = |line: &str| {
        if let Some(stage) = stages.begun_by(line) {
            (context.say)(stage);
        }
        context.foreign("eksctl", line);
    };
    let made = context.ports.eksctl.create_cluster(&config, &said, context.cancel).await;
    or_why(context, made).await
}

/// What eksctl came to, with what CloudFormation says of its stacks where it failed.
pub(super) async fn or_why(context: &StepContext<'_>, ended: Result<()>) -> Result<()> {
    let stacks: Vec<String> = std::iter::once(cluster_stack_name(context.spec)).chain(node_group_stack_name(context.spec)).collect();
    match ended {
        Err(error) if error.kind != ErrorKind::Interrupted => Err(with_failures_of(context, &stacks, error).await),
        ended => ended,
    }
}

/// eksctl's stacks that eksctl would leave alone, in the order in which they go: all of them where the cluster never came to be, and that of
/// a node group which could not be deleted before, because eksctl passes over it and then cannot delete the cluster's.
pub(super) fn stacks_left<'a>(spec: &Spec, facts: &'a Facts) -> Vec<(String, &'a StackFacts)> {
    let group = node_group_stack(spec, facts);
    if matches!(facts.cluster, Probed::Absent) {
        let cluster = facts.eksctl_stack.known().map(|stack| (cluster_stack_name(spec), stack));
        // That of the cluster exports what the others import.
        let others = facts.eksctl_others.known().into_iter().flatten().map(|stack| (stack.name().to_owned(), stack));
        return others.chain(group).chain(cluster).filter(|(_, stack)| !stack.is_gone()).collect();
    }
    group.into_iter().filter(|(_, stack)| stack.stays()).collect()
}

/// Deletes a cluster, or what there is of it.
pub(super) async fn delete(context: &StepContext<'_>, facts: &Facts) -> Result<()> {
    let spec = context.spec;
    for (name, stack) in stacks_left(spec, facts) {
        context.doing(format!("deleting the stack {name}, which is {}", stack.status));
        delete_stack(context, &name, stack).await?;
    }
    if matches!(facts.cluster, Probed::Absent) {
        return Ok(());
    }
    context.doing(format!("eksctl deletes the cluster {}", spec.cluster_name));
    let said = |line: &str| {
        if line.starts_with(NO_FARGATE) {
            context.warn(
                "eksctl may not list the cluster's Fargate profiles, and goes on as if there were none: if there are, they hold the cluster until \
                 `eks:ListFargateProfiles` is allowed",
            );
        }
        context.foreign("eksctl", line);
    };
    let deleted = context.ports.eksctl.delete_cluster(spec.cluster_name.as_str(), spec.region.as_str(), &said, context.cancel).await;
    or_why(context, deleted).await
}

/// Waits until the API server answers: EKS says ACTIVE before DNS and access entries are everywhere.
pub(super) async fn wait_for_api(context: &StepContext<'_>, facts: &Facts) -> Result<()> {
    let kube = StepContext { facts, ..*context }.kube().await?;
    let system = cluster_wide(&ObjectKind::new("v1", "namespaces"), "kube-system");
    let deadline = tokio::time::Instant::now() + ANSWERS;
    loop {
        let error = match kube.get(&system).await {
            Ok(_) => return Ok(()),
            Err(e) if matches!(e.kind, ErrorKind::Unreachable | ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::Timeout) => e,
            Err(e) => return Err(e),
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(error.within(format!("the API server of cluster {} does not answer", context.spec.cluster_name)));
        }
        context.doing("waiting for the API server to answer");
        context.pause(Duration::from_secs(3)).await?;
    }
}

/// Deletes a stack of eksctl's, which protects all that it makes.
pub(super) async fn delete_stack(context: &StepContext<'_>, name: &str, stack: &StackFacts) -> Result<()> {
    let mut watch = Watch::begin(context, &stack.id).await;
    context.ports.aws.unprotect_stack(name).await?;
    context.ports.aws.delete_stack(name, &token()).await?;
    let rested = watch.follow(context, Some("DELETE_")).await?;
    if rested.as_ref().is_none_or(StackFacts::is_gone) {
        return Ok(());
    }
    let error = Error::failed(format!("cannot delete the stack {name}"));
    let failure = watch.first_failure().or_else(|| rested.and_then(|stack| stack.status_reason));
    let error = failure.iter().fold(error, Error::because);
    let error = held(context.spec, failure.as_deref()).into_iter().fold(error, Error::hint);
    Err(failure.as_deref().and_then(IamRefusal::read).iter().fold(error, |e, refusal| e.hint(refusal.help())))
}

pub(super) fn node_group_stack<'a>(spec: &Spec, facts: &'a Facts) -> Option<(String, &'a StackFacts)> {
    node_group_stack_name(spec).zip(facts.eksctl_node_group.known())
}
