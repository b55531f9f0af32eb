//! Policy documents as IAM reads them, as far as checks need to.

use serde_json::{Value, json};
use wildmatch::WildMatch;

/// A field that holds one text or several.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// The statements of this effect, which a policy may write as one or as several.
pub(super) fn statements(policy: &Value, effect: Effect) -> Vec<&Value> {
    let written = match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    written_in(policy).into_iter().filter(|s| s["Effect"] == written).collect()
}

fn written_in(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(many) => many.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The statements that allow.
pub(super) fn allowing(policy: &Value) -> Vec<&Value> {
    statements(policy, Effect::Allow)
}

/// The statements that deny this principal one of these actions, where their condition holds.
pub(super) fn denying<'p>(policy: &'p Value, kind: &str, principal: &str, actions: &[&str]) -> Vec<&'p Value> {
    let meant = |s: &Value| is_anybody(&s["Principal"]) || texts(&s["Principal"][kind]).contains(&principal);
    let of_it = |s: &Value| actions.iter().any(|action| has_action(s, action));
    statements(policy, Effect::Deny).into_iter().filter(|s| meant(s) && of_it(s)).collect()
}

/// Whether a principal is everybody: `"*"` and `{"AWS": "*"}` are the same to IAM.
pub(super) fn is_anybody(principal: &Value) -> bool {
    *principal == "*" || texts(&principal["AWS"]).contains(&"*")
}

/// Whether an action is among those of a statement.
pub(super) fn has_action(statement: &Value, action: &str) -> bool {
    texts(&statement["Action"]).iter().any(|pattern| names_action(pattern, action))
}

/// The policy with these statements beside what it says already.
pub(super) fn beside(policy: &Value, more: impl IntoIterator<Item = Value>) -> Value {
    of_statements(policy, written_in(policy).into_iter().cloned().chain(more).collect())
}

/// The policy without these of its statements.
pub(super) fn without(policy: &Value, less: &[&Value]) -> Value {
    of_statements(policy, written_in(policy).into_iter().filter(|s| !less.contains(s)).cloned().collect())
}

fn of_statements(policy: &Value, statements: Value) -> Value {
    let mut whole = if policy.is_object() { policy.clone() } else { json!({"Version": "2012-10-17"}) };
    whole["Statement"] = statements;
    whole
}

/// Whether a text fits a pattern of IAM's: `*` for any text, `?` for any character, and nothing else has a meaning.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    WildMatch::new(pattern).matches(text)
}

/// Whether a pattern names this action; in actions IAM takes upper and lower case for the same.
pub(super) fn names_action(pattern: &str, action: &str) -> bool {
    WildMatch::new_case_insensitive(pattern).matches(action)
}

/// Whether a statement's condition holds for a request of which the values of these keys are known. `None`: it depends on what is not.
pub(super) fn holds(statement: &Value, known: &dyn Fn(&str) -> Option<String>) -> Option<bool> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let of_keys = |(operator, keys): (&String, &Value)| {
        let one = |(key, values): (&String, &Value)| {
            // Keys are the same in upper and lower case.
            let is = known(&key.to_lowercase())?;
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let values: Vec<String> = values.as_array().map_or_else(|| vec![plain(values)], |many| many.iter().map(plain).collect());
            let any = |fit: fn(&str, &str) -> bool| values.iter().any(|value| fit(value, &is));
            match operator.as_str() {
                "StringEquals" => Some(any(|value, is| value == is)),
                "StringNotEquals" => Some(!any(|value, is| value == is)),
                "StringLike" | "ArnLike" | "ArnEquals" => Some(any(fits)),
                "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => Some(!any(fits)),
                "Bool" => Some(any(str::eq_ignore_ascii_case)),
                _ => None,
            }
        };
        keys.as_object().into_iter().flatten().map(one).collect::<Vec<_>>()
    };
    let all: Vec<Option<bool>> = operators.flat_map(of_keys).collect();
    if all.contains(&Some(false)) { Some(false) } else { all.into_iter().collect::<Option<Vec<_>>>().map(|_| true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_when_each_of_its_keys_does() {
        let known = |key: &str| match key {
            "aws:sourceaccount" => Some("111122223333".to_owned()),
            "aws:securetransport" => Some("true".to_owned()),
            _ => None,
        };
        for (condition, is) in [
            (json!(null), Some(true)),
            (json!({"StringEquals": {"aws:SourceAccount": "111122223333"}}), Some(true)),
            (json!({"StringEquals": {"aws:SourceAccount": ["1", "111122223333"]}}), Some(true)),
            (json!({"StringNotEquals": {"AWS:sourceAccount": "111122223333"}}), Some(false)),
            (json!({"StringLike": {"aws:SourceAccount": "1111*"}, "Bool": {"aws:SecureTransport": "false"}}), Some(false)),
            (json!({"Bool": {"aws:SecureTransport": false}}), Some(false)),
            (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), None),
            (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"aws:SourceAccount": "1"}}), Some(false)),
        ] {
            assert_eq!(holds(&json!({"Condition": condition}), &known), is, "{condition}");
        }
    }

    #[test]
    fn patterns_are_those_of_iam() {
        for (pattern, text, is) in [
            ("system:serviceaccount:*:karpenter", "system:serviceaccount:kube-system:karpenter", true),
            ("system:serviceaccount:karpenter:*", "system:serviceaccount:kube-system:karpenter", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("A", "a", false),
            ("[ab]", "a", false),
            (r"a\*", r"a\b", true),
            ("*", "", true),
            ("", "a", false),
            ("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
        assert!(names_action("sts:*", "sts:TagSession") && names_action("STS:assumerole", "sts:AssumeRole"));
        assert!(!names_action("sts:Assume", "sts:AssumeRole"));
    }
}
