use crate::fake::inside::place;
use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::{existing, spec};
use karpctl::error::ErrorKind;
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::spec::{Architecture, CapacityType, ClusterMode, Spec};
use karpctl::steps::Ownership;
use karpctl::verify::Workload;
use serde_json::{Value, json};
use std::sync::Arc;

const ID: StepId = StepId::NodePool;

fn pool(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("karpenter.sh/v1", "nodepools"), namespace: None, name: name.into() }
}

fn class(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("karpenter.k8s.aws/v1", "ec2nodeclasses"), namespace: None, name: name.into() }
}

async fn installed(spec: Spec) -> Arc<FakeWorld> {
    let world = FakeWorld::with_cluster(spec);
    world.apply_ok(StepId::Crds).await;
    world.apply_ok(StepId::Chart).await;
    world.forget_calls();
    world
}

#[tokio::test(start_paused = true)]
async fn class_then_pool_are_applied_with_the_recommended_ami() {
    let world = installed(existing("1.14.1")).await;
    assert_eq!(world.assess(ID).await, State::Absent);
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["apply ec2nodeclasses/default", "apply nodepools/default"]);
    assert_eq!(world.object(&class("default")).unwrap()["spec"]["amiSelectorTerms"][0]["alias"], "al2023@v20260101");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_read_is_not_passed_over_in_silence() {
    let world = installed(existing("1.14.1")).await;
    // It is looked for when the step is judged, and again when it begins.
    for _ in 0..4 {
        world.fail("get ami_name", Fault::Before(error(ErrorKind::Denied)));
    }
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert_eq!(world.object(&class("default")).unwrap()["spec"]["amiSelectorTerms"][0]["alias"], "al2023@latest");
    assert!(said.iter().any(|line| line.contains("follows the newest image")), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn every_era_has_its_kinds() {
    for (version, changes) in [
        ("1.0.8", ["apply ec2nodeclasses/default", "apply nodepools/default"]),
        ("0.17.0", ["apply awsnodetemplates/default", "apply provisioners/default"]),
    ] {
        let world = FakeWorld::with_cluster(existing(version));
        world.apply_ok(ID).await;
        assert_eq!(world.changes(), changes, "{version}");
        assert_eq!(world.remove(ID).await.0, Ok(()));
        assert_eq!(world.assess(ID).await, State::Absent, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_recommendation_is_no_drift() {
    let world = installed(existing("1.14.1")).await;
    world.apply_ok(ID).await;
    world.inside().ami_name = Some("amazon-eks-node-al2023-x86_64-standard-1.34-v20270101".into());
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn drift_is_told_and_what_others_added_is_left() {
    let world = installed(existing("1.14.1")).await;
    world.apply_ok(ID).await;
    let mut other = world.object(&pool("default")).unwrap();
    other["spec"]["limits"]["cpu"] = json!("1k");
    other["spec"]["weight"] = json!(10);
    other["spec"]["template"]["spec"]["expireAfter"] = json!("720h0m0s");
    world.put(&pool("default"), other.clone());
    assert_eq!(world.assess(ID).await, State::Present, "1k is 1000, 720h0m0s is 720h, and a weight is not ours");
    other["spec"]["limits"]["cpu"] = json!("10");
    world.put(&pool("default"), other);
    assert_eq!(words(&world.assess(ID).await), "NodePool limits.cpu: 10 -> 1000");
    world.apply_ok(ID).await;
    assert_eq!(world.object(&pool("default")).unwrap()["spec"]["weight"], 10);
    world.inside().objects.remove(&class("default"));
    assert_eq!(words(&world.assess(ID).await), "EC2NodeClass default: not there");
}

/// A newer release's guide has other capacity types, architectures and images, and would have every node replaced.
#[tokio::test(start_paused = true)]
async fn what_the_pool_says_stays_where_the_spec_is_silent() {
    let silent = Spec { kubernetes: "1.32".parse().unwrap(), ..existing("1.14.1") };
    let world = installed(silent.clone()).await;
    world.apply_ok(ID).await;
    world.change(&pool("default"), |pool| {
        let requirements = &mut pool["spec"]["template"]["spec"]["requirements"];
        requirements[0]["values"] = json!(["amd64", "arm64"]);
        requirements[2]["values"] = json!(["spot"]);
    });
    world.change(&class("default"), |class| class["spec"]["amiSelectorTerms"] = json!([{"alias": "al2@v20250101"}]));
    assert_eq!(world.assess(ID).await, State::Present);
    let facts = world.facts(step(ID).reads()).await;
    let shell = step(ID).commands(&silent, &facts, Direction::Apply).join("\n");
    for words in [
        "kubectl get nodepools.karpenter.sh/default ec2nodeclasses.karpenter.k8s.aws/default --output json > deployed.json",
        "render node-pool --ami-alias al2@v20250101 --deployed deployed.json",
    ] {
        assert!(shell.contains(words), "{shell}");
    }
    // What is changed besides leaves them.
    world.change(&pool("default"), |pool| pool["spec"]["limits"]["cpu"] = json!("10"));
    assert_eq!(words(&world.assess(ID).await), "NodePool limits.cpu: 10 -> 1000");
    world.apply_ok(ID).await;
    assert_eq!(world.object(&class("default")).unwrap()["spec"]["amiSelectorTerms"], json!([{"alias": "al2@v20250101"}]));
    assert_eq!(world.object(&pool("default")).unwrap()["spec"]["template"]["spec"]["requirements"][2]["values"], json!(["spot"]));
    // Whoever says it is obeyed, and images that are made no more for the cluster's Kubernetes are no choice.
    let said = |spec: Spec| words(&step(ID).assess(&spec, &facts));
    let named = |change: &dyn Fn(&mut karpctl::spec::NodePool)| {
        let mut spec = silent.clone();
        change(&mut spec.node_pool);
        said(spec)
    };
    let (types, images) =
        ("template.spec.requirements[2].values[0]: spot -> on-demand", "amiSelectorTerms[0].alias: al2@v20250101 -> al2023@");
    assert_eq!(named(&|pool| pool.capacity_types = vec![CapacityType::OnDemand]), format!("NodePool {types}"));
    assert!(named(&|pool| pool.architectures = vec![Architecture::Amd64]).contains("[\"amd64\",\"arm64\"] -> [\"amd64\"]"));
    assert!(named(&|pool| pool.ami_alias = Some("al2023@v20260101".parse().unwrap())).contains(images));
    assert!(said(existing("1.14.1")).contains(images));
}

/// The family of a class before aliases.
#[tokio::test(start_paused = true)]
async fn the_family_of_a_class_stays() {
    let world = installed(existing("0.37.8")).await;
    world.apply_ok(ID).await;
    let class = ObjectRef { kind: ObjectKind::new("karpenter.k8s.aws/v1beta1", "ec2nodeclasses"), namespace: None, name: "default".into() };
    for (family, stays) in [("AL2023", true), ("Bottlerocket", true), ("Custom", false)] {
        world.change(&class, |class| class["spec"]["amiFamily"] = json!(family));
        assert_eq!(world.assess(ID).await == State::Present, stays, "{family}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_karpctl_did_not_apply_is_refused_until_adopted() {
    let world = installed(existing("1.14.1")).await;
    world.put(&pool("default"), json!({"metadata": {"managedFields": [{"manager": "kubectl-client-side-apply"}]}, "spec": {}}));
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Foreign { .. }), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Present);
}

#[tokio::test(start_paused = true)]
async fn crds_and_webhooks_that_come_up_are_waited_for() {
    let world = installed(existing("1.14.1")).await;
    world.fail("apply", Fault::Before(error(ErrorKind::NotFound)));
    world.fail(
        "apply",
        Fault::Before(
            karpctl::error::Error::new(ErrorKind::Unreachable, "cannot apply")
                .because("failed calling webhook \"defaulting.webhook.karpenter.sh\": connection refused"),
        ),
    );
    world.apply_ok(ID).await;
    world.inside().objects.remove(&class("default"));
    world.fail("apply", Fault::Before(error(ErrorKind::Failed)));
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn removal_drains_and_waits_for_nodes_and_instances() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let facts = world.facts(&[karpctl::facts::Topic::Controller, karpctl::facts::Topic::NodePool]).await;
    let said = std::sync::Mutex::new(Vec::new());
    world.inside().stuck = Some(("Removed", ""));
    world.fail("delete", Fault::Before(error(ErrorKind::Failed)));
    let workload = Workload { replicas: 2, image: Some("registry.invalid/pause:1") };
    let result = world.with_context(&facts, Ownership::OursOnly, &said, |c| Box::pin(karpctl::verify::verify(c, workload))).await;
    assert!(result.is_err(), "the nodes stay");
    let left = world.object(&place("apps/v1", "deployments", Some("default"), "inflate")).unwrap();
    assert_eq!(left["spec"]["template"]["spec"]["containers"][0]["image"], "registry.invalid/pause:1");
    assert_eq!(world.inside().instances.len(), 2);
    assert_eq!(world.assess_removal(ID).await, State::Present);
    let (result, said) = world.remove(ID).await;
    assert_eq!(result, Ok(()), "{said:#?}");
    assert!(said.iter().any(|s| s.starts_with("waiting until they are gone: ")), "{said:#?}");
    assert!(world.inside().instances.is_empty());
    assert_eq!(world.assess(ID).await, State::Absent);
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn removal_never_forces_a_finalizer() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.remove(StepId::Chart).await.0.unwrap();
    let error = world.remove(ID).await.0.unwrap_err();
    assert!(error.to_string().contains("the controller does not run"), "{error}");
    assert!(error.hints.iter().any(|h| h.contains("karpctl install")), "{error:?}");
    // What has a finalizer is named, class and all: to take off one kind's would only lead to the next.
    let kinds = ["nodepools", "ec2nodeclasses", "nodeclaims", "nodes"];
    let named = |kind: &&str| error.hints[0].contains(&format!("kubectl patch {kind} \"$name\" --type merge"));
    let finalized = |kind: &&str| {
        let has = |body: &Value| body["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        world.inside().objects.iter().any(|(o, body)| o.kind.plural == *kind && has(body))
    };
    assert_eq!(
        kinds.iter().filter(|k| named(k)).collect::<Vec<_>>(),
        kinds.iter().filter(|k| finalized(k)).collect::<Vec<_>>(),
        "{error:?}"
    );
    assert!(kinds.iter().filter(|k| named(k)).count() > 1, "{error:?}");
    assert!(world.object(&pool("default")).is_some_and(|p| p["metadata"]["deletionTimestamp"].is_null()), "nothing was begun");
}

/// A node class has a finalizer whatever it launched: where no node is left, nothing speaks against its end.
#[tokio::test(start_paused = true)]
async fn without_a_controller_and_nodes_there_is_a_way_out() {
    let node = place("v1", "nodes", None, "node-1");
    let labels = json!({"karpenter.sh/nodepool": "default"});
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    assert_eq!(world.assess_removal(ID).await, State::Present);
    world.remove(StepId::Chart).await.0.unwrap();
    assert_eq!(world.assess_removal(ID).await, State::Absent, "what is left goes with the cluster");
    world.put(&node, json!({"metadata": {"labels": labels}}));
    assert_eq!(world.assess_removal(ID).await, State::Present, "a node would be left");

    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.remove(StepId::Chart).await.0.unwrap();
    assert_eq!(world.assess_removal(ID).await, State::Present, "the cluster stays");
    let error = world.remove(ID).await.0.unwrap_err();
    assert_eq!(error.causes, ["the controller does not run, so nobody would take the finalizers off"]);
    assert!(error.hints[0].contains("no node of theirs is left") && !error.hints[0].contains("end their instances"), "{error:?}");
    assert!(error.hints[0].contains("for name in default; do kubectl patch ec2nodeclasses"), "{error:?}");
    // As it says.
    for body in world.inside().objects.values_mut() {
        body["metadata"]["finalizers"] = Value::Null;
    }
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(world.names("nodepools").is_empty() && world.names("ec2nodeclasses").is_empty());
    // With a node there is more to do than that.
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    world.remove(StepId::Chart).await.0.unwrap();
    world.put(&node, json!({"metadata": {"labels": labels}}));
    let error = world.remove(ID).await.0.unwrap_err();
    assert!(error.hints.iter().any(|hint| hint.contains("end their instances yourself")), "{error:?}");
}

/// It may run, for all that is known: who is told that it does not would bring back what is there.
#[tokio::test(start_paused = true)]
async fn a_controller_that_cannot_be_seen_is_not_called_gone() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    for _ in 0..3 {
        world.fail("list deployments", Fault::Before(error(ErrorKind::Denied)));
    }
    let refused = world.remove(ID).await.0.unwrap_err();
    assert!(refused.causes.iter().any(|c| c.contains("could not be seen")), "{refused:?}");
    assert!(!refused.hints.iter().any(|h| h.contains("karpctl install")), "{refused:?}");
    assert!(world.object(&pool("default")).is_some_and(|p| p["metadata"]["deletionTimestamp"].is_null()), "nothing was begun");
}

#[tokio::test(start_paused = true)]
async fn removal_that_hangs_says_what_is_left() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.inside().instances.insert(
        "i-orphan".into(),
        [("kubernetes.io/cluster/demo", "owned"), ("karpenter.sh/nodepool", "old")].map(|(k, v)| (k.into(), v.into())).into(),
    );
    let error = world.remove(ID).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.hints[0].contains("terminate-instances --region us-west-2 --instance-ids i-orphan"), "{error:?}");
    assert!(world.inside().instances.contains_key("i-orphan"), "never by force");
}

/// Karpenter waits for both without end, and it is there: nobody has to bring it back.
#[tokio::test(start_paused = true)]
async fn budgets_and_pods_that_forbid_a_drain_are_named() {
    for (spec, why) in [(spec("1.14.1"), "the cluster goes"), (existing("1.14.1"), "another replica")] {
        let world = FakeWorld::bootstrapped(spec).await;
        let budget = |allowed: u32| json!({"status": {"disruptionsAllowed": allowed, "expectedPods": 1}});
        let pod = |node: &str, held: &str| {
            let annotations = json!({"karpenter.sh/do-not-disrupt": held});
            json!({"metadata": {"annotations": annotations}, "spec": {"nodeName": node}, "status": {"phase": "Running"}})
        };
        world.put(&place("v1", "nodes", None, "node-1"), json!({"metadata": {"labels": {"karpenter.sh/nodepool": "default"}}}));
        world.put(&place("v1", "nodes", None, "other"), json!({"metadata": {"labels": {}}}));
        for (name, namespace, allowed) in [("front", "web", 0), ("back", "web", 1), ("far", "elsewhere", 0)] {
            world.put(&place("policy/v1", "poddisruptionbudgets", Some(namespace), name), budget(allowed));
        }
        for (name, node, held) in [("front-1", "node-1", "false"), ("batch", "node-1", "true"), ("far-1", "other", "true")] {
            let namespace = if node == "other" { "elsewhere" } else { "web" };
            world.put(&place("v1", "pods", Some(namespace), name), pod(node, held));
        }
        let error = world.remove(ID).await.0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        let [budget, pod, left] = &error.causes[..] else { panic!("{error:?}") };
        assert_eq!(budget, "the disruption budget web/front allows no pod to go");
        assert_eq!(pod, "the pod web/batch is annotated do-not-disrupt");
        assert!(left.contains("1 node (node-1)"), "{left}");
        assert!(
            error.hints[0].starts_with("`kubectl --namespace web delete poddisruptionbudget front`") && error.hints[0].contains(why),
            "{error:?}"
        );
        assert!(error.hints[1].contains("`kubectl --namespace web delete pod batch`"), "{error:?}");
        assert!(!format!("{error:?}").contains("finalizers"), "{error:?}");
        // Where nothing is seen that forbids it, Karpenter's own word is named.
        world.inside().objects.retain(|object, _| object.kind.plural != "poddisruptionbudgets" && object.kind.plural != "pods");
        let error = world.remove(ID).await.0.unwrap_err();
        assert!(error.hints[0].contains("reason=FailedDraining"), "{error:?}");
    }
}

/// The run that deleted the pool was broken off while its nodes went.
#[tokio::test(start_paused = true)]
async fn nodes_of_a_pool_that_is_gone_already_are_waited_for() {
    for old in ["1.14.1", "0.17.0"] {
        let world = FakeWorld::bootstrapped(existing(old)).await;
        let (pool, label) = match old {
            "0.17.0" => (place("karpenter.sh/v1alpha5", "provisioners", None, "default"), "karpenter.sh/provisioner-name"),
            _ => (pool("default"), "karpenter.sh/nodepool"),
        };
        assert!(world.inside().objects.remove(&pool).is_some());
        let tags = [("kubernetes.io/cluster/demo", "owned"), (label, "default")];
        world.inside().instances.insert("i-1".into(), tags.map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!(world.assess_removal(ID).await, State::Present, "{old}");
        let error = world.remove(ID).await.0.unwrap_err();
        assert!(error.kind == ErrorKind::Timeout && error.to_string().contains("i-1"), "{old}: {error}");
        world.inside().instances.clear();
        assert_eq!(world.remove(ID).await.0, Ok(()), "{old}");
    }
}

#[tokio::test(start_paused = true)]
async fn pools_of_others_block_in_an_existing_cluster_and_go_with_a_new_one() {
    for (spec, goes) in [(existing("1.14.1"), false), (spec("1.14.1"), true)] {
        let world = FakeWorld::bootstrapped(spec).await;
        world.put(&pool("theirs"), json!({"spec": {}}));
        assert_eq!(world.assess_removal(ID).await, State::Present);
        let (result, _) = world.remove(ID).await;
        assert_eq!(result.is_ok(), goes, "{result:?}");
        assert_eq!(world.names("nodepools").is_empty(), goes);
        if let Err(error) = result {
            assert_eq!(error.kind, ErrorKind::Refused);
            assert!(error.message.contains("NodePool theirs is not karpctl's"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_printed_shell_deletes_all_pools_that_karpctl_applied() {
    let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
    let shell = async || step(ID).commands(&world.spec, &world.facts(step(ID).reads_on_removal()).await, Direction::Remove);
    assert_eq!(shell().await[0], "kubectl delete nodepools.karpenter.sh default");
    // A migration made these; and somebody else that.
    let ours = json!({"metadata": {"managedFields": [{"manager": "karpctl"}]}, "spec": {}});
    for place in [pool("web"), class("web")] {
        world.put(&place, ours.clone());
    }
    world.put(&pool("theirs"), json!({"metadata": {"managedFields": [{"manager": "kubectl"}]}, "spec": {}}));
    assert_eq!(
        shell().await,
        [
            "kubectl delete nodepools.karpenter.sh default web",
            "kubectl wait --for=delete nodes --selector 'karpenter.sh/nodepool in (default,web)' --timeout 15m",
            "kubectl delete ec2nodeclasses.karpenter.k8s.aws default web",
        ]
    );
}

fn of_cluster(api_version: &str, plural: &str, name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::new(api_version, plural), namespace: None, name: name.into() }
}

/// EKS Auto Mode has the same kinds, and a controller of its own for them.
#[tokio::test(start_paused = true)]
async fn what_auto_mode_launched_is_none_of_karpenters() {
    for spec in [spec("1.14.1"), existing("1.14.1")] {
        let world = FakeWorld::bootstrapped(spec).await;
        world.inside().cluster.as_mut().unwrap().auto_mode = true;
        let class = json!({"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"});
        let finalizers = json!(["karpenter.sh/termination"]);
        let theirs = [
            (pool("general-purpose"), json!({"metadata": {}, "spec": {"template": {"spec": {"nodeClassRef": class}}}})),
            (
                of_cluster("karpenter.sh/v1", "nodeclaims", "general-purpose-x"),
                json!({"metadata": {"finalizers": finalizers, "labels": {"karpenter.sh/nodepool": "general-purpose"}}, "spec": {"nodeClassRef": class}}),
            ),
        ];
        for (place, body) in &theirs {
            world.put(place, body.clone());
        }
        let of_auto_mode =
            [("kubernetes.io/cluster/demo", "owned"), ("karpenter.sh/nodepool", "x"), ("eks:kubernetes-node-pool-name", "x")];
        let tags = of_auto_mode.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        world.inside().instances.insert("i-auto".into(), tags);
        let goes_whole = world.spec.cluster == ClusterMode::Managed;
        if goes_whole {
            world.put(&pool("theirs"), json!({"spec": {}}));
        }
        let labels = json!({"karpenter.sh/nodepool": "general-purpose", "eks.amazonaws.com/compute-type": "auto"});
        world.put(&of_cluster("v1", "nodes", "i-0"), json!({"metadata": {"labels": labels}}));
        assert_eq!(world.assess_removal(ID).await, State::Present);
        let facts = world.facts(step(ID).reads_on_removal()).await;
        let shell = step(ID).commands(&world.spec, &facts, Direction::Remove).join("\n");
        for line in if goes_whole {
            [
                "kubectl delete nodepools.karpenter.sh default theirs\n",
                "nodes --selector 'karpenter.sh/nodepool,eks.amazonaws.com/compute-type!=auto' ",
                "kubectl delete ec2nodeclasses.karpenter.k8s.aws --all",
            ]
        } else {
            [
                "kubectl delete nodepools.karpenter.sh default\n",
                "nodes --selector karpenter.sh/nodepool=default ",
                "kubectl delete ec2nodeclasses.karpenter.k8s.aws default",
            ]
        } {
            assert!(shell.contains(line), "{shell}");
        }
        assert_eq!(world.remove(ID).await.0, Ok(()), "what EKS launched is not waited for");
        assert_eq!(world.assess_removal(ID).await, State::Absent);
        assert!(theirs.iter().all(|(place, _)| world.object(place).is_some()), "they stay");
        let definitions = world.assess_removal(StepId::Crds).await;
        if goes_whole {
            assert_eq!(definitions, State::NotWanted, "they go with the cluster");
        } else {
            assert!(words(&definitions).contains("EKS Auto Mode"), "and so do their definitions: {definitions:?}");
        }
    }
}
