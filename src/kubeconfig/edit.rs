//! Changing one value of a kubeconfig in its text, and nothing else.

use super::document::{Node, Value, read};
use super::{Kubeconfig, Merging, Source, load};
use std::ops::Range;
use std::path::PathBuf;

/// A text before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text after.
    pub text: String,
    /// The line that changed, from 1.
    pub line: u32,
}

/// The entry cannot be changed without changing others: it is not written there, or others are written by the same text (an alias).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAlone;

/// The text with another `apiVersion` of the plugin of this user. `None`: it says so already.
pub fn set_exec_api_version(text: &str, user: &str, api_version: &str) -> Result<Option<Edited>, NotAlone> {
    let mut wanted = whole(text).ok_or(NotAlone)?;
    let exec = wanted.users.iter_mut().find(|(name, _)| name == user).and_then(|(_, user)| user.exec.as_mut()).ok_or(NotAlone)?;
    if exec.api_version == api_version {
        return Ok(None);
    }
    api_version.clone_into(&mut exec.api_version);
    let edited = replaced(text, user, api_version).ok_or(NotAlone)?;
    // Whoever reads it again must find what was wanted, and everything else as it was.
    if whole(&edited.text) == Some(wanted) { Ok(Some(edited)) } else { Err(NotAlone) }
}

fn whole(text: &str) -> Option<Kubeconfig> {
    load(&[Source { file: PathBuf::new(), text: text.to_owned() }], Merging::FirstEntry, &[]).ok()
}

fn replaced(text: &str, user: &str, api_version: &str) -> Option<Edited> {
    let root = read(text).ok()??;
    let users = field(&root, "users")?;
    let Value::List(users) = &users.value else { return None };
    let named = users.iter().find(|entry| field(entry, "name").is_some_and(|n| n.value == Value::Text(user.to_owned())))?;
    let place = field(field(field(named, "user")?, "exec")?, "apiVersion")?;
    let Value::Text(now) = &place.value else { return None };
    let offset = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let range: Range<usize> = place.range.start + offset..place.range.end + offset;
    let written = text.get(range.clone())?;
    // Only what stands there as it reads is changed: no escapes, no folded lines.
    if written.trim_matches(['"', '\'']) != now {
        return None;
    }
    let mut after = text.to_owned();
    after.replace_range(range, &written.replace(now.as_str(), api_version));
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
            let edited = set_exec_api_version(&text, "u", NEW).unwrap().unwrap();
            let after = written.replace("v1alpha1", "v1beta1");
            assert_eq!(edited.text, format!("# mine\nusers:\n{}{}", of("other", written), of("u", &after)));
            assert_eq!(edited.line, 11);
            assert_eq!(set_exec_api_version(&edited.text, "u", NEW), Ok(None), "twice");
        }
    }

    #[test]
    fn what_is_not_there_is_not_changed() {
        for text in ["users: []\n", "users: [\n", "users:\n- name: u\n  user: {token: x}\n"] {
            assert_eq!(set_exec_api_version(text, "u", NEW), Err(NotAlone), "{text}");
        }
    }

    #[test]
    fn what_others_share_is_not_changed() {
        let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: aws}}";
        let text = format!("users:\n- name: a\n  user: &x {plugin}\n- name: b\n  user: *x\n");
        for user in ["a", "b"] {
            assert_eq!(set_exec_api_version(&text, user, NEW), Err(NotAlone), "{user}");
        }
        let version = "{exec: {apiVersion: &v client.authentication.k8s.io/v1alpha1, command: aws}}";
        let text = format!("users:\n- name: a\n  user: {version}\n- name: b\n  user: {{exec: {{apiVersion: *v, command: aws}}}}\n");
        assert_eq!(set_exec_api_version(&text, "a", NEW), Err(NotAlone));
        // What only this user means can be changed wherever it stands.
        let text = "x: &v client.authentication.k8s.io/v1alpha1\nusers:\n- name: a\n  user: {exec: {apiVersion: *v, command: aws}}\n";
        assert_eq!(set_exec_api_version(text, "a", NEW).unwrap().unwrap().text, text.replace("v1alpha1", "v1beta1"));
    }

    #[test]
    fn json_is_yaml() {
        let text =
            r#"{"users": [{"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "aws"}}}]}"#;
        assert_eq!(set_exec_api_version(text, "u", NEW).unwrap().unwrap().text, text.replace("v1alpha1", "v1beta1"));
    }
}
