//! How far eksctl is, by what it says.

use crate::plan::Progress;
use std::sync::atomic::{AtomicU8, Ordering};

/// What eksctl does to create a cluster, in its order, and how its lines about that begin. It says the last ones again while it
/// installs add-ons that need nodes.
const STAGES: [(&str, &[&str]); 4] = [
    ("control plane", &["building cluster stack"]),
    ("add-ons", &["creating addon"]),
    ("what runs the controller", &["building managed nodegroup stack", "building nodegroup stack", "creating Fargate profile"]),
    ("until all is ready", &["waiting for at least", "all EKS cluster resources"]),
];

/// The stages of one creation; none comes twice.
#[derive(Debug, Default)]
pub(super) struct Stages(AtomicU8);

impl Stages {
    /// The stage that begins with this line of eksctl's, if one does.
    pub(super) fn begun_by(&self, line: &str) -> Option<Progress> {
        let begins = |(_, starts): &(&str, &[&str])| starts.iter().any(|start| line.starts_with(start));
        let at = STAGES.iter().position(begins)?;
        let (number, of) = (u8::try_from(at + 1).ok()?, u8::try_from(STAGES.len()).ok()?);
        (self.0.fetch_max(number, Ordering::Relaxed) < number).then_some(Progress::Stage { number, of, message: STAGES[at].0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What eksctl 0.230.0 says, in its order, in short.
    const SAID: &str = "\
eksctl version 0.230.0
creating EKS cluster \"demo\" in \"us-west-2\" region with managed nodes
2 sequential tasks: { create cluster control plane \"demo\",
create managed nodegroup \"demo-ng\",
building cluster stack \"eksctl-demo-cluster\"
waiting for CloudFormation stack \"eksctl-demo-cluster\"
creating addon: eks-pod-identity-agent
creating addon: vpc-cni
updating addon
building managed nodegroup stack \"eksctl-demo-nodegroup-demo-ng\"
waiting for the control plane to become ready
all EKS cluster resources for \"demo\" have been created
waiting for at least 1 node(s) to become ready in \"demo-ng\"
creating addon: metrics-server
EKS cluster \"demo\" in \"us-west-2\" region is ready";

    #[test]
    fn each_stage_begins_once_and_in_order() {
        let stages = Stages::default();
        let begun: Vec<String> = SAID
            .lines()
            .filter_map(|line| match stages.begun_by(line)? {
                Progress::Stage { number, of, message } => Some(format!("{number} of {of}: {message}")),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(begun, ["1 of 4: control plane", "2 of 4: add-ons", "3 of 4: what runs the controller", "4 of 4: until all is ready"]);
    }
}
