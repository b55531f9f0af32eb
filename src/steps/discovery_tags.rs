//! The `karpenter.sh/discovery` tags on an existing cluster's subnets and security groups.

use super::looked::{Refusal, drifted_or_present, foreign, looked, looked_for_removal};
use super::shell::{keys_and_values, look_up};
use super::{Step, StepContext};
use crate::error::{Error, Result};
use crate::facts::{Facts, NetworkFacts, Probed, RouteTableFacts, SubnetChoice, Topic};
use crate::plan::{Action, Direction, State, StepId};
use crate::ports::Tags;
use crate::probe::{add_launch_groups, add_node_groups, add_tagged, network_of};
use crate::spec::{ClusterMode, DISCOVERY_MARK, DISCOVERY_TAG, Spec};
use async_trait::async_trait;

/// See the module.
pub(super) struct DiscoveryTags;

#[async_trait]
impl Step for DiscoveryTags {
    fn id(&self) -> StepId {
        StepId::DiscoveryTags
    }

    fn title(&self, spec: &Spec) -> String {
        format!("tags {DISCOVERY_TAG}={}", spec.cluster_name)
    }

    fn needs(&self, _: &Spec) -> Vec<StepId> {
        vec![StepId::Cluster]
    }

    fn reads(&self) -> &'static [Topic] {
        &[Topic::Network, Topic::NodeSubnets, Topic::Routes]
    }

    fn reads_on_removal(&self) -> &'static [Topic] {
        &[Topic::Network]
    }

    fn usual_seconds(&self, _: &Spec) -> u32 {
        2
    }

    fn assess(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.cluster == ClusterMode::Managed || spec.node_pool.keep {
            return State::NotWanted;
        }
        let network = match looked(&facts.network) {
            Ok(Some(network)) => network,
            Ok(None) => return State::Unknown("the cluster names no subnets".into()),
            Err(state) => return state,
        };
        if let Some(refusal) = missing(spec, network) {
            return refusal.into();
        }
        let wanted = wanted(spec, network, facts.routes.known().map(Vec::as_slice));
        let taken: Vec<String> = wanted
            .iter()
            .filter_map(|(id, tags)| tags.get(DISCOVERY_TAG).filter(|v| *v != spec.cluster_name.as_str()).map(|v| format!("{id} ({v})")))
            .collect();
        if !taken.is_empty() {
            return foreign(
                format!("{} carries the tag {DISCOVERY_TAG} of another cluster", taken.join(", ")),
                "the tag then names this cluster, and the other cluster's Karpenter no longer finds it; --subnet names others instead",
            );
        }
        let missing: Vec<&str> = wanted.iter().filter(|(_, tags)| !tags.contains_key(DISCOVERY_TAG)).map(|(id, _)| *id).collect();
        if missing.len() == wanted.len() && !wanted.is_empty() {
            return State::Absent;
        }
        drifted_or_present(missing.into_iter().map(|id| format!("{id}: not tagged")).collect())
    }

    fn details(&self, spec: &Spec, facts: &Facts) -> Vec<String> {
        let Some(network) = facts.network.known() else { return Vec::new() };
        let (subnets, choice) = network.choice(!spec.subnets.is_empty(), facts.routes.known().map(Vec::as_slice));
        let why = match choice {
            SubnetChoice::Named => "as they are named",
            SubnetChoice::Tagged => "as they are tagged",
            SubnetChoice::NodeGroups => "in which the managed node groups run",
            SubnetChoice::Private => "the private ones of the cluster",
            SubnetChoice::LeadingOut => "the private ones of the cluster that have a way out, which its others lack",
            SubnetChoice::All => "all of the cluster",
        };
        let ids: Vec<&str> = subnets.iter().map(|subnet| subnet.id.as_str()).collect();
        let taken = (!ids.is_empty()).then(|| format!("subnets {}: {why}; --subnet names others", ids.join(", ")));
        let groups: Vec<&str> = network.groups_for_nodes(&spec.cluster_tag()).into_keys().collect();
        let of_templates = network.launched_with.known().is_some_and(|of| groups.iter().any(|id| of.contains_key(*id)));
        let given = of_templates.then(|| format!("security groups {}: as the managed node groups' nodes have them", groups.join(", ")));
        taken.into_iter().chain(given).chain(unread_groups(network)).collect()
    }

    fn commands(&self, spec: &Spec, facts: &Facts, direction: Direction) -> Vec<String> {
        let region = &spec.region;
        let tag =
            |verb: &str, ids: &str| format!("aws ec2 {verb} --region {region} --resources {ids} --tags {}", keys_and_values(&marks(spec)));
        let ids = |of: Vec<(&str, &Tags)>| of.into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" ");
        match (facts.network.known(), direction) {
            (Some(network), Direction::Apply) => {
                vec![tag("create-tags", &ids(wanted(spec, network, facts.routes.known().map(Vec::as_slice))))]
            }
            (Some(network), Direction::Remove) => {
                let ours = ids(all(network).filter(|(_, tags)| is_marked(spec, tags)).collect());
                if ours.is_empty() { Vec::new() } else { vec![tag("delete-tags", &ours)] }
            }
            (None, _) => {
                let verb = if direction == Direction::Apply { "create-tags" } else { "delete-tags" };
                let look = [
                    look_up(spec, "SUBNETS", "resourcesVpcConfig.subnetIds"),
                    look_up(spec, "GROUP", "resourcesVpcConfig.clusterSecurityGroupId"),
                ];
                let named: Vec<&str> = spec.subnets.iter().map(crate::spec::SubnetId::as_str).collect();
                // zsh takes `$SUBNETS` for one word, and what it echoes for many.
                let subnets = if named.is_empty() { "$(echo \"$SUBNETS\")".to_owned() } else { named.join(" ") };
                look.into_iter().skip(usize::from(!named.is_empty())).chain([tag(verb, &format!("{subnets} $GROUP"))]).collect()
            }
        }
    }

    async fn apply(&self, context: &StepContext<'_>, action: Action) -> Result<()> {
        let spec = context.spec;
        let network = network_to_tag(context).await?;
        if let Some(refusal) = missing(spec, &network) {
            return Err(refusal.into());
        }
        for warning in unread_groups(&network) {
            context.warn(warning);
        }
        let routes = routes(context).await;
        let wanted = wanted(spec, &network, routes.as_deref());
        if wanted.is_empty() {
            return Err(Error::failed(format!("cluster {} names no subnets and no security group to tag", spec.cluster_name)));
        }
        let adopt = action == Action::Adopt || context.adopts();
        let other = |tags: &Tags| tags.get(DISCOVERY_TAG).is_some_and(|v| v != spec.cluster_name.as_str());
        if let Some((id, _)) = wanted.iter().find(|(_, tags)| other(tags))
            && !adopt
        {
            return Err(Error::refused(format!("{id} carries the tag {DISCOVERY_TAG} of another cluster")));
        }
        let ids: Vec<String> = wanted.iter().filter(|(_, tags)| !has_tag(spec, tags)).map(|(id, _)| (*id).to_owned()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        context.doing(format!("tagging {}", ids.join(", ")));
        context.ports.aws.tag_ec2(&ids, &marks(spec)).await
    }

    async fn remove(&self, context: &StepContext<'_>) -> Result<()> {
        let spec = context.spec;
        let network = network(context).await?;
        // Only what carries both marks: a tag that was there before karpctl came stays.
        let ids: Vec<String> =
            all(&network).filter(|(_, tags)| has_tag(spec, tags) && is_marked(spec, tags)).map(|(id, _)| id.to_owned()).collect();
        if ids.is_empty() { Ok(()) } else { context.ports.aws.untag_ec2(&ids, &marks(spec)).await }
    }

    fn assess_removal(&self, spec: &Spec, facts: &Facts) -> State {
        if spec.cluster == ClusterMode::Managed {
            return State::NotWanted;
        }
        match looked_for_removal(&facts.network, facts) {
            Ok(Some(network)) if all(network).any(|(_, tags)| has_tag(spec, tags) && is_marked(spec, tags)) => State::Present,
            Ok(_) => State::Absent,
            Err(state) => state,
        }
    }

    fn explain(&self) -> &'static str {
        "Tags the subnets that nodes may run in and their security groups with karpenter.sh/discovery=<cluster>: the node \
         class finds them by it. Only for --existing-cluster; eksctl tags what it makes. Without --subnet, those that have the tag stay \
         the choice; where none has it, those are taken that the managed node groups run in, as Karpenter's guide for clusters that are there \
         does it; where there are no node groups, those of the control plane, and first of these those that lead out, which it does without. Of \
         either the private ones, where there are any: those without a route to an internet gateway, by which a node without a public address \
         gets nowhere.\n\n\
         The security groups are those that the launch templates of the managed node groups name, as in that guide, and the cluster's own; where \
         groups have the tag, they stay the choice. Where another security group of the VPC, or of those, has kubernetes.io/cluster/<cluster>, as \
         the one that terraform-aws-eks makes for nodes, the cluster's own is left out. A tag that names another cluster is refused."
    }
}

/// The network. What could not be read when the step began is asked for once more, as with [`StepContext::cluster`].
async fn network(context: &StepContext<'_>) -> Result<NetworkFacts> {
    if let Some(network) = context.facts.network.known() {
        return Ok(network.clone());
    }
    let (aws, spec, cluster) = (&context.ports.aws, context.spec, context.cluster().await?);
    let mut network = network_of(aws, spec, &cluster).await?;
    add_tagged(aws, spec, &cluster, &mut network).await?;
    Ok(network)
}

/// The same, with the subnets and security groups of the node groups.
async fn network_to_tag(context: &StepContext<'_>) -> Result<NetworkFacts> {
    let mut network = network(context).await?;
    if network.of_node_groups == Probed::NotAsked {
        add_node_groups(&context.ports.aws, context.spec, &mut network).await?;
    }
    if network.launched_with == Probed::NotAsked {
        add_launch_groups(&context.ports.aws, context.spec, &mut network).await;
    }
    Ok(network)
}

/// A subnet that somebody names and that is not there.
fn missing(spec: &Spec, network: &NetworkFacts) -> Option<Refusal> {
    let id = network.missing(&spec.subnets)?;
    let refusal = Refusal::new(format!("there is no subnet {id} in {} of account {}", spec.region, spec.account_id));
    Some(refusal.hint(format!("`aws ec2 describe-subnets --region {}` lists those that are there; --subnet names one", spec.region)))
}

/// What is said where it is not known what the node groups run in, a line each.
fn unread_groups(network: &NetworkFacts) -> Vec<String> {
    let subnets = network.of_node_groups.unread().map(|reason| {
        format!(
            "which subnets the managed node groups run in is not known ({reason}): those of the cluster are taken; --subnet names others"
        )
    });
    let groups = network.launched_with.unread().map(|reason| {
        format!(
            "which security groups the managed node groups' nodes have is not known ({reason}): the cluster's own is taken; where theirs let \
             in only each other, Karpenter's nodes reach no pod there, the cluster's DNS among them"
        )
    });
    subnets.into_iter().chain(groups).collect()
}

/// The route tables, which say which subnets are private. Only where karpctl has to choose; without them it goes by the addresses.
async fn routes(context: &StepContext<'_>) -> Option<Vec<RouteTableFacts>> {
    if !context.spec.subnets.is_empty() {
        return None;
    }
    if let Some(known) = context.facts.routes.known() {
        return Some(known.clone());
    }
    let read = async {
        let cluster = context.cluster().await?;
        context.ports.aws.route_tables(cluster.vpc_id.as_deref().unwrap_or_default()).await
    };
    match read.await {
        Ok(tables) => Some(tables),
        Err(e) => {
            context.warn(format!(
                "which subnets are private is not known ({e}): those where instances get no public address are taken; --subnet names others"
            ));
            None
        }
    }
}

fn marks(spec: &Spec) -> Tags {
    [DISCOVERY_TAG, DISCOVERY_MARK].map(|key| (key.to_owned(), spec.cluster_name.to_string())).into()
}

fn has_tag(spec: &Spec, tags: &Tags) -> bool {
    tags.get(DISCOVERY_TAG).is_some_and(|v| v == spec.cluster_name.as_str())
}

fn is_marked(spec: &Spec, tags: &Tags) -> bool {
    tags.get(DISCOVERY_MARK).is_some_and(|v| v == spec.cluster_name.as_str())
}

fn all(network: &NetworkFacts) -> impl Iterator<Item = (&str, &Tags)> {
    // What an earlier run tagged may be of no cluster and no node group any more.
    let others = network.tagged.iter().filter(|tagged| !network.subnets.iter().any(|subnet| subnet.id == tagged.id));
    let subnets = network.subnets.iter().chain(others).map(|s| (s.id.as_str(), &s.tags));
    let other_groups = network.discovered.iter().filter(|group| !network.security_groups.contains_key(&group.id));
    let other_groups = other_groups.map(|group| (group.id.as_str(), &group.tags));
    subnets.chain(network.security_groups.iter().map(|(id, tags)| (id.as_str(), tags))).chain(other_groups)
}

/// What must carry the tag: the subnets that nodes are for, and their security groups.
fn wanted<'a>(spec: &Spec, network: &'a NetworkFacts, routes: Option<&[RouteTableFacts]>) -> Vec<(&'a str, &'a Tags)> {
    let subnets = network.for_nodes(!spec.subnets.is_empty(), routes);
    subnets.into_iter().map(|s| (s.id.as_str(), &s.tags)).chain(network.groups_for_nodes(&spec.cluster_tag())).collect()
}
