//! Whether there is room for nodes where Karpenter will look for it.

use super::judgement::read;
use super::{Check, Judged, Judgement, Situation};
use crate::facts::{SubnetFacts, Topic};
use crate::finding::Area;
use crate::spec::{ClusterMode, DISCOVERY_TAG};
use std::collections::BTreeSet;

pub(super) struct NodeNetwork;

/// Fewer free addresses than a node of a common size takes with its pods.
const FEW: i32 = 32;

impl Check for NodeNetwork {
    fn id(&self) -> &'static str {
        "node-network"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "Karpenter finds subnets by their tag; one of another cluster, a single zone or no free address shows only when the first node fails."
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Cluster, Topic::Network]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        if situation.facts.cluster.known().is_none() {
            return Err(Judgement::skip("subnets", "there is no cluster yet"));
        }
        let Some(network) = read("subnets", &situation.facts.network)? else {
            return Err(Judgement::skip("subnets", "the cluster names none"));
        };
        let mut said = Vec::new();
        for subnet in &network.subnets {
            said.extend(judge(subnet, spec.cluster_name.as_str()));
        }
        let zones: BTreeSet<&str> = network.subnets.iter().map(|s| s.zone.as_str()).collect();
        if zones.len() < 2 {
            said.push(
                Judgement::warn(
                    "subnets",
                    "are all in one zone: the controller's two replicas are spread over zones, and one of them waits for ever",
                )
                .fix("add a subnet of another zone, or run one replica"),
            );
        }
        let tagged = network.subnets.iter().filter(|s| s.tags.contains_key(DISCOVERY_TAG)).count();
        if said.is_empty() {
            let found = if spec.cluster == ClusterMode::Existing && tagged == 0 { "; `karpctl bootstrap` tags them" } else { "" };
            said.push(Judgement::pass("subnets", format!("{} in {} zones, with room{found}", network.subnets.len(), zones.len())));
        }
        Ok(said)
    }
}

fn judge(subnet: &SubnetFacts, cluster: &str) -> Vec<Judgement> {
    let subject = format!("subnet {} ({})", subnet.id, subnet.zone);
    let mut said = Vec::new();
    if let Some(other) = subnet.tags.get(DISCOVERY_TAG).filter(|other| *other != cluster) {
        said.push(
            Judgement::fail(
                &subject,
                format!("carries {DISCOVERY_TAG}={other}: Karpenter of {other} launches nodes there, and this one finds none"),
            )
            .fix("name other subnets: --subnet ID, or take it over: `karpctl bootstrap --existing-cluster --adopt`"),
        );
    }
    if subnet.free_addresses < FEW {
        said.push(
            Judgement::warn(&subject, format!("has {} free addresses", subnet.free_addresses))
                .fix("name larger subnets: --subnet ID, or give the VPC another range"),
        );
    }
    said
}
