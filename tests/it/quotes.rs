//! Errors as pages quote them, found by whoever has them with other values.

use karpctl::checks::all;
use karpctl::pages::{Language, page, quotes, that_quote};

/// The quote as somebody else has it: in another region, with other numbers.
fn of_another(quote: &str) -> String {
    let elsewhere = quote.replace("us-west-2", "ap-southeast-1").replace("us-east-1", "us-gov-west-1").replace('…', "0a1b2c3d4e5f60718");
    let mut seen = String::new();
    let mut chars = elsewhere.chars().peekable();
    while let Some(c) = chars.next() {
        let in_number = seen.ends_with(|before: char| before.is_ascii_digit());
        // Which version of an API is meant is what the error is about.
        let of_api = seen.ends_with(|before: char| before.is_ascii_alphabetic());
        let number_ends = !chars.peek().is_some_and(char::is_ascii_digit);
        seen.push(if c.is_ascii_digit() && !of_api && !in_number && number_ends { '7' } else { c });
    }
    seen
}

#[test]
fn an_error_is_found_by_whoever_has_it() {
    let checks = all();
    let texts: Vec<(&str, &str)> = checks.iter().map(|c| (c.id(), page(c.id(), Language::En).unwrap_or_else(|| c.explain()))).collect();
    let mut others = 0;
    for (id, text) in &texts {
        for quote in quotes(text).filter(|quote| quote.len() >= 20) {
            let had = of_another(quote);
            others += usize::from(had != quote);
            let found = that_quote(&had, texts.iter().copied());
            let as_quoted = that_quote(quote, texts.iter().copied());
            assert!(found.contains(id) || !as_quoted.contains(id), "{id} quotes `{quote}`, and `{had}` finds {found:?}");
        }
    }
    assert!(others > 30, "{others} quotes have something of their own");
}
