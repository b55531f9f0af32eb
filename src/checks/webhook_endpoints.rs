//! Whether those answer who are asked before anything is written.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{GateFacts, Topic, WebhookState};
use crate::finding::Area;

pub(super) struct WebhookEndpoints;

/// So much of what a webhook is asked about is named.
const NAMED: usize = 3;

impl Check for WebhookEndpoints {
    fn id(&self) -> &'static str {
        "webhook-endpoints"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Whoever may refuse what is written and does not answer refuses all of it: the chart is not installed, or no node is made."
    }

    fn explain(&self) -> &'static str {
        "An admission webhook with `failurePolicy: Fail` is asked before an object is written, and where nobody answers, it is not written. \
         Looks at each that is asked, by its rules and selectors, about something that helm, the chart, the controller or karpctl writes: \
         whether its Service is there, with that port, and a pod behind it that is ready.\n\n\
         What people see otherwise: `Error: INSTALLATION FAILED: Internal error occurred: failed calling webhook \"mservice.elbv2.k8s.aws\": \
         failed to call webhook: Post \"https://aws-load-balancer-webhook-service.kube-system.svc:443/mutate-v1-service?timeout=10s\": no \
         endpoints available for service \"aws-load-balancer-webhook-service\"`; `failed calling webhook … connect: connection refused` while its pod \
         begins or ends.\n\n\
         The AWS Load Balancer Controller, cert-manager, Kyverno, Gatekeeper and others have such webhooks. Their pods may wait for the very nodes that \
         Karpenter is to make, and so neither comes; or the program is gone, and its configuration stayed. A webhook with conditions \
         (`matchConditions`), which are not worked out here, is a warning. Karpenter's own are judged by admission-webhooks and conversion-webhook."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Webhooks]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        situation.spec()?;
        let subject = "admission webhooks of others";
        let Some(gates) = read(subject, &situation.facts.gates)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        let silent: Vec<Judgement> = gates.iter().filter_map(silent).collect();
        if !silent.is_empty() {
            return Ok(silent);
        }
        Ok(vec![Judgement::pass(
            subject,
            match gates.len() {
                0 => "none is asked about what Karpenter needs".to_owned(),
                _ => format!("each that is asked about what Karpenter needs has a pod that answers: {}", configurations(gates)),
            },
        )])
    }
}

fn configurations(gates: &[GateFacts]) -> String {
    gates.iter().map(|gate| gate.configuration.as_str()).collect::<Vec<_>>().join(", ")
}

fn silent(gate: &GateFacts) -> Option<Judgement> {
    let service = &gate.service;
    let why = match gate.state {
        WebhookState::Answers => return None,
        WebhookState::NoService => format!("service \"{}\" not found", service.name),
        WebhookState::NoPort => format!("no service port {} found for service \"{}\"", service.port, service.name),
        WebhookState::NoEndpoint => format!("no endpoints available for service \"{}\"", service.name),
    };
    let (kind, name) = (gate.resource.as_str(), gate.configuration.as_str());
    let more = if gate.covers.len() > NAMED { " and more" } else { "" };
    let covers = gate.covers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let subject = format!("{kind} {name}");
    let message = format!("{} must answer before {covers}{more} are written: {why}", gate.webhooks.join(", "));
    let judgement = if gate.conditional {
        Judgement::warn(subject, format!("{message}, unless its conditions leave these out"))
    } else {
        Judgement::fail(subject, message)
    };
    let namespace = service.namespace.as_str();
    Some(match gate.state {
        WebhookState::NoEndpoint => judgement
            .heals()
            .run("see why no pod behind it is ready", ["kubectl", "--namespace", namespace, "get", "pods", "--output", "wide"])
            .fix(format!(
                "give its pods nodes that do not wait for Karpenter (a node group); if its program is gone for good: `kubectl delete {kind} {name}`"
            )),
        _ => judgement
            .run("if its program is gone for good, take it away", ["kubectl", "delete", kind, name])
            .fix("else install its program again, which makes the Service"),
    })
}
