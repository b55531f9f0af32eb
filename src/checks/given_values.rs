//! The values by which the controller will run: what the next bootstrap gives the chart, over the chart's own.

use super::judgement::{VALUES_WITHIN, installed, of_own_chart, read};
use super::{Judgement, whose};
use crate::facts::{Facts, HelmRelease};
use crate::knowledge::{Features, HOST_LABEL, OS_LABEL, Release, ZONE_LABEL};
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
        let live = live.map(|live| over(chart_of(live, spec), &live.values));
        // An empty list that is said is no difference to a step, and takes away the chart's own.
        let to_come = live.clone().filter(|_| stays).unwrap_or_else(|| over(of_chart(spec.release.features()), &given));
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

/// What a chart has by itself of what is asked for here. Of its node affinity only that Karpenter's own nodes are none for it, which is
/// judged by who made a node.
fn of_chart(features: &Features) -> Value {
    let zones = if features.zones_even { "DoNotSchedule" } else { "ScheduleAnyway" };
    let mut values = json!({
        "replicas": 2,
        "dnsPolicy": if features.cluster_dns { "ClusterFirst" } else { "Default" },
        "nodeSelector": {OS_LABEL: "linux"},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": ZONE_LABEL, "whenUnsatisfiable": zones}],
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    });
    if features.controllers_apart {
        let hosts = json!([{"topologyKey": HOST_LABEL}]);
        values["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": hosts}});
    }
    // Later charts ask for nothing, and are given what the guides ask for.
    if features.controller_requests && !features.controller_resources {
        values["controller"] = json!({"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}});
    }
    values
}

/// The same of a chart that is installed; one that nobody knows is taken for the wanted one.
fn chart_of(live: &HelmRelease, spec: &Spec) -> Value {
    live.chart_version.parse::<Release>().map_or_else(|_| of_chart(spec.release.features()), |release| of_chart(release.features()))
}

/// Values over a chart's own as helm lays them: maps are joined, `null` takes away, all else takes the place.
fn over(mut chart: Value, given: &Value) -> Value {
    let Value::Object(fields) = given else { return chart };
    for (key, value) in fields {
        match value {
            Value::Null => drop(chart.as_object_mut().and_then(|own| own.remove(key))),
            Value::Object(_) if chart[key].is_object() => chart[key] = over(chart[key].take(), value),
            _ => chart[key] = value.clone(),
        }
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_over_the_charts_own_as_helm_lays_them() {
        let release: Release = "1.14.1".parse().unwrap();
        let given = json!({"nodeSelector": {"role": "infra"}, "tolerations": [], "affinity": {"podAntiAffinity": null}, "replicas": 1});
        let all = over(of_chart(release.features()), &given);
        assert_eq!(all["nodeSelector"], json!({"kubernetes.io/os": "linux", "role": "infra"}));
        assert_eq!((&all["tolerations"], &all["affinity"], &all["replicas"]), (&json!([]), &json!({}), &json!(1)));
        assert_eq!(all["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule");
        let old: Release = "0.26.0".parse().unwrap();
        assert_eq!(over(of_chart(old.features()), &json!(null))["topologySpreadConstraints"][0]["whenUnsatisfiable"], "ScheduleAnyway");
        assert_eq!(at(&all, "affinity.nodeAffinity.none"), &Value::Null);
    }
}
