"""The add-on vpc-cni, as far as eksctl looks at it inside the cluster: its ServiceAccount, with the role that EKS writes there.

By it eksctl decides whether the role of a node group needs the CNI's policy.
"""

ANNOTATION = "eks.amazonaws.com/role-arn"
ADDON = "vpc-cni"
ACCOUNTS = "/api/v1/namespaces/kube-system/serviceaccounts"
NAME = "aws-node"


def changed(lab, call):
    """After CreateAddon or UpdateAddon, of any add-on."""
    if (call.json.get("addonName") or call.segments[3]) != ADDON:
        return
    role = call.json.get("serviceAccountRoleArn")  # None takes it away
    lab.kube.ensure(ACCOUNTS, {"metadata": {"name": NAME, "namespace": "kube-system"}})
    lab.kube.call("PATCH", f"{ACCOUNTS}/{NAME}", {"metadata": {"annotations": {ANNOTATION: role}}}, "application/merge-patch+json")
