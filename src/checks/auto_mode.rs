//! Whether EKS Auto Mode already runs a Karpenter in this cluster.

use super::judgement::{installed_release, read};
use super::neighbours::{release_of, working_karpenters};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct AutoMode;

impl Check for AutoMode {
    fn id(&self) -> &'static str {
        "auto-mode"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "EKS Auto Mode is a Karpenter run by AWS on the same NodePool and NodeClaim objects; two controllers would work against each other."
    }

    fn explain(&self) -> &'static str {
        "Looks whether EKS Auto Mode manages the compute of the cluster (`computeConfig.enabled`). Auto Mode has the CRDs of karpenter.sh \
         already, which belong to no helm release, so that a chart is refused (`exists and cannot be imported into the current release: invalid \
         ownership metadata`), and node pools of one Karpenter are seen by the other. karpctl installs none beside it. A Karpenter of 1.1 or newer \
         that is there already may stay while work moves over (EKS user guide, \"Migrate from Karpenter to EKS Auto Mode\"): that is a warning.\n\nCure: stay with Auto Mode, \
         or turn it off: its nodes, load balancing and block storage go with it, so move the work first. See auto-mode-api for what stays behind."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let name = &spec.cluster_name;
        let subject = format!("cluster {name}");
        let Some(cluster) = read(&subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        if !cluster.auto_mode {
            return Ok(vec![Judgement::pass(subject, "Auto Mode is off")]);
        }
        // Without a cluster that answers nothing is known of it, and what would be installed is refused.
        let working = situation.facts.neighbours.known().and_then(|n| working_karpenters(n).next());
        let release = working.and_then(|w| installed_release(situation, &subject).ok().flatten().or_else(|| release_of(w)));
        let judgement = match release.filter(|release| release.features().beside_auto_mode) {
            Some(release) => {
                let message =
                    format!("EKS Auto Mode manages compute of this cluster beside Karpenter {release}, as for a migration to Auto Mode");
                Judgement::warn(subject, message).fix(
                    "keep the pools of the two apart by taints or node selectors, as EKS's page \"Migrate from Karpenter to EKS Auto Mode\" has it",
                )
            }
            None => Judgement::fail(subject, "EKS Auto Mode manages this cluster's compute")
                .fix("stay with Auto Mode: it needs no Karpenter of your own"),
        };
        let off = ["enabled=false", "{\"elasticLoadBalancing\":{\"enabled\":false}}", "{\"blockStorage\":{\"enabled\":false}}"];
        let command = ["aws", "eks", "update-cluster-config", "--region", spec.region.as_str(), "--name", name.as_str()];
        let flags = ["--compute-config", off[0], "--kubernetes-network-config", off[1], "--storage-config", off[2]];
        Ok(vec![
            judgement.run(
                "or turn Auto Mode off, once nothing runs by it: its nodes go with it, and nobody cares for the load balancers and volumes that it made",
                command.into_iter().chain(flags),
            ),
        ])
    }
}
