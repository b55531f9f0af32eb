"""What the tests that need a stage of their own share."""

import os
import unittest
from pathlib import Path

from stage import ROOT, Stage, differences
from ways import DESTROY

KARPCTL = Path(os.environ.get("KARPCTL") or ROOT / "target/debug/karpctl").resolve()


class WithStage(unittest.TestCase):
    """One stage with an existing cluster."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(KARPCTL)
        cls.stage.make_cluster()
        cls.empty = cls.stage.inventory()

    @classmethod
    def tearDownClass(cls):
        cls.stage.stop()

    def clear(self):
        if differences(self.empty, self.stage.inventory()):
            self.ends(self.stage.run(DESTROY), 0)

    def ends(self, ran, code):
        self.assertEqual(ran.code, code, ran.text())
        self.assertNotIn("panicked", ran.err)
        return ran
