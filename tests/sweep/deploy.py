"""Every group of templates deployed by the emulator: what is there then is what the model says; deleted, nothing is left.

This reads IAM, SQS and EventBridge, and reduces what it finds to the sentences of the models by itself; the conformance tests
reduce the template.
"""

import json
import time

import boto3

import groups
from world import ACCOUNT, PARTITIONS


def prove(lab, karpctl, region, report):
    partition, domain = next(((p, d) for prefix, p, d in PARTITIONS if region.startswith(prefix)), ("aws", "amazonaws.com"))
    aws = Aws(lab.ready["gate"], region)
    said = found = 0
    for group in groups.read():
        release = group["last"]
        text = karpctl.run("render", "cloudformation", "--karpenter-version", release, "--region", region, "--account-id", ACCOUNT,
                           "--cluster-name", "demo")
        stack = aws.create("Karpenter-demo", text)
        there = aws.meaning("Karpenter-demo")
        model = of_model(groups.model(group, ACCOUNT, region, partition, domain))
        for about, sentences in model.items():
            said += len(sentences)
            found += len(sentences & there[about])
            lost, more = sentences - there[about], there[about] - sentences
            report.check(not lost and not more, f"{release} in {region}, {about}: not there {sorted(lost)}, but {sorted(more)}")
        aws.delete("Karpenter-demo", stack)
        left = lab.call("GET", "inventory")[1]
        report.check(left["empty"], f"{release} in {region} leaves behind {left['aws']}")
    report.say(f"emulator: {len(groups.read())} groups deployed in {region}, {found} of {said} sentences of their models found there; deleted again")


class Aws:
    """The emulator behind the gate."""

    def __init__(self, gate, region):
        def client(service):
            return boto3.client(service, endpoint_url=gate, region_name=region, aws_access_key_id="test", aws_secret_access_key="test")
        self.stacks, self.iam, self.queues, self.events = map(client, ("cloudformation", "iam", "sqs", "events"))

    def create(self, name, text):
        stack = self.stacks.create_stack(StackName=name, TemplateBody=text, Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"]
        self.wait(stack, "CREATE_COMPLETE")
        return stack

    def delete(self, name, stack):
        self.stacks.delete_stack(StackName=name)
        self.wait(stack, "DELETE_COMPLETE")

    def wait(self, stack, wanted):
        end = time.monotonic() + 60
        while (found := self.stacks.describe_stacks(StackName=stack)["Stacks"][0])["StackStatus"] != wanted:
            if time.monotonic() > end or not found["StackStatus"].endswith("IN_PROGRESS"):
                raise AssertionError(f"the stack is {found['StackStatus']}: {found.get('StackStatusReason')}")
            time.sleep(0.1)

    def meaning(self, name):
        """What the resources of a stack mean."""
        out = {about: set() for about in ABOUT}
        for resource in self.stacks.describe_stack_resources(StackName=name)["StackResources"]:
            getattr(self, READERS[resource["ResourceType"]])(resource["PhysicalResourceId"], out)
        return out

    def role(self, name, out):
        role = self.iam.get_role(RoleName=name)["Role"]
        attached = self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        inline = self.iam.list_role_policies(RoleName=name)["PolicyNames"]
        out["roles"] |= {f"{name} has {p['PolicyArn']}" for p in attached} | {f"{name} has inline {p}" for p in inline} | {f"{name} in {role['Path']}"}
        for s in role["AssumeRolePolicyDocument"]["Statement"]:
            out["roles"] |= {f"{name} {s['Effect']} {a} by {w}" for a in many(s["Action"]) for w in who(s["Principal"])}

    def policy(self, arn, out):
        policy = self.iam.get_policy(PolicyArn=arn)["Policy"]
        document = self.iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]["Document"]
        out["policies"].add(f"{arn.split('/')[-1]} in {policy['Path']}")
        out["grants"] |= grants(document)

    def profile(self, name, out):
        profile = self.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        out["profiles"].add(f"{name} in {profile['Path']} with {sorted(r['RoleName'] for r in profile['Roles'])}")

    def queue(self, url, out):
        attributes = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        name = url.rsplit("/", 1)[1]
        # SQS encrypts by itself where nobody says otherwise, so that tells nothing of a template that does not say.
        out["queues"].add(f"{name} keeps {attributes['MessageRetentionPeriod']}")
        out["encrypted"] |= {f"{name} is encrypted"} if attributes.get("SqsManagedSseEnabled", "").lower() == "true" else set()
        out["queue policies"] |= grants(json.loads(attributes["Policy"]))

    def queue_policy(self, _, out):
        """Read with its queue."""

    def rule(self, name, out):
        name = name.split("/")[-1]
        rule = self.events.describe_rule(Name=name)
        pattern = json.loads(rule["EventPattern"])
        targets = sorted(t["Arn"] for t in self.events.list_targets_by_rule(Rule=name)["Targets"])
        out["rules"].add(f"{rule['State']} {json.dumps(pattern, sort_keys=True)} to {targets}")


ABOUT = ("roles", "policies", "grants", "profiles", "queues", "encrypted", "queue policies", "rules")
READERS = {"AWS::IAM::Role": "role", "AWS::IAM::ManagedPolicy": "policy", "AWS::IAM::InstanceProfile": "profile", "AWS::SQS::Queue": "queue",
           "AWS::SQS::QueuePolicy": "queue_policy", "AWS::Events::Rule": "rule"}


def of_model(model):
    """What a model says, in the same sentences."""
    out = {about: set() for about in ABOUT}
    for name, role in model["roles"].items():
        if name != "<unattached>":
            out["roles"] |= {f"{name} has {arn}" for arn in role["managed"]} | {f"{name} in {role['path']}"} | {f"{name} {t}" for t in role["trust"]}
    for name, policy in model["managed_policies"].items():
        out["policies"].add(f"{name} in {policy['path']}")
        out["grants"] |= {s for sentence in policy["grants"] for s in cut(sentence)}
    for name, profile in model["instance_profiles"].items():
        out["profiles"].add(f"{name} in {profile['path']} with {sorted(profile['roles'])}")
    for name, queue in model["queues"].items():
        out["queues"].add(f"{name} keeps {queue['MessageRetentionPeriod']}")
        out["encrypted"].add(f"{name} is encrypted")
    for policies in model["queue_policies"].values():
        out["queue policies"] |= {s for policy in policies for sentence in policy for s in cut(sentence)}
    for rule in model["event_rules"]:
        out["rules"].add(f"ENABLED {json.dumps(rule['pattern'], sort_keys=True)} to {sorted(rule['targets'])}")
    return out


def cut(sentence):
    """A model's sentence, cut into one for each action, principal and resource."""
    grant, _, conditions = sentence.partition(" if ")
    grant, _, resources = grant.partition(" on ")
    effect, actions = grant.split(" ", 1)
    actions, _, by = actions.partition(" by ")
    held = sorted(conditions.split(" and ")) if conditions else []
    return {f"{effect} {a} by {by} on {r} if {held}" for a in actions.split(", ") for r in resources.split(", ")}


def grants(document):
    """The sentences of a policy document."""
    out = set()
    for s in document["Statement"]:
        held = sorted(f"{operator} {key} = {' | '.join(sorted(map(text, many(values))))}"
                      for operator, keys in s.get("Condition", {}).items() for key, values in keys.items())
        out |= {f"{s['Effect']} {a} by {w} on {r} if {held}" for a in many(s["Action"]) for w in who(s.get("Principal")) for r in many(s["Resource"])}
    return out


def many(value):
    return value if isinstance(value, list) else [value]


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def who(principal):
    if principal is None:
        return [""]
    if isinstance(principal, str):
        return [f"AWS:{principal}"]
    return [f"{kind}:{name}" for kind, names in principal.items() for name in many(names)]
