//! Whether pods find addresses where the VPC CNI gives them those of other subnets than their nodes'.

use super::judgement::read;
use super::ways_out::used_subnets;
use super::{Check, Judged, Judgement, Situation, aws};
use crate::facts::{ClusterFacts, CustomNetworking as Found, ObjectFacts, Topic};
use crate::finding::Area;
use crate::knowledge::ZONE_LABEL;
use crate::spec::Spec;
use std::collections::BTreeSet;

pub(super) struct CustomNetworking;

/// Zones were labels of this name before Kubernetes 1.17, and nodes still have it.
const OLD_ZONE_LABEL: &str = "failure-domain.beta.kubernetes.io/zone";
/// Fewer free addresses than a node of a common size takes for its pods.
const FEW: i32 = 32;

impl Check for CustomNetworking {
    fn id(&self) -> &'static str {
        "custom-networking"
    }

    fn area(&self) -> Area {
        Area::Cluster
    }

    fn why(&self) -> &'static str {
        "With custom networking of the VPC CNI a node needs an ENIConfig: in a zone without one, what Karpenter launches never gets Ready."
    }

    fn explain(&self) -> &'static str {
        "Where the DaemonSet aws-node has AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true, pods get their addresses in the subnet of an ENIConfig and not in that \
         of their node. With ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone that is the one with the name of the zone: there must be one for each zone in \
         which Karpenter finds subnets and some NodePool may launch nodes (its requirement topology.kubernetes.io/zone), with a subnet of this zone, which \
         has addresses left. With another label each NodePool has to give it to its nodes \
         (`spec.template.metadata.labels`), and takes the zone of that ENIConfig's subnet alone. A node without it takes the ENIConfig `default`, unless \
         user data or an annotation says otherwise: that is a skip.\n\n\
         What people see otherwise: nodes that stay NotReady with `cni plugin not initialized`, and in the log of their aws-node `error while \
         retrieving eniconfig: ENIConfig.crd.k8s.amazonaws.com \"us-east-1c\" not found`, `Failed to attach any ENIs for custom networking`; \
         pods that stay in ContainerCreating with `failed to assign an IP address to container`.\n\n\
         Cure: an ENIConfig for the zone, or node classes that find no subnet there, or NodePools that take other zones."
    }

    fn reads(&self) -> &'static [Topic] {
        &[
            Topic::CustomNetworking,
            Topic::Cluster,
            Topic::Selection,
            Topic::Network,
            Topic::NodeSubnets,
            Topic::Routes,
            Topic::Crds,
            Topic::Objects,
        ]
    }

    fn judge(&self, situation: &Situation<'_>) -> Judged {
        let (spec, facts) = (situation.spec()?, situation.facts);
        let subject = "addresses of pods";
        let Some(cluster) = read(subject, &facts.cluster)? else {
            return Err(Judgement::skip(subject, "there is no cluster yet"));
        };
        let Some(found) = read(subject, &facts.custom_networking)? else {
            return Ok(vec![Judgement::pass(subject, "are those of their nodes' subnets: aws-node has no custom networking")]);
        };
        if found.configs.is_empty() {
            let message = "aws-node takes them from ENIConfigs, and there is none: nodes stay NotReady (Failed to attach any ENIs for custom networking)";
            return Ok(vec![
                Judgement::fail(subject, message)
                    .run("see which subnets the VPC has", subnets(spec, cluster, None))
                    .fix("make an ENIConfig for each zone, with one of its subnets"),
            ]);
        }
        read(subject, &facts.objects)?;
        let mut zones: BTreeSet<&str> = used_subnets(spec, facts, subject)?.into_iter().map(|subnet| subnet.zone).collect();
        let objects = facts.objects.known().into_iter().flatten();
        let pools: Vec<&ObjectFacts> = objects.filter(|object| object.resource.starts_with("nodepools.")).collect();
        zones.retain(|zone| pools.is_empty() || pools.iter().any(|pool| takes(pool, zone)));
        if zones.is_empty() {
            return Err(Judgement::skip(subject, "no zone is known in which Karpenter launches nodes"));
        }
        if found.label != ZONE_LABEL && found.label != OLD_ZONE_LABEL {
            return by_label(spec, cluster, found, &pools, &zones);
        }
        let said: Vec<Judgement> = zones.iter().filter_map(|zone| judge(spec, cluster, found, (zone, zone))).collect();
        if !said.is_empty() {
            return Ok(said);
        }
        let with = zones.into_iter().map(str::to_owned).collect::<Vec<_>>().join(", ");
        Ok(vec![Judgement::pass(subject, format!("there is an ENIConfig with room for {with}"))])
    }
}

/// Whether a node pool may launch nodes in a zone, as far as its requirements say.
fn takes(pool: &ObjectFacts, zone: &str) -> bool {
    let mut of_zones = pool.requirements.iter().filter(|r| r["key"] == ZONE_LABEL || r["key"] == OLD_ZONE_LABEL);
    of_zones.all(|requirement| {
        let among = requirement["values"].as_array().into_iter().flatten().any(|value| value == zone);
        match requirement["operator"].as_str() {
            Some("In") => among,
            Some("NotIn") => !among,
            _ => true,
        }
    })
}

/// What is wrong for the pods of each node pool, where a label that is not the zone's names the `ENIConfig`.
fn by_label(spec: &Spec, cluster: &ClusterFacts, found: &Found, pools: &[&ObjectFacts], zones: &BTreeSet<&str>) -> Judged {
    let label = &found.label;
    let of_pool = |pool: &&ObjectFacts| {
        let subject = format!("NodePool {}", pool.name);
        let Some(name) = pool.node_labels.get(label) else {
            let message =
                format!("does not give its nodes the label {label}, which names their ENIConfig: which they take is not looked at");
            return Judgement::skip(subject, message);
        };
        let wrong = zones.iter().filter(|zone| takes(pool, zone)).find_map(|zone| judge(spec, cluster, found, (name, zone)));
        let Some(wrong) = wrong else { return Judgement::pass(subject, format!("its nodes take the ENIConfig {name}, which has room")) };
        let edit = ["kubectl", "edit", &pool.resource, &pool.name];
        wrong.run(format!("or have the NodePool {} take zones of its ENIConfig alone, or another by its label {label}", pool.name), edit)
    };
    if pools.is_empty() {
        let message = format!("a node takes the ENIConfig that its label {label} names, and there is no NodePool yet");
        return Err(Judgement::skip("addresses of pods", message));
    }
    Ok(pools.iter().map(of_pool).collect())
}

/// What is wrong for the pods of one zone by the `ENIConfig` of this name.
fn judge(spec: &Spec, cluster: &ClusterFacts, found: &Found, (name, zone): (&str, &str)) -> Option<Judgement> {
    let (subject, edit) = (format!("ENIConfig {name}"), ["kubectl", "edit", "eniconfig", name]);
    let look = |judgement: Judgement| judgement.run("see which subnets the zone has", subnets(spec, cluster, Some(zone)));
    let Some(id) = found.configs.get(name) else {
        let message = format!(
            "is not there, and Karpenter finds subnets in {zone}: nodes there stay NotReady (Failed to attach any ENIs for custom networking)"
        );
        return Some(
            look(Judgement::fail(subject, message))
                .fix("make it, with one of them and with security groups as the other ENIConfigs have")
                .fix("or let the node class find no subnet of this zone, or no NodePool take it: its requirement topology.kubernetes.io/zone"),
        );
    };
    let wrong = |message: String| look(Judgement::fail(&subject, message)).run("have it name one of them", edit);
    let Some(subnet) = found.subnets.iter().find(|subnet| subnet.id == *id) else {
        return Some(wrong(format!("names the subnet {id}, which is not in {}", spec.region)));
    };
    if subnet.zone != zone {
        return Some(wrong(format!("names {id}, which is in {}: a node takes no network interface of another zone", subnet.zone)));
    }
    (subnet.free_addresses < FEW).then(|| {
        let message = format!("names {id}, which has {} free addresses for pods", subnet.free_addresses);
        look(Judgement::warn(subject, message)).run("have it name a larger one", edit)
    })
}

fn subnets(spec: &Spec, cluster: &ClusterFacts, zone: Option<&str>) -> Vec<String> {
    let vpc = cluster.vpc_id.as_ref().map(|vpc| format!("Name=vpc-id,Values={vpc}"));
    let zone = zone.map(|zone| format!("Name=availability-zone,Values={zone}"));
    let filters: Vec<String> = vpc.into_iter().chain(zone).collect();
    let filters = if filters.is_empty() { filters } else { [vec!["--filters".to_owned()], filters].concat() };
    let rows = ["--query", "Subnets[].[SubnetId,AvailabilityZone,CidrBlock,AvailableIpAddressCount]", "--output", "text"];
    let words = aws(spec, "ec2", "describe-subnets").into_iter().map(str::to_owned).chain(filters);
    words.chain(rows.map(str::to_owned)).collect()
}
