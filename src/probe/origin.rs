//! What shows who made the Karpenter that is there.

use super::ProbeContext;
use super::failed;
use super::kinds::Kinds;
use crate::error::Result;
use crate::facts::{OriginFacts, Probed};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::spec::Spec;
use serde_json::Value;

/// The annotation by which a service account gets a role (IRSA).
const ROLE: &str = "eks.amazonaws.com/role-arn";

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
    let (pools, classes, account, stack) =
        tokio::join!(kube.list(&kinds.pool, None, None), kube.list(&kinds.class, None, None), kube.get(&account), aws.stack(&stack, false));
    let classes = classes?;
    let mut node_roles = Vec::new();
    let eksctl_stack = stack?.is_some_and(|stack| stack.status != "DELETE_COMPLETE");
    for name in role_names(spec, &classes, eksctl_stack.then(|| eksctl_role(spec))) {
        node_roles.extend(aws.role(&name).await?.map(|role| role.arn));
    }
    Ok(OriginFacts {
        pools: pools?,
        classes,
        service_account_role: account?.and_then(|a| a["metadata"]["annotations"][ROLE].as_str().map(str::to_owned)),
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

/// What node classes name; then what the guide, eksctl (`pkg/cfn/builder/karpenter.go`) and the Terraform module
/// (`modules/karpenter/main.tf`) call a node role, where no node class says it: those of before v0.32 never do. One that
/// is `likely` goes before those.
fn role_names(spec: &Spec, classes: &[Value], likely: Option<String>) -> Vec<String> {
    let named = classes.iter().filter_map(|class| class["spec"]["role"].as_str().map(str::to_owned));
    let usual = [spec.node_role_name(), eksctl_role(spec), format!("Karpenter-{}", spec.cluster_name)];
    let mut names: Vec<String> = Vec::new();
    for name in named.chain(likely).chain(usual) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
