//! From facts to judgement: what every `assess` asks first.

use super::context::OWNER_TAG;
use crate::facts::Probed;
use crate::plan::State;
use crate::ports::Tags;
use crate::spec::Spec;

/// The fact, `None` where the thing is not there, or the state that says why nothing is known.
pub(super) fn looked<T>(probed: &Probed<T>) -> Result<Option<&T>, State> {
    match probed {
        Probed::Known(value) => Ok(Some(value)),
        Probed::Absent => Ok(None),
        Probed::NotAsked => Err(State::Unknown("it was not looked at".into())),
        Probed::Unavailable(reason) => Err(State::Unknown(reason.clone())),
    }
}

/// Whether tags carry karpctl's mark for this cluster.
pub(super) fn is_ours(spec: &Spec, tags: &Tags) -> bool {
    tags.get(OWNER_TAG).is_some_and(|cluster| cluster == spec.cluster_name.as_str())
}

/// The tags that are wanted and are not so, a line each.
pub(super) fn missing_tags(wanted: &Tags, tags: &Tags) -> Vec<String> {
    wanted
        .iter()
        .filter(|(key, value)| tags.get(*key) != Some(value))
        .map(|(key, value)| match tags.get(key) {
            Some(other) => format!("tag {key}: {other} -> {value}"),
            None => format!("tag {key}: not there -> {value}"),
        })
        .collect()
}

/// Differences as a state.
pub(super) fn drifted_or_present(changes: Vec<String>) -> State {
    if changes.is_empty() { State::Present } else { State::Drifted(changes) }
}

/// Something that is there and not ours, with the way to adopt it.
pub(super) fn foreign(spec: &Spec, why: impl Into<String>, effect: &str) -> State {
    State::Foreign {
        why: why.into(),
        adopt: Some(format!(
            "`karpctl bootstrap --cluster-name {} --region {} --adopt` takes it over: {effect}",
            spec.cluster_name, spec.region
        )),
    }
}

/// Something that is there, not ours, and cannot be adopted.
pub(super) fn refused(why: impl Into<String>) -> State {
    State::Foreign { why: why.into(), adopt: None }
}

/// A word as the shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '=' | ',' | '+');
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
