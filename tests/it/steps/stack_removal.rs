//! What keeps the stack from going: what its owner put into it, and who holds its role.

use crate::fake::FakeWorld;
use crate::fixture::spec;
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::{RoleFacts, RoleTies, Topic};
use karpctl::plan::StepId;
use karpctl::ports::Tags;
use karpctl::render;
use karpctl::spec::Spec;
use karpctl::steps::{OWNER_TAG, refused_by_others};
use std::sync::Arc;

const STACK: &str = "Karpenter-demo";
const ROLE: &str = "KarpenterNodeRole-demo";
const LOGS: &str = "  Logs:\n    Type: AWS::S3::Bucket\n  KarpenterInterruptionQueue:\n";

/// A stack of karpctl's with this template.
fn with(spec: &Spec, template: String) -> Arc<FakeWorld> {
    let world = FakeWorld::empty(spec.clone());
    world.set_stack(STACK, "CREATE_COMPLETE", &[], Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())]));
    world.inside().stacks.get_mut(STACK).unwrap().facts.template = Some(template);
    world
}

fn extended(spec: &Spec, by: &str) -> String {
    let (official, queue) = (render::cloudformation(spec).unwrap(), "  KarpenterInterruptionQueue:\n");
    assert!(official.contains(queue), "{official}");
    official.replacen(queue, by, 1)
}

async fn refusal(world: &Arc<FakeWorld>) -> Option<Error> {
    let facts = world.facts(&[Topic::Stack, Topic::NodeRoleHolders]).await;
    refused_by_others(&world.spec, &facts).err()
}

async fn refused(world: &Arc<FakeWorld>) -> String {
    let error = refusal(world).await.expect("it is refused");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Refused, "the stack Karpenter-demo is not deleted; nothing was changed"));
    assert!(world.changes().is_empty(), "{:?}", world.changes());
    format!("{error}\n{}", error.hints.join("\n"))
}

#[tokio::test(start_paused = true)]
async fn what_its_owner_put_into_it_is_not_taken_along() {
    let spec = spec("1.14.1");
    let world = with(&spec, extended(&spec, LOGS));
    let told = refused(&world).await;
    for words in [
        "Logs (AWS::S3::Bucket)",
        "give it `DeletionPolicy: Retain`",
        "aws cloudformation get-template --region us-west-2 --stack-name Karpenter-demo",
        "`karpctl render cloudformation --cluster-name demo --region us-west-2 --karpenter-version 1.14.1 > cloudformation.yaml`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // What is to stay does, and goes with no stack.
    let kept = with(&spec, extended(&spec, &LOGS.replace("Bucket\n", "Bucket\n    DeletionPolicy: Retain\n")));
    assert_eq!(refusal(&kept).await, None);

    // One that somebody else's removal has left half takes no update: what is still there can be kept all the same.
    let half = |resources: &[(&str, &str)]| {
        let mut inside = world.inside();
        let facts = &mut inside.stacks.get_mut(STACK).unwrap().facts;
        facts.status = "DELETE_FAILED".into();
        facts.resources = resources.iter().map(|(id, physical)| ((*id).to_owned(), (*physical).to_owned())).collect();
    };
    half(&[("Logs", "demo-logs")]);
    let told = refused(&world).await;
    let delete = "`aws cloudformation delete-stack --region us-west-2 --stack-name Karpenter-demo";
    assert!(told.contains("Logs (AWS::S3::Bucket demo-logs)") && !told.contains("DeletionPolicy"), "{told}");
    assert!(told.contains(&format!("{delete} --retain-resources Logs`")) && told.contains(&format!("{delete}`")), "{told}");
    half(&[("KarpenterNodeRole", ROLE)]);
    assert_eq!(refusal(&world).await, None, "it has gone already");

    // Somebody else's stack stays whole, and one that goes already is only waited for.
    for (status, tags) in
        [("CREATE_COMPLETE", Tags::new()), ("DELETE_IN_PROGRESS", Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())]))]
    {
        let world = with(&spec, String::new());
        world.set_stack(STACK, status, &[], tags);
        world.inside().stacks.get_mut(STACK).unwrap().facts.template = Some(extended(&spec, LOGS));
        assert_eq!(refusal(&world).await, None, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_any_release_has_is_nobodys_own() {
    let newest = spec("1.14.1");
    for of in ["0.17.0", "0.19.0", "0.32.10", "0.37.8", "1.0.14", "1.8.8", "1.14.1"].map(spec) {
        for of in [Spec { private: true, ..of.clone() }, of] {
            assert_eq!(refusal(&with(&newest, render::cloudformation(&of).unwrap())).await, None, "{}", of.release);
        }
    }
}

/// The node role with the policies of the stack and this one, and with what else holds it.
fn hold(world: &FakeWorld, policy: Option<&str>, ties: RoleTies) {
    let own = ["AmazonEKS_CNI_Policy", "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore"];
    let policies = own.iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).chain(policy.map(str::to_owned)).collect();
    let arn = format!("arn:aws:iam::111122223333:role/{ROLE}").parse().unwrap();
    let facts = RoleFacts { arn, trust: serde_json::Value::Null, policies, permissions_boundary: None, tags: Tags::new() };
    world.inside().roles.insert(ROLE.into(), facts);
    world.inside().role_ties.insert(ROLE.into(), ties);
}

const THEIRS: &str = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";

fn ties() -> RoleTies {
    let profiles = ["KarpenterNodeInstanceProfile-demo", "demo_4711", "bastion", "eks-0a1b"];
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    RoleTies { inline_policies: names(&["backup"]), instance_profiles: names(&profiles), instances: Vec::new() }
}

/// The commands against what `hold` has of others.
const COMMANDS: [&str; 4] = [
    "`aws iam detach-role-policy --role-name KarpenterNodeRole-demo --policy-arn arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy`",
    "`aws iam delete-role-policy --role-name KarpenterNodeRole-demo --policy-name backup`",
    "`aws iam remove-role-from-instance-profile --instance-profile-name bastion --role-name KarpenterNodeRole-demo`",
    "eks-0a1b is of a managed node group",
];

#[tokio::test(start_paused = true)]
async fn whoever_holds_its_role_is_named_before_anything() {
    let spec = spec("1.14.1");
    let world = with(&spec, render::cloudformation(&spec).unwrap());
    hold(&world, Some(THEIRS), ties());
    let told = refused(&world).await;
    for words in COMMANDS {
        assert!(told.contains(words), "{words}: {told}");
    }
    for own in ["AmazonEKS_CNI_Policy", "KarpenterNodeInstanceProfile-demo", "demo_4711"] {
        assert!(!told.contains(own), "{own}: {told}");
    }
    // What the stack itself gives the role goes with it, what its owner put in, too.
    hold(&world, None, RoleTies::default());
    assert_eq!(refusal(&world).await, None);
    let official = render::cloudformation(&spec).unwrap();
    let list = "      ManagedPolicyArns:\n";
    let policies = "      Policies:\n        - PolicyName: backup\n          PolicyDocument: {}\n";
    let own = official.replacen(list, &format!("{policies}{list}        - {THEIRS}\n"), 1);
    let world = with(&spec, own);
    hold(&world, Some(THEIRS), RoleTies { inline_policies: vec!["backup".into()], ..RoleTies::default() });
    assert_eq!(refusal(&world).await, None);
}

/// What came in between: CloudFormation says that something holds the role, karpctl who.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_failed_says_who_holds_the_role_and_is_gone_on_with() {
    let spec = spec("1.14.1");
    let world = with(&spec, render::cloudformation(&spec).unwrap());
    let policy = render::controller_policy_arns(&spec)[0].to_string();
    world.inside().managed_policies.insert(policy.clone(), 1);
    hold(&world, Some(THEIRS), ties());
    let said = "Cannot delete entity, must detach all policies first.";
    world.inside().stacks.get_mut(STACK).unwrap().facts.tags.insert("test.fails-to-delete".into(), said.into());
    let error = world.remove(StepId::Stack).await.0.unwrap_err();
    let told = format!("{error}\n{}", error.hints.join("\n"));
    let of_policy = format!("`aws iam list-entities-for-policy --policy-arn {policy}`");
    for words in COMMANDS.into_iter().chain([said, "the stack is DELETE_FAILED", &of_policy]) {
        assert!(told.contains(words), "{words}: {told}");
    }
    world.inside().stacks.get_mut(STACK).unwrap().facts.tags.remove("test.fails-to-delete");
    hold(&world, None, RoleTies::default());
    assert_eq!(refusal(&world).await, None);
    assert_eq!(world.remove(StepId::Stack).await.0, Ok(()));
    assert!(world.inside().stacks.is_empty());
}
