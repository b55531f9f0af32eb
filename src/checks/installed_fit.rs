//! Whether the Karpenter that is installed supports the cluster's Kubernetes.

use super::helm::bootstrap;
use super::judgement::{installed_release, read};
use super::{Check, Judged, Judgement, Situation, whose};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Release;

pub(super) struct InstalledFit;

impl Check for InstalledFit {
    fn id(&self) -> &'static str {
        "installed-fit"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A controller that does not support the cluster's Kubernetes says so once in its log (`karpenter is not compatible with kubernetes version`) and goes on; after an upgrade of the cluster it is mostly the AMIs that are then not found."
    }

    fn explain(&self) -> &'static str {
        "Each release of Karpenter runs on a range of Kubernetes minors (`karpctl versions`), exact to the patch: 1.6.6 takes 1.34, 1.6.5 does not. \
         After an upgrade of the cluster the controller logs `karpenter is not compatible with kubernetes version` once and goes on; what fails \
         is `no amis exist given constraints`, `AMISelector did not match any AMIs`.\n\n\
         Upgrade Karpenter before the cluster."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Chart, Topic::Neighbours, Topic::Association, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        let Some(release) = installed_release(situation, &subject)? else {
            return Ok(vec![Judgement::pass(subject, "no Karpenter is installed")]);
        };
        let Some(cluster) = read(&subject, &facts.cluster)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        let (oldest, newest) = release.kubernetes_range();
        let subject = format!("Karpenter {release}, Kubernetes {}", cluster.version);
        if release.fits(cluster.version) {
            return Ok(vec![Judgement::pass(subject, format!("supported: {oldest} to {newest}"))]);
        }
        let message = format!("Karpenter {release} is installed and supports Kubernetes {oldest} to {newest}, not {}", cluster.version);
        let judgement = Judgement::fail(subject, message);
        Ok(vec![match Release::default_for(cluster.version) {
            Some(_) if whose::is_within_another_chart(facts) => judgement.fix(whose::UPGRADE_WITHIN),
            Some(fitting) if whose::is_not_upgraded_by_us(spec, facts) => whose::upgraded(spec, facts, judgement, &fitting),
            Some(fitting) => judgement
                .run("install one that fits; the check upgrade-hops says whether there is one between", bootstrap(spec, facts, &fitting)),
            None => judgement.fix("this karpctl knows no Karpenter for that Kubernetes; look for a newer karpctl"),
        }])
    }
}
