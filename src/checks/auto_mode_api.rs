//! Whether the cluster still has the objects of EKS Auto Mode, though Auto Mode is off.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct AutoModeApi;

impl Check for AutoModeApi {
    fn id(&self) -> &'static str {
        "auto-mode-api"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "EKS Auto Mode brings its own CRDs of nodepools.karpenter.sh and nodeclaims.karpenter.sh. Where they stay behind, their node pools name node classes of eks.amazonaws.com, which no Karpenter of your own makes nodes for."
    }

    fn explain(&self) -> &'static str {
        "EKS Auto Mode is a Karpenter that AWS runs, on the same kinds karpenter.sh/NodePool and NodeClaim, with node classes of \
         eks.amazonaws.com. Where Auto Mode was turned off its CRDs may stay: node pools that name `group: eks.amazonaws.com` then launch \
         nothing, and the CRDs of karpenter.sh belong to no helm release.\n\n\
         Look at what is left, move node pools to EC2NodeClass, then delete the CRD nodeclasses.eks.amazonaws.com."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        if facts.cluster.known().is_some_and(|cluster| cluster.auto_mode) {
            return Err(Judgement::skip(subject, "Auto Mode is on: the check auto-mode says what to do"));
        }
        let Some(neighbours) = read(&subject, &facts.neighbours)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        if !neighbours.auto_mode_api {
            return Ok(vec![Judgement::pass(subject, "it has no API of EKS Auto Mode")]);
        }
        Ok(vec![
            Judgement::warn(subject, "it has the node classes of EKS Auto Mode (nodeclasses.eks.amazonaws.com), and Auto Mode is off")
                .run("see what is left of them", ["kubectl", "get", "nodepools,nodeclasses.eks.amazonaws.com"])
                .run(
                    "take their API away once none of them is in use; it takes them along",
                    ["kubectl", "delete", "customresourcedefinition", "nodeclasses.eks.amazonaws.com"],
                ),
        ])
    }
}
