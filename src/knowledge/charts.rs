//! What the charts of the releases hold: the CRDs' fingerprints and the values that are read (`crds.yaml`, `chart_values.yaml`).

#![cfg_attr(not(test), expect(dead_code, reason = "a source is for the reader of its row, and for the test that it is there"))]

use super::Release;
use super::table::{KARPENTER, embedded, table};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The chart of the controller, and the helm release, Deployment and Service that are called so.
pub const CHART: &str = "karpenter";
/// The chart of the CRDs, and the helm release.
pub const CRD_CHART: &str = "karpenter-crd";
/// The port of the conversion webhook (`webhook.port` of both charts).
pub const WEBHOOK_PORT: u16 = 8443;
/// The value by which the chart is told to heed zonal shifts, as a path.
pub const ZONAL_SHIFT_VALUE: &str = "settings.enableZonalShift";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crds {
    source: String,
    schemas: BTreeMap<String, Vec<CrdRow>>,
}

/// A CRD as it is from `since` until the next row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CrdRow {
    since: Version,
    fingerprint: String,
    /// `v1* v1beta1`: what it serves, the stored one marked.
    versions: String,
}

/// The versions that a release's CRD serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrdVersions {
    /// All of them.
    pub served: Vec<&'static str>,
    /// The one that objects are stored in.
    pub storage: &'static str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChartValues {
    source: String,
    keys: Vec<KeyRow>,
}

/// A value that charts read, with everything below it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRow {
    key: String,
    since: Version,
    before: Option<Version>,
}

static CRDS: LazyLock<Crds> = LazyLock::new(|| embedded(table!("crds")));
static VALUES: LazyLock<ChartValues> = LazyLock::new(|| embedded(table!("chart_values")));

/// What stands among a chart's values at a path.
#[must_use]
pub fn value_at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    values.pointer(&format!("/{}", path.replace('.', "/")))
}

impl Release {
    /// The fingerprint of one of its CRDs. `None`: it has no such CRD.
    #[must_use]
    pub fn crd_fingerprint(&self, crd: &str) -> Option<&'static str> {
        self.crd_row(crd).map(|row| row.fingerprint.as_str())
    }

    /// The versions of one of its CRDs. `None`: it has no such CRD.
    #[must_use]
    pub fn crd_versions(&self, crd: &str) -> Option<CrdVersions> {
        let versions = &self.crd_row(crd)?.versions;
        let served: Vec<&str> = versions.split(' ').map(|v| v.trim_end_matches('*')).collect();
        let storage = versions.split(' ').find_map(|v| v.strip_suffix('*'))?;
        Some(CrdVersions { served, storage })
    }

    fn crd_row(&self, crd: &str) -> Option<&'static CrdRow> {
        let row = CRDS.schemas.get(crd)?.iter().rev().find(|row| row.since <= *self.version())?;
        self.features().crds.iter().any(|name| name == crd).then_some(row)
    }

    /// The first and the last release in a row with this CRD; the newest such row.
    #[must_use]
    pub fn with_crd(crd: &str, fingerprint: &str) -> Option<(Self, Self)> {
        let all = Self::all();
        let same = |release: &Self| release.crd_fingerprint(crd) == Some(fingerprint);
        let last = all.iter().rposition(same)?;
        let first = all[..last].iter().rposition(|release| !same(release)).map_or(0, |before| before + 1);
        Some((all[first].clone(), all[last].clone()))
    }

    /// Whether its chart reads a value: `settings.interruptionQueue`.
    #[must_use]
    pub fn reads_value(&self, path: &str) -> bool {
        // helm itself gives every chart what is below `global`.
        let covers = |key: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        covers("global") || VALUES.keys.iter().any(|row| self.is_within(row) && covers(&row.key))
    }

    /// Where its chart reads what an older or a newer one reads here.
    #[must_use]
    pub fn renamed_value(&self, path: &str) -> Option<&'static str> {
        let rows = KARPENTER.renamed_values.iter().filter(|row| row.from == path);
        rows.map(|row| row.to.as_str()).find(|to| self.reads_value(to))
    }

    fn is_within(&self, row: &KeyRow) -> bool {
        row.since <= *self.version() && row.before.as_ref().is_none_or(|before| self.version() < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::NodePoolApi;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn every_crd_of_every_release_has_a_fingerprint() {
        assert!(CRDS.source.len() > 5 && VALUES.source.len() > 5);
        for known in Release::all() {
            for name in &known.features().crds {
                let print = known.crd_fingerprint(name).unwrap_or_else(|| panic!("{name} of {known}"));
                assert!(print.len() == 12 && Release::with_crd(name, print).is_some(), "{name} of {known}: {print}");
            }
        }
        assert_eq!(release("0.17.0").crd_fingerprint("nodepools.karpenter.sh"), None);
    }

    #[test]
    fn what_is_rendered_is_served_and_nothing_older_is_stored() {
        for known in Release::all() {
            let api = known.features().node_pool_api;
            let (kinds, version) = match api {
                NodePoolApi::V1Alpha5 => (["provisioners.karpenter.sh", "awsnodetemplates.karpenter.k8s.aws"], ["v1alpha5", "v1alpha1"]),
                NodePoolApi::V1Beta1 => (["nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"], ["v1beta1"; 2]),
                NodePoolApi::V1 => (["nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"], ["v1"; 2]),
            };
            for (crd, version) in kinds.into_iter().zip(version) {
                let versions = known.crd_versions(crd).unwrap_or_else(|| panic!("{crd} of {known}"));
                assert!(versions.served.contains(&version) && versions.storage == version, "{crd} of {known}: {versions:?}");
            }
        }
        let versions = |release_: &str, crd: &str| {
            let found = release(release_).crd_versions(crd).unwrap();
            (found.served.join(" "), found.storage)
        };
        assert_eq!(versions("0.33.5", "nodepools.karpenter.sh"), ("v1beta1".to_owned(), "v1beta1"));
        assert_eq!(versions("0.33.6", "nodepools.karpenter.sh"), ("v1 v1beta1".to_owned(), "v1beta1"));
        assert_eq!(versions("1.0.8", "ec2nodeclasses.karpenter.k8s.aws"), ("v1 v1beta1".to_owned(), "v1"));
        assert_eq!(versions("1.1.0", "ec2nodeclasses.karpenter.k8s.aws"), ("v1".to_owned(), "v1"));
        assert_eq!(release("1.13.1").crd_versions("capacitybuffers.autoscaling.x-k8s.io"), None);
    }

    #[test]
    fn a_fingerprint_names_the_releases_that_have_it() {
        let crd = "nodeclaims.karpenter.sh";
        let print = release("1.14.1").crd_fingerprint(crd).unwrap();
        let (first, last) = Release::with_crd(crd, print).unwrap();
        assert!(first <= release("1.14.1") && last == Release::newest(), "{first} {last}");
        assert_eq!(first.crd_fingerprint(crd), Some(print));
        assert_eq!(Release::with_crd(crd, "000000000000"), None);
    }

    #[test]
    fn values_are_read_or_renamed_by_release() {
        for (version, path, read) in [
            ("0.17.0", "clusterName", true),
            ("0.31.5", "settings.aws.interruptionQueueName", true),
            ("0.32.0", "settings.aws.anything", true),
            ("1.0.0", "settings.aws.clusterName", false),
            ("1.14.1", "settings.interruptionQueueName", false),
            ("1.14.1", "settings.interruptionQueue", true),
            ("1.0.8", "webhook.enabled", true),
            ("1.1.0", "webhook.enabled", false),
            ("0.37.8", "logConfig.enabled", true),
            ("1.0.0", "logConfig.enabled", false),
            ("1.14.1", "controller.resources.requests.cpu", true),
            ("1.14.1", "serviceAccount.annotations.eks.amazonaws.com/role-arn", true),
            ("1.14.1", "replicasOf", false),
            ("1.14.1", "global.anything", true),
        ] {
            assert_eq!(release(version).reads_value(path), read, "{version} {path}");
        }
        assert_eq!(release("1.14.1").renamed_value("settings.interruptionQueueName"), Some("settings.interruptionQueue"));
        assert_eq!(release("0.31.0").renamed_value("clusterName"), Some("settings.aws.clusterName"));
        assert_eq!(release("1.14.1").renamed_value("webhook.enabled"), None);
    }

    #[test]
    fn every_chart_reads_where_it_is_told_the_cluster() {
        for release in Release::all() {
            let layout = release.features().value_layout;
            assert!(release.reads_value(layout.cluster_name_path()), "{release}");
            assert!(release.reads_value(layout.cluster_endpoint_path()), "{release}");
        }
    }
}
