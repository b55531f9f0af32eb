//! The size of a managed node group: set, and waited for.

use super::StepContext;
use super::migration::{READS_ON_REMOVAL, look, world};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{NodeGroupShape, NodeOwner, Scaling};
use crate::plan::State;
use tokio::time::Instant;

/// Sets the size of a group and waits until EKS has done so. A group that is just being changed is waited for.
pub(super) async fn resize(context: &StepContext<'_>, group: &NodeGroupShape, to: Scaling) -> Result<()> {
    let (aws, cluster, name) = (&context.ports.aws, context.spec.cluster_name.as_str(), group.name.as_str());
    let timed_out = || Error::new(ErrorKind::Timeout, format!("EKS does not set the size of the node group {name} to {to}"));
    context.doing(format!("setting the size of node group {name} to {to}"));
    context
        .wait_for(super::BRIEF, timed_out, || async {
            let facts = look(context, READS_ON_REMOVAL).await?;
            let (groups, _) = world(&facts).map_err(State::into_error)?;
            let Some(now) = groups.iter().find(|g| g.name == name) else {
                return Err(Error::new(ErrorKind::NotFound, format!("the node group {name} is not there any more")));
            };
            if now.status == "UPDATING" {
                return Ok(None);
            }
            if now.scaling == to {
                return Ok(Some(()));
            }
            match aws.scale_node_group(cluster, name, to).await {
                Err(e) if e.kind != ErrorKind::Conflict => Err(e),
                _ => Ok(None),
            }
        })
        .await
}

/// A group that has fewer nodes than it wants.
#[derive(Debug)]
pub(super) struct Short {
    pub(super) group: String,
    ready: usize,
    wanted: usize,
    /// What EKS complains of.
    issues: Vec<String>,
}

impl Short {
    /// `the node group web has 1 of 3 nodes: AsgInstanceLaunchFailures: …`
    pub(super) fn shown(&self) -> String {
        let why = if self.issues.is_empty() { String::new() } else { format!(": {}", self.issues.join("; ")) };
        format!("the node group {} has {} of {} nodes{why}", self.group, self.ready, self.wanted)
    }
}

/// Waits until each of these groups has as many ready nodes that no migration empties, and says which have not when the time is over. What somebody
/// else cordoned is somebody else's to let in.
pub(super) async fn wait_for_nodes(context: &StepContext<'_>, groups: &[(&str, u32)]) -> Result<Vec<Short>> {
    let begun = Instant::now();
    for (name, wanted) in groups {
        context.doing(format!("waiting until node group {name} has {wanted} nodes that are ready"));
    }
    loop {
        let facts = look(context, READS_ON_REMOVAL).await?;
        let (shapes, fleet) = world(&facts).map_err(State::into_error)?;
        let short = |(group, wanted): &(&str, u32)| {
            let ready = fleet.nodes.iter().filter(|n| n.ready && n.leaving.is_none() && belongs(&n.owner, group)).count();
            let wanted = usize::try_from(*wanted).unwrap_or(usize::MAX);
            let issues = || shapes.iter().find(|shape| shape.name == *group).map(|shape| shape.issues.clone()).unwrap_or_default();
            (ready < wanted).then(|| Short { group: (*group).to_owned(), ready, wanted, issues: issues() })
        };
        let short: Vec<Short> = groups.iter().filter_map(short).collect();
        if short.is_empty() || begun.elapsed() >= context.timeout {
            return Ok(short);
        }
        context.pause(super::BRIEF).await?;
    }
}

pub(super) fn belongs(owner: &NodeOwner, group: &str) -> bool {
    matches!(owner, NodeOwner::Group(name) if name == group)
}
