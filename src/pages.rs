//! The long texts: what a check found, in the words that people see and search for, and how to mend it. A page is a Markdown file
//! in `src/pages`, named by the check; `<id>.ko.md` is the same in Korean.

use include_dir::{Dir, include_dir};

static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/pages");

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Korean; pages that are not there in Korean are given in English.
    Ko,
}

/// The page of a check. `None`: it has none.
#[must_use]
pub fn page(id: &str, language: Language) -> Option<&'static str> {
    let file = |name: String| PAGES.get_file(name).and_then(|file| file.contents_utf8());
    match language {
        Language::Ko => file(format!("{id}.ko.md")).or_else(|| file(format!("{id}.md"))),
        Language::En => file(format!("{id}.md")),
    }
}

/// Those of these texts that quote this error, or the part of it that was given where that is long enough to mean it: their names,
/// the best first.
#[must_use]
pub fn that_quote<'a>(error: &str, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let wanted = plain(error);
    let best = |text: &str| quotes(text).filter_map(|quote| likeness(&wanted, &plain(quote))).max();
    let mut found: Vec<(usize, &str)> = texts.into_iter().filter_map(|(id, text)| Some((best(text)?, id))).collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    found.into_iter().map(|(_, id)| id).collect()
}

/// Those of these texts that quote an error of which this is but a part.
#[must_use]
pub fn that_go_on<'a>(part: &str, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let part = plain(part);
    let goes_on = |quote: &str| part.len() >= TELLING && quote.len() > part.len() && quote.contains(&part);
    texts.into_iter().filter(|(_, text)| quotes(text).any(|quote| goes_on(&plain(quote)))).map(|(id, _)| id).collect()
}

/// Those of these texts that have this one word in their code, such as the code of an error or a version: their names, those that have it
/// oftenest first.
#[must_use]
pub fn that_name<'a>(word: &str, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let word = word.trim().to_lowercase();
    if word.len() < TELLING_WORD || word.contains(char::is_whitespace) {
        return Vec::new();
    }
    let ends = |neighbour: Option<char>| neighbour.is_none_or(|c| !c.is_alphanumeric());
    let whole = |code: &str, at: usize| ends(code[..at].chars().next_back()) && ends(code[at + word.len()..].chars().next());
    let times = |text: &str| -> usize {
        let code = text.split('`').skip(1).step_by(2).map(str::to_lowercase);
        code.map(|code| code.match_indices(word.as_str()).filter(|(at, _)| whole(&code, *at)).count()).sum()
    };
    let mut found: Vec<(usize, &str)> = texts.into_iter().map(|(id, text)| (times(text), id)).filter(|(times, _)| *times > 0).collect();
    found.sort_by_key(|(times, _)| std::cmp::Reverse(*times));
    found.into_iter().map(|(_, id)| id).collect()
}

/// The shortest word that says which error it is of.
const TELLING_WORD: usize = 8;

/// The error texts that a text quotes: what stands as code and has a blank in it, but for karpctl's own commands. `…` stands for what
/// differs each time.
pub fn quotes(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split('`').skip(1).step_by(2);
    code.filter(|quote| quote.contains(' ') && !quote.starts_with("karpctl ") && !quote.starts_with("aws "))
}

/// A text without what differs by the way it was copied (case, quotes, line ends), and by whose it is: numbers, addresses, versions,
/// hexadecimal ids and regions.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !matches!(c, '"' | '\'' | '`' | '\\')).collect();
    let said = kept.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut everybodys = String::with_capacity(said.len());
    for word in said.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let end = word.len() - word.chars().next_back().filter(|c| !c.is_ascii_alphanumeric() && *c != '-').map_or(0, char::len_utf8);
        let (word, sign) = word.split_at(end);
        everybodys.push_str(&if is_region(word) { "region".to_owned() } else { without_numbers(word) });
        everybodys.push_str(sign);
    }
    everybodys
}

/// Whether a word is made as the name of a region or of a zone is: `us-west-2`, `us-gov-east-1`, `eu-central-1b`.
fn is_region(word: &str) -> bool {
    let mut parts = word.split('-');
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let begins = parts.next().is_some_and(|first| first.len() == 2 && letters(first));
    let ends = parts.next_back().is_some_and(|last| {
        let digits = last.trim_end_matches(|c: char| c.is_ascii_lowercase());
        last.len() - digits.len() < 2 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let mut middle = parts.peekable();
    begins && ends && middle.peek().is_some() && middle.all(letters)
}

/// A word with one sign in place of each number, and of each hexadecimal id.
fn without_numbers(word: &str) -> String {
    let mut kept = String::new();
    for part in word.split_inclusive('-') {
        let bare = part.trim_end_matches('-');
        let is_id = bare.len() >= ID && bare.bytes().all(|b| b.is_ascii_hexdigit()) && bare.bytes().any(|b| b.is_ascii_digit());
        let mut in_number = false;
        for c in if is_id { "0" } else { bare }.chars() {
            if !c.is_ascii_digit() {
                kept.push(c);
            } else if !in_number {
                kept.push('0');
            }
            in_number = c.is_ascii_digit();
        }
        kept.push_str(&part[bare.len()..]);
    }
    kept
}

/// The shortest hexadecimal id in an error: that of an older subnet or instance.
const ID: usize = 8;

/// The shortest part of an error that says which one it is.
const TELLING: usize = 12;

/// How much of a sentence, with `…` for what differs, is in an error, or of an error in a sentence. `None`: too little.
pub(crate) fn likeness_of(error: &str, sentence: &str) -> Option<usize> {
    likeness(&plain(error), &plain(sentence))
}

/// How much of a quote is in a text, or of a text in a quote. `None`: too little.
fn likeness(text: &str, quote: &str) -> Option<usize> {
    if text.len() >= TELLING && quote.contains(text) {
        return Some(text.len());
    }
    let mut rest = text;
    let mut seen = 0;
    for part in quote.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        let at = rest.find(part)?;
        seen += part.len();
        rest = &rest[at + part.len()..];
    }
    (seen >= TELLING).then_some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
        let name = |file: &'static include_dir::File<'_>| file.path().file_name()?.to_str()?.strip_suffix(".md");
        PAGES.files().filter_map(move |file| Some((name(file)?, file.contents_utf8()?))).filter(|(id, _)| !id.contains('.'))
    }

    #[test]
    fn an_error_as_it_is_pasted_finds_its_page() {
        for (text, id) in [
            ("exec plugin: invalid apiVersion", "exec-api-version"),
            (
                "Error: Kubernetes cluster unreachable: exec plugin: invalid apiVersion \"client.authentication.k8s.io/v1alpha1\"",
                "exec-api-version",
            ),
            ("kubernetes cluster unreachable: exec plugin: invalid apiVersion client.authentication.k8s.io/v1alpha1", "exec-api-version"),
            (
                "Unable to connect to the server: getting credentials: exec plugin is configured to use API version \
                 client.authentication.k8s.io/v1beta1, plugin returned version client.authentication.k8s.io/v1alpha1",
                "exec-answer",
            ),
            ("error: getting credentials: exec: executable aws not found", "exec-command"),
            ("getting credentials: exec: executable aws failed with exit code 255", "exec-answer"),
            ("The connection to the server localhost:8080 was refused", "exec-kubeconfig"),
        ] {
            assert_eq!(that_quote(text, pages()).first(), Some(&id), "{text}");
        }
        for (text, id) in [
            ("error: exec plugin: invalid apiVersion \"client.authentication.k8s.io/v1alpha1\"", "exec-api-version"),
            ("getting credentials: exec: executable aws failed with exit code 1", "exec-answer"),
        ] {
            assert_eq!(that_quote(text, pages()).first(), Some(&id), "{text}");
        }
        for text in ["exec", "", "a text that no page quotes at all", "error:"] {
            assert!(that_quote(text, pages()).is_empty(), "{text}: {:?}", that_quote(text, pages()));
        }
    }

    /// Everybody has another region, other addresses, counts and versions.
    #[test]
    fn whose_an_error_is_makes_no_difference() {
        let same = |one: &str, other: &str| assert_eq!(plain(one), plain(other));
        same("dial tcp 52.94.1.1:443: i/o timeout", "dial tcp 10.0.12.250:443: i/o timeout");
        same("lookup sts.us-west-2.amazonaws.com: no such host", "lookup sts.us-gov-east-1.amazonaws.com: no such host");
        same("0/3 nodes are available: 3 node(s)", "0/12 nodes are available: 11 node(s)");
        same("0123456789ABCDEF.gr7.eu-central-1.eks", "89ABCDEF01234567.gr7.ap-northeast-2.eks");
        same("subnet-0a1b2c3d4e5f60718 in us-west-2b", "subnet-0fedcba9876543210 in eu-west-1a");
        for (one, other) in [("v1alpha1", "v1beta1"), ("us-west", "us-east"), ("deadbeef", "beefdead"), ("a-b-1", "c-d-1")] {
            assert_ne!(plain(one), plain(other));
        }
    }

    #[test]
    fn one_word_of_an_error_finds_the_page_that_is_about_it() {
        assert_eq!(that_name("v1alpha1", pages()).first(), Some(&"exec-api-version"));
        let texts =
            [("once", "`ExpiredToken`"), ("twice", "`ExpiredToken: x` and `an expiredtoken`"), ("other", "`ExpiredTokenException`")];
        assert_eq!(that_name("ExpiredToken", texts), ["twice", "once"]);
        for word in ["exec", "v1alpha", "ExpiredToken: x", "ExpiredTo"] {
            assert!(that_name(word, pages().chain(texts)).is_empty(), "{word}");
        }
    }

    #[test]
    fn a_page_in_korean_quotes_errors_that_the_english_one_quotes() {
        for file in PAGES.files() {
            let name = file.path().file_name().unwrap().to_str().unwrap();
            let Some(id) = name.strip_suffix(".ko.md") else { continue };
            let english: Vec<&str> = quotes(page(id, Language::En).unwrap()).collect();
            let korean = page(id, Language::Ko).unwrap();
            assert!(korean.chars().any(|c| ('가'..='힣').contains(&c)), "{id}");
            assert!(quotes(korean).count() > 0 && quotes(korean).all(|quote| english.contains(&quote)), "{id}");
        }
    }
}
