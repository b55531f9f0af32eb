#!/usr/bin/env python3
"""What real releases of aws, aws-iam-authenticator and eksctl write into a kubeconfig, and answer as its plugin, against karpctl's table.

Each row of `kubeconfigs` in src/knowledge/clients.yaml is held to a release that it speaks of. Then real helms and kubectls use the files
of an old and a new aws, with an old and a new one at hand, and `karpctl doctor` must say beforehand which of them get in, and what is old.
The programs are the real ones; EKS is a loopback server that describes one cluster.
"""

import base64
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

import api_server
from test_clients import CACHE, HERE, KARPCTL, LIMIT

sys.path.insert(0, str(CACHE.parent / "schemas" / "python"))
import yaml  # noqa: E402

GROUP = "client.authentication.k8s.io/"
VERSIONS = ("v1alpha1", "v1beta1", "v1")
AWS = ("1.23.8", "1.23.9", "2.7.35", "2.38.5")
AUTHENTICATORS = ("0.5.3", "0.5.5")
# Rows that no program of a registry is about: they are read in the sources that they name.
READ_ONLY = {("aws", "2.0.0"), ("aws-iam-authenticator", "0.5.6"), ("eksctl", "0.0.0"), ("eksctl", "0.86.0")}
# What the lab's eksctl finds: before 0.205 it would have gone by that.
FOUND = (("aws", "1.23.8"), ("aws", "2.38.5"), ("aws-iam-authenticator", "0.5.3"))
# Whose file, which aws at hand. Old and new, either way.
USED = [(file, at_hand) for file in ("1.23.8", "1.23.9") for at_hand in ("1.23.8", "1.23.9", "2.38.5")]
CLIENTS = ("helm-3.8.1", "kubectl-1.37.2")


ROOT = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:root</Arn><UserId>x</UserId><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Eks(http.server.BaseHTTPRequestHandler):
    """It describes one cluster and what EKS offers, and says who one is."""

    cluster = {}

    def do_GET(self):
        offered = [{"clusterVersion": "1.34", "defaultVersion": True, "status": "STANDARD_SUPPORT"}]
        self.answer(json.dumps({"clusterVersions": offered} if self.path.startswith("/cluster-versions") else {"cluster": self.cluster}))

    def do_POST(self):
        self.answer(ROOT)

    def answer(self, body):
        body = body.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class World:
    def __init__(self, folder):
        self.folder, self.wrong, self.held = folder, [], 0
        (folder / "tls").mkdir()
        server, _, cert, _ = api_server.serve(folder / "tls")
        Eks.cluster = {
            "name": "demo",
            "arn": "arn:aws:eks:us-west-2:000000000000:cluster/demo",
            "status": "ACTIVE",
            "version": "1.34",
            "resourcesVpcConfig": {"vpcId": "vpc-1"},
            "endpoint": server,
            "certificateAuthority": {"data": base64.b64encode(cert.read_bytes()).decode()},
        }
        eks = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Eks)
        threading.Thread(target=eks.serve_forever, daemon=True).start()
        self.eks = f"http://127.0.0.1:{eks.server_address[1]}"

    def env(self, program, version, **more):
        """This release of the program is the one at hand."""
        place = self.folder / f"{program}-{version}"
        if not place.exists():
            place.mkdir()
            (place / program).symlink_to(CACHE / f"{program}-{version}")
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-west-2"}
        return {"PATH": f"{place}:/usr/bin:/bin", "HOME": str(self.folder / "home"), **keys, **more}

    def run(self, words, env):
        return subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)

    def expect(self, what, seen, wanted):
        self.held += 1
        if seen != wanted:
            self.wrong.append(f"{what}: {seen}, and karpctl takes it for {wanted}")

    def file(self, version):
        """The kubeconfig that this aws wrote."""
        file = self.folder / f"kubeconfig-{version}"
        if not file.exists():
            words = ["aws", "eks", "update-kubeconfig", "--name", "demo", "--endpoint-url", self.eks, "--kubeconfig", str(file)]
            done = self.run(words, self.env("aws", version))
            assert done.returncode == 0, done.stderr
        return file

    def writes(self, version):
        users = yaml.safe_load(self.file(version).read_text())["users"]
        return users[0]["user"]["exec"]["apiVersion"].removeprefix(GROUP)

    def by_eksctl(self, program, version):
        """What the lab's eksctl writes where it finds this program."""
        file = self.folder / f"kubeconfig-of-eksctl-{program}-{version}"
        env = self.env(program, version, AWS_EKS_ENDPOINT=self.eks, AWS_STS_ENDPOINT=self.eks)
        words = ["utils", "write-kubeconfig", "--cluster", "demo", "--region", "us-west-2", "--kubeconfig", str(file)]
        done = self.run([CACHE / "eksctl", *words], env)
        assert done.returncode == 0, done.stderr
        plugin = yaml.safe_load(file.read_text())["users"][0]["user"]["exec"]
        return f"{plugin['command']} {plugin['apiVersion'].removeprefix(GROUP)}"

    def answers(self, program, version):
        """`asked`, or the one version that it always answers."""
        words = {"aws": ["eks", "get-token", "--cluster-name", "demo"], "aws-iam-authenticator": ["token", "-i", "demo"]}[program]
        said = []
        for asked in VERSIONS:
            info = {"kind": "ExecCredential", "apiVersion": GROUP + asked, "spec": {"interactive": False}}
            done = self.run([program, *words], self.env(program, version, KUBERNETES_EXEC_INFO=json.dumps(info)))
            assert done.returncode == 0, done.stderr
            said.append(json.loads(done.stdout)["apiVersion"].removeprefix(GROUP))
        return "asked" if tuple(said) == VERSIONS else " ".join(sorted(set(said)))

    def used(self, file, at_hand, client):
        """What a client and doctor make of a file, with this aws at hand."""
        env, name = self.env("aws", at_hand), f"{client}, a kubeconfig of aws {file}, aws {at_hand} at hand"
        by_client = ["list"] if client.startswith("helm") else ["get", "--raw", "/version"]
        real = self.run([CACHE / client, *by_client, "--kubeconfig", self.file(file)], env)
        flag = "--helm" if client.startswith("helm") else "--kubectl"
        words = ["doctor", "--offline", "--area", "client", "-o", "json", flag, CACHE / client, "--kubeconfig", self.file(file)]
        done = self.run([KARPCTL, *words], env)
        failed = [c for c in json.loads(done.stdout)["checks"] if c["id"].startswith("exec-") and c["result"] == "fail"]
        found = "; ".join(c["message"] for c in failed)
        self.expect(name, f"gets in: {real.returncode == 0} ({real.stderr[-200:]})" if (real.returncode == 0) == bool(failed) else "", "")
        if "exec-api-version" in {c["id"] for c in failed}:
            writes = "v1alpha1" if at_hand == "1.23.8" else "v1beta1"
            for words in ("an aws older than 1.23.9", f"the aws at hand ({at_hand},", f"writes {writes}"):
                self.expect(f"{name}: doctor says {words!r}", words in found or found, True)
        if failed and at_hand == "1.23.8":
            fixes = json.dumps([c["fixes"] for c in failed])
            self.expect(f"{name}: doctor says what to upgrade", "upgrade aws 1.23.8" in fixes or fixes, True)


def version(text):
    return tuple(int(part) for part in text.split("."))


def main():
    programs = [("aws", v) for v in AWS] + [("aws-iam-authenticator", v) for v in AUTHENTICATORS]
    names = [f"{p}-{v}" for p, v in programs] + ["eksctl", *CLIENTS]
    missing = [name for name in names if not (CACHE / name).exists()]
    if missing or not KARPCTL.exists():
        sys.exit(f"not installed: {', '.join(missing) or KARPCTL}; `make lab build` installs them")
    rows = yaml.safe_load((HERE.parents[1] / "src/knowledge/clients.yaml").read_text())["kubeconfigs"]
    with tempfile.TemporaryDirectory(prefix="karpctl-writers-") as folder:
        world, proved = World(pathlib.Path(folder)), set()
        for program, release in programs:
            row = [r for r in rows if r["program"] == program and version(str(r["since"])) <= version(release)][-1]
            proved.add((program, str(row["since"])))
            if program == "aws":
                world.expect(f"aws {release} writes", world.writes(release), row["writes"])
            world.expect(f"{program} {release} answers", world.answers(program, release), row["answers"])
        newest = [row for row in rows if row["program"] == "eksctl"][-1]
        proved.add(("eksctl", str(newest["since"])))
        for program, release in FOUND:
            what = f"eksctl that finds {program} {release} writes"
            world.expect(what, world.by_eksctl(program, release), f"{program} {newest['writes']}")
        left = {(r["program"], str(r["since"])) for r in rows} - proved
        world.expect("rows that nothing is run for", left, READ_ONLY)
        for file, at_hand in USED:
            for client in CLIENTS:
                world.used(file, at_hand, client)
    for line in world.wrong:
        print(line)
    print(f"{world.held - len(world.wrong)} of {world.held} things that karpctl knows of who writes kubeconfigs are so; {len(world.wrong)} wrong")
    sys.exit(1 if world.wrong else 0)


if __name__ == "__main__":
    main()
