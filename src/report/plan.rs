//! A plan for a person.

use super::duration;
use super::lines::wrapped;
use super::printer::{BAD, BOLD, CARE, FAINT, GOOD, Printer, styled};
use crate::plan::{Action, Direction, Plan, Planned, StepId};
use crate::wording::first_sentence;
use anstyle::Style;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Prints the plan of this command to stdout: a line a step, below the step that it waits for longest, with how long it usually takes
/// and the reason.
pub fn show_plan(printer: &Printer, name: &str, plan: &Plan) {
    printer.answer(&styled(BOLD, format!("Plan: {name} {} (Karpenter {})", plan.place(), plan.karpenter)));
    let mut hinted = Vec::new();
    for (depth, step) in plan.tree() {
        show_step(printer, depth, step, &mut hinted);
    }
    printer.told(&summary(plan));
}

/// As much as stands before what a step is about.
const LEFT: &str = "             ";

fn show_step<'a>(printer: &Printer, depth: usize, step: &'a Planned, hinted: &mut Vec<&'a String>) {
    let (mark, style) = mark(step.action);
    // As `ps` and `pstree` draw it where there is nothing but ASCII.
    let branch = depth.checked_sub(1).map_or(String::new(), |above| format!("{}\\_ ", "   ".repeat(above)));
    let usually = if step.action.is_change() { format!("  {}", duration(step.usual_seconds.into())) } else { String::new() };
    let about = format!("{branch}{}{usually}", step.title);
    let first = step.why.first().map_or(String::new(), |w| format!("  ({w})"));
    // Where it would be broken within a word, the reason has a line of its own.
    let fits = Printer::columns().is_none_or(|columns| console::measure_text_width(&format!("{LEFT}{about}{first}")) <= columns);
    let (first, others) = if fits { (first, step.why.get(1..)) } else { (String::new(), step.why.get(..)) };
    printer.told(&format!("  {} {about}{first}", styled(style, format!("{mark} {:<8}", word(step.action)))));
    for more in others.into_iter().flatten() {
        printer.told(&format!("{LEFT}  {more}"));
    }
    // Several steps can be helped by the same: it is said at the first.
    for hint in &step.hints {
        if !hinted.contains(&hint) {
            hinted.push(hint);
            printer.told(&format!("{LEFT}  hint: {hint}"));
        }
    }
}

/// What stands before such a step, and in which colour.
const fn mark(action: Action) -> (char, Style) {
    match action {
        Action::Create => ('+', GOOD),
        Action::Update | Action::Adopt => ('~', CARE),
        Action::Wait => ('.', CARE),
        Action::Replace => ('!', CARE),
        Action::Remove => ('-', BAD),
        Action::Keep | Action::Absent => ('=', FAINT),
        Action::Refuse => ('x', BAD),
    }
}

/// What is done about a step, as a verb.
pub(super) const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "change",
        Action::Adopt => "adopt",
        Action::Wait => "wait",
        Action::Replace => "replace",
        Action::Remove => "remove",
        Action::Keep => "keep",
        Action::Absent => "absent",
        Action::Refuse => "refuse",
    }
}

/// The last line of a plan: how many of what, and how long it takes.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    let count = |wanted: &[Action]| plan.steps.iter().filter(|s| wanted.contains(&s.action)).count();
    let refused = count(&[Action::Refuse]);
    if refused > 0 {
        return format!("Refused: {refused} of {} steps cannot be done as things stand; nothing was changed.", plan.steps.len());
    }
    if !plan.has_changes() {
        return match plan.direction {
            Direction::Apply => "Nothing to do: everything is as the spec says.".into(),
            Direction::Remove => format!("Nothing to do: nothing is there that could be removed of {}.", plan.place()),
        };
    }
    let parts: Vec<String> = [
        (count(&[Action::Create]), "to create"),
        (count(&[Action::Update, Action::Adopt]), "to change"),
        (count(&[Action::Replace]), "to replace"),
        (count(&[Action::Wait]), "to wait for"),
        (count(&[Action::Remove]), "to remove"),
        (count(&[Action::Keep]), "kept"),
        (count(&[Action::Absent]), "not there"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let usual: BTreeMap<_, _> = plan.steps.iter().map(|s| (s.id, f64::from(s.usual_seconds))).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand whole seconds")]
    let seconds = plan.critical_path(&usual) as u64;
    format!("{}; usually about {}.", parts.join(", "), duration(seconds))
}

/// What stands above what a step does, where the plan takes it back: its words are those of the way up.
pub(super) const fn lead(direction: Direction) -> Option<&'static str> {
    match direction {
        Direction::Apply => None,
        Direction::Remove => Some("What it does on the way up:"),
    }
}

/// The longer form, for the answer `Explain`: what each step does and what it waits for.
pub fn explain_plan(printer: &Printer, plan: &Plan, explain: impl Fn(crate::plan::StepId) -> &'static str) {
    for step in plan.steps.iter().filter(|s| s.action.is_change()) {
        printer.told(&format!("\n{} ({}, usually {})", styled(BOLD, &step.title), step.id, duration(step.usual_seconds.into())));
        if let Some(lead) = lead(plan.direction) {
            printer.told(&format!("{INDENT}{lead}"));
        }
        let columns = Printer::columns().map_or(WIDTH, |columns| columns.min(WIDTH)).saturating_sub(INDENT.len());
        for line in wrapped(first_sentence(explain(step.id)), columns).lines() {
            printer.answer(&format!("{INDENT}{line}"));
        }
        if !step.needs.is_empty() {
            let needs: Vec<&str> = step.needs.iter().map(|n| n.as_str()).collect();
            printer.told(&format!("  after: {}", needs.join(", ")));
        }
    }
    printer.told("\n`karpctl explain STEP` says all of it: `karpctl explain stack`.\n");
}

/// The widest line of prose.
const WIDTH: usize = 78;
/// What stands before it.
const INDENT: &str = "  ";

/// What stands around the commands of the steps.
pub struct Surroundings<'a> {
    /// Whose account and which region is meant.
    pub aws: &'a [String],
    /// Writes the spec file that documents are rendered from. Only where one is.
    pub spec: &'a [String],
    /// Makes helm and kubectl speak to the cluster. Before the first of them, unless the plan makes the cluster: eksctl then writes
    /// a kubeconfig.
    pub access: &'a [String],
}

/// The shell that the plan stands for. Empty where nothing changes.
#[must_use]
pub fn commands(plan: &Plan, around: &Surroundings<'_>) -> String {
    let mut out = String::new();
    let lines = |out: &mut String, title: &str, lines: &[String]| {
        let _ = writeln!(out, "# {title}");
        for line in lines {
            out.extend([line.as_str(), "\n"]);
        }
    };
    let changes = || plan.steps.iter().filter(|s| s.action.is_change() && !s.commands.is_empty());
    if changes().next().is_none() {
        return out;
    }
    lines(&mut out, "aws: which account and region is meant", around.aws);
    if changes().any(|s| s.commands.iter().any(|c| c.starts_with("karpctl render "))) {
        lines(&mut out, "spec: what the documents are rendered from", around.spec);
    }
    let mut reached = changes().any(|s| s.id == StepId::Cluster && s.action == Action::Create);
    for step in changes() {
        if !reached && step.commands.iter().any(|c| c.starts_with("helm ") || c.starts_with("kubectl ")) {
            reached = true;
            lines(&mut out, "access: the kubeconfig of helm and kubectl", around.access);
        }
        let _ = writeln!(out, "# {}: {}", step.id, step.title);
        for command in &step.commands {
            out.push_str(command);
            out.push('\n');
        }
    }
    out
}
