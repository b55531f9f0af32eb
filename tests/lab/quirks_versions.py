"""Kubernetes versions that the emulator does not know: it knows no add-on for a cluster newer than 1.34.

Such a cluster is made as 1.34 inside the emulator and shown with its own version outside.
"""

import json
import urllib.parse

import cfn_template

NEWEST_KNOWN = "1.34"
SHOWN = {}  # (id of the lab, cluster) -> the version it was asked for


def newer(version):
    return [int(n) for n in version.split(".")[:2]] > [int(n) for n in NEWEST_KNOWN.split(".")]


def note(lab, name, version):
    """Remembers what a cluster is to look like; returns the version that the emulator is told."""
    SHOWN.pop((id(lab), name), None)
    if not newer(version):
        return version
    SHOWN[id(lab), name] = version
    return NEWEST_KNOWN


def before(lab, call):
    if call.service == "cloudformation" and call.action == "CreateStack" and "AWS::EKS::Cluster" in call.params.get("TemplateBody", ""):
        template = cfn_template.parse(call.params["TemplateBody"])
        for resource in (template.get("Resources") or {}).values():
            properties = resource.get("Properties") or {}
            if resource.get("Type") == "AWS::EKS::Cluster" and isinstance(properties.get("Version"), str):
                properties["Version"] = note(lab, properties.get("Name"), properties["Version"])
        call.params["TemplateBody"] = json.dumps(template)
        call.body = urllib.parse.urlencode(call.params).encode()
    if call.service == "eks" and call.action == "CreateCluster" and call.json.get("version"):
        call.json["version"] = note(lab, call.json["name"], call.json["version"])
        call.body = json.dumps(call.json).encode()
    return None


def after(lab, call, answer):
    cluster = answer.json.get("cluster") if call.service == "eks" and answer.ok else None
    shown = cluster and SHOWN.get((id(lab), cluster.get("name")))
    if not shown:
        return answer
    return answer.with_json({**answer.json, "cluster": {**cluster, "version": shown}})
