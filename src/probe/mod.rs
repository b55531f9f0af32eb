//! Reads the world through the ports into [`Facts`]: one file a topic group, each topic read once, all that can at the same time.
//!
//! Reading never fails. What is not there is [`Probed::Absent`]; what could not be read is [`Probed::Unavailable`] with the
//! reason, which the judges then say.

pub mod account;
mod autoscaler;
pub mod client;
mod client_problems;
pub(crate) mod cluster;
pub(crate) mod controller;
pub(crate) mod earlier;
pub(crate) mod fleet;
pub(crate) mod identity;
mod inside;
mod jobs;
mod keys;
pub(crate) mod kinds;
mod network;
pub(crate) mod node_pool;
mod origin;
mod permissions;
mod plugin_policy;
pub mod programs;
pub(crate) mod quotas;
pub mod registry;
pub mod registry_login;
pub(crate) mod release;
mod stack;
mod surroundings;
mod tools;
mod volumes;
mod writers;

pub(crate) use network::{add_launch_groups, add_node_groups, add_tagged, network_of};
pub use release::helm_release;

use crate::error::{Error, ErrorKind, Result};
use crate::facts::{ClusterFacts, Facts, Probed, StackFacts, Topic};
use crate::knowledge::Release;
use crate::ports::{ClusterAccess, Kube, Ports};
use crate::render;
use crate::spec::Spec;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

/// What a probe is given.
pub struct ProbeContext<'a> {
    /// What the person wants.
    pub spec: &'a Spec,
    /// The world.
    pub ports: &'a Ports,
    /// The person's own kubeconfig instead of karpctl's access, where asked for.
    pub kubeconfig: Option<&'a ClusterAccess>,
}

/// Reads these topics anew into `facts`; the others stay as they are. Never fails: what cannot be read is a fact.
pub async fn probe(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    // Boxed, because it is part of every command's future, and large.
    Box::pin(read_all(context, topics, facts)).await;
}

async fn read_all(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let of_cluster: BTreeSet<Topic> = topics.iter().copied().filter(|t| t.needs_cluster() || *t == Topic::Cluster).collect();
    let others = topics.difference(&of_cluster).copied().filter(|t| !of_machine(*t));
    let (doctors, others): (BTreeSet<Topic>, BTreeSet<Topic>) = others.partition(|t| t.of_doctor());
    let (mut elsewhere, mut by_doctor, mut there) = (Facts::default(), facts.clone(), facts.clone());
    tokio::join!(
        ask_aws(context, &others, &mut elsewhere),
        ask_aws_for_doctor(context, &doctors, &mut by_doctor),
        ask_of_cluster(context, &of_cluster, &mut there),
    );
    facts.take_topics(&elsewhere, &others);
    facts.take_topics(&by_doctor, &doctors);
    facts.take_topics(&there, &of_cluster);
    look_at_objects(context, topics, facts).await;
    follow_up(context, topics, facts).await;
}

/// The objects that are at stake by what AWS alone says: those of a Karpenter that is not seen to work under the spec's role.
async fn look_at_objects(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let role = context.spec.controller_role_arn();
    let other_role = facts.chart_release.known().is_some() && facts.controller_works_as() != Some(role.as_str());
    if !topics.contains(&Topic::ObjectsAtStake) || facts.objects.known().is_some() || !other_role {
        return;
    }
    facts.objects = match connect(context, &facts.cluster).await {
        Ok(kube) => inside::objects(context.spec, kube.as_ref(), &facts.crds).await,
        Err(reason) => Probed::Unavailable(reason),
    };
}

/// What can be asked of AWS only once it is known what the stack, the cluster's objects and its node groups are: all at the same time.
async fn follow_up(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let asked = |topic| topics.contains(&topic);
    let of_classes = |topic| asked(topic) && asked(Topic::Objects);
    // What a stack that is there made is its own.
    let no_stack = facts.stack == Probed::Absent;
    let in_the_way = asked(Topic::NodeRoleInTheWay) && !asked(Topic::NodeRole);
    // A node class that is there has its AMI: what AWS recommends now is then nobody's question.
    let alias = facts.node_class.known().and_then(node_pool::ami_alias).and_then(|alias| alias.split_once('@'));
    let pinned = alias.is_some_and(|(of, _)| of == render::ami_family(context.spec));
    let of_pool = asked(Topic::Ami) && asked(Topic::NodePool);
    let (ties, policies, role, network, ami, subnets, entries, profiles, images, told_queue, group_roles, quotas, ways) = tokio::join!(
        when(asked(Topic::NodeRole) && no_stack && facts.node_role.known().is_some(), identity::node_role_ties(context)),
        when(asked(Topic::StackPolicies) && no_stack, identity::stack_policies(context)),
        when(in_the_way && (no_stack || facts.stack.known().is_some_and(StackFacts::has_nothing)), identity::node_role(context)),
        when(asked(Topic::Network), network::complete(context, topics, facts)),
        when(of_pool && !pinned, network::ami_version(context)),
        when(of_classes(Topic::Selection), network::class_subnets(context, facts)),
        when(of_classes(Topic::AccessEntry), identity::class_entries(context, facts)),
        when(of_classes(Topic::AccessEntry), identity::class_profiles(context, facts)),
        when(of_classes(Topic::AmiImage), surroundings::class_images(context, facts)),
        when(asked(Topic::Queue) && asked(Topic::Chart), surroundings::told_queue(context, facts)),
        when(asked(Topic::NodeGroupRoles), fleet::node_group_roles(context, facts)),
        when(asked(Topic::ClusterQuotas), quotas::of_cluster(context, facts)),
        when(asked(Topic::WebhookWays), network::webhook_ways(context, facts)),
    );
    if asked(Topic::NodeRole) || asked(Topic::StackPolicies) {
        (facts.node_role_ties, facts.stack_policies) = (ties.unwrap_or_default(), policies.unwrap_or_default());
    }
    if in_the_way {
        facts.node_role = role.unwrap_or_default();
    }
    if of_pool {
        facts.ami_version = ami.unwrap_or_default();
    }
    put(&mut facts.network, network);
    put(&mut facts.class_subnets, subnets);
    if let (Some(entries), Some(profiles)) = (entries, profiles) {
        (facts.class_entries, facts.class_profiles) = (entries, profiles);
    }
    if let Some(images) = images {
        facts.class_images = images;
    }
    put(&mut facts.told_queue, told_queue);
    put(&mut facts.node_group_roles, group_roles);
    put(&mut facts.webhook_ways, ways);
    if let Some(quotas) = quotas {
        [facts.cluster_quota, facts.provider_quota, facts.rule_quota] = quotas;
    }
}

/// The cluster, and what can be asked only once it is known: of AWS and of the Kubernetes API at the same time.
async fn ask_of_cluster(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    if topics.contains(&Topic::Cluster) {
        facts.cluster = cluster::cluster(context).await;
    }
    let (inside, outside): (BTreeSet<Topic>, BTreeSet<Topic>) =
        topics.iter().copied().filter(|t| t.needs_cluster()).partition(|t| t.in_cluster());
    let mut of_aws = facts.clone();
    tokio::join!(ask_aws_of_cluster(context, &outside, &mut of_aws), ask_kubernetes(context, &inside, facts));
    facts.take_topics(&of_aws, &outside);
}

/// What the Kubernetes API says, where it can be reached.
async fn ask_kubernetes(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    if topics.is_empty() {
        return;
    }
    match connect(context, &facts.cluster).await {
        Ok(kube) => {
            // Boxed, because it asks so many questions at once.
            Box::pin(ask_cluster(context, topics, facts, kube.as_ref())).await;
            ask_of_crds(context, topics, facts, kube.as_ref()).await;
        }
        Err(reason) => topics.iter().for_each(|t| facts.say_unavailable(*t, &reason)),
    }
}

/// What is asked of other ports than those of a context: of the workstation, of registries.
fn of_machine(topic: Topic) -> bool {
    matches!(topic, Topic::Clients | Topic::Programs | Topic::RegistryLogin | Topic::ChartTag)
}

/// What needs nothing but AWS and this machine: all at the same time.
async fn ask_aws(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let asked = |topic| topics.contains(&topic);
    let depth = if asked(Topic::Stack) { stack::Depth::Whole } else { stack::Depth::Status };
    let (caller, tools, stack, made, metrics, versions, spot, role, agent, users, association, entry, ami, shapes, holders) = tokio::join!(
        when(asked(Topic::Caller), account::caller(context)),
        when(asked(Topic::Tools), tools::tools(context)),
        when(asked(Topic::Stack) || asked(Topic::StackStatus), stack::stack(context, depth)),
        when(asked(Topic::ClusterStacks), cluster::made(context)),
        when(asked(Topic::MetricsServer), cluster::metrics_server(context)),
        when(asked(Topic::ClusterVersions), cluster::versions(context)),
        when(asked(Topic::SpotRole), account::spot_role(context)),
        when(asked(Topic::ControllerRole), identity::controller_role(context)),
        when(asked(Topic::PodIdentityAgent), identity::agent(context)),
        when(asked(Topic::AgentUsers), identity::agent_users(context)),
        when(asked(Topic::Association), identity::association(context)),
        when(asked(Topic::AccessEntry), identity::access_entry(context)),
        when(asked(Topic::Ami) && !asked(Topic::NodePool), network::ami_version(context)),
        when(asked(Topic::NodeGroupShapes), fleet::node_group_shapes(context)),
        when(asked(Topic::NodeRoleHolders), identity::node_role_holders(context)),
    );
    if let Some(holders) = holders {
        (facts.node_role, facts.node_role_ties) = holders;
    }
    put(&mut facts.caller, caller);
    put(&mut facts.stack, stack);
    put(&mut facts.metrics_server, metrics);
    put(&mut facts.cluster_versions, versions);
    put(&mut facts.spot_role, spot);
    if let Some((role, left)) = role {
        (facts.controller_role, facts.left_policies) = (role, left);
    }
    put(&mut facts.pod_identity_agent, agent);
    put(&mut facts.agent_users, users);
    put(&mut facts.association, association);
    put(&mut facts.access_entry, entry);
    put(&mut facts.ami_version, ami);
    put(&mut facts.node_group_shapes, shapes);
    if let Some((helm, eksctl)) = tools {
        (facts.helm, facts.eksctl) = (helm, eksctl);
    }
    if let Some(made) = made {
        (facts.eksctl_stack, facts.eksctl_node_group, facts.fargate_profile) = (made.stack, made.node_group, made.fargate_profile);
    }
}

/// What only a doctor asks of AWS.
async fn ask_aws_for_doctor(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let asked = |topic| topics.contains(&topic);
    let (caller, controller, node_role, summary, vcpus, network, selection, groups, fargate, ebs, secrets, amis, queue, clock) = tokio::join!(
        when(asked(Topic::CallerPermissions), permissions::of_caller(context, &facts.caller, &facts.cluster)),
        when(asked(Topic::ControllerPermissions), permissions::of_controller(context)),
        when(asked(Topic::NodeRole), identity::node_role(context)),
        when(asked(Topic::IamSummary), surroundings::iam_summary(context)),
        when(asked(Topic::Vcpus), quotas::vcpus(context)),
        when(asked(Topic::NetworkQuotas), quotas::network(context)),
        when(asked(Topic::Selection), surroundings::selection(context)),
        when(asked(Topic::NodeGroups), surroundings::node_groups(context)),
        when(asked(Topic::FargateSelectors), surroundings::fargate_selectors(context)),
        when(asked(Topic::Ebs), keys::volumes(context)),
        when(asked(Topic::SecretsKey), keys::secrets(context, &facts.cluster)),
        when(asked(Topic::AmiImage), surroundings::amis(context)),
        when(asked(Topic::Queue), surroundings::queue(context)),
        when(asked(Topic::Clock), account::clock(context.ports.aws.as_ref())),
    );
    put(&mut facts.caller_permissions, caller);
    put(&mut facts.controller_permissions, controller);
    put(&mut facts.node_role, node_role);
    put(&mut facts.iam_summary, summary);
    put(&mut facts.vcpus, vcpus);
    put(&mut facts.network_quotas, network);
    put(&mut facts.selection, selection);
    put(&mut facts.node_groups, groups);
    put(&mut facts.fargate_selectors, fargate);
    put(&mut facts.secrets_key, secrets);
    put(&mut facts.clock, clock);
    if let Some((ebs, key)) = ebs {
        (facts.ebs, facts.volume_key) = (ebs, key);
    }
    if let Some((amd, arm)) = amis {
        (facts.ami_image, facts.ami_image_arm) = (amd, arm);
    }
    if let Some((queue, rules)) = queue {
        (facts.queue, facts.queue_rules) = (queue, rules);
    }
}

/// What AWS can say only once the cluster is known.
async fn ask_aws_of_cluster(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts) {
    let asked = |topic| topics.contains(&topic);
    // A step is judged by routes only where karpctl chooses among subnets; a doctor asks for the endpoints, too.
    let chooses = network::chooses(context.spec);
    let (oidc, others, network, routes, endpoints, vpc, own, leftovers) = tokio::join!(
        when(asked(Topic::OidcProvider), identity::oidc_provider(context, &facts.cluster)),
        when(asked(Topic::EksctlOthers), cluster::others(context, &facts.cluster)),
        when(asked(Topic::Network), network::network(context, &facts.cluster)),
        when(asked(Topic::Routes) && (chooses || asked(Topic::Endpoints)), network::routes(context, &facts.cluster)),
        when(asked(Topic::Endpoints), network::endpoints(context, &facts.cluster)),
        when(asked(Topic::Vpc), network::vpc(context, &facts.cluster)),
        when(asked(Topic::OwnSubnets), network::own_subnets(context, &facts.cluster)),
        when(asked(Topic::Leftovers), earlier::leftovers(context, &facts.cluster)),
    );
    put(&mut facts.oidc_provider, oidc);
    put(&mut facts.eksctl_others, others);
    put(&mut facts.network, network);
    put(&mut facts.routes, routes);
    put(&mut facts.endpoints, endpoints);
    put(&mut facts.vpc, vpc);
    put(&mut facts.own_subnets, own);
    put(&mut facts.leftovers, leftovers);
}

/// What only the Kubernetes API can say.
async fn ask_cluster(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts, kube: &dyn Kube) {
    let asked = |topic| topics.contains(&topic);
    let (
        agent,
        users,
        releases,
        crds,
        aws_auth,
        pool,
        controller,
        nodes,
        room,
        neighbours,
        webhooks,
        entry,
        windows,
        custom,
        network_role,
        policies,
        origin,
        fleet,
        left,
    ) = tokio::join!(
        when(asked(Topic::AgentPods), identity::agent_pods(kube)),
        when(asked(Topic::ProviderUsers), identity::provider_users(kube)),
        when(asked(Topic::Crds) || asked(Topic::Chart), release::releases(context, kube)),
        when(asked(Topic::Crds), release::crds(context, kube)),
        when(asked(Topic::AwsAuth), identity::aws_auth(kube)),
        when(asked(Topic::NodePool), node_pool::node_pool(context, kube)),
        when(asked(Topic::Controller), controller::controller(context, kube)),
        when(asked(Topic::Nodes), node_pool::nodes(context, kube)),
        when(asked(Topic::Capacity), inside::nodes(context, kube)),
        when(asked(Topic::Neighbours), inside::neighbours(kube)),
        when(asked(Topic::Webhooks), inside::admission(context.spec, kube)),
        when(asked(Topic::Entry), inside::entry(kube, context.kubeconfig.is_some())),
        when(asked(Topic::WindowsIpam), inside::windows_ipam(kube)),
        when(asked(Topic::CustomNetworking), inside::custom_networking(context, kube)),
        when(asked(Topic::NetworkRole), identity::network_role(context, kube)),
        when(asked(Topic::Policies), inside::policies(context.spec, kube)),
        when(asked(Topic::Origin), origin::origin(context, kube)),
        when(asked(Topic::Fleet), fleet::fleet(context, kube)),
        when(asked(Topic::Outliving), inside::outliving(kube)),
    );
    if let Some((chart, crd)) = releases {
        if asked(Topic::Chart) {
            facts.chart_release = chart;
        }
        if asked(Topic::Crds) {
            facts.crd_release = crd;
        }
    }
    put(&mut facts.agent_pods, agent);
    put(&mut facts.provider_users, users);
    put(&mut facts.crds, crds);
    put(&mut facts.aws_auth, aws_auth);
    if let Some((pool, class)) = pool {
        (facts.node_pool, facts.node_class) = (pool, class);
    }
    put(&mut facts.controller, controller);
    put(&mut facts.karpenter_nodes, nodes);
    put(&mut facts.nodes, room);
    put(&mut facts.neighbours, neighbours);
    if let Some((webhooks, gates)) = webhooks {
        (facts.webhooks, facts.gates) = (webhooks, gates);
    }
    put(&mut facts.entry, entry);
    put(&mut facts.windows_ipam, windows);
    put(&mut facts.custom_networking, custom);
    put(&mut facts.network_role, network_role);
    put(&mut facts.policies, policies);
    put(&mut facts.origin, origin);
    put(&mut facts.fleet, fleet);
    put(&mut facts.outliving, left.map(told));
}

/// What can be asked only once the CRDs are known, or what is of them.
async fn ask_of_crds(context: &ProbeContext<'_>, topics: &BTreeSet<Topic>, facts: &mut Facts, kube: &dyn Kube) {
    let asked = |topic| topics.contains(&topic);
    let (trials, conversion, objects) = tokio::join!(
        when(asked(Topic::Trials), inside::trials(context.spec, facts, kube)),
        when(asked(Topic::Conversion), inside::conversion(kube, &facts.crds)),
        when(
            asked(Topic::Objects) || asked(Topic::ObjectsAtStake) && are_at_stake(context.spec, facts),
            inside::objects(context.spec, kube, &facts.crds)
        ),
    );
    put(&mut facts.trials, trials);
    put(&mut facts.conversion, conversion);
    put(&mut facts.objects, objects);
}

/// A connection to the cluster, or why there can be none.
async fn connect(context: &ProbeContext<'_>, cluster: &Probed<ClusterFacts>) -> Result<Arc<dyn Kube>, String> {
    let access = match (cluster, context.kubeconfig) {
        (Probed::Absent, _) => return Err(NOT_YET.into()),
        (_, Some(own)) => own.clone(),
        (Probed::Known(known), None) => eks_access(context.spec, known)?,
        (Probed::Unavailable(reason), None) => return Err(reason.clone()),
        (Probed::NotAsked, None) => return Err("the cluster was not looked at".into()),
    };
    context.ports.kube.connect(&access).await.map_err(|e| e.to_string())
}

/// Whether the wanted release may lose objects that the installed one works with.
fn are_at_stake(spec: &Spec, facts: &Facts) -> bool {
    let installed = facts.chart_release.known().and_then(|found| found.chart_version.parse::<Release>().ok());
    installed.is_some_and(|installed| spec.release.features().may_lose(installed.features()))
}

/// Why nothing can be known of what is inside a cluster that does not exist.
const NOT_YET: &str = "the cluster is not there yet";

fn eks_access(spec: &Spec, cluster: &ClusterFacts) -> Result<ClusterAccess, String> {
    if !matches!(cluster.status.as_str(), "ACTIVE" | "UPDATING") {
        return Err(format!("the cluster is {}", cluster.status));
    }
    match (&cluster.endpoint, &cluster.certificate_authority) {
        (Some(endpoint), Some(authority)) => Ok(ClusterAccess::Eks {
            name: spec.cluster_name.to_string(),
            endpoint: endpoint.clone(),
            certificate_authority: authority.clone(),
        }),
        _ => Err("EKS names no endpoint for the cluster".into()),
    }
}

async fn when<T>(asked: bool, question: impl Future<Output = T>) -> Option<T> {
    if asked { Some(question.await) } else { None }
}

fn put<T>(fact: &mut Probed<T>, answer: Option<Probed<T>>) {
    if let Some(answer) = answer {
        *fact = answer;
    }
}

/// An answer as a fact.
fn said<T>(answer: Result<Option<T>>) -> Probed<T> {
    match answer {
        Ok(Some(value)) => Probed::Known(value),
        Ok(None) => Probed::Absent,
        Err(error) => failed(&error),
    }
}

/// An answer of what is there in any case, as a fact.
fn told<T>(answer: Result<T>) -> Probed<T> {
    said(answer.map(Some))
}

/// An error as a fact.
fn failed<T>(error: &Error) -> Probed<T> {
    if error.kind == ErrorKind::NotFound { Probed::Absent } else { Probed::Unavailable(error.to_string()) }
}
