//! The node class and the node pool.

use super::template::{Functions, fill, read};
use crate::error::{Error, Result};
use crate::knowledge::{NodePoolApi, is_node_tag, node_volumes};
use crate::spec::{AmiAlias, Architecture, CapacityType, DISCOVERY_TAG, ObjectName, Spec, SubnetId};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The AMI family of nodes, as an alias names it (`al2`, `al2023`): what the spec says, else the guide's, where EKS makes images of
/// it for the cluster's Kubernetes version.
#[must_use]
pub fn ami_family(spec: &Spec) -> String {
    if let Some(alias) = &spec.node_pool.ami_alias {
        return alias.family().to_owned();
    }
    let guide = spec.release.features().ami_alias_family.as_deref().unwrap_or("al2");
    if spec.kubernetes.has_ami_family(guide) { guide } else { "al2023" }.to_owned()
}

/// The architectures whose nodes the node pool takes.
#[must_use]
pub fn pool_architectures(spec: &Spec) -> Vec<Architecture> {
    let (own, guide) = (&spec.node_pool.architectures, &spec.release.features().architectures);
    let takes = |a: &Architecture| own.contains(a) || own.is_empty() && (guide.is_empty() || guide.iter().any(|name| name == a.as_str()));
    [Architecture::Amd64, Architecture::Arm64].into_iter().filter(takes).collect()
}

/// The public SSM parameter by which Karpenter finds the alias's image of this architecture (`pkg/providers/amifamily` at v1.14.1).
/// `None`: the release knows no aliases, or there is none of this family for this architecture.
#[must_use]
pub fn ami_parameter(spec: &Spec, architecture: Architecture) -> Option<String> {
    if spec.release.features().node_pool_api != NodePoolApi::V1 {
        return None;
    }
    let arm = architecture == Architecture::Arm64;
    let machine = if arm { "arm64" } else { "x86_64" };
    let family = ami_family(spec);
    let version = spec.node_pool.ami_alias.as_ref().map_or("latest", AmiAlias::version);
    let (kubernetes, latest) = (spec.kubernetes, version == "latest");
    let named = |image: String| if latest { "recommended".to_owned() } else { image };
    Some(match family.as_str() {
        "al2023" => {
            let image = named(format!("amazon-eks-node-al2023-{machine}-standard-{kubernetes}-{version}"));
            format!("/aws/service/eks/optimized-ami/{kubernetes}/amazon-linux-2023/{machine}/standard/{image}/image_id")
        }
        "al2" => {
            let (folder, node) = if arm { ("amazon-linux-2-arm64", "arm64-node") } else { ("amazon-linux-2", "node") };
            let image = named(format!("amazon-eks-{node}-{kubernetes}-{version}"));
            format!("/aws/service/eks/optimized-ami/{kubernetes}/{folder}/{image}/image_id")
        }
        "bottlerocket" => {
            format!("/aws/service/bottlerocket/aws-k8s-{kubernetes}/{machine}/{}/image_id", version.trim_start_matches('v'))
        }
        _ if arm => return None,
        windows => {
            let year = windows.trim_start_matches("windows");
            format!("/aws/service/ami-windows-latest/Windows_Server-{year}-English-Core-EKS_Optimized-{kubernetes}/image_id")
        }
    })
}

/// The node class and the node pool, as YAML. `ami_version` is the version that AWS recommends of [`ami_family`].
pub fn node_pool_yaml(spec: &Spec, ami_version: Option<&str>) -> Result<String> {
    let features = spec.release.features();
    let pool = &spec.node_pool;
    let family = ami_family(spec);
    let api = features.node_pool_api;
    let alias = pool.ami_alias.as_ref();
    let template = match api {
        NodePoolApi::V1 => "node-pool/v1.yaml.j2",
        NodePoolApi::V1Beta1 => "node-pool/v1beta1.yaml.j2",
        NodePoolApi::V1Alpha5 => "node-pool/v1alpha5.yaml.j2",
    };
    if api != NodePoolApi::V1 {
        refuse_pinned(spec, alias)?;
    }
    if spec.private && api != NodePoolApi::V1Alpha5 && !features.node_class_instance_profile {
        let release = &spec.release;
        return Err(Error::usage(format!("Karpenter {release} cannot run nodes in a private cluster"))
            .because("its node class names a role only, and making an instance profile of it needs the IAM API")
            .hint(format!("take Karpenter {}", release.latest_patch())));
    }
    let values = json!({
        "name": pool.name,
        "cluster_name": spec.cluster_name,
        "discovery_tag": DISCOVERY_TAG,
        "role": spec.node_role_name(),
        "instance_profile": spec.private.then(|| spec.instance_profile_name()),
        "subnets": spec.node_subnets(),
        "security_groups": [],
        "hop_limit": null,
        "ami_family": family_name(api, alias, &family),
        "ami_alias": alias.map_or_else(|| format!("{family}@{}", ami_version.unwrap_or("latest")), ToString::to_string),
        "os": if family.starts_with("windows") { "windows" } else { "linux" },
        "architectures": or_guide(&pool.architectures, &features.architectures),
        "capacity_types": or_guide(&pool.capacity_types, &features.capacity_types),
        "cpu_limit": pool.cpu_limit,
        "consolidation": features.consolidation,
        "tags": node_tags(spec),
        "volume_key": pool.volume_key,
        "volumes": node_volumes(&family),
        "sized": false,
        "shape": null,
    });
    fill(template, Functions::Short, &values)
}

/// A node pool and its node class that make the nodes of a node group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolShape {
    /// The name of both objects.
    pub name: ObjectName,
    /// The node group, as a label on both objects says it.
    pub node_group: String,
    /// The AMI.
    pub ami: AmiAlias,
    /// `amd64`, `arm64`.
    pub architectures: Vec<Architecture>,
    /// `spot`, `on-demand`.
    pub capacity_type: CapacityType,
    /// The EC2 instance types.
    pub instance_types: Vec<String>,
    /// The availability zones.
    pub zones: Vec<String>,
    /// The subnets.
    pub subnets: Vec<SubnetId>,
    /// The security groups. None: those with the discovery tag.
    pub security_groups: Vec<String>,
    /// How many hops answers of the instance metadata may make. `None`: what Karpenter takes.
    pub hop_limit: Option<u32>,
    /// The labels of the nodes.
    pub labels: BTreeMap<String, String>,
    /// The taints of the nodes.
    pub taints: Vec<PoolTaint>,
    /// The taints of nodes that start, which something else takes off.
    pub startup_taints: Vec<PoolTaint>,
    /// The most vCPUs of all its nodes.
    pub cpu_limit: u64,
    /// The most memory of all its nodes, in MiB.
    pub memory_limit_mib: u64,
    /// The disk that pods use.
    pub disk: PoolDisk,
    /// How early it is asked for a node, 1 to 100. `None`: after all that say so.
    pub weight: Option<u32>,
    /// Whether its nodes stay though fewer would do.
    pub keeps_nodes: bool,
    /// After how long without need they go. `None`: as karpctl's own pool has it. Only in the v1 API.
    pub consolidate_after: Option<String>,
}

/// The disk that pods use. What is `None` is as Karpenter, or karpctl, has it otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolDisk {
    /// Its size in GiB.
    pub gib: Option<u32>,
    /// `gp3`, `io2`, …
    pub kind: Option<String>,
    /// I/O operations per second.
    pub iops: Option<u32>,
    /// MiB per second.
    pub throughput: Option<u32>,
    /// The KMS key that encrypts it and the disk of the system.
    pub key: Option<String>,
}

/// A taint as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolTaint {
    /// Its key.
    pub key: String,
    /// Its value; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `NoExecute`, `PreferNoSchedule`.
    pub effect: &'static str,
}

/// The label by which a node pool and a node class name the node group that they were made for.
pub const NODE_GROUP_LABEL: &str = "karpctl.dev/node-group";

/// The node class and the node pool of a shape, as YAML. Only for APIs with node pools: a Provisioner knows no node class of its own.
pub fn shaped_pool_yaml(spec: &Spec, shape: &PoolShape) -> Result<String> {
    let api = spec.release.features().node_pool_api;
    let template = match api {
        NodePoolApi::V1 => "node-pool/v1.yaml.j2",
        NodePoolApi::V1Beta1 => "node-pool/v1beta1.yaml.j2",
        NodePoolApi::V1Alpha5 => {
            let release = &spec.release;
            return Err(Error::refused(format!("Karpenter {release} has no node pools: its Provisioners are not made for node groups"))
                .hint("take a release with node pools: `karpctl versions` shows them, --karpenter-version names one"));
        }
    };
    let family = shape.ami.family();
    let mut volumes = json!(node_volumes(family));
    // What pods write goes to the last.
    let disk = &shape.disk;
    if let Some(last) = volumes.as_array_mut().and_then(|all| all.last_mut()) {
        let set = [
            ("size", disk.gib.map(|gib| json!(format!("{gib}Gi")))),
            ("kind", disk.kind.as_ref().map(|kind| json!(kind))),
            ("iops", disk.iops.map(|iops| json!(iops))),
            ("throughput", disk.throughput.map(|throughput| json!(throughput))),
        ];
        for (field, value) in set {
            if let Some(value) = value {
                last[field] = value;
            }
        }
    }
    let values = json!({
        "name": shape.name,
        "cluster_name": spec.cluster_name,
        "discovery_tag": DISCOVERY_TAG,
        "role": spec.node_role_name(),
        "instance_profile": spec.private.then(|| spec.instance_profile_name()),
        "subnets": shape.subnets,
        "security_groups": shape.security_groups,
        "hop_limit": shape.hop_limit,
        "ami_family": family_name(api, Some(&shape.ami), family),
        "ami_alias": shape.ami,
        "os": if shape.ami.is_windows() { "windows" } else { "linux" },
        "architectures": shape.architectures,
        "capacity_types": [shape.capacity_type],
        "cpu_limit": shape.cpu_limit,
        "tags": node_tags(spec),
        "volume_key": disk.key.clone().or_else(|| spec.node_pool.volume_key.as_ref().map(ToString::to_string)),
        "volumes": volumes,
        "sized": *disk != PoolDisk::default(),
        "shape": {
            "marks": {NODE_GROUP_LABEL: shape.node_group},
            "instance_types": shape.instance_types,
            "zones": shape.zones,
            "labels": shape.labels,
            "taints": shape.taints,
            "startup_taints": shape.startup_taints,
            "memory_limit": format!("{}Mi", shape.memory_limit_mib),
            "weight": shape.weight,
            "keeps_nodes": shape.keeps_nodes,
            "consolidate_after": shape.consolidate_after,
        },
    });
    fill(template, Functions::Short, &values)
}

/// [`shaped_pool_yaml`] as JSON: the node class, then the node pool.
pub fn shaped_pool(spec: &Spec, shape: &PoolShape) -> Result<[Value; 2]> {
    let objects = read("node-pool", &shaped_pool_yaml(spec, shape)?)?;
    <[Value; 2]>::try_from(objects).map_err(|_| Error::failed("cannot render the node pool: it is not one node class and one node pool"))
}

/// [`node_pool_yaml`] as JSON: the node class, then the node pool.
pub fn node_pool(spec: &Spec, ami_version: Option<&str>) -> Result<Vec<Value>> {
    read("node-pool", &node_pool_yaml(spec, ami_version)?)
}

/// Before v1 a node class names a family and always gets its recommended image.
fn refuse_pinned(spec: &Spec, alias: Option<&AmiAlias>) -> Result<()> {
    let Some(alias) = alias.filter(|alias| alias.version() != "latest") else { return Ok(()) };
    Err(Error::usage(format!("Karpenter {} cannot pin the AMI {alias}", spec.release))
        .because("its node classes know no AMI aliases; they name a family and take its recommended image")
        .hint(format!("use `{}@latest`, or Karpenter 1.0 or newer", alias.family())))
}

/// The family as `amiFamily` names it. The oldest API leaves it out unless somebody says otherwise, as its guides do.
fn family_name(api: NodePoolApi, alias: Option<&AmiAlias>, family: &str) -> Option<String> {
    if api == NodePoolApi::V1Alpha5 && alias.is_none() {
        return None;
    }
    let name = match family {
        "al2" => "AL2",
        "al2023" => "AL2023",
        "bottlerocket" => "Bottlerocket",
        "ubuntu" => "Ubuntu",
        "windows2019" => "Windows2019",
        "windows2022" => "Windows2022",
        other => other,
    };
    Some(name.to_owned())
}

/// The spec's tags, without those that Karpenter puts on nodes itself.
fn node_tags(spec: &Spec) -> BTreeMap<&String, &String> {
    spec.tags.iter().filter(|(key, _)| is_node_tag(key)).collect()
}

/// What the spec lists, else what the guide lists.
fn or_guide<T: Serialize>(wanted: &[T], guide: &[String]) -> Value {
    if wanted.is_empty() { json!(guide) } else { json!(wanted) }
}
