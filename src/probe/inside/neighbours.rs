//! What else works in the cluster: other Karpenters, other autoscalers, the DNS.

use super::nodes::requests;
use super::{items, text};
use crate::facts::{AgentPods, NeighbourKind, Neighbours, NodeAddon, NodeAddonKind, Probed, Workload};
use crate::ports::{Kube, ObjectKind};
use crate::probe::controller::declared;
use crate::probe::failed;
use crate::probe::release::{crd_ref, helm_owner};
use serde_json::Value;

/// The kind of node class that only EKS Auto Mode has.
const AUTO_MODE: &str = "nodeclasses.eks.amazonaws.com";

pub(crate) async fn neighbours(kube: &dyn Kube) -> Probed<Neighbours> {
    let (deployment, daemon_set) = (ObjectKind::new("apps/v1", "deployments"), ObjectKind::new("apps/v1", "daemonsets"));
    let auto_mode = crd_ref(AUTO_MODE);
    let (deployments, daemon_sets, auto_mode) =
        tokio::join!(kube.list(&deployment, None, None), kube.list(&daemon_set, None, None), kube.get(&auto_mode));
    match (deployments, daemon_sets, auto_mode) {
        (Ok(deployments), Ok(daemon_sets), Ok(auto_mode)) => {
            let mut workloads: Vec<Workload> = deployments.iter().filter_map(of_deployment).collect();
            workloads.extend(daemon_sets.iter().filter_map(of_daemon_set));
            let policy_enforcer = daemon_sets.iter().find(|d| enforces_policies(d)).and_then(|d| d["metadata"]["name"].as_str()).map(text);
            let node_addons = Some(daemon_sets.iter().filter_map(node_addon).collect());
            Probed::Known(Neighbours { workloads, auto_mode_api: auto_mode.is_some(), policy_enforcer, node_addons })
        }
        (Err(e), ..) | (_, Err(e), _) | (.., Err(e)) => failed(&e),
    }
}

fn of_deployment(deployment: &Value) -> Option<Workload> {
    let desired = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    workload(deployment, "deployment", desired, deployment["status"]["readyReplicas"].as_u64())
}

fn of_daemon_set(daemon_set: &Value) -> Option<Workload> {
    let AgentPods { desired, ready } = daemon_pods(daemon_set);
    workload(daemon_set, "daemonset", desired, Some(ready))
}

/// The pods of a `DaemonSet`.
pub(crate) fn daemon_pods(daemon_set: &Value) -> AgentPods {
    let count = |name: &str| daemon_set["status"][name].as_u64().unwrap_or(0);
    AgentPods { desired: count("desiredNumberScheduled"), ready: count("numberReady") }
}

fn node_addon(daemon_set: &Value) -> Option<NodeAddon> {
    let metadata = &daemon_set["metadata"];
    let images = items(&daemon_set["spec"]["template"]["spec"]["containers"]).iter().filter_map(|c| c["image"].as_str());
    let kind = images.filter_map(repository_ends).find_map(|ends| match ends {
        (_, "amazon-k8s-cni") | (Some("calico"), "node") => Some(NodeAddonKind::Network),
        (_, "kube-proxy") => Some(NodeAddonKind::KubeProxy),
        (_, "cilium") => Some(NodeAddonKind::Cilium),
        _ => None,
    })?;
    let AgentPods { desired, ready } = daemon_pods(daemon_set);
    Some(NodeAddon { kind, namespace: text(metadata["namespace"].as_str()?), name: text(metadata["name"].as_str()?), desired, ready })
}

fn workload(object: &Value, resource: &str, desired: u64, ready: Option<u64>) -> Option<Workload> {
    let metadata = &object["metadata"];
    let (namespace, name) = (metadata["namespace"].as_str()?, metadata["name"].as_str()?);
    let pod = &object["spec"]["template"]["spec"];
    let images: Vec<&str> = items(&pod["containers"]).iter().filter_map(|c| c["image"].as_str()).collect();
    let known = images.iter().find_map(|image| Some((of_image(image)?, Some(*image))));
    let by_labels = || if is_dns(object, pod) { Some(NeighbourKind::Dns) } else { of_labels(metadata) };
    let (what, image) = known.or_else(|| Some((by_labels()?, images.first().copied())))?;
    Some(Workload {
        what,
        resource: resource.to_owned(),
        namespace: text(namespace),
        name: text(name),
        helm_owner: helm_owner(object).map(|owner| text(&owner)),
        declared: declared(object),
        service_account: object["spec"]["template"]["spec"]["serviceAccountName"].as_str().map(text),
        desired,
        ready: ready.unwrap_or(0),
        image: image.map(text),
        asks: Some(requests(&object["spec"]["template"])),
        node_selector: pod["nodeSelector"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(k, v)| Some((text(k), text(v.as_str()?))))
            .collect(),
        node_terms: items(&pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]).to_vec(),
        checks_tag: items(&pod["containers"]).iter().find_map(checks_tag),
    })
}

/// What a node termination handler says of its own tag: by its variable, as the chart sets it, or by the flag.
fn checks_tag(container: &Value) -> Option<bool> {
    const NAMES: [&str; 2] = ["check-tag-before-draining", "check-asg-tag-before-draining"];
    let is_it = |name: &str| NAMES.contains(&name.to_lowercase().replace('_', "-").as_str());
    let by_variable = items(&container["env"]).iter().find(|v| v["name"].as_str().is_some_and(is_it)).and_then(|v| v["value"].as_str());
    let words = ["command", "args"].into_iter().flat_map(|of| items(&container[of])).filter_map(Value::as_str);
    let mut flags = words.filter_map(|word| word.strip_prefix('-')).map(|flag| {
        let flag = flag.trim_start_matches('-');
        flag.split_once('=').unwrap_or((flag, "true"))
    });
    let said = flags.find(|(name, _)| is_it(name)).map(|(_, value)| value).or(by_variable)?;
    Some(!["0", "f", "false"].contains(&said.to_lowercase().as_str()))
}

/// Whether a Deployment is a Cluster Autoscaler.
pub(crate) fn is_autoscaler(deployment: &Value) -> bool {
    of_deployment(deployment).is_some_and(|workload| workload.what == NeighbourKind::ClusterAutoscaler)
}

/// Whether a `DaemonSet` enforces network policies: Calico's and Cilium's do, that of the VPC CNI does where its agent is told to.
fn enforces_policies(daemon_set: &Value) -> bool {
    items(&daemon_set["spec"]["template"]["spec"]["containers"]).iter().any(|container| {
        let told = items(&container["args"]).iter().any(|arg| arg == "--enable-network-policy=true");
        told || matches!(container["image"].as_str().and_then(repository_ends), Some((Some("calico"), "node") | (_, "cilium")))
    })
}

/// The last two parts of an image's repository, whatever registry it is mirrored to.
fn repository_ends(image: &str) -> Option<(Option<&str>, &str)> {
    let repository = image.split('@').next().unwrap_or_default();
    let mut parts = repository.rsplit('/');
    let last = parts.next()?.split(':').next()?;
    Some((parts.next(), last))
}

/// What the last parts of an image's repository say.
fn of_image(image: &str) -> Option<NeighbourKind> {
    match repository_ends(image)? {
        (Some("karpenter"), "controller") => Some(NeighbourKind::Karpenter),
        (_, "cluster-autoscaler") => Some(NeighbourKind::ClusterAutoscaler),
        (_, "aws-node-termination-handler") => Some(NeighbourKind::TerminationHandler),
        _ => None,
    }
}

/// Whether an object of `kube-system` with these pods is the cluster's DNS: by the label that EKS and kubeadm give it, by that of
/// `CoreDNS`'s own chart, or by the image, wherever it is mirrored.
pub(super) fn is_dns(object: &Value, pod: &Value) -> bool {
    let metadata = &object["metadata"];
    let mut images = items(&pod["containers"]).iter().filter_map(|c| c["image"].as_str());
    let labelled = matches!(metadata["labels"]["k8s-app"].as_str(), Some("kube-dns" | "coredns"));
    metadata["namespace"] == "kube-system" && (labelled || images.any(|image| matches!(repository_ends(image), Some((_, "coredns")))))
}

fn of_labels(metadata: &Value) -> Option<NeighbourKind> {
    match metadata["labels"]["app.kubernetes.io/name"].as_str()? {
        "karpenter" => Some(NeighbourKind::Karpenter),
        "cluster-autoscaler" | "aws-cluster-autoscaler" => Some(NeighbourKind::ClusterAutoscaler),
        "aws-node-termination-handler" => Some(NeighbourKind::TerminationHandler),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_enforced_by_those_who_are_told_to() {
        let by = |image: &str, arg: &str| {
            let containers = serde_json::json!([{"image": "amazon-k8s-cni:v1"}, {"image": image, "args": [arg]}]);
            enforces_policies(&serde_json::json!({"spec": {"template": {"spec": {"containers": containers}}}}))
        };
        let agent = "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.3.4";
        assert!(by(agent, "--enable-network-policy=true") && !by(agent, "--enable-network-policy=false"));
        assert!(by("quay.io/calico/node:v3.30.0", "") && by("mirror:5000/cilium/cilium:v1.18.0@sha256:00", ""));
        assert!(!by("registry.example/web/node:1", ""));
    }

    #[test]
    fn the_dns_is_known_by_its_labels_or_its_image() {
        let is = |namespace: &str, label: &str, image: &str| {
            let pod = serde_json::json!({"containers": [{"image": image}]});
            is_dns(&serde_json::json!({"metadata": {"namespace": namespace, "labels": {"k8s-app": label}}}), &pod)
        };
        assert!(is("kube-system", "kube-dns", "x") && is("kube-system", "coredns", "x"));
        assert!(is("kube-system", "dns", "mirror:5000/eks/coredns:v1.11.4@sha256:00"));
        assert!(!is("web", "coredns", "coredns/coredns:1.12.0") && !is("kube-system", "web", "x/coredns-web:1"));
        // The cache on each node, and what sizes the Deployment.
        assert!(!is("kube-system", "node-local-dns", "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4"));
        assert!(!is("kube-system", "coredns-autoscaler", "registry.k8s.io/cpa/cluster-proportional-autoscaler:v1.9.0"));
    }

    #[test]
    fn a_mirrored_image_is_known_by_the_end_of_its_name() {
        use NeighbourKind::{ClusterAutoscaler, Karpenter, TerminationHandler};
        for (image, what) in [
            ("public.ecr.aws/karpenter/controller:1.14.1@sha256:00", Some(Karpenter)),
            ("registry:5000/mirror/karpenter/controller", Some(Karpenter)),
            ("registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0", Some(ClusterAutoscaler)),
            ("public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.2", Some(TerminationHandler)),
            ("ghcr.io/other/controller:1", None),
            ("", None),
        ] {
            assert_eq!(of_image(image), what, "{image}");
        }
    }
}
