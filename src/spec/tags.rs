//! Which tags AWS takes. What it does not take it would refuse halfway through, and CloudFormation even reads some texts as orders.

use std::collections::BTreeMap;

/// IAM user guide, "Tags for IAM resources": the narrowest of the services that get them, but for an empty value, which
/// CloudFormation does not take (API reference, Tag).
const KEY: usize = 128;
const VALUE: usize = 256;
/// A resource has 50 tags at most. A node group has the most of others: six of eksctl's, and four of karpctl's when it is migrated; the
/// stack that is the lock has seven.
const MOST: usize = 50 - 10;

/// What is wrong with them, in sentences.
pub(super) fn problems(tags: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, value) in tags {
        if !(1..=KEY).contains(&key.chars().count()) || !key.chars().all(is_taken) || key.to_lowercase().starts_with("aws:") {
            problems.push(format!("tags: `{key}` is not a key that AWS takes: 1 to {KEY} of {TAKEN}, not beginning with aws:"));
        }
        if !(1..=VALUE).contains(&value.chars().count()) || !value.chars().all(is_taken) {
            problems.push(format!("tags: the value of `{key}` is not one that AWS takes: 1 to {VALUE} of {TAKEN}"));
        }
    }
    let mut seen = BTreeMap::new();
    for key in tags.keys() {
        if let Some(other) = seen.insert(key.to_lowercase(), key) {
            problems.push(format!("tags: `{other}` and `{key}` are one key to IAM"));
        }
    }
    if tags.len() > MOST {
        problems.push(format!("tags: {} are too many: AWS takes 50, of which eksctl and karpctl need {}", tags.len(), 50 - MOST));
    }
    problems
}

const TAKEN: &str = "letters, digits, spaces and _.:/=+-@";

fn is_taken(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}
