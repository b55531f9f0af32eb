//! The service-linked role that EC2 Spot needs once per account.

use super::looked::looked;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::spec::{CapacityType, Spec};
use async_trait::async_trait;

/// See the module.
pub(super) struct SpotRole;

#[async_trait]
impl Step for SpotRole {
    fn id(&self) -> StepId {
        StepId::SpotRole
    }

    fn title(&self, _: &Spec) -> String {
        format!("role {}", crate::probe::account::SPOT_ROLE)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        Vec::new()
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::SpotRole]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        2
    }

    fn assess(&self, _: &Spec, facts: &Facts) -> State {
        match looked(&facts.spot_role) {
            Ok(Some(_)) => State::Present,
            Ok(None) => State::Absent,
            Err(state) => state,
        }
    }

    fn commands(&self, _: &Spec, _: &Facts, direction: Direction) -> Vec<String> {
        match direction {
            Direction::Apply => vec!["aws iam create-service-linked-role --aws-service-name spot.amazonaws.com || true".into()],
            Direction::Remove => Vec::new(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        if !context.ports.aws.create_service_linked_role("spot.amazonaws.com").await? {
            context.doing("it was there already");
        }
        Ok(())
    }

    async fn remove(&self, _: &StepContext<'_>) -> Result<()> {
        Ok(())
    }

    fn kept_on_destroy(&self, _: &Spec) -> Option<&'static str> {
        Some("it belongs to the account: other clusters use it")
    }

    fn does_without(&self, spec: &Spec, error: &Error) -> Option<String> {
        let denied = error.kind == ErrorKind::Denied && !spec.node_pool.keep && !spec.buys(CapacityType::Spot);
        denied.then(|| format!("{} is not there, and no node pool gets Spot instances without: {error}", crate::probe::account::SPOT_ROLE))
    }

    fn explain(&self) -> &'static str {
        "Creates the service-linked role AWSServiceRoleForEC2Spot, without which EC2 launches no Spot instance. An account needs it \
         once; it is never removed. Who may not make it goes on without, with a warning, where the node pool buys no Spot. Where it is missing, Karpenter since 1.5 logs no error: Spot is simply never used."
    }
}
