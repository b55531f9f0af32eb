//! The configurations of admission webhooks: those that earlier Karpenters left, and those of others.

use super::gates::{gates, namespace_labels};
use super::text;
use crate::facts::{GateFacts, Probed, WebhookFacts};
use crate::ports::{Kube, ObjectKind};
use crate::probe::release::helm_owner;
use crate::probe::{failed, told};
use crate::spec::Spec;
use serde_json::Value;

/// The names of every configuration that a release of Karpenter ever had: charts/karpenter/templates/webhooks*.yaml at the tags.
const OF_KARPENTER: [&str; 5] = [
    "defaulting.webhook.karpenter.k8s.aws",
    "defaulting.webhook.karpenter.sh",
    "validation.webhook.config.karpenter.sh",
    "validation.webhook.karpenter.k8s.aws",
    "validation.webhook.karpenter.sh",
];

/// What kubectl takes for a configuration's kind, its name, and the configuration.
pub(super) type Configuration<'a> = (&'static str, &'a str, &'a Value);

/// Those of Karpenter, and those of others that are asked about what it needs.
pub(crate) async fn admission(spec: &Spec, kube: &dyn Kube) -> (Probed<Vec<WebhookFacts>>, Probed<Vec<GateFacts>>) {
    let kind = |plural: &str| ObjectKind::new("admissionregistration.k8s.io/v1", plural);
    let (validating, mutating) = (kind("validatingwebhookconfigurations"), kind("mutatingwebhookconfigurations"));
    let (validating, mutating, labels) =
        tokio::join!(kube.list(&validating, None, None), kube.list(&mutating, None, None), namespace_labels(spec, kube));
    let (validating, mutating) = match (validating, mutating) {
        (Ok(validating), Ok(mutating)) => (validating, mutating),
        (Err(e), _) | (_, Err(e)) => return (failed(&e), failed(&e)),
    };
    let named = validating.iter().map(|v| ("validatingwebhookconfiguration", v));
    let all = named.chain(mutating.iter().map(|m| ("mutatingwebhookconfiguration", m)));
    let all = all.filter_map(|(resource, object)| Some((resource, object["metadata"]["name"].as_str()?, object)));
    let (own, others): (Vec<Configuration<'_>>, Vec<_>) = all.partition(|(_, name, _)| OF_KARPENTER.contains(name));
    let left = own.into_iter().map(|(resource, name, object)| WebhookFacts {
        resource: resource.to_owned(),
        name: name.to_owned(),
        helm_owner: helm_owner(object).map(|owner| text(&owner)),
    });
    let gates = match labels {
        Ok(labels) => gates(spec, kube, &labels, &others).await,
        Err(e) => Err(e),
    };
    (Probed::Known(left.collect()), told(gates))
}
