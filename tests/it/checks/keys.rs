//! The keys that volumes and secrets are encrypted with: who may use them, as KMS decides.

use super::aws::{known, said, to_be_made};
use super::{DAY, bad, exactly, healthy_world, seen};
use crate::fake::FakeWorld;
use karpctl::checks::{Situation, all, judge};
use karpctl::facts::{Denial, DeniedBy, EbsFacts, Facts, GrantFacts, KeyFacts, KeyUse, Probed};
use karpctl::finding::{Finding, Verdict};
use karpctl::knowledge::{SECRETS_KEY_ACTIONS, VOLUME_KEY_ACTIONS};
use karpctl::spec::{CapacityType, Spec};
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1";
const ROLE: &str = "arn:aws:iam::111122223333:role/demo-karpenter";
const SPOT: &str = "arn:aws:iam::111122223333:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot";

/// What KMS gives a key that is made without a policy: all is left to IAM.
fn account_statement() -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"})
}

fn key(statements: &[Value]) -> KeyFacts {
    KeyFacts {
        arn: KEY.into(),
        state: "Enabled".into(),
        symmetric: true,
        by_aws: false,
        policy: json!({"Version": "2012-10-17", "Statement": statements}),
        grants: Vec::new(),
    }
}

fn denied(actions: &[&str]) -> Probed<Vec<Denial>> {
    let denial = |action: &&str| Denial { action: (*action).into(), resource: KEY.into(), by: DeniedBy::Nobody, unknown_keys: Vec::new() };
    Probed::Known(actions.iter().map(denial).collect())
}

/// A healthy world whose nodes have volumes with this key, of which the controller's role may do nothing by IAM.
async fn with_key(key: KeyFacts) -> (Spec, Facts) {
    let (mut spec, mut facts) = seen(&healthy_world().await).await;
    spec.node_pool.volume_key = Some(KEY.parse().unwrap());
    facts.volume_key = Probed::Known(KeyUse { key, user: ROLE.into(), denied: denied(&VOLUME_KEY_ACTIONS) });
    (spec, facts)
}

async fn of_volumes(key: KeyFacts) -> Vec<Finding> {
    let (spec, facts) = with_key(key).await;
    bad(&spec, &facts, DAY)
}

/// A statement that lets everybody in who comes by EC2 and is of the account.
fn by_ec2(actions: &Value, more: &Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "ec2.us-west-2.amazonaws.com", "kms:CallerAccount": "111122223333"}},
    });
    for (operator, keys) in more.as_object().into_iter().flatten() {
        statement["Condition"][operator] = keys.clone();
    }
    statement
}

#[tokio::test(start_paused = true)]
async fn a_key_that_lets_the_role_in_is_no_finding() {
    let actions = json!(["kms:Decrypt", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"]);
    let grants = json!({"Bool": {"kms:GrantIsForAWSResource": true}});
    let role = json!({"Effect": "Allow", "Principal": {"AWS": [ROLE]}, "Action": "kms:*", "Resource": "*"});
    let lower = json!({"Effect": "Allow", "Principal": "*", "Action": "KMS:*", "Resource": "*"});
    let only_reading = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Describe*", "Resource": "*"});
    for statements in [
        vec![by_ec2(&actions, &Value::Null), only_reading],
        vec![role.clone()],
        vec![lower],
        vec![
            by_ec2(&json!(["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]), &Value::Null),
            by_ec2(&json!("kms:CreateGrant"), &grants),
        ],
        vec![by_ec2(&actions, &json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/demo-*"}}))],
        vec![by_ec2(&actions, &json!({"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/intern"}}))],
        vec![role.clone(), json!({"Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"})],
    ] {
        let found = of_volumes(key(&statements)).await;
        assert!(found.is_empty(), "{statements:#?}\n{found:#?}");
    }
    let operations = VOLUME_KEY_ACTIONS.map(|a| a.trim_start_matches("kms:").to_owned()).to_vec();
    let granted = KeyFacts { grants: vec![GrantFacts { grantee: ROLE.into(), operations }], ..key(&[account_statement()]) };
    assert!(of_volumes(granted).await.is_empty());
    // The account may give it on, and IAM gives it to the role.
    let (spec, mut facts) = with_key(key(&[account_statement()])).await;
    known(&mut facts.volume_key).denied = denied(&[]);
    assert!(bad(&spec, &facts, DAY).is_empty());
    assert!(of_volumes(KeyFacts { by_aws: true, ..key(&[]) }).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_let_the_role_in_is_found_and_its_policy_is_printed() {
    let found = of_volumes(key(&[account_statement()])).await;
    exactly(&found, "ebs-key", Verdict::Fail);
    said(&found, "does not let demo-karpenter do kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext");
    let cure: Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
    assert_eq!(cure["Statement"][0], account_statement(), "what is there stays");
    // The cure is one.
    assert!(of_volumes(KeyFacts { policy: cure, ..key(&[]) }).await.is_empty());

    let elsewhere = by_ec2(&json!("kms:*"), &json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/other"}}));
    let by_rds = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Condition": {"StringEquals": {"kms:ViaService": "rds.us-west-2.amazonaws.com"}}});
    let no_grant =
        json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]});
    for (statement, lacks) in [(elsewhere, 4), (by_rds, 4), (no_grant, 1)] {
        let found = of_volumes(key(&[statement])).await;
        exactly(&found, "ebs-key", Verdict::Fail);
        assert_eq!(found[0].message.matches("kms:").count() - 1, lacks, "{found:#?}");
    }

    let role = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*"});
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant", "Condition": {"ArnLike": {"aws:PrincipalArn": "*karpenter"}}});
    let found = of_volumes(key(&[role.clone(), deny])).await;
    exactly(&found, "ebs-key", Verdict::Fail);
    said(&found, "denies demo-karpenter kms:CreateGrant");

    let organization = by_ec2(&json!("kms:*"), &json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}));
    let found = of_volumes(key(&[organization])).await;
    exactly(&found, "ebs-key", Verdict::Warn);
    said(&found, "depends on a condition on aws:PrincipalOrgID");
}

#[tokio::test(start_paused = true)]
async fn spot_has_a_role_of_its_own() {
    let role = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*"});
    let (mut spec, facts) = with_key(key(std::slice::from_ref(&role))).await;
    assert!(bad(&spec, &facts, DAY).is_empty());
    spec.node_pool.capacity_types = vec![CapacityType::Spot];
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "ebs-key", Verdict::Warn);
    said(&found, "does not let AWSServiceRoleForEC2Spot do");
    let (_, facts) = with_key(key(&[role, json!({"Effect": "Allow", "Principal": {"AWS": SPOT}, "Action": "kms:*"})])).await;
    assert!(bad(&spec, &facts, DAY).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_is_there_and_enabled_and_of_this_region() {
    let role = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*"});
    let state = |state: &str| KeyFacts { state: state.into(), ..key(std::slice::from_ref(&role)) };
    for (state_of, operations) in [
        ("Disabled", vec!["enable-key"]),
        ("PendingDeletion", vec!["cancel-key-deletion", "enable-key"]),
        ("PendingImport", vec!["describe-key"]),
    ] {
        let found = of_volumes(state(state_of)).await;
        exactly(&found, "ebs-key", Verdict::Fail);
        said(&found, state_of);
        assert_eq!(found[0].fixes.iter().map(|f| f.command[2].as_str()).collect::<Vec<_>>(), operations);
    }
    exactly(&of_volumes(KeyFacts { symmetric: false, ..key(&[]) }).await, "ebs-key", Verdict::Fail);
    let (mut spec, mut facts) = with_key(key(&[])).await;
    facts.volume_key = Probed::Absent;
    exactly(&bad(&spec, &facts, DAY), "ebs-key", Verdict::Fail);
    spec.node_pool.volume_key = Some("arn:aws:kms:eu-west-1:111122223333:key/1".parse().unwrap());
    let found = bad(&spec, &facts, DAY);
    exactly(&found, "ebs-key", Verdict::Fail);
    said(&found, "is of eu-west-1, and us-west-2 takes keys of its own only");
    // What may not be read is no pass.
    spec.node_pool.volume_key = Some(KEY.parse().unwrap());
    facts.volume_key = Probed::Unavailable("kms:GetKeyPolicy is denied".into());
    let said = judge(
        &all(),
        &Situation { spec: Some(&spec), meant: &karpctl::spec::Meant::default(), facts: &facts, today: DAY.parse().unwrap() },
    );
    let of_key = said.iter().find(|f| f.id == "ebs-key").unwrap();
    assert!(of_key.result == Verdict::Skip && of_key.message.contains("kms:GetKeyPolicy is denied"), "{of_key:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_account_s_default_key_is_looked_at_where_the_spec_names_none() {
    let world = healthy_world().await;
    let (spec, mut facts) = seen(&world).await;
    // Karpenter asks for encryption, and names no key, whatever the account has every volume do.
    for by_default in [true, false] {
        for of_aws in [Some("alias/aws/ebs".into()), None] {
            facts.ebs = Probed::Known(EbsFacts { by_default, key: of_aws });
            assert!(bad(&spec, &facts, DAY).is_empty());
        }
        let (mut facts, denied) = (facts.clone(), denied(&VOLUME_KEY_ACTIONS));
        facts.ebs = Probed::Known(EbsFacts { by_default, key: Some(KEY.into()) });
        facts.volume_key = Probed::Known(KeyUse { key: key(&[account_statement()]), user: ROLE.into(), denied });
        let found = bad(&spec, &facts, DAY);
        exactly(&found, "ebs-key", Verdict::Fail);
        assert_eq!(found[0].subject, "EBS encryption in us-west-2");
    }
    let world = FakeWorld::with_cluster(spec.clone());
    world.inside().default_volume_key = Some(KEY.into());
    world.inside().keys.insert(KEY.into(), key(&[]));
    let read = world.facts(&[karpctl::facts::Topic::Ebs]).await;
    assert_eq!(read.volume_key.known().map(|used| used.key.arn.as_str()), Some(KEY), "encryption by default is off: {:?}", read.ebs);

    // What is read, and as whom it is judged.
    let mut named = spec.clone();
    named.node_pool.volume_key = Some(KEY.parse().unwrap());
    let world = FakeWorld::with_cluster(named);
    world.inside().keys.insert(KEY.into(), key(&[]));
    let read = world.facts(&[karpctl::facts::Topic::Ebs]).await.volume_key;
    let used = read.known().unwrap();
    assert_eq!((used.key.arn.as_str(), used.user.as_str()), (KEY, ROLE));
    assert!(
        world.looks().iter().any(|l| l.contains("kms:ViaService") && l.contains("ec2.us-west-2.amazonaws.com")),
        "{:#?}",
        world.looks()
    );
}

#[tokio::test(start_paused = true)]
async fn the_key_of_the_secrets_is_that_of_who_makes_the_cluster() {
    let me = "arn:aws:iam::111122223333:user/me";
    let (mut spec, mut facts) = to_be_made().await;
    let of_secrets = |spec: &Spec, facts: &Facts| bad(spec, facts, DAY).into_iter().filter(|f| f.id == "secrets-key").collect::<Vec<_>>();
    assert!(of_secrets(&spec, &facts).is_empty());
    spec.kms_key = Some(KEY.parse().unwrap());
    let with = |key: KeyFacts, denied| Probed::Known(KeyUse { key, user: me.into(), denied });
    facts.secrets_key = with(key(&[account_statement()]), denied(&[]));
    assert!(of_secrets(&spec, &facts).is_empty(), "{:#?}", of_secrets(&spec, &facts));
    facts.secrets_key = with(key(&[account_statement()]), denied(&SECRETS_KEY_ACTIONS));
    let found = of_secrets(&spec, &facts);
    exactly(&found, "secrets-key", Verdict::Fail);
    said(&found, "does not let arn:aws:iam::111122223333:user/me do kms:CreateGrant, kms:DescribeKey");
    let cure: Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
    facts.secrets_key = with(KeyFacts { policy: cure, ..key(&[]) }, denied(&SECRETS_KEY_ACTIONS));
    assert!(of_secrets(&spec, &facts).is_empty(), "{:#?}", of_secrets(&spec, &facts));
    facts.secrets_key = with(KeyFacts { state: "Disabled".into(), ..key(&[]) }, denied(&[]));
    exactly(&of_secrets(&spec, &facts), "secrets-key", Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_there_says_its_key_itself() {
    let world = healthy_world().await;
    world.inside().cluster.as_mut().unwrap().secrets_key = Some(KEY.parse().unwrap());
    let (spec, mut facts) = seen(&world).await;
    assert_eq!(spec.kms_key, None);
    for (state, cures) in [("Enabled", &[][..]), ("Disabled", &["enable-key"]), ("PendingDeletion", &["cancel-key-deletion", "enable-key"])]
    {
        // Who made the cluster once does not matter any more.
        let user = "arn:aws:iam::111122223333:user/me".to_owned();
        facts.secrets_key =
            Probed::Known(KeyUse { key: KeyFacts { state: state.into(), ..key(&[]) }, user, denied: denied(&SECRETS_KEY_ACTIONS) });
        let found = bad(&spec, &facts, DAY);
        if cures.is_empty() {
            assert!(found.is_empty(), "{found:#?}");
            continue;
        }
        exactly(&found, "secrets-key", Verdict::Fail);
        assert_eq!(found[0].subject, "secrets of demo");
        assert_eq!(found[0].fixes.iter().map(|f| f.command[2].as_str()).collect::<Vec<_>>(), cures);
    }
    // What is asked is the cluster's own key, whatever the spec names.
    world.inside().keys.insert(KEY.into(), key(&[account_statement()]));
    let (ports, mut read) = (world.ports(), world.facts(&[]).await);
    let context = karpctl::probe::ProbeContext { spec: &world.spec, ports: &ports, kubeconfig: None };
    karpctl::probe::probe(&context, &std::collections::BTreeSet::from([karpctl::facts::Topic::SecretsKey]), &mut read).await;
    assert_eq!(read.secrets_key.known().map(|used| used.key.arn.as_str()), Some(KEY), "{:?}", read.secrets_key);
}

/// `EventBridge` writes with the key of the queue, too.
#[tokio::test(start_paused = true)]
async fn a_queue_is_encrypted_with_a_key_that_its_sender_may_use() {
    let with = async |name: &str, policy: Option<KeyFacts>| {
        let world = healthy_world().await;
        world.inside().queue_key = Some(name.into());
        if let Some(key) = policy {
            world.inside().keys.insert(name.into(), key);
        }
        let (spec, facts) = seen(&world).await;
        bad(&spec, &facts, DAY)
    };
    let found = with("alias/aws/sqs", None).await;
    exactly(&found, "interruption-queue", Verdict::Warn);
    assert!(found[0].fixes.iter().all(|fix| fix.command.is_empty()), "{found:#?}");
    let found = with(KEY, Some(key(&[account_statement()]))).await;
    exactly(&found, "interruption-queue", Verdict::Fail);
    said(&found, "whose policy does not let events.amazonaws.com use it");
    let cure: Value = serde_json::from_str(found[0].fixes[0].command.last().unwrap()).unwrap();
    assert_eq!(cure["Statement"][0], account_statement(), "what is there stays");
    assert_eq!(with(KEY, Some(KeyFacts { policy: cure, ..key(&[]) })).await, [], "the cure is one");
    exactly(&with(KEY, Some(KeyFacts { state: "Disabled".into(), ..key(&[]) })).await, "interruption-queue", Verdict::Fail);
}
