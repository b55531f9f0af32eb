#!/usr/bin/env python3
"""Measures karpctl and prints ratios; a ratio that is beyond its bound is a warning, never a failure. Needs the lab's parts and a release
build (`make bench` makes both).

    python3 tests/bench/bench.py                     everything, about 12 minutes (eksctl sleeps)
    python3 tests/bench/bench.py --quick             only what needs no new cluster
    python3 tests/bench/bench.py --figures FILE      also writes the ratios there, as JSON, for report.py
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# KARPCTL names another release build, such as the static one.
KARPCTL = Path(os.environ.get("KARPCTL", ROOT / "target" / "small" / "karpctl"))
GUIDE = Path(__file__).with_name("guide.sh")
# What AWS usually takes for a call, so that requests cost what they cost there.
LATENCY_MS = {"cloudformation": 120, "eks": 90, "iam": 80, "ec2": 100, "ssm": 60, "sts": 50, "*": 60}
MIB = 1024 * 1024
# Beyond that a ratio is worth a look, on whatever machine: how much the client area may take of its slowest tool, and what the disk may cost it.
CLIENTS_MOST, COLD_MOST = 3, 10


class Lab:
    """A lab for the time of a `with`."""

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen([sys.executable, str(ROOT / "tests/lab/lab.py"), "serve", "--dir", self.dir.name],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready = event
                return self
        sys.exit("bench: the lab did not come up")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.dir.cleanup()

    def api(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.ready['gate']}/_lab/{path}", data=data, method="GET" if body is None else "POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def run(self, *argv):
        """(seconds, output) of a program in the lab; ends the bench where it fails."""
        began = time.monotonic()
        child = subprocess.Popen([str(a) for a in argv], env=self.ready["env"], cwd=self.dir.name, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, errors = child.communicate()
        if child.returncode:
            sys.exit(f"bench: {' '.join(map(str, argv[:3]))} ended with {child.returncode}\n{output[-2000:]}\n{errors[-2000:]}")
        return time.monotonic() - began, output

    def mark(self):
        """A point in time, for `requests`."""
        kube = self.api("kube-requests")
        return {"requests": len(self.api("requests")), "kube-requests": kube[-1]["n"] + 1 if kube else 0}

    def requests(self, since):
        """Requests by service since then, as the gate and the API server saw them; without those of Karpenter itself, which goes on
        whoever installed it."""
        ours = [r for log, n in since.items() for r in self.api(f"{log}?since={n}") if "karpenter" not in (r.get("agent") or "").lower()
                and not (r.get("user") or "").startswith(("system:node:", "system:serviceaccount:", "system:kube-", "system:apiserver"))
                and not (r.get("agent") or "").startswith(("kwok", "kube-"))]
        return Counter(r.get("service", "kubernetes") for r in ours)

    def tool(self, name):
        return next(p for d in self.ready["env"]["PATH"].split(":") if (p := Path(d) / name).exists())


def peak_mib(*argv, env=None):
    """Peak memory of a process and its children, in MiB."""
    pid = os.fork()
    if pid == 0:
        with open(os.devnull, "w") as null:
            code = subprocess.run([str(a) for a in argv], env=env, stdout=null, stderr=null).returncode
        os._exit(0 if code == 0 else 1)
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_maxrss / 1024


def median_seconds(*argv, env=None, times=15):
    """Median wall time of a process."""
    def once():
        began = time.perf_counter()
        subprocess.run([str(a) for a in argv], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began
    once()
    return statistics.median(once() for _ in range(times))


def median_cpu(*argv, env=None, times=15):
    """Median CPU time of a process: what it takes where nothing else runs."""
    def once():
        pid = os.posix_spawn(str(argv[0]), [str(a) for a in argv], env or os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)])
        _, status, usage = os.wait4(pid, 0)
        if status:
            sys.exit(f"bench: {argv[0]} ended with {status}")
        return usage.ru_utime + usage.ru_stime
    once()
    return statistics.median(once() for _ in range(times))


@dataclass
class Ratio:
    """What was measured, in what it is compared with (`x helm version`, `of the goal (20 MiB)`)."""

    number: float
    of: str
    most: float | None = None

    def __str__(self):
        return f"{self.number:.2f} {self.of}"


class Measured:
    """All that was said, for the figures."""

    def __init__(self):
        self.rows, self.load = [], os.getloadavg()[0]

    def say(self, what, value, *ratios, more=""):
        print(f"{what:<58} {value:>16} {'; '.join([*map(str, ratios), *([more] if more else [])])}", flush=True)
        for ratio in ratios:
            if ratio.most is not None and ratio.number > ratio.most:
                print(f"warning: {what}: {ratio}, more than {ratio.most}: nothing that fails, but worth a look on a machine that is quiet",
                      file=sys.stderr, flush=True)
        self.rows.append({"what": what, "ratios": [{"ratio": round(r.number, 3), "of": r.of, "most": r.most} for r in ratios]})

    def keep(self, file):
        """With what a reader must know of the machine: how many cores it has, and how much else they had to do."""
        machine = {"cores": os.cpu_count(), "load_before": round(self.load, 1)}
        file.write_text(json.dumps({"program": program(), "machine": machine, "rows": self.rows}, indent=1) + "\n")


def program():
    """The last commit that changed what karpctl is built of."""
    words = ["git", "log", "-1", "--format=%h", "--", "src", "templates", "build.rs", "Cargo.toml", "Cargo.lock"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"


MEASURED = Measured()
say = MEASURED.say


def critical_path(report):
    """Seconds of the longest chain of steps, each as long as it took in this run."""
    took = {s["step"]: s["elapsed_ms"] / 1000 for s in report["steps"]}
    ends = {}
    for step in report["plan"]["steps"]:
        ends[step["id"]] = max((ends[n] for n in step["needs"] if n in ends), default=0) + took.get(step["id"], 0)
    return max(ends.values())


def static(lab):
    """What needs no cluster."""
    size = KARPCTL.stat().st_size / MIB
    say("binary, stripped", f"{size:.1f} MiB", Ratio(size / 20, "of the goal (20 MiB)", 1))
    env = lab.ready["env"]
    offline = ["--cluster-name", "demo", "--region", "us-west-2", "--account-id", "111122223333"]
    with tempfile.TemporaryDirectory() as out:
        words = [KARPCTL, "render", "all", "--out", out, "--force", *offline]
        render, cpu = median_seconds(*words, env=env), median_cpu(*words, env=env)
    helm, eksctl = (median_seconds(lab.tool(t), "version", env=env) for t in ("helm", "eksctl"))
    say("render all, whole process", f"{render * 1000:.1f} ms", Ratio(render / helm, "x helm version"), Ratio(render / eksctl, "x eksctl version"))
    say("render all, CPU time", f"{cpu * 1000:.1f} ms", Ratio(cpu / 0.01, "of the goal (10 ms)"))
    own = peak_mib(KARPCTL, "render", "cloudformation", *offline, env=env)
    theirs = peak_mib(lab.tool("eksctl"), "version", env=env)
    say("peak memory of render cloudformation", f"{own:.0f} MiB", Ratio(own / theirs, "x eksctl version"))


def converged(lab, words):
    """A run that has nothing to do."""
    since = lab.mark()
    seconds = min(lab.run(KARPCTL, "bootstrap", "--yes", *words)[0] for _ in range(3))
    each = {service: n / 3 for service, n in sorted(lab.requests(since).items())}
    calls = ", ".join(f"{service} {n:.0f}" for service, n in each.items())
    get_cluster = [lab.tool("eksctl"), "get", "cluster", "--region", lab.ready["region"]]
    look = median_seconds(*get_cluster, env=lab.ready["env"], times=3)
    say("converged re-run", f"{seconds * 1000:.0f} ms", Ratio(seconds / look, "x eksctl get cluster"),
        more=f"{sum(each.values()):.0f} requests: {calls}")
    peak = peak_mib(KARPCTL, "bootstrap", "--yes", *words, env=lab.ready["env"])
    theirs = peak_mib(*get_cluster, env=lab.ready["env"])
    say("peak memory of a converged run", f"{peak:.0f} MiB", Ratio(peak / theirs, "x eksctl get cluster"))


def forget(*files):
    """Takes files out of the page cache, so that the next run reads them from the disk."""
    for file in files:
        with open(os.path.realpath(file), "rb") as there:
            os.posix_fadvise(there.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def clients(lab, cluster):
    """The client area against the slowest tool that it runs, with the programs in the page cache and without."""
    env = {**lab.ready["env"], "KUBECONFIG": f"{lab.dir.name}/bench-kubeconfig"}
    region = ["--region", lab.ready["region"]]
    aws, helm, kubectl = (lab.tool(name) for name in ("aws", "helm", "kubectl"))
    subprocess.run([aws, "eks", "update-kubeconfig", "--name", cluster, *region], env=env, check=True, stdout=subprocess.DEVNULL)
    words = [KARPCTL, "doctor", "--offline", "--area", "client", "--skip", "kubeconfig-readable,client-shadowed,kubeconfig-profile"]
    tools = {
        "the plugin, aws eks get-token": [aws, "eks", "get-token", "--cluster-name", cluster, *region],
        "helm version": [helm, "version"],
        "kubectl version --client": [kubectl, "version", "--client"],
    }

    def once(argv, cold):
        if cold:
            forget(KARPCTL, aws, helm, kubectl)
        began = time.perf_counter()
        subprocess.run([str(a) for a in argv], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began

    warm = None
    for cold in (False, True):
        once(words, False)
        took = {name: statistics.median(once(argv, cold) for _ in range(5)) for name, argv in tools.items()}
        seconds = statistics.median(once(words, cold) for _ in range(5))
        slowest = max(took, key=took.get)
        say(f"doctor of the clients, {'cold' if cold else 'warm'} page cache", f"{seconds * 1000:.0f} ms",
            Ratio(seconds / took[slowest], f"x its slowest tool ({slowest})", CLIENTS_MOST),
            *([Ratio(seconds / warm, "x the warm one", COLD_MOST)] if warm else []),
            more=f"that takes {took[slowest] * 1000:.0f} ms")
        warm = warm or seconds


def doctor(lab, words):
    """Every area, with what a call takes at AWS, with the programs in the page cache and without."""
    env = {**lab.ready["env"], "KUBECONFIG": f"{lab.dir.name}/bench-kubeconfig"}
    argv = [str(KARPCTL), "doctor", "-o", "json", *words]
    aws, region = lab.tool("aws"), ["--region", lab.ready["region"]]
    plugin = [str(aws), "eks", "get-token", "--cluster-name", "demo", *region]
    lab.api("settings", {"latency_ms": LATENCY_MS})

    def once(argv, cold):
        if cold:
            forget(KARPCTL, aws, lab.tool("helm"), lab.tool("kubectl"))
        began = time.perf_counter()
        ran = subprocess.run(argv, env=env, cwd=lab.dir.name, capture_output=True, text=True)
        if ran.returncode > 1:
            sys.exit(f"bench: {argv[0]} ended with {ran.returncode}\n{ran.stderr[-2000:]}")
        return time.perf_counter() - began, ran.stdout

    warm = None
    for cold in (False, True):
        once(argv, False)
        since = lab.mark()
        runs = [once(argv, cold) for _ in range(3)]
        asked = lab.requests(since).total() / len(runs)
        seconds, slowest = statistics.median(took for took, _ in runs), statistics.median(once(plugin, cold)[0] for _ in range(3))
        checks = len({c["id"] for c in json.loads(runs[0][1])["checks"]})
        call = max(LATENCY_MS.values()) / 1000
        say(f"doctor, {checks} checks of all areas, {'cold' if cold else 'warm'} page cache", f"{seconds * 1000:.0f} ms",
            Ratio(seconds / slowest, "x its slowest tool (the plugin)"), Ratio(seconds / call, "x its slowest call of AWS"),
            *([Ratio(seconds / warm, "x the warm one", COLD_MOST)] if warm else []),
            more=f"they take {slowest * 1000:.0f} ms and {call * 1000:.0f} ms; {asked:.0f} requests")
        warm = warm or seconds
    lab.api("settings", {"latency_ms": 0})


def whole(lab):
    """From nothing to a working Karpenter, by karpctl and by the guide's shell, in the same lab."""
    since = lab.mark()
    seconds, output = lab.run(KARPCTL, "bootstrap", "--yes", "-o", "json", "--cluster-name", "demo")
    report = json.loads(output)
    path, own = critical_path(report), lab.requests(since)
    say("bootstrap, new cluster", f"{seconds:.1f} s", Ratio(seconds / path, "x its critical path", 1.05), more=f"of {path:.1f} s")
    converged(lab, ["--cluster-name", "demo"])
    clients(lab, "demo")
    doctor(lab, ["--cluster-name", "demo"])
    lab.api("settings", {"latency_ms": LATENCY_MS})
    lab.run(KARPCTL, "destroy", "--yes", "--cluster-name", "demo")
    since = lab.mark()
    guide, _ = lab.run("bash", GUIDE, KARPCTL)
    theirs = lab.requests(since)
    say("the same as the guide by shell", f"{guide:.1f} s", Ratio(seconds / guide, "x the guide"))
    say("its requests", f"{own.total()} / {theirs.total()}", Ratio(own.total() / theirs.total(), "x the guide's"),
        more=f"karpctl {dict(own)}, guide {dict(theirs)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only what needs no new cluster")
    parser.add_argument("--figures", type=Path, help="also writes the ratios there, as JSON")
    args = parser.parse_args()
    if not KARPCTL.exists():
        sys.exit("bench: there is no release build; run: make bench")
    measure(args.quick)
    if args.figures:
        MEASURED.keep(args.figures)


def measure(quick):
    with Lab() as lab:
        static(lab)
        if quick:
            lab.api("clusters", {"name": "demo", "version": "1.34", "authenticationMode": "API"})
            words = ["--cluster-name", "demo", "--existing-cluster"]
            lab.run(KARPCTL, "bootstrap", "--yes", *words)
            converged(lab, words)
            clients(lab, "demo")
            doctor(lab, words)
            return
        lab.api("settings", {"latency_ms": LATENCY_MS})
        whole(lab)


if __name__ == "__main__":
    main()
