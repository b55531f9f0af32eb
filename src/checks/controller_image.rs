//! Whether the system that the controller's image is made on is still mended.

use super::helm::install;
use super::judgement::installed_release;
use super::{Check, Judged, Judgement, Situation, whose};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Release;
use std::sync::LazyLock;

pub(super) struct ControllerImage;

static EXPLAIN: LazyLock<String> = LazyLock::new(|| {
    let mended = Release::with_mended_image().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "The official image of the controller was made on Amazon Linux 2, whose support ended on 2026-06-30, and is made on Amazon Linux 2023 \
         since July 2026: in {mended} and what comes after each (aws/karpenter-provider-aws#9306). The check looks at the release that is \
         installed and at the wanted one.\n\n\
         What is seen is what scanners say of the image, whose /etc/system-release says `Amazon Linux release 2 (Karoo)`. Karpenter works as \
         before. Cure: the newest patch of the same minor. Minors before 1.0 have none: the cure is an upgrade (see upgrade-hops). An image \
         that you make yourself is not looked into, nor are those of before 0.33; accept the finding where yours is another."
    )
});

impl Check for ControllerImage {
    fn id(&self) -> &'static str {
        "controller-image"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "The controller's image has an operating system in it; what is found in that after its support has ended is mended by no patch."
    }

    fn explain(&self) -> &'static str {
        &EXPLAIN
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Chart, Topic::Neighbours, Topic::Association, Topic::Cluster, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "image of the controller";
        // Of the wanted one something is known also where the cluster cannot be read.
        let installed = installed_release(situation, subject);
        let there = installed.as_ref().ok().and_then(Option::as_ref);
        let wanted = Some(&spec.release).filter(|wanted| there != Some(*wanted));
        let with = |judgement: Judgement, mended: Option<Release>, is_there: bool| match mended {
            Some(mended) if is_there && whose::is_not_upgraded_by_us(spec, facts) => whose::upgraded(spec, facts, judgement, &mended),
            Some(mended) if is_there => {
                judgement.run(format!("install {mended}, a patch of the same minor"), install(spec, facts, &mended))
            }
            Some(mended) => judgement.fix(format!("take {mended}, a patch of the same minor: --karpenter-version {mended}")),
            None => {
                let first = Release::with_mended_image().first().map_or_else(String::new, ToString::to_string);
                judgement
                    .fix(format!("no patch of its minor mends it: upgrade to {first} or newer; the check upgrade-hops says by which way"))
            }
        };
        let mut said = Vec::new();
        for (release, is_there) in there.map(|there| (there, true)).into_iter().chain(wanted.map(|wanted| (wanted, false))) {
            let Some(base) = release.image_base().filter(|base| base.ended < situation.today) else { continue };
            let what = if is_there { "is installed" } else { "is wanted" };
            let message =
                format!("Karpenter {release} {what}, and its image is made on {}, whose support ended on {}", base.system, base.ended);
            said.push(with(Judgement::warn(subject, message), base.mended, is_there));
        }
        match installed {
            Err(unknown) => said.push(unknown),
            Ok(_) if said.is_empty() => said.push(Judgement::pass(subject, "nothing is known against what it is made on")),
            Ok(_) => {}
        }
        Ok(said)
    }
}
