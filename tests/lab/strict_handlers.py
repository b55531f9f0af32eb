"""What CloudFormation calls with its caller's permissions: the permissions of the handlers of each resource type.

They are those of the types' schemas (`handlers.create.permissions` and `.delete.permissions`), without what only other
properties than ours call for: VPN gateways, VPC Lattice, IPAM pools, encryption controls, address transfers, and what
EKS Auto Mode needs.
"""

# type -> (actions to create it, actions to delete it, name property, form of its ARN after the account)
HANDLERS = {
    # --- the stack of the guide
    "AWS::IAM::Role": (
        ("iam:CreateRole", "iam:AttachRolePolicy", "iam:GetRole", "iam:TagRole"),
        ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:DetachRolePolicy", "iam:DeleteRolePolicy",
         "iam:DeleteRole"), "RoleName", "role/{}"),
    "AWS::IAM::ManagedPolicy": (
        ("iam:CreatePolicy",),
        ("iam:GetPolicy", "iam:ListPolicyVersions", "iam:ListEntitiesForPolicy", "iam:DeletePolicyVersion", "iam:DeletePolicy"),
        "ManagedPolicyName", "policy/{}"),
    "AWS::IAM::Policy": (  # into a role
        ("iam:PutRolePolicy", "iam:GetRolePolicy"), ("iam:GetRolePolicy", "iam:DeleteRolePolicy"), None, "role/{}"),
    "AWS::IAM::InstanceProfile": (
        ("iam:CreateInstanceProfile", "iam:PassRole", "iam:AddRoleToInstanceProfile", "iam:GetInstanceProfile"),
        ("iam:GetInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"),
        "InstanceProfileName", "instance-profile/{}"),
    "AWS::SQS::Queue": (
        ("sqs:CreateQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:TagQueue"),
        ("sqs:GetQueueAttributes", "sqs:DeleteQueue"), "QueueName", "{}"),
    "AWS::SQS::QueuePolicy": (("sqs:SetQueueAttributes",), ("sqs:SetQueueAttributes",), None, None),
    "AWS::Events::Rule": (
        ("events:DescribeRule", "events:PutRule", "events:PutTargets", "events:TagResource"),
        ("events:DescribeRule", "events:ListTargetsByRule", "events:RemoveTargets", "events:DeleteRule"), "Name", "rule/{}"),
    # --- eksctl's stacks
    "AWS::EC2::VPC": (
        ("ec2:CreateVpc", "ec2:ModifyVpcAttribute", "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:CreateTags"),
        ("ec2:DeleteVpc", "ec2:DescribeVpcs"), None, "vpc/{}"),
    "AWS::EC2::VPCCidrBlock": (
        ("ec2:AssociateVpcCidrBlock", "ec2:DescribeVpcs"), ("ec2:DisassociateVpcCidrBlock", "ec2:DescribeVpcs"), None, "vpc/{}"),
    "AWS::EC2::InternetGateway": (
        ("ec2:CreateInternetGateway", "ec2:CreateTags", "ec2:DescribeInternetGateways"),
        ("ec2:DeleteInternetGateway", "ec2:DescribeInternetGateways"), None, "internet-gateway/{}"),
    "AWS::EC2::EgressOnlyInternetGateway": (
        ("ec2:CreateEgressOnlyInternetGateway", "ec2:CreateTags", "ec2:DescribeEgressOnlyInternetGateways"),
        ("ec2:DeleteEgressOnlyInternetGateway", "ec2:DescribeEgressOnlyInternetGateways", "ec2:DescribeVpcs", "ec2:DeleteTags"), None,
        "egress-only-internet-gateway/{}"),
    "AWS::EC2::VPCGatewayAttachment": (
        ("ec2:AttachInternetGateway", "ec2:DescribeInternetGateways"),
        ("ec2:DetachInternetGateway", "ec2:DescribeInternetGateways"), None, "vpc/{}"),
    "AWS::EC2::Subnet": (
        ("ec2:CreateSubnet", "ec2:ModifySubnetAttribute", "ec2:DescribeSubnets", "ec2:CreateTags"),
        ("ec2:DeleteSubnet", "ec2:DescribeSubnets"), None, "subnet/{}"),
    "AWS::EC2::RouteTable": (
        ("ec2:CreateRouteTable", "ec2:CreateTags", "ec2:DescribeRouteTables"),
        ("ec2:DeleteRouteTable", "ec2:DescribeRouteTables"), None, "route-table/{}"),
    "AWS::EC2::Route": (
        ("ec2:CreateRoute", "ec2:DescribeRouteTables", "ec2:DescribeNetworkInterfaces"),
        ("ec2:DeleteRoute", "ec2:DescribeRouteTables"), None, "route-table/{}"),
    "AWS::EC2::SubnetRouteTableAssociation": (
        ("ec2:AssociateRouteTable", "ec2:ReplaceRouteTableAssociation", "ec2:DescribeSubnets", "ec2:DescribeRouteTables"),
        ("ec2:DisassociateRouteTable", "ec2:DescribeSubnets", "ec2:DescribeRouteTables"), None, "route-table/{}"),
    "AWS::EC2::EIP": (
        ("ec2:AllocateAddress", "ec2:AssociateAddress", "ec2:DescribeAddresses", "ec2:CreateTags"),
        ("ec2:ReleaseAddress", "ec2:DisassociateAddress", "ec2:DescribeAddresses"), None, "elastic-ip/{}"),
    "AWS::EC2::NatGateway": (
        ("ec2:CreateNatGateway", "ec2:DescribeNatGateways", "ec2:CreateTags"),
        ("ec2:DeleteNatGateway", "ec2:DescribeNatGateways"), None, "natgateway/{}"),
    "AWS::EC2::SecurityGroup": (
        ("ec2:CreateSecurityGroup", "ec2:DescribeSecurityGroups", "ec2:RevokeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupEgress",
         "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"),
        ("ec2:DeleteSecurityGroup", "ec2:DescribeSecurityGroups", "ec2:DescribeInstances"), None, "security-group/{}"),
    "AWS::EC2::SecurityGroupIngress": (
        ("ec2:AuthorizeSecurityGroupIngress", "ec2:DescribeSecurityGroupRules"),
        ("ec2:RevokeSecurityGroupIngress", "ec2:DescribeSecurityGroupRules"), None, "security-group/{}"),
    "AWS::EC2::VPCEndpoint": (
        ("ec2:CreateVpcEndpoint", "ec2:DescribeVpcEndpoints", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs",
         "ec2:CreateTags"),
        ("ec2:DeleteVpcEndpoints", "ec2:DescribeVpcEndpoints"), None, "vpc-endpoint/{}"),
    "AWS::EC2::LaunchTemplate": (
        ("ec2:CreateLaunchTemplate", "ec2:CreateTags"),
        ("ec2:DeleteLaunchTemplate", "ec2:DeleteTags", "ec2:DescribeLaunchTemplates"), None, "launch-template/{}"),
    "AWS::EKS::Cluster": (
        ("eks:CreateCluster", "eks:DescribeCluster", "eks:TagResource", "eks:CreateAccessEntry", "iam:PassRole", "iam:GetRole",
         "iam:ListAttachedRolePolicies", "iam:CreateServiceLinkedRole", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
        ("eks:DeleteCluster", "eks:DescribeCluster"), "Name", "cluster/{}"),
    "AWS::EKS::Nodegroup": (
        ("eks:CreateNodegroup", "eks:DescribeNodegroup", "eks:TagResource", "iam:CreateServiceLinkedRole", "iam:GetRole", "iam:PassRole",
         "iam:ListAttachedRolePolicies", "ec2:RunInstances", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeSubnets",
         "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs", "ec2:DescribeRouteTables",
         "ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"),
        ("eks:DeleteNodegroup", "eks:DescribeNodegroup"), "NodegroupName", "nodegroup/{cluster}/{}/lab"),
}
# what AWS::EKS::Cluster calls for the key of its secrets
KEY_USE = ("kms:DescribeKey", "kms:CreateGrant")
# actions to change one that is there already, with those to read it: CloudFormation may do so within an update (handler contract, read handlers)
CHANGES = {
    "AWS::IAM::Role": (
        "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:TagRole", "iam:UntagRole"),
    "AWS::IAM::ManagedPolicy": (
        "iam:GetPolicy", "iam:ListPolicyVersions", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:GetPolicyVersion",
        "iam:ListEntitiesForPolicy"),
    "AWS::SQS::Queue": ("sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:TagQueue", "sqs:UntagQueue"),
    "AWS::Events::Rule": (
        "events:DescribeRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
        "events:ListTargetsByRule", "events:ListTagsForResource"),
}
# types that bear the tags of their stack, so that other tags change them
TAGGED = ("AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Events::Rule")
# whose service-linked role a type makes where the account has none
LINKED = {"AWS::EKS::Cluster": "eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
          "AWS::EKS::Nodegroup": "eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup"}
# the role of the same stack that a type passes on
PASSED = {"AWS::EKS::Cluster": "ServiceRole", "AWS::EKS::Nodegroup": "NodeInstanceRole"}
# EC2 resources that an action is about, where they are not the type's own
ABOUT = {"ec2:RunInstances": "instance/i-lab", "ec2:CreateTags": "instance/i-lab", "ec2:DeleteTags": "instance/i-lab"}


def made_name(stack, logical):
    """How CloudFormation calls what has no name in a template: a role's or a rule's name has 64 letters at most."""
    kept = logical[:24]
    return f"{stack[:64 - 14 - len(kept)]}-{kept}-LABLABLABLAB"


def target(lab, region, stack, kind, action, own):
    """The ARN that a handler's action is about: mostly the resource's own."""
    if action == "iam:CreateServiceLinkedRole" and kind in LINKED:
        return lab.arn("iam", f"role/aws-service-role/{LINKED[kind]}")
    if action.startswith("iam:") and kind in PASSED:
        return lab.arn("iam", f"role/{made_name(stack, PASSED[kind])}")
    if action.startswith("ec2:Describe"):
        return "*"
    if action in ABOUT and not kind.startswith("AWS::EC2::"):
        return lab.arn("ec2", ABOUT[action], region)
    if action == "eks:CreateAccessEntry":
        return lab.arn("eks", f"cluster/{own.rsplit('/', 1)[-1]}", region)
    return own
