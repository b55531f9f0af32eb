//! A CRD's schema as a fingerprint: two CRDs with the same one take and refuse the same objects.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The fingerprint of a CRD's versions and their schemas, without what is only said to people. `tests/conformance/charts.py`
/// computes the same of the official releases. `None` where the object has no versions with a schema.
pub(crate) fn fingerprint(crd: &Value) -> Option<String> {
    let versions = crd["spec"]["versions"].as_array()?.iter().map(|version| {
        let schema = version["schema"]["openAPIV3Schema"].as_object().map(bare)?;
        Some(json!({"name": version["name"], "served": version["served"], "storage": version["storage"], "schema": schema}))
    });
    let mut versions = Value::Array(versions.collect::<Option<_>>()?);
    versions.sort_all_objects();
    Some(Sha256::digest(versions.to_string()).iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

/// A schema without descriptions. What is called `description` among the properties is one of them.
fn bare(schema: &Map<String, Value>) -> Value {
    let kept = schema.iter().filter(|(key, _)| *key != "description").map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("properties" | "patternProperties" | "definitions", Value::Object(named)) => {
                named.iter().map(|(name, value)| (name.clone(), inside(value))).collect()
            }
            ("items" | "additionalProperties" | "not" | "allOf" | "anyOf" | "oneOf", value) => inside(value),
            (_, value) => value.clone(),
        };
        (key.clone(), value)
    });
    kept.collect()
}

/// A schema, a list of schemas, or what stands in a schema's place.
fn inside(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(inside).collect(),
        Value::Object(schema) => bare(schema),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(property: &Value) -> Value {
        let schema = json!({"type": "object", "description": "x", "properties": {"description": property}});
        json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
    }

    #[test]
    fn words_to_people_do_not_count_and_everything_else_does() {
        let plain = fingerprint(&crd(&json!({"type": "string"})));
        assert_eq!(plain.as_deref().map(str::len), Some(12));
        assert_eq!(plain, fingerprint(&crd(&json!({"type": "string", "description": "said"}))));
        assert_ne!(plain, fingerprint(&crd(&json!({"type": "string", "enum": ["Gte"]}))));
        let listed = |enums: Value| fingerprint(&crd(&json!({"items": {"anyOf": [{"description": "said", "enum": enums}]}})));
        assert_eq!(listed(json!(["a"])), listed(json!(["a"])));
        assert_ne!(listed(json!(["a"])), listed(json!(["b"])));
    }

    #[test]
    fn what_is_no_crd_has_none() {
        for odd in [json!(null), json!({"spec": {"versions": "v1"}}), json!({"spec": {"versions": [{"name": "v1"}]}})] {
            assert_eq!(fingerprint(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_schema_as_deep_as_a_parser_lets_through_is_taken() {
        let mut schema = json!({});
        for _ in 0..100 {
            schema = json!({"properties": {"a": schema}});
        }
        assert!(fingerprint(&crd(&schema)).is_some());
    }
}
