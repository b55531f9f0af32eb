//! The policy of whoever runs karpctl, as it is printed.

use super::{OFFLINE, Shell, render, usage_error};
use crate::fixture::spec;
use karpctl::checks::all;
use karpctl::doctor::{SavedFacts, Wanted, select};
use karpctl::facts::{Denial, DeniedBy, Facts, PermissionFacts, Probed};
use karpctl::knowledge::{CalledBy, Work};
use karpctl::render::{Standing, operator_needs};
use karpctl::spec::Spec;
use serde_json::Value;

/// The actions of a policy document.
fn allowed(text: &str) -> std::collections::BTreeSet<String> {
    let policy: Value = serde_json::from_str(text).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements.flat_map(|s| s["Action"].as_array().unwrap()).map(|a| a.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_operators_policy_has_what_eksctl_needs_only_where_it_makes_the_cluster() {
    let policy = |more: &[&str]| render(&Shell::new(), "operator-policy", more);
    let existing = policy(&["--existing-cluster"]);
    assert!(existing.stderr.starts_with("note: whoever has this policy can make themselves administrator"), "{}", existing.stderr);
    let (made, existing) = (allowed(&policy(&[]).stdout), allowed(&existing.stdout));
    for action in ["ec2:CreateVpc", "ec2:DeleteVpc", "eks:CreateNodegroup", "iam:CreateOpenIDConnectProvider", "ec2:CreateLaunchTemplate"] {
        assert!(made.contains(action) && !existing.contains(action), "{action}");
    }
    for (more, action) in
        [(&["--private"][..], "ec2:CreateVpcEndpoint"), (&["--fargate", "--identity", "irsa"], "eks:CreateFargateProfile")]
    {
        assert!(allowed(&policy(more).stdout).contains(action) && !made.contains(action), "{action}");
    }
    for action in ["iam:UntagRole", "sqs:UntagQueue", "events:UntagResource"] {
        assert!(made.contains(action) && existing.contains(action), "a tag that is taken out of the spec goes: {action}");
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
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), whole, "{command:?}");
        seen.insert(printed);
    }
    assert_eq!(seen.len(), 8, "each kind has a policy of its own");
}

#[test]
fn an_operators_policy_that_is_too_long_for_iam_is_written_as_several() {
    let shell = Shell::new();
    let whole = render(&shell, "operator-policy", &[]);
    assert!(whole.stderr.contains("`--out DIR` writes it as 3 policies"), "{}", whole.stderr);
    assert_eq!(render(&shell, "operator-policy", &["--out", "policies"]).code, 0);
    let mut all = std::collections::BTreeSet::new();
    for name in ["operator-policy-1.json", "operator-policy-2.json", "operator-policy-3.json"] {
        let text = std::fs::read_to_string(shell.dir.path().join("policies").join(name)).unwrap();
        assert!(text.chars().filter(|c| !c.is_whitespace()).count() <= 6144, "{name}");
        all.extend(allowed(&text));
    }
    assert_eq!(all, allowed(&whole.stdout));
    assert_eq!(std::fs::read_dir(shell.dir.path().join("policies")).unwrap().count(), 3);
    assert_eq!(render(&shell, "operator-policy", &["--for", "doctor", "--out", "one"]).code, 0);
    assert!(shell.dir.path().join("one/operator-policy.json").exists());
}

/// The statements of a printed policy.
fn statements(more: &[&str]) -> Vec<Value> {
    statements_of("demo", more)
}

fn statements_of(cluster: &str, more: &[&str]) -> Vec<Value> {
    let words = ["render", "operator-policy", "--cluster-name", cluster, "--region", "us-west-2", "--account-id", "111122223333"];
    let printed = Shell::new().run(&[&words, more].concat());
    serde_json::from_str::<Value>(&printed.stdout).unwrap()["Statement"].as_array().unwrap().clone()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map_or_else(|| value.as_str().into_iter().collect(), |all| all.iter().filter_map(Value::as_str).collect())
}

/// Whether a resource of a policy, with `*` for anything, is this one.
fn matches(pattern: &str, arn: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == arn };
    arn.strip_prefix(begin).is_some_and(|tail| (0..=tail.len()).any(|at| matches(rest, &tail[at..])))
}

/// As CloudFormation names what has no name in a template.
fn made_up(stack: &str, logical_id: &str) -> String {
    let kept = &logical_id[..logical_id.len().min(24)];
    format!("{}-{kept}-tEV8TsVv7AAv", &stack[..stack.len().min(64 - 14 - kept.len())])
}

/// What a cluster has: policies, roles, rules and stacks, by their ARNs.
fn things_of(cluster: &str) -> Vec<String> {
    let mut spec = crate::fixture::spec("1.14.1");
    spec.cluster_name = cluster.parse().unwrap();
    let (iam, stack) = ("arn:aws:iam::111122223333:", spec.stack_name());
    let mut all: Vec<String> = karpctl::render::controller_policy_arns(&spec).iter().map(ToString::to_string).collect();
    all.extend([spec.node_role_arn().to_string(), spec.controller_role_arn().to_string()]);
    let rules = spec.release.stack().rules;
    all.extend(rules.iter().map(|rule| format!("arn:aws:events:us-west-2:111122223333:rule/{}", made_up(&stack, &rule.id))));
    let eksctl = |end: &str| format!("eksctl-{cluster}-{end}");
    let group = format!("nodegroup-{}", spec.node_group_name());
    for (end, role) in [("cluster", "ServiceRole"), (&group, "NodeInstanceRole"), ("addon-vpc-cni", "Role1")] {
        all.push(format!("{iam}role/{}", made_up(&eksctl(end), role)));
    }
    let stacks = [stack, eksctl("cluster"), eksctl(&group), eksctl("addon-vpc-cni"), eksctl("podidentityrole-kube-system-aws-node")];
    all.extend(stacks.map(|stack| format!("arn:aws:cloudformation:us-west-2:111122223333:stack/{stack}/8f3c")));
    all
}

#[test]
fn a_policy_has_all_of_its_cluster_and_nothing_of_its_neighbours() {
    let long = "a".repeat(95);
    for cluster in ["demo", "riotgames-cluster", "production-cluster-eu", &long] {
        let all = statements_of(cluster, &[]);
        let resources: Vec<&str> = all.iter().flat_map(|s| texts(&s["Resource"])).filter(|r| *r != "*").collect();
        for thing in things_of(cluster) {
            assert!(resources.iter().any(|pattern| matches(pattern, &thing)), "{cluster}: {thing}");
        }
    }
    let all = statements(&[]);
    let resources: Vec<&str> = all.iter().flat_map(|s| texts(&s["Resource"])).filter(|r| *r != "*").collect();
    for neighbour in ["demo-prod", "prod-demo", "demo2", "demo-cluster"] {
        for thing in things_of(neighbour) {
            let by = resources.iter().find(|pattern| matches(pattern, &thing));
            assert_eq!(by, None, "{thing}");
        }
    }
}

/// The statements that allow an action.
fn allowing<'a>(all: &'a [Value], action: &str) -> Vec<&'a Value> {
    all.iter().filter(|s| texts(&s["Action"]).contains(&action)).collect()
}

#[test]
fn what_would_make_an_administrator_is_bound_to_what_it_is_for() {
    const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";
    for kind in [&[][..], &["--existing-cluster"], &["--private"], &["--fargate", "--identity", "irsa"], &["--ip-family", "ipv6"]] {
        let free = statements(kind);
        for attaching in allowing(&free, "iam:AttachRolePolicy") {
            let policies = texts(&attaching["Condition"]["ArnEquals"]["iam:PolicyARN"]);
            assert!(!policies.is_empty() && policies.iter().all(|p| !p.contains('*') && !p.contains("Admin")), "{attaching}");
        }
        for passing in allowing(&free, "iam:PassRole") {
            let services = texts(&passing["Condition"]["StringEquals"]["iam:PassedToService"]);
            assert!(!services.is_empty() && services.iter().all(|s| s.contains("eks") || s.starts_with("ec2.")), "{passing}");
        }
        assert!(allowing(&free, "iam:PutRolePermissionsBoundary").is_empty(), "{kind:?}");
        assert!(!allowing(&free, "iam:DeleteRolePermissionsBoundary").is_empty(), "{kind:?}");
        // With a boundary no role comes without it, and none loses it.
        let bound = statements(&[kind, &["--permissions-boundary", BOUNDARY]].concat());
        for action in ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"] {
            for statement in allowing(&bound, action) {
                assert_eq!(statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"], BOUNDARY, "{statement}");
            }
        }
        for attaching in allowing(&bound, "iam:AttachRolePolicy") {
            // Only these policies are the holder's to write.
            let own = texts(&attaching["Condition"]["ArnEquals"]["iam:PolicyARN"]).iter().any(|p| p.contains(":111122223333:"));
            let is_bound = attaching["Condition"]["StringEquals"]["iam:PermissionsBoundary"] == BOUNDARY;
            assert_eq!(own, is_bound, "{attaching}");
        }
        assert!(allowing(&bound, "iam:DeleteRolePermissionsBoundary").is_empty(), "{kind:?}");
        // The controller's role loses it only where that is asked for.
        let off = statements(&[kind, &["--permissions-boundary", "none"]].concat());
        let loses = |all: &[Value]| {
            allowing(all, "iam:DeleteRolePermissionsBoundary").iter().any(|s| s["Resource"].to_string().contains("demo-karpenter"))
        };
        assert_eq!((loses(&free), loses(&off)), (false, true), "{kind:?}");
        let said = render(&Shell::new(), "operator-policy", &["--permissions-boundary", BOUNDARY]).stderr;
        assert!(!said.contains("administrator"), "{said}");
        let mut names: Vec<&str> = bound.iter().filter_map(|s| s["Sid"].as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice: {names:?}");
    }
    assert!(!render(&Shell::new(), "operator-policy", &["--for", "doctor,destroy"]).stderr.contains("administrator"));
}

#[test]
fn what_a_stack_makes_and_what_has_a_tag_is_bound_to_it() {
    let (made, existing) = (statements(&[]), statements(&["--existing-cluster"]));
    for action in ["ec2:DeleteVpc", "ec2:DeleteRoute", "ec2:DeleteSecurityGroup", "ec2:CreateVpc", "ec2:CreateLaunchTemplate"] {
        for statement in allowing(&made, action) {
            let via = &statement["Condition"]["ForAnyValue:StringEquals"]["aws:CalledVia"];
            assert_eq!(via, "cloudformation.amazonaws.com", "{statement}");
        }
    }
    for action in ["ec2:CreateTags", "ec2:DeleteTags"] {
        for statement in allowing(&existing, action) {
            let keys = texts(&statement["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"]);
            assert_eq!(keys, ["karpenter.sh/discovery", "karpctl.dev/discovery"], "{statement}");
            assert_eq!(statement["Condition"]["Null"]["aws:TagKeys"], "false", "{statement}");
        }
    }
    for statement in allowing(&existing, "ec2:DeleteLaunchTemplate") {
        let tags = statement["Condition"]["StringEquals"].as_object().unwrap();
        assert!(tags.iter().all(|(key, value)| key.starts_with("aws:ResourceTag/") && value == "demo"), "{statement}");
    }
}

#[test]
fn of_roles_that_another_tool_made_the_whole_arn_is_named_and_nothing_is_changed() {
    let file = "existingCluster: true\nmadeElsewhere:\n  by: Terraform\n  nodeRole: arn:aws:iam::111122223333:role/team/nodes\n  controllerRole: \
                arn:aws:iam::111122223333:role/team/ctl\n";
    let printed = render(&Shell::new().file("karpctl.yaml", file), "operator-policy", &[]);
    let (ours, all) = (allowed(&printed.stdout), printed.stdout.as_str());
    assert!(all.contains("role/team/nodes\"") && all.contains("role/team/ctl\"") && !all.contains("role/ctl"), "{all}");
    let changes = ["iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:CreatePolicy", "sqs:CreateQueue"];
    assert!(changes.iter().all(|action| !ours.contains(*action)), "{ours:?}");
    assert!(ours.contains("iam:PassRole") && !printed.stderr.contains("administrator"), "{ours:?}");
}

/// The instance profile that only the stack of an earlier release has is deleted by an upgrade alone.
#[test]
fn an_instance_profile_that_leaves_the_stack_is_called_for_by_a_change() {
    let private = Spec { private: true, ..spec("1.14.1") };
    for (spec, by_change) in [(spec("0.32.10"), false), (private, false), (spec("1.14.1"), true)] {
        for work in [Work::Bootstrap, Work::Destroy] {
            let needed = operator_needs(&spec, &[work], Standing::ToCome).into_iter();
            let mut deleting =
                needed.filter(|g| g.by == CalledBy::Cloudformation && g.actions.iter().any(|a| a == "iam:DeleteInstanceProfile"));
            let (one, more) = (deleting.next().unwrap(), deleting.next());
            assert_eq!((one.update_only, more.map(|g| g.sid)), (by_change, None), "{} {}", spec.release, one.sid);
        }
    }
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
