//! What follows when a plan was agreed to: it is carried out, and how that ended is said.

use super::afterwards::{after_part, afterwards, way_back};
use super::answer::{Pretty, json};
use super::next;
use super::parts::Part;
use super::report_page::ReportPage;
use super::session::Session;
use super::way::{Selection, WayArgs, topics, warn_of_lack};
use crate::app::App;
use crate::engine::{self, Claim, Hold, Run, Timing, execute};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::facts::Facts;
use crate::plan::{Action, Direction, Event, Outcome, Plan, State, StepId};
use crate::report::{Format, Journal, RunReport, RunReporter, StepReport, show_error};
use crate::spec::Spec;
use crate::steps::{Step, owner_tags};
use crate::wording::counted;

/// Carries the plan out. The exit is that of the [worst] that happened.
pub(super) async fn carry_out(
    app: &App,
    args: &WayArgs,
    session: &Session,
    steps: &[Box<dyn Step>],
    selection: &Selection,
    plan: &Plan,
    page: Option<&ReportPage<'_>>,
) -> Result<Exit> {
    let spec = &session.spec;
    let (account, region, cluster) = (spec.account_id.as_str(), spec.region.as_str(), spec.cluster_name.as_str());
    match app.clear_left_over(args.timeout).await {
        Err(e) if e.kind == ErrorKind::Interrupted => return Ok(interrupted(app, args, &e)),
        other => _ = other?,
    }
    let state_home = app.env.state_home.as_deref();
    let journal = match (Journal::open(state_home, account, region, cluster), state_home) {
        (Ok(Some(journal)), _) => Some(journal),
        (Err(e), Some(folder)) => {
            app.printer.warn(&format!("no journal is kept in {}: {e}", folder.display()));
            None
        }
        _ => {
            app.printer.warn("no journal is kept: neither XDG_STATE_HOME nor HOME says where");
            None
        }
    };
    let journal_path = journal.as_ref().map(|j| j.path().display().to_string());
    let reporter = RunReporter::new(&app.printer, args.output, journal);
    let claim = app.claim(selection.name);
    let say = |words: &str| app.printer.status(words);
    let hold = hold(app, session, &claim, &say);
    let id = match hold.take().await {
        Err(e) if e.kind == ErrorKind::Interrupted => return Ok(interrupted(app, args, &e)),
        other => other?,
    };
    let on_event = |event: &Event| {
        reporter.show(event);
        if let (Some(page), Event::RunStarted { .. } | Event::StepFinished { .. }) = (page, event) {
            page.running(spec, &session.facts, &reporter.so_far(plan));
        }
    };
    let work = async {
        // Until now another run may have been at work: what was agreed to must still be what there is to do.
        let facts = session.look_again(topics(steps, session, selection)).await;
        if let Some(changed) = changed_meanwhile(plan, &engine::plan(steps, spec, &facts, &selection.goal())) {
            return Err(changed);
        }
        let run = Run {
            steps,
            spec,
            ports: &session.ports,
            on_event: &on_event,
            cancel: &app.cancel,
            ownership: selection.ownership,
            kubeconfig: session.kubeconfig.as_ref(),
            timeout: args.timeout,
        };
        Ok(execute(&run, plan, facts).await)
    };
    let ended = tokio::select! {
        ended = work => Ok(ended),
        lost = hold.keep(&id) => Err(lost),
    };
    let close = |reporter: RunReporter<'_>, facts: &Facts, ok: bool| -> Result<RunReport> {
        let report = reporter.finish(plan, ok);
        if let Some(page) = page {
            page.over(spec, facts, &report);
        }
        if args.output == Format::Json {
            app.printer.document(&json(&report, Pretty::Yes)?);
        }
        Ok(report)
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(lost) => {
            close(reporter, &session.facts, false)?;
            return Err(lost);
        }
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(changed) => {
            hold.release(&id).await?;
            return Err(changed.hint(format!("run it again: `{}`", next::command_line(app, selection.name, selection.name))));
        }
    };
    let let_go = hold.release(&id).await;
    warn_of_lack(app, steps, session, selection, &outcome.facts);
    let report = close(reporter, &outcome.facts, outcome.ok())?;
    if let Err(e) = let_go {
        let error =
            e.within(format!("could not let go of cluster {cluster}")).hint("the next karpctl on this machine takes over by itself");
        show_error(&app.printer, args.output, &error);
        if outcome.ok() {
            return Ok(Exit::Failed);
        }
    }
    if outcome.ok() {
        if args.output == Format::Human {
            let words = done(plan.direction, spec, selection, &left_alone(steps, spec, selection, &outcome.facts));
            app.printer.told(&format!("{words} ({:.0} s)", std::time::Duration::from_millis(report.elapsed_ms).as_secs_f64()));
            if let Some(part) = Part::ALL.into_iter().find(|part| part.name() == selection.name) {
                after_part(app, spec, &outcome.facts, part);
            } else if StepId::ALL.iter().all(|step| selection.steps.contains(step)) {
                afterwards(app, spec, &outcome.facts);
            }
        }
        return Ok(Exit::Done);
    }
    let failures = interrupted_once(outcome.failures);
    let exit = worst(app, &failures, &report);
    let again = next::command_line(app, selection.name, selection.name);
    if args.output == Format::Human {
        app.printer.status(&how_far(report.steps.iter().map(|step| &step.outcome)));
    }
    // Of a cluster that was there before nobody is told how to take it away.
    let to_make = plan.steps.iter().any(|step| step.id == StepId::Cluster && step.action == Action::Create);
    let made = |step: &StepReport| step.step == StepId::Cluster && matches!(step.outcome, Outcome::Done);
    let way_back = (to_make && report.steps.iter().any(made)).then(|| way_back(app, spec, &outcome.facts));
    let after = After { again, journal: journal_path, way_back };
    say_failures(app, args.output, failures, plan.direction, exit, &after);
    Ok(exit)
}

/// What there is to do after a run that failed.
struct After {
    /// The command that goes on from where it ended.
    again: String,
    /// The file that has what happened.
    journal: Option<String>,
    /// The command that takes away what costs money meanwhile.
    way_back: Option<String>,
}

/// How far a run got, in words.
fn how_far<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let mut ends = [("done", 0), ("with nothing to do", 0), ("failed", 0), ("not run", 0)];
    for outcome in outcomes {
        let end = match outcome {
            Outcome::Done => 0,
            Outcome::Kept => 1,
            Outcome::Failed { .. } => 2,
            Outcome::NotRun { .. } => 3,
        };
        ends[end].1 += 1;
    }
    let steps = ends.iter().map(|(_, many)| many).sum();
    let ends: Vec<String> = ends.iter().filter(|(_, many)| *many > 0).map(|(end, many)| format!("{many} {end}")).collect();
    format!("{}: {}", counted(steps, "step"), ends.join(", "))
}

/// Says what failed. What helps against all of them is said once, at the end.
fn say_failures(app: &App, output: Format, failures: Vec<Error>, direction: Direction, exit: Exit, after: &After) {
    let last = failures.len().saturating_sub(1);
    let run = if failures.iter().all(|error| error.hints.is_empty()) { "run" } else { "then run" };
    for (number, mut error) in failures.into_iter().enumerate() {
        if number == last {
            error = error.hint(format!("{run} it again: `{}`; what is done is kept, and it goes on from here", after.again));
            if exit == app.interrupted() {
                let goes_on = match direction {
                    Direction::Apply => "stacks, clusters and node groups that were being made are finished",
                    Direction::Remove => "what was being deleted goes on being deleted",
                };
                error = error.hint(format!("what AWS has begun goes on by itself: {goes_on}"));
            }
            if let Some(way_back) = &after.way_back {
                error = error.hint(format!("the cluster costs money meanwhile; `{way_back}` takes away what was made"));
            }
            if let Some(path) = &after.journal {
                error = error.hint(format!("what happened is in {path}"));
            }
        }
        show_error(&app.printer, output, &error);
    }
}

/// The exit of a run that failed: an interruption goes before a failure, and a failure before a refusal, which says that nothing was changed.
fn worst(app: &App, failures: &[Error], report: &RunReport) -> Exit {
    let changed = report.steps.iter().any(|step| step.outcome == Outcome::Done);
    if failures.iter().any(|error| error.kind == ErrorKind::Interrupted) {
        app.interrupted()
    } else if !changed && failures.iter().all(|error| error.exit() == Exit::Refused) {
        Exit::Refused
    } else {
        Exit::Failed
    }
}

/// What of the selected steps is there and stays on the way back.
fn left_alone(steps: &[Box<dyn Step>], spec: &Spec, selection: &Selection, facts: &Facts) -> Vec<String> {
    let selected = steps.iter().filter(|step| selection.steps.contains(&step.id()));
    let stay = selected.filter(|step| matches!(step.assess_removal(spec, facts), State::Foreign { .. } | State::Blocked { .. }));
    stay.map(|step| step.title(spec)).collect()
}

/// What there is now. `left`: what stays on the way back.
fn done(direction: Direction, spec: &Spec, selection: &Selection, left: &[String]) -> String {
    match direction {
        // Only a way that ends with the look at the controller and the node pool can say that they work.
        Direction::Apply if selection.steps.contains(&StepId::Ready) => {
            format!("Karpenter {} is at work in {}.", spec.release, spec.cluster_name)
        }
        Direction::Apply if selection.steps.contains(&StepId::NodeGroups) => {
            format!("Karpenter makes the nodes of {} now.", spec.cluster_name)
        }
        Direction::Remove if selection.steps.contains(&StepId::NodeGroups) => {
            format!("The node groups of {} are as they were before.", spec.cluster_name)
        }
        Direction::Apply => format!("`karpctl {}` is done for {}.", selection.name, spec.cluster_name),
        // Not everything is gone that the name of the command may have promised.
        Direction::Remove if !left.is_empty() => format!(
            "`karpctl {}` is done for {} in {} of account {}; what stays: {}.",
            selection.name,
            spec.cluster_name,
            spec.region,
            spec.account_id,
            left.join(", ")
        ),
        Direction::Remove => {
            format!("What karpctl made for {} in {} of account {} is gone.", spec.cluster_name, spec.region, spec.account_id)
        }
    }
}

fn hold<'a>(app: &'a App, session: &'a Session, claim: &'a Claim, say: &'a (dyn Fn(&str) + Send + Sync)) -> Hold<'a> {
    Hold {
        ports: &session.ports,
        spec: &session.spec,
        tags: owner_tags(&session.spec),
        claim,
        lives: &App::lives,
        say,
        cancel: &app.cancel,
        timing: Timing::default(),
    }
}

/// The refusal of a plan that leaves alone what by now is not as it should be: somebody was at work between the look and the hold. What
/// the plan changes is looked at again by each step.
fn changed_meanwhile(agreed: &Plan, now: &Plan) -> Option<Error> {
    let left_alone =
        |id: StepId| agreed.steps.iter().find(|s| s.id == id).is_none_or(|s| matches!(s.action, Action::Keep | Action::Absent));
    let is_fine = |action: Action| matches!(action, Action::Keep | Action::Absent | Action::Wait);
    let others: Vec<String> = now.steps.iter().filter(|s| left_alone(s.id) && !is_fine(s.action)).map(|s| format!("`{}`", s.id)).collect();
    let error = Error::refused("what there is to do has changed since the plan was made; this run has changed nothing");
    (!others.is_empty())
        .then(|| error.because(format!("somebody else was at work meanwhile: {} is not as it was any more", others.join(", "))))
}

/// An interruption before anything was begun.
fn interrupted(app: &App, args: &WayArgs, error: &Error) -> Exit {
    show_error(&app.printer, args.output, error);
    app.interrupted()
}

/// When there is nothing to do, what a run of this machine that was killed has left behind still goes: nobody takes over from it.
pub(super) async fn tidy(app: &App, session: &Session, selection: &Selection) {
    // It is only cleared away: who may not, or cannot be reached, has lost nothing.
    let _ = app.clear_left_over(std::time::Duration::ZERO).await;
    let claim = app.claim(selection.name);
    let _ = hold(app, session, &claim, &|_| {}).clear_dead().await;
}

/// The failures; steps that the same interruption stopped are said in one.
fn interrupted_once(failures: Vec<(StepId, Error)>) -> Vec<Error> {
    let (stopped, mut others): (Vec<_>, Vec<_>) = failures.into_iter().partition(|(_, e)| e.kind == ErrorKind::Interrupted);
    let steps = stopped.iter().map(|(id, _)| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let mut stopped = stopped.into_iter();
    if let Some((id, first)) = stopped.next() {
        let mut all = first.within(format!("interrupted in {steps}"));
        for error in stopped.map(|(_, e)| e) {
            let said = std::iter::once(error.message).chain(error.causes).filter(|cause| !all.causes.contains(cause)).collect::<Vec<_>>();
            all = said.into_iter().fold(all, Error::because);
            all.hints.extend(error.hints.into_iter().filter(|hint| !all.hints.contains(hint)).collect::<Vec<_>>());
        }
        others.push((id, all));
    }
    others.into_iter().map(|(_, error)| error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_interruption_is_one_error() {
        let waiting = || Error::new(ErrorKind::Interrupted, "interrupted while waiting");
        let failures = vec![
            (StepId::Stack, waiting().hint("CloudFormation goes on by itself")),
            (StepId::SpotRole, Error::failed("no")),
            (StepId::Cluster, waiting()),
        ];
        let errors = interrupted_once(failures);
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[1].message, "interrupted in `stack`, `cluster`");
        assert_eq!(errors[1].causes, ["interrupted while waiting"]);
        assert_eq!(errors[1].hints, ["CloudFormation goes on by itself"]);
    }

    #[test]
    fn how_far_a_run_got_is_counted() {
        let failed = || Outcome::Failed { error: Error::failed("no") };
        let not_run = || Outcome::NotRun { reason: "stack failed".into() };
        let outcomes = [Outcome::Kept, Outcome::Done, failed(), not_run(), not_run()];
        assert_eq!(how_far(outcomes.iter()), "5 steps: 1 done, 1 with nothing to do, 1 failed, 2 not run");
        assert_eq!(how_far([failed()].iter()), "1 step: 1 failed");
    }

    fn plan(chart: Action) -> Plan {
        let step = |id: &str, action: Action| {
            serde_json::json!({
                "id": id, "title": id, "action": action, "why": [], "hints": [], "needs": [], "usual_seconds": 1, "commands": [], "missing": [],
            })
        };
        let steps = [step("stack", Action::Keep), step("chart", chart)];
        serde_json::from_value(serde_json::json!({
            "schema": "karpctl/plan/v1", "direction": Direction::Apply, "cluster": "demo", "region": "us-west-2", "account": "111122223333", "karpenter": "1.14.1", "steps": steps,
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_that_leaves_alone_what_changed_is_not_carried_out() {
        for (agreed, now) in
            [(Action::Keep, Action::Keep), (Action::Keep, Action::Wait), (Action::Create, Action::Keep), (Action::Update, Action::Create)]
        {
            assert_eq!(changed_meanwhile(&plan(agreed), &plan(now)), None, "{agreed:?} {now:?}");
        }
        for now in [Action::Create, Action::Update, Action::Refuse] {
            let error = changed_meanwhile(&plan(Action::Keep), &plan(now)).unwrap();
            assert_eq!(error.exit(), Exit::Refused);
            assert!(error.causes[0].contains("`chart` is not as it was"), "{error:?}");
        }
    }
}
