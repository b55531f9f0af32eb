use crate::fake::{FakeWorld, Fault, error};
use crate::fixture::spec;
use karpctl::error::{ErrorKind, Exit, Result};
use karpctl::facts::Topic;
use karpctl::ports::{ObjectKind, ObjectRef};
use karpctl::steps::Ownership;
use karpctl::verify::{Phase, VerifyReport, Workload, verify};
use serde_json::json;
use std::sync::{Arc, Mutex};

fn inflate() -> ObjectRef {
    ObjectRef { kind: ObjectKind::new("apps/v1", "deployments"), namespace: Some("default".into()), name: "inflate".into() }
}

async fn run(world: &Arc<FakeWorld>, replicas: u32) -> (Result<VerifyReport>, Vec<String>) {
    let facts = world.facts(&[Topic::Controller, Topic::NodePool]).await;
    let said = Mutex::new(Vec::new());
    let result = world
        .with_context(&facts, Ownership::OursOnly, &said, |context| Box::pin(verify(context, Workload { replicas, image: None })))
        .await;
    (result, said.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn goes_up_and_down_and_leaves_nothing() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let (report, said) = run(&world, 3).await;
    let report = report.unwrap_or_else(|e| panic!("{e}: {said:#?}"));
    let phases: Vec<Phase> = report.phases.iter().map(|p| p.phase).collect();
    assert_eq!(phases, [Phase::Pending, Phase::Launched, Phase::Registered, Phase::Ready, Phase::Running, Phase::Removed]);
    assert_eq!(report.nodes.len(), 3);
    assert_eq!(report.nodes[0].instance_type, "m5.large");
    assert_eq!(serde_json::to_value(&report).unwrap()["schema"], "karpctl/verify/v1");
    assert!(report.to_string().contains("3 pods, 3 nodes launched"), "{report}");
    assert!(world.object(&inflate()).is_none());
    assert!(world.names("nodeclaims").is_empty());
    assert!(world.inside().instances.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pods_that_find_room_prove_no_node() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let node = |report: Result<VerifyReport>| serde_json::to_value(report.unwrap()).unwrap()["node"].clone();
    let (report, _) = run(&world, 2).await;
    assert_eq!(report.as_ref().unwrap().unproved(), None);
    assert_eq!(node(report), json!({"proved": true}));
    world.inside().room = true;
    let (report, _) = run(&world, 2).await;
    let reason = "the pods found room on nodes that Karpenter had launched before";
    let error = report.as_ref().unwrap().unproved().unwrap();
    assert_eq!((error.exit(), error.causes.as_slice()), (Exit::Failed, &[reason.to_owned()][..]));
    assert!(error.hints[0].contains("2 pods did, `--replicas`"), "{error:?}");
    assert_eq!(node(report), json!({"proved": false, "reason": reason}));
    assert!(world.object(&inflate()).is_none());
}

#[tokio::test(start_paused = true)]
async fn says_which_phase_hangs_and_why() {
    for (stage, message, phase, hint) in [
        ("Launched", "AuthFailure.ServiceLinkedRoleCreationNotPermitted", "EC2 does not launch", "create-service-linked-role"),
        ("Launched", "UnauthorizedOperation: not authorized to perform ec2:CreateFleet", "EC2 does not launch", "`karpctl identity`"),
        ("Registered", "Node not registered with cluster", "do not join the cluster", "karpctl identity"),
        ("Initialized", "Node not ready", "do not become ready", "vpc-cni"),
        ("Running", "", "the pods do not run", "describe pods"),
        ("Removed", "", "does not take the empty nodes away", "do-not-disrupt"),
    ] {
        let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
        world.inside().stuck = Some((stage, message));
        let (result, _) = run(&world, 1).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout, "{stage}");
        assert!(error.message.contains(phase), "{stage}: {error}");
        assert!(error.to_string().contains(message), "{stage}: {error}");
        assert!(error.hints.iter().any(|h| h.contains(hint)), "{stage}: {error:?}");
        assert!(world.object(&inflate()).is_none(), "{stage}: inflate is cleaned up");
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_not_let_in_are_recognized() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.inside().entries.clear();
    world.inside().objects.retain(|o, _| o.name != "aws-auth");
    world.inside().stuck = Some(("Registered", "Node not registered with cluster"));
    let error = run(&world, 1).await.0.unwrap_err();
    assert!(error.causes[1].contains("KarpenterNodeRole-demo is not let into the cluster"), "{error:?}");
    assert!(error.causes.iter().any(|c| c == "instance i-default-0 has not joined"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_karpenter_that_is_not_ready_proves_nothing() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.inside().objects.retain(|o, _| o.kind.plural != "nodepools");
    let error = run(&world, 1).await.0.unwrap_err();
    assert!(error.message.contains("it is not ready"), "{error}");
    assert!(world.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_somebody_else_is_refused() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.put(&inflate(), json!({"metadata": {"managedFields": [{"manager": "kubectl"}]}, "spec": {"replicas": 0}}));
    assert_eq!(run(&world, 1).await.0.unwrap_err().kind, ErrorKind::Refused);
    assert!(world.object(&inflate()).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_breaks_on_the_way_is_cleaned_up() {
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    world.fail("apply", Fault::After(error(ErrorKind::Unreachable)));
    assert_eq!(run(&world, 1).await.0.unwrap_err().kind, ErrorKind::Unreachable);
    assert!(world.object(&inflate()).is_none());
}

/// With pools of one's own any of them proves that Karpenter works.
#[tokio::test(start_paused = true)]
async fn pools_that_are_kept_are_not_asked_for_by_name() {
    let (free, kept_for) = (json!({"template": {"spec": {}}}), json!({"template": {"spec": {"taints": [{"key": "gpu"}]}}}));
    for (keep, selector, pools, tolerates) in
        [(true, None, vec![&free, &kept_for], false), (true, None, vec![&kept_for], true), (false, Some("default"), vec![&kept_for], false)]
    {
        let mut wanted = spec("1.14.1");
        wanted.node_pool.keep = keep;
        let world = FakeWorld::bootstrapped(wanted).await;
        for (n, pool) in pools.into_iter().enumerate() {
            world.put(&crate::fake::inside::place("karpenter.sh/v1", "nodepools", None, &format!("pool-{n}")), json!({"spec": pool}));
        }
        world.inside().stuck = Some(("Launched", "no capacity"));
        let look = async {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            world.object(&inflate()).unwrap()["spec"]["template"]["spec"].clone()
        };
        let (_, pods) = tokio::join!(run(&world, 1), look);
        assert_eq!(pods["nodeSelector"]["karpenter.sh/nodepool"].as_str(), selector, "{pods}");
        let any = &pods["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0];
        assert_eq!(any["matchExpressions"][0]["operator"] == "Exists", keep, "{pods}");
        assert_eq!(any["matchExpressions"][1]["values"][0] == "linux", keep, "{pods}");
        assert_eq!(pods["tolerations"][0]["operator"] == "Exists", tolerates, "a pool without taints goes first: {pods}");
    }
}

/// What went wrong before the proof may be mended by now.
#[tokio::test(start_paused = true)]
async fn warnings_of_before_are_not_told_again() {
    let event = |name: &str, message: &str| {
        let object = crate::fake::inside::place("v1", "events", Some("default"), name);
        let body = json!({"metadata": {"name": name}, "type": "Warning", "reason": "FailedLaunch", "message": message, "count": 1,
            "involvedObject": {"kind": "NodeClaim", "name": "old"}});
        (object, body)
    };
    let world = FakeWorld::bootstrapped(spec("1.14.1")).await;
    let (object, body) = event("old", "UnauthorizedOperation of yesterday");
    world.put(&object, body);
    world.inside().stuck = Some(("Launched", "no capacity"));
    let error = run(&world, 1).await.0.unwrap_err();
    assert!(!error.to_string().contains("yesterday") && error.to_string().contains("no capacity"), "{error}");
    assert!(!error.hints.iter().any(|hint| hint.contains("karpctl identity")), "{error:?}");
}
