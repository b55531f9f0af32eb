"""Plays the kubelet for Karpenter: runs the real controller of a release when its Deployment is there.

The pods of the lab run nothing (kwok only says that they are Ready). So the Deployments of Karpenter are watched, and
for each that has a ready pod the controller binary of that release runs outside the cluster, with the environment of
the Deployment's container (a wrong helm value has its real effect), the ServiceAccount's token (so has wrong RBAC) and
the AWS credentials that EKS would give (so has a wrong role). v0.17.0, of which there is no binary, has a stand-in.
"""

import hashlib
import http.client
import json
import os
import re
import threading
import time
from dataclasses import dataclass

import aws
import controlplane
import pod_identity
import pod_webhook
import standin
import standin_v017
import standin_v1
import stuck_crds
from kube import KubeError
from supervisor import free_port

SELECTOR = "app.kubernetes.io%2Fname%3Dkarpenter"
BACKOFF = (1, 2, 5, 10, 20, 30)
UNITS = {"": 1, "m": 0.001, "k": 1000, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# free of each other and of other labs; a port number is the only value that is not the chart's
PORTS = ("METRICS_PORT", "HEALTH_PROBE_PORT", "WEBHOOK_PORT", "WEBHOOK_METRICS_PORT")


def quantity(text):
    """A Kubernetes quantity as a number."""
    m = re.fullmatch(r"([\d.]+)(\w*)", str(text))
    return float(m.group(1)) * UNITS[m.group(2)]


def resolve(entry, deployment, container):
    """The value of one env entry, as the kubelet resolves it."""
    if "value" in entry:
        return entry["value"]
    source = entry.get("valueFrom") or {}
    meta = deployment["metadata"]
    if field := source.get("fieldRef"):
        return {"metadata.namespace": meta["namespace"], "metadata.name": f"{meta['name']}-lab",
                "spec.nodeName": "lab"}.get(field["fieldPath"], "")
    if wanted := source.get("resourceFieldRef"):
        kind, name = wanted["resource"].split(".", 1)
        value = ((container.get("resources") or {}).get(kind) or {}).get(name)
        if value is None:
            value = {"cpu": "2", "memory": "8Gi"}[name] if kind == "limits" else "0"  # the node's, as on Kubernetes
        divisor = quantity(wanted.get("divisor") or 1) or 1
        return str(-int(-quantity(value) // divisor))
    return ""


def container_env(deployment):
    """The environment that the Deployment gives its controller."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    container = next((c for c in containers if c["name"] == "controller"), containers[0])
    return {e["name"]: resolve(e, deployment, container) for e in container.get("env") or []}


def version_of(deployment):
    """The release: the chart's label, else the image's tag."""
    label = (deployment["metadata"].get("labels") or {}).get("app.kubernetes.io/version")
    image = deployment["spec"]["template"]["spec"]["containers"][0].get("image", "")
    return label or image.split("@")[0].rsplit(":", 1)[-1]


@dataclass
class Running:
    """One Deployment's controller."""

    digest: str
    version: str
    name: str
    namespace: str
    process: object = None  # a supervisor.Program or a StandIn
    credentials: str = ""
    restarts: int = 0
    next_start: float = 0.0
    started: float = 0.0
    problem: str = ""


class Controllers:
    """All of them; one thread looks once a second."""

    def __init__(self, lab):
        self.lab = lab
        self.log = (lab.log_dir / "controllers.log").open("a", buffering=1)
        self._running = {}
        self._lock = threading.RLock()
        self._closed = False

    def start(self):
        threading.Thread(target=self._watch, name="controllers", daemon=True).start()

    def say(self, text):
        print(time.strftime("%H:%M:%S"), text, file=self.log)

    def _watch(self):
        while not self._closed:
            if self.lab.kube_lock.acquire(timeout=1):
                try:
                    self.look()
                    stuck_crds.nudge(self.lab)
                except (KubeError, aws.AwsError, OSError, http.client.HTTPException, KeyError, ValueError) as e:
                    self.say(f"could not look: {e!r}")
                finally:
                    self.lab.kube_lock.release()
            time.sleep(1)

    def look(self):
        """Starts, restarts and stops what the Deployments call for."""
        wanted = {d["metadata"]["uid"]: d for d in self.lab.kube.items(
            f"/apis/apps/v1/deployments?labelSelector={SELECTOR}")
            if d["spec"].get("replicas", 1) > 0 and d.get("status", {}).get("readyReplicas")}
        with self._lock:
            for uid in [u for u in self._running if u not in wanted]:
                self.stop(uid, "its Deployment is gone or has no ready pod")
            for uid, deployment in wanted.items():
                self.one(uid, deployment)

    def one(self, uid, deployment):
        """Brings one controller to what its Deployment says."""
        account = self.service_account(deployment)
        digest = hashlib.sha256(json.dumps([deployment["spec"]["template"], account["metadata"].get("annotations")],
                                           sort_keys=True).encode()).hexdigest()
        found = self._running.get(uid)
        if found and found.digest != digest:
            self.stop(uid, "its Deployment changed")
            found = None
        if not found:
            meta = deployment["metadata"]
            found = self._running[uid] = Running(digest, version_of(deployment), meta["name"], meta["namespace"])
        if found.process and found.process.running:
            return
        if found.process:
            found.process = None
            lasted = time.monotonic() - found.started
            found.restarts = 0 if lasted > 60 else found.restarts + 1
            found.next_start = time.monotonic() + BACKOFF[min(found.restarts, len(BACKOFF) - 1)]
            self.say(f"{found.namespace}/{found.name}: the controller ended after {lasted:.0f} s")
        if time.monotonic() >= found.next_start:
            self.launch(found, deployment, account)

    def service_account(self, deployment):
        name = deployment["spec"]["template"]["spec"].get("serviceAccountName") or "default"
        return self.lab.kube.get(f"/api/v1/namespaces/{deployment['metadata']['namespace']}/serviceaccounts/{name}")

    def launch(self, found, deployment, account):
        """Starts the binary of the release, or the stand-in."""
        namespace, name = found.namespace, account["metadata"]["name"]
        pods = self.lab.kube.items(f"/api/v1/namespaces/{namespace}/pods?labelSelector={SELECTOR}")
        credentials = pod_identity.of_service_account(self.lab, namespace, name, account["metadata"].get("annotations") or {},
                                                      any(map(pod_webhook.is_led, pods)))
        found.credentials, found.started = credentials.why, time.monotonic()
        version = found.version.removeprefix("v")
        binary = self.lab.bin / f"karpenter-{version}"
        self.say(f"{namespace}/{found.name} {found.version}: {credentials.why}")
        if version == standin_v017.VERSION:
            found.process = standin_v017.StandIn(self.lab, container_env(deployment), credentials, self.say)
        elif self.lab.settings["controller"] == "stand-in" and version.startswith("1."):
            found.process = standin_v1.StandIn(self.lab, container_env(deployment), credentials, self.say)
        elif binary.exists():
            token = self.token(namespace, name)
            config = controlplane.kubeconfig(self.lab, token, f"kubeconfig-{namespace}-{found.name}")
            env = self.environment(version, deployment, credentials, config)
            found.process = self.lab.supervisor.start(f"karpenter-{namespace}-{found.name}", [binary], env=env)
        else:
            found.problem = f"the lab has no Karpenter {found.version}"
            found.next_start = time.monotonic() + 3600
            self.say(f"{namespace}/{found.name}: {found.problem}")

    def token(self, namespace, account):
        return self.lab.kube.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 8 * 3600}})["status"]["token"]

    def environment(self, version, deployment, credentials, config):
        """The container's own environment, with what differs outside the cluster laid over it."""
        env = container_env(deployment)
        env.update({p: str(free_port()) for p in PORTS})
        env.update({"PATH": os.environ.get("PATH", ""), "HOME": str(self.lab.kube_dir), "KUBECONFIG": str(config),
                    "AWS_REGION": self.lab.region, "AWS_EC2_METADATA_DISABLED": "true",
                    "DISABLE_LEADER_ELECTION": "true", **credentials.env})
        if version.startswith("1.0."):
            # its AWS SDK (Go, version 1) knows no AWS_ENDPOINT_URL, so it goes to the real names through the proxy;
            # its conversion webhook could not be reached from the apiserver: objects are v1 throughout
            env.update({"HTTPS_PROXY": f"http://{self.lab.at('proxy')}", "NO_PROXY": "127.0.0.1,localhost",
                        "SSL_CERT_FILE": str(self.lab.cert_dir / "bundle.crt"), "DISABLE_WEBHOOK": "true"})
        else:
            # one apiserver plays clusters of every version: which version this one has, only the emulator says
            env.update({"AWS_ENDPOINT_URL": self.lab.gate_url, "EKS_CONTROL_PLANE": "true"})
        return env

    def stop(self, uid, why):
        found = self._running.pop(uid)
        self.say(f"{found.namespace}/{found.name}: stopped, {why}")
        if isinstance(found.process, standin.StandIn):
            found.process.stop()
        elif found.process:
            self.lab.supervisor.stop(found.process.name)

    def stop_all(self):
        with self._lock:
            for uid in list(self._running):
                self.stop(uid, "the cluster or the lab ends")

    def close(self):
        self._closed = True
        self.stop_all()

    def describe(self):
        """For GET /_lab/controllers."""
        with self._lock:
            return [{"namespace": r.namespace, "name": r.name, "version": r.version, "credentials": r.credentials,
                     "running": bool(r.process and r.process.running), "restarts": r.restarts, "problem": r.problem,
                     "log": str(r.process.log) if hasattr(r.process, "log") else ""} for r in self._running.values()]
