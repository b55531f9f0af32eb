"""Strict IAM: every call of a key other than the lab's root `test` must be allowed by the caller's policies.

The emulator's own strict mode leaves out EKS, EC2, SSM and what CloudFormation creates, but its SimulatePrincipalPolicy
is right for users and roles; so the gate asks that, and words the refusal as the service would. A call is judged by its
own action and by what AWS asks for besides (tags, roles that are passed); strict_cfn.py judges what CloudFormation does.

Not judged: changes that a pod's session (Karpenter) asks of EC2 and IAM, which its policies tie to tags of resources.
"""

import re

import aws
import quirks_iam
from call import error

FREE = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity", "sts:GetSessionToken"}


# an add-on is `addon`, an association `podidentityassociation` in ARNs
EKS_KINDS = {"access-entries": "access-entry", "pod-identity-associations": "podidentityassociation", "addons": "addon",
             "node-groups": "nodegroup", "fargate-profiles": "fargateprofile"}
EC2_KINDS = {"i": "instance", "subnet": "subnet", "sg": "security-group", "vpc": "vpc", "lt": "launch-template"}


def role(lab, name):
    """What IAM judges by of a role that is there: its ARN, which has its path, and its boundary. Empty where there is none."""
    status, text = lab.aws.query_raw("iam", "GetRole", {"RoleName": name})
    found = {} if status != 200 else {"Arn": re.search("<Arn>(.*?)</Arn>", text), "PermissionsBoundary": re.search(
        "<PermissionsBoundaryArn>(.*?)</PermissionsBoundaryArn>", text)}
    return {k: m.group(1) for k, m in found.items() if m}


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
        if call.action == "CreateServiceLinkedRole":
            service = p.get("AWSServiceName", "*")
            return lab.arn("iam", f"role/aws-service-role/{service}/{quirks_iam.LINKED.get(service, '*')}")
        if call.action == "CreateOpenIDConnectProvider":
            return lab.arn("iam", f"oidc-provider/{p.get('Url', '*').removeprefix('https://')}")
        for name, kind in (("InstanceProfileName", "instance-profile"), ("UserName", "user")):
            if name in p:
                return lab.arn("iam", f"{kind}/{p[name]}")
        if "RoleName" in p:
            return role(lab, p["RoleName"]).get("Arn") or lab.arn("iam", f"role{p.get('Path', '/')}{p['RoleName']}")
        if call.action == "CreatePolicy":
            return lab.arn("iam", f"policy/{p.get('PolicyName', '*')}")
        return p.get("PolicyArn") or p.get("OpenIDConnectProviderArn") or "*"
    if call.service == "cloudformation" and "StackName" in p:
        name = p["StackName"]
        return name if name.startswith("arn:") else lab.arn("cloudformation", f"stack/{name}/lab", region)
    if call.service == "events" and "Name" in call.json:
        return lab.arn("events", f"rule/{call.json['Name']}", region)
    if call.service == "ssm" and "Name" in call.json:
        return f"arn:{lab.partition}:ssm:{region}::parameter{call.json['Name']}"
    if call.service == "kms" and call.json.get("KeyId", "").startswith("arn:"):
        return call.json["KeyId"]
    if call.service == "sqs":
        url = call.json.get("QueueUrl") or p.get("QueueUrl", "")
        name = call.json.get("QueueName") or p.get("QueueName") or url.rsplit("/", 1)[-1]
        return lab.arn("sqs", name, region) if name else "*"
    if call.service == "ec2":
        ident = p.get("ResourceId.1") or p.get("InstanceId.1") or p.get("LaunchTemplateId") or p.get("LaunchTemplateName", "") and "lt-lab"
        kind = EC2_KINDS.get(ident.split("-")[0])
        return lab.arn("ec2", f"{kind}/{ident}", region) if kind and not call.action.startswith("Describe") else "*"
    if call.service == "sts":
        return p.get("RoleArn", "*")
    return "*"


def tags(call):
    """The tags that a request gives."""
    if call.service == "eks":
        return call.json.get("tags") or {}
    if call.action in ("CreateTags", "DeleteTags"):
        return call.pairs("Tag")
    if call.service == "ec2":
        return {k: v for n in range(1, 10) for k, v in call.pairs(f"TagSpecification.{n}.Tag").items()}
    return call.pairs("Tags.member") if call.service in ("iam", "cloudformation") else {}


# whose request says nothing of the role's boundary: IAM looks at the role
OF_THE_ROLE = ("AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy", "DeleteRolePermissionsBoundary")


def context(lab, call):
    """Condition keys that the gate can tell. One that a request does not have is absent, and no Allow that asks for it holds."""
    given = tags(call)
    keys = {"aws:RequestedRegion": call.region, **{f"aws:RequestTag/{k}": v for k, v in given.items()}}
    if given:
        keys["aws:TagKeys"] = list(given)
    if call.service == "iam" and "PermissionsBoundary" in call.params:
        keys["iam:PermissionsBoundary"] = call.params["PermissionsBoundary"]
    if call.service == "iam" and call.action in OF_THE_ROLE:
        keys |= {"iam:PermissionsBoundary": b for b in [role(lab, call.params.get("RoleName", "")).get("PermissionsBoundary")] if b}
    if call.service == "iam" and "PolicyArn" in call.params:
        keys["iam:PolicyARN"] = call.params["PolicyArn"]
    if call.action == "DeleteLaunchTemplate":
        keys |= {f"aws:ResourceTag/{k}": v for k, v in template_tags(lab, call).items()}
    return keys


def template_tags(lab, call):
    """The tags of the launch template that a call names."""
    named = {call.params.get("LaunchTemplateName"), call.params.get("LaunchTemplateId")} - {None}
    templates = lab.aws.query("ec2", "DescribeLaunchTemplates", region=call.region).findall("launchTemplates/item")
    ours = (t for t in templates if named & {t.findtext("launchTemplateName"), t.findtext("launchTemplateId")})
    return {tag.findtext("key"): tag.findtext("value") for t in ours for tag in t.findall("tagSet/item")}


def besides(lab, call, target):
    """(action, resource, condition keys) of what else AWS asks for: who gives tags, or passes a role, must be allowed that too."""
    found, creates = [], call.action.startswith("Create")
    if call.service == "eks":
        s = call.segments
        made = lab.arn("eks", f"{EKS_KINDS[s[2]]}/{s[1]}/lab", call.region) if len(s) > 2 and s[2] in EKS_KINDS else target
        if creates and tags(call):
            found.append(("eks:TagResource", made, {}))
        if call.action in ("CreatePodIdentityAssociation", "UpdatePodIdentityAssociation") and call.json.get("roleArn"):
            passed = {"iam:PassedToService": "pods.eks.amazonaws.com"}
            found += [("iam:PassRole", call.json["roleArn"], passed), ("iam:GetRole", call.json["roleArn"], {})]
        if call.action in ("CreateAddon", "UpdateAddon") and call.json.get("serviceAccountRoleArn"):
            found.append(("iam:PassRole", call.json["serviceAccountRoleArn"], {"iam:PassedToService": "eks.amazonaws.com"}))
    if call.service == "iam" and creates and tags(call):
        found += [(f"iam:Tag{call.action.removeprefix('Create')}", target, {})]
    if call.service == "iam" and call.action == "AddRoleToInstanceProfile":
        name = call.params.get("RoleName", "*")
        passed = {"iam:PassedToService": "ec2.amazonaws.com"}
        found.append(("iam:PassRole", role(lab, name).get("Arn") or lab.arn("iam", f"role/{name}"), passed))
    return found


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
        entry, several = f"ContextEntries.member.{n}", isinstance(value, list)
        form |= {f"{entry}.ContextKeyName": key, f"{entry}.ContextKeyType": "stringList" if several else "string"}
        form |= {f"{entry}.ContextKeyValues.member.{m}": v or "" for m, v in enumerate(value if several else [value], 1)}
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
    target, keys = resource(lab, call), context(lab, call)
    for action, on, more in [(name, target, {}), *besides(lab, call, target)]:
        yes, explicit = allowed(lab, arn, action, on, {**keys, **more})
        if not yes:
            return refusal(call, arn, action, on, explicit)
    return None


def reason(action, explicit):
    """Why an action is denied, as IAM says it."""
    return "with an explicit deny in an identity-based policy" if explicit else f"because no identity-based policy allows the {action} action"


def refusal(call, arn, name, target, explicit):
    """AccessDenied in the words of the call's service."""
    text = f"User: {arn} is not authorized to perform: {name} on resource: {target} {reason(name, explicit)}"
    call.notes["strict"] = "denied"
    if call.service == "ec2":
        return error(call, "UnauthorizedOperation", f"You are not authorized to perform this operation. {text}", 403)
    if "Action" in call.params:
        return error(call, "AccessDenied", text, 403)
    return error(call, "AccessDeniedException", text, 403 if call.service == "eks" else 400)
