//! What a role and the caller may do, as IAM says.

use super::aws::{broken, known, said};
use super::machine::client;
use super::{DAY, bad, exactly, healthy_world, seen};
use crate::fake::{FakeWorld, Fault, error};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::facts::{ChosenFacts, Denial, DeniedBy, Entry, EntryFacts, Facts, KubeconfigFacts, PermissionFacts, Probed, Topic};
use karpctl::finding::Verdict;
use karpctl::spec::Spec;

#[tokio::test(start_paused = true)]
async fn a_role_may_do_what_the_release_needs() {
    let denial = |by, keys: &[&str]| Denial {
        action: "ec2:DescribeInstanceStatus".into(),
        resource: "*".into(),
        by,
        unknown_keys: keys.iter().map(ToString::to_string).collect(),
    };
    for (by, keys, verdict, words) in [
        (DeniedBy::Nobody, &[][..], Verdict::Fail, "is not authorized to perform: ec2:DescribeInstanceStatus"),
        (DeniedBy::Nobody, &["aws:RequestTag/team"][..], Verdict::Warn, "may be denied, by a condition on aws:RequestTag/team"),
        (DeniedBy::Organization, &[][..], Verdict::Warn, "may be denied by a service control policy"),
        (DeniedBy::Boundary, &[][..], Verdict::Fail, "the permissions boundary"),
        (DeniedBy::Boundary, &["aws:RequestedRegion"][..], Verdict::Warn, "may be denied, by a condition on aws:RequestedRegion"),
        (DeniedBy::Policy, &[][..], Verdict::Fail, "a policy denies explicitly"),
        (DeniedBy::Policy, &["aws:SourceIp"][..], Verdict::Warn, "may be denied, by a condition on aws:SourceIp"),
    ] {
        let found = broken(|f| known(&mut f.controller_permissions).denied = vec![denial(by, keys)]).await;
        exactly(&found, "controller-permissions", verdict);
        said(&found, words);
    }
    // IAM names keys of other statements too: with a policy of the release not attached they excuse nothing.
    let found = broken(|f| {
        known(&mut f.controller_role).policies.retain(|arn| !arn.contains("ResourceDiscovery"));
        known(&mut f.controller_permissions).denied = vec![denial(DeniedBy::Nobody, &["aws:RequestTag/team"])];
    })
    .await;
    exactly(&found, "controller-permissions", Verdict::Fail);
    assert_eq!(found[0].fixes[0].command[..3], ["aws", "iam", "attach-role-policy"]);
    assert!(found[0].fixes[1].title.contains("`karpctl identity` attaches its policies"), "{found:#?}");
    // The role is no part of `iam`, which makes the stack.
    let found = broken(|f| (f.controller_role, f.controller_permissions) = (Probed::Absent, Probed::Absent)).await;
    let of_role =
        |id: &str| found.iter().find(|f| f.id == id).unwrap().fixes.iter().any(|fix| fix.title.starts_with("`karpctl identity` makes it"));
    assert!(of_role("controller-trust"), "{found:#?}");
    // Asked of the world: each statement of the release's policies, resolved.
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.inside().denied.push(denial(DeniedBy::Nobody, &[]));
    let facts = world.facts(&[Topic::ControllerPermissions]).await;
    let seen = facts.controller_permissions.known().unwrap();
    assert_eq!(seen.denied, [denial(DeniedBy::Nobody, &[])]);
    assert!(seen.asked > 60, "{}", seen.asked);
}

/// IAM names as unknown the keys of every statement of the role's policies that a question has no value for, whatever action they are about.
#[tokio::test(start_paused = true)]
async fn conditions_of_other_statements_excuse_no_denial() {
    let of_others = [
        "aws:RequestTag/karpenter.sh/nodepool",
        "aws:RequestTag/kubernetes.io/cluster/demo",
        "aws:ResourceTag/karpenter.sh/nodepool",
        "ec2:CreateAction",
        "iam:PassedToService",
        // The guide's role for leaving the Cluster Autoscaler has it in place of AWS's own.
        "ec2:ResourceTag/karpenter.sh/nodepool",
    ];
    let with = async |more: &[&str]| {
        let world = healthy_world().await;
        world.inside().denied.push(Denial {
            action: "ec2:DescribeInstanceStatus".into(),
            resource: "*".into(),
            by: DeniedBy::Nobody,
            unknown_keys: of_others.iter().chain(more).map(ToString::to_string).collect(),
        });
        let (spec, facts) = seen(&world).await;
        bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "controller-permissions").collect::<Vec<_>>()
    };
    let found = with(&[]).await;
    exactly(&found, "controller-permissions", Verdict::Fail);
    said(&found, "is not authorized to perform: ec2:DescribeInstanceStatus");
    // One of a person's own policy may allow it.
    let found = with(&["aws:PrincipalTag/team"]).await;
    exactly(&found, "controller-permissions", Verdict::Warn);
    said(&found, "may be denied, by a condition on aws:PrincipalTag/team: ec2:DescribeInstanceStatus");
}

#[tokio::test(start_paused = true)]
async fn the_caller_may_do_what_a_bootstrap_calls_for() {
    let denial = Denial { action: "iam:CreateRole".into(), resource: "x".into(), by: DeniedBy::Nobody, unknown_keys: Vec::new() };
    let found = broken(|f| known(&mut f.caller_permissions).denied = vec![denial]).await;
    exactly(&found, "caller-permissions", Verdict::Fail);
    assert!(found[0].fixes[0].command.contains(&"operator-policy".to_owned()), "{found:#?}");
    // That nobody may ask is a warning, with the policy that lets one ask.
    let found = broken(|f| known(&mut f.caller_permissions).untold = Some("iam:SimulatePrincipalPolicy is denied".into())).await;
    exactly(&found, "caller-permissions", Verdict::Warn);
    assert!(found[0].fixes[0].command.join(" ").starts_with("karpctl render operator-policy --for doctor "), "{found:#?}");
    // A session is judged by its role; the root user by nobody.
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    let principal = async |arn: &str| {
        let caller =
            Probed::Known(karpctl::facts::Caller { account: "111122223333".parse().unwrap(), arn: arn.parse().unwrap(), good_for: None });
        let mut facts = Facts { caller, ..Facts::default() };
        let ports = world.ports();
        let context = karpctl::probe::ProbeContext { spec: &world.spec, ports: &ports, kubeconfig: None };
        karpctl::probe::probe(&context, &std::collections::BTreeSet::from([Topic::CallerPermissions]), &mut facts).await;
        facts.caller_permissions
    };
    let of = |probed: Probed<PermissionFacts>| probed.known().map(|p| (p.principal.clone(), p.asked > 20));
    let session = principal("arn:aws:sts::111122223333:assumed-role/Dev/me").await;
    assert_eq!(of(session), Some(("arn:aws:iam::111122223333:role/Dev".to_owned(), true)));
    // Where the role's path cannot be read, and IAM knows no role without one, just that is said.
    world.fail("get role", Fault::After(error(ErrorKind::Denied)));
    world.fail("get denials", Fault::After(error(ErrorKind::NotFound)));
    let sso = principal("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/me").await;
    assert!(matches!(&sso, Probed::Unavailable(why) if why.contains("with its path") && why.contains("--for doctor")), "{sso:?}");
    let root = principal("arn:aws:iam::111122223333:root").await;
    assert_eq!(of(root), Some(("arn:aws:iam::111122223333:root".to_owned(), false)));
    let federated = principal("arn:aws:sts::111122223333:federated-user/me").await;
    assert!(matches!(&federated, Probed::Unavailable(why) if why.contains("federated user")), "{federated:?}");
    // What eksctl needs is asked only where it is yet to make the cluster.
    let asked = async |made: Spec, there: bool| {
        let world = if there { FakeWorld::bootstrapped(made).await } else { FakeWorld::empty(made) };
        let (mut facts, ports) = (world.facts(&[]).await, world.ports());
        let context = karpctl::probe::ProbeContext { spec: &world.spec, ports: &ports, kubeconfig: None };
        karpctl::probe::probe(&context, &std::collections::BTreeSet::from([Topic::CallerPermissions]), &mut facts).await;
        facts.caller_permissions.known().map(|p| p.asked)
    };
    let (there, to_come) = (asked(spec("1.14.1"), true).await, asked(spec("1.14.1"), false).await);
    assert!(there.is_some() && there.map(|n| n + 100) < to_come, "{there:?} {to_come:?}");
}

/// The images of each family lie in another folder of AWS's public parameters.
#[test]
fn the_printed_policy_reads_the_image_of_every_family() {
    for alias in ["al2023@latest", "al2@latest", "bottlerocket@latest", "windows2022@latest"] {
        let mut spec = crate::fixture::spec("1.14.1");
        spec.node_pool.ami_alias = Some(alias.parse().unwrap());
        let parameter = karpctl::render::ami_parameter(&spec, karpctl::spec::Architecture::Amd64).unwrap();
        let policy = karpctl::render::operator_policy(&spec, &[karpctl::knowledge::Work::Doctor], karpctl::render::Standing::There);
        let statements = policy["Statement"].as_array().unwrap().iter();
        let reading = statements.filter(|s| s["Action"].as_array().unwrap().contains(&serde_json::json!("ssm:GetParameter")));
        let mut resources = reading.flat_map(|s| s["Resource"].as_array().unwrap());
        let of = |resource: &serde_json::Value| resource.as_str()?.split_once(":parameter")?.1.strip_suffix('*').map(str::to_owned);
        assert!(resources.any(|resource| of(resource).is_some_and(|folder| parameter.starts_with(&folder))), "{parameter}");
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/eks-admin";

fn takes_role(chosen: &mut ChosenFacts) {
    chosen.exec.as_mut().unwrap().args.extend(["--role-arn".to_owned(), ROLE.to_owned()]);
}

/// The first thing that goes wrong on a cluster that somebody else made.
#[tokio::test(start_paused = true)]
async fn a_cluster_lets_the_caller_in() {
    let found = async |change: &dyn Fn(&mut Facts), answer: Entry, by_kubeconfig: bool| {
        broken(|f| {
            f.entry = Probed::Known(EntryFacts { answer, by_kubeconfig });
            change(f);
        })
        .await
    };
    let commands = |found: &[karpctl::finding::Finding]| found[0].fixes.iter().map(|fix| fix.command.join(" ")).collect::<Vec<_>>();
    let unknown = found(&|_| (), Entry::NotKnown, false).await;
    exactly(&unknown, "cluster-entry", Verdict::Fail);
    let of = "--region us-west-2 --cluster-name demo --principal-arn arn:aws:iam::111122223333:user/test";
    assert_eq!(
        commands(&unknown)[..2],
        [
            format!("aws eks create-access-entry {of}"),
            format!(
                "aws eks associate-access-policy {of} --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy --access-scope type=cluster"
            ),
        ]
    );
    let by_rows = found(&|f| known(&mut f.cluster).authentication_mode = "CONFIG_MAP".into(), Entry::NotKnown, false).await;
    assert!(
        commands(&by_rows)[0].starts_with("eksctl create iamidentitymapping --cluster demo --region us-west-2 --arn arn:aws:iam::"),
        "{by_rows:#?}"
    );
    // A row names a role without its path, an access entry with it.
    let of_a_path = |mode: &'static str| {
        move |f: &mut Facts| {
            known(&mut f.cluster).authentication_mode = mode.into();
            known(&mut f.caller_permissions).principal = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/Admin".into();
        }
    };
    let by_rows = commands(&found(&of_a_path("CONFIG_MAP"), Entry::NotKnown, false).await);
    assert!(by_rows[0].contains(" --arn arn:aws:iam::111122223333:role/Admin "), "{by_rows:?}");
    let by_entries = commands(&found(&of_a_path("API"), Entry::NotKnown, false).await);
    assert!(by_entries[0].ends_with(":role/aws-reserved/sso.amazonaws.com/Admin"), "{by_entries:?}");
    // EKS refuses the ARN of a role of IAM Identity Center without its path; a row of aws-auth must name it so.
    let pathless = |mode: &'static str| {
        move |f: &mut Facts| {
            of_a_path(mode)(f);
            known(&mut f.caller_permissions).principal = "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0123456789abcdef".into();
        }
    };
    for answer in [Entry::NotKnown, Entry::TooLittle] {
        let found = commands(&found(&pathless("API"), answer, false).await);
        assert_eq!(found[0], "aws iam get-role --role-name AWSReservedSSO_Admin_0123456789abcdef --query Role.Arn --output text");
        assert!(found[1].contains(" --principal-arn ARN") && !found.concat().contains(":role/AWSReservedSSO"), "{found:?}");
    }
    let by_rows = commands(&found(&pathless("CONFIG_MAP"), Entry::NotKnown, false).await);
    assert!(by_rows[0].contains(" --arn arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0123456789abcdef "), "{by_rows:?}");
    // Whoever comes in by the kubeconfig's role, or profile, need not be let in as himself.
    assert!(unknown[0].fixes.last().unwrap().title.contains("--kubeconfig FILE, --context NAME"), "{unknown:#?}");
    let by_kubeconfig = |change: fn(&mut ChosenFacts)| {
        move |f: &mut Facts| {
            let mut client = client();
            let KubeconfigFacts::Chosen(chosen) = &mut client.kubeconfig else { panic!() };
            change(chosen);
            f.clients = Probed::Known(vec![client]);
        }
    };
    let found_by = found(&by_kubeconfig(takes_role), Entry::NotKnown, false).await;
    let last = found_by.iter().find(|f| f.id == "cluster-entry").unwrap().fixes.last().unwrap();
    assert!(last.title.contains(&format!("who takes the role {ROLE}")), "{last:#?}");
    assert!(
        last.command.join(" ").starts_with(
            "karpctl doctor --only cluster-entry --cluster-name demo --region us-west-2 --kubeconfig /home/me/.kube/config --context "
        ),
        "{last:#?}"
    );
    let elsewhere = |chosen: &mut ChosenFacts| {
        takes_role(chosen);
        chosen.server = "https://FEDCBA9876543210.gr7.us-west-2.eks.amazonaws.com".into();
    };
    let found_by = found(&by_kubeconfig(elsewhere), Entry::NotKnown, false).await;
    assert!(
        found_by.iter().filter(|f| f.id == "cluster-entry").all(|f| f.fixes.iter().all(|fix| !fix.title.contains("who takes"))),
        "{found_by:#?}"
    );
    // Nobody comes in by a user that has no way in; one with a token does.
    let offered = async |change: fn(&mut ChosenFacts)| {
        let found_by = found(&by_kubeconfig(change), Entry::NotKnown, false).await;
        found_by.into_iter().find(|f| f.id == "cluster-entry").unwrap().fixes.pop().unwrap().title
    };
    assert!(offered(|chosen| chosen.exec = None).await.contains("come in as kubectl does, as "));
    let no_way = offered(|chosen| (chosen.exec, chosen.user_problem) = (None, Some("it has no credential at all".into()))).await;
    assert!(no_way.contains("--kubeconfig FILE"), "{no_way}");
    // Whom a row lets in has no entry to which a policy could be added.
    let verbs = async |mode| {
        let found = found(&of_a_path(mode), Entry::TooLittle, false).await;
        commands(&found).iter().filter_map(|command| command.split(' ').nth(2).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(verbs("API").await, ["associate-access-policy"]);
    assert_eq!(verbs("API_AND_CONFIG_MAP").await, ["describe-access-entry", "create-access-entry", "associate-access-policy"]);
    // A session's role, where IAM was not asked for its path.
    let session = |f: &mut Facts| {
        known(&mut f.caller).arn = "arn:aws:sts::111122223333:assumed-role/Dev/me".parse().unwrap();
        f.caller_permissions = Probed::NotAsked;
    };
    assert!(found(&session, Entry::NotKnown, false).await[0].message.contains("arn:aws:iam::111122223333:role/Dev"));
    let own = found(&|_| (), Entry::NotKnown, true).await;
    assert!(own[0].fixes[0].title.contains("--context"), "{own:#?}");
    exactly(&found(&|_| (), Entry::TooLittle, false).await, "cluster-entry", Verdict::Warn);
    let far = found(&|f| known(&mut f.cluster).public_endpoint = false, Entry::NotReached("i/o timeout".into()), false).await;
    let far: Vec<_> = far.into_iter().filter(|f| f.id == "cluster-entry").collect();
    exactly(&far, "cluster-entry", Verdict::Fail);
    said(&far, "within its VPC only");
    said(&found(&|f| known(&mut f.cluster).public_endpoint = true, Entry::NotReached("i/o timeout".into()), false).await, "i/o timeout");
    let another = Entry::NotReached("invalid peer certificate: UnknownIssuer".into());
    let another = found(&|f| known(&mut f.cluster).public_endpoint = true, another, false).await;
    assert!(another[0].fixes[0].title.contains("whose certificate") && another[0].fixes[1].title.contains("NO_PROXY"), "{another:#?}");
    // As it is read.
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    for (kind, why, answer) in [
        (ErrorKind::Denied, "the API server https://x answered 401: Unauthorized", Entry::NotKnown),
        (ErrorKind::Denied, "the API server https://x answered 403: Forbidden", Entry::TooLittle),
    ] {
        world.fail("create", Fault::Before(karpctl::error::Error::new(kind, "no").because(why)));
        let facts = world.facts(&[Topic::Cluster, Topic::Entry]).await;
        assert_eq!(facts.entry, Probed::Known(EntryFacts { answer, by_kubeconfig: false }));
    }
}
