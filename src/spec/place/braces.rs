//! Fields that are written in braces, YAML's flow style, as far as it takes to find one.

use super::Found;

/// A letter and where it stands: line and column, from 0. Each line ends with one that is a line end.
type Letter = (usize, usize, char);

/// The field of this name in the braces that begin here, behind the name of the field that has them. `None` where there are no braces, or
/// no such field in them that is not in others.
pub(super) fn find(lines: &[&str], from: (usize, usize), key: &str) -> Option<Found> {
    let text = letters(lines, from);
    let mut at = 0;
    while matches!(text.get(at)?.2, ' ' | '\t' | '\n' | ':' | '"' | '\'' | '#') {
        at = if text[at].2 == '#' { behind(&text, at) } else { at + 1 };
    }
    if text[at].2 != '{' {
        return None;
    }
    let (mut depth, mut begins) = (1, true);
    at += 1;
    while let Some((_, _, letter)) = text.get(at) {
        let next = behind(&text, at);
        match letter {
            '{' | '[' => (depth, begins) = (depth + 1, false),
            '}' | ']' if depth == 1 => return None,
            '}' | ']' => depth -= 1,
            ',' => begins = depth == 1,
            ' ' | '\t' | '\n' | '#' => {}
            _ if begins => {
                let quoted = next > at + 1;
                let ends = |l: &Letter| matches!(l.2, ':' | ',' | '{' | '}' | '[' | ']' | '\n');
                let length = text[at..].iter().position(ends).unwrap_or(text.len() - at);
                let (start, end) = if quoted { (at + 1, next - 1) } else { (at, at + length) };
                let rest = if quoted { next } else { end };
                if is(&text[start..end], key) && text[rest..].iter().find(|l| l.2 != ' ').is_some_and(|l| l.2 == ':') {
                    let (line, column, _) = text[start];
                    return Some(Found { key: (line, column), after: column + key.len(), until: end_of_value(&text, rest, lines.len()) });
                }
                (at, begins) = (rest, false);
                continue;
            }
            _ => {}
        }
        at = next;
    }
    None
}

fn letters(lines: &[&str], from: (usize, usize)) -> Vec<Letter> {
    let mut all = Vec::new();
    for (number, line) in lines.iter().enumerate().skip(from.0) {
        let skipped = if number == from.0 { from.1 } else { 0 };
        all.extend(line.char_indices().filter(|(column, _)| *column >= skipped).map(|(column, letter)| (number, column, letter)));
        all.push((number, line.len(), '\n'));
    }
    all
}

fn is(letters: &[Letter], name: &str) -> bool {
    letters.iter().map(|l| l.2).collect::<String>().trim() == name
}

/// The place behind what begins here: a text in quotes, a comment, or a letter.
fn behind(text: &[Letter], at: usize) -> usize {
    let before = at.checked_sub(1).map(|before| text[before].2);
    let letter = text[at].2;
    let is_blank = before.is_none_or(char::is_whitespace);
    match letter {
        '#' if is_blank => text[at..].iter().position(|l| l.2 == '\n').map_or(text.len(), |length| at + length),
        '"' | '\'' if is_blank || before.is_some_and(|b| matches!(b, '{' | '[' | ',' | ':')) => {
            let mut next = at + 1;
            while let Some((_, _, inside)) = text.get(next) {
                let doubled = letter == '\'' && text.get(next + 1).is_some_and(|l| l.2 == '\'');
                match inside {
                    '\\' if letter == '"' => next += 2,
                    inside if *inside == letter && doubled => next += 2,
                    inside if *inside == letter => return next + 1,
                    _ => next += 1,
                }
            }
            text.len()
        }
        _ => at + 1,
    }
}

/// Where the value is over that begins here, in braces; the end of the file where it never is.
fn end_of_value(text: &[Letter], mut at: usize, lines: usize) -> (usize, usize) {
    let mut depth = 0;
    while let Some((line, column, letter)) = text.get(at) {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' | ',' if depth == 0 => return (*line, *column),
            '}' | ']' => depth -= 1,
            _ => {}
        }
        at = behind(text, at);
    }
    (lines, 0)
}
