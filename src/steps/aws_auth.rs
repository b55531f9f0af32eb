//! The `mapRoles` text of the `aws-auth` `ConfigMap`, edited as text: only our row changes, every other byte stays.
//!
//! The text is somebody else's: it may be block or flow style, JSON, have comments, odd indentation, CRLF, or rows that no
//! authenticator takes. So rows are known by a YAML parser, found by where they stand, and each edit is checked by parsing
//! its result: the rows must be the old ones with only ours different, or nothing is written.

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::render::RoleMapping;
use serde_json::Value;

/// An edited text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The whole text.
    pub(crate) text: String,
    /// What is wrong with rows that were there and are kept, a line each.
    pub(crate) malformed: Vec<String>,
}

/// What the rows of a text are: ours if there, and what is wrong with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The rows of the role that was asked for.
    pub(crate) ours: Vec<RoleMapping>,
    /// The roles of the other rows.
    pub(crate) others: Vec<String>,
    /// What is wrong with rows that no authenticator takes, a line each.
    pub(crate) malformed: Vec<String>,
}

/// Reads the text for the rows of a role.
pub(crate) fn see(map_roles: Option<&str>, arn: &str) -> Result<Seen> {
    let mut seen = Seen { ours: Vec::new(), others: Vec::new(), malformed: Vec::new() };
    for (index, value) in parse(map_roles.unwrap_or_default())?.iter().enumerate() {
        match row(value) {
            Ok(row) if same_arn(&row.rolearn, arn) => seen.ours.push(row),
            Ok(row) => seen.others.push(row.rolearn),
            Err(why) => seen.malformed.push(format!("row {} of mapRoles in aws-auth {why}", index + 1)),
        }
    }
    Ok(seen)
}

/// The text with this row added at its end, in the style of the list.
pub(crate) fn add_row(map_roles: Option<&str>, new: &RoleMapping) -> Result<Edit> {
    let text = map_roles.unwrap_or_default();
    let rows = parse(text)?;
    let edited = match Style::of(text)? {
        Style::Block { indent } => add_block(text, indent, new),
        Style::Flow { open } => add_flow(text, open, new)?,
    };
    let mut expected = rows;
    expected.push(value_of(new));
    checked(edited, &expected, &new.rolearn)
}

/// The text without the rows of this role.
pub(crate) fn remove_row(map_roles: &str, arn: &str) -> Result<Edit> {
    let rows = parse(map_roles)?;
    let ours = |value: &Value| row(value).is_ok_and(|row| same_arn(&row.rolearn, arn));
    let mut text = map_roles.to_owned();
    // From the last to the first, so that the places of the others stay.
    for index in (0..rows.len()).rev().filter(|i| ours(&rows[*i])) {
        text = match Style::of(&text)? {
            Style::Block { indent } => remove_block(&text, indent, index)?,
            Style::Flow { open } => remove_flow(&text, open, index)?,
        };
    }
    let expected: Vec<Value> = rows.into_iter().filter(|value| !ours(value)).collect();
    checked(text, &expected, arn)
}

fn checked(text: String, expected: &[Value], arn: &str) -> Result<Edit> {
    if parse(&text).ok().as_deref() != Some(expected) {
        return Err(unreadable("is written in a way that karpctl cannot edit without touching other rows"));
    }
    let malformed = see(Some(&text), arn)?.malformed;
    Ok(Edit { text, malformed })
}

/// IAM compares ARNs as they are; the authenticator lowers their case first.
fn same_arn(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b)
}

fn unreadable(why: &str) -> Error {
    Error::refused(format!("mapRoles in the ConfigMap kube-system/aws-auth {why}"))
        .hint("mend it by hand: `kubectl --namespace kube-system edit configmap aws-auth`, then run karpctl again")
}

/// The rows as values; nothing but space and comments is an empty list.
fn parse(text: &str) -> Result<Vec<Value>> {
    if text.lines().all(insignificant) {
        return Ok(Vec::new());
    }
    // A key that stands twice is for the authenticator to judge; it must not hide the other rows.
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    match serde_saphyr::from_str_with_options::<Value>(text, options) {
        Ok(Value::Array(rows)) => Ok(rows),
        Ok(_) => Err(unreadable("is not a list")),
        Err(e) => Err(unreadable("is not YAML, so the cluster knows none of its rows").because(first_line(&e.to_string()))),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn insignificant(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line == "---"
}

fn row(value: &Value) -> Result<RoleMapping, &'static str> {
    let Value::Object(fields) = value else { return Err("is not a map") };
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let groups = match fields.get("groups") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(groups)) => groups.iter().map(|g| g.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    };
    Ok(RoleMapping {
        rolearn: text("rolearn").ok_or("has no rolearn")?,
        username: text("username").unwrap_or_default(),
        groups: groups.ok_or("has groups that are not a list of names")?,
    })
}

fn value_of(row: &RoleMapping) -> Value {
    serde_json::json!(row)
}

/// How a list is written.
enum Style {
    /// A line with `-` per row, after so many spaces.
    Block { indent: usize },
    /// In brackets, the first at this byte.
    Flow { open: usize },
}

impl Style {
    fn of(text: &str) -> Result<Self> {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let rest = line.strip_prefix("--- ").unwrap_or(line);
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            if !insignificant(line) {
                let content = &rest[spaces..];
                if content.starts_with('[') {
                    return Ok(Self::Flow { open: at + (line.len() - rest.len()) + spaces });
                }
                if is_item(line, spaces) {
                    return Ok(Self::Block { indent: spaces });
                }
                return Err(unreadable("is a list that karpctl cannot edit: it begins neither with `-` nor with `[`"));
            }
            at += line.len();
        }
        Ok(Self::Block { indent: 0 })
    }
}

/// Whether a line begins a row of a list that is indented so far.
fn is_item(line: &str, indent: usize) -> bool {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    let mut rest = line[spaces..].chars();
    spaces == indent && rest.next() == Some('-') && rest.next().is_none_or(char::is_whitespace)
}

fn add_block(text: &str, indent: usize, row: &RoleMapping) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let pad = " ".repeat(indent);
    let mut lines =
        vec![format!("{pad}- rolearn: {}", row.rolearn), format!("{pad}  username: {}", row.username), format!("{pad}  groups:")];
    lines.extend(row.groups.iter().map(|group| format!("{pad}  - {group}")));
    let row = lines.join(end);
    // A text that ends within a line goes on to do so: removing the row then gives back what was there.
    if text.is_empty() || text.ends_with('\n') { format!("{text}{row}{end}") } else { format!("{text}{end}{row}") }
}

fn remove_block(text: &str, indent: usize, index: usize) -> Result<String> {
    let mut at = 0;
    let mut items = 0;
    let (mut from, mut to) = (None, 0);
    for line in text.split_inclusive('\n') {
        if is_item(line, indent) {
            if items == index {
                from = Some(at);
            } else if items > index {
                break;
            }
            items += 1;
        }
        at += line.len();
        // What stands between two rows (comments, space) is not the row's, and stays.
        let marker = line.starts_with("...") || line.starts_with("---");
        if items == index + 1 && !insignificant(line) && !marker {
            to = at;
        }
    }
    let from = from.ok_or_else(|| unreadable("is written in a way that karpctl cannot edit without touching other rows"))?;
    let mut kept = &text[..from];
    if to == text.len() && !text.ends_with('\n') {
        kept = kept.strip_suffix("\r\n").or_else(|| kept.strip_suffix('\n')).unwrap_or(kept);
    }
    Ok(format!("{kept}{}", &text[to..]))
}

/// The parts of a flow list: where each element begins and ends (with the space around it), and where the bracket closes.
struct FlowParts {
    elements: Vec<(usize, usize)>,
    close: usize,
}

impl FlowParts {
    fn of(text: &str, open: usize) -> Result<Self> {
        let mut elements = Vec::new();
        let (mut depth, mut quote, mut skip, mut comment) = (0_u32, None, false, false);
        let mut from = open + 1;
        let mut before = ' ';
        for (at, c) in text[open..].char_indices().map(|(i, c)| (open + i, c)) {
            let last = std::mem::replace(&mut before, c);
            match (quote, c) {
                _ if comment => comment = c != '\n',
                _ if skip => skip = false,
                (Some('"'), '\\') => skip = true,
                (Some(q), _) if c == q => quote = None,
                (None, '#') if last.is_whitespace() => comment = true,
                (None, '"' | '\'') if !last.is_alphanumeric() => quote = Some(c),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => {
                    depth -= 1;
                    if depth == 0 {
                        if !text[from..at].trim().is_empty() || elements.is_empty() {
                            elements.push((from, at));
                        }
                        return Ok(Self { elements, close: at });
                    }
                }
                (None, ',') if depth == 1 => {
                    elements.push((from, at));
                    from = at + 1;
                }
                _ => {}
            }
        }
        Err(unreadable("is a list whose bracket never closes"))
    }

    /// Whether there is no element but the space between the brackets.
    fn is_empty(&self, text: &str) -> bool {
        self.elements.len() == 1 && self.elements[0].1 == self.close && text[self.elements[0].0..self.close].trim().is_empty()
    }
}

fn add_flow(text: &str, open: usize, row: &RoleMapping) -> Result<String> {
    let parts = FlowParts::of(text, open)?;
    let row = value_of(row).to_string();
    if parts.is_empty(text) {
        return Ok(format!("{}{row}{}", &text[..=open], &text[open + 1..]));
    }
    let Some((from, to)) = parts.elements.last().copied() else { return Err(unreadable("is not a list")) };
    if to < parts.close {
        // A comma stands after the last element already: ours gets one too.
        return Ok(format!("{} {row},{}", &text[..=to], &text[to + 1..]));
    }
    let end = from + text[from..to].trim_end().len();
    Ok(format!("{}, {row}{}", &text[..end], &text[end..]))
}

fn remove_flow(text: &str, open: usize, index: usize) -> Result<String> {
    let parts = FlowParts::of(text, open)?;
    let Some((from, to)) = parts.elements.get(index).copied() else {
        return Err(unreadable("is written in a way that karpctl cannot edit without touching other rows"));
    };
    if to < parts.close {
        return Ok(format!("{}{}", &text[..from], &text[to + 1..]));
    }
    let end = from + text[from..to].trim_end().len();
    // The last one takes the comma before it along; the only one leaves the brackets.
    let begin = if index > 0 { from - 1 } else { from };
    Ok(format!("{}{}", &text[..begin], &text[end..]))
}
