//! Policy documents as IAM reads them, as far as checks need to.

use serde_json::Value;

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
    let statements = &policy["Statement"];
    let all = statements.as_array().map_or_else(|| vec![statements], |many| many.iter().collect());
    all.into_iter().filter(|s| s["Effect"] == written).collect()
}

/// The statements that allow.
pub(super) fn allowing(policy: &Value) -> Vec<&Value> {
    statements(policy, Effect::Allow)
}

/// Whether a text fits a pattern of IAM's: `*` for any text, `?` for any character.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and up to where it has taken the text: the only place that is worth going back to.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_those_of_iam() {
        for (pattern, text, fits) in [
            ("sts:*", "sts:TagSession", true),
            ("system:serviceaccount:*:karpenter", "system:serviceaccount:kube-system:karpenter", true),
            ("system:serviceaccount:karpenter:*", "system:serviceaccount:kube-system:karpenter", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "a", false),
            ("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
