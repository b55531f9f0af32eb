//! A plan for a person.

use super::duration;
use super::printer::{BAD, BOLD, CARE, FAINT, GOOD, Printer, styled};
use crate::plan::{Action, Direction, Plan, Planned};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Prints the plan to stdout: a line a step, with the reason.
pub fn show_plan(printer: &Printer, plan: &Plan) {
    let way = match plan.direction {
        Direction::Apply => "bootstrap",
        Direction::Remove => "destroy",
    };
    printer.answer(&styled(BOLD, format!("Plan: {way} {} (Karpenter {})", plan.cluster, plan.karpenter)));
    for step in &plan.steps {
        show_step(printer, step);
    }
    printer.answer(&summary(plan));
}

fn show_step(printer: &Printer, step: &Planned) {
    let (mark, word, style) = match step.action {
        Action::Create => ("+", "create", GOOD),
        Action::Update => ("~", "change", CARE),
        Action::Adopt => ("~", "adopt", CARE),
        Action::Wait => (".", "wait", CARE),
        Action::Replace => ("!", "replace", CARE),
        Action::Remove => ("-", "remove", BAD),
        Action::Keep => ("=", "keep", FAINT),
        Action::Refuse => ("x", "refuse", BAD),
    };
    let mut why = step.why.iter();
    let first = why.next().map_or(String::new(), |w| format!("  ({w})"));
    printer.answer(&format!("  {} {}{first}", styled(style, format!("{mark} {word:<8}")), step.title));
    for more in why {
        printer.answer(&format!("               {more}"));
    }
    for hint in &step.hints {
        printer.answer(&format!("               hint: {hint}"));
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
        return "Nothing to do: everything is as the spec says.".into();
    }
    let parts: Vec<String> = [
        (count(&[Action::Create]), "to create"),
        (count(&[Action::Update, Action::Adopt]), "to change"),
        (count(&[Action::Replace]), "to replace"),
        (count(&[Action::Wait]), "to wait for"),
        (count(&[Action::Remove]), "to remove"),
        (count(&[Action::Keep]), "kept"),
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

/// The longer form, for the answer `Explain`: what each step does and what it waits for.
pub fn explain_plan(printer: &Printer, plan: &Plan, explain: impl Fn(crate::plan::StepId) -> &'static str) {
    for step in plan.steps.iter().filter(|s| s.action.is_change()) {
        printer.answer(&format!("\n{} ({}, usually {})", styled(BOLD, &step.title), step.id, duration(step.usual_seconds.into())));
        printer.answer(&format!("  {}", explain(step.id)));
        if !step.needs.is_empty() {
            let needs: Vec<&str> = step.needs.iter().map(|n| n.as_str()).collect();
            printer.answer(&format!("  after: {}", needs.join(", ")));
        }
    }
    printer.answer("");
}

/// The shell that the plan stands for.
#[must_use]
pub fn commands(plan: &Plan) -> String {
    let mut out = String::new();
    for step in plan.steps.iter().filter(|s| s.action.is_change() && !s.commands.is_empty()) {
        let _ = writeln!(out, "# {}: {}", step.id, step.title);
        for command in &step.commands {
            out.push_str(command);
            out.push('\n');
        }
    }
    out
}
