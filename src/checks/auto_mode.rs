//! Whether EKS Auto Mode already runs a Karpenter in this cluster.

use super::judgement::read;
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
         ownership metadata`), and node pools of one Karpenter are seen by the other. karpctl installs none beside it. Cure: stay with Auto Mode, \
         or turn it off: its nodes go with it, so move the work first. See auto-mode-api for what stays behind."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster]
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
        let off = ["enabled=false", "{\"elasticLoadBalancing\":{\"enabled\":false}}", "{\"blockStorage\":{\"enabled\":false}}"];
        let command = ["aws", "eks", "update-cluster-config", "--region", spec.region.as_str(), "--name", name.as_str()];
        let flags = ["--compute-config", off[0], "--kubernetes-network-config", off[1], "--storage-config", off[2]];
        Ok(vec![
            Judgement::fail(subject, "EKS Auto Mode manages this cluster's compute")
                .run("turn Auto Mode off first; the nodes that it made go with it", command.into_iter().chain(flags))
                .fix("or stay with Auto Mode: it needs no Karpenter of your own"),
        ])
    }
}
