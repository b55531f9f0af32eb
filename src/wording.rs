//! Numbers and lists as a sentence has them.

use std::fmt::Display;

/// So many of something: "1 node", "2 nodes".
#[must_use]
pub fn counted(many: usize, what: &str) -> String {
    format!("{many} {what}{}", if many == 1 { "" } else { "s" })
}

/// The first of these, and in the place of the others how many they are: "a", "b", "and 3 more".
#[must_use]
pub fn first<T: Display>(items: impl IntoIterator<Item = T>, most: usize) -> Vec<String> {
    let mut items = items.into_iter();
    let mut shown: Vec<String> = items.by_ref().take(most).map(|item| item.to_string()).collect();
    let more = items.count();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

/// The same in a row: "a, b, and 3 more".
#[must_use]
pub fn named<T: Display>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    first(items, most).join(", ")
}

/// All from one to another: "1.0.0 to 1.0.7", or "1.0.0" where both are the same.
#[must_use]
pub fn span<T: Display + PartialEq>(first: &T, last: &T) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// A text as far as its first full stop, or the end of its first paragraph.
#[must_use]
pub fn first_sentence(text: &str) -> &str {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    paragraph.find(". ").map_or(paragraph, |end| &paragraph[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|many| counted(many, "node")), ["0 nodes", "1 node", "2 nodes"]);
    }

    #[test]
    fn what_is_not_named_is_counted() {
        let of = |many: usize| named(["a", "b", "c", "d"].into_iter().take(many), 2);
        assert_eq!([0, 1, 2, 3, 4].map(of), ["", "a", "a, b", "a, b, and 1 more", "a, b, and 2 more"]);
    }

    #[test]
    fn a_sentence_ends_with_its_paragraph() {
        assert_eq!(["A b. C.", "A b.\n\nC. D.", "A b"].map(first_sentence), ["A b.", "A b.", "A b"]);
    }

    #[test]
    fn what_is_alone_spans_nothing() {
        assert_eq!((span(&1, &1), span(&1, &3)), ("1".to_owned(), "1 to 3".to_owned()));
    }
}
