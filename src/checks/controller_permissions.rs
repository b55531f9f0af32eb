//! Whether the controller's role may do what the release needs.

use super::judgement::read;
use super::permissions::{UnknownKeys, lacking};
use super::{Check, Judged, Situation, missing, not_made};
use crate::facts::Topic;
use crate::finding::Area;
use crate::render;
use std::collections::BTreeSet;

pub(super) struct ControllerPermissions;

impl Check for ControllerPermissions {
    fn id(&self) -> &'static str {
        "controller-permissions"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "A newer Karpenter calls what an older one did not; a controller that may not do so looks healthy and launches nothing."
    }

    fn explain(&self) -> &'static str {
        "Has IAM judge (iam:SimulatePrincipalPolicy, which tries nothing out) whether the controller's role may do each action of the \
         release's policies, on the resources and with the tags that Karpenter uses, through all that is attached to the role, its \
         permissions boundary and the organization's service control policies.\n\nWhat people see otherwise: `UnauthorizedOperation: You \
         are not authorized to perform this operation`, `Controller isn't authorized to call ec2:CreateFleet` \
         (`CreateFleetAuthCheckFailed`, `RunInstancesAuthCheckFailed`), `AccessDenied: … iam:ListInstanceProfiles` after 1.7, \
         `ec2:DescribeInstanceStatus` after 1.12, `iam:PassRole` in China.\n\nCure: the stack of this release, with all of its policies \
         attached to the role: `karpctl iam`, then `karpctl identity`. Of a role that is made elsewhere its own tool adds the actions that are named. Touch the node class afterwards: Karpenter keeps what it found out about \
         permissions for ten minutes, since 1.7 for thirty (`kubectl annotate ec2nodeclasses NAME looked-at=again`). Who may not call iam:SimulatePrincipalPolicy gets a warning.\n\nNot seen: policies on resources (a \
         queue, a key), session policies, conditions on the network."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::ControllerPermissions, Topic::ControllerRole, Topic::Stack, Topic::Cluster, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let subject = format!("role {}", spec.controller_role_name());
        let facts = situation.facts;
        let Some(role) = read(&subject, &facts.controller_role)? else {
            return Err(not_made(spec, facts, &subject));
        };
        let Some(permissions) = read(&subject, &facts.controller_permissions)? else {
            return Err(missing(situation, subject, "is not there")?.fix("`karpctl identity` makes it, after `karpctl iam`"));
        };
        let name = spec.controller_role_name();
        // The policies of the stack are those that its role gets; a role of another's making has its own.
        let has_stack = spec.made_elsewhere.is_none() && facts.stack.known().is_some();
        let wanted = if has_stack { render::controller_policy_arns(spec) } else { Vec::new() };
        let detached: Vec<&str> =
            wanted.iter().map(crate::spec::Arn::as_str).filter(|arn| !role.policies.iter().any(|p| p == arn)).collect();
        // What is denied was asked with every key of the release's own policies; those of a person's may ask for more.
        let keys = if detached.is_empty() { UnknownKeys::MayAllow } else { UnknownKeys::DoNotMatter };
        Ok(lacking(situation, &subject, permissions, keys, |judgement| {
            let judgement = detached.iter().fold(judgement, |judgement, arn| {
                let command = ["aws", "iam", "attach-role-policy", "--role-name", &name, "--policy-arn", arn];
                judgement.run("attach the policy of the stack that is not attached", command)
            });
            if spec.made_elsewhere.is_some() {
                let actions: BTreeSet<&str> = permissions.denied.iter().map(|denied| denied.action.as_str()).collect();
                let actions = Vec::from_iter(actions).join(", ");
                return judgement
                    .fix(format!("have the tool that made the role allow it {actions}: karpctl changes no role that is madeElsewhere"));
            }
            judgement.fix("`karpctl iam` brings the stack to this release, and `karpctl identity` attaches its policies")
        }))
    }
}
