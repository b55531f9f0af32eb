//! Node groups with nodes and pods: EKS makes and ends their nodes, a controller makes evicted pods anew, and Karpenter finds them a node.

use super::FakeWorld;
use karpctl::facts::{DiskFacts, GroupTaint, InstanceTypeFacts, NodeGroupShape, Scaling};
use karpctl::ports::{Eviction, ObjectKind, ObjectRef};
use serde_json::{Value, json};

/// A place of a node, a pod or a Deployment.
pub(crate) fn at(api_version: &str, plural: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}

/// A node group as EKS makes them: healthy, on-demand, Amazon Linux 2023.
pub(crate) fn group(name: &str, scaling: &str) -> NodeGroupShape {
    let m5 = InstanceTypeFacts { name: "m5.large".into(), vcpus: 2, memory_mib: 8192, architectures: vec!["x86_64".into()] };
    NodeGroupShape {
        name: name.into(),
        arn: format!("arn:aws:eks:us-west-2:111122223333:nodegroup/demo/{name}/1"),
        status: "ACTIVE".into(),
        issues: Vec::new(),
        instance_types: vec![m5],
        ami_type: "AL2023_x86_64_STANDARD".into(),
        release_version: None,
        kubernetes: None,
        capacity_type: "ON_DEMAND".into(),
        labels: [("team".to_owned(), name.to_owned())].into(),
        taints: Vec::<GroupTaint>::new(),
        scaling: scaling.parse().unwrap(),
        subnets: vec!["subnet-0a1b2c3d".into()],
        zones: vec!["us-west-2a".into()],
        disk_gib: None,
        disk: DiskFacts::default(),
        security_groups: Vec::new(),
        node_role: "group-role".into(),
        hop_limit: None,
        launch_template: None,
        scaling_groups: vec![format!("eks-{name}")],
        tags: std::collections::BTreeMap::new(),
    }
}

impl FakeWorld {
    /// Adds a node group with its nodes `<group>-1`, `<group>-2`, ….
    pub(crate) fn add_group(&self, group: NodeGroupShape) {
        let (name, scaling) = (group.name.clone(), group.scaling);
        self.inside().node_groups.push(group);
        self.scaled(&name, scaling);
    }

    /// The names of a group's nodes, oldest first.
    pub(crate) fn nodes_of(&self, group: &str) -> Vec<String> {
        let inside = self.inside();
        let mut nodes: Vec<(String, String)> = inside
            .objects
            .iter()
            .filter(|(o, body)| o.kind.plural == "nodes" && body["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] == group)
            .map(|(o, body)| (body["metadata"]["creationTimestamp"].as_str().unwrap().to_owned(), o.name.clone()))
            .collect();
        nodes.sort();
        nodes.into_iter().map(|(_, name)| name).collect()
    }

    /// Somebody else sets a group's size.
    pub(crate) fn set_size(&self, group: &str, scaling: Scaling) {
        self.scaled(group, scaling);
    }

    /// EKS at work: the oldest nodes end, new ones come, where there is room for them.
    pub(super) fn scaled(&self, group: &str, scaling: Scaling) {
        for found in self.inside().node_groups.iter_mut().filter(|g| g.name == group) {
            found.scaling = scaling;
        }
        let nodes = self.nodes_of(group);
        let wanted = usize::try_from(scaling.desired).unwrap();
        for name in nodes.iter().take(nodes.len().saturating_sub(wanted)) {
            let mut inside = self.inside();
            inside.objects.remove(&at("v1", "nodes", None, name));
            let lost = inside.objects.iter().any(|(o, body)| o.kind.plural == "pods" && body["spec"]["nodeName"] == name.as_str());
            assert!(!lost, "node {name} was ended with pods on it");
        }
        let room = !self.inside().no_capacity.iter().any(|full| full == group);
        for _ in nodes.len()..if room { wanted } else { nodes.len() } {
            let number = self.inside().version + 1;
            let name = format!("{group}-{number}");
            let labels = json!({"eks.amazonaws.com/nodegroup": group, "topology.kubernetes.io/zone": "us-west-2a"});
            let metadata = json!({"labels": labels, "creationTimestamp": format!("2026-01-01T00:00:00.{number:06}Z")});
            let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
            let taints = self.inside().node_groups.iter().find(|g| g.name == group).map(|g| g.taints.clone()).unwrap_or_default();
            let taints: Vec<Value> = taints.iter().map(|t| json!({"key": t.key, "value": t.value, "effect": "NoSchedule"})).collect();
            self.put(&at("v1", "nodes", None, &name), json!({"metadata": metadata, "spec": {"taints": taints}, "status": ready}));
        }
    }

    /// Puts a pod of a controller onto a node, which wants one more by that.
    pub(crate) fn add_pod(&self, name: &str, node: &str) {
        let owner = json!([{"kind": "ReplicaSet", "name": "web", "controller": true}]);
        let metadata = json!({"ownerReferences": owner, "uid": format!("uid-{name}")});
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        self.put(&at("v1", "pods", Some("shop"), name), json!({"metadata": metadata, "spec": {"nodeName": node}, "status": status}));
        let maker = at("apps/v1", "replicasets", Some("shop"), "web");
        let replicas = self.object(&maker).and_then(|set| set["spec"]["replicas"].as_u64()).unwrap_or_default();
        self.put(&maker, json!({"metadata": {}, "spec": {"replicas": replicas + 1}}));
    }

    /// The eviction of a pod: refused while it is held; else its controller makes it anew, on a node of Karpenter's where one works.
    pub(super) fn evicted(&self, namespace: &str, name: &str, uid: &str) -> Eviction {
        let place = at("v1", "pods", Some(namespace), name);
        let Some(mut body) = self.object(&place) else { return Eviction::Gone };
        if body["metadata"]["uid"] != uid {
            return Eviction::Gone;
        }
        let mut inside = self.inside();
        if let Some(left) = inside.held.get_mut(&format!("{namespace}/{name}")).filter(|left| **left > 0) {
            *left -= 1;
            return Eviction::Refused("Cannot evict pod as it would violate the pod's disruption budget.".into());
        }
        inside.objects.remove(&place);
        let (works, breaks) = (inside.karpenter, inside.moved_pods_break);
        drop(inside);
        let anew = format!("{name}-anew");
        body["metadata"]["uid"] = json!(format!("uid-{anew}"));
        body["metadata"]["creationTimestamp"] = json!(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        body["spec"] = if works { json!({"nodeName": "karpenters-own"}) } else { json!({}) };
        if let Some(why) = breaks {
            let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": why}}});
            body["status"] = json!({"phase": "Pending", "containerStatuses": [waiting]});
        }
        if !works {
            body["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]});
        }
        self.put(&at("v1", "pods", Some(namespace), &anew), body);
        Eviction::Accepted
    }
}
