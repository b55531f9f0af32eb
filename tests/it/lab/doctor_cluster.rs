//! What the doctor finds in a cluster, made for real: each thing is broken on the real API server, found, mended by the cures as they are
//! printed, run by the real kubectl, helm and aws, and found no more.

use super::ward::Ward;
use super::{Ended, stage};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What reads the Kubernetes API.
const ALL: [&str; 23] = [
    "cluster-entry",
    "node-access",
    "windows-ipam",
    "node-capacity",
    "cluster-dns",
    "node-addons",
    "custom-networking",
    "webhook-endpoints",
    "admission-policies",
    "other-karpenter",
    "cluster-autoscaler",
    "termination-handler",
    "auto-mode-api",
    "installed-fit",
    "upgrade-hops",
    "crd-owner",
    "crd-schema",
    "crd-stored-versions",
    "conversion-webhook",
    "admission-webhooks",
    "chart-values",
    "chart-names",
    "stuck-deletions",
];
const CLAIMS: &str = "nodeclaims.karpenter.sh";

pub(super) fn workload(kind: &str, namespace: &str, name: &str, labels: &Value, image: &str) -> Value {
    let spec = json!({"containers": [{"name": "c", "image": image}]});
    let mut body = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    });
    if kind == "Deployment" {
        body["spec"]["replicas"] = json!(2);
    }
    body
}

#[test]
fn what_is_broken_is_found_and_mended_as_it_says() {
    let Some(stage) = stage("ward") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]);
    // The lab's clusters have no DNS of their own.
    ward.apply(&workload("Deployment", "kube-system", "coredns", &json!({"k8s-app": "kube-dns"}), "eks/coredns:v1"));
    a_guest(&ward);
    windows_pods(&ward);
    before_karpenter(&ward);
    by_another_hand(&ward);
    addons(&ward);
    pods_elsewhere(&ward);
    gates(&ward);
    policies(&ward);
    let healthy = ward.ask(&ALL.join(","));
    assert!(healthy.iter().all(|f| f["result"] == "pass"), "a healthy cluster: {healthy:#?}");
    replicas_that_run(&ward);
    elsewhere(&ward);
    nodes_and_neighbours(&ward);
    crds(&ward);
    shared_crd(&ward);
    values(&ward);
    deletions(&ward);
    older_crds(&ward);
}

/// What a doctor saw of everything, judged where there is neither cluster nor AWS, is what it said there.
fn elsewhere(ward: &Ward) {
    let checks = |ended: Ended| {
        assert!(ended.code <= 1, "{}\n{}", ended.stdout, ended.stderr);
        ended.json()["checks"].as_array().unwrap().clone()
    };
    let words = ["doctor", "--existing-cluster", "--karpenter-version", "1.14.1", "-o", "json", "--cluster-name", ward.cluster()];
    let there = checks(ward.types(&[&["karpctl"], &words[..], &["--save-facts", "facts.json"]].concat()));
    let mut away = std::process::Command::new(ward.program("karpctl"));
    away.env_clear().current_dir(ward.dir()).args(["doctor", "--facts", "facts.json", "-o", "json"]);
    let here = checks(away.output().unwrap().into());
    assert!(there.len() > 70, "every check says something: {there:#?}");
    assert_eq!(here, there);
}

/// A webhook whose program is gone, as it is when a namespace was deleted and the configuration stayed.
fn gates(ward: &Ward) {
    let service = json!({"namespace": "kube-system", "name": "aws-load-balancer-webhook-service"});
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]});
    let hook = json!({"name": "mservice.elbv2.k8s.aws", "clientConfig": {"service": service}, "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"]});
    ward.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "aws-load-balancer-webhook"},
        "webhooks": [hook],
    }));
    let service = ["kubectl", "--namespace", "kube-system", "create", "service", "clusterip", "any", "--tcp", "80"];
    let refused = ward.types(&service);
    refused.says("failed calling webhook").says("service \"aws-load-balancer-webhook-service\" not found");
    let found = ward.finds(
        "webhook-endpoints",
        "fail",
        "mservice.elbv2.k8s.aws must answer before services are written: service \"aws-load-balancer-webhook-service\" not found",
    );
    ward.cured(&found, &[0]);
    ward.run(&service);
    ward.run(&["kubectl", "--namespace", "kube-system", "delete", "service", "any"]);
}

/// Has the API server refuse what is not as the expression says, and waits until it does.
fn demand(ward: &Ward, [name, group, plural]: [&str; 3], [expression, message]: [&str; 2], about: &Value) {
    let rule = json!({"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [plural]});
    let object = |kind: &str, spec: Value| {
        let meta = json!({"name": name});
        ward.apply(&json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": meta, "spec": spec}));
    };
    let validation = json!({"expression": expression, "message": message});
    object("ValidatingAdmissionPolicy", json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}));
    object("ValidatingAdmissionPolicyBinding", json!({"policyName": name, "validationActions": ["Deny"], "matchResources": about}));
    let until = Instant::now() + Duration::from_mins(1);
    while ward.bad("admission-policies").is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Policies of the API server's own, and a namespace that takes no pods like these.
fn policies(ward: &Ward) {
    let check = "admission-policies";
    ward.passes(check);
    let lift = |policy: &str| ward.run(&["kubectl", "delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", policy]);
    // Others' namespaces are not spared.
    let others = json!({"namespaceSelector": {"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]}});
    for (group, plural, name) in
        [("apps", "deployments", "Deployment kube-system/karpenter"), ("karpenter.sh", "nodepools", "NodePool default")]
    {
        let policy = format!("owned-{plural}");
        let owned = ["has(object.metadata.labels) && 'owner' in object.metadata.labels", "who owns it?"];
        demand(ward, [&policy, group, plural], owned, &others);
        let words = format!("ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: who owns it?");
        let found = ward.finds(check, "fail", &words);
        assert_eq!(found["subject"], name);
        ward.cured(&found, &[0]);
        lift(&policy);
    }
    // Images must have a digest: the chart's has one, and values may take it away.
    let file = ward.dir().join("karpctl.yaml");
    let by_tag = || ward.spec_file(&json!({"chart": {"values": {"controller": {"image": {"digest": ""}}}}}));
    by_tag();
    let named = ["object.spec.template.spec.containers.all(c, c.image.contains('@sha256:'))", "name images by digest"];
    demand(ward, ["by-digest", "apps", "deployments"], named, &json!({}));
    let found = ward.finds(check, "fail", "denied request: name images by digest");
    std::fs::remove_file(&file).unwrap();
    ward.passes(check);
    by_tag();
    ward.cured(&found, &[0]);
    std::fs::remove_file(&file).unwrap();
    lift("by-digest");

    let level = ["kubectl", "label", "namespace", "kube-system", "--overwrite", "pod-security.kubernetes.io/enforce=restricted"];
    ward.run(&level);
    ward.passes(check);
    ward.spec_file(&json!({"chart": {"values": {"hostNetwork": true}}}));
    let found = ward.finds(check, "fail", "violates PodSecurity \"restricted:latest\": host namespaces (hostNetwork=true)");
    ward.cured(&found, &[0]);
    std::fs::remove_file(&file).unwrap();
}

/// A cluster that was made without the add-ons that EKS gives by default.
fn addons(ward: &Ward) {
    let found = ward.finds("node-addons", "warn", "no DaemonSet of kube-proxy is there");
    ward.cured(&found, &[0]);
}

/// Pods that get their addresses in subnets of their own, of which there is none for one of two zones, and then one of the other zone.
fn pods_elsewhere(ward: &Ward) {
    let check = "custom-networking";
    ward.passes(check);
    ward.aws(&["eks", "create-addon", "--cluster-name", ward.cluster(), "--addon-name", "vpc-cni"]);
    let set_env = ["kubectl", "--namespace", "kube-system", "set", "env", "daemonset/aws-node"];
    let on = ["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true", "ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone"];
    ward.run(&[&set_env[..], &on].concat());
    ward.finds(check, "fail", "and there is none");
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let names = json!({"plural": "eniconfigs", "singular": "eniconfig", "kind": "ENIConfig"});
    let versions = json!([{"name": "v1alpha1", "served": true, "storage": true, "schema": schema}]);
    ward.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "eniconfigs.crd.k8s.amazonaws.com"},
        "spec": {"group": "crd.k8s.amazonaws.com", "scope": "Cluster", "names": names, "versions": versions},
    }));
    ward.run(&["kubectl", "wait", "--for", "condition=established", "customresourcedefinition/eniconfigs.crd.k8s.amazonaws.com"]);
    let config = |zone: &str, subnet: &str| {
        ward.apply(&json!({
            "apiVersion": "crd.k8s.amazonaws.com/v1alpha1",
            "kind": "ENIConfig",
            "metadata": {"name": zone},
            "spec": {"subnet": subnet, "securityGroups": []},
        }));
    };
    let subnets =
        ward.aws(&["ec2", "describe-subnets", "--filters", "Name=availability-zone,Values=us-west-2a", "--query", "Subnets[].SubnetId"]);
    let of_a = subnets[0].as_str().unwrap();
    config("us-west-2a", of_a);
    let found = ward.finds(check, "fail", "nodes there stay NotReady");
    assert_eq!(found["subject"], "ENIConfig us-west-2b");
    config("us-west-2b", of_a);
    let found = ward.finds(check, "fail", "which is in us-west-2a");
    let listed = ward.cure(&found, 0);
    config("us-west-2b", listed.split_whitespace().next().unwrap());
    ward.passes(check);
    ward.run(&[&set_env[..], &["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG-"]].concat());
}

/// Somebody who may do everything in AWS, and whom the cluster does not know.
fn a_guest(ward: &Ward) {
    ward.aws(&["iam", "create-user", "--user-name", "guest"]);
    let guest = ward.as_user("guest");
    let found = guest.finds("cluster-entry", "fail", "user/guest: its API server answers 401 Unauthorized");
    guest.cured(&found, &[0, 1]);
}

fn windows_pods(ward: &Ward) {
    let windows = ward.with(&["--windows"]);
    let found = windows.finds("windows-ipam", "fail", "the cluster gives none");
    windows.cured(&found, &[0]);
    ward.run(&[
        "kubectl",
        "--namespace",
        "kube-system",
        "patch",
        "configmap",
        "amazon-vpc-cni",
        "--type",
        "merge",
        "--patch",
        r#"{"data":{"enable-windows-ipam":"false"}}"#,
    ]);
    let found = windows.finds("windows-ipam", "fail", "the cluster gives none");
    windows.cured(&found, &[0]);
    ward.run(&["kubectl", "--namespace", "kube-system", "delete", "configmap", "amazon-vpc-cni"]);
}

fn before_karpenter(ward: &Ward) {
    // A namespace that lets nothing out unless it is said.
    let none = json!({"podSelector": {}, "policyTypes": ["Egress"]});
    let meta = json!({"namespace": "kube-system", "name": "strict"});
    ward.apply(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": none}));
    let found = ward.finds("network-policies", "warn", "do not let the controller get to port 443 (AWS and the API server), 53 (DNS), 80");
    ward.cured(&found, &[0]);
    ward.run(&["kubectl", "--namespace", "kube-system", "delete", "networkpolicy", "strict", "karpctl-karpenter-out"]);

    let nodes = ward.kubectl(&["get", "nodes", "--output", "json"]);
    let name = nodes["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    ward.run(&["kubectl", "cordon", &name]);
    let found = ward.finds("node-capacity", "fail", "1 of 2 replicas");
    let told = |values: Value, check: &str| {
        ward.spec_file(&json!({"chart": {"values": values}}));
        ward.passes(check);
        std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();
    };
    told(json!({"replicas": 1}), "node-capacity");
    ward.cured(&found, &[0]);

    // Nodes that are kept for somebody: who may run there is said in the spec file.
    ward.run(&["kubectl", "taint", "nodes", "--all", "dedicated=infra:NoSchedule"]);
    ward.finds("node-capacity", "fail", "has the taint dedicated=infra:NoSchedule");
    told(json!({"tolerations": [{"key": "dedicated", "value": "infra"}]}), "node-capacity");
    ward.run(&["kubectl", "taint", "nodes", "--all", "dedicated-"]);

    ward.run(&["kubectl", "--namespace", "kube-system", "scale", "deployment", "coredns", "--replicas", "0"]);
    std::thread::sleep(Duration::from_secs(2));
    let found = ward.finds("cluster-dns", "fail", "CoreDNS is not ready");
    told(json!({"dnsPolicy": "Default"}), "cluster-dns");
    ward.cured(&found, &[0]);
}

/// All replicas run where they were put, and bootstrap does not move them: what became of the nodes is nobody's trouble now.
fn replicas_that_run(ward: &Ward) {
    ward.run(&["kubectl", "taint", "nodes", "--all", "dedicated=infra:NoSchedule"]);
    let said = ward.ask("node-capacity");
    assert_eq!((&said[0]["result"], &said[0]["message"]), (&json!("pass"), &json!("2 of 2 replicas of the controller run")), "{said:#?}");
    ward.spec_file(&json!({"chart": {"values": {"logLevel": "debug"}}}));
    ward.finds("node-capacity", "fail", "has the taint dedicated=infra:NoSchedule");
    std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();
    ward.run(&["kubectl", "taint", "nodes", "--all", "dedicated-"]);
}

/// The real chart without helm, as a tool that renders and applies it does.
fn by_another_hand(ward: &Ward) {
    let bootstrap = ["bootstrap", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"];
    let bootstrap = |more: &[&str]| Ended::from(ward.command(&[&bootstrap[..], more].concat()).output().unwrap());
    let chart = ["template", "karpenter", "oci://public.ecr.aws/karpenter/karpenter", "--version", "1.14.1", "--namespace", "kube-system"];
    let (named, folder) = (format!("settings.clusterName={}", ward.cluster()), ward.dir().join("rendered"));
    let folder = folder.to_str().unwrap();
    ward.run(&[&["helm"], &chart[..], &["--set", &named, "--output-dir", folder]].concat());
    ward.run(&["kubectl", "apply", "--recursive", "--filename", folder]);
    let found = ward.finds("other-karpenter", "warn", "was not installed by helm: the deployment kube-system/karpenter");
    assert!(found["fixes"][1]["title"].as_str().unwrap().starts_with("or `karpctl bootstrap --adopt`"), "{found:#}");
    let hops = ward.ask("upgrade-hops");
    assert_eq!((&hops[0]["result"], &hops[0]["message"]), (&json!("pass"), &json!("from 1.14.1 it is one hop")));
    bootstrap(&[]).exits(4).says("and not by helm");
    bootstrap(&["--adopt"]).exits(0);
    ward.passes("other-karpenter");
}

fn nodes_and_neighbours(ward: &Ward) {
    let (cluster, role) = (ward.cluster(), format!("arn:aws:iam::{}:role/KarpenterNodeRole-ward", ward.lab().ready.account));
    let entry = ["--cluster-name", cluster, "--principal-arn", &role];
    ward.aws(&[&["eks", "delete-access-entry"], &entry[..]].concat());
    ward.aws(&[&["eks", "create-access-entry"], &entry[..], &["--type", "STANDARD"]].concat());
    let found = ward.finds("node-access", "fail", "of type STANDARD");
    ward.cured(&found, &[0, 1]);

    windows(ward, &entry);

    ward.run(&["kubectl", "create", "namespace", "karpenter"]);
    let neighbours = [
        ("other-karpenter", "fail", "Deployment", "karpenter", "mirror.example/karpenter/controller:0.32.1"),
        ("cluster-autoscaler", "warn", "Deployment", "kube-system", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0"),
        ("termination-handler", "warn", "DaemonSet", "kube-system", "public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.2"),
    ];
    for (check, _, kind, namespace, image) in neighbours {
        ward.apply(&workload(kind, namespace, check, &json!({"app": check}), image));
    }
    std::thread::sleep(Duration::from_secs(2));
    for (check, result, ..) in neighbours {
        let found = ward.finds(check, result, check);
        let last = found["fixes"].as_array().unwrap().len() - 1;
        ward.cured(&found, &[if check == "termination-handler" { last } else { 0 }]);
    }

    let names = json!({"plural": "nodeclasses", "singular": "nodeclass", "kind": "NodeClass", "listKind": "NodeClassList"});
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    ward.apply(&json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "nodeclasses.eks.amazonaws.com"},
        "spec": {"group": "eks.amazonaws.com", "scope": "Cluster", "names": names, "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]},
    }));
    std::thread::sleep(Duration::from_secs(1));
    let found = ward.finds("auto-mode-api", "warn", "nodeclasses.eks.amazonaws.com");
    ward.cured(&found, &[0, 1]);
}

/// A node class of Windows, of which nobody said anything.
fn windows(ward: &Ward, entry: &[&str]) {
    let class = ward.kubectl(&["get", "ec2nodeclasses.karpenter.k8s.aws", "default", "--output", "json"]);
    let mut spec = class["spec"].clone();
    spec["amiSelectorTerms"] = json!([{"alias": "windows2022@latest"}]);
    if let Some(spec) = spec.as_object_mut() {
        // What the API server filled in is that of Linux.
        spec.remove("blockDeviceMappings");
    }
    ward.apply(&json!({"apiVersion": class["apiVersion"], "kind": "EC2NodeClass", "metadata": {"name": "win"}, "spec": spec}));
    let found = ward.finds(
        "node-access",
        "fail",
        "of type EC2_LINUX: Linux nodes are let in by it, Windows nodes whole only by one of type EC2_WINDOWS",
    );
    ward.cured(&found, &[0, 1]);
    ward.run(&["kubectl", "delete", "ec2nodeclasses.karpenter.k8s.aws", "win"]);
    ward.aws(&[&["eks", "delete-access-entry"], entry].concat());
    ward.aws(&[&["eks", "create-access-entry"], entry, &["--type", "EC2_LINUX"]].concat());
}

fn crds(ward: &Ward) {
    ward.run(&["kubectl", "label", "customresourcedefinition", CLAIMS, "app.kubernetes.io/managed-by-"]);
    let found = ward.finds("crd-owner", "warn", "nodeclaims.karpenter.sh (of no helm release)");
    ward.cured(&found, &[0, 1]);

    let gone = r#"[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/expireAfter"}]"#;
    ward.run(&["kubectl", "patch", "customresourcedefinition", CLAIMS, "--type", "json", "--patch", gone]);
    let found = ward.finds("crd-schema", "fail", "nodeclaims.karpenter.sh is of no official release");
    ward.cured(&found, &[0]);

    let client = json!({"url": "https://127.0.0.1:1"});
    let hook = json!({"name": "validation.webhook.karpenter.sh", "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore"});
    ward.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "validation.webhook.karpenter.sh"},
        "webhooks": [hook],
    }));
    let found = ward.finds("admission-webhooks", "fail", "validation.webhook.karpenter.sh");
    ward.cured(&found, &[0]);
}

/// A CRD that the chart of another autoscaler brings, as long as it is told to.
fn shared_crd(ward: &Ward) {
    const BUFFERS: &str = "capacitybuffers.autoscaling.x-k8s.io";
    let mut crd = ward.kubectl(&["get", "customresourcedefinition", BUFFERS, "--output", "json"]);
    crd["metadata"] = json!({"name": BUFFERS});
    crd.as_object_mut().unwrap().remove("status");
    let folder = ward.dir().join("cas");
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    for (file, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: cas\nversion: 1.0.0\n".to_owned()),
        ("values.yaml", "crds: true\n".to_owned()),
        ("crd.json", crd.to_string()),
        ("templates/crd.yaml", "{{ if .Values.crds }}{{ .Files.Get \"crd.json\" }}{{ end }}".to_owned()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    let chart = folder.to_str().unwrap();
    let upgrade = || ward.run(&["helm", "upgrade", "cas", chart, "--namespace", "kube-system", "--set", "crds=false"]);
    ward.run(&["kubectl", "delete", "customresourcedefinition", BUFFERS]);
    ward.run(&["helm", "install", "cas", chart, "--namespace", "kube-system"]);
    let found = ward.finds("crd-owner", "warn", "capacitybuffers.autoscaling.x-k8s.io (of the helm release kube-system/cas)");
    assert!(!found["fixes"].to_string().contains("meta.helm.sh"), "nothing takes it from that release: {found:#}");
    ward.cure(&found, 0);
    upgrade();
    let found = ward.finds("crd-owner", "warn", "(of the helm release kube-system/cas, which has it no more)");
    ward.cured(&found, &[0, 1]);
    upgrade();
    ward.run(&["helm", "uninstall", "cas", "--namespace", "kube-system"]);
    ward.passes("crd-owner");
}

fn values(ward: &Ward) {
    let chart = "oci://public.ecr.aws/karpenter/karpenter";
    let set = |value: &str| {
        let words =
            ["helm", "upgrade", "karpenter", chart, "--version", "1.14.1", "--namespace", "kube-system", "--reuse-values", "--set", value];
        ward.run(&words);
    };
    set("settings.interruptionQueueName=ward");
    let found = ward.finds("chart-values", "warn", "settings.interruptionQueueName (now settings.interruptionQueue)");
    ward.cured(&found, &[0]);
    set("settings.interruptionQueue=other");
    let found = ward.finds("chart-names", "fail", "settings.interruptionQueue is \"other\"");
    ward.cured(&found, &[0]);
}

fn deletions(ward: &Ward) {
    ward.run(&["kubectl", "--namespace", "kube-system", "scale", "deployment", "karpenter", "--replicas", "0"]);
    // Once the controller has ended, nobody takes the finalizers away.
    let until = Instant::now() + Duration::from_secs(30);
    while ward.lab().get("controllers").unwrap().as_array().is_some_and(|running| !running.is_empty()) {
        assert!(Instant::now() < until, "the controller does not end");
        std::thread::sleep(Duration::from_millis(500));
    }
    ward.run(&["kubectl", "delete", "nodepools,ec2nodeclasses", "default", "--wait=false"]);
    let found = ward.ask("stuck-deletions");
    let found = found.iter().find(|f| f["result"] == "fail").unwrap_or_else(|| panic!("{found:#?}"));
    let last = found["fixes"].as_array().unwrap().iter().position(|f| f["command"][2] == "nodepools.karpenter.sh");
    // The last resort for one, the controller for the rest.
    let cures: Vec<usize> = last.into_iter().chain([0]).collect();
    ward.cured(found, &cures);
}

/// The CRDs of the last release that converts, under a controller that does not.
fn older_crds(ward: &Ward) {
    let chart = "oci://public.ecr.aws/karpenter/karpenter-crd";
    let webhook = "webhook.enabled=true,webhook.serviceName=karpenter,webhook.serviceNamespace=kube-system,webhook.port=8443";
    ward.run(&["helm", "upgrade", "karpenter-crd", chart, "--version", "1.0.8", "--namespace", "kube-system", "--set", webhook]);
    let found = ward.finds("conversion-webhook", "fail", "no service port 8443 found for service \"karpenter\"");
    let cures: Vec<usize> = (0..found["fixes"].as_array().unwrap().len()).collect();
    ward.cured(&found, &cures);
    let stored = r#"{"status":{"storedVersions":["v1beta1","v1"]}}"#;
    ward.run(&["kubectl", "patch", "customresourcedefinition", CLAIMS, "--subresource", "status", "--type", "merge", "--patch", stored]);
    let found = ward.finds("crd-stored-versions", "fail", "stored as v1beta1: nodeclaims.karpenter.sh");
    ward.cured(&found, &[1]);
}
