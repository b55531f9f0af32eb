//! Settings that are right one by one and do not go together.

use super::{Architecture, ClusterMode, ControllerCapacity, Identity, IpFamily, Spec};
use crate::knowledge::{Features, Release};

impl Spec {
    /// What does not go together, as sentences.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.of_the_cluster(&mut all);
        self.of_the_identity(&mut all);
        self.of_the_network(&mut all);
        self.of_the_image(&mut all);
        self.of_arns(&mut all);
        all
    }

    fn of_the_cluster(&self, all: &mut Vec<String>) {
        if self.cluster == ClusterMode::Existing {
            for (setting, given) in
                [("vpc", self.vpc.is_some()), ("ipFamily", self.ip_family == IpFamily::Ipv6), ("kmsKey", self.kms_key.is_some())]
            {
                if given {
                    all.push(format!("{setting} is decided when a cluster is made, and existingCluster says that it is there"));
                }
            }
            if self.capacity == ControllerCapacity::Fargate {
                all.push(format!(
                    "fargate: eksctl makes the profile together with the cluster, and existingCluster says that it is there; make one for the namespace {} (eksctl create fargateprofile), and say identity irsa instead of fargate",
                    self.namespace
                ));
            }
        } else if !self.subnets.is_empty() && self.vpc.is_none() {
            all.push(
                "subnets are of an existing cluster, and this one is to be made: name those of a VPC of your own by vpc.privateSubnets, or set existingCluster"
                    .into(),
            );
        }
        if self.cluster == ClusterMode::Managed && self.cluster_name.as_str().contains('_') {
            all.push(format!(
                "clusterName {}: eksctl makes no cluster with `_` in its name; take `-`, or set existingCluster for one that is there",
                self.cluster_name
            ));
        }
        if self.windows && self.ip_family == IpFamily::Ipv6 {
            all.push("windows does not go with ipFamily ipv6: EKS has no IPv6 for Windows".into());
        }
        let knows_windows = |families: &[String]| families.iter().any(|family| family.starts_with("windows"));
        if self.windows && !knows_windows(&self.release.features().ami_families) {
            let first = Release::first_with(|features| knows_windows(&features.ami_families)).unwrap_or_else(Release::newest);
            all.push(format!("windows: Karpenter {} makes no Windows nodes, that came with {first}", self.release));
        }
        if self.windows && self.capacity == ControllerCapacity::Fargate {
            all.push("windows does not go with fargate: EKS wants a Linux node for the services of Windows nodes".into());
        }
    }

    fn of_the_identity(&self, all: &mut Vec<String>) {
        let knows = |features: &Features| features.pod_identity_sdk;
        if self.identity == Identity::PodIdentity && !knows(self.release.features()) {
            let first = Release::first_with(knows).unwrap_or_else(Release::newest);
            all.push(format!(
                "identity pod-identity: Karpenter {} cannot get credentials so, that came with {first}; use irsa",
                self.release
            ));
        }
    }

    fn of_the_network(&self, all: &mut Vec<String>) {
        let Some(vpc) = &self.vpc else { return };
        if self.private && !vpc.public_subnets.is_empty() {
            all.push("private does not go with vpc.publicSubnets: a private cluster has no way to the internet".into());
        }
        let mut subnets: Vec<_> = vpc.subnets().collect();
        subnets.sort();
        subnets.dedup();
        if subnets.len() < 2 || subnets.len() < vpc.private_subnets.len() + vpc.public_subnets.len() {
            all.push("vpc needs two subnets or more, in two zones, each named once: vpc.privateSubnets and vpc.publicSubnets".into());
        }
    }

    fn of_the_image(&self, all: &mut Vec<String>) {
        let Some(alias) = &self.node_pool.ami_alias else { return };
        let (family, known) = (alias.family(), &self.release.features().ami_families);
        if !known.iter().any(|f| f == family) {
            let when = match Release::first_with(|features| features.ami_families.iter().any(|f| f == family)) {
                Some(first) if first > self.release => format!("; {family} came with {first}"),
                _ => String::new(),
            };
            all.push(format!("nodePool.amiAlias {alias}: Karpenter {} knows {}{when}", self.release, known.join(", ")));
        } else if !self.kubernetes.has_ami_family(family) {
            all.push(format!("nodePool.amiAlias {alias}: EKS makes no images of {family} for Kubernetes {}", self.kubernetes));
        }
        if !alias.is_windows() {
            return;
        }
        if alias.version() != "latest" {
            all.push(format!("nodePool.amiAlias {alias}: images of Windows cannot be pinned, only {}@latest is taken", alias.family()));
        }
        if !self.windows {
            all.push(format!("nodePool.amiAlias {alias} makes Windows nodes: set windows, or they are not let in whole"));
        }
        if self.node_pool.architectures.contains(&Architecture::Arm64) {
            all.push(format!("nodePool.amiAlias {alias} does not go with arm64: Windows runs on amd64"));
        }
    }

    fn of_arns(&self, all: &mut Vec<String>) {
        let elsewhere = self.made_elsewhere.as_deref();
        for (setting, service, arn) in [
            ("permissionsBoundary", "iam", self.boundary()),
            ("kmsKey", "kms", self.kms_key.as_ref()),
            ("madeElsewhere.nodeRole", "iam", elsewhere.map(|e| &e.node_role)),
            ("madeElsewhere.controllerRole", "iam", elsewhere.map(|e| &e.controller_role)),
            ("nodePool.volumeKey", "kms", self.node_pool.volume_key.as_ref()),
        ] {
            let Some(arn) = arn else { continue };
            if arn.partition() != self.partition.as_str() {
                all.push(format!("{setting}: {arn} is of the partition {}, and {} is of {}", arn.partition(), self.region, self.partition));
            } else if arn.service() != service {
                all.push(format!("{setting}: {arn} is of {}, not of {service}", arn.service()));
            } else if !arn.region().is_empty() && arn.region() != self.region.as_str() {
                all.push(format!("{setting}: {arn} is of {}, and the cluster of {}", arn.region(), self.region));
            }
        }
    }
}
