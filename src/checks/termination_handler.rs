//! Whether the AWS node termination handler works in the cluster too.

use super::neighbours::each;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{NeighbourKind, Topic};
use crate::finding::Area;

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
         Remove it, or keep it off Karpenter's nodes by its node selector where node groups still need it."
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
            "node termination handler",
            |_| true,
            |subject, w| {
                let message = format!("the node termination handler works in it: the {} {}/{}", w.resource, w.namespace, w.name);
                let judgement = Judgement::warn(subject, message);
                match w.helm_owner.as_deref().and_then(|owner| owner.split_once('/')) {
                    Some((namespace, release)) => judgement.run("remove it", ["helm", "uninstall", release, "--namespace", namespace]),
                    None => judgement.run("remove it", ["kubectl", "--namespace", &w.namespace, "delete", &w.resource, &w.name]),
                }
                .fix("or keep it off Karpenter's nodes by its node selector")
            },
        )
    }
}
