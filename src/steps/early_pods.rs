//! Pods of the controller that were made before their Pod Identity association worked: they never get credentials, and are made anew.
//!
//! EKS puts the way to the credentials into a pod when it is made. An association works only some seconds after it was made, and nothing
//! says when ("Pod Identity associations are eventually consistent … several seconds", EKS User Guide).

use super::StepContext;
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AssociationFacts, Facts, PodFacts, Probed};
use crate::ports::{Kube, ObjectKind, ObjectRef};
use crate::probe::controller::{deployments, led_otherwise};
use crate::spec::{Identity, Spec};
use serde_json::json;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// How long after an association was made pods may still start without credentials, in seconds. Pods made later lack them for another
/// reason, and a restart would not help: so restarts have an end.
const SETTLES: i64 = 120;
/// Between looks.
const LOOK: Duration = Duration::from_secs(3);
/// Between restarts, where one came too early as well.
const AGAIN: Duration = Duration::from_secs(10);

/// What is to be done about such pods, a line each.
pub(super) fn changes(spec: &Spec, facts: &Facts) -> Vec<String> {
    let Some(until) = until(spec, &facts.association) else { return Vec::new() };
    let pods = facts.controller.known().map(|c| c.led_otherwise.as_slice()).unwrap_or_default();
    let early = pods.iter().filter(|pod| pod.created_at < until);
    early.map(|pod| format!("pod {}: made before its Pod Identity association worked, so it never gets credentials", pod.name)).collect()
}

/// The shell that restarts them.
pub(super) fn commands(spec: &Spec) -> Vec<String> {
    let namespace = &spec.namespace;
    vec![
        format!("kubectl --namespace {namespace} rollout restart deployment/karpenter"),
        format!("kubectl --namespace {namespace} rollout status deployment/karpenter"),
    ]
}

/// Pods made before this lack credentials because of the association.
fn until(spec: &Spec, association: &Probed<AssociationFacts>) -> Option<i64> {
    match association {
        _ if spec.identity != Identity::PodIdentity => None,
        // It is about to be made.
        Probed::Absent => Some(i64::MAX),
        Probed::Known(found) => found.changed_at.map(|at| at.saturating_add(SETTLES)),
        _ => None,
    }
}

/// Restarts the controller until none of its pods is such a one.
pub(super) struct EarlyPods<'a> {
    context: &'a StepContext<'a>,
    kube: &'a dyn Kube,
    until: Option<i64>,
    /// Those that a restart is already taking away.
    leaving: BTreeSet<String>,
    restarted: Option<Instant>,
}

impl<'a> EarlyPods<'a> {
    pub(super) fn new(context: &'a StepContext<'a>, kube: &'a dyn Kube) -> Self {
        // One that is still not there now is not made by this run: no restart would help.
        let known = context.facts.association.known().is_some();
        let until = until(context.spec, &context.facts.association).filter(|_| known);
        Self { context, kube, until, leaving: BTreeSet::new(), restarted: None }
    }

    /// Looks now and then, for as long as it is let. What goes wrong meanwhile is the later look's to tell.
    pub(super) async fn keep_clearing(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.until.is_none() || self.context.cancel.is_cancelled() {
                std::future::pending::<()>().await;
            }
            let _ = self.look().await;
        }
    }

    /// Returns when there is none left.
    pub(super) async fn clear(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.context.timeout;
        loop {
            let early = self.look().await?;
            if early.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let names: Vec<&str> = early.iter().map(|pod| pod.name.as_str()).collect();
                return Err(Error::new(ErrorKind::Timeout, format!("pods of the controller have no credentials: {}", names.join(", ")))
                    .because("they were made before their Pod Identity association worked, and their Deployment was restarted")
                    .hint("run karpctl again, which waits for it"));
            }
            self.context.pause(LOOK).await?;
        }
    }

    /// The pods that are there, once the controller is restarted for those that no restart takes away yet.
    async fn look(&mut self) -> Result<Vec<PodFacts>> {
        let Some(until) = self.until else { return Ok(Vec::new()) };
        let namespace = self.context.spec.namespace.as_str();
        let mut early = led_otherwise(self.kube, namespace, self.context.spec).await?;
        early.retain(|pod| pod.created_at < until);
        let is_new = early.iter().any(|pod| !self.leaving.contains(&pod.name));
        if is_new && self.restarted.is_none_or(|at| at.elapsed() >= AGAIN) {
            self.context.doing("restarting the controller: pods of it started before EKS had credentials for them");
            restart(self.kube, namespace).await?;
            self.restarted = Some(Instant::now());
            self.leaving.extend(early.iter().map(|pod| pod.name.clone()));
        }
        Ok(early)
    }
}

/// Restarts the controller, as `kubectl rollout restart` does it.
pub(super) async fn restart(kube: &dyn Kube, namespace: &str) -> Result<()> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}}}});
    for deployment in deployments(kube, namespace).await? {
        let name = deployment["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let object = ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(namespace.to_owned()), name };
        kube.merge_patch(&object, &patch).await?;
    }
    Ok(())
}
