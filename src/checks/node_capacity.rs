//! Whether the controller's replicas find nodes: room, taints, and the chart's rules about nodes and zones.

use super::helm::set_values;
use super::judgement::{installed, read};
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::{Facts, HelmRelease, NeighbourKind, NodeFacts, NodeOrigin, PodRequests, Topic};
use crate::finding::Area;
use crate::knowledge::Features;
use crate::spec::{ControllerCapacity, Spec};
use std::collections::BTreeMap;

pub(super) struct NodeCapacity;

/// The replicas of every release's chart.
const REPLICAS: u64 = 2;
/// What the guides ask for: a CPU and a gibibyte.
const GUIDE: PodRequests = PodRequests { cpu: 1000, memory: 1 << 30 };
/// How many nodes are named.
const NAMED: usize = 4;

impl Check for NodeCapacity {
    fn id(&self) -> &'static str {
        "node-capacity"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Karpenter's controller runs on nodes that Karpenter did not make. A replica that finds none stays Pending (`0/2 nodes are available: … didn't match pod anti-affinity rules`), and `helm --wait` times out."
    }

    fn explain(&self) -> &'static str {
        "The controller runs on nodes that Karpenter did not make. A node counts where it runs Linux, is ready and not cordoned, has no taint but \
         CriticalAddonsOnly, and has left next to the pods that are on it what the controller asks for: the installed one, else a CPU and a \
         gibibyte, as the guides have it; pods of the \
         controller itself are not counted. Charts since 0.27 put no two replicas on one node; charts since 1.0 keep the zones even, and a zone \
         whose nodes are full counts as one with none.\n\n\
         What is seen where there is no room: `0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules`, `node(s) didn't match \
         pod topology spread constraints`, `Insufficient cpu`; `helm --wait` ends with `context deadline exceeded`.\n\n\
         Uncordon a node, give the node group more nodes (in another zone), or run one replica. Where there are nodes of Fargate it is a warning: a \
         profile may take the controller. Host ports and volumes are not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Capacity, Topic::Chart, Topic::Neighbours]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        if makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet; its nodes are made for the controller"));
        }
        if spec.capacity == ControllerCapacity::Fargate {
            return Ok(vec![Judgement::pass(subject, "Fargate makes a node for each replica")]);
        }
        let Some(nodes) = read(&subject, &facts.nodes)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        let release = read(&subject, &facts.chart_release)?.filter(|r| installed(r));
        let wanted = release.and_then(|r| r.values["replicas"].as_u64()).unwrap_or(REPLICAS);
        let (features, asks) = (spec.release.features(), asks(spec, facts, release));
        let placed = placed(nodes, features, asks, wanted);
        if placed >= wanted {
            return Ok(vec![Judgement::pass(subject, format!("{wanted} of {wanted} replicas of the controller find a node"))]);
        }
        Err(lacking(spec, subject, nodes, (release, asks), (placed, wanted)))
    }
}

/// What each replica asks for: what the installed ones do, else what the guide's would.
fn asks(spec: &Spec, facts: &Facts, release: Option<&HelmRelease>) -> PodRequests {
    let workloads = facts.neighbours.known().filter(|_| release.is_some()).map(|n| n.workloads.as_slice()).unwrap_or_default();
    let installed = workloads.iter().find(|w| w.what == NeighbourKind::Karpenter && w.namespace == spec.namespace.as_str());
    let guide = if spec.release.features().controller_requests { GUIDE } else { PodRequests { cpu: 0, memory: 0 } };
    installed.and_then(|c| c.asks).unwrap_or(guide)
}

/// Why a controller cannot run on a node; `None` where it can.
fn obstacle(node: &NodeFacts, asks: PodRequests) -> Option<String> {
    let tolerated = |key: &str| key == "CriticalAddonsOnly" || key == "node.kubernetes.io/unschedulable";
    let taint = node.taints.iter().find(|t| t.effect != "PreferNoSchedule" && !tolerated(&t.key));
    match node.origin {
        NodeOrigin::Karpenter => return Some("is Karpenter's own".into()),
        NodeOrigin::Fargate => return Some("is Fargate's".into()),
        NodeOrigin::Other if !node.linux => return Some("does not run Linux".into()),
        NodeOrigin::Other if node.cordoned => return Some("is cordoned".into()),
        NodeOrigin::Other if !node.ready => return Some("is not ready".into()),
        NodeOrigin::Other => {}
    }
    if let Some(taint) = taint {
        return Some(format!("has the taint {}:{}", taint.key, taint.effect));
    }
    if node.free_cpu < asks.cpu {
        return Some(format!("has {}m CPU left of {}m", node.free_cpu, asks.cpu));
    }
    if node.free_memory < asks.memory {
        return Some(format!("has {} MiB of memory left of {}", node.free_memory >> 20, asks.memory >> 20));
    }
    (node.free_pods < 1).then(|| "takes no pod more".into())
}

/// How many controllers a node takes.
fn slots(node: &NodeFacts, features: &Features, asks: PodRequests) -> u64 {
    if obstacle(node, asks).is_some() {
        return 0;
    }
    let times = |free: i64, each: i64| if each > 0 { free / each } else { node.free_pods };
    let by_room = times(node.free_cpu, asks.cpu).min(times(node.free_memory, asks.memory));
    let one = if features.controllers_apart { 1 } else { i64::MAX };
    u64::try_from(by_room.min(node.free_pods).min(one)).unwrap_or(0)
}

/// How many replicas the scheduler places. Where zones must be even, every zone with a node that the chart's affinity takes counts,
/// whether a controller finds room there or not: so says the API of topology spread constraints.
fn placed(nodes: &[NodeFacts], features: &Features, asks: PodRequests, wanted: u64) -> u64 {
    if !features.zones_even {
        return nodes.iter().fold(0_u64, |sum, node| sum.saturating_add(slots(node, features, asks))).min(wanted);
    }
    let mut zones: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for node in nodes.iter().filter(|n| n.origin != NodeOrigin::Karpenter && n.linux) {
        let Some(zone) = node.zone.as_deref() else { continue };
        let (room, _) = zones.entry(zone).or_default();
        *room = room.saturating_add(slots(node, features, asks));
    }
    for done in 0..wanted {
        let fewest = zones.values().map(|(_, here)| *here).min().unwrap_or(0);
        let next = zones.values_mut().filter(|(room, here)| here < room && *here == fewest).max_by_key(|(room, _)| *room);
        match next {
            Some((_, here)) => *here += 1,
            None => return done,
        }
    }
    wanted
}

fn lacking(
    spec: &Spec,
    subject: String,
    nodes: &[NodeFacts],
    (release, asks): (Option<&HelmRelease>, PodRequests),
    (placed, wanted): (u64, u64),
) -> Judgement {
    let features = spec.release.features();
    let obstacles: Vec<String> = nodes.iter().filter_map(|n| Some(format!("{} {}", n.name, obstacle(n, asks)?))).collect();
    let mut reasons: Vec<String> = obstacles.iter().take(NAMED).cloned().collect();
    if obstacles.len() > NAMED {
        reasons.push(format!("and {} more", obstacles.len() - NAMED));
    }
    let fitting = nodes.len() - obstacles.len();
    if u64::try_from(fitting).is_ok_and(|n| n > placed) {
        reasons.push("the zones must be even, and a zone with no room counts too".into());
    } else if features.controllers_apart && fitting > 0 {
        reasons.push("no two of them run on one node".into());
    }
    if nodes.is_empty() {
        reasons.push("it has no nodes".into());
    }
    let message = format!("{placed} of {wanted} replicas of the controller find a node: {}", reasons.join("; "));
    // Which pods a profile takes is not written in the cluster.
    let mut judgement = if nodes.iter().any(|n| n.origin == NodeOrigin::Fargate) {
        Judgement::warn(subject, format!("{message} (unless a Fargate profile takes them)"))
    } else {
        Judgement::fail(subject, message)
    }
    .heals();
    for node in nodes.iter().filter(|n| n.cordoned && n.origin == NodeOrigin::Other).take(NAMED) {
        judgement = judgement.run(format!("let pods onto {} again", node.name), ["kubectl", "uncordon", &node.name]);
    }
    let group = nodes.iter().find_map(|n| n.node_group.as_deref());
    if let Some(group) = group {
        let now = nodes.iter().filter(|n| n.node_group.as_deref() == Some(group)).count() as u64;
        let count = (now + wanted - placed).to_string();
        let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
        let command = ["eksctl", "scale", "nodegroup", "--region", region, "--cluster", cluster, "--name", group, "--nodes", &count];
        judgement = judgement.run("give the node group more nodes", command.into_iter().chain(["--nodes-max", &count]));
    } else {
        judgement = judgement.fix("give the cluster more or larger nodes that Karpenter did not make");
    }
    match release.filter(|_| placed > 0) {
        Some(release) => judgement.run("or run only what finds room", set_values(spec, release, [format!("replicas={placed}")])),
        None => judgement,
    }
}
