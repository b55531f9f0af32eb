//! The one way in which every command that changes something goes: read, plan, show, ask, do, say.

use super::session::{Session, refusal};
use crate::app::App;
use crate::engine::{Goal, Run, execute, plan, reads};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::facts::Topic;
use crate::finding::{Finding, Verdict};
use crate::plan::{Direction, Plan, StepId};
use crate::report::{Format, Journal, RunReporter, commands, explain_plan, show_error, show_findings, show_plan};
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
    /// How long one wait may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

impl WayArgs {
    fn ownership(&self) -> Ownership {
        if self.adopt { Ownership::Adopt } else { Ownership::OursOnly }
    }
}

/// Goes the way for these steps in this direction.
pub(super) async fn go(
    app: &App,
    args: &WayArgs,
    session: &mut Session,
    steps: &[Box<dyn Step>],
    select: BTreeSet<StepId>,
    direction: Direction,
) -> Result<Exit> {
    let findings = match direction {
        Direction::Apply => session.preflight(),
        Direction::Remove => Vec::new(),
    };
    show_warnings(app, &findings);
    let refused = refusal(&findings);
    if let Some(error) = refused.clone().filter(|_| !args.dry_run && !args.print_commands) {
        return Err(error);
    }
    session.read(topics(steps, &select, direction)).await;
    let goal = Goal { select, direction, ownership: args.ownership() };
    let plan = plan(steps, &session.spec, &session.facts, &goal);
    if args.print_commands {
        app.printer.answer(&commands(&plan));
        return Ok(Exit::Done);
    }
    show(app, args, &plan)?;
    if args.dry_run {
        if let Some(error) = refused {
            app.printer.warn(&format!("a run without --dry-run is refused: {error}"));
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
    if let Some(error) = refused_steps(&plan) {
        return Err(error);
    }
    if !plan.has_changes() {
        return finish_unchanged(app, args, &plan);
    }
    if !confirmed(app, args, &plan, steps)? {
        app.printer.status("Nothing was changed.");
        return Ok(Exit::Done);
    }
    carry_out(app, args, session, steps, &plan).await
}

fn show_warnings(app: &App, findings: &[Finding]) {
    let warnings: Vec<Finding> = findings.iter().filter(|f| f.result != Verdict::Fail).cloned().collect();
    show_findings(&app.printer, &warnings);
}

/// What the selected steps are judged by, and what all steps need that are judged beside them.
fn topics(steps: &[Box<dyn Step>], select: &BTreeSet<StepId>, direction: Direction) -> BTreeSet<Topic> {
    steps.iter().filter(|s| select.contains(&s.id())).flat_map(|s| reads(s.as_ref(), direction).iter().copied()).collect()
}

fn show(app: &App, args: &WayArgs, plan: &Plan) -> Result<()> {
    match args.output {
        Format::Human => show_plan(&app.printer, plan),
        Format::Json if args.dry_run => app.printer.answer(&json(plan, Pretty::Yes)?),
        Format::Json => {}
        Format::Ndjson => {
            app.printer.answer(&json(&serde_json::json!({"schema": "karpctl/event/v1", "event": "plan", "plan": plan}), Pretty::No)?);
        }
    }
    Ok(())
}

fn refused_steps(plan: &Plan) -> Option<Error> {
    let refused: Vec<_> = plan.refused().collect();
    let first = refused.first()?;
    let mut error = Error::refused(format!("{} cannot be done", first.title));
    for step in &refused {
        for why in &step.why {
            error = error.because(format!("{}: {why}", step.id));
        }
        error = step.hints.iter().fold(error, |e, h| e.hint(h.clone()));
    }
    Some(error)
}

fn finish_unchanged(app: &App, args: &WayArgs, plan: &Plan) -> Result<Exit> {
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

async fn carry_out(app: &App, args: &WayArgs, session: &Session, steps: &[Box<dyn Step>], plan: &Plan) -> Result<Exit> {
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
            timeout: Duration::from_secs(args.timeout),
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
                Direction::Apply => format!("Karpenter {} is at work in {}.", spec.release, spec.cluster_name),
                Direction::Remove => format!("What karpctl made for {} is gone.", spec.cluster_name),
            };
            app.printer.answer(&format!("{words} ({:.0} s)", std::time::Duration::from_millis(report.elapsed_ms).as_secs_f64()));
        }
        return Ok(Exit::Done);
    }
    let verb = match plan.direction {
        Direction::Apply => "bootstrap",
        Direction::Remove => "destroy",
    };
    let again = format!(
        "run `karpctl {verb} --cluster-name {} --region {}` again: what is done is kept, it goes on from here",
        spec.cluster_name, spec.region
    );
    let mut exit = Exit::Failed;
    for (_, error) in outcome.failures {
        if error.kind == ErrorKind::Interrupted {
            exit = app.interrupted();
        } else if error.exit() == Exit::Refused {
            exit = Exit::Refused;
        }
        let error = match &journal_path {
            Some(path) => error.hint(again.clone()).hint(format!("what happened is in {path}")),
            None => error.hint(again.clone()),
        };
        let error = if error.kind == ErrorKind::Interrupted {
            error.hint("what AWS has begun goes on by itself: stacks, clusters and node groups that were being made are finished")
        } else {
            error
        };
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
