"""Strict IAM for what CloudFormation does: it creates, changes, removes and undoes with its caller's permissions.

A stack whose resources the caller may not create fails at the first of them, one that they may not change is rolled back, one that
they may not remove stays, and a creation that fails and may not be undone is ROLLBACK_FAILED. A handler is taken to call all
that its type's schema says that it may call.
"""

import re

import cfn_checks
import cfn_template
import lifecycle
import strict
from strict_handlers import CHANGES, HANDLERS, KEY_USE, TAGGED, made_name, target

# what IAM is told of a call that CloudFormation makes with its caller's permissions
VIA = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}


def target_of(lab, region, stack, kind, logical, name, cluster=None):
    """The ARN of a resource of a stack; CloudFormation makes up a name where the template has none."""
    form = HANDLERS[kind][3]
    if form is None:
        return "*"
    name = name or made_name(stack, logical)
    return lab.arn(HANDLERS[kind][0][0].split(":")[0], form.format(name, cluster=cluster), region)


def first_denial(lab, call, arn, kind, stack, actions, own, keys=None, policies=(), role=None):
    """Why the caller may not have CloudFormation do all of this to a resource of that type, or None. `policies` are those that a role's
    handler attaches or detaches, `role` is the one that is passed on where the type's own name does not tell."""
    wanted = []
    for action in actions:
        on = role if role and action == "iam:PassRole" else target(lab, call.region, stack, kind, action, own)
        said = {"aws:RequestedRegion": call.region, **(keys or {})}
        if not kind.startswith("AWS::EKS::") or action.startswith("eks:"):  # of what EKS calls again nobody says that it is told on
            said |= VIA
        if action == "iam:PassRole":
            said["iam:PassedToService"] = "ec2.amazonaws.com" if kind == "AWS::IAM::InstanceProfile" else "eks.amazonaws.com"
        if action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
            wanted += [(action, on, {**said, "iam:PolicyARN": policy}) for policy in policies]
        else:
            wanted.append((action, on, said))
    return denial(lab, call, arn, wanted)


def denial(lab, call, arn, wanted):
    """The same of actions with what each is about, and the condition keys of each."""
    for action, on, keys in wanted:
        yes, explicit = strict.allowed(lab, arn, action, on, keys)
        if not yes:
            return (f'Resource handler returned message: "User: {arn} is not authorized to perform: {action} on resource: {on} '
                    f'{strict.reason(action, explicit)}" (HandlerErrorCode: AccessDenied)')
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
        if kind == "AWS::IAM::Policy":  # it is written into its role
            role = self.role(logical)
            return self.target(role) if role else "*"
        naming = HANDLERS[kind][2]
        name = cfn_template.resolve(properties.get(naming), self.known) if naming else None
        cluster = cfn_template.resolve(properties.get("ClusterName"), self.known)
        return target_of(self.lab, self.call.region, self.stack, kind, logical, name, cluster)

    def role(self, logical):
        """The logical id of the role of the same template that a policy or an instance profile names, or None."""
        named = next(iter((self.resources[logical].get("Properties") or {}).get("Roles") or ()), None)
        return named["Ref"] if isinstance(named, dict) and named.get("Ref") in self.resources else None

    def boundary(self, logical):
        """The permissions boundary of a role, or of the role that a policy is written into."""
        logical = self.role(logical) or logical
        return cfn_template.resolve((self.resources[logical].get("Properties") or {}).get("PermissionsBoundary"), self.known)

    def policies(self, logical):
        """The managed policies of a role."""
        return [cfn_template.resolve(p, self.known) or "*"
                for p in (self.resources[logical].get("Properties") or {}).get("ManagedPolicyArns") or ()]

    def keys(self, logical):
        """The condition keys of a creation: the stack's tags are the resource's."""
        boundary = self.boundary(logical)
        return {**strict.context(self.lab, self.call), **({"iam:PermissionsBoundary": boundary} if boundary else {})}

    def creation_denial(self, logical, arn):
        """(logical id, type, reason) where the caller may not create it, or not use the key that it names for a cluster's secrets."""
        r = self.resources[logical]
        encrypted = (r.get("Properties") or {}).get("EncryptionConfig") or [] if r["Type"] == "AWS::EKS::Cluster" else []
        keys = [cfn_template.resolve(e["Provider"]["KeyArn"], self.known) for e in encrypted]
        found = self.denial(logical, arn, HANDLERS[r["Type"]][0], self.keys(logical))
        wanted = [(action, key, {"aws:RequestedRegion": self.call.region}) for action in KEY_USE for key in keys]
        why = None if found else denial(self.lab, self.call, arn, wanted)
        return found or ((logical, r["Type"], why) if why else None)

    def denial(self, logical, arn, actions, keys=None):
        """(logical id, type, reason), or None."""
        kind, role = self.resources[logical]["Type"], self.role(logical)
        why = first_denial(self.lab, self.call, arn, kind, self.stack, actions, self.target(logical), keys, self.policies(logical),
                           self.target(role) if role else None)
        return (logical, kind, why) if why else None

    def change_of_role(self, logical, arn, before):
        """The same for a role that another one of the same name becomes: its boundary is that of before until it is set."""
        old, new = before.boundary(logical), self.boundary(logical)
        setting, taking = "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"
        actions = [a for a in CHANGES["AWS::IAM::Role"] if a not in (setting, taking)] + ([] if new else [taking])
        found = self.denial(logical, arn, actions, {"iam:PermissionsBoundary": old} if old else None)
        return found or (self.denial(logical, arn, [setting], {"iam:PermissionsBoundary": new}) if new else None)


def stack_denial(lab, call, template, known):
    """(logical id, type, reason) of the first resource of a template that the caller may not create, or None."""
    arn, wanted = stack_caller(lab, call), Template(lab, call, template, known)
    found = (wanted.creation_denial(n, arn) for n in wanted.resources if arn)
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
            denied = after.creation_denial(n, arn)
        elif r != before.resources[n] or retagged and r["Type"] in TAGGED:
            changes_role = r["Type"] == "AWS::IAM::Role"
            denied = after.change_of_role(n, arn, before) if changes_role else after.denial(n, arn, CHANGES.get(r["Type"], ()))
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
        cluster = lifecycle.nodegroup_names(r["physical"])[0]
        own = target_of(lab, call.region, stack, r["type"], r["logical"], name, cluster)
        if r["type"] == "AWS::SQS::QueuePolicy":
            queue = next((q["physical"] for q in resources if q["type"] == "AWS::SQS::Queue"), "*")
            own = lab.arn("sqs", queue.rsplit("/", 1)[-1], call.region)
        if r["type"] == "AWS::IAM::Policy":
            own = next((target_of(lab, call.region, stack, q["type"], q["logical"], q["physical"].rsplit("/", 1)[-1])
                        for q in resources if q["type"] == "AWS::IAM::Role"), "*")
        if why := first_denial(lab, call, arn, r["type"], stack, HANDLERS[r["type"]][1], own, policies=attached(lab, r)):
            return r, why
    return None


def attached(lab, resource):
    """The managed policies of a role of a stack."""
    if resource["type"] != "AWS::IAM::Role":
        return []
    name = resource["physical"].rsplit("/", 1)[-1]
    return re.findall("<PolicyArn>(.*?)</PolicyArn>", lab.aws.query_raw("iam", "ListAttachedRolePolicies", {"RoleName": name})[1])


def before(lab, call):
    """What is there before an update: template, and whether the stack's tags become others."""
    member = cfn_checks.describe(lab, call)
    text = lab.aws.query("cloudformation", "GetTemplate", {"StackName": member.findtext("StackName")},
                         region=call.region).findtext(".//TemplateBody") or ""
    have = {t.findtext("Key"): t.findtext("Value") or "" for t in member.findall("Tags/member")}
    asked = strict.tags(call)
    return member, cfn_template.parse(text), bool(asked) and asked != have
