"""Faults that a test asks for: answer an error, delay, drop the request, be away, or carry it out and lose the answer.

    {"service": "eks", "action": "Create.*", "times": 2, "skip": 1, "status": 429, "headers": {…}, "body": "…"}
    {"action": "CreateStack", "delay": 3}      {"action": "…", "drop": true}      {"action": "…", "drop_after": true}
    {"action": "…", "refuse": 1.5}
    {"action": "…", "truncate": true}          {"service": "kubernetes", "action": "GET /api/v1/.*", "drop": true}

`truncate` carries it out and sends half of the answer. `refuse` ends every connection and takes no new one for so many seconds. `headers` without `status` are laid over those of the real answer.
`service` and `action` (a regular expression over the whole name; for Kubernetes over `VERB /path`, see front.py) both
default to any, but an AWS fault that names no service does not meet Kubernetes; `key` limits it to calls by this access key, `agent` to AWS calls
of a program that says so of itself; `times` to 1 (0: for ever);
`skip` lets that many matching calls pass first. Faults are tried in the order given; the first live one that matches
is used.
"""

import itertools
import re
import threading

KEYS = {"service", "action", "key", "agent", "times", "skip", "status", "headers", "body", "delay", "drop", "drop_after", "refuse", "truncate"}


def cut(body):
    """The first half of an answer."""
    return body[:len(body) // 2]


class Faults:
    """The faults in force, how often each has been used, and in which order they last were."""

    def __init__(self):
        self._lock = threading.Lock()
        self._faults, self._uses = [], itertools.count(1)

    def add(self, faults):
        """Adds faults; raises ValueError for one that says nothing sensible."""
        faults = faults if isinstance(faults, list) else [faults]
        for f in faults:
            unknown = set(f) - KEYS
            if unknown:
                raise ValueError(f"unknown keys in a fault: {', '.join(sorted(unknown))}")
            re.compile(f.get("action", ".*"))
        with self._lock:
            self._faults += [{**f, "seen": 0, "used": 0, "last": 0} for f in faults]

    def clear(self):
        with self._lock:
            self._faults = []

    def list(self):
        with self._lock:
            return [dict(f) for f in self._faults]

    def match(self, call):
        """The fault to use on this AWS call, counted as used; or None."""
        return self.find(call.service, call.action, call.key, call.headers.get("user-agent", ""))

    def find(self, service, action, key=None, agent=""):
        """The same, by names."""
        with self._lock:
            for f in self._faults:
                wanted = f.get("service") or (None if service == "kubernetes" else service)
                if f.get("agent", "") not in agent or f.get("key") not in (None, key) or wanted != service or not re.fullmatch(f.get("action", ".*"), action):
                    continue
                f["seen"] += 1
                times = f.get("times", 1)
                if f["seen"] > f.get("skip", 0) and (not times or f["used"] < times):
                    f["used"] += 1
                    f["last"] = next(self._uses)
                    return dict(f)
        return None
