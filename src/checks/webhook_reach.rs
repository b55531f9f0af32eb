//! Whether the API server gets to the webhooks of a Karpenter that has some.

use super::endpoint_reach::within;
use super::given_values::{GivenValues, IN_SPEC_FILE};
use super::judgement::{installed_release, of_own_chart, read};
use super::{Check, Judged, Judgement, Situation, aws, makes_cluster};
use crate::facts::{ClusterFacts, Facts, NodeFacts, NodeGroupFacts, NodeOrigin, Topic};
use crate::finding::Area;
use crate::knowledge::{COMPUTE_TYPE_LABEL, Release, WEBHOOK_PORT};
use crate::spec::{ControllerCapacity, Spec};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) struct WebhookReach;

impl Check for WebhookReach {
    fn id(&self) -> &'static str {
        "webhook-reach"
    }

    fn area(&self) -> Area {
        Area::Release
    }

    fn why(&self) -> &'static str {
        "Releases up to 1.0 have webhooks, which the API server asks from outside the cluster's network: pods of an overlay, and a closed port 8443, it does not reach."
    }

    fn explain(&self) -> &'static str {
        "Karpenter up to 0.32, the later patches of 0.33 to 0.37, and 1.0 have their objects admitted or converted by the controller, at port 8443. The \
         control plane asks for it from its network interfaces in the VPC, so the pod must have an address of the VPC, and the security groups of its node must let it in. \
         Compared are the addresses of the pods that run with the ranges of the VPC: those of Calico and of Cilium outside its ENI mode are others. \
         Of node groups whose launch template names security groups, and not the cluster's own, it is looked at whether these let anybody in at port \
         8443: those that terraform-aws-eks 18 makes let in the control plane at ports 443 and 10250 alone. Webhooks that are switched off (`webhook.enabled: false`, or \
         DISABLE_WEBHOOK in `controller.env`) need not be reached.\n\n\
         What people see otherwise: `failed calling webhook \"defaulting.webhook.karpenter.k8s.aws\": failed to call webhook: Post \
         \"https://karpenter.karpenter.svc:8443/default/karpenter.k8s.aws?timeout=10s\": Address is not allowed`, `conversion webhook for \
         karpenter.sh/v1beta1, Kind=NodePool failed: Post \"https://karpenter.kube-system.svc:8443/conversion/karpenter.sh?timeout=30s\": context deadline \
         exceeded`: no NodePool can be read or written.\n\n\
         Cure: for pods of an overlay the chart's value `hostNetwork: true`, by which the controller has the address of its node; for security groups a \
         rule that lets in the cluster's own, which the control plane has. Whether NetworkPolicies let it in is the check network-policies, and whether \
         somebody answers is conversion-webhook."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Chart,
            Topic::Neighbours,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Capacity,
            Topic::Vpc,
            Topic::NodeGroups,
            Topic::WebhookWays,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "webhooks of Karpenter";
        if makes_cluster(spec, facts) {
            return Err(Judgement::skip(subject, "there is no cluster yet; it is made so that they are reached"));
        }
        let live = installed_release(situation, subject)?;
        let values = GivenValues::of(spec, facts, subject);
        let to_come = values.as_ref().ok().map(GivenValues::to_come);
        let told = facts.chart_release.known().filter(|release| of_own_chart(release)).map(|release| &release.values);
        let both = [(Some(&spec.release), to_come), (live.as_ref(), told)];
        let Some((Some(release), told)) = both.into_iter().find(|(release, _)| release.is_some_and(has_webhooks)) else {
            return Ok(vec![Judgement::pass(subject, format!("Karpenter {} has none", spec.release))]);
        };
        if told.is_some_and(|values| are_off(release, values)) {
            return Ok(vec![Judgement::pass(subject, "they are switched off")]);
        }
        if spec.capacity == ControllerCapacity::Fargate {
            return Ok(vec![Judgement::pass(
                subject,
                "on Fargate the controller has an address of the VPC and the cluster's security group",
            )]);
        }
        let Some(cluster) = read(subject, &facts.cluster)? else { return Err(Judgement::skip(subject, "there is no cluster yet")) };
        let by_address = values.as_ref().map_err(Clone::clone).and_then(|values| by_address(values, facts, subject, release));
        let mut said = vec![by_address.unwrap_or_else(|unread| unread)];
        said.extend(by_groups(spec, facts, cluster, release).unwrap_or_else(|unread| vec![unread]));
        if said.iter().any(Judgement::is_failure) {
            said.retain(|judgement| !judgement.is_pass());
        }
        Ok(said)
    }
}

fn has_webhooks(release: &Release) -> bool {
    let features = release.features();
    features.conversion_webhook || features.admission_webhooks
}

/// Whether a release's values switch its webhooks off: nobody asks for them then.
fn are_off(release: &Release, values: &Value) -> bool {
    let mut env = values["controller"]["env"].as_array().into_iter().flatten();
    release.reads_value("webhook.enabled") && values["webhook"]["enabled"] == false
        || env.any(|variable| variable["name"] == "DISABLE_WEBHOOK" && variable["value"] == "true")
}

/// Whether the controller's pods have addresses that the control plane gets to.
fn by_address(values: &GivenValues, facts: &Facts, subject: &str, release: &Release) -> Result<Judgement, Judgement> {
    if *values.at("hostNetwork") == true {
        return Ok(Judgement::pass(subject, "the controller has the address of its node (hostNetwork)"));
    }
    let nodes = read(subject, &facts.nodes)?.map(Vec::as_slice).unwrap_or_default();
    let ranges = read(subject, &facts.vpc)?.map(|vpc| vpc.ranges.as_slice()).unwrap_or_default();
    let addresses = pod_addresses(nodes);
    let is_own = |address: &Ipv4Addr| is_within(*address, ranges);
    match addresses.first() {
        None => Err(Judgement::skip(
            subject,
            "no pod with an IPv4 address of its own was seen, by which it would be known whether pods are reached",
        )),
        Some(_) if ranges.is_empty() => Err(Judgement::skip(subject, "EC2 names no range of the VPC")),
        Some(_) if addresses.iter().any(is_own) => Ok(Judgement::pass(subject, "pods have addresses of the VPC")),
        Some(first) => {
            let message = format!(
                "the API server has to ask Karpenter {release}, and pods have addresses that are none of the VPC's ({first}): Address is not allowed"
            );
            Ok(Judgement::fail(subject, message)
                .fix(format!("let the controller have the address of its node: `hostNetwork: true` {IN_SPEC_FILE}")))
        }
    }
}

/// The IPv4 addresses of pods on instances, of each one.
fn pod_addresses(nodes: &[NodeFacts]) -> Vec<Ipv4Addr> {
    nodes.iter().filter(|node| is_in_vpc(node)).filter_map(|n| n.pod_address.as_ref()?.parse().ok()).collect()
}

fn is_within(address: Ipv4Addr, ranges: &[String]) -> bool {
    ranges.iter().any(|range| within(&format!("{address}/32"), range))
}

/// Whether pods are seen to have addresses that are none of the VPC's.
pub(super) fn has_overlay(facts: &Facts) -> bool {
    let (Some(nodes), Some(vpc)) = (facts.nodes.known(), facts.vpc.known()) else { return false };
    let addresses = pod_addresses(nodes);
    !addresses.is_empty() && !vpc.ranges.is_empty() && !addresses.iter().any(|address| is_within(*address, &vpc.ranges))
}

/// Whether it is an instance of the VPC: neither a hybrid node nor one of Fargate.
fn is_in_vpc(node: &NodeFacts) -> bool {
    node.origin != NodeOrigin::Fargate && node.labels.get(COMPUTE_TYPE_LABEL).is_none_or(|kind| kind != "hybrid")
}

/// The node groups whose security groups let nobody in at the port. None: there are no node groups with groups of their own.
fn by_groups(spec: &Spec, facts: &Facts, cluster: &ClusterFacts, release: &Release) -> Result<Vec<Judgement>, Judgement> {
    let subject = "security groups of node groups";
    let groups = read(subject, &facts.node_groups)?.map(Vec::as_slice).unwrap_or_default();
    let Some(ways) = read(subject, &facts.webhook_ways)? else { return Ok(Vec::new()) };
    let own = cluster.cluster_security_group_id.as_deref().unwrap_or_default();
    let closed: Vec<&NodeGroupFacts> = groups.iter().filter(|group| is_closed(group, own, ways)).collect();
    let all = closed.len() == groups.len();
    let judged = |group: &NodeGroupFacts| {
        let named = group.security_groups.join(" and ");
        let message = format!(
            "{named}: they let nobody in at port {WEBHOOK_PORT}, where the API server has to ask Karpenter {release}: context deadline exceeded"
        );
        let judgement = Judgement::fail(format!("security groups of node group {}", group.name), message);
        let judgement = if all { judgement } else { judgement.milder() };
        let port = WEBHOOK_PORT.to_string();
        let rule = ["--group-id", &group.security_groups[0], "--protocol", "tcp", "--port", &port, "--source-group", own];
        if own.is_empty() {
            return judgement.fix("let in the security groups of the control plane");
        }
        judgement.run("let in the control plane", [&aws(spec, "ec2", "authorize-security-group-ingress")[..], &rule].concat())
    };
    Ok(closed.into_iter().map(judged).collect())
}

/// Whether none of its security groups, of which none is the cluster's, has a rule for the port. Whom a rule lets in is not asked: it may be
/// the control plane.
fn is_closed(group: &NodeGroupFacts, own: &str, ways: &BTreeMap<String, Vec<String>>) -> bool {
    let named = &group.security_groups;
    let nobody = |id: &String| id != own && ways.get(id).is_some_and(Vec::is_empty);
    !named.is_empty() && named.iter().all(nobody)
}
