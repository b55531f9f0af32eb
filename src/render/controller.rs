//! The controller's Deployment, as the chart makes it.

use super::{chart_values, helm_values, over_chart};
use crate::error::Result;
use crate::knowledge::{CHART, Features, NODE_POOL_LABEL, NodePoolApi, WEBHOOK_PORT};
use crate::spec::Spec;
use serde_json::{Value, json};

/// Whoever the controller runs as, and its group.
const USER: u32 = 65532;

/// What stands in for the digest by which the chart names its image, of which nothing is known before it is pulled.
pub const UNKNOWN_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// The Deployment of this spec's chart and values, so far as it is known beforehand: without the environment that the chart gives the
/// controller, and its image with [`UNKNOWN_DIGEST`] where no value says another, or none. `None`: what charts before 1.0 make is not known here.
pub fn controller(spec: &Spec, cluster_endpoint: Option<&str>) -> Result<Option<Value>> {
    let features = spec.release.features();
    if features.node_pool_api != NodePoolApi::V1 {
        return Ok(None);
    }
    let values = over_chart(whole(spec, features), &helm_values(spec, cluster_endpoint)?);
    let own = json!({"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": CHART});
    let version = spec.release.chart_version();
    let of_chart = json!({
        "helm.sh/chart": format!("{CHART}-{version}"), "app.kubernetes.io/version": version, "app.kubernetes.io/managed-by": "Helm",
    });
    let by_helm = json!({"meta.helm.sh/release-name": CHART, "meta.helm.sh/release-namespace": spec.namespace});
    Ok(Some(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": CHART,
            "namespace": spec.namespace,
            "labels": over_chart(over_chart(own.clone(), &of_chart), &values["additionalLabels"]),
            "annotations": over_chart(by_helm, &values["additionalAnnotations"]),
        },
        "spec": {
            "replicas": values["replicas"],
            "revisionHistoryLimit": values["revisionHistoryLimit"],
            "strategy": values["strategy"],
            "selector": {"matchLabels": own},
            "template": {
                "metadata": {"labels": over_chart(own.clone(), &values["podLabels"]), "annotations": or_none(&values["podAnnotations"])},
                "spec": pod(&values, features, &own),
            },
        },
    })))
}

/// What the chart has by itself: charts/karpenter/values.yaml.
fn whole(spec: &Spec, features: &Features) -> Value {
    let more = json!({
        "revisionHistoryLimit": 10,
        "strategy": {"rollingUpdate": {"maxUnavailable": 1}},
        "priorityClassName": "system-cluster-critical",
        "imagePullPolicy": "IfNotPresent",
        "serviceAccount": {"create": true},
        "podSecurityContext": {"fsGroup": USER},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": NODE_POOL_LABEL, "operator": "DoesNotExist"}]}],
        }}},
        "controller": {
            "containerName": "controller",
            "image": {"repository": "public.ecr.aws/karpenter/controller", "tag": spec.release.chart_version(), "digest": UNKNOWN_DIGEST},
            "metrics": {"port": 8080},
            "healthProbe": {"port": 8081},
        },
    });
    let values = over_chart(chart_values(features), &more);
    if !features.pod_seccomp {
        return values;
    }
    over_chart(values, &json!({"podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}))
}

/// A pod's spec, as charts/karpenter/templates/deployment.yaml writes it.
fn pod(values: &Value, features: &Features, own: &Value) -> Value {
    let sidecars = values["controller"]["sidecarContainer"].as_array().into_iter().flatten();
    let sidecars = sidecars.map(|sidecar| {
        let mounts = [&values["controller"]["extraVolumeMounts"], &values["controller"]["sidecarVolumeMounts"]];
        let mounts: Vec<&Value> = mounts.into_iter().filter_map(Value::as_array).flatten().collect();
        if mounts.is_empty() { sidecar.clone() } else { over_chart(sidecar.clone(), &json!({"volumeMounts": mounts})) }
    });
    let account = &values["serviceAccount"];
    let unnamed = if account["create"] == false { "default" } else { CHART };
    let mut affinity = values["affinity"].clone();
    for of in ["podAffinity", "podAntiAffinity"] {
        select_own(affinity.pointer_mut(&format!("/{of}/requiredDuringSchedulingIgnoredDuringExecution")), own);
        let preferred = affinity.pointer_mut(&format!("/{of}/preferredDuringSchedulingIgnoredDuringExecution"));
        preferred.and_then(Value::as_array_mut).into_iter().flatten().for_each(|one| select(&mut one["podAffinityTerm"], own));
    }
    let mut spread = values["topologySpreadConstraints"].clone();
    select_own(Some(&mut spread), own);
    let mut pod = json!({
        "serviceAccountName": account["name"].as_str().unwrap_or(unnamed),
        "securityContext": values["podSecurityContext"],
        "hostNetwork": values["hostNetwork"].as_bool().filter(|own| *own),
        "containers": std::iter::once(container(values, features)).chain(sidecars).collect::<Vec<_>>(),
        "affinity": affinity,
        "topologySpreadConstraints": spread,
        "volumes": values["extraVolumes"],
    });
    for name in [
        "imagePullSecrets",
        "priorityClassName",
        "terminationGracePeriodSeconds",
        "dnsPolicy",
        "dnsConfig",
        "schedulerName",
        "initContainers",
        "nodeSelector",
        "tolerations",
    ] {
        pod[name] = values[name].clone();
    }
    said(pod)
}

/// The controller's container.
fn container(values: &Value, features: &Features) -> Value {
    let of = &values["controller"];
    let image = |part: &str| of["image"][part].as_str().filter(|said| !said.is_empty());
    let digest = image("digest").map(|digest| format!("@{digest}")).unwrap_or_default();
    let mut ports = vec![
        json!({"name": "http-metrics", "containerPort": of["metrics"]["port"], "protocol": "TCP"}),
        json!({"name": "http", "containerPort": of["healthProbe"]["port"], "protocol": "TCP"}),
    ];
    if features.conversion_webhook {
        ports.push(json!({"name": "webhook-metrics", "containerPort": 8001, "protocol": "TCP"}));
        ports.push(json!({"name": "https-webhook", "containerPort": WEBHOOK_PORT, "protocol": "TCP"}));
    }
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "capabilities": {"drop": ["ALL"]},
    });
    if features.pod_seccomp {
        security["privileged"] = json!(false);
        for name in ["appArmorProfile", "seLinuxOptions", "seccompProfile"] {
            security[name] = or_none(&of["securityContext"][name]);
        }
    } else {
        security["seccompProfile"] = json!({"type": "RuntimeDefault"});
    }
    let probe =
        |path: &str, after: u8| json!({"initialDelaySeconds": after, "timeoutSeconds": 30, "httpGet": {"path": path, "port": "http"}});
    said(json!({
        "name": of["containerName"],
        "securityContext": said(security),
        "image": format!("{}:{}{digest}", image("repository").unwrap_or_default(), image("tag").unwrap_or_default()),
        "imagePullPolicy": values["imagePullPolicy"],
        "env": of["env"],
        "envFrom": of["envFrom"],
        "ports": ports,
        "livenessProbe": probe("/healthz", 30),
        "readinessProbe": probe("/readyz", 5),
        "resources": of["resources"],
        "volumeMounts": of["extraVolumeMounts"],
    }))
}

/// Gives those that select no pods the controller's own.
fn select_own(list: Option<&mut Value>, own: &Value) {
    list.and_then(Value::as_array_mut).into_iter().flatten().for_each(|one| select(one, own));
}

fn select(one: &mut Value, own: &Value) {
    if one.is_object() && one["labelSelector"].is_null() {
        one["labelSelector"] = json!({"matchLabels": own});
    }
}

/// What the chart leaves out where a value is empty.
fn said(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !or_none(value).is_null());
    }
    object
}

fn or_none(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.is_empty() => Value::Null,
        Value::Array(items) if items.is_empty() => Value::Null,
        other => other.clone(),
    }
}
