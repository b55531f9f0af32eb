use crate::fake::inside::place;
use crate::fake::{FakeWorld, Fault, error, step, words};
use crate::fixture::{existing, spec};
use karpctl::engine::{Goal, plan};
use karpctl::error::ErrorKind;
use karpctl::facts::{AddonFacts, FargateProfileFacts};
use karpctl::plan::{Direction, State, StepId};
use karpctl::ports::{ObjectKind, ObjectRef, StackEvent, Tags};
use karpctl::spec::{ControllerCapacity, Identity, Partition, Spec};
use karpctl::steps::{OWNER_TAG, Ownership};
use serde_json::json;
use std::sync::Arc;

const ID: StepId = StepId::Cluster;
const DELETE_STACK: &str = "aws cloudformation delete-stack --region us-west-2 --stack-name";

fn ours() -> Tags {
    Tags::from([(OWNER_TAG.to_owned(), "demo".to_owned())])
}

/// What is done to it, as words of the printed shell in their order.
async fn printed(world: &Arc<FakeWorld>, direction: Direction) -> Vec<String> {
    let facts = world.facts(step(ID).reads()).await;
    let shell = step(ID).commands(&world.spec, &facts, direction).join(" && ");
    let deeds = ["delete-stack ", "eksctl delete ", "eksctl create "];
    shell.split(" && ").map(str::trim).filter(|c| deeds.iter().any(|deed| c.contains(deed))).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn is_made_by_eksctl_whose_lines_are_shown() {
    let world = FakeWorld::empty(spec("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Absent);
    let (result, said) = world.apply(ID, Ownership::OursOnly).await;
    assert_eq!(result, Ok(()));
    assert!(said.contains(&"eksctl: building cluster stack \"eksctl-demo-cluster\"".to_owned()), "{said:?}");
    assert_eq!(world.assess(ID).await, State::Present);
    assert_eq!(world.inside().cluster.as_ref().unwrap().tags[OWNER_TAG], "demo");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn the_api_server_is_waited_for() {
    let world = FakeWorld::empty(spec("1.14.1"));
    for kind in [ErrorKind::Unreachable, ErrorKind::Denied] {
        world.fail("get", Fault::Before(error(kind)));
    }
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn an_eksctl_that_failed_before_the_cluster_is_gone_on_with() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.inside().eksctl_breaks = Some("stack");
    assert_eq!(world.apply(ID, Ownership::OursOnly).await.0.unwrap_err().kind, ErrorKind::Tool);
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Broken(_)), "{state:?}");
    world.apply_ok(ID).await;
    assert_eq!(
        world.changes(),
        ["create_cluster ", "unprotect_stack eksctl-demo-cluster", "delete_stack eksctl-demo-cluster", "create_cluster "]
    );
}

#[tokio::test(start_paused = true)]
async fn an_eksctl_that_failed_before_the_node_group_is_gone_on_with() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.inside().eksctl_breaks = Some("cluster");
    assert!(world.apply(ID, Ownership::OursOnly).await.0.is_err());
    assert_eq!(words(&world.assess(ID).await), "node group demo-ng: not there\nadd-on metrics-server: not there");
    let shell = printed(&world, Direction::Apply).await;
    let group = "eksctl create nodegroup --config-file cluster.yaml";
    assert!(shell[0].starts_with("eksctl create addon --cluster demo ") && shell[1] == group, "{shell:?}");
    world.apply_ok(ID).await;
    assert_eq!(
        world.changes(),
        [
            "create_cluster ",
            "associate_oidc_provider ",
            "create_addons vpc-cni,eks-pod-identity-agent",
            "create_addon kube-proxy",
            "create_addon coredns",
            "create_node_group ",
            "create_addon metrics-server",
        ],
        "as eksctl would have gone on; a cluster that serves is never deleted to mend it"
    );
    assert_eq!(world.assess(ID).await, State::Present);
}

/// eksctl makes vpc-cni before there is an OIDC provider, and gives it its role after.
#[tokio::test(start_paused = true)]
async fn a_network_addon_without_its_role_is_given_it() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.inside().eksctl_breaks = Some("cluster");
    assert!(world.apply(ID, Ownership::OursOnly).await.0.is_err());
    // Both are still on their way: EKS takes no change of them until then.
    for name in ["vpc-cni", "eks-pod-identity-agent"] {
        let addon = AddonFacts { status: "CREATING".into(), version: None, tags: Tags::new() };
        world.inside().addons.insert(name.into(), addon);
    }
    world.apply_ok(ID).await;
    assert!(world.changes().contains(&"update_addons vpc-cni,eks-pod-identity-agent".to_owned()), "{:?}", world.changes());
}

#[tokio::test(start_paused = true)]
async fn a_public_endpoint_is_closed_once_eks_takes_changes_again() {
    for (kind, fault) in [
        ("another change is under way", Fault::Before(error(ErrorKind::Conflict))),
        ("our own is, whose answer was lost", Fault::After(error(ErrorKind::Conflict))),
    ] {
        let world = FakeWorld::empty(Spec { private: true, ..spec("1.14.1") });
        world.inside().eksctl_breaks = Some("node group");
        assert!(world.apply(ID, Ownership::OursOnly).await.0.is_err());
        let is_before = matches!(fault, Fault::Before(_));
        world.fail("close_public_endpoint", fault);
        world.apply_ok(ID).await;
        let asked = world.changes().iter().filter(|c| c.starts_with("close_public_endpoint")).count();
        assert_eq!(asked, if is_before { 2 } else { 1 }, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_eksctl_makes_last_is_made_until_karpenter_is_there() {
    let private = Spec { private: true, ..spec("1.14.1") };
    let world = FakeWorld::empty(private);
    world.inside().eksctl_breaks = Some("node group");
    assert!(world.apply(ID, Ownership::OursOnly).await.0.is_err());
    let missing = "add-on metrics-server: not there\nAPI server: can be reached from outside the VPC";
    assert_eq!(words(&world.assess(ID).await), missing);
    let facts = world.facts(step(ID).reads()).await;
    let shell = step(ID).commands(&world.spec, &facts, Direction::Apply);
    assert!(shell[0].ends_with("--addon-name metrics-server") && shell[1].contains("endpointPublicAccess=false"), "{shell:?}");
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), ["create_cluster ", "create_addon metrics-server", "close_public_endpoint demo"]);
    assert_eq!(world.assess(ID).await, State::Present);

    world.apply_ok(StepId::Chart).await;
    world.inside().addons.remove("metrics-server");
    world.inside().cluster.as_mut().unwrap().public_endpoint = true;
    assert_eq!(world.assess(ID).await, State::Present, "from then on both are a person's to change");

    world.inside().stacks.remove("eksctl-demo-nodegroup-demo-ng");
    assert_eq!(world.assess(ID).await, State::Present, "and so is what the controller runs on: another node group is in its place");
    world.forget_calls();
    world.apply_ok(ID).await;
    assert_eq!(world.changes(), [""; 0], "nor are the add-ons changed");
    let deployment =
        ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some("kube-system".into()), name: "karpenter".into() };
    let running = world.object(&deployment).unwrap();
    world.change(&deployment, |it| it["status"]["readyReplicas"] = json!(0));
    assert_eq!(words(&world.assess(ID).await), "node group demo-ng: not there", "without one, nothing runs the controller");
    world.put(&deployment, running);
    let broken = "ROLLBACK_COMPLETE";
    world.set_stack("eksctl-demo-nodegroup-demo-ng", broken, &[], ours());
    assert!(words(&world.assess(ID).await).contains(broken), "one that never came to be is in the way of another");

    let in_china = Spec { region: "cn-north-1".parse().unwrap(), partition: Partition::AwsCn, ..spec("1.14.1") };
    let world = FakeWorld::empty(in_china);
    world.inside().eksctl_breaks = Some("node group");
    assert!(world.apply(ID, Ownership::OursOnly).await.0.is_err());
    assert_eq!(world.assess(ID).await, State::Present, "EKS has no metrics-server there");
}

#[tokio::test(start_paused = true)]
async fn a_node_group_that_failed_is_made_anew() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    world.set_stack("eksctl-demo-nodegroup-demo-ng", "ROLLBACK_COMPLETE", &[], ours());
    assert!(words(&world.assess(ID).await).contains("is ROLLBACK_COMPLETE"));
    let shell = printed(&world, Direction::Apply).await;
    assert_eq!(shell[0], format!("{DELETE_STACK} eksctl-demo-nodegroup-demo-ng"));
    assert_eq!(shell.last().map(String::as_str), Some("eksctl create nodegroup --config-file cluster.yaml"));
    world.apply_ok(ID).await;
    assert!(world.changes().contains(&"delete_stack eksctl-demo-nodegroup-demo-ng".to_owned()));
}

/// eksctl looks for the cluster before it deletes anything, and ends where there is none; with `--force` it panics.
#[tokio::test(start_paused = true)]
async fn a_stack_whose_cluster_never_came_to_be_is_deleted_without_eksctl() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.set_stack("eksctl-demo-cluster", "ROLLBACK_COMPLETE", &[], ours());
    assert!(matches!(world.assess(ID).await, State::Broken(_)));
    assert_eq!(
        printed(&world, Direction::Apply).await,
        [&format!("{DELETE_STACK} eksctl-demo-cluster"), "eksctl create cluster --config-file cluster.yaml"]
    );
    world.apply_ok(ID).await;
    let changes = world.changes();
    assert_eq!(changes[..2], ["unprotect_stack eksctl-demo-cluster", "delete_stack eksctl-demo-cluster"], "{changes:?}");
    let world = FakeWorld::empty(spec("1.14.1"));
    world.set_stack("eksctl-demo-cluster", "ROLLBACK_FAILED", &[], ours());
    assert_eq!(printed(&world, Direction::Remove).await, [format!("{DELETE_STACK} eksctl-demo-cluster")]);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(!world.changes().iter().any(|c| c.starts_with("delete_cluster")), "{:?}", world.changes());
}

#[tokio::test(start_paused = true)]
async fn what_is_in_progress_is_waited_for() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    world.set_stack("eksctl-demo-nodegroup-demo-ng", "CREATE_IN_PROGRESS", &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], ours());
    assert!(matches!(world.assess(ID).await, State::Busy(_)));
    world.apply_ok(ID).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_somebody_else_is_refused() {
    let world = FakeWorld::with_cluster(spec("1.14.1"));
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    assert!(words(&state).contains("--existing-cluster"));
    let State::Blocked { hints: of_plan, .. } = state else { unreachable!() };
    let error = world.apply(ID, Ownership::Adopt).await.0.unwrap_err();
    assert_eq!((error.kind, error.hints), (ErrorKind::Refused, of_plan));
    let error = world.remove(ID).await.0.unwrap_err();
    assert!(error.kind == ErrorKind::Refused && !error.hints.is_empty(), "{error:?}");
    assert!(world.changes().is_empty());
}

/// eksctl's stack alone says that eksctl made it, and not for whom.
#[tokio::test(start_paused = true)]
async fn what_a_person_made_with_eksctl_is_not_taken_away() {
    let world = FakeWorld::with_cluster(spec("1.14.1"));
    let stack_with = |tags: Tags| world.set_stack("eksctl-demo-cluster", "CREATE_COMPLETE", &[], tags);
    for status in ["ACTIVE", "FAILED", "CREATING"] {
        stack_with(Tags::new());
        world.inside().cluster.as_mut().unwrap().status = status.into();
        let state = world.assess_removal(ID).await;
        assert!(words(&state).contains("neither it nor its stack eksctl-demo-cluster has the tag karpctl.dev/cluster"), "{state:?}");
        assert!(words(&state).contains("`--existing-cluster`"), "{state:?}");
        assert_eq!(world.remove(ID).await.0.unwrap_err().kind, ErrorKind::Refused, "{status}");
    }
    world.inside().cluster.as_mut().unwrap().status = "FAILED".into();
    assert!(words(&world.assess(ID).await).contains("cluster demo is FAILED, and karpctl did not make it"));
    world.inside().cluster.as_mut().unwrap().status = "ACTIVE".into();
    world.fail("describe stack", Fault::Before(error(ErrorKind::Denied)));
    assert!(words(&world.assess_removal(ID).await).contains("whether its stack eksctl-demo-cluster has it cannot be known"));
    assert!(world.changes().is_empty(), "{:?}", world.changes());
    // Where eksctl broke off, only the stack has the tag.
    stack_with(ours());
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
}

/// Its network may have other users.
#[tokio::test(start_paused = true)]
async fn a_stack_that_a_person_made_with_eksctl_is_neither_removed_nor_made_anew() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.set_stack("eksctl-demo-cluster", "CREATE_COMPLETE", &[], Tags::new());
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    assert!(words(&state).contains("take another cluster name") && words(&state).contains("--stack-name eksctl-demo-cluster"), "{state:?}");
    assert_eq!(world.apply(ID, Ownership::Adopt).await.0.unwrap_err().kind, ErrorKind::Refused);
    let state = world.assess_removal(ID).await;
    assert!(words(&state).contains("karpctl did not make eksctl's stack eksctl-demo-cluster"), "{state:?}");
    assert_eq!(world.remove(ID).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert!(world.changes().is_empty(), "{:?}", world.changes());
    // A node group's stack goes before the cluster's.
    world.inside().stacks.clear();
    world.set_stack("eksctl-demo-nodegroup-demo-ng", "DELETE_FAILED", &[], ours());
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn what_holds_a_stack_of_eksctl_is_looked_for_by_the_doctor() {
    let doctor = "`karpctl doctor --only earlier-cluster --cluster-name demo --region us-west-2`";
    let held = "The vpc 'vpc-1' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)";
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let event = StackEvent {
        id: "1".into(),
        logical_id: "VPC".into(),
        kind: "AWS::EC2::VPC".into(),
        status: "DELETE_FAILED".into(),
        reason: Some(held.into()),
    };
    world.inside().stacks.get_mut("eksctl-demo-cluster").unwrap().events = vec![event];
    world.fail("delete_cluster", Fault::Before(error(ErrorKind::Tool)));
    let failed = world.remove(ID).await.0.unwrap_err();
    assert!(failed.hints.iter().any(|hint| hint.starts_with(doctor)), "{failed:?}");
    // The cluster has gone by then: each further run deletes the stack itself.
    world.inside().cluster = None;
    let tags = ours().into_iter().chain([("test.fails-to-delete".to_owned(), held.to_owned())]).collect();
    world.set_stack("eksctl-demo-cluster", "DELETE_FAILED", &[], tags);
    world.inside().stacks.remove("eksctl-demo-nodegroup-demo-ng");
    let failed = world.remove(ID).await.0.unwrap_err();
    assert!(failed.to_string().contains("has dependencies") && failed.hints.iter().any(|hint| hint.starts_with(doctor)), "{failed:?}");
}

/// Their controllers go with the cluster, and nobody else deletes them.
#[tokio::test(start_paused = true)]
async fn volumes_and_load_balancers_that_would_outlive_it_are_named_in_the_plan() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let said = async || {
        let facts = world.facts(step(ID).reads_on_removal()).await;
        let goal = Goal { select: [ID].into(), direction: Direction::Remove, ownership: Ownership::OursOnly };
        let plan = plan(&karpctl::steps::all(), &world.spec, &facts, &goal);
        plan.steps[0].why.clone()
    };
    assert_eq!(said().await, ["ours"]);
    let volume = |driver: &str, policy: &str, claim: &str| {
        let claim = json!({"namespace": "data", "name": claim});
        json!({"spec": {"csi": {"driver": driver}, "persistentVolumeReclaimPolicy": policy, "claimRef": claim}})
    };
    for (name, driver, policy) in
        [("pg", "ebs.csi.aws.com", "Delete"), ("kept", "ebs.csi.aws.com", "Retain"), ("files", "efs.csi.aws.com", "Delete")]
    {
        world.put(&place("v1", "persistentvolumes", None, name), volume(driver, policy, name));
    }
    for (name, kind) in [("front", "LoadBalancer"), ("back", "ClusterIP")] {
        world.put(&place("v1", "services", Some("web"), name), json!({"spec": {"type": kind}}));
    }
    for (name, class) in [("site", "alb"), ("inner", "nginx")] {
        world.put(&place("networking.k8s.io/v1", "ingresses", Some("web"), name), json!({"spec": {"ingressClassName": class}}));
    }
    let lines = said().await;
    let [ours, claims, services, ingresses] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!(ours, "ours");
    for (line, begin, kind) in [
        (claims, "their EBS volumes stay, and cost money: claims: data/pg;", "persistentvolumeclaim"),
        (services, "their load balancers may stay,", "service"),
        (ingresses, "their load balancers may stay,", "ingress"),
    ] {
        assert!(line.starts_with(begin) && line.ends_with(&format!("`kubectl --namespace NAMESPACE delete {kind} NAME`")), "{line}");
    }
    assert!(services.contains(": Services: web/front;") && ingresses.contains(": Ingresses: web/site;"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn auto_mode_is_refused() {
    for spec in [spec("1.14.1"), existing("1.14.1")] {
        let world = FakeWorld::with_cluster(spec);
        world.inside().cluster.as_mut().unwrap().auto_mode = true;
        assert!(words(&world.assess(ID).await).contains("Auto Mode"));
    }
}

/// EKS takes away what it launched.
#[tokio::test(start_paused = true)]
async fn auto_mode_is_nothing_to_the_way_back() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let set = |status: &str| {
        let mut inside = world.inside();
        let cluster = inside.cluster.as_mut().unwrap();
        (cluster.auto_mode, cluster.status) = (true, status.into());
    };
    set("UPDATING");
    assert!(matches!(world.assess_removal(ID).await, State::Busy(_)), "it is just being turned on");
    set("ACTIVE");
    assert_eq!(world.assess_removal(ID).await, State::Present);
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn an_existing_cluster_must_be_there_and_stays() {
    let world = FakeWorld::empty(existing("1.14.1"));
    assert!(words(&world.assess(ID).await).contains("there is no cluster demo in us-west-2 of account 111122223333"));
    let world = FakeWorld::with_cluster(existing("1.14.1"));
    assert_eq!(world.assess(ID).await, State::Present);
    world.inside().cluster.as_mut().unwrap().status = "CREATING".into();
    assert!(matches!(world.assess(ID).await, State::Busy(_)));
    world.inside().cluster.as_mut().unwrap().status = "DELETING".into();
    assert!(matches!(world.assess(ID).await, State::Blocked { .. }));
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert!(world.inside().cluster.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_eksctl_half_made_and_that_serves_is_explained() {
    let world = FakeWorld::with_cluster(spec("1.14.1"));
    world.set_stack("eksctl-demo-cluster", "ROLLBACK_FAILED", &[], ours());
    let state = world.assess(ID).await;
    assert!(matches!(state, State::Blocked { .. }), "{state:?}");
    assert!(words(&state).contains("eksctl delete cluster --name demo --region us-west-2"));
    assert_eq!(world.assess_removal(ID).await, State::Present, "the way back goes on where it broke off");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

/// eksctl passes over a node group whose stack is `DELETE_FAILED`, and the cluster's stack exports what that one uses.
#[tokio::test(start_paused = true)]
async fn a_node_group_that_could_not_be_removed_is_removed_before_the_cluster() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    world.set_stack("eksctl-demo-nodegroup-demo-ng", "DELETE_FAILED", &[], ours());
    let shell = printed(&world, Direction::Remove).await;
    assert_eq!(shell[0], format!("{DELETE_STACK} eksctl-demo-nodegroup-demo-ng"));
    assert!(shell.len() == 2 && shell[1].starts_with("eksctl delete cluster --name demo "), "{shell:?}");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    let changes = world.changes();
    let at = |begin: &str| changes.iter().position(|c| c.starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {changes:?}"));
    assert!(at("delete_stack eksctl-demo-nodegroup-demo-ng") < at("delete_cluster"), "{changes:?}");
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

/// eksctl tells why the cluster's stack was not made, and of no other stack.
#[tokio::test(start_paused = true)]
async fn why_a_stack_of_eksctl_failed_is_told() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    let denied =
        |action: &str| format!("User: me is not authorized to perform: {action} on resource: * because no identity-based policy allows it");
    let event = |logical: &str, status: &str, reason: Option<String>| StackEvent {
        id: format!("{logical} {status} {reason:?}"),
        logical_id: logical.into(),
        kind: "AWS::EC2::VPC".into(),
        status: status.into(),
        reason,
    };
    world.inside().stacks.get_mut("eksctl-demo-cluster").unwrap().events = vec![
        event("eksctl-demo-cluster", "CREATE_IN_PROGRESS", None),
        event("VPC", "CREATE_FAILED", Some(denied("ec2:CreateVpc"))),
        event("eksctl-demo-cluster", "DELETE_IN_PROGRESS", None),
        event("Subnet", "DELETE_FAILED", Some("Resource deletion cancelled".into())),
        event("VPC", "DELETE_FAILED", Some(denied("ec2:DeleteVpc"))),
        event("Gateway", "DELETE_FAILED", Some(denied("ec2:DeleteInternetGateway"))),
    ];
    world.fail("delete_cluster", Fault::Before(error(ErrorKind::Tool)));
    let failed = world.remove(ID).await.0.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Denied);
    assert!(failed.hints.iter().any(|h| h.starts_with("allow `ec2:DeleteVpc` on `*`")), "{failed:?}");
    let told = format!("{failed:?}");
    assert!(
        !["ec2:CreateVpc", "cancelled", "ec2:DeleteInternetGateway"].iter().any(|w| told.contains(w)),
        "only what failed first, now: {told}"
    );
}

/// What the plan says that it goes without.
async fn without(world: &Arc<FakeWorld>) -> String {
    step(ID).goes_without(&world.spec, &world.facts(step(ID).reads()).await, Direction::Apply).join("\n")
}

fn on_fargate() -> Spec {
    Spec { capacity: ControllerCapacity::Fargate, identity: Identity::Irsa, ..spec("1.14.1") }
}

#[tokio::test(start_paused = true)]
async fn a_fargate_profile_that_is_missing_is_made() {
    let world = FakeWorld::empty(on_fargate());
    world.apply_ok(ID).await;
    assert!(!world.changes().iter().any(|c| c.starts_with("create_fargate_profile")), "eksctl makes it with the cluster");
    assert_eq!(without(&world).await, "");
    world.inside().fargate_profile = None;
    assert_eq!(words(&world.assess(ID).await), "Fargate profile karpenter: not there");
    assert_eq!(without(&world).await, "", "it is made");
    world.apply_ok(ID).await;
    assert_eq!(world.changes().last().map(String::as_str), Some("create_fargate_profile "));
    world.apply_ok(StepId::Chart).await;
    world.inside().fargate_profile = None;
    assert_eq!(world.assess(ID).await, State::Present, "with Karpenter there, it runs on something else");
    assert!(without(&world).await.starts_with("fargate is not carried out: cluster demo is there without the Fargate profile karpenter"));
    world.inside().cluster.as_mut().unwrap().tags.clear();
    world.set_stack("eksctl-demo-cluster", "CREATE_COMPLETE", &[], Tags::new());
    assert_eq!(world.assess(ID).await, State::Present, "a cluster that a person made with eksctl may do without it");
}

#[tokio::test(start_paused = true)]
async fn a_fargate_profile_of_no_use_is_explained() {
    let world = FakeWorld::empty(on_fargate());
    world.apply_ok(ID).await;
    let with = |status: &str, namespace: &str| {
        world.inside().fargate_profile = Some(FargateProfileFacts { status: status.into(), namespaces: vec![namespace.into()] });
    };
    with("CREATING", "kube-system");
    assert!(matches!(world.assess(ID).await, State::Busy(_)));
    assert!(matches!(world.assess_removal(ID).await, State::Busy(_)));
    for (status, namespace, word) in
        [("ACTIVE", "other", "takes no pods of the namespace kube-system"), ("CREATE_FAILED", "kube-system", "is CREATE_FAILED")]
    {
        with(status, namespace);
        let state = world.assess(ID).await;
        assert!(matches!(state, State::Blocked { .. }), "{state:?}");
        assert!(words(&state).contains(word) && words(&state).contains("eksctl delete fargateprofile --cluster demo"), "{state:?}");
        assert_eq!(world.assess_removal(ID).await, State::Present, "eksctl deletes it with the cluster: {status}");
    }
    with("DELETE_FAILED", "kube-system");
    assert_eq!(world.remove(ID).await.0, Ok(()));
    assert_eq!(world.assess_removal(ID).await, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn another_version_is_no_drift() {
    let world = FakeWorld::empty(spec("1.14.1"));
    world.apply_ok(ID).await;
    world.inside().cluster.as_mut().unwrap().version = "1.31".parse().unwrap();
    assert_eq!(world.assess(ID).await, State::Present);
}
