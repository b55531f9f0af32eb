//! What the doctor finds in an account and of a cluster's AWS side, made for real: each thing is broken by the real aws, found, mended by
//! the cures as they are printed, and found no more.

use super::stage;
use super::ward::Ward;

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn role_of_nodes(ward: &Ward) {
    let role = ["--role-name", "KarpenterNodeRole-patient"];
    ward.aws(&[&["iam", "detach-role-policy"], &role[..], &["--policy-arn", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]].concat());
    let found = ward.finds("node-policies", "warn", "has not AmazonEKSWorkerNodePolicy");
    ward.cured(&found, &[0]);

    // It lets in pods alone, in place of EC2.
    let pods = POLICY.replace("ec2.amazonaws.com", "pods.eks.amazonaws.com");
    ward.aws(&[&["iam", "update-assume-role-policy"], &role[..], &["--policy-document", &pods]].concat());
    let found = ward.finds("node-trust", "fail", "does not let in ec2.amazonaws.com: nodes get no credentials, and never join");
    ward.cured(&found, &[0]);
}

#[test]
fn what_is_broken_in_aws_is_found_and_mended_as_printed() {
    let Some(stage) = stage("patient") else { return };
    stage.existing_by_template("1.34", "API_AND_CONFIG_MAP");
    let ward = Ward::new(stage, &["--existing-cluster", "--karpenter-version", "1.14.1"]);
    let aws = |words: &[&str]| ward.aws(words);

    // The region of another cluster.
    let elsewhere = ward.with(&["--region", "us-east-1"]);
    let found = elsewhere.finds("cluster-state", "fail", "there is none in us-east-1");
    assert!(!elsewhere.cure(&found, 0).contains("patient"), "{found:#}");
    ward.passes("cluster-state");

    // Zonal shift, which a controller that is to heed it must be able to read.
    let heeding = ward.with(&["--zonal-shift", "true"]);
    let found = heeding.finds("zonal-shift", "fail", "is off for the cluster");
    let refused = heeding.karpctl(&["bootstrap", "--yes", "--existing-cluster", "--karpenter-version", "1.14.1", "--zonal-shift", "true"]);
    refused.exits(4).says("zonal shift: is off for the cluster");
    heeding.cured(&found, &[0]);

    // A new account's quota of five vCPUs, and two nodes of two.
    let found = ward.finds("vcpu-quotas", "fail", "4 of 5 are in use: the node pool can launch nothing: VcpuLimitExceeded");
    ward.cured(&found, &[0]);

    // A role that somebody left where the stack makes its own.
    let leave = || aws(&["iam", "create-role", "--role-name", "KarpenterNodeRole-patient", "--assume-role-policy-document", POLICY]);
    leave();
    let attached = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
    aws(&["iam", "attach-role-policy", "--role-name", "KarpenterNodeRole-patient", "--policy-arn", attached]);
    let of_role = |operation: &str, rest: &[&str]| aws(&[&["iam", operation, "--role-name", "KarpenterNodeRole-patient"], rest].concat());
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;
    of_role("put-role-policy", &["--policy-name", "own", "--policy-document", policy]);
    let profile = "KarpenterNodeInstanceProfile-patient";
    aws(&["iam", "create-instance-profile", "--instance-profile-name", profile]);
    of_role("add-role-to-instance-profile", &["--instance-profile-name", profile]);
    // A node works under it: no cure takes anything from it.
    let image = aws(&["ec2", "describe-images", "--filters", "Name=name,Values=amazon-eks-node-al2023-x86_64-standard-1.34-*"]);
    let image = image["Images"][0]["ImageId"].as_str().unwrap();
    let run =
        ["ec2", "run-instances", "--image-id", image, "--instance-type", "m5.large", "--iam-instance-profile", &format!("Name={profile}")];
    let node = aws(&run)["Instances"][0]["InstanceId"].as_str().unwrap().to_owned();
    let found = ward.finds("stack-state", "fail", &format!("It is in use by {node}"));
    assert!(found["fixes"].as_array().unwrap().iter().all(|fix| fix["command"].is_null()), "{found:#}");
    aws(&["ec2", "terminate-instances", "--instance-ids", &node]);
    let found = ward.finds("stack-state", "fail", "KarpenterNodeRole-patient already exists. No instance of us-west-2 has it");
    ward.cured(&found, &[0, 1, 2, 3, 4]);

    // A policy likewise, which a stack that was deleted left with the versions of its updates.
    let name = "KarpenterControllerNodeLifecyclePolicy-patient";
    let arn = aws(&["iam", "create-policy", "--policy-name", name, "--policy-document", policy])["Policy"]["Arn"].clone();
    aws(&["iam", "create-policy-version", "--policy-arn", arn.as_str().unwrap(), "--policy-document", policy, "--set-as-default"]);
    let found = ward.finds("stack-state", "fail", &format!("{name} already exists"));
    ward.cured(&found, &[0, 1]);

    // A creation that was rolled back for that very reason.
    leave();
    let account = aws(&["sts", "get-caller-identity"])["Account"].as_str().unwrap().to_owned();
    let template = ward.karpctl(&["render", "cloudformation", "--region", "us-west-2", "--account-id", &account]).exits(0).stdout;
    let create = ["cloudformation", "create-stack", "--stack-name", "Karpenter-patient", "--capabilities", "CAPABILITY_NAMED_IAM"];
    aws(&[&create[..], &["--template-body", &template]].concat());
    aws(&["iam", "delete-role", "--role-name", "KarpenterNodeRole-patient"]);
    let found = ward.finds("stack-state", "fail", "is ROLLBACK_COMPLETE");
    ward.cured(&found, &[0]);

    // A role that somebody gave the controller's name.
    aws(&["iam", "create-role", "--role-name", "patient-karpenter", "--assume-role-policy-document", POLICY]);
    let found = ward.finds("foreign-objects", "warn", "the role patient-karpenter is there and is not karpctl's");
    let bootstrap = ["bootstrap", "--yes", "--existing-cluster", "--karpenter-version", "1.14.1"];
    ward.karpctl(&bootstrap).exits(4).says("the role patient-karpenter is there and is not karpctl's");
    assert!(ward.cure(&found, 0).contains("role patient-karpenter"), "{found:#}");
    ward.karpctl(&[&bootstrap[..], &["--adopt"]].concat()).exits(0);
    ward.passes("foreign-objects");

    aws(&["iam", "update-assume-role-policy", "--role-name", "patient-karpenter", "--policy-document", POLICY]);
    let found = ward.finds("controller-trust", "fail", "does not let in pods.eks.amazonaws.com");
    ward.cured(&found, &[0]);
    let trust = aws(&["iam", "get-role", "--role-name", "patient-karpenter"])["Role"]["AssumeRolePolicyDocument"].clone();
    assert_eq!(trust["Statement"][0]["Principal"]["Service"], "ec2.amazonaws.com", "whom somebody let in stays: {trust:#}");

    let listed = aws(&["eks", "list-pod-identity-associations", "--cluster-name", "patient"]);
    let id = listed["associations"][0]["associationId"].as_str().unwrap().to_owned();
    aws(&["eks", "delete-pod-identity-association", "--cluster-name", "patient", "--association-id", &id]);
    let found = ward.finds("controller-association", "fail", "is not there");
    // What karpctl made, karpctl makes anew.
    ward.cured(&found, &[0]);

    aws(&["eks", "delete-addon", "--cluster-name", "patient", "--addon-name", "eks-pod-identity-agent"]);
    let found = ward.finds("agent-health", "fail", "is not there");
    ward.cured(&found, &[0]);

    let attached = aws(&["iam", "list-attached-role-policies", "--role-name", "patient-karpenter"]);
    let arns = attached["AttachedPolicies"].as_array().unwrap().iter().map(|p| p["PolicyArn"].as_str().unwrap());
    let arn = arns.into_iter().find(|arn| arn.contains("NodeLifecycle")).unwrap();
    aws(&["iam", "detach-role-policy", "--role-name", "patient-karpenter", "--policy-arn", arn]);
    let found = ward.finds("controller-permissions", "fail", "is not authorized to perform");
    ward.cured(&found, &[0]);

    role_of_nodes(&ward);
    let network = aws(&["eks", "describe-cluster", "--name", "patient", "--query", "cluster.resourcesVpcConfig"]);
    let group = network["clusterSecurityGroupId"].as_str().unwrap();
    aws(&["ec2", "delete-tags", "--resources", group, "--tags", "Key=karpenter.sh/discovery"]);
    let found = ward.finds("node-security-groups", "fail", "there are none");
    ward.cured(&found, &[0]);

    let subnets: Vec<&str> = network["subnetIds"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    aws(&[&["ec2", "delete-tags", "--resources"][..], &subnets, &["--tags", "Key=karpenter.sh/discovery"]].concat());
    let found = ward.finds("node-network", "fail", "SubnetSelector did not match any Subnets");
    ward.cured(&found, &[0]);

    // One of the nodes' subnets loses its way out.
    let vpc = network["vpcId"].as_str().unwrap();
    let table = aws(&["ec2", "create-route-table", "--vpc-id", vpc])["RouteTable"]["RouteTableId"].as_str().unwrap().to_owned();
    let private = aws(&["ec2", "describe-subnets", "--filters", "Name=tag-key,Values=karpenter.sh/discovery"]);
    let closed = private["Subnets"][0]["SubnetId"].as_str().unwrap();
    let tied = aws(&["ec2", "associate-route-table", "--route-table-id", &table, "--subnet-id", closed]);
    let found = ward.finds("private-endpoints", "warn", "have no route that leads out, and the others have");
    ward.cured(&found, &[0]);
    aws(&["ec2", "disassociate-route-table", "--association-id", tied["AssociationId"].as_str().unwrap()]);
    aws(&["ec2", "create-tags", "--resources", closed, "--tags", "Key=karpenter.sh/discovery,Value=patient"]);

    let target = format!("arn:aws:sqs:us-west-2:{account}:patient");
    let rules = aws(&["events", "list-rule-names-by-target", "--target-arn", &target]);
    let rule = |event: &str| {
        let mut names = rules["RuleNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        names.find(|name| name.contains(event)).unwrap_or_else(|| panic!("no rule of {event}: {rules}"))
    };
    // What only nodes in capacity reservations get is a warning.
    for (event, verdict) in [("SpotInterruption", "fail"), ("CapacityReservation", "warn")] {
        aws(&["events", "disable-rule", "--name", rule(event)]);
        let found = ward.finds("interruption-queue", verdict, "is off");
        ward.cured(&found, &[0]);
    }
    let url = aws(&["sqs", "get-queue-url", "--queue-name", "patient"])["QueueUrl"].as_str().unwrap().to_owned();
    aws(&["sqs", "set-queue-attributes", "--queue-url", &url, "--attributes", r#"{"Policy":""}"#]);
    let found = ward.finds("interruption-queue", "fail", "does not let events.amazonaws.com send");
    ward.cured(&found, &[0]);

    let key = aws(&["kms", "create-key"])["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let encrypt = |key: &str| aws(&["sqs", "set-queue-attributes", "--queue-url", &url, "--attributes", &format!("KmsMasterKeyId={key}")]);
    encrypt(&key);
    let found = ward.finds("interruption-queue", "fail", "does not let events.amazonaws.com use it");
    ward.cured(&found, &[0]);

    keys(&ward);
    for check in ["ebs-key", "ami-alias", "private-endpoints", "node-group"] {
        let said = ward.ask(check);
        assert!(said.iter().all(|f| f["result"] == "pass"), "{check}: {said:#?}");
    }
}

/// Volumes are encrypted by default with a key of the account's own, whose policy leaves all to IAM, which says nothing of it.
fn keys(ward: &Ward) {
    let aws = |words: &[&str]| ward.aws(words);
    let key = aws(&["kms", "create-key"])["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    aws(&["ec2", "enable-ebs-encryption-by-default"]);
    aws(&["ec2", "modify-ebs-default-kms-key-id", "--kms-key-id", &key]);
    let found = ward.finds("ebs-key", "fail", "does not let patient-karpenter do kms:CreateGrant, kms:Decrypt");
    ward.cured(&found, &[0]);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ward.finds("ebs-key", "fail", "is Disabled");
    ward.cured(&found, &[0]);
    aws(&["kms", "schedule-key-deletion", "--key-id", &key]);
    let found = ward.finds("ebs-key", "fail", "is PendingDeletion");
    ward.cured(&found, &[0, 1]);
    aws(&["ec2", "disable-ebs-encryption-by-default"]);
}
