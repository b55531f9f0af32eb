"""The chart registry (public.ecr.aws through the TLS proxy) and what is in it.

Its data are made once, in the cache, by pushing every chart with a real helm, and copied into each run: a run starts
in no time and may push what it likes.
"""

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from supervisor import PartError, free_port

HELM = "helm-3.17.3"  # helm 3 speaks plain http to a loopback registry by itself
OURS = Path(__file__).resolve().parent / "charts"


def config(where, port):
    """Writes the registry's configuration; data live beside it."""
    path = where / "registry.json"
    path.write_text(json.dumps({
        "version": "0.1", "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(where / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True}}))  # it is reached by another name, over TLS
    return path


def answers(port):
    try:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        c.request("GET", "/v2/")
        return c.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _helm(lab, home, *argv):
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "HELM_CACHE_HOME": f"{home}/c",
           "HELM_CONFIG_HOME": f"{home}/f", "HELM_DATA_HOME": f"{home}/d"}
    done = subprocess.run([lab.bin / HELM, *argv], env=env, capture_output=True, text=True)
    if done.returncode:
        raise PartError(f"registry: helm {argv[0]} failed: {done.stderr[-500:]}")


def _digest(sources):
    """Names the data by what goes in."""
    h = hashlib.sha256()
    for s in sources:
        for f in sorted(s.rglob("*")) if s.is_dir() else [s]:
            if f.is_file():
                h.update(f.name.encode() + f.read_bytes())
    return h.hexdigest()[:16]


def prepared(lab):
    """The directory with every chart pushed; made on first use, one lab at a time."""
    archives = sorted((lab.cache / "charts").glob("*.tgz"))
    own = sorted(p for p in OURS.iterdir() if (p / "Chart.yaml").exists())
    root = lab.cache / "registry"
    root.mkdir(exist_ok=True)
    done = root / _digest(archives + own)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with tempfile.TemporaryDirectory(dir=root) as work:
                _fill(lab, Path(work), archives, own)
                (Path(work) / "data").rename(done)
    return done


def _fill(lab, work, archives, own):
    """Runs a registry of its own in `work` and pushes everything."""
    (work / "packed").mkdir()
    for chart in own:
        _helm(lab, work, "package", chart, "-d", work / "packed")
    port = free_port()
    lab.supervisor.start("registry-fill", [lab.bin / "docker-registry", "serve", config(work, port)])
    lab.supervisor.wait_for("registry-fill", lambda: answers(port))
    for archive in [*archives, *sorted((work / "packed").glob("*.tgz"))]:
        _helm(lab, work, "push", archive, f"oci://127.0.0.1:{port}/karpenter", "--plain-http")
    lab.supervisor.stop("registry-fill")


def start(lab):
    """A registry for this run, on its own copy."""
    where = lab.dir / "registry"
    where.mkdir(exist_ok=True)
    if not (where / "data").exists():
        shutil.copytree(prepared(lab), where / "data")
    lab.ports["registry"] = free_port()
    lab.supervisor.start("registry", [lab.bin / "docker-registry", "serve", config(where, lab.ports["registry"])])
    lab.supervisor.wait_for("registry", lambda: answers(lab.ports["registry"]))
