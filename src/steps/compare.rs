//! Compares what we want with what an API answers, which may have added to it or written it differently.

use serde_json::Value;

/// In what `found` is not as `wanted`, a line each: only the fields that are wanted are looked at, and quantities and
/// durations are compared by what they say.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    compare("", wanted, found, &mut changes);
    changes
}

/// As [`differences`], and what is found and not wanted is one too.
pub(crate) fn differences_both_ways(wanted: &Value, found: &Value) -> Vec<String> {
    let mut changes = differences(wanted, found);
    let mut extra = Vec::new();
    surplus("", wanted, found, &mut extra);
    changes.extend(extra);
    changes
}

fn compare(path: &str, wanted: &Value, found: &Value, changes: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                compare(&join(path, key), value, found.get(key).unwrap_or(&Value::Null), changes);
            }
        }
        (Value::Array(w), Value::Array(f)) if w.len() == f.len() => {
            for (index, (w, f)) in w.iter().zip(f).enumerate() {
                compare(&format!("{path}[{index}]"), w, f, changes);
            }
        }
        // What is empty and what is not there mean the same to an API server.
        (Value::Null, Value::Null) => {}
        (w, Value::Null) if is_empty(w) => {}
        (w, f) if same(path, w, f) => {}
        (w, f) => changes.push(format!("{path}: {} -> {}", shown(f), shown(w))),
    }
}

fn surplus(path: &str, wanted: &Value, found: &Value, changes: &mut Vec<String>) {
    let Value::Object(found) = found else { return };
    for (key, value) in found {
        match wanted.get(key) {
            Some(inner) => surplus(&join(path, key), inner, value, changes),
            None if is_empty(value) => {}
            None => changes.push(format!("{}: {} -> not set", join(path, key), shown(value))),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

/// The most characters of a value that are shown.
const SHOWN: usize = 60;

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "not set".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > SHOWN { text.chars().take(SHOWN).collect::<String>() + " …" } else { text }
}

/// Whether two values at a path say the same.
fn same(path: &str, wanted: &Value, found: &Value) -> bool {
    if wanted == found {
        return true;
    }
    let (Some(w), Some(f)) = (scalar(wanted), scalar(found)) else { return false };
    let close = |a: f64, b: f64| (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs());
    let both = |parse: fn(&str) -> Option<f64>| parse(&w).zip(parse(&f)).is_some_and(|(a, b)| close(a, b));
    w == f || (!is_text(path) && (both(quantity) || both(duration)))
}

/// The fields whose values are texts, however much like a number they look: the value of a label `1.10` is not `1.1`.
const TEXTS: [&str; 6] = ["labels", "annotations", "requirements", "tags", "taints", "startupTaints"];

fn is_text(path: &str) -> bool {
    path.split(['.', '[']).any(|part| TEXTS.contains(&part))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A Kubernetes quantity: `1000`, `500m`, `1Gi`.
fn quantity(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let (number, unit) = UNITS.iter().find_map(|(unit, by)| Some((text.strip_suffix(unit)?, *by))).unwrap_or((text, 1.0));
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
    plain.then(|| number.parse::<f64>().ok().map(|n| n * unit)).flatten()
}

/// A Go duration, in seconds: `720h`, `1m30s`, `720h0m0s`.
fn duration(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let (number, after) = rest.split_at(digits);
        let (by, unit) = [("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)]
            .into_iter()
            .find_map(|(u, by)| after.starts_with(u).then_some((by, u)))?;
        seconds += number.parse::<f64>().ok()? * by;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(seconds)
}

/// Whether two IAM policies mean the same as far as writing goes: one value or a list of one, and the order of values.
pub(super) fn same_policy(a: &Value, b: &Value) -> bool {
    plain(a) == plain(b)
}

fn plain(policy: &Value) -> Value {
    match policy {
        Value::Object(fields) => Value::Object(fields.iter().map(|(k, v)| (k.clone(), plain(v))).collect()),
        Value::Array(list) if list.len() == 1 => plain(&list[0]),
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(plain).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_wanted_is_compared() {
        let wanted = json!({"a": 1, "b": {"c": ["x"]}, "e": {}});
        assert!(differences(&wanted, &json!({"a": 1, "b": {"c": ["x"], "more": 1}, "other": 2})).is_empty());
        assert_eq!(differences(&wanted, &json!({"a": 2, "b": {"c": ["y"]}})), ["a: 2 -> 1", "b.c[0]: y -> x"]);
        assert_eq!(differences(&wanted, &json!({"a": 1, "b": {"c": ["x", "z"]}})), [r#"b.c: ["x","z"] -> ["x"]"#]);
        assert_eq!(differences_both_ways(&wanted, &json!({"a": 1, "b": {"c": ["x"], "d": 4}})), ["b.d: 4 -> not set"]);
    }

    #[test]
    fn quantities_and_durations_are_compared_by_what_they_say() {
        for (a, b, equal) in [
            (json!("1000"), json!(1000), true),
            (json!("1"), json!("1000m"), true),
            (json!("1Gi"), json!("1024Mi"), true),
            (json!("720h"), json!("720h0m0s"), true),
            (json!("60s"), json!("1m"), true),
            (json!("1m"), json!("2m"), false),
            (json!("spot"), json!("on-demand"), false),
            (json!(true), json!("true"), false),
            (json!({"labels": {"version": "1.10"}}), json!({"labels": {"version": "1.1"}}), false),
            (json!({"requirements": [{"values": ["1Gi"]}]}), json!({"requirements": [{"values": ["1024Mi"]}]}), false),
            (json!({"limits": {"cpu": "1.0"}}), json!({"limits": {"cpu": "1"}}), true),
        ] {
            assert_eq!(differences(&a, &b).is_empty(), equal, "{a} {b}");
        }
    }

    #[test]
    fn policies_are_the_same_however_they_are_written() {
        let a = json!({"Statement": [{"Action": ["sts:TagSession", "sts:AssumeRole"], "Effect": "Allow"}]});
        let b = json!({"Statement": {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"]}});
        assert!(same_policy(&a, &b));
        assert!(!same_policy(&a, &json!({"Statement": []})));
    }
}
