//! `karpctl destroy`: the way back.

use super::args::{ClusterArgs, KarpenterArgs, VariantArgs};
use super::installed::as_installed;
use super::left::tell_what_is_left;
use super::offered;
use super::session::{Session, layers};
use super::way::{Selection, WayArgs, go};
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::facts::Probed;
use crate::plan::{Direction, StepId};
use crate::report::Format;
use crate::spec::ClusterMode;
use crate::spec::pinned::{OtherCluster, other_cluster};
use crate::steps::{self, Ownership};
use clap::Args;
use std::collections::BTreeSet;

/// Take away what karpctl made, in the reverse order
///
/// Node pools and their nodes first, then the chart, identities, what Karpenter made in the account, the stack, and last the
/// cluster. What is not ours stays: a cluster without karpctl's tag is refused, and with --existing-cluster it stays.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl destroy --cluster-name demo --region us-west-2 --dry-run
  karpctl destroy --cluster-name demo --region us-west-2 --keep-cluster --yes")]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools by nature")]
pub struct DestroyArgs {
    #[command(flatten)]
    way: WayArgs,
    /// Also remove the node pools that others made, whose controller goes too
    #[arg(long)]
    adopt: bool,
    /// Leave the cluster
    #[arg(long)]
    keep_cluster: bool,
    /// Remove Karpenter's custom resource definitions too, and with them every object of theirs
    #[arg(long)]
    delete_crds: bool,
    /// The cluster is not karpctl's: it stays, and so does what others put into it
    #[arg(long, help_heading = "Variants")]
    existing_cluster: bool,
    /// How the controller got AWS credentials: pod-identity or irsa
    #[arg(long, value_name = "HOW", help_heading = "Variants", value_parser = offered::identities(), hide_possible_values = true)]
    identity: Option<String>,
    /// A subnet that was named for the nodes of an existing cluster; may be repeated
    #[arg(long = "subnet", value_name = "ID", help_heading = "Variants")]
    subnets: Vec<String>,
}

impl DestroyArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        self.way.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: DestroyArgs) -> Result<Exit> {
    let variant = VariantArgs {
        cluster: ClusterArgs { existing_cluster: args.existing_cluster, ..ClusterArgs::default() },
        karpenter: KarpenterArgs { identity: args.identity, subnets: args.subnets, ..KarpenterArgs::default() },
    };
    of_that_cluster(app, &variant)?;
    let mut session = Session::open(app, &variant).await?;
    as_installed(app, &mut session).await?;
    let keeps_cluster = args.keep_cluster || session.spec.cluster == ClusterMode::Existing;
    if keeps_cluster {
        session.spec.cluster = ClusterMode::Existing;
    } else {
        session.goes_with_its_cluster(app).await?;
    }
    session.stack_can_go(app).await?;
    session.karpenter_can_go(app).await?;
    session.nodes_are_made(app).await?;
    let mut select: BTreeSet<StepId> = StepId::ALL.into();
    select.remove(&StepId::Ready);
    if keeps_cluster {
        select.remove(&StepId::Cluster);
    }
    if !args.delete_crds {
        select.remove(&StepId::Crds);
    }
    if keeps_cluster && !args.delete_crds && session.facts.cluster.known().is_some() {
        app.printer.status("note: Karpenter's custom resource definitions stay; --delete-crds removes them too");
    }
    let ownership = if args.adopt { Ownership::Adopt } else { Ownership::OursOnly };
    let selection = Selection { name: "destroy", steps: select, direction: Direction::Remove, ownership };
    let gone_before = session.facts.cluster == Probed::Absent;
    if gone_before {
        tell_what_is_left(app, &session).await?;
    }
    let exit = go(app, &args.way, &mut session, &steps::all(), &selection).await?;
    if exit == Exit::Done && !gone_before && !args.way.shows_only() && !keeps_cluster {
        tell_what_is_left(app, &session).await?;
    }
    Ok(exit)
}

/// What is destroyed is said by one voice: a variable that a shell has had for days wins over a spec file elsewhere, not here.
fn of_that_cluster(app: &App, variant: &VariantArgs) -> Result<()> {
    let layers = layers(app, variant)?;
    let Some(OtherCluster { flag, variable, file }) = other_cluster(&layers) else { return Ok(()) };
    Err(Error::usage(format!("{} says {}, and {} says {}", variable.source, variable.says, file.source, file.says))
        .because("which of the two clusters is to be destroyed must be certain")
        .hint(format!("say which is meant: {flag} {}, or {flag} {}", file.says, variable.says)))
}
