//! The blocks of YAML on the pages are what a person copies: each is read by what it is for.

use super::{blocks, documents, try_line};
use karpctl::accepted::AcceptedFindings;
use karpctl::spec::file;
use karpctl::spec::layer::{Layer, Source};
use karpctl::spec::resolve::{Discovered, resolve};
use serde_json::Value;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Spec,
    Accepted,
    Pipeline,
}

/// Has a block read by what it is for, and says by what. Nobody takes it: a panic that names the place.
fn read(at: &str, text: &str) -> Kind {
    if text.starts_with("schema: karpctl/accepted/") {
        let checks = karpctl::checks::all();
        let known: Vec<&str> = checks.iter().map(|check| check.id()).collect();
        AcceptedFindings::read(at, text, &known).unwrap_or_else(|e| panic!("{e}\n{text}"));
        return Kind::Accepted;
    }
    let value: Value = serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{at}: {e}\n{text}"));
    let (mut commands, mut kept) = (Vec::new(), Vec::new());
    strings(&value, &["run", "script", "commands"], &mut commands);
    if commands.is_empty() {
        let layer = file::parse(at, text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let text_of = |value: &str| Some(value.to_owned());
        let (cluster_name, region, account_id) = (text_of("demo"), text_of("us-west-2"), text_of("111122223333"));
        let given = Layer { cluster_name, region, account_id, ..Layer::default() };
        resolve(&[(Source::File(at.to_owned()), layer), (Source::Flag, given)], &Discovered::default())
            .unwrap_or_else(|e| panic!("{at}: {e}\n{text}"));
        return Kind::Spec;
    }
    for line in commands.iter().flat_map(|command| command.lines()) {
        assert!(line.starts_with("karpctl "), "{at}: nobody knows how to try `{line}`");
        try_line(line, at);
    }
    strings(&value, &["path", "paths", "files"], &mut kept);
    for file in kept {
        assert!(commands.iter().any(|command| command.ends_with(&format!(" {file}"))), "{at}: no command writes {file}");
    }
    Kind::Pipeline
}

/// The strings below these keys, wherever they stand.
fn strings(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match (keys.contains(&key.as_str()), inner) {
                    (true, Value::String(text)) => found.push(text.clone()),
                    (true, Value::Array(list)) => found.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
                    _ => strings(inner, keys, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| strings(inner, keys, found)),
        _ => {}
    }
}

#[test]
fn every_block_of_yaml_is_read_by_what_it_is_for() {
    let mut kinds = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, lines) in blocks(&text, &["yaml", "yml"]) {
            kinds.push(read(&format!("{}, block at line {at}", path.display()), &(lines.join("\n") + "\n")));
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, [Kind::Spec, Kind::Accepted, Kind::Pipeline]);
}

#[test]
fn a_block_that_nobody_takes_is_found() {
    for (kind, right, wrong) in [
        (Kind::Spec, "chart:\n  values: {a: 1}\n", "chart:\n  valeus: {a: 1}\n"),
        (Kind::Spec, "private: true\n", "identity: both\n"),
        (Kind::Accepted, "schema: karpctl/accepted/v1\naccepted: []\n", "schema: karpctl/accepted/v1\nacepted: []\n"),
        (Kind::Pipeline, "- run: karpctl doctor\n", "- run: karpctl docter\n"),
        (
            Kind::Pipeline,
            "a:\n  script: [karpctl doctor > x]\n  artifacts: {paths: [x]}\n",
            "- run: karpctl doctor > doctor.txt\n- with: {path: doctor.xml}\n",
        ),
    ] {
        assert_eq!(read("here", right), kind, "{right}");
        assert!(std::panic::catch_unwind(|| read("here", wrong)).is_err(), "{wrong}");
    }
}
