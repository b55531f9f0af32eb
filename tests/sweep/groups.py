"""The groups of releases whose official templates mean the same, and their models: those of the conformance tests."""

import json
from pathlib import Path

import yaml

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"


def read():
    """The groups, oldest first."""
    return yaml.safe_load((CONFORMANCE / "groups.yaml").read_text())["groups"]


def model(group, account, region, partition, domain):
    """What the template of a group means, in another account, region and partition."""
    text = (CONFORMANCE / "models" / f"v{group['model']}.json").read_text()
    for old, new in (("111122223333", account), ("us-west-2", region), ("arn:aws:", f"arn:{partition}:"),
                     ("Service:ec2.amazonaws.com", f"Service:ec2.{domain}"),
                     ('iam:PassedToService = ec2.amazonaws.com"', f'iam:PassedToService = ec2.{domain}"')):
        text = text.replace(old, new)
    return json.loads(text)
