//! What a cluster has of its own: nodes that nobody's Karpenter made, and a DNS.

use super::FakeWorld;
use karpctl::ports::{ObjectKind, ObjectRef};
use serde_json::{Value, json};

/// An object by its place.
pub(crate) fn place(api_version: &str, plural: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: namespace.map(str::to_owned), name: name.to_owned() }
}

/// A node of a node group with two CPUs.
pub(crate) fn node(name: &str, zone: &str) -> (ObjectRef, Value) {
    let labels = json!({
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "eks.amazonaws.com/nodegroup": "demo-ng",
    });
    let status = json!({
        "allocatable": {"cpu": "1930m", "memory": "7244Mi", "pods": "29"},
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    (place("v1", "nodes", None, name), json!({"metadata": {"labels": labels}, "spec": {}, "status": status}))
}

/// A pod that runs on a node and asks for so much CPU.
pub(crate) fn pod(namespace: &str, name: &str, node: &str, cpu: &str) -> (ObjectRef, Value) {
    let spec = json!({"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "70Mi"}}}]});
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    (place("v1", "pods", Some(namespace), name), json!({"metadata": {"labels": {"app": name}}, "spec": spec, "status": status}))
}

/// A Deployment that has all its pods.
pub(crate) fn deployment(namespace: &str, name: &str, image: &str) -> (ObjectRef, Value) {
    let spec = json!({"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}});
    let body = json!({"metadata": {"labels": {"app": name}}, "spec": spec, "status": {"readyReplicas": 2}});
    (place("apps/v1", "deployments", Some(namespace), name), body)
}

/// A `DaemonSet` whose pods are ready on both nodes.
pub(crate) fn daemon_set(namespace: &str, name: &str, image: &str) -> (ObjectRef, Value) {
    let spec = json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}});
    let body = json!({"metadata": {}, "spec": spec, "status": {"desiredNumberScheduled": 2, "numberReady": 2}});
    (place("apps/v1", "daemonsets", Some(namespace), name), body)
}

impl FakeWorld {
    /// Two nodes in two zones, and `CoreDNS` and the nodes' add-ons on both; pods of Windows would get addresses.
    pub(crate) fn furnish(&self) {
        let config_map = place("v1", "configmaps", Some("kube-system"), "amazon-vpc-cni");
        self.put(&config_map, json!({"data": {"enable-windows-ipam": "true"}}));
        let (object, mut dns) = deployment("kube-system", "coredns", "eks/coredns:v1");
        dns["metadata"]["labels"] = json!({"k8s-app": "kube-dns"});
        self.put(&object, dns);
        for (name, image) in [("aws-node", "amazon-k8s-cni:v1.20.4"), ("kube-proxy", "eks/kube-proxy:v1.34.1-minimal-eksbuild.2")] {
            let (object, body) = daemon_set("kube-system", name, image);
            self.put(&object, body);
        }
        for (name, zone) in [("node-a", "us-west-2a"), ("node-b", "us-west-2b")] {
            let (object, body) = node(name, zone);
            self.put(&object, body);
            let (object, mut body) = pod("kube-system", &format!("coredns-{name}"), name, "100m");
            body["metadata"]["labels"] = json!({"k8s-app": "kube-dns"});
            self.put(&object, body);
        }
    }

    /// Changes an object that is there, as somebody else would.
    #[track_caller]
    pub(crate) fn change(&self, object: &ObjectRef, change: impl FnOnce(&mut Value)) {
        let mut body = self.object(object).expect("it is there");
        change(&mut body);
        self.put(object, body);
    }
}
