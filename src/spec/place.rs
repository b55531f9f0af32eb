//! Where in a spec file something stands, shown as compilers show it: file, line and column, the line, and a mark beneath.

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
        let found = block(&lines, field)?;
        let quoted = sentence.split('`').nth(1).filter(|quoted| !quoted.is_empty());
        let at = match quoted {
            // Said of a value that is not here: it came from elsewhere.
            Some(quoted) => found.clone().find_map(|line| Some((line, lines[line].rfind(quoted)?)))?,
            None => (found.start, lines[found.start].find(|c: char| c != ' ')?),
        };
        Some(format!("{}\n{}", place(&self.path, at.0 + 1, at.1 + 1), snippet(&lines, at.0 + 1, at.1 + 1)))
    }
}

/// `karpctl.yaml:3:1`, which editors and terminals make a link of.
pub(super) fn place(path: &str, line: usize, column: usize) -> String {
    format!("{path}:{line}:{column}")
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

/// The lines of a field, named with those that it is in: `nodePool.amiAlias`. One that is written in braces is on the line of the field
/// that it is in.
fn block(lines: &[&str], field: &str) -> Option<Range<usize>> {
    let mut found: Option<Range<usize>> = None;
    for key in field.split('.') {
        let within = found.as_ref().map_or(0..lines.len(), |outer| outer.start + 1..outer.end);
        match (lines_of(lines, within, key), &found) {
            (Some(inner), _) => found = Some(inner),
            (None, Some(outer)) if lines[outer.start].contains(key) => return Some(outer.start..outer.start + 1),
            (None, _) => return None,
        }
    }
    found
}

/// The lines of a key that stands in these, as far in as the first of them.
fn lines_of(lines: &[&str], within: Range<usize>, key: &str) -> Option<Range<usize>> {
    let indent = |at: usize| lines[at].len() - lines[at].trim_start_matches(' ').len();
    let says = |at: &usize| !lines[*at].trim().is_empty() && !lines[*at].trim_start().starts_with('#');
    let level = indent(within.clone().find(says)?);
    let is_key = |at: &usize| {
        let (name, _) = lines[*at].split_once(':').unwrap_or_default();
        indent(*at) == level && name.trim().trim_matches(['"', '\'']) == key
    };
    let start = within.clone().find(is_key)?;
    // A list may stand as far out as its key.
    let ends = |at: &usize| says(at) && indent(*at) <= level && !(indent(*at) == level && lines[*at].trim_start().starts_with('-'));
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
    fn what_is_not_in_the_file_has_no_place() {
        for sentence in ["region (from the flag): `eu west` is not", "kmsKey: bad", "the cluster has no name", "nodePool.name: bad", ""] {
            assert_eq!(shown(sentence), None, "{sentence}");
        }
    }
}
