"""Nodes: when an instance of a node group or of Karpenter starts, its Node joins the cluster some seconds later.

kwok then makes it Ready. A Node is named after its instance (`i-….<region>.compute.internal`), because the emulator
gives the same private address to many. As on EKS, a node whose role the cluster does not know does not join.
"""

import json
import re
import sys
import threading
import time

import yaml

import aws
import quirks_catalogue
import webhook
from kube import KubeError
from supervisor import PartError

_lock = threading.Lock()
GROUPS = {}  # (lab, cluster, group) -> [(node name, instance id, region)]


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def node(lab, region, instance, zone, kind, labels, taints, version="v1.36.3-eks-lab"):
    """A Node as a kubelet on EKS registers it."""
    try:
        cpu, memory = quirks_catalogue.sizes(lab).get(kind, (2, 8192))
    except PartError:
        cpu, memory = 2, 8192
    name = f"{instance}.{region}.compute.internal"
    arch = "arm64" if re.match(r"[a-z]+\d+g[a-z]*\.", kind) else "amd64"
    capacity = {"cpu": str(cpu), "memory": f"{memory}Mi", "pods": "58" if cpu > 2 else "29", "ephemeral-storage": "80Gi"}
    info = dict.fromkeys(("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "osImage",
                          "systemUUID"), "")
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {
            "kubernetes.io/arch": arch, "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
            "node.kubernetes.io/instance-type": kind, "topology.kubernetes.io/zone": zone,
            "topology.kubernetes.io/region": region, **labels}},
        "spec": {"providerID": f"aws:///{zone}/{instance}", "taints": taints},
        "status": {"capacity": capacity,
                   "allocatable": {**capacity, "cpu": f"{cpu * 1000 - 70}m", "memory": f"{memory - 690}Mi",
                                   "ephemeral-storage": "70Gi"},
                   "nodeInfo": {**info, "kubeletVersion": version, "architecture": arch, "operatingSystem": "linux"}}}


def register(lab, body):
    try:
        lab.kube.ensure("/api/v1/nodes", body)
    except (KubeError, OSError) as e:
        say(f"node {body['metadata']['name']} could not join: {e}")


def later(seconds, action, *args):
    """Runs an action in some seconds; what it raises is told."""
    def run():
        time.sleep(seconds)
        try:
            action(*args)
        except (aws.AwsError, KubeError, OSError, PartError) as e:
            say(f"{action.__name__}: {e}")
    threading.Thread(target=run, daemon=True).start()


# --- node groups

def group_created(lab, cluster, group):
    """Instances start at once, their Nodes join later."""
    found = lab.aws.rest("eks", "GET", f"/clusters/{cluster}/node-groups/{group}")["nodegroup"]
    region = found["nodegroupArn"].split(":")[3]
    know_role(lab, cluster, found.get("nodeRole"))
    kind = (found.get("instanceTypes") or ["m5.large"])[0]
    count = int((found.get("scalingConfig") or {}).get("desiredSize") or 2)
    started = start_instances(lab, region, cluster, group, kind, found.get("subnets") or [], count)
    with _lock:
        GROUPS[id(lab), cluster, group] = [(f"{i}.{region}.compute.internal", i, region) for i, _ in started]
    for instance, zone in started:
        later(lab.settings["join_seconds"], join_group, lab, region, cluster, group, instance, zone, kind, found)


def group_scaled(lab, cluster, group):
    """As many instances as are wanted now. Those that go are the oldest of the zone with the most, as EC2 Auto Scaling chooses;
    they go at once, whatever still runs on them."""
    found = lab.aws.rest("eks", "GET", f"/clusters/{cluster}/node-groups/{group}")["nodegroup"]
    region, kind = found["nodegroupArn"].split(":")[3], (found.get("instanceTypes") or ["m5.large"])[0]
    wanted = int(found["scalingConfig"]["desiredSize"])
    with _lock:
        have = list(GROUPS.get((id(lab), cluster, group), []))
    known = {n["metadata"]["name"]: n["metadata"] for n in lab.kube.items("/api/v1/nodes")}
    age = lambda name: (known[name]["creationTimestamp"], name) if name in known else ("", name)  # noqa: E731
    zone = lambda name: known.get(name, {}).get("labels", {}).get("topology.kubernetes.io/zone")  # noqa: E731
    gone = []
    while len(have) > wanted:
        zones = [zone(name) for name, _, _ in have]
        fullest = max(map(zones.count, zones))
        gone.append(min((n for n in have if zones.count(zone(n[0])) == fullest), key=lambda n: age(n[0])))
        have.remove(gone[-1])
    started = start_instances(lab, region, cluster, group, kind, found.get("subnets") or [], wanted - len(have))
    have += [(f"{i}.{region}.compute.internal", i, region) for i, _ in started]
    with _lock:
        GROUPS[id(lab), cluster, group] = have
    for instance, zone in started:
        later(lab.settings["join_seconds"], join_group, lab, region, cluster, group, instance, zone, kind, found)
    remove_members(lab, gone)


def start_instances(lab, region, cluster, group, kind, subnets, count):
    """`count` instances over the group's subnets: (instance id, zone)."""
    where = []
    for s in subnets:
        try:
            zone = lab.aws.query("ec2", "DescribeSubnets", {"SubnetId.1": s}, region=region).findtext(".//availabilityZone")
        except aws.AwsError:
            continue
        if zone and zone not in (z for _, z in where):
            where.append((s, zone))
    where = sorted(where, key=lambda w: w[1]) or [(None, z) for z in lab.zones()]
    out = []
    for n in range(count):
        subnet, zone = where[n % len(where)]
        form = {"MinCount": 1, "MaxCount": 1, "InstanceType": kind, "TagSpecification.1.ResourceType": "instance"}
        form |= {"SubnetId": subnet} if subnet else {}
        for t, (k, v) in enumerate({"Name": f"{cluster}-{group}-Node", "eks:cluster-name": cluster,
                                    "eks:nodegroup-name": group, f"kubernetes.io/cluster/{cluster}": "owned"}.items(), 1):
            form |= {f"TagSpecification.1.Tag.{t}.Key": k, f"TagSpecification.1.Tag.{t}.Value": v}
        out.append((lab.aws.query("ec2", "RunInstances", {**form, "ImageId": "ami-0123456789abcdef0"}, region=region)
                    .findtext(".//instanceId"), zone))
    return out


def join_group(lab, region, cluster, group, instance, zone, kind, found):
    """The Node of one instance, unless the group went away meanwhile."""
    with _lock:
        if (id(lab), cluster, group) not in GROUPS:
            return
    labels = {"eks.amazonaws.com/nodegroup": group, "eks.amazonaws.com/capacityType": "ON_DEMAND",
              "alpha.eksctl.io/cluster-name": cluster, "alpha.eksctl.io/nodegroup-name": group, **(found.get("labels") or {})}
    effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
    taints = [{"key": t["key"], "value": t.get("value", ""), "effect": effects[t["effect"]]}
              for t in found.get("taints") or []]
    register(lab, node(lab, region, instance, zone, kind, labels, taints, f"v{found.get('version', '1.36')}.0-eks-lab"))


def group_deleted(lab, cluster, group):
    """Its Nodes and instances go."""
    with _lock:
        gone = GROUPS.pop((id(lab), cluster, group), [])
    remove_members(lab, gone)


def remove_members(lab, gone):
    """Ends instances of a group, and their Nodes."""
    for name, instance, region in gone:
        try:
            lab.aws.query("ec2", "TerminateInstances", {"InstanceId.1": instance}, region=region)
            lab.kube.delete(f"/api/v1/nodes/{name}")
        except (aws.AwsError, KubeError, OSError) as e:
            say(f"node {name} could not be removed: {e}")


def cluster_deleted(lab, cluster):
    for _, name, group in [k for k in GROUPS if k[0] == id(lab) and k[1] == cluster]:
        group_deleted(lab, name, group)


# --- who may join

def know_role(lab, cluster, role):
    """EKS itself makes a managed node group's role known: an access entry, or a row of aws-auth."""
    if not role:
        return
    mode = (lab.aws.rest("eks", "GET", f"/clusters/{cluster}")["cluster"].get("accessConfig") or {}).get(
        "authenticationMode") or "CONFIG_MAP"
    if "API" in mode:
        lab.aws.send("eks", "POST", f"/clusters/{cluster}/access-entries",
                     json.dumps({"principalArn": role, "type": "EC2_LINUX"}), "application/json")
    if "CONFIG_MAP" in mode:
        add_aws_auth(lab, {"rolearn": role, "username": "system:node:{{EC2PrivateDNSName}}",
                           "groups": ["system:bootstrappers", "system:nodes"]})


def add_aws_auth(lab, row):
    """Adds a row to mapRoles, unless its role is there."""
    if any(r.get("rolearn") == row["rolearn"] for r in webhook.rows(lab)):
        return
    path = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
    found = lab.kube.find(path)
    if not found:
        lab.kube.ensure("/api/v1/namespaces/kube-system/configmaps",
                        {"metadata": {"name": "aws-auth", "namespace": "kube-system"},
                         "data": {"mapRoles": yaml.safe_dump([row])}})
        return
    rows = yaml.safe_load((found.get("data") or {}).get("mapRoles") or "[]") or []
    lab.kube.merge(path, {"data": {"mapRoles": yaml.safe_dump([*rows, row])}})


def role_of_profile(lab, profile):
    """The role's ARN of an instance profile given by name or ARN, or None."""
    if not profile:
        return None
    try:
        answer = lab.aws.query("iam", "GetInstanceProfile", {"InstanceProfileName": profile.split("/")[-1]})
    except aws.AwsError:
        return None
    return answer.findtext(".//Roles/member/Arn")


def may_join(lab, profile):
    """Whether some cluster maps the role of an instance profile to nodes."""
    role = role_of_profile(lab, profile)
    if not role:
        return False, f"instance profile {profile} has no role"
    authenticator = webhook.Authenticator(lab)
    arn = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/i-0"
    for cluster in lab.aws.clusters():
        user = authenticator.in_cluster(cluster, arn)
        if user and "system:nodes" in user["groups"]:
            return True, ""
    return False, f"no access entry and no aws-auth row makes {role} a node"


# --- Karpenter's instances

def karpenter_instance(lab, region, instance, zone, kind, profile):
    """A Node that joins with the taint Karpenter waits for."""
    later(lab.settings["join_seconds"], join_karpenter, lab, region, instance, zone, kind, profile)


def join_karpenter(lab, region, instance, zone, kind, profile):
    allowed, why = may_join(lab, profile)
    if not allowed:
        say(f"instance {instance} does not join: {why}")
        return
    register(lab, node(lab, region, instance, zone, kind, {},
                       [{"key": "karpenter.sh/unregistered", "effect": "NoExecute"}]))


def instances_terminated(lab, instances):
    """EKS's cloud controller removes the Nodes of instances that are gone."""
    later(5, remove_nodes, lab, set(instances))


def remove_nodes(lab, instances):
    for n in lab.kube.items("/api/v1/nodes"):
        if n["spec"].get("providerID", "").split("/")[-1] in instances:
            lab.kube.delete(f"/api/v1/nodes/{n['metadata']['name']}")
