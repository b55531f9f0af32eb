//! The embedded tables, parsed once.

#![cfg_attr(not(test), expect(dead_code, reason = "a source is for the reader of its row, and for the test that it is there"))]

use super::{ExecApiVersion, KubernetesVersion, Pin, ToolVersion};
use jiff::civil::Date;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What is known of Karpenter releases (`karpenter.yaml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Karpenter {
    pub(super) releases: Releases,
    pub(super) kubernetes: Vec<KubernetesRow>,
    pub(super) traps: Vec<TrapRow>,
    pub(super) cautions: Vec<TrapRow>,
    pub(super) image_base: ImageBaseRow,
    pub(super) new_defaults: Vec<NewDefaultRow>,
    pub(super) features: Vec<FeatureRow>,
    pub(super) renamed_values: Vec<RenamedRow>,
    pub(super) volumes: Vec<VolumeRow>,
    pub(super) own_node_tags: Vec<OwnTagRow>,
}

/// The official tags.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Releases {
    pub(super) source: String,
    pub(super) minors: BTreeMap<String, Vec<Value>>,
}

/// The Kubernetes minors that releases run on, from `since` until the next row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KubernetesRow {
    pub(super) since: Version,
    pub(super) min: KubernetesVersion,
    pub(super) max: KubernetesVersion,
    pub(super) source: String,
}

/// Releases that must not be installed, or with a fault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrapRow {
    pub(super) since: Version,
    pub(super) before: Version,
    pub(super) kubernetes_since: Option<KubernetesVersion>,
    pub(super) reason: String,
    pub(super) instead: Version,
    pub(super) source: String,
}

/// The system that the controller's official image was made on, and the first patch of each minor that is made on another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageBaseRow {
    pub(super) since: Version,
    pub(super) system: String,
    pub(super) ended: Date,
    pub(super) mended: Vec<Version>,
    pub(super) source: String,
}

/// What a release does otherwise than the one before where nobody says anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDefaultRow {
    pub(super) since: Version,
    pub(super) what: String,
    pub(super) keep: String,
    pub(super) pin: Pin,
    pub(super) source: String,
}

/// Fields of `Features` that change with a release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureRow {
    pub(super) since: Version,
    pub(super) before: Option<Version>,
    pub(super) set: Map<String, Value>,
    pub(super) source: String,
}

/// A value that charts read at another place since.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RenamedRow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) source: String,
}

/// A volume of every node of an AMI family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VolumeRow {
    pub(super) family: String,
    pub(super) device: String,
    pub(super) size: String,
    pub(super) source: String,
}

/// A tag that Karpenter puts on nodes itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnTagRow {
    pub(super) key: String,
    pub(super) source: String,
}

/// What EKS offers (`kubernetes.yaml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kubernetes {
    pub(super) eks: Vec<EksRow>,
    pub(super) ami: Vec<AmiRow>,
    pub(super) flow_control: Vec<FlowControlRow>,
}

/// The newest served version of the flow control API, from `since` until the next row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowControlRow {
    pub(super) since: KubernetesVersion,
    pub(super) version: String,
    pub(super) source: String,
}

/// One minor of EKS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EksRow {
    pub(super) minor: KubernetesVersion,
    pub(super) released: Option<Date>,
    pub(super) standard: Option<Date>,
    pub(super) extended: Option<Date>,
    pub(super) source: String,
}

/// The first Kubernetes minor that an AMI family is no longer made for, and the day since which none are made of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AmiRow {
    pub(super) family: String,
    pub(super) before: KubernetesVersion,
    pub(super) ended: Option<Date>,
    pub(super) source: String,
}

/// What the tools can do (`clients.yaml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clients {
    pub(super) helm_oci: Since,
    pub(super) helm_server_side: Since,
    pub(super) helm_own_helpers: SinceClientGo,
    pub(super) kubeconfigs: Vec<KubeconfigRow>,
    pub(super) helm: Vec<HelmRow>,
    pub(super) exec: Vec<ExecRow>,
    pub(super) fields: Vec<FieldRow>,
    pub(super) user_alias: Vec<Since>,
    pub(super) eksctl: Vec<AbilityRow>,
    pub(super) eksctl_kubernetes: Vec<CreatesRow>,
    pub(super) eksctl_asks_eks: Since,
}

/// The first client-go with which a tool does something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinceClientGo {
    pub(super) client_go: u16,
    pub(super) source: String,
}

/// What a program writes into kubeconfigs and answers as their plugin, from `since` until its next row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KubeconfigRow {
    pub(super) program: String,
    pub(super) since: ToolVersion,
    pub(super) writes: Option<ExecApiVersion>,
    pub(super) answers: Option<String>,
    pub(super) source: String,
}

/// The first eksctl that creates clusters of a Kubernetes minor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreatesRow {
    pub(super) minor: KubernetesVersion,
    pub(super) since: ToolVersion,
    pub(super) source: String,
}

/// The first version of a tool that can do something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    pub(super) since: ToolVersion,
    pub(super) source: String,
}

/// The Kubernetes client of helm, from `since` until the next row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HelmRow {
    pub(super) since: ToolVersion,
    pub(super) client_go: u16,
    pub(super) source: String,
}

/// The client-go minors that take an exec credential version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecRow {
    pub(super) version: ExecApiVersion,
    #[serde(default)]
    pub(super) since: u16,
    pub(super) before: Option<u16>,
    pub(super) source: String,
}

/// The client-go that first knew a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldRow {
    pub(super) field: String,
    pub(super) since: u16,
    pub(super) source: String,
}

/// The first eksctl that knows a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbilityRow {
    pub(super) ability: String,
    pub(super) since: ToolVersion,
    pub(super) source: String,
}

/// The text of a table, as JSON: `build.rs` makes it of the YAML beside this file.
macro_rules! table {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $name, ".json"))
    };
}
pub(super) use table;

pub(super) static KARPENTER: LazyLock<Karpenter> = LazyLock::new(|| embedded(table!("karpenter")));
pub(super) static KUBERNETES: LazyLock<Kubernetes> = LazyLock::new(|| embedded(table!("kubernetes")));
pub(super) static CLIENTS: LazyLock<Clients> = LazyLock::new(|| embedded(table!("clients")));

/// A table of this program; the tests parse each, so a failure cannot reach a person.
pub(super) fn embedded<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("an embedded table follows its schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source() {
        let (k, e, c) = (&*KARPENTER, &*KUBERNETES, &*CLIENTS);
        let sources = std::iter::once(&k.releases.source)
            .chain(k.kubernetes.iter().map(|r| &r.source))
            .chain(k.traps.iter().chain(&k.cautions).map(|r| &r.source))
            .chain(std::iter::once(&k.image_base.source))
            .chain(k.new_defaults.iter().map(|r| &r.source))
            .chain(k.features.iter().map(|r| &r.source))
            .chain(k.renamed_values.iter().map(|r| &r.source))
            .chain(k.volumes.iter().map(|r| &r.source))
            .chain(k.own_node_tags.iter().map(|r| &r.source))
            .chain(e.eks.iter().map(|r| &r.source))
            .chain(e.ami.iter().map(|r| &r.source))
            .chain(e.flow_control.iter().map(|r| &r.source))
            .chain(std::iter::once(&c.helm_oci.source))
            .chain(std::iter::once(&c.helm_server_side.source))
            .chain(std::iter::once(&c.helm_own_helpers.source))
            .chain(c.kubeconfigs.iter().map(|r| &r.source))
            .chain(c.helm.iter().map(|r| &r.source))
            .chain(c.exec.iter().map(|r| &r.source))
            .chain(c.fields.iter().map(|r| &r.source))
            .chain(c.user_alias.iter().map(|r| &r.source))
            .chain(c.eksctl.iter().map(|r| &r.source))
            .chain(c.eksctl_kubernetes.iter().map(|r| &r.source))
            .chain(std::iter::once(&c.eksctl_asks_eks.source));
        assert!(sources.into_iter().all(|s| s.len() > 5));
    }

    #[test]
    fn rows_rise_without_holes_or_overlaps() {
        let first = Version::new(0, 17, 0);
        assert_eq!(KARPENTER.kubernetes[0].since, first);
        assert!(KARPENTER.kubernetes.is_sorted_by(|a, b| a.since < b.since));
        assert!(KARPENTER.kubernetes.iter().all(|r| r.min <= r.max));
        assert_eq!(KARPENTER.features[0].since, first);
        assert!(KARPENTER.features.is_sorted_by(|a, b| a.since <= b.since));
        assert!(KARPENTER.features.iter().all(|r| r.before.as_ref().is_none_or(|b| *b > r.since)));
        assert!(KARPENTER.traps.is_sorted_by(|a, b| a.before <= b.since));
        assert!(KARPENTER.traps.iter().chain(&KARPENTER.cautions).all(|r| r.since < r.before && r.instead >= r.before));
        assert!(KARPENTER.image_base.mended.is_sorted_by(|a, b| a < b));
        assert!(KARPENTER.new_defaults.is_sorted_by(|a, b| a.since <= b.since));
        assert!(KUBERNETES.eks.is_sorted_by(|a, b| a.minor.plus(1) == b.minor));
        assert!(KUBERNETES.flow_control.is_sorted_by(|a, b| a.since < b.since));
        assert!(KUBERNETES.eks.iter().all(|r| r.released <= r.standard && r.standard <= r.extended));
        assert!(CLIENTS.helm.is_sorted_by(|a, b| a.since < b.since));
        assert!(CLIENTS.eksctl_kubernetes.is_sorted_by(|a, b| a.minor.plus(1) == b.minor && a.since < b.since));
        assert!(CLIENTS.exec.iter().all(|r| r.before.is_none_or(|b| r.since < b)));
    }
}
