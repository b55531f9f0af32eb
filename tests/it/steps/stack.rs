use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::facts::Topic;
use karpctl::knowledge::Work;
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{InstanceProfile, Tags};
use karpctl::render;
use karpctl::spec::Spec;
use karpctl::steps::{OWNER_TAG, Ownership};
use std::sync::Arc;

const ID: StepId = StepId::Stack;

fn ours() -> Tags {
    Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())])
}

fn world() -> Arc<FakeWorld> {
    FakeWorld::empty(spec("1.14.1"))
}

#[tokio::test(start_paused = true)]
async fn is_made_with_its_events_shown() {
    let world = world();
    assert_eq!(world.assess(ID).await, State::Absent);
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert_eq!(
        said,
        [
            "creating the stack Karpenter-demo",
            "cloudformation: CREATE_IN_PROGRESS KarpenterNodeRole (AWS::IAM::Role)",
            "cloudformation: CREATE_COMPLETE KarpenterNodeRole (AWS::IAM::Role)"
        ]
    );
    assert_eq!(world.assess(ID).await, State::Present);
    assert_eq!(world.inside().stacks["Karpenter-demo"].facts.parameters["ClusterName"], "demo");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for() {
    for fault in [Fault::After(error(ErrorKind::Conflict)), Fault::Before(error(ErrorKind::Conflict))] {
        let world = world();
        world.fail("create_stack", fault);
        world.apply_ok(ID).await;
        assert_eq!(world.inside().stacks.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_good_is_told_and_running_again_goes_on() {
    let world = world();
    world.fail("create_stack", Fault::After(error(ErrorKind::Unreachable)));
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Unreachable);
    world.apply_ok(ID).await;
    assert_eq!(world.changes().iter().filter(|c| c.starts_with("create_stack")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_tells_the_first_reason_and_is_made_anew() {
    let world = world();
    world.inside().stack_fails = Some("Resource handler returned message: \"role KarpenterNodeRole-demo already exists\"");
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(error.message, "cannot create the stack Karpenter-demo");
    assert!(error.causes[1].contains("CREATE_FAILED KarpenterNodeRole (AWS::IAM::Role): Resource handler"), "{error:?}");
    assert!(error.hints.iter().any(|h| h.contains("exists outside of the stack")), "{error:?}");
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Broken(_)), "{state:?}");
    assert!(words(&state).contains("ROLLBACK_COMPLETE"));
    world.apply_ok(ID).await;
    assert!(world.changes().contains(&"delete_stack Karpenter-demo".to_owned()));
}

/// As that of a cluster of this name in another region: eksctl would be at work for a quarter of an hour beside a creation that must fail.
#[tokio::test(start_paused = true)]
async fn a_role_in_its_way_is_refused_before_anything_is_begun() {
    let world = world();
    let role = karpctl::ports::CreateRole {
        name: "KarpenterNodeRole-demo".into(),
        description: String::new(),
        trust: serde_json::Value::Null,
        tags: ours(),
        permissions_boundary: None,
    };
    karpctl::ports::Aws::create_role(world.as_ref(), &role).await.unwrap();
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    for word in ["the role KarpenterNodeRole-demo is there", "in another region", "karpctl doctor --only stack-state --cluster-name demo"] {
        assert!(words(&state).contains(word), "{state:?}");
    }
    assert_eq!(world.assess_removal(ID).await, State::Absent);
    // A creation that was taken back has left none.
    world.set_stack("Karpenter-demo", "ROLLBACK_COMPLETE", &[], ours());
    let state = world.assess(ID).await;
    assert!(words(&state).contains("the stack Karpenter-demo, which makes it, has nothing: its creation would fail"), "{state:?}");
    // What a stack that is there made is its own, and nobody asks for it.
    world.set_stack("Karpenter-demo", "DELETE_FAILED", &[], ours());
    world.forget_calls();
    assert!(matches!(world.assess(ID).await, State::Broken(_)));
    assert!(!world.calls().iter().any(|call| call.starts_with("get role")), "{:?}", world.calls());
}

#[tokio::test(start_paused = true)]
async fn broken_ones_are_made_anew() {
    for status in ["ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"] {
        let world = world();
        world.set_stack("Karpenter-demo", status, &[], ours());
        assert!(matches!(world.assess(ID).await, State::Broken(_)), "{status}");
        world.apply_ok(ID).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_deleted_says_why() {
    let world = world();
    let mut tags = ours();
    tags.insert("test.fails-to-delete".into(), "Cannot delete entity, must remove roles from instance profile first.".into());
    world.set_stack("Karpenter-demo", "ROLLBACK_FAILED", &[], tags);
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(error.message, "cannot delete the stack Karpenter-demo");
    assert!(error.to_string().contains("must remove roles from instance profile first"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_in_progress_is_waited_for() {
    for (status, next, kind) in [
        ("CREATE_IN_PROGRESS", &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"][..], "Busy"),
        ("DELETE_IN_PROGRESS", &["DELETE_IN_PROGRESS", "GONE"][..], "Busy"),
        ("ROLLBACK_IN_PROGRESS", &["ROLLBACK_COMPLETE"][..], "Busy"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", &["UPDATE_COMPLETE"][..], "Busy"),
    ] {
        let world = world();
        world.set_stack("Karpenter-demo", status, next, ours());
        let state = world.assess(ID).await;
        assert!(format!("{state:?}").starts_with(kind), "{status}: {state:?}");
        world.apply_ok(ID).await;
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_told_and_updated() {
    let world = world();
    world.apply_ok(ID).await;
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some("Description: another\n".into());
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.tags = ours();
    let state = world.assess(ID).await;
    assert!(words(&state).contains("template: - Description: another"), "{state:?}");
    assert!(words(&state).contains("template: and "), "{state:?}");
    world.apply_ok(ID).await;
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.parameters.insert("ClusterName".into(), "other".into());
    assert_eq!(words(&world.assess(ID).await), "parameter ClusterName: other -> demo");
}

/// The template by which the guide of a release before 1.9 makes the stack: without a path of the policy, which is there by default,
/// and with one, as karpctl once wrote it. Either is a replacement to the other.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_changed_of_a_resource_stays_as_it_is_deployed() {
    let plain = "      ManagedPolicyName: !Sub \"KarpenterControllerPolicy-${ClusterName}\"\n";
    let spelled = format!("{plain}      Path: /\n");
    for deployed in [plain, &spelled] {
        let spec = spec("1.8.8");
        let world = FakeWorld::empty(spec.clone());
        world.apply_ok(ID).await;
        let template = render::cloudformation(&spec).unwrap();
        assert!(template.contains(plain) && !template.contains(&spelled), "the release's own: {template}");
        let before = template.replace(plain, deployed).replace("MessageRetentionPeriod: 300", "MessageRetentionPeriod: 60");
        world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some(before);
        let told = "template: - MessageRetentionPeriod: 60\ntemplate: + MessageRetentionPeriod: 300";
        assert_eq!(words(&world.assess(ID).await), told);
        let shell = step(ID).commands(&spec, &world.facts(&[Topic::Stack]).await, Direction::Apply).join("\n");
        assert_eq!(shell.contains("render cloudformation --deployed deployed.json"), deployed == spelled, "{shell}");
        world.apply_ok(ID).await;
        assert_eq!(world.inside().stacks["Karpenter-demo"].facts.template, Some(template.replace(plain, deployed)));
    }
}

#[test]
fn names_and_paths_of_a_deployed_template_stay_in_every_way_to_write_them() {
    let spec = spec("1.14.1");
    let official = render::cloudformation(&spec).unwrap();
    let json = render::cloudformation_json(&spec).unwrap();
    // What comes to the same stands there as karpctl writes it.
    let answered = serde_json::Value::from(official.clone()).to_string();
    let refs = official.replace("!Sub \"${ClusterName}\"", "!Ref ClusterName");
    assert_ne!(refs, official);
    for same in [&official, &answered, &json.to_string(), &refs, "", "{", "Resources: [", "- !Sub"] {
        assert_eq!(render::cloudformation_over(&spec, same).unwrap(), official, "{same}");
    }
    let over = |changed: &str| render::cloudformation_over(&spec, changed).unwrap();
    for (from, to) in [
        ("RoleName: !Sub \"KarpenterNodeRole-${ClusterName}\"\n", "RoleName: !Sub \"Nodes-${AWS::Region}\"\n"),
        ("      RoleName: !Sub \"KarpenterNodeRole-${ClusterName}\"\n      Path: /\n", ""),
        ("      QueueName: !Sub \"${ClusterName}\"\n", "      QueueName: \"queue.fifo\"\n      FifoQueue: true\n"),
        ("      EventPattern:\n", "      Name: \"mine\"\n      EventPattern:\n"),
        ("Policy-${ClusterName}\"\n      Path: /\n", "Policy-${ClusterName}\"\n      Path: \"/teams/\"\n      Description: \"ours\"\n"),
    ] {
        let deployed = official.replacen(from, to, 1);
        assert_ne!(deployed, official, "{from}");
        assert_eq!(over(&deployed), deployed);
    }
    // A resource that is not there, and one of another type, has the properties of the release.
    assert_eq!(over(&official.replace("  KarpenterInterruptionQueue:", "  Another:")), official);
    assert_eq!(over(&official.replace("AWS::SQS::Queue\n", "AWS::SNS::Topic\n")), official);
    let deep = format!("Resources: {}", "[".repeat(100_000));
    assert_eq!(over(&deep), official);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_is_told_and_tried_again() {
    let world = world();
    world.apply_ok(ID).await;
    {
        let mut inside = world.inside();
        inside.stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some("Description: another\n".into());
        inside.stack_fails = Some("You are not authorized");
    }
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(error.message, "cannot update the stack Karpenter-demo");
    assert!(error.to_string().contains("UPDATE_FAILED KarpenterNodeRole (AWS::IAM::Role): You are not authorized"), "{error}");
    assert!(words(&world.assess(ID).await).contains("its last update failed (UPDATE_ROLLBACK_COMPLETE)"));
    world.apply_ok(ID).await;
}

/// CloudFormation makes no update where nothing differs, so that the status of one that went back to what is wanted now stays.
#[tokio::test(start_paused = true)]
async fn one_that_went_back_to_what_is_wanted_now_is_as_it_should_be() {
    let world = world();
    world.apply_ok(ID).await;
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.status = "UPDATE_ROLLBACK_COMPLETE".into();
    assert_eq!(world.assess(ID).await, State::Present);
    world.apply_ok(ID).await;
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.status = "UPDATE_FAILED".into();
    assert_eq!(words(&world.assess(ID).await), "its last update failed (UPDATE_FAILED)");
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_queue_that_was_just_deleted_is_waited_for() {
    let world = world();
    world.inside().stack_fails = Some("You must wait 60 seconds after deleting a queue before you can create another with the same name.");
    let begun = tokio::time::Instant::now();
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert!(begun.elapsed().as_secs() >= 60, "{:?}", begun.elapsed());
    assert!(said.iter().any(|line| line.starts_with("waiting 60 s: SQS")), "{said:?}");
    assert_eq!(world.changes().iter().filter(|c| c.starts_with("create_stack")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_ours_is_refused_until_adopted() {
    for status in ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_IN_PROGRESS"] {
        let world = world();
        let next: &[&str] = if status == "CREATE_IN_PROGRESS" { &["CREATE_COMPLETE"] } else { &[] };
        world.set_stack("Karpenter-demo", status, next, Tags::new());
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Foreign { .. }), "{status}: {state:?}");
        assert!(words(&state).contains("--adopt"));
        let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{status}");
        assert!(world.changes().is_empty(), "{:?}", world.changes());
        assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()), "{status}");
        assert_eq!(world.assess(ID).await, State::Present, "{status}");
    }
}

/// An update takes away the tags that it does not name, from the stack and from all that is in it.
#[tokio::test(start_paused = true)]
async fn tags_that_others_gave_it_stay() {
    let world = world();
    let tags = |of: &[(&str, &str)]| -> Tags { of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() };
    let others = tags(&[("team", "x"), ("cost-center", "7")]);
    let of_aws = tags(&[("aws:servicecatalog:portfolioArn", "p")]);
    world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], others.iter().chain(&of_aws).map(|(k, v)| (k.clone(), v.clone())).collect());
    let facts = world.facts(step(ID).reads()).await;
    let printed = step(ID).commands(&world.spec, &facts, Direction::Apply).concat();
    assert!(printed.ends_with("--tags cost-center=7 karpctl.dev/cluster=demo team=x"), "{printed}");
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()));
    let named = world.inside().stacks["Karpenter-demo"].facts.tags.clone();
    assert_eq!(named, others.into_iter().chain(ours()).collect::<Tags>());
}

/// Of a tag that was in the spec the template knows it.
#[tokio::test(start_paused = true)]
async fn a_tag_that_leaves_the_spec_leaves_the_stack() {
    let with =
        |tags: &[(&str, &str)]| -> Spec { Spec { tags: tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(), ..spec("1.14.1") } };
    let before = render::cloudformation(&with(&[("größe", "x"), ("stage", "a: b")])).unwrap();
    let world = FakeWorld::empty(with(&[("stage", "c")]));
    let tags = [("gr??e", "x"), ("stage", "a: b"), ("cost-center", "7"), ("karpctl.dev/cluster", "demo")];
    world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some(before);
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0, Ok(()));
    let named = world.inside().stacks["Karpenter-demo"].facts.tags.clone();
    let wanted = [("cost-center", "7"), ("karpctl.dev/cluster", "demo"), ("stage", "c")];
    assert_eq!(named, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
}

#[tokio::test(start_paused = true)]
async fn an_update_that_could_not_be_rolled_back_is_explained() {
    let world = world();
    world.set_stack("Karpenter-demo", "UPDATE_ROLLBACK_FAILED", &[], ours());
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    assert!(words(&state).contains("continue-update-rollback"));
    // It can be deleted all the same.
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
    world.set_stack("Karpenter-demo", "UPDATE_ROLLBACK_FAILED", &[], Tags::new());
    assert!(matches!(world.assess_removal(ID).await, State::Foreign { .. }), "it is not ours");
}

/// CloudFormation answers `?` for each of these characters, whoever sent them.
#[tokio::test(start_paused = true)]
async fn a_tag_outside_ascii_is_no_drift() {
    let tags = Tags::from([("team".to_owned(), "Größe".to_owned()), ("팀".to_owned(), "플랫폼 𝐀".to_owned())]);
    let world = FakeWorld::empty(Spec { tags, ..spec("1.14.1") });
    world.apply_ok(ID).await;
    let template = render::cloudformation(&world.spec).unwrap();
    assert!(template.is_ascii() && template.contains("\"Gr\\u00f6\\u00dfe\""), "{template}");
    let mangle = |text: &str| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
    // As a karpctl sent it that knew nothing of this.
    let sent =
        template.replace("Gr\\u00f6\\u00dfe", "Größe").replace("\\ud300", "팀").replace("\\ud50c\\ub7ab\\ud3fc \\U0001d400", "플랫폼 𝐀");
    assert!(sent.contains("팀") && sent.contains("플랫폼 𝐀"), "{sent}");
    {
        let mut inside = world.inside();
        let facts = &mut inside.stacks.get_mut("Karpenter-demo").unwrap().facts;
        facts.tags = facts.tags.iter().map(|(key, value)| (mangle(key), mangle(value))).collect();
        facts.template = Some(mangle(&sent));
    }
    assert_eq!(world.assess(ID).await, State::Present);
    let changed = Spec { tags: Tags::from([("team".to_owned(), "Größen".to_owned())]), ..world.spec.clone() };
    let facts = world.facts(&[Topic::Stack]).await;
    assert!(matches!(step(ID).assess(&changed, &facts), State::Drifted(_)));
}

#[tokio::test(start_paused = true)]
async fn removal_clears_what_karpenter_made_and_nothing_else() {
    let world = world();
    world.apply_ok(ID).await;
    {
        let mut inside = world.inside();
        let profile =
            |name: &str, path: &str| InstanceProfile { name: name.into(), path: path.into(), roles: vec!["KarpenterNodeRole-demo".into()] };
        inside.profiles = vec![
            profile("demo_4711", "/"),
            profile("x", "/karpenter/us-west-2/demo/u/"),
            profile("KarpenterNodeInstanceProfile-demo", "/"),
            profile("mine", "/"),
        ];
        // What a removal that was broken off leaves: a profile without its role. All but the first two are not of this cluster's Karpenter.
        let lost = [
            ("demo_4712", "/"),
            ("y", "/karpenter/us-west-2/demo/u/"),
            ("demo_other_4713", "/"),
            ("demo_node", "/"),
            ("demo_", "/"),
            ("demo_4714", "/theirs/"),
            ("z", "/karpenter/us-west-2/demo-2/u/"),
            ("w", "/karpenter/eu-west-1/demo/u/"),
        ];
        inside.profiles.extend(lost.map(|(name, path)| InstanceProfile { roles: Vec::new(), ..profile(name, path) }));
        let tag = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        inside.launch_templates = [
            ("karpenter.k8s.aws/1", tag("eks:eks-cluster-name", "demo")),
            ("karpenter.k8s.aws/2", tag("eks:eks-cluster-name", "other")),
            ("Karpenter-demo-3", tag("karpenter.k8s.aws/cluster", "demo")),
            ("eksctl-demo-nodegroup", tag("eks:eks-cluster-name", "demo")),
        ]
        .map(|(name, tags)| (name.to_owned(), tags))
        .into();
    }
    let (result, said) = world.remove(ID).await;
    assert_eq!(result, Ok(()));
    assert!(said.iter().any(|s| s.starts_with("warning: the instance profile mine holds the role")), "{said:?}");
    assert_eq!(world.assess(ID).await, State::Absent);
    let inside = world.inside();
    assert_eq!(
        inside.profiles.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["mine", "demo_other_4713", "demo_node", "demo_", "demo_4714", "z", "w"]
    );
    assert_eq!(inside.launch_templates.keys().collect::<Vec<_>>(), ["eksctl-demo-nodegroup", "karpenter.k8s.aws/2"]);
}

/// IAM has a name once for all regions: a cluster of this name elsewhere has its own Karpenter, whose nodes would be left without a role.
#[tokio::test(start_paused = true)]
async fn what_another_region_has_by_these_names_stays() {
    let profile = |name: &str| InstanceProfile { name: name.into(), path: "/".into(), roles: vec!["KarpenterNodeRole-demo".into()] };
    let world = world();
    // The creation here was taken back, because that cluster's stack has the names.
    world.set_stack("Karpenter-demo", "ROLLBACK_COMPLETE", &[], ours());
    world.inside().profiles = vec![profile("demo_4711"), profile("KarpenterNodeInstanceProfile-demo")];
    let (result, said) = world.remove(ID).await;
    assert_eq!(result, Ok(()), "{said:?}");
    assert!(world.inside().stacks.is_empty());
    assert_eq!(world.inside().profiles.len(), 2);
    assert!(!said.iter().any(|line| line.starts_with("warning:")), "{said:?}");

    // One role for both clusters: their profiles say for which region they are.
    world.apply_ok(ID).await;
    world.inside().profiles = vec![profile("demo_4711"), profile("demo_4712")];
    let tags = [("demo_4711", "eu-west-1"), ("demo_4712", "us-west-2")];
    let of = |region: &str| Tags::from([("topology.kubernetes.io/region".to_owned(), region.to_owned())]);
    world.inside().profile_tags = tags.map(|(name, region)| (name.to_owned(), of(region))).into();
    let (_, said) = world.remove(ID).await;
    assert_eq!(world.inside().profiles, [profile("demo_4711")]);
    assert!(said.iter().any(|line| line.starts_with("warning: the instance profile demo_4711 holds the role")), "{said:?}");
}

/// Node classes may name it, and instances have it: CloudFormation would delete it under them.
#[tokio::test(start_paused = true)]
async fn the_instance_profile_that_a_stack_has_stays_in_it() {
    for (before, private, tags) in [("0.31.5", false, Tags::new()), ("0.32.10", false, ours()), ("1.14.1", true, ours())] {
        let deployed = render::cloudformation(&Spec { private, ..spec(before) }).unwrap();
        assert!(deployed.contains("KarpenterNodeInstanceProfile:"), "{deployed}");
        let world = FakeWorld::empty(spec("1.14.1"));
        world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], tags);
        world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some(deployed.clone());
        assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()), "{before}");
        let template = world.inside().stacks["Karpenter-demo"].facts.template.clone().unwrap();
        assert!(template.contains("KarpenterNodeInstanceProfile:"), "{before}: {template}");
        assert_eq!(render::cloudformation_over(&world.spec, &deployed).unwrap().trim_end(), template.trim_end(), "as it is printed");
        assert_eq!(world.assess(ID).await, State::Present, "{before}");
        assert_eq!(world.remove(ID).await.0, Ok(()));
    }
    assert!(!render::cloudformation(&spec("1.14.1")).unwrap().contains("KarpenterNodeInstanceProfile:"), "none is made");
}

/// CloudFormation ends an update well where it may not delete what left the template, and lets go of it: the node role could never be deleted.
#[tokio::test(start_paused = true)]
async fn an_instance_profile_that_the_stack_of_another_release_left_goes_too() {
    for (release, private, goes) in [("1.14.1", false, true), ("1.14.1", true, false), ("0.32.10", false, false)] {
        let world = FakeWorld::empty(Spec { private, ..spec(release) });
        world.apply_ok(ID).await;
        let name = "KarpenterNodeInstanceProfile-demo";
        world.inside().profiles =
            vec![InstanceProfile { name: name.into(), path: "/".into(), roles: vec!["KarpenterNodeRole-demo".into()] }];
        let (result, said) = world.remove(ID).await;
        assert_eq!(result, Ok(()));
        let told = format!("removing the instance profile {name}, which the stack of another release made");
        assert_eq!((said.contains(&told), world.inside().profiles.is_empty()), (goes, goes), "{release}: {said:?}");
        let policy = render::operator_policy(&world.spec, &[Work::Bootstrap], render::Standing::There).to_string();
        assert!(policy.contains("iam:DeleteInstanceProfile") && policy.contains(name), "{release}: {policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn removal_leaves_what_is_not_ours() {
    let world = world();
    world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], Tags::new());
    assert_eq!(world.remove(ID).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert!(world.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn removal_waits_for_what_is_in_progress() {
    let world = world();
    world.set_stack("Karpenter-demo", "UPDATE_IN_PROGRESS", &["UPDATE_COMPLETE"], ours());
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Absent);
    assert_eq!(world.remove(ID).await.0, Ok(()), "not there is fine");
}

#[tokio::test(start_paused = true)]
async fn no_permission_to_look_is_unknown() {
    let world = world();
    world.fail("describe stack", Fault::Before(error(ErrorKind::Denied)));
    world.fail("describe stack", Fault::Before(error(ErrorKind::Denied)));
    world.fail("describe stack", Fault::Before(error(ErrorKind::Denied)));
    assert_eq!(world.assess(ID).await, State::Unknown("the test says so".into()));
}
