//! What stands around the cluster and is looked at by a doctor only.

use super::{ProbeContext, said, told};
use crate::error::Result;
use crate::facts::{
    AmiFacts, Facts, FargateSelectors, IamSummary, NodeGroupFacts, ObjectFacts, Probed, QueueFacts, RuleFacts, SelectionFacts,
};
use crate::knowledge::Release;
use crate::render;
use crate::spec::{AmiAlias, Architecture, DISCOVERY_TAG, NodePool, QueueName, Spec};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn iam_summary(context: &ProbeContext<'_>) -> Probed<IamSummary> {
    told(context.ports.aws.iam_summary().await)
}

/// What the selectors of the node class find, which karpctl always writes by the discovery tag.
pub(super) async fn selection(context: &ProbeContext<'_>) -> Probed<SelectionFacts> {
    let aws = &context.ports.aws;
    let tag = (DISCOVERY_TAG, context.spec.cluster_name.as_str());
    let (subnets, security_groups) = tokio::join!(aws.tagged_subnets(tag), aws.tagged_security_groups(tag));
    let both = || -> Result<SelectionFacts> { Ok(SelectionFacts { subnets: subnets?, security_groups: security_groups? }) };
    told(both())
}

pub(super) async fn node_groups(context: &ProbeContext<'_>) -> Probed<Vec<NodeGroupFacts>> {
    Probed::of(context.ports.aws.node_groups(context.spec.cluster_name.as_str()).await.map(Some))
}

pub(super) async fn fargate_selectors(context: &ProbeContext<'_>) -> Probed<Vec<FargateSelectors>> {
    told(context.ports.aws.fargate_selectors(context.spec.cluster_name.as_str()).await)
}

/// The images behind the alias that the node class gets, of x86-64 and of Arm. Not asked where the release knows no aliases, and of an
/// architecture that the node pool does not take.
pub(super) async fn amis(context: &ProbeContext<'_>) -> (Probed<AmiFacts>, Probed<AmiFacts>) {
    tokio::join!(ami(context, Architecture::Amd64), ami(context, Architecture::Arm64))
}

async fn ami(context: &ProbeContext<'_>, architecture: Architecture) -> Probed<AmiFacts> {
    let taken = render::pool_architectures(context.spec).contains(&architecture);
    let Some(parameter) = render::ami_parameter(context.spec, architecture).filter(|_| taken) else { return Probed::NotAsked };
    image_behind(context, parameter).await
}

async fn image_behind(context: &ProbeContext<'_>, parameter: String) -> Probed<AmiFacts> {
    match said(context.ports.aws.ami_name(&parameter).await) {
        Probed::Known(image) => Probed::Known(AmiFacts { parameter, image: Some(image) }),
        Probed::Absent => Probed::Known(AmiFacts { parameter, image: None }),
        Probed::Unavailable(reason) => Probed::Unavailable(reason),
        Probed::NotAsked => Probed::NotAsked,
    }
}

/// How many aliases of node classes are asked for.
const MOST_ALIASES: usize = 16;

/// The images behind the pinned aliases of node classes that are there: each is of the Kubernetes versions of its day. That of the spec is
/// asked for anyway.
pub(super) async fn class_images(context: &ProbeContext<'_>, facts: &Facts) -> BTreeMap<String, Probed<AmiFacts>> {
    let objects = facts.objects.known().into_iter().flatten();
    let aliases: BTreeSet<AmiAlias> = objects.filter_map(ObjectFacts::pinned_alias).collect();
    let others = aliases.into_iter().filter(|alias| context.spec.node_pool.ami_alias.as_ref() != Some(alias));
    let asked = others.take(MOST_ALIASES).map(|alias| async move {
        let name = alias.to_string();
        let node_pool = NodePool { ami_alias: Some(alias), ..context.spec.node_pool.clone() };
        (name, of_any_architecture(context, &Spec { node_pool, ..context.spec.clone() }).await)
    });
    futures_util::future::join_all(asked).await.into_iter().collect()
}

/// The first image that there is behind the spec's alias; Karpenter goes on with what it finds.
async fn of_any_architecture(context: &ProbeContext<'_>, spec: &Spec) -> Probed<AmiFacts> {
    let mut last = Probed::NotAsked;
    for architecture in [Architecture::Arm64, Architecture::Amd64] {
        let Some(parameter) = render::ami_parameter(spec, architecture) else { continue };
        last = image_behind(context, parameter).await;
        if !matches!(&last, Probed::Known(AmiFacts { image: None, .. })) {
            return last;
        }
    }
    last
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
    (said(queue), told(rules))
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
