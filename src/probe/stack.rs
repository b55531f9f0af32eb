//! The CloudFormation stack of the guide.

use super::{ProbeContext, said};
use crate::facts::{Probed, StackFacts};

pub(super) async fn stack(context: &ProbeContext<'_>) -> Probed<StackFacts> {
    said(context.ports.aws.stack(&context.spec.stack_name(), true).await)
}
