//! Whether IAM has room for what is made.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{Facts, Probed, Topic};
use crate::finding::Area;
use crate::render;
use crate::spec::Spec;

pub(super) struct IamQuotas;

impl Check for IamQuotas {
    fn id(&self) -> &'static str {
        "iam-quotas"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "An account has a fixed number of roles and policies; the stack that asks for one more is rolled back."
    }

    fn explain(&self) -> &'static str {
        "Reads how much of IAM's quotas is used (iam:GetAccountSummary) and counts what is still to be made: the node role, the \
         controller's role and its managed policies, and that a role takes so many policies. What people see otherwise: \
         `LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000`, `Cannot exceed quota for PoliciesPerRole: 10`, `Cannot exceed \
         quota for InstanceProfilesPerAccount: 1000` (Karpenter makes an instance profile for each node class). Cure: remove what \
         nobody uses, or ask for more: `aws service-quotas list-service-quotas --service-code iam` shows the codes for \
         request-service-quota-increase. EC2's \
         quotas of vCPUs are those of the check vcpu-quotas."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::IamSummary, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let Some(summary) = read("IAM quotas", &situation.facts.iam_summary)? else {
            return Err(Judgement::skip("IAM quotas", "IAM names none"));
        };
        let get = |key: &str| summary.get(key).copied();
        let mut said = Vec::new();
        for (what, used, needed) in needs(spec, situation.facts) {
            let (Some(used), Some(quota)) = (get(used), get(&format!("{used}Quota"))) else { continue };
            if used + needed > quota {
                said.push(more(
                    format!("{what} of the account"),
                    format!("{used} of {quota} are used, and {needed} more are needed: LimitExceeded"),
                ));
            }
        }
        let policies = i64::try_from(render::controller_policies(spec).len()).unwrap_or(i64::MAX);
        if let Some(quota) = get("AttachedPoliciesPerRoleQuota").filter(|quota| policies > *quota) {
            let name = spec.controller_role_name();
            said.push(more(
                format!("policies of role {name}"),
                format!("{policies} are needed, and a role takes {quota}: PoliciesPerRole"),
            ));
        }
        if said.is_empty() {
            said.push(Judgement::pass("IAM quotas", "have room for what is made"));
        }
        Ok(said)
    }
}

/// What is still to be made, with the name of its count.
fn needs(spec: &Spec, facts: &Facts) -> [(&'static str, &'static str, i64); 3] {
    let absent = |there: bool, number: usize| if there { 0 } else { i64::try_from(number).unwrap_or(i64::MAX) };
    let stack = !matches!(facts.stack, Probed::Absent);
    let role = !matches!(facts.controller_role, Probed::Absent);
    [
        ("roles", "Roles", absent(stack, 1) + absent(role, 1)),
        ("customer managed policies", "Policies", absent(stack, render::controller_policies(spec).len())),
        // The stack makes it, or Karpenter for the node class.
        ("instance profiles", "InstanceProfiles", absent(stack, 1)),
    ]
}

fn more(subject: String, message: String) -> Judgement {
    let list = ["aws", "service-quotas", "list-service-quotas", "--service-code", "iam"];
    Judgement::fail(subject, message).fix("remove what nobody uses").run("or raise the quota; this lists the codes", list)
}
