//! The volumes that nodes have, by the claims that pods name.

use super::fleet::{seen, terms};
use super::inside::{items, text};
use crate::error::Result;
use crate::facts::{NodeLabels, PodVolume};
use crate::ports::{Kube, ObjectKind};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of volumes, by namespace and name of their claims.
pub(super) type Volumes = BTreeMap<(String, String), PodVolume>;

/// The volumes that say which nodes get at them, where a pod has any. Who may not look at them knows none.
pub(super) async fn volumes(pods: &[Value], kube: &dyn Kube) -> Result<Volumes> {
    if !pods.iter().any(|pod| claims(pod).next().is_some()) {
        return Ok(Volumes::new());
    }
    let (claims, volumes) = (ObjectKind::new("v1", "persistentvolumeclaims"), ObjectKind::new("v1", "persistentvolumes"));
    let (claims, volumes) = tokio::join!(seen(kube, &claims), seen(kube, &volumes));
    let (claims, volumes) = (claims?, volumes?);
    let of = |claim: &Value| {
        let volume = volumes.iter().find(|volume| volume["metadata"]["name"] == claim["spec"]["volumeName"])?;
        let terms = terms(&volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]);
        let named = |field: &str| claim["metadata"][field].as_str().map(text);
        let (namespace, name) = (named("namespace")?, named("name")?);
        let asks = NodeLabels { terms, ..NodeLabels::default() };
        Some(((namespace, name.clone()), PodVolume { claim: name, asks }))
    };
    Ok(claims.iter().filter_map(of).filter(|(_, volume)| !volume.asks.terms.is_empty()).collect())
}

/// Those of a pod.
pub(super) fn of_pod(pod: &Value, volumes: &Volumes) -> Vec<PodVolume> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    claims(pod).filter_map(|claim| volumes.get(&(namespace.to_owned(), claim.to_owned())).cloned()).collect()
}

fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    items(&pod["spec"]["volumes"]).iter().filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}
