"""The add-ons vpc-cni and kube-proxy inside the cluster: the DaemonSet of each, and the ServiceAccount of the first, with the role that
EKS writes there.

By that role eksctl decides whether the role of a node group needs the CNI's policy.
"""

ANNOTATION = "eks.amazonaws.com/role-arn"
ACCOUNTS = "/api/v1/namespaces/kube-system/serviceaccounts"
SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
# add-on -> its DaemonSet and the end of its image
DAEMONS = {"vpc-cni": ("aws-node", "amazon-k8s-cni:v1.20.4"), "kube-proxy": ("kube-proxy", "eks/kube-proxy:v1.34.1-minimal-eksbuild.2")}
ELSEWHERE = {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate", "hybrid", "auto"]}


def changed(lab, call):
    """After CreateAddon or UpdateAddon, of any add-on."""
    addon = call.json.get("addonName") or call.segments[3]
    if addon not in DAEMONS:
        return
    lab.kube.ensure(SETS, daemon_set(*DAEMONS[addon]))
    if addon == "vpc-cni":
        name, role = DAEMONS[addon][0], call.json.get("serviceAccountRoleArn")  # None takes it away
        lab.kube.ensure(ACCOUNTS, {"metadata": {"name": name, "namespace": "kube-system"}})
        lab.kube.call("PATCH", f"{ACCOUNTS}/{name}", {"metadata": {"annotations": {ANNOTATION: role}}}, "application/merge-patch+json")


def daemon_set(name, image):
    """As EKS makes it, as far as it is looked at: on every node but Fargate's."""
    labels = {"k8s-app": name}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [ELSEWHERE]}]}}}
    spec = {"containers": [{"name": name, "image": f"602401143452.dkr.ecr.us-west-2.amazonaws.com/{image}"}],
            "tolerations": [{"operator": "Exists"}], "affinity": affinity, "hostNetwork": True}
    return {"metadata": {"name": name, "namespace": "kube-system", "labels": labels}, "spec": {
        "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}}
