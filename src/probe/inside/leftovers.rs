//! What earlier Karpenters left: admission webhooks, and conversion webhooks that nobody answers.

use super::{items, text};
use crate::error::Result;
use crate::facts::{ConversionFacts, ConversionService, ConversionState, CrdFacts, Probed, WebhookFacts};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::failed;
use crate::probe::release::helm_owner;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every CRD of Karpenter that is there.
pub(super) type Crds = BTreeMap<String, CrdFacts>;

/// The names of every configuration that a release of Karpenter ever had: charts/karpenter/templates/webhooks*.yaml at the tags.
const WEBHOOKS: [&str; 5] = [
    "defaulting.webhook.karpenter.k8s.aws",
    "defaulting.webhook.karpenter.sh",
    "validation.webhook.config.karpenter.sh",
    "validation.webhook.karpenter.k8s.aws",
    "validation.webhook.karpenter.sh",
];

pub(crate) async fn webhooks(kube: &dyn Kube) -> Probed<Vec<WebhookFacts>> {
    let kind = |plural: &str| ObjectKind::new("admissionregistration.k8s.io/v1", plural);
    let (validating, mutating) = (kind("validatingwebhookconfigurations"), kind("mutatingwebhookconfigurations"));
    let (validating, mutating) = tokio::join!(kube.list(&validating, None, None), kube.list(&mutating, None, None));
    let (validating, mutating) = match (validating, mutating) {
        (Ok(validating), Ok(mutating)) => (validating, mutating),
        (Err(e), _) | (_, Err(e)) => return failed(&e),
    };
    let named = validating.iter().map(|v| ("validatingwebhookconfiguration", v));
    let found = named.chain(mutating.iter().map(|m| ("mutatingwebhookconfiguration", m))).filter_map(|(resource, object)| {
        let name = object["metadata"]["name"].as_str().filter(|name| WEBHOOKS.contains(name))?;
        Some(WebhookFacts { resource: resource.to_owned(), name: name.to_owned(), helm_owner: helm_owner(object).map(|o| text(&o)) })
    });
    Probed::Known(found.collect())
}

/// What stands behind the conversion webhooks of these CRDs.
pub(crate) async fn conversion(kube: &dyn Kube, crds: &Probed<Crds>) -> Probed<Vec<ConversionFacts>> {
    let mut asked: BTreeMap<&ConversionService, Vec<String>> = BTreeMap::new();
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
    answers.await.into_iter().collect::<Result<_>>().map_or_else(|e| failed(&e), Probed::Known)
}

async fn behind(kube: &dyn Kube, service: &ConversionService) -> Result<ConversionState> {
    let namespace = service.namespace.as_str();
    let place = ObjectRef { kind: ObjectKind::new("v1", "services"), namespace: Some(namespace.to_owned()), name: service.name.clone() };
    let (slices, selector) =
        (ObjectKind::new("discovery.k8s.io/v1", "endpointslices"), format!("kubernetes.io/service-name={}", service.name));
    let (found, slices) = tokio::join!(kube.get(&place), kube.list(&slices, Some(namespace), Some(&selector)));
    let Some(found) = found? else { return Ok(ConversionState::NoService) };
    if !items(&found["spec"]["ports"]).iter().any(|port| port["port"].as_i64() == Some(service.port)) {
        return Ok(ConversionState::NoPort);
    }
    let slices = slices?;
    let mut endpoints = slices.iter().flat_map(|slice| items(&slice["endpoints"]));
    // An endpoint that does not say whether it is ready is to be taken for ready, says the API.
    let answers = endpoints.any(|e| e["conditions"]["ready"] != false && !items(&e["addresses"]).is_empty());
    Ok(if answers { ConversionState::Answers } else { ConversionState::NoEndpoint })
}

/// The Service that a CRD's conversion webhook is asked at.
pub(crate) fn conversion_service(crd: &Value) -> Option<ConversionService> {
    let conversion = &crd["spec"]["conversion"];
    if conversion["strategy"] != "Webhook" {
        return None;
    }
    let service = &conversion["webhook"]["clientConfig"]["service"];
    Some(ConversionService {
        namespace: text(service["namespace"].as_str()?),
        name: text(service["name"].as_str()?),
        port: service["port"].as_i64().unwrap_or(443),
    })
}
