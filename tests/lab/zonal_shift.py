"""Zonal shift, which the emulator knows nothing of: EKS keeps for which clusters it is on, and ARC knows those alone."""

import urllib.parse

import cfn_template
from call import as_json, error

ON = {}  # (id of the lab, cluster) -> whether it is on


def before(lab, call):
    if call.service == "arc-zonal-shift":
        return managed_resource(lab, call)
    if call.service == "cloudformation" and call.action == "CreateStack" and "AWS::EKS::Cluster" in call.params.get("TemplateBody", ""):
        for resource in (cfn_template.parse(call.params["TemplateBody"]).get("Resources") or {}).values():
            if resource.get("Type") == "AWS::EKS::Cluster":
                properties = resource.get("Properties") or {}
                keep(lab, properties.get("Name"), (properties.get("ZonalShiftConfig") or {}).get("Enabled"))
    if call.action == "CreateCluster":
        keep(lab, call.json["name"], (call.json.get("zonalShiftConfig") or {}).get("enabled"))
    if call.action == "UpdateClusterConfig" and "zonalShiftConfig" in call.json:
        name = call.segments[1]
        keep(lab, name, call.json["zonalShiftConfig"].get("enabled"))
        return as_json({"update": {"id": f"zonal-shift-of-{name}", "status": "Successful", "type": "ZonalShiftConfigUpdate"}})
    return None


def after(lab, call, answer):
    """What EKS shows of a cluster."""
    cluster = answer.json.get("cluster") if call.service == "eks" and answer.ok else None
    if not cluster:
        return answer
    config = {"zonalShiftConfig": {"enabled": ON.get((id(lab), cluster.get("name")), False)}}
    return answer.with_json({**answer.json, "cluster": {**cluster, **config}})


def keep(lab, name, enabled):
    ON[id(lab), name] = str(enabled).lower() == "true"


def managed_resource(lab, call):
    """GetManagedResource: of a cluster that has it on, no shift is under way."""
    arn = urllib.parse.unquote(call.path.split("?")[0].rsplit("/managedresources/", 1)[-1])
    name = arn.rsplit("/", 1)[-1]
    if not ON.get((id(lab), name)):
        return error(call, "ResourceNotFoundException", f"The resource {arn} is not registered for zonal shift.", 404)
    return as_json({"arn": arn, "name": name, "appliedWeights": {}, "zonalShifts": [], "autoshifts": []})
