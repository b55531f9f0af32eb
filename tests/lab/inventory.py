"""Everything that exists in the lab now, so that a test can say "empty again"."""

import webhook

QUIET_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
CUSTOM = {
    "nodepools": "/apis/karpenter.sh/v1/nodepools",
    "nodeclaims": "/apis/karpenter.sh/v1/nodeclaims",
    "ec2nodeclasses": "/apis/karpenter.k8s.aws/v1/ec2nodeclasses",
    "provisioners": "/apis/karpenter.sh/v1alpha5/provisioners",
    "awsnodetemplates": "/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates",
}


def tags_of(item):
    """Tags of an EC2 item."""
    return {t.findtext("key"): t.findtext("value") for t in item.findall("tagSet/item")}


class Reader:
    """Reads one kind after another."""

    def __init__(self, lab):
        self.lab = lab

    def query(self, service, action, where, params=None):
        """The elements at `where` in an answer."""
        return self.lab.aws.query(service, action, params).findall(where)

    def texts(self, service, action, where, field, params=None):
        return sorted(e.findtext(field) or "" for e in self.query(service, action, where, params))

    # --- AWS
    def stacks(self):
        found = self.query("cloudformation", "DescribeStacks", ".//Stacks/member")
        return sorted(f"{m.findtext('StackName')}" for m in found if m.findtext("StackStatus") != "DELETE_COMPLETE")

    def roles(self):
        """(roles, service-linked roles)."""
        found = self.query("iam", "ListRoles", ".//Roles/member", {"MaxItems": 1000})
        linked = [m for m in found if (m.findtext("Path") or "").startswith("/aws-service-role/")]
        return (sorted(m.findtext("RoleName") for m in found if m not in linked),
                sorted(m.findtext("RoleName") for m in linked))

    def attached(self, roles):
        """role: policy, for what is attached to roles."""
        return sorted(f"{r}: {p.findtext('PolicyName')}" for r in roles for p in self.query(
            "iam", "ListAttachedRolePolicies", ".//AttachedPolicies/member", {"RoleName": r}))

    def clusters(self):
        """Clusters and what belongs to them."""
        rest, out = self.lab.aws.rest, {"clusters": [], "nodegroups": [], "addons": [], "pod_identity_associations": [],
                                        "access_entries": [], "fargate_profiles": []}
        for c in rest("eks", "GET", "/clusters").get("clusters", []):
            out["clusters"].append(c)
            out["nodegroups"] += [f"{c}/{n}" for n in rest("eks", "GET", f"/clusters/{c}/node-groups")["nodegroups"]]
            out["addons"] += [f"{c}/{n}" for n in rest("eks", "GET", f"/clusters/{c}/addons")["addons"]]
            out["access_entries"] += [f"{c}/{n}" for n in rest("eks", "GET", f"/clusters/{c}/access-entries")["accessEntries"]]
            out["fargate_profiles"] += [
                f"{c}/{n}" for n in rest("eks", "GET", f"/clusters/{c}/fargate-profiles")["fargateProfileNames"]]
            out["pod_identity_associations"] += [
                f"{c}/{a['namespace']}/{a['serviceAccount']}"
                for a in rest("eks", "GET", f"/clusters/{c}/pod-identity-associations")["associations"]]
        return out

    def network(self):
        """VPCs other than the default one, with what is in them, and EC2 things tagged for discovery."""
        vpcs = self.query("ec2", "DescribeVpcs", ".//vpcSet/item")
        ours = {v.findtext("vpcId") for v in vpcs if v.findtext("isDefault") != "true"}
        subnets = [s for s in self.query("ec2", "DescribeSubnets", ".//subnetSet/item") if s.findtext("vpcId") in ours]
        # the emulator keeps the default group of a VPC that is gone
        groups = [g for g in self.query("ec2", "DescribeSecurityGroups", ".//securityGroupInfo/item")
                  if g.findtext("vpcId") in ours]
        tagged = [i.findtext("subnetId") or i.findtext("groupId") for i in [*subnets, *groups]
                  if "karpenter.sh/discovery" in tags_of(i)]
        return {"vpcs": sorted(ours),
                "subnets": sorted(s.findtext("subnetId") for s in subnets),
                "security_groups": sorted(g.findtext("groupId") for g in groups), "discovery_tagged": sorted(tagged)}

    def instances(self):
        found = self.query("ec2", "DescribeInstances", ".//instancesSet/item")
        return sorted(i.findtext("instanceId") for i in found
                      if i.findtext("instanceState/name") not in ("terminated", "shutting-down"))

    def queues(self):
        urls = self.lab.aws.target("sqs", "AmazonSQS.ListQueues", {}).get("QueueUrls") or []
        return sorted(u.rsplit("/", 1)[-1] for u in urls)

    def rules(self):
        return sorted(r["Name"] for r in self.lab.aws.target("events", "AWSEvents.ListRules", {}).get("Rules", []))

    def aws(self):
        roles, linked = self.roles()
        document = {
            "stacks": self.stacks(), "roles": roles, "attached_policies": self.attached(roles),
            "policies": self.texts("iam", "ListPolicies", ".//Policies/member", "PolicyName",
                                   {"Scope": "Local", "MaxItems": 1000}),
            "instance_profiles": self.texts("iam", "ListInstanceProfiles", ".//InstanceProfiles/member",
                                            "InstanceProfileName"),
            "oidc_providers": self.texts("iam", "ListOpenIDConnectProviders", ".//OpenIDConnectProviderList/member", "Arn"),
            "queues": self.queues(), "event_rules": self.rules(), "instances": self.instances(),
            "launch_templates": self.texts("ec2", "DescribeLaunchTemplates", ".//launchTemplates/item",
                                           "launchTemplateName"),
            **self.clusters(), **self.network()}
        return document, {"service_linked_roles": linked}

    # --- Kubernetes
    def kubernetes(self):
        items = self.lab.kube.items
        names = lambda path: sorted(i["metadata"]["name"] for i in items(path))  # noqa: E731
        revisions = [(f"{s['metadata']['namespace']}/{s['metadata']['labels']['name']}", s["metadata"]["labels"]["status"])
                     for s in items("/api/v1/secrets?labelSelector=owner%3Dhelm")]
        releases = {name for name, _ in revisions}
        crds = names("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        return {
            "helm_releases": sorted(releases),
            "helm_standing": sorted(f"{name} {status}" for name, status in revisions if status != "superseded"), "crds": [c for c in crds if "karpenter" in c],
            "namespaces": [n for n in names("/api/v1/namespaces") if n not in QUIET_NAMESPACES],
            "nodes": names("/api/v1/nodes"),
            "deployments": sorted(f"{d['metadata']['namespace']}/{d['metadata']['name']}"
                                  for d in items("/apis/apps/v1/deployments")),
            "aws_auth": sorted(str(r.get("rolearn") or r.get("userarn")) for r in webhook.rows(self.lab)),
            **{kind: names(path) for kind, path in CUSTOM.items()}}


def take(lab):
    """{"aws": …, "kubernetes": …, "account_level": …, "empty": bool}; waits while the cluster is being emptied."""
    lab.wait_for_kube()
    reader = Reader(lab)
    in_aws, account = reader.aws()
    in_kube = reader.kubernetes()
    return {"aws": in_aws, "kubernetes": in_kube, "account_level": account,
            "empty": not any(in_aws.values()) and not any(in_kube.values())}
