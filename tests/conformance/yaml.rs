//! YAML, event by event: with CloudFormation's short functions, which no other reader knows, and with an eye on plain scalars,
//! which readers of YAML 1.1 (`PyYAML`, Kubernetes, eksctl, helm) and of YAML 1.2 may take for different things.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

/// The documents of a text.
pub(crate) fn read(text: &str) -> Vec<Value> {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0).filter(|event| !matches!(event, Event::Comment(..)));
    let mut documents = Vec::new();
    while let Some(event) = events.next() {
        if matches!(event, Event::DocumentStart(..)) {
            let first = events.next().unwrap();
            documents.push(node(first, &mut events));
        }
    }
    documents
}

/// The only document of a text.
pub(crate) fn read_one(text: &str) -> Value {
    let [document] = <[Value; 1]>::try_from(read(text)).unwrap();
    document
}

fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match event {
        Event::Scalar(text, style, _, tag) => {
            let value = if style == ScalarStyle::Plain && tag.is_none() { plain(&text) } else { Value::from(text.as_ref()) };
            match tag.as_ref().map(|tag| tag.suffix()) {
                None => value,
                Some("Ref") => json!({ "Ref": value }),
                Some(function @ ("Sub" | "GetAtt")) => json!({ format!("Fn::{function}"): value }),
                Some(other) => panic!("a tag !{other}"),
            }
        }
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => return items.into(),
                    event => items.push(node(event, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut fields = Map::new();
            loop {
                match events.next().unwrap() {
                    Event::MappingEnd => return fields.into(),
                    key => {
                        let Value::String(key) = node(key, events) else { panic!("a key that is no string") };
                        let first = events.next().unwrap();
                        let value = node(first, events);
                        assert_eq!(fields.insert(key.clone(), value), None, "the key {key} stands there twice");
                    }
                }
            }
        }
        other => panic!("{other:?} is nothing that karpctl writes"),
    }
}

/// What a plain scalar is, where every reader agrees on it.
fn plain(text: &str) -> Value {
    assert!(!ambiguous(text), "`{text}` is one thing in YAML 1.1 and another in YAML 1.2, or looks like it");
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
    }
}

/// Whether readers may differ about a plain scalar. This asks for more than the two specifications do: what is written with the
/// characters of numbers and times only, and is not a decimal number in its shortest form, is ambiguous.
pub(crate) fn ambiguous(text: &str) -> bool {
    const WORDS: [&str; 11] = ["", "~", "null", "y", "yes", "on", "n", "no", "off", "<<", "="];
    let lower = text.to_lowercase();
    let truth = matches!(lower.as_str(), "true" | "false") && lower != text;
    let decimal = text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && (lower.chars().all(|c| c.is_ascii_hexdigit() || "+-_.:xotz ".contains(c)) || matches!(&lower[1..], ".inf" | "inf" | "nan"));
    WORDS.contains(&lower.as_str()) || truth || (numeric && !decimal)
}

#[test]
fn what_readers_disagree_about_is_ambiguous() {
    let ambiguities = [
        "",
        "~",
        "null",
        "Null",
        "y",
        "NO",
        "on",
        "Off",
        "True",
        "FALSE",
        "0777",
        "0o17",
        "0b1",
        "0x1F",
        "1e3",
        "1_000",
        "1.5",
        ".5",
        "12:30",
        "190:20:30",
        "+1",
        "-1",
        ".inf",
        "-.Inf",
        ".nan",
        "2026-11-24",
        "2010-09-09",
        "1.30",
        "1.36",
        "<<",
        "=",
        "007",
    ];
    for text in ambiguities {
        assert!(ambiguous(text), "{text}");
    }
    for text in ["demo", "true", "false", "0", "300", "10000", "1Gi", "720h", "1m", "m5.large", "karpenter.sh/v1", "a-1", "_1", "us-west-2"]
    {
        assert!(!ambiguous(text), "{text}");
    }
    assert_eq!(
        read("a: !Sub \"x-${B}\"\nb: {c: [1, true, \"on\"]}"),
        [json!({ "a": { "Fn::Sub": "x-${B}" }, "b": { "c": [1, true, "on"] } })]
    );
}
