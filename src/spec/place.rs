//! Where in a spec file something stands, shown as compilers show it: file, line and column, the line, and a mark beneath.

mod braces;

use serde_json::Value;
use std::ops::Range;

/// A spec file as it was written, kept with what was read from it: what turns out to be wrong later is shown where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its path, for the messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Written {
    /// Where the field stands that a sentence begins with, as all that tell of a setting do: the line that has what the sentence quotes,
    /// else the field's own. `None` where the file does not have it.
    pub(super) fn of_sentence(&self, sentence: &str) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        let field = sentence.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next()?;
        let found = find(&lines, field)?;
        let quoted = sentence.split('`').nth(1).filter(|quoted| !quoted.is_empty());
        let at = match quoted {
            // Said of a value that is not here: it came from elsewhere.
            Some(quoted) => found.value(&lines, quoted).or_else(|| self.gives(field, quoted).then_some(found.key))?,
            None => found.key,
        };
        // People and editors count characters.
        let (line, column) = (at.0 + 1, lines[at.0].get(..at.1)?.chars().count() + 1);
        Some(format!("{}\n{}", place(&self.path, line, column), snippet(&lines, line, column)))
    }

    /// Whether the file gives the field this value, however it is written: with an escape, or over several lines.
    fn gives(&self, field: &str, quoted: &str) -> bool {
        let Ok(all) = serde_saphyr::from_str::<Value>(&self.text) else { return false };
        match field.split('.').try_fold(&all, |value, key| value.get(key)) {
            Some(Value::Array(list)) => list.iter().any(|item| item == quoted),
            Some(Value::Object(fields)) => fields.contains_key(quoted),
            Some(value) => value == quoted,
            None => false,
        }
    }
}

/// `karpctl.yaml:3:1`, which editors and terminals make a link of.
pub(super) fn place(path: &str, line: usize, column: usize) -> String {
    format!("{path}:{line}:{column}")
}

/// The field whose value, or an item of it, begins there, counted from 1; `None` where it is written in an unusual way.
pub(super) fn field_at<'a>(lines: &[&'a str], line: usize, column: usize) -> Option<&'a str> {
    let at = line.checked_sub(1)?;
    let shown = *lines.get(at)?;
    let before = shown.char_indices().nth(column.checked_sub(1)?).map_or(shown, |(end, _)| &shown[..end]);
    let is_item = shown.trim_start().starts_with('-');
    if !matches!(before.trim(), "" | "-") {
        return ends_in_key(before);
    }
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let holds = |line: &&&str| {
        let further_out = indent(line) < indent(shown) || is_item && indent(line) == indent(shown);
        says(line) && further_out && !line.trim_start().starts_with('-')
    };
    ends_in_key(lines[..at].iter().rev().find(holds)?)
}

/// The key that a text ends in: `nodePool: {amiAlias: ` in `amiAlias`.
fn ends_in_key(text: &str) -> Option<&str> {
    let key = text.split(" #").next()?.trim_end().strip_suffix(':')?.rsplit([' ', '{', ',', '[']).next()?.trim_matches(['"', '\'']);
    (!key.is_empty()).then_some(key)
}

/// A line, counted from 1, with its number, and a mark beneath what begins at the column.
pub(super) fn snippet(lines: &[&str], line: usize, column: usize) -> String {
    let shown = lines.get(line.saturating_sub(1)).copied().unwrap_or_default().replace('\t', " ");
    let before = column.saturating_sub(1).min(shown.chars().count());
    let ends = |c: &char| c.is_whitespace() || matches!(c, ':' | ',' | ']' | '}' | '#');
    let marked = shown.chars().skip(before).take_while(|c| !ends(c)).count().max(1);
    let number = line.to_string();
    format!("{number} | {shown}\n{} | {}{}", " ".repeat(number.len()), " ".repeat(before), "^".repeat(marked))
}

/// Where a field stands. Columns are bytes here.
struct Found {
    /// Where it begins: line and column, from 0.
    key: (usize, usize),
    /// The column behind its name.
    after: usize,
    /// Where its value is over.
    until: (usize, usize),
}

impl Found {
    /// Where this stands in its value.
    fn value(&self, lines: &[&str], quoted: &str) -> Option<(usize, usize)> {
        (self.key.0..lines.len().min(self.until.0 + 1)).find_map(|line| {
            let from = if line == self.key.0 { self.after } else { 0 };
            let to = if line == self.until.0 { self.until.1 } else { lines[line].len() };
            Some((line, from + lines[line].get(from..to)?.find(quoted)?))
        })
    }
}

/// A field, named with those that it is in: `nodePool.amiAlias`. Each may be written in lines of its own or in braces.
fn find(lines: &[&str], field: &str) -> Option<Found> {
    let mut found: Option<Found> = None;
    for key in field.split('.') {
        let (in_braces, within) = match &found {
            Some(outer) => (braces::find(lines, (outer.key.0, outer.after), key), outer.key.0 + 1..outer.until.0),
            None => (braces::find(lines, (lines.iter().position(|line| says(line))?, 0), key), 0..lines.len()),
        };
        found = Some(in_braces.or_else(|| in_lines(lines, within, key))?);
    }
    found
}

fn in_lines(lines: &[&str], within: Range<usize>, key: &str) -> Option<Found> {
    let range = lines_of(lines, within, key)?;
    let line = lines[range.start];
    Some(Found { key: (range.start, line.find(|c: char| c != ' ')?), after: line.find(key)? + key.len(), until: (range.end, 0) })
}

/// Whether a line says something, and is no comment and not where a document begins.
fn says(line: &str) -> bool {
    !matches!(line.trim(), "" | "---") && !line.trim_start().starts_with('#')
}

/// The lines of a key that stands in these, as far in as the first of them.
fn lines_of(lines: &[&str], within: Range<usize>, key: &str) -> Option<Range<usize>> {
    let indent = |at: usize| lines[at].len() - lines[at].trim_start_matches(' ').len();
    let level = indent(within.clone().find(|at| says(lines[*at]))?);
    let is_key = |at: &usize| {
        let (name, _) = lines[*at].split_once(':').unwrap_or_default();
        indent(*at) == level && name.trim().trim_matches(['"', '\'']) == key
    };
    let start = within.clone().find(is_key)?;
    // A list may stand as far out as its key.
    let ends = |at: &usize| says(lines[*at]) && indent(*at) <= level && !(indent(*at) == level && lines[*at].trim_start().starts_with('-'));
    Some(start..(start + 1..within.end).find(ends).unwrap_or(within.end))
}

#[cfg(test)]
mod tests {
    use super::Written;

    fn shown(sentence: &str) -> Option<String> {
        let text = "# clusterName: no\nclusterName: demo\nregion: us west\nnodePool:\n  # amiAlias: x\n  amiAlias: al9\n  capacityTypes:\n  - spot\n  - spott\nnodeGroup: {minSize: 3, instanceType: m5}\n\"tags\":\n  kmsKey: x\n";
        Written { path: "k.yaml".into(), text: text.into() }.of_sentence(sentence)
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        let is = |sentence: &str, expected: &str| assert_eq!(shown(sentence).as_deref(), Some(expected), "{sentence}");
        is("region (from the file k.yaml): `us west` is not a region", "k.yaml:3:9\n3 | region: us west\n  |         ^^");
        is("nodePool.capacityTypes: `spott` is not one of", "k.yaml:9:5\n9 |   - spott\n  |     ^^^^^");
        is("nodePool.amiAlias: `al9` is", "k.yaml:6:13\n6 |   amiAlias: al9\n  |             ^^^");
        is("nodeGroup: minSize 3 <= 2", "k.yaml:10:1\n10 | nodeGroup: {minSize: 3, instanceType: m5}\n   | ^^^^^^^^^");
        is(
            "nodeGroup.instanceType: `m5` is not",
            "k.yaml:10:39\n10 | nodeGroup: {minSize: 3, instanceType: m5}\n   |                                       ^^",
        );
        is("clusterName: too long", "k.yaml:2:1\n2 | clusterName: demo\n  | ^^^^^^^^^^^");
        is("tags: bad", "k.yaml:11:1\n11 | \"tags\":\n   | ^^^^^^");
    }

    #[test]
    fn the_field_of_a_value_is_known_by_where_it_begins() {
        for (text, line, column, field) in [
            ("private: \"yes\"", 1, 10, Some("private")),
            ("tags:   # of all\n  - a", 2, 3, Some("tags")),
            ("tags:\n- a\n- [b]", 3, 3, Some("tags")),
            ("nodePool: {\"capacityTypes\": {a: b}}", 1, 29, Some("capacityTypes")),
            ("nodePool:\n  capacityTypes:\n    # which\n    a: b", 4, 5, Some("capacityTypes")),
            ("größe: [x]", 1, 8, Some("größe")),
            ("tags: [a, [b]]", 1, 11, None),
            ("- a", 1, 1, None),
            ("a", 9, 9, None),
        ] {
            assert_eq!(super::field_at(&text.lines().collect::<Vec<_>>(), line, column), field, "{text}");
        }
    }

    #[test]
    fn a_file_in_braces_has_places_too() {
        let of = |text: &str, sentence: &str| Written { path: "k.yaml".into(), text: text.into() }.of_sentence(sentence);
        let is = |text: &str, sentence: &str, expected: &str| assert_eq!(of(text, sentence).as_deref(), Some(expected), "{sentence}");
        let line = "{clusterName: us west, region: us west, nodePool: {amiAlias: al9}}\n";
        is(line, "region: `us west` is not", &format!("k.yaml:1:32\n1 | {line}  |                                ^^"));
        is(line, "clusterName: `us west` is not", &format!("k.yaml:1:15\n1 | {line}  |               ^^"));
        is(
            line,
            "nodePool.amiAlias: `al9` is",
            &format!("k.yaml:1:62\n1 | {line}  |                                                              ^^^"),
        );
        let lines = "---\n# {region: no}\n{\n  \"clusterName\": demo,\n  # region: no\n  region: us west,\n}\n";
        is(lines, "region: `us west` is not", "k.yaml:6:11\n6 |   region: us west,\n  |           ^^");
        is(lines, "clusterName: too long", "k.yaml:4:4\n4 |   \"clusterName\": demo,\n  |    ^^^^^^^^^^^^");
        assert_eq!(of(lines, "kmsKey: bad"), None);
        assert_eq!(of(lines, "Name: bad"), None);
    }

    #[test]
    fn a_name_in_braces_is_that_of_its_depth() {
        let of = |text: &str, sentence: &str| Written { path: "k.yaml".into(), text: text.into() }.of_sentence(sentence);
        let at = |text: &str, sentence: &str, place: &str, marked: &str| {
            let said = of(text, sentence).unwrap_or_else(|| panic!("{sentence}: {text}"));
            let lines: Vec<&str> = said.lines().collect();
            assert_eq!(lines[0], format!("k.yaml:{place}"), "{said}");
            let from = lines[2].chars().take_while(|c| *c != '^').count();
            assert_eq!(lines[1].chars().skip(from).take(lines[2].matches('^').count()).collect::<String>(), marked, "{said}");
        };
        // What comes before it counts by its characters.
        at("{clusterName: \"größe\", region: us west}", "region: `us west` is not", "1:32", "us");
        at("nodePool: {name: größe, amiAlias: al9}", "nodePool.amiAlias: `al9` is", "1:35", "al9");
        // A field of that name stands deeper, earlier.
        let deeper = "{tags: {region: 'a, region: no'}, x: [{region: no}], region: us west}";
        at(deeper, "region: `us west` is not", "1:62", "us");
        at(deeper, "region: too long", "1:54", "region");
        assert_eq!(of("{tags: {region: us west}}", "region: `us west` is not"), None);
        at("nodePool: {a: {amiAlias: al9}, amiAlias: al8}", "nodePool.amiAlias: `al8` is", "1:42", "al8");
        assert_eq!(of("nodePool: {a: {amiAlias: al9}}", "nodePool.amiAlias: `al9` is"), None);
        // The value is not looked for behind its end.
        assert_eq!(of("{region: eu, clusterName: us}", "region: `us` is not"), None);
        at("nodePool: { # {amiAlias: no}\n  name: it's, amiAlias:\n  al9 }", "nodePool.amiAlias: `al9` is", "3:3", "al9");
        assert_eq!(of("{region: 'never ends", "kmsKey: bad"), None);
    }

    #[test]
    fn a_value_that_is_written_otherwise_is_shown_by_its_field() {
        let of = |text: &str, sentence: &str| Written { path: "k.yaml".into(), text: text.into() }.of_sentence(sentence);
        let is = |text: &str, sentence: &str, expected: &str| assert_eq!(of(text, sentence).as_deref(), Some(expected), "{text}");
        is("region: \"us\\x20west\"\n", "region: `us west` is not", "k.yaml:1:1\n1 | region: \"us\\x20west\"\n  | ^^^^^^");
        is("region: 'it''s'\n", "region: `it's` is not", "k.yaml:1:1\n1 | region: 'it''s'\n  | ^^^^^^");
        is("a: 1\nsubnets: [\"s\\x31\"]\n", "subnets: `s1` is not", "k.yaml:2:1\n2 | subnets: [\"s\\x31\"]\n  | ^^^^^^^");
        assert_eq!(of("region: \"us\\x20west\"\n", "region (from the flag): `eu west` is not"), None);
    }

    #[test]
    fn what_is_not_in_the_file_has_no_place() {
        for sentence in ["region (from the flag): `eu west` is not", "kmsKey: bad", "the cluster has no name", "nodePool.name: bad", ""] {
            assert_eq!(shown(sentence), None, "{sentence}");
        }
    }
}
