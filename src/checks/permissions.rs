//! What the checks of permissions have in common: denials as a sentence.

use super::{Judgement, Situation};
use crate::facts::{Denial, DeniedBy, PermissionFacts};
use crate::knowledge::Work;
use crate::spec::{ClusterMode, ControllerCapacity, IpFamily, Spec};
use crate::wording;

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
    situation: &Situation<'_>,
    subject: &str,
    facts: &PermissionFacts,
    keys: UnknownKeys,
    cure: impl Fn(Judgement) -> Judgement,
) -> Vec<Judgement> {
    if let Some(reason) = &facts.untold {
        let judgement = Judgement::warn(subject, format!("what it may do is not known, because IAM may not be asked: {reason}"));
        return vec![print_policy(
            judgement,
            situation,
            "print a policy with all that the doctor asks, for whoever may attach it",
            Work::Doctor,
        )];
    }
    if facts.principal.ends_with(":root") {
        return vec![Judgement::pass(subject, "is the account's root user, who may do everything")];
    }
    if facts.denied.is_empty() {
        return vec![Judgement::pass(subject, format!("may do all {} things that are needed", facts.asked))];
    }
    // Of an organisation's policies the simulation does not evaluate every condition, and names no key that it lacks.
    let (organization, others): (Vec<&Denial>, Vec<&Denial>) = facts.denied.iter().partition(|d| d.by == DeniedBy::Organization);
    let (unsure, sure): (Vec<&Denial>, Vec<&Denial>) =
        others.into_iter().partition(|d| keys == UnknownKeys::MayAllow && !d.unknown_keys.is_empty());
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
    if !organization.is_empty() {
        let message = format!(
            "may be denied by a service control policy of the organization, of whose conditions IAM's simulation does not know all: {}",
            listed(&organization)
        );
        said.push(
            Judgement::warn(subject, message)
                .fix("ask who administers the organization whether it lets these through here; no policy in this account can"),
        );
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

/// A judgement that is cured by a policy for this work, with the command that prints it.
pub(super) fn print_policy(judgement: Judgement, situation: &Situation<'_>, title: &str, work: Work) -> Judgement {
    match situation.spec {
        Some(spec) => judgement.run(title, operator_policy(spec, situation.meant.file.as_deref(), work)),
        None => judgement,
    }
}

/// The command that prints an operator's policy for this spec: it names all that the policy depends on, wherever it was said, and the
/// spec file, since a VPC of one's own and what another tool made are named nowhere else.
fn operator_policy(spec: &Spec, file: Option<&str>, work: Work) -> Vec<String> {
    let texts = [
        ("--for", Some(work.as_str().to_owned())),
        ("--file", file.map(str::to_owned)),
        ("--cluster-name", Some(spec.cluster_name.to_string())),
        ("--region", Some(spec.region.to_string())),
        ("--account-id", Some(spec.account_id.to_string())),
        ("--karpenter-version", Some(spec.release.to_string())),
        ("--identity", Some(spec.identity.as_str().to_owned())),
        ("--ip-family", (spec.ip_family == IpFamily::Ipv6).then(|| "ipv6".to_owned())),
        ("--kms-key", spec.kms_key.as_ref().map(ToString::to_string)),
        ("--permissions-boundary", spec.permissions_boundary.as_ref().map(ToString::to_string)),
    ];
    let given = [
        ("--existing-cluster", spec.cluster == ClusterMode::Existing),
        ("--fargate", spec.capacity == ControllerCapacity::Fargate),
        ("--private", spec.private),
    ];
    let texts = texts.into_iter().filter_map(|(flag, text)| Some([flag.to_owned(), text?])).flatten();
    let given = given.into_iter().filter(|(_, yes)| *yes).map(|(flag, _)| flag.to_owned());
    ["karpctl", "render", "operator-policy"].map(str::to_owned).into_iter().chain(texts).chain(given).collect()
}

/// Who denies within the account, in words, and what helps where it is not what the principal's own policies say.
const WHO: [(DeniedBy, &str, Option<&str>); 3] = [
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
    let of = denied.first().map(|d| format!(" (the first on {})", d.resource)).unwrap_or_default();
    format!("{}{of}", wording::named(actions, SHOWN))
}
