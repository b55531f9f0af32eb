//! Where lines end on a terminal: between words. A terminal ends them anywhere, within a word too.

use console::measure_text_width;

/// A text in lines of at most so many columns; a word that is longer stands alone.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (_, word) in words(text) {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// The text with each paragraph and each item of a list in one line, however its source was broken: for [`folded`] to break anew.
pub(super) fn unbroken(text: &str) -> String {
    let mut copied = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let is_fence = line.trim_start().starts_with("```");
        copied ^= is_fence;
        let goes_on = !copied && !is_fence && lines.last().is_some_and(|before| continues(before, line));
        match lines.last_mut() {
            Some(before) if goes_on => {
                before.push(' ');
                before.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// Whether a line goes on with what stands before it: with a paragraph, or, further in, with an item of a list. Nothing goes on with what
/// announces the next line, nor with what stands further in and is no item: a row of a list without marks.
fn continues(before: &str, line: &str) -> bool {
    let stands_alone = |line: &str| line.trim().is_empty() || line.starts_with(['#', '|']) || line.trim_start().starts_with("```");
    let goes_on = if line.starts_with(' ') { begins_item(before) } else { !before.starts_with(' ') && !begins_item(before) };
    goes_on && !before.ends_with(':') && !stands_alone(before) && !stands_alone(line) && !begins_item(line)
}

fn begins_item(line: &str) -> bool {
    line.trim_start().split_once(' ').is_some_and(|(mark, _)| is_mark(mark))
}

/// What stands before an item of a list.
fn is_mark(word: &str) -> bool {
    word == "-" || word.strip_suffix('.').is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Where a line that was too long goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoesOn {
    /// A little further in than it began: each line says a thing of its own.
    FurtherIn,
    /// Where it began, as a paragraph of a book does; only an item of a list, and what stands in columns, further in.
    Flush,
}

/// The lines of a text, those that are too long in several. What is there to be copied, or is a table, stays: a line of a block of code,
/// and one that begins with `|`.
pub(super) fn folded(text: &str, columns: usize, goes_on: GoesOn) -> String {
    let mut copied = false;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let is_fence = line.trim_start().starts_with("```");
        copied ^= is_fence;
        if copied || is_fence || line.starts_with('|') || measure_text_width(line) <= columns {
            lines.push(line.to_owned());
        } else {
            let is_paragraph = !line.starts_with(' ') && !begins_item(line);
            let further = if goes_on == GoesOn::Flush && is_paragraph { 0 } else { 2 };
            fold(line, columns, further, &mut lines);
        }
    }
    lines.join("\n")
}

/// Ends one line between its words, as often as it is too long; it goes on so many columns further in.
fn fold(line: &str, columns: usize, further: usize, lines: &mut Vec<String>) {
    let further = line.len() - line.trim_start_matches(' ').len() + further;
    let margin = " ".repeat(further.min(columns / 4));
    let mut current = String::new();
    let mut begun = false;
    for (gap, word) in words(line) {
        if begun && !is_mark(current.trim()) && measure_text_width(&current) + gap.len() + measure_text_width(word) > columns {
            lines.push(std::mem::replace(&mut current, margin.clone()));
        } else {
            current.push_str(gap);
        }
        current.push_str(word);
        begun = true;
    }
    lines.push(current);
}

/// The words of a text, each with the blanks before it. What stands in backticks is one word: it is there to be copied.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text.trim_end();
    std::iter::from_fn(move || {
        let gap = &rest[..rest.len() - rest.trim_start().len()];
        rest = &rest[gap.len()..];
        let (word, after) = rest.split_at(end_of_word(rest));
        rest = after;
        (!word.is_empty()).then_some((gap, word))
    })
}

/// Where the first word ends: at the first blank that does not stand in backticks.
fn end_of_word(text: &str) -> usize {
    let mut closes = 0;
    for (at, c) in text.char_indices() {
        match c {
            '`' if at >= closes => closes = text[at + 1..].find('`').map_or(at, |length| at + 1 + length) + 1,
            c if c.is_whitespace() && at >= closes => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_between_words() {
        let text = "Which account? Twelve digits, or `none`.";
        assert_eq!(wrapped(text, 15), "Which account?\nTwelve digits,\nor `none`.");
        assert_eq!(wrapped(text, usize::MAX), text);
        assert_eq!(wrapped("a verylongword b", 4), "a\nverylongword\nb");
    }

    #[test]
    fn what_goes_on_stands_further_in_and_what_is_copied_is_one_word() {
        let text = "error: cannot do it\n  caused by: this and that\nhint: run `karpctl bootstrap --yes`, then look";
        let narrow = "error: cannot do it\n  caused by: this\n    and that\nhint: run\n  `karpctl bootstrap --yes`,\n  then look";
        assert_eq!(folded(text, 20, GoesOn::FurtherIn), narrow);
        assert_eq!(folded(text, 80, GoesOn::FurtherIn), text);
        assert_eq!(folded("              x y z w", 16, GoesOn::FurtherIn), "              x\n    y z w", "a margin leaves room");
        assert_eq!(folded("it's a ` alone here", 10, GoesOn::FurtherIn), "it's a `\n  alone\n  here");
        assert_eq!(
            folded("a b\n```sh\na long command\n```\n| a | long | row |\nb", 5, GoesOn::FurtherIn),
            "a b\n```sh\na long command\n```\n| a | long | row |\nb"
        );
        assert_eq!(folded("", 5, GoesOn::FurtherIn), "");
    }

    #[test]
    fn a_paragraph_of_a_page_is_flush_and_an_item_of_a_list_hangs() {
        let page = "A paragraph of words.\n- an item of words\n1. first of all words\n  what is `in columns` here";
        let narrow = "A paragraph\nof words.\n- an item of\n  words\n1. first of\n  all words\n  what is\n   `in columns`\n   here";
        assert_eq!(folded(page, 12, GoesOn::Flush), narrow);
        assert_eq!(folded("A paragraph of words.", 12, GoesOn::FurtherIn), "A paragraph\n  of words.");
    }

    #[test]
    fn a_style_takes_no_room() {
        let styled = super::super::printer::styled(super::super::printer::BAD, "error");
        assert_eq!(folded(&format!("{styled}: 12345"), 12, GoesOn::FurtherIn), format!("{styled}: 12345"));
    }

    #[test]
    fn a_page_is_broken_where_the_terminal_ends_and_not_where_its_source_does() {
        let page = "# Head\n\nA paragraph of\ntwo lines.\n\n- `an item that is long`\n- one that\n  goes on\n1. first\n   of all\n\n| a | b |\n|---|---|\n```\nas it\nis\n```";
        let whole = "# Head\n\nA paragraph of two lines.\n\n- `an item that is long`\n- one that goes on\n1. first of all\n\n| a | b |\n|---|---|\n```\nas it\nis\n```";
        assert_eq!(unbroken(page), whole);
        assert_eq!(unbroken(whole), whole);
        let rows = "Why it may call iam:PassRole:\nAn instance takes\nthe role.\n\nStatement PassNodeRole, on:\n  the role\nonly where:\n  a service is EC2";
        assert_eq!(unbroken(rows), rows.replace("takes\nthe", "takes the"));
        assert_eq!(folded("- `an item that is long`", 12, GoesOn::FurtherIn), "- `an item that is long`", "a mark does not stand alone");
    }

    proptest! {
        #[test]
        fn only_blanks_become_line_ends(text in "[a-z`  \n|]{0,80}", columns in 1usize..30) {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let folded = folded(&text, columns, GoesOn::Flush);
            prop_assert_eq!(squeezed(&folded), squeezed(&text));
            prop_assert_eq!(squeezed(&wrapped(&text, columns)), squeezed(&text));
        }
    }
}
