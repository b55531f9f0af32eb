//! `karpctl iam`, `identity`, `install`, `node-pool`: parts of the bootstrap's plan.

use super::bootstrap::BootstrapArgs;
use super::installed::as_it_stands;
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

    /// The part that follows.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().skip_while(|part| *part != self).nth(1)
    }

    /// What it does, in words.
    #[must_use]
    pub const fn does(self) -> &'static str {
        match self {
            Self::Iam => "makes what the account needs: the stack with roles, policies and queue, and the spot role",
            Self::Identity => "lets nodes and controller in",
            Self::Install => "installs the charts",
            Self::NodePool => "makes the node pool and its node class",
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
            Self::Install => &[StepId::Crds, StepId::Chart, StepId::EarlierIdentity],
            Self::NodePool => &[StepId::NodePool, StepId::Ready],
        }
    }
}

/// Runs the command.
pub async fn run(app: &App, part: Part, args: BootstrapArgs) -> Result<Exit> {
    let mut session = Session::open(app, &args.variant).await?;
    as_it_stands(app, &mut session).await?;
    let steps = part.steps().iter().copied().collect();
    let selection = Selection { name: part.name(), steps, direction: Direction::Apply, ownership: args.ownership() };
    go(app, &args.way, &mut session, &steps::all(), &selection).await
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn each_part_is_followed_by_the_one_whose_steps_come_next() {
        let followed = Part::ALL.map(|part| part.next().map(Part::name));
        assert_eq!(followed, [Some("identity"), Some("install"), Some("node-pool"), None]);
        for part in Part::ALL {
            let last = part.steps().iter().max();
            assert!(part.next().is_none_or(|next| next.steps().iter().min() > last), "{part:?}");
        }
    }
}
