//! What does not fit together: Karpenter, Kubernetes, helm, EKS Auto Mode, a network without a way out. Each is made for real, found, and mended
//! as it is printed.

use super::doctor_cluster::Ward;
use super::{Ended, stage};
use serde_json::{Value, json};

/// What one check says of the stage's cluster, with these words; it finds just what is not a pass.
#[track_caller]
fn bad(ward: &Ward, check: &str, words: &[&str]) -> Vec<Value> {
    let words = [&["doctor", "--only", check, "-o", "json"], words].concat();
    let ended = ward.stage.karpctl(&words);
    assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
    let said = ended.json()["checks"].as_array().unwrap().clone();
    assert!(!said.is_empty(), "{check} says nothing");
    said.into_iter().filter(|finding| finding["result"] != "pass").collect()
}

/// The one thing that it finds, which is this.
#[track_caller]
fn finds(ward: &Ward, check: &str, words: &[&str], result: &str, message: &str) -> Value {
    let found = bad(ward, check, words);
    assert!(found.len() == 1 && found[0]["result"] == result, "{check}: {found:#?}");
    assert!(found[0]["message"].as_str().unwrap().contains(message), "{check}: `{message}` is not in {:#}", found[0]);
    found[0].clone()
}

#[track_caller]
fn passes(ward: &Ward, check: &str, words: &[&str]) {
    let found = bad(ward, check, words);
    assert!(found.is_empty(), "{check}: {found:#?}");
}

#[track_caller]
fn cure(ward: &Ward, fix: &Value) {
    let words: Vec<&str> =
        fix["command"].as_array().unwrap_or_else(|| panic!("no command: {fix:#}")).iter().map(|w| w.as_str().unwrap()).collect();
    ward.run(&words);
}

/// The flag that a cure's words name, with its value: `take …: --karpenter-version 1.14.1`.
#[track_caller]
fn flag(finding: &Value) -> Vec<String> {
    let title = finding["fixes"][0]["title"].as_str().unwrap();
    let (_, words) = title.split_once(": --").unwrap_or_else(|| panic!("no flag: {title}"));
    format!("--{words}").split(' ').map(str::to_owned).collect()
}

#[test]
fn versions_that_do_not_fit_are_mended_as_printed() {
    let Some(stage) = stage("fit") else { return };
    let ward = Ward { stage };
    // No cluster can be made of what EKS has no more.
    let old = ["--karpenter-version", "0.17.0"];
    let found = finds(&ward, "kubernetes-offered", &old, "fail", "EKS creates no cluster of Kubernetes 1.24 any more");
    let taken = flag(&found);
    passes(&ward, "kubernetes-offered", &taken.iter().map(String::as_str).collect::<Vec<_>>());

    ward.stage.existing("1.33", "API");
    let there = |words: &[&'static str]| [&["--existing-cluster"], words].concat();
    let found =
        finds(&ward, "kubernetes-fit", &there(&["--karpenter-version", "1.0.8"]), "fail", "supports Kubernetes 1.25 to 1.31, not 1.33");
    let taken = flag(&found);
    let taken: Vec<&str> = ["--existing-cluster"].into_iter().chain(taken.iter().map(String::as_str)).collect();
    passes(&ward, "kubernetes-fit", &taken);

    let newer = finds(
        &ward,
        "karpenter-release",
        &there(&["--karpenter-version", "1.99.0"]),
        "warn",
        "newer than the newest release that this karpctl knows",
    );
    assert_eq!(newer["subject"], "Karpenter 1.99.0");
    let found = finds(&ward, "karpenter-release", &there(&["--karpenter-version", "1.8.4"]), "fail", "may never schedule pods");
    let taken = flag(&found);
    let taken: Vec<&str> = ["--existing-cluster"].into_iter().chain(taken.iter().map(String::as_str)).collect();
    passes(&ward, "karpenter-release", &taken);

    let helm = |version: &str| std::path::Path::new(&ward.stage.lab().ready.env["KARPCTL_LAB_CACHE"]).join(format!("bin/helm-{version}"));
    let (behind, at_hand) = (helm("3.8.1"), helm("4.2.3"));
    let by = |file: &std::path::Path| ["--existing-cluster".to_owned(), "--helm".to_owned(), file.display().to_string()];
    let words = by(&behind);
    finds(&ward, "helm-version", &words.each_ref().map(String::as_str), "warn", "1.33");
    let words = by(&at_hand);
    passes(&ward, "helm-version", &words.each_ref().map(String::as_str));

    // 1.33 is out of standard support since July 2026: upgraded as printed, one after the other, until one is not.
    let words = there(&["--karpenter-version", "1.14.1"]);
    let mut upgrades = 0;
    while let [found] = &bad(&ward, "kubernetes-support", &words)[..] {
        assert_eq!(found["result"], "warn", "{found:#}");
        assert!(upgrades < 9 && found["message"].as_str().unwrap().contains("support"), "{found:#}");
        cure(&ward, &found["fixes"][0]);
        upgrades += 1;
    }
    assert!(upgrades > 0);
    let version = ward.stage.aws(&["eks", "describe-cluster", "--name", "fit"])["cluster"]["version"].clone();
    assert_eq!(version, format!("1.{}", 33 + upgrades));
}

#[test]
fn auto_mode_and_a_network_without_a_way_out_are_mended_as_printed() {
    let Some(stage) = stage("closed") else { return };
    stage.existing("1.34", "API");
    let ward = Ward { stage };
    let words = ["--existing-cluster", "--karpenter-version", "1.14.1"];
    let aws = |words: &[&str]| ward.stage.aws(words);

    passes(&ward, "auto-mode", &words);
    let on =
        ["enabled=true,nodePools=general-purpose", r#"{"elasticLoadBalancing":{"enabled":true}}"#, r#"{"blockStorage":{"enabled":true}}"#];
    let flags = ["--compute-config", on[0], "--kubernetes-network-config", on[1], "--storage-config", on[2]];
    aws(&[&["eks", "update-cluster-config", "--name", "closed"], &flags[..]].concat());
    let found = finds(&ward, "auto-mode", &words, "fail", "EKS Auto Mode manages this cluster's compute");
    cure(&ward, &found["fixes"][0]);
    passes(&ward, "auto-mode", &words);

    // The way to the internet is taken away.
    passes(&ward, "private-endpoints", &words);
    let vpc = aws(&["eks", "describe-cluster", "--name", "closed"])["cluster"]["resourcesVpcConfig"]["vpcId"].as_str().unwrap().to_owned();
    let tables = aws(&["ec2", "describe-route-tables", "--filters", &format!("Name=vpc-id,Values={vpc}")]);
    for table in tables["RouteTables"].as_array().unwrap() {
        let id = table["RouteTableId"].as_str().unwrap();
        ward.stage.tool("aws", &["ec2", "delete-route", "--route-table-id", id, "--destination-cidr-block", "0.0.0.0/0"]);
    }
    let found = bad(&ward, "private-endpoints", &words);
    assert!(found.iter().any(|f| f["subject"] == "ways out of the VPC" && f["result"] == "warn"), "{found:#?}");
    let missing: Vec<&Value> = found.iter().filter(|f| f["result"] == "fail").collect();
    assert!(
        missing.iter().any(|f| f["subject"] == "VPC endpoint sts")
            && missing.iter().all(|f| f["message"].as_str().unwrap().contains("no way out")),
        "{found:#?}"
    );
    for finding in missing {
        cure(&ward, &finding["fixes"][0]);
    }
    passes(&ward, "private-endpoints", &[&words[..], &["--private"]].concat());
}

#[test]
fn credentials_beside_the_plugin_and_a_kubectl_that_may_not_run_it() {
    let Some(stage) = stage("beside") else { return };
    stage.existing("1.34", "API");
    let file = stage.dir().join("kubeconfig").to_str().unwrap().to_owned();
    stage.aws_text(&["eks", "update-kubeconfig", "--name", "beside", "--kubeconfig", &file]);
    let ward = Ward { stage };
    let kubeconfig = ["--existing-cluster", "--kubeconfig", &file];
    let kubectl =
        || Ended::from(ward.stage.tool("kubectl", &["--kubeconfig", &file, "get", "namespace", "default", "--request-timeout", "60s"]));
    passes(&ward, "exec-credentials", &kubeconfig);
    passes(&ward, "exec-plugin-policy", &kubeconfig);
    kubectl().exits(0);

    // A token that somebody left beside the plugin is used instead of it.
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, written.replace("  user:\n    exec:", "  user:\n    token: left\n    exec:")).unwrap();
    let found = bad(&ward, "exec-credentials", &kubeconfig);
    assert!(
        !found.is_empty()
            && found.iter().all(|f| f["message"].as_str().unwrap().contains("a token beside the plugin is used instead of it")),
        "{found:#?}"
    );
    kubectl().exits(1).says("Unauthorized");
    std::fs::write(&file, &written).unwrap();
    passes(&ward, "exec-credentials", &kubeconfig);
    kubectl().exits(0);

    // kubectl's own preferences keep it from running any plugin; helm has none.
    let preferences = std::path::Path::new(&ward.stage.lab().ready.env["HOME"]).join(".kube/kuberc");
    std::fs::create_dir_all(preferences.parent().unwrap()).unwrap();
    std::fs::write(&preferences, "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n").unwrap();
    let found = finds(&ward, "exec-plugin-policy", &kubeconfig, "fail", "getting credentials: ");
    assert!(found["subject"].as_str().unwrap().contains("kubectl"), "{found:#}");
    kubectl().exits(1).says("getting credentials: ");
    let allowed = json!({"apiVersion": "kubectl.config.k8s.io/v1beta1", "kind": "Preference", "credentialPluginPolicy": "Allowlist",
        "credentialPluginAllowlist": [{"name": "aws"}]});
    std::fs::write(&preferences, allowed.to_string()).unwrap();
    passes(&ward, "exec-plugin-policy", &kubeconfig);
    kubectl().exits(0);
}
