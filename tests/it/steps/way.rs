//! The whole way: every step in order, again, and back.

use super::chart::{SHELLS, is_there};
use crate::fake::{FakeWorld, Fault, error, step};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::facts::Probed;
use karpctl::plan::{Action, Direction, State, StepId};
use karpctl::ports::Tags;
use karpctl::spec::{ClusterMode, Identity, Spec};
use karpctl::steps::{OWNER_TAG, Ownership};
use std::collections::BTreeSet;
use std::sync::Mutex;

fn specs() -> Vec<Spec> {
    vec![spec("1.14.1"), existing("1.14.1"), spec("1.0.8"), existing("1.0.8"), existing("0.17.0")]
}

#[tokio::test(start_paused = true)]
async fn up_again_and_back() {
    for spec in specs() {
        let about = format!("{} {:?}", spec.release, spec.cluster);
        let world = FakeWorld::bootstrapped(spec).await;
        for id in StepId::ALL {
            let state = world.assess(id).await;
            assert!(matches!(state, State::Present | State::NotWanted), "{about}: {id} {state:?}");
        }
        assert!(world.changes().is_empty(), "{about}: looking changes nothing: {:?}", world.changes());
        for id in StepId::ALL.into_iter().rev().filter(|id| *id != StepId::Crds || world.spec.cluster == ClusterMode::Existing) {
            if step(id).kept_on_destroy(&world.spec).is_some() {
                continue;
            }
            let state = world.assess_removal(id).await;
            if matches!(state, State::Absent | State::NotWanted) {
                continue;
            }
            let (result, said) = world.remove(id).await;
            assert_eq!(result, Ok(()), "{about}: {id} said {said:#?}");
            let state = world.assess_removal(id).await;
            assert!(matches!(state, State::Absent | State::NotWanted | State::Unknown(_)), "{about}: {id} {state:?}");
        }
        let inside = world.inside();
        assert!(inside.stacks.is_empty() && inside.entries.is_empty() && inside.association.is_none(), "{about}");
        assert_eq!(inside.roles.keys().collect::<Vec<_>>(), ["AWSServiceRoleForEC2Spot"], "{about}");
        assert!(inside.oidc.is_empty() && inside.addons.is_empty(), "{about}");
        assert!(inside.subnets.iter().all(|s| s.tags.is_empty()), "{about}");
        assert_eq!(inside.cluster.is_some(), world.spec.cluster == ClusterMode::Existing, "{about}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_an_empty_account_knows_no_refusal() {
    let world = FakeWorld::empty(spec("1.14.1"));
    for id in StepId::ALL {
        let state = world.assess(id).await;
        assert!(!matches!(state, State::Foreign { .. } | State::Blocked { .. } | State::Present), "{id}: {state:?}");
    }
}

#[test]
fn needs_make_an_order_and_every_step_explains_itself() {
    for spec in specs() {
        let mut done = BTreeSet::new();
        for id in StepId::ALL {
            let step = step(id);
            assert!(step.needs(&spec).iter().all(|need| done.contains(need)), "{id} comes before what it needs");
            assert!(step.explain().len() > 80 && step.explain().ends_with('.'), "{id}");
            assert!(step.title(&spec).len() > 5, "{id}");
            for direction in [Direction::Apply, Direction::Remove] {
                for command in step.commands(&spec, &karpctl::facts::Facts::default(), direction) {
                    assert!(
                        !command.contains('{')
                            || command.contains("{{EC2")
                            || command.contains("{{range")
                            || command.contains("'{")
                            || command.contains("${")
                            || command.contains("|| { "),
                        "{id}: {command}"
                    );
                    assert!(!command.contains("  ") || command.contains('#'), "{id}: {command}");
                }
            }
            done.insert(id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_cluster_nothing_in_it_is_left() {
    for status in [None, Some("CREATING"), Some("DELETING"), Some("FAILED")] {
        let world = FakeWorld::with_cluster(spec("1.14.1"));
        match status {
            None => world.inside().cluster = None,
            Some(status) => world.inside().cluster.as_mut().unwrap().status = status.into(),
        }
        for id in [StepId::NodeMapping, StepId::Crds, StepId::Chart, StepId::NodePool, StepId::OidcProvider, StepId::DiscoveryTags] {
            let state = world.assess_removal(id).await;
            assert!(matches!(state, State::Absent | State::NotWanted), "{status:?}: {id} {state:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_shell_of_what_is_there_mends_it_and_does_not_make_it_anew() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    {
        let mut inside = world.inside();
        inside.roles.get_mut("demo-karpenter").unwrap().policies.remove(0);
        inside.association.as_mut().unwrap().role_arn = "arn:aws:iam::111122223333:role/other".into();
    }
    world.set_stack("eksctl-demo-nodegroup-demo-ng", "ROLLBACK_COMPLETE", &[], Tags::from([(OWNER_TAG.into(), "demo".into())]));
    world.set_stack("Karpenter-demo", "ROLLBACK_COMPLETE", &[], Tags::from([(OWNER_TAG.into(), "demo".into())]));
    for chart in ["karpenter", "karpenter-crd"] {
        world.put_release(chart, 2, "deployed", "1.14.0", &serde_json::json!({}));
    }
    for (id, there, never) in [
        (StepId::Crds, "1=false/p')", "helm install"),
        (StepId::Chart, "1=false/p')", "helm install"),
        (StepId::ControllerRole, "aws iam attach-role-policy", "create-role"),
        (StepId::PodIdentityAssociation, "aws eks update-pod-identity-association", "create-pod"),
        (StepId::Cluster, "eksctl create nodegroup", "create cluster"),
        (StepId::Stack, "aws cloudformation delete-stack", "eksctl"),
    ] {
        let step = step(id);
        let facts = world.facts(step.reads()).await;
        assert_ne!(step.assess(&world.spec, &facts), State::Present, "{id}");
        let shell = step.commands(&world.spec, &facts, Direction::Apply).join("\n");
        assert!(shell.contains(there) && !shell.contains(never), "{id}: {shell}");
    }
}

/// A fact says only why a thing is not known. What helps, such as the statement that a policy lacks, is in AWS's answer.
#[tokio::test(start_paused = true)]
async fn what_a_step_cannot_go_on_without_fails_with_what_helps() {
    let irsa = || Spec { identity: Identity::Irsa, ..existing("1.14.1") };
    let both = [Direction::Apply, Direction::Remove];
    let cases: Vec<(Spec, StepId, &[Direction])> = vec![
        (existing("1.14.1"), StepId::DiscoveryTags, &both),
        (existing("1.14.1"), StepId::NodeMapping, &both),
        (existing("1.14.1"), StepId::NodePool, &both),
        (existing("1.14.1"), StepId::Chart, &both),
        (irsa(), StepId::OidcProvider, &both),
        (irsa(), StepId::ControllerRole, &both[..1]),
    ];
    for (spec, id, directions) in cases {
        for direction in directions {
            let world = FakeWorld::with_cluster(spec.clone());
            let mut facts = world.facts(step(id).reads()).await;
            facts.cluster = Probed::Unavailable("eks:DescribeCluster is denied".into());
            facts.network = Probed::Unavailable("ec2:DescribeSubnets is denied".into());
            let denied = error(ErrorKind::Denied).hint("allow `eks:DescribeCluster` on it");
            world.fail("describe", Fault::Before(denied.clone()));
            let (said, direction) = (Mutex::new(Vec::new()), *direction);
            let result = world.with_context(&facts, Ownership::OursOnly, &said, move |context| {
                Box::pin(async move {
                    match direction {
                        Direction::Apply => step(id).apply(context, Action::Create).await,
                        Direction::Remove => step(id).remove(context).await,
                    }
                })
            });
            assert_eq!(result.await, Err(denied), "{id} {direction:?}");
        }
    }
}

#[test]
fn the_shell_holds_charts_to_their_digests() {
    let mut spec = existing("1.14.1");
    let shell = |spec: &Spec, id: StepId| step(id).commands(spec, &karpctl::facts::Facts::default(), Direction::Apply).join("\n");
    for id in [StepId::Crds, StepId::Chart] {
        assert!(!shell(&spec, id).contains("Digest"), "{id}");
        assert!(!shell(&spec, id).contains("server-side"), "{id}: what is not there yet is made as helm makes it");
    }
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    spec.chart.digest = digest("1").parse().ok();
    spec.chart.crd_digest = digest("2").parse().ok();
    for (id, name, digest) in [(StepId::Crds, "karpenter-crd", digest("2")), (StepId::Chart, "karpenter", digest("1"))] {
        let shell = shell(&spec, id);
        let pulls =
            format!("helm pull oci://public.ecr.aws/karpenter/{name} --version 1.14.1 2>&1 | tee /dev/stderr | grep '^Digest: {digest}$'");
        assert!(shell.contains(&pulls), "{shell}");
        assert!(shell.contains(&format!("; then helm upgrade --install {name} ./{name}-1.14.1.tgz --namespace ")), "{shell}");
        let otherwise =
            format!("; else echo 'the chart {name} 1.14.1 was not pulled with the digest {digest}: it is not installed' >&2; false; fi");
        assert!(shell.contains(&otherwise), "{shell}");
        assert!(!shell.contains(&format!("install {name} oci://")), "nothing is installed that was not looked at: {shell}");
    }
}

/// zsh is the shell of macOS.
#[tokio::test(start_paused = true)]
async fn what_is_printed_is_the_language_of_every_shell() {
    for spec in specs() {
        let world = FakeWorld::bootstrapped(spec).await;
        for direction in [Direction::Apply, Direction::Remove] {
            for known in [true, false] {
                let mut printed = Vec::new();
                for id in StepId::ALL {
                    let facts = if known { world.facts(step(id).reads()).await } else { karpctl::facts::Facts::default() };
                    printed.extend(step(id).commands(&world.spec, &facts, direction));
                }
                for program in SHELLS.into_iter().filter(|program| is_there(program)) {
                    let read = std::process::Command::new(program).args(["-nc", &printed.join("\n")]).output().unwrap();
                    assert!(read.status.success(), "{program}: {}\n{}", String::from_utf8_lossy(&read.stderr), printed.join("\n"));
                }
            }
        }
    }
}
