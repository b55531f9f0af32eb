//! Whether a KMS key lets somebody use it, as KMS decides: by the key's policy, by a grant, or by IAM where the policy leaves it to IAM.

use super::Judgement;
use super::policy::{Effect, beside, fits, names_action, statements, texts};
use crate::facts::{KeyFacts, KeyUse, Probed};
use crate::spec::Spec;
use serde_json::{Value, json};

/// Who asks a key, and how.
pub(super) struct Asker<'a> {
    /// An ARN.
    pub(super) arn: &'a str,
    /// The service that asks for it: `ec2`.
    pub(super) via: &'a str,
    /// What IAM's policies of the asker do not allow; `None`: not known.
    pub(super) denied: Option<Vec<&'a str>>,
}

impl<'a> Asker<'a> {
    /// The one that the key was read for.
    pub(super) fn of(facts: &'a KeyUse, via: &'a str) -> Self {
        let denied = match &facts.denied {
            Probed::Known(denied) => Some(denied.iter().map(|d| d.action.as_str()).collect()),
            // A role that is not there has no policies of its own, and karpctl gives it none for keys.
            Probed::Absent => Some(crate::knowledge::VOLUME_KEY_ACTIONS.to_vec()),
            Probed::Unavailable(_) | Probed::NotAsked => None,
        };
        Self { arn: &facts.user, via, denied }
    }
}

/// What comes of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// It is allowed.
    Allowed,
    /// It depends on what is not known here.
    Unsure(String),
    /// Nothing allows it.
    Missing,
    /// The policy denies it in so many words.
    Denied,
}

/// How a condition or a principal applies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Perhaps(String),
}

/// Whether the key lets it be done.
pub(super) fn access(spec: &Spec, key: &KeyFacts, asker: &Asker<'_>, action: &str) -> Access {
    let mut unsure = None;
    for statement in statements(&key.policy, Effect::Deny) {
        match applies(spec, statement, asker, action) {
            (Named::Nobody, _) | (_, Holds::No) => {}
            (_, Holds::Yes) => return Access::Denied,
            (_, Holds::Perhaps(why)) => unsure = Some(why),
        }
    }
    let unsure_or = |access| unsure.clone().map_or(access, Access::Unsure);
    let operation = action.trim_start_matches("kms:");
    if key.grants.iter().any(|g| g.grantee == asker.arn && g.operations.iter().any(|o| o == operation)) {
        return unsure_or(Access::Allowed);
    }
    let mut perhaps = None;
    for statement in statements(&key.policy, Effect::Allow) {
        match applies(spec, statement, asker, action) {
            (Named::Nobody, _) | (_, Holds::No) => {}
            (_, Holds::Perhaps(why)) => perhaps = Some(why),
            (Named::Itself, Holds::Yes) => return unsure_or(Access::Allowed),
            (Named::Account, Holds::Yes) => match &asker.denied {
                Some(denied) if denied.contains(&action) => {}
                Some(_) => return unsure_or(Access::Allowed),
                None => perhaps = Some("IAM's policies of it, which could not be read".into()),
            },
        }
    }
    perhaps.map_or(Access::Missing, Access::Unsure)
}

/// As whom a statement names the asker.
enum Named {
    Nobody,
    /// By name, or as everybody: what the statement says is decided.
    Itself,
    /// By its account: what the statement allows is for IAM to give on.
    Account,
}

fn applies(spec: &Spec, statement: &Value, asker: &Asker<'_>, action: &str) -> (Named, Holds) {
    let acts = |patterns: &Value| texts(patterns).iter().any(|p| names_action(p, action));
    let concerned = if statement["Action"].is_null() { !acts(&statement["NotAction"]) } else { acts(&statement["Action"]) };
    if !concerned {
        return (Named::Nobody, Holds::No);
    }
    if statement["Principal"].is_null() {
        return (Named::Itself, Holds::Perhaps("NotPrincipal".into()));
    }
    let (account, partition) = (spec.account_id.as_str(), spec.partition);
    let root = format!("arn:{partition}:iam::{account}:root");
    let principals = &statement["Principal"];
    let named = if principals.is_string() { texts(principals) } else { texts(&principals["AWS"]) };
    let named = if named.iter().any(|p| *p == "*" || *p == asker.arn) {
        Named::Itself
    } else if named.iter().any(|p| *p == account || *p == root) {
        Named::Account
    } else {
        return (Named::Nobody, Holds::No);
    };
    (named, conditions(spec, statement, asker, action))
}

/// Whether the conditions of a statement hold for this asker.
fn conditions(spec: &Spec, statement: &Value, asker: &Asker<'_>, action: &str) -> Holds {
    let mut all = Holds::Yes;
    let operators = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            match condition(spec, operator, key, &texts_or_bools(wanted), asker, action) {
                Holds::Yes => {}
                Holds::No => return Holds::No,
                perhaps @ Holds::Perhaps(_) => all = perhaps,
            }
        }
    }
    all
}

fn condition(spec: &Spec, operator: &str, key: &str, wanted: &[String], asker: &Asker<'_>, action: &str) -> Holds {
    let perhaps = || Holds::Perhaps(format!("a condition on {key}"));
    let is = match key.to_ascii_lowercase().as_str() {
        "kms:viaservice" => format!("{}.{}.{}", asker.via, spec.region, spec.partition.url_suffix()),
        "kms:calleraccount" | "aws:principalaccount" => spec.account_id.to_string(),
        "kms:grantisforawsresource" if action == "kms:CreateGrant" => "true".into(),
        "kms:grantisforawsresource" => return if operator.ends_with("IfExists") { Holds::Yes } else { Holds::No },
        "aws:principalarn" => asker.arn.to_owned(),
        _ => return perhaps(),
    };
    let operator = operator.trim_end_matches("IfExists");
    let of_arns = operator.starts_with("Arn");
    let (positive, operator) = match operator.strip_prefix("StringNot").or_else(|| operator.strip_prefix("ArnNot")) {
        Some(rest) => (false, rest),
        None => (true, operator.trim_start_matches("String").trim_start_matches("Arn")),
    };
    let any = match operator {
        "Equals" if !of_arns => wanted.contains(&is),
        // ArnEquals takes patterns as ArnLike does.
        "Like" | "Equals" => wanted.iter().any(|w| fits(w, &is)),
        "EqualsIgnoreCase" | "Bool" => wanted.iter().any(|w| w.eq_ignore_ascii_case(&is)),
        _ => return perhaps(),
    };
    if any == positive { Holds::Yes } else { Holds::No }
}

fn texts_or_bools(value: &Value) -> Vec<String> {
    let one = |v: &Value| v.as_str().map(str::to_owned).or_else(|| v.as_bool().map(|b| b.to_string()));
    value.as_array().map_or_else(|| one(value).into_iter().collect(), |many| many.iter().filter_map(one).collect())
}

/// What is wrong with a key whoever uses it; the judgement that ends the look.
pub(super) fn usable(spec: &Spec, subject: &str, key: &KeyFacts) -> Result<(), Judgement> {
    let (region, arn) = (spec.region.as_str(), key.arn.as_str());
    let kms = |operation: &'static str| ["aws", "kms", operation, "--region", region, "--key-id", arn].map(str::to_owned);
    if !key.symmetric {
        let judgement = Judgement::fail(subject, format!("{arn} is not a symmetric key, and nothing else encrypts it"));
        return Err(judgement.fix("name a key of the spec SYMMETRIC_DEFAULT"));
    }
    let stands = format!("{arn} is {}", key.state);
    match key.state.as_str() {
        "Enabled" => Ok(()),
        "Disabled" => {
            Err(Judgement::fail(subject, format!("{stands}: KMSInvalidStateException, DisabledException"))
                .run("enable it", kms("enable-key")))
        }
        "PendingDeletion" => Err(Judgement::fail(subject, format!("{stands}: nothing is encrypted with it, and soon nothing decrypted"))
            .run("keep it", kms("cancel-key-deletion"))
            .run("and enable it, which that does not", kms("enable-key"))),
        _ => Err(Judgement::fail(subject, stands).run("see what KMS says", kms("describe-key"))),
    }
}

/// A key of another region, which no service of this one takes.
pub(super) fn elsewhere(spec: &Spec, subject: &str, key: &crate::spec::Arn) -> Result<(), Judgement> {
    if key.region() == spec.region.as_str() {
        return Ok(());
    }
    Err(Judgement::fail(subject, format!("{key} is of {}, and {} takes keys of its own only", key.region(), spec.region))
        .fix(format!("name a key of {}, or replicate a multi-Region key there", spec.region)))
}

/// The command that lets these users use the key by a service, and leaves the rest of its policy as it is. The users need not be there
/// yet: a policy that names as principal who is not there is refused.
pub(super) fn letting(spec: &Spec, key: &KeyFacts, users: &[&str], via: &str, actions: &[&str]) -> Vec<String> {
    let service = format!("{via}.{}.{}", spec.region, spec.partition.url_suffix());
    let statement = json!({
        "Sid": format!("Karpenter{}", via.to_uppercase()),
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:ViaService": service, "kms:CallerAccount": spec.account_id.as_str()},
            "ArnEquals": {"aws:PrincipalArn": users},
        },
    });
    let (arn, text) = (key.arn.as_str(), beside(&key.policy, [statement]).to_string());
    let command =
        ["aws", "kms", "put-key-policy", "--region", spec.region.as_str(), "--key-id", arn, "--policy-name", "default", "--policy", &text];
    command.map(str::to_owned).into()
}
