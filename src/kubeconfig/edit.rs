//! Changing one value of a kubeconfig in its text, and nothing else.

use super::document::{Node, Value, read};
use std::ops::Range;

/// A text before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text after.
    pub text: String,
    /// The line that changed, from 1.
    pub line: u32,
}

/// The text with another `apiVersion` of the plugin of this user. `None`: the user has none here, or there is nothing to change.
#[must_use]
pub fn set_exec_api_version(text: &str, user: &str, api_version: &str) -> Option<Edited> {
    let root = read(text).ok()??;
    let users = field(&root, "users")?;
    let Value::List(users) = &users.value else { return None };
    let named = users.iter().find(|entry| field(entry, "name").is_some_and(|n| n.value == Value::Text(user.to_owned())))?;
    let place = field(field(field(named, "user")?, "exec")?, "apiVersion")?;
    let Value::Text(now) = &place.value else { return None };
    let offset = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let range: Range<usize> = place.range.start + offset..place.range.end + offset;
    let written = text.get(range.clone())?;
    // An alias stands elsewhere, and changing it would change others: only what stands here as it reads is changed.
    if now == api_version || written.trim_matches(['"', '\'']) != now {
        return None;
    }
    let mut after = text.to_owned();
    after.replace_range(range, &written.replace(now.as_str(), api_version));
    // Whoever reads it again must find what was wanted, and everything else as it was.
    Some(Edited { text: after, line: place.line })
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Fields(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, node)| node),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "client.authentication.k8s.io/v1beta1";

    #[test]
    fn only_the_value_of_this_user_changes() {
        for written in [
            "client.authentication.k8s.io/v1alpha1",
            "'client.authentication.k8s.io/v1alpha1'",
            "\"client.authentication.k8s.io/v1alpha1\"",
        ] {
            let of = |name: &str, version: &str| {
                format!("- name: {name}\n  user:\n    exec:\n      apiVersion: {version} # as aws wrote it\n      command: aws\n")
            };
            let text = format!("# mine\nusers:\n{}{}", of("other", written), of("u", written));
            let edited = set_exec_api_version(&text, "u", NEW).unwrap();
            let after = written.replace("v1alpha1", "v1beta1");
            assert_eq!(edited.text, format!("# mine\nusers:\n{}{}", of("other", written), of("u", &after)));
            assert_eq!(edited.line, 11);
            assert_eq!(set_exec_api_version(&edited.text, "u", NEW), None, "twice");
        }
    }

    #[test]
    fn what_is_not_there_is_not_changed() {
        assert_eq!(set_exec_api_version("users: []\n", "u", NEW), None);
        assert_eq!(set_exec_api_version("users: [\n", "u", NEW), None);
        assert_eq!(set_exec_api_version("users:\n- name: u\n  user: {token: x}\n", "u", NEW), None);
        let alias = "x: &v client.authentication.k8s.io/v1alpha1\nusers:\n- name: u\n  user: {exec: {apiVersion: *v, command: aws}}\n";
        let edited = set_exec_api_version(alias, "u", NEW);
        assert!(edited.is_none() || !edited.unwrap().text.contains("users:\n- name: u\n  user: {exec: {apiVersion: client"));
    }

    #[test]
    fn json_is_yaml() {
        let text =
            r#"{"users": [{"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "aws"}}}]}"#;
        assert_eq!(set_exec_api_version(text, "u", NEW).unwrap().text, text.replace("v1alpha1", "v1beta1"));
    }
}
