"""The gate's own API, under /_lab/: how a test looks at the lab and steers it.

    GET    requests[?since=N]        the AWS calls so far
    GET    kube-requests[?since=N]   the Kubernetes requests so far (user, agent, verb, uri, code)
    GET    inventory                 everything that exists now
    GET    settings, faults, controllers
    POST   settings {…}              strict, pace, latency_ms, join_seconds, front (front.py), controller (real | stand-in),
                                     failing (a resource type whose creation by CloudFormation fails when it is there already),
                                     failed (a cluster that EKS calls FAILED, until it is deleted), clock (clock.py),
                                     association_seconds (pod_webhook.py)
    POST   faults [{…}]              see faults.py;  DELETE faults (who was away for one is back at once)
    POST   clusters {…}              an existing cluster, see clusters.py
    POST   tripwire {…}              kills karpctl at its N-th deed, see tripwire.py;  GET, DELETE tripwire
"""

import json
import traceback
import urllib.parse

import clusters
import inventory
from call import as_json

SETTINGS = {"strict": bool, "pace": int, "latency_ms": (int, float, dict), "join_seconds": (int, float),
            "front": bool, "controller": str, "failing": str, "failed": str, "clock": int,
            "association_seconds": (int, float),
            "replay": bool}


def kube_requests(gate, since):
    """The audit log, one row a request; the cluster's own controllers are left out."""
    path, out = gate.lab.log_dir / "audit.jsonl", []
    if path.exists():
        for n, line in enumerate(path.read_text().splitlines()):
            if n < since:
                continue
            try:
                e = json.loads(line)
            except ValueError:
                break  # half written
            if (e.get("userAgent") or "").startswith("kube-controller-manager/"):
                continue
            out.append({"n": n, "user": e["user"].get("username"), "agent": e.get("userAgent"), "verb": e["verb"],
                        "uri": e["requestURI"], "code": (e.get("responseStatus") or {}).get("code"),
                        "time": e["requestReceivedTimestamp"]})
    return out


def settings(gate, wanted):
    """Changes settings; raises ValueError for what is no setting."""
    for key, value in wanted.items():
        if key not in SETTINGS:
            raise ValueError(f"no such setting: {key}; there are {', '.join(SETTINGS)}")
        if not isinstance(value, SETTINGS[key]):
            raise ValueError(f"setting {key} cannot be {value!r}")
    gate.lab.settings.update(wanted)
    return gate.lab.settings


def dispatch(gate, method, name, query, body):
    since = int(query.get("since", ["0"])[0])
    match method, name:
        case "GET", "requests":
            return gate.requests[since:]
        case "GET", "kube-requests":
            return kube_requests(gate, since)
        case "GET", "inventory":
            return inventory.take(gate.lab)
        case "GET", "settings":
            return gate.lab.settings
        case "POST", "settings":
            return settings(gate, body)
        case "GET", "faults":
            return gate.faults.list()
        case "POST", "faults":
            gate.faults.add(body)
            return gate.faults.list()
        case "DELETE", "faults":
            gate.faults.clear()
            for door in gate.doors:
                door.come_back()
            return []
        case "POST", "clusters":
            return clusters.make(gate.lab, body)
        case "POST", "tripwire":
            return gate.tripwire.arm(body)
        case "POST", "tripwire/started":
            gate.tripwire.passed(f"start {body.get('program', '')}")
            return {}
        case "GET", "tripwire":
            return gate.tripwire.look()
        case "DELETE", "tripwire":
            return gate.tripwire.disarm()
        case "GET", "controllers":
            return gate.lab.controllers.describe()
    raise LookupError(f"{method} {name}")


def handle(gate, method, path, raw):
    """One request to the control API."""
    url = urllib.parse.urlparse(path)
    try:
        body = json.loads(raw) if raw else {}
        found = dispatch(gate, method, url.path.removeprefix("/_lab/").strip("/"), urllib.parse.parse_qs(url.query), body)
        return as_json(found)
    except LookupError as e:
        return as_json({"error": f"no such thing: {e}"}, 404)
    except ValueError as e:
        return as_json({"error": str(e)}, 400)
    except Exception as e:  # told to the test rather than a closed connection
        traceback.print_exc()
        return as_json({"error": repr(e)}, 500)
