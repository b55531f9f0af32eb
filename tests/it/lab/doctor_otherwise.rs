//! What is made otherwise than karpctl or AWS makes it, and works: the doctor takes none of it for broken.

use super::doctor_cluster::workload;
use super::stage;
use super::ward::Ward;
use serde_json::{Value, json};

#[test]
fn what_is_made_otherwise_and_works_is_no_trouble() {
    let Some(stage) = stage("otherwise") else { return };
    stage.existing_by_template("1.34", "API_AND_CONFIG_MAP");
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]);
    dns_by_its_own_chart(&ward);
    a_cluster_with_troubles_of_its_own(&ward);
    ward.karpctl(&["bootstrap", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"]).exits(0);
    a_network_with_a_role_of_its_own(&ward);
}

/// The DNS server by its own chart, which has another label.
fn dns_by_its_own_chart(ward: &Ward) {
    ward.finds("cluster-dns", "fail", "there is no CoreDNS in kube-system");
    let labels = json!({"k8s-app": "coredns", "app.kubernetes.io/name": "coredns", "app.kubernetes.io/instance": "dns"});
    ward.apply(&workload("Deployment", "kube-system", "dns-coredns", &labels, "coredns/coredns:1.12.4"));
    ward.passes("cluster-dns");
}

/// The cluster is ACTIVE, and EKS says what it lacks.
fn a_cluster_with_troubles_of_its_own(ward: &Ward) {
    let mut cluster = ward.aws(&["eks", "describe-cluster", "--name", ward.cluster()])["cluster"].clone();
    // The emulator knows of no such trouble, and the command line's dates are not those of the answer.
    cluster.as_object_mut().unwrap().remove("createdAt");
    cluster["health"] = json!({"issues": [{
        "code": "Ec2SubnetNotFound", "message": "we couldn't find the following subnets", "resourceIds": ["subnet-0123456789abcdef0"],
    }]});
    let answer =
        json!({"service": "eks", "action": "DescribeCluster", "times": 0, "status": 200, "body": json!({"cluster": cluster}).to_string()});
    ward.lab().post("faults", &answer).unwrap();
    ward.finds("cluster-state", "warn", "Ec2SubnetNotFound");
    ward.lab().clear_faults().unwrap();
    ward.passes("cluster-state");
}

/// The nodes' role has nothing of the network's where the network add-on has a role of its own.
fn a_network_with_a_role_of_its_own(ward: &Ward) {
    let check = "node-policies";
    let arn = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy";
    let nodes = format!("KarpenterNodeRole-{}", ward.cluster());
    ward.aws(&["iam", "detach-role-policy", "--role-name", &nodes, "--policy-arn", arn]);
    // The lab's cluster has another network until there is AWS's.
    ward.passes(check);
    ward.apply(&workload("DaemonSet", "kube-system", "aws-node", &json!({"k8s-app": "aws-node"}), "eks/amazon-k8s-cni:v1.21.1"));
    ward.finds(check, "warn", "has not AmazonEKS_CNI_Policy");
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"],
    }]});
    let role: Value = ward.aws(&["iam", "create-role", "--role-name", "network", "--assume-role-policy-document", &trust.to_string()]);
    ward.aws(&["iam", "attach-role-policy", "--role-name", "network", "--policy-arn", arn]);
    let to = ["--namespace", "kube-system", "--service-account", "aws-node", "--role-arn", role["Role"]["Arn"].as_str().unwrap()];
    ward.aws(&[&["eks", "create-pod-identity-association", "--cluster-name", ward.cluster()], &to[..]].concat());
    ward.passes(check);
}
