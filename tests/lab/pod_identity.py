"""The AWS credentials of a pod, obtained the way EKS gives them: Pod Identity, else IRSA, else none."""

import base64
import json
import secrets
import time
import urllib.parse
from dataclasses import dataclass, field

import aws
import quirks_eks
import quirks_iam
from node_addons import ANNOTATION

AGENT = "eks-pod-identity-agent"
PRINCIPAL = "pods.eks.amazonaws.com"


@dataclass
class Credentials:
    """Environment variables, and how they came about (or why there are none)."""

    why: str
    env: dict = field(default_factory=dict)


def trust_policy(lab, role_arn):
    """A role's trust policy as JSON text; raises AwsError when there is no such role."""
    known = quirks_iam.TRUST.get((id(lab), role_arn.split("/")[-1]))
    if known:
        return known
    answer = lab.aws.query("iam", "GetRole", {"RoleName": role_arn.split("/")[-1]})
    text = answer.findtext(".//AssumeRolePolicyDocument") or "{}"
    return urllib.parse.unquote(text) if text.startswith("%") else text


def statements(lab, role_arn):
    """The Allow statements of a role's trust policy; none when there is no such role."""
    try:
        found = json.loads(trust_policy(lab, role_arn)).get("Statement", [])
    except aws.AwsError:
        return []
    return [s for s in (found if isinstance(found, list) else [found]) if s.get("Effect") == "Allow"]


def listed(value):
    return value if isinstance(value, list) else [value] if value is not None else []


def trusts_pods(lab, role_arn):
    """Whether EKS Pod Identity may assume the role: both actions are needed."""
    actions = set()
    for s in statements(lab, role_arn):
        principal = s.get("Principal")
        if isinstance(principal, dict) and PRINCIPAL in listed(principal.get("Service")):
            actions |= set(listed(s.get("Action")))
    return {"sts:AssumeRole", "sts:TagSession"} <= actions or "sts:*" in actions


def from_answer(why, answer):
    return Credentials(why, {
        "AWS_ACCESS_KEY_ID": answer.findtext(".//AccessKeyId"),
        "AWS_SECRET_ACCESS_KEY": answer.findtext(".//SecretAccessKey"),
        "AWS_SESSION_TOKEN": answer.findtext(".//SessionToken")})


def assume_as_pods(lab, role_arn, cluster):
    """AssumeRole as the service pods.eks.amazonaws.com would.

    The emulator lets no client be a service, so the session is the lab's own: a key that the emulator does not know
    (to it such a key is root) and of which the gate knows whose it is, for strict IAM and GetCallerIdentity.
    """
    key = "ASIALAB" + secrets.token_hex(6).upper()
    session = f"eks-{cluster[:20]}-{secrets.token_hex(4)}"
    lab.sessions[key] = role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + f"/{session}"
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "lab", "AWS_SESSION_TOKEN": "lab"}


def assume_with_token(lab, role_arn, issuer, namespace, account):
    """AssumeRoleWithWebIdentity with a ServiceAccount token as EKS signs it; the emulator judges all but the signature."""
    def part(document):
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
    claims = {"iss": issuer, "aud": ["sts.amazonaws.com"], "sub": f"system:serviceaccount:{namespace}:{account}",
              "exp": int(time.time()) + 3600}
    token = f"{part({'alg': 'RS256'})}.{part(claims)}.{part({'signature': 'none'})}"
    answer = lab.aws.query("sts", "AssumeRoleWithWebIdentity", {
        "RoleArn": role_arn, "RoleSessionName": "lab-karpenter", "WebIdentityToken": token})
    lab.sessions[answer.findtext(".//AccessKeyId")] = answer.findtext(".//AssumedRoleUser/Arn")
    return answer


def association(lab, cluster, namespace, account):
    """The Pod Identity association for a ServiceAccount, or None."""
    base = f"/clusters/{cluster}/pod-identity-associations"
    for a in lab.aws.rest("eks", "GET", base).get("associations", []):
        if (a["namespace"], a["serviceAccount"]) == (namespace, account):
            return lab.aws.rest("eks", "GET", f"{base}/{a['associationId']}")["association"]
    return None


def of_service_account(lab, namespace, account, annotations, led):
    """What pods of that ServiceAccount have on EKS. `led`: whether they were given the way to the agent, see pod_webhook.py."""
    reasons = []
    for cluster in lab.aws.clusters():
        name = cluster["name"]
        found = association(lab, name, namespace, account)
        if found:
            role = found["roleArn"]
            if not led:
                reasons.append(f"the pods were made before the Pod Identity association of {name} worked")
            elif AGENT not in lab.aws.rest("eks", "GET", f"/clusters/{name}/addons").get("addons", []):
                reasons.append(f"{name} has a Pod Identity association but no add-on {AGENT}")
            elif not trusts_pods(lab, role):
                reasons.append(f"{role} does not trust {PRINCIPAL} with sts:AssumeRole and sts:TagSession")
            else:
                return Credentials(f"Pod Identity of {name}: {role}", assume_as_pods(lab, role, name))
        role = annotations.get(ANNOTATION)
        if role:
            issuer = quirks_eks.issuer(lab, name, quirks_eks.region_of(cluster))
            try:
                return from_answer(f"IRSA of {name}: {role}", assume_with_token(lab, role, issuer, namespace, account))
            except aws.AwsError as e:
                reasons.append(f"IRSA of {name}: {e}")
    return Credentials("no credentials: " + ("; ".join(reasons) or
                       f"no Pod Identity association and no role annotation for {namespace}/{account}"))
