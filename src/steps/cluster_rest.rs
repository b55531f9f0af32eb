//! What an eksctl that broke off did not get to: made after it, so that the cluster is the one of an undisturbed run.

use super::StepContext;
use super::cluster::delete_stack_command;
use super::cluster_judge::{capacity, is_open, lacks_metrics_server};
use super::cluster_whole::{abilities, delete_stack, eksctl_config, node_group_stack, or_why, wait_for_api};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, StackFacts};
use crate::plan::State;
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::cluster::METRICS_SERVER;
use crate::probe::identity::AGENT;
use crate::render::{ConfigScope, NETWORK_ADDON, network_addon_policy};
use crate::spec::{ControllerCapacity, FARGATE_PROFILE, IpFamily, Spec};
use std::time::Duration;
use tokio::time::Instant;

/// Between looks at what EKS is still about.
const SETTLING: Duration = Duration::from_secs(5);

/// The add-ons without which no node becomes ready, by the objects that show that they are there in some way.
const BASE_ADDONS: [(&str, &str, &str); 3] =
    [(NETWORK_ADDON, "daemonsets", "aws-node"), ("kube-proxy", "daemonsets", "kube-proxy"), ("coredns", "deployments", "coredns")];

/// The stack of a node group that never came to be, with its name: it is in the way of another.
fn failed_node_group<'a>(spec: &Spec, facts: &'a Facts) -> Option<(String, &'a StackFacts)> {
    node_group_stack(spec, facts).filter(|(_, stack)| stack.is_broken())
}

/// Goes on where an eksctl broke off, in the order in which it works.
pub(super) async fn mend(context: &StepContext<'_>, facts: &Facts) -> Result<()> {
    let spec = context.spec;
    if matches!(capacity(spec, facts), State::Drifted(_)) {
        mend_capacity(context, facts).await?;
    }
    if lacks_metrics_server(spec, facts) {
        create_addon(context, METRICS_SERVER).await?;
    }
    if facts.cluster.known().is_some_and(|cluster| is_open(spec, cluster)) {
        context.doing("closing the public endpoint of the API server");
        close_public_endpoint(context).await?;
    }
    Ok(())
}

/// EKS refuses a change of a cluster while another is under way, which the cluster's status does not always show. The other may be the
/// same, whose answer was lost.
async fn close_public_endpoint(context: &StepContext<'_>) -> Result<()> {
    let (aws, cluster) = (&context.ports.aws, context.spec.cluster_name.as_str());
    let deadline = Instant::now() + context.timeout;
    loop {
        match aws.close_public_endpoint(cluster).await {
            Err(e) if e.kind == ErrorKind::Conflict && Instant::now() < deadline => {}
            answer => return answer,
        }
        context.pause(SETTLING).await?;
        if aws.cluster(cluster).await?.is_some_and(|c| !c.public_endpoint) {
            return Ok(());
        }
    }
}

/// The shell that the same stands for. `config` writes eksctl's file.
pub(super) fn mend_commands(spec: &Spec, facts: &Facts, config: String) -> Vec<String> {
    let (cluster, region) = (&spec.cluster_name, &spec.region);
    let mut commands = Vec::new();
    if matches!(capacity(spec, facts), State::Drifted(_)) {
        commands.extend(failed_node_group(spec, facts).map(|(name, _)| delete_stack_command(spec, &name)));
        commands.push(format!("eksctl utils associate-iam-oidc-provider --cluster {cluster} --region {region} --approve"));
        if spec.ip_family == IpFamily::Ipv4 {
            let policy = network_addon_policy(spec);
            commands.push(format!(
                "eksctl create addon --cluster {cluster} --region {region} --name {NETWORK_ADDON} --attach-policy-arn {policy}"
            ));
        }
        let what = if spec.capacity == ControllerCapacity::Fargate { "fargateprofile" } else { "nodegroup" };
        commands.extend([config, format!("eksctl create {what} --config-file cluster.yaml")]);
    }
    if lacks_metrics_server(spec, facts) {
        commands.push(format!("aws eks create-addon --region {region} --cluster-name {cluster} --addon-name {METRICS_SERVER}"));
    }
    if facts.cluster.known().is_some_and(|cluster| is_open(spec, cluster)) {
        let access = "endpointPublicAccess=false,endpointPrivateAccess=true";
        commands.push(format!("aws eks update-cluster-config --region {region} --name {cluster} --resources-vpc-config {access}"));
    }
    commands
}

/// Between the control plane and what runs the controller.
async fn mend_capacity(context: &StepContext<'_>, facts: &Facts) -> Result<()> {
    let spec = context.spec;
    if let Some((name, stack)) = failed_node_group(spec, facts) {
        context.doing(format!("deleting the stack {name}, whose node group never came to be"));
        let (cluster, region, group) = (&spec.cluster_name, &spec.region, spec.node_group_name());
        delete_stack(context, &name, stack).await.map_err(|e| {
            e.hint(format!("`eksctl delete nodegroup --cluster {cluster} --region {region} --name {group}` clears the way"))
        })?;
    }
    wait_for_api(context, facts).await?;
    let eksctl = &context.ports.eksctl;
    let abilities = abilities(context).await?;
    let config = eksctl_config(spec, ConfigScope::ClusterOnly, abilities)?;
    let said = |line: &str| context.foreign("eksctl", line);
    context.doing("eksctl creates the OIDC provider, where there is none");
    eksctl.associate_oidc_provider(&config, &said, context.cancel).await?;
    let kube = StepContext { facts, ..*context }.kube().await?;
    for (addon, plural, object) in BASE_ADDONS {
        if addon == NETWORK_ADDON && abilities.default_addons {
            create_network_addon(context, &eksctl_config(spec, ConfigScope::NetworkAddon, abilities)?).await?;
        } else {
            ensure_addon(context, kube.as_ref(), addon, plural, object).await?;
        }
    }
    if spec.capacity == ControllerCapacity::Fargate {
        context.doing(format!("eksctl creates the Fargate profile {FARGATE_PROFILE}"));
        return eksctl.create_fargate_profile(&config, &said, context.cancel).await;
    }
    context.doing(format!("eksctl creates the node group {}", spec.node_group_name()));
    let made = eksctl.create_node_group(&config, &said, context.cancel).await;
    or_why(context, made).await.map_err(|e| {
        e.within(format!("cannot create the node group {} of cluster {}", spec.node_group_name(), spec.cluster_name))
            .hint(format!("`eksctl get nodegroup --cluster {} --region {}` shows what is there", spec.cluster_name, spec.region))
    })
}

/// vpc-cni has a role of its own, whose stack is eksctl's. It is made without one where there is no OIDC provider yet, and given it later: an
/// eksctl can break off between.
async fn create_network_addon(context: &StepContext<'_>, config: &str) -> Result<()> {
    let eksctl = &context.ports.eksctl;
    let said = |line: &str| context.foreign("eksctl", line);
    let was_there = context.ports.aws.addon(context.spec.cluster_name.as_str(), NETWORK_ADDON).await?.is_some();
    context.doing(format!("eksctl creates the add-on {NETWORK_ADDON} with its role"));
    eksctl.create_addons(config, &said, context.cancel).await?;
    if was_there {
        // The file has the agent, too, where the identity asks for it.
        for addon in [NETWORK_ADDON, AGENT] {
            settled(context, addon).await?;
        }
        eksctl.update_addons(config, &said, context.cancel).await?;
    }
    Ok(())
}

/// Waits until EKS takes changes of an add-on: "Addon vpc-cni cannot be updated as it is currently in CREATING state".
async fn settled(context: &StepContext<'_>, addon: &str) -> Result<()> {
    let timed_out =
        || Error::new(ErrorKind::Timeout, format!("the add-on {addon} is still being made")).hint("run karpctl again, which waits for it");
    let (aws, cluster) = (&context.ports.aws, context.spec.cluster_name.as_str());
    context
        .wait_for(SETTLING, timed_out, || async move {
            let status = aws.addon(cluster, addon).await?.map(|found| found.status);
            Ok((!matches!(status.as_deref(), Some("CREATING" | "UPDATING"))).then_some(()))
        })
        .await
}

async fn ensure_addon(context: &StepContext<'_>, kube: &dyn Kube, addon: &str, plural: &str, object: &str) -> Result<()> {
    let cluster = context.spec.cluster_name.as_str();
    let there = ObjectRef { kind: ObjectKind::new("apps/v1", plural), namespace: Some("kube-system".into()), name: object.into() };
    if kube.get(&there).await?.is_some() || context.ports.aws.addon(cluster, addon).await?.is_some() {
        return Ok(());
    }
    create_addon(context, addon).await
}

async fn create_addon(context: &StepContext<'_>, addon: &str) -> Result<()> {
    context.doing(format!("creating the add-on {addon}, which eksctl did not get to"));
    match context.ports.aws.create_addon(context.spec.cluster_name.as_str(), addon, &context.tags()).await {
        Err(e) if e.kind != ErrorKind::Conflict => Err(e),
        _ => Ok(()),
    }
}
