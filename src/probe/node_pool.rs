//! The node pool and its node class, and everything that Karpenter has launched.

use super::kinds::{Kinds, is_of_auto_mode, is_ours, name_of, nodes as node_kind};
use super::{ProbeContext, said, told};
use crate::error::Result;
use crate::facts::{KarpenterNodes, Probed};
use crate::ports::{Kube, ObjectKind};
use crate::render::NODE_GROUP_LABEL;
use serde_json::Value;

pub(super) async fn node_pool(context: &ProbeContext<'_>, kube: &dyn Kube) -> (Probed<Value>, Probed<Value>) {
    let kinds = Kinds::of(context.spec);
    let (pool, class) = (kinds.pool_ref(context.spec), kinds.class_ref(context.spec));
    let (pool, class) = tokio::join!(kube.get(&pool), kube.get(&class));
    (said(pool), said(class))
}

pub(super) async fn nodes(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<KarpenterNodes> {
    told(launched(&Kinds::of(context.spec), kube).await)
}

/// The alias by which a node class names its AMI: `al2023@v20260101`.
pub(crate) fn ami_alias(class: &Value) -> Option<&str> {
    class["spec"]["amiSelectorTerms"].as_array()?.iter().find_map(|term| term["alias"].as_str())
}

/// The names of all pools, classes, claims and nodes of Karpenter; those of EKS Auto Mode are none.
pub(crate) async fn launched(kinds: &Kinds, kube: &dyn Kube) -> Result<KarpenterNodes> {
    let node = node_kind();
    let (pools, classes, claims, nodes) = tokio::join!(
        listed(kube, &kinds.pool, None),
        listed(kube, &kinds.class, None),
        listed(kube, &kinds.claim, None),
        listed(kube, &node, Some(kinds.pool_label)),
    );
    let (pools, classes) = (pools?, classes?);
    let migrated = |pool: &&Value| !pool["metadata"]["labels"][NODE_GROUP_LABEL].is_null();
    Ok(KarpenterNodes {
        of_node_groups: names(pools.iter().filter(migrated)),
        pools: names(&pools),
        our_pools: names(pools.iter().filter(|pool| is_ours(pool))),
        our_classes: names(classes.iter().filter(|class| is_ours(class))),
        classes: names(&classes),
        claims: names(&claims?),
        nodes: names(&nodes?),
    })
}

async fn listed(kube: &dyn Kube, kind: &ObjectKind, selector: Option<&str>) -> Result<Vec<Value>> {
    let mut found = kube.list(kind, None, selector).await?;
    found.retain(|object| !is_of_auto_mode(object));
    Ok(found)
}

/// Their names, sorted.
fn names<'o>(objects: impl IntoIterator<Item = &'o Value>) -> Vec<String> {
    let mut names: Vec<String> = objects.into_iter().map(name_of).collect();
    names.sort();
    names
}
