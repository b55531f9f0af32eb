//! The way by which the controller got its credentials before: Pod Identity, where the spec says IRSA, or IRSA, where it says Pod Identity.
//!
//! It goes last. The role trusts both ways until the chart is in place and every pod goes by the new one, so that a run that ends anywhere
//! leaves a controller that has credentials.

use super::early_pods;
use super::helm_release::with_complaints;
use super::looked::{drifted_or_present, foreign};
use super::pod_identity_association::{delete_command, removable};
use super::{Step, StepContext, trust};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AssociationFacts, Facts, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::Kube;
use crate::probe::controller::led_otherwise;
use crate::probe::{ProbeContext, probe};
use crate::shell::quoted;
use crate::spec::{Identity, Spec};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// See the module.
pub(super) struct EarlierIdentity;

/// Between looks at the pods.
const LOOK: Duration = Duration::from_secs(3);
/// Before the first restart is followed by another, which comes twice as late each time: EKS heeds an association for some seconds after its end.
const AGAIN: Duration = Duration::from_secs(15);

#[async_trait]
impl Step for EarlierIdentity {
    fn id(&self) -> StepId {
        StepId::EarlierIdentity
    }

    fn title(&self, spec: &Spec) -> String {
        format!("{}, by which {}/{} had its role", earlier(spec), spec.namespace, spec.service_account())
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::ControllerRole, StepId::Chart]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::ControllerRole, Topic::Association, Topic::Controller]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        30
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.made_elsewhere.is_some() {
            return State::NotWanted;
        }
        let mut changes = Vec::new();
        if let Some(found) = association(spec, facts) {
            if !removable(spec, found) {
                return foreign(
                    format!(
                        "the service account has the role {} by an association that is not karpctl's, before its annotation",
                        found.role_arn
                    ),
                    "the association is removed",
                );
            }
            changes.push("the association: EKS heeds it before the annotation, and it goes".to_owned());
        }
        let otherwise = facts.controller.known().filter(|_| spec.identity == Identity::Irsa);
        let otherwise = otherwise.map(|c| c.led_otherwise.as_slice()).unwrap_or_default();
        changes.extend(otherwise.iter().map(|pod| format!("pod {}: goes by Pod Identity, and is made anew", pod.name)));
        if trust_alone(spec, facts).is_some() {
            changes.push(format!("the trust policy of {}: lets it in by {}, too", spec.controller_role_name(), earlier(spec)));
        }
        // Most controllers never had another way: a plan does not speak of it.
        match drifted_or_present(changes) {
            State::Present => State::NotWanted,
            state => state,
        }
    }

    fn assess_removal(&self, _: &Spec, _: &Facts) -> State {
        State::NotWanted
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        if direction == Direction::Remove {
            return Vec::new();
        }
        let mut commands: Vec<String> = association(spec, facts).map(|_| delete_command(spec)).into_iter().collect();
        commands.extend(early_pods::commands(spec));
        commands.extend(trust_alone(spec, facts).map(|trust| {
            let trust = quoted(&trust.to_string());
            format!("aws iam update-assume-role-policy --role-name {} --policy-document {trust}", spec.controller_role_name())
        }));
        commands
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        let (aws, spec, name) = (&context.ports.aws, context.spec, context.spec.controller_role_name());
        let role = aws.role(&name).await?;
        let issuer = context.cluster().await?.oidc_issuer;
        // A part of the way may be run alone.
        if !role.as_ref().is_some_and(|role| trust::lets_in(spec, issuer.as_deref(), &role.trust)) {
            return Err(Error::refused(format!(
                "{} stays: the role {name} does not let the controller in by another way yet",
                earlier(spec)
            ))
            .hint("`karpctl identity` sees to it, with the same options"));
        }
        if let Some(found) = association(spec, context.facts) {
            context.doing("removing the Pod Identity association: the service account's annotation gives the role");
            aws.delete_association(spec.cluster_name.as_str(), &found.id).await?;
        }
        work_anew(context, context.kube().await?.as_ref()).await?;
        if let Some(trust) = role.and_then(|role| trust::alone(spec, issuer.as_deref(), &role.trust)) {
            aws.set_trust(&name, &trust).await?;
        }
        Ok(())
    }

    async fn remove(&self, _: &StepContext<'_>) -> Result<()> {
        Ok(())
    }

    fn explain(&self) -> &'static str {
        "Where the controller had its role in another way than the spec's (--identity), takes that way away once the new one works. From Pod Identity to IRSA it removes \
         the association, which EKS heeds before the annotation, and restarts the controller, as `kubectl rollout restart` does; in both directions it waits until no pod \
         goes by the old way and the controller is ready, and only then takes the old statement out of the role's trust policy. A run that ends before leaves both \
         statements, so that the controller that runs keeps its credentials, and the next run goes on. The Pod Identity agent and the OIDC provider stay: others may use them."
    }
}

/// The other identity than the spec's, as people call it.
const fn earlier(spec: &Spec) -> &'static str {
    match spec.identity {
        Identity::PodIdentity => "IRSA",
        Identity::Irsa => "Pod Identity",
    }
}

/// The association that goes before the annotation of IRSA.
fn association<'f>(spec: &Spec, facts: &'f Facts) -> Option<&'f AssociationFacts> {
    facts.association.known().filter(|_| spec.identity == Identity::Irsa)
}

/// The trust policy without the earlier way, where that is in it.
fn trust_alone(spec: &Spec, facts: &Facts) -> Option<Value> {
    let issuer = facts.cluster.known().and_then(|cluster| cluster.oidc_issuer.as_deref());
    let found = &facts.controller_role.known()?.trust;
    trust::alone(spec, issuer, found)?;
    trust::alone(spec, issuer, &trust::wanted(spec, issuer, Some(found)).ok()?)
}

/// Restarts the controller until none of its pods goes by the earlier way, and waits until it works.
async fn work_anew(context: &StepContext<'_>, kube: &dyn Kube) -> Result<()> {
    let spec = context.spec;
    let deadline = Instant::now() + context.timeout;
    let probing = ProbeContext { spec, ports: context.ports, kubeconfig: context.kubeconfig };
    let mut facts = context.facts.clone();
    let (mut restart_at, mut again) = (Instant::now(), AGAIN);
    loop {
        let left = led_otherwise(kube, spec.namespace.as_str(), spec).await?;
        probe(&probing, &BTreeSet::from([Topic::Controller]), &mut facts).await;
        let Some(controller) = facts.controller.known() else { return Ok(()) };
        if left.is_empty() && (controller.desired == 0 || controller.ready > 0) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let error = Error::new(ErrorKind::Timeout, format!("the controller does not work without {}", earlier(spec)))
                .because("what lets it in by that way in its role's trust policy stays")
                .hint("run karpctl again, which goes on from here");
            return Err(with_complaints(error, &controller.complaints));
        }
        if !left.is_empty() && Instant::now() >= restart_at {
            context.doing(format!("restarting the controller: pods of it go by {}", earlier(spec)));
            early_pods::restart(kube, spec.namespace.as_str()).await?;
            restart_at = Instant::now() + again;
            again *= 2;
        }
        context.pause(LOOK).await?;
    }
}
