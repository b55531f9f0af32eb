"""A STAND-IN for the controller of Karpenter 1.x, for tests that go the way hundreds of times (setting `controller`).

The real controller takes ten seconds to its workers and a core while it does. This one does what a bootstrap and a destroy
wait for, and nothing else: node classes get the finalizer, an instance profile with the node role, and Ready; node pools get
Ready; a node class that is deleted gives its profile back. It launches nothing.
"""

import hashlib

import standin
from aws import AwsError

CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
POOLS = "/apis/karpenter.sh/v1/nodepools"
FINALIZER = "karpenter.k8s.aws/termination"


class StandIn(standin.StandIn):
    """Looks four times a second."""

    NAME, SECONDS = "stand-in", 0.25

    def iam(self, action, **params):
        """Goes on where it was broken off: what is there already, or gone already, is as it should be."""
        status, text = self.lab.aws.query_raw("iam", action, params, **self.as_controller())
        if status >= 300 and not any(known in text for known in ("EntityAlreadyExists", "LimitExceeded", "NoSuchEntity")):
            raise AwsError(f"iam:{action}", status, text)

    def look(self):
        for c in self.lab.kube.items(CLASSES):
            self.node_class(c)
        for p in self.lab.kube.items(POOLS):
            if not p["metadata"].get("deletionTimestamp"):
                self.ready(f"{POOLS}/{p['metadata']['name']}", p)

    def profile(self, node_class):
        """Karpenter's own naming: the cluster, and in decimal a hash of 64 bits of what else makes it one of a kind."""
        digest = hashlib.sha256(f"{self.lab.region}{node_class['metadata']['name']}".encode()).digest()
        return f"{self.cluster}_{int.from_bytes(digest[:8], 'big')}"

    def tags(self, node_class):
        """Those that the controller's policy makes a condition of."""
        tags = {f"kubernetes.io/cluster/{self.cluster}": "owned", "eks:eks-cluster-name": self.cluster,
                "karpenter.k8s.aws/ec2nodeclass": node_class["metadata"]["name"], "topology.kubernetes.io/region": self.lab.region}
        pairs = enumerate(tags.items(), 1)
        return {f"Tags.member.{i}.{part}": text for i, pair in pairs for part, text in zip(("Key", "Value"), pair)}

    def node_class(self, c):
        path, finalizers = f"{CLASSES}/{c['metadata']['name']}", c["metadata"].get("finalizers") or []
        role, name = c["spec"].get("role"), self.profile(c)
        if c["metadata"].get("deletionTimestamp"):
            if FINALIZER in finalizers:
                self.iam("RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=role)
                self.iam("DeleteInstanceProfile", InstanceProfileName=name)
                self.lab.kube.merge(path, {"metadata": {"finalizers": [f for f in finalizers if f != FINALIZER]}})
            return
        if FINALIZER not in finalizers:
            self.lab.kube.merge(path, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
            if role:
                self.iam("CreateInstanceProfile", InstanceProfileName=name, **self.tags(c))
                self.iam("AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)
        self.ready(path, c)

    def ready(self, path, found):
        conditions = (found.get("status") or {}).get("conditions") or []
        if any(x["type"] == "Ready" and x["status"] == "True" for x in conditions):
            return
        ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        self.lab.kube.merge(f"{path}/status", {"status": {"conditions": [ready]}})
