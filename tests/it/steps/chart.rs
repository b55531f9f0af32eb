use crate::fake::{FakeWorld, Fault, error, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::facts::Probed;
use karpctl::plan::{State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::spec::Spec;
use karpctl::steps::Ownership;
use serde_json::{Value, json};

const ID: StepId = StepId::Chart;

/// What somebody does to the world.
type Change<'c> = &'c dyn Fn(&FakeWorld);

fn deployment(namespace: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some(namespace.into()), name: "karpenter".into() }
}

fn values(world: &FakeWorld) -> Value {
    let endpoint = world.inside().cluster.as_ref().and_then(|c| c.endpoint.clone());
    karpctl::render::helm_values(&world.spec, endpoint.as_deref()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn is_installed_and_removed_for_every_era() {
    for version in ["1.14.1", "1.0.8", "0.17.0"] {
        let world = FakeWorld::with_cluster(existing(version));
        assert_eq!(world.assess(ID).await, State::Absent, "{version}");
        // By which karpctl knows its own on the way back.
        world.apply_ok(StepId::Stack).await;
        if version != "0.17.0" {
            world.apply_ok(StepId::Crds).await;
        }
        world.apply_ok(ID).await;
        assert_eq!(world.assess_removal(ID).await, State::Present);
        assert_eq!(world.remove(ID).await.0, Ok(()));
        assert_eq!(world.assess(ID).await, State::Absent, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_nothing_is_known() {
    let world = FakeWorld::empty(spec("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Unknown("the cluster is not there yet".into()));
}

#[tokio::test(start_paused = true)]
async fn other_values_and_versions_are_drift() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(StepId::Crds).await;
    world.apply_ok(ID).await;
    let mut other = values(&world);
    other["settings"]["interruptionQueue"] = json!("other");
    other["replicas"] = json!(1);
    world.put_release("karpenter", 2, "deployed", "1.13.0", &other);
    let state = words(&world.assess(ID).await);
    assert_eq!(state, "chart: 1.13.0 -> 1.14.1\nvalue settings.interruptionQueue: other -> demo\nvalue replicas: 1 -> not set");
    world.apply_ok(ID).await;
    world.put_release("karpenter", 3, "deployed", "1.99.0", &values(&world));
    assert_eq!(words(&world.assess(ID).await), "chart: 1.99.0 -> 1.14.1, back to an older release");
}

#[tokio::test(start_paused = true)]
async fn the_karpenter_of_another_cluster_is_neither_changed_nor_removed() {
    for (version, path) in [("1.14.1", "/settings/clusterName"), ("v0.31.5", "/settings/aws/clusterName"), ("0.17.0", "/clusterName")] {
        let world = FakeWorld::with_cluster(existing(version));
        let mut other = values(&world);
        *other.pointer_mut(path).unwrap() = json!("other");
        world.put_release("karpenter", 1, "deployed", version, &other);
        for state in [world.assess(ID).await, world.assess_removal(ID).await] {
            let State::Blocked { why, hints } = &state else { panic!("{version}: {state:?}") };
            assert_eq!(why, "the Karpenter that is there works for cluster other, so this is not cluster demo");
            assert!(hints[1].contains("--cluster-name other"), "{hints:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_was_scaled_down_is_brought_back() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    let place = deployment("kube-system");
    let mut found = world.inside().objects[&place].clone();
    found["spec"]["replicas"] = json!(0);
    found["status"]["readyReplicas"] = json!(0);
    world.put(&place, found);
    assert_eq!(words(&world.assess(ID).await), "its Deployment asks for no replicas: somebody scaled it down");
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_release_is_upgraded() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    world.put_release("karpenter", 2, "failed", "1.14.1", &values(&world));
    assert_eq!(words(&world.assess(ID).await), "its last change failed: failed by a test");
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_first_installation_is_uninstalled_and_made_anew() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.put_release("karpenter", 1, "pending-install", "1.14.1", &values(&world));
    assert!(words(&world.assess(ID).await).contains("it is pending-install"));
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["helm_uninstall karpenter", "helm_install karpenter 1.14.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_pending_upgrade_is_forgotten_and_done_anew() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.apply_ok(ID).await;
    world.put_release("karpenter", 2, "pending-upgrade", "1.14.1", &values(&world));
    world.forget_calls();
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert!(said[0].starts_with("warning: the helm release karpenter is pending-upgrade"), "{said:?}");
    assert_eq!(world.changes(), ["delete secrets/sh.helm.release.v1.karpenter.v2", "helm_install karpenter 1.14.1"]);
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn a_history_without_a_release_is_nothing() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    world.put_release("karpenter", 1, "uninstalled", "1.14.1", &json!({}));
    assert_eq!(world.assess(ID).await, State::Absent);
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn when_it_does_not_become_ready_the_error_says_what_the_pods_say() {
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    let pod = ObjectRef { kind: ObjectKind::new("v1", "pods"), namespace: Some("kube-system".into()), name: "karpenter-1".into() };
    world.put(&pod, json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "karpenter"}},
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: didn't match pod anti-affinity rules"}]},
    }));
    let event = ObjectRef { kind: ObjectKind::new("v1", "events"), namespace: Some("kube-system".into()), name: "e".into() };
    world.put(&event, json!({"type": "Warning", "reason": "FailedScheduling", "message": "no room", "involvedObject": {"kind": "Pod", "name": "karpenter-1"}}));
    world.fail("helm_install", Fault::After(error(ErrorKind::Timeout)));
    let error = world.apply(ID, Ownership::OursOnly).await.0.unwrap_err();
    assert_eq!(
        error.causes,
        [
            "pod karpenter-1 is not scheduled: 0/1 nodes are available: didn't match pod anti-affinity rules",
            "pod karpenter-1: FailedScheduling: no room"
        ]
    );
    assert!(error.hints[0].contains("add such nodes"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_karpenter_elsewhere_is_refused() {
    let owned = |namespace: &str, name: &str| {
        json!({"metadata": {
            "labels": {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "karpenter"},
            "annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace},
        }, "spec": {"replicas": 1}, "status": {"readyReplicas": 1}})
    };
    let bare = json!({"metadata": {"labels": {"app.kubernetes.io/name": "karpenter"}}, "spec": {"replicas": 1}});
    for (namespace, body, word, adoptable) in [
        ("karpenter", owned("karpenter", "karpenter"), "--namespace karpenter", false),
        ("kube-system", owned("kube-system", "kp"), "helm uninstall kp --namespace kube-system", false),
        ("karpenter", bare.clone(), "with `--namespace karpenter`", false),
        ("kube-system", bare, "not by helm", true),
        // As Flux has it, which keeps the record in the namespace of the HelmRelease.
        ("kube-system", owned("kube-system", "karpenter"), "helm keeps no record in kube-system", true),
    ] {
        let world = FakeWorld::with_cluster(existing("1.14.1"));
        world.put(&deployment(namespace), body.clone());
        let state = world.assess(ID).await;
        assert_eq!(matches!(state, State::Foreign { .. }), adoptable, "{state:?}");
        assert!(words(&state).contains(word), "{state:?}");
        // Nor is one taken over that is a hop too far away.
        world.change(&deployment(namespace), |deployment| {
            deployment["spec"]["template"]["spec"]["containers"] =
                json!([{"name": "controller", "image": "mirror:5000/controller:0.37.8@sha256:00"}]);
        });
        let state = world.assess(ID).await;
        assert_eq!(words(&state).contains("which only 1.0 converts"), adoptable, "{state:?}");
        assert!(!adoptable || matches!(state, State::Blocked { .. }), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn upgrades_that_need_a_hop_are_refused() {
    for (from, to, word) in [
        ("v0.31.5", "1.14.1", "upgrade to the newest 0.32 first"),
        ("0.37.8", "1.14.1", "which only 1.0 converts"),
        ("1.14.1", "0.37.8", "no way back"),
        ("v0.31.5", "0.37.8", "upgrade to the newest 0.32 first"),
        ("v0.27.5", "0.32.10", "upgrade to the newest 0.31 first"),
        ("v0.32.10", "1.0.14", "1.0 takes over from 0.33 to 0.37 alone"),
        ("0.33.7", "1.0.14", "upgrade to the newest patch of its minor first"),
        ("0.37.0", "1.0.14", "upgrade to the newest patch of its minor first"),
        ("0.37.2", "1.0.14", "upgrade to the newest patch of its minor first"),
    ] {
        let world = FakeWorld::with_cluster(Spec { kubernetes: "1.28".parse().unwrap(), ..existing(to) });
        world.put_release("karpenter", 1, "deployed", from, &json!({}));
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Blocked { .. }), "{from} {to}: {state:?}");
        assert!(words(&state).contains(word), "{from} {to}: {state:?}");
    }
    for (from, to) in
        [("0.37.8", "1.0.14"), ("v0.31.5", "0.32.10"), ("1.0.8", "1.14.1"), ("v0.32.10", "0.37.8"), ("not-a-version", "1.14.1")]
    {
        let world = FakeWorld::with_cluster(existing(to));
        world.put_release("karpenter", 1, "deployed", from, &json!({}));
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Drifted(_)), "{from} {to}: {state:?}");
    }
    let world = FakeWorld::with_cluster(existing("1.0.14"));
    world.put_release("karpenter", 1, "deployed", "0.37.8", &json!({"webhook": {"enabled": false}}));
    assert!(words(&world.assess(ID).await).contains("with the value webhook.enabled false"));
    // Where the newest patch does not run, there is no other way.
    let world = FakeWorld::with_cluster(Spec { kubernetes: "1.31".parse().unwrap(), ..existing("1.0.14") });
    world.put_release("karpenter", 1, "deployed", "0.37.0", &json!({}));
    assert!(matches!(world.assess(ID).await, State::Drifted(_)));
}

/// What the check upgrade-objects fails on is refused before anything is begun, with its words and cures: the chart of CRDs is changed
/// while the old controller still runs, and it deletes the kinds that it does not have with all their objects.
#[tokio::test(start_paused = true)]
async fn an_upgrade_that_loses_objects_is_refused() {
    let reference = json!({"spec": {"template": {"spec": {"nodeClassRef": {"name": "default"}}}}});
    let kept = json!({
        "metadata": {"annotations": {"compatibility.karpenter.sh/v1beta1-kubelet-conversion": "{\"maxPods\": 20}"}},
        "spec": {"template": {"spec": {"nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}}}},
    });
    for (from, to, kind, object, word, cure) in [
        (
            "v0.32.10",
            "0.33.12",
            ("karpenter.sh/v1alpha5", "provisioners"),
            json!({}),
            "its chart karpenter-crd deletes their kinds, with all that is of them: provisioners.karpenter.sh/old",
            "`kubectl delete provisioners.karpenter.sh old`",
        ),
        (
            "1.0.14",
            "1.1.0",
            ("karpenter.sh/v1", "nodepools"),
            kept,
            "nodepools.karpenter.sh/old",
            "{\"spec\":{\"kubelet\":{\"maxPods\":20}}}'`",
        ),
        ("1.0.14", "1.1.0", ("karpenter.sh/v1", "nodepools"), reference, "says no group or kind", "say them: `kubectl patch nodepools"),
        (
            "0.37.8",
            "1.0.14",
            ("karpenter.k8s.aws/v1beta1", "ec2nodeclasses"),
            json!({"spec": {"amiFamily": "Ubuntu"}}),
            "its pools make no node: ec2nodeclasses.karpenter.k8s.aws/old",
            "name the images by amiSelectorTerms: `kubectl edit ec2nodeclasses.karpenter.k8s.aws old`",
        ),
    ] {
        for (installed, refused) in [(from, true), (to, false)] {
            let world = FakeWorld::with_cluster(existing(to));
            let (group, version) = kind.0.split_once('/').unwrap();
            if kind.1 != "provisioners" {
                let name = format!("{}.{group}", kind.1);
                let crd = crate::fake::inside::place("apiextensions.k8s.io/v1", "customresourcedefinitions", None, &name);
                world.put(&crd, served(&name, version));
            }
            world.put_release("karpenter", 1, "deployed", installed, &json!({}));
            world.put(&crate::fake::inside::place(kind.0, kind.1, None, "old"), object.clone());
            for step in [ID, StepId::Crds] {
                let state = world.assess(step).await;
                assert_eq!(words(&state).contains(word) && words(&state).contains(cure), refused, "{installed} {to}: {state:#?}");
                assert!(!refused || matches!(state, State::Blocked { .. }), "{state:?}");
            }
        }
    }
}

fn served(name: &str, version: &str) -> serde_json::Value {
    let versions = json!([{"name": version, "served": true}]);
    json!({"metadata": {"name": name}, "spec": {"versions": versions}, "status": {"storedVersions": [version]}})
}

/// What nodes of Provisioners run by stays while 0.32 does, which works with them.
#[test]
fn the_instance_profile_goes_with_0_33() {
    for (release, there) in [("0.31.5", true), ("0.32.10", true), ("0.33.12", false)] {
        let spec = existing(release);
        let values = karpctl::render::helm_values(&spec, None).unwrap();
        let told = values["settings"]["aws"]["defaultInstanceProfile"].as_str();
        assert_eq!(told, there.then_some("KarpenterNodeInstanceProfile-demo"), "{release}");
        let template = karpctl::render::cloudformation(&spec).unwrap();
        assert_eq!(template.contains("KarpenterNodeInstanceProfile:"), there, "{release}");
        let policies = template.matches("AWS::IAM::ManagedPolicy").count();
        assert_eq!(policies, 1, "{release}: both sets of permissions are one policy");
        for tag in ["aws:RequestTag/karpenter.sh/provisioner-name", "aws:ResourceTag/karpenter.sh/provisioner-name"] {
            assert_eq!(template.contains(tag), there, "{release}");
        }
    }
    // 0.37 sets no such tag, and works on while the stack is that of 1.0 already. Where it is set, it must be the cluster's.
    for (release, asks) in [("0.37.8", 0), ("1.0.14", 1), ("1.1.0", 5)] {
        let template = karpctl::render::cloudformation(&existing(release)).unwrap();
        assert_eq!(template.matches("aws:RequestTag/eks:eks-cluster-name").count(), asks, "{release}");
    }
}

/// A namespace goes with what karpctl put there, and with nothing of anybody else's in it, of whatever kind.
#[tokio::test(start_paused = true)]
async fn a_namespace_goes_only_where_nothing_is_lost_with_it() {
    use crate::fake::inside::place;
    let namespace = place("v1", "namespaces", None, "karpenter");
    let within = |api_version: &str, plural: &str, name: &str| {
        (place(api_version, plural, Some("karpenter"), name), json!({"metadata": {"name": name, "namespace": "karpenter"}}))
    };
    let cases: [(Change<'_>, Option<&str>); 8] = [
        (&|_| (), None),
        (
            // What Kubernetes collects after the chart's own.
            &|w| {
                let (object, mut body) = within("v1", "pods", "karpenter-x");
                body["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": "karpenter"}]);
                w.put(&object, body);
                let (object, body) = within("v1", "endpoints", "karpenter");
                w.put(&object, body);
            },
            None,
        ),
        (
            &|w| {
                for (object, body) in [
                    within("v1", "configmaps", "kube-root-ca.crt"),
                    within("v1", "serviceaccounts", "default"),
                    within("v1", "events", "karpenter.1"),
                    within("coordination.k8s.io/v1", "leases", "karpenter-leader-election"),
                ] {
                    w.put(&object, body);
                }
            },
            None,
        ),
        (
            &|w| w.put(&within("batch/v1", "cronjobs", "nightly").0, within("batch/v1", "cronjobs", "nightly").1),
            Some("cronjobs nightly is in it"),
        ),
        (&|w| w.put(&within("example.com/v1", "widgets", "w").0, within("example.com/v1", "widgets", "w").1), Some("widgets w is in it")),
        (&|w| w.put(&within("v1", "configmaps", "theirs").0, within("v1", "configmaps", "theirs").1), Some("configmaps theirs is in it")),
        (
            &|w| {
                w.change(&place("v1", "namespaces", None, "karpenter"), |n| {
                    n["metadata"]["labels"]["karpctl.dev/cluster"] = json!("other");
                });
            },
            Some(""),
        ),
        (&|w| (0..2).for_each(|_| w.fail("discover", Fault::Before(error(ErrorKind::Unreachable)))), Some("could not be looked at")),
    ];
    for (change, stays) in cases {
        let mut wanted = existing("1.14.1");
        wanted.namespace = "karpenter".parse().unwrap();
        let world = FakeWorld::bootstrapped(wanted).await;
        change(&world);
        let mut all = Vec::new();
        for step in [StepId::NodePool, StepId::Chart, StepId::Crds] {
            let (result, said) = world.remove(step).await;
            result.unwrap();
            all.extend(said);
        }
        assert_eq!(world.object(&namespace).is_some(), stays.is_some(), "{all:#?}");
        assert!(all.iter().any(|line| line.contains(stays.unwrap_or_default())), "{all:#?}");
    }
}

/// helm keeps no mark of who installed a release: what stands beside it has karpctl's.
#[tokio::test(start_paused = true)]
async fn a_karpenter_of_somebody_else_stays() {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    for step in [ID, StepId::Crds] {
        assert_eq!(world.assess_removal(step).await, State::Present, "{step}");
    }
    // What broke off after the chart was removed goes on.
    let gone = FakeWorld::bootstrapped(existing("1.14.1")).await;
    gone.remove(ID).await.0.unwrap();
    gone.inside().roles.clear();
    gone.inside().stacks.clear();
    assert_eq!(gone.assess_removal(StepId::Crds).await, State::Present);

    // One that somebody else put in the place of karpctl's works under another role.
    let theirs = "arn:aws:iam::111122223333:role/tf-karpenter";
    let ours = world.inside().association.clone();
    world.inside().association.as_mut().unwrap().role_arn = theirs.into();
    for step in [ID, StepId::Crds] {
        let state = world.assess_removal(step).await;
        assert!(matches!(state, State::Blocked { .. }) && words(&state).contains(theirs), "{step}: {state:?}");
    }
    world.inside().association = ours;

    world.inside().roles.values_mut().for_each(|role| role.tags.clear());
    assert_eq!(world.assess_removal(ID).await, State::Present, "the stack is karpctl's");
    // What cannot be seen to be karpctl's is not taken away.
    for step in karpctl::steps::all().into_iter().filter(|step| [ID, StepId::Crds].contains(&step.id())) {
        let mut facts = world.facts(step.reads_on_removal()).await;
        (facts.stack, facts.association) = (Probed::Absent, Probed::Absent);
        facts.controller_role = Probed::Unavailable("iam:GetRole is denied".into());
        let state = step.assess_removal(&world.spec, &facts);
        assert!(matches!(state, State::Blocked { .. }), "{}: {state:?}", step.id());
        assert!(words(&state).contains("could not be seen: iam:GetRole is denied"), "{}: {state:?}", step.id());
    }
    world.inside().stacks.values_mut().for_each(|stack| stack.facts.tags.clear());
    for step in [ID, StepId::Crds] {
        let state = world.assess_removal(step).await;
        assert!(matches!(state, State::Blocked { .. }), "{step}: {state:?}");
        assert!(words(&state).contains("somebody else installed this Karpenter"), "{step}: {state:?}");
    }
}

/// The shells into which people paste what is printed: zsh is that of macOS.
pub(super) const SHELLS: [&str; 3] = ["sh", "bash", "zsh"];

pub(super) fn is_there(program: &str) -> bool {
    std::process::Command::new(program).args(["-c", ":"]).output().is_ok()
}

/// What is printed takes a namespace away where all in it was looked at and nothing is left, and not where the look failed.
#[test]
fn the_printed_removal_of_a_namespace_deletes_nothing_unseen() {
    let mut wanted = existing("1.14.1");
    wanted.namespace = "karpenter".parse().unwrap();
    let step = karpctl::steps::all().into_iter().find(|step| step.id() == ID).unwrap();
    let printed = step.commands(&wanted, &karpctl::facts::Facts::default(), karpctl::plan::Direction::Remove);
    let shell = printed.iter().find(|line| line.contains("kubectl delete namespace")).unwrap();
    // The bash of macOS ends a `$(` at the first parenthesis that nothing opened.
    let depth = |depth: usize, c: char| match c {
        '(' => Some(depth + 1),
        ')' => depth.checked_sub(1),
        _ => Some(depth),
    };
    assert_eq!(shell.chars().try_fold(0, depth), Some(0), "{shell}");
    let dir = tempfile::tempdir().unwrap();
    let kubectl = dir.path().join("kubectl");
    for (answer, goes) in [
        ("exit 0", true),
        ("[ \"$3\" != get ] || [ \"$4\" != configmaps ] || echo ConfigMap/kube-root-ca.crt", true),
        ("[ \"$3\" != get ] || [ \"$4\" != cronjobs.batch ] || echo CronJob/nightly", false),
        ("[ \"$4\" != cronjobs.batch ] || { echo forbidden >&2; exit 1; }", false),
        ("[ \"$1\" != api-resources ] || exit 1", false),
    ] {
        let deleted = dir.path().join("deleted");
        let script = format!(
            "#!/bin/sh\n[ \"$1 $2\" != 'delete namespace' ] || : > {}\n[ \"$1\" != api-resources ] || printf 'configmaps\\ncronjobs.batch\\nevents\\n'\n{answer}\n",
            deleted.display()
        );
        std::fs::write(&kubectl, script).unwrap();
        std::fs::set_permissions(&kubectl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for program in SHELLS.into_iter().filter(|program| is_there(program)) {
            let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
            let ended = std::process::Command::new(program).args(["-euc", shell]).env("PATH", path).output().unwrap();
            assert!(ended.status.success(), "{program}: {answer}: {}", String::from_utf8_lossy(&ended.stderr));
            assert_eq!(deleted.exists(), goes, "{program}: {answer}");
            let _ = std::fs::remove_file(&deleted);
        }
    }
}
