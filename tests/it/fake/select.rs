//! Label selectors, as far as karpctl writes them: `a=b`, `a`, `a in (b,c)`, `a notin (b)`.

use serde_json::Value;

/// Whether an object's labels fit.
pub(super) fn fits(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    requirements(selector).iter().all(|requirement| {
        let listed = |operator: &str| {
            let (key, values) = requirement.split_once(operator)?;
            let values: Vec<String> = values.trim().trim_matches(['(', ')']).split(',').map(|v| v.trim().to_owned()).collect();
            Some(labels[key.trim()].as_str().is_some_and(|label| values.iter().any(|v| v == label)))
        };
        if let Some(out) = listed(" notin ") {
            !out
        } else if let Some(within) = listed(" in ") {
            within
        } else if let Some((key, value)) = requirement.split_once('=') {
            labels[key] == value
        } else {
            !labels[requirement.as_str()].is_null()
        }
    })
}

fn requirements(selector: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in selector.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(c),
        }
    }
    parts.into_iter().filter(|p| !p.is_empty()).collect()
}
