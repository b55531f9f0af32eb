//! Whether the controller can look names up before it has made any node.

use super::given_values::{GivenValues, IN_SPEC_FILE, KEEP};
use super::judgement::read;
use super::{Check, Judged, Judgement, Situation, makes_cluster};
use crate::facts::{NeighbourKind, NodeFacts, NodeOrigin, Topic, Workload};
use crate::finding::Area;
use crate::spec::Spec;

pub(super) struct ClusterDns;

/// The values that decide which DNS the controller asks.
const DECIDE: [&str; 2] = ["dnsPolicy", "hostNetwork"];

impl Check for ClusterDns {
    fn id(&self) -> &'static str {
        "cluster-dns"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Since 0.34 the controller looks AWS up in the cluster's own DNS (dnsPolicy ClusterFirst). Where CoreDNS waits for a node that Karpenter is to make, neither comes up: `dial tcp: lookup sts.<region>.amazonaws.com: i/o timeout`."
    }

    fn explain(&self) -> &'static str {
        "Since 0.34 the chart's dnsPolicy is ClusterFirst: the controller finds STS, EC2 and EKS through CoreDNS. CoreDNS must therefore run where \
         Karpenter has not made the nodes.\n\n\
         What is seen where it does not: `dial tcp: lookup sts.us-west-2.amazonaws.com: i/o timeout`, `lookup sts.us-west-2.amazonaws.com on \
         10.100.0.10:53: read udp: i/o timeout`, and the controller ends and starts again.\n\n\
         Give CoreDNS room on the node group (or a Fargate profile), or set `dnsPolicy: Default` under `chart.values` in karpctl.yaml: judged are \
         the values that the next bootstrap gives the chart. Pods of kube-system with the label k8s-app=kube-dns or, as CoreDNS's \
         own chart gives it, k8s-app=coredns, and those whose image is called coredns, are taken for the DNS; a NodeLocal DNSCache is not looked at."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Capacity, Topic::Neighbours, Topic::Chart, Topic::Stack, Topic::ControllerRole]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = format!("cluster {}", spec.cluster_name);
        if makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet; it is made with CoreDNS"));
        }
        let given = GivenValues::of(spec, facts, &subject)?;
        let (policy, host_network) = (given.at("dnsPolicy").as_str(), *given.at("hostNetwork") == true);
        // In its node's network a pod has the node's DNS, unless it is told ClusterFirstWithHostNet.
        if matches!(policy, Some("Default" | "None")) || (host_network && policy != Some("ClusterFirstWithHostNet")) {
            return Ok(vec![Judgement::pass(subject, "the controller looks names up in the DNS of its node")]);
        }
        let (Some(nodes), Some(neighbours)) = (read(&subject, &facts.nodes)?, read(&subject, &facts.neighbours)?) else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let ready = |of: fn(&NodeFacts) -> bool| nodes.iter().filter(|n| of(n)).map(|n| u64::from(n.dns_pods)).sum::<u64>();
        let (stable, on_karpenters) = (ready(|n| n.origin != NodeOrigin::Karpenter), ready(|n| n.origin == NodeOrigin::Karpenter));
        if stable > 0 {
            return Ok(vec![Judgement::pass(subject, format!("CoreDNS is ready on nodes that are not Karpenter's ({stable} pods)"))]);
        }
        let dns = neighbours.workloads.iter().find(|w| w.what == NeighbourKind::Dns);
        let judgement = if on_karpenters > 0 {
            let found = "CoreDNS runs only on nodes that Karpenter made: when they go, the controller cannot look up AWS to make others";
            Judgement::warn(subject, given.because(found.into(), &DECIDE))
        } else {
            let found = match dns {
                None => "there is no CoreDNS in kube-system, and the controller looks names up in the cluster's DNS".to_owned(),
                Some(w) => format!("CoreDNS is not ready ({} of {} pods), and the controller looks names up in it", w.ready, w.desired),
            };
            Judgement::fail(subject, given.because(found, &DECIDE))
        };
        let judgement = of_dns(spec, judgement, dns)
            .fix(format!("or let the controller use its node's DNS: the chart's value `dnsPolicy: Default` {IN_SPEC_FILE}"));
        Err(if given.changes(&DECIDE) { judgement.fix(KEEP) } else { judgement })
    }
}

fn of_dns(spec: &Spec, judgement: Judgement, dns: Option<&Workload>) -> Judgement {
    match dns {
        None => {
            let (cluster, region) = (spec.cluster_name.as_str(), spec.region.as_str());
            let command = ["aws", "eks", "create-addon", "--region", region, "--cluster-name", cluster, "--addon-name", "coredns"];
            judgement.run("give the cluster its DNS", command)
        }
        Some(dns) if dns.desired == 0 => {
            let command = ["kubectl", "--namespace", &dns.namespace, "scale", &dns.resource, &dns.name, "--replicas", "2"];
            judgement.run("let it run", command)
        }
        Some(dns) => {
            let command = ["kubectl", "--namespace", &dns.namespace, "describe", "pods", "--selector", "k8s-app in (kube-dns, coredns)"];
            judgement.heals().run("see what it waits for; it needs room on nodes that Karpenter did not make", command)
        }
    }
}
