//! Changing one value of a kubeconfig in its text, and nothing else.

use super::document::{Node, Value, read};
use super::{Exec, Kubeconfig, Merging, Source, load};
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

/// What is changed of a user's credential plugin.
#[derive(Clone, Copy)]
enum Setting {
    ApiVersion,
    InteractiveMode,
}

impl Setting {
    const fn name(self) -> &'static str {
        match self {
            Self::ApiVersion => "apiVersion",
            Self::InteractiveMode => "interactiveMode",
        }
    }

    fn of(self, exec: &mut Exec) -> &mut String {
        match self {
            Self::ApiVersion => &mut exec.api_version,
            Self::InteractiveMode => &mut exec.interactive_mode,
        }
    }
}

/// The text with another `apiVersion` of the plugin of this user. `None`: it says so already.
pub fn set_exec_api_version(text: &str, user: &str, api_version: &str) -> Result<Option<Edited>, NotAlone> {
    set(text, user, Setting::ApiVersion, api_version)
}

/// The text with this `interactiveMode` of the plugin of this user, whether it has one yet or not. `None`: it says so already.
pub fn set_interactive_mode(text: &str, user: &str, mode: &str) -> Result<Option<Edited>, NotAlone> {
    set(text, user, Setting::InteractiveMode, mode)
}

fn set(text: &str, user: &str, setting: Setting, wanted: &str) -> Result<Option<Edited>, NotAlone> {
    let mut whole_after = whole(text).ok_or(NotAlone)?;
    let exec = whole_after.users.iter_mut().find(|(name, _)| name == user).and_then(|(_, user)| user.exec.as_mut()).ok_or(NotAlone)?;
    let value = setting.of(exec);
    if value == wanted {
        return Ok(None);
    }
    wanted.clone_into(value);
    // Whoever reads it again must find what was wanted, and everything else as it was.
    written(text, user, setting.name(), wanted)
        .into_iter()
        .find(|edited| whole(&edited.text).as_ref() == Some(&whole_after))
        .map(Some)
        .ok_or(NotAlone)
}

/// What a text means, on whichever lines it says so.
fn whole(text: &str) -> Option<Kubeconfig> {
    let mut whole = load(&[Source { file: PathBuf::new(), text: text.to_owned() }], Merging::FirstEntry, &[]).ok()?;
    whole.users.iter_mut().filter_map(|(_, user)| user.exec.as_mut()).for_each(|exec| exec.line = 0);
    Some(whole)
}

/// The ways to write a field of the user's plugin into the text.
fn written(text: &str, user: &str, name: &str, wanted: &str) -> Vec<Edited> {
    let Ok(Some(root)) = read(text) else { return Vec::new() };
    let Some(exec) = exec_of(&root, user) else { return Vec::new() };
    match field(exec, name) {
        Some(place) => replaced(text, place, wanted).into_iter().collect(),
        None => field(exec, "apiVersion").map(|place| put_before(text, place, name, wanted)).unwrap_or_default(),
    }
}

fn exec_of<'a>(root: &'a Node, user: &str) -> Option<&'a Node> {
    let Value::List(users) = &field(root, "users")?.value else { return None };
    let named = users.iter().find(|entry| field(entry, "name").is_some_and(|n| n.value == Value::Text(user.to_owned())))?;
    field(field(named, "user")?, "exec")
}

/// Where a value stands in the text.
fn range(text: &str, place: &Node) -> Range<usize> {
    let offset = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    place.range.start + offset..place.range.end + offset
}

fn replaced(text: &str, place: &Node, wanted: &str) -> Option<Edited> {
    let range = range(text, place);
    let written = text.get(range.clone())?;
    let mut after = text.to_owned();
    let now = match &place.value {
        Value::Text(now) if !now.is_empty() => now,
        // Said to be nothing: `null`, `~` or an empty text.
        Value::Text(_) | Value::Null if !written.is_empty() => {
            after.replace_range(range, wanted);
            return Some(Edited { text: after, line: place.line });
        }
        _ => return None,
    };
    // Only what stands there as it reads is changed: no escapes, no folded lines.
    if written.trim_matches(['"', '\'']) != now {
        return None;
    }
    after.replace_range(range, &written.replace(now.as_str(), wanted));
    Some(Edited { text: after, line: place.line })
}

/// A new field before the key of this one, as block, flow or JSON has it: which of them it is shows when it is read again.
fn put_before(text: &str, place: &Node, name: &str, wanted: &str) -> Vec<Edited> {
    let Some(key) = text[..range(text, place).start].rfind("apiVersion") else { return Vec::new() };
    let quote = if text[..key].ends_with('"') { "\"" } else { "" };
    let key = key - quote.len();
    let line = &text[text[..key].rfind('\n').map_or(0, |end| end + 1)..key];
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let next_line = line.trim_start().is_empty().then(|| format!("{end}{line}"));
    let fields = [
        next_line.as_ref().map(|next| format!("{name}: {wanted}{next}")),
        next_line.as_ref().map(|next| format!("{quote}{name}{quote}: {quote}{wanted}{quote},{next}")),
        Some(format!("{quote}{name}{quote}: {quote}{wanted}{quote}, ")),
    ];
    let with = |field: String| Edited { text: format!("{}{field}{}", &text[..key], &text[key..]), line: place.line };
    fields.into_iter().flatten().map(with).collect()
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
    fn a_mode_is_written_beside_the_version_in_every_style() {
        let set = |text: &str| set_interactive_mode(text, "u", "IfAvailable").map(|edited| edited.map(|e| e.text));
        let version = "client.authentication.k8s.io/v1";
        let block = format!("users:\n- name: u\n  user:\n    exec:\n      apiVersion: {version} # mine\n      command: aws\n");
        let after = block.replace("      apiVersion", "      interactiveMode: IfAvailable\n      apiVersion");
        assert_eq!(set(&block), Ok(Some(after.clone())));
        assert_eq!(set(&after), Ok(None), "twice");
        assert_eq!(set(&block.replace('\n', "\r\n")), Ok(Some(after.replace('\n', "\r\n"))));
        for nothing in ["null", "~", "''", "\"\""] {
            let text = block.replace("command: aws", &format!("command: aws\n      interactiveMode: {nothing}"));
            assert_eq!(set(&text), Ok(Some(text.replace(nothing, "IfAvailable"))), "{nothing}");
        }
        let with_mode = |mode: &str| block.replace("command: aws", &format!("command: aws\n      interactiveMode: {mode}"));
        assert_eq!(set(&with_mode("'Always'")), Ok(Some(with_mode("'IfAvailable'"))));
        for (before, key) in [
            (format!("users: [{{name: u, user: {{exec: {{apiVersion: {version}, command: aws}}}}}}]\n"), "apiVersion"),
            (
                format!(r#"{{"users": [{{"name": "u", "user": {{"exec": {{"apiVersion": "{version}", "command": "aws"}}}}}}]}}"#),
                "\"apiVersion\"",
            ),
        ] {
            let mode = key.replace("apiVersion", "interactiveMode") + ": " + &key.replace("apiVersion", "IfAvailable");
            assert_eq!(set(&before), Ok(Some(before.replace(key, &format!("{mode}, {key}")))));
        }
        let json = format!(
            "{{\"users\": [{{\"name\": \"u\", \"user\": {{\"exec\": {{\n  \"apiVersion\": \"{version}\",\n  \"command\": \"aws\"\n}}}}}}]}}"
        );
        let after = json.replace("\n  \"api", "\n  \"interactiveMode\": \"IfAvailable\",\n  \"api");
        assert_eq!(set(&json), Ok(Some(after)));
        let shared = format!("users:\n- name: u\n  user: &x {{exec: {{apiVersion: {version}, command: aws}}}}\n- name: b\n  user: *x\n");
        assert_eq!(set(&shared), Err(NotAlone));
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
