//! The policy of whoever runs karpctl, as it is printed.

use super::{OFFLINE, Shell, render, usage_error};
use karpctl::checks::all;
use karpctl::doctor::{SavedFacts, Wanted, select};
use karpctl::facts::{Denial, DeniedBy, Facts, PermissionFacts, Probed};
use karpctl::knowledge::Work;
use karpctl::render::Standing;

/// The actions of a policy document.
fn allowed(text: &str) -> std::collections::BTreeSet<String> {
    let policy: serde_json::Value = serde_json::from_str(text).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements.flat_map(|s| s["Action"].as_array().unwrap()).map(|a| a.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_operators_policy_has_what_eksctl_needs_only_where_it_makes_the_cluster() {
    let policy = |more: &[&str]| render(&Shell::new(), "operator-policy", more);
    let existing = policy(&["--existing-cluster"]);
    assert!(existing.stderr.is_empty(), "{}", existing.stderr);
    let (made, existing) = (allowed(&policy(&[]).stdout), allowed(&existing.stdout));
    for action in ["ec2:CreateVpc", "ec2:DeleteVpc", "eks:CreateNodegroup", "iam:CreateOpenIDConnectProvider", "ec2:CreateLaunchTemplate"] {
        assert!(made.contains(action) && !existing.contains(action), "{action}");
    }
    for (more, action) in
        [(&["--private"][..], "ec2:CreateVpcEndpoint"), (&["--fargate", "--identity", "irsa"], "eks:CreateFargateProfile")]
    {
        assert!(allowed(&policy(more).stdout).contains(action) && !made.contains(action), "{action}");
    }
    let spec = |text: &str| allowed(&render(&Shell::new().file("karpctl.yaml", text), "operator-policy", &[]).stdout);
    assert!(spec("ipFamily: ipv6\n").contains("ec2:CreateEgressOnlyInternetGateway"));
    assert!(spec("kmsKey: arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\n").contains("kms:CreateGrant"));
    let own = spec("vpc:\n  privateSubnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]\n");
    assert!(!own.contains("ec2:CreateVpc") && own.contains("ec2:CreateSecurityGroup"), "{own:?}");
}

/// The finding of a caller who may do nothing prints the policy of the very spec that was judged.
#[test]
fn the_policy_that_cures_a_denied_caller_is_that_of_the_spec() {
    let denied = Denial { action: "iam:CreateRole".into(), resource: "*".into(), by: DeniedBy::Nobody, unknown_keys: Vec::new() };
    let facts = PermissionFacts { principal: "arn:aws:iam::111122223333:user/me".into(), asked: 1, denied: vec![denied], untold: None };
    let facts = Facts { caller_permissions: Probed::Known(facts), ..Facts::default() };
    let wanted = Wanted { only: vec!["caller-permissions".into()], ..Wanted::default() };
    let checks = select(all(), &wanted).unwrap();
    let shell = Shell::new().file(
        "mine.yaml",
        "vpc:\n  privateSubnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]\nidentity: irsa\nkarpenterVersion: 1.9.0\n",
    );
    let key = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    let mut seen = std::collections::BTreeSet::new();
    for given in [
        &[][..],
        &["--existing-cluster"],
        &["--fargate", "--identity", "irsa"],
        &["--private", "--karpenter-version", "1.13.0"],
        &["--kms-key", key, "--permissions-boundary", boundary],
        &["--ip-family", "ipv6"],
        &["--karpenter-version", "0.31.4"],
        &["--file", "mine.yaml"],
    ] {
        let words = [&["doctor", "--offline", "--only", "caller-permissions", "--save-facts", "seen.json"], &OFFLINE[..], given].concat();
        shell.run(&words);
        let saved = std::fs::read_to_string(shell.dir.path().join("seen.json")).unwrap();
        let saved: SavedFacts = serde_json::from_str(&saved).unwrap();
        let found = SavedFacts { facts: facts.clone(), ..saved.clone() }.judge(&checks);
        let command: Vec<&str> = found[0].fixes[0].command.iter().map(String::as_str).collect();
        let printed = shell.run(&command[1..]).stdout;
        let whole = karpctl::render::operator_policy(&saved.spec.unwrap(), &[Work::Bootstrap], Standing::ToCome);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), whole, "{command:?}");
        seen.insert(printed);
    }
    assert_eq!(seen.len(), 8, "each kind has a policy of its own");
}

#[test]
fn an_operators_policy_that_is_too_long_for_iam_is_written_as_several() {
    let shell = Shell::new();
    let whole = render(&shell, "operator-policy", &[]);
    assert!(whole.stderr.contains("`--out DIR` writes it as 2 policies"), "{}", whole.stderr);
    assert_eq!(render(&shell, "operator-policy", &["--out", "policies"]).code, 0);
    let mut all = std::collections::BTreeSet::new();
    for name in ["operator-policy-1.json", "operator-policy-2.json"] {
        let text = std::fs::read_to_string(shell.dir.path().join("policies").join(name)).unwrap();
        assert!(text.chars().filter(|c| !c.is_whitespace()).count() <= 6144, "{name}");
        all.extend(allowed(&text));
    }
    assert_eq!(all, allowed(&whole.stdout));
    assert_eq!(std::fs::read_dir(shell.dir.path().join("policies")).unwrap().count(), 2);
    assert_eq!(render(&shell, "operator-policy", &["--for", "doctor", "--out", "one"]).code, 0);
    assert!(shell.dir.path().join("one/operator-policy.json").exists());
}

#[test]
fn an_alias_of_a_key_is_refused_with_what_finds_the_key() {
    let key = |resource: &str| format!("arn:aws:kms:us-west-2:111122223333:{resource}");
    let refused = render(&Shell::new(), "operator-policy", &["--kms-key", &key("alias/secrets")]);
    usage_error(
        &refused,
        &["not a key's own ARN", "aws kms describe-key --region us-west-2 --key-id arn:aws:kms:us-west-2:111122223333:alias/secrets"],
    );
    for id in ["key/1234abcd-12ab-34cd-56ef-1234567890ab", "key/mrk-1234abcd12ab34cd56ef1234567890ab"] {
        assert_eq!(render(&Shell::new(), "operator-policy", &["--kms-key", &key(id)]).code, 0, "{id}");
    }
}
