//! Where the clients' YAML reader (go-yaml 2, after libyaml) is stricter than a reader of YAML 1.2.

use super::document::{Malformed, Node};
use std::borrow::Cow;
use std::ops::Range;

fn at(line: usize, why: &str) -> Malformed {
    Malformed::new(u32::try_from(line + 1).unwrap_or(u32::MAX), why)
}

/// Characters that may stand nowhere, not even in a comment.
pub(super) fn characters(text: &str) -> Result<(), Malformed> {
    if text.starts_with('\u{feff}') {
        return Err(at(0, "a second byte order mark"));
    }
    let bad = |c: char| c.is_control() && c != '\t' && c != '\r' && c != '\u{85}';
    match text.lines().position(|line| line.chars().any(bad)) {
        Some(line) => Err(at(line, "control characters are not allowed")),
        None => Ok(()),
    }
}

/// What stands before the first document.
pub(super) fn beginning(text: &str) -> Result<(), Malformed> {
    for (number, line) in text.lines().enumerate() {
        if let Some(directive) = line.strip_prefix('%') {
            match directive.split_whitespace().collect::<Vec<_>>()[..] {
                ["YAML", "1.1", ..] | ["TAG", ..] => {}
                ["YAML", ..] => return Err(at(number, "found incompatible YAML document")),
                _ => return Err(at(number, "found unknown directive name")),
            }
        } else if line.starts_with("...") {
            return Err(at(number, "did not find expected node content"));
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            return Ok(());
        }
    }
    Ok(())
}

/// The text with the line ends of YAML 1.1 as line ends that YAML 1.2 knows too; every other byte stays where it is.
pub(super) fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        Cow::Owned(text.replace('\u{85}', " \n").replace(['\u{2028}', '\u{2029}'], "  \n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Tabs where a line begins, outside of texts and flows over several lines (`covered`).
pub(super) fn tabs(text: &str, root: &Node, covered: &[Range<usize>]) -> Result<(), Malformed> {
    let mut start = 0;
    for (number, line) in text.split('\n').enumerate() {
        let here = start;
        start += line.len() + 1;
        if here > root.range.start && (line.starts_with("---") || line.starts_with("...")) {
            return Ok(());
        }
        if covered.iter().any(|range| range.contains(&here)) {
            continue;
        }
        let inner = line.trim_start_matches([' ', '\t']);
        if line[..line.len() - inner.len()].contains('\t') {
            return Err(at(number, "found a tab character that violates indentation"));
        }
        if inner.starts_with("-\t") {
            return Err(at(number, "found character that cannot start any token"));
        }
    }
    Ok(())
}

/// The escapes of a text in double quotes, as it is written.
pub(super) fn escapes(written: &str) -> Result<(), &'static str> {
    let mut rest = written;
    while let Some(mark) = rest.find('\\') {
        rest = &rest[mark + 1..];
        let Some(kind) = rest.chars().next() else { return Ok(()) };
        rest = &rest[kind.len_utf8()..];
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' | 'a' | 'b' | 't' | '\t' | 'n' | 'v' | 'f' | 'r' | 'e' | ' ' | '"' | '\'' | '\\' | 'N' | '_' | 'L' | 'P' | '\n' | '\r' => {
                continue;
            }
            _ => return Err("found unknown escape character"),
        };
        let code = rest.get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        if code.and_then(char::from_u32).is_none() {
            return Err("found invalid Unicode character escape code");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::document::read;

    #[test]
    fn what_the_clients_refuse_is_refused() {
        for text in [
            "%YAML 1.2\n---\na: b\n",
            "%FOO x\n---\na: b\n",
            "...\na: b\n",
            "\u{feff}\u{feff}a: b\n",
            "a: \"x\\/y\"\n",
            "a: \"\\ud83d\\ude00\"\n",
            "a: b\n\t# x\n",
            "a:\n\t\n  b: c\n",
            "a:\n-\tb\n",
            "a: .inf\n",
            "a: b\n~: x\n",
            "a: b\n: x\n",
            "a: !!int x\n",
            "a: !!binary '%%'\n",
            "a: !!timestamp x\n",
            "b: a\u{85}b\nc: d\n",
        ] {
            assert!(read(text).is_err(), "{text:?}: {:?}", read(text));
        }
        for text in [
            "%YAML 1.1\n---\na: b\n",
            "# x\n---\na: b\n",
            "a: \"x\\u00fc\\\"\"\n",
            "a: [b,\n\tc]\n",
            "{\n\t\"a\": \"b\"\n}\n",
            "a:\tb\t\n",
            "a: b\n---\n\tc\n",
            "a: !!binary aGk=\n",
            "a: !!int '5'\n",
            "a: !!timestamp 2001-01-01\n",
            "a: !foo x\n",
        ] {
            assert!(read(text).is_ok(), "{text:?}: {:?}", read(text));
        }
    }
}
