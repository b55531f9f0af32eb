"""A STAND-IN for Karpenter v0.17.0's controller, which is published neither as a Go module that builds nor as a chart.

It does the least that makes the guide's steps visible: pending pods and a Provisioner with limits and a providerRef
become one instance and one Node with the label karpenter.sh/provisioner-name; a Node empty for ttlSecondsAfterEmpty is
terminated, and so is one that is deleted (finalizer karpenter.sh/termination). It judges nothing else.
"""

import re
import time

import nodes
import standin

VERSION = "0.17.0"
LABEL = "karpenter.sh/provisioner-name"
FINALIZER = "karpenter.sh/termination"
TYPE = "m5.2xlarge"
SETTLE = 5  # seconds from a new Node until what is still pending counts again
PROVISIONERS = "/apis/karpenter.sh/v1alpha5/provisioners"
TEMPLATES = "/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates"


class StandIn(standin.StandIn):
    """Looks every second."""

    NAME = f"v{VERSION}"

    def __init__(self, *given):
        self._empty_since = {}
        self._coming = {}  # instance id -> when it was started
        self._quiet_until = 0.0
        super().__init__(*given)

    def ec2(self, action, **params):
        return self.lab.aws.query("ec2", action, params, **self.as_controller())

    def look(self):
        pods = self.lab.kube.items("/api/v1/pods")
        own = [n for n in self.lab.kube.items("/api/v1/nodes") if LABEL in n["metadata"].get("labels", {})]
        known = {n["spec"]["providerID"].split("/")[-1] for n in own}
        now = time.monotonic()
        arrived = [i for i in self._coming if i in known]
        self._quiet_until = now + SETTLE if arrived else self._quiet_until
        self._coming = {i: t for i, t in self._coming.items() if i not in known and now - t < 60}
        for p in self.lab.kube.items(PROVISIONERS):
            self.launch(p, [x for x in pods if pending(x)])
            self.empty(p, [n for n in own if n["metadata"]["labels"][LABEL] == p["metadata"]["name"]], pods)
        for n in own:
            if n["metadata"].get("deletionTimestamp"):
                self.terminate(n)

    def launch(self, provisioner, waiting):
        """One instance at a time for what is pending."""
        spec = provisioner["spec"]
        if not waiting or self._coming or time.monotonic() < self._quiet_until:
            return
        if not spec.get("limits") or not spec.get("providerRef"):
            return
        template = self.lab.kube.find(f"{TEMPLATES}/{spec['providerRef']['name']}")
        subnets = template and self.matching("DescribeSubnets", "subnet", template["spec"].get("subnetSelector"))
        groups = template and self.matching("DescribeSecurityGroups", "group", template["spec"].get("securityGroupSelector"))
        if not subnets or not groups:
            self.say("no AWSNodeTemplate, or its selectors find no subnet or no security group")
            return
        name = provisioner["metadata"]["name"]
        profile = template["spec"].get("instanceProfile") or self.default_profile
        form = {"MinCount": 1, "MaxCount": 1, "InstanceType": TYPE, "SubnetId": subnets[0], "SecurityGroupId.1": groups[0],
                "ImageId": "ami-0123456789abcdef0", "TagSpecification.1.ResourceType": "instance",
                "IamInstanceProfile.Name": profile}
        for n, (k, v) in enumerate({f"kubernetes.io/cluster/{self.cluster}": "owned", LABEL: name,
                                    "Name": f"{LABEL}/{name}"}.items(), 1):
            form |= {f"TagSpecification.1.Tag.{n}.Key": k, f"TagSpecification.1.Tag.{n}.Value": v}
        answer = self.ec2("RunInstances", **form)
        instance = answer.findtext(".//instanceId")
        self._coming[instance] = time.monotonic()
        zone = answer.findtext(".//availabilityZone") or self.lab.zones()[0]
        self.say(f"{len(waiting)} pending pods, started {instance}")
        nodes.later(self.lab.settings["join_seconds"], self.join, instance, zone, name, profile)

    def matching(self, action, kind, selector):
        """Ids of the subnets or groups with the selector's tags."""
        form = {}
        for n, (k, v) in enumerate((selector or {}).items(), 1):
            form |= {f"Filter.{n}.Name": f"tag:{k}", f"Filter.{n}.Value.1": v}
        field = {"subnet": ".//subnetSet/item/subnetId", "group": ".//securityGroupInfo/item/groupId"}[kind]
        return [e.text for e in self.ec2(action, **form).findall(field)] if form else []

    def join(self, instance, zone, provisioner, profile):
        allowed, why = nodes.may_join(self.lab, profile)
        if not allowed:
            self.say(f"instance {instance} does not join: {why}")
            return
        body = nodes.node(self.lab, self.lab.region, instance, zone, TYPE,
                          {LABEL: provisioner, "karpenter.sh/capacity-type": "spot"}, [])
        body["metadata"]["finalizers"] = [FINALIZER]
        nodes.register(self.lab, body)

    def empty(self, provisioner, own, pods):
        """Deletes Nodes that have been empty for long enough."""
        ttl = provisioner["spec"].get("ttlSecondsAfterEmpty")
        if ttl is None:
            ttl = 0 if (provisioner["spec"].get("consolidation") or {}).get("enabled") else None
        for n in own:
            name = n["metadata"]["name"]
            busy = any(p["spec"].get("nodeName") == name and not daemon(p) for p in pods)
            if busy or ttl is None:
                self._empty_since.pop(name, None)
            elif time.monotonic() - self._empty_since.setdefault(name, time.monotonic()) >= ttl:
                self.lab.kube.delete(f"/api/v1/nodes/{name}")

    def terminate(self, node):
        instance = re.sub(".*/", "", node["spec"]["providerID"])
        self.ec2("TerminateInstances", **{"InstanceId.1": instance})
        kept = [f for f in node["metadata"].get("finalizers", []) if f != FINALIZER]
        self.lab.kube.merge(f"/api/v1/nodes/{node['metadata']['name']}", {"metadata": {"finalizers": kept}})
        self.say(f"terminated {instance}")


def daemon(pod):
    return any(o["kind"] == "DaemonSet" for o in pod["metadata"].get("ownerReferences", []))


def pending(pod):
    """Whether the scheduler has said that a pod fits nowhere."""
    return pod["status"].get("phase") == "Pending" and any(
        c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in pod["status"].get("conditions", []))
