//! What a migration looks at: node groups, and the Cluster Autoscalers, nodes, pods and node pools of the cluster.

use super::autoscaler::autoscalers;
use super::inside::{is_ready, items, selects, text};
use super::jobs::made_once;
use super::kinds::{Kinds, nodes as node_kind};
use super::volumes::{of_pod, volumes};
use super::{ProbeContext, failed};
use crate::error::{ErrorKind, Result};
use crate::facts::{
    Facts, Fleet, FleetNode, FleetPod, LabelWish, Leaving, NodeGroupShape, NodeLabels, NodeOwner, PodBudget, PodEnd, PodMaker, PodOwner,
    Probed, RolePolicies,
};
use crate::knowledge::{COMPUTE_TYPE_LABEL, NODE_GROUP_LABEL, NODE_POOL_LABEL, PROVISIONER_LABEL, STAY_ANNOTATIONS, ZONE_LABEL};
use crate::ports::{Kube, ObjectKind};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// On the Deployment of a Cluster Autoscaler: its replicas before a migration stopped it.
pub(crate) const REPLICAS_BEFORE: &str = "karpctl.dev/replicas-before";
/// On a node: since when a migration empties it.
pub(crate) const LEAVING: &str = "karpctl.dev/leaving";
/// On a node that a migration empties: somebody else had cordoned it before.
pub(crate) const CORDONED_BEFORE: &str = "karpctl.dev/cordoned-before";
/// On a node that a migration empties: how many pods were ready before of each maker that had one there, in JSON.
pub(crate) const READY_BEFORE: &str = "karpctl.dev/ready-before";

/// By what a node asks the autoscaler not to take it away.
const SCALE_DOWN_DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
/// The label by which eksctl names the node group of a node.
const EKSCTL_GROUP_LABEL: &str = "alpha.eksctl.io/nodegroup-name";
/// Labels of nodes that somebody else makes one by one: Karpenter of any API, Fargate, EKS Auto Mode.
const OTHERS: [&str; 3] = [NODE_POOL_LABEL, PROVISIONER_LABEL, COMPUTE_TYPE_LABEL];

pub(super) async fn node_group_shapes(context: &ProbeContext<'_>) -> Probed<Vec<NodeGroupShape>> {
    Probed::of(context.ports.aws.node_group_shapes(context.spec.cluster_name.as_str()).await.map(Some))
}

/// The policies of the roles of these groups' nodes, and of the role that Karpenter's get; one that may not be read hides no other.
pub(super) async fn node_group_roles(context: &ProbeContext<'_>, facts: &Facts) -> Probed<BTreeMap<String, Probed<RolePolicies>>> {
    let own = context.spec.node_role_name();
    let of_shapes = facts.node_group_shapes.known().into_iter().flatten().map(|g| g.node_role.as_str());
    let of_groups = facts.node_groups.known().into_iter().flatten().map(|g| g.node_role.as_str());
    let names: BTreeSet<&str> = of_shapes.chain(of_groups).filter(|name| !name.is_empty()).chain([own.as_str()]).collect();
    let read = names.into_iter().map(async |name| (name.to_owned(), Probed::of(context.ports.aws.role_policies(name).await)));
    Probed::Known(join_all(read).await.into_iter().collect())
}

pub(super) async fn fleet(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<Box<Fleet>> {
    read(&Kinds::of(context.spec), kube).await.map_or_else(|e| failed(&e), |fleet| Probed::Known(Box::new(fleet)))
}

async fn read(kinds: &Kinds, kube: &dyn Kube) -> Result<Fleet> {
    let (deployment, node, pod) = (ObjectKind::new("apps/v1", "deployments"), node_kind(), ObjectKind::new("v1", "pods"));
    let (daemons, crons) = (ObjectKind::new("apps/v1", "daemonsets"), ObjectKind::new("batch/v1", "cronjobs"));
    let (sets, budgets) = (ObjectKind::new("apps/v1", "statefulsets"), ObjectKind::new("policy/v1", "poddisruptionbudgets"));
    let (deployments, nodes, pods, pools, classes, daemons, crons, sets, budgets) = tokio::join!(
        kube.list(&deployment, None, None),
        kube.list(&node, None, None),
        kube.list(&pod, None, None),
        kube.list(&kinds.pool, None, None),
        kube.list(&kinds.class, None, None),
        kube.list(&daemons, None, None),
        kube.list(&crons, None, None),
        kube.list(&sets, None, None),
        kube.list(&budgets, None, None),
    );
    let budgets = budgets?;
    let pods = pods?;
    let volumes = volumes(&pods, kube).await?;
    let pod = |pod: &Value| Some(FleetPod { budgets: budgets_of(pod, &budgets), volumes: of_pod(pod, &volumes), ..pod_of(pod)? });
    let mut pods: Vec<FleetPod> = pods.iter().filter_map(pod).collect();
    let once = made_once(&pods, kube).await?;
    for pod in pods.iter_mut().filter(|pod| pod.maker.as_ref().is_some_and(|maker| once.contains(maker))) {
        pod.end = PodEnd::OnlyTry;
    }
    let deployments = deployments?;
    let makers = [("DaemonSet", daemons?), ("CronJob", crons?), ("StatefulSet", sets?)];
    let made = makers.iter().flat_map(|(kind, objects)| workloads(kind, objects)).chain(workloads("Deployment", &deployments));
    Ok(Fleet {
        autoscalers: autoscalers(&deployments, kube).await?,
        workloads: made.collect(),
        nodes: nodes?.iter().map(node_of).collect(),
        pods,
        pools: pools?,
        classes: classes?,
    })
}

fn named(object: &Value, field: &str) -> String {
    text(object["metadata"][field].as_str().unwrap_or_default())
}

fn node_of(node: &Value) -> FleetNode {
    let (labels, annotations) = (&node["metadata"]["labels"], &node["metadata"]["annotations"]);
    let label = |key: &str| labels[key].as_str().map(text);
    let owner = match label(NODE_GROUP_LABEL) {
        Some(group) => NodeOwner::Group(group),
        None if OTHERS.iter().any(|key| !labels[*key].is_null()) => NodeOwner::Other,
        None => NodeOwner::SelfManaged(label(EKSCTL_GROUP_LABEL)),
    };
    FleetNode {
        name: named(node, "name"),
        owner,
        zone: label(ZONE_LABEL),
        created: named(node, "creationTimestamp"),
        labels: labels.as_object().into_iter().flatten().filter_map(|(key, value)| Some((text(key), text(value.as_str()?)))).collect(),
        taints: items(&node["spec"]["taints"]).iter().filter_map(|taint| taint["key"].as_str().map(text)).collect(),
        ready: is_ready(node),
        cordoned: node["spec"]["unschedulable"] == true,
        stays: annotations[SCALE_DOWN_DISABLED] == "true",
        leaving: (!annotations[LEAVING].is_null()).then(|| Leaving {
            since: annotations[LEAVING].as_str().filter(|at| at.starts_with(|c: char| c.is_ascii_digit())).map(text).unwrap_or_default(),
            cordoned_before: !annotations[CORDONED_BEFORE].is_null(),
            owed: annotations[READY_BEFORE].as_str().and_then(|owed| serde_json::from_str(owed).ok()),
        }),
    }
}

/// `None`: it has ended, and nothing is moved with it.
fn pod_of(pod: &Value) -> Option<FleetPod> {
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    if matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let controller = items(&metadata["ownerReferences"]).iter().find(|owner| owner["controller"] == true);
    // The kubelet's own pods are shown by the API server, but are not its to move.
    let owner = match controller.and_then(|o| o["kind"].as_str()) {
        _ if !metadata["annotations"]["kubernetes.io/config.mirror"].is_null() => PodOwner::EveryNode,
        Some("DaemonSet" | "Node") => PodOwner::EveryNode,
        Some(_) => PodOwner::Controller,
        None => PodOwner::Nobody,
    };
    let unscheduled = items(&status["conditions"]).iter().find(|c| c["type"] == "PodScheduled" && c["status"] == "False");
    let maker = controller.and_then(|o| Some(format!("{}/{}/{}", named(pod, "namespace"), o["kind"].as_str()?, o["name"].as_str()?)));
    Some(FleetPod {
        namespace: named(pod, "namespace"),
        name: named(pod, "name"),
        uid: named(pod, "uid"),
        created: named(pod, "creationTimestamp"),
        node: spec["nodeName"].as_str().filter(|n| !n.is_empty()).map(text),
        owner,
        maker: maker.as_deref().map(text),
        ready: is_ready(pod),
        end: match spec["restartPolicy"].as_str() {
            Some("Never" | "OnFailure") => PodEnd::ByItself,
            _ => PodEnd::Never,
        },
        leaving: !metadata["deletionTimestamp"].is_null(),
        keeps_place: keeps_place(&metadata["annotations"]),
        budgets: Vec::new(),
        volumes: Vec::new(),
        asks: asks(spec),
        local_data: items(&spec["volumes"]).iter().any(|v| !v["emptyDir"].is_null()),
        waits_for: unscheduled.map(|c| said(c, "it has no node")).or_else(|| unstarted(status)),
    })
}

/// The words of a condition, or of a container's state.
fn said(of: &Value, otherwise: &str) -> String {
    text(of["message"].as_str().or(of["reason"].as_str()).unwrap_or(otherwise))
}

/// Why a container does not start.
fn unstarted(status: &Value) -> Option<String> {
    let containers = items(&status["initContainerStatuses"]).iter().chain(items(&status["containerStatuses"]));
    let mut waiting = containers.map(|c| &c["state"]["waiting"]).filter(|state| !state.is_null());
    waiting.next().map(|state| said(state, "a container does not start"))
}

/// The disruption budgets that select a pod.
fn budgets_of(pod: &Value, budgets: &[Value]) -> Vec<PodBudget> {
    let (namespace, labels) = (&pod["metadata"]["namespace"], &pod["metadata"]["labels"]);
    let selects = |budget: &&Value| {
        let selector = &budget["spec"]["selector"];
        budget["metadata"]["namespace"] == *namespace && selector.is_object() && selects(selector, labels)
    };
    let of = |budget: &Value| {
        let status = |field: &str| budget["status"][field].as_u64().unwrap_or_default();
        let closed = status("expectedPods") > 0 && status("disruptionsAllowed") == 0 && status("desiredHealthy") >= status("expectedPods");
        PodBudget { name: named(budget, "name"), closed }
    };
    budgets.iter().filter(selects).map(of).collect()
}

/// By what a pod asks the autoscaler not to move it.
const UNSAFE_TO_EVICT: (&str, &str) = ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false");

/// The annotation by which a pod asks the autoscaler or Karpenter not to move it.
fn keeps_place(annotations: &Value) -> Option<String> {
    let of_karpenter = STAY_ANNOTATIONS.map(|key| (key, "true"));
    std::iter::once(UNSAFE_TO_EVICT)
        .chain(of_karpenter)
        .find(|(key, value)| annotations[*key] == *value)
        .map(|(key, value)| format!("{key}: \"{value}\""))
}

/// The labels that a pod asks its node for.
fn asks(spec: &Value) -> NodeLabels {
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    let selector = selector.map(|(key, value)| LabelWish { key: text(key), values: value.as_str().map(text).into_iter().collect() });
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    NodeLabels { selector: selector.collect(), terms: terms(&required["nodeSelectorTerms"]) }
}

/// All objects of a kind; none for who may not look at them.
pub(super) async fn seen(kube: &dyn Kube, kind: &ObjectKind) -> Result<Vec<Value>> {
    match kube.list(kind, None, None).await {
        Err(e) if e.kind == ErrorKind::Denied => Ok(Vec::new()),
        found => found,
    }
}

/// The labels that each of these terms asks a node for, by `In` and `Exists`.
pub(super) fn terms(terms: &Value) -> Vec<Vec<LabelWish>> {
    let wish = |e: &Value| LabelWish {
        key: text(e["key"].as_str().unwrap_or_default()),
        values: items(&e["values"]).iter().filter_map(|value| value.as_str().map(text)).collect(),
    };
    let term = |term: &Value| {
        let asked = items(&term["matchExpressions"]).iter().chain(items(&term["matchFields"]));
        asked.filter(|e| matches!(e["operator"].as_str(), Some("In" | "Exists"))).map(wish).collect()
    };
    items(terms).iter().map(term).collect()
}

/// What makes pods of such a kind, where these ask for labels of nodes, or to stay.
fn workloads(kind: &str, objects: &[Value]) -> Vec<PodMaker> {
    let of = |object: &Value| {
        let spec = &object["spec"];
        let template = if kind == "CronJob" { &spec["jobTemplate"]["spec"]["template"] } else { &spec["template"] };
        let scaled = matches!(kind, "Deployment" | "StatefulSet");
        let idle = !scaled || spec["replicas"] == 0;
        let asks = if idle { asks(&template["spec"]) } else { NodeLabels::default() };
        let annotations = &template["metadata"]["annotations"];
        let stays = annotations[UNSAFE_TO_EVICT.0] == UNSAFE_TO_EVICT.1 && STAY_ANNOTATIONS.iter().all(|key| annotations[*key] != "true");
        (stays || asks != NodeLabels::default()).then(|| PodMaker {
            kind: kind.to_owned(),
            namespace: named(object, "namespace"),
            name: named(object, "name"),
            asks,
            stays,
        })
    };
    objects.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_says_who_makes_it_anew_and_what_holds_it() {
        let pod =
            |metadata: Value, spec: Value| pod_of(&json!({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})).unwrap();
        let owned = |kind: &str| json!({"ownerReferences": [{"kind": kind, "controller": true}]});
        assert_eq!(pod(owned("ReplicaSet"), json!({})).owner, PodOwner::Controller);
        assert_eq!(pod(owned("DaemonSet"), json!({})).owner, PodOwner::EveryNode);
        assert_eq!(pod(json!({"annotations": {"kubernetes.io/config.mirror": "1"}}), json!({})).owner, PodOwner::EveryNode);
        assert_eq!(pod(json!({"ownerReferences": [{"kind": "Thing"}]}), json!({})).owner, PodOwner::Nobody);
        assert_eq!(pod_of(&json!({"metadata": {}, "status": {"phase": "Succeeded"}})), None);
        let asked = json!({"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}});
        assert_eq!(pod(asked, json!({})).keeps_place.unwrap(), "cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\"");
        let fine = json!({"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}});
        assert_eq!(pod(fine, json!({"volumes": [{"emptyDir": {}}]})).keeps_place, None);
        assert!(pod(json!({}), json!({"volumes": [{"emptyDir": {}}]})).local_data);
    }

    #[test]
    fn what_a_pod_asks_its_node_for_is_in_its_selector_and_its_required_affinity() {
        let wish = |key: &str, values: &[&str]| LabelWish { key: key.into(), values: values.iter().map(|v| (*v).into()).collect() };
        let term = |operator: &str| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": ["a", "b"]}]});
        let terms = json!([term("In"), term("NotIn")]);
        let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
        let found = asks(&json!({"nodeSelector": {"disk": "ssd"}, "affinity": affinity}));
        assert_eq!(found, NodeLabels { selector: vec![wish("disk", &["ssd"])], terms: vec![vec![wish("team", &["a", "b"])], vec![]] });
        assert_eq!(asks(&json!({})), NodeLabels::default());
    }

    #[test]
    fn what_makes_pods_later_is_looked_at_by_its_template() {
        let template = json!({"spec": {"nodeSelector": {"disk": "ssd"}}});
        let object = |spec: Value| vec![json!({"metadata": {"name": "a", "namespace": "b"}, "spec": spec})];
        for (kind, spec) in [
            ("DaemonSet", json!({"template": template})),
            ("CronJob", json!({"jobTemplate": {"spec": {"template": template}}})),
            ("Deployment", json!({"replicas": 0, "template": template})),
        ] {
            assert_eq!(workloads(kind, &object(spec))[0].asks.selector[0].key, "disk", "{kind}");
        }
        assert_eq!(workloads("Deployment", &object(json!({"replicas": 1, "template": template}))), [], "its pods are looked at");
        assert_eq!(workloads("DaemonSet", &object(json!({"template": {"spec": {}}}))), []);
    }
}
