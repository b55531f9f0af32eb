//! The controller's Deployment that is shown to the API server beforehand, against what the real charts make.

use super::is_installed;
use crate::fixture::existing;
use karpctl::render;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What values may change of it.
fn many() -> Value {
    let mount = json!([{"name": "certificates", "mountPath": "/etc/ssl/own"}]);
    let near = json!({"topologyKey": "kubernetes.io/hostname"});
    json!({
        "replicas": 1,
        "podLabels": {"team": "a"},
        "podAnnotations": {"note": "b"},
        "additionalLabels": {"owner": "c"},
        "additionalAnnotations": {"seen": "d"},
        "hostNetwork": true,
        "priorityClassName": "own",
        "imagePullSecrets": [{"name": "pull"}],
        "serviceAccount": {"create": false, "name": "other"},
        "podSecurityContext": {"fsGroup": 2000},
        "tolerations": [],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": near}]}},
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "extraVolumes": [{"name": "certificates", "emptyDir": {}}],
        "controller": {
            "image": {"repository": "mirror.example/karpenter", "tag": "own", "digest": "sha256:00"},
            "resources": {"limits": {"cpu": "2"}},
            "extraVolumeMounts": mount,
            "sidecarContainer": [{"name": "beside", "image": "busybox:1"}],
            "envFrom": [{"secretRef": {"name": "own"}}],
        },
    })
}

/// What the chart makes of these values.
fn made(cache: &Path, release: &str, values: &Value) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    let chart = cache.join(format!("charts/karpenter-{release}.tgz"));
    let mut helm = Command::new(cache.join("bin/helm-3.17.3"));
    helm.args(["template", "karpenter", "--namespace", "kube-system", "--show-only", "templates/deployment.yaml", "--values"]);
    let ended = helm.arg(file.path()).arg(chart).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    serde_saphyr::from_str(std::str::from_utf8(&ended.stdout).unwrap()).unwrap()
}

/// Without what nobody said, and without what is not known beforehand: the environment, and the digest of the chart's own image.
fn compared(mut deployment: Value) -> Value {
    let metadata = &mut deployment["metadata"];
    if let Some(annotations) = metadata["annotations"].as_object_mut() {
        annotations.retain(|name, _| !name.starts_with("meta.helm.sh/"));
    }
    let pod = &mut deployment["spec"]["template"]["spec"];
    // Kubernetes' own defaults, which some charts write out.
    for (name, default) in [("schedulerName", json!("default-scheduler")), ("automountServiceAccountToken", json!(true))] {
        assert!(pod[name].is_null() || pod[name] == default);
        pod.as_object_mut().unwrap().remove(name);
    }
    for container in pod["containers"].as_array_mut().unwrap() {
        container.as_object_mut().unwrap().remove("env");
        if let Some((image, _)) = container["image"].as_str().and_then(|image| image.split_once('@')) {
            container["image"] = json!(image);
        }
        if let Some(ports) = container["ports"].as_array_mut() {
            ports.sort_by_key(|port| port["containerPort"].as_i64());
        }
    }
    bare(deployment)
}

fn bare(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, bare(value)));
            let said: BTreeMap<_, _> = fields.filter(|(_, value)| !value.is_null() && *value != json!({})).collect();
            Value::Object(said.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(bare).collect(),
        other => other,
    }
}

#[test]
fn what_is_shown_beforehand_is_what_the_chart_makes() {
    if !is_installed() {
        return;
    }
    let cache = std::env::var_os("KARPCTL_LAB_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/karpctl-lab"));
    for release in ["1.0.8", "1.14.1"] {
        for values in [json!({}), many()] {
            let mut spec = existing(release);
            spec.chart.values = serde_json::from_value(values).unwrap();
            let official = made(&cache, release, &render::helm_values(&spec, None).unwrap());
            let shown = render::controller(&spec, None).unwrap().unwrap();
            assert_eq!(format!("{:#}", compared(shown)), format!("{:#}", compared(official)), "Karpenter {release}");
        }
    }
    assert_eq!(render::controller(&existing("0.37.8"), None).unwrap(), None);
}
