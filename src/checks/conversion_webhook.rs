//! Whether somebody answers where the CRDs have their objects converted.

use super::judgement::read;
use super::neighbours::{karpenter, release_of};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{ConversionFacts, Facts, Topic, WebhookService, WebhookState};
use crate::finding::Area;
use crate::knowledge::{CHART, WEBHOOK_PORT as PORT};
use crate::spec::Spec;
use serde_json::json;

pub(super) struct ConversionWebhook;

impl Check for ConversionWebhook {
    fn id(&self) -> &'static str {
        "conversion-webhook"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Where the conversion webhook does not answer, no NodePool, NodeClaim or EC2NodeClass can be read or written: `conversion webhook for karpenter.sh/v1beta1 failed: … no service port 8443 found for service \"karpenter\"`, `service \"karpenter\" not found`."
    }

    fn explain(&self) -> &'static str {
        "CRDs of 0.33.6 to 1.0 have their objects converted by the controller, at a Service, namespace and port that the CRD names. It must be \
         there, have that port, and have a pod that is ready.\n\n\
         What is seen where not: `conversion webhook for karpenter.sh/v1beta1, Kind=NodePool failed: Post \
         \"https://karpenter.kube-system.svc:8443/conversion/karpenter.sh?timeout=30s\": no service port 8443 found for service \"karpenter\"`, \
         `service \"karpenter\" not found`, `no endpoints available for service \"karpenter\"`, `conversion webhook for … connect: connection refused`; nothing of these kinds can then be deleted either.\n\n\
         Point the CRD at the controller that is there, or, with 1.1 and later, at nobody. Whether NetworkPolicies let the API server in is the check network-policies."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds, Topic::Conversion, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "conversion webhook of the CRDs".to_owned();
        let Some(found) = read(&subject, &situation.facts.conversion)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        if found.is_empty() {
            return Ok(vec![Judgement::pass(subject, "no CRD asks for conversion")]);
        }
        let converter = converter(spec, situation.facts);
        Ok(found.iter().map(|one| judge(converter.as_ref(), one)).collect())
    }
}

/// Who converts objects: the Karpenter that is there, whichever namespace it is in, or else that which is to come. `None`: its release
/// converts none.
fn converter(spec: &Spec, facts: &Facts) -> Option<WebhookService> {
    let there = facts.neighbours.known().and_then(|neighbours| karpenter(spec, neighbours));
    let release = there.and_then(release_of).unwrap_or_else(|| spec.release.clone());
    let (namespace, name) = there.map_or((spec.namespace.as_str(), CHART), |w| (w.namespace.as_str(), w.name.as_str()));
    release.features().conversion_webhook.then(|| WebhookService { namespace: namespace.into(), name: name.into(), port: PORT.into() })
}

fn judge(converter: Option<&WebhookService>, found: &ConversionFacts) -> Judgement {
    let (service, crds) = (&found.service, found.crds.join(", "));
    let place = format!("{}/{}", service.namespace, service.name);
    let subject = format!("service {place}, port {}", service.port);
    match found.state {
        WebhookState::Answers => Judgement::pass(subject, format!("a ready pod converts {crds}")),
        WebhookState::NoService => {
            point(converter, Judgement::fail(subject, format!("service \"{}\" not found, and {crds} ask it", service.name)), found)
        }
        WebhookState::NoPort => {
            let message = format!("no service port {} found for service \"{}\", and {crds} ask it", service.port, service.name);
            point(converter, Judgement::fail(subject, message), found)
        }
        WebhookState::NoEndpoint => {
            let command = ["kubectl", "--namespace", &service.namespace, "rollout", "restart", "deployment", &service.name];
            Judgement::fail(
                subject,
                format!("no endpoints available for service \"{}\": no pod behind it is ready, and {crds} ask it", service.name),
            )
            .heals()
            .run("bring the controller up again", command)
        }
    }
}

/// Where the release converts, its service is asked; where it does not, nobody is.
fn point(converter: Option<&WebhookService>, judgement: Judgement, found: &ConversionFacts) -> Judgement {
    let (patch, title) = match converter {
        Some(asked) if *asked == found.service => {
            return judgement.fix("have the controller answer there: `webhook.enabled: true` among the values of its chart");
        }
        Some(WebhookService { namespace, name, port }) => {
            let service = json!({"namespace": namespace, "name": name, "port": port});
            (json!({"spec": {"conversion": {"webhook": {"clientConfig": {"service": service}}}}}), "ask the controller that is there")
        }
        None => {
            let title = "ask nobody, where every object is stored as v1 (the check crd-stored-versions says whether)";
            (json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}}), title)
        }
    };
    found.crds.iter().fold(judgement, |judgement, crd| {
        judgement.run(title, ["kubectl", "patch", "customresourcedefinition", crd, "--type", "merge", "--patch", &patch.to_string()])
    })
}
