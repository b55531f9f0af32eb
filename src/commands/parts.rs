//! `karpctl iam`, `identity`, `install`, `node-pool`: parts of the bootstrap's plan.

use super::bootstrap::BootstrapArgs;
use super::session::Session;
use super::way::{Selection, go};
use crate::app::App;
use crate::error::{Exit, Result};
use crate::plan::{Direction, StepId};
use crate::steps;

/// A part of the bootstrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the account needs.
    Iam,
    /// Who may do what in the cluster.
    Identity,
    /// The charts.
    Install,
    /// Node pool and node class.
    NodePool,
}

impl Part {
    /// All parts, in the order in which they are done.
    pub const ALL: [Self; 4] = [Self::Iam, Self::Identity, Self::Install, Self::NodePool];

    /// The command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Identity => "identity",
            Self::Install => "install",
            Self::NodePool => "node-pool",
        }
    }

    /// The steps of this part.
    #[must_use]
    pub fn steps(self) -> &'static [StepId] {
        match self {
            Self::Iam => &[StepId::Stack, StepId::SpotRole],
            Self::Identity => &[
                StepId::DiscoveryTags,
                StepId::OidcProvider,
                StepId::PodIdentityAgent,
                StepId::NodeMapping,
                StepId::ControllerRole,
                StepId::PodIdentityAssociation,
            ],
            Self::Install => &[StepId::Crds, StepId::Chart],
            Self::NodePool => &[StepId::NodePool, StepId::Ready],
        }
    }
}

/// Runs the command.
pub async fn run(app: &App, part: Part, args: BootstrapArgs) -> Result<Exit> {
    let mut session = Session::open(app, &args.variant).await?;
    let steps = part.steps().iter().copied().collect();
    let selection = Selection { name: part.name(), steps, direction: Direction::Apply, ownership: args.ownership() };
    go(app, &args.way, &mut session, &steps::all(), &selection).await
}
