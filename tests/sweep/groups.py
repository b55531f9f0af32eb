"""The groups of releases whose official templates mean the same, and their models: those of the conformance tests."""

import json
from pathlib import Path

import yaml

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"


def read():
    """The groups, oldest first."""
    return yaml.safe_load((CONFORMANCE / "groups.yaml").read_text())["groups"]


def model(group, account, region, partition, domain):
    """What the template of a group means here, in another account, region and partition: as the official one, but for what
    `src/knowledge/guide.yaml` says of both-apis-of-0.32 and cluster-tag-of-1.0."""
    found = official(group["model"], account, region, partition, domain)
    if group["model"] == "0.32.0":
        alpha = official("0.31.0", account, region, partition, domain)
        grants = found["managed_policies"]["KarpenterControllerPolicy-demo"]["grants"]
        grants += [g for g in alpha["managed_policies"]["KarpenterControllerPolicy-demo"]["grants"]
                   if "karpenter.sh/provisioner-name" in g and "karpenter.sh/managed-by" not in g]
        found["instance_profiles"] = alpha["instance_profiles"]
    if group["model"] == "1.0.0":
        asks = "StringEquals aws:RequestTag/eks:eks-cluster-name = demo and "
        found = json.loads(json.dumps(found).replace(asks, ""))
    return found


def official(release, account, region, partition, domain):
    """What the official template of a release means."""
    text = (CONFORMANCE / "models" / f"v{release}.json").read_text()
    for old, new in (("111122223333", account), ("us-west-2", region), ("arn:aws:", f"arn:{partition}:"),
                     ("Service:ec2.amazonaws.com", f"Service:ec2.{domain}"),
                     ('iam:PassedToService = ec2.amazonaws.com"', f'iam:PassedToService = ec2.{domain}"')):
        text = text.replace(old, new)
    return json.loads(text)
