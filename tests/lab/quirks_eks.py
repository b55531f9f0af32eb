"""EKS: what the emulator does otherwise than AWS.

- Endpoint, certificate and issuer of a cluster are made up: they become the lab's apiserver and an issuer URL.
- `clientRequestToken` is ignored: the first answer is kept and given again, unless the setting `replay` says that a second request is
  refused like anybody's (409), as EKS does with some.
- Things are ACTIVE at the next look, and gone at once: the lab's pace.
- An access entry is of whatever has the ARN of its principal: the unique id is kept (webhook.py).
- Clusters are seen from every region; what is in a cluster outlives it (lifecycle.purge_cluster).
- DescribeClusterVersions and DescribeAddonVersions end at 1.34.
"""

import base64
import datetime
import hashlib
import threading

import aws
import fargate
import lifecycle
import node_addons
from call import JSON, Answer, as_json, error

REPLAY = {}  # (lab, action, token) -> the first answer
PACE = {}  # (lab, kind, cluster, name) -> [polls left, status, document to show or None]
_lock = threading.Lock()
# operation -> (kind, key of the document)
KINDS = {"Cluster": "cluster", "Nodegroup": "nodegroup", "Addon": "addon", "FargateProfile": "fargateProfile"}
NEWEST_KNOWN = "1.34"
# What EKS offers besides, with the days on which standard and extended support end (amazon-eks-user-guide, kubernetes-versions.adoc).
NEW_VERSIONS = {"1.36": ("2027-08-02", "2028-08-02"), "1.35": ("2027-03-27", "2028-03-27")}


def before(lab, call):
    token = call.json.get("clientRequestToken")
    if token and lab.settings["replay"] and (replayed := REPLAY.get((id(lab), call.action, token))):
        call.notes["replay"] = True
        return replayed
    if call.action == "CreateCluster":
        lab.wait_for_kube()
    if call.action == "DescribeAddonVersions":
        for version in NEW_VERSIONS:
            call.path = call.path.replace(f"kubernetesVersion={version}", f"kubernetesVersion={NEWEST_KNOWN}")
    elsewhere = other_region(lab, call)
    if elsewhere:
        return elsewhere
    if call.action.startswith("Describe"):
        return deleting(lab, call)
    if call.action.startswith("Delete"):
        keep_document(lab, call)
    if call.action == "DeleteCluster" and not call.blocked_by:
        lifecycle.purge_cluster(lab, call.segments[1])
    return None


def after(lab, call, answer):
    if not answer.ok:
        return answer
    if call.action == "ListClusters":
        answer = own_region(lab, call, answer)
    if call.action == "DescribeClusterVersions":
        answer = newer_versions(answer)
    answer = paced(lab, call, rewrite(lab, call, answer))
    token = call.json.get("clientRequestToken")
    if token:
        REPLAY[id(lab), call.action, token] = answer
    happened(lab, call)
    return answer


# --- the cluster as the lab has it

def issuer(lab, name, region):
    digest = hashlib.sha256(name.encode()).hexdigest()[:32].upper()
    return f"https://oidc.eks.{region}.{lab.dns}/id/{digest}"


def rewrite(lab, call, answer):
    """Points a cluster at the lab's apiserver."""
    cluster = answer.json.get("cluster")
    if not cluster:
        return answer
    ca = base64.b64encode((lab.cert_dir / "ca.crt").read_bytes()).decode()
    cluster = {**cluster, "endpoint": lab.endpoint, "certificateAuthority": {"data": ca},
               "identity": {"oidc": {"issuer": issuer(lab, cluster["name"], region_of(cluster))}}}
    if cluster["name"] == lab.settings["failed"]:
        cluster["status"] = "FAILED"
    return answer.with_json({**answer.json, "cluster": cluster})


def region_of(cluster):
    return cluster["arn"].split(":")[3]


def cluster_region(lab, name):
    """The region a cluster lives in, or None."""
    try:
        return region_of(lab.aws.rest("eks", "GET", f"/clusters/{name}")["cluster"])
    except aws.AwsError:
        return None


def other_region(lab, call):
    """On AWS a cluster is known in its own region only."""
    if len(call.segments) < 2 or call.segments[0] != "clusters" or not call.region:
        return None
    name = call.segments[1]
    if cluster_region(lab, name) in (None, call.region):
        return None
    return error(call, "ResourceNotFoundException", f"No cluster found for name: {name}.", 404)


def own_region(lab, call, answer):
    names = [n for n in answer.json.get("clusters", []) if cluster_region(lab, n) in (None, call.region)]
    return answer.with_json({**answer.json, "clusters": names})


def newer_versions(answer):
    """Adds the versions that the emulator does not know yet, like its newest known one but for the dates, unless certain ones are asked
    for."""
    document = answer.json
    rows = document.get("clusterVersions") or []
    known = {r["clusterVersion"] for r in rows}
    if not rows:
        return answer
    pattern = max(rows, key=lambda r: int(r["clusterVersion"].split(".")[1]))
    if pattern["clusterVersion"] != NEWEST_KNOWN:
        return answer
    new = [{**pattern, "clusterVersion": v, "defaultVersion": False, "endOfStandardSupportDate": seconds(standard),
            "endOfExtendedSupportDate": seconds(extended)} for v, (standard, extended) in NEW_VERSIONS.items() if v not in known]
    return answer.with_json({**document, "clusterVersions": new + rows})


def seconds(day):
    """The beginning of a day, as EKS writes times."""
    return datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()


# --- pace

def subject(call):
    """(kind, cluster, name) of a Create/Describe/Delete of a cluster, node group, add-on or Fargate profile."""
    for verb in ("Create", "Describe", "Delete"):
        kind = call.action.removeprefix(verb)
        if call.action.startswith(verb) and kind in KINDS:
            body, s = call.json, call.segments
            if kind == "Cluster":
                name = body.get("name") or (s[1] if len(s) > 1 else "")
                return kind, name, name
            name = body.get("nodegroupName") or body.get("addonName") or body.get("fargateProfileName")
            return kind, s[1], name or s[-1]
    return None


def paced(lab, call, answer):
    """CREATING for as many looks as the lab's pace says; without a pace an add-on is ACTIVE at once."""
    what = subject(call)
    if not what:
        return answer
    key, pace, verb = (id(lab), *what), int(lab.settings["pace"]), call.action[:6]
    document, field = dict(answer.json), KINDS[what[0]]
    if field not in document:
        return answer
    status = document[field].get("status")
    with _lock:
        if verb == "Create":
            PACE[key] = [pace, "CREATING", None]
            status = "CREATING" if pace or what[0] != "Addon" else "ACTIVE"
        elif verb == "Descri" and (left := PACE.get(key)) and left[0] > 0 and left[2] is None:
            left[0] -= 1
            status = left[1]
        elif verb == "Descri" and status == "CREATING":
            status = "ACTIVE"
    if verb == "Delete":
        status = "DELETING"
        if pace:
            PACE[key] = [pace, "DELETING", call.document or answer.json]
    return answer.with_json({**document, field: {**document[field], "status": status}})


def keep_document(lab, call):
    """What a thing looked like, to show it DELETING; and whether the emulator will refuse to delete it."""
    call.document, call.blocked_by = None, None
    what = subject(call)
    try:
        if what and int(lab.settings["pace"]):
            described = Answer(200, JSON, as_json(lab.aws.rest("eks", "GET", call.path)).body)
            call.document = rewrite(lab, call, described).json
        if what and what[0] == "Cluster":
            call.blocked_by = lab.aws.rest("eks", "GET", f"/clusters/{what[1]}/node-groups").get("nodegroups")
    except aws.AwsError:
        pass


def deleting(lab, call):
    """A thing that is gone in the emulator is still DELETING for some looks."""
    what = subject(call)
    with _lock:
        left = PACE.get((id(lab), *what)) if what else None
        if not left or left[2] is None:
            return None
        if left[0] <= 0:
            del PACE[(id(lab), *what)]
            return None
        left[0] -= 1
    field = KINDS[what[0]]
    return as_json({field: {**left[2][field], "status": "DELETING"}})


# --- what follows from a change

def happened(lab, call):
    """Tells the rest of the lab."""
    if call.action == "UpdateNodegroupConfig" and "scalingConfig" in call.json:
        lifecycle.nodes.group_scaled(lab, call.segments[1], call.segments[3])
    if call.action == "CreateAccessEntry":
        principal = call.json.get("principalArn", "")
        lab.entry_ids[call.segments[1], principal] = lab.aws.unique_id(principal)
    if call.action in ("CreateAddon", "UpdateAddon"):
        node_addons.changed(lab, call)
    what = subject(call)
    if not what:
        return
    kind, cluster, name = what
    match call.action:
        case "CreateCluster":
            lifecycle.cluster_created(lab, call, name)
        case "DeleteCluster":
            lifecycle.cluster_deleted(lab, name)
        case "CreateNodegroup":
            lifecycle.nodes.group_created(lab, cluster, name)
        case "DeleteNodegroup":
            lifecycle.nodes.group_deleted(lab, cluster, name)
        case "CreateFargateProfile":
            fargate.profile_created(lab, cluster, name)
        case "DeleteFargateProfile":
            fargate.profile_deleted(lab, cluster, name)
