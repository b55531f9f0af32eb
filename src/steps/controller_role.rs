//! The controller's IAM role with the stack's policies.

use super::compare::same_policy;
use super::context::owner_tags;
use super::looked::{Refusal, drifted_or_present, foreign, looked, missing_tags};
use super::propagation::Patience;
use super::shell::{keys_and_values, look_up};
use super::{Step, StepContext, left_policies, trust};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Probed, RoleFacts, Topic};
use crate::knowledge::EKSCTL_CLUSTER_TAG;
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::{CreateRole, Tags};
use crate::render;
use crate::shell::quoted;
use crate::spec::{Arn, Boundary, Identity, Spec};
use async_trait::async_trait;
use serde_json::Value;

/// See the module.
pub(super) struct ControllerRole;

/// Stands for the issuer of a cluster that is not there yet.
const ISSUER: &str = "https://issuer.invalid";

#[async_trait]
impl Step for ControllerRole {
    fn id(&self) -> StepId {
        StepId::ControllerRole
    }

    fn title(&self, spec: &Spec) -> String {
        format!("role {}", spec.controller_role_name())
    }

    fn needs(&self, spec: &Spec) -> Vec<StepId> {
        match spec.identity {
            Identity::PodIdentity => vec![StepId::Stack],
            Identity::Irsa => vec![StepId::Stack, StepId::Cluster, StepId::OidcProvider],
        }
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::ControllerRole]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        5
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.made_elsewhere.is_some() {
            return State::NotWanted;
        }
        let role = match looked(&facts.controller_role) {
            Ok(Some(role)) => role,
            Ok(None) => return State::Absent,
            Err(state) => return state,
        };
        if let Some(refusal) = of_another_region(spec, role) {
            return refusal.into();
        }
        if let Some(why) = not_ours(spec, role) {
            return foreign(why, "its trust policy lets the controller in, the controller's policies are attached, and it is tagged");
        }
        match trust::wanted(spec, issuer_of(facts), Some(&role.trust)) {
            Ok(trust) => {
                let left =
                    left_policies::left(spec, facts).map(|arn| format!("policy {arn}: left of another release, attached to nothing"));
                drifted_or_present(differences(spec, role, &trust).into_iter().chain(left).collect())
            }
            Err(e) => State::Unknown(e.to_string()),
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let role = spec.controller_role_name();
        let policies = render::controller_policy_arns(spec);
        match direction {
            Direction::Apply => {
                // The trust policy of IRSA names the issuer, which a cluster that is not there yet has not got.
                let known = issuer_of(facts);
                let there = facts.controller_role.known().map(|role| &role.trust);
                let mut commands = Vec::new();
                if spec.identity == Identity::Irsa && known.is_none() {
                    commands.push(look_up(spec, "ISSUER", "identity.oidc.issuer"));
                }
                let trust = trust::wanted(spec, Some(known.unwrap_or(ISSUER)), there).map(|p| p.to_string()).unwrap_or_default();
                let trust = quoted(&trust).replace(ISSUER.trim_start_matches("https://"), r#"'"${ISSUER#https://}"'"#);
                let boundary = facts.controller_role.known().and_then(|role| boundary_change(spec, role));
                let tags = keys_and_values(&role_tags(spec));
                let attached = facts.controller_role.known().map(|found| found.policies.clone()).unwrap_or_default();
                if facts.controller_role.known().is_some() {
                    commands.push(format!("aws iam update-assume-role-policy --role-name {role} --policy-document {trust}"));
                    commands.extend(boundary.map(|wanted| match wanted {
                        Boundary::Policy(arn) => {
                            format!("aws iam put-role-permissions-boundary --role-name {role} --permissions-boundary {arn}")
                        }
                        Boundary::None => format!("aws iam delete-role-permissions-boundary --role-name {role}"),
                    }));
                    commands.push(format!("aws iam tag-role --role-name {role} --tags {tags}"));
                } else {
                    let boundary = spec.boundary().map_or(String::new(), |arn| format!(" --permissions-boundary {arn}"));
                    commands.push(format!(
                        "aws iam create-role --role-name {role} --assume-role-policy-document {trust}{boundary} --tags {tags}"
                    ));
                }
                let missing = policies.iter().filter(|arn| !attached.iter().any(|a| a == arn.as_str()));
                commands.extend(missing.map(|arn| format!("aws iam attach-role-policy --role-name {role} --policy-arn {arn}")));
                let surplus = unwanted(spec, &attached);
                commands.extend(surplus.iter().map(|arn| format!("aws iam detach-role-policy --role-name {role} --policy-arn {arn}")));
                commands.extend(left_policies::left(spec, facts).map(|arn| format!("aws iam delete-policy --policy-arn {arn}")));
                commands
            }
            Direction::Remove => {
                let mut commands: Vec<String> =
                    policies.iter().map(|arn| format!("aws iam detach-role-policy --role-name {role} --policy-arn {arn}")).collect();
                let left = facts.left_policies.known().map(Vec::as_slice).unwrap_or_default();
                commands.extend(left.iter().map(|arn| format!("aws iam delete-policy --policy-arn {arn}")));
                commands.push(format!("aws iam delete-role --role-name {role}"));
                commands
            }
        }
    }

    fn goes_without(&self, _: &Spec, facts: &Facts, _: Direction) -> Vec<String> {
        match &facts.left_policies {
            Probed::Unavailable(reason) => {
                vec![format!("policies of another release may be left in the account: they were not looked at: {reason}")]
            }
            _ => Vec::new(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let (aws, spec) = (&context.ports.aws, context.spec);
        let name = spec.controller_role_name();
        let issuer = match spec.identity {
            Identity::Irsa => context.cluster().await?.oidc_issuer,
            Identity::PodIdentity => None,
        };
        let issuer = issuer.or_else(|| issuer_of(context.facts).map(str::to_owned));
        let mut found = aws.role(&name).await?;
        if found.is_none() {
            context.doing(format!("creating the role {name}"));
            let role = CreateRole {
                name: name.clone(),
                description: format!("Karpenter controller of the EKS cluster {}", spec.cluster_name),
                trust: trust::wanted(spec, issuer.as_deref(), None)?,
                tags: role_tags(spec),
                permissions_boundary: spec.boundary().map(ToString::to_string),
            };
            match aws.create_role(&role).await {
                Ok(()) => {}
                Err(e) if e.kind == ErrorKind::Conflict => found = aws.role(&name).await?,
                Err(e) => return Err(e),
            }
        }
        if let Some(role) = &found {
            if let Some(refusal) = of_another_region(spec, role) {
                return Err(refusal.into());
            }
            if let Some(why) = not_ours(spec, role)
                && action != Action::Adopt
                && !context.adopts()
            {
                return Err(Error::refused(why));
            }
            let trust = trust::wanted(spec, issuer.as_deref(), Some(&role.trust))?;
            if !same_policy(&role.trust, &trust) {
                aws.set_trust(&name, &trust).await?;
            }
            if let Some(boundary) = boundary_change(spec, role) {
                aws.set_permissions_boundary(&name, boundary.policy().map(Arn::as_str)).await?;
            }
            if !missing_tags(&role_tags(spec), &role.tags).is_empty() {
                aws.tag_role(&name, &role_tags(spec)).await?;
            }
        }
        let attached = found.map(|r| r.policies).unwrap_or_default();
        for arn in render::controller_policy_arns(spec).iter().filter(|arn| !attached.iter().any(|a| a == arn.as_str())) {
            attach(context, &name, arn.as_str()).await?;
        }
        let surplus = unwanted(spec, &attached);
        for arn in &surplus {
            aws.detach_policy(&name, arn).await?;
        }
        left_policies::clear(context, &surplus).await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let (aws, spec) = (&context.ports.aws, context.spec);
        let name = spec.controller_role_name();
        let Some(role) = aws.role(&name).await? else { return Ok(()) };
        if let Some(refusal) = of_another_region(spec, &role) {
            return Err(refusal.into());
        }
        if let Some(why) = not_ours(spec, &role)
            && !context.adopts()
        {
            return Err(Error::refused(why));
        }
        for arn in &role.policies {
            aws.detach_policy(&name, arn).await?;
        }
        left_policies::clear_before_removal(context, &role.policies).await?;
        let others = format!(
            "`aws iam list-role-policies --role-name {name}` and `aws iam list-instance-profiles-for-role --role-name {name}` show what \
             somebody else put into it, which is theirs to take out; then run it again"
        );
        let patience = Patience::new();
        loop {
            match aws.delete_role(&name).await {
                Err(e) if e.kind == ErrorKind::Conflict => {
                    // A policy that was just taken off still counts for some seconds; what somebody else put into it stays.
                    if aws.role_ties(&name).await.is_ok_and(|t| !(t.inline_policies.is_empty() && t.instance_profiles.is_empty())) {
                        return Err(e.hint(others));
                    }
                    patience.bear(context, e.hint(&others)).await?;
                }
                ended => return ended,
            }
        }
    }

    fn explain(&self) -> &'static str {
        "Makes the role <cluster>-karpenter that the controller works under. Its trust policy lets in the EKS Pod Identity agent, or \
         exactly the controller's service account by the cluster's OIDC issuer (IRSA); statements that others put beside that one stay. \
         The stack's policies are attached, and those \
         of another release that are no longer wanted are detached, and deleted where the stack has let go of them; policies that a person attached stay, and so does a \
         permissions boundary of which the spec says nothing (`none` takes it off). A role of that name \
         without karpctl's tag is refused until --adopt takes it over, and that of a cluster of this name in another region always: IAM has a \
         name once for all regions."
    }
}

/// The region of the cluster. IAM has its roles for all regions, where a cluster of the same name may be another one.
const REGION_TAG: &str = "karpctl.dev/region";

fn role_tags(spec: &Spec) -> Tags {
    let mut tags = owner_tags(spec);
    tags.insert(REGION_TAG.into(), spec.region.to_string());
    tags
}

/// The refusal of a role that a cluster of this name in another region works with. Nothing takes it over: that cluster would lose it.
fn of_another_region(spec: &Spec, role: &RoleFacts) -> Option<Refusal> {
    let region = role.tags.get(REGION_TAG).filter(|region| spec.owns(&role.tags) && *region != spec.region.as_str())?;
    let (name, cluster) = (spec.controller_role_name(), &spec.cluster_name);
    Some(
        Refusal::new(format!("the role {name} is that of the cluster {cluster} in {region}, and IAM has a name once for all regions"))
            .hint("take another cluster name")
            .hint(format!(
                "or, where {region} has no such cluster any more, take away what is left of it: `karpctl destroy --cluster-name {cluster} --region {region}`"
            )),
    )
}

/// Why a role is not ours, where it is not.
fn not_ours(spec: &Spec, role: &RoleFacts) -> Option<String> {
    let name = spec.controller_role_name();
    if spec.owns(&role.tags) {
        return None;
    }
    let by_eksctl = role.tags.get(EKSCTL_CLUSTER_TAG).is_some_and(|c| c == spec.cluster_name.as_str());
    Some(if by_eksctl {
        format!("the role {name} was made by eksctl for this cluster, as the guide does it, and is not karpctl's")
    } else {
        format!("the role {name} is there and is not karpctl's")
    })
}

fn issuer_of(facts: &Facts) -> Option<&str> {
    facts.cluster.known()?.oidc_issuer.as_deref()
}

fn differences(spec: &Spec, role: &RoleFacts, trust: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    if !same_policy(&role.trust, trust) {
        changes.push("its trust policy does not let the controller in as it should".to_owned());
    }
    if let Some(boundary) = boundary_change(spec, role) {
        changes.push(format!("permissions boundary: {} -> {boundary}", role.permissions_boundary.as_deref().unwrap_or(Boundary::NONE)));
    }
    let wanted = render::controller_policy_arns(spec);
    changes.extend(
        wanted.iter().filter(|arn| !role.policies.iter().any(|p| p == arn.as_str())).map(|arn| format!("policy {arn}: not attached")),
    );
    changes.extend(unwanted(spec, &role.policies).into_iter().map(|arn| format!("policy {arn}: no longer wanted")));
    changes.extend(missing_tags(&role_tags(spec), &role.tags));
    changes
}

/// The permissions boundary that is wanted and not so. One of which the spec says nothing is a person's, or their organization's: it is left.
fn boundary_change<'s>(spec: &'s Spec, role: &RoleFacts) -> Option<&'s Boundary> {
    let wanted = spec.permissions_boundary.as_ref()?;
    (role.permissions_boundary.as_deref() != wanted.policy().map(Arn::as_str)).then_some(wanted)
}

/// The stack's policies of other releases: `KarpenterController…Policy-<cluster>`.
fn unwanted(spec: &Spec, attached: &[String]) -> Vec<String> {
    let wanted = render::controller_policy_arns(spec);
    let end = format!("Policy-{}", spec.cluster_name);
    attached
        .iter()
        .filter(|arn| !wanted.iter().any(|w| w.as_str() == arn.as_str()))
        .filter(|arn| arn.rsplit('/').next().is_some_and(|name| name.starts_with("KarpenterController") && name.ends_with(&end)))
        .cloned()
        .collect()
}

async fn attach(context: &StepContext<'_>, role: &str, arn: &str) -> Result<()> {
    let patience = Patience::new();
    loop {
        let attached = context.ports.aws.attach_policy(role, arn).await;
        match attached.map_err(|e| e.within(format!("cannot attach {arn} to the role {role}"))) {
            Err(e) if e.kind == ErrorKind::NotFound => patience.bear(context, e).await?,
            ended => return ended,
        }
    }
}
