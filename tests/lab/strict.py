"""Strict IAM: every call of a key other than the lab's root `test` must be allowed by the caller's policies.

The emulator's own strict mode leaves out EKS, EC2, SSM and what CloudFormation creates, but its SimulatePrincipalPolicy
is right for users and roles; so the gate asks that, and words the refusal as the service would. CloudFormation creates
with its caller's permissions: a stack whose resources the caller may not create fails at the first of them.

Not judged: changes that a pod's session (Karpenter) asks of EC2 and IAM, which its policies tie to tags of resources.
"""

import aws
import cfn_template
from call import error

FREE = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity", "sts:GetSessionToken"}


# what CloudFormation calls for a resource with its caller's permissions (the handlers of the type's schema, as far as the stack of
# the guide needs them): actions to create it, actions to delete it, name property, ARN form
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
# an add-on is `addon`, an association `podidentityassociation` in ARNs
EKS_KINDS = {"access-entries": "access-entry", "pod-identity-associations": "podidentityassociation", "addons": "addon",
             "node-groups": "nodegroup", "fargate-profiles": "fargateprofile"}
EC2_KINDS = {"i": "instance", "subnet": "subnet", "sg": "security-group", "vpc": "vpc", "lt": "launch-template"}


def resource(lab, call):
    """The ARN that the call is about, as far as it is told by the request; else *."""
    p, region = call.params, call.region or lab.region
    if call.service == "eks":
        s = call.segments
        if call.action == "CreateCluster":
            return lab.arn("eks", f"cluster/{call.json.get('name', '*')}", region)
        if s[0] == "clusters" and len(s) > 3 and s[2] in EKS_KINDS:
            return lab.arn("eks", f"{EKS_KINDS[s[2]]}/{s[1]}/{s[3].rsplit('/', 1)[-1]}/lab", region)
        if s[0] == "clusters" and len(s) > 1:
            return lab.arn("eks", f"cluster/{s[1]}", region)
        return s[1] if s[0] == "tags" and len(s) > 1 else "*"
    if call.service == "iam":
        for name, kind in (("RoleName", "role"), ("InstanceProfileName", "instance-profile"), ("UserName", "user")):
            if name in p:
                return lab.arn("iam", f"{kind}/{p[name]}")
        if call.action == "CreatePolicy":
            return lab.arn("iam", f"policy/{p.get('PolicyName', '*')}")
        return p.get("PolicyArn") or p.get("OpenIDConnectProviderArn") or "*"
    if call.service == "cloudformation" and "StackName" in p:
        name = p["StackName"]
        return name if name.startswith("arn:") else lab.arn("cloudformation", f"stack/{name}/lab", region)
    if call.service == "ssm" and "Name" in call.json:
        return f"arn:{lab.partition}:ssm:{region}::parameter{call.json['Name']}"
    if call.service == "sqs":
        url = call.json.get("QueueUrl") or p.get("QueueUrl", "")
        name = call.json.get("QueueName") or p.get("QueueName") or url.rsplit("/", 1)[-1]
        return lab.arn("sqs", name, region) if name else "*"
    if call.service == "ec2":
        ident = p.get("ResourceId.1") or p.get("InstanceId.1") or p.get("LaunchTemplateId") or ""
        kind = EC2_KINDS.get(ident.split("-")[0])
        return lab.arn("ec2", f"{kind}/{ident}", region) if kind and not call.action.startswith("Describe") else "*"
    if call.service == "sts":
        return p.get("RoleArn", "*")
    return "*"


def context(call):
    """Condition keys that the gate can tell: the request's region and tags."""
    keys = {"aws:RequestedRegion": call.region}
    tags = call.json.get("tags") if isinstance(call.json.get("tags"), dict) else {}
    if call.service == "ec2":
        for n in range(1, 10):
            tags = {**tags, **call.pairs(f"TagSpecification.{n}.Tag")}
    if call.service == "iam":
        tags = {**tags, **call.pairs("Tags.member")}
    keys.update({f"aws:RequestTag/{k}": v for k, v in tags.items()})
    return keys


def judged(lab, call):
    """Whether strict mode has a say in a call at all."""
    if not lab.settings["strict"] or call.key in ("", "test") or " " in call.action:
        return False
    reads = call.action.startswith(("Describe", "Get", "List"))
    return reads or call.key not in lab.sessions or call.service not in ("ec2", "iam")


def allowed(lab, arn, action, target, keys):
    """(whether a principal's policies allow an action, whether they deny it in so many words)."""
    form = {"PolicySourceArn": aws.canonical(arn), "ActionNames.member.1": action, "ResourceArns.member.1": target}
    for n, (key, value) in enumerate(keys.items(), 1):
        entry = f"ContextEntries.member.{n}"
        form |= {f"{entry}.ContextKeyName": key, f"{entry}.ContextKeyType": "string",
                 f"{entry}.ContextKeyValues.member.1": value or ""}
    status, text = lab.aws.query_raw("iam", "SimulatePrincipalPolicy", form)
    return status == 200 and "<EvalDecision>allowed<" in text, "explicitDeny" in text


def decide(lab, call):
    """None when allowed, else the refusal."""
    name = f"{call.service}:{call.action}"
    if name in FREE or not judged(lab, call):
        return None
    arn, _ = lab.aws.caller(call.key, call.token)
    if not arn or arn.endswith(":root"):
        return None
    target = resource(lab, call)
    yes, explicit = allowed(lab, arn, name, target, context(call))
    return None if yes else refusal(call, arn, name, target, explicit)


def target_of(lab, region, stack, kind, logical, name):
    """The ARN of a resource of a stack; CloudFormation makes up a name where the template has none."""
    form = HANDLERS[kind][3]
    if form is None:
        return "*"
    name = name or f"{stack}-{logical}-LAB"
    return lab.arn(HANDLERS[kind][0][0].split(":")[0], form.format(name), region)


def first_denial(lab, call, arn, kind, actions, target):
    """Why the caller may not have CloudFormation do all of this, or None."""
    for action in actions:
        if not allowed(lab, arn, action, target, {"aws:RequestedRegion": call.region})[0]:
            return (f'Resource handler returned message: "User: {arn} is not authorized to perform: {action} on resource: '
                    f'{target} because no identity-based policy allows the {action} action" (HandlerErrorCode: AccessDenied)')
    return None


def stack_caller(lab, call):
    """Who has CloudFormation work, or None where strict mode has no say."""
    if not judged(lab, call):
        return None
    arn, _ = lab.aws.caller(call.key, call.token)
    return None if not arn or arn.endswith(":root") else arn


def stack_denial(lab, call, template, known):
    """(logical id, type, reason) of the first resource of a template that the caller may not create, or None."""
    arn, stack = stack_caller(lab, call), call.params.get("StackName", "")
    for logical, r in (template.get("Resources") or {}).items() if arn else ():
        kind = r.get("Type")
        if kind not in HANDLERS:
            continue
        create, _, naming, _ = HANDLERS[kind]
        properties = r.get("Properties") or {}
        name = cfn_template.resolve(properties.get(naming), known) if naming else None
        target = target_of(lab, call.region, stack, kind, logical, name)
        # a policy of a queue is set on the queue
        if kind == "AWS::SQS::QueuePolicy":
            target = lab.arn("sqs", known.get("ClusterName") or "*", call.region)
        if why := first_denial(lab, call, arn, kind, create, target):
            return logical, kind, why
    return None


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
        if why := first_denial(lab, call, arn, r["type"], HANDLERS[r["type"]][1], target):
            return r, why
    return None


def refusal(call, arn, name, target, explicit):
    """AccessDenied in the words of the call's service."""
    why = ("with an explicit deny in an identity-based policy" if explicit
           else f"because no identity-based policy allows the {name} action")
    text = f"User: {arn} is not authorized to perform: {name} on resource: {target} {why}"
    call.notes["strict"] = "denied"
    if call.service == "ec2":
        return error(call, "UnauthorizedOperation", f"You are not authorized to perform this operation. {text}", 403)
    if "Action" in call.params:
        return error(call, "AccessDenied", text, 403)
    return error(call, "AccessDeniedException", text, 403 if call.service == "eks" else 400)
