//! What the Karpenter of a cluster that is gone left in the account: no step takes it away, since only its tags tell whose it is.

use super::session::Session;
use crate::app::App;
use crate::checks;
use crate::error::Result;
use crate::facts::{Probed, Topic};
use crate::finding::Verdict;
use crate::probe::{ProbeContext, probe};
use crate::report::cure;
use crate::spec::{ClusterMode, Meant, Spec};

/// Says it, with the commands that delete it. Nothing where the cluster is there.
pub(super) async fn tell_what_is_left(app: &App, session: &Session) -> Result<()> {
    // Whoever made the cluster, it is gone now.
    let spec = Spec { cluster: ClusterMode::Managed, ..session.spec.clone() };
    let mut facts = session.facts.clone();
    app.read(async {
        let context = ProbeContext { spec: &spec, ports: &session.ports, kubeconfig: None };
        probe(&context, &[Topic::Cluster, Topic::Leftovers].into(), &mut facts).await;
        Ok(())
    })
    .await?;
    if facts.cluster != Probed::Absent {
        return Ok(());
    }
    let today = jiff::Zoned::now().date();
    let meant = Meant { profile: app.globals.profile.clone(), ..Meant::default() };
    let situation = checks::Situation { spec: Some(&spec), meant: &meant, facts: &facts, today };
    let found = checks::judge(&[checks::earlier_cluster()], &situation);
    for finding in found.iter().filter(|finding| finding.result != Verdict::Pass) {
        app.printer.warn(&format!("{}: {} [{}]", finding.subject, finding.message, finding.id));
        for fix in &finding.fixes {
            app.printer.status(&format!("  fix: {}", cure(fix)));
        }
    }
    Ok(())
}
