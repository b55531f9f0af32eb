//! Whether the release that is installed can become the wanted one in one hop.

use super::helm::install;
use super::judgement::installed_release;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::steps::hops::{HOPS, first_hop, skipped_hop};

pub(super) struct UpgradeHops;

impl Check for UpgradeHops {
    fn id(&self) -> &'static str {
        "upgrade-hops"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Some releases alone can read the objects of the one before and write those of the next. Who skips them has node pools that no controller sees: `no matches for kind \"Provisioner\" in version \"karpenter.sh/v1alpha5\"`."
    }

    fn explain(&self) -> &'static str {
        "0.32 alone reads Provisioners and writes NodePools; 1.0 alone converts v1beta1 to v1. From before 0.32 the way is the newest 0.32, then \
         NodePools, then on; from 0.33 to 0.37 it is the newest patch of that minor, the newest 1.0, then any. There is no way back to an older API.\n\n\
         What is seen by who skips one: `no matches for kind \"Provisioner\" in version \"karpenter.sh/v1alpha5\"`, node pools that no controller \
         sees, `must appear in spec.versions`."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("upgrade to Karpenter {}", spec.release);
        let Some(release) = installed_release(situation, &subject)? else {
            return Ok(vec![Judgement::pass(subject, "no Karpenter is installed that could be upgraded")]);
        };
        let Some(why) = skipped_hop(&release, &spec.release) else {
            return Ok(vec![Judgement::pass(subject, format!("from {release} it is one hop"))]);
        };
        let judgement = Judgement::fail(subject, format!("Karpenter {release} is installed, and {why}"));
        Ok(vec![match first_hop(&release, &spec.release) {
            Some(hop) => {
                let (oldest, newest) = hop.kubernetes_range();
                let on =
                    if hop.fits(spec.kubernetes) { String::new() } else { format!("; it runs on Kubernetes {oldest} to {newest} only") };
                judgement.run(format!("the first hop is {hop}{on}"), install(spec, &hop)).fix(HOPS)
            }
            None => judgement.fix("stay with a release of the API that its objects have, or `karpctl destroy` it and make it anew"),
        }])
    }
}
