"""What the rest of the world does when AWS resources come and go: tags spread, Nodes join, a deleted cluster is empty."""

import threading

import aws
import controlplane
import fargate
import nodes
import stack_endpoints


def stack_changed(lab, call, view, resources, changed, tags):
    """After a stack's create or update: stack tags on its resources, and the cluster side of what is new."""
    for r in resources:
        own = {"aws:cloudformation:stack-name": view.name, "aws:cloudformation:stack-id": view.id,
               "aws:cloudformation:logical-id": r["logical"]}
        try:
            tag(lab, call.region, r, {**tags, **own})
        except aws.AwsError as e:
            call.notes["tagging"] = str(e)[:200]
    for r in changed:
        if r["type"] == "AWS::EKS::Cluster":
            cluster_created(lab, call, r["physical"].split("/")[-1])
        if r["type"] == "AWS::EKS::Nodegroup":
            cluster, group = nodegroup_names(r["physical"])
            nodes.group_created(lab, cluster, group)
        if r["type"] == stack_endpoints.KIND:
            stack_endpoints.made(lab, call, r, resources)


def nodegroup_names(physical):
    """cluster and group of a node group's physical id: `cluster/group`, or its ARN."""
    parts = physical.split(":nodegroup/")[-1].split("/")
    return parts[0], parts[1] if len(parts) > 1 else parts[0]


def tag(lab, region, resource, tags):
    """CloudFormation puts stack tags on what it makes; the emulator does not."""
    kind, physical = resource["type"], resource["physical"]
    if kind.startswith("AWS::EC2::") and physical.split("-")[0] in (
            "subnet", "sg", "vpc", "rtb", "igw", "nat", "eipalloc", "lt"):
        form = {"ResourceId.1": physical}
        for n, (k, v) in enumerate(tags.items(), 1):
            form |= {f"Tag.{n}.Key": k, f"Tag.{n}.Value": v}
        lab.aws.query("ec2", "CreateTags", form, region=region)
    elif kind == "AWS::IAM::Role":
        form = {"RoleName": physical.split("/")[-1]}
        for n, (k, v) in enumerate(tags.items(), 1):
            form |= {f"Tags.member.{n}.Key": k, f"Tags.member.{n}.Value": v}
        lab.aws.query("iam", "TagRole", form)
    elif kind == "AWS::EKS::Cluster":
        arn = lab.arn("eks", f"cluster/{physical.split('/')[-1]}", region)
        lab.aws.rest("eks", "POST", f"/tags/{aws.quote(arn)}", {"tags": tags}, region=region)
    elif kind == "AWS::SQS::Queue":
        lab.aws.target("sqs", "AmazonSQS.TagQueue", {"QueueUrl": physical, "Tags": tags}, region=region)


def cluster_created(lab, call, name):
    """The creator is administrator of a new cluster."""
    arn, _ = lab.aws.caller(call.key or "test", call.token)
    lab.creators[name] = aws.canonical(arn)


def stack_deleted(lab, resources):
    """After a stack's deletion."""
    for r in resources:
        if r["type"] == "AWS::EKS::Nodegroup":
            nodes.group_deleted(lab, *nodegroup_names(r["physical"]))
        if r["type"] == stack_endpoints.KIND:
            stack_endpoints.gone(lab, r)
    for r in resources:
        if r["type"] == "AWS::EKS::Cluster":
            cluster_deleted(lab, r["physical"].split("/")[-1])


def purge_cluster(lab, name):
    """Deletes what is in a cluster that is about to go: the emulator would show it again in the next of that name."""
    base = f"/clusters/{name}"
    try:
        for addon in lab.aws.rest("eks", "GET", f"{base}/addons").get("addons", []):
            lab.aws.rest("eks", "DELETE", f"{base}/addons/{addon}")
        for entry in lab.aws.rest("eks", "GET", f"{base}/access-entries").get("accessEntries", []):
            lab.aws.rest("eks", "DELETE", f"{base}/access-entries/{aws.quote(entry)}")
        for a in lab.aws.rest("eks", "GET", f"{base}/pod-identity-associations").get("associations", []):
            lab.aws.rest("eks", "DELETE", f"{base}/pod-identity-associations/{a['associationId']}")
    except aws.AwsError:
        pass  # no such cluster: the delete itself will say so


def cluster_deleted(lab, name):
    """The last cluster's objects go with it."""
    lab.creators.pop(name, None)
    if lab.settings["failed"] == name:
        lab.settings["failed"] = ""
    nodes.cluster_deleted(lab, name)
    fargate.cluster_deleted(lab, name)
    if not lab.aws.rest("eks", "GET", "/clusters").get("clusters"):
        emptied = threading.Event()
        threading.Thread(target=_empty, args=(lab, emptied), daemon=True).start()
        emptied.wait(5)  # until the lock is held: whoever asks next waits for a new cluster


def _empty(lab, held):
    with lab.kube_lock:
        held.set()
        lab.controllers.stop_all()
        controlplane.empty(lab)
