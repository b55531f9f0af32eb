//! The corpus with edits, for as long as one likes: what cargo-fuzz does, without knowing what an input reaches.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a parser may stumble over.
const TOKENS: [&str; 24] = [
    "\0",
    "\r",
    "\n",
    "\t",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "&",
    ": ",
    "- ",
    "*a",
    "&a ",
    "\u{1b}[31m",
    "\u{9b}31m",
    "-1",
    "99999999999999999999",
    "1e999",
    "null",
];

#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Put(Index, &'static str),
    Cut(Index, Index),
    Double(Index, Index),
}

impl Edit {
    fn apply(&self, data: &mut Vec<u8>) {
        let between = |data: &[u8], a: &Index, b: &Index| {
            let (a, b) = (a.index(data.len() + 1), b.index(data.len() + 1));
            a.min(b)..a.max(b)
        };
        match self {
            Self::Set(at, byte) if !data.is_empty() => {
                let at = at.index(data.len());
                data[at] = *byte;
            }
            Self::Set(..) => {}
            Self::Put(at, token) => {
                let at = at.index(data.len() + 1);
                data.splice(at..at, token.bytes());
            }
            Self::Cut(a, b) => drop(data.drain(between(data, a, b))),
            Self::Double(a, b) => {
                let range = between(data, a, b);
                let part = data[range.clone()].to_vec();
                data.splice(range.start..range.start, part);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), select(&TOKENS[..])).prop_map(|(at, token)| Edit::Put(at, token)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Edit::Cut(a, b)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Edit::Double(a, b)),
    ]
}

/// The files of a door's corpus.
pub(crate) fn corpus(door: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(door);
    std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

/// Says how long each door is tried.
pub(crate) const SECONDS: &str = "KARPCTL_FUZZ_SECONDS";

fn time() -> Duration {
    std::env::var(SECONDS).ok().and_then(|s| s.parse().ok()).map_or(Duration::from_millis(500), Duration::from_secs)
}

/// Tries a door with edited files of its corpus until the time is over. Panics with the smallest input that it found to make the door panic;
/// such a one belongs into the corpus.
pub(crate) fn try_edited(door: &str, go_through: impl Fn(&[u8])) {
    let (files, end) = (corpus(door), Instant::now() + time());
    let inputs = (select(files), proptest::collection::vec(edit(), 0..8)).prop_map(|(mut data, edits)| {
        for edit in edits {
            edit.apply(&mut data);
        }
        // Doubling again and again would make it anything but a likely answer.
        data.truncate(64 * 1024);
        data
    });
    let mut tried = 0_u64;
    while Instant::now() < end {
        let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
        let passed = TestRunner::new(config).run(&inputs, |data| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| go_through(&data)));
            result.map_err(|_| TestCaseError::fail(format!("door {door}: {}", data.escape_ascii())))
        });
        passed.unwrap_or_else(|e| panic!("{e}"));
        tried += 32;
    }
    assert!(tried > 0, "door {door} was tried with nothing");
}
