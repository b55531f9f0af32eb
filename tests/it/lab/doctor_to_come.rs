//! What the doctor finds in an account where a cluster is still to be made, and of the key that a cluster was made with: broken for real,
//! found, mended by the cures as they are printed, and found no more.

use super::stage;
use super::ward::Ward;
use serde_json::json;

/// 48 letters: `KarpenterNodeRole-` before it makes more than a role's name may have.
const LONG: &str = "grows-until-aws-takes-no-longer-names-for-a-role";
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[test]
fn a_new_account_is_made_ready_as_printed() {
    let Some(stage) = stage(LONG) else { return };
    // Somebody else's cluster has taken four of the five vCPUs of a new account.
    let other = json!({"name": "other", "version": "1.34", "authenticationMode": "API"});
    stage.lab().make_cluster(&other).unwrap();
    let ward = Ward::new(stage, &["--karpenter-version", "1.14.1"]);
    vcpus(&ward);
    network(&ward);
    earlier(&ward);
    roles(&ward);
    names(&ward);
    partition(&ward);
    eksctl(&ward);
    private(&ward);
}

fn private(ward: &Ward) {
    let private = ward.with(&["--private"]);
    let found = private.finds("private-vpc", "warn", "without endpoints of");
    assert!(found["message"].as_str().unwrap().contains("eks-auth"), "{found:#}");
    let listed = private.cure(&found, 0);
    // VPC, subnet, zone: two of one VPC in two zones. Those of the emulator's own VPC are of us-east-1 once an instance was made.
    let here = |row: &Vec<&str>| row.get(2).is_some_and(|zone| zone.starts_with("us-west-2"));
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).filter(here).collect();
    let pairs = rows.iter().flat_map(|one| rows.iter().map(move |other| (one, other)));
    let mut fitting = pairs.filter(|(one, other)| one[0] == other[0] && one[2] < other[2]);
    let subnets = fitting.next().map_or_else(|| panic!("{listed}"), |(one, other)| [one[1], other[1]]);
    private.spec_file(&json!({"vpc": {"privateSubnets": subnets}}));
    private.passes("private-vpc");

    // A subnet that is not there, and two of one zone.
    let check = "own-vpc";
    private.passes(check);
    let zone = private.aws_text(&[
        "ec2",
        "describe-subnets",
        "--subnet-ids",
        subnets[0],
        "--query",
        "Subnets[0].AvailabilityZone",
        "--output",
        "text",
    ]);
    let vpc = private.aws_text(&["ec2", "describe-subnets", "--subnet-ids", subnets[0], "--query", "Subnets[0].VpcId", "--output", "text"]);
    let range = ["--cidr-block", "172.31.224.0/24", "--query", "Subnet.SubnetId", "--output", "text"];
    let twin =
        private.aws_text(&[&["ec2", "create-subnet", "--vpc-id", vpc.trim(), "--availability-zone", zone.trim()], &range[..]].concat());
    private.spec_file(&json!({"vpc": {"privateSubnets": [subnets[0], "subnet-0a1b2c3d4e5f60718"]}}));
    let found = private.finds(check, "fail", "is not in us-west-2 of account");
    assert!(private.cure(&found, 0).contains(subnets[1]));
    private.spec_file(&json!({"vpc": {"privateSubnets": [subnets[0], twin.trim()]}}));
    let found = private.finds(check, "fail", "Subnets specified must be in at least two different AZs");
    private.karpctl(&["bootstrap", "--yes"]).exits(4).says("two different AZs");
    let listed = private.cure(&found, 0);
    assert!(listed.contains(subnets[1]) && listed.contains(twin.trim()), "{listed}");
    private.spec_file(&json!({"vpc": {"privateSubnets": subnets}}));
    private.passes(check);
    private.aws_text(&["ec2", "delete-subnet", "--subnet-id", twin.trim()]);
}

fn vcpus(ward: &Ward) {
    let check = "vcpu-quotas";
    let first = format!("4 of 5 are in use, and the first nodes of {LONG}-ng take 4: VcpuLimitExceeded");
    let found = ward.finds(check, "fail", &first);
    ward.cured(&found, &[0]);

    // The pool buys spot besides, of which there is none left; then it may grow beyond what the quota lets run.
    ward.spec_file(&json!({"nodePool": {"capacityTypes": ["spot", "on-demand"], "cpuLimit": 16}}));
    let instance = |market: &[&str]| {
        let words = ["ec2", "run-instances", "--image-id", "ami-12345678", "--instance-type", "m5.large", "--count", "2"];
        ward.aws(&[&words[..], market].concat());
    };
    instance(&["--instance-market-options", "MarketType=spot"]);
    let said = ward.ask(check);
    let spot = said.iter().find(|f| f["subject"] == "Spot vCPUs in us-west-2").unwrap_or_else(|| panic!("{said:#?}"));
    assert_eq!(spot["result"], "warn", "{spot:#}");
    assert!(
        spot["message"].as_str().unwrap().contains("4 of 5 are in use: the node pool can launch nothing: MaxSpotInstanceCountExceeded"),
        "{spot:#}"
    );
    ward.cure(spot, 0);
    let found = ward.finds(check, "warn", "the node pool may grow to 16 (nodePool.cpuLimit), and the quota ends it at 16");
    assert_eq!(found["subject"], "On-Demand vCPUs in us-west-2");
    ward.cured(&found, &[0]);
}

/// Five VPCs and five addresses: more AWS gives no new account.
fn network(ward: &Ward) {
    let check = "network-quotas";
    ward.passes(check);
    let all = |kind: &str, query: &str| ward.aws(&["ec2", kind, "--query", query]).as_array().unwrap().len();
    let there = all("describe-vpcs", "Vpcs[].VpcId");
    let made: Vec<String> = (there..5)
        .map(|n| {
            ward.aws_text(&["ec2", "create-vpc", "--cidr-block", &format!("10.{n}.0.0/16"), "--query", "Vpc.VpcId", "--output", "text"])
        })
        .collect();
    let found = ward.finds(check, "fail", "5 of 5 are in use, and the cluster takes one: VpcLimitExceeded");
    ward.cured(&found, &[0]);
    let addresses = all("describe-addresses", "Addresses[].AllocationId");
    let allocate = ["ec2", "allocate-address", "--domain", "vpc", "--query", "AllocationId", "--output", "text"];
    let taken: Vec<String> = (addresses..5).map(|_| ward.aws_text(&allocate)).collect();
    let found = ward.finds(check, "fail", "5 of 5 are in use, and the cluster takes one: AddressLimitExceeded");
    ward.cured(&found, &[0]);
    for id in made {
        ward.aws_text(&["ec2", "delete-vpc", "--vpc-id", id.trim()]);
    }
    for id in taken {
        ward.aws_text(&["ec2", "release-address", "--allocation-id", id.trim()]);
    }
}

/// What the Karpenter of a cluster of this name left, when the cluster was deleted under it.
fn earlier(ward: &Ward) {
    let check = "earlier-cluster";
    let aws = |words: &[&str]| ward.aws(words);
    ward.passes(check);
    let owned = format!("Key=kubernetes.io/cluster/{LONG},Value=owned");
    let tagged = |kind: &str, tags: &str| format!("ResourceType={kind},Tags=[{tags}]");

    let launched = tagged("instance", &format!("{{{owned}}},{{Key=karpenter.sh/nodepool,Value=default}}"));
    aws(&["ec2", "run-instances", "--image-id", "ami-12345678", "--instance-type", "m5.large", "--tag-specifications", &launched]);
    let found = ward.finds(check, "warn", "they run on and cost money: i-");
    ward.cured(&found, &[0]);

    aws(&["iam", "create-role", "--role-name", "left", "--assume-role-policy-document", TRUST]);
    let (name, region) = (format!("{LONG}_4711"), "Key=topology.kubernetes.io/region,Value=us-west-2");
    aws(&["iam", "create-instance-profile", "--instance-profile-name", &name, "--tags", &owned, region]);
    aws(&["iam", "add-role-to-instance-profile", "--instance-profile-name", &name, "--role-name", "left"]);
    let found = ward.finds(check, "warn", "it holds the role left, which cannot be deleted before: Cannot delete entity");
    ward.types(&["aws", "iam", "delete-role", "--role-name", "left"]).exits(255).says("must remove roles from instance profile first");
    ward.cured(&found, &[0, 1]);
    aws(&["iam", "delete-role", "--role-name", "left"]);

    let template = ["ec2", "create-launch-template", "--launch-template-name", "karpenter.k8s.aws/4711", "--launch-template-data"];
    let tags = tagged("launch-template", &format!("{{Key=karpenter.k8s.aws/cluster,Value={LONG}}}"));
    aws(&[&template[..], &[r#"{"InstanceType":"m5.large"}"#, "--tag-specifications", &tags]].concat());
    let found = ward.finds(check, "warn", "karpenter.k8s.aws/4711");
    ward.cured(&found, &[0]);

    let subnet = aws(&["ec2", "describe-subnets"])["Subnets"][0]["SubnetId"].as_str().unwrap().to_owned();
    let tags = tagged("network-interface", &format!("{{Key=cluster.k8s.amazonaws.com/name,Value={LONG}}}"));
    aws(&["ec2", "create-network-interface", "--subnet-id", &subnet, "--tag-specifications", &tags]);
    let found = ward.finds(check, "warn", "their subnets and security groups cannot be deleted before: eni-");
    ward.cured(&found, &[0]);
}

/// As many roles as the account may have, but for one less than what the cluster and its stack take.
fn roles(ward: &Ward) {
    let check = "iam-quotas";
    ward.passes(check);
    let summary = || ward.aws(&["iam", "get-account-summary"])["SummaryMap"].clone();
    let there = summary()["Roles"].as_u64().unwrap();
    assert_eq!(summary()["RolesQuota"], 1000);
    for number in there..996 {
        create_role(ward, &format!("unused-{number}"));
    }
    let message = "996 of 1000 are used, and 5 more are needed: LimitExceeded";
    let found = ward.finds(check, "fail", message);
    assert_eq!((&found["subject"], &found["fixes"][0]["title"]), (&json!("roles of the account"), &json!("remove what nobody uses")));
    ward.aws(&["iam", "delete-role", "--role-name", "unused-995"]);
    ward.passes(check);
    create_role(ward, "unused-995");
    let found = ward.finds(check, "fail", message);
    ward.cured(&found, &[1]);
    assert_eq!(summary()["RolesQuota"], 1001);
}

/// A hundred clusters, a hundred OIDC providers, and as many rules as leave no room for those of the stack.
#[test]
fn a_full_account_gets_room_for_a_cluster_as_printed() {
    let Some(stage) = stage("full") else { return };
    let other = json!({"name": "other", "version": "1.34", "authenticationMode": "API"});
    stage.lab().make_cluster(&other).unwrap();
    let ward = &Ward::new(stage, &["--karpenter-version", "1.14.1"]);
    let check = "cluster-quotas";
    ward.passes(check);
    let there = |words: &[&str], list: &str| ward.aws(words)[list].as_array().unwrap().len();

    let cluster = ward.aws(&["eks", "describe-cluster", "--name", "other"])["cluster"].clone();
    for number in there(&["eks", "list-clusters"], "clusters")..100 {
        let subnets = json!({"subnetIds": cluster["resourcesVpcConfig"]["subnetIds"]});
        let wanted = json!({"name": format!("unused-{number}"), "roleArn": cluster["roleArn"], "resourcesVpcConfig": subnets});
        post(ward, "eks", "/clusters", "", "application/json", &wanted.to_string());
    }
    let found = ward.finds(check, "fail", "100 of 100 are there, and full is one more: ResourceLimitExceededException");
    assert!(ward.cure(&found, 1).contains("unused-99"));
    ward.cured(&found, &[0]);

    for number in there(&["iam", "list-open-id-connect-providers"], "OpenIDConnectProviderList")..100 {
        let form = format!("Action=CreateOpenIDConnectProvider&Version=2010-05-08&Url=https://unused-{number}.example");
        form_post(ward, &format!("{form}&ClientIDList.member.1=sts.amazonaws.com&ThumbprintList.member.1={}", "9".repeat(40)));
    }
    let found = ward.finds(check, "fail", "100 of 100 are there, and that of full is one more: LimitExceeded");
    assert!(ward.cure(&found, 1).contains("unused-99"));
    ward.cured(&found, &[0]);

    for number in there(&["events", "list-rules"], "Rules")..296 {
        let rule = json!({"Name": format!("unused-{number}"), "ScheduleExpression": "rate(1 day)"});
        post(ward, "events", "/", "AWSEvents.PutRule", "application/x-amz-json-1.1", &rule.to_string());
    }
    let found = ward.finds(check, "fail", "296 of 300 are there, and stack Karpenter-full makes 5 more: LimitExceededException");
    assert!(ward.cure(&found, 1).contains("unused-295"));
    ward.cured(&found, &[0]);
}

fn create_role(ward: &Ward, name: &str) {
    form_post(ward, &format!("Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument=%7B%7D"));
}

fn form_post(ward: &Ward, body: &str) {
    post(ward, "iam", "/", "", "application/x-www-form-urlencoded", body);
}

/// By a request of our own: a thousand runs of aws would take ten minutes.
fn post(ward: &Ward, service: &str, path: &str, target: &str, kind: &str, body: &str) {
    let region = if service == "iam" { "us-east-1" } else { "us-west-2" };
    let who = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{region}/{service}/aws4_request");
    let mut post = ureq::post(format!("{}{path}", ward.lab().ready.gate)).header("Authorization", who).content_type(kind);
    if !target.is_empty() {
        post = post.header("X-Amz-Target", target);
    }
    post.send(body).unwrap();
}

/// The guide's name of the node role is longer than AWS takes it.
fn names(ward: &Ward) {
    let check = "names-and-sizes";
    let guide = format!("KarpenterNodeRole-{LONG}");
    ward.types(&["aws", "iam", "create-role", "--role-name", &guide, "--assume-role-policy-document", TRUST]).exits(255).says("64");
    let found = ward.finds(check, "warn", &format!("AWS does not take the guide's {guide}"));
    let called = found["message"].as_str().unwrap().strip_prefix("is called ").unwrap().split(':').next().unwrap().to_owned();
    // Every document has it so, and a person deploys them as the guide does.
    ward.cure(&found, 0);
    let template = format!("{LONG}/cloudformation.yaml");
    let stack = format!("Karpenter-{LONG}");
    let deploy = ["aws", "cloudformation", "deploy", "--stack-name", &stack, "--template-file", &template];
    ward.run(&[&deploy[..], &["--capabilities", "CAPABILITY_NAMED_IAM"]].concat());
    ward.aws(&["iam", "get-role", "--role-name", &called]);
    ward.passes(check);
}

/// A partition that is left over in the environment, as the guide has it set.
fn partition(ward: &Ward) {
    let check = "aws-partition";
    ward.passes(check);
    for (partition, region, of) in [("aws-cn", "us-west-2", "aws"), ("aws", "cn-north-1", "aws-cn")] {
        let there = ward.with(&["--region", region]);
        let message = format!("the region {region} is of the partition {of}");
        let left_over = there.having("AWS_PARTITION", partition);
        let found = left_over.finds(check, "fail", &message);
        assert_eq!(found["subject"], format!("partition {partition}"));
        left_over.taking(&found).passes(check);
        there.passes(check);
    }
}

/// No eksctl, another program of that name, one that is too old.
fn eksctl(ward: &Ward) {
    let check = "eksctl-version";
    ward.passes(check);
    let newest = ward.program("eksctl");
    let named = ward.with(&["--eksctl", newest.to_str().unwrap()]);
    let folder = ward.dir().join("own");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("eksctl");

    let nowhere = ward.having("PATH", folder.to_str().unwrap());
    let found = nowhere.finds(check, "fail", "eksctl is not on PATH");
    assert!(found["fixes"][0]["title"].as_str().unwrap().ends_with("or say where it is: --eksctl PATH"), "{found:#}");
    named.having("PATH", folder.to_str().unwrap()).passes(check);

    std::os::unix::fs::symlink(ward.program("kubectl"), &file).unwrap();
    let first = ward.first_on_path(&folder);
    let found = first.finds(check, "fail", "eksctl");
    assert_eq!(found["fixes"][0]["title"], "say which eksctl is meant: --eksctl PATH");
    named.first_on_path(&folder).passes(check);
    std::fs::remove_file(&file).unwrap();

    // Of an eksctl that is older the lab has only what it says of itself.
    std::fs::write(&file, "#!/bin/sh\n[ \"$1\" = version ] && echo 0.191.0\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let found = first.finds(check, "fail", "is older than 0.202.0, which the guide of Karpenter 1.14.1 asks for");
    assert_eq!(found["fixes"][0]["title"], "install eksctl 0.202.0 or newer");
    assert!(ward.cure(&found, 1).contains("0.202"), "{found:#}");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(newest, &file).unwrap();
    first.passes(check);
}

#[test]
fn the_key_of_the_secrets_is_mended_as_printed() {
    let Some(stage) = stage("secret") else { return };
    let ward = Ward::new(stage, &["--karpenter-version", "1.14.1"]);
    let aws = |words: &[&str]| ward.aws(words);
    let key = aws(&["kms", "create-key"])["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let check = "secrets-key";

    // The cluster is to be made, by somebody whom neither the key nor IAM lets use the key.
    ward.spec_file(&json!({"kmsKey": key}));
    aws(&["iam", "create-user", "--user-name", "ops"]);
    let ops = ward.as_user("ops");
    let found = ops.finds(check, "fail", ":user/ops do kms:CreateGrant, kms:DescribeKey");
    ward.cure(&found, 0);
    ops.passes(check);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ops.finds(check, "fail", "is Disabled");
    ward.cure(&found, 0);
    ops.passes(check);
    let nowhere = key.rsplit_once('/').unwrap().0.to_owned() + "/00000000-0000-0000-0000-000000000000";
    ward.spec_file(&json!({"kmsKey": nowhere}));
    ops.finds(check, "fail", "there is no such key");

    // The cluster is there, and was made with the key: nobody else says so.
    std::fs::remove_file(ward.dir().join("karpctl.yaml")).unwrap();
    let wanted = json!({"name": "secret", "version": "1.34", "authenticationMode": "API", "kms_key": key});
    ward.lab().make_cluster(&wanted).unwrap();
    assert_eq!(aws(&["eks", "describe-cluster", "--name", "secret"])["cluster"]["encryptionConfig"][0]["provider"]["keyArn"], key.as_str());
    let ward = ward.with(&["--existing-cluster"]);
    ward.passes(check);
    aws(&["kms", "disable-key", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is Disabled");
    assert_eq!(found["subject"], "secrets of secret");
    ward.cured(&found, &[0]);
    aws(&["kms", "schedule-key-deletion", "--key-id", &key]);
    let found = ward.finds(check, "fail", "is PendingDeletion");
    ward.cured(&found, &[0, 1]);
}
