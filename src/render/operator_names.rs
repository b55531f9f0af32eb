//! What the variables of the operator's table stand for: names, and patterns of names that CloudFormation makes up.

use super::policies::{controller_policies, substituted};
use crate::knowledge::Release;
use crate::spec::{ControllerCapacity, Spec};
use std::collections::BTreeSet;

/// The variables, and what each stands for: one text, several, or none.
pub(super) struct Names<'a> {
    spec: &'a Spec,
    values: Vec<(&'static str, Vec<String>)>,
}

impl<'a> Names<'a> {
    pub(super) fn of(spec: &'a Spec) -> Self {
        let known = |text: Option<String>| text.into_iter().collect();
        let stacks: Vec<_> = Release::all().iter().map(Release::stack).collect();
        // A stack of an earlier release is updated, and an update that fails goes back: what any release has may be in hand.
        let rules: BTreeSet<String> = stacks.iter().flat_map(|s| &s.rules).map(|rule| rule.id.clone()).collect();
        let node_policies: BTreeSet<String> = stacks.iter().flat_map(|s| s.node_policies.clone()).collect();
        let values = vec![
            ("${StackName}", vec![spec.stack_name()]),
            ("${LockStackName}", vec![spec.lock_stack_name()]),
            ("${NodeRoleArn}", vec![spec.node_role_arn().to_string()]),
            ("${ControllerRoleArn}", vec![spec.controller_role_arn().to_string()]),
            ("${InstanceProfileName}", vec![spec.instance_profile_name()]),
            ("${QueueName}", vec![spec.queue_name()]),
            ("${SecretsKey}", known(spec.kms_key.as_ref().map(ToString::to_string))),
            ("${PermissionsBoundary}", known(spec.boundary().map(ToString::to_string))),
            ("${NodePolicyName}", node_policies.into_iter().collect()),
            ("${ControllerPolicyName}", controller_policy_names(spec)),
            ("${RuleName}", fewest(&rules.iter().map(|id| made_name(&spec.stack_name(), id)).collect())),
            ("${EksctlStackName}", EKSCTL_STACKS.iter().map(|(end, _)| eksctl_stack(spec, end)).collect()),
            ("${EksctlRoleName}", eksctl_role_names(spec)),
        ];
        Self { spec, values }
    }

    /// A text of the table as texts of this spec: several where a variable stands for several.
    pub(super) fn expanded(&self, text: &str) -> Vec<String> {
        let there = self.values.iter().filter(|(variable, _)| text.contains(variable));
        let texts = there.fold(vec![text.to_owned()], |texts, (variable, values)| {
            texts.iter().flat_map(|text| values.iter().map(|value| text.replace(variable, value))).collect()
        });
        texts.iter().map(|text| substituted(text, self.spec)).collect()
    }
}

/// The managed policies that the stack of any release has.
fn controller_policy_names(spec: &Spec) -> Vec<String> {
    let mut seen = Vec::new();
    let mut names = BTreeSet::new();
    for release in Release::all() {
        let policies = release.stack().policies;
        if !seen.contains(&policies) {
            seen.push(policies);
            let of_release = controller_policies(&Spec { release, ..spec.clone() });
            names.extend(of_release.iter().map(|policy| spec.controller_policy_name(&policy.part)));
        }
    }
    names.into_iter().collect()
}

/// The stacks that eksctl makes for a cluster, and removes with it, and the roles in them. Node groups and add-ons of any name: it removes
/// those, too, that a person added.
const EKSCTL_STACKS: [(&str, &[&str]); 5] = [
    ("cluster", &["ServiceRole", POD_ROLE]),
    ("nodegroup-*", &["NodeInstanceRole"]),
    ("fargate", &[POD_ROLE]),
    ("addon-*", &["Role1"]),
    ("podidentityrole-*", &["Role1"]),
];

fn eksctl_stack(spec: &Spec, end: &str) -> String {
    format!("eksctl-{}-{end}", spec.cluster_name)
}

fn eksctl_role_names(spec: &Spec) -> Vec<String> {
    let all = EKSCTL_STACKS.iter().flat_map(|(end, roles)| roles.iter().map(move |role| (end, role)));
    // A long logical id leaves less of the stack's name, and so takes in more neighbours.
    let there = all.filter(|(_, role)| **role != POD_ROLE || spec.capacity == ControllerCapacity::Fargate);
    fewest(&there.map(|(end, role)| made_name(&eksctl_stack(spec, end), role)).collect())
}

/// The role of pods on Fargate.
const POD_ROLE: &str = "FargatePodExecutionRole";

/// The longest name of a role or rule.
const LONGEST: usize = 64;
/// What CloudFormation keeps of a logical id where it cuts.
const LOGICAL_ID: usize = 24;
/// The letters that it makes up (twelve or thirteen), with the dash before them and the one between stack and logical id.
const MADE_UP: usize = 15;

/// How CloudFormation calls what has no name in a template: `<stack>-<logical id>-<letters>`, where the stack's name loses its end if all
/// would be longer than 64, and a long logical id is cut before that. Seen: `eksctl-test-cluster-micro-nodegro-NodeInstanceRole-1HD8UX4RLCUTD`.
/// A `*` at the end of the stack stands for the rest of its name.
fn made_name(stack: &str, logical_id: &str) -> String {
    let kept = &logical_id[..logical_id.len().min(LOGICAL_ID)];
    let room = LONGEST - MADE_UP - kept.len();
    let (begin, whole) = stack.strip_suffix('*').map_or((stack, true), |begin| (begin, false));
    if begin.len() > room {
        return format!("{}*", begin.chars().take(room).collect::<String>());
    }
    if whole {
        let end = if kept == logical_id { "-" } else { "" };
        format!("{stack}-{kept}{end}*")
    } else {
        stack.to_owned()
    }
}

/// Patterns without those that another one covers.
fn fewest(patterns: &BTreeSet<String>) -> Vec<String> {
    let covered = |one: &String| patterns.iter().any(|p| p != one && p.strip_suffix('*').is_some_and(|begin| one.starts_with(begin)));
    patterns.iter().filter(|one| !covered(one)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_names_that_cloudformation_made() {
        for (stack, logical_id, pattern, seen) in [
            ("Karpenter-demo", "RebalanceRule", "Karpenter-demo-RebalanceRule-*", "Karpenter-demo-RebalanceRule-1A2B3C4D5E6F"),
            (
                "Karpenter-riotgames-cluster",
                "InstanceStateChangeRule",
                "Karpenter-riotgames-cluste*",
                "Karpenter-riotgames-cluster-InstanceStateChangeRule-tEV8TsVv7AAv",
            ),
            (
                "eksctl-test-cluster-micro-nodegroup-micro-ng",
                "NodeInstanceRole",
                "eksctl-test-cluster-micro-nodegro*",
                "eksctl-test-cluster-micro-nodegro-NodeInstanceRole-1HD8UX4RLCUTD",
            ),
            ("eksctl-demo-nodegroup-*", "NodeInstanceRole", "eksctl-demo-nodegroup-*", "eksctl-demo-nodegroup-demo-ng-NodeInstanceRole-x"),
        ] {
            assert_eq!(made_name(stack, logical_id), pattern);
            assert!(seen.starts_with(pattern.trim_end_matches('*')), "{pattern} {seen}");
        }
        assert_eq!(made_name("Karpenter-demo", "CapacityReservationInterruptionRule"), "Karpenter-demo-CapacityReservationInter*");
        let patterns = BTreeSet::from(["a-*", "a-b*", "b*", "c"].map(str::to_owned));
        assert_eq!(fewest(&patterns), ["a-*", "b*", "c"]);
    }
}
