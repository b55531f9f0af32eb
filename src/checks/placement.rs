//! Where the scheduler can put the controller's replicas, by the values of its chart. Pure, and of hard rules only.

use super::given_values::at;
use crate::facts::{NodeFacts, NodeOrigin, PodRequests, Taint};
use crate::knowledge::{HOST_LABEL as HOST, OS_LABEL as OS, ZONE_LABEL as ZONE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Nobody runs more controllers than these.
const MOST: u64 = 64;
/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The rules by which the controller finds a node.
pub(super) struct Placement {
    /// What each replica asks for.
    asks: PodRequests,
    selector: BTreeMap<String, String>,
    /// One of these must hold, where there are any.
    terms: Option<Vec<Term>>,
    tolerations: Vec<Toleration>,
    apart: Vec<Apart>,
    spreads: Vec<Spread>,
    /// The rules that are not judged.
    unjudged: BTreeSet<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Toleration {
    key: String,
    operator: String,
    value: String,
    effect: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Term {
    match_expressions: Vec<Requirement>,
    match_fields: Vec<Requirement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

/// No two replicas are put where this label is the same.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Apart {
    topology_key: String,
    label_selector: Value,
}

/// Where this label differs, there are about as many replicas.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spread {
    max_skew: u64,
    topology_key: String,
    when_unsatisfiable: String,
    min_domains: Option<usize>,
    node_taints_policy: String,
    node_affinity_policy: String,
    label_selector: Value,
}

impl Placement {
    /// Reads the rules from the values of a chart, its own among them.
    pub(super) fn of(values: &Value, asks: PodRequests) -> Self {
        let mut unjudged = BTreeSet::new();
        let required = |kind: &str| at(values, &format!("affinity.{kind}.requiredDuringSchedulingIgnoredDuringExecution"));
        let terms: Option<Vec<Term>> = (!required("nodeAffinity").is_null())
            .then(|| parsed(&required("nodeAffinity")["nodeSelectorTerms"], "affinity", &mut unjudged));
        let tolerations: Vec<Toleration> = parsed(&values["tolerations"], "tolerations", &mut unjudged);
        let mut apart: Vec<Apart> = parsed(required("podAntiAffinity"), "affinity", &mut unjudged);
        let mut spreads: Vec<Spread> = parsed(&values["topologySpreadConstraints"], "topologySpreadConstraints", &mut unjudged);
        spreads.retain(|spread| spread.when_unsatisfiable != "ScheduleAnyway");
        let rules = apart.len() + spreads.len();
        // A rule without a selector of pods is made one about the controller's own by the chart.
        let own = |selector: &Value| is_own(selector, &values["podLabels"]);
        apart.retain(|rule| own(&rule.label_selector));
        spreads.retain(|rule| own(&rule.label_selector));
        if apart.len() + spreads.len() < rules || !required("podAffinity").is_null() {
            unjudged.insert("rules about other pods");
        }
        if terms.iter().flatten().flat_map(Term::all).any(|r| r.holds(None).is_none()) {
            unjudged.insert("affinity");
        }
        if tolerations.iter().any(|t| !matches!(t.operator.as_str(), "" | "Equal" | "Exists")) {
            unjudged.insert("tolerations");
        }
        let selector = parsed(&values["nodeSelector"], "nodeSelector", &mut unjudged);
        Self { asks, selector, terms, tolerations, apart, spreads, unjudged }
    }

    /// The rules that cannot be judged of these nodes.
    pub(super) fn unjudged(&self, nodes: &[NodeFacts]) -> Vec<&'static str> {
        let keys = self.apart.iter().map(|rule| &rule.topology_key).chain(self.spreads.iter().map(|rule| &rule.topology_key));
        let by_labels = self.terms.is_some() || keys.chain(self.selector.keys()).any(|key| ![HOST, ZONE, OS].contains(&key.as_str()));
        // A karpctl before them kept no labels.
        let without = by_labels && nodes.iter().any(|node| node.labels.is_empty());
        self.unjudged.iter().copied().chain(without.then_some("labels of nodes, which these facts do not have")).collect()
    }

    /// Why no node of its kind takes a controller, whatever else is on it.
    pub(super) fn refusal(&self, node: &NodeFacts) -> Option<String> {
        match node.origin {
            NodeOrigin::Karpenter => return Some("is Karpenter's own".into()),
            NodeOrigin::Fargate => return Some("is Fargate's".into()),
            NodeOrigin::Other if !node.linux => return Some("does not run Linux".into()),
            NodeOrigin::Other => {}
        }
        // What the cluster itself writes of a node's state goes again.
        if let Some(taint) = self.untolerated(node).find(|taint| !taint.key.starts_with("node.kubernetes.io/")) {
            return Some(has_taint(taint));
        }
        self.mismatch(node)
    }

    /// Why a controller cannot run on a node now; `None` where it can.
    pub(super) fn obstacle(&self, node: &NodeFacts) -> Option<String> {
        let cordoned = Taint { key: UNSCHEDULABLE.into(), value: String::new(), effect: "NoSchedule".into() };
        if node.origin == NodeOrigin::Other && node.linux {
            if node.cordoned && !self.tolerates(&cordoned) {
                return Some("is cordoned".into());
            }
            if !node.ready {
                return Some("is not ready".into());
            }
        }
        if let Some(refusal) = self.refusal(node) {
            return Some(refusal);
        }
        if let Some(taint) = self.untolerated(node).find(|taint| taint.key != UNSCHEDULABLE) {
            return Some(has_taint(taint));
        }
        if node.free_cpu < self.asks.cpu {
            return Some(format!("has {}m CPU left of {}m", node.free_cpu, self.asks.cpu));
        }
        if node.free_memory < self.asks.memory {
            return Some(format!("has {} MiB of memory left of {}", node.free_memory >> 20, self.asks.memory >> 20));
        }
        (node.free_pods < 1).then(|| "takes no pod more".into())
    }

    /// How many of so many replicas the scheduler places.
    pub(super) fn placed(&self, nodes: &[NodeFacts], wanted: u64) -> u64 {
        let room: Vec<u64> = nodes.iter().map(|node| self.slots(node)).collect();
        let mut here = vec![0_u64; nodes.len()];
        for done in 0..wanted.min(MOST) {
            let counts: Vec<_> = self.spreads.iter().map(|spread| self.counts(spread, nodes, &here)).collect();
            let fits = |at: usize| {
                here[at] < room[at]
                    && self.is_apart(nodes, &here, at)
                    && self.spreads.iter().zip(&counts).all(|(spread, counts)| spread.takes(counts, &nodes[at]))
            };
            let around = |at: usize| {
                let of = |(spread, counts): (&Spread, &BTreeMap<&str, u64>)| counts.get(label(&nodes[at], &spread.topology_key)?).copied();
                self.spreads.iter().zip(&counts).filter_map(of).sum::<u64>()
            };
            // Where the fewest are, and there where the most room is.
            match (0..nodes.len()).filter(|at| fits(*at)).min_by_key(|at| (around(*at), u64::MAX - (room[*at] - here[*at]))) {
                Some(at) => here[at] += 1,
                None => return done,
            }
        }
        wanted
    }

    /// The rules among the replicas, in words; those about more than one node only where nodes with room are left over.
    pub(super) fn among(&self, left_over: bool) -> Vec<String> {
        let named = |key: &str, zones: &str| if key == ZONE { zones.to_owned() } else { format!("the values of the label {key}") };
        let even = self
            .spreads
            .iter()
            .map(|rule| format!("{} must be even, and one with no room counts too", named(&rule.topology_key, "the zones")));
        let apart = self.apart.iter().map(|rule| match rule.topology_key.as_str() {
            HOST => "no two of them run on one node".to_owned(),
            ZONE => "no two of them run in one zone".to_owned(),
            key => format!("no two of them run where the label {key} is the same"),
        });
        even.filter(|_| left_over).chain(apart).collect()
    }

    /// How many controllers a node has room for.
    fn slots(&self, node: &NodeFacts) -> u64 {
        if self.obstacle(node).is_some() {
            return 0;
        }
        let times = |free: i64, each: i64| if each > 0 { free / each } else { node.free_pods };
        let by_room = times(node.free_cpu, self.asks.cpu).min(times(node.free_memory, self.asks.memory));
        u64::try_from(by_room.min(node.free_pods)).unwrap_or(0)
    }

    fn is_apart(&self, nodes: &[NodeFacts], here: &[u64], at: usize) -> bool {
        self.apart.iter().all(|rule| {
            let Some(place) = label(&nodes[at], &rule.topology_key) else { return true };
            !nodes.iter().zip(here).any(|(node, here)| *here > 0 && label(node, &rule.topology_key) == Some(place))
        })
    }

    /// The replicas in each place that counts. A node counts that the rules about labels take, whether a controller finds room there or
    /// not: so says the API of topology spread constraints.
    fn counts<'n>(&self, spread: &Spread, nodes: &'n [NodeFacts], here: &[u64]) -> BTreeMap<&'n str, u64> {
        let mut counts = BTreeMap::new();
        for (node, here) in nodes.iter().zip(here).filter(|(node, _)| node.origin != NodeOrigin::Karpenter && node.linux) {
            let refused = spread.node_affinity_policy != "Ignore" && self.mismatch(node).is_some();
            let tainted = spread.node_taints_policy == "Honor" && self.untolerated(node).next().is_some();
            let all = self.spreads.iter().all(|rule| label(node, &rule.topology_key).is_some());
            if let Some(place) = label(node, &spread.topology_key).filter(|_| all && !refused && !tainted) {
                *counts.entry(place).or_default() += here;
            }
        }
        counts
    }

    fn untolerated<'n>(&'n self, node: &'n NodeFacts) -> impl Iterator<Item = &'n Taint> {
        node.taints.iter().filter(|taint| taint.effect != "PreferNoSchedule" && !self.tolerates(taint))
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|by| {
            let key = by.key == taint.key || (by.key.is_empty() && by.operator == "Exists");
            let value = by.operator == "Exists" || by.value == taint.value;
            key && value && (by.effect.is_empty() || by.effect == taint.effect)
        })
    }

    /// Which label a node lacks.
    fn mismatch(&self, node: &NodeFacts) -> Option<String> {
        // Of facts without labels only the labels that everybody asks for are known.
        let known = |key: &str| !node.labels.is_empty() || [HOST, ZONE, OS].contains(&key);
        let lacks = |(key, value): &(&String, &String)| known(key) && label(node, key) != Some(value.as_str());
        if let Some((key, value)) = self.selector.iter().find(lacks) {
            return Some(format!("has no label {key}={value}"));
        }
        if node.labels.is_empty() {
            return None;
        }
        let holds = |term: &Term| !(term.match_expressions.is_empty() && term.match_fields.is_empty()) && term.holds(node);
        let refused = self.terms.as_ref().is_some_and(|terms| !terms.iter().any(holds));
        refused.then(|| "is none that the node affinity takes".into())
    }
}

impl Term {
    fn all(&self) -> impl Iterator<Item = &Requirement> {
        self.match_expressions.iter().chain(&self.match_fields)
    }

    /// What is not judged is taken to hold.
    fn holds(&self, node: &NodeFacts) -> bool {
        let field = |key: &str| (key == "metadata.name").then_some(node.name.as_str());
        self.match_expressions.iter().all(|r| r.holds(label(node, &r.key)).unwrap_or(true))
            && self.match_fields.iter().all(|r| r.holds(field(&r.key)).unwrap_or(true))
    }
}

impl Requirement {
    /// Whether it holds of a label's value; `None` where the operator is none that is known.
    fn holds(&self, value: Option<&str>) -> Option<bool> {
        let among = value.is_some_and(|value| self.values.iter().any(|of| of == value));
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let (here, bound) = (number(value), number(self.values.first().map(String::as_str)));
        Some(match self.operator.as_str() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => here.zip(bound).is_some_and(|(here, bound)| here > bound),
            "Lt" => here.zip(bound).is_some_and(|(here, bound)| here < bound),
            _ => return None,
        })
    }
}

impl Spread {
    /// Whether one more may be put on a node.
    fn takes(&self, counts: &BTreeMap<&str, u64>, node: &NodeFacts) -> bool {
        let few = self.min_domains.is_some_and(|least| counts.len() < least);
        let fewest = if few { 0 } else { counts.values().copied().min().unwrap_or(0) };
        label(node, &self.topology_key).and_then(|place| counts.get(place)).is_some_and(|here| here + 1 - fewest <= self.max_skew)
    }
}

/// A label of a node; the three that everybody asks for are also known without labels.
fn label<'n>(node: &'n NodeFacts, key: &str) -> Option<&'n str> {
    node.labels.get(key).map(String::as_str).or_else(|| match key {
        HOST => Some(node.name.as_str()),
        ZONE => node.zone.as_deref(),
        OS => node.linux.then_some("linux"),
        _ => None,
    })
}

fn has_taint(taint: &Taint) -> String {
    let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
    format!("has the taint {}{value}:{}", taint.key, taint.effect)
}

/// Whether a rule is about the controller's own pods.
fn is_own(selector: &Value, more: &Value) -> bool {
    let own = |(key, value): (&String, &Value)| match key.as_str() {
        "app.kubernetes.io/name" | "app.kubernetes.io/instance" => value == "karpenter",
        key => *value == more[key],
    };
    selector["matchExpressions"].as_array().is_none_or(Vec::is_empty) && selector["matchLabels"].as_object().into_iter().flatten().all(own)
}

/// A part of the values; one that is empty says nothing, one that says it otherwise than the API is not judged.
fn parsed<T: DeserializeOwned + Default>(value: &Value, name: &'static str, unjudged: &mut BTreeSet<&'static str>) -> T {
    let nothing = match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if nothing {
        return T::default();
    }
    T::deserialize(value).unwrap_or_else(|_| {
        unjudged.insert(name);
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, zone: &str) -> NodeFacts {
        NodeFacts {
            name: name.into(),
            origin: NodeOrigin::Other,
            node_group: None,
            zone: Some(zone.into()),
            labels: [(HOST, name), (ZONE, zone), (OS, "linux"), ("cores", "4")].map(|(key, value)| (key.into(), value.into())).into(),
            linux: true,
            ready: true,
            cordoned: false,
            taints: Vec::new(),
            free_cpu: 4000,
            free_memory: 8 << 30,
            free_pods: 20,
            dns_pods: 0,
            pod_address: None,
            deleting: None,
        }
    }

    fn by(values: &Value) -> Placement {
        Placement::of(values, PodRequests { cpu: 1000, memory: 1 << 30 })
    }

    fn tainted(value: &str, effect: &str) -> NodeFacts {
        let taint = Taint { key: "dedicated".into(), value: value.into(), effect: effect.into() };
        NodeFacts { taints: vec![taint], ..node("a", "z1") }
    }

    #[test]
    fn a_toleration_takes_what_the_api_says() {
        let takes = |toleration: Value, node: &NodeFacts| by(&json!({"tolerations": [toleration]})).obstacle(node).is_none();
        let infra = tainted("infra", "NoSchedule");
        assert!(takes(json!({"operator": "Exists"}), &infra) && takes(json!({"key": "dedicated", "operator": "Exists"}), &infra));
        assert!(takes(json!({"key": "dedicated", "value": "infra"}), &infra));
        assert!(takes(json!({"key": "dedicated", "operator": "Equal", "value": "infra", "effect": "NoSchedule"}), &infra));
        assert!(!takes(json!({"key": "dedicated", "value": "gpu"}), &infra));
        assert!(!takes(json!({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}), &infra));
        assert!(!takes(json!({"key": "other", "operator": "Exists"}), &infra));
        assert!(takes(json!({"key": "other"}), &tainted("infra", "PreferNoSchedule")));
        assert_eq!(by(&json!({})).obstacle(&infra).unwrap(), "has the taint dedicated=infra:NoSchedule");
        let cordoned = NodeFacts { cordoned: true, ..node("a", "z1") };
        assert!(takes(json!({"operator": "Exists"}), &cordoned) && !takes(json!({"key": "dedicated"}), &cordoned));
    }

    #[test]
    fn labels_are_chosen_by_selector_and_affinity() {
        let affinity = |terms: Value| {
            let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
            by(&json!({"affinity": {"nodeAffinity": required}}))
        };
        let one = |key: &str, operator: &str, values: Value| {
            affinity(json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]))
        };
        let takes = |placement: &Placement| placement.obstacle(&node("a", "z1")).is_none();
        assert!(takes(&one(ZONE, "In", json!(["z1", "z2"]))) && !takes(&one(ZONE, "In", json!(["z2"]))));
        assert!(takes(&one(ZONE, "NotIn", json!(["z2"]))) && takes(&one("none", "NotIn", json!(["z2"]))));
        assert!(takes(&one("cores", "Exists", json!([]))) && !takes(&one("none", "Exists", json!([]))));
        assert!(takes(&one("none", "DoesNotExist", json!([]))) && !takes(&one("cores", "DoesNotExist", json!([]))));
        assert!(takes(&one("cores", "Gt", json!(["3"]))) && !takes(&one("cores", "Gt", json!(["4"]))));
        assert!(takes(&one("cores", "Lt", json!(["5"]))) && !takes(&one("none", "Lt", json!(["5"]))));
        let named = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        assert!(takes(&affinity(json!([named("b"), named("a")]))) && !takes(&affinity(json!([named("b")]))));
        assert!(!takes(&affinity(json!([{}]))), "an empty term takes nothing");
        assert!(one(ZONE, "In", json!(["z1"])).unjudged.is_empty());
        for odd in [one(ZONE, "Like", json!(["z1"])), affinity(json!("all"))] {
            assert_eq!(odd.unjudged(&[]), ["affinity"]);
        }
        let selector = by(&json!({"nodeSelector": {OS: "linux", "role": "infra"}}));
        assert_eq!(selector.obstacle(&node("a", "z1")).unwrap(), "has no label role=infra");
        let without = NodeFacts { labels: BTreeMap::new(), ..node("a", "z1") };
        assert_eq!(selector.obstacle(&without), None);
        assert_eq!(selector.unjudged(&[without]), ["labels of nodes, which these facts do not have"]);
    }

    #[test]
    fn replicas_are_spread_and_kept_apart() {
        let full = |name: &str, zone: &str| NodeFacts { free_cpu: 10, ..node(name, zone) };
        let spread = |more: Value| {
            let mut rule = json!({"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            by(&json!({"topologySpreadConstraints": [rule]}))
        };
        let uneven = [node("a", "z1"), full("b", "z2")];
        assert_eq!(spread(json!({})).placed(&uneven, 2), 1);
        assert_eq!(spread(json!({"whenUnsatisfiable": "ScheduleAnyway"})).placed(&uneven, 2), 2);
        assert_eq!(spread(json!({"maxSkew": 2})).placed(&uneven, 3), 2);
        assert_eq!(spread(json!({"minDomains": 3})).placed(&[node("a", "z1"), node("b", "z2")], 3), 2);
        let honours =
            [node("a", "z1"), NodeFacts { zone: Some("z2".into()), labels: node("b", "z2").labels, ..tainted("x", "NoSchedule") }];
        assert_eq!([spread(json!({})).placed(&honours, 2), spread(json!({"nodeTaintsPolicy": "Honor"})).placed(&honours, 2)], [1, 2]);
        assert_eq!(spread(json!({"labelSelector": {"matchLabels": {"app": "web"}}})).unjudged(&[]), ["rules about other pods"]);
        let own = json!({"labelSelector": {"matchLabels": {"app.kubernetes.io/name": "karpenter"}}});
        assert_eq!(spread(own).placed(&uneven, 2), 1);
        // A zone that the selector leaves out is none that must be even with the others.
        let mut chosen = [node("a", "z1"), node("a2", "z1"), full("b", "z2")];
        chosen[..2].iter_mut().for_each(|node| drop(node.labels.insert("role".into(), "infra".into())));
        let rule = json!([{"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}]);
        assert_eq!(by(&json!({"topologySpreadConstraints": rule, "nodeSelector": {"role": "infra"}})).placed(&chosen, 2), 2);

        let apart = |key: &str| {
            by(&json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": key}]}}}))
        };
        let nodes = [node("a", "z1"), node("b", "z1"), node("c", "z2")];
        assert_eq!([by(&json!({})), apart(HOST), apart(ZONE)].map(|of| of.placed(&nodes, 9)), [9, 3, 2]);
        assert_eq!(by(&json!({})).placed(&nodes, u64::MAX), 12, "as many as there is room for");
    }
}
