//! Whether the account has the role without which EC2 gives no spot capacity.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::Topic;
use crate::finding::Area;
use crate::spec::{CapacityType, Spec};

pub(super) struct SpotRole;

impl Check for SpotRole {
    fn id(&self) -> &'static str {
        "spot-role"
    }

    fn area(&self) -> Area {
        Area::Account
    }

    fn why(&self) -> &'static str {
        "Without it every spot request fails; Karpenter 1.5 and newer then only say that there is no capacity, and spot is silently never used."
    }

    fn explain(&self) -> &'static str {
        "Looks for the role AWSServiceRoleForEC2Spot, which EC2 takes to launch spot instances, and which an account has once for all. What \
         people see without it: `AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided credentials do not have permission to create \
         the service-linked role for EC2 Spot Instances`; since 1.5 only an event on the NodeClaim, `Attempted to launch a spot instance but \
         failed due to`, and on-demand nodes in place of spot ones.\n\nCure: `aws iam create-service-linked-role --aws-service-name \
         spot.amazonaws.com`, once per account; `karpctl bootstrap` does it. An answer that the name `has been taken` says that it is there. Where the spec says by its `capacityTypes` that \
         its node pool buys none, it is not missed; nor does `karpctl bootstrap` end there where it may not make it."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::SpotRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let subject = "role AWSServiceRoleForEC2Spot";
        Ok(vec![match read(subject, &situation.facts.spot_role)? {
            Some(_) => Judgement::pass(subject, "is there"),
            None if situation.spec.is_some_and(asks_for_none) => Judgement::pass(
                subject,
                "is not there, and the node pool is to buy no spot capacity; `karpctl bootstrap` makes it all the same",
            ),
            None => Judgement::warn(
                subject,
                "is not there yet (AuthFailure.ServiceLinkedRoleCreationNotPermitted); `karpctl bootstrap` makes it",
            )
            .run("make it, once per account", ["aws", "iam", "create-service-linked-role", "--aws-service-name", "spot.amazonaws.com"]),
        }])
    }
}

/// Whether the spec says of its node pool that it buys no spot capacity. By a guide's own pool nothing is said of others.
fn asks_for_none(spec: &Spec) -> bool {
    let kinds = &spec.node_pool.capacity_types;
    !spec.node_pool.keep && !kinds.is_empty() && !kinds.contains(&CapacityType::Spot)
}
