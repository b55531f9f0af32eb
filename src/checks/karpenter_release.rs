//! Whether the Karpenter release may be installed at all.

use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::{Release, Standing};

pub(super) struct KarpenterRelease;

impl Check for KarpenterRelease {
    fn id(&self) -> &'static str {
        "karpenter-release"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "A few releases break every cluster they are installed into; a release newer than karpctl's table may need what karpctl does not know."
    }

    fn explain(&self) -> &'static str {
        "Looks the release up in karpctl's table. It fails for one that breaks what it is installed into, warns for one with a known fault \
         or one that is newer than the table, and names the release to take instead: a later patch of the same minor version, mostly.\n\n\
         What people see of 1.0.0, whose chart has a hook that needs an image which is not for arm64: `timed out waiting for the condition`. \
         `--strict` refuses what is a warning here; `karpctl explain guide --karpenter-version VERSION` shows what of its guide is wrong, and \
         `karpctl versions` lists the releases."
    }

    fn reads(&self) -> &'static [Topic] {
        // Whether a release is one to avoid may depend on the cluster's Kubernetes.
        &[Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let release = &spec.release;
        let subject = format!("Karpenter {release}");
        let standing = match situation.kubernetes(&subject) {
            Ok(kubernetes) => release.standing_on(kubernetes),
            // What is wrong with it on any Kubernetes is told all the same.
            Err(unread) => match release.standing() {
                Standing::Known => return Err(unread),
                told => told,
            },
        };
        // The last patch of its minor, or where nobody knows the Kubernetes, the newest, which is as good as any.
        let usual = || situation.kubernetes(&subject).ok().and_then(Release::default_for).unwrap_or_else(Release::newest);
        let known = release.last_patch_known().unwrap_or_else(usual);
        Ok(vec![match standing {
            Standing::Known => Judgement::pass(subject, "known"),
            Standing::Newer => {
                Judgement::warn(subject, format!("not in this karpctl's table; it goes by the rules of {}", release.last_known_in_words()))
                    .fix(format!("take one that it knows: --karpenter-version {known}"))
                    .fix("or a newer karpctl, which may know it: `karpctl versions --compare` shows how far this one is behind")
            }
            Standing::Caution { reason, instead } => {
                Judgement::warn(subject, reason).fix(format!("take {instead} instead: --karpenter-version {instead}"))
            }
            Standing::Trap { reason, instead } => {
                Judgement::fail(subject, reason).fix(format!("take {instead} instead: --karpenter-version {instead}"))
            }
        }])
    }
}
