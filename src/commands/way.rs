//! The one way in which every command that changes something goes: read, plan, show, ask, do, say.

use super::answer::{Pretty, json};
use super::args::parse_duration;
use super::before_removal;
use super::carry_out::{carry_out, tidy};
use super::next;
use super::print_commands::print_commands;
use super::question::line;
use super::report_page::ReportPage;
use super::session::{Session, refusal};
use crate::app::{App, Waited};
use crate::engine::{Goal, plan, reads};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::facts::{ClusterFacts, Facts, Topic};
use crate::finding::{Finding, Verdict};
use crate::plan::{Action, Direction, Event, Plan, StepId};
use crate::report::{Format, RunReporter, explain_plan, show_findings, show_plan};
use crate::spec::Spec;
use crate::steps::hops::refused_hop;
use crate::steps::{Ownership, Step};
use clap::Args;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of every command that changes something.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools by nature")]
pub(super) struct WayArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// With --dry-run: end with 3 where changes are pending, with 4 where they would be refused
    #[arg(long, requires = "dry_run")]
    pub exit_code: bool,
    /// Print the shell (aws, eksctl, helm, kubectl) that the plan stands for, and change nothing
    #[arg(long)]
    pub print_commands: bool,
    /// How long one wait may take, such as 90s or 15m
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Also write the plan, the run and what is there as one HTML page
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

impl WayArgs {
    /// Whether nothing is changed.
    pub(super) const fn shows_only(&self) -> bool {
        self.dry_run || self.print_commands
    }
}

/// Which way is gone.
pub(super) struct Selection {
    /// The command.
    pub(super) name: &'static str,
    /// The steps that are selected.
    pub(super) steps: BTreeSet<StepId>,
    /// The way.
    pub(super) direction: Direction,
    /// Whether what is there but not ours may be taken over.
    pub(super) ownership: Ownership,
}

impl Selection {
    /// What a plan of it is for.
    pub(super) fn goal(&self) -> Goal {
        Goal { select: self.steps.clone(), direction: self.direction, ownership: self.ownership }
    }
}

/// Goes the way for the selected steps.
pub(super) async fn go(app: &App, args: &WayArgs, session: &mut Session, steps: &[Box<dyn Step>], selection: &Selection) -> Result<Exit> {
    let findings = match selection.direction {
        Direction::Apply => session.preflight(app, &selection.steps).await?,
        Direction::Remove => Vec::new(),
    };
    show_warnings(app, &findings);
    // What a cluster lacks cannot be said of one that could not be read.
    let makes_cluster = selection.direction == Direction::Apply && selection.steps.contains(&StepId::Cluster);
    let unreached = || session.unread.clone().or_else(|| session.kubeconfig_of_another()).filter(|_| makes_cluster);
    let refused = unreached().or_else(|| refusal(&findings)).or_else(|| unseen(session, selection));
    let shows_only = args.shows_only();
    let refused_at_once = refused.clone().filter(|_| !shows_only);
    // The page is made of a plan, and is written for a refusal too.
    if let (Some(error), None) = (&refused_at_once, &args.report) {
        return Err(error.clone());
    }
    let topics = topics(steps, session, selection);
    // What a dead karpctl's helm or eksctl still does belongs to what there is: a plan made meanwhile would not be true when it is agreed to.
    if !shows_only && refused_at_once.is_none() && app.clear_left_over(args.timeout).await? == Waited::Yes {
        session.facts = app.read(async { Ok(session.look_again(topics).await) }).await?;
    } else {
        session.read_by(app, topics).await?;
    }
    let mut plan = plan(steps, &session.spec, &session.facts, &selection.goal());
    name_what_is_missing(app, selection, &mut plan);
    for words in goes_without(steps, &session.spec, &session.facts, selection) {
        app.printer.warn(&words);
    }
    let refused = refused.or_else(|| match selection.direction {
        Direction::Apply => unreadable(session, &plan).or_else(|| takes_away(session, selection, &plan)),
        Direction::Remove => before_removal::refused(session, &plan),
    });
    if args.print_commands {
        return print_commands(app, args.output, session, &plan, refused);
    }
    let page = args.report.as_deref().map(|path| ReportPage::new(app, path, session, steps, &findings));
    if let Some(page) = &page {
        match (page.planned(session, &plan, refused.as_ref()), &refused_at_once) {
            // What is refused anyway is said, and the page that there is not beside it.
            (Err(unwritten), Some(_)) => app.printer.warn(&unwritten.to_string()),
            (written, _) => written?,
        }
    }
    if let Some(error) = refused_at_once {
        return Err(error);
    }
    show(app, args, selection, &PlanReport { plan: &plan, checks: &findings, refused: refused.as_ref() })?;
    if args.dry_run {
        if let Some(error) = refused.as_ref().filter(|_| !args.output.is_machine()) {
            app.printer.warn(&format!("a run without --dry-run is refused: {error}"));
            error.hints.iter().for_each(|h| app.printer.status(&format!("  fix: {h}")));
        }
        return Ok(if plan.refused().next().is_some() || (args.exit_code && refused.is_some()) {
            Exit::Refused
        } else if args.exit_code && plan.has_changes() {
            Exit::Pending
        } else {
            Exit::Done
        });
    }
    if let Some(error) = refused_steps(&plan).or(refused) {
        return Err(error);
    }
    if !plan.has_changes() {
        tidy(app, session, selection).await;
        return finish_unchanged(app, args, &plan);
    }
    if !confirmed(app, args, &plan, steps).await? {
        app.printer.status("Nothing was changed.");
        return Ok(Exit::Done);
    }
    // Boxed, because it is part of every such command's future, and large.
    Box::pin(carry_out(app, args, session, steps, selection, &plan, page.as_ref())).await
}

fn show_warnings(app: &App, findings: &[Finding]) {
    let warnings: Vec<Finding> = findings.iter().filter(|f| f.result != Verdict::Fail).cloned().collect();
    show_findings(&app.printer, &warnings);
}

/// What the selected steps are judged by, and on the way up also the steps that they stand on.
pub(super) fn topics(steps: &[Box<dyn Step>], session: &Session, selection: &Selection) -> BTreeSet<Topic> {
    let mut judged = selection.steps.clone();
    if selection.direction == Direction::Apply {
        judged.extend(steps.iter().filter(|s| selection.steps.contains(&s.id())).flat_map(|s| s.needs(&session.spec)));
    }
    // A chart that could not be seen just now tells nothing of what is at stake.
    let may_tell = session.facts.cluster.known().is_some() && session.facts.chart_release.unread().is_none();
    let of_stake = if makes_stack_alone(selection) && may_tell { &AT_STAKE[..] } else { &[] };
    steps
        .iter()
        .filter(|s| judged.contains(&s.id()))
        .flat_map(|s| reads(s.as_ref(), selection.direction))
        .chain(of_stake)
        .copied()
        .collect()
}

/// By what is told whether the stack of another release takes something from the controller that works by it.
const AT_STAKE: [Topic; 3] = [Topic::Chart, Topic::Crds, Topic::ObjectsAtStake];

/// Whether the stack is changed, and the chart does not follow, whose step looks at what an upgrade loses.
fn makes_stack_alone(selection: &Selection) -> bool {
    selection.direction == Direction::Apply && selection.steps.contains(&StepId::Stack) && !selection.steps.contains(&StepId::Chart)
}

/// The refusal of a stack that takes permissions from the controller that works by it: to 0.33 those for Provisioners and their instance
/// profile go, and 1.1 and newer ask for a tag that 0.37 does not set. The chart is refused then, so that none follows.
fn takes_away(session: &Session, selection: &Selection, plan: &Plan) -> Option<Error> {
    let changes = |s: &crate::plan::Planned| s.id == StepId::Stack && matches!(s.action, Action::Update | Action::Adopt);
    if !makes_stack_alone(selection) || !plan.steps.iter().any(changes) {
        return None;
    }
    let error = refused_hop(&session.spec, &session.facts)?;
    Some(error.within(format!("the stack gives the permissions that the controller in {} works by", session.spec.cluster_name)))
}

/// What the selected steps go on without.
fn goes_without(steps: &[Box<dyn Step>], spec: &Spec, facts: &Facts, selection: &Selection) -> BTreeSet<String> {
    let selected = steps.iter().filter(|step| selection.steps.contains(&step.id()));
    selected.flat_map(|step| step.goes_without(spec, facts, selection.direction)).collect()
}

/// Says what of that came to be in a run; the rest was said with the plan.
pub(super) fn warn_of_lack(app: &App, steps: &[Box<dyn Step>], session: &Session, selection: &Selection, now: &Facts) {
    let told = goes_without(steps, &session.spec, &session.facts, selection);
    for words in goes_without(steps, &session.spec, now, selection).difference(&told) {
        app.printer.warn(words);
    }
}

/// A part of the way stands on what other steps have made: where that is not so, the hints say which command makes it.
fn name_what_is_missing(app: &App, selection: &Selection, plan: &mut Plan) {
    for planned in plan.steps.iter_mut().filter(|s| !s.missing.is_empty()) {
        planned.hints = next::makes(app, selection.name, &planned.missing);
    }
}

/// The failure of a run that would begin to change AWS although it cannot look into the cluster that is there.
fn unreadable(session: &Session, plan: &Plan) -> Option<Error> {
    let cluster = session.facts.cluster.known().filter(|c| c.endpoint.is_some() && c.status == "ACTIVE")?;
    let facts = &session.facts;
    let reason = [
        facts.aws_auth.unread(),
        facts.crd_release.unread(),
        facts.chart_release.unread(),
        facts.node_pool.unread(),
        facts.controller.unread(),
    ]
    .into_iter()
    .flatten()
    .find(|reason| plan.steps.iter().any(|s| s.action == Action::Create && s.why.iter().any(|why| why == reason)))?;
    Some(no_look(session, cluster, reason))
}

/// The failure of a run that would change what the Karpenter works by that is installed, by the rules of a release that it may not be.
fn unseen(session: &Session, selection: &Selection) -> Option<Error> {
    let reason = session.unseen.as_deref().filter(|_| selection.direction == Direction::Apply)?;
    let error =
        no_look(session, session.facts.cluster.known()?, reason).because("so it is not known which release of Karpenter is installed");
    // Only who looks into no cluster goes on without.
    let alone = !selection.steps.contains(&StepId::Cluster);
    Some(if alone { error.hint("or name the release that is installed: `--karpenter-version VERSION`") } else { error })
}

/// The failure to look into a cluster that is there.
pub(super) fn no_look(session: &Session, cluster: &ClusterFacts, reason: &str) -> Error {
    let error =
        Error::new(ErrorKind::Unreachable, format!("cannot look into the cluster {}; nothing was changed", session.spec.cluster_name))
            .because(reason);
    if session.kubeconfig.is_some() {
        return error.hint("check --kubeconfig, --context and KUBECONFIG: `kubectl config get-contexts`");
    }
    error.hint(format!("its endpoint is {}: it must be reachable from here", cluster.endpoint.as_deref().unwrap_or_default())).hint(
        format!(
            "`aws eks list-access-entries --region {} --cluster-name {}` shows who is let in",
            session.spec.region, session.spec.cluster_name
        ),
    )
}

/// A plan, and what the checks say of it.
#[derive(serde::Serialize)]
struct PlanReport<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    checks: &'a [Finding],
    /// Why a run would be refused for another reason than a step's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a Error>,
}

fn show(app: &App, args: &WayArgs, selection: &Selection, plan: &PlanReport<'_>) -> Result<()> {
    match args.output {
        Format::Human => show_plan(&app.printer, selection.name, plan.plan),
        Format::Json if args.dry_run => app.printer.document(&json(plan, Pretty::Yes)?),
        Format::Json => {}
        Format::Ndjson => {
            let time = jiff::Timestamp::now().to_string();
            let event = serde_json::json!({"schema": "karpctl/event/v1", "time": time, "event": "plan", "plan": plan});
            app.printer.document(&json(&event, Pretty::No)?);
        }
    }
    Ok(())
}

/// The refusal that follows from the steps that are refused, where any is.
pub(super) fn refused_steps(plan: &Plan) -> Option<Error> {
    let refused: Vec<_> = plan.refused().collect();
    let first = refused.first()?;
    let mut error = Error::refused(match refused.len() {
        1 => format!("{} cannot be done; nothing was changed", first.title),
        many => format!("{many} of {} steps cannot be done; nothing was changed", plan.steps.len()),
    });
    for step in &refused {
        for why in &step.why {
            error = error.because(format!("{}: {why}", step.id));
        }
        for hint in &step.hints {
            if !error.hints.contains(hint) {
                error = error.hint(hint.clone());
            }
        }
    }
    Some(error)
}

fn finish_unchanged(app: &App, args: &WayArgs, plan: &Plan) -> Result<Exit> {
    if args.output == Format::Ndjson {
        // Who reads events waits for the one that ends the run.
        let reporter = RunReporter::new(&app.printer, args.output, None);
        reporter.show(&Event::RunStarted { changes: 0 });
        reporter.show(&Event::RunFinished { ok: true, elapsed_ms: 0 });
    }
    if args.output == Format::Json {
        let report = RunReporter::new(&app.printer, args.output, None).finish(plan, true);
        app.printer.document(&json(&report, Pretty::Yes)?);
    }
    Ok(Exit::Done)
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted; nothing was changed")
}

async fn confirmed(app: &App, args: &WayArgs, plan: &Plan, steps: &[Box<dyn Step>]) -> Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() || args.output.is_machine() {
        return Err(Error::usage("there is nobody to ask whether to go on")
            .hint("add --yes to go on without asking, or --dry-run to see the plan only"));
    }
    loop {
        let Some(line) = line(app, "Go on? [y]es / [N]o / [e]xplain: ").await else {
            return if app.cancel.is_cancelled() { Err(interrupted()) } else { Ok(false) };
        };
        match line.to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "e" | "explain" => explain_plan(&app.printer, plan, |id| steps.iter().find(|s| s.id() == id).map_or("", |s| s.explain())),
            "" | "n" | "no" => return Ok(false),
            other => app.printer.status(&format!("`{other}` is none of yes, no, explain")),
        }
    }
}
