//! Whether the helm at hand can install this chart into this cluster.

use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Probed, ToolFacts, Topic};
use crate::finding::Area;
use crate::knowledge::{Tool, ToolFit};
use crate::spec::Spec;

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

    fn explain(&self) -> &'static str {
        "Compares helm with the cluster's Kubernetes (helm supports the minor of its own client and the three before it) and with what the charts \
         ask for.\n\nWhat people see of a helm before 3.8: `this feature has been marked as experimental and is not enabled by default. Please \
         set HELM_EXPERIMENTAL_OCI=1`, or `scheme \"oci\" not supported`. A newer Kubernetes than helm's is a warning: it mostly works."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Tools, Topic::Cluster]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let judgement = tool(situation.spec()?, Tool::Helm, &situation.facts.helm);
        // A helm that is not there, or too old for any cluster, is that whatever the cluster's Kubernetes is.
        if !judgement.is_failure() {
            situation.kubernetes("helm")?;
        }
        Ok(vec![judgement])
    }
}

/// The same judgement for every tool that karpctl runs.
pub(super) fn tool(spec: &Spec, tool: Tool, facts: &Probed<ToolFacts>) -> Judgement {
    let name = tool.as_str();
    match facts {
        Probed::Known(at_hand) => {
            let subject = format!("{name} {} ({})", at_hand.version, at_hand.path.display());
            // Subject and reason both name the tool.
            let plain = |why: String| {
                let named = format!("{name} {} ", at_hand.version);
                why.strip_prefix(&named).map(str::to_owned).unwrap_or(why)
            };
            match at_hand.version.fit(tool, &spec.release, spec.kubernetes) {
                ToolFit::Fits => Judgement::pass(subject, "fits"),
                ToolFit::OutOfRange { why, hint } => Judgement::warn(subject, plain(why)).fix(hint).run(WHICH, which(spec)),
                ToolFit::Unfit { why, hint } => Judgement::fail(subject, plain(why)).fix(hint).run(WHICH, which(spec)),
            }
        }
        Probed::Absent => {
            Judgement::fail(name, format!("{name} is not on PATH")).fix(format!("install {name}, or say where it is: --{name} PATH"))
        }
        Probed::Unavailable(why) => Judgement::fail(name, why.clone()).fix(format!("say which {name} is meant: --{name} PATH")),
        Probed::NotAsked => Judgement::skip(name, "not looked at"),
    }
}

const WHICH: &str = "see which fit";

fn which(spec: &Spec) -> Vec<String> {
    let (kubernetes, release) = (spec.kubernetes.to_string(), spec.release.to_string());
    ["karpctl", "versions", "--kubernetes-version", &kubernetes, "--karpenter-version", &release].map(str::to_owned).to_vec()
}
