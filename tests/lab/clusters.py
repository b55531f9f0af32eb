"""POST /_lab/clusters: a cluster that is there already, made straight in the emulator in a second, without eksctl.

    name                 required
    version              any, e.g. "1.23"; default 1.34
    authenticationMode   CONFIG_MAP | API | API_AND_CONFIG_MAP (default)
    nodes                size of the node group; default 2, 0: none
    nodegroup            its name; default NAME-ng
    launch_template      it has one, which lets answers of the instance metadata make two hops; default false
    oidc                 make the IAM OIDC provider; default false
    pod_identity_agent   install that add-on; default false
    tags                 of the cluster and its network, e.g. {"karpenter.sh/discovery": NAME}; default none
    region               default the lab's
    kms_key              the ARN of the key of its secrets; default none
"""

import json

import nodes
import quirks_eks

KEYS = {"name", "version", "authenticationMode", "nodes", "nodegroup", "launch_template", "oidc", "pod_identity_agent", "tags", "region",
        "kms_key"}
CLUSTER_POLICIES = ("AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController")
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly",
                 "AmazonSSMManagedInstanceCore")


class Builder:
    """Makes the parts of one cluster."""

    def __init__(self, lab, wanted):
        self.lab, self.name = lab, wanted["name"]
        self.region = wanted.get("region") or lab.region
        self.tags = dict(wanted.get("tags") or {})
        self.wanted = wanted

    def ec2(self, action, **params):
        return self.lab.aws.query("ec2", action, params, region=self.region)

    def tag(self, ident, **more):
        form = {"ResourceId.1": ident}
        for n, (k, v) in enumerate({**self.tags, **more}.items(), 1):
            form |= {f"Tag.{n}.Key": k, f"Tag.{n}.Value": v}
        self.ec2("CreateTags", **form)

    def network(self):
        """A VPC with a public and a private subnet in zones a and b; the private subnets' ids, then the public ones'."""
        vpc = self.ec2("CreateVpc", CidrBlock="192.168.0.0/16").findtext(".//vpcId")
        self.tag(vpc, Name=f"{self.name}/VPC")
        self.ec2("ModifyVpcAttribute", VpcId=vpc, **{"EnableDnsHostnames.Value": "true"})
        gateway = self.ec2("CreateInternetGateway").findtext(".//internetGatewayId")
        self.ec2("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2("DescribeRouteTables", **{"Filter.1.Name": "vpc-id", "Filter.1.Value.1": vpc}).findtext(".//routeTableId")
        public = self.ec2("CreateRouteTable", VpcId=vpc).findtext(".//routeTableId")
        self.ec2("CreateRoute", RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        subnets = {}
        for k, (kind, role) in enumerate((("Public", "elb"), ("Private", "internal-elb"))):
            for z, zone in enumerate((f"{self.region}a", f"{self.region}b")):
                block = f"192.168.{32 * (2 * k + z)}.0/19"
                subnet = self.ec2("CreateSubnet", VpcId=vpc, CidrBlock=block, AvailabilityZone=zone).findtext(".//subnetId")
                self.tag(subnet, **{"Name": f"{self.name}/Subnet{kind}{zone}", f"kubernetes.io/role/{role}": "1",
                                    f"kubernetes.io/cluster/{self.name}": "shared"})
                subnets.setdefault(kind, []).append(subnet)
        for subnet in subnets["Public"]:
            self.ec2("AssociateRouteTable", RouteTableId=public, SubnetId=subnet)
            self.ec2("ModifySubnetAttribute", SubnetId=subnet, **{"MapPublicIpOnLaunch.Value": "true"})
        address = self.ec2("AllocateAddress", Domain="vpc").findtext("allocationId")
        nat = self.ec2("CreateNatGateway", SubnetId=subnets["Public"][0], AllocationId=address).findtext(".//natGatewayId")
        self.ec2("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
        return vpc, subnets["Private"], subnets["Public"]

    def role(self, name, service, policies):
        """An IAM role with AWS's own policies, made unless it is there; its ARN."""
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]}
        self.lab.aws.query_raw("iam", "CreateRole", {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(trust)})
        arn = self.lab.aws.query("iam", "GetRole", {"RoleName": name}).findtext(".//Role/Arn")
        for p in policies:
            # the emulator knows AWS's policies in the partition aws only
            self.lab.aws.query_raw("iam", "AttachRolePolicy", {
                "RoleName": name, "PolicyArn": f"arn:{self.lab.partition}:iam::aws:policy/{p}"})
        return arn

    def cluster(self, role, subnets):
        mode = self.wanted.get("authenticationMode") or "API_AND_CONFIG_MAP"
        body = {"name": self.name, "version": str(self.wanted.get("version") or "1.34"), "roleArn": role, "tags": self.tags,
                "resourcesVpcConfig": {"subnetIds": subnets, "endpointPublicAccess": True},
                "accessConfig": {"authenticationMode": mode, "bootstrapClusterCreatorAdminPermissions": True}}
        if key := self.wanted.get("kms_key"):
            body["encryptionConfig"] = [{"resources": ["secrets"], "provider": {"keyArn": key}}]
        self.lab.aws.rest("eks", "POST", "/clusters", body, region=self.region)
        self.lab.creators[self.name] = self.lab.arn("iam", "root")
        return self.lab.aws.rest("eks", "GET", f"/clusters/{self.name}")["cluster"]

    def node_group(self, subnets, count):
        role = self.role(f"{self.name}-node-group", f"ec2.{self.lab.dns}", NODE_POLICIES)
        group = self.wanted.get("nodegroup") or f"{self.name}-ng"
        template = {"launchTemplate": self.launch_template(group)} if self.wanted.get("launch_template") else {}
        self.lab.aws.rest("eks", "POST", f"/clusters/{self.name}/node-groups", {
            "nodegroupName": group, "nodeRole": role, "subnets": subnets, "instanceTypes": ["m5.large"], **template,
            "scalingConfig": {"minSize": 1, "maxSize": 10, "desiredSize": count}}, region=self.region)
        nodes.group_created(self.lab, self.name, group)
        return group

    def launch_template(self, name):
        made = self.ec2("CreateLaunchTemplate", LaunchTemplateName=name,
                        **{"LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit": 2})
        return {"id": made.findtext(".//launchTemplateId"), "version": "1"}

    def oidc_provider(self):
        url = quirks_eks.issuer(self.lab, self.name, self.region)
        return self.lab.aws.query("iam", "CreateOpenIDConnectProvider", {
            "Url": url, "ClientIDList.member.1": "sts.amazonaws.com",
            "ThumbprintList.member.1": "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"}).findtext(
                ".//OpenIDConnectProviderArn")

    def pod_identity_agent(self):
        self.lab.aws.rest("eks", "POST", f"/clusters/{self.name}/addons", {"addonName": "eks-pod-identity-agent"},
                          region=self.region)
        self.lab.aws.rest("eks", "GET", f"/clusters/{self.name}/addons/eks-pod-identity-agent")  # ACTIVE at a look


def make(lab, wanted):
    """The cluster, and what a test may need to know about it; raises ValueError for a wish that is not understood."""
    unknown = set(wanted) - KEYS
    if unknown or not wanted.get("name"):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}" if unknown else "a cluster needs a name")
    lab.wait_for_kube()
    b = Builder(lab, wanted)
    vpc, private, public = b.network()
    role = b.role(f"{b.name}-cluster", "eks.amazonaws.com", CLUSTER_POLICIES)
    cluster = b.cluster(role, private + public)
    group = cluster["resourcesVpcConfig"].get("clusterSecurityGroupId")
    if group and b.tags:
        b.tag(group)
    count = int(wanted.get("nodes", 2))
    return {"name": b.name, "arn": cluster["arn"], "version": cluster["version"], "vpc": vpc, "private_subnets": private,
            "public_subnets": public, "cluster_security_group": group, "cluster_role": role,
            "nodegroup": b.node_group(private, count) if count else None,
            "oidc_provider": b.oidc_provider() if wanted.get("oidc") else None,
            "pod_identity_agent": bool(wanted.get("pod_identity_agent")) and (b.pod_identity_agent() or True)}
