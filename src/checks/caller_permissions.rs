//! Whether the caller may do what a bootstrap calls for.

use super::judgement::read;
use super::permissions::{UnknownKeys, lacking, print_policy};
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::knowledge::Work;

pub(super) struct CallerPermissions;

impl Check for CallerPermissions {
    fn id(&self) -> &'static str {
        "caller-permissions"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "A bootstrap that is denied its fifteenth call leaves a stack that is rolled back, or a cluster that nobody can finish."
    }

    fn explain(&self) -> &'static str {
        "Has IAM judge (iam:SimulatePrincipalPolicy, which tries nothing out) whether the caller may do each action that `karpctl \
         bootstrap` of this spec calls for, itself and by CloudFormation: the policy that `karpctl render operator-policy` prints. A \
         session of a role is judged by its role, whose path (that of IAM Identity Center has one) takes iam:GetRole to know.\n\nWhat people see otherwise: `AccessDenied: User: … is not authorized to perform: \
         iam:CreateRole`, `… with an explicit deny in a service control policy`, `because no permissions boundary allows the … \
         action`. Who may not call iam:SimulatePrincipalPolicy gets a warning, and a federated user, of whom IAM tells nothing, a \
         skip; the root user may do everything. For a cluster that is yet to be made that has what eksctl and its stacks call for. Not \
         seen: policies of a session, and conditions on where a call comes from; of an organization's policies IAM's simulation does not know every condition, so \
         that what they deny is a warning."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::CallerPermissions]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        situation.spec()?;
        let Some(permissions) = read("the caller", &situation.facts.caller_permissions)? else {
            return Err(Judgement::skip("the caller", "IAM knows no such principal"));
        };
        Ok(lacking(situation, &permissions.principal, permissions, UnknownKeys::MayAllow, |judgement| {
            print_policy(judgement, situation, "print a policy with all that is needed, for whoever may attach it", Work::Bootstrap)
        }))
    }
}
