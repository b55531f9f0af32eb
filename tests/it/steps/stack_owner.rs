//! A stack that its owner has extended.

use crate::fake::{FakeWorld, words};
use crate::fixture::spec;
use karpctl::error::ErrorKind;
use karpctl::plan::{State, StepId};
use karpctl::ports::Tags;
use karpctl::render;
use karpctl::spec::Spec;
use karpctl::steps::{OWNER_TAG, Ownership};
use std::sync::Arc;

const ID: StepId = StepId::Stack;

fn extended(template: &str, from: &str, to: &str) -> String {
    let extended = template.replacen(from, to, 1);
    assert_ne!(extended, template, "{from}");
    extended
}

#[tokio::test(start_paused = true)]
async fn one_that_its_owner_has_extended_is_not_taken_over() {
    let spec = spec("1.14.1");
    let official = render::cloudformation(&spec).unwrap();
    let arn = "arn:aws:iam::111122223333:policy/edge";
    for (from, to, told) in [
        (
            "      AssumeRolePolicyDocument:\n",
            "      PermissionsBoundary: !Sub \"arn:aws:iam::${AWS::AccountId}:policy/edge\"\n      AssumeRolePolicyDocument:\n",
            format!("KarpenterNodeRole.PermissionsBoundary: {arn}"),
        ),
        (
            "      ManagedPolicyArns:\n",
            "      ManagedPolicyArns:\n        - arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy\n",
            "KarpenterNodeRole.ManagedPolicyArns: arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy".into(),
        ),
        (
            "      MessageRetentionPeriod: 300\n",
            "      MessageRetentionPeriod: 600\n      KmsMasterKeyId: alias/queues\n",
            "KarpenterInterruptionQueue.KmsMasterKeyId: alias/queues; KarpenterInterruptionQueue.MessageRetentionPeriod: 600".into(),
        ),
        (
            "  KarpenterInterruptionQueue:\n",
            "  Logs:\n    Type: AWS::S3::Bucket\n  KarpenterInterruptionQueue:\n",
            "resource Logs (AWS::S3::Bucket)".into(),
        ),
        ("Resources:\n", "Outputs:\n  Role:\n    Value: x\nResources:\n", "output Role".into()),
        ("\"pricing:GetProducts\"", "[\"pricing:GetProducts\", \"kms:Decrypt\"]", "Allow kms:Decrypt on *".into()),
        ("Resources:\n", "Resources: [\n", "its template cannot be read".into()),
    ] {
        let world = FakeWorld::empty(spec.clone());
        world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], Tags::new());
        world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some(extended(&official, from, to));
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Blocked { .. }), "{state:?}");
        for words_of in [told.as_str(), "karpctl adopt --cluster-name demo"] {
            assert!(words(&state).contains(words_of), "{words_of}: {state:?}");
        }
        assert_eq!(words(&state).contains(&format!("--permissions-boundary {arn}")), told.contains(arn), "{state:?}");
        assert_eq!(world.apply(ID, Ownership::Adopt).await.0.unwrap_err().kind, ErrorKind::Refused);
        assert!(world.changes().is_empty(), "{:?}", world.changes());
        // Who deletes it knows that it goes, with all that is in it.
        assert!(matches!(world.assess_removal(ID).await, State::Foreign { .. }));
    }
    // With the setting, nothing is lost.
    let kept = Spec { permissions_boundary: Some(arn.parse().unwrap()), ..spec.clone() };
    assert_eq!(
        render::put_in_by_others(&spec, &render::cloudformation(&kept).unwrap()).unwrap(),
        [format!("KarpenterNodeRole.PermissionsBoundary: {arn}")]
    );
    assert!(render::put_in_by_others(&kept, &render::cloudformation(&kept).unwrap()).unwrap().is_empty());
}

/// The stack as a release's karpctl made it, with what its owner put in since.
fn ours(of: &Spec, wanted: &Spec, from: &str, to: &str) -> Arc<FakeWorld> {
    let world = FakeWorld::empty(wanted.clone());
    let mark = Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())]);
    world.set_stack("Karpenter-demo", "CREATE_COMPLETE", &[], mark.into_iter().chain(of.tags.clone()).collect());
    let template = extended(&render::cloudformation(of).unwrap(), from, to);
    world.inside().stacks.get_mut("Karpenter-demo").unwrap().facts.template = Some(template);
    world
}

#[tokio::test(start_paused = true)]
async fn what_was_put_into_one_of_ours_since_is_not_taken_away() {
    let queue = "  KarpenterInterruptionQueue:\n";
    let bucket = format!("  Logs:\n    Type: AWS::S3::Bucket\n{queue}");
    for (from, to, told) in [
        (queue, bucket.as_str(), "resource Logs (AWS::S3::Bucket)"),
        (
            "      ManagedPolicyArns:\n",
            "      ManagedPolicyArns:\n        - arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy\n",
            "KarpenterNodeRole.ManagedPolicyArns: arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy",
        ),
        (
            "      MessageRetentionPeriod: 300\n",
            "      MessageRetentionPeriod: 300\n      KmsMasterKeyId: alias/queues\n",
            "KarpenterInterruptionQueue.KmsMasterKeyId: alias/queues",
        ),
        (
            "    Type: AWS::SQS::Queue\n",
            "    Type: AWS::SQS::Queue\n    DeletionPolicy: Retain\n",
            "KarpenterInterruptionQueue.DeletionPolicy: Retain",
        ),
        ("\"pricing:GetProducts\"", "[\"pricing:GetProducts\", \"kms:Decrypt\"]", "Allow kms:Decrypt on *"),
    ] {
        // All that the spec wants is there: nothing is to be done, and what is more stays.
        let spec = spec("1.14.1");
        let world = ours(&spec, &spec, from, to);
        assert_eq!(world.assess(ID).await, State::Present, "{told}");
        assert_eq!(world.apply(ID, Ownership::OursOnly).await.0, Ok(()));
        assert!(world.changes().is_empty(), "{:?}", world.changes());
        // An update would take it away.
        let world = ours(&crate::fixture::spec("1.8.8"), &spec, from, to);
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Blocked { .. }), "{state:?}");
        for words_of in [told, "karpctl render cloudformation --cluster-name demo --region us-west-2 --karpenter-version 1.14.1"] {
            assert!(words(&state).contains(words_of), "{words_of}: {state:?}");
        }
        assert!(!words(&state).contains("KarpenterControllerPolicy"), "what an older release has is karpctl's: {state:?}");
        for ownership in [Ownership::OursOnly, Ownership::Adopt] {
            assert_eq!(world.apply(ID, ownership).await.0.unwrap_err().kind, ErrorKind::Refused);
        }
        assert!(world.changes().is_empty(), "{:?}", world.changes());
        assert_eq!(world.assess_removal(ID).await, State::Present);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_drift_in_one_of_ours_is_put_right() {
    let newest = spec("1.14.1");
    let tags = [("team".to_owned(), "web".to_owned())];
    let bounded = Spec { permissions_boundary: "arn:aws:iam::111122223333:policy/edge".parse().ok(), tags: tags.into(), ..newest.clone() };
    for (made, from, to) in [
        (&newest, "MessageRetentionPeriod: 300", "MessageRetentionPeriod: 600"),
        (&newest, "      MessageRetentionPeriod: 300\n", ""),
        // Of other settings and of another release, with a description of its own.
        (&bounded, "Description: ", "Description: Our "),
        (&Spec { private: true, ..newest.clone() }, "Description: ", "Description: Our "),
        (&spec("0.17.0"), "Description: ", "Description: Our "),
        (&spec("0.32.10"), "Description: ", "Description: Our "),
        (&spec("1.8.8"), "Description: ", "Description: Our "),
    ] {
        let world = ours(made, &newest, from, to);
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Drifted(_)), "{} {to}: {state:?}", made.release);
        world.apply_ok(ID).await;
    }
}

#[test]
fn what_another_release_has_is_nobodys_own() {
    let (newest, oldest) = (spec("1.14.1"), spec("0.17.0"));
    for of in ["0.17.0", "0.19.0", "0.32.10", "0.37.8", "1.0.14", "1.8.8", "1.14.1"].map(spec) {
        for template in [render::cloudformation(&of).unwrap(), render::cloudformation_json(&of).unwrap().to_string()] {
            for target in [&newest, &oldest] {
                assert_eq!(render::put_in_by_others(target, &template).unwrap(), [""; 0], "{} for {}", of.release, target.release);
            }
        }
    }
    // With a path that was only written out, a name of its own, and in the other order.
    let official = render::cloudformation(&newest).unwrap();
    for (from, to) in [
        ("RoleName: !Sub \"KarpenterNodeRole-${ClusterName}\"", "RoleName: nodes"),
        ("- events.amazonaws.com\n                - sqs.amazonaws.com", "- sqs.amazonaws.com\n                - events.amazonaws.com"),
        ("            Action: sts:AssumeRole", "            Action: [\"sts:AssumeRole\"]"),
        ("!GetAtt \"KarpenterInterruptionQueue.Arn\"", "!GetAtt [KarpenterInterruptionQueue, Arn]"),
        ("!GetAtt \"KarpenterInterruptionQueue.Arn\"", "!Sub \"${KarpenterInterruptionQueue.Arn}\""),
    ] {
        assert_eq!(render::put_in_by_others(&newest, &extended(&official, from, to)).unwrap(), [""; 0]);
    }
}
