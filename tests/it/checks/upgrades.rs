//! Upgrades: which hop comes first, and what nobody is told of because somebody has said it already.

use super::aws::known;
use super::{DAY, bad, healthy, seen};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::facts::{Facts, Probed};
use karpctl::finding::Finding;
use karpctl::knowledge::Release;
use karpctl::spec::{Identity, Spec};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn the_first_hop_of_an_upgrade_is_a_command() {
    for (from, to, hop) in [
        ("0.31.5", "1.14.1", Some("0.32.10 --identity pod-identity")),
        ("0.31.5", "0.37.8", Some("0.32.10 --identity pod-identity")),
        ("0.36.2", "1.14.1", Some("0.36.9")),
        ("0.36.2", "1.0.14", Some("0.36.9")),
        ("0.37.8", "1.14.1", Some("1.0.14")),
        ("0.32.10", "1.14.1", Some("0.37.8")),
        ("0.32.5", "1.0.14", Some("0.37.8")),
        ("1.0.14", "1.14.1", None),
        ("1.14.1", "0.37.8", None),
    ] {
        let (spec, mut facts) = healthy().await;
        known(&mut facts.chart_release).chart_version = from.into();
        let spec = Spec { release: to.parse().unwrap(), kubernetes: "1.28".parse().unwrap(), ..spec };
        let found = of_hops(&spec, &facts);
        let command = found.first().map(|f| f.fixes[0].command.join(" ")).filter(|command| !command.is_empty());
        assert_eq!(command, hop.map(|hop| format!("karpctl bootstrap {WITH_RELEASE} {hop}")), "{from} to {to}: {found:#?}");
        if let Some(hop) = hop {
            // The hop is one itself, or leads to the next one.
            known(&mut facts.chart_release).chart_version = from.into();
            let release = hop.split_once(' ').map_or(hop, |(release, _)| release).parse().unwrap();
            assert_eq!(of_hops(&Spec { release, ..spec }, &facts), [], "{from} to {hop}");
        }
    }
}

const WITH_RELEASE: &str = "--cluster-name demo --region us-west-2 --existing-cluster --namespace kube-system --karpenter-version";

fn of_hops(spec: &Spec, facts: &Facts) -> Vec<Finding> {
    bad(spec, facts, DAY).into_iter().filter(|f| f.id == "upgrade-hops").collect()
}

/// No hop is printed that karpctl would refuse on the cluster's Kubernetes: what comes before it is.
#[tokio::test(start_paused = true)]
async fn a_hop_fits_the_clusters_kubernetes() {
    let (spec, mut facts) = healthy().await;
    let mut fixes = |from: &str, kubernetes: &str| {
        known(&mut facts.chart_release).chart_version = from.into();
        let found = of_hops(&Spec { kubernetes: kubernetes.parse().unwrap(), ..spec.clone() }, &facts);
        found[0].fixes.iter().map(|fix| format!("{}: {}", fix.title, fix.command.join(" "))).collect::<Vec<_>>()
    };
    let upgrade = "aws eks update-cluster-version --region us-west-2 --name demo --kubernetes-version";
    let first = fixes("0.37.8", "1.24");
    assert_eq!(
        first[..2],
        [
            format!("Kubernetes comes first, since the first hop, 1.0.14, needs 1.25: upgrade the cluster to 1.25: {upgrade} 1.25"),
            format!("then the first hop, 1.0.14: karpctl bootstrap {WITH_RELEASE} 1.0.14"),
        ]
    );
    assert!(fixes("0.20.0", "1.21")[0].ends_with(&format!("upgrade the cluster to 1.22, and so on to 1.23: {upgrade} 1.22")));
    // The newest of its own minor is for the way back alone.
    let over = fixes("0.36.2", "1.31");
    assert!(
        over[0].starts_with("the first hop is 1.0.14: 0.36.9, without which") && over[0].ends_with("--karpenter-version 1.0.14"),
        "{over:#?}"
    );
    for (from, kubernetes) in [("0.31.5", "1.34"), ("0.36.2", "1.34"), ("0.37.8", "1.32")] {
        let none = fixes(from, kubernetes);
        assert!(none.len() == 1 && none[0].contains("`karpctl destroy` Karpenter and make it anew: "), "{from}, {kubernetes}: {none:#?}");
    }
}

/// A hop changes the release, and not by what the controller is who it is.
#[tokio::test(start_paused = true)]
async fn a_hop_keeps_the_way_of_the_credentials() {
    let (spec, facts) = healthy().await;
    let spec = Spec { kubernetes: "1.28".parse().unwrap(), ..spec };
    let role = json!({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/old"}});
    let command = |spec: &Spec, from: &str, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        known(&mut facts.chart_release).chart_version = from.into();
        change(&mut facts);
        of_hops(spec, &facts)[0].fixes[0].command.join(" ")
    };
    let annotated = |f: &mut Facts| known(&mut f.chart_release).values["serviceAccount"] = role.clone();
    assert!(command(&spec, "0.37.8", &annotated).ends_with("1.0.14 --identity irsa"));
    assert!(command(&spec, "0.31.5", &annotated).ends_with("0.32.10 --identity irsa"), "the wanted one says another, and so may a file");
    let irsa = Spec { identity: Identity::Irsa, ..spec.clone() };
    assert!(command(&irsa, "0.31.5", &annotated).ends_with("0.32.10"), "it is what everybody says");
    assert!(command(&spec, "0.37.8", &|_| {}).ends_with("1.0.14"));
    for unknown in [Probed::Absent, Probed::Unavailable("denied".into())] {
        assert!(command(&spec, "0.31.5", &|f| f.association = unknown.clone()).ends_with("0.32.10"));
    }
}

/// Where one pins a default.
enum Pinned {
    Values(Value),
    Pool(Value),
    Class(Value),
}

/// What is said of the upgrade to this release from the one before, in a world whose values and objects say this.
async fn said_of(since: &Release, pinned: Option<&Pinned>) -> String {
    let world = FakeWorld::bootstrapped(existing(&since.to_string())).await;
    world.furnish();
    let mut spec = world.spec.clone();
    let change = |group: &str, plural: &str, with: &Value| {
        world.change(&place(&format!("{group}/v1"), plural, None, "default"), |object| {
            for (key, value) in with.as_object().unwrap() {
                object["spec"][key] = value.clone();
            }
        });
    };
    match pinned {
        Some(Pinned::Values(values)) => spec.chart.values.extend(values.as_object().unwrap().clone()),
        Some(Pinned::Pool(with)) => change("karpenter.sh", "nodepools", with),
        Some(Pinned::Class(with)) => change("karpenter.k8s.aws", "ec2nodeclasses", with),
        None => {}
    }
    let (_, mut facts) = seen(&world).await;
    let before = Release::all().into_iter().rev().find(|release| release < since).unwrap();
    known(&mut facts.chart_release).chart_version = before.chart_version();
    let found = bad(&spec, &facts, DAY).into_iter().find(|f| f.id == "upgrade-defaults");
    found.map_or_else(String::new, |f| f.message)
}

/// For each new default what the finding asks for, as a person writes it.
#[tokio::test(start_paused = true)]
async fn what_is_pinned_as_the_finding_says_is_found_no_more() {
    let zones = json!([{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}]);
    let pins = [
        Pinned::Values(json!({"replicas": 1})),
        Pinned::Values(json!({"settings": {"featureGates": {"drift": false}}})),
        Pinned::Values(json!({"dnsPolicy": "Default"})),
        Pinned::Pool(json!({"template": {"spec": {"expireAfter": "Never"}}})),
        Pinned::Class(json!({"metadataOptions": {"httpPutResponseHopLimit": 2}})),
        Pinned::Values(json!({"topologySpreadConstraints": zones})),
        Pinned::Class(json!({"capacityReservationSelectorTerms": [{"tags": {"team": "a"}}]})),
        Pinned::Pool(json!({"disruption": {"budgets": [{"nodes": "1"}]}})),
    ];
    let oldest: Release = "0.17.0".parse().unwrap();
    let all = Release::newest().new_defaults_since(&oldest);
    assert_eq!(all.len(), pins.len(), "each has its pin here, in their order");
    for (default, pin) in all.iter().zip(&pins) {
        let unsaid = said_of(&default.since, None).await;
        assert!(unsaid.contains(default.what), "since {}: {unsaid}", default.since);
        let said = said_of(&default.since, Some(pin)).await;
        assert!(!said.contains(default.what), "since {}: {said}", default.since);
    }
    // What nobody reads any more pins nothing, and what the API server writes by itself is nobody's word.
    let drift = Release::newest().new_defaults_since(&oldest).into_iter().find(|d| d.since.to_string() == "0.33.0").unwrap();
    assert_eq!(drift.pin, None);
    let (expiry, budgets) = (&all[3], &all[7]);
    let by_default = Pinned::Pool(json!({"template": {"spec": {"expireAfter": "720h"}}, "disruption": {"budgets": [{"nodes": "10%"}]}}));
    for default in [expiry, budgets] {
        assert!(said_of(&default.since, Some(&by_default)).await.contains(default.what), "since {}", default.since);
    }
    // An empty list in an object is no word either; among the values it takes the chart's own away.
    let (zones, reservations) = (&all[5], &all[6]);
    for (default, empty, says) in [
        (reservations, Pinned::Class(json!({"capacityReservationSelectorTerms": []})), false),
        (budgets, Pinned::Pool(json!({"disruption": {"budgets": []}})), false),
        (zones, Pinned::Values(json!({"topologySpreadConstraints": []})), true),
    ] {
        assert_eq!(!said_of(&default.since, Some(&empty)).await.contains(default.what), says, "since {}", default.since);
    }
    // The sooner nodes expire, the sooner budgets are missed.
    let soon = Pinned::Pool(json!({"template": {"spec": {"expireAfter": "24h"}}}));
    assert!(said_of(&expiry.since, Some(&soon)).await.contains(expiry.what));
}

/// The image of a release that is installed, and of the wanted one, on the day after the last of what it is made on.
#[tokio::test(start_paused = true)]
async fn an_image_on_a_system_without_support_is_told_with_the_patch_that_mends_it() {
    let (spec, facts) = healthy().await;
    let of = |installed: &str, wanted: &str, day: &str| {
        let mut facts = facts.clone();
        known(&mut facts.chart_release).chart_version = installed.into();
        let found = bad(&Spec { release: wanted.parse().unwrap(), ..spec.clone() }, &facts, day).into_iter();
        let fixes = found.filter(|f| f.id == "controller-image").map(|f| {
            assert!(f.message.contains("Amazon Linux 2, whose support ended on 2026-06-30"), "{f:#?}");
            format!("{}: {}", f.fixes[0].title, f.fixes[0].command.join(" "))
        });
        fixes.collect::<Vec<_>>()
    };
    let installed = format!("install 1.8.8, a patch of the same minor: karpctl install {WITH_RELEASE} 1.8.8");
    for (wanted, day) in [("1.14.1", "2026-07-01"), ("1.8.6", DAY)] {
        assert_eq!(of("1.8.6", wanted, day).join("; "), installed, "{wanted}");
    }
    assert_eq!(of("1.8.6", "1.14.1", "2026-06-30"), [""; 0], "its last day");
    assert_eq!(of("1.14.1", "1.8.6", DAY), ["take 1.8.8, a patch of the same minor: --karpenter-version 1.8.8: "]);
    assert!(of("0.37.8", "1.14.1", DAY)[0].starts_with("no patch of its minor mends it: upgrade to 1.0.13 or newer"));
    for other in ["1.8.7", "0.32.10"] {
        assert_eq!(of(other, "1.14.1", DAY), [""; 0], "{other}");
    }
}
