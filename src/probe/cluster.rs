//! The EKS cluster, and the stacks by which eksctl knows it as its own.

use super::{ProbeContext, failed, said, told};
use crate::facts::{AddonFacts, ClusterFacts, FargateProfileFacts, Probed, StackFacts};
use crate::knowledge::OfferedVersion;
use crate::spec::{ClusterMode, ControllerCapacity, FARGATE_PROFILE, Spec};
use futures_util::future::try_join_all;

pub(super) async fn cluster(context: &ProbeContext<'_>) -> Probed<ClusterFacts> {
    said(context.ports.aws.cluster(context.spec.cluster_name.as_str()).await)
}

/// What eksctl makes with a cluster.
#[derive(Default)]
pub(super) struct Made {
    pub(super) stack: Probed<StackFacts>,
    pub(super) node_group: Probed<StackFacts>,
    pub(super) fargate_profile: Probed<FargateProfileFacts>,
}

/// eksctl's stacks of the cluster and of its node group, and its Fargate profile.
pub(super) async fn made(context: &ProbeContext<'_>) -> Made {
    let aws = &context.ports.aws;
    let spec = context.spec;
    if spec.cluster == ClusterMode::Existing {
        // Somebody else's cluster: how it was made does not matter.
        return Made::default();
    }
    let (cluster_stack, group_stack) = (cluster_stack_name(spec), node_group_stack_name(spec));
    let group = async {
        match &group_stack {
            Some(name) => said(aws.stack(name, false).await),
            None => Probed::NotAsked,
        }
    };
    let profile = async {
        match spec.capacity {
            ControllerCapacity::Fargate => said(aws.fargate_profile(spec.cluster_name.as_str(), FARGATE_PROFILE).await),
            ControllerCapacity::NodeGroup(_) => Probed::NotAsked,
        }
    };
    let (stack, node_group, fargate_profile) = tokio::join!(aws.stack(&cluster_stack, false), group, profile);
    Made { stack: said(stack), node_group, fargate_profile }
}

/// eksctl's other stacks that karpctl's tag is on. Another cluster's name may begin with the name of this one.
pub(super) async fn others(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<Vec<StackFacts>> {
    let (spec, aws) = (context.spec, context.ports.aws.as_ref());
    if spec.cluster == ClusterMode::Existing || *cluster != Probed::Absent {
        return Probed::NotAsked;
    }
    let known: Vec<String> = std::iter::once(cluster_stack_name(spec)).chain(node_group_stack_name(spec)).collect();
    let found = async {
        let names = aws.stack_names(&format!("eksctl-{}-", spec.cluster_name)).await?;
        let others = names.into_iter().filter(|name| !known.contains(name));
        try_join_all(others.map(|name| async move { aws.stack(&name, false).await })).await
    };
    let ours = |stack: &StackFacts| spec.owns(&stack.tags) && !stack.is_gone();
    found.await.map_or_else(|e| failed(&e), |found| Probed::Known(found.into_iter().flatten().filter(ours).collect()))
}

/// The add-on that eksctl makes last.
pub(super) async fn metrics_server(context: &ProbeContext<'_>) -> Probed<AddonFacts> {
    match context.spec.cluster {
        ClusterMode::Existing => Probed::NotAsked,
        ClusterMode::Managed => said(context.ports.aws.addon(context.spec.cluster_name.as_str(), METRICS_SERVER).await),
    }
}

/// The name of that add-on.
pub(crate) const METRICS_SERVER: &str = "metrics-server";

/// The stack that eksctl makes for a cluster.
pub(crate) fn cluster_stack_name(spec: &Spec) -> String {
    format!("eksctl-{}-cluster", spec.cluster_name)
}

/// The stack that eksctl makes for the spec's node group. `None` with Fargate.
pub(crate) fn node_group_stack_name(spec: &Spec) -> Option<String> {
    match spec.capacity {
        ControllerCapacity::NodeGroup(_) => Some(format!("eksctl-{}-nodegroup-{}", spec.cluster_name, spec.node_group_name())),
        ControllerCapacity::Fargate => None,
    }
}

pub(super) async fn versions(context: &ProbeContext<'_>) -> Probed<Vec<OfferedVersion>> {
    told(context.ports.aws.cluster_versions().await)
}
