//! Whether the Karpenter release may be installed at all.

use super::{Check, Judgement, Situation};
use crate::finding::{Area, Verdict};
use crate::knowledge::Standing;

pub(super) struct KarpenterRelease;

impl Check for KarpenterRelease {
    fn id(&self) -> &'static str {
        "karpenter-release"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A few releases break every cluster they are installed into; a release newer than karpctl's table may need what karpctl does not know."
    }

    fn judge(&self, situation: &Situation<'_>) -> Judgement {
        let release = &situation.spec.release;
        let subject = format!("Karpenter {release}");
        match release.standing_on(situation.spec.kubernetes) {
            Standing::Known => Judgement::new(Verdict::Pass, subject, "known"),
            Standing::Newer => Judgement::new(
                Verdict::Warn,
                subject,
                format!(
                    "newer than the newest release that this karpctl knows ({}); it is treated like that one",
                    crate::knowledge::Release::newest()
                ),
            ),
            Standing::Trap { reason, instead } => {
                Judgement::new(Verdict::Fail, subject, reason).fix(format!("take {instead} instead: --karpenter-version {instead}"))
            }
        }
    }
}
