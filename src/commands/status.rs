//! `karpctl status`: what is there, what drifted.

use super::answer::json;
use super::args::VariantArgs;
use super::installed::as_it_stands;
use super::migrated::pools_stay;
use super::next;
use super::session::Session;
use crate::app::App;
use crate::error::{Exit, Result};
use crate::report::{Format, StatusReport, StepStatus, show_status};
use crate::steps;
use clap::Args;

/// Show what is there and what differs from the spec
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl status --cluster-name demo --region us-west-2
  karpctl status --cluster-name demo --region us-west-2 -o json --exit-code")]
pub struct StatusArgs {
    /// End with 3 where anything differs from the spec, else with 1 where something could not be looked at
    #[arg(long)]
    exit_code: bool,
    /// How the answer is written
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    variant: VariantArgs,
}

impl StatusArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: StatusArgs) -> Result<Exit> {
    let mut session = Session::open(app, &args.variant).await?;
    as_it_stands(app, &mut session).await?;
    pools_stay(app, &mut session).await?;
    if let Some(reason) = &session.unseen {
        app.printer.warn(&format!(
            "which release of Karpenter is installed could not be seen, and {} is taken for it: {reason}",
            session.spec.release
        ));
    }
    let steps = steps::all();
    session.read_by(app, steps.iter().flat_map(|s| s.reads().iter().copied()).collect()).await?;
    let (spec, facts) = (&session.spec, &session.facts);
    let rows = steps.iter().map(|s| StepStatus { step: s.id(), title: s.title(spec), state: s.assess(spec, facts) }).collect();
    let report = StatusReport::new(spec, rows);
    match args.output {
        Format::Human => show_status(&app.printer, &report, &next::command_line(app, "status", "bootstrap")),
        machine => app.printer.document(&json(&report, machine.into())?),
    }
    Ok(match (args.exit_code, report.converged, report.differs()) {
        (false, ..) | (_, true, _) => Exit::Done,
        (_, _, true) => Exit::Pending,
        // What could not be looked at is no difference, and nobody may take it for none.
        (_, _, false) => Exit::Failed,
    })
}
