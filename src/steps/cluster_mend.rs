//! What is done about a cluster: made, deleted, or gone on with where an eksctl broke off.

use super::StepContext;
use super::cluster_judge::is_failed;
use super::context::owner_tags;
use super::eksctl_stage::Stages;
use super::stack_watch::{Watch, token, with_failures_of};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Probed, StackFacts};
use crate::knowledge::IamRefusal;
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::cluster::{cluster_stack_name, node_group_stack_name};
use crate::probe::kinds::cluster_wide;
use crate::render::{self, ConfigScope, EksctlAbilities};
use crate::spec::{ControllerCapacity, FARGATE_PROFILE, Spec};
use std::time::Duration;

/// How long a new API server may take until it answers with the creator's access in place.
const ANSWERS: Duration = Duration::from_mins(5);

/// What eksctl says where it may not list Fargate profiles.
const NO_FARGATE: &str = "either account is not authorized to use Fargate";

async fn config(context: &StepContext<'_>) -> Result<String> {
    let version = match context.facts.eksctl.known() {
        Some(eksctl) => Some(eksctl.version.clone()),
        None => context.ports.eksctl.facts().await?.map(|f| f.version),
    };
    let abilities = version.as_ref().map(EksctlAbilities::of).unwrap_or_default();
    cluster_config_of_bootstrap(context.spec, abilities)
}

/// The file that eksctl is given: without what karpctl makes itself, and with karpctl's tag. eksctl puts its tags on the cluster
/// and its stacks: by them karpctl knows what it had made.
pub(crate) fn cluster_config_of_bootstrap(spec: &Spec, eksctl: EksctlAbilities) -> Result<String> {
    let mut spec = spec.clone();
    spec.tags = owner_tags(&spec);
    render::cluster_config(&spec, ConfigScope::ClusterOnly, &eksctl)
}

pub(super) async fn create(context: &StepContext<'_>) -> Result<()> {
    let config = config(context).await?;
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
async fn or_why(context: &StepContext<'_>, ended: Result<()>) -> Result<()> {
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
        return group.into_iter().chain(cluster).filter(|(_, stack)| stack.status != "DELETE_COMPLETE").collect();
    }
    group.into_iter().filter(|(_, stack)| stack.status == "DELETE_FAILED").collect()
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
async fn delete_stack(context: &StepContext<'_>, name: &str, stack: &StackFacts) -> Result<()> {
    let mut watch = Watch::begin(context, &stack.id).await;
    context.ports.aws.unprotect_stack(name).await?;
    context.ports.aws.delete_stack(name, &token()).await?;
    let rested = watch.follow(context, Some("DELETE_")).await?;
    if rested.is_none_or(|s| s.status == "DELETE_COMPLETE") {
        return Ok(());
    }
    let error = Error::failed(format!("cannot delete the stack {name}"));
    let error = watch.first_failure().iter().fold(error, Error::because);
    Err(watch.first_failure().as_deref().and_then(IamRefusal::read).iter().fold(error, |e, refusal| e.hint(refusal.help())))
}

/// The add-ons without which no node becomes ready, by the objects that show that they are there in some way.
const BASE_ADDONS: [(&str, &str, &str); 3] =
    [("vpc-cni", "daemonsets", "aws-node"), ("kube-proxy", "daemonsets", "kube-proxy"), ("coredns", "deployments", "coredns")];

/// The stack of a node group that never came to be, with its name: it is in the way of another.
pub(super) fn failed_node_group<'a>(spec: &Spec, facts: &'a Facts) -> Option<(String, &'a StackFacts)> {
    node_group_stack(spec, facts).filter(|(_, stack)| is_failed(stack))
}

fn node_group_stack<'a>(spec: &Spec, facts: &'a Facts) -> Option<(String, &'a StackFacts)> {
    node_group_stack_name(spec).zip(facts.eksctl_node_group.known())
}

/// Goes on where an eksctl broke off between the control plane and what runs the controller.
pub(super) async fn mend_capacity(context: &StepContext<'_>, facts: &Facts) -> Result<()> {
    let spec = context.spec;
    if let Some((name, stack)) = failed_node_group(spec, facts) {
        context.doing(format!("deleting the stack {name}, whose node group never came to be"));
        let (cluster, region, group) = (&spec.cluster_name, &spec.region, spec.node_group_name());
        delete_stack(context, &name, stack).await.map_err(|e| {
            e.hint(format!("`eksctl delete nodegroup --cluster {cluster} --region {region} --name {group}` clears the way"))
        })?;
    }
    wait_for_api(context, facts).await?;
    let kube = StepContext { facts, ..*context }.kube().await?;
    for (addon, plural, object) in BASE_ADDONS {
        ensure_addon(context, kube.as_ref(), addon, plural, object).await?;
    }
    let config = config(context).await?;
    if spec.capacity == ControllerCapacity::Fargate {
        context.doing(format!("eksctl creates the Fargate profile {FARGATE_PROFILE}"));
        return context.ports.eksctl.create_fargate_profile(&config, &|line| context.foreign("eksctl", line), context.cancel).await;
    }
    context.doing(format!("eksctl creates the node group {}", spec.node_group_name()));
    let made = context.ports.eksctl.create_node_group(&config, &|line| context.foreign("eksctl", line), context.cancel).await;
    or_why(context, made).await.map_err(|e| {
        e.within(format!("cannot create the node group {} of cluster {}", spec.node_group_name(), spec.cluster_name))
            .hint(format!("`eksctl get nodegroup --cluster {} --region {}` shows what is there", spec.cluster_name, spec.region))
    })
}

async fn ensure_addon(context: &StepContext<'_>, kube: &dyn Kube, addon: &str, plural: &str, object: &str) -> Result<()> {
    let cluster = context.spec.cluster_name.as_str();
    let there = ObjectRef { kind: ObjectKind::new("apps/v1", plural), namespace: Some("kube-system".into()), name: object.into() };
    if kube.get(&there).await?.is_some() || context.ports.aws.addon(cluster, addon).await?.is_some() {
        return Ok(());
    }
    context.doing(format!("creating the add-on {addon}, which eksctl did not get to"));
    match context.ports.aws.create_addon(cluster, addon, &context.tags()).await {
        Err(e) if e.kind != ErrorKind::Conflict => Err(e),
        _ => Ok(()),
    }
}
