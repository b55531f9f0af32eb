//! What the chart is told beside what the guide of its release tells it.

use super::Adoption;
use crate::error::Result;
use crate::facts::Facts;
use crate::knowledge::value_at;
use crate::render;
use crate::spec::Spec;
use crate::spec::layer::ChartLayer;
use serde_json::{Map, Value};

/// A text among values, by its path.
pub(super) fn text(values: &Value, path: &str) -> Option<String> {
    value_at(values, path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A switch among values. `--set-string` makes it text.
pub(super) fn flag(values: &Value, path: &str) -> Option<bool> {
    let value = value_at(values, path)?;
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// Keeps the values of the release that is there, as a patch of those that the guide gives.
pub(super) fn keep(adoption: &mut Adoption, spec: &Spec, facts: &Facts) -> Result<()> {
    let Some(release) = facts.chart_release.known() else { return Ok(()) };
    let endpoint = facts.cluster.known().and_then(|c| c.endpoint.as_deref());
    let guide = render::helm_values(spec, endpoint)?;
    let patch = beyond(&guide, &release.values);
    leaves("", &Value::Object(patch.clone()), &mut |path, value| {
        adoption.differs.push(match value {
            Value::Null => format!("chart value {path}: the guide sets it, and it is not set here"),
            _ => format!("chart value {path}: kept as it is"),
        });
    });
    if !patch.is_empty() {
        adoption.layer.chart = Some(ChartLayer { values: Some(patch.into_iter().collect()), ..ChartLayer::default() });
    }
    Ok(())
}

/// The merge patch that makes `found` of `guide`.
fn beyond(guide: &Value, found: &Value) -> Map<String, Value> {
    let (none, empty) = (Value::Null, Map::new());
    let (guide, found) = (guide.as_object().unwrap_or(&empty), found.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (key, value) in found {
        let usual = guide.get(key).unwrap_or(&none);
        match (usual, value) {
            (Value::Object(_), Value::Object(_)) => {
                let inner = beyond(usual, value);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (usual, value) if same(usual, value) => {}
            (_, value) => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in guide.keys().filter(|key| !found.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// Whether two scalars say the same: helm's `--set` makes numbers of what a file has as text.
fn same(a: &Value, b: &Value) -> bool {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    a == b || (!a.is_null() && !a.is_object() && !b.is_object() && plain(a) == plain(b))
}

fn leaves(path: &str, value: &Value, take: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, inner) in fields {
                let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&here, inner, take);
            }
        }
        value if path.is_empty() => drop(value.is_null()),
        value => take(path, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_has_what_is_more_what_is_other_and_what_is_less() {
        let guide =
            json!({"settings": {"clusterName": "a", "enableZonalShift": true}, "controller": {"resources": {"requests": {"cpu": 1}}}});
        let found = json!({"settings": {"clusterName": "a", "interruptionQueue": "q"}, "controller": {"resources": {"requests": {"cpu": "1"}}}, "dnsPolicy": "Default"});
        let patch = beyond(&guide, &found);
        assert_eq!(Value::Object(patch), json!({"settings": {"enableZonalShift": null, "interruptionQueue": "q"}, "dnsPolicy": "Default"}));
        assert!(beyond(&guide, &guide).is_empty());
    }
}
