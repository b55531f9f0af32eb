//! How everything stands, for a person or a program.

use super::printer::{BAD, BOLD, CARE, FAINT, GOOD, Printer, styled};
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
            karpenter: spec.release.to_string(),
            kubernetes: spec.kubernetes.to_string(),
            converged: steps.iter().all(|s| s.state == State::Present),
            steps,
        }
    }
}

/// Prints the report to stdout for a person; `bootstrap` is the command that brings what is missing.
pub fn show_status(printer: &Printer, report: &StatusReport, bootstrap: &str) {
    printer.answer(&styled(
        BOLD,
        format!("{} in {} (Kubernetes {}, Karpenter {})", report.cluster, report.region, report.kubernetes, report.karpenter),
    ));
    for row in &report.steps {
        let (word, style, lines) = match &row.state {
            State::Present | State::NotWanted => ("present", GOOD, Vec::new()),
            State::Absent => ("absent", FAINT, Vec::new()),
            State::Drifted(changes) => ("drifted", CARE, changes.clone()),
            State::Foreign { why, .. } => ("foreign", BAD, vec![why.clone()]),
            State::Busy(what) => ("busy", CARE, vec![what.clone()]),
            State::Broken(what) => ("broken", BAD, vec![what.clone()]),
            State::Unknown(what) => ("unknown", FAINT, vec![what.clone()]),
        };
        printer.told(&format!("  {}  {}", styled(style, format!("{word:<8}")), row.title));
        for line in lines {
            printer.told(&format!("            {line}"));
        }
    }
    let absent = report.steps.iter().any(|r| r.step == StepId::Cluster && r.state == State::Absent);
    let unread = report.steps.iter().filter(|r| matches!(r.state, State::Unknown(_))).count();
    if report.converged {
        printer.answer("Everything is as the spec says.");
    } else if unread > 0 && !absent {
        printer.told(&format!("{unread} of {} could not be looked at, for the reasons above.", report.steps.len()));
    } else {
        printer.told(&format!("`{bootstrap}` brings what is missing or different."));
    }
}
