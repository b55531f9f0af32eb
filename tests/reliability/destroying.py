#!/usr/bin/env python3
"""Destroy, with the real controller: nodes that still run, a controller that is gone, and things of others beside ours.

    python3 tests/reliability/destroying.py                 about four minutes
"""

import json
import os
import time
import unittest
from pathlib import Path

from neighbours import OF_OTHERS, REGION, SECOND, SOME, Neighbours
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
        cls.others = Neighbours(cls.stage)
        cls.others.settle()
        cls.empty, cls.marks = cls.stage.inventory(), cls.others.marks()

    @classmethod
    def tearDownClass(cls):
        cls.stage.stop()

    def ends(self, ran, code):
        self.assertEqual(ran.code, code, ran.text())
        return ran

    def with_nodes(self):
        """Karpenter with a node of its own."""
        self.ends(self.stage.run(BOOTSTRAP), 0)
        inflate = self.ends(self.stage.run(["render", "inflate", "--replicas", "2", "--region", "us-west-2", "--account-id", "123456789012"]), 0)
        self.others.kubectl("apply", "-f", "-", stdin=inflate.out)
        end = time.monotonic() + 180
        while not [n for n in json.loads(self.others.kubectl("get", "nodes", "-o", "json"))["items"]
                   if "karpenter.sh/nodepool" in n["metadata"]["labels"]]:
            self.assertLess(time.monotonic(), end, "no node joins")
            time.sleep(1)

    def all_as_before(self):
        self.others.kubectl("delete", "deployment", "inflate", "--ignore-not-found")
        self.assertEqual(differences(normal(self.empty), normal(self.stage.inventory())), [])
        self.assertEqual(differences(self.marks, self.others.marks()), [])

    def setUp(self):
        """What a test before this one left, should it have failed on its way."""
        self.others.kubectl("delete", "deployment", "inflate", "--ignore-not-found")
        if differences(normal(self.empty), normal(self.stage.inventory())):
            self.ends(self.stage.run(["install", *BOOTSTRAP[1:]]), 0)
            self.ends(self.stage.run(DESTROY), 0)

    def test_nodes_that_still_run_go_first(self):
        self.with_nodes()
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()

    def test_without_a_controller_nothing_is_forced(self):
        self.with_nodes()
        self.others.kubectl("-n", "kube-system", "scale", "deployment", "karpenter", "--replicas", "0")
        end = time.monotonic() + 60
        while self.stage.call("GET", "controllers"):
            self.assertLess(time.monotonic(), end)
            time.sleep(1)
        ran = self.ends(self.stage.run(DESTROY), 1)
        self.assertIn("the controller does not run", ran.err)
        self.assertIn("karpctl install", ran.err, "the way back is offered")
        self.assertIn("finalizers", ran.err, "and so is force, to the person")
        claims = json.loads(self.others.kubectl("get", "nodeclaims", "-o", "json"))["items"]
        self.assertTrue(claims and all(c["metadata"]["finalizers"] for c in claims), "nothing is forced")
        self.ends(self.stage.run(["install", *BOOTSTRAP[1:]]), 0)
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()

    def test_what_others_put_into_our_roles_is_told_and_stays(self):
        self.ends(self.stage.run(BOOTSTRAP), 0)
        ours = ("--role-name", "demo-karpenter")
        self.others.aws("iam", "put-role-policy", *ours, "--policy-name", OF_OTHERS, "--policy-document", SOME)
        ran = self.ends(self.stage.run(DESTROY), 1)
        self.assertIn("aws iam list-role-policies --role-name demo-karpenter", ran.err)
        self.assertEqual(self.others.aws("iam", "list-role-policies", *ours)["PolicyNames"], [OF_OTHERS])
        self.others.aws("iam", "delete-role-policy", *ours, "--policy-name", OF_OTHERS)

        held, node = ("--instance-profile-name", f"{SECOND}_4711"), ("--role-name", "KarpenterNodeRole-demo")
        self.others.profile(held[1], f"/karpenter/{REGION}/{SECOND}/3/", node[1])
        ran = self.ends(self.stage.run(DESTROY), 1)
        self.assertIn(f"the instance profile {held[1]} holds the role {node[1]}", ran.err)
        roles = self.others.aws("iam", "get-instance-profile", *held)["InstanceProfile"]["Roles"]
        self.assertEqual([r["RoleName"] for r in roles], [node[1]])
        self.others.aws("iam", "remove-role-from-instance-profile", *held, *node)
        self.others.aws("iam", "delete-instance-profile", *held)
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()


if __name__ == "__main__":
    unittest.main(verbosity=2)
