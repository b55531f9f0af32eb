//! The spec file, `karpctl.yaml`: its text to a [`Layer`], with errors that name the place.

use super::Spec;
use super::layer::Layer;
use super::place::{Written, field_at, place, snippet};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "karpctl.yaml";

/// A spec as the text of a spec file, complete: read again, it gives the same spec.
pub fn text(spec: &Spec) -> Result<String> {
    serde_saphyr::to_string(&Layer::from(spec)).map_err(|e| Error::failed("cannot write the spec as a file").because(e.to_string()))
}

/// Reads the text of a spec file. `path` is only for the messages.
pub fn parse(path: &str, text: &str) -> Result<Layer> {
    let written = Written { path: path.to_owned(), text: text.to_owned() };
    let layer = read::<Option<Layer>>(path, text, &SPEC_FILE)?.unwrap_or_default();
    Ok(Layer { written: Some(written), ..layer })
}

/// A file that people write by hand, as errors speak of it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What it is not, where it cannot be read: "is not a valid spec file".
    pub what: &'static str,
    /// A field of it, as it is written.
    pub example: &'static str,
    /// Its schema, which has an example of each field that is a list or has fields of its own.
    pub schema: fn() -> schemars::Schema,
    /// What says which fields there are.
    pub help: &'static str,
}

const SPEC_FILE: Kind = Kind {
    what: "a valid spec file",
    example: "clusterName: demo",
    schema: || schemars::schema_for!(Layer),
    help: "`karpctl generate schema` prints every field, with what it takes",
};

/// Reads the YAML of such a file, or says where it is wrong: file, line and column, and the line itself. `path` is only for the messages.
pub fn read<T: DeserializeOwned>(path: &str, text: &str, kind: &Kind) -> Result<T> {
    serde_saphyr::from_str::<T>(text).map_err(|e| {
        // The reader names the line before a tab that indents.
        let tab = text.lines().position(|line| line.trim_start_matches(' ').starts_with('\t')).and_then(|at| u64::try_from(at + 1).ok());
        let place = match tab.filter(|_| e.to_string().contains("found a tab")) {
            Some(line) => Some((line, 1)),
            None => e.location().map(|at| (at.line(), at.column())),
        };
        invalid(path, text, place, &e.without_snippet().to_string(), kind)
    })
}

/// The error of a text that stands in such a file and is wrong there: this is said of it, and it is shown.
#[must_use]
pub fn wrong(path: &str, text: &str, quoted: &str, said: &str, kind: &Kind) -> Error {
    let at = text.lines().enumerate().find_map(|(line, shown)| Some((line + 1, shown[..shown.find(quoted)?].chars().count() + 1)));
    let at = at.map(|(line, column)| (line as u64, column as u64));
    invalid(path, text, at, said, kind)
}

fn invalid(path: &str, text: &str, at: Option<(u64, u64)>, why: &str, kind: &Kind) -> Error {
    let error = Error::usage(format!("{path} is not {}", kind.what));
    let said = why.rsplit_once(" at line ").filter(|(_, place)| !place.contains('`')).map_or(why, |(said, _)| said);
    let lines: Vec<&str> = text.lines().collect();
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let at = at.filter(|(line, _)| *line > 0).map(|(line, column)| (number(line), number(column)));
    let meant = did_you_mean(said);
    let said = match said.split_once(", expected one of").filter(|_| meant.is_some()) {
        Some((unknown, _)) => unknown.to_owned(),
        None => in_words(said, kind, at.and_then(|(line, column)| field_at(&lines, line, column))),
    };
    let error = match at {
        Some((line, column)) => error.because(format!("{}: {said}\n{}", place(path, line, column), snippet(&lines, line, column))),
        None => error.because(said),
    };
    let error = match meant {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    };
    error.hint(kind.help)
}

/// What the YAML reader says, in words for who writes the file: it speaks to who writes programs. `field`: the one that it is said of.
fn in_words(said: &str, kind: &Kind, field: Option<&str>) -> String {
    const WORDS: [(&str, &str); 3] = [
        ("multiple YAML documents", "there is more than one document; the file holds one"),
        ("found a tab", "there is a tab; YAML is indented by spaces"),
        ("unclosed quote", "a quote is opened here and never closed"),
    ];
    const OF_A_VALUE: [(&str, &str); 7] = [
        ("expected mapping start", "expected fields"),
        ("expected sequence start", "expected a list"),
        ("failed to parse", "expected a day, such as 2026-12-31"),
        ("expected string scalar", "expected one text, not a list and not fields"),
        ("cannot deserialize null into string", "expected a text, and there is none"),
        ("expected u32", "expected a whole number, 0 or more, not in quotes"),
        ("expected a boolean", "expected true or false, not in quotes"),
    ];
    if let Some((theirs, words)) = OF_A_VALUE.iter().find(|(theirs, _)| said.contains(theirs)) {
        let example = match field {
            Some(field) => example(kind, field),
            None => theirs.contains("mapping").then(|| kind.example.to_owned()),
        };
        let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
        return format!("{field}{words}{}", example.map(|example| format!(", such as `{example}`")).unwrap_or_default());
    }
    if let Some((_, words)) = WORDS.iter().find(|(theirs, _)| said.contains(theirs)) {
        return (*words).to_owned();
    }
    if let Some(rest) = said.split_once("duplicate mapping key: ").map(|(_, rest)| rest) {
        return format!("the field `{}` stands there twice", rest.split(',').next().unwrap_or(rest));
    }
    said.to_owned()
}

/// A field with what the schema has as an example of it, as it is written.
fn example(kind: &Kind, field: &str) -> Option<String> {
    let schema = (kind.schema)().to_value();
    let inner = schema["$defs"].as_object().into_iter().flat_map(|defs| defs.values());
    let shown = std::iter::once(&schema).chain(inner).find_map(|of| of["properties"][field]["examples"].get(0))?;
    Some(format!("{field}: {}", flow(shown)))
}

/// A value in one line, without the quotes that examples do not need.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            format!("{{{}}}", fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The unknown field and the known ones stand in the message; the nearest of them is what was probably meant.
fn did_you_mean(why: &str) -> Option<String> {
    let (_, rest) = why.split_once("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let (_, known) = rest.split_once("expected one of ").or_else(|| rest.split_once("expected "))?;
    let field = unknown.to_lowercase().replace(['_', '-'], "");
    known
        .lines()
        .next()?
        .split(" or ")
        .flat_map(|names| names.split(", "))
        .map(|name| name.trim().trim_matches('`'))
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &field), name))
        // A short word is near to many.
        .filter(|(distance, _)| *distance <= 3 && *distance < field.len())
        .min()
        .map(|(_, name)| name.to_owned())
}
