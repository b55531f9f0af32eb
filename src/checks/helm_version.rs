//! Whether the helm at hand can install this chart into this cluster.

use super::{Check, Judgement, Situation};
use crate::facts::{Probed, ToolFacts};
use crate::finding::{Area, Verdict};
use crate::knowledge::{Tool, ToolFit};

pub(super) struct HelmVersion;

impl Check for HelmVersion {
    fn id(&self) -> &'static str {
        "helm-version"
    }

    fn area(&self) -> Area {
        Area::Client
    }

    fn why(&self) -> &'static str {
        "The charts are OCI artifacts, and a helm far from the cluster's Kubernetes does not know its APIs."
    }

    fn judge(&self, situation: &Situation<'_>) -> Judgement {
        tool(situation, Tool::Helm, "helm", &situation.facts.helm, "--helm PATH")
    }
}

/// The same judgement for every tool that karpctl runs.
pub(super) fn tool(situation: &Situation<'_>, tool: Tool, name: &str, facts: &Probed<ToolFacts>, flag: &str) -> Judgement {
    let spec = situation.spec;
    match facts {
        Probed::Known(at_hand) => {
            let subject = format!("{name} {} ({})", at_hand.version, at_hand.path.display());
            match at_hand.version.fit(tool, &spec.release, spec.kubernetes) {
                ToolFit::Fits => Judgement::new(Verdict::Pass, subject, "fits"),
                ToolFit::OutOfRange(why) => Judgement::new(Verdict::Warn, subject, why),
                ToolFit::Unfit { why, hint } => Judgement::new(Verdict::Fail, subject, why).fix(hint),
            }
        }
        Probed::Absent => {
            Judgement::new(Verdict::Fail, name, format!("{name} is not on PATH")).fix(format!("install {name}, or say where it is: {flag}"))
        }
        Probed::Unavailable(why) => Judgement::new(Verdict::Fail, name, why.clone()).fix(format!("say which {name} is meant: {flag}")),
        Probed::NotAsked => Judgement::new(Verdict::Skip, name, "not looked at"),
    }
}
