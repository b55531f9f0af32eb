//! A spec written as a spec file and read again is the same spec: the printed shell stands on it.

use crate::fixture::spec;
use karpctl::spec::file::{parse, text};
use karpctl::spec::layer::{Layer, Source};
use karpctl::spec::resolve::{Discovered, resolve};
use karpctl::spec::{Architecture, Boundary, CapacityType, ClusterMode, ControllerCapacity, Identity, IpFamily, NodeAccess, Spec, Vpc};
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
    all.tags = [("team", "- a: b"), ("on", "1e3"), ("@/größe", "a=b:")].map(|(k, v)| (k.into(), v.into())).into();
    all.permissions_boundary = Some("arn:aws:iam::111122223333:policy/limits".parse().unwrap());
    all.chart.registry_config = Some("./registry.json".into());
    all.chart.digest = format!("sha256:{}", "1".repeat(64)).parse().ok();
    all.chart.crd_digest = format!("sha256:{}", "2".repeat(64)).parse().ok();
    assert_eq!(read_again(&all), all);
    let unbounded = Spec { permissions_boundary: Some(Boundary::None), ..spec("1.14.1") };
    assert_eq!(read_again(&unbounded), unbounded);
    let mut own = spec("1.14.1");
    let subnet = |digit: char| format!("subnet-{}", digit.to_string().repeat(17)).parse().unwrap();
    own.vpc = Some(Vpc { id: None, private_subnets: vec![subnet('a'), subnet('b')], public_subnets: vec![subnet('c')] });
    own.ip_family = IpFamily::Ipv6;
    own.kms_key = Some("arn:aws:kms:us-west-2:111122223333:key/1".parse().unwrap());
    own.node_pool.volume_key = own.kms_key.clone();
    assert_eq!(read_again(&own), own);
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
        if name.contains('_') {
            named.cluster = ClusterMode::Existing;
        }
        prop_assert_eq!(read_again(&named), named);
    }
}

/// What is wrong with a spec file, as far as the sentences go.
fn wrong(more: &str) -> String {
    wrong_of("us-west-2", "demo", more)
}

fn wrong_of(region: &str, cluster: &str, more: &str) -> String {
    let file = format!("clusterName: {cluster}\nregion: {region}\naccountId: \"111122223333\"\n{more}");
    let layer = parse("karpctl.yaml", &file).unwrap_or_else(|e| panic!("{e}\n{file}"));
    match resolve(&[(Source::File("karpctl.yaml".into()), layer)], &Discovered::default()) {
        Ok(_) => "nothing".into(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn zonal_shift_is_heeded_where_it_can_be_read() {
    let of = |more: &str, cluster: Option<bool>| {
        let file = format!("clusterName: demo\nregion: us-west-2\naccountId: \"111122223333\"\n{more}");
        let layer = parse("karpctl.yaml", &file).unwrap();
        let discovered = Discovered { zonal_shift: cluster, ..Discovered::default() };
        resolve(&[(Source::File("karpctl.yaml".into()), layer)], &discovered).unwrap().spec.zonal_shift
    };
    // Of a cluster that is made, as the guide has it.
    assert_eq!(of("", None), Some(true));
    assert_eq!(of("private: true", None), Some(false), "its endpoint is not among those that eksctl makes");
    assert_eq!(of("karpenterVersion: 1.12.2", None), Some(false), "the policies of 1.12 do not let it be read");
    assert_eq!(of("karpenterVersion: 1.11.3", Some(true)), None);
    // Of one that is there, as it has it; karpctl's own may be from before.
    for more in ["existingCluster: true", ""] {
        assert_eq!((of(more, Some(false)), of(more, Some(true))), (Some(false), Some(true)), "{more}");
    }
    assert_eq!(of("existingCluster: true", None), Some(false), "nobody looked");
    assert_eq!(of("existingCluster: true\nzonalShift: true", Some(false)), Some(true), "a check says what is wrong with it");
}

#[test]
fn the_node_groups_stack_of_a_long_name_fits_cloudformation() {
    for length in [1, 53, 54, 60, 63, 100] {
        let spec = Spec { cluster_name: "c".repeat(length).parse().unwrap(), ..spec("1.14.1") };
        let (cluster, group) = (&spec.cluster_name, spec.node_group_name());
        assert!(format!("eksctl-{cluster}-nodegroup-{group}").len() <= 128, "{length}: {group}");
        assert_eq!(group == format!("{cluster}-ng"), length <= 53, "{length}: {group}");
    }
}

#[test]
fn what_does_not_go_together_is_said() {
    let alias = |alias: &str, more: &str| wrong(&format!("nodePool:\n  amiAlias: {alias}\n{more}"));
    let vpc = |rest: &str| wrong(&format!("vpc: {{ privateSubnets: [subnet-0a1b2c3d4e5f60718, subnet-0b1c2d3e4f5061728]{rest}"));
    for (said, expected) in [
        (vpc(" }"), "nothing"),
        (vpc(" }\nexistingCluster: true"), "vpc is decided when a cluster is made"),
        (wrong("existingCluster: true\nfargate: true\nidentity: irsa"), "eksctl create fargateprofile"),
        (wrong("fargate: true"), "nothing"),
        (wrong("identity: pod-identity\nkarpenterVersion: 0.32.1"), "cannot get credentials so, that came with 0.32.2; use irsa"),
        (wrong("identity: pod-identity\nkarpenterVersion: 0.32.2"), "nothing"),
        (vpc(", publicSubnets: [subnet-0a1b2c3d4e5f60719] }\nprivate: true"), "vpc.publicSubnets"),
        (wrong("vpc: { privateSubnets: [subnet-0a1b2c3d4e5f60718] }"), "two subnets or more"),
        (wrong("subnets: [subnet-0a1b2c3d4e5f60718]"), "vpc.privateSubnets"),
        (wrong("ipFamily: v6"), "ipv4, ipv6"),
        (wrong("ipFamily: ipv6\nwindows: true"), "no IPv6 for Windows"),
        (wrong("kmsKey: arn:aws:kms:eu-west-1:111122223333:key/1"), "is of eu-west-1"),
        (
            wrong("nodePool: { volumeKey: 'arn:aws:sqs:us-west-2:111122223333:x' }"),
            "nodePool.volumeKey: arn:aws:sqs:us-west-2:111122223333:x is of sqs",
        ),
        (wrong("kmsKey: arn:aws:iam::111122223333:role/x"), "not of kms"),
        (wrong("permissionsBoundary: arn:aws-cn:iam::111122223333:policy/x"), "aws-cn"),
        (wrong("zonalShift: true\nkarpenterVersion: 1.11.3"), "it came with 1.12.0"),
        (
            wrong_of("us-iso-east-1", "demo", ""),
            "region us-iso-east-1 is of a partition that karpctl does not render for: it knows aws, aws-cn, aws-us-gov",
        ),
        (wrong_of("eusc-de-east-1", "demo", ""), "is of a partition that karpctl does not render for"),
        (wrong_of("us-west-2", "my_cluster", ""), "clusterName my_cluster: eksctl makes no cluster with `_` in its name"),
        (wrong_of("us-west-2", "my_cluster", "existingCluster: true"), "nothing"),
        (alias("al2@latest", "kubernetesVersion: \"1.33\""), "no images of al2 for Kubernetes 1.33"),
        (alias("al2@latest", "kubernetesVersion: \"1.32\""), "nothing"),
        (alias("ubuntu@latest", ""), "knows al2, al2023, bottlerocket, windows2019, windows2022, windows2025"),
        (alias("ubuntu@latest", "karpenterVersion: 0.37.8"), "nothing"),
        (alias("al2023@latest", "karpenterVersion: 0.34.13"), "al2023 came with 0.35.0"),
        (alias("windows2025@latest", "karpenterVersion: 1.8.8\nwindows: true"), "windows2025 came with 1.9.0"),
        (alias("windows2022@latest", ""), "set windows"),
        (alias("windows2022@v1", "windows: true"), "cannot be pinned"),
        (alias("windows2022@latest", "windows: true"), "nothing"),
        (wrong("windows: true\nkarpenterVersion: 0.28.1"), "came with 0.29.0"),
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
        // Whoever wrote the file is shown where.
        assert!(said == "nothing" || said.contains("karpctl.yaml:"), "{expected}: {said}");
    }
    let tag = |key: &str, value: &str| wrong(&format!("tags: {{ {key:?}: {value:?} }}"));
    for (key, value) in [
        ("k", "{{resolve:secretsmanager:prod}}"),
        ("k", "${AWS::Region}"),
        ("k", "a\nb"),
        ("k", "<b>"),
        ("k", "a,b"),
        ("k", "🚀"),
        ("k", ""),
    ] {
        assert!(tag(key, value).contains("tags: the value of `k` is not one that AWS takes"), "{value}: {}", tag(key, value));
    }
    for key in ["", "aws:x", "AWS:x", "{{x}}", "a\tb", &"k".repeat(129)] {
        assert!(tag(key, "v").contains("is not a key that AWS takes"), "{key}: {}", tag(key, "v"));
    }
    for (key, value) in [("k".repeat(128).as_str(), "v".repeat(256).as_str()), ("a_.:/=+-@ é7", "1"), ("aws", "aws:")] {
        assert_eq!(tag(key, value), "nothing", "{key}");
    }
    assert!(tag("k", &"v".repeat(257)).contains("the value of `k`"));
    assert!(wrong("tags: { Team: a, team: b }").contains("tags: `Team` and `team` are one key to IAM"));
    let many = |count: usize| wrong(&format!("tags:\n{}", (0..count).map(|n| format!("  k{n}: v\n")).collect::<String>()));
    assert_eq!(many(40), "nothing");
    assert!(many(41).contains("tags: 41 are too many"), "{}", many(41));
    let arm = wrong("windows: true\nnodePool: { amiAlias: windows2022@latest, architectures: [arm64] }");
    assert!(arm.contains("arm64"), "{arm}");
}

/// Names that another tool gave are names, too: ARNs are made of them.
#[test]
fn what_was_made_elsewhere_is_called_as_aws_takes_it() {
    let role = "arn:aws:iam::111122223333:role/r";
    let read = |queue: &str, profile: &str| {
        let text = format!(
            "clusterName: demo\nregion: us-west-2\naccountId: \"111122223333\"\nmadeElsewhere:\n  nodeRole: {role}\n  controllerRole: {role}\n  interruptionQueue: {queue}\n  instanceProfile: {profile}\n"
        );
        let layer: Layer = parse("karpctl.yaml", &text).unwrap();
        resolve(&[(Source::File("karpctl.yaml".into()), layer)], &Discovered::default()).map(|found| found.spec.queue_arn().to_string())
    };
    assert_eq!(read("Karpenter-demo", "p").unwrap(), "arn:aws:sqs:us-west-2:111122223333:Karpenter-demo");
    for queue in ["my queue", "\"\"", "arn:aws:sqs:us-west-2:111122223333:q", "https://sqs/q"] {
        let error = read(queue, "p").unwrap_err().to_string();
        assert!(error.contains("madeElsewhere.interruptionQueue"), "{queue}: {error}");
    }
    assert!(read("q", "arn:aws:iam::111122223333:instance-profile/p").unwrap_err().to_string().contains("madeElsewhere.instanceProfile"));
}

/// A file for all clusters and a flag for each: the flag adds its tag, and wins where both have a key.
#[test]
fn tags_of_a_flag_stand_beside_those_of_the_file() {
    let layer = |text: &str| -> Layer { parse("karpctl.yaml", text).unwrap() };
    let file = layer("clusterName: demo\nregion: us-west-2\naccountId: \"111122223333\"\ntags: {team: web, cost: \"42\"}\n");
    let flag = layer("tags: {cost: \"43\", env: prod}\n");
    let spec = resolve(&[(Source::Flag, flag), (Source::File("karpctl.yaml".into()), file)], &Discovered::default()).unwrap().spec;
    let tags: Vec<(&str, &str)> = spec.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("cost", "43"), ("env", "prod"), ("team", "web")]);
}
