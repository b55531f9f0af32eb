//! The IAM OIDC provider of the cluster's issuer (IRSA only).

use super::context::owner_tags;
use super::looked::{Refusal, left_unread, looked, looked_for_removal, made_by, used_by_others};
use super::shell::{is_to_be_made, keys_and_values, look_up};
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Facts, Topic};
use crate::knowledge::STS_AUDIENCE as AUDIENCE;
use crate::plan::{Action, Direction, State, StepId};
use crate::shell::quoted;
use crate::spec::{ClusterMode, Identity, Spec};
use async_trait::async_trait;

/// See the module.
pub(super) struct OidcProvider;

#[async_trait]
impl Step for OidcProvider {
    fn id(&self) -> StepId {
        StepId::OidcProvider
    }

    fn title(&self, spec: &Spec) -> String {
        format!("OIDC provider of cluster {}", spec.cluster_name)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Cluster]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::OidcProvider]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::OidcProvider, Topic::ProviderUsers]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        2
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.identity != Identity::Irsa {
            return State::NotWanted;
        }
        match looked(&facts.oidc_provider) {
            Err(state) => state,
            Ok(None) => State::Absent,
            Ok(Some(provider)) if provider.audiences.iter().any(|a| a == AUDIENCE) => State::Present,
            Ok(Some(provider)) => Refusal::new(format!("the OIDC provider {} does not take tokens for {AUDIENCE}", provider.arn))
                .hint(format!(
                    "`aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {AUDIENCE}` lets it",
                    provider.arn
                ))
                .into(),
        }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        let state = match looked_for_removal(&facts.oidc_provider, facts) {
            // Whoever goes by that of a cluster of ours goes with it.
            Ok(Some(provider)) if spec.owns(&provider.tags) && spec.cluster == ClusterMode::Managed => State::Present,
            Ok(Some(provider)) if spec.owns(&provider.tags) => {
                let removal = format!("aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {}", provider.arn);
                used_by_others(spec, &facts.provider_users, &removal).map_or(State::Present, State::from)
            }
            Ok(_) => State::Absent,
            Err(state) => state,
        };
        made_by(Identity::Irsa, spec, state)
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        match direction {
            // eksctl makes it with the cluster.
            Direction::Apply if is_to_be_made(spec, facts) => Vec::new(),
            Direction::Apply => vec![
                look_up(spec, "ISSUER", "identity.oidc.issuer"),
                format!(
                    "aws iam create-open-id-connect-provider --url \"$ISSUER\" --client-id-list {AUDIENCE} --tags {}",
                    keys_and_values(&owner_tags(spec))
                ),
            ],
            Direction::Remove => vec![
                look_up(spec, "ISSUER", "identity.oidc.issuer"),
                format!(
                    "aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {}\"${{ISSUER#https://}}\"",
                    quoted(&spec.oidc_provider_arn(""))
                ),
            ],
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        match context.ports.aws.create_oidc_provider(&issuer(context).await?, AUDIENCE, &context.tags()).await {
            // Our own request, whose answer was lost, or somebody else's at the same time: either way it is there.
            Err(e) if e.kind != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let arn = context.spec.oidc_provider_arn(&issuer(context).await?);
        match context.ports.aws.oidc_provider(&arn).await? {
            Some(provider) if context.spec.owns(&provider.tags) => context.ports.aws.delete_oidc_provider(&arn).await,
            _ => Ok(()),
        }
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        left_unread((Identity::Irsa, spec), facts, "an OIDC provider of the cluster", &facts.oidc_provider, direction)
    }

    fn explain(&self) -> &'static str {
        "Makes the IAM OIDC provider of the cluster's issuer, by which IAM believes the tokens of service accounts (IRSA only). \
         eksctl makes one with a new cluster and removes it with it; karpctl removes only one that it made, and leaves that in an existing \
         cluster while service accounts of others name a role: they would be left without credentials."
    }
}

async fn issuer(context: &StepContext<'_>) -> Result<String> {
    context.cluster().await?.oidc_issuer.ok_or_else(|| {
        Error::failed(format!("cannot make an OIDC provider: EKS names no issuer for cluster {}", context.spec.cluster_name))
    })
}
