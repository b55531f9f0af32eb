//! What an upgrade changes where nobody says anything.

use super::judgement::installed_release;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct UpgradeDefaults;

impl Check for UpgradeDefaults {
    fn id(&self) -> &'static str {
        "upgrade-defaults"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A new default is no error and stands in no log: after the upgrade nodes are replaced, pods lose the instance metadata, or a replica of the controller stays Pending."
    }

    fn explain(&self) -> &'static str {
        "Compares the release that is installed with the wanted one, and names what the releases between them do otherwise where neither \
         the chart's values nor pools and node classes say anything, each with how it stays as it was. Whether your own values and objects say \
         it already is not looked at.\n\n\
         What is seen by whoever did not know: nodes that are `Drifted` all at once, `operation error ec2imds: GetMetadata … context deadline \
         exceeded` in pods, `didn't match pod topology spread constraints` of a second replica.\n\n\
         Where a new default is what you want, accept the finding."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let wanted = &situation.spec()?.release;
        let subject = format!("upgrade to Karpenter {wanted}");
        let Some(release) = installed_release(situation, &subject)? else {
            return Ok(vec![Judgement::pass(subject, "no Karpenter is installed that could be upgraded")]);
        };
        let new = wanted.new_defaults_since(&release);
        if new.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("does nothing otherwise than {release} where nobody says anything"))]);
        }
        let what: Vec<String> = new.iter().map(|default| format!("since {} {}", default.since, default.what)).collect();
        let judgement = Judgement::warn(subject, format!("Karpenter {release} is installed, and {}", what.join("; ")));
        Ok(vec![
            new.iter().fold(judgement, |judgement, default| {
                judgement.fix(format!("for it to stay as it is ({}): {}", default.since, default.keep))
            }),
        ])
    }
}
