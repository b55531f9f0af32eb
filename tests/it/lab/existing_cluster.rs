//! Karpenter on a cluster that somebody else made: what is theirs stays as it was.

use super::{Ended, Stage, stage};
use serde_json::{Value, json};
use std::io::Write;

fn there_and_back(stage: &Stage, release: &str, variant: &[&str]) {
    let before = stage.inventory();
    there(stage, release, variant);
    back(stage, release, variant, &before);
}

fn there(stage: &Stage, release: &str, variant: &[&str]) {
    let words = ["--existing-cluster", "--karpenter-version", release];
    let with = |command: &[&str]| stage.karpctl(&[command, &words, variant].concat());
    with(&["bootstrap", "--yes"]).exits(0);
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
    with(&["status", "--exit-code"]).exits(0).says("Everything is as the spec says");
    let report = stage.karpctl(&[&["verify", "--replicas", "2", "-o", "json"], &words[..]].concat()).exits(0).json();
    assert_eq!((&report["schema"], &report["node"]["proved"]), (&"karpctl/verify/v1".into(), &true.into()));
}

fn back(stage: &Stage, release: &str, variant: &[&str], before: &Value) {
    let words = [&["destroy", "--yes", "--delete-crds", "--existing-cluster", "--karpenter-version", release], variant].concat();
    stage.karpctl(&words).exits(0);
    assert_eq!(as_text(&stage.inventory()), as_text(before), "the cluster is not as it was");
}

/// A pod that is there keeps a node with room for one more.
fn room_on_a_node_proves_none(stage: &Stage) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "small", "annotations": {"karpenter.sh/do-not-disrupt": "true"}},
        "spec": {
            "nodeSelector": {"karpenter.sh/nodepool": "default", "karpenter.k8s.aws/instance-cpu": "8"},
            "containers": [{"name": "pause", "image": "public.ecr.aws/eks-distro/kubernetes/pause:3.7", "resources": {"requests": {"cpu": "100m"}}}],
        },
    });
    let file = stage.dir().join("pod.json");
    std::fs::write(&file, pod.to_string()).unwrap();
    stage.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    stage.kubectl(&["wait", "--for", "condition=Ready", "pod/small", "--timeout", "180s"]);
    let ended = stage.karpctl(&["verify", "--existing-cluster", "--replicas", "1", "-o", "json"]).exits(1);
    assert_eq!(ended.json()["node"]["proved"], false, "{}", ended.stdout);
    ended.says("the pods found room on nodes that Karpenter had launched before");
    stage.kubectl(&["delete", "pod", "small", "--wait"]);
}

/// Whom others let in stays let in, and what they wrote on an access entry stays written.
fn what_others_put_beside_ours_stays(stage: &Stage) {
    let bootstrap = || stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]);
    let role = format!("{}-karpenter", stage.cluster());
    let trust = || stage.aws(&["iam", "get-role", "--role-name", &role])["Role"]["AssumeRolePolicyDocument"]["Statement"].clone();
    let set_trust = |statements: &Value| {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        stage.aws(&["iam", "update-assume-role-policy", "--role-name", &role, "--policy-document", &document]);
    };
    let node_role = format!("arn:aws:iam::123456789012:role/KarpenterNodeRole-{}", stage.cluster());
    let entry = |command: &str, more: &[&str]| {
        stage.aws(&[&["eks", command, "--cluster-name", stage.cluster(), "--principal-arn", &node_role], more].concat())
    };
    let ours = trust()[0].clone();
    let debug = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"});
    set_trust(&json!([debug, ours]));
    bootstrap().exits(0).says("Nothing to do");
    set_trust(&json!([debug]));
    entry("delete-access-entry", &[]);
    entry("create-access-entry", &["--type", "STANDARD", "--tags", "team=a"]);
    bootstrap().exits(0);
    assert_eq!(trust(), json!([debug, ours]));
    let found = entry("describe-access-entry", &[])["accessEntry"].clone();
    assert_eq!((&found["type"], &found["tags"]["team"]), (&json!("EC2_LINUX"), &json!("a")), "{found}");
    bootstrap().exits(0).says("Nothing to do");

    entry("delete-access-entry", &[]);
    entry("create-access-entry", &["--type", "HYBRID_LINUX"]);
    bootstrap().exits(4).says("it is for nodes of another kind").says("`aws eks delete-access-entry");
    entry("delete-access-entry", &[]);
    bootstrap().exits(0);
}

/// The choice of subnets is made once: one that is left out stays so, whatever node groups run in it.
fn a_subnet_that_is_left_out_stays_so(stage: &Stage) {
    let filter = format!("Name=tag:karpenter.sh/discovery,Values={}", stage.cluster());
    let tagged = || stage.aws(&["ec2", "describe-subnets", "--filters", &filter])["Subnets"].as_array().unwrap().clone();
    let before = tagged();
    assert!(before.len() > 1, "{before:?}");
    let one = before[0]["SubnetId"].as_str().unwrap();
    let tag = |verb: &str, tag: &str| stage.aws_text(&["ec2", verb, "--resources", one, "--tags", tag]);
    tag("delete-tags", "Key=karpenter.sh/discovery");
    stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]).exits(0).says("Nothing to do");
    assert_eq!(tagged().len(), before.len() - 1);
    tag("create-tags", &format!("Key=karpenter.sh/discovery,Value={}", stage.cluster()));
}

/// Of an entry that is older than the role nothing is wrong to see, and it lets nobody in.
fn an_entry_of_an_earlier_role_is_made_anew(stage: &Stage) {
    let role = format!("KarpenterNodeRole-{}", stage.cluster());
    let iam = |command: &str, more: &[&str]| stage.aws(&[&["iam", command, "--role-name", &role], more].concat());
    let names = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
    };
    let trust = iam("get-role", &[])["Role"]["AssumeRolePolicyDocument"].to_string();
    let profiles = names(&iam("list-instance-profiles-for-role", &[])["InstanceProfiles"], "InstanceProfileName");
    let policies = names(&iam("list-attached-role-policies", &[])["AttachedPolicies"], "PolicyArn");
    for p in &profiles {
        iam("remove-role-from-instance-profile", &["--instance-profile-name", p]);
    }
    for p in &policies {
        iam("detach-role-policy", &["--policy-arn", p]);
    }
    iam("delete-role", &[]);
    // IAM tells whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    iam("create-role", &["--assume-role-policy-document", &trust]);
    for p in &policies {
        iam("attach-role-policy", &["--policy-arn", p]);
    }
    for p in &profiles {
        iam("add-role-to-instance-profile", &["--instance-profile-name", p]);
    }
    let doctor = || stage.karpctl(&["doctor", "--existing-cluster", "--only", "node-access"]);
    doctor().exits(1).says("it is of an earlier one of that name, and lets nobody in").says("aws eks delete-access-entry");
    let bootstrap = || stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]);
    bootstrap().exits(0).says("of an earlier role of this name");
    doctor().exits(0);
    bootstrap().exits(0).says("Nothing to do");
}

/// A queue that the stack's owner put in, and what others gave its role: a removal is not begun, and says what lets it through.
fn what_others_have_in_the_stack_is_not_taken_along(stage: &Stage) {
    // A node of an earlier scene may still be going.
    let inventory =
        || ["stacks", "roles", "attached_policies", "policies", "instance_profiles"].map(|of| stage.inventory()["aws"][of].clone());
    let (stack, role) = (format!("Karpenter-{}", stage.cluster()), format!("KarpenterNodeRole-{}", stage.cluster()));
    let cfn = |words: &[&str]| stage.aws_text(&[&["cloudformation"], words, &["--stack-name", &stack]].concat());
    let iam = |words: &[&str]| stage.aws_text(&[&["iam"], words, &["--role-name", &role]].concat());
    let official = stage.aws(&["cloudformation", "get-template", "--stack-name", &stack])["TemplateBody"].as_str().unwrap().to_owned();
    let extended = official.replacen("Resources:\n", "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n", 1);
    assert_ne!(extended, official);
    let deploy = |template: &str| {
        let file = stage.dir.path().join("stack.yaml");
        std::fs::write(&file, template).unwrap();
        let name = format!("ClusterName={}", stage.cluster());
        let mark = format!("karpctl.dev/cluster={}", stage.cluster());
        let of = ["--template-file", file.to_str().unwrap(), "--capabilities", "CAPABILITY_NAMED_IAM"];
        cfn(&[&["deploy"], &of[..], &["--parameter-overrides", &name, "--tags", &mark]].concat());
    };
    let policy = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";
    let some = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}"#;
    let before = inventory();
    deploy(&extended);
    iam(&["attach-role-policy", "--policy-arn", policy]);
    iam(&["put-role-policy", "--policy-name", "backup", "--policy-document", some]);
    stage.aws_text(&["iam", "create-instance-profile", "--instance-profile-name", "bastion"]);
    iam(&["add-role-to-instance-profile", "--instance-profile-name", "bastion"]);
    let theirs = inventory();
    for how in ["--yes", "--dry-run"] {
        stage
            .karpctl(&["destroy", how, "--existing-cluster"])
            .exits(4)
            .says("nothing was changed")
            .says("Jobs (AWS::SQS::Queue")
            .says(&format!("`aws iam detach-role-policy --role-name {role} --policy-arn {policy}`"))
            .says(&format!("`aws iam delete-role-policy --role-name {role} --policy-name backup` takes it away"))
            .says(&format!("`aws iam remove-role-from-instance-profile --instance-profile-name bastion --role-name {role}`"));
    }
    assert_eq!(inventory(), theirs, "a refusal changes nothing");
    iam(&["detach-role-policy", "--policy-arn", policy]);
    iam(&["delete-role-policy", "--policy-name", "backup"]);
    iam(&["remove-role-from-instance-profile", "--instance-profile-name", "bastion"]);
    stage.aws_text(&["iam", "delete-instance-profile", "--instance-profile-name", "bastion"]);
    deploy(&official);
    assert_eq!(inventory(), before);
}

/// Who gets credentials by the agent that karpctl made keeps it.
fn an_agent_that_others_use_stays(stage: &Stage, release: &str) {
    let eks = |command: &str, more: &[&str]| stage.aws(&[&["eks", command, "--cluster-name", stage.cluster()], more].concat());
    let (name, arn) = ("ebs-csi", "arn:aws:iam::123456789012:role/ebs-csi");
    let pods =
        json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]});
    let trust = json!({"Version": "2012-10-17", "Statement": [pods]}).to_string();
    stage.aws(&["iam", "create-role", "--role-name", name, "--assume-role-policy-document", &trust]);
    let of = ["--namespace", "kube-system", "--service-account", "ebs-csi-controller-sa", "--role-arn", arn];
    let made = eks("create-pod-identity-association", &of);
    stage
        .karpctl(&["destroy", "--yes", "--existing-cluster", "--karpenter-version", release])
        .exits(0)
        .says("it stays: others get their credentials by it: kube-system/ebs-csi-controller-sa")
        .says("what stays: add-on eks-pod-identity-agent");
    assert!(eks("list-addons", &[])["addons"].to_string().contains("eks-pod-identity-agent"));
    let id = made["association"]["associationId"].as_str().unwrap();
    eks("delete-pod-identity-association", &["--association-id", id]);
    stage.aws(&["iam", "delete-role", "--role-name", name]);
}

/// Who gets credentials by the OIDC provider that karpctl made keeps it.
fn a_provider_that_others_use_stays(stage: &Stage) {
    let providers = || stage.aws(&["iam", "list-open-id-connect-providers"])["OpenIDConnectProviderList"].as_array().unwrap().len();
    assert_eq!(providers(), 1);
    let theirs = ["--namespace", "default", "serviceaccount", "reports"];
    stage.kubectl(&[&["create"], &theirs[..]].concat());
    let role = "eks.amazonaws.com/role-arn=arn:aws:iam::123456789012:role/reports";
    stage.kubectl(&[&["annotate"], &theirs[..], &[role]].concat());
    let destroy = ["destroy", "--yes", "--existing-cluster", "--identity", "irsa"];
    let said = "it stays: others get their credentials by it: default/reports";
    stage.karpctl(&destroy).exits(0).says(said).says("what stays: OIDC provider of cluster irsa");
    stage.karpctl(&destroy).exits(0).says("Nothing to do");
    assert_eq!(providers(), 1);
    stage.kubectl(&[&["delete"], &theirs[..]].concat());
}

fn as_text(inventory: &Value) -> String {
    serde_json::to_string_pretty(inventory).unwrap()
}

#[test]
fn newest_release_with_access_entries_only() {
    let Some(stage) = stage("entries") else { return };
    stage.existing("1.34", "API");
    let before = stage.inventory();
    there(&stage, "1.14.1", &[]);
    room_on_a_node_proves_none(&stage);
    what_others_put_beside_ours_stays(&stage);
    a_subnet_that_is_left_out_stays_so(&stage);
    an_entry_of_an_earlier_role_is_made_anew(&stage);
    what_others_have_in_the_stack_is_not_taken_along(&stage);
    an_agent_that_others_use_stays(&stage, "1.14.1");
    back(&stage, "1.14.1", &[], &before);
}

/// Of an older release in a namespace of its own: a destroy that is told neither goes by what is there.
#[test]
fn destroy_goes_by_the_karpenter_that_is_there() {
    let Some(stage) = stage("namespaced") else { return };
    stage.existing("1.31", "API");
    let before = stage.inventory();
    let with = |words: &[&str]| stage.karpctl(&[words, &["--existing-cluster"]].concat());
    let given = ["--karpenter-version", "1.0.8", "--namespace", "karpenter"];
    let next = with(&[&["bootstrap", "--yes"], &given[..]].concat()).exits(0);
    next.says(
        "karpctl destroy --cluster-name namespaced --region us-west-2 --karpenter-version 1.0.8 --namespace karpenter --existing-cluster",
    );
    // A bootstrap by a newer karpctl upgrades nothing unasked.
    let again = with(&["bootstrap", "--dry-run"]).exits(0).says("Nothing to do");
    again.says("goes by the Karpenter that is there: 1.0.8 in the namespace karpenter").says("note: Karpenter 1.").says("goes to it");
    // Nor does a migration, which here has no autoscaler to come from.
    let migration = stage.karpctl(&["migrate", "cluster-autoscaler", "--dry-run", "-o", "json"]);
    migration.says("it goes by the Karpenter that is there: 1.0.8 in the namespace karpenter");
    // A named one is obeyed.
    let plan = with(&["destroy", "--dry-run", "--namespace", "kube-system"]).exits(0);
    plan.says("chart karpenter 1.0.8 in kube-system").says("not there");
    // One that works under another role is somebody else's, who put it in the place of karpctl's.
    let of = ["eks", "list-pod-identity-associations", "--cluster-name", "namespaced"];
    let id = stage.aws(&of)["associations"][0]["associationId"].as_str().unwrap().to_owned();
    let role = |name: &str| {
        let arn = format!("arn:aws:iam::{}:role/{name}", stage.lab().ready.account);
        let change =
            ["eks", "update-pod-identity-association", "--cluster-name", "namespaced", "--association-id", &id, "--role-arn", &arn];
        stage.aws(&change);
    };
    role("tf-karpenter");
    with(&["destroy", "--dry-run"]).exits(0).says("chart karpenter 1.14.1 in kube-system").says("not there");
    role("namespaced-karpenter");
    // What is set for releases of today is nothing to that one.
    let mut destroy = stage.command(&["destroy", "--yes", "--delete-crds", "--existing-cluster"]);
    let ended = Ended::from(destroy.env("ENABLE_ZONAL_SHIFT", "true").output().unwrap()).exits(0);
    ended.says("it goes by the Karpenter that is there: 1.0.8 in the namespace karpenter");
    assert_eq!(as_text(&stage.inventory()), as_text(&before), "the cluster is not as it was");
}

/// What the first run was told stays until a run says that it goes. Off the role of the nodes CloudFormation takes it, which the emulator's does
/// not: that its template no longer has it is all that can be seen here.
fn a_boundary_is_taken_off_by_a_word(stage: &Stage) {
    let role = || stage.aws(&["iam", "get-role", "--role-name", "irsa-karpenter"])["Role"].clone();
    let template = || stage.aws_text(&["cloudformation", "get-template", "--stack-name", "Karpenter-irsa"]);
    let bounded = || [role()["PermissionsBoundary"].is_object(), template().contains("PermissionsBoundary")];
    assert_eq!(bounded(), [true, true]);
    let bootstrap =
        |more: &[&str]| stage.karpctl(&[&["bootstrap", "--existing-cluster", "--yes", "--karpenter-version", "1.14.1"], more].concat());
    bootstrap(&["--permissions-boundary", "none"]).exits(0).says("-> none");
    assert_eq!(bounded(), [false, false]);
    bootstrap(&[]).exits(0).says("Nothing to do");
}

#[test]
fn newest_release_with_irsa() {
    let Some(stage) = stage("irsa") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    let before = stage.inventory();
    let boundary = format!("arn:aws:iam::{}:policy/edge", stage.lab().ready.account);
    there(&stage, "1.14.1", &["--identity", "irsa", "--permissions-boundary", &boundary, "--tag", "team=web"]);
    // Who runs it next need not know.
    let again = stage.karpctl(&["bootstrap", "--existing-cluster", "--dry-run", "--karpenter-version", "1.14.1"]).exits(0);
    let again = again.says("Nothing to do").says("as Karpenter was made, and nothing says otherwise: identity irsa");
    again.says(&format!("permissionsBoundary {boundary}")).says("tags team=web");
    a_boundary_is_taken_off_by_a_word(&stage);
    // A pipe gives a spec file once.
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"existingCluster: true\nkarpenterVersion: 1.14.1\n").unwrap();
    drop(writer);
    let piped = stage.command(&["bootstrap", "--dry-run", "-f", "/dev/stdin"]).stdin(reader).output().unwrap();
    Ended::from(piped).exits(0).says("Nothing to do");
    a_provider_that_others_use_stays(&stage);
    back(&stage, "1.14.1", &["--identity", "irsa"], &before);
}

#[test]
fn release_1_0_8_with_aws_auth_only() {
    let Some(stage) = stage("authmap") else { return };
    stage.existing("1.31", "CONFIG_MAP");
    there_and_back(&stage, "1.0.8", &[]);
}

#[test]
fn release_0_17_0_on_kubernetes_1_23() {
    let Some(stage) = stage("oldest") else { return };
    stage.existing("1.23", "CONFIG_MAP");
    there_and_back(&stage, "v0.17.0", &[]);
}

#[test]
fn release_0_17_0_is_refused_on_a_new_cluster() {
    let Some(stage) = stage("tooold") else { return };
    let plan = stage.karpctl(&["bootstrap", "--karpenter-version", "v0.17.0", "--dry-run", "-o", "json"]).exits(0);
    let plan = plan.json();
    let steps = plan["steps"].as_array().unwrap().len();
    assert!(steps >= 8, "the plan has {steps} steps");
    assert!(plan["checks"].as_array().unwrap().iter().any(|c| c["id"] == "kubernetes-offered" && c["result"] == "fail"), "{plan}");
    assert!(plan["refused"]["hints"].as_array().unwrap().iter().any(|h| h.as_str().unwrap().contains("--existing-cluster")), "{plan}");
    stage.karpctl(&["bootstrap", "--karpenter-version", "v0.17.0", "--dry-run", "--exit-code"]).exits(4);
    // What runs neither helm nor eksctl does not ask for them.
    stage.karpctl(&["iam", "--dry-run", "--exit-code", "--helm", "/nowhere/helm", "--eksctl", "/nowhere/eksctl"]).exits(3);
    stage.karpctl(&["bootstrap", "--dry-run", "--exit-code", "--helm", "/nowhere/helm"]).exits(4).says("no helm at /nowhere/helm");
    stage.karpctl(&["bootstrap", "--karpenter-version", "v0.17.0", "--yes"]).exits(4).says("kubernetes-offered").says("--existing-cluster");
    super::assert_empty(&stage.inventory());
}

#[test]
fn a_controller_that_started_before_its_association_worked_is_restarted() {
    let Some(stage) = stage("early") else { return };
    stage.existing("1.34", "API");
    stage.lab().post("settings", &json!({"association_seconds": 20})).unwrap();
    let with = |command: &[&str]| stage.karpctl(&[command, &["--existing-cluster"]].concat());
    let credentials = || stage.lab().get("controllers").unwrap()[0]["credentials"].as_str().unwrap_or_default().to_owned();
    with(&["bootstrap", "--yes"]).exits(0).says("restarting the controller");
    assert!(credentials().starts_with("Pod Identity of early"), "{}", credentials());
    with(&["status", "--exit-code"]).exits(0);

    stage.lab().post("settings", &json!({"association_seconds": 0})).unwrap();
    let listed = stage.aws(&["eks", "list-pod-identity-associations", "--cluster-name", stage.cluster()]);
    let id = listed["associations"][0]["associationId"].as_str().unwrap().to_owned();
    stage.aws(&["eks", "delete-pod-identity-association", "--cluster-name", stage.cluster(), "--association-id", &id]);
    let namespace = ["--namespace", "kube-system"];
    stage.kubectl(&[&["rollout", "restart", "deployment/karpenter"], &namespace[..]].concat());
    stage.kubectl(&[&["rollout", "status", "deployment/karpenter", "--timeout", "2m"], &namespace[..]].concat());
    with(&["bootstrap", "--yes"]).exits(0).says("made before its Pod Identity association worked");
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
}

/// Whom the controller's role lets in, and by what its pods are led to credentials.
fn ways(stage: &Stage) -> (Vec<String>, bool) {
    let role = format!("{}-karpenter", stage.cluster());
    let trust = stage.aws(&["iam", "get-role", "--role-name", &role])["Role"]["AssumeRolePolicyDocument"]["Statement"].clone();
    let action = |statement: &Value| statement["Action"].as_str().unwrap_or("agent").to_owned();
    let pods =
        stage.kubectl(&["get", "pods", "--namespace", "kube-system", "--selector", "app.kubernetes.io/name=karpenter", "--output", "json"]);
    let mut stay = pods["items"].as_array().unwrap().iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    (trust.as_array().unwrap().iter().map(action).collect(), stay.all(|pod| pod.to_string().contains("AWS_CONTAINER_CREDENTIALS_FULL_URI")))
}

/// Another way to credentials on a Karpenter that works, and back: the old one is gone after each, and the controller works by the new one.
#[test]
fn the_controller_changes_its_way_to_credentials() {
    let Some(stage) = stage("change") else { return };
    stage.existing("1.34", "API");
    let with = |command: &[&str]| stage.karpctl(&[command, &["--existing-cluster"]].concat());
    let credentials = || stage.lab().get("controllers").unwrap()[0]["credentials"].as_str().unwrap_or_default().to_owned();
    let associations = || stage.aws(&["eks", "list-pod-identity-associations", "--cluster-name", stage.cluster()])["associations"].clone();
    with(&["bootstrap", "--yes"]).exits(0);
    assert_eq!(ways(&stage), (vec!["agent".to_owned()], true));

    let planned = with(&["bootstrap", "--dry-run", "--identity", "irsa"]).exits(0);
    planned.says("EKS heeds it before the annotation").says("lets it in by Pod Identity, too");
    with(&["bootstrap", "--yes", "--identity", "irsa"]).exits(0).says("restarting the controller: pods of it go by Pod Identity");
    assert_eq!((ways(&stage), associations()), ((vec!["sts:AssumeRoleWithWebIdentity".to_owned()], false), json!([])));
    assert!(credentials().starts_with("IRSA of change"), "{}", credentials());
    with(&["doctor", "--only", "one-identity", "--identity", "irsa"]).exits(0).says("is given its role by IRSA alone");
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");

    with(&["bootstrap", "--yes", "--identity", "pod-identity"]).exits(0).says("lets it in by IRSA, too");
    assert_eq!(ways(&stage), (vec!["agent".to_owned()], true));
    assert!(credentials().starts_with("Pod Identity of change"), "{}", credentials());
    with(&["doctor", "--only", "one-identity"]).exits(0).says("is given its role by Pod Identity alone");
    with(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
}

/// What the controller of 1.0 writes of its conversion webhook, which cannot be asked in the lab, and what people do by hand: to helm 4, which made
/// these objects by server-side apply, the fields are of somebody else.
fn written_by_others(stage: &Stage) {
    let authority = stage.kubectl(&["config", "view", "--raw", "--output", "jsonpath={.clusters[0].cluster.certificate-authority-data}"]);
    let conversion = json!({"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": authority}}}}}).to_string();
    for crd in ["nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"] {
        stage.kubectl(&["patch", "crd", crd, "--type", "merge", "--field-manager", "controller", "--patch", &conversion]);
    }
    stage.kubectl(&["set", "resources", "deployment/karpenter", "--namespace", "kube-system", "--limits", "memory=3Gi"]);
}

/// A queue that its owner puts into karpctl's stack is not taken away by an upgrade.
fn what_was_put_into_the_stack_since_stays(stage: &Stage) {
    let with = |release: &str| stage.karpctl(&["bootstrap", "--existing-cluster", "--yes", "--karpenter-version", release]);
    let template = stage.aws_text(&[
        "cloudformation",
        "get-template",
        "--stack-name",
        "Karpenter-split",
        "--query",
        "TemplateBody",
        "--output",
        "text",
    ]);
    let file = stage.dir().join("template.yaml");
    let deploy = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let call = ["cloudformation", "deploy", "--stack-name", "Karpenter-split", "--capabilities", "CAPABILITY_NAMED_IAM"];
        let more = ["--template-file", file.to_str().unwrap(), "--tags", "karpctl.dev/cluster=split"];
        stage.aws_text(&[&call[..], &more].concat());
    };
    let letters = "  DeadLetters:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: dead-letters\n";
    deploy(&template.replacen("  KarpenterInterruptionQueue:\n", &format!("{letters}  KarpenterInterruptionQueue:\n"), 1));
    with("1.0.8").exits(0).says("Nothing to do");
    let refused = with("1.14.1").exits(4).says("An update to the template would take away: resource DeadLetters (AWS::SQS::Queue)");
    refused.says("put what is its owner's into another stack, and run this again");
    stage.aws(&["sqs", "get-queue-url", "--queue-name", "dead-letters"]);
    deploy(&template);
}

/// CloudFormation cannot delete the policy that the role has: it lets go of it. Whoever upgraded before karpctl knew that has it still.
#[test]
fn an_upgrade_leaves_no_policy_of_the_release_before() {
    let Some(stage) = stage("split") else { return };
    stage.existing("1.31", "API");
    let before = stage.inventory();
    let with = |command: &str, release: &str| stage.karpctl(&[command, "--existing-cluster", "--yes", "--karpenter-version", release]);
    let old = "arn:aws:iam::123456789012:policy/KarpenterControllerPolicy-split";
    let has_old = || stage.inventory()["aws"].to_string().contains("KarpenterControllerPolicy-split");
    with("bootstrap", "1.0.8").exits(0);
    assert!(has_old());
    what_was_put_into_the_stack_since_stays(&stage);
    written_by_others(&stage);
    with("bootstrap", "1.14.1").exits(0).says(&format!("deleting the policy {old}"));
    assert!(!has_old());
    let limits = ["get", "deployment", "karpenter", "--namespace", "kube-system", "--output", "jsonpath={..resources.limits.memory}"];
    assert_eq!(stage.kubectl(&limits), "1Gi");
    let make = || {
        let nothing = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}]});
        let made = ["--policy-name", "KarpenterControllerPolicy-split", "--policy-document", &nothing.to_string()];
        stage.aws(&[&["iam", "create-policy"], &made[..]].concat());
    };
    make();
    with("bootstrap", "1.14.1").exits(0).says("left of another release, attached to nothing");
    assert!(!has_old());
    with("bootstrap", "1.14.1").exits(0).says("Nothing to do");
    make();
    let words = ["destroy", "--yes", "--delete-crds", "--existing-cluster", "--karpenter-version", "1.14.1"];
    stage.karpctl(&words).exits(0);
    assert_eq!(as_text(&stage.inventory()), as_text(&before), "the cluster is not as it was");
}

/// Nodes that have a security group of their own, as those of terraform-aws-eks: Karpenter's have it in common with them.
#[test]
fn nodes_have_the_security_group_of_the_node_groups() {
    let Some(stage) = stage("grouped") else { return };
    stage.existing("1.34", "API");
    let names = |name: &'static str| ["--cluster-name", "grouped", "--nodegroup-name", name];
    let group = stage.aws(&[&["eks", "describe-nodegroup"], &names("grouped-ng")[..]].concat())["nodegroup"].clone();
    let (role, subnet) = (group["nodeRole"].as_str().unwrap(), group["subnets"][0].as_str().unwrap());
    let vpc = stage.aws(&["ec2", "describe-subnets", "--subnet-ids", subnet])["Subnets"][0]["VpcId"].as_str().unwrap().to_owned();
    let made = ["ec2", "create-security-group", "--group-name", "grouped-node", "--description", "nodes", "--vpc-id", &vpc];
    let of_nodes = stage.aws(&made)["GroupId"].as_str().unwrap().to_owned();
    stage.aws_text(&["ec2", "create-tags", "--resources", &of_nodes, "--tags", "Key=kubernetes.io/cluster/grouped,Value=owned"]);
    let data = json!({"SecurityGroupIds": [of_nodes]}).to_string();
    let made = ["ec2", "create-launch-template", "--launch-template-name", "grouped-node", "--launch-template-data", &data];
    let by = format!("id={},version=1", stage.aws(&made)["LaunchTemplate"]["LaunchTemplateId"].as_str().unwrap());
    let shape =
        ["--node-role", role, "--subnets", subnet, "--scaling-config", "minSize=0,maxSize=2,desiredSize=0", "--launch-template", &by];
    stage.aws(&[&["eks", "create-nodegroup"], &names("own")[..], &shape].concat());
    let words = ["--existing-cluster", "--karpenter-version", "1.14.1"];
    let planned = format!("security groups {of_nodes}: as the managed node groups' nodes have them");
    stage.karpctl(&[&["bootstrap", "--dry-run"], &words[..]].concat()).exits(0).says(&planned);
    stage.karpctl(&[&["bootstrap", "--yes"], &words[..]].concat()).exits(0);
    let filter = "Name=tag:karpenter.sh/discovery,Values=grouped";
    let tagged = stage.aws(&["ec2", "describe-security-groups", "--filters", filter])["SecurityGroups"].clone();
    assert_eq!((tagged.as_array().map(Vec::len), &tagged[0]["GroupId"]), (Some(1), &json!(of_nodes)), "{tagged}");
    stage.karpctl(&["doctor", "--existing-cluster", "--only", "node-security-groups"]).exits(0);
    stage.karpctl(&[&["bootstrap", "--yes"], &words[..]].concat()).exits(0).says("Nothing to do");
    stage.karpctl(&["destroy", "--yes", "--existing-cluster"]).exits(0);
    let left = stage.aws(&["ec2", "describe-security-groups", "--filters", filter])["SecurityGroups"].clone();
    assert_eq!(left, json!([]), "the tag is taken off again");
}
