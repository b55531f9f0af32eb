//! Whether IAM has room for what is made.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, makes_cluster, raise_quota, whose};
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
         controller's role and its managed policies, for a new cluster the roles that eksctl makes with it, and that a role takes so many \
         policies.\n\nWhat people see otherwise: \
         `LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000`, `Cannot exceed quota for PoliciesPerRole: 10`, `Cannot exceed \
         quota for InstanceProfilesPerAccount: 1000` (Karpenter makes an instance profile for each node class).\n\nCure: remove what \
         nobody uses, or ask for more (`aws service-quotas request-service-quota-increase`), in the one region of the partition that keeps \
         the quotas of IAM. EC2's quotas of vCPUs are those of the check vcpu-quotas."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::IamSummary, Topic::Stack, Topic::ControllerRole, Topic::Cluster, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if let Some(not_ours) = whose::not_ours(spec, situation.facts, "IAM quotas") {
            return Err(not_ours);
        }
        let Some(summary) = read("IAM quotas", &situation.facts.iam_summary)? else {
            return Err(Judgement::skip("IAM quotas", "IAM names none"));
        };
        // What is not there yet takes room; whether it is must be known.
        read("IAM quotas", &situation.facts.stack)?;
        read("IAM quotas", &situation.facts.controller_role)?;
        let get = |key: &str| summary.get(key).copied();
        let (mut said, mut counted) = (Vec::new(), false);
        for Need { what, used, code, needed } in needs(spec, situation.facts) {
            let (Some(used), Some(quota)) = (get(used), get(&format!("{used}Quota"))) else { continue };
            counted = true;
            if used + needed > quota {
                let message = format!("{used} of {quota} are used, and {needed} more are needed: LimitExceeded");
                said.push(more(spec, Judgement::fail(format!("{what} of the account"), message), code, used + needed));
            }
        }
        let (own, others) = policies_of_role(spec, situation.facts);
        let policies = own + others;
        if let Some(quota) = get("AttachedPoliciesPerRoleQuota").filter(|quota| own > 0 && policies > *quota) {
            let name = spec.controller_role_name();
            let beside = if others > 0 { format!(" beside {others} of your own") } else { String::new() };
            let message = format!("{own} are needed{beside}, and a role takes {quota}: PoliciesPerRole");
            said.push(more(spec, Judgement::fail(format!("policies of role {name}"), message), POLICIES_PER_ROLE, policies));
        }
        if said.is_empty() && !counted {
            return Err(Judgement::skip("IAM quotas", "IAM does not say how much of them is used"));
        }
        if said.is_empty() {
            said.push(Judgement::pass("IAM quotas", "have room for what is made"));
        }
        Ok(said)
    }
}

/// How many policies of the stack the controller's role gets, and how many others it has and keeps.
fn policies_of_role(spec: &Spec, facts: &Facts) -> (i64, i64) {
    // What another tool made gets none.
    if spec.made_elsewhere.is_some() {
        return (0, 0);
    }
    let ours = [render::controller_policy_arns(spec), render::other_controller_policy_arns(spec)].concat();
    let has = facts.controller_role.known().map(|role| role.policies.as_slice()).unwrap_or_default();
    let others = has.iter().filter(|arn| !ours.iter().any(|own| own.as_str() == arn.as_str())).count();
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    (number(render::controller_policies(spec).len()), number(others))
}

/// The code of Service Quotas for how many managed policies a role takes (`aws service-quotas list-service-quotas --service-code iam`,
/// as those of [`needs`]).
const POLICIES_PER_ROLE: &str = "L-0DA4ABF3";

/// The roles that eksctl makes with a cluster: that of the cluster, that of its node group or of its pods on Fargate, that of the network add-on
/// (pkg/cfn/builder of eksctl 0.230).
const OF_EKSCTL: usize = 3;

/// What is still to be made.
struct Need {
    what: &'static str,
    /// The name of its count.
    used: &'static str,
    /// The code of its quota.
    code: &'static str,
    needed: i64,
}

fn needs(spec: &Spec, facts: &Facts) -> [Need; 3] {
    let absent = |there: bool, number: usize| if there { 0 } else { i64::try_from(number).unwrap_or(i64::MAX) };
    // What another tool made is not made again.
    let elsewhere = spec.made_elsewhere.is_some();
    let stack = elsewhere || !matches!(facts.stack, Probed::Absent);
    let role = elsewhere || !matches!(facts.controller_role, Probed::Absent);
    let eksctl = absent(!makes_cluster(spec, facts), OF_EKSCTL);
    let policies = absent(stack, render::controller_policies(spec).len());
    [
        Need { what: "roles", used: "Roles", code: "L-FE177D64", needed: absent(stack, 1) + absent(role, 1) + eksctl },
        Need { what: "customer managed policies", used: "Policies", code: "L-E95E4862", needed: policies },
        // The stack makes it, or Karpenter for the node class.
        Need { what: "instance profiles", used: "InstanceProfiles", code: "L-6E65F664", needed: absent(stack, 1) },
    ]
}

fn more(spec: &Spec, judgement: Judgement, code: &str, wanted: i64) -> Judgement {
    let request = raise_quota(spec.partition.region_of_iam(), ("iam", code), wanted);
    judgement.fix("remove what nobody uses").run("or ask AWS for more", request)
}
