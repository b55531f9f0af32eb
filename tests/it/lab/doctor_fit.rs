//! What does not fit together: Karpenter, Kubernetes, helm, EKS Auto Mode, a network without a way out. Each is made for real, found, and mended
//! as it is printed.

use super::stage;
use super::ward::Ward;
use serde_json::{Value, json};

#[test]
fn versions_that_do_not_fit_are_mended_as_printed() {
    let Some(stage) = stage("fit") else { return };
    let ward = Ward::new(stage, &[]);
    // No cluster can be made of what EKS has no more.
    let old = ward.with(&["--karpenter-version", "0.17.0"]);
    let found = old.finds("kubernetes-offered", "fail", "EKS creates no cluster of Kubernetes 1.24 any more");
    ward.taking(&found).passes("kubernetes-offered");

    ward.existing("1.33", "API");
    let ward = ward.with(&["--existing-cluster"]);
    let of = |release: &str| ward.with(&["--karpenter-version", release]);
    let found = of("1.0.8").finds("kubernetes-fit", "fail", "supports Kubernetes 1.25 to 1.31, not 1.33");
    ward.taking(&found).passes("kubernetes-fit");

    let newer = of("1.99.0").finds("karpenter-release", "warn", "not in this karpctl's table");
    assert_eq!(newer["subject"], "Karpenter 1.99.0");
    ward.taking(&newer).passes("karpenter-release");
    let found = of("1.8.4").finds("karpenter-release", "fail", "may never schedule pods");
    ward.taking(&found).passes("karpenter-release");

    let by = |helm: &str| ward.with(&["--helm", ward.kept(helm).to_str().unwrap()]);
    let found = by("helm-3.8.1").finds("helm-version", "warn", "supports Kubernetes 1.20 to 1.23, not 1.33");
    assert_eq!(found["fixes"][0]["title"], "install helm 3.18 or newer");
    let fitting = ward.cure(&found, 1);
    assert!(fitting.contains("3.18-3.20") && fitting.contains("4.0-4.2"), "{fitting}");
    by("helm-4.2.3").passes("helm-version");

    // EKS's dates go before the table's.
    let newest = of("1.14.1");
    let moved = json!({ "clusterVersions": [
        { "clusterVersion": "1.33", "versionStatus": "STANDARD_SUPPORT", "endOfStandardSupportDate": 4_102_444_800_i64,
          "endOfExtendedSupportDate": 4_133_980_800_i64 },
    ]});
    let fault = json!({ "service": "eks", "action": "DescribeClusterVersions", "status": 200, "body": moved.to_string() });
    ward.lab().post("faults", &fault).unwrap();
    assert_eq!(newest.ask("kubernetes-support")[0]["message"], "in standard support until 2100-01-01, by EKS's own dates");
    ward.lab().clear_faults().unwrap();

    // 1.33 is out of standard support since July 2026: upgraded as printed, one after the other, until one is not.
    let mut upgrades = 0;
    while let [found] = &newest.bad("kubernetes-support")[..] {
        assert_eq!(found["result"], "warn", "{found:#}");
        assert!(upgrades < 9 && found["message"].as_str().unwrap().contains("support"), "{found:#}");
        ward.cure(found, 0);
        upgrades += 1;
    }
    assert!(upgrades > 0);
    let version = ward.aws(&["eks", "describe-cluster", "--name", "fit"])["cluster"]["version"].clone();
    assert_eq!(version, format!("1.{}", 33 + upgrades));
}

#[test]
fn auto_mode_and_a_network_without_a_way_out_are_mended_as_printed() {
    let Some(stage) = stage("closed") else { return };
    stage.existing("1.34", "API");
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]);
    let aws = |words: &[&str]| ward.aws(words);

    ward.passes("auto-mode");
    let on =
        ["enabled=true,nodePools=general-purpose", r#"{"elasticLoadBalancing":{"enabled":true}}"#, r#"{"blockStorage":{"enabled":true}}"#];
    let flags = ["--compute-config", on[0], "--kubernetes-network-config", on[1], "--storage-config", on[2]];
    aws(&[&["eks", "update-cluster-config", "--name", "closed"], &flags[..]].concat());
    let found = ward.finds("auto-mode", "fail", "EKS Auto Mode manages this cluster's compute");
    ward.cured(&found, &[1]);

    // The cluster's public endpoint answers an office alone, and the VPC has no names.
    ward.passes("private-endpoints");
    aws(&["eks", "update-cluster-config", "--name", "closed", "--resources-vpc-config", "publicAccessCidrs=203.0.113.0/24"]);
    let found = ward.finds("private-endpoints", "warn", "answers 203.0.113.0/24 alone");
    ward.cured(&found, &[0]);
    let vpc = aws(&["eks", "describe-cluster", "--name", "closed"])["cluster"]["resourcesVpcConfig"]["vpcId"].as_str().unwrap().to_owned();
    ward.passes("vpc-dns");
    for attribute in ["--no-enable-dns-hostnames", "--no-enable-dns-support"] {
        ward.run(&["aws", "ec2", "modify-vpc-attribute", "--vpc-id", &vpc, attribute]);
    }
    let found = ward.finds("vpc-dns", "fail", "enableDnsSupport and enableDnsHostnames");
    ward.cured(&found, &[0, 1]);

    // The way to the internet is taken away.
    let tables = aws(&["ec2", "describe-route-tables", "--filters", &format!("Name=vpc-id,Values={vpc}")]);
    for table in tables["RouteTables"].as_array().unwrap() {
        let id = table["RouteTableId"].as_str().unwrap();
        ward.tool("aws", &["ec2", "delete-route", "--route-table-id", id, "--destination-cidr-block", "0.0.0.0/0"]);
    }
    let found = ward.bad("private-endpoints");
    assert!(found.iter().any(|f| f["subject"] == "ways out of the VPC" && f["result"] == "warn"), "{found:#?}");
    let missing: Vec<&Value> = found.iter().filter(|f| f["result"] == "fail").collect();
    let [missing] = missing[..] else { panic!("{found:#?}") };
    assert!(missing["message"].as_str().unwrap().contains("sts, and no subnet of nodes"), "{missing:#}");
    ward.cure(missing, 0);
    let ward_private = ward.with(&["--private"]);
    ward_private.passes("private-endpoints");

    // Endpoints that nodes do not get to.
    let endpoints = aws(&["ec2", "describe-vpc-endpoints"])["VpcEndpoints"].as_array().unwrap().clone();
    let of = |kind: &str| endpoints.iter().find(|endpoint| endpoint["VpcEndpointType"] == kind).unwrap();
    let (gateway, table) = (of("Gateway")["VpcEndpointId"].as_str().unwrap(), of("Gateway")["RouteTableIds"][0].as_str().unwrap());
    aws(&["ec2", "modify-vpc-endpoint", "--vpc-endpoint-id", gateway, "--remove-route-table-ids", table]);
    let found = ward_private.finds("private-endpoints", "fail", "is no way from the route table");
    ward_private.cured(&found, &[0]);
    let group = of("Interface")["Groups"][0]["GroupId"].as_str().unwrap();
    let rule = ["--group-id", group, "--protocol", "tcp", "--port", "443", "--cidr", "192.168.0.0/16"];
    aws(&[&["ec2", "revoke-security-group-ingress"], &rule[..]].concat());
    let found = ward_private.finds("private-endpoints", "fail", "at port 443: nodes do not get there");
    ward_private.cured(&found, &[0]);

    // A Karpenter that was installed as if there were a way.
    let check = "private-values";
    let found = ward.finds(check, "warn", "public.ecr.aws/karpenter/controller is of ECR Public");
    assert!(found["fixes"][0]["title"].as_str().unwrap().contains("`controller.image.repository` under `chart.values` in karpctl.yaml"));
    let mirror = "111122223333.dkr.ecr.us-west-2.amazonaws.com/karpenter/controller";
    ward.spec_file(&json!({"chart": {"values": {"controller": {"image": {"repository": mirror}}}}}));
    ward.passes(check);
    ward.karpctl(&["bootstrap", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"]).exits(0);
    let found = ward.bad(check);
    let of = |result: &str| found.iter().find(|f| f["result"] == result).unwrap_or_else(|| panic!("{found:#?}"));
    assert!(of("warn")["message"].as_str().unwrap().contains("settings.isolatedVPC is not true"), "{found:#?}");
    assert!(of("fail")["message"].as_str().unwrap().ends_with("there is no way to IAM: default (KarpenterNodeRole-closed)"), "{found:#?}");
    ward.cure(of("warn"), 0);
    ward.cured(of("fail"), &[0, 1]);
}

#[test]
fn credentials_beside_the_plugin_and_a_kubectl_that_may_not_run_it() {
    let Some(stage) = stage("beside") else { return };
    stage.existing("1.34", "API");
    let file = stage.dir().join("kubeconfig").to_str().unwrap().to_owned();
    stage.aws_text(&["eks", "update-kubeconfig", "--name", "beside", "--kubeconfig", &file]);
    let ward = Ward::new(stage, &["--existing-cluster", "--kubeconfig", &file]);
    let kubectl = || ward.types(&["kubectl", "--kubeconfig", &file, "get", "namespace", "default", "--request-timeout", "60s"]);
    ward.passes("exec-credentials");
    ward.passes("exec-plugin-policy");
    kubectl().exits(0);

    // A token that somebody left beside the plugin is used instead of it.
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, written.replace("  user:\n    exec:", "  user:\n    token: left\n    exec:")).unwrap();
    let found = ward.finds_with_each("exec-credentials", "warn", "a token beside the plugin is used instead of it");
    kubectl().exits(1).says("Unauthorized");
    ward.cured(&found[0], &[0]);
    kubectl().exits(0);

    // kubectl's own preferences keep it from running any plugin; helm has none.
    let preferences = std::path::Path::new(&ward.lab().ready.env["HOME"]).join(".kube/kuberc");
    std::fs::create_dir_all(preferences.parent().unwrap()).unwrap();
    std::fs::write(&preferences, "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n").unwrap();
    let found = ward.finds("exec-plugin-policy", "fail", "getting credentials: ");
    assert!(found["subject"].as_str().unwrap().contains("kubectl"), "{found:#}");
    kubectl().exits(1).says("getting credentials: ");
    ward.cured(&found, &[0]);
    kubectl().exits(0);
}
