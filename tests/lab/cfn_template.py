"""Reads as much of a CloudFormation template as is needed to know the names of what it creates."""

import json
import re

import yaml


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions: !Sub x is {"Fn::Sub": x}."""


def _short(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short)
# resource type -> (property that names it, kind in IAM's words)
NAMED = {
    "AWS::IAM::Role": ("RoleName", "Role with name"),
    "AWS::IAM::InstanceProfile": ("InstanceProfileName", "Instance Profile"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "A policy called"),
}


def parse(body):
    """The template as a dict; empty when it cannot be read."""
    try:
        found = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, _Loader)
    except (ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def values(template, given, pseudo):
    """Parameter -> value: what was given, else the default, and AWS::Region and the like."""
    defaults = {k: p.get("Default") for k, p in (template.get("Parameters") or {}).items() if isinstance(p, dict)}
    return {**defaults, **{k: v for k, v in given.items() if v is not None}, **pseudo}


def resolve(value, known):
    """A string property made of literals, Ref and Sub; None for what needs more."""
    if isinstance(value, (str, int)):
        return str(value)
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return known.get(value["Ref"])
    text = value.get("Fn::Sub")
    if isinstance(text, str):
        names = re.findall(r"\$\{([^}!]+)\}", text)
        if all(known.get(n) is not None for n in names):
            return re.sub(r"\$\{([^}!]+)\}", lambda m: str(known[m.group(1)]), text)
    return None


def named_resources(template, known):
    """(logical id, type, name) of the IAM resources that bear a name of their own."""
    for logical, r in (template.get("Resources") or {}).items():
        kind = r.get("Type") if isinstance(r, dict) else None
        if kind in NAMED:
            name = resolve((r.get("Properties") or {}).get(NAMED[kind][0]), known)
            if name:
                yield logical, kind, name
