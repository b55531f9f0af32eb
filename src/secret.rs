//! What looks like a secret, in texts and command lines that others wrote: left out before anything is shown or kept.

use regex_lite::Regex;
use std::sync::LazyLock;

/// What stands where a secret stood.
const LEFT_OUT: &str = "…";

/// A name that says that what follows is secret, also in prose.
const NAMES: &str = r"(?:token|secret|credential|passw(?:or)?d|passphrase|passcode|(?:pass|pwd)(?:\b|_)|authorization|bearer|api[-_]?key|access[-_]?key|private[-_]?key|session[-_]?key)";
/// Of those the ones that no sentence has before a colon: "getting credentials: exec plugin" is no secret.
const TELLING: &str =
    r"(?:passw(?:or)?d|passphrase|passcode|\bpass|_pass|pwd|secret|api[-_]?key|access[-_]?key|private[-_]?key|session[-_]?key)";

fn regex(text: &str) -> Regex {
    #[expect(clippy::unwrap_used, reason = "each is a constant of this file, and a test makes them all")]
    Regex::new(text).unwrap()
}

/// `name=value`, in an argument, in a script or in a query.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?i)([a-z0-9_.-]*{NAMES}[a-z0-9_.-]*=)[^\\s&;]+")));
/// `name: value` in a complaint, or `"name": "value"` in JSON.
static TOLD: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(r#"(?i)([a-z0-9_.-]*{TELLING}["']?\s*:\s+|["'][a-z0-9_.-]*{NAMES}["']\s*:\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,}}]+)"#))
});
/// What a header of HTTP carries.
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)(\bauthorization\s*[:=]\s*(?:(?:bearer|basic|token)\s+)?|\bbearer\s+)[^\s,]+"));
/// `--name` or `-p`, whose value is the next word.
static FLAG: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?i)^(?:-p|--?[a-z0-9_-]*{NAMES}[a-z0-9_-]*)$")));
/// `name: value` of a kubeconfig, in YAML or JSON. What only `value` is, is that of a plugin's variable.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,}]+)"#;
    regex(&format!(r#"(?i)((?:[a-z0-9_-]*{NAMES}|client-key-data|\bvalue)["']?\s*:\s*){value}"#))
});
/// `--name, value` in a list of arguments.
static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,\]]+)"#;
    // What a word ends with is no flag: `get-token` is a name.
    regex(&format!(r#"(?i)((?:^|[\[,\s])["']?(?:-p|--?[a-z0-9_-]*{NAMES}[a-z0-9_-]*)["']?\s*,\s*){value}"#))
});
/// An item of a list in a line of its own, also of a difference.
static ITEM: LazyLock<Regex> = LazyLock::new(|| regex(r"^([ +-]?\s*- )(.*)$"));
/// What is a secret by its own form: a presigned EKS token, a JWT, an AWS key's id.
static FORM: LazyLock<Regex> =
    LazyLock::new(|| regex(r"k8s-aws-v1\.[A-Za-z0-9_=-]*|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"));
/// The user and the query of a URL.
static URL: LazyLock<Regex> = LazyLock::new(|| regex(r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s?]*)(\?\S*)?"));
/// A run of characters as keys and tokens have them, with nothing between that a word, a path or a name would have.
static RANDOM: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z0-9+/_=-]{40,}"));

/// What is found, without what follows its name.
fn without_value(rule: &Regex, text: &str) -> String {
    rule.replace_all(text, format!("${{1}}{LEFT_OUT}").as_str()).into_owned()
}

/// A text of many words, such as what a program complained of.
#[must_use]
pub fn masked(text: &str) -> String {
    let text = without_value(&HEADER, &FORM.replace_all(text, LEFT_OUT));
    let text = without_value(&LISTED, &text);
    let text = without_value(&TOLD, &without_value(&ASSIGNED, &text));
    let text = URL.replace_all(&text, |found: &regex_lite::Captures<'_>| {
        let query = if found.get(3).is_some() { format!("?{LEFT_OUT}") } else { String::new() };
        format!("{}{}{query}", &found[1], &found[2])
    });
    RANDOM.replace_all(&text, |found: &regex_lite::Captures<'_>| if is_random(&found[0]) { LEFT_OUT } else { &found[0] }.to_owned()).into()
}

/// Lines of a kubeconfig.
#[must_use]
pub fn masked_lines(text: &str) -> String {
    let mut hides_next = false;
    let mut one = |line: &str| {
        let item = ITEM.captures(line).map(|found| (found[1].to_owned(), found[2].trim().trim_matches(['"', '\'']).to_owned()));
        let is_flag = item.as_ref().is_some_and(|(_, value)| FLAG.is_match(value));
        match (std::mem::replace(&mut hides_next, is_flag), item) {
            (true, Some((dash, value))) if !value.starts_with('-') => format!("{dash}{LEFT_OUT}"),
            _ => masked(&without_value(&LISTED, &without_value(&FIELD, line))),
        }
    };
    text.lines().map(&mut one).collect::<Vec<_>>().join("\n")
}

/// Flags whose value is a name, however long.
const NAMED: [&str; 9] = ["--cluster-name", "--cluster-id", "-i", "--name", "--region", "--role-arn", "--role", "-r", "--profile"];

/// The arguments of a program; one of them may itself be a script.
#[must_use]
pub fn masked_args(args: &[String]) -> Vec<String> {
    let mut before = String::new();
    let mut one = |word: &str| {
        let before = std::mem::replace(&mut before, word.to_owned());
        match word {
            _ if word.starts_with('-') || NAMED.contains(&before.as_str()) => assigned(word),
            _ if FLAG.is_match(&before) && !word.is_empty() => LEFT_OUT.to_owned(),
            _ => masked(word),
        }
    };
    args.iter().map(|arg| without_value(&HEADER, arg).split(' ').map(&mut one).collect::<Vec<_>>().join(" ")).collect()
}

/// A flag, or a name: long ones are no secrets.
fn assigned(word: &str) -> String {
    match word.split_once('=') {
        Some((flag, _)) if NAMED.contains(&flag) => word.to_owned(),
        Some(_) => masked(word),
        None => FORM.replace_all(word, LEFT_OUT).into(),
    }
}

/// A field whose value is a secret, or may hold one.
static SECRET_FIELD: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?i)(?:{NAMES}s?|client-key-data|user-?data)$")));

/// A tree of fields, such as objects and values that others wrote.
pub fn mask_tree(tree: &mut serde_json::Value) {
    use serde_json::Value;
    match tree {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if !text.is_empty() && SECRET_FIELD.is_match(name) => LEFT_OUT.clone_into(text),
                    other => mask_tree(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_tree),
        Value::String(text) => *text = FORM.replace_all(text, LEFT_OUT).into(),
        _ => {}
    }
}

/// Whether it is made by chance, as keys and tokens are, and names and paths are not.
fn is_random(text: &str) -> bool {
    let has = |least: usize, kind: fn(&char) -> bool| text.chars().filter(kind).count() >= least;
    let unbroken = text.split(['/', '-', '_', '=']).map(str::len).max().unwrap_or_default();
    let mixed = has(3, char::is_ascii_uppercase) && has(3, char::is_ascii_lowercase) && has(1, char::is_ascii_digit);
    let path = text.starts_with('/') && text.matches('/').count() > 3;
    has(1, char::is_ascii_digit) && unbroken >= 32 || mixed && !path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own example of a secret key.
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn args(words: &[&str]) -> Vec<String> {
        masked_args(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn no_secret_is_left_in_a_text() {
        let token = format!("k8s-aws-v1.{}", "aHR0cHM6".repeat(8));
        for (text, shown) in [
            (format!("token {token} end"), "token … end"),
            (format!("the key {KEY} is wrong"), "the key … is wrong"),
            (format!("\"/{}\"", &KEY[1..]), "\"…\""),
            ("key AKIAIOSFODNN7EXAMPLE".into(), "key …"),
            ("Unknown options: --session-token,x5".into(), "Unknown options: --session-token,…"),
            ("AWS_SECRET_ACCESS_KEY=x5 y".into(), "AWS_SECRET_ACCESS_KEY=… y"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.e30.abc-_x".into(), "jwt …"),
            ("get https://me:pw@host.invalid/a?X-Amz-Signature=5 now".into(), "get https://host.invalid/a?… now"),
            ("0123456789abcdef0123456789abcdef01234567".into(), "…"),
            ("VAULT_PASS=x5 pwd=y PASS_FILE=z".into(), "VAULT_PASS=… pwd=… PASS_FILE=…"),
            ("sent Authorization: Bearer x5, got 401".into(), "sent Authorization: Bearer …, got 401"),
            ("Password: x5 (from db-pass: y)".into(), "Password: … (from db-pass: …"),
            (r#"{"SessionToken": "x5", "SecretAccessKey":"y z"}"#.into(), r#"{"SessionToken": …, "SecretAccessKey":…}"#),
        ] {
            assert_eq!(masked(&text), shown);
        }
        for plain in [
            "see https://docs.example.invalid/a/long/page/that/explains/it",
            "An error occurred (ExpiredToken) when calling the GetCallerIdentity operation",
            "getting credentials: exec: executable aws failed with exit code 255",
            "Error loading SSO Token: Token for default does not exist",
            "the compass passed by; authenticationMode=API, bypass: no",
            "/home/me/.local/share/karpctl/a-very-long-folder/with-more/inside",
            "arn:aws:iam::111122223333:role/eksctl-demo-cluster-ServiceRole",
        ] {
            assert_eq!(masked(plain), plain);
        }
    }

    #[test]
    fn no_secret_is_left_in_arguments() {
        assert_eq!(args(&["--token", "short", "-v"]), ["--token", "…", "-v"]);
        assert_eq!(args(&["--client-secret=x", "--password", "p"]), ["--client-secret=…", "--password", "…"]);
        assert_eq!(args(&["-c", "FOO_TOKEN=abc tool --api-key k; tool"]), ["-c", "FOO_TOKEN=… tool --api-key … tool"]);
        assert_eq!(args(&[KEY]), ["…"]);
        assert_eq!(
            args(&["--pass", "x5", "-p", "y", "-H", "Authorization: Bearer z"]),
            ["--pass", "…", "-p", "…", "-H", "Authorization: Bearer …"]
        );
        let role = "arn:aws:iam::111122223333:role/AWSReservedSSO_AdministratorAccess_0123456789abcdef";
        let plain = ["token", "-i", "ProductionClusterNumber2024InEuCentral1Blue", "--token-only", "-r", role, "--role", role];
        assert_eq!(args(&plain), plain, "a flag behind a flag is none's value");
        let plain = ["eks", "get-token", "--cluster-name=ProductionClusterNumber2024InEuCentral1Blue", "--output", "json"];
        assert_eq!(args(&plain), plain);
    }

    #[test]
    fn no_secret_is_left_in_a_tree() {
        let mut tree = serde_json::json!({"token": true, "values": {"dbPassword": "x", "name": "n", "list": [{"apiKey": "k"}]},
            "spec": {"userData": "export T=1"}, "schema": "0123456789abcdef0123456789abcdef0123456789abcdef"});
        mask_tree(&mut tree);
        let left = serde_json::json!({"token": true, "values": {"dbPassword": "…", "name": "n", "list": [{"apiKey": "…"}]},
            "spec": {"userData": "…"}, "schema": "0123456789abcdef0123456789abcdef0123456789abcdef"});
        assert_eq!(tree, left);
    }

    #[test]
    fn no_secret_is_left_in_lines_of_a_kubeconfig() {
        for (line, shown) in [
            ("    token: abc", "    token: …"),
            ("-    client-key-data: LS0t", "-    client-key-data: …"),
            ("{\"user\":{\"token\":\"a b\",\"exec\":{}}}", "{\"user\":{\"token\":…,\"exec\":{}}}"),
            ("  args: [eks, --session-token, abc, --output, json]", "  args: [eks, --session-token, …, --output, json]"),
            (
                "  args: [eks, get-token, --session-token, abc, --cluster-name, demo]",
                "  args: [eks, get-token, --session-token, …, --cluster-name, demo]",
            ),
            ("  args: [eks, get-token, --cluster-name, demo]", "  args: [eks, get-token, --cluster-name, demo]"),
            ("  {\"args\":[\"get-token\",\"--token\",\"abc\"]}", "  {\"args\":[\"get-token\",\"--token\",…]}"),
            ("  {\"args\":[\"--token\",\"abc\"]}", "  {\"args\":[\"--token\",…]}"),
            ("    - name: VAULT_PASS\n      value: abc", "    - name: VAULT_PASS\n      value: …"),
            ("  args: [-p, abc]\n   - -p\n   - abc", "  args: [-p, …]\n   - -p\n   - …"),
            ("   - --token\n   - abc\n   - x", "   - --token\n   - …\n   - x"),
            ("    apiVersion: client.authentication.k8s.io/v1alpha1", "    apiVersion: client.authentication.k8s.io/v1alpha1"),
        ] {
            assert_eq!(masked_lines(line), shown);
        }
    }
}
