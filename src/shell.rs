//! Words as a person pastes them into a shell.

use crate::characters::{acts, written_out};

/// A word, in quotes where a shell would read it otherwise. A character that a terminal would obey is written out, in the quotes in which
/// bash and zsh take it for what it is.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains(acts) {
        let word = word.replace('\\', r"\\").replace('\'', r"\'").replace("\r\n", "\\r\n");
        format!("$'{}'", written_out(&word))
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command.
#[must_use]
pub fn command(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        for (word, shown) in
            [("a-b_c.d/e:f@g=h,i+j%k", "a-b_c.d/e:f@g=h,i+j%k"), ("", "''"), ("a b", "'a b'"), ("$HOME", "'$HOME'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(quoted(word), shown);
        }
        assert_eq!(command(&["echo".into(), "a b".into()]), "echo 'a b'");
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(quoted("\u{1b}]0;it's\\\u{7}\u{202e}"), r"$'\u001b]0;it\'s\\\u0007\u202e'");
        let words = ["\u{1b}[2J", "\u{9b}\u{2066}", "two\nlines\r\n", "\\u001b\u{7f}", "'\u{8}"].map(str::to_owned);
        let command = format!("printf '%s\\0' {}", command(&words));
        assert!(!command.contains(acts), "{command}");
        let Ok(bash) = std::process::Command::new("bash").args(["-c", &command]).env("LC_ALL", "C.UTF-8").output() else { return };
        let read: Vec<_> = bash.stdout.split(|b| *b == 0).map(|w| String::from_utf8(w.to_vec()).unwrap()).collect();
        assert_eq!(read[..words.len()], words, "{command}");
    }
}
