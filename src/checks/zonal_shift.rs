//! Whether a controller that is to heed zonal shifts can read them.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::{Release, ZONAL_SHIFT_VALUE};

pub(super) struct ZonalShift;

impl Check for ZonalShift {
    fn id(&self) -> &'static str {
        "zonal-shift"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A controller that is told to heed zonal shifts asks ARC for them before all else, and ends where it gets no answer: no node is made."
    }

    fn explain(&self) -> &'static str {
        "Looks whether zonal shift is on for the cluster (`zonalShiftConfig.enabled`) where the chart is told to heed it \
         (`settings.enableZonalShift`, Karpenter 1.12 and newer).\n\nWhat people see otherwise: pods in CrashLoopBackOff with `panic: Unable to \
         find Cluster … in Zonal Shift. Please check that the cluster is enabled for Zonal Shift and roles have appropriate permissions`. \
         The policies of 1.12.0 to 1.12.2 do not let the controller read it. Without a word of yours karpctl tells the chart so \
         where it makes the cluster, as the guide does, or where the cluster has it on; never for a private cluster, which needs an endpoint for \
         it.\n\nCure: turn it on for the cluster, or say `zonalShift: false`."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = "zonal shift";
        if !spec.heeds_zonal_shift() {
            return Ok(vec![Judgement::pass(subject, "the controller is not told to heed it")]);
        }
        let off = if spec.given_zonal_shift().is_some() {
            format!("or take `{ZONAL_SHIFT_VALUE}` out of chart.values, which goes before --zonal-shift")
        } else {
            "or say that the controller does not heed it: --zonal-shift false".to_owned()
        };
        if !spec.release.features().zonal_shift_granted && spec.made_elsewhere.is_none() {
            let first = Release::first_with(|features| features.zonal_shift_granted).unwrap_or_else(Release::newest);
            let message = format!("the policies of Karpenter {} do not let the controller read it: it ends at its start", spec.release);
            return Ok(vec![Judgement::fail(subject, message).fix(format!("take --karpenter-version {first} or newer")).fix(off)]);
        }
        let Some(cluster) = read(subject, &situation.facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        if cluster.zonal_shift {
            return Ok(vec![Judgement::pass(subject, "is on for the cluster, and the controller heeds it")]);
        }
        let turn_on = ["--name", spec.cluster_name.as_str(), "--zonal-shift-config", "enabled=true"];
        let judgement = Judgement::fail(subject, "is off for the cluster, and the controller is told to heed it: it ends at its start");
        Ok(vec![judgement.run("turn it on", aws(spec, "eks", "update-cluster-config").into_iter().chain(turn_on)).fix(off)])
    }
}
