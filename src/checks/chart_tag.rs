//! Whether the registry has the chart's version, in the form in which it is asked for.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;

pub(super) struct ChartTag;

impl Check for ChartTag {
    fn id(&self) -> &'static str {
        "chart-tag"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Karpenter's charts are tagged v0.17.0 to v0.34.x and 0.35.0 and newer: with the v forgotten, or not, the chart is not found."
    }

    fn explain(&self) -> &'static str {
        "Asks the chart registry, without a login, for the tag that helm will be given. karpctl writes the `v` where the release has it \
         (0.17.0 to 0.34.x) and leaves it out from 0.35.0 on, whichever way --karpenter-version is typed; a mirror may have copied it \
         otherwise.\n\nWhat people see: `manifests/v0.36.1: 400 Bad Request`, `0.34.0: not found`, `failed to download \"oci://public.ecr.aws/\
         karpenter/karpenter\" at version`. The same 400 and `403 Forbidden` also come of a log-in that has ended: see registry-login. A \
         registry that lets nobody look without a login is skipped."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::ChartTag]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let chart = spec.chart_reference();
        let Some(seen) = read(&chart, &situation.facts.chart_tag)? else {
            return Err(Judgement::skip(chart, "was not looked at"));
        };
        let subject = format!("{} {}", seen.chart, seen.tag);
        Ok(vec![match &seen.instead {
            _ if seen.is_there => Judgement::pass(subject, "is in the registry"),
            Some(other) => Judgement::fail(subject, format!("is not in the registry, which has it as {other}"))
                .fix(format!("copy the chart to the mirror once more under its own tag, {}", seen.tag)),
            None => Judgement::fail(subject, "is not in the registry")
                .run("see which releases there are", ["karpctl", "versions"])
                .fix("copy the chart to the mirror, or name another repository: --chart-repository"),
        }])
    }
}
