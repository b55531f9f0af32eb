#!/usr/bin/env python3
"""Proves the promises of the lab: `python3 tests/lab/test_lab.py` (two to three minutes on two cores).

One lab serves all tests of a class. The whole guide, in which eksctl alone sleeps for 150 s, is not run here: karpctl's
own end-to-end tests walk it.
"""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from refusal import Refusing
from supervisor import free_port

HERE = Path(__file__).resolve().parent
TRUST_PODS = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]})


class LabProcess:
    """A served lab."""

    def __init__(self, *options):
        self.holder = tempfile.TemporaryDirectory(prefix="karpctl-lab-")
        self.dir = Path(self.holder.name) / "run"
        self.errors = (Path(self.holder.name) / "stderr").open("w+")
        self.process = subprocess.Popen([sys.executable, str(HERE / "lab.py"), "serve", "--dir", str(self.dir), *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.ready = None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready = event
                break
        if not self.ready:
            self.errors.seek(0)
            raise AssertionError(f"the lab did not come up: {self.errors.read()}")
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "KUBE", "HELM_"))},
                    **self.ready["env"]}

    def call(self, method, path, body=None, at="gate"):
        """The control API: (status, answer)."""
        request = urllib.request.Request(f"{self.ready[at]}/_lab/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    def run(self, *argv, ok=True, stdin=None):
        """A command in the lab; its stdout. With ok=False (status, stdout + stderr)."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, input=stdin)
        if not ok:
            return done.returncode, done.stdout + done.stderr
        if done.returncode:
            raise AssertionError(f"{' '.join(argv)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def aws(self, *argv, **kw):
        return self.run("aws", "--output", "text", *argv, **kw)

    def pids(self):
        """The pids of what carries this lab's directory or is a child of the supervisor."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = []
        for task in children.parent.parent.iterdir():
            found += (task / "children").read_text().split()
        return [int(p) for p in found]

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(60)
        self.errors.close()
        self.holder.cleanup()
        return code


def gone(pids, seconds=10):
    """Whether none of the processes is left after some seconds (a zombie is gone)."""
    def alive(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False
    end = time.monotonic() + seconds
    while any(alive(p) for p in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def wait(what, seconds=60):
    """The first true value of what()."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"did not come true in {seconds} s: {what}")
        time.sleep(0.5)
    return found


class WithLab(unittest.TestCase):
    """A class with one lab."""

    options = ("--join-seconds", "1")

    @classmethod
    def setUpClass(cls):
        cls.lab = LabProcess(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.lab.stop()

    def tearDown(self):
        self.lab.call("DELETE", "faults")
        self.lab.call("POST", "settings", {"strict": False, "pace": 0, "latency_ms": 0, "clock": 0, "replay": True})


class Basics(WithLab):
    def test_is_empty_at_first(self):
        other = LabProcess()
        try:
            self.assertTrue(other.call("GET", "inventory")[1]["empty"])
            self.assertTrue(self.lab.call("GET", "settings")[1])  # side by side
        finally:
            self.assertEqual(other.stop(), 0)

    def test_nothing_is_left_after_kill_9(self):
        other = LabProcess()
        pids = other.pids()
        self.assertGreater(len(pids), 6)
        other.process.send_signal(signal.SIGKILL)
        other.stop()
        self.assertTrue(gone(pids))

    def test_nothing_is_left_after_sigterm(self):
        other = LabProcess()
        pids = other.pids()
        other.process.send_signal(signal.SIGTERM)
        self.assertEqual(other.process.wait(40), 0)
        self.assertTrue(gone(pids, 1))
        other.stop()

    def test_every_release_can_be_pulled(self):
        for chart, version in (("karpenter", "1.14.1"), ("karpenter", "1.0.8"), ("karpenter", "v0.17.0"),
                               ("karpenter-crd", "1.14.1"), ("karpenter-crd", "1.0.8")):
            out = self.lab.run("helm", "show", "chart", f"oci://public.ecr.aws/karpenter/{chart}", "--version", version)
            self.assertIn(f"version: {version}", out)

    def test_the_proxy_knows_aws_and_nothing_else(self):
        env = {k: v for k, v in self.lab.env.items() if "ENDPOINT" not in k}
        done = subprocess.run(["aws", "sts", "get-caller-identity", "--query", "Account", "--output", "text"], env=env,
                              capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), "123456789012", done.stderr)
        code = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_connect}", "https://example.com/"], env=env,
                              capture_output=True, text=True).stdout
        self.assertEqual(code, "403")

    def test_a_missing_part_is_named(self):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([sys.executable, str(HERE / "lab.py"), "serve", "--dir", f"{empty}/run"],
                                  env={**os.environ, "KARPCTL_LAB_CACHE": empty}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("python3 tests/lab/setup.py", done.stderr)


class Gate(WithLab):
    def test_faults(self):
        self.lab.call("POST", "faults", [
            {"service": "iam", "action": "ListR.*", "times": 1, "skip": 1, "status": 503, "body": "<x/>"},
            {"service": "sqs", "action": "CreateQueue", "drop_after": True}])
        since = len(self.lab.call("GET", "requests")[1])
        self.lab.aws("iam", "list-roles")
        self.lab.aws("iam", "list-roles")
        self.lab.aws("sqs", "create-queue", "--queue-name", "lost")
        seen = [(r["action"], r["status"], r.get("fault")) for r in self.lab.call("GET", f"requests?since={since}")[1]]
        self.assertEqual(seen, [("ListRoles", 200, None), ("ListRoles", 503, "status"), ("ListRoles", 200, None),
                                ("CreateQueue", None, "drop_after"), ("CreateQueue", 200, None)])
        self.assertEqual(self.lab.call("POST", "faults", [{"acton": "x"}])[0], 400)

    def test_latency(self):
        self.lab.call("POST", "settings", {"latency_ms": {"sqs": 1200}})
        started = time.monotonic()
        self.lab.aws("sqs", "list-queues")
        self.assertGreater(time.monotonic() - started, 1.2)

    def test_clock(self):
        for ahead, words in ((7200, "Signature expired: "), (-7200, "Signature not yet current: ")):
            self.lab.call("POST", "settings", {"clock": ahead})
            for argv, code in ((("iam", "list-roles"), "SignatureDoesNotMatch"), (("eks", "list-clusters"), "InvalidSignatureException")):
                done = subprocess.run(["aws", *argv], env=self.lab.env, capture_output=True, text=True)
                self.assertIn(f"({code})", done.stderr)
                self.assertIn(words, done.stderr)
        self.lab.call("POST", "settings", {"clock": 250})
        self.lab.aws("iam", "list-roles")


class Cluster(WithLab):
    def test_existing_clusters(self):
        status, made = self.lab.call("POST", "clusters", {
            "name": "old", "version": "1.23", "authenticationMode": "CONFIG_MAP", "tags": {"karpenter.sh/discovery": "old"}})
        self.assertEqual(status, 200, made)
        got = self.lab.aws("eks", "describe-cluster", "--name", "old", "--query", "cluster.[version,status]").split()
        self.assertEqual(got, ["1.23", "ACTIVE"])
        self.lab.aws("eks", "update-kubeconfig", "--name", "old")
        wait(lambda: self.lab.run("kubectl", "get", "nodes", "-o", "name").count("node/") == 2)
        self.assertIn("system:masters", self.lab.run("kubectl", "auth", "whoami"))
        inventory = self.lab.call("GET", "inventory")[1]
        self.assertEqual(inventory["aws"]["clusters"], ["old"])
        self.assertLessEqual({*made["private_subnets"], *made["public_subnets"]}, set(inventory["aws"]["discovery_tagged"]))
        self.assertEqual(inventory["kubernetes"]["aws_auth"], ["arn:aws:iam::123456789012:role/old-node-group"])
        self.assertIn("kubectl", {r["agent"].split("/")[0] for r in self.lab.call("GET", "kube-requests")[1]})
        # the next cluster of the lab finds an empty Kubernetes
        self.lab.run("kubectl", "create", "namespace", "left-over")
        self.lab.aws("eks", "delete-nodegroup", "--cluster-name", "old", "--nodegroup-name", "old-ng")
        self.lab.aws("eks", "delete-cluster", "--name", "old")
        inventory = self.lab.call("GET", "inventory")[1]
        self.assertEqual((inventory["kubernetes"]["namespaces"], inventory["kubernetes"]["nodes"]), ([], []))

    def test_a_cluster_of_the_same_name_is_new(self):
        make = lambda nodes: self.lab.call("POST", "clusters", {  # noqa: E731
            "name": "again", "nodes": nodes, "authenticationMode": "API", "pod_identity_agent": True})
        self.assertEqual(make(1)[0], 200)
        self.lab.aws("eks", "delete-nodegroup", "--cluster-name", "again", "--nodegroup-name", "again-ng")
        self.lab.aws("eks", "delete-cluster", "--name", "again")
        self.assertEqual(make(0)[0], 200)
        found = self.lab.call("GET", "inventory")[1]["aws"]
        self.assertEqual((found["access_entries"], found["addons"]), ([], ["again/eks-pod-identity-agent"]))
        self.lab.aws("eks", "delete-cluster", "--name", "again")


class GoingAway(Refusing, http.server.ThreadingHTTPServer):
    """The smallest server that can."""


class Away(unittest.TestCase):
    """A server that can be away, without a lab."""

    def test_it_goes_once_however_often_it_is_told_and_comes_back_when_it_is_told(self):
        quiet = type("Quiet", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
        server = GoingAway(("127.0.0.1", free_port()), quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            for _ in range(2):
                server.go_away(600)
                server.go_away(600)
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(server.server_address, timeout=1)
                server.come_back()
                with socket.create_connection(server.server_address, timeout=5) as connection:
                    connection.sendall(b"nonsense\r\n\r\n")
                    self.assertIn(b"400", connection.recv(4096))
        finally:
            server.shutdown()
            server.server_close()


class Tokens(WithLab):
    def test_what_is_sent_again_is_answered_again_or_refused(self):
        self.lab.call("POST", "clusters", {"name": "asked", "nodes": 0, "authenticationMode": "API"})
        entry = ("eks", "create-access-entry", "--cluster-name", "asked", "--client-request-token", "one", "--principal-arn",
                 "arn:aws:iam::123456789012:role/entry")
        first = self.lab.aws(*entry)
        self.assertEqual(self.lab.aws(*entry), first)
        self.lab.call("POST", "settings", {"replay": False})
        code, said = self.lab.aws(*entry, ok=False)
        self.assertNotEqual(code, 0)
        self.assertIn("ResourceInUseException", said)

    def test_an_entry_is_of_the_role_that_there_was(self):
        """And not of its like that was made by the same name."""
        self.lab.call("POST", "clusters", {"name": "roles", "nodes": 0, "authenticationMode": "API"})
        self.lab.aws("eks", "update-kubeconfig", "--name", "roles")
        make = ("iam", "create-role", "--role-name", "nodes", "--assume-role-policy-document", json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}))
        entry = ("--cluster-name", "roles", "--principal-arn", "arn:aws:iam::123456789012:role/nodes")

        def who():
            keys = self.lab.aws("sts", "assume-role", "--role-arn", entry[-1], "--role-session-name", "i-1", "--query",
                                "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]").split()
            env = {**self.lab.env, **dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), keys))}
            done = subprocess.run(["kubectl", "auth", "whoami"], env=env, capture_output=True, text=True)
            return done.stdout + done.stderr
        self.lab.aws(*make)
        self.lab.aws("eks", "create-access-entry", *entry, "--type", "EC2_LINUX")
        self.assertIn("system:node:i-1", who())
        self.lab.aws("iam", "delete-role", "--role-name", "nodes")
        time.sleep(1)  # IAM tells whole seconds
        self.lab.aws(*make)
        self.assertIn("Unauthorized", who())
        self.lab.aws("eks", "delete-access-entry", *entry)
        self.lab.aws("eks", "create-access-entry", *entry, "--type", "EC2_LINUX")
        self.assertIn("system:node:i-1", who())


class Breaking(WithLab):
    """What the crash and fault sweeps stand on."""

    def test_requests_to_kubernetes_are_counted_and_go_wrong(self):
        self.lab.call("POST", "settings", {"front": True})
        self.lab.call("POST", "clusters", {"name": "front", "nodes": 0})
        self.lab.aws("eks", "update-kubeconfig", "--name", "front")
        sleeper = subprocess.Popen(["sleep", "600"])
        try:
            self.lab.call("POST", "tripwire", {"pid": sleeper.pid})
            self.lab.run("kubectl", "create", "namespace", "seen")
            deeds = self.lab.call("GET", "tripwire")[1]["deeds"]
            self.assertIn("kubernetes POST /api/v1/namespaces", deeds)
            self.lab.call("POST", "faults", {"service": "kubernetes", "action": "POST /api/v1/namespaces", "drop_after": True})
            code, said = self.lab.run("kubectl", "create", "namespace", "lost", ok=False)
            self.assertNotEqual(code, 0, said)
            self.assertIn("lost", self.lab.run("kubectl", "get", "namespaces"), "the answer is lost, not the deed")
            self.assertIsNone(sleeper.poll(), "at 0 it only counts")
        finally:
            self.lab.call("DELETE", "tripwire")
            self.lab.call("POST", "settings", {"front": False})
            sleeper.kill()
            sleeper.wait()

    def test_the_kill_comes_at_the_deed_or_at_the_change(self):
        for of, at in (("deeds", 2), ("changes", 1)):
            sleeper = subprocess.Popen(["sleep", "600"])
            try:
                self.lab.call("POST", "tripwire", {"pid": sleeper.pid, "at": at, "of": of})
                self.lab.aws("sqs", "list-queues")
                self.assertIsNone(sleeper.poll(), of)
                self.lab.aws("sqs", "create-queue", "--queue-name", f"last-of-{of}")
                self.assertEqual(sleeper.wait(5), -signal.SIGKILL)
                self.assertEqual(self.lab.call("DELETE", "tripwire")[1]["fired"]["deed"], "aws sqs CreateQueue")
                self.assertIn(f"last-of-{of}", self.lab.aws("sqs", "list-queues"), "the deed was done")
            finally:
                sleeper.kill()
                sleeper.wait()

    def test_a_refusing_gate_is_away_for_a_while(self):
        self.lab.call("POST", "faults", {"service": "iam", "action": "ListRoles", "refuse": 6})
        gate = self.lab.env["AWS_ENDPOINT_URL"].rsplit(":", 1)[-1]
        once = {**self.lab.env, "AWS_MAX_ATTEMPTS": "1"}
        self.assertNotEqual(subprocess.run(["aws", "iam", "list-roles"], env=once, capture_output=True).returncode, 0)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(gate)), timeout=1)
        wait(lambda: subprocess.run(["aws", "iam", "list-roles"], env=once, capture_output=True).returncode == 0)
        self.lab.call("POST", "faults", {"service": "iam", "action": "ListRoles", "refuse": 600})
        self.assertNotEqual(subprocess.run(["aws", "iam", "list-roles"], env=once, capture_output=True).returncode, 0)
        self.lab.call("DELETE", "faults", at="control")
        self.assertEqual(subprocess.run(["aws", "iam", "list-roles"], env=once, capture_output=True).returncode, 0)

    def test_a_fault_can_be_for_one_program(self):
        for agent, is_met in (("eksctl", False), ("aws-cli", True)):
            self.lab.call("POST", "faults", {"service": "iam", "action": "ListRoles", "times": 0, "agent": agent, "drop": True})
            done = subprocess.run(["aws", "iam", "list-roles"], env={**self.lab.env, "AWS_MAX_ATTEMPTS": "1"}, capture_output=True)
            self.assertEqual(done.returncode != 0, is_met, agent)
            self.lab.call("DELETE", "faults")

    def test_a_truncated_answer_is_cut_off(self):
        self.lab.call("POST", "faults", {"service": "iam", "action": "ListRoles", "times": 0, "truncate": True})
        env = {**self.lab.env, "AWS_MAX_ATTEMPTS": "1"}
        done = subprocess.run(["aws", "iam", "list-roles"], env=env, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0, done.stdout)


class Karpenter(WithLab):
    """A controller that runs, or does not, because of what was installed."""

    def controller(self):
        found = self.lab.call("GET", "controllers")[1]
        return found and found[0]

    def test_credentials_come_from_the_association(self):
        self.lab.call("POST", "clusters", {"name": "demo", "pod_identity_agent": True})
        self.lab.aws("eks", "update-kubeconfig", "--name", "demo")
        self.lab.aws("sqs", "create-queue", "--queue-name", "demo")
        self.lab.run("helm", "upgrade", "--install", "karpenter", "oci://public.ecr.aws/karpenter/karpenter", "-n", "kube-system",
                     "--version", "1.14.1", "--wait", "--set", "settings.clusterName=demo",
                     "--set", "settings.interruptionQueue=demo")
        found = wait(self.controller)
        self.assertIn("no Pod Identity association", found["credentials"])
        self.lab.aws("iam", "create-role", "--role-name", "k", "--assume-role-policy-document", TRUST_PODS)
        self.lab.aws("eks", "create-pod-identity-association", "--cluster-name", "demo", "--namespace", "kube-system",
                     "--service-account", "karpenter", "--role-arn", "arn:aws:iam::123456789012:role/k")
        wait(lambda: "made before the Pod Identity association" in self.controller()["credentials"])
        self.lab.run("kubectl", "rollout", "restart", "deployment/karpenter", "-n", "kube-system")
        wait(lambda: "Pod Identity of demo" in self.controller()["credentials"] and self.controller()["running"])
        wait(lambda: any(r["service"] == "ec2" and r["status"] == 200 and "karpenter" in r["agent"]
                         for r in self.lab.call("GET", "requests")[1]))
        self.lab.run("helm", "uninstall", "karpenter", "-n", "kube-system")
        wait(lambda: not self.lab.call("GET", "controllers")[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
