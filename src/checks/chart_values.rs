//! Whether the chart reads the values that the live release was given.

use super::helm::set_values;
use super::judgement::live_release;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{HelmRelease, Topic};
use crate::finding::Area;
use crate::knowledge::{Release, value_at};
use crate::spec::Spec;
use crate::wording::named;
use serde_json::Value;

pub(super) struct ChartValues;

/// How many values are named.
const NAMED: usize = 8;

impl Check for ChartValues {
    fn id(&self) -> &'static str {
        "chart-values"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "helm says nothing of a value that the chart does not read. `settings.interruptionQueueName` instead of `settings.interruptionQueue` means that interruptions are not handled, and nothing says so."
    }

    fn explain(&self) -> &'static str {
        "helm passes over a value that no template reads. The values that the live release was given are compared with those that the chart of \
         the wanted release reads (from its values.yaml and its templates), and a moved one is named at its new place: \
         `settings.aws.*` until 0.31, `settings.interruptionQueueName` (which eksctl writes, and no chart ever read), `logConfig` until 0.37, \
         `webhook` until 1.0.\n\n\
         What is seen: nothing; the interruption queue, for one, is then silently not used."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let (subject, live) = live_release(situation)?;
        let mut ignored = Vec::new();
        leaves(&live.values, "", 0, &mut |path, value| {
            if !spec.release.reads_value(path) {
                ignored.push((path.to_owned(), value.clone()));
            }
        });
        if ignored.is_empty() {
            return Ok(vec![Judgement::pass(subject, format!("the chart of Karpenter {} reads all of its values", spec.release))]);
        }
        let shown = |(path, _): &(String, Value)| match spec.release.renamed_value(path) {
            Some(new) => format!("{} (now {new})", crate::error::clean(path)),
            None => crate::error::clean(path),
        };
        let names = named(ignored.iter().map(shown), NAMED);
        let judgement = Judgement::warn(subject, format!("the chart of Karpenter {} does not read: {}", spec.release, names));
        Ok(vec![mend(spec, judgement, live, &ignored)])
    }
}

fn mend(spec: &Spec, judgement: Judgement, live: &HelmRelease, ignored: &[(String, Value)]) -> Judgement {
    let same = live.chart_version.parse::<Release>().is_ok_and(|release| release == spec.release);
    let plain = |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !same || !ignored.iter().all(|(path, _)| plain(path)) {
        return judgement
            .fix("leave them out when you upgrade, or name them anew; `karpctl install` gives the chart the values that it reads");
    }
    let mut sets = Vec::new();
    for (path, value) in ignored {
        sets.push(format!("{path}=null"));
        let unset = |new: &str| value_at(&live.values, new).is_none();
        if let (Some(new), Value::String(text)) = (spec.release.renamed_value(path).filter(|new| unset(new)), value)
            && plain(text)
        {
            sets.push(format!("{new}={text}"));
        }
    }
    judgement.run("name them as the chart reads them, and leave out what it does not", set_values(spec, live, sets))
}

/// Every value that is no map, with its path. A map as deep as that is no value of this chart.
fn leaves(values: &Value, path: &str, depth: u8, take: &mut dyn FnMut(&str, &Value)) {
    match values {
        Value::Object(map) if depth < 32 => {
            for (key, value) in map {
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(value, &here, depth + 1, take);
            }
        }
        // Null leaves a value out, and what is no map at all has none.
        value if value.is_null() || path.is_empty() => {}
        value => take(path, value),
    }
}
