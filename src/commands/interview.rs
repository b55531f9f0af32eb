//! What `karpctl init` finds out, and what it asks.

use super::anywhere::{Anywhere, anywhere, meant};
use super::question::{choose, text};
use super::waiting::briefly;
use crate::app::App;
use crate::error::{Error, Result};
use crate::facts::{Caller, ClusterFacts, NetworkFacts, Probed, RouteTableFacts};
use crate::knowledge::{KubernetesVersion, Release, unknown_region};
use crate::ports::{Ports, Workstation as _};
use crate::shell::quoted;
use crate::spec::draft::Reasons;
use crate::spec::layer::{Layer, NodePoolLayer};
use crate::spec::resolve::Layers;
use crate::spec::{AccountId, ClusterName, Partition, Region};
use crate::steps::OWNER_TAG;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The name of a new cluster where nobody gives one.
const CLUSTER: &str = "demo";

/// The region that is proposed: of the partition of most, the guide's.
const fn usual_region(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => "us-west-2",
        other => other.region_of_iam(),
    }
}

/// Whether a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// What cannot be found out is asked.
    Ask,
    /// Nothing is: the usual answer is taken.
    Defaults,
}

/// What came of it.
pub(super) struct Found {
    /// The settings.
    pub(super) layer: Layer,
    /// Why they are so, by field.
    pub(super) reasons: Reasons,
    /// Whether AWS knows who asks.
    pub(super) signed_in: bool,
    /// The profile that was chosen.
    pub(super) profile: Option<String>,
    /// The Kubernetes of a cluster that is there.
    pub(super) kubernetes: Option<KubernetesVersion>,
}

/// An interview.
pub(super) struct Interview<'a> {
    app: &'a App,
    manner: Manner,
    /// The newest Kubernetes of which EKS creates clusters, where it was asked.
    creatable: Option<KubernetesVersion>,
    found: Found,
}

impl<'a> Interview<'a> {
    /// An interview that begins with what these layers say.
    pub(super) fn new(app: &'a App, manner: Manner, given: &Layers) -> Self {
        let layer = given.iter().rev().fold(Layer::default(), |below, (_, above)| over(above, below));
        let found = Found { layer, reasons: Reasons::new(), signed_in: false, profile: app.globals.profile.clone(), kubernetes: None };
        Self { app, manner, creatable: None, found }
    }

    /// Holds it.
    pub(super) async fn hold(mut self) -> Result<Found> {
        if let Some(region) = &self.found.layer.region {
            self.say_odd(region);
        }
        if self.found.profile.is_none() {
            self.found.profile = self.profile().await?;
        }
        let profile = self.found.profile.clone();
        let layer = &self.found.layer;
        // Who is asked which regions there are, while none is known.
        let Anywhere { ports, configured, .. } =
            anywhere(self.app, layer.region.as_deref(), layer.partition.as_deref(), profile.as_deref()).await?;
        let caller = match (&configured, self.manner) {
            (None, Manner::Defaults) => None,
            _ => Some(self.caller(&ports).await),
        };
        let signed_in = matches!(caller, Some(Ok(_)));
        // Of another partition's credentials that region knows nothing: it is said when the right one does not know them either.
        if let (Some(Err(e)), Some(_)) = (&caller, &configured) {
            self.say_unasked(e);
        }
        self.found.reasons.insert("region", "The AWS region: the cluster and everything else is made there.".into());
        if self.found.layer.region.is_none() {
            let region = self.region(&ports, configured.as_ref(), signed_in).await?;
            self.found.layer.region = Some(region);
        }
        // The region may be another one now, or the first that is known.
        let (ports, _) = self.app.connect_as(self.found.layer.region.as_deref(), profile.as_deref()).await?;
        let caller = if signed_in || configured.is_none() { Some(self.caller(&ports).await) } else { None };
        if let Some(Err(e)) = &caller {
            self.say_unasked(e);
        }
        let caller = caller.and_then(Result::ok);
        self.found.signed_in = caller.is_some();
        self.account(caller.as_ref().map(|c| &c.account)).await?;
        let cluster = self.cluster(&ports, caller.is_some()).await?;
        match &cluster {
            Some(cluster) => self.existing(&ports, cluster).await?,
            None if self.found.layer.existing_cluster == Some(true) => {}
            None => {
                if caller.is_some() {
                    // What EKS offers decides before what the release runs on.
                    let offered = self.asked("eks:DescribeClusterVersions", ports.aws.cluster_versions()).await.unwrap_or_default();
                    self.creatable = offered.into_iter().map(|offered| offered.version).max();
                }
                self.new_cluster().await?;
            }
        }
        self.release();
        self.capacity().await?;
        Ok(self.found)
    }

    /// What AWS says. One can do without it, so nobody waits long.
    async fn asked<T>(&self, what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        briefly(|line| self.app.printer.status(line), what, answer).await
    }

    async fn caller(&self, ports: &Ports) -> Result<Caller> {
        self.asked("sts:GetCallerIdentity", ports.aws.caller()).await
    }

    /// A slip of the hand is said before the first question, not after the last: a run would look for everything there.
    fn say_odd(&self, region: &str) {
        if let Some(odd) = unknown_region(region) {
            self.app.printer.status(&format!("note: {odd}"));
        }
    }

    /// The whole reason is long, and no more than a hint here.
    fn say_unasked(&self, e: &Error) {
        let profile = self.found.profile.as_ref().map(|profile| format!(" --profile {}", quoted(profile))).unwrap_or_default();
        self.app.printer.warn(&format!("AWS is not asked: {}; `karpctl doctor --only aws-credentials{profile}` says why", e.message));
    }

    /// Which profile, where there are several and nothing says which.
    async fn profile(&self) -> Result<Option<String>> {
        let machine = self.app.workstation();
        if self.manner == Manner::Defaults || ["AWS_PROFILE", "AWS_ACCESS_KEY_ID"].iter().any(|v| machine.variable(v).is_some()) {
            return Ok(None);
        }
        let profiles = self.app.profiles().await;
        if profiles.len() < 2 {
            // A single one that is not the default is never taken by itself.
            return Ok(profiles.into_iter().find(|p| p != "default"));
        }
        let usual = profiles.iter().position(|p| p == "default").unwrap_or(0);
        let place = choose(self.app, "Which AWS profile?", "Its account is the one that karpctl works in.", &profiles, usual).await?;
        Ok(profiles.get(place).filter(|p| *p != "default").cloned())
    }

    async fn region(&mut self, ports: &Ports, configured: Option<&Region>, signed_in: bool) -> Result<String> {
        if let Some(region) = configured {
            self.found.reasons.insert("region", "The AWS region, from the AWS configuration or this instance.".into());
            self.say_odd(region.as_str());
            self.app.printer.status(&format!("AWS region {region}, from the AWS configuration or this instance; --region names another."));
            return Ok(region.to_string());
        }
        if self.manner == Manner::Defaults {
            return Err(Error::usage("the AWS region is not known").hint("give --region REGION, AWS_REGION, or a profile that names one"));
        }
        let why = "The cluster and everything else is made there.";
        let usual = usual_region(meant(self.found.layer.partition.as_deref()));
        let listed = if signed_in { self.asked("ec2:DescribeRegions", ports.aws.regions()).await.unwrap_or_default() } else { Vec::new() };
        if listed.is_empty() {
            let twice = RefCell::new(String::new());
            let read = |t: &str| {
                let region = t.parse::<Region>().map_err(|e| e.to_string())?.to_string();
                match unknown_region(&region).filter(|_| twice.replace(region.clone()) != region) {
                    Some(odd) => Err(format!("{odd}; the same again takes it")),
                    None => Ok(region),
                }
            };
            return text(self.app, "Which AWS region?", why, usual, read).await;
        }
        let usual = listed.iter().position(|r| r == usual).unwrap_or(0);
        let place = choose(self.app, "Which AWS region?", why, &listed, usual).await?;
        Ok(listed[place].clone())
    }

    async fn account(&mut self, caller: Option<&AccountId>) -> Result<()> {
        let layer = &mut self.found.layer;
        if layer.account_id.is_none() {
            layer.account_id = match (caller, self.manner) {
                (Some(account), _) => Some(account.to_string()),
                (None, Manner::Defaults) => None,
                (None, Manner::Ask) => {
                    let why = "Twelve digits, or `none` to take the account of the credentials that a run has.";
                    let read = |t: &str| match t {
                        "none" => Ok(None),
                        other => other.parse::<AccountId>().map(|a| Some(a.to_string())).map_err(|e| e.to_string()),
                    };
                    text(self.app, "Which AWS account?", why, "none", read).await?
                }
            };
        }
        let reason = "A run with credentials of another account is refused.";
        self.found.reasons.insert("accountId", reason.into());
        Ok(())
    }

    /// The cluster's name, and the cluster where it is there.
    async fn cluster(&mut self, ports: &Ports, signed_in: bool) -> Result<Option<ClusterFacts>> {
        let listed = if signed_in {
            self.asked("eks:ListClusters", ports.aws.cluster_names()).await.unwrap_or_else(|e| {
                self.app.printer.warn(&format!("the clusters there are not known: {}", e.message));
                Vec::new()
            })
        } else {
            Vec::new()
        };
        if self.found.layer.cluster_name.is_none() && self.manner == Manner::Ask && !listed.is_empty() {
            let new = (self.found.layer.existing_cluster != Some(true)).then(|| "a new cluster".to_owned());
            let before = usize::from(new.is_some());
            let options: Vec<String> = new.into_iter().chain(listed.iter().cloned()).collect();
            let why = "One that is there is never changed in size or deleted.";
            let place = choose(self.app, "Which cluster gets Karpenter?", why, &options, 0).await?;
            self.found.layer.cluster_name = place.checked_sub(before).map(|p| listed[p].clone());
        }
        if self.found.layer.cluster_name.is_none() {
            self.found.layer.cluster_name = Some(self.name().await?);
        }
        self.found.reasons.insert("clusterName", "The EKS cluster; roles, queue and stack are named after it.".into());
        let name = self.found.layer.cluster_name.clone().unwrap_or_default();
        if self.found.layer.existing_cluster == Some(true) && !listed.is_empty() && !listed.contains(&name) {
            self.app.printer.warn(&format!("there is no cluster {name} among those of this account and region: {}", listed.join(", ")));
        }
        if !listed.contains(&name) {
            return Ok(None);
        }
        let described = self.asked("eks:DescribeCluster", ports.aws.cluster(&name)).await;
        Ok(described.unwrap_or_else(|e| {
            self.app
                .printer
                .warn(&format!("{name} is there, and what it is like is not known: {}; existingCluster is written down", e.message));
            self.is_there(&name, "");
            None
        }))
    }

    fn is_there(&mut self, name: &str, described: &str) {
        self.found.layer.existing_cluster = Some(true);
        let reason = format!("{name} was there before karpctl{described}: it is never created, resized or deleted.");
        self.found.reasons.insert("existingCluster", reason);
    }

    /// The name of a cluster that no list has: that of a new one, or of one that is there and could not be listed.
    async fn name(&self) -> Result<String> {
        let is_there = self.found.layer.existing_cluster == Some(true);
        let read = |t: &str| match t.parse::<ClusterName>() {
            // Said at once, not after the last answer.
            Ok(name) if !is_there && name.as_str().contains('_') => Err(format!("`{name}`: eksctl makes no cluster with `_` in its name")),
            Ok(name) => Ok(name.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match (self.manner, is_there) {
            (Manner::Defaults, true) => {
                Err(Error::usage("the name of the cluster that is there is not known").hint("give --cluster-name NAME"))
            }
            (Manner::Defaults, false) => Ok(CLUSTER.to_owned()),
            (Manner::Ask, true) => {
                text(self.app, "Which cluster gets Karpenter?", "It is there, and is never changed in size or deleted.", "", read).await
            }
            (Manner::Ask, false) => {
                let why = "Letters, digits, `-`; roles and the stack are named after it.";
                text(self.app, "What is the new cluster called?", why, CLUSTER, read).await
            }
        }
    }

    async fn existing(&mut self, ports: &Ports, cluster: &ClusterFacts) -> Result<()> {
        self.found.kubernetes = Some(cluster.version);
        let name = self.found.layer.cluster_name.clone().unwrap_or_default();
        if cluster.auto_mode {
            self.app
                .printer
                .warn(&format!("EKS Auto Mode manages {name}; `karpctl bootstrap` will refuse it: `karpctl explain auto-mode`"));
        }
        if cluster.tags.get(OWNER_TAG) == Some(&name) {
            return Ok(());
        }
        self.is_there(&name, &format!(" (Kubernetes {})", cluster.version));
        if self.found.layer.subnets.is_none() {
            let vpc = cluster.vpc_id.as_deref().unwrap_or_default();
            // Named here, those of the control plane would be meant.
            let groups = match self.asked("eks:DescribeNodegroup", ports.aws.node_group_subnets(&name)).await {
                Ok(groups) => groups,
                Err(e) => {
                    let why = format!("the subnets of the node groups of {name} are not known: {}", e.message);
                    self.app.printer.warn(&format!("{why}; no subnets are written down, and `karpctl bootstrap` looks again"));
                    return Ok(());
                }
            };
            let ids: Vec<String> = groups.iter().chain(cluster.subnet_ids.iter().filter(|id| !groups.contains(id))).cloned().collect();
            let network = NetworkFacts {
                subnets: self.asked("ec2:DescribeSubnets", ports.aws.subnets(&ids)).await.unwrap_or_default(),
                of_node_groups: Probed::Known(groups),
                security_groups: BTreeMap::new(),
                launched_with: Probed::NotAsked,
                discovered: Vec::new(),
                tagged: Vec::new(),
            };
            let routes = self.asked("ec2:DescribeRouteTables", ports.aws.route_tables(vpc)).await.ok();
            self.found.layer.subnets = self.subnets(&network, routes.as_deref()).await?;
        }
        Ok(())
    }

    /// The subnets for nodes: a question only where some are public and some are not.
    async fn subnets(&mut self, network: &NetworkFacts, routes: Option<&[RouteTableFacts]>) -> Result<Option<Vec<String>>> {
        let subnets = network.candidates();
        let of = |public: bool| subnets.iter().filter(|s| s.is_public(routes) == public).map(|s| s.id.clone()).collect::<Vec<_>>();
        let public = of(true);
        if of(false).is_empty() || public.is_empty() {
            return Ok(None);
        }
        let private: Vec<String> = network.for_nodes(false, routes).into_iter().map(|s| s.id.clone()).collect();
        let shown = |ids: &[String]| {
            let listed = subnets.iter().filter(|s| ids.contains(&s.id));
            listed.map(|s| format!("{} in {} with {} free addresses", s.id, s.zone, s.free_addresses)).collect::<Vec<_>>().join(", ")
        };
        let all: Vec<String> = subnets.iter().map(|s| s.id.clone()).collect();
        let options = [format!("private: {}", shown(&private)), format!("public: {}", shown(&public)), "all of them".to_owned()];
        let place = match self.manner {
            Manner::Defaults => 0,
            Manner::Ask => {
                let why = "A private subnet has no route to an internet gateway: nodes there are not reached from outside.";
                choose(self.app, "Which subnets are for nodes?", why, &options, 0).await?
            }
        };
        let (ids, which) = [(private, "private "), (public, "public "), (all, "")].into_iter().nth(place).unwrap_or_default();
        self.found.reasons.insert("subnets", format!("Nodes run in these {which}subnets of the cluster."));
        Ok(Some(ids))
    }

    async fn new_cluster(&mut self) -> Result<()> {
        let layer = &mut self.found.layer;
        let is_open = layer.fargate.is_none() && layer.node_group.is_none() && layer.identity.is_none() && layer.windows != Some(true);
        if is_open && self.manner == Manner::Ask {
            let options = ["two small nodes of a managed node group".to_owned(), "Fargate".to_owned()];
            let why = "It cannot run on the nodes that it makes itself. On Fargate it gets its AWS credentials by IRSA, and the cluster \
                       takes no Windows nodes.";
            if choose(self.app, "Where does the controller run?", why, &options, 0).await? == 1 {
                layer.fargate = Some(true);
            }
        }
        if layer.fargate == Some(true) {
            self.found.reasons.insert("fargate", "The controller runs on Fargate, and gets its AWS credentials by IRSA.".into());
        }
        Ok(())
    }

    /// The versions are written down, so that the same file makes the same cluster in a year.
    fn release(&mut self) {
        let layer = &mut self.found.layer;
        let wanted = self.found.kubernetes.or_else(|| layer.kubernetes_version.as_ref().and_then(|v| v.parse().ok()));
        let release = match &layer.karpenter_version {
            Some(given) => given.parse::<Release>().ok(),
            None => wanted.map_or_else(|| Some(Release::newest()), Release::default_for),
        };
        let Some(release) = release else { return };
        if layer.karpenter_version.is_none() {
            layer.karpenter_version = Some(release.to_string());
            let reason = match self.found.kubernetes {
                Some(version) => format!("The newest Karpenter that runs on Kubernetes {version}."),
                None => "The newest Karpenter that karpctl knows.".to_owned(),
            };
            self.found.reasons.insert("karpenterVersion", reason);
        }
        if self.found.kubernetes.is_none() && layer.kubernetes_version.is_none() && layer.existing_cluster != Some(true) {
            let newest = release.kubernetes_range().1;
            layer.kubernetes_version = Some(self.creatable.map_or(newest, |offered| offered.min(newest)).to_string());
            let which = if self.creatable.is_some() {
                format!("The newest Kubernetes that EKS offers and Karpenter {release} runs on.")
            } else {
                if !newest.offered_by_eks(jiff::Zoned::now().date()) {
                    let helps = "a newer --karpenter-version, or --existing-cluster";
                    self.app.printer.warn(&format!("EKS makes no cluster of Kubernetes {newest} any more, by its calendar: give {helps}"));
                }
                format!("The newest Kubernetes that Karpenter {release} runs on; EKS was not asked whether it offers it.")
            };
            self.found.reasons.insert("kubernetesVersion", format!("{which} Quoted: YAML reads 1.30 as 1.3."));
        }
    }

    async fn capacity(&mut self) -> Result<()> {
        if self.found.layer.node_pool.as_ref().is_some_and(|p| p.capacity_types.is_some()) {
            return Ok(());
        }
        let options = ["on-demand".to_owned(), "spot and on-demand".to_owned(), "spot".to_owned()];
        let place = match self.manner {
            Manner::Defaults => 0,
            Manner::Ask => {
                let why = "Spot costs less, and EC2 takes it back with two minutes' notice.";
                choose(self.app, "What capacity may Karpenter launch?", why, &options, 0).await?
            }
        };
        let types: &[&str] = [["on-demand"].as_slice(), &["spot", "on-demand"], &["spot"]][place];
        let pool = self.found.layer.node_pool.get_or_insert_with(NodePoolLayer::default);
        pool.capacity_types = Some(types.iter().map(|&t| t.to_owned()).collect());
        self.found
            .reasons
            .insert("nodePool", "What Karpenter may launch. Spot costs less, and EC2 takes it back with two minutes' notice.".into());
        Ok(())
    }
}

/// The settings of the upper layer, and those of the lower one where the upper says nothing.
fn over(above: &Layer, below: Layer) -> Layer {
    let (above, below) = (serde_json::to_value(above).unwrap_or_default(), serde_json::to_value(below).unwrap_or_default());
    let (serde_json::Value::Object(above), serde_json::Value::Object(mut merged)) = (above, below) else { return Layer::default() };
    merged.extend(above);
    serde_json::from_value(serde_json::Value::Object(merged)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_of_the_partition_is_proposed() {
        for partition in Partition::ALL {
            let region = usual_region(partition).parse().unwrap();
            assert_eq!(Partition::of_region(&region), partition, "{region}");
        }
    }
}
