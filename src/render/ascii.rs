//! A template as CloudFormation can answer it: in ASCII.
//!
//! `GetTemplate` answers `?` for every character outside ASCII (aws-cloudformation/cloudformation-coverage-roadmap#814 and #1220; the CDK compares by
//! `mangleLikeCloudFormation`), though the resources get what was sent. A template that has none is answered as it was sent.

use std::fmt::Write as _;

/// The YAML in ASCII, with the same meaning: only texts in double quotes have other characters.
pub(super) fn in_ascii(yaml: &str) -> String {
    let mut out = String::with_capacity(yaml.len());
    for c in yaml.chars() {
        let _ = match u32::from(c) {
            0..=0x7f => out.write_char(c),
            code @ 0..=0xffff => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        };
    }
    out
}

/// Whether CloudFormation answers so what was sent so, or was by a karpctl that sent characters outside ASCII as they are.
#[must_use]
pub fn is_answered_as(sent: &str, answered: &str) -> bool {
    sent == answered || answered.is_ascii() && mangled(&decoded(sent)) == mangled(answered)
}

/// Whether a character becomes one `?` or two is not told: any number is taken for the same.
fn mangled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(|c| if c.is_ascii() { c } else { '?' }) {
        if c != '?' || !out.ends_with('?') {
            out.push(c);
        }
    }
    out
}

/// What [`in_ascii`] wrote, as it was.
fn decoded(yaml: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(yaml.len()), yaml);
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let digits = match escape.as_bytes().first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => 0,
        };
        let code = escape.get(1..=digits).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        if let Some(c) = code.filter(|c| !c.is_ascii()) {
            out.push(c);
            rest = &escape[1 + digits..];
        } else {
            out.push('\\');
            rest = escape;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_ascii_means_the_same() {
        for text in ["Größe", "플랫폼", "𝐀 and z", "plain", ""] {
            let yaml = format!("Value: {}", serde_json::Value::from(text));
            let ascii = in_ascii(&yaml);
            assert!(ascii.is_ascii(), "{ascii}");
            let read: serde_json::Value = serde_saphyr::from_str(&ascii).unwrap();
            assert_eq!(read["Value"], text, "{ascii}");
            assert_eq!(decoded(&ascii), yaml);
        }
        assert_eq!(in_ascii("ö𝐀"), "\\u00f6\\U0001d400");
    }

    #[test]
    fn what_was_mangled_is_the_same() {
        for (sent, answered, same) in [
            ("a: \"Gr\\u00f6\\u00dfe\"", "a: \"Gr\\u00f6\\u00dfe\"", true),
            ("a: \"Gr\\u00f6\\u00dfe\"", "a: \"Gr??e\"", true),
            ("a: \"\\U0001d400\\\\u\"", "a: \"??\\\\u\"", true),
            ("a: \"Gr\\u00f6\\u00dfe\"", "a: \"Gr\\u00fc\\u00dfe\"", false),
            ("a: \"Gr\\u00f6\\u00dfe\"", "a: \"Grosse\"", false),
            ("Größe", "Gr??e", true),
            ("Größe", "Grüße", false),
            ("plain", "other", false),
        ] {
            assert_eq!(is_answered_as(sent, answered), same, "{sent} {answered}");
        }
    }
}
