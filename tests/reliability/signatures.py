#!/usr/bin/env python3
"""Signed charts, as a real cosign judges them: by whom, at which tag, of which digest. Nothing but the lab is asked.

    COSIGN=FILE python3 tests/reliability/signatures.py     about two minutes; make test-all builds one
"""

import os
import sys
import unittest
from pathlib import Path

CACHE = Path(os.environ.get("KARPCTL_LAB_CACHE") or Path.home() / ".cache/karpctl-lab")
if __name__ == "__main__" and Path(sys.prefix).resolve() != (CACHE / "venv").resolve():
    os.execv(CACHE / "venv/bin/python", [str(CACHE / "venv/bin/python"), *sys.argv])  # it has what makes certificates

from sigstore import Registry, Sigstore  # noqa: E402
from ways import BOOTSTRAP, NEWEST  # noqa: E402
from with_stage import WithStage  # noqa: E402

COSIGN = os.environ.get("COSIGN")
CHARTS = ("karpenter/karpenter-crd", "karpenter/karpenter")


class Signatures(WithStage):
    @classmethod
    def setUpClass(cls):
        if not COSIGN or not os.access(COSIGN, os.X_OK):
            raise RuntimeError(f"COSIGN is {COSIGN}, and no cosign; make test-all builds one")
        super().setUpClass()
        cls.registry, cls.ours = Registry(cls.stage.ready["registry"]), Sigstore()
        folder = cls.stage.dir / "sigstore"
        folder.mkdir()
        (folder / "cosign").symlink_to(Path(COSIGN).resolve())
        cls.env = {**cls.ours.environment(folder), "PATH": f"{folder}:{cls.stage.env['PATH']}"}

    def attach(self, chart, by=None, of=None, version=NEWEST, **who):
        digest = self.registry.digest(chart, NEWEST)
        self.registry.attach(chart, digest, (by or self.ours).sign(f"public.ecr.aws/{chart}", of or digest, version, **who))

    def with_another(self, which):
        """A Sigstore of which one key is not trusted here."""
        return Sigstore(**{k: getattr(self.ours, k) for k in ("authority", "certificates", "transparency") if k != which})

    def releases(self):
        return self.stage.inventory()["kubernetes"]["helm_releases"]

    def refused(self, chart, why, installed):
        ran = self.ends(self.stage.run(BOOTSTRAP, env=self.env), 4)
        self.assertIn(f"the signature of the chart oci://public.ecr.aws/{chart} {NEWEST} cannot be verified; nothing was installed", ran.err)
        self.assertIn(why, " ".join(ran.err.split()))
        self.assertIn("--chart-digest", ran.err)
        self.assertEqual(self.releases(), installed)

    def test_what_the_release_workflow_signed_is_installed_and_nothing_else(self):
        definitions, controller = CHARTS
        self.refused(definitions, "no signatures found", [])
        self.attach(definitions)
        installed = ["kube-system/karpenter-crd"]
        self.refused(controller, "no signatures found", installed)
        for why, how in (
                ("expected GitHub Workflow Repository not found", {"repository": "somebody/karpenter-provider-aws"}),
                ("none of the expected identities matched", {"workflow": "other.yaml"}),
                ("expected GitHub Workflow Ref not found", {"ref": "refs/tags/v1.14.0"}),
                ("missing or incorrect annotation", {"version": "1.14.0", "ref": f"refs/tags/v{NEWEST}"}),
                ("invalid or missing digest in claim", {"of": self.registry.digest(definitions, NEWEST)}),
                ("certificate signed by unknown authority", {"by": self.with_another("authority")}),
                ("ctfe public key not found", {"by": self.with_another("certificates")}),
                ("rekor log public key not found", {"by": self.with_another("transparency")})):
            with self.subTest(why=why):
                self.attach(controller, **how)
                self.refused(controller, why, installed)
        self.attach(controller)
        self.ends(self.stage.run(BOOTSTRAP, env=self.env), 0)
        self.assertEqual(self.releases(), ["kube-system/karpenter", *installed])
        asked = (self.stage.dir / "run/log/proxy.log").read_text()
        self.assertNotIn("refused", asked, "nobody asks for Sigstore's own keys or logs")
        self.assertEqual([f for f in self.stage.home() if "sigstore" in f], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
