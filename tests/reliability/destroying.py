#!/usr/bin/env python3
"""Destroy, with the real controller: nodes that still run or drain, a controller that is gone, and things of others beside ours.

    python3 tests/reliability/destroying.py                 about six minutes
"""

import json
import subprocess
import threading
import time
import unittest

from neighbours import OF_OTHERS, REGION, SECOND, SOME, Neighbours
from stage import Stage, differences
from ways import BOOTSTRAP, DESTROY, normal
from with_stage import KARPCTL


class Destroying(unittest.TestCase):
    """One stage with a real controller and an existing cluster, in which others have things too."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(KARPCTL)
        cls.stage.call("POST", "settings", {"controller": "real", "join_seconds": 1})
        cls.stage.make_cluster(pod_identity_agent=True)  # others have an association: one that karpctl made would stay for them
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

    def without_work(self):
        self.others.kubectl("delete", "deployment,poddisruptionbudget", "inflate", "--ignore-not-found")

    def all_as_before(self):
        self.without_work()
        self.assertEqual(differences(normal(self.empty), normal(self.stage.inventory())), [])
        self.assertEqual(differences(self.marks, self.others.marks()), [])

    def setUp(self):
        """What a test before this one left, should it have failed on its way."""
        self.without_work()
        if differences(normal(self.empty), normal(self.stage.inventory())):
            self.ends(self.stage.run(["install", *BOOTSTRAP[1:]]), 0)
            self.ends(self.stage.run(DESTROY), 0)

    def test_nodes_that_still_run_go_first(self):
        self.with_nodes()
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()

    def claims(self):
        return json.loads(self.others.kubectl("get", "nodeclaims", "-o", "json"))["items"]

    def killed_while_they_drain(self):
        """A destroy that gets SIGKILL when its nodes are told to go, and cannot yet."""
        argv = [str(KARPCTL), *DESTROY, "--cluster-name", self.stage.cluster]
        with (self.stage.dir / "drained").open("w+") as said:
            process = subprocess.Popen(argv, env=self.stage.env, cwd=self.stage.work, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            end = time.monotonic() + 100
            try:
                while "waiting until they are gone: " not in (text := (self.stage.dir / "drained").read_text()):
                    self.assertIsNone(process.poll(), text)
                    self.assertLess(time.monotonic(), end, text)
                    time.sleep(0.2)
            finally:
                process.kill()
                process.wait()

    def drain(self):
        """Karpenter tells its nodes to go a moment after their pool is, and the run that is killed did not wait for that."""
        end = time.monotonic() + 60
        while not all("deletionTimestamp" in claim["metadata"] for claim in self.claims()):
            self.assertLess(time.monotonic(), end, "the nodes of a pool that goes stay")
            time.sleep(0.5)
        claims = self.claims()
        self.assertTrue(claims and all(claim["metadata"]["finalizers"] for claim in claims), "they drain")

    def test_broken_off_while_nodes_drain_it_goes_on_where_it_was(self):
        """A pod that may not be evicted holds the drain up. The first run that is killed has deleted the pool, the second comes when that is gone."""
        self.with_nodes()
        self.others.kubectl("create", "poddisruptionbudget", "inflate", "--selector", "app=inflate", "--max-unavailable", "0")
        for _ in range(2):
            self.killed_while_they_drain()
            self.drain()
            pods = json.loads(self.others.kubectl("get", "pods", "--selector", "app=inflate", "-o", "json"))["items"]
            self.assertEqual([p["metadata"].get("deletionTimestamp") for p in pods], [None, None], "nobody is evicted who may not be")
        freed = threading.Timer(15, self.others.kubectl, ("delete", "poddisruptionbudget", "inflate"))
        freed.start()
        self.ends(self.stage.run(DESTROY), 0)
        freed.join()
        self.all_as_before()

    def test_broken_off_while_nodes_drain_and_done_when_they_have_it_leaves_nothing(self):
        """What the dead run began the controller ends: whoever comes after that finds neither pool nor node, but all the rest."""
        self.with_nodes()
        self.others.kubectl("create", "poddisruptionbudget", "inflate", "--selector", "app=inflate", "--max-unavailable", "0")
        self.killed_while_they_drain()
        self.others.kubectl("delete", "poddisruptionbudget", "inflate")
        end = time.monotonic() + 120
        while self.claims():
            self.assertLess(time.monotonic(), end, "the controller does not end the nodes by itself")
            time.sleep(1)
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()

    def test_a_budget_that_holds_the_drain_is_named(self):
        """The controller runs, and waits for it without end."""
        self.with_nodes()
        self.others.kubectl("create", "poddisruptionbudget", "inflate", "--selector", "app=inflate", "--max-unavailable", "0")
        ran = self.ends(self.stage.run(["20s" if word == "120s" else word for word in DESTROY]), 1)
        self.assertIn("the disruption budget default/inflate allows no pod to go", ran.err)
        self.assertIn("kubectl --namespace default delete poddisruptionbudget inflate", ran.err)
        self.assertNotIn("finalizers", ran.err)
        self.others.kubectl("delete", "poddisruptionbudget", "inflate")
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
        claims = self.claims()
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
        ran = self.ends(self.stage.run(DESTROY), 4)
        self.assertIn(f"the instance profile {held[1]}, which holds {node[1]}", ran.err)
        roles = self.others.aws("iam", "get-instance-profile", *held)["InstanceProfile"]["Roles"]
        self.assertEqual([r["RoleName"] for r in roles], [node[1]])
        self.others.aws("iam", "remove-role-from-instance-profile", *held, *node)
        self.others.aws("iam", "delete-instance-profile", *held)
        self.ends(self.stage.run(DESTROY), 0)
        self.all_as_before()


if __name__ == "__main__":
    unittest.main(verbosity=2)
