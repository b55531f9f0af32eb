"""What others have beside our cluster, with names and marks that come as close to ours as can be, and how it is told whether it was touched."""

import json
import subprocess

from ways import EXISTING, NEWEST, must

SECOND = "demo-2"  # a cluster whose name begins as ours does
REGION, ACCOUNT = "us-west-2", "123456789012"
OF_OTHERS = "demo-karpenter-of-others"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
SOME = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]})
NOTHING = json.dumps({"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
TAGGED = ("subnet", "security-group", "vpc", "launch-template")  # of what else has tags, most comes and goes


def crd(group, plural):
    """A custom resource definition of somebody's own."""
    kind = plural.capitalize().removesuffix("s")
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Cluster", "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


def thing(kind, name, namespace=None, api="v1", **more):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


def objects():
    """What lies in the cluster; the namespace and the definitions first."""
    labels = {"app.kubernetes.io/name": "karpenter"}  # as the chart's own pods are found
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    release = thing("Secret", "sh.helm.release.v1.karpenter.v1", "others", type="helm.sh/release.v1", data={"release": "eA=="})
    release["metadata"]["labels"] = {"owner": "helm", "name": "karpenter", "status": "superseded", "version": "1"}
    return [
        thing("Namespace", "others"),
        crd("karpenter.of-others.example", "nodepools"),
        thing("Deployment", "neighbour", "others", "apps/v1", spec={"selector": {"matchLabels": labels}, "template": pod}),
        release,
        thing("ServiceAccount", "karpenter", "others"),
        thing("ServiceAccount", "karpenter-of-others", "kube-system"),
        thing("ConfigMap", "karpenter-global-settings", "kube-system", data={"clusterName": "demo"}),
        thing("ClusterRole", "karpenter-of-others", api="rbac.authorization.k8s.io/v1", rules=[]),
    ]


class Neighbours:
    """What others have in a stage."""

    def __init__(self, stage):
        self.stage = stage

    def tool(self, *words, stdin=None):
        done = subprocess.run(words, env=self.stage.env, capture_output=True, text=True, input=stdin)
        if done.returncode:
            raise AssertionError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def aws(self, *words):
        return json.loads(self.tool("aws", *words, "--output", "json") or "{}")

    def kubectl(self, *words, stdin=None):
        return self.tool("kubectl", "--kubeconfig", self.stage.ready["kubeconfig"], *words, stdin=stdin)

    def settle(self):
        """They come before us."""
        self.second_cluster()
        self.roles()
        self.aws("sqs", "create-queue", "--queue-name", "demo2")
        self.templates()
        self.in_our_cluster()
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()}))
        self.kubectl("wait", "--for", "condition=Established", "crd/nodepools.karpenter.of-others.example")
        theirs = thing("Nodepool", "default", api="karpenter.of-others.example/v1")
        self.kubectl("apply", "-f", "-", stdin=json.dumps(theirs))

    def second_cluster(self):
        """With all in AWS that karpctl makes for it, and somebody at work on it."""
        self.stage.call("POST", "clusters", {"name": SECOND, "nodes": 0, "oidc": True, "pod_identity_agent": True})
        ours, self.stage.cluster = self.stage.cluster, SECOND
        try:
            must(self.stage.run(["iam", *EXISTING, "--karpenter-version", NEWEST]))
        finally:
            self.stage.cluster = ours
        self.aws("cloudformation", "create-stack", "--stack-name", f"karpctl-lock-{SECOND}", "--template-body", NOTHING)
        for name, path, role in ((f"{SECOND}_815", f"/karpenter/{REGION}/{SECOND}/1/", f"KarpenterNodeRole-{SECOND}"),
                                 (f"{SECOND}_816", f"/karpenter/{REGION}/{SECOND}/2/", None), ("demo_2_817", "/", None)):
            self.profile(name, path, role)

    def profile(self, name, path, role):
        self.aws("iam", "create-instance-profile", "--instance-profile-name", name, "--path", path)
        if role:
            self.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", name, "--role-name", role)

    def roles(self):
        self.aws("iam", "create-role", "--role-name", OF_OTHERS, "--assume-role-policy-document", TRUST)
        self.aws("iam", "put-role-policy", "--role-name", OF_OTHERS, "--policy-name", "karpenter", "--policy-document", SOME)
        self.aws("iam", "create-policy", "--policy-name", "KarpenterControllerPolicy-demo-of-others", "--policy-document", SOME)
        self.profile("demo2_0123456789", "/", OF_OTHERS)

    def templates(self):
        """One of another cluster's Karpenter, and one that somebody tagged with ours."""
        for name, key, cluster in (("karpenter.k8s.aws/of-others", "karpenter.k8s.aws/cluster", SECOND),
                                   (f"Karpenter-{SECOND}-1", "eks:eks-cluster-name", SECOND), ("of-others", "eks:eks-cluster-name", "demo")):
            self.aws("ec2", "create-launch-template", "--launch-template-name", name, "--launch-template-data", '{"InstanceType":"m5.large"}',
                     "--tag-specifications", f"ResourceType=launch-template,Tags=[{{Key={key},Value={cluster}}}]")

    def in_our_cluster(self):
        """An access entry, an association, and tags of the network: their own, and one that was there before karpctl."""
        arn, cluster = f"arn:aws:iam::{ACCOUNT}:role/{OF_OTHERS}", ("--cluster-name", "demo")
        self.aws("eks", "create-access-entry", *cluster, "--principal-arn", arn)
        self.aws("eks", "associate-access-policy", *cluster, "--principal-arn", arn, "--access-scope", "type=cluster", "--policy-arn",
                 "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")
        self.aws("eks", "create-pod-identity-association", *cluster, "--namespace", "others", "--service-account", "karpenter",
                 "--role-arn", arn)
        subnets = self.aws("eks", "describe-cluster", "--name", "demo")["cluster"]["resourcesVpcConfig"]["subnetIds"]
        self.aws("ec2", "create-tags", "--resources", *subnets, "--tags", "Key=team,Value=others", f"Key=karpenter.sh/{SECOND},Value=x")
        self.aws("ec2", "create-tags", "--resources", subnets[0], "--tags", "Key=karpenter.sh/discovery,Value=demo")

    def marks(self):
        """All about them that an inventory does not tell, for comparison with later."""
        iam = self.aws("iam", "get-account-authorization-details")
        for role in iam["RoleDetailList"]:
            role.pop("RoleLastUsed", None)
        eks = {}
        for arn in self.aws("eks", "list-access-entries", "--cluster-name", "demo")["accessEntries"]:
            where = ("--cluster-name", "demo", "--principal-arn", arn)
            eks[arn] = [self.aws("eks", "describe-access-entry", *where)["accessEntry"],
                        self.aws("eks", "list-associated-access-policies", *where)["associatedAccessPolicies"]]
        stacks = self.aws("cloudformation", "describe-stacks")["Stacks"]
        tags = self.aws("ec2", "describe-tags")["Tags"]
        wanted = json.loads(self.kubectl("get", "-f", "-", "-o", "json", stdin=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": [*objects(), thing("Nodepool", "default", api="karpenter.of-others.example/v1")]})))
        return {
            "iam": {kind: sorted(iam[kind], key=json.dumps) for kind in ("RoleDetailList", "Policies")},
            "access": eks,
            "stacks": sorted(((s["StackId"], s.get("LastUpdatedTime"), s["StackStatus"]) for s in stacks)),
            "tags": sorted((t["ResourceId"], t["Key"], t["Value"]) for t in tags if t["ResourceType"] in TAGGED),
            "objects": [(o["kind"], o["metadata"]["name"], o["metadata"]["uid"], o["metadata"].get("generation"), o.get("data"), o.get("spec"))
                        for o in wanted["items"]],
            "aws-auth": self.kubectl("-n", "kube-system", "get", "configmap", "aws-auth", "-o", "jsonpath={.data}"),
        }
