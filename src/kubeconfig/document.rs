//! The text of a kubeconfig as a tree that knows its lines, read as the clients read it: the first YAML document, of a key that
//! is there twice the last, plain words resolved by YAML 1.1 as go-yaml does it (`yes` is a boolean, `1_000` a number).

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    /// From 1.
    pub(super) line: u32,
    /// Where it stands in the text, in bytes.
    pub(super) range: std::ops::Range<usize>,
}

/// What stands there. The clients take no number and no boolean where a text belongs, so they are told apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Node>),
    Fields(Vec<(String, Node)>),
}

impl Value {
    /// What it is, in a word.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Fields(_) => "fields",
        }
    }
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number => Self::from(0),
            Value::Text(text) => Self::String(text),
            Value::List(items) => items.into_iter().map(|node| Self::from(node.value)).collect(),
            Value::Fields(fields) => fields.into_iter().map(|(key, node)| (key, Self::from(node.value))).collect(),
        }
    }
}

/// Why a text cannot be loaded, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// From 1.
    pub line: Option<u32>,
    /// Why.
    pub why: String,
}

impl Malformed {
    pub(super) fn new(line: u32, why: impl Into<String>) -> Self {
        Self { line: Some(line), why: why.into() }
    }
}

/// How deep lists and fields may be nested, and how many values there may be once aliases are followed.
const DEPTH: usize = 200;
const VALUES: usize = 200_000;

/// Reads the first document. `None`: there is none.
pub(super) fn read(text: &str) -> Result<Option<Node>, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(line) = text.lines().position(|l| l.chars().any(|c| c.is_control() && c != '\t' && c != '\r' && c != '\u{85}')) {
        return Err(Malformed::new(u32::try_from(line + 1).unwrap_or_default(), "control characters are not allowed"));
    }
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), left: VALUES };
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(None),
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, span) => return reader.node(&event, span, 0).map(Some),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    left: usize,
}

fn line_of(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or_default()
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        loop {
            return match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => continue,
                Some(Ok(event)) => Ok(event),
                Some(Err(e)) => Err(Malformed { line: u32::try_from(e.marker().line()).ok(), why: e.to_string() }),
                None => Err(Malformed { line: None, why: "the text ends too early".into() }),
            };
        }
    }

    fn node(&mut self, event: &Event<'a>, span: Span, depth: usize) -> Result<Node, Malformed> {
        let line = line_of(span);
        self.left = self.left.checked_sub(1).ok_or_else(|| Malformed::new(line, "it holds too many values"))?;
        if depth > DEPTH {
            return Err(Malformed::new(line, "it is nested too deeply"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_ref().map(ToString::to_string);
                (scalar(text, *style, tag.as_deref()), *anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, *anchor),
            Event::MappingStart(_, anchor, _) => (self.fields(depth)?, *anchor),
            Event::Alias(id) => {
                let node = self.anchors.get(id).cloned().ok_or_else(|| Malformed::new(line, "unknown anchor"))?;
                self.left = self.left.checked_sub(size(&node)).ok_or_else(|| Malformed::new(line, "it holds too many values"))?;
                return Ok(node);
            }
            _ => return Err(Malformed::new(line, "did not find expected node content")),
        };
        let range = span.byte_range().unwrap_or_default();
        let node = Node { value, line, range };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(&event, span, depth + 1)?),
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut fields: Vec<(String, Node)> = Vec::new();
        let mut merged: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = match &event {
                Event::Scalar(text, ..) => text.to_string(),
                _ => match self.node(&event, span, depth + 1)?.value {
                    Value::Text(text) => text,
                    _ => return Err(Malformed::new(line_of(span), "invalid map key")),
                },
            };
            let (event, span) = self.next()?;
            let value = self.node(&event, span, depth + 1)?;
            if merges {
                merged.extend(to_merge(value)?);
            } else if let Some((_, there)) = fields.iter_mut().find(|(k, _)| *k == key) {
                *there = value;
            } else {
                fields.push((key, value));
            }
        }
        for (key, value) in merged {
            if !fields.iter().any(|(k, _)| *k == key) {
                fields.push((key, value));
            }
        }
        Ok(Value::Fields(fields))
    }
}

fn to_merge(node: Node) -> Result<Vec<(String, Node)>, Malformed> {
    match node.value {
        Value::Fields(fields) => Ok(fields),
        Value::List(items) => items.into_iter().map(to_merge).collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().flatten().collect()),
        _ => Err(Malformed::new(node.line, "map merge requires map or sequence of maps as the value")),
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Fields(fields) => fields.iter().map(|(_, n)| size(n)).sum(),
        _ => 0,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Value {
    match tag {
        // Any tag but those of the other plain kinds leaves a text.
        Some(tag) if !["int", "float", "bool", "null"].iter().any(|kind| tag.ends_with(kind)) => Value::Text(text.to_owned()),
        _ if style == ScalarStyle::Plain => plain(text),
        _ => Value::Text(text.to_owned()),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    if is_number(text) { Value::Number } else { Value::Text(text.to_owned()) }
}

/// Whether go-yaml reads a number: Go's own notations, with `_` anywhere, and YAML's infinities.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text) {
        return true;
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let digits = unsigned.replace('_', "");
    let all = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(rest) = prefixes.iter().find_map(|p| digits.strip_prefix(p)) {
            return all(rest, radix);
        }
    }
    if all(&digits, 10) {
        return true;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits.as_str(), None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let ends = |text: &str| text.is_empty() || all(text, 10);
    (all(whole, 10) || (whole.is_empty() && all(fraction, 10)))
        && ends(fraction)
        && exponent.is_none_or(|e| all(e.strip_prefix(['+', '-']).unwrap_or(e), 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn fields(text: &str) -> Vec<(String, Node)> {
        match read(text).unwrap().unwrap().value {
            Value::Fields(fields) => fields,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_and_places_are_known() {
        let text = "a: 1\nb:\n  - c: \"x\"\n";
        let b = &fields(text)[1].1;
        let Value::List(items) = &b.value else { panic!("{b:?}") };
        let Value::Fields(inner) = &items[0].value else { panic!("{items:?}") };
        assert_eq!((inner[0].1.line, &text[inner[0].1.range.clone()]), (3, "\"x\""));
        let json = "{\"a\":\n {\"b\": \"x\"}}";
        let Value::Fields(inner) = &fields(json)[0].1.value else { panic!() };
        assert_eq!((inner[0].1.line, &json[inner[0].1.range.clone()]), (2, "\"x\""));
    }

    #[test]
    fn plain_words_are_what_go_yaml_makes_of_them() {
        for (word, kind) in [
            ("yes", "a boolean"),
            ("y", "a boolean"),
            ("Off", "a boolean"),
            ("1_000", "a number"),
            ("+5", "a number"),
            ("007", "a number"),
            ("0o7", "a number"),
            ("0x1F", "a number"),
            ("1e3", "a number"),
            (".inf", "a number"),
            ("1.5", "a number"),
            ("Null", "nothing"),
            ("~", "nothing"),
            ("1:30", "a text"),
            ("2001-01-01", "a text"),
            ("=", "a text"),
            ("1.2.3", "a text"),
            ("!!binary aGk=", "a text"),
            ("'5'", "a text"),
            ("!foo x", "a text"),
        ] {
            assert_eq!(fields(&format!("a: {word}\n"))[0].1.value.kind(), kind, "{word}");
        }
    }

    #[test]
    fn what_cannot_be_loaded_names_its_line() {
        for (text, line) in [("a: b\n c: d\n", 2), ("a:\n\tb: c\n", 2), ("x: \"a\u{7}\"\n", 1), ("? [a]\n: x\n", 1)] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, Some(line), "{text:?}: {error:?}");
        }
        assert!(read("a: 'b\n").is_err());
        assert_eq!(read("").unwrap(), None);
        assert_eq!(read("# x\n").unwrap().map(|n| n.value), None);
        // Only the first document counts, and what stands behind it is not even read.
        assert_eq!(fields("---\na: b\n---\nc: [\n").len(), 1);
        assert_eq!(fields("a: x\na: z\n")[0].1.value, Value::Text("z".into()));
        assert_eq!(fields("b: &b {c: d}\na:\n  <<: *b\n").len(), 2);
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let items = vec![format!("*a{}", n - 1); 9].join(", ");
            writeln!(text, "a{n}: &a{n} [{items}]").unwrap();
        }
        assert_eq!(read(&text).unwrap_err().why, "it holds too many values");
    }
}
