//! `karpctl migrate`: from another autoscaler to Karpenter.

use super::args::{KarpenterArgs, VariantArgs};
use super::installed::{as_installed, as_it_stands};
use super::session::Session;
use super::way::{Selection, WayArgs, go};
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::knowledge::NodePoolApi;
use crate::migration::{PoolsOnReturn, Wish};
use crate::plan::{Direction, StepId};
use crate::report::Format;
use crate::spec::ClusterMode;
use crate::steps::{self, Ownership, Step};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;

/// Move a cluster from another autoscaler to Karpenter, or back
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 \\
      --dry-run
  karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 \\
      --back")]
pub struct MigrateArgs {
    #[command(subcommand)]
    from: From,
}

/// What a cluster comes from.
#[derive(Debug, Clone, Subcommand)]
enum From {
    ClusterAutoscaler(ClusterAutoscalerArgs),
}

/// Move a cluster from the Cluster Autoscaler to Karpenter, or back
///
/// Proposes a node pool for each managed node group that the autoscaler scales, installs Karpenter beside the autoscaler, stops the autoscaler, and empties the
/// nodes of the groups one by one as disruption budgets allow. One group stays small for Karpenter's controller. Running it again goes
/// on from where things stand. With --back the groups and the autoscaler are set as they were.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 \\
      --dry-run
  karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 \\
      --keep-node-group prod-ng --yes
  karpctl migrate cluster-autoscaler --cluster-name prod --region us-west-2 \\
      --back")]
struct ClusterAutoscalerArgs {
    #[command(flatten)]
    way: WayArgs,
    /// Set node groups and autoscaler as they were; Karpenter stays
    #[arg(long)]
    back: bool,
    /// With --back: delete the migration's node pools too; Karpenter drains their nodes
    #[arg(long, requires = "back")]
    delete_pools: bool,
    /// A node group that stays for Karpenter's controller; may be repeated. One keeps two nodes, several one each
    #[arg(long = "keep-node-group", value_name = "NAME", conflicts_with = "back")]
    keep: Vec<String>,
    /// A node group that stays as it is; may be repeated
    #[arg(long = "leave-node-group", value_name = "NAME", conflicts_with = "back")]
    leave: Vec<String>,
    /// Take over what is there but not ours
    #[arg(long)]
    adopt: bool,
    #[command(flatten)]
    karpenter: KarpenterArgs,
}

impl MigrateArgs {
    /// The format of the answer.
    pub(crate) const fn output(&self) -> Format {
        let From::ClusterAutoscaler(args) = &self.from;
        args.way.output
    }
}

/// Runs the command.
pub async fn run(app: &App, args: MigrateArgs) -> Result<Exit> {
    let From::ClusterAutoscaler(args) = args.from;
    // Whoever made it, a cluster with an autoscaler to leave is there, and is neither made nor deleted here.
    let variant = VariantArgs::of_existing(args.karpenter);
    let mut session = Session::open(app, &variant).await?;
    session.cluster_is_there()?;
    let direction = if args.back { Direction::Remove } else { Direction::Apply };
    match direction {
        Direction::Apply => as_it_stands(app, &mut session).await?,
        Direction::Remove => as_installed(app, &mut session).await?,
    }
    session.spec.cluster = ClusterMode::Existing;
    if session.spec.release.features().node_pool_api == NodePoolApi::V1Alpha5 {
        let release = &session.spec.release;
        return Err(Error::refused(format!("Karpenter {release} has Provisioners, which are not made for node groups"))
            .because("a Provisioner cannot say all that a node group says, and is converted to a node pool by later releases")
            .hint("migrate to a release with node pools: `karpctl versions` shows which fit, --karpenter-version names one"));
    }
    let pools = if args.delete_pools { PoolsOnReturn::Go } else { PoolsOnReturn::Stay };
    let wish = Wish { keep: args.keep.clone(), leave: args.leave.clone(), pools };
    let all: Vec<Box<dyn Step>> = steps::all().into_iter().chain(steps::migration(&wish)).collect();
    let mut steps: BTreeSet<StepId> = StepId::MIGRATION.into();
    if direction == Direction::Apply {
        steps.extend(StepId::ALL);
        // The node pools are those of the node groups: a pool for everything would take their pods first.
        steps.remove(&StepId::NodePool);
        steps.remove(&StepId::Ready);
    }
    let ownership = if args.adopt { Ownership::Adopt } else { Ownership::OursOnly };
    go(app, &args.way, &mut session, &all, &Selection { name: "migrate", steps, direction, ownership }).await
}
