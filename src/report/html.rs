//! A plan and its run as one page that needs nothing else: no script, no network. It is written when the plan is made, after
//! every step, and at the end, so that a run that was cut off leaves one too.

mod graph;

use super::{RunReport, cure, duration};
use crate::characters::written_out;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::inventory::Thing;
use crate::plan::{Action, Direction, Outcome, Plan, Planned, StepId};
use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, Value, value::Serde};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a page shows.
pub struct Page<'a> {
    /// The command that was run.
    pub command: &'a str,
    /// When the page was written, in words.
    pub written: &'a str,
    /// What was planned.
    pub plan: &'a Plan,
    /// What was done so far. `None`: nothing was begun.
    pub run: Option<&'a RunReport>,
    /// Why nothing is begun, where that is not for a step of the plan.
    pub refused: Option<&'a Error>,
    /// Whether the run is over.
    pub stage: Stage,
    /// What the checks said.
    pub findings: &'a [Finding],
    /// What is there.
    pub inventory: &'a [Thing],
    /// Names and versions of what took part.
    pub versions: &'a [(String, String)],
}

/// How far things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// There is a plan, and nothing was changed.
    Planned,
    /// Steps are being carried out.
    Running,
    /// It is over.
    Over,
}

/// A step, as the page shows it.
#[derive(Serialize)]
struct Row<'a> {
    id: StepId,
    title: &'a str,
    action: Action,
    /// As a class of the page's style: `done`, `failed`, `not-run`, `kept`, `refused`, `planned`.
    class: &'static str,
    word: String,
    critical: bool,
    left: f64,
    width: f64,
    time: String,
    usual: String,
    why: &'a [String],
    causes: Vec<&'a str>,
    hints: Vec<&'a str>,
    needs: &'a [StepId],
    explain: &'a str,
}

/// What the template is given.
#[derive(Serialize)]
struct Shown<'a> {
    title: String,
    verdict: String,
    class: &'static str,
    command: &'a str,
    written: &'a str,
    refused: Option<&'a Error>,
    direction: Direction,
    lead: Option<&'static str>,
    stage: Stage,
    total: String,
    scale: [String; 5],
    graph: graph::Graph,
    rows: Vec<Row<'a>>,
    findings: Vec<Judged<'a>>,
    inventory: &'a [Thing],
    versions: &'a [(String, String)],
}

/// What a check said, and what mends it.
#[derive(Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    cures: Vec<String>,
}

/// The page as HTML. `explain` says what a step is for.
pub fn page(page: &Page<'_>, explain: impl Fn(StepId) -> &'static str) -> Result<String> {
    let spans = spans(page);
    let end = spans.values().map(|(_, end)| *end).fold(0.0, f64::max).max(0.1);
    let lengths = spans.iter().map(|(id, (begin, end))| (*id, end - begin)).collect();
    let critical = page.plan.critical_steps(&lengths);
    let rows: Vec<Row<'_>> = page.plan.steps.iter().map(|step| row(page, step, &spans, end, &critical, explain(step.id))).collect();
    let classes: BTreeMap<StepId, &str> = rows.iter().map(|r| (r.id, r.class)).collect();
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("marked", marked);
    let failed = |e: &minijinja::Error| Error::failed("cannot make the report page").because(format!("{e:#}"));
    let template = include_str!("../../templates/report.html.j2");
    templates.add_template("report", template).map_err(|e| failed(&e))?;
    let shown = Shown {
        title: title(page),
        verdict: verdict(page),
        class: verdict_class(page),
        command: page.command,
        written: page.written,
        refused: page.refused,
        direction: page.plan.direction,
        lead: super::plan::lead(page.plan.direction),
        stage: page.stage,
        total: seconds(end),
        scale: [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| seconds(part * end)),
        graph: graph::drawn(page.plan, &classes, &critical),
        rows,
        findings: page.findings.iter().map(|finding| Judged { finding, cures: finding.fixes.iter().map(cure).collect() }).collect(),
        inventory: page.inventory,
        versions: page.versions,
    };
    let text = templates.get_template("report").and_then(|t| t.render(Serde(&shown))).map_err(|e| failed(&e))?;
    // A browser turns the direction of writing about as a terminal does.
    Ok(written_out(&text).into_owned())
}

/// A text of ours as HTML: what stands between backticks is code.
fn marked(text: &str) -> Value {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = HtmlEscape(part);
        let _ = if index % 2 == 1 { write!(out, "<code>{part}</code>") } else { write!(out, "{part}") };
    }
    Value::from_safe_string(out)
}

fn title(page: &Page<'_>) -> String {
    format!("karpctl: {} with Karpenter {}", page.plan.place(), page.plan.karpenter)
}

fn verdict(page: &Page<'_>) -> String {
    let count = |wanted: fn(&Outcome) -> bool| page.run.map_or(0, |run| run.steps.iter().filter(|s| wanted(&s.outcome)).count());
    let failed = count(|o| matches!(o, Outcome::Failed { error } if error.kind != ErrorKind::Interrupted));
    match (page.stage, failed) {
        (Stage::Planned, _) if is_refused(page) => "Refused; nothing was changed".into(),
        (Stage::Planned, _) if !page.plan.has_changes() => "Nothing to do".into(),
        (Stage::Planned, _) => "Planned; nothing was changed yet".into(),
        (Stage::Running, _) => "Not finished when this page was written".into(),
        (Stage::Over, 0) if page.run.is_some_and(|run| run.ok) => "Done".into(),
        (Stage::Over, 0) => "Interrupted".into(),
        (Stage::Over, n) => {
            format!("{n} of {} steps failed; {} never ran", page.plan.steps.len(), count(|o| matches!(o, Outcome::NotRun { .. })))
        }
    }
}

fn is_refused(page: &Page<'_>) -> bool {
    page.refused.is_some() || page.plan.refused().next().is_some()
}

fn verdict_class(page: &Page<'_>) -> &'static str {
    match page.stage {
        Stage::Over if page.run.is_some_and(|run| run.ok) => "done",
        Stage::Over => "failed",
        _ if is_refused(page) => "failed",
        _ => "planned",
    }
}

/// When each step begins and ends, in seconds: as it was, and for what never ran as it usually is.
fn spans(page: &Page<'_>) -> BTreeMap<StepId, (f64, f64)> {
    let mut spans: BTreeMap<StepId, (f64, f64)> = BTreeMap::new();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
    for step in page.run.iter().flat_map(|run| &run.steps) {
        let begin = step.began_ms as f64 / 1000.0;
        spans.insert(step.step, (begin, begin + step.elapsed_ms as f64 / 1000.0));
    }
    if page.run.is_none() {
        for step in &page.plan.steps {
            let begin = step.needs.iter().filter_map(|n| spans.get(n)).map(|(_, end)| *end).fold(0.0, f64::max);
            let takes = if step.action.is_change() { f64::from(step.usual_seconds) } else { 0.0 };
            spans.insert(step.id, (begin, begin + takes));
        }
    }
    spans
}

fn row<'a>(
    page: &Page<'a>,
    step: &'a Planned,
    spans: &BTreeMap<StepId, (f64, f64)>,
    end: f64,
    critical: &[StepId],
    explain: &'a str,
) -> Row<'a> {
    let report = page.run.and_then(|run| run.steps.iter().find(|s| s.step == step.id));
    let (began, ended) = spans.get(&step.id).copied().unwrap_or_default();
    let mut causes: Vec<&str> = Vec::new();
    let mut hints: Vec<&str> = step.hints.iter().map(String::as_str).collect();
    let (class, word) = match report.map(|r| &r.outcome) {
        Some(Outcome::Done) => ("done", "done".to_owned()),
        Some(Outcome::Kept) if step.action == Action::Absent => ("kept", "was not there".to_owned()),
        Some(Outcome::Kept) => ("kept", "was so already".to_owned()),
        Some(Outcome::NotRun { reason }) => ("not-run", format!("not run: {reason}")),
        Some(Outcome::Failed { error }) if error.kind == ErrorKind::Interrupted => ("not-run", format!("stopped: {}", error.message)),
        Some(Outcome::Failed { error }) => {
            causes.extend(error.causes.iter().map(String::as_str));
            hints.extend(error.hints.iter().map(String::as_str));
            ("failed", format!("failed: {}", error.message))
        }
        None if step.action == Action::Refuse => ("failed", "refused".to_owned()),
        None if step.action == Action::Keep => ("kept", "is so already".to_owned()),
        None if step.action == Action::Absent => ("kept", "not there".to_owned()),
        None if page.stage == Stage::Planned => ("planned", format!("to {}", super::plan::word(step.action))),
        None => ("planned", "not finished".to_owned()),
    };
    Row {
        id: step.id,
        title: &step.title,
        action: step.action,
        class,
        word,
        critical: critical.contains(&step.id) && ended > began,
        left: 100.0 * began / end,
        width: 100.0 * (ended - began) / end,
        time: if ended > began { seconds(ended - began) } else { String::new() },
        usual: duration(step.usual_seconds.into()),
        why: &step.why,
        causes,
        hints,
        needs: &step.needs,
        explain,
    }
}

/// Seconds as the page shows them.
fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a run takes less than a day")]
    let whole = seconds.round().max(0.0) as u64;
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if whole < 90 {
        format!("{whole} s")
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}
