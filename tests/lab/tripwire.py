"""Kills karpctl at a chosen moment: when it has done its N-th deed.

A deed is an AWS request, a Kubernetes request (through front.py) or a program that it started (through the shims of the
harness), of karpctl itself or of what it runs. The kill comes when the deed has had its effect and before anybody is told
so: to be killed before the N-th deed is the same as to be killed after the one before it.

    POST   tripwire {"pid": P, "at": N, "kill": "tree" | "alone"}    at 0: only counts
                                                                     signal INT, TERM, HUP: karpctl gets that instead
                                                                     of "changes": counts only what may change the world
    POST   tripwire/started {"program": "helm"}                      a shim says that its program begins
    GET    tripwire                                                  {"deeds": ["aws eks DescribeCluster", …], "fired": …}
    DELETE tripwire                                                  disarms

`tree` kills karpctl and all that descends from it, as a machine that goes down does; `alone` kills only karpctl, and leaves
helm or eksctl running, as the kernel's out-of-memory killer does.
"""

import os
import re
import signal
import threading
import time
from pathlib import Path


# what leaves the world as it was, by its name
LOOKS = re.compile(r"aws \S+ (Describe|List|Get|Head|BatchGet|Simulate|Assume)|kubernetes (GET|HEAD) "
                   r"|kubernetes POST /apis/authorization\.k8s\.io/")


def changes(deed):
    """Whether a deed may have changed the world; a program's start counts."""
    return not LOOKS.match(deed)


def children(pid):
    """The processes that one started, by what the kernel says."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(p) for p in task.read_text().split()]
        except (OSError, ValueError):
            pass
    return found


def tree(pid):
    """A process and all that descend from it."""
    found = [pid]
    for p in found:
        found += [c for c in children(p) if c not in found]
    return found


def ended(pid):
    """Whether a process is gone, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def interrupt(pid, name):
    """Sends a signal that a process may take its time with."""
    os.kill(pid, getattr(signal, f"SIG{name}"))
    return [pid]


def kill(pid, how):
    """Kills, and returns when it is dead: whoever is told of the deed afterwards is told too late."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return []
    victims = tree(pid) if how == "tree" else [pid]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
    end = time.monotonic() + 5
    while not all(ended(v) for v in victims) and time.monotonic() < end:
        time.sleep(0.002)
    return victims


class Tripwire:
    """The deeds since it was armed, and the kill."""

    def __init__(self):
        self._lock = threading.Lock()
        self._wire, self._deeds, self._fired, self._counted = None, [], None, 0

    def arm(self, wanted):
        """Raises ValueError for a wish that is not understood."""
        unknown = set(wanted) - {"pid", "at", "kill", "signal", "of"}
        if unknown or not isinstance(wanted.get("pid"), int) or wanted.get("kill", "tree") not in ("tree", "alone") \
                or wanted.get("of", "deeds") not in ("deeds", "changes"):
            raise ValueError("a tripwire is {pid, at, kill: tree | alone, signal, of: deeds | changes}")
        with self._lock:
            self._wire, self._deeds, self._fired = {"at": 0, "kill": "tree", "of": "deeds", **wanted}, [], None
            self._counted = 0
        return self.look()

    def disarm(self):
        with self._lock:
            self._wire = None
        return self.look()

    def look(self):
        with self._lock:
            return {"armed": self._wire is not None, "deeds": list(self._deeds), "fired": self._fired}

    def passed(self, deed):
        """Counts a deed that has had its effect; kills when it is the one."""
        with self._lock:
            if self._wire is None:
                return
            self._deeds.append(deed)
            self._counted += self._wire["of"] == "deeds" or changes(deed)
            if self._wire["at"] and self._counted == self._wire["at"] and self._fired is None:
                wire = self._wire
                killed = interrupt(wire["pid"], wire["signal"]) if wire.get("signal") else kill(wire["pid"], wire["kill"])
                self._fired = {"deed": deed, "killed": killed}
