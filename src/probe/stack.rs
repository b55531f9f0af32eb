//! The CloudFormation stack of the guide.

use super::{ProbeContext, said};
use crate::facts::{Probed, StackFacts};

/// How much of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// How it stands.
    Status,
    /// Its template and resources too.
    Whole,
}

pub(super) async fn stack(context: &ProbeContext<'_>, depth: Depth) -> Probed<StackFacts> {
    said(context.ports.aws.stack(&context.spec.stack_name(), depth == Depth::Whole).await)
}
