//! From facts to judgement: what every `assess` asks first.

use crate::error::Error;
use crate::facts::{Facts, Probed};
use crate::plan::{Direction, State};
use crate::ports::Tags;
use crate::spec::{Identity, Spec};
use crate::wording::named;

/// The fact, `None` where the thing is not there, or the state that says why nothing is known.
pub(super) fn looked<T>(probed: &Probed<T>) -> Result<Option<&T>, State> {
    match probed {
        Probed::Known(value) => Ok(Some(value)),
        Probed::Absent => Ok(None),
        Probed::NotAsked => Err(State::Unknown("it was not looked at".into())),
        Probed::Unavailable(reason) => Err(State::Unknown(reason.clone())),
    }
}

/// Whether there is no cluster that could hold anything: then nothing in it is left to be removed, and nobody could be asked.
fn no_cluster(facts: &Facts) -> bool {
    match &facts.cluster {
        Probed::Absent => true,
        Probed::Known(cluster) => !matches!(cluster.status.as_str(), "ACTIVE" | "UPDATING"),
        Probed::NotAsked | Probed::Unavailable(_) => false,
    }
}

/// As [`looked`], for the way back: what could not be read because there is no cluster to hold it, is not there.
pub(super) fn looked_for_removal<'f, T>(probed: &'f Probed<T>, facts: &Facts) -> Result<Option<&'f T>, State> {
    looked(probed).or_else(|state| if no_cluster(facts) { Ok(None) } else { Err(state) })
}

/// The state on the way back of what only a spec with that identity makes. By another spec, what is there and ours goes, or stays, all the same.
/// Who may not look at it is not held up, and told ([`left_unread`]).
pub(super) fn made_by(identity: Identity, spec: &Spec, state: State) -> State {
    if spec.identity == identity || matches!(state, State::Present | State::Foreign { .. } | State::Blocked { .. }) {
        state
    } else {
        State::NotWanted
    }
}

/// Why what others get credentials by stays on the way back: they would be left without. Who could not be looked for may be there.
pub(super) fn used_by_others(spec: &Spec, users: &Probed<Vec<String>>, removal: &str) -> Option<Refusal> {
    let own = format!("{}/{}", spec.namespace, spec.service_account());
    let why = match users {
        Probed::Known(users) => {
            let others: Vec<&String> = users.iter().filter(|user| **user != own).collect();
            if others.is_empty() {
                return None;
            }
            format!("others get their credentials by it: {}", named(others, NAMED))
        }
        Probed::Absent => return None,
        Probed::NotAsked => "whether others get their credentials by it was not looked at".to_owned(),
        Probed::Unavailable(reason) => format!("whether others get their credentials by it could not be seen: {reason}"),
    };
    Some(Refusal::new(why).hint(format!("once nobody does, it can go: `{removal}`")))
}

/// The most users that a plan names.
const NAMED: usize = 5;

/// What is said on the way back where a spec with that identity may have left something of the cluster that could not be looked at. Of a
/// cluster that is gone nothing could be.
pub(super) fn left_unread<T>(
    (identity, spec): (Identity, &Spec),
    facts: &Facts,
    what: &str,
    probed: &Probed<T>,
    direction: Direction,
) -> Vec<String> {
    let may_be_there = direction == Direction::Remove && facts.cluster != Probed::Absent;
    match probed {
        Probed::Unavailable(reason) if may_be_there && spec.identity != identity => {
            vec![format!("{what} may be left, by a spec with another identity than this one: it was not looked at: {reason}")]
        }
        _ => Vec::new(),
    }
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
pub(super) fn foreign(why: impl Into<String>, effect: &str) -> State {
    State::Foreign { why: why.into(), adopt: format!("the same command with `--adopt` takes it over: {effect}") }
}

/// Something that cannot be gone on with, and what helps: a sentence with a command each.
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) hints: Vec<String>,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hints: Vec::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Refusal> for State {
    fn from(refusal: Refusal) -> Self {
        Self::Blocked { why: refusal.why, hints: refusal.hints }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        State::from(refusal).into_error()
    }
}
