//! A Karpenter that works under a role of somebody else's, on the way up: the chart would put karpctl's in that role's place.

use super::helm_release::made_by_karpctl;
use super::looked::{Refusal, foreign};
use crate::facts::{Facts, HelmRelease, ObjectFacts, Probed};
use crate::knowledge::ROLE_ANNOTATION;
use crate::plan::State;
use crate::spec::{ClusterMode, Spec};
use crate::wording::named;

/// How many node classes a plan names.
const NAMED: usize = 8;

/// The state of the helm release of such a Karpenter: somebody else's, unless karpctl's stack or role is there already; and refused, with `--adopt`
/// too, where node classes name what the controller could then give to no node: the policies of the stack let it pass the stack's node role alone.
pub(super) fn works_otherwise(spec: &Spec, facts: &Facts, release: &HelmRelease) -> Option<State> {
    if spec.cluster == ClusterMode::Managed || spec.made_elsewhere.is_some() {
        return None;
    }
    let (is_ours, role) = (made_by_karpctl(spec, facts), spec.controller_role_arn());
    let how = match facts.controller_works_as() {
        Some(found) if found == role.as_str() || told_role(spec) == Some(found) => return None,
        Some(found) => format!("it works as {found}"),
        // What gives that one its role was not looked for.
        None => {
            let account = release.given("serviceAccount.name")?.as_str().filter(|name| *name != spec.service_account() && !is_ours)?;
            format!("its pods have the service account {account}")
        }
    };
    let theirs = format!("the Karpenter in {} is somebody else's: {how}", spec.namespace);
    let unfit = match &facts.objects {
        Probed::Unavailable(reason) => Some(format!("which roles its node classes name could not be seen: {reason}")),
        objects => {
            let of_others = objects.known().into_iter().flatten().filter_map(|object| of_another(spec, object));
            let of_others: Vec<String> = of_others.collect();
            let role = spec.node_role_name();
            (!of_others.is_empty())
                .then(|| format!("karpctl's controller may give nodes the role {role} alone, and there are {}", named(of_others, NAMED)))
        }
    };
    if let Some(unfit) = unfit {
        let hint = format!(
            "`karpctl adopt --cluster-name {} --region {}` works with its roles as they are, and changes none of them",
            spec.cluster_name, spec.region
        );
        return Some(Refusal::new(format!("{theirs}; {unfit}")).hint(hint).into());
    }
    (!is_ours).then(|| foreign(theirs, &format!("its controller then works as {role}, with karpctl's values")))
}

/// A node class, with the role or instance profile that it names in place of the spec's.
fn of_another(spec: &Spec, object: &ObjectFacts) -> Option<String> {
    let named = object.other_role(spec).map(|role| format!("role {role}"));
    let named = named.or_else(|| object.other_profile(spec).map(|profile| format!("instance profile {profile}")))?;
    Some(format!("{}/{} with the {named}", object.resource, object.name))
}

/// The role that the spec's own values give the controller in place of karpctl's.
fn told_role(spec: &Spec) -> Option<&str> {
    spec.chart.values.get("serviceAccount")?.get("annotations")?.get(ROLE_ANNOTATION)?.as_str()
}
