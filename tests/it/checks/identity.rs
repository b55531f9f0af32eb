//! Who the controller is: Pod Identity with agent and association, IRSA with its provider, and a role that trusts either.

use super::aws::{broken, known, said};
use super::{DAY, bad, exactly, seen};
use crate::fake::FakeWorld;
use crate::fixture::existing;
use karpctl::checks::{Situation, all, judge};
use karpctl::doctor::topics;
use karpctl::facts::{AgentPods, Facts, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::spec::{Identity, Spec};
use serde_json::json;

/// A cluster whose controller has its credentials by IRSA.
async fn healthy_irsa() -> (Spec, Facts) {
    let world = FakeWorld::bootstrapped(Spec { identity: Identity::Irsa, ..existing("1.14.1") }).await;
    world.furnish();
    seen(&world).await
}

#[tokio::test(start_paused = true)]
async fn pod_identity_has_an_agent_an_association_and_a_trusting_role() {
    let found = broken(|f| f.pod_identity_agent = Probed::Absent).await;
    exactly(&found, "agent-health", Verdict::Fail);
    assert!(!found[0].heals, "nobody makes it");
    for (status, heals) in [("CREATING", true), ("DEGRADED", true), ("CREATE_FAILED", false)] {
        let found = broken(|f| known(&mut f.pod_identity_agent).status = status.into()).await;
        assert_eq!((found[0].id.as_str(), found[0].heals), ("agent-health", heals), "{status}");
    }
    let by_others = |ready: u64| {
        broken(move |f| {
            f.pod_identity_agent = Probed::Absent;
            f.agent_pods = Probed::Known(AgentPods { desired: 2, ready });
        })
    };
    assert_eq!(by_others(1).await, [], "an agent that is no add-on is as good");
    let found = by_others(0).await;
    exactly(&found, "agent-health", Verdict::Fail);
    said(&found, "0 of 2 pods are ready");
    // Who cannot look for one that is no add-on does not know that there is none.
    let unread = |f: &mut Facts| (f.pod_identity_agent, f.agent_pods) = (Probed::Absent, Probed::Unavailable("forbidden".into()));
    assert_eq!(broken(unread).await, []);
    for (desired, words) in [(2, "is ACTIVE, and 0 of 2 pods are ready"), (0, "is ACTIVE, and 0 of 0 pods are ready")] {
        let found = broken(|f| f.agent_pods = Probed::Known(AgentPods { desired, ready: 0 })).await;
        exactly(&found, "agent-health", Verdict::Fail);
        said(&found, words);
        assert_eq!(found[0].fixes.iter().any(|fix| fix.title.contains("--identity irsa")), desired == 0, "{found:#?}");
    }
    exactly(&broken(|f| known(&mut f.pod_identity_agent).status = "DEGRADED".into()).await, "agent-health", Verdict::Warn);
    exactly(&broken(|f| known(&mut f.pod_identity_agent).status = "CREATE_FAILED".into()).await, "agent-health", Verdict::Fail);
    let found = broken(|f| known(&mut f.pod_identity_agent).status = "UPDATE_FAILED".into()).await;
    exactly(&found, "agent-health", Verdict::Warn);
    assert!(found[0].message == "is UPDATE_FAILED" && !found[0].heals, "{found:#?}");

    let found = broken(|f| f.association = Probed::Absent).await;
    exactly(&found, "controller-association", Verdict::Fail);
    // What karpctl began it goes on with: by hand the association would lack its mark.
    assert!(found[0].fixes.iter().all(|fix| fix.command.starts_with(&["karpctl".into(), "bootstrap".into()])), "{found:#?}");
    let found = broken(|f| {
        f.association = Probed::Absent;
        known(&mut f.stack).tags.clear();
        known(&mut f.controller_role).tags.clear();
    })
    .await;
    let found: Vec<Finding> = found.into_iter().filter(|f| f.id == "controller-association").collect();
    assert!(found[0].fixes[0].command.contains(&"create-pod-identity-association".to_owned()), "{found:#?}");
    let found = broken(|f| known(&mut f.association).role_arn = "arn:aws:iam::111122223333:role/another".into()).await;
    exactly(&found, "controller-association", Verdict::Fail);
    assert!(found[0].fixes[0].command.contains(&"--association-id".to_owned()), "{found:#?}");

    let found = broken(|f| known(&mut f.controller_role).trust["Statement"][0]["Action"] = json!("sts:AssumeRole")).await;
    exactly(&found, "controller-trust", Verdict::Fail);
    said(&found, "does not let pods.eks.amazonaws.com do sts:TagSession");
    exactly(&broken(|f| known(&mut f.controller_role).trust = json!({})).await, "controller-trust", Verdict::Fail);
    // Who is let in besides stays so, though the one statement is no list, and the policy is of an older language.
    let build = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/build"}, "Action": "sts:AssumeRole"});
    let found = broken(|f| known(&mut f.controller_role).trust = json!({"Version": "2008-10-17", "Statement": build.clone()})).await;
    exactly(&found, "controller-trust", Verdict::Fail);
    let set: serde_json::Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
    let ours =
        json!({"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]});
    assert_eq!(set, json!({"Version": "2008-10-17", "Statement": [build, ours]}));
    assert_eq!(broken(|f| known(&mut f.controller_role).trust = set).await, [], "what is printed mends it");

    // A Deny goes before what lets in, and is taken out alone; one with a condition may mean somebody else.
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"Service": ["ec2.amazonaws.com", "pods.eks.amazonaws.com"]})] {
        let denial = json!({"Effect": "Deny", "Principal": principal, "Action": "sts:Tag*"});
        let found = broken(|f| known(&mut f.controller_role).trust["Statement"].as_array_mut().unwrap().push(denial)).await;
        exactly(&found, "controller-trust", Verdict::Fail);
        said(&found, "shuts it out by a Deny");
        let set: serde_json::Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
        assert_eq!(set["Statement"].as_array().map(Vec::len), Some(1), "{set}");
        assert_eq!(broken(|f| known(&mut f.controller_role).trust = set).await, [], "what is printed mends it");
    }
    for other in [
        json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        json!({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/build"}, "Action": "sts:*"}),
        json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithSAML"}),
    ] {
        assert_eq!(broken(|f| known(&mut f.controller_role).trust["Statement"].as_array_mut().unwrap().push(other)).await, []);
    }
    // A condition is judged by what the request says, as far as that is known.
    let deny = |condition: serde_json::Value| json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": condition});
    let arn = "arn:aws:eks:us-west-2:111122223333:cluster/demo";
    for (condition, verdict) in [
        (json!({"StringEquals": {"aws:RequestTag/eks-cluster-name": "demo"}}), Verdict::Fail),
        (json!({"ArnNotLike": {"aws:RequestTag/eks-cluster-arn": arn}}), Verdict::Pass),
        (json!({"StringNotEquals": {"aws:RequestTag/kubernetes-namespace": "kube-system"}}), Verdict::Pass),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}), Verdict::Skip),
    ] {
        let (spec, mut facts) = super::healthy().await;
        known(&mut facts.controller_role).trust["Statement"].as_array_mut().unwrap().push(deny(condition.clone()));
        let situation =
            Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() };
        let said = judge(&all(), &situation).into_iter().find(|f| f.id == "controller-trust").unwrap();
        assert_eq!(said.result, verdict, "{condition}: {}", said.message);
    }
    let on = |condition: serde_json::Value| {
        broken(move |f| {
            let statements = known(&mut f.controller_role).trust["Statement"].as_array_mut().unwrap();
            for statement in statements {
                statement["Condition"] = condition.clone();
            }
        })
    };
    assert_eq!(on(json!({"StringEquals": {"aws:RequestTag/kubernetes-service-account": "karpenter"}, "ArnEquals": {"aws:RequestTag/eks-cluster-arn": arn}})).await, []);
    let found = on(json!({"StringEquals": {"aws:RequestTag/kubernetes-namespace": "karpenter"}})).await;
    exactly(&found, "controller-trust", Verdict::Fail);
    said(&found, "on a condition that does not hold for this cluster, namespace and service account");

    let annotated = json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/old"}});
    let found = broken(|f| known(&mut f.chart_release).values["serviceAccount"] = annotated).await;
    exactly(&found, "one-identity", Verdict::Warn);
    said(&found, "has no effect beside the association");
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
    let denied = broken(&|f| {
        let statements = known(&mut f.controller_role).trust["Statement"].as_array_mut().unwrap();
        let principal = statements[0]["Principal"].clone();
        statements.push(json!({"Effect": "Deny", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}));
    });
    exactly(&denied, "controller-trust", Verdict::Fail);
    said(&denied, "shuts it out by a Deny");
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
    let said = judge(
        &all(),
        &Situation { spec: Some(&world.spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() },
    );
    for id in ["agent-health", "controller-association", "controller-trust"] {
        let finding = said.iter().find(|f| f.id == id).unwrap();
        assert_eq!(finding.result, Verdict::Skip, "{finding:#?}");
        assert!(finding.message.contains("`karpctl bootstrap` makes it"), "{finding:#?}");
    }
}
