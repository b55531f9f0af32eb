//! Whether the AWS node termination handler works in the cluster too.

use super::neighbours::each;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{NeighbourKind, Topic, Workload};
use crate::finding::Area;
use crate::knowledge::{NODE_POOL_LABEL, PROVISIONER_LABEL};
use serde_json::Value;

pub(super) struct TerminationHandler;

impl Check for TerminationHandler {
    fn id(&self) -> &'static str {
        "termination-handler"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Karpenter drains interrupted nodes by itself when it has a queue; the node termination handler drains the same nodes at the same time, without making others first."
    }

    fn explain(&self) -> &'static str {
        "The AWS node termination handler is known by its image or its label app.kubernetes.io/name. Karpenter handles spot interruption, \
         rebalance, maintenance and capacity reservation events by its queue since 0.19; both draining one node evict pods before there is a \
         node for them.\n\n\
         Keep it off Karpenter's nodes where node groups still need it, by its node selector or affinity, else remove it. One that works by a \
         queue (a Deployment) drains only instances with its own tag, which Karpenter's have not, unless checkTagBeforeDraining is false. One that wants a label of \
         your own counts as kept off: that a node pool gives its nodes the same label is not seen."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if !spec.release.features().interruption_queue {
            let subject = format!("cluster {}", spec.cluster_name);
            return Ok(vec![Judgement::pass(subject, format!("Karpenter {} leaves interruptions to others", spec.release))]);
        }
        each(
            situation,
            NeighbourKind::TerminationHandler,
            "node termination handler of Karpenter's nodes",
            |w| !stays_off(w),
            |subject, w| {
                let message = format!("the node termination handler works in it: the {} {}/{}", w.resource, w.namespace, w.name);
                let judgement = Judgement::warn(subject, message).fix(if goes_by_queue(w) {
                    "where Auto Scaling groups need it, tag them aws-node-termination-handler/managed and have it drain only what carries that: \
                     checkTagBeforeDraining of its chart"
                } else {
                    "keep it off Karpenter's nodes where node groups need it: by an affinity for nodes on which karpenter.sh/nodepool does not exist"
                });
                match w.helm_owner.as_deref().and_then(|owner| owner.split_once('/')) {
                    Some((namespace, release)) => judgement.run(
                        format!("or remove it, if the helm release {release} has nothing else"),
                        ["helm", "uninstall", release, "--namespace", namespace],
                    ),
                    None => judgement.run("or remove it", ["kubectl", "--namespace", &w.namespace, "delete", &w.resource, &w.name]),
                }
            },
        )
    }
}

/// The labels that only Karpenter's nodes have.
const OF_KARPENTER: [&str; 3] = [NODE_POOL_LABEL, PROVISIONER_LABEL, "karpenter.sh/registered"];

/// Whether it works by a queue and not on each node: where its own pods run does not say whose nodes it drains.
fn goes_by_queue(workload: &Workload) -> bool {
    workload.resource == "deployment"
}

/// Whether it drains no node of Karpenter's. One that works by a queue does so by itself: Karpenter's instances do not carry its tag. Of another
/// the pods must run on none: they want a label that Karpenter gives no node by itself, or none of Karpenter's own.
fn stays_off(workload: &Workload) -> bool {
    if goes_by_queue(workload) {
        return workload.checks_tag != Some(false);
    }
    let refuses = |requirement: &Value| {
        let key = requirement["key"].as_str().unwrap_or_default();
        match requirement["operator"].as_str() {
            Some("DoesNotExist") => OF_KARPENTER.contains(&key),
            Some("In" | "Exists") => is_of_others(key),
            _ => false,
        }
    };
    let holds_off = |term: &Value| term["matchExpressions"].as_array().is_some_and(|all| all.iter().any(refuses));
    workload.node_selector.keys().any(|key| is_of_others(key))
        || !workload.node_terms.is_empty() && workload.node_terms.iter().all(holds_off)
}

/// Whether a label is none of those that Karpenter or a kubelet give every node of theirs.
fn is_of_others(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let within = |of: &str| domain == of || domain.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
    !["kubernetes.io", "k8s.io", "karpenter.sh", "karpenter.k8s.aws", "k8s.aws"].into_iter().any(within)
}
