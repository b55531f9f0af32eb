#!/usr/bin/env python3
"""Destroy, with the real controller: nodes that still run, a controller that is gone, and things of others beside ours.

    python3 tests/reliability/destroying.py                 about ten minutes
"""

import json
import os
import subprocess
import time
import unittest
from pathlib import Path

from stage import ROOT, Stage, differences
from ways import BOOTSTRAP, DESTROY, normal

KARPCTL = Path(os.environ.get("KARPCTL") or ROOT / "target/debug/karpctl").resolve()


class Destroying(unittest.TestCase):
    """One stage with a real controller and an existing cluster, in which others have things too."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(KARPCTL)
        cls.stage.call("POST", "settings", {"controller": "real", "join_seconds": 1})
        cls.stage.make_cluster()
        cls.others()
        cls.empty = cls.stage.inventory()

    @classmethod
    def tearDownClass(cls):
        cls.stage.stop()

    @classmethod
    def tool(cls, *words, stdin=None):
        done = subprocess.run(words, env=cls.stage.env, capture_output=True, text=True, input=stdin)
        if done.returncode:
            raise AssertionError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return done.stdout

    @classmethod
    def kubectl(cls, *words, stdin=None):
        return cls.tool("kubectl", "--kubeconfig", cls.stage.ready["kubeconfig"], *words, stdin=stdin)

    @classmethod
    def others(cls):
        """What a neighbour has, with names that come close to ours."""
        trust = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
        cls.tool("aws", "iam", "create-role", "--role-name", "demo-karpenter-of-others", "--assume-role-policy-document", trust)
        cls.tool("aws", "iam", "create-instance-profile", "--instance-profile-name", "demo2_0123456789")
        cls.tool("aws", "iam", "add-role-to-instance-profile", "--instance-profile-name", "demo2_0123456789", "--role-name",
                 "demo-karpenter-of-others")
        cls.tool("aws", "ec2", "create-launch-template", "--launch-template-name", "karpenter.k8s.aws/of-others", "--launch-template-data",
                 '{"InstanceType":"m5.large"}', "--tag-specifications",
                 "ResourceType=launch-template,Tags=[{Key=karpenter.k8s.aws/cluster,Value=demo2}]")
        cls.tool("aws", "sqs", "create-queue", "--queue-name", "demo2")
        cls.kubectl("create", "namespace", "others")
        cls.kubectl("-n", "others", "create", "deployment", "neighbour", "--image", "x")

    def ends(self, ran, code):
        self.assertEqual(ran.code, code, ran.text())
        return ran

    def with_nodes(self):
        """Karpenter with a node of its own."""
        self.ends(self.stage.run(BOOTSTRAP), 0)
        inflate = self.ends(self.stage.run(["render", "inflate", "--replicas", "2", "--region", "us-west-2", "--account-id", "123456789012"]), 0)
        self.kubectl("apply", "-f", "-", stdin=inflate.out)
        end = time.monotonic() + 180
        while not [n for n in json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
                   if "karpenter.sh/nodepool" in n["metadata"]["labels"]]:
            self.assertLess(time.monotonic(), end, "no node joins")
            time.sleep(1)

    def all_as_before(self):
        self.kubectl("delete", "deployment", "inflate", "--ignore-not-found")
        self.assertEqual(differences(normal(self.empty), normal(self.stage.inventory())), [])

    def setUp(self):
        """What a test before this one left, should it have failed on its way."""
        self.kubectl("delete", "deployment", "inflate", "--ignore-not-found")
        if differences(normal(self.empty), normal(self.stage.inventory())):
            self.ends(self.stage.run(["install", *BOOTSTRAP[1:]]), 0)
            self.ends(self.stage.run(DESTROY), 0)

    def test_nodes_that_still_run_go_first(self):
        self.with_nodes()
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()

    def test_without_a_controller_nothing_is_forced(self):
        self.with_nodes()
        self.kubectl("-n", "kube-system", "scale", "deployment", "karpenter", "--replicas", "0")
        end = time.monotonic() + 60
        while self.stage.call("GET", "controllers"):
            self.assertLess(time.monotonic(), end)
            time.sleep(1)
        ran = self.ends(self.stage.run(DESTROY), 1)
        self.assertIn("the controller does not run", ran.err)
        self.assertIn("karpctl install", ran.err, "the way back is offered")
        self.assertIn("finalizers", ran.err, "and so is force, to the person")
        claims = json.loads(self.kubectl("get", "nodeclaims", "-o", "json"))["items"]
        self.assertTrue(claims and all(c["metadata"]["finalizers"] for c in claims), "nothing is forced")
        self.ends(self.stage.run(["install", *BOOTSTRAP[1:]]), 0)
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()


if __name__ == "__main__":
    unittest.main(verbosity=2)
