"""A lab, and karpctl run in it: counted, killed, or met with faults."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LAB = ROOT / "tests" / "lab" / "lab.py"
PROGRAMS = ("helm", "eksctl")
OF_CLIENTS = ".kube/cache"  # what helm, kubectl and eksctl keep of an API server's answers: theirs, and another with each of its ports
LONGEST = 400  # seconds that one run may take before the harness calls it hung

# bash, because it can speak TCP by itself: a start must cost little
SHIM = """#!/bin/bash
exec 9<>/dev/tcp/127.0.0.1/{port}
printf 'POST /_lab/tripwire/started HTTP/1.0\\r\\ncontent-length: {length}\\r\\n\\r\\n{body}' >&9
cat <&9 >/dev/null
exec 9>&-
exec {real} "$@"
"""


@dataclass
class Ran:
    """How one run of karpctl ended."""

    words: list
    code: int
    out: str
    err: str
    deeds: list
    fired: dict | None
    seconds: float

    def text(self):
        return f"$ karpctl {' '.join(self.words)}\n[exit {self.code}, {self.seconds:.1f} s]\n{self.out}{self.err}"


class Stage:
    """One lab with one existing cluster, or none."""

    def __init__(self, karpctl, cluster="demo"):
        self.karpctl, self.cluster = Path(karpctl).resolve(), cluster
        self.holder = tempfile.TemporaryDirectory(prefix="reliability-")
        self.dir = Path(self.holder.name)
        self.tmp, self.work = self.dir / "tmp", self.dir / "work"
        self.tmp.mkdir()
        self.work.mkdir()
        self.errors = (self.dir / "lab-stderr").open("w+")
        self.process = subprocess.Popen([sys.executable, str(LAB), "serve", "--dir", str(self.dir / "run")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.ready = next((e for e in map(json.loads, self.process.stdout) if e["event"] == "ready"), None)
        if self.ready is None:
            self.errors.seek(0)
            raise SystemExit(f"the lab did not come up: {self.errors.read()}")
        self.call("POST", "settings", {"front": True, "controller": "stand-in"})
        self.env = {**self.ready["env"], "TMPDIR": str(self.tmp), "CI": "true", "PATH": self.shims()}

    def shims(self):
        """A PATH whose helm and eksctl tell the tripwire that they begin."""
        folder, path = self.dir / "shims", self.ready["env"]["PATH"]
        folder.mkdir()
        port = self.ready["control"].rsplit(":", 1)[-1]
        for name in PROGRAMS:
            real = next(d for d in map(Path, path.split(":")) if (d / name).exists()) / name
            body = json.dumps({"program": name})
            (folder / name).write_text(SHIM.format(port=port, length=len(body), body=body, real=real))
            (folder / name).chmod(0o755)
        return f"{folder}:{path}"

    def call(self, method, path, body=None):
        """The lab's control API."""
        request = urllib.request.Request(f"{self.ready['control']}/_lab/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{method} {path}: {e.read().decode()}") from e

    def make_cluster(self, **more):
        """An existing cluster whose nodes have joined."""
        self.call("POST", "clusters", {"name": self.cluster, "version": "1.34", "authenticationMode": "API_AND_CONFIG_MAP",
                                       **more})
        end = time.monotonic() + 240
        while len(self.call("GET", "inventory")["kubernetes"]["nodes"]) < more.get("nodes", 2):
            if time.monotonic() > end:
                raise RuntimeError("the nodes of the cluster do not join")
            time.sleep(0.3)

    def run(self, words, at=0, of="deeds", kill="tree", env=None, signal=None):
        """karpctl to its end, or to its kill (or that signal) at the deed (or the change) `at`."""
        started = time.monotonic()
        argv = [str(self.karpctl), *words, "--cluster-name", self.cluster]
        hold = 'read -r _; exec "$@" </dev/null'
        # files, not pipes: what is left running may hold a pipe open
        with (self.dir / "out").open("w+") as out, (self.dir / "err").open("w+") as err:
            process = subprocess.Popen(["/bin/bash", "-c", hold, "hold", *argv], env={**self.env, **(env or {})}, cwd=self.work,
                                       stdin=subprocess.PIPE, stdout=out, stderr=err)
            self.call("POST", "tripwire", {"pid": process.pid, "at": at, "of": of, "kill": kill,
                                           **({"signal": signal} if signal else {})})
            process.stdin.write(b"go\n")
            process.stdin.close()
            try:
                code = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            seen = self.call("DELETE", "tripwire")
            out.seek(0)
            err.seek(0)
            return Ran(list(words), code, out.read(), err.read(), seen["deeds"], seen["fired"], time.monotonic() - started)

    def orphans(self):
        """helm and eksctl that still run in this stage: their environment names its folder."""
        found = []
        for p in Path("/proc").glob("[0-9]*"):
            try:
                if f"TMPDIR={self.tmp}".encode() in (p / "environ").read_bytes() and int(p.name) != os.getpid():
                    found.append(int(p.name))
            except OSError:
                pass
        return found

    def quiet(self, seconds=180):
        """Waits until nothing that karpctl started runs any more."""
        end = time.monotonic() + seconds
        while left := self.orphans():
            if time.monotonic() > end:
                raise RuntimeError(f"still running after {seconds} s: {left}")
            time.sleep(0.1)

    def inventory(self):
        """What exists in AWS and Kubernetes, and which files a run left behind."""
        found = self.call("GET", "inventory")
        files = sorted(str(p.relative_to(self.dir)) for d in (self.tmp, self.work) for p in d.rglob("*"))
        return {"aws": found["aws"], "kubernetes": found["kubernetes"], "files": files}

    def home(self):
        """What lies in HOME and helm's own folders: modes and names, and of a journal whether it is whole, line by line."""
        run, found = self.dir / "run", []
        for folder, folders, files in (at for top in ("home", "helm") for at in os.walk(run / top)):
            if folder.endswith(OF_CLIENTS):
                folders.clear()
                continue
            for path in (Path(folder, name) for name in (*folders, *files)):
                broken = ", with a broken line" if path.suffix == ".ndjson" and not is_whole(path) else ""
                found.append(f"{stat.filemode(path.lstat().st_mode)} {path.relative_to(run)}{broken}")
        return sorted(found)

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
        self.errors.close()
        self.holder.cleanup()


def is_whole(journal):
    """Whether each line of a journal is an event."""
    try:
        return all("event" in json.loads(line) for line in journal.read_text().splitlines())
    except ValueError:
        return False


def differences(wanted, found, path=""):
    """In what two inventories differ, a line each."""
    if isinstance(wanted, dict):
        return [line for key in sorted({*wanted, *found})
                for line in differences(wanted.get(key), found.get(key), f"{path}.{key}" if path else key)]
    if isinstance(wanted, list) and isinstance(found, list):
        gone, more = [x for x in wanted if x not in found], [x for x in found if x not in wanted]
        lines = [f"{path}: {x} is missing" for x in gone] + [f"{path}: {x} is too much" for x in more]
        if not lines and len(wanted) != len(found):
            lines = [f"{path}: {len(found)} instead of {len(wanted)}"]
        return lines
    return [] if wanted == found else [f"{path}: {found} instead of {wanted}"]
