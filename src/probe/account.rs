//! Who asks, and what the account has once for all clusters.

use super::{ProbeContext, failed, said};
use crate::facts::{Caller, Probed, RoleFacts};

/// The service-linked role of EC2 Spot.
pub(crate) const SPOT_ROLE: &str = "AWSServiceRoleForEC2Spot";

pub(super) async fn caller(context: &ProbeContext<'_>) -> Probed<Caller> {
    context.ports.aws.caller().await.map_or_else(|e| failed(&e), Probed::Known)
}

pub(super) async fn spot_role(context: &ProbeContext<'_>) -> Probed<RoleFacts> {
    said(context.ports.aws.role(SPOT_ROLE).await)
}
