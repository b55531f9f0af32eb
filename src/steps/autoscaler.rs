//! The Cluster Autoscaler, stopped: it and Karpenter would answer the same pods.

use super::looked::Refusal;
use super::migration::{READS_ON_REMOVAL, look, world};
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{AutoscalerFacts, Facts, Topic};
use crate::migration::is_begun;
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::{ObjectKind, ObjectRef};
use crate::probe::fleet::REPLICAS_BEFORE;
use crate::shell::quoted;
use crate::spec::Spec;
use async_trait::async_trait;
use serde_json::{Value, json};

/// See the module.
pub(super) struct Autoscaler;

#[async_trait]
impl Step for Autoscaler {
    fn id(&self) -> StepId {
        StepId::Autoscaler
    }

    fn title(&self, _: &Spec) -> String {
        "Cluster Autoscaler".to_owned()
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::MigrationPools]
    }

    fn reads(&self) -> &'static [Topic] {
        READS_ON_REMOVAL
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        10
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        let (groups, fleet) = match world(facts) {
            Ok(known) => known,
            Err(state) => return state,
        };
        // Whoever has removed it after a migration has groups that remember one.
        if fleet.autoscalers.is_empty() && !groups.iter().any(|g| is_begun(g, fleet)) {
            let install = format!("`karpctl bootstrap --existing-cluster --cluster-name {}` installs Karpenter", spec.cluster_name);
            return Refusal::new("there is no Cluster Autoscaler in the cluster, so there is nothing to go over from").hint(install).into();
        }
        let runs = |a: &&AutoscalerFacts| a.replicas > 0 || a.running > 0;
        let changes: Vec<String> =
            fleet.autoscalers.iter().filter(runs).map(|a| format!("{}: {} -> 0 replicas", shown(a), a.replicas)).collect();
        if changes.is_empty() { State::Present } else { State::Drifted(changes) }
    }

    fn assess_removal(&self, _: &Spec, facts: &Facts) -> State {
        match world(facts) {
            Ok((_, fleet)) if fleet.autoscalers.iter().any(|a| a.before.is_some()) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn restores(&self, facts: &Facts) -> Option<Vec<String>> {
        let fleet = world(facts).map(|(_, fleet)| fleet.autoscalers.as_slice()).unwrap_or_default();
        Some(fleet.iter().filter_map(|a| Some(format!("{}: {} -> {} replicas", shown(a), a.replicas, a.before?))).collect())
    }

    fn commands(&self, _: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let Ok((_, fleet)) = world(facts) else { return Vec::new() };
        let patched = |a: &AutoscalerFacts, patch: &Value| {
            let patch = quoted(&patch.to_string());
            format!("kubectl --namespace {} patch deployment {} --type merge --patch {patch}", a.namespace, a.name)
        };
        let gone = |a: &AutoscalerFacts| format!("kubectl --namespace {} rollout status deployment {} --timeout 15m", a.namespace, a.name);
        match direction {
            Direction::Apply => {
                let running = fleet.autoscalers.iter().filter(|a| a.replicas > 0);
                running.flat_map(|a| [patched(a, &stopping(a)), gone(a)]).collect()
            }
            Direction::Remove => fleet.autoscalers.iter().filter_map(|a| Some(patched(a, &starting(a, a.before?)))).collect(),
        }
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        let kube = context.kube().await?;
        let (_, fleet) = world(context.facts).map_err(State::into_error)?;
        for found in fleet.autoscalers.iter().filter(|a| a.replicas > 0) {
            context.doing(format!("scaling {} from {} to 0 replicas", shown(found), found.replicas));
            kube.merge_patch(&place(found), &stopping(found)).await?;
        }
        self.wait_until_gone(context).await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let kube = context.kube().await?;
        let (_, fleet) = world(context.facts).map_err(State::into_error)?;
        for found in &fleet.autoscalers {
            let Some(before) = found.before else { continue };
            context.doing(format!("scaling {} to {before} replicas", shown(found)));
            kube.merge_patch(&place(found), &starting(found, before)).await?;
        }
        Ok(())
    }

    fn explain(&self) -> &'static str {
        "Scales every Deployment of a Cluster Autoscaler to 0 replicas and waits until its pods are gone. It is known by its image or \
         its label app.kubernetes.io/name. How many replicas it had is remembered on it, in the annotation karpctl.dev/replicas-before, \
         from which the way back takes it. Whoever keeps the Deployment in a chart or a repository writes 0 there too, or it comes back by \
         itself. It happens after the node pools are ready, so that pods are never without somebody who makes nodes for them."
    }
}

impl Autoscaler {
    async fn wait_until_gone(&self, context: &StepContext<'_>) -> Result<()> {
        let timed_out = || {
            Error::new(ErrorKind::Timeout, "the Cluster Autoscaler does not stop")
                .hint("see who scales it up again: `kubectl get deployments --all-namespaces --selector app.kubernetes.io/name`")
        };
        context.doing("waiting until the autoscaler's pods are gone");
        context
            .wait_for(super::BRIEF, timed_out, || async {
                let facts = look(context, READS_ON_REMOVAL).await?;
                Ok((self.assess(context.spec, &facts) == State::Present).then_some(()))
            })
            .await
    }
}

/// In one patch: what is stopped is remembered, and what is remembered is stopped.
fn stopping(found: &AutoscalerFacts) -> Value {
    json!({"metadata": {"annotations": {REPLICAS_BEFORE: found.replicas.to_string()}}, "spec": {"replicas": 0}})
}

fn starting(found: &AutoscalerFacts, before: u32) -> Value {
    // Somebody may have started it meanwhile, with as many as they want.
    let replicas = if found.replicas == 0 { before } else { found.replicas };
    json!({"metadata": {"annotations": {REPLICAS_BEFORE: null}}, "spec": {"replicas": replicas}})
}

fn shown(found: &AutoscalerFacts) -> String {
    format!("Deployment {}/{}", found.namespace, found.name)
}

fn place(found: &AutoscalerFacts) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(found.namespace.clone()), name: found.name.clone() }
}
