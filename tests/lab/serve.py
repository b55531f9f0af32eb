"""Brings a lab up, says so in JSON lines, and takes it down again when its time is over."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import certs
import controllers
import controlplane
import front
import gate
import pod_webhook
import proxy
import registry
import webhook
from supervisor import PartError, Supervisor, free_port
from world import Lab, listening

NEEDED = ("bin/fakecloud", "bin/etcd", "bin/kube-apiserver", "bin/kube-controller-manager", "bin/kube-scheduler",
          "bin/kwok", "kwok-stages.yaml", "bin/docker-registry", "bin/helm-4.2.3", "bin/helm-3.17.3", "bin/kubectl-1.36.3",
          "bin/eksctl", "venv/bin/moto_server", "venv/bin/aws", "charts")
# what a program finds on its PATH, before anything else
LINKS = {"helm": "bin/helm-4.2.3", "kubectl": "bin/kubectl-1.36.3", "eksctl": "bin/eksctl", "aws": "venv/bin/aws"}
EKSCTL_ENDPOINTS = ("STS", "CLOUDFORMATION", "ELB", "ELBV2", "IAM", "EC2", "EKS", "SSM", "CLOUDTRAIL")

_emitting = threading.Lock()
_speaking = threading.Event()  # not in exec, where stdout is the command's


def emit(**event):
    """One event on stdout, whole, whichever thread it comes from; nobody reading is no reason to fail."""
    if not _speaking.is_set():
        return
    try:
        with _emitting:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
    except OSError:
        pass


def environment(lab):
    """All that a program needs to live in the lab, over its caller's environment."""
    run, home, bundle = lab.dir, lab.dir / "home", str(lab.cert_dir / "bundle.crt")
    return {
        "PATH": f"{run / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "AWS_ENDPOINT_URL": lab.gate_url, **{f"AWS_{s}_ENDPOINT": lab.gate_url for s in EKSCTL_ENDPOINTS},
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": lab.region,
        "AWS_DEFAULT_REGION": lab.region, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
        "HTTPS_PROXY": f"http://{lab.at('proxy')}", "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": bundle, "AWS_CA_BUNDLE": bundle,
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"), "XDG_STATE_HOME": str(home / ".local/state"),
        "HELM_CACHE_HOME": str(run / "helm/cache"), "HELM_CONFIG_HOME": str(run / "helm/config"),
        "HELM_DATA_HOME": str(run / "helm/data"),
        "KARPCTL_LAB_CACHE": str(lab.cache),  # HOME is another one in here
    }


def check_parts(lab):
    gone = [n for n in NEEDED if not (lab.cache / n).exists()]
    if gone:
        raise PartError(f"not installed: {', '.join(gone)}; install the lab's parts with: python3 tests/lab/setup.py")


def make_directories(lab):
    for d in (lab.dir, lab.log_dir, lab.dir / "home", lab.dir / "bin"):
        d.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(lab.kube_dir, ignore_errors=True)
    for old in lab.log_dir.iterdir():
        old.unlink()
    for name, target in LINKS.items():
        link = lab.dir / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(lab.cache / target)


class Bringup:
    """The order in which the parts come up."""

    def __init__(self, lab):
        self.lab = lab

    def part(self, name, action, *args):
        """Runs one action, with its events."""
        emit(event="starting", part=name)
        started = time.monotonic()
        action(*args)
        emit(event="started", part=name, seconds=round(time.monotonic() - started, 2))

    def retried(self, name, start, port_names, tries=3):
        """Starts a program on new ports, again when somebody else took one in between."""
        lab = self.lab
        for left in reversed(range(tries)):
            for p in port_names:
                lab.ports[p] = free_port()
            try:
                return start()
            except PartError as e:
                lab.supervisor.stop(name)
                if not left or "address already in use" not in str(e).lower():
                    raise

    def fakecloud(self):
        lab = self.lab

        def start():
            lab.supervisor.start("fakecloud", [lab.bin / "fakecloud", "--addr", lab.at("fakecloud"), "--region", lab.region,
                                               "--account-id", lab.account, "--log-level", "warn"])
            lab.supervisor.wait_for("fakecloud", lambda: listening(lab.ports["fakecloud"]))
        self.retried("fakecloud", start, ["fakecloud"])

    def in_process(self):
        """Gate, webhooks, TLS proxy and front are threads of this process."""
        lab = self.lab
        lab.gate = gate.start(lab)
        webhook.start(lab)
        pod_webhook.start(lab)
        proxy.Proxy(lab)
        front.start(lab)

    def etcd(self):
        self.retried("etcd", lambda: controlplane.start(self.lab, "etcd"), ["etcd", "etcd-peer"])

    def apiserver(self):
        def start():
            controlplane.write_files(self.lab)
            controlplane.start(self.lab, "apiserver")
        self.retried("apiserver", start, ["apiserver"])

    def client(self, name):
        self.retried(name, lambda: controlplane.start(self.lab, name), [] if name == "kwok" else [name])

    def kubernetes(self):
        """The chain that takes longest; nothing in it waits for the AWS side but the webhook's address."""
        self.part("etcd", self.etcd)
        self.part("kube-apiserver", self.apiserver)
        for name in reversed(controlplane.CLIENTS):
            self.part(name, self.client, name)

    def all(self):
        lab = self.lab
        self.part("certificates", certs.make, lab)
        self.part("gate", self.in_process)
        with ThreadPoolExecutor(2) as pool:
            kubernetes = pool.submit(self.kubernetes)
            self.part("fakecloud", self.fakecloud)
            self.part("registry", registry.start, lab)
            kubernetes.result()
        lab.controllers = controllers.Controllers(lab)
        lab.controllers.start()


def stop(lab):
    """Clients first, etcd last."""
    lab.supervisor.stopping = True
    if lab.controllers:
        lab.controllers.close()
    controlplane.stop(lab)
    lab.supervisor.stop(*list(lab.supervisor.programs), seconds=5)


def end_with_stdin(end):
    """Calls end() when stdin is closed. Not through sys.stdin: a thread that waits in it breaks Python's exit."""
    def read():
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        end()
    threading.Thread(target=read, daemon=True).start()


def run_command(lab, argv, ended):
    """`exec`: the command in the lab's environment, in the caller's terminal; its status."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AWS_", "HELM_", "KUBE")) and not k.lower().endswith("_proxy")}
    try:
        process = lab.supervisor.popen(argv, env={**env, **environment(lab)})
    except OSError as e:
        print(f"lab: {argv[0]}: {e.strerror}", file=sys.stderr)
        return 127
    while process.poll() is None:
        if ended.wait(0.1):
            process.terminate()
            process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def run(args, cache):
    """The whole of `serve` and `exec`; the exit status."""
    lab = Lab(args, cache)
    ended = threading.Event()
    try:
        check_parts(lab)
    except PartError as e:
        print(f"lab: {e}", file=sys.stderr)
        return 1
    make_directories(lab)
    lab.supervisor = Supervisor(lab.log_dir)

    def end(*_):
        lab.supervisor.stopping = True  # also ends a bring-up that is still waiting for a part
        ended.set()

    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, end)
    if args.command == "serve":
        _speaking.set()
        end_with_stdin(end)
    try:
        Bringup(lab).all()
        emit(event="ready", env=environment(lab), gate=lab.gate_url, control=f"http://{lab.at('control')}", registry=lab.at("registry"),
             kubeconfig=str(lab.kubeconfig), dir=str(lab.dir), account=lab.account, region=lab.region)
        if args.command == "exec":
            return run_command(lab, args.argv, ended)
        ended.wait()
        return 0
    except PartError as e:
        if ended.is_set():
            return 0
        print(f"lab: {e}", file=sys.stderr, flush=True)
        return 1
    finally:
        stop(lab)
