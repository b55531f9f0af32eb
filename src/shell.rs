//! Words as a person pastes them into a shell.

/// A word, in quotes where a shell would read it otherwise.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
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
}
