//! Whether the release that is installed can become the wanted one in one hop.

use super::helm::bootstrap;
use super::judgement::installed_release;
use super::{Check, Judged, Judgement, Situation, aws, whose};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Release;
use crate::spec::Spec;
use crate::steps::hops::{HOPS, first_hop, skipped_hop};

pub(super) struct UpgradeHops;

impl Check for UpgradeHops {
    fn id(&self) -> &'static str {
        "upgrade-hops"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Some releases alone can read the objects of the one before and write those of the next. Who skips them has node pools that no controller sees: `no matches for kind \"Provisioner\" in version \"karpenter.sh/v1alpha5\"`."
    }

    fn explain(&self) -> &'static str {
        "0.32 alone reads Provisioners and writes NodePools; 1.0 alone converts v1beta1 to v1. The way is the newest 0.31, the newest 0.32, where \
         Provisioners are moved to NodePools, the newest 0.37, the newest 1.0, then any; who is further on begins there, and 0.33 to 0.37 with the newest patch of their minor: \
         their first patches run no webhook that converts what they write once the CRDs of 1.0 are there. There is no way back to an older API. A hop has its range of Kubernetes \
         too (`karpctl versions`): an older cluster is upgraded first, a minor at a time; of a newer one, which EKS takes not back, there may be no \
         way but to make Karpenter anew. The printed command keeps the way by which the controller has its credentials now.\n\n\
         What is seen by who skips one: `no matches for kind \"…\" in version \"karpenter.sh/…\"`, node pools that no controller \
         sees, `must appear in spec.versions`."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::Association, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("upgrade to Karpenter {}", spec.release);
        let Some(release) = installed_release(situation, &subject)? else {
            return Ok(vec![Judgement::pass(subject, "no Karpenter is installed that could be upgraded")]);
        };
        let kubernetes = situation.kubernetes("").unwrap_or(spec.kubernetes);
        let Some(why) = skipped_hop(&release, &spec.release, kubernetes) else {
            return Ok(vec![Judgement::pass(subject, format!("from {release} it is one hop"))]);
        };
        let judgement = Judgement::fail(subject, format!("Karpenter {release} is installed, and {why}"));
        Ok(vec![match first_hop(&release, &spec.release, kubernetes) {
            Some(hop) if whose::is_within_another_chart(situation.facts) => {
                judgement.fix(format!("the first hop is {hop}: {}", whose::UPGRADE_WITHIN))
            }
            Some(hop) if whose::is_not_upgraded_by_us(spec, situation.facts) => whose::upgraded(spec, situation.facts, judgement, &hop),
            Some(hop) => in_order(situation, judgement, spec, &release, &hop),
            None => judgement.fix("stay with a release of the API that its objects have, or `karpctl destroy` it and make it anew"),
        }])
    }
}

/// The hop that comes first, and what comes before it where the cluster's Kubernetes is none for it.
fn in_order(situation: &Situation<'_>, judgement: Judgement, spec: &Spec, from: &Release, hop: &Release) -> Judgement {
    let hops = |judgement: Judgement, title: String, hop: &Release| judgement.run(title, bootstrap(spec, situation.facts, hop)).fix(HOPS);
    // Of a Kubernetes that nobody knows nothing is said.
    let Some(kubernetes) = situation.kubernetes("").ok().filter(|kubernetes| !hop.fits(*kubernetes)) else {
        return hops(judgement, format!("the first hop is {hop}"), hop);
    };
    let (oldest, newest) = hop.kubernetes_range();
    if kubernetes < oldest {
        let next = kubernetes.plus(1);
        let on = if next < oldest { format!(", and so on to {oldest}") } else { String::new() };
        let upgrade = aws(spec, "eks", "update-cluster-version").into_iter().map(str::to_owned);
        let upgrade =
            upgrade.chain(["--name".to_owned(), spec.cluster_name.to_string(), "--kubernetes-version".to_owned(), next.to_string()]);
        let first = judgement
            .run(format!("Kubernetes comes first, since the first hop, {hop}, needs {oldest}: upgrade the cluster to {next}{on}"), upgrade);
        return hops(first, format!("then the first hop, {hop}"), hop);
    }
    // The newest patch of its own minor is on the way only for the way back.
    let over =
        first_hop(hop, &spec.release, kubernetes).filter(|over| skipped_hop(from, over, kubernetes).is_none() && over.fits(kubernetes));
    match over {
        Some(over) => {
            let title = format!("the first hop is {over}: {hop}, without which there is no way back from it, does not run on Kubernetes {kubernetes}");
            hops(judgement, title, &over)
        }
        None => judgement.fix(format!(
            "there is no way there: the first hop, {hop}, runs on Kubernetes {oldest} to {newest}, and EKS takes no cluster back from {kubernetes}; `karpctl destroy` Karpenter and make it anew"
        )),
    }
}
