//! A spec to start from: what `karpctl bootstrap --cluster-name demo --region us-west-2` resolves to. A test changes one field.

use karpctl::spec::{ChartSource, ClusterMode, ControllerCapacity, Identity, IpFamily, NodeGroup, NodePool, Partition, Spec};
use std::collections::BTreeMap;

/// The spec of a new cluster `demo` with this Karpenter release, as its guide has it.
pub(crate) fn spec(karpenter: &str) -> Spec {
    let release: karpctl::knowledge::Release = karpenter.parse().unwrap();
    let features = release.features();
    Spec {
        cluster_name: "demo".parse().unwrap(),
        region: "us-west-2".parse().unwrap(),
        account_id: "111122223333".parse().unwrap(),
        partition: Partition::Aws,
        kubernetes: release.kubernetes_range().1,
        namespace: features.default_namespace.parse().unwrap(),
        identity: if features.pod_identity { Identity::PodIdentity } else { Identity::Irsa },
        node_access: None,
        cluster: ClusterMode::Managed,
        capacity: ControllerCapacity::NodeGroup(NodeGroup::default()),
        zonal_shift: features.zonal_shift.then_some(features.zonal_shift_granted),
        private: false,
        windows: false,
        node_pool: NodePool {
            name: "default".parse().unwrap(),
            capacity_types: Vec::new(),
            architectures: Vec::new(),
            cpu_limit: 1000,
            ami_alias: None,
            keep: false,
            volume_key: None,
        },
        subnets: Vec::new(),
        vpc: None,
        ip_family: IpFamily::Ipv4,
        kms_key: None,
        tags: BTreeMap::new(),
        permissions_boundary: None,
        chart: ChartSource::default(),
        made_elsewhere: None,
        release,
    }
}

/// The same with `--existing-cluster`.
pub(crate) fn existing(karpenter: &str) -> Spec {
    Spec { cluster: ClusterMode::Existing, ..spec(karpenter) }
}
