//! `--report FILE.html`: the page is written when the plan is made, when a step ends, and when the run is over.

use super::session::Session;
use crate::adapters::new_file::{NewFile, unwritable};
use crate::app::App;
use crate::error::{Error, Result};
use crate::facts::{Facts, ToolFacts};
use crate::finding::Finding;
use crate::inventory::inventory;
use crate::plan::{Plan, StepId};
use crate::report::{Page, RunReport, Stage, page};
use crate::shell;
use crate::spec::Spec;
use crate::steps::Step;
use std::io::ErrorKind;
use std::path::Path;

/// Where the page is, and what of it does not change.
pub(super) struct ReportPage<'a> {
    app: &'a App,
    path: &'a Path,
    steps: &'a [Box<dyn Step>],
    command: String,
    findings: &'a [Finding],
    versions: Vec<(String, String)>,
}

/// What has come of the plan.
#[derive(Clone, Copy)]
enum Done<'a> {
    /// Nothing yet, or for this reason nothing at all.
    Nothing(Option<&'a Error>),
    /// What this says.
    Steps(&'a RunReport),
}

impl<'a> ReportPage<'a> {
    /// A page for this session.
    pub(super) fn new(app: &'a App, path: &'a Path, session: &Session, steps: &'a [Box<dyn Step>], findings: &'a [Finding]) -> Self {
        let spec = &session.spec;
        let tool = |tool: Option<&ToolFacts>| tool.map_or("none found".to_owned(), |t| format!("{} ({})", t.version, t.path.display()));
        let versions = [
            ("karpctl", env!("CARGO_PKG_VERSION").to_owned()),
            ("Karpenter", spec.release.to_string()),
            ("Kubernetes", spec.kubernetes.to_string()),
            ("helm", tool(session.facts.helm.known())),
            ("eksctl", tool(session.facts.eksctl.known())),
            ("AWS account", format!("{} in {} ({})", spec.account_id, spec.region, spec.partition)),
        ];
        let command = std::iter::once("karpctl".to_owned()).chain(app.env.command_line.iter().cloned()).collect::<Vec<_>>();
        let versions = versions.map(|(name, version)| (name.to_owned(), version)).into();
        Self { app, path, steps, command: shell::command(&command), findings, versions }
    }

    /// Writes it before anything is changed, also where nothing will be. A place where it cannot be written is an error now, and not after
    /// the run.
    pub(super) fn planned(&self, session: &Session, plan: &Plan, refused: Option<&Error>) -> Result<()> {
        self.write(&session.spec, &session.facts, plan, Done::Nothing(refused), Stage::Planned)
    }

    /// Writes it while steps are being carried out, with what was there before them.
    pub(super) fn running(&self, spec: &Spec, facts: &Facts, run: &RunReport) {
        // The end says so where it cannot be written.
        let _ = self.write(spec, facts, &run.plan, Done::Steps(run), Stage::Running);
    }

    /// Writes it for good. The run does not fail for it.
    pub(super) fn over(&self, spec: &Spec, facts: &Facts, run: &RunReport) {
        match self.write(spec, facts, &run.plan, Done::Steps(run), Stage::Over) {
            Ok(()) => self.app.printer.status(&format!("report: {}", self.path.display())),
            Err(e) => self.app.printer.warn(&e.to_string()),
        }
    }

    fn write(&self, spec: &Spec, facts: &Facts, plan: &Plan, done: Done<'_>, stage: Stage) -> Result<()> {
        let (run, refused) = match done {
            Done::Nothing(refused) => (None, refused),
            Done::Steps(run) => (Some(run), None),
        };
        let written = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        let shown = Page {
            command: &self.command,
            written: &written,
            plan,
            run,
            refused,
            stage,
            findings: self.findings,
            inventory: &inventory(spec, facts),
            versions: &self.versions,
        };
        let explain = |id: StepId| self.steps.iter().find(|s| s.id() == id).map_or("", |s| s.explain());
        let text = page(&shown, explain)?;
        NewFile::with(self.path, &text).and_then(NewFile::kept).and_then(|file| file.replace(self.path)).map_err(|e| {
            let message = format!("cannot write the report {}", self.path.display());
            let full = matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let error = if full { Error::failed(message) } else { Error::usage(message) };
            unwritable(error, self.path, &e).hint("--report takes a file in a folder that is there and can be written")
        })
    }
}
