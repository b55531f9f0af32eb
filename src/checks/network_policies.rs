//! Whether network policies let in who must get to the controller, and let it get to whom it must.

use super::given_values::GivenValues;
use super::judgement::{installed, read};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Facts, Peers, PolicyFacts, PolicyPort, PolicyRule, PolicyRules, Topic};
use crate::finding::Area;
use crate::spec::{Identity, Spec};
use serde_json::json;
use std::collections::BTreeSet;

pub(super) struct NetworkPolicies;

/// The name that every chart gives the port at which the API server has objects converted.
const WEBHOOK: &str = "https-webhook";
/// The name that every chart gives the port at which the kubelet asks whether the controller is healthy.
const HEALTH: &str = "http";
/// Where the cluster's DNS is, and at which port any is.
const DNS_NAMESPACE: &str = "kube-system";
const DNS: i64 = 53;

impl Check for NetworkPolicies {
    fn id(&self) -> &'static str {
        "network-policies"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A NetworkPolicy that selects a pod shuts every way that none names. Without a way out the controller reaches neither AWS nor the API server; the API server is no pod: where it does not get to the webhooks, no NodePool can be read or written."
    }

    fn explain(&self) -> &'static str {
        "Reads the NetworkPolicies of Karpenter's namespace that select the controller's pods, or will once it is installed. Out of the pods it must get to \
         port 443 (AWS and the API server, which are no pods), to port 53 of its DNS, and with Pod Identity to the agent of its node \
         (169.254.170.23 or [fd00:ec2::23], port 80). Into them https-webhook (8443) must be open to the API server, where CRDs have their objects \
         converted or an older release has them admitted; http-metrics (8000 or 8080) and webhook-metrics (8001) to anybody. The \
         API server comes from an address of the control plane: a rule for pods or namespaces alone does not let it in. The health port \
         (8081) is no matter: Kubernetes lets a node's own kubelet in.\n\n\
         What is seen of it: `dial tcp: lookup sts.us-west-2.amazonaws.com: i/o timeout`, `Post \"https://sts.us-west-2.amazonaws.com/\": dial tcp \
         52.94.0.1:443: i/o timeout`, `conversion webhook for karpenter.sh/v1beta1, Kind=NodePool failed: Post \
         \"https://karpenter.kube-system.svc:8443/conversion/karpenter.sh?timeout=30s\": context deadline exceeded`, `failed calling webhook \
         \"….karpenter.…\": failed to call webhook: Post \"https://karpenter.…\": context deadline exceeded`, and metrics that nobody gets.\n\n\
         Policies are words where nothing enforces them, and the VPC CNI of EKS does not, unless its add-on has `enableNetworkPolicy`. So a shut way out \
         or webhook is a failure where a DaemonSet is seen that enforces them (the VPC CNI's with that setting, Calico's, Cilium's), and a warning \
         elsewhere. A controller with `hostNetwork: true` is in its node's network, where most network add-ons enforce nothing.\n\n\
         Whether the addresses and pods of a rule are those that are meant, and policies of other kinds (Cilium's, Calico's, AWS's own) are not \
         looked at; Cilium takes no address for that of a node's agent. Where nobody shall have the metrics, accept the finding."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Policies,
            Topic::Crds,
            Topic::Conversion,
            Topic::Webhooks,
            Topic::Neighbours,
            Topic::Cluster,
            Topic::Chart,
            Topic::Stack,
            Topic::ControllerRole,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("namespace {}", spec.namespace);
        let Some(found) = read(&subject, &facts.policies)? else {
            // So an earlier karpctl saved it.
            return Err(Judgement::skip(subject, "Karpenter was not there, and its policies were not looked at"));
        };
        if found.policies.is_empty() && found.egress.is_empty() {
            return Ok(vec![Judgement::pass(subject, "no NetworkPolicy selects the controller")]);
        }
        // What helm did not install keeps what it has.
        let stays = !found.ports.is_empty() && !facts.chart_release.known().is_some_and(installed);
        let values = if stays { None } else { Some(GivenValues::of(spec, facts, &subject)?) };
        if values.as_ref().map_or(found.host_network, |values| *values.at("hostNetwork") == true) {
            return Ok(vec![Judgement::pass(
                subject,
                "the controller is in its node's network (hostNetwork), which no NetworkPolicy shuts",
            )]);
        }
        let mut said = Vec::new();
        if !found.egress.is_empty() {
            said.extend(ways_out(spec, facts, found, values.as_ref()));
        }
        if !found.policies.is_empty() {
            said.extend(ways_in(spec, facts, found));
        }
        if said.is_empty() {
            let named = named(spec, found.policies.iter().chain(&found.egress));
            said.push(Judgement::pass(named, "they open the ports that are needed"));
        }
        Ok(said)
    }
}

/// What policies are called, each once.
fn named<'p>(spec: &Spec, policies: impl Iterator<Item = &'p PolicyRules>) -> String {
    let names: BTreeSet<&str> = policies.map(|policy| policy.name.as_str()).collect();
    format!("NetworkPolicies in {}: {}", spec.namespace, names.into_iter().collect::<Vec<_>>().join(", "))
}

/// What does not work for policies: where nobody is known to enforce them, it may work all the same.
fn shut(facts: &Facts, subject: &str, message: String) -> Judgement {
    if facts.neighbours.known().is_some_and(|n| n.policy_enforcer.is_some()) {
        Judgement::fail(subject, message)
    } else {
        Judgement::warn(subject, format!("{message}, if anything enforces them: the VPC CNI does not, unless it is told to"))
    }
}

/// Out of the controller's pods.
fn ways_out(spec: &Spec, facts: &Facts, found: &PolicyFacts, values: Option<&GivenValues>) -> Option<Judgement> {
    let asks_cluster_dns =
        values.is_none_or(|values| values.at("dnsPolicy").as_str().is_some_and(|policy| policy.starts_with("ClusterFirst")));
    let to_dns = |peers: Peers| match peers {
        Peers::OwnPods => asks_cluster_dns && spec.namespace.as_str() == DNS_NAMESPACE,
        Peers::Pods => asks_cluster_dns,
        _ => true,
    };
    // The cluster's DNS calls its port so; rules name the ports of the pods that they lead to.
    let opened = |protocol: &str, port: i64| {
        let name = if port == DNS { "dns" } else { "" };
        let lets_out = |rule: &PolicyRule| if port == DNS { to_dns(rule.peers) } else { rule.peers.has_addresses() };
        found.egress.iter().flat_map(|policy| policy.rules.iter().flatten()).any(|rule| names(rule, protocol, name, port) && lets_out(rule))
    };
    let agent = (spec.identity == Identity::PodIdentity).then_some(("TCP", 80, "80 (the Pod Identity agent)"));
    let ways = [("TCP", 443, "443 (AWS and the API server)"), ("UDP", DNS, "53 (DNS)")].into_iter().chain(agent);
    let missing: Vec<&str> = ways.clone().filter(|(protocol, port, _)| !opened(protocol, *port)).map(|way| way.2).collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!("they do not let the controller get to port {}", missing.join(", "));
    // All of them, since a policy of this name may be there with some.
    let ports: Vec<(&str, i64)> = ways.map(|way| (way.0, way.1)).collect();
    let judgement = shut(facts, &named(spec, found.egress.iter()), message);
    Some(open(spec, judgement, "karpctl-karpenter-out", "Egress", &ports))
}

/// Into the controller's pods, once there are any.
fn ways_in(spec: &Spec, facts: &Facts, found: &PolicyFacts) -> Vec<Judgement> {
    let subject = named(spec, found.policies.iter());
    if found.ports.is_empty() {
        return vec![Judgement::skip(subject, "what they let in is judged once Karpenter is installed")];
    }
    let ports: Vec<(&str, i64)> =
        found.ports.iter().map(|(name, port)| (name.as_str(), *port)).filter(|(name, _)| *name != HEALTH).collect();
    let (webhook, others): (Vec<_>, Vec<_>) = ports.into_iter().partition(|(name, _)| *name == WEBHOOK);
    let tcp = |ports: &[(&str, i64)]| ports.iter().map(|(_, port)| ("TCP", *port)).collect::<Vec<_>>();
    let mut said = Vec::new();
    if let Some((_, port)) = webhook.iter().find(|way| !opens(found, **way)) {
        match asked_for(spec, facts, &subject) {
            Ok(Some(what)) => {
                let message = format!("they do not let the API server get to port {port} ({WEBHOOK}), {what}");
                said.push(open(spec, shut(facts, &subject, message), "karpctl-karpenter-webhook", "Ingress", &tcp(&webhook)));
            }
            Ok(None) => {}
            Err(skipped) => said.push(skipped),
        }
    }
    let closed: Vec<String> = others.iter().filter(|way| !opens(found, **way)).map(|(name, port)| format!("{port} ({name})")).collect();
    if !closed.is_empty() {
        let message = format!("they let nobody get to {}", closed.join(", "));
        said.push(open(spec, Judgement::warn(&subject, message), "karpctl-karpenter-metrics", "Ingress", &tcp(&others)));
    }
    said
}

/// For what the API server asks at the webhook; `None`: for nothing.
fn asked_for(spec: &Spec, facts: &Facts, subject: &str) -> Result<Option<&'static str>, Judgement> {
    let conversion = read(subject, &facts.conversion)?.map(Vec::as_slice).unwrap_or_default();
    if conversion.iter().any(|asked| asked.service.namespace == spec.namespace.as_str()) {
        return Ok(Some("where the CRDs have their objects converted"));
    }
    let admits = read(subject, &facts.webhooks)?.is_some_and(|webhooks| !webhooks.is_empty());
    Ok(admits.then_some("where what is written is looked at"))
}

/// Whether a rule of any policy opens a port: what one opens the others do not shut.
fn opens(found: &PolicyFacts, (name, port): (&str, i64)) -> bool {
    let lets_in = |rule: &PolicyRule| name != WEBHOOK || rule.peers.has_addresses();
    found.policies.iter().flat_map(|policy| policy.rules.iter().flatten()).any(|rule| names(rule, "TCP", name, port) && lets_in(rule))
}

/// Whether a rule is about this port.
fn names(rule: &PolicyRule, protocol: &str, name: &str, port: i64) -> bool {
    let is_it = |of: &PolicyPort| match of.port.parse::<i64>() {
        Ok(from) => (from..=of.end.unwrap_or(from)).contains(&port),
        Err(_) => of.port.is_empty() || of.port == name,
    };
    rule.ports.is_empty() || rule.ports.iter().any(|of| of.protocol == protocol && is_it(of))
}

/// Opened by a policy of its own: another one may select more pods than the controller's, and is somebody's.
fn open(spec: &Spec, judgement: Judgement, name: &str, direction: &str, ports: &[(&str, i64)]) -> Judgement {
    let ports: Vec<_> = ports.iter().map(|(protocol, port)| json!({"protocol": protocol, "port": port})).collect();
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": spec.namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "karpenter"}},
            "policyTypes": [direction],
            (direction.to_lowercase()): [{"ports": ports}],
        },
    });
    judgement.run(
        "open them, to anybody, by a policy for Karpenter's pods alone; where a repository writes the policies, write it there",
        ["sh", "-c", &format!("echo '{policy}' | kubectl apply --filename -")],
    )
}
