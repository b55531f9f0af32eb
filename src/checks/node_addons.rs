//! Whether what makes a node ready is there: the network add-on and kube-proxy.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::{NodeAddon, NodeAddonKind, NodeOrigin, Topic};
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct NodeAddons;

impl Check for NodeAddons {
    fn id(&self) -> &'static str {
        "node-addons"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "A node is ready once the network add-on runs on it, and reaches Services once kube-proxy does: without them Karpenter launches nodes that nobody can use."
    }

    fn explain(&self) -> &'static str {
        "Looks in the cluster for the DaemonSets of a network add-on (the VPC CNI's aws-node, Calico's, Cilium's, by their images) and of kube-proxy, \
         and counts their ready pods.\n\nWhat people see otherwise: nodes that stay NotReady with `container runtime network not ready: \
         NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`, NodeClaims that \
         are launched and registered and never initialized, or `dial tcp 10.100.0.1:443: i/o timeout` from every pod, aws-node's among them.\n\n\
         Clusters that are made without EKS's default add-ons (`bootstrapSelfManagedAddons: false`, as some versions of terraform-aws-eks do) have \
         neither until they are asked for. Where none of the three is found and nodes are ready, it is by another. Where Cilium is found, it may stand for kube-proxy. Nodes of Auto Mode have both in them."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Neighbours, Topic::Cluster, Topic::Capacity]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        if makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet; it is made with both"));
        }
        let Some(neighbours) = read(&subject, &facts.neighbours)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        let Some(addons) = &neighbours.node_addons else {
            // So an earlier karpctl saved it.
            return Err(Judgement::skip(subject, "what runs on each node was not looked at"));
        };
        let of = |kind: NodeAddonKind| addons.iter().filter(move |addon| addon.kind == kind);
        let network: Vec<&NodeAddon> = of(NodeAddonKind::Network).chain(of(NodeAddonKind::Cilium)).collect();
        let lacks_network = network.is_empty();
        let lacks_proxy = of(NodeAddonKind::KubeProxy).next().is_none() && of(NodeAddonKind::Cilium).next().is_none();
        let auto_mode = (lacks_network || lacks_proxy) && read(&subject, &facts.cluster)?.is_some_and(|cluster| cluster.auto_mode);
        let mut said = Vec::new();
        if lacks_network && !auto_mode {
            let nodes = read(&subject, &facts.nodes)?.map(Vec::as_slice).unwrap_or_default();
            // By another network add-on, then. Fargate's have their own.
            if !nodes.iter().any(|node| node.ready && node.origin != NodeOrigin::Fargate) {
                let message = "no DaemonSet of a network add-on is there (aws-node, Calico, Cilium), and no node is ready: without one none gets ready";
                said.push(add(spec, Judgement::fail(&subject, message), "vpc-cni"));
            }
        }
        if lacks_proxy && !auto_mode {
            let message = "no DaemonSet of kube-proxy is there: unless something else does its work, pods do not reach Services";
            said.push(add(spec, Judgement::warn(&subject, message), "kube-proxy"));
        }
        said.extend(network.into_iter().chain(of(NodeAddonKind::KubeProxy)).filter_map(unready));
        if said.is_empty() {
            let named: Vec<String> = addons.iter().map(|addon| format!("{} ({} of {})", addon.name, addon.ready, addon.desired)).collect();
            let what = if auto_mode { "the nodes of Auto Mode have them in them".to_owned() } else { named.join(", ") };
            return Ok(vec![Judgement::pass(subject, format!("network add-on and kube-proxy: {what}"))]);
        }
        Ok(said)
    }
}

fn add(spec: &Spec, judgement: Judgement, addon: &'static str) -> Judgement {
    let (region, cluster) = (spec.region.as_str(), spec.cluster_name.as_str());
    judgement
        .run("let EKS install it", ["aws", "eks", "create-addon", "--region", region, "--cluster-name", cluster, "--addon-name", addon])
}

/// What runs on few of the nodes on which it should. One node in ten may just have come.
fn unready(addon: &NodeAddon) -> Option<Judgement> {
    if addon.ready * 10 >= addon.desired * 9 {
        return None;
    }
    let seen = match addon.kind {
        NodeAddonKind::KubeProxy => "pods there do not reach Services",
        _ => "those nodes are NotReady, or give their pods no addresses",
    };
    let subject = format!("daemonset {}/{}", addon.namespace, addon.name);
    let message = format!("{} of {} pods are ready: {seen}", addon.ready, addon.desired);
    let judgement = if addon.ready == 0 { Judgement::fail(subject, message) } else { Judgement::warn(subject, message) };
    let describe = ["kubectl", "--namespace", &addon.namespace, "describe", "daemonset", &addon.name];
    let of_set = format!("daemonset/{}", addon.name);
    let logs = ["kubectl", "--namespace", &addon.namespace, "logs", &of_set, "--all-containers", "--tail", "20"];
    Some(judgement.heals().run("see what its pods wait for", describe).run("see what they say", logs))
}
