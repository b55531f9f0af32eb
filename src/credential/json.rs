//! JSON as Go's decoder reads it: a name that is there twice keeps both values (each must have the right type), numbers of any size,
//! nesting to 10,000, bytes that are not UTF-8. What lies deeper than an answer's own fields is checked and forgotten.

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool,
    Number,
    Text(String),
    List,
    Fields(Vec<(String, Json)>),
}

/// The deepest nesting that Go takes.
const DEPTH: usize = 10_000;
/// How deep an answer's own fields lie.
const KEPT: usize = 6;

/// Which numbers there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Of any size.
    All,
    /// With an exponent only those that a float can hold, as the reader of older clients has it.
    Floats,
}

/// The one value of a text.
pub(super) fn parse(text: &str, numbers: Numbers) -> Result<Json, String> {
    let mut reader = Reader { rest: text, numbers };
    let value = reader.value(0)?;
    reader.blank();
    if reader.rest.is_empty() { Ok(value) } else { Err("invalid character after top-level value".into()) }
}

struct Reader<'a> {
    rest: &'a str,
    numbers: Numbers,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn takes(&mut self, word: &str) -> bool {
        let after = self.rest.strip_prefix(word);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn wants(&mut self, word: &str) -> Result<(), String> {
        self.blank();
        if self.takes(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        match self.rest.chars().next() {
            Some(c) => format!("invalid character {c:?}"),
            None => "unexpected end of JSON input".into(),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth == KEPT {
            return self.skip(depth).map(|()| Json::Null);
        }
        self.blank();
        if self.takes("{") {
            let mut fields = Vec::new();
            self.blank();
            if self.takes("}") {
                return Ok(Json::Fields(fields));
            }
            loop {
                self.blank();
                let name = self.text()?;
                self.wants(":")?;
                fields.push((name, self.value(depth + 1)?));
                self.blank();
                if self.takes("}") {
                    return Ok(Json::Fields(fields));
                }
                self.wants(",")?;
            }
        }
        if self.rest.starts_with('[') {
            return self.skip(depth).map(|()| Json::List);
        }
        self.plain()
    }

    /// What has no value inside.
    fn plain(&mut self) -> Result<Json, String> {
        if self.rest.starts_with('"') {
            return self.text().map(Json::Text);
        }
        for (word, value) in [("null", Json::Null), ("true", Json::Bool), ("false", Json::Bool)] {
            if self.takes(word) {
                return Ok(value);
            }
        }
        self.number().map(|()| Json::Number)
    }

    /// A value of any depth, checked and forgotten; without recursion, for its depth is the plugin's to choose.
    fn skip(&mut self, depth: usize) -> Result<(), String> {
        let mut open: Vec<char> = Vec::new();
        loop {
            self.blank();
            if self.takes("[") {
                open.push(']');
                self.blank();
                if !self.takes("]") {
                    within(depth + open.len())?;
                    continue;
                }
                open.pop();
            } else if self.takes("{") {
                open.push('}');
                self.blank();
                if !self.takes("}") {
                    within(depth + open.len())?;
                    self.name()?;
                    continue;
                }
                open.pop();
            } else {
                self.plain()?;
            }
            // A value has ended: so may what it stands in.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                self.blank();
                if self.rest.starts_with(close) {
                    self.rest = &self.rest[1..];
                    open.pop();
                    continue;
                }
                self.wants(",")?;
                if close == '}' {
                    self.blank();
                    self.name()?;
                }
                break;
            }
        }
    }

    fn name(&mut self) -> Result<(), String> {
        self.text()?;
        self.wants(":")
    }

    fn number(&mut self) -> Result<(), String> {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let whole = digits(rest);
        if whole == 0 || (whole > 1 && rest.starts_with('0')) {
            return Err(self.unexpected());
        }
        rest = &rest[whole..];
        if let Some(fraction) = rest.strip_prefix('.') {
            let count = digits(fraction);
            if count == 0 {
                return Err("invalid character after decimal point in numeric literal".into());
            }
            rest = &fraction[count..];
        }
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let count = digits(exponent);
            if count == 0 {
                return Err("invalid character in exponent of numeric literal".into());
            }
            rest = &exponent[count..];
            let written = &self.rest[..self.rest.len() - rest.len()];
            if self.numbers == Numbers::Floats && written.parse::<f64>().is_ok_and(f64::is_infinite) {
                return Err("readNumberAsString: invalid number".into());
            }
        }
        self.rest = rest;
        Ok(())
    }

    fn text(&mut self) -> Result<String, String> {
        if !self.takes("\"") {
            return Err(self.unexpected());
        }
        let mut out = String::new();
        loop {
            let plain = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ').ok_or("unexpected end of JSON input")?;
            out.push_str(&self.rest[..plain]);
            self.rest = &self.rest[plain..];
            if self.takes("\"") {
                return Ok(out);
            }
            if !self.takes("\\") {
                return Err(format!("{} in string literal", self.unexpected()));
            }
            out.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        for (mark, c) in [("\"", '"'), ("\\", '\\'), ("/", '/'), ("b", '\u{8}'), ("f", '\u{c}'), ("n", '\n'), ("r", '\r'), ("t", '\t')] {
            if self.takes(mark) {
                return Ok(c);
            }
        }
        if !self.takes("u") {
            return Err(format!("{} in string escape code", self.unexpected()));
        }
        let unit = self.unit()?;
        if let Some(c) = char::from_u32(unit) {
            return Ok(c);
        }
        // Half of a pair alone stands for nothing.
        let before = self.rest;
        if (0xd800..0xdc00).contains(&unit) && self.takes("\\u") {
            let low = self.unit()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('\u{fffd}'));
            }
            self.rest = before;
        }
        Ok('\u{fffd}')
    }

    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.rest.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).ok_or("invalid character in \\u hexadecimal character escape")?;
        self.rest = &self.rest[4..];
        Ok(unit)
    }
}

fn within(depth: usize) -> Result<(), String> {
    if depth > DEPTH { Err("exceeded max depth".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_takes_what_go_takes() {
        let deep = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        for good in ["{}", " {\"a\" : [ ] }\n", "{\"a\":1e400}", "{\"a\":-0.5E+3}", "{\"a\":\"\\ud800\"}", "5", &deep(9_000)] {
            assert!(parse(good, Numbers::All).is_ok(), "{:.80}: {:?}", good, parse(good, Numbers::All).err());
        }
        for bad in [
            "",
            "{",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":1e}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{} x",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "[1 2]",
            "{'a':1}",
            "{\"a\":[1,]}",
            "nul",
            &deep(10_001),
        ] {
            assert!(parse(bad, Numbers::All).is_err(), "{bad:.80}");
        }
        for (number, floats) in [("1e400", false), ("-1e400", false), ("1e300", true), ("1e-400", true), (&"9".repeat(400), true)] {
            assert_eq!(parse(number, Numbers::Floats).is_ok(), floats, "{number}");
        }
        let twice = parse("{\"a\":5,\"a\":\"x\\u0041\\ud83d\\ude00\"}", Numbers::All).unwrap();
        assert_eq!(twice, Json::Fields(vec![("a".into(), Json::Number), ("a".into(), Json::Text("xA😀".into()))]));
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_and_never_panics(text in "[\\[\\]{}\",:0-9a-z.eE+\\\\ \\n-]{0,60}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let ours = parse(&text, Numbers::All);
            // serde_json refuses numbers that are too large and lone surrogates; Go does not.
            if theirs.is_ok() {
                prop_assert!(ours.is_ok(), "{text}: {ours:?}");
            } else if let (Ok(_), Err(e)) = (&ours, &theirs) {
                prop_assert!(e.to_string().contains("out of range") || e.to_string().contains("surrogate"), "{text}: {e}");
            }
        }
    }
}
