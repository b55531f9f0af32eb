//! From layers to a [`Spec`]: the first source that gives a setting wins, and everything that is wrong is said at once.

use super::layer::{ElsewhereLayer, Layer, Source};
use super::{
    AccountId, AmiAlias, Architecture, Arn, Boundary, CapacityType, ChartSource, ClusterMode, ClusterName, ControllerCapacity, Elsewhere,
    GUIDE_CPU_LIMIT, Identity, InstanceProfileName, IpFamily, Namespace, NodeAccess, NodeGroup, NodePool, ObjectName, Partition, QueueName,
    Region, Spec, SubnetId, Vpc, VpcId,
};
use crate::error::{Error, Result};
use crate::knowledge::{KubernetesVersion, Release, unknown_region};
use std::str::FromStr;

/// The layers, first wins.
pub type Layers = [(Source, Layer)];

/// What AWS says, for what no layer gives.
#[derive(Debug, Clone, Default)]
pub struct Discovered {
    /// The region of the AWS configuration.
    pub region: Option<Region>,
    /// The account of the caller.
    pub account_id: Option<AccountId>,
    /// The partition of the caller.
    pub partition: Option<Partition>,
    /// The version of the cluster, where it exists.
    pub kubernetes: Option<KubernetesVersion>,
    /// Whether zonal shift is on for the cluster, where it exists.
    pub zonal_shift: Option<bool>,
    /// The newest Kubernetes of which EKS creates clusters.
    pub newest_creatable: Option<KubernetesVersion>,
}

/// A spec and what the person should know of how it came to be.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The spec.
    pub spec: Spec,
    /// Sentences: which source won where several gave a setting.
    pub notes: Vec<String>,
}

/// The cluster's name and region alone: what must be known before AWS can be asked for the rest.
pub fn locate(layers: &Layers, discovered: &Discovered) -> Result<(ClusterName, Region)> {
    let mut problems = Problems::default();
    let name = cluster_name(layers, &mut problems);
    let region = region(layers, discovered, &mut problems);
    match (name, region) {
        (Some(name), Some(region)) if problems.list.is_empty() => Ok((name, region)),
        _ => Err(problems.into_error(layers)),
    }
}

/// What becomes of a partition that is not the region's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OtherPartition {
    Refused,
    Kept,
}

/// How a spec comes to be.
pub type Resolving = fn(&Layers, &Discovered) -> Result<Resolved>;

/// The whole spec.
pub fn resolve(layers: &Layers, discovered: &Discovered) -> Result<Resolved> {
    settle(layers, discovered, OtherPartition::Refused)
}

/// The whole spec, for a doctor: nothing is made by it, and a partition that is not the region's is for a check to say.
pub fn resolve_to_judge(layers: &Layers, discovered: &Discovered) -> Result<Resolved> {
    settle(layers, discovered, OtherPartition::Kept)
}

fn settle(layers: &Layers, discovered: &Discovered, other: OtherPartition) -> Result<Resolved> {
    let mut p = Problems::default();
    let cluster_name = cluster_name(layers, &mut p);
    let region = region(layers, discovered, &mut p);
    if let Some(region) = region.as_ref().filter(|region| Partition::has_not(region)) {
        let known = Partition::ALL.map(Partition::as_str).join(", ");
        p.wrong(format!("region {region} is of a partition that karpctl does not render for: it knows {known}"));
    }
    let account_id = p.parsed(layers, "accountId", |l| l.account_id.as_deref()).or_else(|| discovered.account_id.clone());
    if account_id.is_none() && p.list.is_empty() {
        p.missing("the AWS account is not known", "give --account-id, or credentials that `aws sts get-caller-identity` accepts");
    }
    let partition = p
        .parsed(layers, "partition", |l| l.partition.as_deref())
        .or(discovered.partition)
        .or_else(|| region.as_ref().map(Partition::of_region));
    if let (Some(partition), Some(region)) = (partition, &region)
        && partition != Partition::of_region(region)
        && other == OtherPartition::Refused
    {
        p.wrong(format!(
            "partition {partition} has no region {region}: that is a region of {} (see --partition and AWS_PARTITION)",
            Partition::of_region(region)
        ));
    }
    let release = release(layers, discovered, &mut p);
    let kubernetes = p
        .parsed(layers, "kubernetesVersion", |l| l.kubernetes_version.as_deref())
        .or(discovered.kubernetes)
        .or_else(|| release.as_ref().map(|r| default_kubernetes(r, discovered.newest_creatable)));
    let features = release.as_ref().map(Release::features);
    let namespace: Option<Namespace> = p
        .parsed(layers, "namespace", |l| l.namespace.as_deref())
        .or_else(|| features.as_ref().and_then(|f| f.default_namespace.parse().ok()));
    let fargate = first(layers, |l| l.fargate).unwrap_or(false);
    let identity =
        p.choice(layers, "identity", |l| l.identity.as_deref(), &[Identity::PodIdentity, Identity::Irsa].map(|i| (i.as_str(), i)));
    let identity = identity.or_else(|| {
        // The Pod Identity agent is a DaemonSet, and Fargate runs none.
        features.as_ref().map(|f| if fargate { Identity::Irsa } else { Identity::usual(f) })
    });
    if fargate && identity == Some(Identity::PodIdentity) {
        p.wrong("identity pod-identity does not work with fargate: the Pod Identity agent cannot run there; use irsa".into());
    }
    let zonal_shift = first(layers, |l| l.zonal_shift);
    if let (Some(true), Some(false), Some(release)) = (zonal_shift, features.as_ref().map(|f| f.zonal_shift), &release) {
        let first = Release::first_with(|f| f.zonal_shift).unwrap_or_else(Release::newest);
        p.wrong(format!("zonalShift is not known to Karpenter {release}: it came with {first}"));
    }
    let node_access = p.choice(
        layers,
        "nodeAccess",
        |l| l.node_access.as_deref(),
        &[("aws-auth", NodeAccess::AwsAuth), ("access-entry", NodeAccess::AccessEntry), ("both", NodeAccess::Both)],
    );
    let existing = first(layers, |l| l.existing_cluster).unwrap_or(false);
    let mut notes = overridden(layers);
    notes.extend(node_group_beside_fargate(layers, &mut p));
    let capacity = if fargate { ControllerCapacity::Fargate } else { ControllerCapacity::NodeGroup(node_group(layers, &mut p)) };
    let node_pool = node_pool(layers, &mut p);
    let subnets = list::<SubnetId>(layers, "subnets", |l| l.subnets.as_deref(), &mut p);
    let vpc = vpc(layers, &mut p);
    let ip_family = p.choice(layers, "ipFamily", |l| l.ip_family.as_deref(), &[("ipv4", IpFamily::Ipv4), ("ipv6", IpFamily::Ipv6)]);
    let kms_key: Option<Arn> = p.parsed(layers, "kmsKey", |l| l.kms_key.as_deref());
    // Each key by itself: a tag that a flag adds takes none of the file's away.
    let tags = layers.iter().rev().filter_map(|(_, l)| l.tags.clone()).flatten().collect();
    p.list.extend(super::tags::problems(&tags));
    let permissions_boundary: Option<Boundary> = p.parsed(layers, "permissionsBoundary", |l| l.permissions_boundary.as_deref());
    let chart = chart(layers, &mut p);
    let made_elsewhere = elsewhere(layers, &mut p);
    notes.extend(region.as_ref().and_then(|region| unknown_region(region.as_str())));
    let (
        Some(cluster_name),
        Some(region),
        Some(account_id),
        Some(partition),
        Some(release),
        Some(kubernetes),
        Some(namespace),
        Some(identity),
    ) = (cluster_name, region, account_id, partition, release, kubernetes, namespace, identity)
    else {
        return Err(p.into_error(layers));
    };
    if !p.list.is_empty() {
        return Err(p.into_error(layers));
    }
    let private = first(layers, |l| l.private).unwrap_or(false);
    let usual = || release.features().zonal_shift_granted && !private && discovered.zonal_shift.unwrap_or(!existing);
    let zonal_shift = release.features().zonal_shift.then(|| zonal_shift.unwrap_or_else(usual));
    let spec = Spec {
        cluster_name,
        region,
        account_id,
        partition,
        release,
        kubernetes,
        namespace,
        identity,
        node_access,
        cluster: if existing { ClusterMode::Existing } else { ClusterMode::Managed },
        capacity,
        zonal_shift,
        private,
        windows: first(layers, |l| l.windows).unwrap_or(false),
        node_pool,
        subnets,
        vpc,
        ip_family: ip_family.unwrap_or_default(),
        kms_key,
        tags,
        permissions_boundary,
        chart,
        made_elsewhere,
    };
    spec.contradictions().into_iter().for_each(|what| p.wrong(what));
    if let Some(alias) = spec.kms_key.as_ref().filter(|key| key.service() == "kms" && !key.is_key()) {
        p.wrong(format!("kmsKey: {alias} is not a key's own ARN (…:key/…), by which IAM judges who may use it"));
        let query = "--query KeyMetadata.Arn --output text";
        p.hints.push(format!("`aws kms describe-key --region {} --key-id {alias} {query}` prints that of an alias", spec.region));
    }
    if p.list.is_empty() { Ok(Resolved { spec, notes }) } else { Err(p.into_error(layers)) }
}

/// The newest Kubernetes that the release runs on and EKS makes clusters of.
fn default_kubernetes(release: &Release, creatable: Option<KubernetesVersion>) -> KubernetesVersion {
    let (_, newest) = release.kubernetes_range();
    creatable.map_or(newest, |c| c.min(newest))
}

fn cluster_name(layers: &Layers, p: &mut Problems) -> Option<ClusterName> {
    let before = p.list.len();
    let name = p.parsed(layers, "clusterName", |l| l.cluster_name.as_deref());
    if name.is_none() && p.list.len() == before {
        p.missing(
            "the cluster has no name",
            "give --cluster-name NAME, CLUSTER_NAME, or clusterName in karpctl.yaml, which `karpctl init` writes",
        );
    }
    name
}

fn region(layers: &Layers, discovered: &Discovered, p: &mut Problems) -> Option<Region> {
    let before = p.list.len();
    let region = p.parsed(layers, "region", |l| l.region.as_deref()).or_else(|| discovered.region.clone());
    if region.is_none() && p.list.len() == before {
        p.missing("the AWS region is not known", "give --region REGION, AWS_REGION, or region in karpctl.yaml");
    }
    region
}

fn release(layers: &Layers, discovered: &Discovered, p: &mut Problems) -> Option<Release> {
    let before = p.list.len();
    let given = p.parsed(layers, "karpenterVersion", |l| l.karpenter_version.as_deref());
    if given.is_some() || p.list.len() > before {
        return given;
    }
    let named = |source: &Source, layer: &Layer| source.of("kubernetesVersion", layer);
    let wanted = layers.iter().find_map(|(source, layer)| Some((named(source, layer), layer.kubernetes_version.as_deref()?)));
    let kubernetes = discovered.kubernetes.or_else(|| wanted.as_ref().and_then(|(_, text)| text.parse().ok()));
    match kubernetes {
        None => Some(Release::newest()),
        Some(version) => Release::default_for(version).or_else(|| {
            let what = match wanted.filter(|_| discovered.kubernetes.is_none()) {
                Some((source, text)) => {
                    format!("kubernetesVersion (from {source}): no Karpenter release that karpctl knows fits Kubernetes `{text}`")
                }
                None => format!("no Karpenter release that karpctl knows fits Kubernetes {version}"),
            };
            p.missing(&what, "`karpctl versions` shows which fit; --karpenter-version takes one all the same");
            None
        }),
    }
}

/// The controller runs on Fargate or on a node group: one that is named where fargate is, or in what goes before that, is wrong. What goes
/// before a node group takes its place, and a note says so.
fn node_group_beside_fargate(layers: &Layers, p: &mut Problems) -> Option<String> {
    let (fargate, _) = layers.iter().find(|(_, layer)| layer.fargate.is_some()).filter(|(_, layer)| layer.fargate == Some(true))?;
    let (group, _) = layers.iter().find(|(_, layer)| layer.node_group.is_some())?;
    // Sources stand in the order in which they win.
    if fargate < group {
        return Some(format!("node group: {fargate} says fargate and wins over {group}, whose nodeGroup is not used"));
    }
    p.wrong("nodeGroup does not go with fargate: the controller of a new cluster runs on the one or on the other".into());
    None
}

fn node_group(layers: &Layers, p: &mut Problems) -> NodeGroup {
    let usual = NodeGroup::default();
    let group = NodeGroup {
        instance_type: first(layers, |l| l.node_group.as_ref()?.instance_type.clone()).unwrap_or(usual.instance_type),
        desired_capacity: first(layers, |l| l.node_group.as_ref()?.desired_capacity).unwrap_or(usual.desired_capacity),
        min_size: first(layers, |l| l.node_group.as_ref()?.min_size).unwrap_or(usual.min_size),
        max_size: first(layers, |l| l.node_group.as_ref()?.max_size).unwrap_or(usual.max_size),
    };
    if !(group.min_size <= group.desired_capacity && group.desired_capacity <= group.max_size && group.max_size > 0) {
        p.wrong(format!(
            "nodeGroup: minSize {} <= desiredCapacity {} <= maxSize {} does not hold",
            group.min_size, group.desired_capacity, group.max_size
        ));
    }
    let valid = |t: &str| {
        t.split_once('.').is_some_and(|(family, size)| {
            !family.is_empty()
                && !size.is_empty()
                && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-')
        })
    };
    if !valid(&group.instance_type) {
        p.wrong(format!("nodeGroup.instanceType: `{}` is not an instance type such as m5.large", group.instance_type));
    }
    group
}

fn node_pool(layers: &Layers, p: &mut Problems) -> NodePool {
    let name: Option<ObjectName> = p.parsed(layers, "nodePool.name", |l| l.node_pool.as_ref()?.name.as_deref());
    NodePool {
        name: name.unwrap_or_else(|| "default".parse().expect("a valid name")),
        capacity_types: p.choices(
            first(layers, |l| l.node_pool.as_ref()?.capacity_types.as_deref()),
            "nodePool.capacityTypes",
            &[("spot", CapacityType::Spot), ("on-demand", CapacityType::OnDemand)],
        ),
        architectures: p.choices(
            first(layers, |l| l.node_pool.as_ref()?.architectures.as_deref()),
            "nodePool.architectures",
            &[("amd64", Architecture::Amd64), ("arm64", Architecture::Arm64)],
        ),
        cpu_limit: first(layers, |l| l.node_pool.as_ref()?.cpu_limit).unwrap_or(GUIDE_CPU_LIMIT),
        ami_alias: p.parsed::<AmiAlias>(layers, "nodePool.amiAlias", |l| l.node_pool.as_ref()?.ami_alias.as_deref()),
        keep: first(layers, |l| l.node_pool.as_ref()?.keep).unwrap_or(false),
        volume_key: p.parsed::<Arn>(layers, "nodePool.volumeKey", |l| l.node_pool.as_ref()?.volume_key.as_deref()),
    }
}

fn vpc(layers: &Layers, p: &mut Problems) -> Option<Vpc> {
    first(layers, |l| l.vpc.as_ref())?;
    let id: Option<VpcId> = p.parsed(layers, "vpc.id", |l| l.vpc.as_ref()?.id.as_deref());
    let private_subnets = list(layers, "vpc.privateSubnets", |l| l.vpc.as_ref()?.private_subnets.as_deref(), p);
    let public_subnets = list(layers, "vpc.publicSubnets", |l| l.vpc.as_ref()?.public_subnets.as_deref(), p);
    Some(Vpc { id, private_subnets, public_subnets })
}

fn chart(layers: &Layers, p: &mut Problems) -> ChartSource {
    let usual = ChartSource::default();
    let repository = first(layers, |l| l.chart.as_ref()?.repository.clone()).unwrap_or(usual.repository);
    let rest = repository.strip_prefix("oci://").unwrap_or_default();
    if rest.is_empty() || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        p.wrong(format!("chart.repository: `{repository}` is not an OCI reference such as oci://public.ecr.aws/karpenter"));
    }
    ChartSource {
        repository: repository.trim_end_matches('/').to_owned(),
        registry_config: first(layers, |l| l.chart.as_ref()?.registry_config.clone()).map(Into::into),
        values: first(layers, |l| l.chart.as_ref()?.values.clone()).unwrap_or_default(),
        digest: p.parsed(layers, "chart.digest", |l| l.chart.as_ref()?.digest.as_deref()),
        crd_digest: p.parsed(layers, "chart.crdDigest", |l| l.chart.as_ref()?.crd_digest.as_deref()),
    }
}

fn elsewhere(layers: &Layers, p: &mut Problems) -> Option<Box<Elsewhere>> {
    first(layers, |l| l.made_elsewhere.as_ref())?;
    let before = p.list.len();
    let node_role: Option<Arn> = p.parsed(layers, "madeElsewhere.nodeRole", |l| l.made_elsewhere.as_ref()?.node_role.as_deref());
    let controller_role: Option<Arn> =
        p.parsed(layers, "madeElsewhere.controllerRole", |l| l.made_elsewhere.as_ref()?.controller_role.as_deref());
    if (node_role.is_none() || controller_role.is_none()) && p.list.len() == before {
        p.wrong("madeElsewhere names roles that another tool keeps: nodeRole and controllerRole, an ARN each".into());
    }
    let instance_profile: Option<InstanceProfileName> =
        p.parsed(layers, "madeElsewhere.instanceProfile", |l| l.made_elsewhere.as_ref()?.instance_profile.as_deref());
    let queue: Option<QueueName> =
        p.parsed(layers, "madeElsewhere.interruptionQueue", |l| l.made_elsewhere.as_ref()?.interruption_queue.as_deref());
    let text = |get: fn(&ElsewhereLayer) -> Option<&String>| first(layers, |l| get(l.made_elsewhere.as_ref()?).cloned());
    Some(Box::new(Elsewhere {
        by: text(|e| e.by.as_ref()).unwrap_or_else(|| "another tool".into()),
        node_role: node_role?,
        controller_role: controller_role?,
        instance_profile: instance_profile.map(|name| name.to_string()),
        queue,
    }))
}

/// The first layer that gives a setting.
fn first<'a, T>(layers: &'a Layers, get: impl Fn(&'a Layer) -> Option<T>) -> Option<T> {
    layers.iter().find_map(|(_, layer)| get(layer))
}

fn list<'a, T: FromStr<Err: std::fmt::Display>>(
    layers: &'a Layers,
    what: &str,
    get: impl Fn(&'a Layer) -> Option<&'a [String]>,
    p: &mut Problems,
) -> Vec<T> {
    p.filled(what, first(layers, get)).iter().filter_map(|text| text.parse().map_err(|e| p.wrong(format!("{what}: {e}"))).ok()).collect()
}

/// A sentence for each scalar that several sources give differently.
fn overridden(layers: &Layers) -> Vec<String> {
    type Get = fn(&Layer) -> Option<&str>;
    let settings: [(&str, &str, Get); 12] = [
        ("cluster name", "clusterName", |l| l.cluster_name.as_deref()),
        ("region", "region", |l| l.region.as_deref()),
        ("account id", "accountId", |l| l.account_id.as_deref()),
        ("partition", "partition", |l| l.partition.as_deref()),
        ("Karpenter version", "karpenterVersion", |l| l.karpenter_version.as_deref()),
        ("Kubernetes version", "kubernetesVersion", |l| l.kubernetes_version.as_deref()),
        ("namespace", "namespace", |l| l.namespace.as_deref()),
        ("AMI alias", "nodePool.amiAlias", |l| l.node_pool.as_ref()?.ami_alias.as_deref()),
        ("identity", "identity", |l| l.identity.as_deref()),
        ("node access", "nodeAccess", |l| l.node_access.as_deref()),
        ("permissions boundary", "permissionsBoundary", |l| l.permissions_boundary.as_deref()),
        ("zonal shift", "zonalShift", |l| l.zonal_shift.map(|on| if on { "true" } else { "false" })),
    ];
    let mut notes = Vec::new();
    for (what, field, get) in settings {
        let given: Vec<(String, &str)> = layers.iter().filter_map(|(s, l)| get(l).map(|v| (s.of(field, l), v))).collect();
        let Some(((winner, value), others)) = given.split_first() else { continue };
        for (source, other) in others.iter().filter(|(_, v)| v != value) {
            notes.push(format!("{what}: {winner} says `{value}` and wins over {source}, which says `{other}`"));
        }
    }
    notes
}

#[derive(Default)]
struct Problems {
    list: Vec<String>,
    hints: Vec<String>,
}

impl Problems {
    fn wrong(&mut self, what: String) {
        self.list.push(what);
    }

    fn missing(&mut self, what: &str, hint: &str) {
        self.list.push(what.to_owned());
        self.hints.push(hint.to_owned());
    }

    fn parsed<'a, T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        layers: &'a Layers,
        what: &str,
        get: impl Fn(&'a Layer) -> Option<&'a str>,
    ) -> Option<T> {
        let (source, text) = layers.iter().find_map(|(s, l)| get(l).map(|t| (s.of(what, l), t)))?;
        text.parse().map_err(|e| self.wrong(format!("{what} (from {source}): {e}"))).ok()
    }

    fn choice<'a, T: Copy>(
        &mut self,
        layers: &'a Layers,
        what: &str,
        get: impl Fn(&'a Layer) -> Option<&'a str>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (source, text) = layers.iter().find_map(|(s, l)| get(l).map(|t| (s.of(what, l), t)))?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(format!("{what} (from {source}): `{text}` is not one of {}", names(choices)));
        }
        found
    }

    /// A list that is given has something in it: what none would mean, nobody could tell.
    fn filled<'a>(&mut self, what: &str, given: Option<&'a [String]>) -> &'a [String] {
        if given.is_some_and(<[String]>::is_empty) {
            self.wrong(format!("{what} is an empty list: name one or more, or leave the field out"));
        }
        given.unwrap_or_default()
    }

    fn choices<T: Copy>(&mut self, given: Option<&[String]>, what: &str, choices: &[(&str, T)]) -> Vec<T> {
        let mut out = Vec::new();
        for text in self.filled(what, given) {
            match choices.iter().find(|(name, _)| name == text) {
                Some((_, value)) => out.push(*value),
                None => self.wrong(format!("{what}: `{text}` is not one of {}", names(choices))),
            }
        }
        out
    }

    fn into_error(self, layers: &Layers) -> Error {
        let place = |sentence: &str| layers.iter().find_map(|(_, layer)| layer.written.as_ref()?.of_sentence(sentence));
        let mut list = self.list.into_iter();
        let error = match (list.next(), list.len()) {
            (None, _) => Error::usage("the spec is not complete"),
            (Some(only), 0) => {
                let place = place(&only);
                place.into_iter().fold(Error::usage(only), Error::because)
            }
            (Some(one), more) => {
                let error = Error::usage(format!("{} settings are not right", more + 1));
                let placed = |sentence: String| place(&sentence).map_or(sentence.clone(), |place| format!("{sentence}\n{place}"));
                std::iter::once(one).chain(list).map(placed).fold(error, Error::because)
            }
        };
        self.hints.into_iter().fold(error, Error::hint)
    }
}

fn names<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
