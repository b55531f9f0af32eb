//! What stands around the cluster and is looked at by a doctor only.

use super::{ProbeContext, failed, said};
use crate::error::Result;
use crate::facts::{AmiFacts, Facts, IamSummary, NodeGroupFacts, Probed, QueueFacts, RuleFacts, SelectionFacts};
use crate::knowledge::Release;
use crate::render;
use crate::spec::{Architecture, DISCOVERY_TAG, QueueName};

pub(super) async fn iam_summary(context: &ProbeContext<'_>) -> Probed<IamSummary> {
    context.ports.aws.iam_summary().await.map_or_else(|e| failed(&e), Probed::Known)
}

/// What the selectors of the node class find, which karpctl always writes by the discovery tag.
pub(super) async fn selection(context: &ProbeContext<'_>) -> Probed<SelectionFacts> {
    let aws = &context.ports.aws;
    let tag = (DISCOVERY_TAG, context.spec.cluster_name.as_str());
    let (subnets, security_groups) = tokio::join!(aws.tagged_subnets(tag), aws.tagged_security_groups(tag));
    let both = || -> Result<SelectionFacts> { Ok(SelectionFacts { subnets: subnets?, security_groups: security_groups? }) };
    both().map_or_else(|e| failed(&e), Probed::Known)
}

pub(super) async fn node_groups(context: &ProbeContext<'_>) -> Probed<Vec<NodeGroupFacts>> {
    context.ports.aws.node_groups(context.spec.cluster_name.as_str()).await.map_or_else(|e| failed(&e), Probed::Known)
}

/// The images behind the alias that the node class gets, of x86-64 and of Arm. Not asked where the release knows no aliases, and of an
/// architecture that the node pool does not take.
pub(super) async fn amis(context: &ProbeContext<'_>) -> (Probed<AmiFacts>, Probed<AmiFacts>) {
    tokio::join!(ami(context, Architecture::Amd64), ami(context, Architecture::Arm64))
}

async fn ami(context: &ProbeContext<'_>, architecture: Architecture) -> Probed<AmiFacts> {
    let taken = render::pool_architectures(context.spec).contains(&architecture);
    let Some(parameter) = render::ami_parameter(context.spec, architecture).filter(|_| taken) else { return Probed::NotAsked };
    match said(context.ports.aws.ami_name(&parameter).await) {
        Probed::Known(image) => Probed::Known(AmiFacts { parameter, image: Some(image) }),
        Probed::Absent => Probed::Known(AmiFacts { parameter, image: None }),
        Probed::Unavailable(reason) => Probed::Unavailable(reason),
        Probed::NotAsked => Probed::NotAsked,
    }
}

/// The queue of this name, with its key where that is not AWS's own.
async fn queue_with_key(context: &ProbeContext<'_>, name: &str) -> Result<Option<QueueFacts>> {
    let aws = &context.ports.aws;
    let Some(mut queue) = aws.queue(name).await? else { return Ok(None) };
    if let Some(key) = queue.key.as_deref().filter(|key| !key.contains("alias/aws/")) {
        queue.key_facts = Box::new(said(aws.key(key).await));
    }
    Ok(Some(queue))
}

/// The interruption queue, and the rules that send to it. Not asked where the release has none.
pub(super) async fn queue(context: &ProbeContext<'_>) -> (Probed<QueueFacts>, Probed<Vec<RuleFacts>>) {
    let (aws, spec) = (&context.ports.aws, context.spec);
    if !spec.release.features().interruption_queue || !spec.has_queue() {
        return (Probed::NotAsked, Probed::NotAsked);
    }
    let (name, arn) = (spec.queue_name(), spec.queue_arn());
    let (queue, rules) = tokio::join!(queue_with_key(context, &name), aws.rules_to(arn.as_str()));
    (said(queue), rules.map_or_else(|e| failed(&e), Probed::Known))
}

/// The queue that the live release names. Asked where karpctl does not know which it is: its own stack is not there, and nobody named another.
pub(super) async fn told_queue(context: &ProbeContext<'_>, facts: &Facts) -> Probed<QueueFacts> {
    let spec = context.spec;
    let Some(live) = facts.chart_release.known().filter(|_| spec.made_elsewhere.is_none() && facts.stack == Probed::Absent) else {
        return Probed::NotAsked;
    };
    let path = live.chart_version.parse::<Release>().ok().and_then(|release| release.features().interruption_queue_path());
    let told = path.and_then(|path| live.given(path)?.as_str()?.parse::<QueueName>().ok());
    match told {
        Some(name) if name.as_str() == spec.queue_name() => facts.queue.clone(),
        Some(name) => said(context.ports.aws.queue(name.as_str()).await),
        None => Probed::NotAsked,
    }
}
