//! The text of a kubeconfig as a tree that knows its lines, read as the clients read it: the first YAML document, of a key that
//! is there twice the last, plain words resolved by YAML 1.1 as go-yaml does it (`yes` is a boolean, `1_000` a number).

use super::strict;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, options};
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
    Number(String),
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
            Self::Number(_) => "a number",
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
            Value::Number(text) => number(&text),
            Value::Text(text) => Self::String(text),
            Value::List(items) => items.into_iter().map(|node| Self::from(node.value)).collect(),
            Value::Fields(fields) => fields.into_iter().map(|(key, node)| (key, Self::from(node.value))).collect(),
        }
    }
}

/// A number's value; of notations that JSON does not have only that it is one.
fn number(text: &str) -> serde_json::Value {
    let text = text.replace('_', "");
    text.parse::<i64>().map(Into::into).or_else(|_| text.parse::<f64>().map(Into::into)).unwrap_or_else(|_| 0.into())
}

impl Node {
    /// Takes away every field of these names, wherever it stands.
    pub(super) fn forget(&mut self, names: &[&str]) {
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.forget(names)),
            Value::Fields(fields) => {
                fields.retain(|(name, _)| !names.contains(&name.as_str()));
                for (_, node) in fields {
                    node.forget(names);
                }
            }
            _ => {}
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

/// How deep lists and fields may be nested: the clients make JSON of everything, and Go reads so much of it.
const DEPTH: usize = 10_000;
/// How deep they are kept. A kubeconfig's own fields lie in the first ten; what is deeper is checked and forgotten.
const KEPT: usize = 200;
/// How many values there may be once aliases are followed.
const VALUES: usize = 200_000;

/// Reads the first document. `None`: there is none.
pub(super) fn read(text: &str) -> Result<Option<Node>, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    strict::characters(text)?;
    strict::beginning(text)?;
    let text = strict::line_ends(text);
    // The reader counts for itself, and the same for both forms.
    let options = options! { flow_nesting_limit: DEPTH + 1, block_nesting_limit: DEPTH + 1 };
    let parser = Parser::new_from_str_with_options(&text, options);
    let mut reader = Reader { text: &text, parser, anchors: HashMap::new(), left: VALUES, covered: Vec::new(), end: 0 };
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(None),
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, span) => {
                let root = reader.node(&event, span, 0)?;
                strict::tabs(&text, &root, &reader.covered)?;
                return Ok(Some(root));
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Texts and flows that go over several lines, where a tab may begin a line.
    covered: Vec<std::ops::Range<usize>>,
    /// Where the list or the fields ended that were read last.
    end: usize,
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
        self.count(1, line)?;
        let (value, anchor) = match event {
            Event::Scalar(_, _, anchor, _) => (self.scalar(event, span)?, *anchor),
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) if depth >= KEPT => {
                self.skip(event, depth)?;
                (Value::Null, *anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, *anchor),
            Event::MappingStart(_, anchor, _) => (self.fields(depth)?, *anchor),
            Event::Alias(id) => {
                let node = self.anchors.get(id).cloned().ok_or_else(|| Malformed::new(line, "unknown anchor"))?;
                self.count(size(&node), line)?;
                return Ok(node);
            }
            _ => return Err(Malformed::new(line, "did not find expected node content")),
        };
        let range = span.byte_range().unwrap_or_default();
        if self.text.get(range.start..).is_some_and(|rest| rest.starts_with(['[', '{'])) && range.start < self.end {
            self.covered.push(range.start..self.end);
        }
        let node = Node { value, line, range };
        if anchor != 0 {
            // What is kept for aliases is counted too: anchors within anchors would keep it over and over.
            self.count(size(&node), line)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, values: usize, line: u32) -> Result<(), Malformed> {
        self.left = self.left.checked_sub(values).ok_or_else(|| Malformed::new(line, "it holds too many values"))?;
        Ok(())
    }

    fn scalar(&mut self, event: &Event<'a>, span: Span) -> Result<Value, Malformed> {
        let Event::Scalar(text, style, _, tag) = event else { return Ok(Value::Null) };
        let tag = tag.as_ref().map(ToString::to_string);
        let written = span.byte_range().and_then(|range| self.text.get(range)).unwrap_or_default();
        if *style == ScalarStyle::DoubleQuoted {
            strict::escapes(written).map_err(|why| Malformed::new(line_of(span), why))?;
        }
        if written.contains('\n') {
            self.covered.extend(span.byte_range());
        }
        scalar(text, *style, tag.as_deref()).map_err(|why| Malformed::new(line_of(span), why))
    }

    /// What lies too deep to be kept, to its end; without recursion, for its depth is the file's to choose.
    fn skip(&mut self, begun: &Event<'a>, depth: usize) -> Result<(), Malformed> {
        // Of each that is open, whether a key comes next; a list has none.
        let mut open = vec![matches!(begun, Event::MappingStart(..)).then_some(true)];
        while let Some(keys) = open.last_mut() {
            let (event, span) = self.next()?;
            let line = line_of(span);
            self.count(1, line)?;
            if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
                open.pop();
                continue;
            }
            let is_key = *keys == Some(true);
            *keys = keys.map(|key| !key);
            match &event {
                Event::Scalar(text, ScalarStyle::Plain, _, None) if is_key => drop(key(text, line)?),
                Event::Scalar(..) => drop(self.scalar(&event, span)?),
                Event::Alias(id) => {
                    let size = self.anchors.get(id).map(size).ok_or_else(|| Malformed::new(line, "unknown anchor"))?;
                    self.count(size, line)?;
                }
                Event::SequenceStart(..) | Event::MappingStart(..) if is_key => return Err(Malformed::new(line, "invalid map key")),
                Event::SequenceStart(..) => open.push(None),
                Event::MappingStart(..) => open.push(Some(true)),
                _ => return Err(Malformed::new(line, "did not find expected node content")),
            }
            if depth + open.len() > DEPTH {
                return Err(Malformed::new(line, "exceeded max depth"));
            }
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => {
                    self.end = span.byte_range().unwrap_or_default().end;
                    return Ok(Value::List(items));
                }
                (event, span) => items.push(self.node(&event, span, depth + 1)?),
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut fields: Vec<(String, Node)> = Vec::new();
        let put = |fields: &mut Vec<(String, Node)>, key: String, value: Node| match fields.iter_mut().find(|(k, _)| *k == key) {
            Some((_, there)) => *there = value,
            None => fields.push((key, value)),
        };
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                self.end = span.byte_range().unwrap_or_default().end;
                return Ok(Value::Fields(fields));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = match &event {
                Event::Scalar(text, ScalarStyle::Plain, _, None) => key(text, line_of(span))?,
                Event::Scalar(text, ..) => text.to_string(),
                _ => match self.node(&event, span, depth + 1)?.value {
                    Value::Text(text) => text,
                    _ => return Err(Malformed::new(line_of(span), "invalid map key")),
                },
            };
            let (event, span) = self.next()?;
            let value = self.node(&event, span, depth + 1)?;
            if merges {
                // What is merged goes over what stood before it, and is gone over by what stands behind it.
                to_merge(value)?.into_iter().for_each(|(key, value)| put(&mut fields, key, value));
            } else {
                put(&mut fields, key, value);
            }
        }
    }
}

/// A plain word as the name of a field.
fn key(text: &str, line: u32) -> Result<String, Malformed> {
    match plain(text) {
        Ok(Value::Null) => {
            let why = if text.is_empty() { "did not find expected key" } else { "unsupported map key of type: nil" };
            Err(Malformed::new(line, why))
        }
        // `n:` is a field called false.
        Ok(Value::Bool(value)) => Ok(value.to_string()),
        _ => Ok(text.to_owned()),
    }
}

fn to_merge(node: Node) -> Result<Vec<(String, Node)>, Malformed> {
    match node.value {
        Value::Fields(fields) => Ok(fields),
        // The first of a list wins.
        Value::List(items) => {
            items.into_iter().rev().map(to_merge).collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().flatten().collect())
        }
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

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Result<Value, String> {
    let known = tag.and_then(|tag| tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!")));
    let as_it_is = || Ok(Value::Text(text.to_owned()));
    match (tag, known) {
        (None, _) if style == ScalarStyle::Plain => plain(text),
        (_, Some("binary")) => {
            let packed: String = text.split_whitespace().collect();
            let bytes = STANDARD.decode(packed).map_err(|_| "!!binary value contains invalid base64 data")?;
            Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        (_, Some(kind @ ("int" | "float" | "bool" | "null"))) => {
            let value = plain(text)?;
            let fits = match kind {
                "bool" => matches!(value, Value::Bool(_)),
                "null" => value == Value::Null,
                _ => matches!(value, Value::Number(_)),
            };
            if fits { Ok(value) } else { Err(format!("cannot decode !!str `{text}` as a !!{kind}")) }
        }
        (_, Some("timestamp")) if !text.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(format!("cannot decode !!str `{text}` as a !!timestamp"))
        }
        // Any other tag leaves a text.
        _ => as_it_is(),
    }
}

fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Ok(Value::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // They are numbers to YAML, and JSON, which the clients make of everything, has none of them.
    if [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text) {
        return Err(format!("json: unsupported value: {text}"));
    }
    Ok(if is_number(text) { Value::Number(text.to_owned()) } else { Value::Text(text.to_owned()) })
}

/// Whether go-yaml reads a number: Go's own notations, with `_` anywhere.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
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
        assert_eq!(fields("n: x\n")[0].0, "false");
        assert_eq!(fields("b: &b {c: d}\na:\n  <<: *b\n").len(), 2);
    }

    #[test]
    fn nesting_ends_where_go_ends_it() {
        let flow = |n: usize| format!("a: b\nx: {}{}\n", "[".repeat(n), "]".repeat(n));
        let block = |n: usize| format!("a: b\nx:\n  {}c\n", "- ".repeat(n));
        let map = |n: usize| format!("a: b\nx: {}1{}\n", "{k: ".repeat(n), "}".repeat(n));
        for n in [150, 250, 5_000, 9_999] {
            assert_eq!((fields(&flow(n)).len(), fields(&block(n)).len(), fields(&map(n)).len()), (2, 2, 2), "{n}");
        }
        for text in [flow(10_000), block(10_000), map(10_000), flow(300_000)] {
            assert!(read(&text).is_err());
        }
        // What is forgotten is checked all the same.
        let deep = |inside: &str| format!("x: {}{inside}{}\n", "[".repeat(300), "]".repeat(300));
        for bad in [".inf", "*none", "{~: x}", "\"\\q\"", "{[a]: b}"] {
            assert!(read(&deep(bad)).is_err(), "{bad}");
        }
        assert!(read(&deep("{a: [b, {c: d}], e: 'f'}")).is_ok());
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let items = vec![format!("*a{}", n - 1); 9].join(", ");
            writeln!(text, "a{n}: &a{n} [{items}]").unwrap();
        }
        assert_eq!(read(&text).unwrap_err().why, "it holds too many values");
        // Anchors within anchors keep the same values over and over, though no alias asks for them.
        let nested: String = (0..60).map(|depth| format!("{}a: &a{depth}\n", " ".repeat(depth))).collect();
        let text = format!("{nested}{}b: [{}]\n", " ".repeat(60), "1,".repeat(20_000));
        assert_eq!(read(&text).unwrap_err().why, "it holds too many values");
    }
}
