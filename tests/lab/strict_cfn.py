"""Strict IAM for what CloudFormation does: it creates, changes, removes and undoes with its caller's permissions.

A stack whose resources the caller may not create fails at the first of them, one that they may not change is rolled back, one that
they may not remove stays, and a creation that fails and may not be undone is ROLLBACK_FAILED. A handler is taken to call all
that its type's schema says that it may call.
"""

import cfn_checks
import cfn_template
import lifecycle
import strict
from strict_handlers import CHANGES, HANDLERS, KEY_USE, TAGGED, target


def target_of(lab, region, stack, kind, logical, name, cluster=None):
    """The ARN of a resource of a stack; CloudFormation makes up a name where the template has none."""
    form = HANDLERS[kind][3]
    if form is None:
        return "*"
    name = name or f"{stack}-{logical}-LAB"
    return lab.arn(HANDLERS[kind][0][0].split(":")[0], form.format(name, cluster=cluster), region)


def first_denial(lab, call, arn, kind, stack, actions, own, keys=None):
    """Why the caller may not have CloudFormation do all of this to a resource of that type, or None."""
    wanted = [(action, target(lab, call.region, stack, kind, action, own)) for action in actions]
    return denial(lab, call, arn, wanted, keys)


def denial(lab, call, arn, wanted, keys=None):
    """The same of actions with what each is about."""
    for action, on in wanted:
        yes, explicit = strict.allowed(lab, arn, action, on, keys or {"aws:RequestedRegion": call.region})
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
        naming = HANDLERS[kind][2]
        name = cfn_template.resolve(properties.get(naming), self.known) if naming else None
        cluster = cfn_template.resolve(properties.get("ClusterName"), self.known)
        return target_of(self.lab, self.call.region, self.stack, kind, logical, name, cluster)

    def keys(self, logical):
        """The condition keys of a creation: the stack's tags are the resource's."""
        boundary = cfn_template.resolve((self.resources[logical].get("Properties") or {}).get("PermissionsBoundary"), self.known)
        return {**strict.context(self.call), **({"iam:PermissionsBoundary": boundary} if boundary else {})}

    def creation_denial(self, logical, arn):
        """(logical id, type, reason) where the caller may not create it, or not use the key that it names for a cluster's secrets."""
        r = self.resources[logical]
        encrypted = (r.get("Properties") or {}).get("EncryptionConfig") or [] if r["Type"] == "AWS::EKS::Cluster" else []
        keys = [cfn_template.resolve(e["Provider"]["KeyArn"], self.known) for e in encrypted]
        found = self.denial(logical, arn, HANDLERS[r["Type"]][0], self.keys(logical))
        why = None if found else denial(self.lab, self.call, arn, [(action, key) for key in keys for action in KEY_USE])
        return found or ((logical, r["Type"], why) if why else None)

    def denial(self, logical, arn, actions, keys=None):
        """(logical id, type, reason), or None."""
        kind = self.resources[logical]["Type"]
        why = first_denial(self.lab, self.call, arn, kind, self.stack, actions, self.target(logical), keys)
        return (logical, kind, why) if why else None


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
        cluster = lifecycle.nodegroup_names(r["physical"])[0]
        own = target_of(lab, call.region, stack, r["type"], r["logical"], name, cluster)
        if r["type"] == "AWS::SQS::QueuePolicy":
            queue = next((q["physical"] for q in resources if q["type"] == "AWS::SQS::Queue"), "*")
            own = lab.arn("sqs", queue.rsplit("/", 1)[-1], call.region)
        if why := first_denial(lab, call, arn, r["type"], stack, HANDLERS[r["type"]][1], own):
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
