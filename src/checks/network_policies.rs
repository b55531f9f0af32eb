//! Whether network policies let in who must get to the controller.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Admits, IngressRule, PolicyFacts, Topic};
use crate::finding::Area;
use crate::spec::Spec;
use serde_json::json;

pub(super) struct NetworkPolicies;

/// The name that every chart gives the port at which the API server has objects converted.
const WEBHOOK: &str = "https-webhook";
/// The name that every chart gives the port at which the kubelet asks whether the controller is healthy.
const HEALTH: &str = "http";

impl Check for NetworkPolicies {
    fn id(&self) -> &'static str {
        "network-policies"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A NetworkPolicy that selects a pod shuts every port that none names. The API server is no pod: where it does not get to the conversion webhook, no NodePool can be read or written."
    }

    fn explain(&self) -> &'static str {
        "Reads the NetworkPolicies of Karpenter's namespace that select the controller's pods, and which of its ports they open: https-webhook \
         (8443) to the API server, where CRDs have their objects converted; http-metrics (8000 or 8080) and webhook-metrics (8001) to anybody. The \
         API server comes from an address of the control plane: a rule for pods or namespaces alone does not let it in. The health port \
         (8081) is no matter: Kubernetes lets a node's own kubelet in.\n\n\
         What is seen of it: `conversion webhook for karpenter.sh/v1beta1, Kind=NodePool failed: Post \
         \"https://karpenter.kube-system.svc:8443/conversion/karpenter.sh?timeout=30s\": context deadline exceeded`, and metrics that nobody gets.\n\n\
         Policies are words where nothing enforces them, and the VPC CNI of EKS does not, unless its add-on has `enableNetworkPolicy`. So a shut webhook \
         is a failure where a DaemonSet is seen that enforces them (the VPC CNI's with that setting, Calico's, Cilium's), and a warning \
         elsewhere. A controller with `hostNetwork: true` is in its node's network, where most network add-ons enforce nothing.\n\n\
         Whether the addresses of a rule are those of the control plane, and policies of other kinds (Cilium's, Calico's) are not \
         looked at. Where nobody shall have the metrics, accept the finding."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Policies, Topic::Crds, Topic::Conversion, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("namespace {}", spec.namespace);
        let Some(found) = read(&subject, &facts.policies)? else {
            return Ok(vec![Judgement::pass(subject, "Karpenter is not installed here")]);
        };
        if found.policies.is_empty() {
            return Ok(vec![Judgement::pass(subject, "no NetworkPolicy selects the controller")]);
        }
        if found.host_network {
            return Ok(vec![Judgement::pass(
                subject,
                "the controller is in its node's network (hostNetwork), which no NetworkPolicy shuts",
            )]);
        }
        let conversion = read(&subject, &facts.conversion)?.map(Vec::as_slice).unwrap_or_default();
        let converts = conversion.iter().any(|asked| asked.service.namespace == spec.namespace.as_str());
        let ports = found.ports.iter().map(|(name, port)| (name.as_str(), *port)).filter(|(name, _)| *name != HEALTH);
        let shut: Vec<(&str, i64)> = ports.filter(|p| !opens(found, *p)).collect();
        let (webhook, others): (Vec<_>, Vec<_>) = shut.into_iter().partition(|(name, _)| *name == WEBHOOK);
        let webhook: Vec<_> = webhook.into_iter().filter(|_| converts).collect();
        let names: Vec<&str> = found.policies.iter().map(|policy| policy.name.as_str()).collect();
        let subject = format!("NetworkPolicies in {}: {}", spec.namespace, names.join(", "));
        let mut said = Vec::new();
        if let Some((_, port)) = webhook.first() {
            let message =
                format!("they do not let the API server get to port {port} ({WEBHOOK}), where the CRDs have their objects converted");
            let judgement = if facts.neighbours.known().is_some_and(|n| n.policy_enforcer.is_some()) {
                Judgement::fail(&subject, message)
            } else {
                Judgement::warn(&subject, format!("{message}, if anything enforces them: the VPC CNI does not, unless it is told to"))
            };
            said.push(open(spec, judgement, "karpctl-karpenter-webhook", &webhook));
        }
        if !others.is_empty() {
            let ports: Vec<String> = others.iter().map(|(name, port)| format!("{port} ({name})")).collect();
            let message = format!("they let nobody get to {}", ports.join(", "));
            said.push(open(spec, Judgement::warn(&subject, message), "karpctl-karpenter-metrics", &others));
        }
        if said.is_empty() {
            said.push(Judgement::pass(subject, "they open the ports that are needed"));
        }
        Ok(said)
    }
}

/// Whether a rule of any policy opens a port: what one opens the others do not shut.
fn opens(found: &PolicyFacts, (name, port): (&str, i64)) -> bool {
    let names = |rule: &IngressRule| {
        rule.ports.is_empty()
            || rule.ports.iter().any(|of| match of.port.parse::<i64>() {
                Ok(from) => (from..=of.end.unwrap_or(from)).contains(&port),
                Err(_) => of.port.is_empty() || of.port == name,
            })
    };
    let lets_in = |rule: &IngressRule| name != WEBHOOK || rule.from != Admits::Pods;
    found.policies.iter().flat_map(|policy| policy.rules.iter().flatten()).any(|rule| names(rule) && lets_in(rule))
}

/// Opened by a policy of its own: another one may select more pods than the controller's, and is somebody's.
fn open(spec: &Spec, judgement: Judgement, name: &str, ports: &[(&str, i64)]) -> Judgement {
    let ports: Vec<_> = ports.iter().map(|(_, port)| json!({"protocol": "TCP", "port": port})).collect();
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": spec.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "karpenter"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": ports}],
        },
    });
    judgement.run(
        "open them, to anybody, by a policy for Karpenter's pods alone; where a repository writes the policies, write it there",
        ["sh", "-c", &format!("echo '{policy}' | kubectl apply --filename -")],
    )
}
