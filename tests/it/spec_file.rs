//! A spec written as a spec file and read again is the same spec: the printed shell stands on it.

use crate::fixture::spec;
use karpctl::spec::file::{parse, text};
use karpctl::spec::layer::{Layer, Source};
use karpctl::spec::resolve::{Discovered, resolve};
use karpctl::spec::{Architecture, CapacityType, ClusterMode, ControllerCapacity, Identity, NodeAccess, Spec};
use proptest::prelude::*;

fn read_again(spec: &Spec) -> Spec {
    let written = text(spec).unwrap();
    let layer: Layer = parse("karpctl-demo.yaml", &written).unwrap_or_else(|e| panic!("{e}\n{written}"));
    resolve(&[(Source::File("karpctl-demo.yaml".into()), layer)], &Discovered::default()).unwrap_or_else(|e| panic!("{e}\n{written}")).spec
}

#[test]
fn every_field_comes_back() {
    let mut all = spec("1.14.1");
    all.node_access = Some(NodeAccess::Both);
    all.cluster = ClusterMode::Existing;
    all.zonal_shift = Some(false);
    all.private = true;
    all.windows = true;
    all.node_pool.capacity_types = vec![CapacityType::Spot, CapacityType::OnDemand];
    all.node_pool.architectures = vec![Architecture::Arm64];
    all.node_pool.ami_alias = Some("bottlerocket@v1.40.0".parse().unwrap());
    all.subnets = vec!["subnet-0a1b2c3d4e5f60718".parse().unwrap()];
    all.tags = [("team", "a: b #c"), ("empty", ""), ("on", "1e3"), ("quote", "it's \"so\"")].map(|(k, v)| (k.into(), v.into())).into();
    all.permissions_boundary = Some("arn:aws:iam::111122223333:policy/limits".parse().unwrap());
    all.chart.registry_config = Some("./registry.json".into());
    assert_eq!(read_again(&all), all);
    let mut fargate = spec("0.37.8");
    fargate.capacity = ControllerCapacity::Fargate;
    fargate.identity = Identity::Irsa;
    assert_eq!(read_again(&fargate), fargate);
    let mut china = spec("v0.17.0");
    china.region = "cn-north-1".parse().unwrap();
    china.partition = karpctl::spec::Partition::AwsCn;
    assert_eq!(read_again(&china), china);
}

proptest! {
    #[test]
    fn names_that_yaml_would_misread_come_back(name in "(on|no|null|1e3|0x1F|123|~?[a-zA-Z0-9][a-zA-Z0-9_-]{0,30})".prop_filter("a name", |n| n.parse::<karpctl::spec::ClusterName>().is_ok())) {
        let mut named = spec("1.14.1");
        named.cluster_name = name.parse().unwrap();
        prop_assert_eq!(read_again(&named), named);
    }
}
