//! Who asks, and what the account has once for all clusters.

use super::{ProbeContext, said, told};
use crate::error::Result;
use crate::facts::{Caller, Facts, Probed, RoleFacts, Topic};
use crate::ports::Aws;
use std::collections::BTreeSet;

/// The service-linked role of EC2 Spot.
pub(crate) const SPOT_ROLE: &str = "AWSServiceRoleForEC2Spot";

/// What is the same for every cluster of the account: these topics, of those that [`Topic::of_account`] names. Who asks was asked before.
pub async fn account(aws: &dyn Aws, topics: &BTreeSet<Topic>, caller: Result<Caller>) -> Facts {
    let mut facts = Facts { caller: told(caller), ..Facts::default() };
    if topics.contains(&Topic::SpotRole) {
        facts.spot_role = said(aws.role(SPOT_ROLE).await);
    }
    if topics.contains(&Topic::Clock) {
        facts.clock = clock_by_answers(aws);
    }
    facts
}

pub(super) async fn caller(context: &ProbeContext<'_>) -> Probed<Caller> {
    told(context.ports.aws.caller().await)
}

pub(super) async fn spot_role(context: &ProbeContext<'_>) -> Probed<RoleFacts> {
    said(context.ports.aws.role(SPOT_ROLE).await)
}

/// How far this machine's clock is off, by any answer of AWS's; also by one that refuses the question for that very reason.
pub(super) async fn clock(aws: &dyn Aws) -> Probed<i64> {
    if let Some(ahead) = aws.clock_ahead() {
        return Probed::Known(ahead);
    }
    let _ = aws.caller().await;
    clock_by_answers(aws)
}

/// The same by the answers that there were.
fn clock_by_answers(aws: &dyn Aws) -> Probed<i64> {
    aws.clock_ahead().map_or_else(|| Probed::Unavailable("no answer of AWS says what time it is".into()), Probed::Known)
}
