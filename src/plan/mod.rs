//! What is to be done: data that the engine carries out and the renderers show. Nothing here knows how either works.

mod event;
mod step_id;

pub use event::{Event, Outcome, Progress};
pub use step_id::StepId;

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema id of a serialized [`Plan`].
pub const SCHEMA: &str = "karpctl/plan/v1";

/// How a step's object stands in the world, judged of spec and facts alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not there.
    Absent,
    /// There, and as the spec says.
    Present,
    /// Ours, and different: what differs, a line each.
    Drifted(Vec<String>),
    /// There, and somebody else's: refused unless adopted. On the way back it stays.
    Foreign {
        /// Why it is not ours.
        why: String,
        /// How it can be adopted, as a hint with a command.
        adopt: String,
    },
    /// Whosever it is, it cannot be gone on with as it is: for a person to decide about. On the way back it stays.
    Blocked {
        /// What there is to decide.
        why: String,
        /// What helps, a sentence with a command each.
        hints: Vec<String>,
    },
    /// On its way: what we wait for (another operation is in progress).
    Busy(String),
    /// There, and broken so that it must be removed and made anew; safe to do because it holds nothing.
    Broken(String),
    /// Cannot be known yet, because it depends on something that is not there.
    Unknown(String),
    /// Not part of what this spec asks for.
    NotWanted,
}

impl State {
    /// The error of whoever cannot go on from it.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Self::Foreign { why, adopt } => Error::refused(why).hint(adopt),
            Self::Blocked { why, hints } => hints.into_iter().fold(Error::refused(why), Error::hint),
            Self::Unknown(why) | Self::Busy(why) | Self::Broken(why) => Error::failed(why),
            Self::Drifted(changes) => Error::failed(changes.join("; ")),
            Self::Absent | Self::Present | Self::NotWanted => Error::failed("what was just made is not there"),
        }
    }
}

/// What will be done about a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Made.
    Create,
    /// Changed to what the spec says.
    Update,
    /// Taken over as it is, then changed to what the spec says.
    Adopt,
    /// Waited for.
    Wait,
    /// Removed and made anew.
    Replace,
    /// Removed.
    Remove,
    /// Left as it is.
    Keep,
    /// Nothing: on the way back, what is not there.
    Absent,
    /// Not done: the plan as a whole is refused.
    Refuse,
}

impl Action {
    /// Whether carrying it out changes anything.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Keep | Self::Absent | Self::Refuse)
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which step.
    pub id: StepId,
    /// What it is about, in a few words: "stack Karpenter-demo".
    pub title: String,
    /// What will be done.
    pub action: Action,
    /// Why, a line each; for an update what differs, for a refusal the reason.
    pub why: Vec<String>,
    /// What helps, for a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The steps of this plan that must be done before it.
    pub needs: Vec<StepId>,
    /// The steps that it needs, that are no part of this plan, and that are not done: it is refused for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<StepId>,
    /// How long it usually takes, in seconds.
    pub usual_seconds: u32,
    /// The shell that it stands for, as the guide would write it.
    pub commands: Vec<String>,
}

/// The way of a plan: up to a working Karpenter, or back to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Steps are applied in the order of their needs.
    Apply,
    /// Steps are removed in the reverse order.
    Remove,
}

/// An ordered list of steps, each after all that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// The cluster.
    pub cluster: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The Karpenter release.
    pub karpenter: String,
    /// The way.
    pub direction: Direction,
    /// The steps.
    pub steps: Vec<Planned>,
}

impl Plan {
    /// The cluster and where it is: the same name may be another cluster elsewhere.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} in {} of account {}", self.cluster, self.region, self.account)
    }

    /// Whether carrying it out changes anything.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|s| s.action.is_change())
    }

    /// The steps as a tree, each with its depth: below that step which, of those that it waits for, usually ends last.
    #[must_use]
    pub fn tree(&self) -> Vec<(usize, &Planned)> {
        let mut ends: BTreeMap<StepId, u32> = BTreeMap::new();
        let mut below: BTreeMap<Option<StepId>, Vec<&Planned>> = BTreeMap::new();
        for step in &self.steps {
            let last = step.needs.iter().filter_map(|need| ends.get(need).map(|end| (*end, *need))).max();
            ends.insert(step.id, last.map_or(0, |(end, _)| end) + step.usual_seconds);
            below.entry(last.map(|(_, need)| need)).or_default().push(step);
        }
        let mut tree = Vec::new();
        let mut open: Vec<(usize, &Planned)> = Vec::new();
        let unfold = |open: &mut Vec<_>, depth: usize, of: Option<StepId>| {
            open.extend(below.get(&of).into_iter().flatten().rev().map(|step| (depth, *step)));
        };
        unfold(&mut open, 0, None);
        while let Some((depth, step)) = open.pop() {
            tree.push((depth, step));
            unfold(&mut open, depth + 1, Some(step.id));
        }
        tree
    }

    /// The seconds from beginning to end when every step begins as soon as it can and takes this long.
    #[must_use]
    pub fn critical_path(&self, seconds: &BTreeMap<StepId, f64>) -> f64 {
        let mut ends: BTreeMap<StepId, f64> = BTreeMap::new();
        for step in &self.steps {
            let begin = step.needs.iter().filter_map(|n| ends.get(n)).copied().fold(0.0, f64::max);
            ends.insert(step.id, begin + seconds.get(&step.id).copied().unwrap_or(0.0));
        }
        ends.values().copied().fold(0.0, f64::max)
    }

    /// The steps that decide how long it takes, from the first to the last: each waits for the one before, and nothing that any of
    /// them needs ends later.
    #[must_use]
    pub fn critical_steps(&self, seconds: &BTreeMap<StepId, f64>) -> Vec<StepId> {
        let mut ends: BTreeMap<StepId, (f64, Option<StepId>)> = BTreeMap::new();
        for step in &self.steps {
            let (begin, before) = step
                .needs
                .iter()
                .filter_map(|need| ends.get(need).map(|(end, _)| (*end, Some(*need))))
                .fold((0.0, None), |last, next| if next.0 > last.0 { next } else { last });
            ends.insert(step.id, (begin + seconds.get(&step.id).copied().unwrap_or(0.0), before));
        }
        let mut last = ends.iter().fold(None, |last: Option<(f64, StepId)>, (id, (end, _))| match last {
            Some((latest, _)) if latest >= *end => last,
            _ => Some((*end, *id)),
        });
        let mut way = Vec::new();
        while let Some((_, id)) = last {
            way.push(id);
            last = ends.get(&id).and_then(|(_, before)| *before).map(|id| (0.0, id));
        }
        way.reverse();
        way
    }

    /// The steps for which the whole plan is refused.
    pub fn refused(&self) -> impl Iterator<Item = &Planned> {
        self.steps.iter().filter(|s| s.action == Action::Refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(id: StepId, needs: &[StepId], usual_seconds: u32) -> Planned {
        Planned {
            id,
            title: id.to_string(),
            action: Action::Create,
            why: Vec::new(),
            hints: Vec::new(),
            needs: needs.to_vec(),
            missing: Vec::new(),
            usual_seconds,
            commands: Vec::new(),
        }
    }

    #[test]
    fn a_tree_has_each_step_once_below_what_it_waits_for_longest() {
        let steps = vec![
            planned(StepId::Stack, &[], 75),
            planned(StepId::Cluster, &[], 900),
            planned(StepId::ControllerRole, &[StepId::Stack], 5),
            planned(StepId::NodeMapping, &[StepId::Stack, StepId::Cluster], 3),
            planned(StepId::Chart, &[StepId::ControllerRole, StepId::NodeMapping], 45),
        ];
        let plan = Plan {
            schema: SCHEMA.into(),
            cluster: "demo".into(),
            region: "us-west-2".into(),
            account: "111122223333".into(),
            karpenter: "1.14.1".into(),
            direction: Direction::Apply,
            steps,
        };
        let tree: Vec<(usize, StepId)> = plan.tree().into_iter().map(|(depth, step)| (depth, step.id)).collect();
        assert_eq!(
            tree,
            [(0, StepId::Stack), (1, StepId::ControllerRole), (0, StepId::Cluster), (1, StepId::NodeMapping), (2, StepId::Chart)]
        );
    }
}
