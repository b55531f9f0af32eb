//! The tools on this machine.

use super::{ProbeContext, said};
use crate::facts::{Probed, ToolFacts};

pub(super) async fn tools(context: &ProbeContext<'_>) -> (Probed<ToolFacts>, Probed<ToolFacts>) {
    let (helm, eksctl) = tokio::join!(context.ports.helm.facts(), context.ports.eksctl.facts());
    (said(helm), said(eksctl))
}
