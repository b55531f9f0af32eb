//! What it costs to leave a cluster running, as an order of magnitude.

use super::table::{embedded, table};
use super::{KubernetesVersion, Support};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    region: String,
    day: Date,
    control_plane: Vec<ControlPlaneRow>,
    nat_gateway: Price,
    instances: Instances,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlPlaneRow {
    support: String,
    usd: f64,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    usd: f64,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instances {
    usd: BTreeMap<String, f64>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    source: String,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| embedded(table!("prices")));

/// What a cluster costs while nobody uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningCost {
    /// What costs, and how many US dollars an hour.
    pub items: Vec<(String, f64)>,
    /// What costs too, and whose price is not known.
    pub unknown: Vec<String>,
    /// The region of these list prices.
    pub region: &'static str,
    /// Their day.
    pub day: Date,
}

impl RunningCost {
    /// The cost of a cluster of this version, on this day, with a managed node group of so many instances of this type.
    #[must_use]
    pub fn of(kubernetes: KubernetesVersion, today: Date, nodes: Option<(u32, &str)>) -> Self {
        let table = &*TABLE;
        let support = if matches!(kubernetes.support(today), Support::Extended { .. }) { "extended" } else { "standard" };
        let control_plane = table.control_plane.iter().find(|row| row.support == support);
        let mut items: Vec<(String, f64)> = control_plane.map(|row| ("control plane".to_owned(), row.usd)).into_iter().collect();
        let mut unknown = Vec::new();
        if let Some((count, kind)) = nodes {
            let shown = format!("{count} x {kind}");
            match table.instances.usd.get(kind) {
                Some(usd) => items.push((shown, usd * f64::from(count))),
                None => unknown.push(shown),
            }
        }
        items.push(("NAT gateway".to_owned(), table.nat_gateway.usd));
        Self { items, unknown, region: &table.region, day: table.day }
    }

    /// US dollars an hour.
    #[must_use]
    pub fn hourly(&self) -> f64 {
        self.items.iter().map(|(_, usd)| usd).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_has_a_source() {
        let table = &*TABLE;
        let sources = table.control_plane.iter().map(|r| &r.source).chain([&table.nat_gateway.source, &table.instances.source]);
        assert!(sources.into_iter().all(|s| s.len() > 10));
    }

    #[test]
    fn a_cluster_of_the_guide_costs_a_third_of_a_dollar_an_hour_and_extended_support_half_a_dollar_more() {
        let on = |version: &str, day: &str| RunningCost::of(version.parse().unwrap(), day.parse().unwrap(), Some((2, "m5.large")));
        let standard = on("1.35", "2026-07-06");
        assert!((standard.hourly() - 0.337).abs() < 1e-9, "{standard:?}");
        let extended = on("1.31", "2026-07-06");
        assert!((extended.hourly() - standard.hourly() - 0.5).abs() < 1e-9, "{extended:?}");
        let unknown = RunningCost::of("1.35".parse().unwrap(), "2026-07-06".parse().unwrap(), Some((1, "x9.huge")));
        assert_eq!(unknown.unknown, ["1 x x9.huge"]);
    }
}
