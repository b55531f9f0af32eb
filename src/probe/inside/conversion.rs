//! The conversion webhooks of Karpenter's CRDs, which an earlier Karpenter may have left without anybody to answer them.

use super::{items, text};
use crate::error::Result;
use crate::facts::{ConversionFacts, CrdFacts, Probed, WebhookService, WebhookState};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::told;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every CRD of Karpenter that is there.
pub(super) type Crds = BTreeMap<String, CrdFacts>;

/// What stands behind the conversion webhooks of these CRDs.
pub(crate) async fn conversion(kube: &dyn Kube, crds: &Probed<Crds>) -> Probed<Vec<ConversionFacts>> {
    let mut asked: BTreeMap<&WebhookService, Vec<String>> = BTreeMap::new();
    match crds {
        Probed::Known(crds) => crds.iter().for_each(|(name, crd)| {
            if let Some(service) = &crd.conversion {
                asked.entry(service).or_default().push(name.clone());
            }
        }),
        Probed::Absent => {}
        Probed::NotAsked => return Probed::NotAsked,
        Probed::Unavailable(reason) => return Probed::Unavailable(reason.clone()),
    }
    let answers = join_all(asked.into_iter().map(|(service, crds)| async move {
        behind(kube, service).await.map(|state| ConversionFacts { service: service.clone(), crds, state })
    }));
    told(answers.await.into_iter().collect::<Result<_>>())
}

/// What stands behind the Service of a webhook.
pub(super) async fn behind(kube: &dyn Kube, service: &WebhookService) -> Result<WebhookState> {
    let namespace = service.namespace.as_str();
    let place = ObjectRef { kind: ObjectKind::new("v1", "services"), namespace: Some(namespace.to_owned()), name: service.name.clone() };
    let (slices, selector) =
        (ObjectKind::new("discovery.k8s.io/v1", "endpointslices"), format!("kubernetes.io/service-name={}", service.name));
    let (found, slices) = tokio::join!(kube.get(&place), kube.list(&slices, Some(namespace), Some(&selector)));
    let Some(found) = found? else { return Ok(WebhookState::NoService) };
    if !items(&found["spec"]["ports"]).iter().any(|port| port["port"].as_i64() == Some(service.port)) {
        return Ok(WebhookState::NoPort);
    }
    let slices = slices?;
    let mut endpoints = slices.iter().flat_map(|slice| items(&slice["endpoints"]));
    // An endpoint that does not say whether it is ready is to be taken for ready, says the API.
    let answers = endpoints.any(|e| e["conditions"]["ready"] != false && !items(&e["addresses"]).is_empty());
    Ok(if answers { WebhookState::Answers } else { WebhookState::NoEndpoint })
}

/// The Service that a CRD's conversion webhook is asked at.
pub(crate) fn conversion_service(crd: &Value) -> Option<WebhookService> {
    let conversion = &crd["spec"]["conversion"];
    if conversion["strategy"] != "Webhook" {
        return None;
    }
    webhook_service(&conversion["webhook"]["clientConfig"])
}

/// The Service that a webhook is asked at; none where it is an address.
pub(super) fn webhook_service(client_config: &Value) -> Option<WebhookService> {
    let service = &client_config["service"];
    Some(WebhookService {
        namespace: text(service["namespace"].as_str()?),
        name: text(service["name"].as_str()?),
        port: service["port"].as_i64().unwrap_or(443),
    })
}
