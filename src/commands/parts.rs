//! `karpctl iam`, `identity`, `install`, `node-pool`: parts of the bootstrap's plan.

use super::bootstrap::BootstrapArgs;
use super::session::Session;
use super::way::go;
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
    let select = part.steps().iter().copied().collect();
    go(app, &args.way, &mut session, &steps::all(), select, Direction::Apply).await
}
