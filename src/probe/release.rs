//! The helm releases, read from where helm keeps them, and Karpenter's custom resource definitions.

use super::inside::{conversion_service, fingerprint};
use super::kinds::cluster_wide;
use super::{ProbeContext, failed, said};
use crate::error::{Error, Result};
use crate::facts::{CrdFacts, HelmRelease, Probed};
use crate::knowledge::{CHART, CRD_CHART};
use crate::ports::{Kube, ObjectKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

/// The most bytes that a release may unpack to: its Secret has at most a million, and its largest part is the chart.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What is read of a release. The chart's files, which are most of it, are not kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Kept {
    info: Info,
    chart: Chart,
    config: Value,
    manifest: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    status: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chart {
    metadata: ChartName,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChartName {
    name: String,
    version: String,
}

/// The releases [`CHART`] and [`CRD_CHART`], by one request.
pub(super) async fn releases(context: &ProbeContext<'_>, kube: &dyn Kube) -> (Probed<HelmRelease>, Probed<HelmRelease>) {
    // Superseded revisions are history: each holds its whole chart, and none of them says how things stand.
    let selector = format!("owner=helm,name in ({CHART},{CRD_CHART}),status notin (superseded)");
    match kube.list(&secrets(), Some(context.spec.namespace.as_str()), Some(&selector)).await {
        Ok(found) => (newest(&found, CHART), newest(&found, CRD_CHART)),
        Err(e) => (failed(&e), failed(&e)),
    }
}

/// The kind in which helm keeps its releases.
pub(crate) fn secrets() -> ObjectKind {
    ObjectKind::new("v1", "secrets")
}

/// The revision of a release's Secret, where it is one of this release.
pub(crate) fn revision_of(secret: &Value, release: &str) -> Option<u32> {
    let labels = &secret["metadata"]["labels"];
    if secret["type"].as_str().is_some_and(|t| t != "helm.sh/release.v1") || labels["name"].as_str() != Some(release) {
        return None;
    }
    labels["version"].as_str()?.parse().ok()
}

fn newest(found: &[Value], release: &str) -> Probed<HelmRelease> {
    let newest = found.iter().filter_map(|secret| Some((revision_of(secret, release)?, secret))).max_by_key(|(revision, _)| *revision);
    match newest {
        None => Probed::Absent,
        Some((revision, secret)) => match helm_release(secret, revision) {
            Ok(release) => Probed::Known(release),
            Err(e) => Probed::Unavailable(e.within(format!("cannot read the helm release {release}")).to_string()),
        },
    }
}

/// What a release's Secret says of it.
pub fn helm_release(secret: &Value, revision: u32) -> Result<HelmRelease> {
    let Kept { info, chart, config, .. } = opened(secret, revision)?;
    Ok(HelmRelease {
        status: info.status,
        chart: chart.metadata.name,
        chart_version: chart.metadata.version,
        values: match config {
            Value::Null => Value::Object(serde_json::Map::new()),
            values => values,
        },
        revision,
        description: info.description,
    })
}

/// A release's Secret: JSON, gzipped (older helms: not), in base64, in the Secret's own base64.
fn opened(secret: &Value, revision: u32) -> Result<Kept> {
    let broken = |what: &str| Error::failed(format!("revision {revision} {what}"));
    let outer = secret["data"]["release"].as_str().ok_or_else(|| broken("has no data"))?;
    let inner = STANDARD.decode(outer).map_err(|e| broken("is not base64").because(e.to_string()))?;
    let packed = STANDARD.decode(inner.trim_ascii()).map_err(|e| broken("is not base64 within").because(e.to_string()))?;
    let text = if packed.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(packed.as_slice()).take(LARGEST + 1);
        unpacked.read_to_end(&mut text).map_err(|e| broken("is not gzip").because(e.to_string()))?;
        text
    } else {
        packed
    };
    if text.len() as u64 > LARGEST {
        return Err(broken("unpacks to more than any release of helm"));
    }
    serde_json::from_slice(&text).map_err(|e| broken("is no release of helm").because(e.to_string()))
}

/// Where a CRD is.
pub(crate) fn crd_ref(name: &str) -> crate::ports::ObjectRef {
    cluster_wide(&ObjectKind::new("apiextensions.k8s.io/v1", "customresourcedefinitions"), name)
}

/// The CRDs of the release that are there, with an owner and versions. Each by its name: a list would bring everybody's.
pub(super) async fn crds(context: &ProbeContext<'_>, kube: &dyn Kube) -> Probed<BTreeMap<String, CrdFacts>> {
    let names = &context.spec.release.features().crds;
    let answers = futures_util::future::join_all(names.iter().map(|name| async move { kube.get(&crd_ref(name)).await })).await;
    let mut found = BTreeMap::new();
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Ok(Some(object)) => {
                found.insert(name.clone(), crd_facts(&object));
            }
            Ok(None) => {}
            Err(e) => return failed(&e),
        }
    }
    let ours = format!("{}/{CRD_CHART}", context.spec.namespace);
    // One release has several of them, mostly.
    let others: BTreeSet<String> = found.values().filter_map(|crd| crd.helm_owner.clone()).filter(|owner| *owner != ours).collect();
    let manifests = futures_util::future::join_all(others.iter().map(|owner| manifest(kube, owner))).await;
    let manifests: BTreeMap<&String, Option<String>> = others.iter().zip(manifests).collect();
    for (name, crd) in &mut found {
        let theirs = crd.helm_owner.as_ref().and_then(|owner| manifests.get(owner)?.as_ref());
        crd.held = theirs.map(|manifest| manifest.contains(name.as_str()));
    }
    said(Ok((!found.is_empty()).then_some(found)))
}

/// What a release, `<namespace>/<name>`, has; nothing where it is not there. `None`: it could not be read.
async fn manifest(kube: &dyn Kube, owner: &str) -> Option<String> {
    // Anybody may write anything into an annotation.
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let (namespace, release) = owner.split_once('/').filter(|(namespace, release)| is_name(namespace) && is_name(release))?;
    let selector = format!("owner=helm,name={release},status notin (superseded)");
    let found = kube.list(&secrets(), Some(namespace), Some(&selector)).await.ok()?;
    let newest = found.iter().filter_map(|secret| Some((revision_of(secret, release)?, secret))).max_by_key(|(revision, _)| *revision);
    let Some((revision, secret)) = newest else {
        // GitOps may keep the record elsewhere than what it is of.
        let elsewhere = kube.list(&secrets(), None, Some(&selector)).await.ok()?;
        return elsewhere.is_empty().then(String::new);
    };
    let release = opened(secret, revision).ok()?;
    Some(if release.info.status == "uninstalled" { String::new() } else { release.manifest })
}

fn crd_facts(object: &Value) -> CrdFacts {
    let versions = object["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = |list: &[Value]| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    CrdFacts {
        helm_owner: helm_owner(object),
        held: None,
        served: versions.iter().filter(|v| v["served"] == true).filter_map(|v| v["name"].as_str()).map(str::to_owned).collect(),
        schema: fingerprint(object),
        conversion: conversion_service(object),
        stored: names(object["status"]["storedVersions"].as_array().map(Vec::as_slice).unwrap_or_default()),
    }
}

/// The helm release that an object's label and annotations name, `<namespace>/<name>`.
pub(crate) fn helm_owner(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    if metadata["labels"]["app.kubernetes.io/managed-by"] != "Helm" {
        return None;
    }
    let annotation = |key: &str| metadata["annotations"][key].as_str();
    Some(format!("{}/{}", annotation("meta.helm.sh/release-namespace")?, annotation("meta.helm.sh/release-name")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_unpacks_without_end_is_given_up() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let spaces = vec![b' '; 1 << 20];
        for _ in 0..17 {
            packed.write_all(&spaces).unwrap();
        }
        let data = STANDARD.encode(STANDARD.encode(packed.finish().unwrap()));
        assert!(data.len() < 1_000_000, "a Secret may be as large");
        let secret = serde_json::json!({"data": {"release": data}});
        assert!(helm_release(&secret, 7).unwrap_err().message.contains("unpacks to more"));
    }
}
