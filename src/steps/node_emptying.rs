//! One node, emptied: cordoned, its pods asked to go as their disruption budgets allow, and waited for until as many serve elsewhere as did.

use super::StepContext;
use super::migration::{look, world};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::{Fleet, FleetNode, FleetPod, Topic};
use crate::migration::{Debt, debts, is_awaited, makers_on, movable, unplaced, unplaced_before};
use crate::plan::State;
use crate::ports::{Eviction, Kube, ObjectKind, ObjectRef};
use crate::probe::fleet::{CORDONED_BEFORE, LEAVING, READY_BEFORE};
use crate::probe::kinds::{cluster_wide, nodes};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// Empties nodes, one after another.
pub(super) struct Emptying<'a> {
    context: &'a StepContext<'a>,
    kube: Arc<dyn Kube>,
    /// The pods that had no node before the first run: nobody waits for them.
    before: BTreeSet<String>,
}

/// How much earlier than now a node is said to leave: AWS tells the time to the second, and a pod that the run displaces must not seem older.
const EARLIER: i64 = 5;

impl<'a> Emptying<'a> {
    pub(super) fn new(context: &'a StepContext<'a>, kube: Arc<dyn Kube>, fleet: &Fleet) -> Self {
        Self { context, kube, before: unplaced_before(fleet).into_iter().map(|p| p.uid.clone()).collect() }
    }

    /// Lets no new pod onto these nodes: a pod that leaves one of them would only be moved again from the next. Since when they leave stands
    /// on them: a later run knows by it which pods a run displaced.
    pub(super) async fn cordon(&self, leaving: &[&FleetNode]) -> Result<()> {
        for node in leaving.iter().filter(|node| !node.cordoned || node.leaving.is_none()) {
            self.context.doing(format!("cordoning node {}", node.name));
            let mut marks = json!({});
            if node.leaving.is_none() {
                marks[LEAVING] = json!(self.now());
            }
            if node.leaving.is_none() && node.cordoned {
                marks[CORDONED_BEFORE] = json!("true");
            }
            let patch = json!({"metadata": {"annotations": marks}, "spec": {"unschedulable": true}});
            self.kube.merge_patch(&cluster_wide(&nodes(), &node.name), &patch).await?;
        }
        Ok(())
    }

    /// The time by AWS's clock, as the API server writes it, a little too early.
    fn now(&self) -> String {
        let ahead = self.context.ports.aws.clock_ahead().unwrap_or_default();
        let now = jiff::Timestamp::now().as_second().saturating_sub(ahead).saturating_sub(EARLIER);
        jiff::Timestamp::from_second(now).unwrap_or_default().to_string()
    }

    /// Waits for what an earlier run, or this one, has displaced so far.
    pub(super) async fn settle(&self, fleet: &Fleet) -> Result<()> {
        if self.displaced(fleet).is_empty() && self.lacking(fleet).await?.is_empty() { Ok(()) } else { self.wait_until_well().await }
    }

    /// The pods of makers that lost some to the migration, which have no node yet. Others that wait for one are none of its doing.
    fn displaced<'f>(&self, fleet: &'f Fleet) -> Vec<&'f FleetPod> {
        let moved: BTreeSet<String> = debts(fleet).into_iter().map(|debt| debt.maker).collect();
        let is_moved = |pod: &&FleetPod| pod.maker.as_ref().is_some_and(|maker| moved.contains(maker));
        unplaced(fleet).into_iter().filter(is_moved).filter(|p| !self.before.contains(&p.uid)).collect()
    }

    /// The makers that have fewer pods ready than before theirs were moved, and want as many still: `before` is then how many they want.
    async fn lacking(&self, fleet: &Fleet) -> Result<Vec<Debt>> {
        let mut lacking = Vec::new();
        for debt in debts(fleet) {
            if debt.ready < debt.before {
                let before = debt.before.min(self.wanted(&debt).await?);
                lacking.extend((debt.ready < before).then_some(Debt { before, ..debt }));
            }
        }
        Ok(lacking)
    }

    /// How many pods a maker wants by now. Of one that does not say so in replicas, as many as it has.
    async fn wanted(&self, debt: &Debt) -> Result<u32> {
        let Some((namespace, kind, name)) = parts(&debt.maker) else { return Ok(debt.pods) };
        let kind = match kind {
            "ReplicaSet" => ObjectKind::new("apps/v1", "replicasets"),
            "StatefulSet" => ObjectKind::new("apps/v1", "statefulsets"),
            "ReplicationController" => ObjectKind::new("v1", "replicationcontrollers"),
            _ => return Ok(debt.pods),
        };
        let place = ObjectRef { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() };
        let replicas = self.kube.get(&place).await?.and_then(|maker| maker["spec"]["replicas"].as_u64());
        Ok(u32::try_from(replicas.unwrap_or_default()).unwrap_or(u32::MAX))
    }

    /// Empties a node. `which`: the words that say which of how many it is.
    pub(super) async fn empty(&self, fleet: &Fleet, node: &FleetNode, which: &str) -> Result<()> {
        if node.leaving.as_ref().is_none_or(|leaving| leaving.owed.is_none()) {
            let owed = json!(makers_on(fleet, &node.name)).to_string();
            let patch = json!({"metadata": {"annotations": {READY_BEFORE: owed}}});
            self.kube.merge_patch(&cluster_wide(&nodes(), &node.name), &patch).await?;
        }
        self.send_away(&node.name, which).await?;
        self.wait_until_well().await
    }

    /// Asks the node's pods to go until none is left. Time runs from the last that went.
    async fn send_away(&self, node: &str, which: &str) -> Result<()> {
        let mut left = usize::MAX;
        let mut since = Instant::now();
        let mut told = String::new();
        loop {
            let facts = look(self.context, &[Topic::Fleet]).await?;
            let (_, fleet) = world(&facts).map_err(State::into_error)?;
            let pods = movable(fleet, node);
            if pods.is_empty() {
                return Ok(());
            }
            let mut stay = BTreeMap::new();
            let ending: Vec<String> = pods.iter().filter(|p| !p.leaving && is_awaited(p)).map(|p| p.shown()).collect();
            for pod in pods.iter().filter(|p| !p.leaving && !is_awaited(p)) {
                if self.context.cancel.is_cancelled() {
                    break;
                }
                if let Eviction::Refused(why) = self.kube.evict(&pod.namespace, &pod.name, &pod.uid).await? {
                    stay.insert(pod.shown(), why);
                }
            }
            if pods.len() < left {
                (left, since) = (pods.len(), Instant::now());
            }
            let counted = |many: usize, what: &str| if many == 0 { String::new() } else { format!(", {many} {what}") };
            let words = format!(
                "emptying node {node} ({which}): {} pods to go{}{}",
                pods.len(),
                counted(stay.len(), "held back by disruption budgets"),
                counted(ending.len(), "waited for until they end")
            );
            if words != told {
                self.context.doing(words.clone());
                told = words;
            }
            if since.elapsed() >= self.context.timeout {
                let leave: Vec<String> = pods.iter().filter(|p| p.leaving).map(|p| p.shown()).collect();
                return Err(self.hangs(node, &stay, &leave, &ending));
            }
            self.context.pause(super::BRIEF).await.map_err(|e| self.on_the_way(e))?;
        }
    }

    /// Waits until every pod that lost its node has another, and as many are ready as before: who goes on without would take down what nobody
    /// brings up again.
    async fn wait_until_well(&self) -> Result<()> {
        let mut told = String::new();
        let begun = Instant::now();
        loop {
            let facts = look(self.context, &[Topic::Fleet]).await?;
            let (_, fleet) = world(&facts).map_err(State::into_error)?;
            let waiting = self.displaced(fleet);
            let lacking = self.lacking(fleet).await?;
            let words = match (waiting.first(), lacking.first()) {
                (None, None) => return Ok(()),
                (Some(first), _) => format!("waiting for {} pods to get a node, {} among them", waiting.len(), first.shown()),
                (None, Some(first)) => format!("waiting until the pods that were moved are ready: {}", shown(first)),
            };
            if begun.elapsed() >= self.context.timeout {
                return Err(self.on_the_way(if waiting.is_empty() { unready(&lacking, fleet) } else { homeless(&waiting) }));
            }
            if words != told {
                self.context.doing(words.clone());
                told = words;
            }
            self.context.pause(super::BRIEF).await.map_err(|e| self.on_the_way(e))?;
        }
    }

    /// The failure that names what hangs.
    fn hangs(&self, node: &str, stay: &BTreeMap<String, String>, leave: &[String], ending: &[String]) -> Error {
        let minutes = self.context.timeout.as_secs_f64() / 60.0;
        let error = Error::new(ErrorKind::Timeout, format!("cannot empty node {node}: no pod has left it for {minutes:.1} minutes"));
        let error = stay.iter().take(NAMED).fold(error, |error, (pod, why)| error.because(format!("{pod}: {why}")));
        let error =
            leave.iter().take(NAMED).fold(error, |error, pod| error.because(format!("{pod}: it has been told to go and does not end")));
        let error = ending.iter().take(NAMED).fold(error, |error, pod| error.because(format!("{pod}: it has not ended by itself")));
        let error = match ending.first().and_then(|pod| pod.split_once('/')) {
            Some((namespace, name)) => error.hint(format!(
                "run this again when they have ended, with a longer --timeout say; or end one that may go: `kubectl --namespace {namespace} delete pod {name}`"
            )),
            None => error,
        };
        let namespaces: BTreeSet<&str> = stay.keys().filter_map(|pod| pod.split('/').next()).collect();
        let error = namespaces.into_iter().fold(error, |error, namespace| {
            error.hint(format!(
                "see what the budget waits for: `kubectl --namespace {namespace} get poddisruptionbudgets,pods`; one that never allows a disruption needs another replica, or another number"
            ))
        });
        self.on_the_way(error)
    }

    /// What helps whoever stops halfway.
    fn on_the_way(&self, error: Error) -> Error {
        let (cluster, region) = (&self.context.spec.cluster_name, &self.context.spec.region);
        error
            .hint("the nodes that leave take no new pods; a later run goes on with them")
            .hint(format!("or go back: `karpctl migrate cluster-autoscaler --back --cluster-name {cluster} --region {region}`"))
    }
}

/// Namespace, kind and name of a maker.
fn parts(maker: &str) -> Option<(&str, &str, &str)> {
    let (namespace, rest) = maker.split_once('/')?;
    let (kind, name) = rest.split_once('/')?;
    Some((namespace, kind, name))
}

/// `ReplicaSet shop/web-7d9f has 1 of 3`.
fn shown(debt: &Debt) -> String {
    let maker = parts(&debt.maker).map_or_else(|| debt.maker.clone(), |(namespace, kind, name)| format!("{kind} {namespace}/{name}"));
    format!("{maker} has {} of {}", debt.ready, debt.before)
}

/// The failure where pods find no node.
fn homeless(waiting: &[&FleetPod]) -> Error {
    let error = Error::new(ErrorKind::Timeout, format!("pods that lost their node have no other: {}", waiting.len()));
    let why = |pod: &&FleetPod| format!("{}: {}", pod.shown(), pod.waits_for.as_deref().unwrap_or("the scheduler has not said why"));
    let error = waiting.iter().take(NAMED).map(why).fold(error, Error::because);
    error.hint("Karpenter says why it makes no node: `kubectl get events --all-namespaces --field-selector reason=FailedScheduling`")
}

/// The failure where pods have a node and do not get ready on it.
fn unready(lacking: &[Debt], fleet: &Fleet) -> Error {
    let makers = lacking.iter().take(NAMED).map(shown).collect::<Vec<_>>().join(", ");
    let error = Error::new(ErrorKind::Timeout, format!("pods that were moved do not get ready where they are now: {makers}"));
    let of_these = |p: &&FleetPod| !p.ready && !p.leaving && p.maker.as_ref().is_some_and(|m| lacking.iter().any(|debt| debt.maker == *m));
    let pods: Vec<&FleetPod> = fleet.pods.iter().filter(of_these).take(NAMED).collect();
    let why = |pod: &&FleetPod| {
        let node = pod.node.as_deref().unwrap_or("no node");
        format!("{} on {node}: {}", pod.shown(), pod.waits_for.as_deref().unwrap_or("it is not ready"))
    };
    let error = pods.iter().map(why).fold(error, Error::because);
    let look = |pod: &&FleetPod| format!("see why: `kubectl --namespace {} describe pod {}`", pod.namespace, pod.name);
    pods.first().map(look).into_iter().fold(error, Error::hint)
}

/// The most pods that an error names.
const NAMED: usize = 5;

/// Lets pods onto a node again that a migration cordoned. One that somebody else had cordoned before stays so.
pub(super) async fn release(kube: &dyn Kube, node: &FleetNode) -> Result<()> {
    let mut patch = json!({"metadata": {"annotations": {LEAVING: null, CORDONED_BEFORE: null, READY_BEFORE: null}}});
    if node.leaving.as_ref().is_none_or(|leaving| !leaving.cordoned_before) {
        patch["spec"] = json!({"unschedulable": null});
    }
    kube.merge_patch(&cluster_wide(&nodes(), &node.name), &patch).await.map(drop)
}
