#!/usr/bin/env python3
"""The examples of `karpctl rehearse --help`, typed and run to their end, side by side.

Each takes minutes, so `make test-all` has them and `make test` does not.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl"))
LIMIT = 1800  # seconds
SPEC = "clusterName: mine\nregion: eu-west-1\nkarpenterVersion: 1.0.8\nkubernetesVersion: \"1.31\"\n"
ACTS = ["bootstrap", "verify", "status", "bootstrap", "destroy"]


def examples():
    """The lines under `Examples:`."""
    said = subprocess.run([KARPCTL, "rehearse", "--help"], capture_output=True, text=True, check=True).stdout
    return [line.strip() for line in said.split("Examples:\n", 1)[1].splitlines() if line.strip()]


class Rehearsals(unittest.TestCase):
    """Both lines of the help, in an empty folder each."""

    def setUp(self):
        self.lines = examples()
        self.folders = [tempfile.TemporaryDirectory() for _ in self.lines]
        self.running = []
        for line, folder in zip(self.lines, self.folders):
            if "my.yaml" in line:
                pathlib.Path(folder.name, "my.yaml").write_text(SPEC)
            kept = {name: os.environ[name] for name in ("HOME", "PATH", "KARPCTL_LAB_CACHE", "TMPDIR") if name in os.environ}
            self.running.append(subprocess.Popen([KARPCTL, *line.split()[1:]], cwd=folder.name, env=kept, text=True,
                                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))

    def tearDown(self):
        for program in self.running:
            if program.poll() is None:
                program.terminate()
                program.wait()
        for folder in self.folders:
            folder.cleanup()

    def test_examples(self):
        self.assertEqual(len(self.lines), 2, self.lines)
        for line, program in zip(self.lines, self.running):
            said, told = program.communicate(timeout=LIMIT)
            print(f"$ {line}\n{said}", flush=True)
            self.assertEqual(program.returncode, 0, told[-4000:])
            if "-o json" not in line:
                for word in ("Inventory: empty.", "The rehearsal went well."):
                    self.assertIn(word, said)
                continue
            answer = json.loads(said)
            self.assertEqual([act["command"].split()[1] for act in answer["acts"]], ACTS)
            self.assertTrue(all(act["exit"] == 0 and act["command"].endswith(" --cluster-name mine") for act in answer["acts"]))
            self.assertTrue(answer["ok"])
            self.assertIsNone(answer["left_over"])


if __name__ == "__main__":
    unittest.main()
