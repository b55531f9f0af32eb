"""What every part of one running lab shares: places, ports, settings, and the helpers to reach the emulator and kube."""

import socket
import threading
from pathlib import Path

import aws
import kube
from supervisor import free_port

ACCOUNT = "123456789012"
PARTITIONS = (("cn-", "aws-cn", "amazonaws.com.cn"), ("us-gov-", "aws-us-gov", "amazonaws.com"))


class Lab:
    """One running lab. Modules keep their own state; this holds only what more than one of them needs."""

    def __init__(self, args, cache):
        self.dir = Path(args.dir).resolve()
        self.cache = cache
        self.bin = cache / "bin"
        self.region = args.region
        self.account = ACCOUNT
        self.partition, self.dns = next(
            ((p, d) for prefix, p, d in PARTITIONS if args.region.startswith(prefix)), ("aws", "amazonaws.com"))
        self.settings = {
            "strict": args.strict,
            "pace": args.pace,
            "latency_ms": args.latency_ms,
            "join_seconds": args.join_seconds,
            "front": False,
            "controller": "real",
            "failing": "",
            "failed": "",
            "clock": 0,
            "association_seconds": 0,
            "replay": True,
        }
        self.ports = {}
        self.lock = threading.RLock()
        # held while the control plane is being emptied, so that nobody looks at a half-dead one
        self.kube_lock = threading.RLock()
        self.sessions = {}  # access key of a pod's session -> its assumed-role ARN, see pod_identity.py
        self.creators = {}  # cluster name -> canonical ARN of who created it
        self.entry_ids = {}  # (cluster, principal's ARN) -> the unique id that the principal had when the access entry was made
        self.supervisor = None
        self.controllers = None
        self.gate = None
        self._moto = threading.Lock()
        self.aws = aws.Emulator(self)
        self.kube = kube.Kube(self)

    # --- places
    @property
    def log_dir(self):
        return self.dir / "log"

    @property
    def kube_dir(self):
        return self.dir / "k8s"

    @property
    def cert_dir(self):
        return self.dir / "certs"

    @property
    def kubeconfig(self):
        return self.kube_dir / "kubeconfig"

    # --- addresses
    def at(self, part):
        """host:port of a part."""
        return f"127.0.0.1:{self.ports[part]}"

    @property
    def gate_url(self):
        return f"http://{self.at('gate')}"

    @property
    def apiserver_url(self):
        return f"https://{self.at('apiserver')}"

    @property
    def endpoint(self):
        """What EKS says is the cluster's endpoint."""
        return f"https://{self.at('front')}" if self.settings["front"] else self.apiserver_url

    def arn(self, service, resource, region=None):
        """An ARN in this lab's partition and account; IAM has no region."""
        region = "" if service == "iam" else (region or self.region)
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    # --- waiting
    def wait_for_kube(self):
        """Returns when the control plane is not being emptied."""
        with self.kube_lock:
            pass

    def start_moto(self):
        """It takes seconds of a core, and what it says is kept: a lab starts it for what no other one has asked yet. Raises PartError."""
        with self._moto:
            if "moto" not in self.ports:
                port = free_port()
                self.supervisor.start("moto", [self.cache / "venv/bin/moto_server", "-H", "127.0.0.1", "-p", port])
                self.supervisor.wait_for("moto", lambda: listening(port), seconds=90)
                self.ports["moto"] = port

    def zones(self):
        return [f"{self.region}{letter}" for letter in "ab"]


def listening(port):
    """Whether something accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
