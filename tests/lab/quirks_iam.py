"""IAM: service-linked roles are named and refused otherwise than on AWS; an OIDC provider keeps the port eksctl adds;
a trust policy may not be updated to one with sts:TagSession."""

import json
import re
import urllib.parse

from call import Answer, XML, error

LINKED = {
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
    "spotfleet.amazonaws.com": "AWSServiceRoleForEC2SpotFleet",
    "eks.amazonaws.com": "AWSServiceRoleForAmazonEKS",
    "eks-nodegroup.amazonaws.com": "AWSServiceRoleForAmazonEKSNodegroup",
    "eks-fargate.amazonaws.com": "AWSServiceRoleForAmazonEKSForFargate",
}

TRUST = {}  # (lab, role) -> trust policy that the emulator would not take whole


def before(lab, call):
    if call.action == "CreateServiceLinkedRole":
        return service_linked_role(lab, call)
    if call.action == "UpdateAssumeRolePolicy":
        return update_trust(lab, call)
    if call.action == "CreateOpenIDConnectProvider" and re.search(r":443(/|$)", call.params.get("Url", "")):
        # AWS takes the port away; the emulator keeps it, and later look-ups miss
        form = {**call.params, "Url": call.params["Url"].replace(":443", "", 1)}
        status, text = lab.aws.query_raw("iam", call.action, without_protocol(form), key=call.key, token=call.token)
        return Answer(status, XML, text.encode())
    return None


def after(lab, call, answer):
    name = call.params.get("RoleName")
    if not answer.ok:
        return answer
    if call.action in ("CreateRole", "DeleteRole"):
        TRUST.pop((id(lab), name), None)
    if call.action == "GetRole" and (id(lab), name) in TRUST:
        text = urllib.parse.quote(TRUST[id(lab), name], safe="")
        body = re.sub(rb"(<AssumeRolePolicyDocument>).*?(</)", lambda m: m.group(1) + text.encode() + m.group(2), answer.body,
                      flags=re.S)
        return Answer(answer.status, answer.headers, body)
    return answer


def update_trust(lab, call):
    """The emulator refuses sts:TagSession here (not in CreateRole), which every Pod Identity role needs: it gets the
    policy without that action, and GetRole answers the whole one."""
    name, text = call.params.get("RoleName", ""), call.params.get("PolicyDocument", "")
    TRUST.pop((id(lab), name), None)
    try:
        document = json.loads(text)
    except ValueError:
        return None
    found = document.get("Statement", [])
    for s in found if isinstance(found, list) else [found]:
        if isinstance(s.get("Action"), list):
            s["Action"] = [a for a in s["Action"] if a != "sts:TagSession"]
    if "sts:TagSession" not in text:
        return None
    status, body = lab.aws.query_raw("iam", call.action, {"RoleName": name, "PolicyDocument": json.dumps(document)})
    if status == 200:
        TRUST[id(lab), name] = text
    return Answer(status, XML, body.encode())


def without_protocol(form):
    return {k: v for k, v in form.items() if k not in ("Action", "Version")}


def service_linked_role(lab, call):
    """The emulator names it after the host and answers 409 when it is there."""
    service = call.params.get("AWSServiceName", "")
    name = LINKED.get(service)
    if not name:
        return None
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
    status, text = lab.aws.query_raw("iam", "CreateRole", {
        "RoleName": name, "Path": f"/aws-service-role/{service}/", "AssumeRolePolicyDocument": json.dumps(trust)})
    if status != 200:
        return error(call, "InvalidInput", f"Service role name {name} has been taken in this account, please try a "
                                           "different suffix.")
    return Answer(200, XML, text.replace("CreateRoleR", "CreateServiceLinkedRoleR").encode())
