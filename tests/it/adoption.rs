//! Who made a Karpenter that is there, judged from facts alone. The lab has the real ones: `lab/adopt.rs`.

use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::adoption::{Maker, installed, made_with, recognise, settle, told_account};
use karpctl::error::{Error, ErrorKind};
use karpctl::facts::{AssociationFacts, ControllerFacts, Facts, HelmRelease, OriginFacts, Probed, StackFacts, Topic};
use karpctl::ports::InstanceProfile;
use karpctl::render;
use karpctl::spec::layer::Source;
use karpctl::spec::resolve::{Discovered, resolve};
use karpctl::spec::{Identity, Spec};
use karpctl::steps::OWNER_TAG;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

/// A Karpenter as somebody made it by hand: no stack, roles of their own names.
fn by_hand() -> Facts {
    let values = json!({"settings": {"clusterName": "demo", "interruptionQueue": "interruptions"}, "replicas": 3});
    Facts {
        controller: Probed::Known(ControllerFacts {
            namespace: "karpenter".into(),
            helm_owner: Some("karpenter/karpenter".into()),
            declared: None,
            role: None,
            desired: 2,
            ready: 2,
            image: "public.ecr.aws/karpenter/controller:1.9.2@sha256:00".into(),
            without_node: 0,
            complaints: Vec::new(),
            led_otherwise: Vec::new(),
        }),
        chart_release: Probed::Known(HelmRelease {
            status: "deployed".into(),
            chart: "karpenter".into(),
            chart_version: "1.9.2".into(),
            values,
            revision: 1,
            description: String::new(),
        }),
        association: Probed::Known(AssociationFacts {
            id: "a-1".into(),
            role_arn: role("platform/kc"),
            tags: BTreeMap::new(),
            changed_at: None,
        }),
        stack: Probed::Absent,
        origin: Probed::Known(Box::new(OriginFacts { node_roles: vec![role("kn").parse().unwrap()], ..OriginFacts::default() })),
        access_entry: Probed::Absent,
        aws_auth: Probed::Absent,
        ..Facts::default()
    }
}

#[test]
fn release_and_namespace_are_those_of_the_controller() {
    let (release, namespace) = installed(&by_hand()).unwrap();
    assert_eq!((release.to_string().as_str(), namespace.as_str()), ("1.9.2", "karpenter"));
}

/// What the second run finds of what only the flags of the first said.
#[tokio::test(start_paused = true)]
async fn what_karpctl_was_told_when_it_made_one_is_seen() {
    let boundary = "arn:aws:iam::111122223333:policy/boundary";
    let tags = BTreeMap::from([("größe".to_owned(), "a: b".to_owned())]);
    let told = Spec {
        identity: Identity::Irsa,
        private: true,
        permissions_boundary: boundary.parse().ok(),
        tags: tags.clone(),
        ..existing("1.14.1")
    };
    let topics = [Topic::Chart, Topic::Association, Topic::Stack];
    let found = |spec: Spec| async move {
        let world = FakeWorld::bootstrapped(spec).await;
        // An organization's, which is nothing to the role of the nodes.
        {
            let mut inside = world.inside();
            let boundary = &mut inside.roles.get_mut("demo-karpenter").unwrap().permissions_boundary;
            boundary.get_or_insert_with(|| "arn:aws:iam::111122223333:policy/org".into());
        }
        made_with(&existing("1.14.1"), &world.facts(&topics).await)
    };
    let seen = found(told).await;
    assert_eq!((seen.identity.as_deref(), seen.private, seen.permissions_boundary.as_deref()), (Some("irsa"), Some(true), Some(boundary)));
    assert_eq!(seen.tags, Some(tags));
    let usual = found(existing("1.14.1")).await;
    assert_eq!((usual.identity.as_deref(), usual.private, usual.permissions_boundary), (Some("pod-identity"), None, None));
    assert_eq!(usual.tags, None);
}

#[test]
fn its_role_is_that_of_the_service_account_which_the_chart_is_told() {
    let told = |name: &str| {
        let mut facts = by_hand();
        let Probed::Known(release) = &mut facts.chart_release else { panic!() };
        release.values["serviceAccount"] = json!({"create": false, "name": name});
        told_account(&facts).and_then(|chart| chart.values)
    };
    assert_eq!(told("demo-sa").unwrap()["serviceAccount"], json!({"name": "demo-sa"}));
    assert_eq!((told("karpenter"), told("")), (None, None));
}

#[test]
fn where_there_is_none_or_nobody_can_look_it_says_so() {
    for (controller, kind) in [
        (Probed::Absent, ErrorKind::Refused),
        (Probed::Unavailable("no permission".into()), ErrorKind::Failed),
        (Probed::NotAsked, ErrorKind::Failed),
    ] {
        assert_eq!(installed(&Facts { controller, ..by_hand() }).unwrap_err().kind, kind);
    }
    let mut mirrored = by_hand();
    if let Probed::Known(controller) = &mut mirrored.controller {
        controller.image = "registry.example:5000/karpenter".into();
    }
    assert_eq!(installed(&mirrored).unwrap_err().kind, ErrorKind::Refused, "a port is no tag");
}

#[test]
fn roles_of_any_name_are_used_as_they_are() {
    let spec = existing("1.9.2");
    let mut adoption = recognise(&spec, &by_hand()).unwrap();
    assert_eq!(adoption.maker, Maker::Unknown);
    let spec = resolve(&[(Source::Found, adoption.layer.clone())], &Discovered::default()).unwrap().spec;
    assert_eq!((spec.controller_role_name(), spec.controller_role_arn().to_string()), ("kc".into(), role("platform/kc")));
    assert_eq!((spec.node_role_name().as_str(), spec.queue_name().as_str()), ("kn", "interruptions"));
    settle(&mut adoption, &spec, &by_hand()).unwrap();
    let spec = resolve(&[(Source::Found, adoption.layer.clone())], &Discovered::default()).unwrap().spec;
    assert!(spec.node_pool.keep, "there is no pool to take over");
    // What the chart is told is now exactly what it was told before.
    let told: Value = karpctl::render::helm_values(&spec, None).unwrap();
    assert_eq!(told, by_hand().chart_release.known().unwrap().values);
    assert!(adoption.differs.iter().any(|line| line.contains("replicas")), "{:?}", adoption.differs);
}

/// As the guide's commands make it, with this template.
fn by_guide(template: String) -> Facts {
    let spec = existing("1.9.2");
    let mut facts = by_hand();
    facts.stack = Probed::Known(StackFacts {
        id: "arn:aws:cloudformation:us-west-2:111122223333:stack/Karpenter-demo/1".into(),
        status: "UPDATE_COMPLETE".into(),
        status_reason: None,
        template: Some(template),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        protected: false,
        resources: BTreeMap::new(),
    });
    let Probed::Known(association) = &mut facts.association else { panic!() };
    association.role_arn = spec.controller_role_arn().to_string();
    facts.origin = Probed::Known(Box::new(OriginFacts { node_roles: vec![spec.node_role_arn()], ..OriginFacts::default() }));
    facts
}

#[test]
fn a_stack_of_the_guide_that_its_owner_has_extended_stays_his() {
    let spec = existing("1.9.2");
    let boundary = "arn:aws:iam::111122223333:policy/edge";
    let with_boundary = Spec { permissions_boundary: Some(boundary.parse().unwrap()), ..spec.clone() };
    let (plain, bounded) = (render::cloudformation(&spec).unwrap(), render::cloudformation(&with_boundary).unwrap());

    let adoption = recognise(&spec, &by_guide(plain)).unwrap();
    assert_eq!((adoption.maker, adoption.differs.len()), (Maker::Guide, 0), "{adoption:?}");
    assert_eq!((&adoption.layer.permissions_boundary, &adoption.layer.made_elsewhere), (&None, &None));

    let adoption = recognise(&spec, &by_guide(bounded.clone())).unwrap();
    assert_eq!((adoption.layer.permissions_boundary.as_deref(), &adoption.layer.made_elsewhere), (Some(boundary), &None));
    assert!(adoption.differs[0].contains(boundary), "{adoption:?}");

    let owners =
        bounded.replace("      ManagedPolicyArns:\n", "      ManagedPolicyArns:\n        - arn:aws:iam::aws:policy/AmazonS3FullAccess\n");
    let facts = by_guide(owners);
    let adoption = recognise(&spec, &facts).unwrap();
    assert!(
        adoption.differs[0].ends_with("KarpenterNodeRole.ManagedPolicyArns: arn:aws:iam::aws:policy/AmazonS3FullAccess"),
        "{adoption:?}"
    );
    assert_eq!(adoption.layer.permissions_boundary, None);
    let elsewhere = adoption.layer.made_elsewhere.clone().unwrap();
    assert_eq!(elsewhere.by.as_deref(), Some("the stack Karpenter-demo"));
    assert_eq!(elsewhere.node_role, Some(spec.node_role_arn().to_string()));
    assert_eq!(elsewhere.controller_role, Some(spec.controller_role_arn().to_string()));
    // The same is found out again by the settings that were written.
    let written = resolve(&[(Source::Found, adoption.layer.clone())], &Discovered::default()).unwrap().spec;
    assert_eq!(recognise(&written, &facts).unwrap(), adoption);
    // Once karpctl's mark is on it, the stack goes by the settings.
    let Probed::Known(stack) = &mut by_guide(bounded).stack else { panic!() };
    let mut marked = by_guide(stack.template.clone().unwrap());
    let Probed::Known(stack) = &mut marked.stack else { panic!() };
    stack.tags.insert(OWNER_TAG.into(), "demo".into());
    assert_eq!(recognise(&spec, &marked).unwrap().differs, [""; 0]);
}

#[test]
fn what_cannot_be_known_is_refused_with_what_helps() {
    let spec = existing("1.9.2");
    let nothing = || Probed::Known(Box::default());
    for (facts, word) in [
        (Facts { chart_release: Probed::Absent, ..by_hand() }, "no helm release"),
        (Facts { association: Probed::Absent, ..by_hand() }, "role of the controller"),
        (Facts { origin: nothing(), ..by_hand() }, "role of the nodes"),
    ] {
        let error = recognise(&spec, &facts).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(error.to_string().contains(word) && !error.hints.is_empty(), "{error:?}");
    }
    let unreadable = Facts { association: Probed::Unavailable("AccessDenied".into()), ..by_hand() };
    assert_eq!(recognise(&spec, &unreadable).unwrap_err().kind, ErrorKind::Failed, "no permission is not: none there");
}

/// The values that eksctl 0.230 gives the chart of this release (`pkg/karpenter/karpenter.go`), where it makes the service account.
fn values_of_eksctl(release: &str) -> Value {
    let profile = "eksctl-KarpenterNodeInstanceProfile-demo";
    let settings = json!({
        "defaultInstanceProfile": profile, "clusterName": "demo", "clusterEndpoint": "https://demo", "interruptionQueueName": "demo",
    });
    let nested = release.starts_with("0.2") || release.starts_with("0.31");
    json!({
        "clusterName": "demo", "clusterEndpoint": "https://demo", "aws": {"defaultInstanceProfile": profile},
        "settings": if nested { json!({"aws": settings}) } else { settings },
        "serviceAccount": {
            "create": false, "name": "karpenter", "annotations": {"eks.amazonaws.com/role-arn": role("eksctl-demo-iamservice-role")},
        },
    })
}

/// What eksctl's `karpenter:` block made of this release, with a pool that was applied by hand.
fn by_eksctl(release: &str, pool: Value, class: Value) -> Facts {
    let mut facts = by_hand();
    if let (Probed::Known(controller), Probed::Known(chart)) = (&mut facts.controller, &mut facts.chart_release) {
        controller.image = format!("public.ecr.aws/karpenter/controller:v{release}@sha256:00");
        chart.chart_version = format!("v{release}");
        chart.values = values_of_eksctl(release);
    }
    facts.association = Probed::Absent;
    facts.origin = Probed::Known(Box::new(OriginFacts {
        pools: vec![pool],
        classes: vec![class],
        service_account_role: Some(role("eksctl-demo-iamservice-role")),
        eksctl_stack: true,
        node_roles: vec![role("eksctl-KarpenterNodeRole-demo").parse().unwrap()],
    }));
    facts
}

#[test]
fn what_eksctl_made_of_a_release_with_provisioners_is_used_as_it_is() {
    for release in ["0.25.0", "0.31.4"] {
        let requirements = json!([{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]);
        let provisioner = json!({
            "metadata": {"name": "workers"},
            "spec": {"requirements": requirements, "limits": {"resources": {"cpu": "50"}}, "providerRef": {"name": "workers"}},
        });
        let template = json!({"metadata": {"name": "workers"}, "spec": {"subnetSelector": {"karpenter.sh/discovery": "demo"}}});
        let facts = by_eksctl(release, provisioner, template);
        assert_eq!(installed(&facts).unwrap().0.to_string(), release);
        let mut adoption = recognise(&existing(release), &facts).unwrap();
        assert_eq!(adoption.maker, Maker::Eksctl);
        let pool = adoption.layer.node_pool.clone().unwrap();
        assert_eq!((pool.name.as_deref(), pool.cpu_limit), (Some("workers"), Some(50)));
        assert_eq!(pool.capacity_types, Some(vec!["on-demand".to_owned()]));
        let spec = resolve(&[(Source::Found, adoption.layer.clone())], &Discovered::default()).unwrap().spec;
        // The node class names no profile: which one nodes get, only the chart is told.
        assert_eq!(spec.instance_profile_name(), "eksctl-KarpenterNodeInstanceProfile-demo");
        assert_eq!((spec.queue_name().as_str(), spec.node_role_name().as_str()), ("demo", "eksctl-KarpenterNodeRole-demo"));
        assert_eq!(spec.controller_role_name(), "eksctl-demo-iamservice-role");
        settle(&mut adoption, &spec, &facts).unwrap();
        let spec = resolve(&[(Source::Found, adoption.layer.clone())], &Discovered::default()).unwrap().spec;
        let told = karpctl::render::helm_values(&spec, Some("https://demo")).unwrap();
        assert_eq!(told, facts.chart_release.known().unwrap().values, "{release}: the service account stays eksctl's, too");
    }
}

#[test]
fn what_eksctl_made_of_a_newer_release_is_told_no_queue_whatever_it_was_told() {
    let pool = json!({"metadata": {"name": "default"}, "spec": {"limits": {"cpu": 1000}}});
    let class = json!({"metadata": {"name": "default"}, "spec": {"role": "eksctl-KarpenterNodeRole-demo"}});
    let facts = by_eksctl("1.9.2", pool, class);
    let adoption = recognise(&existing("1.9.2"), &facts).unwrap();
    assert_eq!(adoption.maker, Maker::Eksctl);
    let elsewhere = adoption.layer.made_elsewhere.unwrap();
    assert_eq!(elsewhere.instance_profile.as_deref(), Some("eksctl-KarpenterNodeInstanceProfile-demo"));
    // The chart reads `interruptionQueue`, and eksctl says `interruptionQueueName`.
    assert_eq!(elsewhere.interruption_queue, None);
    assert!(adoption.differs.iter().any(|line| line.contains("interruptions are not handled")), "{:?}", adoption.differs);
}

/// Terraform's module gives a role's name a suffix, and its profile is what node classes, or the chart's values, name.
#[tokio::test(start_paused = true)]
async fn the_role_of_the_nodes_is_found_behind_their_instance_profile() {
    let found = async |class: Option<Value>, told: Option<&str>, denied: bool| {
        let world = FakeWorld::bootstrapped(existing("1.14.1")).await;
        let mut roles = world.inside().roles.clone();
        let role = roles.values().next().unwrap().clone();
        roles.clear();
        roles.insert("nodes-2024".into(), karpctl::facts::RoleFacts { arn: self::role("nodes-2024").parse().unwrap(), ..role });
        world.inside().roles = roles;
        let profile = InstanceProfile { name: "nodes".into(), path: "/".into(), roles: vec!["nodes-2024".into()] };
        world.inside().profiles.push(profile);
        let default = place("karpenter.k8s.aws/v1", "ec2nodeclasses", None, "default");
        world.inside().objects.remove(&default);
        if let Some(spec) = class {
            world.put(&default, json!({"metadata": {"name": "default"}, "spec": spec}));
        }
        if let Some(told) = told {
            world.put_release("karpenter", 2, "deployed", "1.14.1", &json!({"settings": {"defaultInstanceProfile": told}}));
        }
        if denied {
            world.fail("instance_profiles", crate::fake::Fault::Before(Error::failed("no permission to list")));
        }
        world.facts(&[Topic::Cluster, Topic::Origin]).await.origin
    };
    let roles =
        |origin: &Probed<Box<OriginFacts>>| origin.known().map(|o| o.node_roles.iter().map(ToString::to_string).collect::<Vec<_>>());
    let by_profile = json!({"instanceProfile": "nodes"});
    let exact = Some(vec![role("nodes-2024")]);
    assert_eq!(roles(&found(Some(by_profile.clone()), None, false).await), exact);
    assert_eq!(roles(&found(None, Some("nodes"), false).await), exact, "releases before 0.32 name it in the chart's values alone");
    assert_eq!(roles(&found(Some(json!({"instanceProfile": "gone"})), None, false).await), Some(Vec::new()));
    assert_eq!(roles(&found(Some(json!({"role": "nodes-2024"})), None, true).await), exact, "a role that is named is not looked for");
    let unread = found(Some(by_profile), None, true).await;
    assert!(matches!(&unread, Probed::Unavailable(why) if why.contains("no permission to list")), "{unread:?}");
}
