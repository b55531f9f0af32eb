#!/usr/bin/env python3
"""Where charts and the controller's image come from: a registry that asks for a log-in, digests.

    python3 tests/reliability/origins.py                    about two minutes
"""

import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest
from pathlib import Path

from ways import BOOTSTRAP, NEWEST
from with_stage import WithStage

CACHE = Path(os.environ.get("KARPCTL_LAB_CACHE") or Path.home() / ".cache/karpctl-lab")


class Mirror(WithStage):
    """Charts from a registry that lets in only who has its log-in: the lab's own charts, served once more."""

    # bcrypt, the only kind that the registry takes
    ACCOUNT = "me:$2b$05$gcxNyvla6uHN8dzYQ83jQe.HSOM91IEnt69R4e6QoIcsIvUQtJNyG\n"
    PASSWORD = "let-me-in"

    def setUp(self):
        served = next((self.stage.dir / "run").rglob("registry.json"))
        config, folder = json.loads(served.read_text()), self.stage.dir / "mirror"
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "accounts").write_text(self.ACCOUNT)
        config["http"]["addr"] = self.host
        config["auth"] = {"htpasswd": {"realm": "mirror", "path": str(folder / "accounts")}}
        (folder / "config.json").write_text(json.dumps(config))
        registry = next(d for d in map(Path, [*self.stage.env["PATH"].split(":"), CACHE / "bin"]) if (d / "docker-registry").exists())
        log = (folder / "log").open("w")
        self.addCleanup(log.close)
        process = subprocess.Popen([registry / "docker-registry", "serve", folder / "config.json"], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.login = folder / "login.json"
        self.login.write_text(json.dumps({"auths": {self.host: {"auth": base64.b64encode(f"me:{self.PASSWORD}".encode()).decode()}}}))
        end = time.monotonic() + 30
        while not self.manifest():
            self.assertLess(time.monotonic(), end, (folder / "log").read_text())
            time.sleep(0.1)

    def manifest(self):
        """The digest of the chart in the mirror, once it answers."""
        ask = http.client.HTTPConnection(self.host, timeout=5)
        try:
            ask.request("HEAD", f"/v2/karpenter/karpenter/manifests/{NEWEST}", headers={
                "Authorization": "Basic " + base64.b64encode(f"me:{self.PASSWORD}".encode()).decode(),
                "Accept": "application/vnd.oci.image.manifest.v1+json"})
            return ask.getresponse().headers.get("Docker-Content-Digest")
        except OSError:
            return None
        finally:
            ask.close()

    def test_a_mirror_is_pulled_from_with_its_own_login_and_held_to_a_digest(self):
        self.clear()
        mirror = [*BOOTSTRAP, "--chart-repository", f"oci://{self.host}/karpenter"]
        refused = self.ends(self.stage.run(mirror), 1)
        self.assertIn(f"`helm registry login {self.host} --registry-config registry.json`", refused.err)
        with_login = [*mirror, "--registry-config", str(self.login)]
        other = self.ends(self.stage.run([*with_login, "--chart-digest", "sha256:" + "0" * 64]), 4)
        self.assertIn(f"its digest is {self.manifest()}, not sha256:0000", other.err)
        self.ends(self.stage.run([*with_login, "--chart-digest", self.manifest()]), 0)
        for ran in (refused, other):
            self.assertNotIn(self.PASSWORD, ran.out + ran.err)


class Images(WithStage):
    """The official chart names the controller's image by digest; that of the Go module, which the lab serves, leaves the value empty. So a
    registry beside it has the chart with one."""

    REPOSITORY, OURS = "public.ecr.aws/karpenter/controller", "111122223333.dkr.ecr.us-west-2.amazonaws.com/karpenter/controller"
    DIGEST = "sha256:" + "4b1d" * 16

    def setUp(self):
        folder = self.stage.dir / "official"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.charts = f"{self.stage.ready['registry']}/official"
        for name in ("karpenter", "karpenter-crd"):
            archive = CACHE / "charts" / f"{name}-{NEWEST}.tgz"
            if name == "karpenter":
                shutil.unpack_archive(archive, folder)
                values = folder / name / "values.yaml"
                text = values.read_text()
                self.assertEqual(text.count('digest: ""'), 1)
                values.write_text(text.replace('digest: ""', f"digest: {self.DIGEST}"))
                self.helm("package", folder / name, "-d", folder)
                archive = folder / archive.name
            pushed = self.helm("push", archive, f"oci://{self.charts}")
            if name == "karpenter":
                self.digest = re.search(r"^Digest: (sha256:[0-9a-f]{64})$", pushed, re.M).group(1)

    def helm(self, *words):
        done = subprocess.run([CACHE / "bin/helm-3.17.3", *words], env=self.stage.env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def image(self):
        found = subprocess.run(["kubectl", "--kubeconfig", self.stage.ready["kubeconfig"], "-n", "kube-system", "get", "deployment", "karpenter", "-o",
                                "jsonpath={.spec.template.spec.containers[0].image}"], env=self.stage.env, capture_output=True, text=True)
        return found.stdout

    def test_the_image_keeps_the_digest_of_its_chart_unless_the_spec_says_otherwise(self):
        self.clear()
        mirror = [*BOOTSTRAP, "--chart-repository", f"oci://{self.charts}", "--chart-digest", self.digest]
        spec = self.stage.work / "karpctl.yaml"
        self.addCleanup(spec.unlink)
        # one that was copied whole has the digest that it had; one that was built or copied for one architecture has another
        for image, wanted in (({}, f"{self.REPOSITORY}:{NEWEST}@{self.DIGEST}"),
                              ({"repository": self.OURS}, f"{self.OURS}:{NEWEST}@{self.DIGEST}"),
                              ({"repository": self.OURS, "digest": "sha256:" + "5" * 64}, f"{self.OURS}:{NEWEST}@sha256:{'5' * 64}"),
                              ({"repository": self.OURS, "digest": ""}, f"{self.OURS}:{NEWEST}")):
            with self.subTest(image=image):
                spec.write_text(json.dumps({"chart": {"values": {"controller": {"image": image}}}}))
                self.ends(self.stage.run(mirror), 0)
                self.assertEqual(self.image(), wanted)
                self.assertIn("Nothing to do", self.ends(self.stage.run(mirror), 0).out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
