//! What shows who made the Karpenter that is there.

use super::ProbeContext;
use super::failed;
use super::kinds::Kinds;
use super::release::releases;
use crate::error::Result;
use crate::facts::{OriginFacts, Probed};
use crate::knowledge::{ROLE_ANNOTATION, value_at};
use crate::ports::{Aws, Kube, ObjectKind, ObjectRef};
use crate::spec::Spec;
use serde_json::Value;

pub(super) async fn origin(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<Box<OriginFacts>> {
    read(context, kube).await.map_or_else(|e| failed(&e), |found| Probed::Known(Box::new(found)))
}

async fn read(context: &ProbeContext<'_>, kube: &dyn Kube) -> Result<OriginFacts> {
    let (spec, aws) = (context.spec, &context.ports.aws);
    let kinds = Kinds::of(spec);
    let account = ObjectRef {
        kind: ObjectKind::new("v1", "serviceaccounts"),
        namespace: Some(spec.namespace.to_string()),
        name: spec.service_account().into(),
    };
    let stack = eksctl_stack_name(spec);
    let (pools, classes, account, stack, (chart, _)) = tokio::join!(
        kube.list(&kinds.pool, None, None),
        kube.list(&kinds.class, None, None),
        kube.get(&account),
        aws.stack(&stack, false),
        releases(context, kube)
    );
    let classes = classes?;
    let mut node_roles = Vec::new();
    let eksctl_stack = stack?.is_some_and(|stack| !stack.is_gone());
    let path = spec.release.features().instance_profile_path();
    let told = chart.known().and_then(|chart| value_at(&chart.values, path)?.as_str());
    let in_profile = roles_of_profile(aws.as_ref(), &classes, told).await;
    let exact = in_profile.clone().unwrap_or_default();
    for name in role_names(spec, &classes, exact, eksctl_stack.then(|| eksctl_role(spec))) {
        node_roles.extend(aws.role(&name).await?.map(|role| role.arn));
    }
    if node_roles.is_empty() {
        in_profile?;
    }
    Ok(OriginFacts {
        pools: pools?,
        classes,
        service_account_role: account?.and_then(|a| a["metadata"]["annotations"][ROLE_ANNOTATION].as_str().map(str::to_owned)),
        eksctl_stack,
        node_roles,
    })
}

/// The stack of eksctl's `karpenter:` block (`pkg/actions/karpenter` of eksctl 0.230).
fn eksctl_stack_name(spec: &Spec) -> String {
    format!("eksctl-{}-karpenter", spec.cluster_name)
}

/// The role that eksctl makes for nodes.
fn eksctl_role(spec: &Spec) -> String {
    format!("eksctl-KarpenterNodeRole-{}", spec.cluster_name)
}

/// The roles that nodes have by an instance profile: that of a node class which names no role, else that of the chart's value.
async fn roles_of_profile(aws: &dyn Aws, classes: &[Value], told: Option<&str>) -> Result<Vec<String>> {
    if classes.iter().any(|class| class["spec"]["role"].is_string()) {
        return Ok(Vec::new());
    }
    let Some(profile) = classes.iter().find_map(|class| class["spec"]["instanceProfile"].as_str()).or(told) else { return Ok(Vec::new()) };
    let profiles = aws.instance_profiles().await?;
    Ok(profiles.into_iter().filter(|known| known.name == profile).flat_map(|known| known.roles).collect())
}

/// What node classes name; then what is `exact` by other means; then what the guide, eksctl (`pkg/cfn/builder/karpenter.go`) and the Terraform module
/// (`modules/karpenter/main.tf`) call a node role, where no node class says it: those of before v0.32 never do. One that
/// is `likely` goes before those.
fn role_names(spec: &Spec, classes: &[Value], exact: Vec<String>, likely: Option<String>) -> Vec<String> {
    let named = classes.iter().filter_map(|class| class["spec"]["role"].as_str().map(str::to_owned));
    let usual = [spec.node_role_name(), eksctl_role(spec), format!("Karpenter-{}", spec.cluster_name)];
    let mut names: Vec<String> = Vec::new();
    for name in named.chain(exact).chain(likely).chain(usual) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
