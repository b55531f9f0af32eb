//! What is known of each thing that was read.

use super::Probed;
use super::account::{RouteTableFacts, SecurityGroupFacts};
use crate::knowledge::{KubernetesVersion, ROLE_ANNOTATION, ToolVersion, value_at};
use crate::spec::{AccountId, Arn, IpFamily, SubnetId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Who asks AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The ARN as STS says it (a role appears as an assumed role).
    pub arn: Arn,
    /// For how many seconds the credentials were still good when that was asked, where the environment says when they end: nobody gives new
    /// ones in their place.
    #[serde(default)]
    pub good_for: Option<i64>,
}

/// The role of a session, by its name and by its ARN as far as the session's tells: without the role's path. `None`: it is no session of a role.
#[must_use]
pub fn role_of_session(arn: &str) -> Option<(&str, String)> {
    let (head, resource) = arn.rsplit_once(':')?;
    let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    Some((role, format!("{}:role/{role}", head.replace(":sts:", ":iam:"))))
}

/// A tool on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolFacts {
    /// The file that will be run.
    pub path: PathBuf,
    /// Its version.
    pub version: ToolVersion,
}

/// An EKS cluster.
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own, as EKS says it")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// `CREATING`, `ACTIVE`, `DELETING`, `FAILED`, `UPDATING`, `PENDING`.
    pub status: String,
    /// Its Kubernetes version, as EKS says it.
    pub version: KubernetesVersion,
    /// `CONFIG_MAP`, `API`, `API_AND_CONFIG_MAP`.
    pub authentication_mode: String,
    /// The API server's URL. `None` while it is being created.
    pub endpoint: Option<String>,
    /// The CA of the API server, base64 of PEM.
    pub certificate_authority: Option<String>,
    /// The OIDC issuer's URL.
    pub oidc_issuer: Option<String>,
    /// The VPC.
    pub vpc_id: Option<String>,
    /// The subnets of the control plane.
    pub subnet_ids: Vec<String>,
    /// The security group that EKS made.
    pub cluster_security_group_id: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether EKS Auto Mode manages its compute.
    pub auto_mode: bool,
    /// Whether EKS refuses to delete it.
    #[serde(default)]
    pub deletion_protection: bool,
    /// Whether the API server can be reached from outside the VPC.
    #[serde(default)]
    pub public_endpoint: bool,
    /// Whether it can be reached from within the VPC without leaving it.
    #[serde(default)]
    pub private_endpoint: bool,
    /// The ranges of addresses that the public endpoint answers. Empty where facts of an older karpctl do not say.
    #[serde(default)]
    pub public_ranges: Vec<String>,
    /// The KMS key that its secrets are encrypted with, where it is one of the account's own.
    #[serde(default)]
    pub secrets_key: Option<Arn>,
    /// Whether EKS upgrades it by itself when standard support ends, in place of extended support (`upgradePolicy` STANDARD).
    #[serde(default)]
    pub standard_support_only: bool,
    /// Whether ARC may shift its traffic away from a zone.
    #[serde(default)]
    pub zonal_shift: bool,
    /// The family of the addresses of its pods.
    #[serde(default)]
    pub ip_family: IpFamily,
    /// What EKS complains of.
    #[serde(default)]
    pub issues: Vec<String>,
}

impl ClusterFacts {
    /// Whether nodes can be let in by access entries.
    #[must_use]
    pub fn has_access_entries(&self) -> bool {
        self.authentication_mode.contains("API")
    }

    /// Whether nodes can be let in by the `aws-auth` `ConfigMap`.
    #[must_use]
    pub fn has_config_map(&self) -> bool {
        self.authentication_mode.contains("CONFIG_MAP")
    }
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// Its ARN.
    pub arn: Arn,
    /// The trust policy.
    pub trust: Value,
    /// The ARNs of the attached managed policies, sorted.
    pub policies: Vec<String>,
    /// The ARN of its permissions boundary.
    #[serde(default)]
    pub permissions_boundary: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What a role must be rid of before it can be deleted, and who works under it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleTies {
    /// The names of the policies that are written into it.
    pub inline_policies: Vec<String>,
    /// The names of the instance profiles that hold it.
    pub instance_profiles: Vec<String>,
    /// The ids of the instances that have one of these profiles and are not terminated.
    pub instances: Vec<String>,
}

/// An EKS Fargate profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateProfileFacts {
    /// `CREATING`, `ACTIVE`, `CREATE_FAILED`, …
    pub status: String,
    /// The namespaces whose pods it takes, whatever their labels.
    pub namespaces: Vec<String>,
}

/// An IAM OIDC provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcFacts {
    /// Its ARN.
    pub arn: Arn,
    /// The audiences (client ids) it takes.
    pub audiences: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An EKS add-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonFacts {
    /// `CREATING`, `ACTIVE`, `DEGRADED`, …
    pub status: String,
    /// Its version.
    pub version: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An EKS Pod Identity association.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociationFacts {
    /// Its id.
    pub id: String,
    /// The role that it gives.
    pub role_arn: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made or last changed, in seconds since 1970, by the clock of EKS.
    #[serde(default)]
    pub changed_at: Option<i64>,
}

/// An EKS access entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntryFacts {
    /// `STANDARD`, `EC2_LINUX`, `EC2_WINDOWS`, …
    pub kind: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub made: Option<i64>,
    /// When the role that has the name of its principal was made, in seconds since 1970. Absent: there is no such role.
    #[serde(default)]
    pub role_made: Probed<i64>,
}

/// An instance profile that a node class names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFacts {
    /// The role that it holds.
    pub role: Option<Arn>,
    /// The access entry of that role. Asked where the cluster knows access entries.
    #[serde(default)]
    pub entry: Probed<AccessEntryFacts>,
}

impl AccessEntryFacts {
    /// Whether it is of a role that is gone, and of none that has its name now. EKS keeps the unique id of the role with the entry, shows
    /// it to nobody, and lets in no other role (EKS API reference, `AccessEntry`, `principalArn`): only the times tell.
    #[must_use]
    pub fn is_of_earlier_role(&self) -> bool {
        match self.role_made {
            Probed::Absent => true,
            Probed::Known(role_made) => self.made.is_some_and(|made| made < role_made),
            Probed::NotAsked | Probed::Unavailable(_) => false,
        }
    }
}

/// The `aws-auth` `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsAuthFacts {
    /// The text of `mapRoles`, byte for byte. `None` where the key is missing.
    pub map_roles: Option<String>,
    /// For an update that must not overwrite somebody else's.
    pub resource_version: String,
}

/// The network that nodes are launched into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// The subnets of the cluster and of its managed node groups, or those that the spec names.
    pub subnets: Vec<SubnetFacts>,
    /// The ids of those that the managed node groups run in. Asked where karpctl chooses.
    #[serde(default)]
    pub of_node_groups: Probed<Vec<String>>,
    /// The cluster's security group and its tags.
    pub security_groups: BTreeMap<String, BTreeMap<String, String>>,
    /// The security groups with which the managed node groups' launch templates start nodes, and their tags. Asked where no group is tagged yet.
    #[serde(default)]
    pub launched_with: Probed<BTreeMap<String, BTreeMap<String, String>>>,
    /// The security groups of its VPC that carry the discovery tag with its name, where somebody else made the cluster.
    #[serde(default)]
    pub discovered: Vec<SecurityGroupFacts>,
    /// The subnets of its VPC that carry it.
    #[serde(default)]
    pub tagged: Vec<SubnetFacts>,
}

/// How many security groups a network interface has at most, unless its quota was raised (VPC User Guide, quotas).
pub const OF_INTERFACE: usize = 5;

/// Why subnets are those for nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubnetChoice {
    /// Somebody named them.
    Named,
    /// They carry the discovery tag with this cluster's name: by it nodes find them.
    Tagged,
    /// The managed node groups run in them, and none of these has a route to an internet gateway, or all have.
    NodeGroups,
    /// They are the cluster's, without a route to an internet gateway.
    Private,
    /// They are the cluster's, without a route to an internet gateway and with another that leads out, which others of it lack.
    LeadingOut,
    /// The cluster has no others.
    All,
}

impl NetworkFacts {
    /// The subnets that may be for nodes where nobody names any: those of the managed node groups, as in Karpenter's guide for clusters that are
    /// there; else the cluster's, which are those of its control plane.
    #[must_use]
    pub fn candidates(&self) -> Vec<&SubnetFacts> {
        let groups = self.of_node_groups.known().map(Vec::as_slice).unwrap_or_default();
        let of_groups: Vec<&SubnetFacts> = self.subnets.iter().filter(|s| groups.contains(&s.id)).collect();
        if of_groups.is_empty() { self.subnets.iter().collect() } else { of_groups }
    }

    /// The security groups that nodes are to have, with their tags, where `mark` is the tag of what was made for this cluster's nodes. Where none has
    /// the discovery tag, those of the managed node groups' launch templates, as in Karpenter's guide for clusters that are there; and the cluster's
    /// own, where none of them or of those that are tagged has the mark: load balancers refuse nodes with two groups that carry it.
    #[must_use]
    pub fn groups_for_nodes(&self, mark: &str) -> BTreeMap<&str, &BTreeMap<String, String>> {
        let is_other = |id: &str| !self.security_groups.contains_key(id);
        let of_templates = self.launched_with.known().filter(|_| self.discovered.is_empty()).into_iter().flatten();
        let mut groups: BTreeMap<&str, _> = of_templates.map(|(id, tags)| (id.as_str(), tags)).collect();
        let tagged = self.discovered.iter().map(|group| (group.id.as_str(), &group.tags));
        let others: Vec<_> = tagged.chain(groups.clone()).filter(|(id, _)| is_other(id)).collect();
        if others.len() < OF_INTERFACE && !others.iter().any(|(_, tags)| tags.contains_key(mark)) {
            groups.extend(self.security_groups.iter().map(|(id, tags)| (id.as_str(), tags)));
        }
        groups
    }

    /// The subnets that nodes are for, and why these: those that somebody named, as they are; else those that
    /// somebody, or an earlier run, chose and tagged: node groups that came later say nothing of where Karpenter's nodes go; else of the candidates the private ones, and all where
    /// there are none. Of the control plane's those that lead out come before those that do not: it needs no way out, and often has none.
    #[must_use]
    pub fn choice(&self, are_named: bool, routes: Option<&[RouteTableFacts]>) -> (Vec<&SubnetFacts>, SubnetChoice) {
        if are_named {
            return (self.subnets.iter().collect(), SubnetChoice::Named);
        }
        if !self.tagged.is_empty() {
            return (self.tagged.iter().collect(), SubnetChoice::Tagged);
        }
        let candidates = self.candidates();
        let private: Vec<&SubnetFacts> = candidates.iter().copied().filter(|s| !s.is_public(routes)).collect();
        let is_of_groups = self.of_node_groups.known().is_some_and(|groups| candidates.iter().any(|s| groups.contains(&s.id)));
        let leads_out = |s: &&SubnetFacts| routes.and_then(|tables| RouteTableFacts::of_subnet(tables, &s.id)).is_some_and(|t| t.leads_out);
        let leading: Vec<&SubnetFacts> = private.iter().copied().filter(leads_out).collect();
        match (is_of_groups, private.is_empty()) {
            (true, true) => (candidates, SubnetChoice::NodeGroups),
            (true, false) => (private, SubnetChoice::NodeGroups),
            (false, true) => (candidates, SubnetChoice::All),
            (false, false) if leading.is_empty() || leading.len() == private.len() => (private, SubnetChoice::Private),
            (false, false) => (leading, SubnetChoice::LeadingOut),
        }
    }

    /// The first of these subnets that EC2 does not know.
    #[must_use]
    pub fn missing<'a>(&self, named: &'a [SubnetId]) -> Option<&'a SubnetId> {
        named.iter().find(|id| !self.subnets.iter().any(|subnet| subnet.id == id.as_str()))
    }

    /// The subnets that nodes are for.
    #[must_use]
    pub fn for_nodes(&self, are_named: bool, routes: Option<&[RouteTableFacts]>) -> Vec<&SubnetFacts> {
        self.choice(are_named, routes).0
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetFacts {
    /// Its id.
    pub id: String,
    /// Its availability zone, by the name that it has in this account.
    pub zone: String,
    /// The same zone by the id that it has in every account: `use1-az3`. Empty where nobody says it.
    #[serde(default)]
    pub zone_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Addresses left.
    pub free_addresses: i32,
    /// Whether instances get a public address of themselves.
    #[serde(alias = "public")]
    pub gives_address: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl SubnetFacts {
    /// Whether it is a public one: its routes lead to an internet gateway. Many a VPC, of Terraform's module too, gives no address in its
    /// public subnets, so that the address tells only where no routes are known.
    #[must_use]
    pub fn is_public(&self, routes: Option<&[RouteTableFacts]>) -> bool {
        let table = routes.and_then(|tables| RouteTableFacts::of_subnet(tables, &self.id));
        table.map_or(self.gives_address, |table| table.to_internet_gateway)
    }
}

/// A helm release, read from where helm keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelmRelease {
    /// `deployed`, `failed`, `pending-install`, …
    pub status: String,
    /// The chart's name.
    pub chart: String,
    /// The chart's version.
    pub chart_version: String,
    /// The values that were given.
    pub values: Value,
    /// The revision.
    pub revision: u32,
    /// What helm says of it ("Upgrade \"karpenter\" failed: …").
    pub description: String,
}

impl HelmRelease {
    /// What a release of Karpenter's was given at a path (`settings.interruptionQueue`). `None`: nothing was.
    #[must_use]
    pub fn given(&self, path: &str) -> Option<&Value> {
        value_at(&self.values, path).filter(|value| !value.is_null() && *value != "")
    }

    /// The role that it gives the controller's service account by an annotation (IRSA).
    #[must_use]
    pub fn annotated_role(&self) -> Option<&str> {
        self.values["serviceAccount"]["annotations"][ROLE_ANNOTATION].as_str()
    }
}

/// A custom resource definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrdFacts {
    /// The helm release that owns it, `<namespace>/<name>`, where labels and annotations say so.
    pub helm_owner: Option<String>,
    /// Whether that release, where it is another than ours, is there and has the CRD still. `None`: not looked at, or could not be read.
    #[serde(default)]
    pub held: Option<bool>,
    /// The versions it serves.
    pub served: Vec<String>,
    /// The versions in which objects are stored.
    pub stored: Vec<String>,
    /// The fingerprint of its versions and their schemas, without what they say to people. `None`: it has no schema.
    #[serde(default)]
    pub schema: Option<String>,
    /// Where its conversion webhook is asked, where it has one behind a Service.
    #[serde(default)]
    pub conversion: Option<super::WebhookService>,
}

/// The controller's Deployment and pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerFacts {
    /// The namespace of the Deployment: another than the spec's where Karpenter runs only there.
    #[serde(default)]
    pub namespace: String,
    /// The helm release that owns the Deployment, `<namespace>/<name>`, where labels and annotations say so.
    #[serde(default)]
    pub helm_owner: Option<String>,
    /// What declares it and puts it back, where labels and annotations say so.
    #[serde(default)]
    pub declared: Option<Declared>,
    /// The role that its service account has by IRSA.
    #[serde(default)]
    pub role: Option<String>,
    /// Replicas asked for.
    pub desired: u32,
    /// Replicas ready.
    pub ready: u32,
    /// The image of the controller's container.
    pub image: String,
    /// Replicas for which the scheduler finds no node. Counted while not all are ready.
    #[serde(default)]
    pub without_node: u32,
    /// What its pods and events say, newest last, while it is not ready.
    pub complaints: Vec<String>,
    /// Its pods that are not led to credentials as the spec says: by Pod Identity those that are not led to its agent, by IRSA those that are.
    #[serde(default, alias = "without_credentials")]
    pub led_otherwise: Vec<PodFacts>,
}

/// An object of `GitOps` from which others in the cluster are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declared {
    /// Flux's `HelmRelease`, `<namespace>/<name>`.
    HelmRelease(String),
    /// Argo CD's Application, as its program takes it: the name, or `<namespace>/<name>`.
    Application(String),
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HelmRelease(name) => write!(f, "Flux's HelmRelease {name}"),
            Self::Application(name) => write!(f, "Argo CD's Application {name}"),
        }
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970, by the API server's clock.
    pub created_at: i64,
}

/// What Karpenter has launched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KarpenterNodes {
    /// Node pools (or Provisioners).
    pub pools: Vec<String>,
    /// Node classes (or `AWSNodeTemplate`s).
    pub classes: Vec<String>,
    /// Node claims (or Machines).
    pub claims: Vec<String>,
    /// Kubernetes nodes.
    pub nodes: Vec<String>,
    /// Those of the pools that karpctl applied.
    #[serde(default)]
    pub our_pools: Vec<String>,
    /// Those of the classes that karpctl applied.
    #[serde(default)]
    pub our_classes: Vec<String>,
    /// Those of the pools that a migration made for node groups.
    #[serde(default)]
    pub of_node_groups: Vec<String>,
}
