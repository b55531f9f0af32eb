//! What `karpctl explain` says of the permissions that whoever runs karpctl needs: the rows that `render operator-policy` prints.

use crate::knowledge::{CalledBy, OperatorCase, OperatorGrant, operator_grants};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// By action, and by the id of the statement.
pub(super) fn permissions() -> Vec<(String, String)> {
    let grants = operator_grants();
    let mut by_action: BTreeMap<&str, Vec<&OperatorGrant>> = BTreeMap::new();
    for grant in &grants {
        for action in grant.actions {
            by_action.entry(action).or_default().push(grant);
        }
    }
    let actions = by_action.into_iter().map(|(action, grants)| {
        let rows: String = grants.iter().map(|grant| format!("\n{}", row(grant))).collect();
        (action.to_owned(), format!("Why whoever runs karpctl must be allowed {action}:\n{rows}{PRINTED}"))
    });
    let statements = grants.iter().map(|grant| {
        let text = format!("Whoever runs karpctl must be allowed {}:\n\n{}{PRINTED}", grant.actions.join(", "), row(grant));
        (grant.sid.to_owned(), text)
    });
    actions.chain(statements).collect()
}

/// What makes roles, and what they may do, the holder's own to say.
const ESCALATES: [&str; 6] = [
    "iam:CreateRole",
    "iam:AttachRolePolicy",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
];

const PRINTED: &str =
    "\n`karpctl render operator-policy` prints the whole policy for a spec, `karpctl doctor --only caller-permissions` has IAM judge it.";

/// What a statement is for, who makes the call, when, and on what.
fn row(grant: &OperatorGrant) -> String {
    let works = grant.works.iter().map(|work| format!("`karpctl {}`", work.as_str())).collect::<Vec<_>>().join(", ");
    let caller = match grant.by {
        CalledBy::Karpctl => "karpctl calls it",
        CalledBy::Eksctl => "eksctl calls it",
        CalledBy::Cloudformation => "CloudFormation calls it with your permissions",
    };
    let mut text = format!("{} ({}): {caller}, for {works}.\n", in_words(grant.sid), grant.sid);
    let only = grant.update_only.then_some("a release or a setting has changed");
    let when: Vec<&str> = only.into_iter().chain(grant.cases.iter().copied().map(case)).collect();
    if !when.is_empty() {
        let _ = writeln!(text, "  where {}", when.join(", and "));
    }
    for resource in &grant.resources {
        let _ = writeln!(text, "  on {resource}");
    }
    for condition in &grant.conditions {
        let _ = writeln!(text, "  if {} {}: {}", condition.operator, condition.key, condition.values.join(", "));
    }
    if grant.actions.iter().any(|action| ESCALATES.contains(&action.as_str())) {
        text.push_str(
            "  With it one can become administrator, as one writes what a role may do or who may assume it: only a permissions boundary \
             (--permissions-boundary) bounds that.\n",
        );
    }
    if grant.informs {
        text.push_str("  It only informs: without it the work ends well, and says what it could not look at.\n");
    }
    text
}

/// `MakeEksctlStacks` as `Make eksctl stacks`.
fn in_words(sid: &str) -> String {
    sid.char_indices()
        .flat_map(|(at, c)| if at > 0 && c.is_ascii_uppercase() { vec![' ', c.to_ascii_lowercase()] } else { vec![c] })
        .collect()
}

const fn case(case: OperatorCase) -> &'static str {
    match case {
        OperatorCase::ExistingCluster => "the cluster was there before (--existing-cluster)",
        OperatorCase::NewCluster => "the cluster is karpctl's own",
        OperatorCase::ByEksctl => "eksctl makes or removes the cluster",
        OperatorCase::OwnNetwork => "its network is made with it",
        OperatorCase::Ipv6 => "its pods have IPv6 (--ip-family ipv6)",
        OperatorCase::Private => "it has no way to the internet (--private)",
        OperatorCase::SecretsKey => "a key of yours encrypts its secrets (--kms-key)",
        OperatorCase::NodeGroup => "the controller runs on a node group",
        OperatorCase::Fargate => "the controller runs on Fargate (--fargate)",
        OperatorCase::PodIdentity => "the controller has its credentials by Pod Identity",
        OperatorCase::Irsa => "the controller has its credentials by IRSA (--identity irsa)",
        OperatorCase::InterruptionQueue => "the release has an interruption queue",
        OperatorCase::InstanceProfile => "the stack has an instance profile",
        OperatorCase::NoInstanceProfile => "the stack has no instance profile",
        OperatorCase::OwnStack => "no other tool made the roles and the queue (madeElsewhere)",
        OperatorCase::Boundary => "roles get a permissions boundary (--permissions-boundary)",
        OperatorCase::NoBoundary => "roles get no permissions boundary",
        OperatorCase::BoundaryTakenOff => "that of an earlier run is taken off (--permissions-boundary none)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_says_who_calls_it_when_and_on_what() {
        let texts = permissions();
        let text = |id: &str| texts.iter().find(|(known, _)| known == id).map(|(_, text)| text.as_str()).unwrap_or_default();
        for grant in operator_grants() {
            assert!(grant.actions.iter().all(|action| text(action).contains(grant.sid)), "{}", grant.sid);
            assert!(text(grant.sid).contains(grant.resources[0]), "{}", grant.sid);
        }
        let closing = text("eks:UpdateClusterConfig");
        assert!(closing.contains("Close public endpoint (ClosePublicEndpoint): eksctl calls it, for `karpctl bootstrap`."), "{closing}");
        assert!(closing.contains("where eksctl makes or removes the cluster, and it has no way to the internet (--private)"), "{closing}");
        assert!(text("iam:UpdateAssumeRolePolicy").contains("become administrator") && !closing.contains("administrator"));
        assert!(text("iam:PassRole").contains("if StringEquals iam:PassedToService: pods.eks.amazonaws.com"), "{}", text("iam:PassRole"));
        assert!(text("cloudformation:DescribeStackEvents").contains("It only informs"), "{}", text("cloudformation:DescribeStackEvents"));
    }
}
