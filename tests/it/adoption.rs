//! Who made a Karpenter that is there, judged from facts alone. The lab has the real ones: `lab/adopt.rs`.

use crate::fixture::existing;
use karpctl::adoption::{Maker, installed, recognise, settle};
use karpctl::error::ErrorKind;
use karpctl::facts::{AssociationFacts, ControllerFacts, Facts, HelmRelease, OriginFacts, Probed};
use karpctl::spec::layer::Source;
use karpctl::spec::resolve::{Discovered, resolve};
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
            desired: 2,
            ready: 2,
            image: "public.ecr.aws/karpenter/controller:1.9.2@sha256:00".into(),
            complaints: Vec::new(),
        }),
        chart_release: Probed::Known(HelmRelease {
            status: "deployed".into(),
            chart: "karpenter".into(),
            chart_version: "1.9.2".into(),
            values,
            revision: 1,
            description: String::new(),
        }),
        association: Probed::Known(AssociationFacts { id: "a-1".into(), role_arn: role("platform/kc"), tags: BTreeMap::new() }),
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
