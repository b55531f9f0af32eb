#!/usr/bin/env python3
"""Where charts come from: a registry that asks for a log-in, and digests.

    python3 tests/reliability/origins.py                    about a minute
"""

import base64
import http.client
import json
import os
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
