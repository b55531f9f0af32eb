//! The node pools of a migration, where they stand in place of the guide's.

use super::session::Session;
use crate::adoption::installed;
use crate::app::App;
use crate::error::Result;
use crate::facts::{Probed, Topic};
use crate::spec::layer::Layer;

/// A migration leaves the guide's node pool out, since a pool for everything would take the pods of all others: what comes after it makes none
/// either, but where somebody names one or says `keep`.
pub(super) async fn pools_stay(app: &App, session: &mut Session) -> Result<()> {
    let said = |layer: &Layer| layer.node_pool.as_ref().is_some_and(|pool| pool.name.is_some() || pool.keep.is_some());
    let is_there = session.facts.controller.known().is_some() || session.facts.chart_release.known().is_some();
    if session.layers.iter().any(|(_, layer)| said(layer)) || session.facts.cluster.known().is_none() || !is_there {
        return Ok(());
    }
    // What there is has the kinds of the release that is installed, whichever is meant to be.
    let meant = session.spec.release.clone();
    if let Ok((found, _)) = installed(&session.facts) {
        session.spec.release = found;
    }
    let read = read(app, session).await;
    if session.spec.release == meant {
        session.fresh.insert(Topic::NodePool);
    }
    session.spec.release = meant;
    read?;
    let pools = session.facts.karpenter_nodes.known().map(|found| found.of_node_groups.clone()).unwrap_or_default();
    if matches!((&session.facts.node_pool, &session.facts.node_class), (Probed::Absent, Probed::Absent)) && !pools.is_empty() {
        let name = &session.spec.node_pool.name;
        app.printer.status(&format!(
            "note: no node pool {name} is made, as those of a migration are there ({}); `karpctl node-pool` makes it all the same",
            pools.join(", ")
        ));
        session.spec.node_pool.keep = true;
    }
    Ok(())
}

/// Reads the guide's pool, and where it is not there, which pools are.
async fn read(app: &App, session: &mut Session) -> Result<()> {
    session.read_by(app, [Topic::NodePool].into()).await?;
    match session.facts.node_pool {
        Probed::Absent => session.read_by(app, [Topic::Nodes].into()).await,
        _ => Ok(()),
    }
}
