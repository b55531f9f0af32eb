//! Whether the Cluster Autoscaler works in the cluster too.

use super::neighbours::each;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{NeighbourKind, Topic};
use crate::finding::Area;

pub(super) struct ClusterAutoscaler;

impl Check for ClusterAutoscaler {
    fn id(&self) -> &'static str {
        "cluster-autoscaler"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "The Cluster Autoscaler and Karpenter both make nodes for the same Pending pods, and the autoscaler scales away the node group that Karpenter's controller runs on."
    }

    fn explain(&self) -> &'static str {
        "The Cluster Autoscaler is known by its image or its label app.kubernetes.io/name. It and Karpenter do not know of each other: both answer \
         the same Pending pods, and `scale down` takes the nodes that Karpenter's controller runs on.\n\n\
         `karpctl migrate cluster-autoscaler` moves the cluster to Karpenter step by step, and back. By hand: scale it to 0 once Karpenter's node \
         pools take what it did, with at least two nodes left in the node group; or keep each to node groups and pods of its own."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        each(
            situation,
            NeighbourKind::ClusterAutoscaler,
            "Cluster Autoscaler",
            |_| true,
            |subject, w| {
                let command = ["kubectl", "--namespace", &w.namespace, "scale", &w.resource, &w.name, "--replicas", "0"];
                Judgement::warn(subject, format!("the Cluster Autoscaler works in it: the {} {}/{}", w.resource, w.namespace, w.name))
                    .run("stop it, once Karpenter's node pools take what it did", command)
                    .fix("or let `karpctl migrate cluster-autoscaler` do it, with node pools that fit its node groups")
                    .fix("or keep it to node groups that no pod of Karpenter's may run on")
            },
        )
    }
}
