//! A Karpenter that somebody else made is taken over as it is: nothing of it is made anew.

use super::ward::Ward;
use super::{Ended, Stage, stage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What of a thing stays the same as long as it is not made anew.
type Identities = BTreeMap<String, Value>;

fn objects(stage: &Stage, into: &mut Identities, kind: &str, filter: impl Fn(&str) -> bool) {
    let list = stage.kubectl(&["get", kind, "--all-namespaces", "-o", "json"]);
    for object in list["items"].as_array().unwrap() {
        let meta = &object["metadata"];
        let name = format!("{kind} {}/{}", meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap());
        if filter(&name) {
            into.insert(name, json!([meta["uid"], meta["creationTimestamp"]]));
        }
    }
}

/// Ids and creation times of what a Karpenter consists of.
fn identities(stage: &Stage) -> Identities {
    let mut all = Identities::new();
    let crds = stage.kubectl(&["get", "customresourcedefinitions", "-o", "json"]);
    let crds: Vec<&str> = crds["items"].as_array().unwrap().iter().map(|crd| crd["metadata"]["name"].as_str().unwrap()).collect();
    let kinds = ["nodepools", "ec2nodeclasses", "provisioners", "awsnodetemplates"];
    let served = kinds.into_iter().filter(|kind| crds.iter().any(|crd| crd.starts_with(&format!("{kind}."))));
    for kind in ["customresourcedefinitions", "deployments", "replicasets", "serviceaccounts", "pods"].into_iter().chain(served) {
        objects(stage, &mut all, kind, |name| name.contains("karpenter") || kinds.iter().any(|kind| name.contains(kind)));
    }
    for role in stage.aws(&["iam", "list-roles"])["Roles"].as_array().unwrap() {
        let name = role["RoleName"].as_str().unwrap();
        if name.to_lowercase().contains("karpenter") || name.contains(stage.cluster()) {
            all.insert(format!("role {name}"), json!([role["RoleId"], role["CreateDate"]]));
        }
    }
    for policy in stage.aws(&["iam", "list-policies", "--scope", "Local"])["Policies"].as_array().unwrap() {
        all.insert(format!("policy {}", policy["PolicyName"]), json!([policy["PolicyId"], policy["CreateDate"]]));
    }
    for stack in stage.aws(&["cloudformation", "list-stacks"])["StackSummaries"].as_array().unwrap() {
        if stack["StackStatus"] != "DELETE_COMPLETE" {
            all.insert(format!("stack {}", stack["StackName"]), json!([stack["StackId"], stack["CreationTime"]]));
        }
    }
    let cluster = stage.aws(&["eks", "describe-cluster", "--name", stage.cluster()]);
    all.insert("cluster".into(), json!([cluster["cluster"]["arn"], cluster["cluster"]["createdAt"]]));
    for association in
        stage.aws(&["eks", "list-pod-identity-associations", "--cluster-name", stage.cluster()])["associations"].as_array().unwrap()
    {
        all.insert(format!("association {}", association["serviceAccount"]), association["associationId"].clone());
    }
    for url in stage.aws(&["sqs", "list-queues"])["QueueUrls"].as_array().into_iter().flatten() {
        let answer =
            stage.aws(&["sqs", "get-queue-attributes", "--queue-url", url.as_str().unwrap(), "--attribute-names", "CreatedTimestamp"]);
        all.insert(format!("queue {url}"), answer["Attributes"]["CreatedTimestamp"].clone());
    }
    all
}

/// All that was there is still the same; what is new is named.
#[track_caller]
fn assert_nothing_was_made_anew(before: &Identities, after: &Identities, new: &[&str]) {
    for (thing, identity) in before {
        assert_eq!(after.get(thing), Some(identity), "{thing} is not what it was");
    }
    let more: Vec<&String> = after.keys().filter(|thing| !before.contains_key(*thing)).collect();
    assert!(more.iter().all(|thing| new.iter().any(|n| thing.contains(n))), "made beside what was there: {more:?}");
}

pub(super) fn shell(stage: &Stage, script: &Path) -> Ended {
    let mut command = stage.lab().command(Path::new("bash"));
    command.env("CLUSTER_NAME", stage.cluster()).env("KUBECONFIG", &stage.lab().ready.kubeconfig);
    command.current_dir(stage.dir()).arg("-e").arg(script).arg(env!("CARGO_BIN_EXE_karpctl"));
    command.output().unwrap().into()
}

/// Adopts it, which says what differs, and sees that a bootstrap by the file that was written has nothing to do.
fn adopted(stage: &Stage, maker: &str, differs: &[&str], new: &[&str]) -> String {
    let before = identities(stage);
    let mut said = stage.karpctl(&["adopt", "--dry-run"]).exits(0).says(maker);
    for words in differs {
        said = said.says(words);
    }
    assert!(!stage.dir().join("karpctl.yaml").exists(), "a dry run writes nothing");
    assert_eq!(identities(stage), before, "a dry run changes nothing");
    stage.karpctl(&["adopt", "--yes"]).exits(0).says(maker).says("wrote karpctl.yaml");
    assert_nothing_was_made_anew(&before, &identities(stage), new);
    stage.karpctl(&["bootstrap", "--yes"]).exits(0).says("Nothing to do");
    stage.karpctl(&["status", "--exit-code"]).exits(0).says("Everything is as the spec says");
    stage.karpctl(&["adopt", "--yes"]).exits(0).says("Nothing to do");
    assert_nothing_was_made_anew(&before, &identities(stage), new);
    let written = |file| std::fs::read_to_string(stage.dir().join(file)).unwrap();
    stage.karpctl(&["adopt", "--yes", "-f", "other.yaml"]).exits(0).says("wrote other.yaml");
    assert_eq!(written("other.yaml"), written("karpctl.yaml"), "without a file, the same is found out again");
    std::fs::remove_file(stage.dir().join("other.yaml")).unwrap();
    written("karpctl.yaml")
}

#[test]
fn what_the_guides_commands_made() {
    let Some(stage) = stage("guide") else { return };
    shell(&stage, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/guide.sh")).exits(0);
    stage.karpctl(&["bootstrap", "--existing-cluster", "--yes"]).exits(4).says("--adopt");
    what_its_owner_put_into_the_stack_stays(&stage);
    let written = adopted(&stage, "was made by the guide's commands", &[], &[]);
    assert!(!written.contains("madeElsewhere"), "{written}");
    assert!(!written.contains("keep: true"), "{written}");
    stage.karpctl(&["verify", "--replicas", "1"]).exits(0);
}

fn what_its_owner_put_into_the_stack_stays(stage: &Stage) {
    let deploy = |file: &str| {
        let call = ["cloudformation", "deploy", "--stack-name", "Karpenter-guide", "--capabilities", "CAPABILITY_NAMED_IAM"];
        stage.aws_text(&[&call[..], &["--template-file", file, "--parameter-overrides", "ClusterName=guide"]].concat());
    };
    let file = |name: &str| stage.dir().join("guide").join(name).to_str().unwrap().to_owned();
    let guides = std::fs::read_to_string(file("cloudformation.yaml")).unwrap();
    let queue = "  KarpenterInterruptionQueue:\n";
    let extended = guides.replacen(
        queue,
        &format!("  DeadLetters:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: dead-letters\n{queue}"),
        1,
    );
    std::fs::write(file("extended.yaml"), extended).unwrap();
    deploy(&file("extended.yaml"));
    let own = "resource DeadLetters (AWS::SQS::Queue)";
    stage.karpctl(&["bootstrap", "--existing-cluster", "--adopt", "--yes"]).exits(4).says(own).says("karpctl adopt");
    stage.karpctl(&["adopt", "--dry-run"]).exits(0).says(own).says("by: the stack Karpenter-guide");
    stage.aws(&["sqs", "get-queue-url", "--queue-name", "dead-letters"]);
    deploy(&file("cloudformation.yaml"));
}

#[test]
fn what_the_guide_of_the_first_release_made() {
    let Some(stage) = stage("alpha") else { return };
    stage.existing("1.23", "CONFIG_MAP");
    shell(&stage, &script("provisioner.sh")).exits(0);
    let written = adopted(&stage, "was made by the guide's commands", &[], &[]);
    for words in ["karpenterVersion: \"0.17.0\"", "identity: irsa", "nodeAccess: aws-auth"] {
        assert!(written.contains(words), "{words}\n{written}");
    }
    assert!(!written.contains("madeElsewhere") && !written.contains("keep: true"), "{written}");
    stage.karpctl(&["verify", "--replicas", "1"]).exits(0);
}

pub(super) fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab/adopt").join(name)
}

#[test]
fn what_eksctls_karpenter_block_made() {
    let Some(stage) = stage("byeksctl") else { return };
    shell(&stage, &script("eksctl.sh")).exits(0);
    // The charts of CRDs and the role for spot are karpctl's to make.
    let written =
        adopted(&stage, "was made by eksctl", &["interruptions are not handled", "aws-auth alone"], &["AWSServiceRoleForEC2Spot"]);
    for words in [
        "by: eksctl",
        "role/eksctl-byeksctl-iamservice-role",
        "role/eksctl-KarpenterNodeRole-byeksctl",
        "identity: irsa",
        "nodeAccess: aws-auth",
    ] {
        assert!(written.contains(words), "{words}\n{written}");
    }
    assert!(!written.contains("keep: true"), "a pool as the guide's is taken over: {written}");
}

/// Nothing is made for a Karpenter of another tool's, so that nothing needs room.
fn a_full_account_keeps_nothing_from_it(ward: &Ward) {
    let entry = |(key, value): (&str, u32)| format!("<entry><key>{key}</key><value>{value}</value></entry>");
    let counted: String = [("Roles", 1000), ("RolesQuota", 1000), ("Policies", 1500), ("PoliciesQuota", 1500)].map(entry).concat();
    let body = format!(
        "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetAccountSummaryResult><SummaryMap>{counted}\
         </SummaryMap></GetAccountSummaryResult><ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></GetAccountSummaryResponse>"
    );
    let answer = json!({"service": "iam", "action": "GetAccountSummary", "times": 0, "status": 200,
        "headers": {"content-type": "text/xml"}, "body": body});
    ward.lab().post("faults", &answer).unwrap();
    ward.finds("iam-quotas", "skip", "another tool");
    ward.lab().clear_faults().unwrap();
}

/// karpctl's controller could not give nodes the role that the node class names.
fn its_roles_are_not_replaced(stage: &Stage) {
    let before = identities(stage);
    for more in [&[][..], &["--adopt"]] {
        let bootstrap = ["bootstrap", "--existing-cluster", "--karpenter-version", "1.14.1", "--yes"];
        let refused = stage.karpctl(&[&bootstrap[..], more].concat()).exits(4);
        refused
            .says("its pods have the service account byterraform-karpenter")
            .says("default with the role Karpenter-byterraform-")
            .says("`karpctl adopt");
    }
    assert_eq!(identities(stage), before, "nothing is made");
}

#[test]
fn what_the_terraform_module_made() {
    let Some(stage) = stage("byterraform") else { return };
    stage.existing("1.34", "API_AND_CONFIG_MAP");
    shell(&stage, &script("terraform.sh")).exits(0);
    let pool = |stage: &Stage| stage.kubectl(&["get", "nodepool,ec2nodeclass", "-o", "json"])["items"].clone();
    let specs = |items: Value| items.as_array().unwrap().iter().map(|i| i["spec"].clone()).collect::<Vec<_>>();
    let before = specs(pool(&stage));
    // It works, and the doctor finds nothing broken, though little of it has the guide's names.
    let checks = "other-karpenter,stack-state,chart-names,controller-association,controller-trust,one-identity,node-access,node-policies,\
                  controller-permissions,interruption-queue,installed-fit,controller-image,upgrade-hops";
    stage.karpctl(&["doctor", "--only", checks]).exits(0);
    let ward = Ward::new(stage, &[]);
    let stage: &Stage = &ward;
    a_full_account_keeps_nothing_from_it(&ward);
    let queue =
        stage.aws_text(&["sqs", "get-queue-url", "--queue-name", "Karpenter-byterraform", "--query", "QueueUrl", "--output", "text"]);
    stage.aws_text(&["sqs", "delete-queue", "--queue-url", queue.trim()]);
    let found =
        ward.finds("chart-names", "fail", "settings.interruptionQueue is \"Karpenter-byterraform\", and us-west-2 has no such queue");
    assert!(!ward.cure(&found, 0).contains("Karpenter-byterraform"));
    ward.cured(&found, &[1]);
    its_roles_are_not_replaced(stage);
    let written = adopted(stage, "was made by Terraform", &["are Terraform's, and stay so"], &["AWSServiceRoleForEC2Spot"]);
    for words in [
        "by: Terraform",
        "role/KarpenterController-",
        "interruptionQueue: Karpenter-byterraform",
        "keep: true",
        "nodeAccess: access-entry",
        "name: byterraform-karpenter",
    ] {
        assert!(written.contains(words), "{words}\n{written}");
    }
    assert_eq!(specs(pool(stage)), before, "node pools that are not the guide's are left alone");
    let requests = stage.requests();
    assert!(!requests.iter().any(|r| r.contains("UpdateAssumeRolePolicy")), "roles of Terraform are left alone: {requests:?}");
}
