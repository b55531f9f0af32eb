//! Whether there is room for nodes where Karpenter will look for it.

use super::class_selection::{Selected, by_class, own_selections, unread_classes};
use super::judgement::{installed, read};
use super::own_vpc::is_missing;
use super::ways_out::ways;
use super::webhook_reach::has_overlay;
use super::{Check, Judged, Judgement, Situation, aws, missing};
use crate::facts::{ClassSelection, Facts, NetworkFacts, ObjectFacts, SubnetFacts, Topic};
use crate::finding::Area;
use crate::spec::{ClusterMode, DISCOVERY_TAG, IpFamily};
use std::collections::BTreeSet;

pub(super) struct NodeNetwork;

/// Fewer free addresses than a node of a common size takes with its pods.
const FEW: i32 = 32;
/// The same where a node takes one: see [`takes_one`].
const FEW_OF_NODES: i32 = 4;

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

    fn explain(&self) -> &'static str {
        "Asks EC2 for subnets by the very selector that the node class has (the tag karpenter.sh/discovery with the cluster's name), and \
         looks at those that `karpctl bootstrap` would tag where nothing is tagged yet: of the managed node groups, \
         else of the cluster. Where every node class that is there has another selector, those count that \
         Karpenter found by it (the status of the class).\n\nWhat people see otherwise: `SubnetSelector did not match any \
         Subnets`, `SubnetsNotFound`, `no subnets exist given constraints`, with old releases `no subnets matched selector map[…]`: the \
         tag is missing, or its value is another cluster's name; `InvalidSubnetID.NotFound`: one that --subnet names is not there; `InsufficientFreeAddressesInSubnet`; nodes that never join, because the way \
         out of a public subnet is for instances with a public address only; a controller whose second replica stays Pending because its \
         zone spread finds one zone.\n\nCure: tag the private subnets that nodes may use (`aws ec2 create-tags`, \
         or `karpctl bootstrap --existing-cluster`), or name others with --subnet."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::Cluster,
            Topic::Network,
            Topic::NodeSubnets,
            Topic::Routes,
            Topic::Endpoints,
            Topic::Selection,
            Topic::Stack,
            Topic::ControllerRole,
            Topic::Chart,
            Topic::NodePool,
            Topic::Crds,
            Topic::Objects,
            Topic::Capacity,
            Topic::CustomNetworking,
            Topic::Vpc,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let spec = situation.spec()?;
        let Some(cluster) = read("subnets", &situation.facts.cluster)? else {
            return Err(Judgement::skip("subnets", "there is no cluster yet"));
        };
        if let Some(classes) = own_selections(spec, situation.facts, Selected::Subnets) {
            let vpc = cluster.vpc_id.as_deref();
            return Ok(classes.into_iter().flat_map(|(class, selection)| of_class(situation.facts, class, selection, vpc)).collect());
        }
        let Some(network) = read("subnets", &situation.facts.network)? else {
            return Err(Judgement::skip("subnets", "the cluster names none"));
        };
        // Those that bootstrap tags. One that is not there, or is another cluster's, stops it, and no node where Karpenter has others.
        let for_nodes = network.for_nodes(!spec.subnets.is_empty(), situation.facts.routes.known().map(Vec::as_slice));
        let beside = |own: &[&SubnetFacts]| -> Vec<Judgement> {
            let gone = spec.subnets.iter().filter_map(|id| is_missing(spec, id, cluster.vpc_id.as_deref(), &network.subnets));
            let gone = gone.map(|gone| {
                if own.is_empty() { gone } else { gone.milder() }.fix("name others: --subnet ID, or `subnets` in the spec file")
            });
            gone.chain(for_nodes.iter().filter_map(|subnet| taken(subnet, spec.cluster_name.as_str(), own))).collect()
        };
        // What the selector finds is what Karpenter will use; where it finds nothing yet, what bootstrap will tag.
        let selected = match read("subnets", &situation.facts.selection) {
            Ok(selection) => selection.map(|s| s.subnets.as_slice()).unwrap_or_default(),
            Err(unread) => return Ok(beside(&[]).into_iter().chain([unread]).collect()),
        };
        let is_installed = situation.facts.chart_release.known().is_some_and(installed);
        let is_own =
            |subnet: &&SubnetFacts| is_installed && subnet.tags.get(DISCOVERY_TAG).is_some_and(|name| *name == spec.cluster_name.as_str());
        let mut said = beside(&selected.iter().filter(is_own).collect::<Vec<_>>());
        if selected.is_empty() && said.is_empty() {
            let nothing = missing(situation, "subnets", "the selector finds none: SubnetSelector did not match any Subnets");
            said.extend(nothing.ok().map(|nothing| {
                let ids = for_nodes.iter().map(|s| s.id.clone());
                let tag = format!("Key={DISCOVERY_TAG},Value={}", spec.cluster_name);
                let words = aws(spec, "ec2", "create-tags").into_iter().chain(["--resources"]).map(str::to_owned).chain(ids);
                nothing.run("tag those that nodes may use", words.chain(["--tags".to_owned(), tag]))
            }));
        }
        let used: Vec<&SubnetFacts> = if selected.is_empty() { for_nodes } else { selected.iter().collect() };
        for subnet in used.iter().copied() {
            said.extend(judge(situation.facts, subnet, cluster.vpc_id.as_deref(), None));
            said.extend(without_address(subnet, situation.facts));
        }
        let zones: BTreeSet<&str> = used.iter().map(|s| s.zone.as_str()).collect();
        if zones.len() < 2 && !said.iter().any(Judgement::is_failure) {
            said.push(one_zone(situation.facts, network));
        }
        if said.is_empty() {
            let found = if spec.cluster == ClusterMode::Existing && selected.is_empty() { "; `karpctl bootstrap` tags them" } else { "" };
            said.push(Judgement::pass("subnets", format!("{} in {} zones, with room{found}", used.len(), zones.len())));
        }
        said.extend(unread_classes(spec, situation.facts));
        said.extend(read("ways out of the subnets", &situation.facts.routes).err());
        Ok(said)
    }
}

/// The subnets that a class's own selector finds.
fn of_class(facts: &Facts, class: &ObjectFacts, selection: &ClassSelection, vpc: Option<&str>) -> Vec<Judgement> {
    let ids: Option<Vec<String>> = selection.subnets.as_ref().map(|found| found.iter().map(|subnet| subnet.id.clone()).collect());
    let subject = format!("subnets of the node class {}", class.name);
    let looked = match read(&subject, &facts.class_subnets) {
        Ok(looked) => looked.map(Vec::as_slice).unwrap_or_default(),
        Err(unread) if ids.as_ref().is_some_and(|ids| !ids.is_empty()) => return vec![unread],
        Err(_) => &[],
    };
    let of_class = looked.iter().filter(|subnet| ids.as_ref().is_some_and(|ids| ids.contains(&subnet.id)));
    let bad: Vec<Judgement> = of_class.flat_map(|subnet| judge(facts, subnet, vpc, Some(class))).collect();
    if bad.is_empty() { vec![by_class(class, ids, "subnets", "SubnetSelector did not match any Subnets")] } else { bad }
}

/// That the subnets of nodes are of one zone. The controller runs on the node groups, whatever Karpenter's nodes are in.
fn one_zone(facts: &Facts, network: &NetworkFacts) -> Judgement {
    let groups = network.of_node_groups.known().map(Vec::as_slice).unwrap_or_default();
    let zones: BTreeSet<&str> = network.subnets.iter().filter(|s| groups.contains(&s.id)).map(|s| s.zone.as_str()).collect();
    let message = "are all in one zone: nodes come in that zone alone, and volumes of others cannot be attached there";
    if zones.len() == 1 && facts.nodes.known().is_none() {
        let message = format!("{message}; the controller's two replicas are spread over zones, and one of them waits for ever");
        return Judgement::warn("subnets", message).fix("add a subnet of another zone, also to the node groups, or run one replica");
    }
    Judgement::warn("subnets", message).fix("add a subnet of another zone, or accept the finding")
}

/// A subnet that carries the discovery tag of another cluster. `own`: those that carry this one's, once Karpenter works in them.
pub(super) fn taken(subnet: &SubnetFacts, cluster: &str, own: &[&SubnetFacts]) -> Option<Judgement> {
    let other = subnet.tags.get(DISCOVERY_TAG).filter(|other| *other != cluster)?;
    if !own.is_empty() {
        let message =
            format!("carries {DISCOVERY_TAG}={other}, and nodes run elsewhere; the next `karpctl bootstrap` would tag it too, and refuses");
        let flags: Vec<String> = own.iter().map(|subnet| format!("--subnet {}", subnet.id)).collect();
        let judgement = Judgement::warn(format!("subnet {} ({})", subnet.id, subnet.zone), message);
        return Some(judgement.fix(format!("name those that are tagged: {}", flags.join(" "))));
    }
    Some(
        Judgement::fail(
            format!("subnet {} ({})", subnet.id, subnet.zone),
            format!("carries {DISCOVERY_TAG}={other}: Karpenter of {other} launches nodes there, and this one finds none"),
        )
        .fix("name other subnets: --subnet ID, or take it over: `karpctl bootstrap --existing-cluster --adopt`"),
    )
}

/// A public subnet whose instances get no public address, where nothing else is known to lead out of it.
fn without_address(subnet: &SubnetFacts, facts: &Facts) -> Option<Judgement> {
    let routes = facts.routes.known()?;
    let by_class = facts.node_class.known().is_some_and(|class| class["spec"]["associatePublicIPAddress"] == true);
    let by_endpoint = ways("", facts).is_ok_and(|ways| ways.has("ecr.api"));
    let closed = subnet.is_public(Some(routes)) && !subnet.gives_address && !by_class && !by_endpoint;
    closed.then(|| {
        Judgement::warn(
            format!("subnet {} ({})", subnet.id, subnet.zone),
            "its way out is an internet gateway, and instances get no public address there: nodes reach neither EKS nor a registry, and never join",
        )
        .fix("name private subnets, whose way out is a NAT gateway: --subnet ID")
        .fix("or let the node class give them an address: `associatePublicIPAddress: true`")
    })
}

/// Whether a node takes one address of its subnet: its pods have theirs in other subnets, in IPv6, or outside the VPC.
fn takes_one(facts: &Facts) -> bool {
    let ipv6 = facts.cluster.known().is_some_and(|cluster| cluster.ip_family == IpFamily::Ipv6);
    ipv6 || facts.custom_networking.known().is_some() || has_overlay(facts)
}

/// Whether nodes in a subnet reach the cluster and find addresses. `class`: the node class whose own selector finds it.
fn judge(facts: &Facts, subnet: &SubnetFacts, vpc: Option<&str>, class: Option<&ObjectFacts>) -> Vec<Judgement> {
    let of = class.map_or_else(String::new, |class| format!(" of the node class {}", class.name));
    let subject = format!("subnet {} ({}){of}", subnet.id, subnet.zone);
    let cured = |judgement: Judgement, by_tag: String, by_class: &str| match class {
        Some(class) => judgement.run(by_class, ["kubectl", "edit", class.resource.as_str(), class.name.as_str()]),
        None => judgement.fix(by_tag),
    };
    let mut said = Vec::new();
    if vpc.is_some_and(|vpc| vpc != subnet.vpc_id) {
        let message = format!("is of {}, not of the cluster's VPC: its nodes do not reach the cluster", subnet.vpc_id);
        let by_tag = format!("take the tag {DISCOVERY_TAG} from it");
        said.push(cured(Judgement::fail(&subject, message), by_tag, "let its selector find others"));
    }
    let few = if takes_one(facts) { FEW_OF_NODES } else { FEW };
    if subnet.free_addresses < few {
        let judgement = Judgement::warn(&subject, format!("has {} free addresses", subnet.free_addresses));
        let by_tag = "name larger subnets: --subnet ID, or give the VPC another range".to_owned();
        said.push(cured(judgement, by_tag, "let its selector find larger ones too, or give the VPC another range"));
    }
    said
}
