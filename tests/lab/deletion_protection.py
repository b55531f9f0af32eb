"""Deletion protection, which the emulator knows nothing of: EKS refuses to delete a cluster of which it is on, and is told so last."""

from call import as_json, error

ON = set()  # (id of the lab, cluster)


def before(lab, call):
    if call.action == "UpdateClusterConfig" and "deletionProtection" in call.json:
        name = call.segments[1]
        (ON.add if call.json["deletionProtection"] else ON.discard)((id(lab), name))
        return as_json({"update": {"id": f"deletion-protection-of-{name}", "status": "Successful", "type": "DeletionProtectionUpdate"}})
    if call.action == "DeleteCluster" and (id(lab), call.segments[1]) in ON:
        return error(call, "InvalidRequestException", "Cluster has deletion protection enabled: turn it off first.", 400)
    return None


def after(lab, call, answer):
    """What EKS shows of a cluster."""
    cluster = answer.json.get("cluster") if answer.ok else None
    if not cluster:
        return answer
    return answer.with_json({**answer.json, "cluster": {**cluster, "deletionProtection": (id(lab), cluster.get("name")) in ON}})
