//! The answer of a credential plugin as a Kubernetes client reads it: what it takes, and what it refuses with which words. Pure.
//! No part of the answer but its version leaves this module.

mod json;

use crate::knowledge::exec::{of_another_version, of_no_version, version_of};
use crate::knowledge::{ClientBuild, ExecApiVersion};
use crate::kubeconfig::{answer_tree, pair_problem};
use base64::Engine as _;
use json::{Json, Numbers};
use serde_json::{Map, Value};

/// What a client makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The `apiVersion` that the answer names, where it can be read.
    pub api_version: Option<String>,
    /// Why the client refuses it. `None`: it takes it.
    pub refused: Option<String>,
}

/// Judges what a plugin printed, for a client that asked for `configured`.
#[must_use]
pub fn judge(stdout: &[u8], configured: &str, client: &ClientBuild) -> Judged {
    let refused = |why: String| Judged { api_version: None, refused: Some(why) };
    let tree = match tree(&String::from_utf8_lossy(stdout), client) {
        Ok(tree) => tree,
        Err(why) => return refused(format!("decoding stdout: {why}")),
    };
    let (kind, api_version) = match (meta(&tree, "kind"), meta(&tree, "apiVersion")) {
        (Ok(kind), Ok(version)) => (kind, version),
        (Err(why), _) | (_, Err(why)) => return refused(format!("decoding stdout: couldn't get version/kind; {why}")),
    };
    let refused = content(&tree, &kind, &api_version, configured, client).err();
    Judged { api_version: (!api_version.is_empty()).then_some(api_version), refused }
}

/// The fields of an answer, in its order.
type Tree = [(String, Json)];

/// JSON where it begins like JSON, else the first document of YAML, as client-go tells them apart.
fn tree(text: &str, client: &ClientBuild) -> Result<Vec<(String, Json)>, String> {
    let not_fields = || "couldn't get version/kind: it is not an object".to_owned();
    if text.trim_start().starts_with('{') {
        let numbers = if client.takes_numbers_of_any_size() { Numbers::All } else { Numbers::Floats };
        return match json::parse(text, numbers) {
            Ok(Json::Fields(fields)) => Ok(fields),
            Ok(_) => Err(not_fields()),
            Err(e) => Err(format!("couldn't get version/kind; json parse error: {e}")),
        };
    }
    match answer_tree(text).map(Json::from) {
        Ok(Json::Fields(fields)) => Ok(fields),
        Ok(Json::Null) => Ok(Vec::new()),
        Ok(_) => Err(not_fields()),
        Err(e) => Err(format!("couldn't get version/kind; {}", e.why)),
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(text) => Self::Text(text),
            Value::Array(_) => Self::List,
            Value::Object(fields) => Self::Fields(fields.into_iter().map(|(name, value)| (name, Self::from(value))).collect()),
        }
    }
}

/// `kind` and `apiVersion` are found whatever the case of their names; the last one counts.
fn meta(tree: &Tree, name: &str) -> Result<String, String> {
    last_text(tree.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value), name)
}

/// The last of these texts; each must be one, or null.
fn last_text<'a>(values: impl Iterator<Item = &'a Json>, name: &str) -> Result<String, String> {
    let mut found = String::new();
    for value in values {
        match value {
            Json::Text(text) => found.clone_from(text),
            Json::Null => {}
            _ => return Err(format!("{name} is not a string")),
        }
    }
    Ok(found)
}

/// The values of this name, in order.
fn all<'a>(tree: &'a Tree, name: &str) -> impl Iterator<Item = &'a Json> {
    tree.iter().filter(move |(key, _)| key == name).map(|(_, value)| value)
}

/// What stands in `spec` is of no use to a client, and must have its types all the same.
fn spec_problem(spec: &Tree, api_version: &str, client: &ClientBuild) -> Option<String> {
    let not = |value: &&Json, kind: &str| match kind {
        "bool" => !matches!(value, Json::Bool | Json::Null),
        "string" => !matches!(value, Json::Text(_) | Json::Null),
        "number" => !matches!(value, Json::Number | Json::Null),
        _ => !matches!(value, Json::Fields(_) | Json::Null),
    };
    let wrong =
        |tree: &Tree, name: &str, kind: &str| all(tree, name).any(|v| not(&v, kind)).then(|| format!("spec: {name} is not a {kind}"));
    let inside = |name: &'static str| all(spec, name).filter_map(|v| if let Json::Fields(f) = v { Some(f) } else { None });
    let stated = client.knows_interactive_mode() || version_of(api_version) == Some(ExecApiVersion::V1Alpha1);
    if let Some(problem) = wrong(spec, "interactive", "bool").filter(|_| stated) {
        return Some(problem);
    }
    if version_of(api_version) == Some(ExecApiVersion::V1Alpha1) {
        return wrong(spec, "response", "object")
            .or_else(|| inside("response").find_map(|r| wrong(r, "header", "object").or_else(|| wrong(r, "code", "number"))));
    }
    let texts = ["server", "tls-server-name", "proxy-url", "certificate-authority-data"].map(|name| (name, "string"));
    let flags = ["insecure-skip-tls-verify", "disable-compression"].map(|name| (name, "bool"));
    let known = || texts.into_iter().chain(flags).filter(|(name, _)| !client.unknown_fields().contains(name));
    let data = |cluster: &Tree| {
        let broken = |v: &Json| matches!(v, Json::Text(text) if base64::engine::general_purpose::STANDARD.decode(text).is_err());
        all(cluster, "certificate-authority-data").any(broken).then(|| "illegal base64 data".to_owned())
    };
    wrong(spec, "cluster", "object")
        .or_else(|| inside("cluster").find_map(|c| known().find_map(|(name, kind)| wrong(c, name, kind)).or_else(|| data(c))))
}

fn content(tree: &Tree, kind: &str, api_version: &str, configured: &str, client: &ClientBuild) -> Result<(), String> {
    let answered = || of_another_version(configured, or(api_version, "(none)"));
    if api_version.is_empty() {
        return Err(answered());
    }
    if api_version.matches('/').count() > 1 {
        return Err(format!("decoding stdout: unexpected GroupVersion string: {api_version}"));
    }
    // An answer of a version that it does not take as a plugin's either is none that it can read.
    if !client.accepts(api_version) || !(kind.is_empty() || kind == "ExecCredential") {
        let kind = or(kind, "ExecCredential");
        return Err(format!("decoding stdout: {}", of_no_version(kind, api_version)));
    }
    let decoding = |why: String| format!("decoding stdout: {why}");
    for spec in fields(tree, "spec").map_err(decoding)? {
        spec_problem(spec, api_version, client).map_or(Ok(()), |why| Err(decoding(why)))?;
    }
    let status = fields(tree, "status").map_err(decoding)?;
    let values = |name: &'static str| status.iter().flat_map(move |s| all(s, name));
    let text = |name: &'static str| last_text(values(name), name).map_err(|why| decoding(format!("status.{why}")));
    let (token, certificate, key) = (text("token")?, text("clientCertificateData")?, text("clientKeyData")?);
    let is_time = |value: &Json| match value {
        Json::Null => true,
        Json::Text(at) => is_timestamp(at, client),
        _ => false,
    };
    if !values("expirationTimestamp").all(is_time) {
        return Err("decoding stdout: status.expirationTimestamp is not a time as RFC 3339 writes it".into());
    }
    if api_version != configured {
        return Err(answered());
    }
    if status.is_empty() {
        return Err("exec plugin didn't return a status field".into());
    }
    if token.is_empty() && certificate.is_empty() && key.is_empty() {
        return Err("exec plugin didn't return a token or cert/key pair".into());
    }
    if certificate.is_empty() != key.is_empty() {
        return Err("exec plugin returned only certificate or key, not both".into());
    }
    if !certificate.is_empty()
        && let Some(problem) = pair_problem(certificate.as_bytes(), key.as_bytes())
    {
        return Err(format!("failed parsing client key/certificate: {problem}"));
    }
    token_problem(&token).map_or(Ok(()), Err)
}

/// Why a token cannot be sent, or would not be understood.
#[must_use]
pub fn token_problem(token: &str) -> Option<String> {
    // A client takes blanks at the end away.
    let token = token.trim_end_matches(' ');
    if token.chars().any(char::is_control) {
        Some("the token holds a control character (a line end?), which no token has".into())
    } else if !token.chars().all(|c| c.is_ascii_graphic()) {
        Some("the token holds a blank or a character beyond ASCII, and an API server then reads another one".into())
    } else {
        None
    }
}

/// The objects of this name; a client joins them.
fn fields<'a>(tree: &'a Tree, name: &str) -> Result<Vec<&'a Tree>, String> {
    all(tree, name)
        .filter(|value| **value != Json::Null)
        .map(|value| if let Json::Fields(fields) = value { Ok(fields.as_slice()) } else { Err(format!("{name} is not an object")) })
        .collect()
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

/// Whether Go's `time.Parse(time.RFC3339, …)` takes it: the hour may have one digit, `T` and `Z` are capitals.
fn is_timestamp(text: &str, client: &ClientBuild) -> bool {
    parse_timestamp(text, client).is_some()
}

fn parse_timestamp(text: &str, client: &ClientBuild) -> Option<()> {
    let digits = |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u32>().ok()).flatten();
    let two = |text: &str| (text.len() == 2).then(|| digits(text)).flatten();
    let (date, rest) = text.split_once('T')?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, two(parts.next()?)?, two(parts.next()?)?);
    let year = (year.len() == 4 && parts.next().is_none()).then(|| digits(year)).flatten()?;
    jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let zone = rest.find(['Z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone);
    let (time, fraction) = match time.find(['.', ',']) {
        Some(at) => (&time[..at], Some(&time[at..])),
        None => (time, None),
    };
    if let Some(fraction) = fraction {
        // Go before 1.17 takes no comma, and before 1.18 nine digits at most.
        if fraction.len() > 10 && !client.takes_a_long_fraction() {
            return None;
        }
        digits(&fraction[1..]).or_else(|| (fraction.len() > 10 && fraction[1..].bytes().all(|b| b.is_ascii_digit())).then_some(0))?;
        if fraction.starts_with(',') && !client.takes_a_comma() {
            return None;
        }
    }
    let mut clock = time.split(':');
    let hour = clock.next()?;
    let hour = (hour.len() <= 2).then(|| digits(hour)).flatten()?;
    let (minute, second) = (two(clock.next()?)?, two(clock.next()?)?);
    if hour > 23 || minute > 59 || second > 59 || clock.next().is_some() {
        return None;
    }
    if zone == "Z" {
        return Some(());
    }
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (!client.wants_a_day_of_offset() || (hours <= 24 && minutes <= 60)).then_some(())
}

/// The request that a client puts into `KUBERNETES_EXEC_INFO`. `cluster` is what a plugin is told of it, where it asks.
#[must_use]
pub fn request(api_version: &str, interactive: bool, client: &ClientBuild, cluster: Option<&Value>) -> String {
    let mut spec = Map::new();
    // The first version knows no cluster, and says that it is interactive with every client, but never that it is not.
    let first = version_of(api_version) == Some(ExecApiVersion::V1Alpha1);
    if let Some(cluster) = cluster.filter(|_| !first) {
        spec.insert("cluster".into(), cluster.clone());
    }
    let stated = if first { interactive } else { client.knows_interactive_mode() };
    if stated {
        spec.insert("interactive".into(), interactive.into());
    }
    // The clients' own writer ends it with a line end.
    format!("{}\n", serde_json::json!({"kind": "ExecCredential", "apiVersion": api_version, "spec": spec}))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BETA: &str = "client.authentication.k8s.io/v1beta1";

    fn client() -> ClientBuild {
        ClientBuild { client_go: 32, go: Some(23), mergo: None }
    }

    fn refused(status: &str) -> Option<String> {
        judge(format!(r#"{{"kind":"ExecCredential","apiVersion":"{BETA}","status":{status}}}"#).as_bytes(), BETA, &client()).refused
    }

    #[test]
    fn a_token_is_enough_and_must_be_one() {
        assert_eq!(refused(r#"{"token":"t"}"#), None);
        for (status, words) in [
            ("{}", "didn't return a token"),
            (r#"{"token":""}"#, "didn't return a token"),
            ("null", "didn't return a status"),
            ("[]", "not an object"),
            (r#"{"token":5}"#, "not a string"),
            (r#"{"Token":"t"}"#, "didn't return a token"),
            (r#"{"token":"t","clientKeyData":"x"}"#, "only certificate or key"),
            (r#"{"clientCertificateData":"x","clientKeyData":"y"}"#, "failed parsing"),
            (r#"{"token":"t\n"}"#, "control character"),
        ] {
            assert!(refused(status).is_some_and(|why| why.contains(words)), "{status}: {:?}", refused(status));
        }
    }

    #[test]
    fn times_are_read_as_go_reads_them() {
        let taken = |at: &str| refused(&format!(r#"{{"token":"t","expirationTimestamp":"{at}"}}"#)).is_none();
        for at in [
            "2001-01-01T00:00:00Z",
            "2099-01-01T0:00:00Z",
            "2099-01-01T00:00:00.123456789Z",
            "2099-01-01T00:00:00+09:00",
            "2099-01-01T00:00:00,5Z",
        ] {
            assert!(taken(at), "{at}");
        }
        for at in [
            "",
            "2099-01-01",
            "2099-01-01T00:00:00",
            "2099-01-01 00:00:00Z",
            "2099-01-01t00:00:00z",
            "2099-01-01T00:00:00+0900",
            "2099-02-30T00:00:00Z",
            "2099-06-30T23:59:60Z",
            "2099-01-01T00:00:00+25:00",
        ] {
            assert!(!taken(at), "{at}");
        }
        let old = ClientBuild { go: Some(16), ..client() };
        assert!(parse_timestamp("2099-01-01T00:00:00,5Z", &old).is_none() && parse_timestamp("2099-01-01T00:00:00+25:00", &old).is_some());
    }

    #[test]
    fn versions_and_forms() {
        let answer = |api: &str| judge(format!(r#"{{"apiVersion":"{api}","status":{{"token":"t"}}}}"#).as_bytes(), BETA, &client());
        assert_eq!(answer(BETA), Judged { api_version: Some(BETA.into()), refused: None });
        let alpha = r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1","status":{"token":"t"}}"#;
        let older = ClientBuild { client_go: 23, ..client() };
        assert_eq!(
            judge(alpha.as_bytes(), BETA, &older).refused.unwrap(),
            format!("exec plugin is configured to use API version {BETA}, plugin returned version client.authentication.k8s.io/v1alpha1")
        );
        let newer = judge(alpha.as_bytes(), BETA, &client()).refused.unwrap();
        assert!(newer.ends_with("is registered for version \"client.authentication.k8s.io/v1alpha1\""), "{newer}");
        assert!(answer("client.authentication.k8s.io/v2").refused.unwrap().contains("no kind \"ExecCredential\" is registered"));
        let yaml = format!("# x\nkind: ExecCredential\napiVersion: {BETA}\nstatus:\n  token: t\n---\nmore\n");
        assert_eq!(judge(yaml.as_bytes(), BETA, &client()).refused, None);
        for text in ["", "hello", "[]", "5", "null", "hello\n{}", "{\"a\":1}{}", "{'a': 1}"] {
            assert!(judge(text.as_bytes(), BETA, &client()).refused.is_some(), "{text}");
        }
    }

    #[test]
    fn the_request_is_what_the_version_knows() {
        assert_eq!(
            request(BETA, false, &client(), None),
            format!("{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{BETA}\",\"spec\":{{\"interactive\":false}}}}\n")
        );
        let cluster = serde_json::json!({"server": "x"});
        let old = ClientBuild { client_go: 20, ..client() };
        let beta = request(BETA, true, &old, Some(&cluster));
        assert!(beta.contains("cluster") && !beta.contains("interactive"), "{beta}");
        let alpha = |interactive| request("client.authentication.k8s.io/v1alpha1", interactive, &old, Some(&cluster));
        assert!(!alpha(false).contains("interactive") && !alpha(true).contains("cluster"), "{}", alpha(true));
        assert!(alpha(true).contains(r#""spec":{"interactive":true}"#), "{}", alpha(true));
    }
}
