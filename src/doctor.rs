//! The doctor: which checks, what they read, and what they then say. Reading happens once for all of them.

use crate::checks::{Check, Situation, judge};
use crate::error::{Error, Result, did_you_mean};
use crate::facts::{Facts, Topic};
use crate::finding::{Area, Finding};
use crate::spec::{Meant, Spec};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The schema id of [`SavedFacts`].
pub const FACTS_SCHEMA: &str = "karpctl/facts/v1";

/// Which checks are wanted. Empty lists want all.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only those of these areas.
    pub areas: Vec<Area>,
    /// Only these.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

/// What a doctor saw, to be judged elsewhere or later. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedFacts {
    /// [`FACTS_SCHEMA`].
    pub schema: String,
    /// The day on which it was seen.
    pub day: Date,
    /// What was wanted. `None`: too little was said.
    pub spec: Option<Spec>,
    /// What was said of which cluster is meant.
    #[serde(default)]
    pub meant: Meant,
    /// What was so.
    pub facts: Facts,
}

/// The checks that are wanted; an id that no check has is an error.
pub fn select(all: Vec<Box<dyn Check>>, wanted: &Wanted) -> Result<Vec<Box<dyn Check>>> {
    for id in wanted.only.iter().chain(&wanted.skip) {
        if !all.iter().any(|c| c.id() == id) {
            let error = Error::usage(format!("there is no check `{id}`"));
            let near = did_you_mean(id, all.iter().map(|c| c.id()));
            return Err(error.hint(near.unwrap_or_else(|| "`karpctl explain` lists them all".to_owned())));
        }
    }
    let is_wanted = |check: &dyn Check| {
        (wanted.areas.is_empty() || wanted.areas.contains(&check.area()))
            && (wanted.only.is_empty() || wanted.only.iter().any(|id| id == check.id()))
            && !wanted.skip.iter().any(|id| id == check.id())
    };
    let chosen: Vec<Box<dyn Check>> = all.into_iter().filter(|c| is_wanted(c.as_ref())).collect();
    // A run that looks at nothing would be a pass in every pipeline.
    if chosen.is_empty() {
        return Err(Error::usage("no check is left of those that --area, --only and --skip choose")
            .hint("`karpctl explain` lists them with their areas"));
    }
    Ok(chosen)
}

/// What these checks are judged by.
#[must_use]
pub fn topics(checks: &[Box<dyn Check>]) -> BTreeSet<Topic> {
    checks.iter().flat_map(|c| c.reads().iter().copied()).collect()
}

impl SavedFacts {
    /// What these checks say of them.
    #[must_use]
    pub fn judge(&self, checks: &[Box<dyn Check>]) -> Vec<Finding> {
        judge(checks, &Situation { spec: self.spec.as_ref(), meant: &self.meant, facts: &self.facts, today: self.day })
    }
}
