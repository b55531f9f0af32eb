//! The live proof: a workload that makes Karpenter launch nodes, followed phase by phase, and nothing left of it afterwards.

mod diagnose;

use crate::error::{Error, ErrorKind, Result};
use crate::knowledge::{CAPACITY_TYPE_LABEL, NodePoolApi, ZONE_LABEL};
use crate::plan::{Progress, State, StepId};
use crate::ports::{Force, Kube, ObjectKind, ObjectRef};
use crate::probe::kinds::{Kinds, is_ours, name_of, nodes};
use crate::render;
use crate::steps::{self, StepContext};
use crate::wording::counted;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// The schema id of a serialized [`VerifyReport`].
pub const SCHEMA: &str = "karpctl/verify/v1";

/// How long a proof usually takes on EKS: about a minute until an instance is a ready node, a minute until Karpenter consolidates (the
/// guide's `consolidateAfter: 1m`), and one until the instance has ended.
pub const USUAL_SECONDS: u32 = 180;

/// The name of the workload and of its `app` label.
const WORKLOAD: &str = "inflate";
/// Its namespace.
const NAMESPACE: &str = "default";
/// How often the world is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is waited for, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The pods are there and Karpenter has decided on nodes for them.
    Pending,
    /// EC2 has launched the instances.
    Launched,
    /// Their kubelets have joined the cluster.
    Registered,
    /// The nodes are ready to run pods.
    Ready,
    /// All pods run.
    Running,
    /// The pods are gone, and Karpenter has taken the nodes away.
    Removed,
}

impl Phase {
    /// The phases on the way up.
    const UP: [Self; 5] = [Self::Pending, Self::Launched, Self::Registered, Self::Ready, Self::Running];

    /// How far this is on the way.
    const fn stage(self) -> Progress {
        Progress::Stage { number: self as u8 + 1, of: Self::Removed as u8 + 1, message: self.waits_until() }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Launched => "launched",
            Self::Registered => "registered",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Removed => "removed",
        }
    }

    /// What it waits for, as a sentence goes on after "waiting until".
    const fn waits_until(self) -> &'static str {
        match self {
            Self::Pending => "Karpenter decides on nodes for the pending pods",
            Self::Launched => "EC2 has launched the nodes",
            Self::Registered => "the nodes have joined the cluster",
            Self::Ready => "the nodes are ready",
            Self::Running => "all pods run",
            Self::Removed => "Karpenter has taken the empty nodes away",
        }
    }
}

/// How long a phase took.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PhaseTime {
    /// Which.
    pub phase: Phase,
    /// Seconds, to a tenth.
    pub seconds: f64,
}

/// A node that Karpenter launched for the proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct VerifiedNode {
    /// The Kubernetes node.
    pub name: String,
    /// Its EC2 instance type.
    pub instance_type: String,
    /// Its availability zone.
    pub zone: String,
    /// `spot`, `on-demand`.
    pub capacity_type: String,
}

/// Whether Karpenter made a node for the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeProof {
    /// Whether at least one was launched, ran pods of the proof and was taken away.
    pub proved: bool,
    /// Why none was, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the proof showed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "karpctl verify", description = "The report of karpctl verify -o json.")]
pub struct VerifyReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The cluster.
    pub cluster: String,
    /// The Karpenter release.
    pub karpenter: String,
    /// How many pods were asked for.
    pub replicas: u32,
    /// Whether a node was proved: pods that find room on nodes of before prove none.
    pub node: NodeProof,
    /// The phases, in order.
    pub phases: Vec<PhaseTime>,
    /// The nodes that were launched, by name.
    pub nodes: Vec<VerifiedNode>,
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Karpenter {} on {}: {}, {} launched and taken away",
            self.karpenter,
            self.cluster,
            counted(self.replicas as usize, "pod"),
            counted(self.nodes.len(), "node")
        )?;
        for PhaseTime { phase, seconds } in &self.phases {
            writeln!(f, "  {:<11} {seconds:>7.1} s", phase.as_str())?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let end = if index + 1 < self.nodes.len() { "\n" } else { "" };
            write!(f, "  node {} ({}, {}, {}){end}", node.name, node.instance_type, node.zone, node.capacity_type)?;
        }
        Ok(())
    }
}

impl VerifyReport {
    /// The failure that no node was proved, where that is so: what was to be shown has not been.
    #[must_use]
    pub fn unproved(&self) -> Option<Error> {
        let reason = self.node.reason.as_ref()?;
        let replicas = counted(self.replicas as usize, "pod");
        Some(
            Error::failed(format!("Karpenter on cluster {} has not been seen to launch a node", self.cluster))
                .because(reason)
                .hint(format!("ask for more pods than have room on the nodes that are there: {replicas} did, `--replicas` says how many")),
        )
    }
}

/// What the nodes are launched for.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// How many pods, of one CPU each.
    pub replicas: u32,
    /// Their image. `None`: the guide's, of a public registry.
    pub image: Option<&'a str>,
}

/// Runs a workload that only nodes of the spec's node pool may take, waits phase by phase until it runs, takes it
/// away and waits until Karpenter has taken its nodes away. The workload is removed in any case, also after a failure or an
/// interruption.
pub async fn verify(context: &StepContext<'_>, workload: Workload<'_>) -> Result<VerifyReport> {
    refuse_unready(context)?;
    let kube = context.kube().await?;
    let place = ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(NAMESPACE.into()), name: WORKLOAD.into() };
    if kube.get(&place).await?.is_some_and(|found| !is_ours(&found)) {
        return Err(Error::refused(format!("a Deployment {NAMESPACE}/{WORKLOAD} is there and karpctl did not make it"))
            .hint(format!("if nothing needs it: `kubectl --namespace {NAMESPACE} delete deployment {WORKLOAD}`")));
    }
    let kinds = Kinds::of(context.spec);
    let mut proof = Proof {
        context,
        kube: kube.as_ref(),
        kinds,
        place,
        image: workload.image,
        before: Seen::default(),
        heard: BTreeSet::new(),
        caused: BTreeMap::new(),
        used: BTreeSet::new(),
    };
    proof.before = proof.see().await?;
    proof.heard = proof.warnings().await.iter().map(diagnose::count_of).collect();
    let result = proof.run(workload.replicas).await;
    context.doing(format!("removing the Deployment {NAMESPACE}/{WORKLOAD}"));
    match (proof.kube.delete(&proof.place).await, result) {
        (Ok(()), result) => result,
        (Err(e), Ok(_)) => Err(e),
        (Err(e), Err(failure)) => {
            context.warn(format!(
                "the Deployment {NAMESPACE}/{WORKLOAD} could not be removed ({e}): `kubectl delete deployment {WORKLOAD}` does"
            ));
            Err(failure)
        }
    }
}

/// A Karpenter that is not ready proves nothing, and the facts say so at once.
fn refuse_unready(context: &StepContext<'_>) -> Result<()> {
    let steps = steps::all();
    let Some(ready) = steps.iter().find(|s| s.id() == StepId::Ready) else { return Ok(()) };
    let why = match ready.assess(context.spec, context.facts) {
        State::Busy(what) => what,
        State::Absent => "the controller, the node pool or the node class is not there".to_owned(),
        _ => return Ok(()),
    };
    let (cluster, region) = (&context.spec.cluster_name, &context.spec.region);
    Err(Error::failed(format!("cannot verify Karpenter on cluster {cluster}: it is not ready"))
        .because(why)
        .hint(format!("`karpctl status --cluster-name {cluster} --region {region}` says more, `karpctl bootstrap` mends it")))
}

/// Whether nodes of a pool (or Provisioner) have no taints.
fn takes_any_pod(pool: &Value) -> bool {
    let spec = if pool["spec"]["template"].is_null() { &pool["spec"] } else { &pool["spec"]["template"]["spec"] };
    spec["taints"].as_array().is_none_or(Vec::is_empty)
}

/// What was there at one look.
#[derive(Default)]
struct Seen {
    claims: BTreeMap<String, Value>,
    nodes: BTreeMap<String, Value>,
    pods: Vec<Value>,
}

/// One run.
struct Proof<'a> {
    context: &'a StepContext<'a>,
    kube: &'a dyn Kube,
    kinds: Kinds,
    place: ObjectRef,
    image: Option<&'a str>,
    before: Seen,
    /// The warnings about claims that were there, each with how often it had come.
    heard: BTreeSet<String>,
    /// The nodes that came with the workload.
    caused: BTreeMap<String, VerifiedNode>,
    /// The nodes on which pods of it ran.
    used: BTreeSet<String>,
}

impl Proof<'_> {
    async fn run(&mut self, replicas: u32) -> Result<VerifyReport> {
        self.scale(replicas).await?;
        let mut phases = Vec::new();
        let mut claims = BTreeSet::new();
        for phase in Phase::UP {
            phases.push(self.wait(phase, replicas, &mut claims).await?);
        }
        let node = node_proof(self.caused.keys(), &self.used);
        self.scale(0).await?;
        phases.push(self.wait(Phase::Removed, 0, &mut claims).await?);
        let spec = self.context.spec;
        Ok(VerifyReport {
            schema: SCHEMA.into(),
            cluster: spec.cluster_name.to_string(),
            karpenter: spec.release.to_string(),
            replicas,
            node,
            phases,
            nodes: self.caused.values().cloned().collect(),
        })
    }

    /// The guide's workload. Only nodes of our pool may take it, or free room elsewhere would prove nothing.
    async fn scale(&self, replicas: u32) -> Result<()> {
        let mut body = render::inflate(self.context.spec, replicas)?;
        body["metadata"]["namespace"] = json!(NAMESPACE);
        let pods = &mut body["spec"]["template"]["spec"];
        let pool = &self.context.spec.node_pool;
        if pool.keep {
            // Which pools there are is their owner's: any whose nodes can run the workload proves that Karpenter works.
            let of_a_pool = json!({"key": self.kinds.pool_label, "operator": "Exists"});
            let linux = json!({"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]});
            let any = json!([{"matchExpressions": [of_a_pool, linux]}]);
            pods["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": any}}});
            // A pool with taints is kept for somebody, and may be a costly one.
            if !self.kube.list(&self.kinds.pool, None, None).await?.iter().any(takes_any_pod) {
                pods["tolerations"] = json!([{"operator": "Exists"}]);
            }
        } else {
            pods["nodeSelector"] = json!({ self.kinds.pool_label: pool.name });
        }
        if let Some(image) = self.image {
            body["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        }
        self.context.doing(format!("scaling the Deployment {NAMESPACE}/{WORKLOAD} to {replicas}"));
        self.kube.apply(&self.place, &body, Force::Yes).await.map(drop)
    }

    /// Waits for one phase. `claims` gathers the names of all claims that came with the workload.
    async fn wait(&mut self, phase: Phase, replicas: u32, claims: &mut BTreeSet<String>) -> Result<PhaseTime> {
        let started = Instant::now();
        (self.context.say)(phase.stage());
        loop {
            let seen = self.see().await?;
            claims.extend(seen.claims.keys().filter(|name| !self.before.claims.contains_key(*name)).cloned());
            self.remember(&seen);
            if self.is_over(phase, replicas, &seen, claims) {
                let seconds = (started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
                return Ok(PhaseTime { phase, seconds });
            }
            if started.elapsed() >= self.context.timeout {
                return Err(self.diagnose(phase, &seen, started.elapsed()).await);
            }
            self.context
                .pause(LOOK)
                .await
                .map_err(|e| Error { kind: ErrorKind::Interrupted, ..e }.hint("Karpenter takes the empty nodes away by itself"))?;
        }
    }

    async fn see(&self) -> Result<Seen> {
        let (pod_kind, node_kind) = (ObjectKind::new("v1", "pods"), nodes());
        let selector = format!("app={WORKLOAD}");
        let (claims, nodes, pods) = tokio::join!(
            self.kube.list(&self.kinds.claim, None, None),
            self.kube.list(&node_kind, None, Some(self.kinds.pool_label)),
            self.kube.list(&pod_kind, Some(NAMESPACE), Some(&selector)),
        );
        let named = |objects: Vec<Value>| objects.into_iter().map(|o| (name_of(&o), o)).collect();
        // Pods of an earlier run that are on their way out are not ours any more.
        let pods = pods?.into_iter().filter(|p| p["metadata"]["deletionTimestamp"].is_null()).collect();
        Ok(Seen { claims: named(claims?), nodes: named(nodes?), pods })
    }

    fn remember(&mut self, seen: &Seen) {
        let running = seen.pods.iter().filter(|pod| has(pod, "Ready"));
        self.used.extend(running.filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)));
        for (name, node) in seen.nodes.iter().filter(|(name, _)| !self.before.nodes.contains_key(*name)) {
            let label = |keys: [&str; 2]| {
                let labels = &node["metadata"]["labels"];
                keys.iter().find_map(|key| labels[*key].as_str()).unwrap_or("unknown").to_owned()
            };
            let verified = VerifiedNode {
                name: name.clone(),
                instance_type: label(["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"]),
                zone: label([ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone"]),
                capacity_type: label([CAPACITY_TYPE_LABEL, "eks.amazonaws.com/capacityType"]),
            };
            self.caused.insert(name.clone(), verified);
        }
    }

    fn is_over(&self, phase: Phase, replicas: u32, seen: &Seen, claims: &BTreeSet<String>) -> bool {
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        if phase == Phase::Removed {
            let nodes = seen.nodes.keys().any(|name| self.caused.contains_key(name));
            return seen.pods.is_empty() && !nodes && !seen.claims.keys().any(|name| claims.contains(name));
        }
        let running = seen.pods.iter().filter(|p| has(p, "Ready")).count() >= wanted;
        if phase == Phase::Running || running {
            return running;
        }
        if self.context.spec.release.features().node_pool_api == NodePoolApi::V1Alpha5 {
            return self.is_over_by_nodes(phase, wanted, seen);
        }
        let ours: Vec<&Value> = seen.claims.iter().filter(|(name, _)| claims.contains(*name)).map(|(_, claim)| claim).collect();
        let all = |condition: &str| !ours.is_empty() && ours.iter().all(|claim| has(claim, condition));
        match phase {
            Phase::Pending => seen.pods.len() >= wanted && (!ours.is_empty() || all_placed(&seen.pods)),
            Phase::Launched => all("Launched") || ours.is_empty() && all_placed(&seen.pods),
            Phase::Registered => all("Registered") || ours.is_empty() && all_placed(&seen.pods),
            _ => all("Initialized") || ours.is_empty() && all_placed(&seen.pods),
        }
    }

    /// The oldest API has no claims: Karpenter makes the Node itself when it launches, and the kubelet then fills it.
    fn is_over_by_nodes(&self, phase: Phase, wanted: usize, seen: &Seen) -> bool {
        let ours: Vec<&Value> =
            seen.nodes.iter().filter(|(name, _)| !self.before.nodes.contains_key(*name)).map(|(_, node)| node).collect();
        let joined = |node: &&Value| node["status"]["nodeInfo"]["kubeletVersion"].as_str().is_some_and(|v| !v.is_empty());
        match phase {
            Phase::Pending => seen.pods.len() >= wanted,
            Phase::Launched => !ours.is_empty() || all_placed(&seen.pods),
            Phase::Registered => ours.iter().all(joined),
            _ => ours.iter().all(|node| has(node, "Ready")),
        }
    }
}

/// Whether a node was proved, by those that came with the workload and those that ran its pods.
fn node_proof<'a>(mut caused: impl ExactSizeIterator<Item = &'a String>, used: &BTreeSet<String>) -> NodeProof {
    let none_came = caused.len() == 0;
    let proved = caused.any(|name| used.contains(name));
    let reason = if none_came {
        "the pods found room on nodes that Karpenter had launched before"
    } else {
        "nodes came, and the pods found room on others that Karpenter had launched before"
    };
    NodeProof { proved, reason: (!proved).then(|| reason.to_owned()) }
}

/// Whether an object has this condition.
fn has(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|c| c["type"] == condition && c["status"] == "True")
}

fn all_placed(pods: &[Value]) -> bool {
    !pods.is_empty() && pods.iter().all(|p| p["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, node_proof};

    #[test]
    fn a_node_is_proved_by_a_pod_of_the_proof() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (caused, used, reason) in [
            (&["a", "b"][..], &["b", "old"][..], None),
            (&[], &["old"], Some("the pods found room")),
            // Somebody else's pods made Karpenter launch it.
            (&["a"], &["old"], Some("nodes came, and the pods found room on others")),
        ] {
            let proof = node_proof(names(caused).iter(), &names(used).into_iter().collect::<BTreeSet<_>>());
            assert_eq!(proof.proved, reason.is_none());
            assert_eq!(proof.reason.as_deref().map(|said| said.starts_with(reason.unwrap())), reason.map(|_| true), "{proof:?}");
        }
    }
}
