//! The values by which the controller will run: what the next bootstrap gives the chart, over the chart's own.

use super::judgement::{VALUES_WITHIN, installed, of_own_chart, read};
use super::{Judgement, whose};
use crate::facts::{Facts, HelmRelease};
use crate::knowledge::Release;
use crate::render;
use crate::spec::Spec;
use crate::steps::compare::differences_both_ways;
use crate::steps::is_as_wanted;
use serde_json::{Value, json};

/// Where a value is said so that bootstrap gives it.
pub(super) const IN_SPEC_FILE: &str = "under `chart.values` in karpctl.yaml";
/// What keeps values as the release has them, in words.
pub(super) const KEEP: &str = "or keep what the release has: name it under `chart.values` in karpctl.yaml";

/// The values that decide, of the release that is there and of what bootstrap makes of it.
pub(super) struct GivenValues {
    /// After the next bootstrap.
    to_come: Value,
    /// Of the release that is there.
    live: Option<Value>,
    /// Whether the bootstrap leaves that release as it is.
    stays: bool,
}

impl GivenValues {
    /// Read from [`Facts::chart_release`], [`Facts::neighbours`] and [`Facts::cluster`]; whose the release is, by [`whose::is_not_ours`].
    pub(super) fn of(spec: &Spec, facts: &Facts, subject: &str) -> Result<Self, Judgement> {
        let live = read(subject, &facts.chart_release)?.filter(|release| installed(release));
        if live.is_some_and(|live| !of_own_chart(live)) {
            return Err(Judgement::skip(subject, VALUES_WITHIN));
        }
        if live.is_none() {
            whose::has_no_record(spec, facts, subject)?;
        }
        let endpoint = facts.cluster.known().and_then(|cluster| cluster.endpoint.as_deref());
        let given = render::helm_values(spec, endpoint)
            .map_err(|e| Judgement::skip(subject, format!("what the chart will be given is not known: {e}")))?;
        // What another tool made is adopted with the values that it has.
        let keeps = |live| whose::is_not_ours(spec, facts) || is_as_wanted(live, &spec.release.chart_version(), &given);
        let stays = live.is_some_and(keeps);
        let live = live.map(|live| render::over_chart(chart_of(live, spec), &live.values));
        // An empty list that is said is no difference to a step, and takes away the chart's own.
        let to_come =
            live.clone().filter(|_| stays).unwrap_or_else(|| render::over_chart(render::chart_values(spec.release.features()), &given));
        Ok(Self { to_come, live, stays })
    }

    /// All of them, as they will be.
    pub(super) fn to_come(&self) -> &Value {
        &self.to_come
    }

    /// One of them, as it will be.
    pub(super) fn at(&self, path: &str) -> &Value {
        at(&self.to_come, path)
    }

    /// Whether a release is there and the bootstrap leaves it as it is.
    pub(super) fn stays(&self) -> bool {
        self.stays
    }

    /// Whether a release is there in which these values are what they will be.
    pub(super) fn keeps(&self, names: &[&str]) -> bool {
        self.live.is_some() && !self.changes(names)
    }

    /// Whether the bootstrap changes these values of the release that is there.
    pub(super) fn changes(&self, names: &[&str]) -> bool {
        !self.changed(names).is_empty()
    }

    /// What it changes of them: a plain value with what it was, of all else the name.
    fn changed(&self, names: &[&str]) -> Vec<String> {
        let Some(live) = &self.live else { return Vec::new() };
        let of = |values: &Value, name: &str| json!({name: at(values, name)});
        let change = |name: &str| {
            let lines = differences_both_ways(&of(&self.to_come, name), &of(live, name));
            let plain = !at(&self.to_come, name).is_object() && !at(&self.to_come, name).is_array();
            Some(if plain { lines.into_iter().next()? } else { lines.first().map(|_| name.to_owned())? })
        };
        names.iter().filter_map(|name| change(name)).collect()
    }

    /// What is found, and that it is the bootstrap that makes it so, where it changes one of these.
    pub(super) fn because(&self, found: String, names: &[&str]) -> String {
        let changes = self.changed(names);
        if changes.is_empty() { found } else { format!("{found}; `karpctl bootstrap` changes {}", changes.join(", ")) }
    }
}

/// A value by its dotted path.
pub(super) fn at<'v>(values: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(values, |values, key| &values[key])
}

/// The same of a chart that is installed; one that nobody knows is taken for the wanted one.
fn chart_of(live: &HelmRelease, spec: &Spec) -> Value {
    live.chart_version
        .parse::<Release>()
        .map_or_else(|_| render::chart_values(spec.release.features()), |release| render::chart_values(release.features()))
}
