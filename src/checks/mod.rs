//! Checks: each judges what is known and says a finding. Pure, like everything that judges.

mod auto_mode;
mod eksctl_version;
mod helm_version;
mod karpenter_release;
mod kubernetes_fit;
mod kubernetes_offered;

use crate::facts::Facts;
use crate::finding::{Area, Finding, Fix, Verdict};
use crate::spec::Spec;

/// What a check judges.
pub struct Situation<'a> {
    /// What the person wants.
    pub spec: &'a Spec,
    /// What is so.
    pub facts: &'a Facts,
    /// The day, for what ends on a day.
    pub today: jiff::civil::Date,
}

impl Situation<'_> {
    /// Whether this spec makes a cluster that is not there yet.
    fn makes_cluster(&self) -> bool {
        self.spec.cluster == crate::spec::ClusterMode::Managed && self.facts.cluster.known().is_none()
    }
}

/// A check.
pub trait Check: Send + Sync {
    /// Its id: file stem, anchor and name everywhere.
    fn id(&self) -> &'static str;
    /// Its area.
    fn area(&self) -> Area;
    /// Why it matters, in a sentence or two.
    fn why(&self) -> &'static str;
    /// What it says.
    fn judge(&self, situation: &Situation<'_>) -> Judgement;
}

/// What a check says, before it is put into a [`Finding`].
#[derive(Debug, Clone)]
pub struct Judgement {
    result: Verdict,
    subject: String,
    message: String,
    fixes: Vec<Fix>,
}

impl Judgement {
    fn new(result: Verdict, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { result, subject: subject.into(), message: message.into(), fixes: Vec::new() }
    }

    fn fix(mut self, title: impl Into<String>) -> Self {
        self.fixes.push(Fix { title: title.into(), command: Vec::new(), safe: false });
        self
    }
}

/// The checks without which nothing is created, in the order in which they are shown.
#[must_use]
pub fn preflight() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(karpenter_release::KarpenterRelease),
        Box::new(kubernetes_fit::KubernetesFit),
        Box::new(kubernetes_offered::KubernetesOffered),
        Box::new(auto_mode::AutoMode),
        Box::new(helm_version::HelmVersion),
        Box::new(eksctl_version::EksctlVersion),
    ]
}

/// What these checks say.
#[must_use]
pub fn judge(checks: &[Box<dyn Check>], situation: &Situation<'_>) -> Vec<Finding> {
    checks
        .iter()
        .map(|check| {
            let judgement = check.judge(situation);
            Finding {
                id: check.id().into(),
                area: check.area(),
                result: judgement.result,
                subject: judgement.subject,
                message: judgement.message,
                why: check.why().into(),
                fixes: judgement.fixes,
            }
        })
        .collect()
}
