//! Where somebody says what a later release would do otherwise where nothing is said.

use super::table::KARPENTER;
use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinnedIn {
    /// In a value of the chart.
    Chart,
    /// In a field of every node pool's spec.
    NodePools,
    /// In a field of every node class's spec.
    Ec2NodeClasses,
}

/// What is said so that a new default changes nothing.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Where.
    #[serde(rename = "in")]
    pub place: PinnedIn,
    /// The dotted paths, of which one says it.
    pub at: Vec<String>,
    /// What it is then. `None`: anything.
    #[serde(default)]
    is: Option<Value>,
    /// What it is, or holds, where nobody said anything.
    #[serde(default)]
    unless: Option<Value>,
    /// What to say at the first path of an object that does not say it. `None`: that is for the person to choose.
    #[serde(default)]
    pub say: Option<Value>,
    /// The first release that does not read it.
    #[serde(default)]
    pub(super) before: Option<Version>,
}

impl PinnedIn {
    /// The kind of object, as its resource begins. `None`: it is no object's.
    #[must_use]
    pub const fn plural(self) -> Option<&'static str> {
        match self {
            Self::Chart => None,
            Self::NodePools => Some("nodepools"),
            Self::Ec2NodeClasses => Some("ec2nodeclasses"),
        }
    }
}

impl Pin {
    /// Whether it is said, where this is what stands at a path.
    pub fn is_said<'v>(&self, at: impl Fn(&str) -> &'v Value) -> bool {
        let says = |value: &Value| {
            !self.is_nothing(value)
                && self.is.as_ref().is_none_or(|is| value == is)
                && self.unless.as_ref().is_none_or(|unless| value != unless && !holds(value, unless))
        };
        self.at.iter().any(|path| says(at(path)))
    }

    /// Whether it says nothing. An empty list is as good as none in a field of an object; in a value it takes the chart's own away.
    fn is_nothing(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty() && self.place != PinnedIn::Chart,
            Value::Object(fields) => fields.is_empty() && self.place != PinnedIn::Chart,
            _ => false,
        }
    }
}

/// Whether a value has another somewhere within.
fn holds(value: &Value, other: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item == other || holds(item, other)),
        Value::Object(fields) => fields.values().any(|field| field == other || holds(field, other)),
        _ => false,
    }
}

/// The fields of objects of this kind that say what some release does otherwise where nothing is said.
#[must_use]
pub fn pinned_fields(plural: &str) -> BTreeSet<&'static str> {
    let pins = KARPENTER.new_defaults.iter().map(|row| &row.pin).filter(|pin| pin.place.plural() == Some(plural));
    pins.flat_map(|pin| pin.at.iter().map(String::as_str)).collect()
}
