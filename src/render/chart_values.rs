//! The values that charts have by themselves, and how others are laid over them.

use crate::knowledge::{Features, HOST_LABEL, OS_LABEL, ZONE_LABEL};
use serde_json::{Value, json};

/// What a chart has by itself of what decides where its controller runs. Of its node affinity only that Karpenter's own nodes are none for it, which is
/// judged by who made a node.
#[must_use]
pub fn chart_values(features: &Features) -> Value {
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

/// Values over a chart's own as helm lays them: maps are joined, `null` takes away, all else takes the place.
#[must_use]
pub fn over_chart(mut chart: Value, given: &Value) -> Value {
    let Value::Object(fields) = given else { return chart };
    for (key, value) in fields {
        match value {
            Value::Null => drop(chart.as_object_mut().and_then(|own| own.remove(key))),
            Value::Object(_) if chart[key].is_object() => chart[key] = over_chart(chart[key].take(), value),
            _ => chart[key] = value.clone(),
        }
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Release;

    #[test]
    fn values_lie_over_the_charts_own_as_helm_lays_them() {
        let release: Release = "1.14.1".parse().unwrap();
        let given = json!({"nodeSelector": {"role": "infra"}, "tolerations": [], "affinity": {"podAntiAffinity": null}, "replicas": 1});
        let all = over_chart(chart_values(release.features()), &given);
        assert_eq!(all["nodeSelector"], json!({"kubernetes.io/os": "linux", "role": "infra"}));
        assert_eq!((&all["tolerations"], &all["affinity"], &all["replicas"]), (&json!([]), &json!({}), &json!(1)));
        assert_eq!(all["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule");
        let old: Release = "0.26.0".parse().unwrap();
        assert_eq!(
            over_chart(chart_values(old.features()), &json!(null))["topologySpreadConstraints"][0]["whenUnsatisfiable"],
            "ScheduleAnyway"
        );
    }
}
