//! From spec and facts to a plan: pure.

use crate::facts::Facts;
use crate::plan::{Action, Direction, Plan, Planned, SCHEMA, State, StepId};
use crate::spec::Spec;
use crate::steps::{Ownership, Step};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is for.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The steps that are selected; the others are left out of the plan.
    pub select: BTreeSet<StepId>,
    /// The way.
    pub direction: Direction,
    /// Whether what is there but not ours may be taken over.
    pub ownership: Ownership,
}

/// The plan of the selected steps, each after all that it needs.
#[must_use]
pub fn plan(steps: &[Box<dyn Step>], spec: &Spec, facts: &Facts, goal: &Goal) -> Plan {
    let states: BTreeMap<StepId, State> = steps.iter().map(|s| (s.id(), assess(s.as_ref(), spec, facts, goal.direction))).collect();
    let mut planned: Vec<Planned> = ordered(steps, spec, goal.direction)
        .into_iter()
        .filter(|step| goal.select.contains(&step.id()))
        .filter(|step| states[&step.id()] != State::NotWanted)
        .map(|step| {
            let state = &states[&step.id()];
            let verdict = match goal.direction {
                Direction::Apply if step.only_waits() => only_wait(judge_apply(state, goal.ownership)),
                Direction::Apply => judge_apply(state, goal.ownership),
                Direction::Remove => match step.restores(facts) {
                    Some(how) => judge_restore(state, how),
                    None => judge_remove(state, step.kept_on_destroy(spec)),
                },
            };
            let details = match verdict.action {
                Action::Create => step.details(spec, facts),
                Action::Remove => step.leaves(facts),
                _ => Vec::new(),
            };
            let needs = match goal.direction {
                Direction::Apply => step.needs(spec),
                Direction::Remove => steps.iter().filter(|s| s.needs(spec).contains(&step.id())).map(|s| s.id()).collect(),
            };
            Planned {
                id: step.id(),
                title: step.title(spec),
                action: verdict.action,
                why: verdict.why.into_iter().chain(details).collect(),
                hints: verdict.hints,
                needs,
                missing: Vec::new(),
                usual_seconds: if verdict.action.is_change() { step.usual_seconds(spec) } else { 0 },
                commands: step.commands(spec, facts, goal.direction),
            }
        })
        .collect();
    if goal.direction == Direction::Apply {
        refuse_unmet_needs(&mut planned, &states, goal);
        follow_changes(steps, &mut planned);
    }
    // Whoever runs what a plan lists changes nothing that the plan does not.
    for step in planned.iter_mut().filter(|step| !step.action.is_change()) {
        step.commands.clear();
    }
    let kept: BTreeSet<StepId> = planned.iter().map(|p| p.id).collect();
    for step in &mut planned {
        step.needs.retain(|need| kept.contains(need));
    }
    Plan {
        schema: SCHEMA.into(),
        cluster: spec.cluster_name.to_string(),
        region: spec.region.to_string(),
        account: spec.account_id.to_string(),
        karpenter: spec.release.to_string(),
        direction: goal.direction,
        steps: planned,
    }
}

/// How a step's object stands for this way.
pub(super) fn assess(step: &dyn Step, spec: &Spec, facts: &Facts, direction: Direction) -> State {
    match direction {
        Direction::Apply => step.assess(spec, facts),
        Direction::Remove => step.assess_removal(spec, facts),
    }
}

struct Verdict {
    action: Action,
    why: Vec<String>,
    hints: Vec<String>,
}

fn verdict(action: Action, why: impl IntoIterator<Item = String>) -> Verdict {
    Verdict { action, why: why.into_iter().collect(), hints: Vec::new() }
}

fn judge_apply(state: &State, ownership: Ownership) -> Verdict {
    match state {
        State::Absent => verdict(Action::Create, ["not there".to_owned()]),
        State::Present | State::NotWanted => verdict(Action::Keep, ["as the spec says".to_owned()]),
        State::Drifted(changes) => verdict(Action::Update, changes.clone()),
        State::Busy(what) => verdict(Action::Wait, [what.clone()]),
        State::Broken(why) => verdict(Action::Replace, [why.clone()]),
        State::Unknown(reason) => verdict(Action::Create, [reason.clone()]),
        State::Foreign { why, .. } if ownership == Ownership::Adopt => verdict(Action::Adopt, [why.clone()]),
        State::Foreign { why, adopt } => Verdict { hints: vec![adopt.clone()], ..verdict(Action::Refuse, [why.clone()]) },
        State::Blocked { why, hints } => Verdict { hints: hints.clone(), ..verdict(Action::Refuse, [why.clone()]) },
    }
}

/// A step that makes nothing is waited for.
fn only_wait(verdict: Verdict) -> Verdict {
    if verdict.action == Action::Create { Verdict { action: Action::Wait, ..verdict } } else { verdict }
}

fn judge_remove(state: &State, kept: Option<&str>) -> Verdict {
    match (state, kept) {
        (State::Absent | State::NotWanted, _) => verdict(Action::Absent, ["nothing to remove".to_owned()]),
        (_, Some(reason)) => verdict(Action::Keep, [reason.to_owned()]),
        (State::Foreign { why, .. }, _) => verdict(Action::Keep, [format!("not ours, so it stays: {why}")]),
        (State::Blocked { why, hints }, _) => Verdict { hints: hints.clone(), ..verdict(Action::Keep, [format!("it stays: {why}")]) },
        (State::Busy(what), _) => verdict(Action::Remove, [what.clone()]),
        (State::Unknown(reason), _) => verdict(Action::Remove, [format!("will be looked for: {reason}")]),
        (State::Present | State::Drifted(_) | State::Broken(_), _) => verdict(Action::Remove, ["ours".to_owned()]),
    }
}

/// The way back of a step that sets things as they were.
fn judge_restore(state: &State, how: Vec<String>) -> Verdict {
    match state {
        State::Absent | State::NotWanted => verdict(Action::Keep, ["as it was before".to_owned()]),
        State::Unknown(reason) => verdict(Action::Update, [format!("will be looked for: {reason}")]),
        _ => verdict(Action::Update, how),
    }
}

/// A partial selection stands on what the other steps have made: where that is not so, the plan says which command makes it.
fn refuse_unmet_needs(planned: &mut [Planned], states: &BTreeMap<StepId, State>, goal: &Goal) {
    for step in planned {
        if !step.action.is_change() {
            continue;
        }
        let unmet: Vec<StepId> = step
            .needs
            .iter()
            .copied()
            .filter(|need| !goal.select.contains(need) && matches!(states[need], State::Absent | State::Broken(_) | State::Unknown(_)))
            .collect();
        if !unmet.is_empty() {
            step.action = Action::Refuse;
            step.why = unmet.iter().map(|need| format!("needs the step `{need}`, which is not done")).collect();
            step.hints = vec!["run `karpctl bootstrap --dry-run` to see the whole way".to_owned()];
            step.missing = unmet;
        }
    }
}

/// What waits for a readiness that a change before it may have ended is judged again after that change.
fn follow_changes(steps: &[Box<dyn Step>], planned: &mut [Planned]) {
    let waits: BTreeSet<StepId> = steps.iter().filter(|s| s.only_waits()).map(|s| s.id()).collect();
    let changed: BTreeSet<StepId> = planned.iter().filter(|p| p.action.is_change()).map(|p| p.id).collect();
    for step in planned.iter_mut().filter(|p| waits.contains(&p.id) && p.action == Action::Keep) {
        if step.needs.iter().any(|n| changed.contains(n)) {
            step.action = Action::Wait;
            step.why = vec!["checked again after the changes".to_owned()];
        }
    }
}

/// The steps so that each comes after all that it needs (for a removal: before).
fn ordered<'a>(steps: &'a [Box<dyn Step>], spec: &Spec, direction: Direction) -> Vec<&'a dyn Step> {
    let mut out: Vec<&dyn Step> = Vec::with_capacity(steps.len());
    let mut done: BTreeSet<StepId> = BTreeSet::new();
    while out.len() < steps.len() {
        let next = steps
            .iter()
            .find(|s| !done.contains(&s.id()) && s.needs(spec).iter().all(|n| done.contains(n)))
            .or_else(|| steps.iter().find(|s| !done.contains(&s.id())));
        let Some(step) = next else { break };
        done.insert(step.id());
        out.push(step.as_ref());
    }
    if direction == Direction::Remove {
        out.reverse();
    }
    out
}
