//! What AWS says of account and cluster: one broken thing is one finding.

use super::{DAY, bad, exactly, healthy, seen};
use crate::fake::FakeWorld;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::doctor::topics;
use karpctl::facts::{Facts, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Identity, Spec};
use serde_json::json;

/// The value of a fact that the healthy world knows.
#[track_caller]
fn known<T>(probed: &mut Probed<T>) -> &mut T {
    match probed {
        Probed::Known(value) => value,
        _ => panic!("the healthy world does not know it"),
    }
}

async fn broken(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let (spec, mut facts) = healthy().await;
    change(&mut facts);
    bad(&spec, &facts, DAY)
}

/// A cluster whose controller has its credentials by IRSA.
async fn healthy_irsa() -> (Spec, Facts) {
    let world = FakeWorld::bootstrapped(Spec { identity: Identity::Irsa, ..existing("1.14.1") }).await;
    world.furnish();
    seen(&world).await
}

#[track_caller]
fn said(found: &[Finding], words: &str) {
    assert!(found[0].message.contains(words), "`{words}` is not said: {}", found[0].message);
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_one() {
    let china = |f: &mut Facts| known(&mut f.caller).arn = "arn:aws-cn:iam::111122223333:role/me".parse().unwrap();
    exactly(&broken(china).await, "aws-partition", Verdict::Fail);
    let (spec, facts) = healthy().await;
    let found = bad(&Spec { region: "cn-north-1".parse().unwrap(), ..spec }, &facts, DAY);
    assert!(found.iter().any(|f| f.id == "aws-partition" && f.message.contains("is of the partition aws-cn")), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn names_end_somewhere() {
    let (spec, facts) = healthy().await;
    let judge_of = |letters: usize| {
        let spec = Spec { cluster_name: "c".repeat(letters).parse().unwrap(), ..spec.clone() };
        let said = judge(&all(), &Situation { spec: Some(&spec), facts: &facts, today: DAY.parse().unwrap() });
        said.into_iter().filter(|f| f.id == "names-and-sizes").collect::<Vec<_>>()
    };
    let warned = |letters| judge_of(letters).iter().filter(|f| f.result == Verdict::Warn).count();
    assert_eq!((warned(46), warned(47), warned(54), warned(55)), (0, 1, 1, 2), "the node role ends at 46, the controller's at 54");
    assert!(judge_of(100).iter().all(|f| f.result != Verdict::Fail), "{:#?}", judge_of(100));
    assert!(judge_of(4)[0].message.contains("a policy may have 6144"), "{:#?}", judge_of(4));
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_at_rest_and_of_this_release() {
    for (status, verdict, words) in [
        ("ROLLBACK_COMPLETE", Verdict::Fail, "it takes no update"),
        ("DELETE_FAILED", Verdict::Fail, "it takes no update"),
        ("UPDATE_ROLLBACK_FAILED", Verdict::Fail, "is UPDATE_ROLLBACK_FAILED: role in use"),
        ("UPDATE_ROLLBACK_COMPLETE", Verdict::Warn, "its last update failed"),
        ("UPDATE_IN_PROGRESS", Verdict::Warn, "changing it now"),
    ] {
        let found = broken(|f| {
            let stack = known(&mut f.stack);
            (stack.status, stack.status_reason) = (status.into(), Some("role in use".into()));
        })
        .await;
        exactly(&found, "stack-state", verdict);
        said(&found, words);
    }
    let found = broken(|f| known(&mut f.stack).template = Some("Description: another\n".into())).await;
    exactly(&found, "stack-state", Verdict::Warn);
    said(&found, "another template than that of Karpenter 1.14.1");
    let found = broken(|f| known(&mut f.stack).tags.clear()).await;
    exactly(&found, "stack-state", Verdict::Warn);
    said(&found, "without karpctl's tag");
}

#[tokio::test(start_paused = true)]
async fn pod_identity_has_an_agent_an_association_and_a_trusting_role() {
    exactly(&broken(|f| f.pod_identity_agent = Probed::Absent).await, "agent-health", Verdict::Fail);
    exactly(&broken(|f| known(&mut f.pod_identity_agent).status = "DEGRADED".into()).await, "agent-health", Verdict::Warn);
    exactly(&broken(|f| known(&mut f.pod_identity_agent).status = "CREATE_FAILED".into()).await, "agent-health", Verdict::Fail);

    exactly(&broken(|f| f.association = Probed::Absent).await, "controller-association", Verdict::Fail);
    let found = broken(|f| known(&mut f.association).role_arn = "arn:aws:iam::111122223333:role/another".into()).await;
    exactly(&found, "controller-association", Verdict::Fail);
    assert!(found[0].fixes[0].command.contains(&"--association-id".to_owned()), "{found:#?}");

    let found = broken(|f| known(&mut f.controller_role).trust["Statement"][0]["Action"] = json!("sts:AssumeRole")).await;
    exactly(&found, "controller-trust", Verdict::Fail);
    said(&found, "does not let pods.eks.amazonaws.com do sts:TagSession");
    exactly(&broken(|f| known(&mut f.controller_role).trust = json!({})).await, "controller-trust", Verdict::Fail);

    let annotated = json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/old"}});
    let found = broken(|f| known(&mut f.chart_release).values["serviceAccount"] = annotated).await;
    exactly(&found, "one-identity", Verdict::Warn);
    said(&found, "goes before the association");
}

#[tokio::test(start_paused = true)]
async fn irsa_has_a_provider_and_a_role_that_trusts_this_service_account() {
    let (spec, facts) = healthy_irsa().await;
    assert!(bad(&spec, &facts, DAY).is_empty(), "{:#?}", bad(&spec, &facts, DAY));
    let broken = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        bad(&spec, &facts, DAY)
    };
    exactly(&broken(&|f| f.oidc_provider = Probed::Absent), "oidc-issuer", Verdict::Fail);
    exactly(&broken(&|f| known(&mut f.oidc_provider).audiences = vec!["another".into()]), "oidc-issuer", Verdict::Fail);

    let issuer = known(&mut facts.cluster.clone()).oidc_issuer.clone().unwrap().replace("https://", "");
    let trust = |change: &dyn Fn(&mut serde_json::Value)| broken(&|f| change(&mut known(&mut f.controller_role).trust["Statement"][0]));
    let moved = trust(&|s| s["Condition"]["StringEquals"][format!("{issuer}:sub")] = json!("system:serviceaccount:karpenter:karpenter"));
    exactly(&moved, "controller-trust", Verdict::Fail);
    said(&moved, "lets in system:serviceaccount:karpenter:karpenter, not system:serviceaccount:kube-system:karpenter");
    let by_arn = trust(&|s| s["Condition"] = json!({"StringEquals": {"arn:aws:iam::111122223333:oidc-provider/x:sub": "y"}}));
    exactly(&by_arn, "controller-trust", Verdict::Fail);
    said(&by_arn, "which no token of this cluster has");
    let other = trust(&|s| s["Principal"]["Federated"] = json!("arn:aws:iam::111122223333:oidc-provider/other"));
    exactly(&other, "controller-trust", Verdict::Fail);
    said(&other, "which is not the issuer of this cluster");
    let audience = trust(&|s| s["Condition"]["StringEquals"][format!("{issuer}:aud")] = json!("another"));
    exactly(&audience, "controller-trust", Verdict::Fail);
    // As people write it by hand.
    let pattern = trust(&|s| {
        s["Condition"] = json!({"StringLike": {format!("{issuer}:sub"): "system:serviceaccount:kube-system:*"}});
    });
    assert!(pattern.is_empty(), "{pattern:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_made_is_not_broken() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let facts = world.facts(&topics(&all()).into_iter().filter(|t| !t.on_this_machine()).collect::<Vec<_>>()).await;
    let said = judge(&all(), &Situation { spec: Some(&world.spec), facts: &facts, today: DAY.parse().unwrap() });
    for id in ["agent-health", "controller-association", "controller-trust"] {
        let finding = said.iter().find(|f| f.id == id).unwrap();
        assert_eq!(finding.result, Verdict::Skip, "{finding:#?}");
        assert!(finding.message.contains("`karpctl bootstrap` makes it"), "{finding:#?}");
    }
}
