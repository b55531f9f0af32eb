//! Whether the controller's replicas find nodes: room, taints, labels, and the chart's rules about nodes and zones.

use super::fargate::takes_controller;
use super::given_values::{GivenValues, IN_SPEC_FILE, KEEP};
use super::judgement::read;
use super::placement::Placement;
use super::whose::in_wanted_namespace;
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster};
use crate::facts::quantity::{milli_cpu, units};
use crate::facts::{Facts, NodeFacts, NodeOrigin, PodRequests, Topic, Workload};
use crate::finding::Area;
use crate::spec::{ControllerCapacity, Spec};
use crate::wording::first;
use serde_json::Value;

pub(super) struct NodeCapacity;

/// The replicas of every release's chart.
const REPLICAS: u64 = 2;
/// The values that decide where the controller runs, and how many of it.
const DECIDE: [&str; 6] = ["replicas", "nodeSelector", "affinity", "topologySpreadConstraints", "tolerations", RESOURCES];
const RESOURCES: &str = "controller.resources";
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
        "The controller runs on nodes that Karpenter did not make. Judged are the values that the next bootstrap gives the chart: the chart's own, the \
         guide's, and `chart.values` of karpctl.yaml. A node counts where it runs Linux, is ready and not cordoned, has no taint that the `tolerations` \
         do not take and the labels that `nodeSelector` and `affinity` want, and has left next to the pods that are on it what the controller asks for; pods of the \
         controller itself are not counted. Charts since 0.27 put no two replicas on one node; charts since 1.0 keep the zones even, and a zone \
         whose nodes are full counts as one with none. Where all replicas run and bootstrap leaves their release as it is, that is enough.\n\n\
         What is seen where there is no room: `0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules`, `node(s) didn't match \
         pod topology spread constraints`, `Insufficient cpu`; `helm --wait` ends with `Error: INSTALLATION FAILED: context deadline exceeded`, `Error: UPGRADE FAILED: context deadline exceeded`.\n\n\
         Uncordon a node, give the node group more nodes (in another zone), or run one replica. A Fargate profile that takes the controller makes a \
         node for each replica; where there are nodes of Fargate and the profiles may not be read, it is a warning. It is one also where the values \
         have rules about other pods than the controller's own, or words that \
         the API does not know: those are not judged. Host ports, volumes, containers beside the controller's, and less \
         important pods that would make room are not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Capacity,
            Topic::NodeGroups,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::FargateSelectors,
        ]
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
        let given = GivenValues::of(spec, facts, &subject)?;
        if let Some(profile) = takes_controller(spec, facts, given.at("podLabels")) {
            return Ok(vec![Judgement::pass(subject, format!("the Fargate profile {profile} makes a node for each replica"))]);
        }
        let wanted = replicas(given.at("replicas"));
        let controller = controller(spec, facts);
        let placement = Placement::of(given.to_come(), asks(&given, controller));
        let unjudged = placement.unjudged(nodes);
        let runs = controller.is_some_and(|c| c.ready >= wanted && c.ready >= c.desired) && given.keeps(&DECIDE);
        // Where new pods are to come, they must find their nodes anew.
        if runs && (given.stays() || !unjudged.is_empty()) {
            return Ok(vec![Judgement::pass(subject, format!("{wanted} of {wanted} replicas of the controller run"))]);
        }
        let placed = placement.placed(nodes, wanted);
        let unjudged = if unjudged.is_empty() { String::new() } else { format!(" (not judged: {})", unjudged.join(", ")) };
        let found = format!("{placed} of {wanted} replicas of the controller find a node{unjudged}");
        if placed < wanted {
            let certain = unjudged.is_empty();
            return Err(lacking((spec, facts), subject, nodes, &Lack { placement, given, found, certain, placed, wanted }));
        }
        Ok(vec![if unjudged.is_empty() { Judgement::pass(subject, found) } else { Judgement::skip(subject, found) }])
    }
}

/// A template writes out a number and its text alike.
fn replicas(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(REPLICAS)
}

/// The Deployment of the controller, where one is there.
fn controller<'f>(spec: &Spec, facts: &'f Facts) -> Option<&'f Workload> {
    in_wanted_namespace(spec, facts.neighbours.known()?)
}

/// What each replica asks for: what the installed ones do where that stays, else what the values say.
fn asks(given: &GivenValues, controller: Option<&Workload>) -> PodRequests {
    let installed = controller.filter(|_| given.keeps(&[RESOURCES])).and_then(|controller| controller.asks);
    installed.unwrap_or_else(|| {
        let resources = given.at(RESOURCES);
        // Who only limits asks for the limit.
        let of = |what: &str| [&resources["requests"][what], &resources["limits"][what]].into_iter().find(|v| !v.is_null()).map(plain);
        PodRequests { cpu: of("cpu").map_or(0, |cpu| milli_cpu(&cpu)), memory: of("memory").map_or(0, |memory| units(&memory)) }
    })
}

/// The command that gives a node group more nodes than there are. The most that it may have are raised only where they are fewer.
fn grown(spec: &Spec, facts: &Facts, group: &str, (now, more): (u64, u64)) -> Vec<String> {
    let groups = facts.node_groups.known().into_iter().flatten();
    let scaling = groups.filter(|found| found.name == group).find_map(|found| found.scaling);
    // Those that have not joined yet are no reason to want fewer.
    let count = scaling.map_or(now, |scaling| now.max(scaling.desired.into())).saturating_add(more);
    let most = scaling.filter(|scaling| u64::from(scaling.max) < count).map_or_else(String::new, |_| format!(",maxSize={count}"));
    let of_group = ["--cluster-name", spec.cluster_name.as_str(), "--nodegroup-name", group, "--scaling-config"];
    let words = aws(spec, "eks", "update-nodegroup-config").into_iter().chain(of_group).map(str::to_owned);
    words.chain([format!("desiredSize={count}{most}")]).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

struct Lack {
    placement: Placement,
    given: GivenValues,
    found: String,
    /// Whether every rule was judged.
    certain: bool,
    placed: u64,
    wanted: u64,
}

fn lacking((spec, facts): (&Spec, &Facts), subject: String, nodes: &[NodeFacts], lack: &Lack) -> Judgement {
    let (placement, placed) = (&lack.placement, lack.placed);
    let obstacles: Vec<String> = nodes.iter().filter_map(|n| Some(format!("{} {}", n.name, placement.obstacle(n)?))).collect();
    let mut reasons = first(&obstacles, NAMED);
    let fitting = nodes.len() - obstacles.len();
    if fitting > 0 {
        reasons.extend(placement.among(u64::try_from(fitting).is_ok_and(|n| n > placed)));
    }
    if nodes.is_empty() {
        reasons.push("it has no nodes".into());
    }
    if reasons.is_empty() {
        reasons.push("the nodes have room for no more".into());
    }
    let message = lack.given.because(format!("{}: {}", lack.found, reasons.join("; ")), &DECIDE);
    // Which pods a profile takes is not written in the cluster.
    let may_be_taken = facts.fargate_selectors.known().is_none();
    let judgement = if may_be_taken && nodes.iter().any(|n| n.origin == NodeOrigin::Fargate) {
        Judgement::warn(subject, format!("{message} (unless a Fargate profile takes them)"))
    } else if lack.certain {
        Judgement::fail(subject, message)
    } else {
        Judgement::warn(subject, message)
    };
    cures((spec, facts), judgement.heals(), nodes, lack)
}

fn cures((spec, facts): (&Spec, &Facts), mut judgement: Judgement, nodes: &[NodeFacts], lack: &Lack) -> Judgement {
    let takes = |node: &&NodeFacts| lack.placement.refusal(node).is_none();
    for node in nodes.iter().filter(|n| n.cordoned).filter(takes).take(NAMED) {
        judgement = judgement.run(format!("let pods onto {} again", node.name), ["kubectl", "uncordon", &node.name]);
    }
    // More nodes of a kind that the controller may not run on would be no help.
    if let Some(group) = nodes.iter().filter(takes).find_map(|n| n.node_group.as_deref()) {
        let now = nodes.iter().filter(|n| n.node_group.as_deref() == Some(group)).count() as u64;
        let more = lack.wanted.saturating_sub(lack.placed);
        judgement = judgement.run("give the node group more nodes", grown(spec, facts, group, (now, more)));
    } else {
        judgement = judgement.fix("give the cluster more or larger nodes that Karpenter did not make");
    }
    if nodes.iter().any(|node| node.origin == NodeOrigin::Other && node.linux && lack.placement.refusal(node).is_some()) {
        judgement = judgement
            .fix(format!("or let the controller onto those that are there: `tolerations`, `nodeSelector` or `affinity` {IN_SPEC_FILE}"));
    }
    if lack.given.changes(&DECIDE) {
        judgement = judgement.fix(KEEP);
    }
    if lack.placed > 0 {
        judgement = judgement.fix(format!("or run only what finds room: `replicas: {}` {IN_SPEC_FILE}", lack.placed));
    }
    judgement
}
