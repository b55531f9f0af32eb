//! `karpctl bootstrap`: from an AWS account to a working Karpenter.

use super::args::VariantArgs;
use super::installed::as_it_stands;
use super::migrated::pools_stay;
use super::session::Session;
use super::way::{Selection, WayArgs, go};
use crate::app::App;
use crate::error::{Exit, Result};
use crate::plan::{Direction, StepId};
use crate::report::Format;
use crate::steps::{self, Ownership};
use clap::Args;

/// Go from an AWS account to a working Karpenter
///
/// Reads what is there, shows the plan, asks, carries it out and proves each step. Running it again goes on from where things
/// stand; on a system that is as it should be it does nothing.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl bootstrap --cluster-name demo --region us-west-2
  karpctl bootstrap --cluster-name demo --region us-west-2 --dry-run
  karpctl bootstrap --cluster-name demo --existing-cluster --yes -o ndjson")]
pub struct BootstrapArgs {
    #[command(flatten)]
    pub(super) way: WayArgs,
    /// Take over what is there but not ours
    #[arg(long)]
    adopt: bool,
    #[command(flatten)]
    pub(super) variant: VariantArgs,
}

impl BootstrapArgs {
    pub(super) fn ownership(&self) -> Ownership {
        if self.adopt { Ownership::Adopt } else { Ownership::OursOnly }
    }

    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.way.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: BootstrapArgs) -> Result<Exit> {
    let mut session = Session::open(app, &args.variant).await?;
    as_it_stands(app, &mut session).await?;
    pools_stay(app, &mut session).await?;
    let selection = Selection { name: "bootstrap", steps: StepId::ALL.into(), direction: Direction::Apply, ownership: args.ownership() };
    go(app, &args.way, &mut session, &steps::all(), &selection).await
}
