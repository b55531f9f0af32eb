//! The characters of texts that others wrote, as they may be shown: a cluster's tags, a stack's reasons, what tools print.
//!
//! A terminal obeys control characters, and characters that turn the direction of writing make a line read otherwise than it is. They
//! are written out as `\u001b`: it is seen that they are there, they do nothing, and in JSON, YAML and a shell's `$'…'` they still mean
//! the same.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something where it is shown, instead of being shown. Line ends and tabs are part of human text.
#[must_use]
pub const fn acts(c: char) -> bool {
    // The controls of ASCII, DEL, and those of eight bits, among them U+009B, which begins a sequence as ESC does.
    let controls = matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}') && !matches!(c, '\n' | '\t');
    let directions = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Line ends that only some readers know.
    controls || directions || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The text with every character that [`acts`] written out. A carriage return before a line end is part of that.
#[must_use]
pub fn written_out(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' if characters.peek() == Some(&'\n') => {}
            c if acts(c) => code(&mut out, c),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Which characters the reader of this process's words can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Letters {
    /// All of Unicode.
    #[default]
    Unicode,
    /// Those of ASCII: the locale has another encoding than UTF-8.
    Ascii,
}

impl Letters {
    /// Those of a locale, as `LC_ALL` and its like name it: `C`, `en_GB.UTF-8`, `de_DE.ISO-8859-1@euro`. One that names no encoding is
    /// taken for one of UTF-8, which most systems give it.
    #[must_use]
    pub fn of_locale(name: &str) -> Self {
        let name = name.split_once('@').map_or(name, |(before, _)| before);
        let ascii = match name.split_once('.') {
            Some((_, encoding)) => !encoding.replace('-', "").eq_ignore_ascii_case("utf8"),
            None => matches!(name, "C" | "POSIX"),
        };
        if ascii { Self::Ascii } else { Self::Unicode }
    }

    /// A text of ours or another's in these characters, with every character that [`acts`] written out.
    #[must_use]
    pub fn shown(self, text: &str) -> Cow<'_, str> {
        let safe = written_out(text);
        if self == Self::Unicode || safe.is_ascii() { safe } else { Cow::Owned(in_ascii(&safe)) }
    }

    /// What stands where a text was cut.
    #[must_use]
    pub const fn cut(self) -> &'static str {
        match self {
            Self::Unicode => "…",
            Self::Ascii => "...",
        }
    }
}

/// Punctuation by its nearest; the rest written out.
fn in_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '…' => out.push_str("..."),
            '–' | '—' | '−' => out.push('-'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '×' => out.push('x'),
            '→' => out.push_str("->"),
            '\u{a0}' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => code(&mut out, c),
        }
    }
    out
}

/// A character as JSON writes it where it writes none but ASCII.
fn code(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, shown) in [
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u001b[2J\\u001b]0;title\\u0007"),
            ("\u{9b}31m \u{90}q\u{9c}", "\\u009b31m \\u0090q\\u009c"),
            ("a\rb\u{8}\u{7f}\0", "a\\u000db\\u0008\\u007f\\u0000"),
            ("safe\u{202e}cod.exe\u{202c}", "safe\\u202ecod.exe\\u202c"),
            ("\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{2028}", "\\u2066\\u2069\\u200e\\u200f\\u061c\\u2028"),
        ] {
            assert_eq!(written_out(text), shown);
            assert_eq!(written_out(shown), shown, "once is enough");
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["two\nlines\tand a tab", "한국어 é 👩‍🚀 naïve … “quoted”", ""] {
            assert!(matches!(written_out(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(written_out("as Windows\r\nends lines\r\n"), "as Windows\nends lines\n");
    }

    #[test]
    fn a_locale_of_another_encoding_is_shown_ascii() {
        for (name, letters) in [
            ("C", Letters::Ascii),
            ("POSIX", Letters::Ascii),
            ("de_DE.ISO-8859-1", Letters::Ascii),
            ("ja_JP.eucJP", Letters::Ascii),
            ("de_DE.ISO8859-15@euro", Letters::Ascii),
            ("C.UTF-8", Letters::Unicode),
            ("en_GB.utf8", Letters::Unicode),
            ("ca_ES.UTF-8@valencia", Letters::Unicode),
            ("en_US", Letters::Unicode),
            ("UTF-8", Letters::Unicode),
        ] {
            assert_eq!(Letters::of_locale(name), letters, "{name}");
        }
        assert_eq!(Letters::Ascii.shown("wait … “it” 2×3 – 가 🚀\u{9b}"), "wait ... \"it\" 2x3 - \\uac00 \\ud83d\\ude80\\u009b");
        assert_eq!(Letters::Unicode.shown("wait … 가\u{9b}"), "wait … 가\\u009b");
    }

    #[test]
    fn a_json_text_still_means_the_same() {
        for c in ('\0'..='\u{ffff}').filter(|c| acts(*c)) {
            let value = serde_json::json!({ "a": format!("<{c}>"), format!("{c}"): 1 });
            let text = value.to_string();
            let shown = written_out(&text);
            assert!(!shown.contains(acts), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
