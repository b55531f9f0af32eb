//! How everything stands, for a person or a program.

use super::printer::{BAD, BOLD, CARE, FAINT, GOOD, Printer, Verbosity, styled};
use crate::plan::{State, StepId};
use serde::Serialize;

/// The schema id of a [`StatusReport`].
const SCHEMA: &str = "karpctl/status/v1";

/// How everything stands.
#[derive(Debug, Clone, Serialize)]
pub struct StatusReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The cluster.
    pub cluster: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The Karpenter release that the spec asks for.
    pub karpenter: String,
    /// The cluster's Kubernetes version.
    pub kubernetes: String,
    /// Whether everything is as the spec says.
    pub converged: bool,
    /// A row a step.
    pub steps: Vec<StepStatus>,
}

/// How one step's object stands.
#[derive(Debug, Clone, Serialize)]
pub struct StepStatus {
    /// Which step.
    pub step: StepId,
    /// What it is about.
    pub title: String,
    /// How it stands.
    pub state: State,
}

impl StatusReport {
    /// A report of these rows; steps that the spec does not ask for are left out.
    #[must_use]
    pub fn new(spec: &crate::spec::Spec, steps: Vec<StepStatus>) -> Self {
        let steps: Vec<StepStatus> = steps.into_iter().filter(|s| s.state != State::NotWanted).collect();
        Self {
            schema: SCHEMA,
            cluster: spec.cluster_name.to_string(),
            region: spec.region.to_string(),
            account: spec.account_id.to_string(),
            karpenter: spec.release.to_string(),
            kubernetes: spec.kubernetes.to_string(),
            converged: steps.iter().all(|s| s.state == State::Present),
            steps,
        }
    }

    /// Whether a step is known not to be as the spec says; one that could not be looked at may be.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.steps.iter().any(|s| !matches!(s.state, State::Present | State::Unknown(_)))
    }
}

fn heading(report: &StatusReport) -> String {
    let place = format!("{} in {} of account {}", report.cluster, report.region, report.account);
    styled(BOLD, format!("{place} (Kubernetes {}, Karpenter {})", report.kubernetes, report.karpenter))
}

/// Prints the report to stdout for a person; `bootstrap` is the command that brings what is missing. Quietly it is only what is not as the
/// spec says.
pub fn show_status(printer: &Printer, report: &StatusReport, bootstrap: &str) {
    let quiet = printer.verbosity() == Verbosity::Quiet;
    let row_counts = |row: &&StepStatus| !quiet || row.state != State::Present;
    if !quiet {
        printer.answer(&heading(report));
    }
    for row in report.steps.iter().filter(row_counts) {
        let (word, style, lines) = match &row.state {
            State::Present | State::NotWanted => ("present", GOOD, Vec::new()),
            State::Absent => ("absent", FAINT, Vec::new()),
            State::Drifted(changes) => ("drifted", CARE, changes.clone()),
            State::Foreign { why, .. } => ("foreign", BAD, vec![why.clone()]),
            State::Blocked { why, .. } => ("blocked", BAD, vec![why.clone()]),
            State::Busy(what) => ("busy", CARE, vec![what.clone()]),
            State::Broken(what) => ("broken", BAD, vec![what.clone()]),
            State::Unknown(what) => ("unknown", FAINT, vec![what.clone()]),
        };
        printer.told(&format!("  {}  {}", styled(style, format!("{word:<8}")), row.title));
        for line in lines {
            printer.told(&format!("            {line}"));
        }
    }
    if quiet {
        return;
    }
    if report.converged {
        printer.answer("Everything is as the spec says.");
    } else {
        printer.told(&what_helps(report, bootstrap));
    }
}

/// What to do where something is not as the spec says.
fn what_helps(report: &StatusReport, bootstrap: &str) -> String {
    let absent = report.steps.iter().any(|r| r.step == StepId::Cluster && r.state == State::Absent);
    let foreign = report.steps.iter().filter(|r| matches!(r.state, State::Foreign { .. })).count();
    let blocked = report.steps.iter().filter(|r| matches!(r.state, State::Blocked { .. })).count();
    let unread = report.steps.iter().filter(|r| matches!(r.state, State::Unknown(_))).count();
    let all = report.steps.len();
    if blocked > 0 {
        format!("{blocked} of {all} cannot be gone on with: `{bootstrap} --dry-run` says what can be done about that.")
    } else if foreign > 0 {
        let are = if foreign == 1 { "is" } else { "are" };
        format!("{foreign} of {all} {are} not karpctl's: `{bootstrap} --dry-run` says what can be done about that.")
    } else if unread > 0 && !absent {
        format!("{unread} of {all} could not be looked at, for the reasons above.")
    } else {
        format!("`{bootstrap}` brings what is missing or different.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_would_be_refused_is_not_advised() {
        let of = |state: State| StatusReport {
            schema: SCHEMA,
            cluster: "demo".into(),
            region: "us-west-2".into(),
            account: "111122223333".into(),
            karpenter: "1.14.1".into(),
            kubernetes: "1.34".into(),
            converged: false,
            steps: vec![StepStatus { step: StepId::Chart, title: "chart".into(), state }],
        };
        let foreign = State::Foreign { why: "of another".into(), adopt: "take it over".into() };
        let blocked = State::Blocked { why: "in the way".into(), hints: Vec::new() };
        assert_eq!(what_helps(&of(foreign), "go"), "1 of 1 is not karpctl's: `go --dry-run` says what can be done about that.");
        assert_eq!(what_helps(&of(blocked), "go"), "1 of 1 cannot be gone on with: `go --dry-run` says what can be done about that.");
        assert_eq!(what_helps(&of(State::Unknown("?".into())), "go"), "1 of 1 could not be looked at, for the reasons above.");
        assert_eq!(what_helps(&of(State::Absent), "go"), "`go` brings what is missing or different.");
    }
}
