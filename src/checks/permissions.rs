//! What the checks of permissions have in common: denials as a sentence.

use super::Judgement;
use crate::facts::{Denial, DeniedBy, PermissionFacts};
use crate::spec::Spec;

/// The most denied actions that are named.
const SHOWN: usize = 8;

/// What it means that a policy asks for condition keys that a question had no value for. IAM names them whatever action they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownKeys {
    /// With them the action may be allowed.
    MayAllow,
    /// The question had every key that matters.
    DoNotMatter,
}

/// What a principal lacks, worst first: what will be denied, and what may be.
pub(super) fn lacking(
    spec: &Spec,
    subject: &str,
    facts: &PermissionFacts,
    keys: UnknownKeys,
    cure: impl Fn(Judgement) -> Judgement,
) -> Vec<Judgement> {
    if let Some(reason) = &facts.untold {
        return vec![
            Judgement::warn(subject, format!("what it may do is not known, because IAM may not be asked: {reason}")).run(
                "print a policy with all that the doctor asks, for whoever may attach it",
                operator_policy(spec, &["--for", "doctor"]),
            ),
        ];
    }
    if facts.principal.ends_with(":root") {
        return vec![Judgement::pass(subject, "is the account's root user, who may do everything")];
    }
    if facts.denied.is_empty() {
        return vec![Judgement::pass(subject, format!("may do all {} things that are needed", facts.asked))];
    }
    let (unsure, sure): (Vec<&Denial>, Vec<&Denial>) =
        facts.denied.iter().partition(|d| keys == UnknownKeys::MayAllow && d.by == DeniedBy::Nobody && !d.unknown_keys.is_empty());
    let mut said = Vec::new();
    for (by, why, hint) in WHO {
        let denied: Vec<&Denial> = sure.iter().copied().filter(|d| d.by == by).collect();
        if denied.is_empty() {
            continue;
        }
        let judgement = Judgement::fail(subject, format!("{why}: {}", listed(&denied)));
        said.push(match hint {
            Some(hint) => judgement.fix(hint),
            None => cure(judgement),
        });
    }
    if !unsure.is_empty() {
        let named: std::collections::BTreeSet<&str> = unsure.iter().flat_map(|d| &d.unknown_keys).map(String::as_str).collect();
        let named: Vec<&str> = named.into_iter().take(SHOWN).collect();
        said.push(
            Judgement::warn(subject, format!("may be denied, by a condition on {}: {}", named.join(", "), listed(&unsure)))
                .fix("see whether the condition holds for these calls"),
        );
    }
    said
}

/// The command that prints an operator's policy.
pub(super) fn operator_policy<'a>(spec: &'a Spec, more: &[&'a str]) -> Vec<&'a str> {
    let (cluster, region, account) = (spec.cluster_name.as_str(), spec.region.as_str(), spec.account_id.as_str());
    let render = ["karpctl", "render", "operator-policy", "--cluster-name", cluster, "--region", region, "--account-id", account];
    [&render, more].concat()
}

/// Who denies, in words, and what helps where it is not what the principal's own policies say.
const WHO: [(DeniedBy, &str, Option<&str>); 4] = [
    (
        DeniedBy::Organization,
        "a service control policy of the organization denies",
        Some("only who administers the organization can allow it; no policy in this account can"),
    ),
    (DeniedBy::Boundary, "the permissions boundary does not allow", Some("have the boundary allow it; no other policy can")),
    (
        DeniedBy::Policy,
        "a policy denies explicitly",
        Some("find the policy with that Deny and except these; an Allow beside it does not help"),
    ),
    (DeniedBy::Nobody, "is not authorized to perform", None),
];

/// Denied actions, each with one resource that it was asked for.
fn listed(denied: &[&Denial]) -> String {
    let mut actions: Vec<&str> = denied.iter().map(|d| d.action.as_str()).collect();
    actions.dedup();
    let more = actions.len().saturating_sub(SHOWN);
    let shown = actions.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let of = denied.first().map(|d| format!(" (the first on {})", d.resource)).unwrap_or_default();
    if more > 0 { format!("{shown} and {more} more{of}") } else { format!("{shown}{of}") }
}
