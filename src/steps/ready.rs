//! Controller ready, node pool ready.

use super::context::Rests;
use super::helm_release::with_complaints;
use super::looked::looked;
use super::{Step, StepContext};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{ControllerFacts, Facts, Topic};
use crate::knowledge::NodePoolApi;
use crate::plan::{Action, Direction, State, StepId};
use crate::probe::kinds::Kinds;
use crate::probe::{ProbeContext, probe};
use crate::spec::{ClusterMode, Spec};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// See the module.
pub(super) struct Ready;

#[async_trait]
impl Step for Ready {
    fn id(&self) -> StepId {
        StepId::Ready
    }

    fn title(&self, _: &Spec) -> String {
        "controller and node pool ready".into()
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Chart, StepId::EarlierIdentity, StepId::NodePool]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Controller, Topic::NodePool]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        15
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        judge(spec, facts).unwrap_or_else(|state| state)
    }

    fn assess_removal(&self, _: &Spec, _: &Facts) -> State {
        State::NotWanted
    }

    fn commands(&self, spec: &Spec, _: &Facts, direction: Direction) -> Vec<String> {
        if direction == Direction::Remove {
            return Vec::new();
        }
        let kinds = Kinds::of(spec);
        let mut commands = vec![format!("kubectl --namespace {} rollout status deployment/karpenter", spec.namespace)];
        if spec.release.features().node_pool_api == NodePoolApi::V1 {
            commands.push(format!(
                "kubectl wait --for=condition=Ready {pool}/{name} {class}/{name} --timeout 5m",
                pool = kinds.pool.plural,
                class = kinds.class.plural,
                name = spec.node_pool.name
            ));
        }
        commands
    }

    fn only_waits(&self) -> bool {
        true
    }

    async fn apply(&self, context: &StepContext<'_>, _: Action) -> Result<()> {
        let deadline = Instant::now() + context.timeout;
        let mut facts = context.facts.clone();
        let mut told = String::new();
        let mut rests = Rests::up_to(super::BRIEF);
        loop {
            let state = judge(context.spec, &facts).unwrap_or_else(|state| state);
            let missing = match state {
                State::Present => return Ok(()),
                State::Busy(what) | State::Unknown(what) => what,
                _ => "the controller or the node pool is not there".into(),
            };
            if Instant::now() >= deadline {
                let complaints = facts.controller.known().map(|c| c.complaints.clone()).unwrap_or_default();
                let error = Error::new(ErrorKind::Timeout, format!("Karpenter of cluster {} is not ready", context.spec.cluster_name))
                    .because(missing);
                return Err(with_complaints(error, &complaints));
            }
            if missing != told {
                context.doing(format!("waiting: {missing}"));
                told = missing;
            }
            context.pause(rests.next()).await?;
            let probing = ProbeContext { spec: context.spec, ports: context.ports, kubeconfig: context.kubeconfig };
            probe(&probing, &BTreeSet::from([Topic::Controller, Topic::NodePool]), &mut facts).await;
        }
    }

    async fn remove(&self, _: &StepContext<'_>) -> Result<()> {
        Ok(())
    }

    fn goes_without(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let Some(controller) = facts.controller.known().filter(|_| direction == Direction::Apply) else { return Vec::new() };
        if controller.ready >= controller.desired || !runs_with_fewer(spec, controller) {
            return Vec::new();
        }
        let (cluster, region) = (&spec.cluster_name, &spec.region);
        vec![format!(
            "{} of {} replicas of the controller run, and no node takes more: nothing stands by when one fails; \
             `karpctl doctor --only node-capacity --cluster-name {cluster} --region {region}` says what helps",
            controller.ready, controller.desired
        )]
    }

    fn explain(&self) -> &'static str {
        "Waits until all replicas of the controller are ready and the node pool and its node class say Ready. On a cluster that was there one replica is \
         enough where no node takes the others (charts since 0.27 put no two on one node): that is a warning. If they do not become so \
         in time, the error says what the pods and events say, and which condition of the node class fails (subnets, security \
         groups, AMIs, instance profile). It changes nothing."
    }
}

/// Whether the controller works, and the replicas that it lacks wait for nodes which nobody here adds: Karpenter makes none for itself, and those of
/// a cluster that was there are not karpctl's. One replica leads and the others stand by, so that no waiting brings more and none is missing.
fn runs_with_fewer(spec: &Spec, controller: &ControllerFacts) -> bool {
    spec.cluster == ClusterMode::Existing
        && controller.ready > 0
        && controller.ready.saturating_add(controller.without_node) >= controller.desired
}

fn judge(spec: &Spec, facts: &Facts) -> Result<State, State> {
    let Some(controller) = looked(&facts.controller)? else { return Ok(State::Absent) };
    let mut missing = Vec::new();
    if controller.desired == 0 {
        missing.push("the controller is scaled to 0 replicas".to_owned());
    } else if controller.ready < controller.desired && !runs_with_fewer(spec, controller) {
        missing.push(format!("{} of {} replicas of the controller are ready", controller.ready, controller.desired));
    }
    if spec.node_pool.keep {
        return Ok(if missing.is_empty() { State::Present } else { State::Busy(missing.join("; ")) });
    }
    let (Some(pool), Some(class)) = (looked(&facts.node_pool)?, looked(&facts.node_class)?) else { return Ok(State::Absent) };
    missing.extend(not_ready_yet(spec, class, pool));
    Ok(if missing.is_empty() { State::Present } else { State::Busy(missing.join("; ")) })
}

/// What a node class and its node pool lack to be ready.
pub(super) fn not_ready_yet(spec: &Spec, class: &Value, pool: &Value) -> Vec<String> {
    let kinds = Kinds::of(spec);
    let (of_class, of_pool) = match spec.release.features().node_pool_api {
        // These say nothing of themselves.
        NodePoolApi::V1Alpha5 => return Vec::new(),
        NodePoolApi::V1Beta1 => (Silence::IfResolved, Silence::Fine),
        NodePoolApi::V1 => (Silence::NotYet, Silence::NotYet),
    };
    not_ready(class, kinds.class_word, of_class).into_iter().chain(not_ready(pool, kinds.pool_word, of_pool)).collect()
}

/// What it means that an object has no condition `Ready`.
#[derive(Clone, Copy)]
enum Silence {
    /// Its controller has not looked at it yet.
    NotYet,
    /// Releases of before v0.37 have none: what they resolved shows that they looked.
    IfResolved,
    /// Some releases have none.
    Fine,
}

fn not_ready(object: &Value, word: &str, silence: Silence) -> Option<String> {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(ready) = conditions.iter().find(|c| c["type"] == "Ready") else {
        let resolved = status["subnets"].as_array().is_some_and(|s| !s.is_empty());
        return match silence {
            Silence::Fine => None,
            Silence::IfResolved if resolved => None,
            _ => Some(format!("{word} has no condition Ready yet")),
        };
    };
    // Old releases do not say of which generation they speak.
    if ready["observedGeneration"].as_i64().is_some_and(|seen| Some(seen) < object["metadata"]["generation"].as_i64()) {
        return Some(format!("{word} was changed, and its controller has not looked at it since"));
    }
    if ready["status"] == "True" {
        return None;
    }
    // The condition that stands behind Ready says why.
    let said: Vec<String> = conditions
        .iter()
        .filter(|c| c["status"] == "False" && c["type"] != "Ready")
        .map(|c| {
            format!("{}: {}", c["type"].as_str().unwrap_or_default(), c["message"].as_str().or(c["reason"].as_str()).unwrap_or("False"))
        })
        .collect();
    let said = if said.is_empty() { ready["message"].as_str().unwrap_or("not yet").to_owned() } else { said.join("; ") };
    Some(format!("{word} is not Ready ({said})"))
}
