//! The network that nodes are launched into, and the image that they start from.

use super::{NOT_YET, ProbeContext, failed, said, told};
use crate::error::Result;
use crate::facts::{
    ClusterFacts, EndpointFacts, Facts, NetworkFacts, NodeGroupFacts, Probed, RouteTableFacts, SelectionFacts, SubnetFacts, Topic, VpcFacts,
};
use crate::knowledge::WEBHOOK_PORT;
use crate::ports::Aws;
use crate::render::ami_parameter;
use crate::spec::{Architecture, ClusterMode, DISCOVERY_TAG, Spec, Vpc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) async fn network(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<NetworkFacts> {
    match cluster {
        Probed::Known(cluster) => Probed::of(network_of(&context.ports.aws, context.spec, cluster).await.map(Some)),
        Probed::Unavailable(reason) => Probed::Unavailable(reason.clone()),
        Probed::Absent | Probed::NotAsked => Probed::Unavailable(NOT_YET.into()),
    }
}

/// The subnets that the spec names, else those of the cluster, and its security group. Those that EC2 does not know are not among them.
pub(crate) async fn network_of(aws: &Arc<dyn Aws>, spec: &Spec, cluster: &ClusterFacts) -> Result<NetworkFacts> {
    let named: Vec<String> = spec.subnets.iter().map(ToString::to_string).collect();
    let ids = if named.is_empty() { &cluster.subnet_ids } else { &named };
    let groups: Vec<String> = cluster.cluster_security_group_id.iter().cloned().collect();
    let (subnets, security_groups) = tokio::join!(aws.subnets(ids), aws.security_groups(&groups));
    Ok(NetworkFacts {
        subnets: subnets?,
        of_node_groups: Probed::NotAsked,
        security_groups: security_groups?,
        launched_with: Probed::NotAsked,
        discovered: Vec::new(),
        tagged: Vec::new(),
    })
}

/// Puts in what of the cluster's VPC carries the discovery tag. Nothing of a cluster that karpctl makes: eksctl tags there.
pub(crate) async fn add_tagged(aws: &Arc<dyn Aws>, spec: &Spec, cluster: &ClusterFacts, network: &mut NetworkFacts) -> Result<()> {
    if spec.cluster == ClusterMode::Existing {
        let tag = (DISCOVERY_TAG, spec.cluster_name.as_str());
        let (subnets, groups) = tokio::join!(aws.tagged_subnets(tag), aws.tagged_security_groups(tag));
        keep_tagged(SelectionFacts { subnets: subnets?, security_groups: groups? }, cluster, network);
    }
    Ok(())
}

fn keep_tagged(found: SelectionFacts, cluster: &ClusterFacts, network: &mut NetworkFacts) {
    let is_ours = |vpc: &String| Some(vpc) == cluster.vpc_id.as_ref();
    network.discovered = found.security_groups.into_iter().filter(|group| is_ours(&group.vpc_id)).collect();
    network.tagged = found.subnets.into_iter().filter(|subnet| is_ours(&subnet.vpc_id)).collect();
}

/// Puts in the subnets of the managed node groups, where karpctl chooses: those of the cluster are the control plane's.
pub(crate) async fn add_node_groups(aws: &Arc<dyn Aws>, spec: &Spec, network: &mut NetworkFacts) -> Result<()> {
    if chooses(spec) {
        let ids = aws.node_group_subnets(spec.cluster_name.as_str()).await;
        keep_node_groups(aws, Probed::of(ids.map(Some)), network).await?;
    }
    Ok(())
}

async fn keep_node_groups(aws: &Arc<dyn Aws>, ids: Probed<Vec<String>>, network: &mut NetworkFacts) -> Result<()> {
    let unknown = |id: &&String| !network.subnets.iter().any(|subnet| subnet.id == **id);
    let others: Vec<String> = ids.known().into_iter().flatten().filter(unknown).cloned().collect();
    if !others.is_empty() {
        network.subnets.extend(aws.subnets(&others).await?);
    }
    network.of_node_groups = ids;
    Ok(())
}

/// Puts in the security groups of the managed node groups' launch templates, where no group is tagged yet: what is, stays the choice.
pub(crate) async fn add_launch_groups(aws: &Arc<dyn Aws>, spec: &Spec, network: &mut NetworkFacts) {
    if are_to_tag(spec, network) {
        let groups = aws.node_groups(spec.cluster_name.as_str()).await;
        keep_launch_groups(aws, &Probed::of(groups.map(Some)), network).await;
    }
}

async fn keep_launch_groups(aws: &Arc<dyn Aws>, groups: &Probed<Vec<NodeGroupFacts>>, network: &mut NetworkFacts) {
    let groups = match groups {
        Probed::Known(groups) => groups,
        Probed::Unavailable(reason) => {
            network.launched_with = Probed::Unavailable(reason.clone());
            return;
        }
        Probed::Absent | Probed::NotAsked => return,
    };
    let ids: Vec<String> = NodeGroupFacts::launched_with(groups).into_iter().map(str::to_owned).collect();
    network.launched_with =
        if ids.is_empty() { Probed::Known(BTreeMap::new()) } else { Probed::of(aws.security_groups(&ids).await.map(Some)) };
}

/// Whether karpctl chooses the security groups of nodes.
fn are_to_tag(spec: &Spec, network: &NetworkFacts) -> bool {
    spec.cluster == ClusterMode::Existing && !spec.node_pool.keep && network.discovered.is_empty()
}

/// Whether karpctl has to choose the subnets that nodes are for.
pub(super) fn chooses(spec: &Spec) -> bool {
    spec.cluster == ClusterMode::Existing && spec.subnets.is_empty()
}

/// The network that is known, with both. What a doctor has asked for is not asked twice.
pub(super) async fn complete(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &Facts) -> Probed<NetworkFacts> {
    let (Probed::Known(network), Some(cluster)) = (&facts.network, facts.cluster.known()) else { return facts.network.clone() };
    let (aws, spec, mut network) = (&context.ports.aws, context.spec, network.clone());
    let tagged = if topics.contains(&Topic::Selection) {
        if let Some(selection) = facts.selection.known() {
            keep_tagged(selection.clone(), cluster, &mut network);
        }
        Ok(())
    } else {
        add_tagged(aws, spec, cluster, &mut network).await
    };
    let of_groups = match &facts.node_groups {
        _ if !topics.contains(&Topic::NodeSubnets) => Ok(()),
        _ if !topics.contains(&Topic::NodeGroups) => add_node_groups(aws, spec, &mut network).await,
        Probed::Known(groups) if chooses(spec) => {
            let ids: BTreeSet<&String> = groups.iter().flat_map(|group| &group.subnets).collect();
            keep_node_groups(aws, Probed::Known(ids.into_iter().cloned().collect()), &mut network).await
        }
        Probed::Unavailable(reason) => {
            network.of_node_groups = Probed::Unavailable(reason.clone());
            Ok(())
        }
        _ => Ok(()),
    };
    match &facts.node_groups {
        _ if !topics.contains(&Topic::NodeSubnets) => {}
        _ if !topics.contains(&Topic::NodeGroups) => add_launch_groups(aws, spec, &mut network).await,
        groups if are_to_tag(spec, &network) => keep_launch_groups(aws, groups, &mut network).await,
        _ => {}
    }
    Probed::of(tagged.and(of_groups).map(|()| Some(network)))
}

/// The subnets that node classes found, beside those that are known by the cluster's tag.
pub(super) async fn class_subnets(context: &ProbeContext<'_>, facts: &Facts) -> Probed<Vec<SubnetFacts>> {
    let known = facts.selection.known().map(|selection| selection.subnets.as_slice()).unwrap_or_default();
    let selections = facts.objects.known().into_iter().flatten().filter_map(|object| object.selection.as_ref());
    let found = selections.flat_map(|selection| selection.subnets.iter().flatten()).map(|subnet| subnet.id.as_str());
    let others: BTreeSet<&str> = found.filter(|id| !known.iter().any(|subnet| subnet.id == *id)).collect();
    let mut subnets = known.to_vec();
    if !others.is_empty() {
        let ids: Vec<String> = others.into_iter().take(MOST_SUBNETS).map(str::to_owned).collect();
        match context.ports.aws.subnets(&ids).await {
            Ok(asked) => subnets.extend(asked),
            Err(error) => return failed(&error),
        }
    }
    Probed::Known(subnets)
}

/// Whom the security groups that launch templates of node groups name let in at the port of Karpenter's webhooks.
pub(super) async fn webhook_ways(context: &ProbeContext<'_>, facts: &Facts) -> Probed<BTreeMap<String, Vec<String>>> {
    let groups = match &facts.node_groups {
        Probed::Known(groups) => groups,
        Probed::Unavailable(reason) => return Probed::Unavailable(reason.clone()),
        Probed::Absent => return Probed::Absent,
        Probed::NotAsked => return Probed::NotAsked,
    };
    let named: BTreeSet<&String> = groups.iter().flat_map(|group| &group.security_groups).collect();
    if named.is_empty() {
        return Probed::Absent;
    }
    let named: Vec<String> = named.into_iter().cloned().collect();
    told(context.ports.aws.let_in(&named, WEBHOOK_PORT).await)
}

/// How many subnets of node classes are asked for.
const MOST_SUBNETS: usize = 200;

/// The route tables of the cluster's VPC.
pub(super) async fn routes(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<Vec<RouteTableFacts>> {
    match vpc_of(cluster) {
        Ok(vpc) => told(context.ports.aws.route_tables(vpc).await),
        Err(reason) => Probed::Unavailable(reason),
    }
}

/// The endpoints of the cluster's VPC.
pub(super) async fn endpoints(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<Vec<EndpointFacts>> {
    match vpc_of(cluster) {
        Ok(vpc) => told(context.ports.aws.vpc_endpoints(vpc).await),
        Err(reason) => Probed::Unavailable(reason),
    }
}

/// The cluster's VPC. While there is no cluster, that of one's own where the spec has one.
pub(super) async fn vpc(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<VpcFacts> {
    let aws = &context.ports.aws;
    let id = match (cluster, &context.spec.vpc) {
        (Probed::Absent, None) => return Probed::Absent,
        (Probed::Absent, Some(own)) => of_own(aws, own).await,
        _ => match vpc_of(cluster) {
            Ok(vpc) => Ok(Some(vpc.to_owned())),
            Err(reason) => return Probed::Unavailable(reason),
        },
    };
    match id {
        Ok(Some(id)) => said(aws.vpc(&id).await),
        Ok(None) => Probed::Absent,
        Err(error) => failed(&error),
    }
}

/// The id of a VPC of one's own: the one that is named, else that of its subnets.
async fn of_own(aws: &Arc<dyn Aws>, own: &Vpc) -> Result<Option<String>> {
    if let Some(id) = &own.id {
        return Ok(Some(id.to_string()));
    }
    Ok(aws.subnets(&words(own)).await?.into_iter().next().map(|subnet| subnet.vpc_id))
}

/// The subnets of a VPC of one's own, while there is no cluster in it. Those that EC2 does not know are not among them.
pub(super) async fn own_subnets(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Probed<Vec<SubnetFacts>> {
    match (cluster, &context.spec.vpc) {
        (Probed::Absent, Some(own)) => told(context.ports.aws.subnets(&words(own)).await),
        (Probed::Unavailable(reason), Some(_)) => Probed::Unavailable(reason.clone()),
        _ => Probed::Absent,
    }
}

fn words(own: &Vpc) -> Vec<String> {
    own.subnets().map(ToString::to_string).collect()
}

/// The cluster's VPC, or why none is known.
fn vpc_of(cluster: &Probed<ClusterFacts>) -> Result<&str, String> {
    match cluster {
        Probed::Known(ClusterFacts { vpc_id: Some(vpc), .. }) => Ok(vpc),
        Probed::Known(_) => Err("EKS names no VPC for the cluster".into()),
        Probed::Unavailable(reason) => Err(reason.clone()),
        Probed::Absent | Probed::NotAsked => Err(NOT_YET.into()),
    }
}

/// The version that AWS recommends of the release's AMI family. Not asked where the spec names one, or the release knows no aliases.
pub(super) async fn ami_version(context: &ProbeContext<'_>) -> Probed<String> {
    let spec = context.spec;
    // Of both architectures it is the same.
    let Some(parameter) = ami_parameter(spec, Architecture::Amd64).filter(|_| spec.node_pool.ami_alias.is_none()) else {
        return Probed::NotAsked;
    };
    match said(context.ports.aws.ami_name(&parameter).await) {
        Probed::Known(name) => match version_in(&name) {
            Some(version) => Probed::Known(version),
            None => Probed::Unavailable(format!("the AMI behind {parameter} is named `{name}`, which ends in no version")),
        },
        other => other,
    }
}

/// The `v` with digits that stands last in an AMI's name, as the guide cuts it out: `…-standard-1.34-v20260101`.
fn version_in(name: &str) -> Option<String> {
    name.rmatch_indices('v').find_map(|(at, _)| {
        let digits: String = name[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then(|| format!("v{digits}"))
    })
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_version_is_cut_out_as_the_guide_does() {
        for (name, version) in [
            ("amazon-eks-node-al2023-x86_64-standard-1.34-v20260101", Some("v20260101")),
            ("amazon-eks-node-1.29-v20240703", Some("v20240703")),
            ("amazon-eks-node-al2023-x86_64-standard-v1.34", Some("v1")),
            ("vendor", None),
            ("", None),
        ] {
            assert_eq!(version_in(name).as_deref(), version, "{name}");
        }
    }
}
