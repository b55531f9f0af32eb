//! The one way in which every command that changes something goes: read, plan, show, ask, do, say.

use super::next;
use super::session::{Session, refusal};
use super::verify::parse_duration;
use crate::app::App;
use crate::engine::{Goal, Run, execute, plan, reads};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::facts::{Probed, Topic};
use crate::finding::{Finding, Verdict};
use crate::plan::{Action, Direction, Event, Plan, State, StepId};
use crate::ports::ClusterAccess;
use crate::report::{Format, Journal, RunReporter, commands, explain_plan, show_error, show_findings, show_plan, summary};
use crate::steps::{Ownership, Step};
use clap::Args;
use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
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
    /// With --dry-run: end with 3 where changes are pending
    #[arg(long, requires = "dry_run")]
    pub exit_code: bool,
    /// Take over what is there but not ours
    #[arg(long)]
    pub adopt: bool,
    /// Print the shell (aws, eksctl, helm, kubectl) that the plan stands for, and change nothing
    #[arg(long)]
    pub print_commands: bool,
    /// How long one wait may take, such as 90s or 15m
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

impl WayArgs {
    fn ownership(&self) -> Ownership {
        if self.adopt { Ownership::Adopt } else { Ownership::OursOnly }
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
}

/// Goes the way for the selected steps.
pub(super) async fn go(app: &App, args: &WayArgs, session: &mut Session, steps: &[Box<dyn Step>], selection: &Selection) -> Result<Exit> {
    let findings = match selection.direction {
        Direction::Apply => session.preflight(),
        Direction::Remove => Vec::new(),
    };
    show_warnings(app, &findings);
    let refused = refusal(&findings);
    if let Some(error) = refused.clone().filter(|_| !args.dry_run && !args.print_commands) {
        return Err(error);
    }
    session.read(topics(steps, session, selection)).await;
    let goal = Goal { select: selection.steps.clone(), direction: selection.direction, ownership: args.ownership() };
    let mut plan = plan(steps, &session.spec, &session.facts, &goal);
    name_what_is_missing(app, session, steps, selection, &mut plan);
    if args.print_commands {
        return Ok(print_commands(app, session, &plan));
    }
    show(app, args, selection, &plan)?;
    let refused = refused.or_else(|| unreadable(session, &plan));
    if args.dry_run {
        if let Some(error) = refused {
            app.printer.warn(&format!("a run without --dry-run fails: {error}"));
            error.hints.iter().for_each(|h| app.printer.status(&format!("  fix: {h}")));
        }
        return Ok(if plan.refused().next().is_some() {
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
        return finish_unchanged(app, args, &plan);
    }
    if !confirmed(app, args, &plan, steps)? {
        app.printer.status("Nothing was changed.");
        return Ok(Exit::Done);
    }
    carry_out(app, args, session, steps, selection, &plan).await
}

fn show_warnings(app: &App, findings: &[Finding]) {
    let warnings: Vec<Finding> = findings.iter().filter(|f| f.result != Verdict::Fail).cloned().collect();
    show_findings(&app.printer, &warnings);
}

/// What the selected steps are judged by, and on the way up also the steps that they stand on.
fn topics(steps: &[Box<dyn Step>], session: &Session, selection: &Selection) -> BTreeSet<Topic> {
    let mut judged = selection.steps.clone();
    if selection.direction == Direction::Apply {
        judged.extend(steps.iter().filter(|s| selection.steps.contains(&s.id())).flat_map(|s| s.needs(&session.spec)));
    }
    steps.iter().filter(|s| judged.contains(&s.id())).flat_map(|s| reads(s.as_ref(), selection.direction).iter().copied()).collect()
}

/// A part of the way stands on what other steps have made: where that is not so, the hints say which command makes it.
fn name_what_is_missing(app: &App, session: &Session, steps: &[Box<dyn Step>], selection: &Selection, plan: &mut Plan) {
    let missing = |id: StepId| {
        steps
            .iter()
            .find(|s| s.id() == id)
            .is_some_and(|step| matches!(step.assess(&session.spec, &session.facts), State::Absent | State::Broken(_) | State::Unknown(_)))
    };
    if selection.direction == Direction::Remove {
        return;
    }
    for planned in plan.steps.iter_mut().filter(|s| s.action == Action::Refuse) {
        let needs = steps.iter().find(|s| s.id() == planned.id).map(|s| s.needs(&session.spec)).unwrap_or_default();
        let unmet: Vec<StepId> = needs.into_iter().filter(|id| !selection.steps.contains(id) && missing(*id)).collect();
        if !unmet.is_empty() {
            planned.hints = next::makes(app, selection.name, &unmet);
        }
    }
}

/// The failure of a run that would begin to change AWS although it cannot look into the cluster that is there.
fn unreadable(session: &Session, plan: &Plan) -> Option<Error> {
    let cluster = session.facts.cluster.known().filter(|c| c.endpoint.is_some() && c.status == "ACTIVE")?;
    let facts = &session.facts;
    let reason = [
        unavailable(&facts.aws_auth),
        unavailable(&facts.crd_release),
        unavailable(&facts.chart_release),
        unavailable(&facts.node_pool),
        unavailable(&facts.controller),
    ]
    .into_iter()
    .flatten()
    .find(|reason| plan.steps.iter().any(|s| s.action == Action::Create && s.why.iter().any(|why| why == reason)))?;
    let error =
        Error::new(ErrorKind::Unreachable, format!("cannot look into the cluster {}; nothing was changed", session.spec.cluster_name))
            .because(reason);
    Some(if session.kubeconfig.is_some() {
        error.hint("check --kubeconfig, --context and KUBECONFIG: `kubectl config get-contexts`")
    } else {
        error.hint(format!("its endpoint is {}: it must be reachable from here", cluster.endpoint.as_deref().unwrap_or_default())).hint(
            format!(
                "`aws eks list-access-entries --region {} --cluster-name {}` shows who is let in",
                session.spec.region, session.spec.cluster_name
            ),
        )
    })
}

fn unavailable<T>(probed: &Probed<T>) -> Option<&str> {
    match probed {
        Probed::Unavailable(reason) => Some(reason),
        _ => None,
    }
}

/// Prints the shell that the plan stands for, and why it would be refused.
fn print_commands(app: &App, session: &Session, plan: &Plan) -> Exit {
    if let Some(error) = refused_steps(plan) {
        app.printer.warn(&format!("without --print-commands this is refused: {error}"));
        error.hints.iter().for_each(|h| app.printer.status(&format!("  hint: {h}")));
    }
    let shell = commands(plan, &kubeconfig_commands(session));
    if shell.is_empty() {
        app.printer.status(&summary(plan));
    } else {
        app.printer.answer(&shell);
    }
    Exit::Done
}

/// What makes helm and kubectl speak to this cluster and no other.
fn kubeconfig_commands(session: &Session) -> Vec<String> {
    match &session.kubeconfig {
        Some(ClusterAccess::Kubeconfig { path, context }) => {
            let mut lines: Vec<String> = path.iter().map(|p| format!("export KUBECONFIG='{}'", p.display())).collect();
            lines.extend(context.iter().map(|c| format!("kubectl config use-context '{c}'")));
            lines
        }
        _ => vec![format!("aws eks update-kubeconfig --region {} --name {}", session.spec.region, session.spec.cluster_name)],
    }
}

fn show(app: &App, args: &WayArgs, selection: &Selection, plan: &Plan) -> Result<()> {
    match args.output {
        Format::Human => show_plan(&app.printer, selection.name, plan),
        Format::Json if args.dry_run => app.printer.answer(&json(plan, Pretty::Yes)?),
        Format::Json => {}
        Format::Ndjson => {
            let time = jiff::Timestamp::now().to_string();
            let event = serde_json::json!({"schema": "karpctl/event/v1", "time": time, "event": "plan", "plan": plan});
            app.printer.answer(&json(&event, Pretty::No)?);
        }
    }
    Ok(())
}

fn refused_steps(plan: &Plan) -> Option<Error> {
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
        app.printer.answer(&json(&report, Pretty::Yes)?);
    }
    Ok(Exit::Done)
}

fn confirmed(app: &App, args: &WayArgs, plan: &Plan, steps: &[Box<dyn Step>]) -> Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() || args.output.is_machine() {
        return Err(Error::usage("there is nobody to ask whether to go on")
            .hint("add --yes to go on without asking, or --dry-run to see the plan only"));
    }
    loop {
        app.printer.ask("Go on? [y]es / [N]o / [e]xplain: ");
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).unwrap_or(0);
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "e" | "explain" => explain_plan(&app.printer, plan, |id| steps.iter().find(|s| s.id() == id).map_or("", |s| s.explain())),
            _ if read == 0 => return Ok(false),
            "" | "n" | "no" => return Ok(false),
            other => app.printer.status(&format!("`{other}` is none of yes, no, explain")),
        }
    }
}

async fn carry_out(
    app: &App,
    args: &WayArgs,
    session: &Session,
    steps: &[Box<dyn Step>],
    selection: &Selection,
    plan: &Plan,
) -> Result<Exit> {
    let spec = &session.spec;
    let journal = Journal::open(app.env.state_home.as_deref(), spec.account_id.as_str(), spec.region.as_str(), spec.cluster_name.as_str());
    let journal_path = journal.as_ref().map(|j| j.path().display().to_string());
    let reporter = RunReporter::new(&app.printer, args.output, journal);
    let outcome = {
        let run = Run {
            steps,
            spec,
            ports: &session.ports,
            on_event: &|event| reporter.show(event),
            cancel: &app.cancel,
            ownership: args.ownership(),
            kubeconfig: session.kubeconfig.as_ref(),
            timeout: args.timeout,
        };
        execute(&run, plan, session.facts.clone()).await
    };
    let report = reporter.finish(plan, outcome.ok());
    if args.output == Format::Json {
        app.printer.answer(&json(&report, Pretty::Yes)?);
    }
    if outcome.ok() {
        if args.output == Format::Human {
            let words = match plan.direction {
                // Only a way that ends with the look at the controller and the node pool can say that they work.
                Direction::Apply if selection.steps.contains(&StepId::Ready) => {
                    format!("Karpenter {} is at work in {}.", spec.release, spec.cluster_name)
                }
                Direction::Apply => format!("`karpctl {}` is done for {}.", selection.name, spec.cluster_name),
                Direction::Remove => format!("What karpctl made for {} is gone.", spec.cluster_name),
            };
            app.printer.answer(&format!("{words} ({:.0} s)", std::time::Duration::from_millis(report.elapsed_ms).as_secs_f64()));
        }
        return Ok(Exit::Done);
    }
    let again = next::command_line(app, selection.name, selection.name);
    let mut exit = Exit::Failed;
    let last = outcome.failures.len().saturating_sub(1);
    for (number, (_, mut error)) in outcome.failures.into_iter().enumerate() {
        if error.kind == ErrorKind::Interrupted {
            exit = app.interrupted();
        } else if error.exit() == Exit::Refused {
            exit = Exit::Refused;
        }
        // What helps against all of them is said once, at the end.
        if number == last {
            error = error.hint(format!("then run it again: `{again}`; what is done is kept, and it goes on from here"));
            if exit == app.interrupted() {
                error =
                    error.hint("what AWS has begun goes on by itself: stacks, clusters and node groups that were being made are finished");
            }
            if let Some(path) = &journal_path {
                error = error.hint(format!("what happened is in {path}"));
            }
        }
        show_error(&app.printer, args.output, &error);
    }
    Ok(exit)
}

/// Whether JSON is for eyes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pretty {
    /// Indented.
    Yes,
    /// One line.
    No,
}

/// A document as JSON.
pub(super) fn json(value: &impl serde::Serialize, pretty: Pretty) -> Result<String> {
    match pretty {
        Pretty::Yes => serde_json::to_string_pretty(value),
        Pretty::No => serde_json::to_string(value),
    }
    .map_err(|e| Error::failed("cannot write the answer as JSON").because(e.to_string()))
}
