//! Upgrades: which hop comes first, and what nobody is told of because somebody has said it already.

use super::aws::known;
use super::{DAY, bad, healthy, seen};
use crate::fake::FakeWorld;
use crate::fake::inside::place;
use crate::fixture::existing;
use karpctl::finding::Finding;
use karpctl::knowledge::Release;
use karpctl::spec::Spec;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn the_first_hop_of_an_upgrade_is_a_command() {
    for (from, to, hop) in [
        ("0.31.5", "1.14.1", Some("0.32.10")),
        ("0.31.5", "0.37.8", Some("0.32.10")),
        ("0.36.2", "1.14.1", Some("0.36.9")),
        ("0.37.8", "1.14.1", Some("1.0.14")),
        ("1.0.14", "1.14.1", None),
        ("1.14.1", "0.37.8", None),
    ] {
        let (spec, mut facts) = healthy().await;
        known(&mut facts.chart_release).chart_version = from.into();
        let spec = Spec { release: to.parse().unwrap(), ..spec };
        let found: Vec<Finding> = bad(&spec, &facts, DAY).into_iter().filter(|f| f.id == "upgrade-hops").collect();
        let command = found.first().map(|f| f.fixes[0].command.join(" ")).filter(|command| !command.is_empty());
        let words = "karpctl install --cluster-name demo --region us-west-2 --existing-cluster --namespace kube-system --karpenter-version";
        assert_eq!(command, hop.map(|hop| format!("{words} {hop}")), "{from} to {to}: {found:#?}");
        if let Some(hop) = hop {
            // The hop is one itself, or leads to the next one.
            known(&mut facts.chart_release).chart_version = from.into();
            let next = bad(&Spec { release: hop.parse().unwrap(), ..spec }, &facts, DAY);
            assert!(next.iter().all(|f| f.id != "upgrade-hops"), "{from} to {hop}: {next:#?}");
        }
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
    // The sooner nodes expire, the sooner budgets are missed.
    let soon = Pinned::Pool(json!({"template": {"spec": {"expireAfter": "24h"}}}));
    assert!(said_of(&expiry.since, Some(&soon)).await.contains(expiry.what));
}
