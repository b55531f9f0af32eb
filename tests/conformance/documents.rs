//! The documents beside the stack: the guide's of three releases, and each variant.

use super::spec;
use karpctl::error::ErrorKind;
use karpctl::render::{self, ConfigScope, Document, EksctlAbilities, Inputs};
use karpctl::spec::{Architecture, ControllerCapacity, Identity, IpFamily, NodeAccess, OWNER_TAG, Partition, Spec, Vpc};
use serde_json::{Value, json};

fn config(spec: &Spec, scope: ConfigScope) -> Value {
    serde_saphyr::from_str(&render::cluster_config(spec, scope, &EksctlAbilities::default()).unwrap()).unwrap()
}

const MAPPING: [&str; 2] = ["system:bootstrappers", "system:nodes"];

#[test]
fn cluster_configs_are_those_of_the_guides() {
    let policy = |part: &str| format!("arn:aws:iam::111122223333:policy/KarpenterController{part}Policy-demo");
    for (release, kubernetes, family) in
        [("0.17.0", "1.21", "AmazonLinux2"), ("1.0.8", "1.31", "AmazonLinux2"), ("1.14.1", "1.36", "AmazonLinux2023")]
    {
        let config = config(&spec(release), ConfigScope::Complete);
        let metadata =
            json!({ "name": "demo", "region": "us-west-2", "version": kubernetes, "tags": { "karpenter.sh/discovery": "demo" } });
        assert_eq!(config["metadata"], metadata, "{release}");
        assert_eq!(config["iam"]["withOIDC"], true);
        let mapping = json!([{
            "arn": "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo",
            "username": "system:node:{{EC2PrivateDNSName}}",
            "groups": MAPPING,
        }]);
        assert_eq!(config["iamIdentityMappings"], mapping, "{release}");
        let group = json!([{
            "name": "demo-ng", "instanceType": "m5.large", "amiFamily": family, "desiredCapacity": 2, "minSize": 1, "maxSize": 10,
        }]);
        assert_eq!(config["managedNodeGroups"], group, "{release}");
    }
    let account = json!([{
        "metadata": { "name": "karpenter", "namespace": "karpenter" },
        "roleName": "demo-karpenter",
        "attachPolicyARNs": [policy("")],
        "roleOnly": true,
    }]);
    let old = config(&spec("0.17.0"), ConfigScope::Complete);
    assert_eq!((&old["iam"]["serviceAccounts"], old.get("addons"), old.get("zonalShiftConfig")), (&account, None, None));
    let association = |policies: Vec<String>| {
        json!([{
            "namespace": "kube-system",
            "serviceAccountName": "karpenter",
            "roleName": "demo-karpenter",
            "permissionPolicyARNs": policies,
        }])
    };
    let middle = config(&spec("1.0.8"), ConfigScope::Complete);
    assert_eq!(middle["iam"]["podIdentityAssociations"], association(vec![policy("")]));
    assert_eq!(middle["addons"], json!([{ "name": "eks-pod-identity-agent" }]));
    let new = config(&spec("1.14.1"), ConfigScope::Complete);
    let parts = ["NodeLifecycle", "IAMIntegration", "EKSIntegration", "Interruption", "ResourceDiscovery", "ZonalShift"];
    assert_eq!(new["iam"]["podIdentityAssociations"], association(parts.map(policy).into()));
    assert_eq!(new["zonalShiftConfig"], json!({ "enabled": true }));
}

#[test]
fn bootstrap_makes_roles_and_access_itself() {
    for access in [None, Some(NodeAccess::Both)] {
        let config = config(&Spec { node_access: access, ..spec("1.14.1") }, ConfigScope::ClusterOnly);
        assert_eq!(config["iam"], json!({ "withOIDC": true }));
        assert_eq!(config.get("iamIdentityMappings"), None);
        assert_eq!(config.get("accessConfig"), access.map(|_| json!({ "authenticationMode": "API_AND_CONFIG_MAP" })).as_ref());
        assert_eq!(config["addons"], json!([{ "name": "eks-pod-identity-agent" }]));
    }
    let eksctl = |version: &str| EksctlAbilities::of(&version.parse().unwrap());
    let with = |version| render::cluster_config(&spec("1.14.1"), ConfigScope::ClusterOnly, &eksctl(version)).unwrap();
    assert!(with("0.230.0").contains("autoModeConfig:\n  enabled: false\n") && !with("0.194.0").contains("autoModeConfig"));
}

/// The file from which an eksctl makes the network add-on that another did not get to.
#[test]
fn the_network_addon_alone() {
    let (policy, boundary) = ("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", "arn:aws:iam::111122223333:policy/edge");
    let plain = Spec { identity: Identity::Irsa, ..spec("1.14.1") };
    let bounded = Spec { permissions_boundary: Some(boundary.parse().unwrap()), ..plain.clone() };
    let tagged = Spec { tags: [("team".into(), "a".into())].into(), ..spec("1.14.1") };
    let agent = json!({ "name": "eks-pod-identity-agent", "tags": { "team": "a" } });
    for (spec, addons) in [
        (plain.clone(), json!([{ "name": "vpc-cni", "attachPolicyARNs": [policy] }])),
        (bounded, json!([{ "name": "vpc-cni", "attachPolicyARNs": [policy], "permissionsBoundary": boundary }])),
        (tagged, json!([{ "name": "vpc-cni", "attachPolicyARNs": [policy], "tags": { "team": "a" } }, agent])),
    ] {
        assert_eq!(config(&spec, ConfigScope::NetworkAddon)["addons"], addons);
    }
    let six = config(&Spec { ip_family: IpFamily::Ipv6, ..plain }, ConfigScope::NetworkAddon)["addons"].clone();
    assert_eq!((six.as_array().unwrap().len(), six[0].get("attachPolicyARNs")), (1, None));
    sees_subnets(&six[0]["attachPolicy"]);
}

#[test]
fn variants_of_the_cluster_config() {
    let fargate = Spec { capacity: ControllerCapacity::Fargate, identity: Identity::Irsa, zonal_shift: Some(false), ..spec("1.14.1") };
    let c = config(&fargate, ConfigScope::Complete);
    assert_eq!(c["fargateProfiles"], json!([{ "name": "karpenter", "selectors": [{ "namespace": "kube-system" }] }]));
    assert_eq!((c.get("managedNodeGroups"), c.get("addons")), (None, None));
    assert_eq!(c["iam"]["serviceAccounts"][0]["attachPolicyARNs"].as_array().unwrap().len(), 6);
    assert_eq!(c["zonalShiftConfig"], json!({ "enabled": false }));
    let impossible = Spec { identity: Identity::PodIdentity, ..fargate };
    let error = render::cluster_config(&impossible, ConfigScope::Complete, &EksctlAbilities::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);

    let access = Spec { node_access: Some(NodeAccess::AccessEntry), windows: true, ..spec("1.14.1") };
    let c = config(&access, ConfigScope::Complete);
    let entry = json!([{ "principalARN": "arn:aws:iam::111122223333:role/KarpenterNodeRole-demo", "type": "EC2_WINDOWS" }]);
    assert_eq!((&c["accessConfig"]["accessEntries"], c.get("iamIdentityMappings")), (&entry, None));
    let windows = Spec { windows: true, ..spec("1.14.1") };
    let groups = config(&windows, ConfigScope::Complete)["iamIdentityMappings"][0]["groups"].clone();
    assert_eq!(groups, json!(["system:bootstrappers", "system:nodes", "eks:kube-proxy-windows"]));
    assert_eq!(render::identity_mapping(&windows)[0]["groups"], groups);
    for scope in [ConfigScope::ClusterOnly, ConfigScope::NetworkAddon] {
        let network = config(&windows, scope)["addons"][0].clone();
        assert_eq!((&network["name"], &network["configurationValues"]), (&json!("vpc-cni"), &json!(r#"{"enableWindowsIpam": "true"}"#)));
    }
    assert!(!config(&spec("1.14.1"), ConfigScope::ClusterOnly).to_string().contains("enableWindowsIpam"));

    let late = Spec { kubernetes: "1.33".parse().unwrap(), ..spec("1.0.8") };
    assert_eq!(config(&late, ConfigScope::Complete)["managedNodeGroups"][0]["amiFamily"], "AmazonLinux2023");
    assert_eq!(render::ami_family(&late), "al2023");
}

#[test]
fn volumes_with_a_key_of_ones_own() {
    let key = "arn:aws:kms:us-west-2:111122223333:key/1";
    let volume = |device: &str, size: &str| {
        let ebs = json!({ "volumeSize": size, "volumeType": "gp3", "encrypted": true, "kmsKeyID": key });
        json!({ "deviceName": device, "ebs": ebs })
    };
    for (release, alias, volumes) in [
        ("1.14.1", None, vec![volume("/dev/xvda", "20Gi")]),
        ("1.14.1", Some("bottlerocket@latest"), vec![volume("/dev/xvda", "4Gi"), volume("/dev/xvdb", "20Gi")]),
        ("0.37.8", Some("ubuntu@latest"), vec![volume("/dev/sda1", "20Gi")]),
        ("0.17.0", None, vec![volume("/dev/xvda", "20Gi")]),
    ] {
        let mut own = spec(release);
        own.node_pool.ami_alias = alias.map(|a| a.parse().unwrap());
        assert_eq!(render::node_pool(&own, None).unwrap()[0]["spec"].get("blockDeviceMappings"), None);
        own.node_pool.volume_key = Some(key.parse().unwrap());
        assert_eq!(render::node_pool(&own, None).unwrap()[0]["spec"]["blockDeviceMappings"], json!(volumes), "{release}");
    }
}

#[test]
fn tags_reach_the_nodes_of_each_api() {
    for release in ["0.17.0", "0.31.5", "0.32.0", "0.37.8", "1.0.8", "1.14.1"] {
        let mut own = spec(release);
        assert_eq!(render::node_pool(&own, None).unwrap()[0]["spec"].get("tags"), None);
        let kept = ["kubernetes.io/cluster/demo", "karpenter.sh/nodepool", "karpenter.sh/provisioner-name", "eks:eks-cluster-name"];
        own.tags = kept.into_iter().chain(["on", "cost: centre"]).map(|key| (key.to_owned(), "1e3".to_owned())).collect();
        let class = &render::node_pool(&own, None).unwrap()[0];
        assert_eq!(class["spec"]["tags"], json!({ "on": "1e3", "cost: centre": "1e3" }), "{release}");
        own.tags.retain(|key, _| kept.contains(&key.as_str()));
        assert_eq!(render::node_pool(&own, None).unwrap()[0]["spec"].get("tags"), None, "{release}");
    }
}

/// The services of the endpoints that a document's comment lists.
fn listed_endpoints<'a>(text: &'a str, region: &str) -> Vec<&'a str> {
    let prefix = format!("com.amazonaws.{region}.");
    text.lines().filter_map(|l| l.trim_start().strip_prefix("# ")).filter_map(|l| l.strip_prefix(&prefix)).collect()
}

#[test]
fn what_eksctl_makes_beside_its_stacks_has_the_tags_and_the_boundary() {
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    let tags = [("team".to_owned(), "x".to_owned()), (OWNER_TAG.to_owned(), "demo".to_owned())].into();
    let asked = Spec { tags, permissions_boundary: Some(boundary.parse().unwrap()), ..spec("1.14.1") };
    let tagged = |name: &str| json!({ "name": name, "tags": { "team": "x" } });
    let network = json!({ "name": "vpc-cni", "tags": { "team": "x" }, "permissionsBoundary": boundary });
    let core = [network, tagged("coredns"), tagged("kube-proxy"), tagged("metrics-server"), tagged("eks-pod-identity-agent")];
    assert_eq!(config(&asked, ConfigScope::ClusterOnly)["addons"], json!(core));

    let fargate = Spec { capacity: ControllerCapacity::Fargate, identity: Identity::Irsa, ..asked.clone() };
    let c = config(&fargate, ConfigScope::ClusterOnly);
    assert_eq!(c["addons"], json!(core[..4]));
    assert_eq!(c["fargateProfiles"][0]["tags"], json!({ "team": "x" }));

    let old = EksctlAbilities { metrics_server: false, ..EksctlAbilities::default() };
    let text = render::cluster_config(&asked, ConfigScope::ClusterOnly, &old).unwrap();
    assert!(!text.contains("metrics-server"), "{text}");
    let text = render::cluster_config(
        &Spec { partition: Partition::AwsCn, ..asked.clone() },
        ConfigScope::ClusterOnly,
        &EksctlAbilities::default(),
    )
    .unwrap();
    assert!(!text.contains("metrics-server"), "{text}");

    let six = Spec { ip_family: IpFamily::Ipv6, ..asked };
    let network = &config(&six, ConfigScope::ClusterOnly)["addons"][0];
    let own = &network["podIdentityAssociations"][0];
    assert_eq!((&own["serviceAccountName"], &own["permissionsBoundaryARN"]), (&json!("aws-node"), &json!(boundary)));
    assert_eq!(own["permissionPolicy"]["Statement"][1]["Resource"], "arn:aws:ec2:*:*:network-interface/*");
    assert_eq!((network.get("permissionsBoundary"), network.get("useDefaultPodIdentityAssociations")), (None, None));
    let by_irsa = &config(&Spec { identity: Identity::Irsa, ..six }, ConfigScope::ClusterOnly)["addons"][0];
    assert_eq!((&by_irsa["permissionsBoundary"], by_irsa.get("podIdentityAssociations")), (&json!(boundary), None));

    let owned = Spec { tags: [(OWNER_TAG.to_owned(), "demo".to_owned())].into(), ..spec("1.14.1") };
    assert_eq!(config(&owned, ConfigScope::ClusterOnly)["addons"], json!([{ "name": "eks-pod-identity-agent" }]));
}

/// The policy of the network add-on for IPv6, as of VPC CNI 1.22.1.
#[track_caller]
fn sees_subnets(policy: &Value) {
    let actions = policy["Statement"][0]["Action"].as_array().unwrap_or_else(|| panic!("{policy}"));
    for action in ["ec2:AssignIpv6Addresses", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"] {
        assert!(actions.contains(&json!(action)), "{action} is not in {policy}");
    }
}

#[test]
fn a_cluster_of_ones_own_network() {
    let subnet = |digit: char| format!("subnet-{}", digit.to_string().repeat(17));
    let subnets = |digits: &str| digits.chars().map(|d| subnet(d).parse().unwrap()).collect();
    let vpc = Vpc { id: None, private_subnets: subnets("ab"), public_subnets: subnets("c") };
    let key = "arn:aws:kms:us-west-2:111122223333:key/1";
    let own = Spec { vpc: Some(vpc.clone()), kms_key: Some(key.parse().unwrap()), ip_family: IpFamily::Ipv6, ..spec("1.14.1") };
    for scope in [ConfigScope::Complete, ConfigScope::ClusterOnly] {
        let c = config(&own, scope);
        let private = json!({ "private-1": { "id": subnet('a') }, "private-2": { "id": subnet('b') } });
        assert_eq!(c["vpc"], json!({ "subnets": { "private": private, "public": { "public-1": { "id": subnet('c') } } } }));
        assert_eq!((&c["secretsEncryption"], &c["kubernetesNetworkConfig"]), (&json!({ "keyARN": key }), &json!({ "ipFamily": "IPv6" })));
        assert_eq!((&c["managedNodeGroups"][0]["privateNetworking"], c.get("privateCluster")), (&json!(true), None));
        let names: Vec<&str> = c["addons"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent"]);
        let network = &c["addons"][0];
        assert_eq!(network.get("useDefaultPodIdentityAssociations"), None, "eksctl replaces what it takes by default");
        sees_subnets(&network["podIdentityAssociations"][0]["permissionPolicy"]);
        let by_irsa = &config(&Spec { identity: Identity::Irsa, ..own.clone() }, scope)["addons"][0];
        sees_subnets(&by_irsa["attachPolicy"]);
    }
    let class = &render::node_pool(&own, None).unwrap()[0];
    assert_eq!(class["spec"]["subnetSelectorTerms"], json!([{ "id": subnet('a') }, { "id": subnet('b') }]));

    let private = Spec { private: true, ..spec("1.14.1") };
    let text = render::cluster_config(&private, ConfigScope::Complete, &EksctlAbilities::default()).unwrap();
    assert_eq!(listed_endpoints(&text, "us-west-2"), ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "s3", "sqs", "ssm", "sts"]);
    let c = config(&private, ConfigScope::Complete);
    assert_eq!((&c["privateCluster"], &c["managedNodeGroups"][0]["privateNetworking"]), (&json!({ "enabled": true }), &json!(true)));
    let old = Spec { private: true, ..spec("0.18.1") };
    let values = render::helm_values_yaml(&old, Some("https://api")).unwrap();
    assert_eq!(listed_endpoints(&values, "us-west-2"), ["ec2", "ecr.api", "ecr.dkr", "s3", "ssm", "sts"]);
    let there = Spec { private: true, vpc: Some(Vpc { public_subnets: Vec::new(), ..vpc }), ..spec("1.14.1") };
    assert_eq!(config(&there, ConfigScope::Complete)["privateCluster"]["skipEndpointCreation"], true);
}

#[test]
fn boundary_and_tags_reach_the_roles() {
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    let tags = [("on".to_owned(), "1e3".to_owned())].into();
    let spec = Spec { permissions_boundary: Some(boundary.parse().unwrap()), tags, ..spec("1.14.1") };
    let stack = super::meaning::read(&render::cloudformation(&spec).unwrap());
    let role = &stack["Resources"]["KarpenterNodeRole"]["Properties"];
    assert_eq!((&role["PermissionsBoundary"], &role["Tags"]), (&json!(boundary), &json!([{ "Key": "on", "Value": "1e3" }])));
    let c = config(&spec, ConfigScope::Complete);
    assert_eq!(c["metadata"]["tags"], json!({ "karpenter.sh/discovery": "demo", "on": "1e3" }));
    assert_eq!(c["iam"]["podIdentityAssociations"][0]["permissionsBoundaryARN"], boundary);
    assert_eq!(c["managedNodeGroups"][0]["iam"]["instanceRolePermissionsBoundary"], boundary);
}

#[test]
fn what_a_terminal_obeys_is_escaped_in_values_of_ones_own() {
    let note = "\u{202e}x\u{9b}1A\u{1b}[2J\u{7f}\u{2066}\n\"";
    let mut own = spec("1.14.1");
    own.chart.values = [("podAnnotations".to_owned(), json!({ "note": note, "\u{2067}": 1 }))].into();
    let text = karpctl::render::document(Document::HelmValues, &own, &Inputs::default()).unwrap();
    assert!(!text.contains(karpctl::characters::acts), "{text:?}");
    let read: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(read["podAnnotations"], json!({ "note": note, "\u{2067}": 1 }));
    assert_eq!(read["settings"]["clusterName"], "demo");
}

#[test]
fn chart_values_have_the_keys_of_their_release() {
    let role = json!({ "annotations": { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/demo-karpenter" } });
    let one = json!({ "cpu": 1, "memory": "1Gi" });
    let resources = json!({ "resources": { "requests": one, "limits": one } });
    let profile = "KarpenterNodeInstanceProfile-demo";
    for (release, expected) in [
        (
            "0.17.0",
            json!({
                "serviceAccount": role, "clusterName": "demo", "clusterEndpoint": "https://api",
                "aws": { "defaultInstanceProfile": profile },
            }),
        ),
        (
            "0.28.1",
            json!({
                "serviceAccount": role,
                "settings": { "aws": { "clusterName": "demo", "defaultInstanceProfile": profile, "interruptionQueueName": "demo" } },
                "controller": resources,
            }),
        ),
        ("1.0.8", json!({ "settings": { "clusterName": "demo", "interruptionQueue": "demo" }, "controller": resources })),
        (
            "1.14.1",
            json!({
                "settings": { "clusterName": "demo", "interruptionQueue": "demo", "enableZonalShift": true },
                "controller": resources,
            }),
        ),
    ] {
        assert_eq!(render::helm_values(&spec(release), Some("https://api")).unwrap(), expected, "{release}");
    }
    let error = render::helm_values(&spec("0.17.0"), None).unwrap_err();
    assert!(error.hints[0].contains("--cluster-endpoint"));
    let private = render::helm_values(&Spec { private: true, ..spec("1.14.1") }, Some("https://api")).unwrap();
    assert_eq!((&private["settings"]["isolatedVPC"], &private["settings"]["clusterEndpoint"]), (&json!(true), &json!("https://api")));
    let webhook = json!({ "enabled": true, "serviceName": "karpenter", "serviceNamespace": "kube-system", "port": 8443 });
    assert_eq!(render::crd_values(&spec("1.0.8")), json!({ "webhook": webhook }));
    assert_eq!(render::crd_values(&spec("1.14.1")), json!({}));
}

#[test]
fn node_pools_follow_the_api_of_their_release() {
    let [class, pool] = <[Value; 2]>::try_from(render::node_pool(&spec("0.17.0"), None).unwrap()).unwrap();
    let discovery = json!({ "karpenter.sh/discovery": "demo" });
    assert_eq!(class["spec"], json!({ "subnetSelector": discovery, "securityGroupSelector": discovery }));
    assert_eq!((&class["kind"], &pool["kind"]), (&json!("AWSNodeTemplate"), &json!("Provisioner")));
    assert_eq!(pool["spec"]["ttlSecondsAfterEmpty"], 30);
    assert_eq!(pool["spec"]["requirements"][0]["values"], json!(["spot"]));

    let [class, pool] = <[Value; 2]>::try_from(render::node_pool(&spec("1.0.8"), None).unwrap()).unwrap();
    assert_eq!(class["spec"]["amiSelectorTerms"], json!([{ "alias": "al2@latest" }]));
    let reference = json!({ "group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default" });
    let template = &pool["spec"]["template"]["spec"];
    assert_eq!((&template["nodeClassRef"], &template["expireAfter"]), (&reference, &json!("720h")));
    assert_eq!(template["requirements"][2]["values"], json!(["spot"]));
    assert_eq!(pool["spec"]["disruption"]["consolidateAfter"], "1m");

    let mut wanted = spec("1.14.1");
    wanted.node_pool.architectures = vec![Architecture::Amd64, Architecture::Arm64];
    wanted.subnets = vec!["subnet-0123456789abcdef0".parse().unwrap()];
    wanted.private = true;
    let [class, pool] = <[Value; 2]>::try_from(render::node_pool(&wanted, Some("v20260801")).unwrap()).unwrap();
    assert_eq!(class["spec"]["amiSelectorTerms"], json!([{ "alias": "al2023@v20260801" }]));
    assert_eq!(class["spec"]["subnetSelectorTerms"], json!([{ "id": "subnet-0123456789abcdef0" }]));
    assert_eq!((class["spec"].get("role"), &class["spec"]["instanceProfile"]), (None, &json!("KarpenterNodeInstanceProfile-demo")));
    let requirements = &pool["spec"]["template"]["spec"]["requirements"];
    assert_eq!((&requirements[0]["values"], &requirements[2]["values"]), (&json!(["amd64", "arm64"]), &json!(["on-demand"])));
    assert!(render::cloudformation(&wanted).unwrap().contains("KarpenterNodeInstanceProfile:"));

    wanted.node_pool.ami_alias = Some("bottlerocket@v1.40.0".parse().unwrap());
    let class = &render::node_pool(&wanted, Some("v20260801")).unwrap()[0];
    assert_eq!(class["spec"]["amiSelectorTerms"], json!([{ "alias": "bottlerocket@v1.40.0" }]));
    wanted.release = "0.37.8".parse().unwrap();
    assert_eq!(render::node_pool(&wanted, None).unwrap_err().kind, ErrorKind::Usage);
    wanted.node_pool.ami_alias = Some("bottlerocket@latest".parse().unwrap());
    assert_eq!(render::node_pool(&wanted, None).unwrap()[0]["spec"]["amiFamily"], "Bottlerocket");
}

#[test]
fn trust_names_the_service_or_the_issuer() {
    let pods = render::trust_policy(&spec("1.14.1"), None).unwrap();
    assert_eq!(pods["Statement"][0]["Principal"], json!({ "Service": "pods.eks.amazonaws.com" }));
    let mut irsa = super::in_region("0.17.0", "cn-north-1");
    assert!(render::trust_policy(&irsa, None).is_err());
    irsa.identity = Identity::Irsa;
    let trust = render::trust_policy(&irsa, Some("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC")).unwrap();
    let issuer = "oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC";
    let statement = &trust["Statement"][0];
    assert_eq!(statement["Principal"], json!({ "Federated": format!("arn:aws-cn:iam::111122223333:oidc-provider/{issuer}") }));
    let subject =
        json!({ format!("{issuer}:aud"): "sts.amazonaws.com", format!("{issuer}:sub"): "system:serviceaccount:karpenter:karpenter" });
    assert_eq!(statement["Condition"], json!({ "StringEquals": subject }));
}

#[test]
fn yaml_and_json_of_a_document_say_the_same() {
    let inputs = Inputs { cluster_endpoint: Some("https://api".into()), ..Inputs::default() };
    for release in super::models().into_keys() {
        let spec = spec(&release.to_string());
        for document in Document::of(&release) {
            let yaml = render::document(document, &spec, &inputs).unwrap();
            let json = render::document_json(document, &spec, &inputs).unwrap();
            let read = match document {
                Document::NodePool | Document::FlowSchemas => serde_saphyr::from_multiple::<Value>(&yaml).unwrap().into(),
                Document::Cloudformation => super::meaning::read(&yaml),
                _ => serde_saphyr::from_str(&yaml).unwrap(),
            };
            let several = matches!(document, Document::NodePool | Document::FlowSchemas);
            let json = if several { json["items"].clone() } else { json };
            if document == Document::Cloudformation {
                assert_eq!(super::meaning::of_template(&read, &spec), super::meaning::of_template(&json, &spec));
            } else {
                assert_eq!(read, json, "{release} {}", document.id());
            }
        }
    }
}

#[test]
fn flow_schemas_are_of_a_version_that_the_cluster_serves() {
    let schemas = |spec: &Spec| {
        let list = render::document_json(Document::FlowSchemas, spec, &Inputs::default()).unwrap();
        serde_json::from_value::<Vec<Value>>(list["items"].clone()).unwrap()
    };
    for (release, kubernetes, api) in [("0.33.0", "1.25", "v1beta2"), ("1.1.1", "1.28", "v1beta3"), ("1.14.1", "1.36", "v1")] {
        let spec = Spec { kubernetes: kubernetes.parse().unwrap(), namespace: "on".parse().unwrap(), ..spec(release) };
        for schema in schemas(&spec) {
            assert_eq!(schema["apiVersion"], format!("flowcontrol.apiserver.k8s.io/{api}"), "{release}");
            assert_eq!(schema["spec"]["rules"][0]["subjects"][0]["serviceAccount"], json!({ "name": "karpenter", "namespace": "on" }));
        }
    }
    let error = render::flow_schemas_yaml(&spec("0.32.10")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.to_string().contains("0.33.0"), "{error}");
    let documents = |release: &str| Document::of(&release.parse().unwrap()).count();
    assert_eq!((documents("0.32.10"), documents("0.33.0")), (8, 9));
}

#[test]
fn prometheus_looks_where_the_controller_is() {
    let scrape = |release: &str, namespace: &str| -> Value {
        let spec = Spec { namespace: namespace.parse().unwrap(), ..spec(release) };
        let values = render::document_json(Document::PrometheusValues, &spec, &Inputs::default()).unwrap();
        serde_saphyr::from_str::<Vec<Value>>(values["extraScrapeConfigs"].as_str().unwrap()).unwrap().remove(0)
    };
    assert_eq!(scrape("0.18.1", "ops")["static_configs"][0]["targets"], json!(["karpenter.ops:8080"]));
    for (release, labels) in [
        ("0.33.12", json!(["__meta_kubernetes_endpoint_port_name"])),
        ("1.14.1", json!(["__meta_kubernetes_endpoints_name", "__meta_kubernetes_endpoint_port_name"])),
    ] {
        let job = scrape(release, "123");
        assert_eq!(job["kubernetes_sd_configs"][0]["namespaces"]["names"], json!(["123"]), "{release}");
        assert_eq!(job["relabel_configs"][0]["source_labels"], labels, "{release}");
    }
}
