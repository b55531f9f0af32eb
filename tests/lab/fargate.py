"""Fargate: each pod that a profile selects gets a node of its own, as EKS makes one.

On EKS a webhook sends such pods to Fargate's own scheduler. Here the pods that nobody has placed yet are bound to new
Nodes, which kwok makes Ready. eksctl moves CoreDNS to Fargate, so its Deployment, which the lab has nowhere else, is
made with the first profile.
"""

import secrets
import threading
import time

import aws
import nodes
from kube import KubeError

COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
PROFILES = {}  # (lab, cluster, profile) -> its selectors
_lock = threading.Lock()


def coredns():
    """The Deployment as the add-on makes it, as far as eksctl looks at it."""
    labels = {"eks.amazonaws.com/component": "coredns", "k8s-app": "kube-dns"}
    return {"metadata": {"name": "coredns", "namespace": "kube-system", "labels": labels}, "spec": {
        "replicas": 2, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "coredns", "image": "coredns"}]}}}}


def profile_created(lab, cluster, name):
    """Places what it selects, from now on."""
    found = lab.aws.rest("eks", "GET", f"/clusters/{cluster}/fargate-profiles/{name}")["fargateProfile"]
    lab.kube.ensure("/apis/apps/v1/namespaces/kube-system/deployments", coredns())
    with _lock:
        first = not any(key[0] == id(lab) for key in PROFILES)
        PROFILES[id(lab), cluster, name] = found.get("selectors") or []
    if first:
        threading.Thread(target=_watch, args=(lab,), name="fargate", daemon=True).start()


def profile_deleted(lab, cluster, name):
    with _lock:
        PROFILES.pop((id(lab), cluster, name), None)


def cluster_deleted(lab, cluster):
    for _, name, profile in [k for k in PROFILES if k[0] == id(lab) and k[1] == cluster]:
        profile_deleted(lab, name, profile)


def _watch(lab):
    while True:
        with _lock:
            selectors = [s for key, some in PROFILES.items() if key[0] == id(lab) for s in some]
        try:
            with lab.kube_lock:
                look(lab, selectors)
        except (KubeError, aws.AwsError) as e:
            nodes.say(f"fargate: {e}")
        except OSError:
            pass  # the lab ends
        if not selectors:
            return
        time.sleep(1)


def selects(selector, pod):
    labels = pod["metadata"].get("labels") or {}
    return selector["namespace"] == pod["metadata"]["namespace"] and all(
        labels.get(k) == v for k, v in (selector.get("labels") or {}).items())


def look(lab, selectors):
    """One look: nodes without a pod go, pods without a node get one."""
    pods = lab.kube.items("/api/v1/pods")
    used = {pod["spec"].get("nodeName") for pod in pods}
    for node in lab.kube.items(f"/api/v1/nodes?labelSelector={COMPUTE_TYPE}%3Dfargate"):
        if node["metadata"]["name"] not in used:
            lab.kube.delete(f"/api/v1/nodes/{node['metadata']['name']}")
    for pod in pods:
        of_every_node = any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", []))
        if not pod["spec"].get("nodeName") and not of_every_node and any(selects(s, pod) for s in selectors):
            place(lab, pod)


def place(lab, pod):
    meta, zone = pod["metadata"], lab.zones()[int(pod["metadata"]["uid"][-1], 16) % 2]
    body = nodes.node(lab, lab.region, f"fargate-{secrets.token_hex(6)}", zone, "fargate", {COMPUTE_TYPE: "fargate"},
                      [{"key": COMPUTE_TYPE, "value": "fargate", "effect": "NoSchedule"}])
    nodes.register(lab, body)
    lab.kube.call("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": body["metadata"]["name"]}})
