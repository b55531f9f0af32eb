//! Whether the wanted release reads what the objects say that are there.

use super::judgement::{installed_release, read};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Release;
use crate::steps::hop_objects::{Comes, Loss, losses};

pub(super) struct UpgradeObjects;

impl Check for UpgradeObjects {
    fn id(&self) -> &'static str {
        "upgrade-objects"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A release passes over objects of an API that it does not know, and over what is written where it does not look, without a word: nodes get another kubelet's settings, or nobody looks after them."
    }

    fn explain(&self) -> &'static str {
        "Looks at the objects that are there, in every version that the API server serves them in. 0.33 and later pass over Provisioners, \
         AWSNodeTemplates and Machines. 1.1 and later no longer read the annotation compatibility.karpenter.sh/v1beta1-kubelet-conversion, in \
         which 1.0 keeps a node pool's `kubelet` that has its place in the EC2NodeClass since v1, and cannot work on NodePools and NodeClaims \
         whose nodeClassRef says no group and kind. 1.0 and later look up no images for `amiFamily: Ubuntu`, and want nodes of `amiFamily: Custom` to \
         register with the taint karpenter.sh/unregistered.\n\n\
         What is seen of it: no new node for pending pods though a Provisioner is there, nodes that are `Drifted` and come back with other \
         `maxPods`, `spec.template.spec.nodeClassRef.group: Invalid value: \"\"`, \
         `Ubuntu AMI discovery is not supported at v1`, `missing required startup taint, karpenter.sh/unregistered`.\n\n\
         Move things while the release that reads them runs: its controller then still drains nodes, and does so where settings change. \
         The kubelet's settings come first, the annotation goes last. An upgrade that would lose them is refused with what helps. In what a git repository or a chart writes they must be moved too."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Crds, Topic::Objects, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("objects for Karpenter {}", spec.release);
        let Some(objects) = read(&subject, &situation.facts.objects)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let installed = installed_release(situation, &subject)?;
        let lost = losses(installed.as_ref().map(Release::features), spec.release.features(), objects);
        let said: Vec<Judgement> = lost.into_iter().map(judgement).collect();
        Ok(if said.is_empty() { vec![Judgement::pass(subject, "it reads all that they say")] } else { said })
    }
}

/// What is lost by the upgrade is a failure; what was lost before it is only told.
fn judgement(loss: Loss) -> Judgement {
    let judgement = match loss.comes {
        Comes::ByUpgrade | Comes::Always => Judgement::fail(loss.subject, loss.message),
        Comes::Before | Comes::Perhaps => Judgement::warn(loss.subject, loss.message),
    };
    loss.cures.into_iter().fold(judgement, |judgement, cure| {
        if cure.command.is_empty() { judgement.fix(cure.title) } else { judgement.run(cure.title, cure.command) }
    })
}
