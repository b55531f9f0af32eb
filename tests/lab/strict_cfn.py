"""Strict IAM for what CloudFormation does: it creates, changes, removes and undoes with its caller's permissions.

A stack whose resources the caller may not create fails at the first of them, one that they may not change is rolled back, one that
they may not remove stays, and a creation that fails and may not be undone is ROLLBACK_FAILED. A handler is taken to call all
that its type's schema says that it may call.
"""

import cfn_checks
import cfn_template
import strict

# the permissions of each type's handlers by its schema, as far as the stack of the guide needs them: actions to create it,
# actions to delete it, name property, ARN form
HANDLERS = {
    "AWS::IAM::Role": (
        ("iam:CreateRole", "iam:AttachRolePolicy", "iam:GetRole", "iam:TagRole"),
        ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:DetachRolePolicy", "iam:DeleteRolePolicy",
         "iam:DeleteRole"), "RoleName", "role/{}"),
    "AWS::IAM::ManagedPolicy": (
        ("iam:CreatePolicy",),
        ("iam:GetPolicy", "iam:ListPolicyVersions", "iam:ListEntitiesForPolicy", "iam:DeletePolicyVersion", "iam:DeletePolicy"),
        "ManagedPolicyName", "policy/{}"),
    "AWS::IAM::InstanceProfile": (
        ("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:GetInstanceProfile"),
        ("iam:GetInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"),
        "InstanceProfileName", "instance-profile/{}"),
    "AWS::SQS::Queue": (
        ("sqs:CreateQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:TagQueue"),
        ("sqs:GetQueueAttributes", "sqs:DeleteQueue"), "QueueName", "{}"),
    "AWS::SQS::QueuePolicy": (("sqs:SetQueueAttributes",), ("sqs:SetQueueAttributes",), None, None),
    "AWS::Events::Rule": (
        ("events:DescribeRule", "events:PutRule", "events:PutTargets", "events:TagResource"),
        ("events:DescribeRule", "events:ListTargetsByRule", "events:RemoveTargets", "events:DeleteRule"), "Name", "rule/{}"),
    "AWS::EKS::Cluster": (("eks:CreateCluster",), (), "Name", "cluster/{}"),
    "AWS::EKS::Nodegroup": (("eks:CreateNodegroup",), (), None, None),
    "AWS::EC2::VPC": (("ec2:CreateVpc",), (), None, None),
    "AWS::EC2::Subnet": (("ec2:CreateSubnet",), (), None, None),
    "AWS::EC2::SecurityGroup": (("ec2:CreateSecurityGroup",), (), None, None),
    "AWS::EC2::LaunchTemplate": (("ec2:CreateLaunchTemplate",), (), None, None),
}
# actions to change one that is there already
CHANGES = {
    "AWS::IAM::Role": (
        "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:TagRole", "iam:UntagRole"),
    "AWS::IAM::ManagedPolicy": (
        "iam:GetPolicy", "iam:ListPolicyVersions", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion"),
    "AWS::SQS::Queue": ("sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:TagQueue"),
    "AWS::Events::Rule": ("events:DescribeRule", "events:PutRule", "events:PutTargets", "events:TagResource"),
}
# types that bear the tags of their stack, so that other tags change them
TAGGED = ("AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Events::Rule")


def target_of(lab, region, stack, kind, logical, name):
    """The ARN of a resource of a stack; CloudFormation makes up a name where the template has none."""
    form = HANDLERS[kind][3]
    if form is None:
        return "*"
    name = name or f"{stack}-{logical}-LAB"
    return lab.arn(HANDLERS[kind][0][0].split(":")[0], form.format(name), region)


def first_denial(lab, call, arn, actions, target, keys=None):
    """Why the caller may not have CloudFormation do all of this, or None."""
    for action in actions:
        if not strict.allowed(lab, arn, action, target, keys or {"aws:RequestedRegion": call.region})[0]:
            return (f'Resource handler returned message: "User: {arn} is not authorized to perform: {action} on resource: '
                    f'{target} because no identity-based policy allows the {action} action" (HandlerErrorCode: AccessDenied)')
    return None


def stack_caller(lab, call):
    """Who has CloudFormation work, or None where strict mode has no say."""
    if not strict.judged(lab, call):
        return None
    arn, _ = lab.aws.caller(call.key, call.token)
    return None if not arn or arn.endswith(":root") else arn


class Template:
    """A template with its parameters: the resources that have handlers, and the ARN of each."""

    def __init__(self, lab, call, template, known):
        self.lab, self.call, self.stack, self.known = lab, call, call.params.get("StackName", "").split("/")[-2:][0], known
        self.resources = {n: r for n, r in (template.get("Resources") or {}).items() if r.get("Type") in HANDLERS}

    def target(self, logical):
        r = self.resources[logical]
        kind, properties = r["Type"], r.get("Properties") or {}
        if kind == "AWS::SQS::QueuePolicy":  # it is set on the queue
            return self.lab.arn("sqs", self.known.get("ClusterName") or "*", self.call.region)
        naming = HANDLERS[kind][2]
        name = cfn_template.resolve(properties.get(naming), self.known) if naming else None
        return target_of(self.lab, self.call.region, self.stack, kind, logical, name)

    def keys(self, logical):
        """The condition keys of a creation: the stack's tags are the resource's."""
        boundary = cfn_template.resolve((self.resources[logical].get("Properties") or {}).get("PermissionsBoundary"), self.known)
        return {**strict.context(self.call), **({"iam:PermissionsBoundary": boundary} if boundary else {})}

    def denial(self, logical, arn, actions, keys=None):
        """(logical id, type, reason), or None."""
        why = first_denial(self.lab, self.call, arn, actions, self.target(logical), keys)
        return (logical, self.resources[logical]["Type"], why) if why else None


def stack_denial(lab, call, template, known):
    """(logical id, type, reason) of the first resource of a template that the caller may not create, or None."""
    arn, wanted = stack_caller(lab, call), Template(lab, call, template, known)
    found = (wanted.denial(n, arn, HANDLERS[r["Type"]][0], wanted.keys(n)) for n, r in wanted.resources.items() if arn)
    return next(filter(None, found), None)


def undo_denial(lab, call, template, known, failed):
    """The same of the first that the caller may not remove again where another one failed."""
    arn, wanted = stack_caller(lab, call), Template(lab, call, template, known)
    found = (wanted.denial(n, arn, HANDLERS[r["Type"]][1]) for n, r in wanted.resources.items() if arn and n != failed)
    return next(filter(None, found), None)


def change_denial(lab, call, old, template, known, retagged):
    """The same of the first that the caller may not change, make or remove in an update."""
    arn = stack_caller(lab, call)
    if not arn:
        return None
    before, after = Template(lab, call, old, known), Template(lab, call, template, known)
    for n, r in after.resources.items():
        if n not in before.resources:
            denied = after.denial(n, arn, HANDLERS[r["Type"]][0], after.keys(n))
        elif r != before.resources[n] or retagged and r["Type"] in TAGGED:
            denied = after.denial(n, arn, CHANGES.get(r["Type"], ()))
        else:
            denied = None
        if denied:
            return denied
    gone = (before.denial(n, arn, HANDLERS[r["Type"]][1]) for n, r in before.resources.items() if n not in after.resources)
    return next(filter(None, gone), None)


def removal_denial(lab, call, stack, resources):
    """(resource, reason) of the first resource of a stack that the caller may not delete, or None."""
    arn = stack_caller(lab, call)
    for r in resources if arn else ():
        if r["type"] not in HANDLERS or not HANDLERS[r["type"]][1]:
            continue
        name = r["physical"].rsplit("/", 1)[-1].rsplit("|", 1)[-1]
        target = target_of(lab, call.region, stack, r["type"], r["logical"], name)
        if r["type"] == "AWS::SQS::QueuePolicy":
            queue = next((q["physical"] for q in resources if q["type"] == "AWS::SQS::Queue"), "*")
            target = lab.arn("sqs", queue.rsplit("/", 1)[-1], call.region)
        if why := first_denial(lab, call, arn, HANDLERS[r["type"]][1], target):
            return r, why
    return None


def before(lab, call):
    """What is there before an update: template, and whether the stack's tags become others."""
    member = cfn_checks.describe(lab, call)
    text = lab.aws.query("cloudformation", "GetTemplate", {"StackName": member.findtext("StackName")},
                         region=call.region).findtext(".//TemplateBody") or ""
    have = {t.findtext("Key"): t.findtext("Value") or "" for t in member.findall("Tags/member")}
    asked = strict.tags(call)
    return member, cfn_template.parse(text), bool(asked) and asked != have
