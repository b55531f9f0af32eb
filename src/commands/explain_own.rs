//! Which kind of error a sentence of karpctl's own is, for `karpctl explain`: what a run printed is pasted there as other programs' errors are.

use crate::error::ErrorKind;
use crate::pages::likeness_of;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A sentence that a source makes an error of (see `build.rs`).
#[derive(Deserialize)]
struct Sentence {
    /// The kind, as the source writes it: a variant, or the function of the constructor.
    kind: String,
    /// The source's name as ids are written: that of a step's is the step's.
    file: String,
    /// With `…` for what differs each time.
    text: String,
}

static SENTENCES: LazyLock<Vec<Sentence>> = LazyLock::new(|| {
    let json = include_str!(concat!(env!("OUT_DIR"), "/errors.json"));
    let mut all: Vec<Sentence> = serde_json::from_str(json).expect("the build script writes it so");
    // The kinds of `std::io` are called as ours are.
    all.retain(|sentence| ErrorKind::ALL.iter().any(|kind| sentence.is_of(*kind)));
    all
});

impl Sentence {
    fn is_of(&self, kind: ErrorKind) -> bool {
        self.kind.eq_ignore_ascii_case(&format!("{kind:?}"))
    }
}

/// The shortest part of a sentence that says which one it is: they are made of plainer words than the errors that pages quote.
const TELLING: usize = 16;

/// The kinds of error that say so, and the sources that do; of several sentences the one that is most like it.
pub(super) fn who_says(error: &str) -> (Vec<ErrorKind>, BTreeSet<&'static str>) {
    let mut best: (usize, Vec<&'static Sentence>) = (TELLING, Vec::new());
    for sentence in SENTENCES.iter() {
        match likeness_of(error, &sentence.text) {
            Some(likeness) if likeness > best.0 => best = (likeness, vec![sentence]),
            Some(likeness) if likeness == best.0 => best.1.push(sentence),
            _ => {}
        }
    }
    let is_said = |kind: &ErrorKind| best.1.iter().any(|sentence| sentence.is_of(*kind));
    (ErrorKind::ALL.into_iter().filter(is_said).collect(), best.1.iter().map(|sentence| sentence.file.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_read_from_the_sources() {
        assert!(SENTENCES.len() > 150, "{}", SENTENCES.len());
        for Sentence { text, .. } in SENTENCES.iter() {
            assert!(!text.contains(['{', '\n']), "{text}");
        }
    }

    #[test]
    fn a_sentence_has_the_kind_of_its_error() {
        for (said, kind) in [
            ("error: Karpenter of cluster demo is not ready\n  caused by: 1 of 2 replicas of the controller are ready", ErrorKind::Timeout),
            ("there is no cluster shop in eu-west-1 of account 111122223333", ErrorKind::NotFound),
            ("the AWS region is not known", ErrorKind::Usage),
            ("what there is to do has changed since the plan was made", ErrorKind::Refused),
        ] {
            assert_eq!(who_says(said).0, [kind], "{said}");
        }
        for foreign in ["connection refused", "x is not y", "Unable to connect to the server", "some other error", ""] {
            assert!(who_says(foreign).0.is_empty(), "{foreign}: {:?}", who_says(foreign));
        }
    }
}
