//! The Pod Identity association of the controller's service account.

use super::context::owner_tags;
use super::looked::{foreign, left_unread, looked, made_by};
use super::propagation::Patience;
use super::shell::map;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AssociationFacts, Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::spec::{Identity, Spec};
use async_trait::async_trait;

/// See the module.
pub(super) struct PodIdentityAssociation;

#[async_trait]
impl Step for PodIdentityAssociation {
    fn id(&self) -> StepId {
        StepId::PodIdentityAssociation
    }

    fn title(&self, spec: &Spec) -> String {
        format!("Pod Identity association of {}/{}", spec.namespace, spec.service_account())
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Cluster, StepId::ControllerRole]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Association]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        2
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.identity != Identity::PodIdentity {
            return State::NotWanted;
        }
        let wanted = spec.controller_role_arn();
        match looked(&facts.association) {
            Err(state) => state,
            Ok(None) => State::Absent,
            Ok(Some(found)) if found.role_arn == wanted.as_str() => State::Present,
            Ok(Some(found)) if spec.owns(&found.tags) => State::Drifted(vec![format!("role: {} -> {wanted}", found.role_arn)]),
            Ok(Some(found)) => foreign(
                format!(
                    "the service account {}/{} has the role {} by an association that is not karpctl's",
                    spec.namespace,
                    spec.service_account(),
                    found.role_arn
                ),
                &format!("the association then gives {wanted}"),
            ),
        }
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let (cluster, region, namespace, account) = (&spec.cluster_name, &spec.region, &spec.namespace, spec.service_account());
        match (direction, facts.association.known()) {
            (Direction::Apply, Some(found)) => vec![format!(
                "aws eks update-pod-identity-association --region {region} --cluster-name {cluster} --association-id {} --role-arn {}",
                found.id,
                spec.controller_role_arn()
            )],
            (Direction::Apply, None) => vec![format!(
                "aws eks create-pod-identity-association --region {region} --cluster-name {cluster} --namespace {namespace} --service-account {account} --role-arn {} --tags {}",
                spec.controller_role_arn(),
                map(&owner_tags(spec))
            )],
            (Direction::Remove, _) => vec![delete_command(spec)],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let (aws, spec) = (&context.ports.aws, context.spec);
        let (cluster, role) = (spec.cluster_name.as_str(), spec.controller_role_arn());
        let mut found = look(context).await?;
        let patience = Patience::new();
        while found.is_none() {
            match aws.create_association(cluster, spec.namespace.as_str(), spec.service_account(), role.as_str(), &context.tags()).await {
                Ok(()) => return Ok(()),
                Err(e) if e.kind == ErrorKind::Conflict => {
                    found = look(context).await?;
                    break;
                }
                Err(e) if is_of_young_role(&e) => patience.bear(context, e).await?,
                Err(e) => return Err(e),
            }
        }
        let Some(found) = found else {
            return Err(Error::failed(format!("the association of {}/{} comes and goes", spec.namespace, spec.service_account())));
        };
        if found.role_arn == role.as_str() {
            return Ok(());
        }
        if !spec.owns(&found.tags) && action != Action::Adopt && !context.adopts() {
            return Err(Error::refused(format!(
                "the association of {}/{} gives {} and is not karpctl's",
                spec.namespace,
                spec.service_account(),
                found.role_arn
            )));
        }
        loop {
            match aws.update_association(cluster, &found.id, role.as_str()).await {
                Err(e) if is_of_young_role(&e) => patience.bear(context, e).await?,
                ended => return ended,
            }
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        match look(context).await? {
            Some(found) if removable(context.spec, &found) => {
                context.ports.aws.delete_association(context.spec.cluster_name.as_str(), &found.id).await
            }
            _ => Ok(()),
        }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        let state = match looked(&facts.association) {
            Ok(Some(found)) if removable(spec, found) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        };
        made_by(Identity::PodIdentity, spec, state)
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        left_unread((Identity::PodIdentity, spec), facts, "a Pod Identity association of the controller", &facts.association, direction)
    }

    fn explain(&self) -> &'static str {
        "Associates the controller's service account with the role <cluster>-karpenter, so that the Pod Identity agent hands it \
         that role's credentials (Pod Identity only). An association with another role is refused until --adopt changes it."
    }
}

/// What EKS says of a role that IAM has made, but does not show it everywhere yet.
fn is_of_young_role(error: &Error) -> bool {
    let said = error.to_string();
    said.contains("Role provided in the request does not exist") || said.contains("Trust policy of the role provided is invalid")
}

/// The shell that removes the association.
pub(super) fn delete_command(spec: &Spec) -> String {
    let (cluster, region, namespace, account) = (&spec.cluster_name, &spec.region, &spec.namespace, spec.service_account());
    format!(
        "aws eks delete-pod-identity-association --region {region} --cluster-name {cluster} --association-id \"$(aws eks list-pod-identity-associations --region {region} \
         --cluster-name {cluster} --namespace {namespace} --service-account {account} --query 'associations[0].associationId' --output text)\""
    )
}

/// An association with our role is of no use to anybody once the role is gone.
pub(super) fn removable(spec: &Spec, found: &AssociationFacts) -> bool {
    // Where the role stays, so does an association that another tool made.
    spec.owns(&found.tags) || spec.made_elsewhere.is_none() && found.role_arn == spec.controller_role_arn().as_str()
}

async fn look(context: &StepContext<'_>) -> Result<Option<AssociationFacts>> {
    let spec = context.spec;
    context.ports.aws.association(spec.cluster_name.as_str(), spec.namespace.as_str(), spec.service_account()).await
}
