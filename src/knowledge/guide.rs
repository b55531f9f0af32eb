//! Where karpctl does otherwise than the guide of a release, and why.

use super::Release;
use super::table::{embedded, table};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// One such place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Its name.
    pub id: String,
    /// Whether the guide is wrong, or karpctl chose another way.
    pub kind: DifferenceKind,
    /// The documents that differ: those of `karpctl render`, with `-fargate` where only that variant does, `install` and `clean-up`.
    pub documents: Vec<String>,
    since: Version,
    before: Option<Version>,
    /// The places in the documents, each with everything below it. Empty where it is the whole.
    pub at: Vec<String>,
    /// What the guide does, as sentences.
    pub guide: String,
    /// What karpctl does, as sentences.
    pub karpctl: String,
    /// Where it can be read.
    pub source: String,
}

/// Why karpctl does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The guide contradicts its own repository, or does not work.
    Wrong,
    /// Both work.
    Choice,
}

static DIFFERENCES: LazyLock<Vec<Difference>> = LazyLock::new(|| embedded(table!("guide")));

impl Difference {
    /// Every one, oldest first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &DIFFERENCES
    }

    /// Whether the guide of this release has it.
    #[must_use]
    pub fn concerns(&self, release: &Release) -> bool {
        *release.version() >= self.since && self.before.as_ref().is_none_or(|before| release.version() < before)
    }

    /// The first and the last release of the table that it concerns; no last where it is not over.
    #[must_use]
    pub fn span(&self) -> (String, Option<String>) {
        let last = || Release::all().into_iter().rfind(|release| self.concerns(release)).map(|release| release.to_string());
        (self.since.to_string(), self.before.as_ref().and_then(|_| last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_sourced_and_concern_a_release() {
        let ids: BTreeSet<&str> = Difference::all().iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids.len(), Difference::all().len(), "two rows have one id");
        for row in Difference::all() {
            assert!(row.source.len() > 5 && !row.documents.is_empty(), "{}", row.id);
            assert!(row.guide.ends_with('.') && row.karpctl.ends_with('.'), "{}", row.id);
            assert!(Release::all().iter().any(|release| row.concerns(release)), "{}", row.id);
        }
    }

    #[test]
    fn a_span_ends_with_a_release_that_exists() {
        let span = |id: &str| Difference::all().iter().find(|d| d.id == id).map(Difference::span).unwrap();
        assert_eq!(span("node-pool-of-1.0"), ("1.0.0".into(), Some("1.0.14".into())));
        assert_eq!(span("partition-written-out"), ("0.17.0".into(), Some("0.28.0-rc.1".into())));
        assert_eq!(span("orphaned-nodes"), ("0.17.0".into(), None));
    }
}
