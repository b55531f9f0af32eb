"""EKS-like authentication for the lab's apiserver: token -> access key -> IAM ARN -> access entry, else aws-auth.

It does not verify the signature (the emulator takes no presigned GET) nor the cluster's name, which is signed but not
in the token: a token made for another cluster of the same lab passes.
"""

import base64
import datetime
import json
import urllib.parse

import yaml

import aws
import reviews

PREFIX = "k8s-aws-v1."
MAX_AGE = 900


class Refused(Exception):
    """The token names nobody that the cluster knows; the text goes to the log and into the TokenReview."""


def signed_request(token):
    """The query of the presigned URL inside a token, checked as EKS checks it before it asks STS."""
    packed = token[len(PREFIX):]
    url = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    q = {k: v[0] for k, v in urllib.parse.parse_qs(urllib.parse.urlparse(url).query).items()}
    if q.get("Action") != "GetCallerIdentity" or "x-k8s-aws-id" not in q.get("X-Amz-SignedHeaders", ""):
        raise Refused("not a signed GetCallerIdentity for a cluster")
    made = datetime.datetime.strptime(q["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds() > MAX_AGE:
        raise Refused("the token is expired")
    return q


def fill(text, arn, session):
    """The placeholders of access entries and aws-auth."""
    for name, value in (("SessionName", session), ("SessionNameRaw", session), ("AccountID", arn.split(":")[4]),
                        ("EC2PrivateDNSName", session)):
        text = text.replace("{{%s}}" % name, value)
    return text


class Authenticator:
    """Decides who a caller is to Kubernetes."""

    def __init__(self, lab):
        self.lab = lab

    def user(self, token):
        """The user of a token; raises Refused."""
        q = signed_request(token)
        arn, why = self.lab.aws.caller(q["X-Amz-Credential"].split("/")[0], q.get("X-Amz-Security-Token"))
        if not arn:
            raise Refused(f"STS knows no such key: {why}")
        clusters = self.lab.aws.clusters()
        for cluster in sorted(clusters, key=lambda c: c.get("createdAt") or 0, reverse=True):
            found = self.in_cluster(cluster, arn)
            if found:
                return found
        raise Refused(f"no cluster of {len(clusters)} maps {arn}")

    def in_cluster(self, cluster, arn):
        """The user that one cluster makes of an ARN, or None."""
        who, name = aws.canonical(arn), cluster["name"]
        session = arn.rsplit("/", 1)[-1] if who != arn else ""
        access = cluster.get("accessConfig") or {}
        mode = access.get("authenticationMode") or "CONFIG_MAP"
        extra = {"arn": [arn], "canonicalArn": [who], "sessionName": [session]}
        if who == self.lab.creators.get(name) and access.get("bootstrapClusterCreatorAdminPermissions") is not False:
            return {"username": "kubernetes-admin", "groups": ["system:masters"], "extra": extra}
        found = None
        if "API" in mode:
            found = self.access_entry(name, who, arn, session)
        if not found and "CONFIG_MAP" in mode:
            found = self.aws_auth(who, arn, session)
        return found and {**found, "extra": extra}

    def access_entry(self, cluster, who, arn, session):
        path = f"/clusters/{cluster}/access-entries/{aws.quote(who)}"
        try:
            entry = self.lab.aws.rest("eks", "GET", path)["accessEntry"]
            policies = self.lab.aws.rest("eks", "GET", f"{path}/access-policies").get("associatedAccessPolicies", [])
        except aws.AwsError:
            return None
        if self.is_of_earlier_role(cluster, who):
            return None
        if entry.get("type", "").startswith("EC2"):
            # the emulator's username for node entries is wrong
            return {"username": f"system:node:{session}", "groups": ["system:bootstrappers", "system:nodes"]}
        groups = list(entry.get("kubernetesGroups") or [])
        if any("AmazonEKSClusterAdminPolicy" in p["policyArn"] for p in policies):
            groups.append("system:masters")
        return {"username": fill(entry["username"], arn, session), "groups": groups}

    def is_of_earlier_role(self, cluster, who):
        """Whether the entry was made for a role that is gone, and whose name another has now."""
        had = self.lab.entry_ids.get((cluster, who))
        return had is not None and had != self.lab.aws.unique_id(who)

    def aws_auth(self, who, arn, session):
        for row in rows(self.lab):
            if (row.get("rolearn") or row.get("userarn")) == who:
                return {"username": fill(row.get("username") or who, arn, session),
                        "groups": [fill(g, arn, session) for g in row.get("groups") or []]}
        return None


def rows(lab):
    """The rows of the aws-auth ConfigMap; none when there is no such map, or it is no YAML list."""
    found = lab.kube.find("/api/v1/namespaces/kube-system/configmaps/aws-auth")
    data = (found or {}).get("data") or {}
    out = []
    for key in ("mapRoles", "mapUsers"):
        try:
            part = yaml.safe_load(data.get(key) or "[]") or []
        except yaml.YAMLError:
            continue
        out += [r for r in part if isinstance(r, dict)] if isinstance(part, list) else []
    return out


def review(authenticator, request, log):
    """A TokenReview with its status filled in."""
    token, user, error = request["spec"].get("token", ""), None, "not an EKS token"
    if token.startswith(PREFIX):
        try:
            user = authenticator.user(token)
        except Refused as e:
            error = str(e)
        except Exception as e:  # a token may hold anything: whatever it breaks is its own refusal
            error = repr(e)
        print(json.dumps({"user": user, "error": None if user else error}), file=log)
    status = {"authenticated": True, "user": user} if user else {"authenticated": False, "error": error}
    return {"apiVersion": request["apiVersion"], "kind": "TokenReview", "status": status}


def start(lab):
    """Serves on a port of its own."""
    authenticator = Authenticator(lab)
    log = (lab.log_dir / "webhook.log").open("a", buffering=1)
    reviews.serve(lab, "webhook", lambda request: review(authenticator, request, log))
