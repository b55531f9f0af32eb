"""SSM: the public parameters of the EKS-optimized images."""

import amis
from call import AMZ_JSON, as_json


def parameter(lab, call, name):
    """The parameter as SSM describes it, or None."""
    image = amis.from_parameter(name)
    if not image:
        return None
    region = call.region or lab.region
    return {"Name": name, "Type": "String", "Value": amis.image_id(image), "Version": 1, "DataType": "text",
            "LastModifiedDate": 1767225600, "ARN": f"arn:{lab.partition}:ssm:{region}::parameter{name}"}


def before(lab, call):
    if call.action == "GetParameter":
        found = parameter(lab, call, call.json.get("Name", ""))
        return found and as_json({"Parameter": found}, headers=AMZ_JSON)
    if call.action == "GetParameters" and all(n.startswith("/aws/service/eks/") for n in call.json.get("Names", [])):
        found = [p for n in call.json["Names"] if (p := parameter(lab, call, n))]
        names = {p["Name"] for p in found}
        return as_json({"Parameters": found, "InvalidParameters": [n for n in call.json["Names"] if n not in names]},
                       headers=AMZ_JSON)
    if call.action == "GetParametersByPath" and call.json.get("Path", "").startswith("/aws/service/eks/"):
        return as_json({"Parameters": [parameter(lab, call, n) for n in amis.parameters(call.json["Path"])]}, headers=AMZ_JSON)
    return None


def after(lab, call, answer):
    return answer
