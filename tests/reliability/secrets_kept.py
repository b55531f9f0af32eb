#!/usr/bin/env python3
"""Secrets: greps all that a run says, writes and shows to others on the machine while it lasts.

    python3 tests/reliability/secrets_kept.py               about three minutes
"""

import base64
import os
import stat
import threading
import time
import unittest
from pathlib import Path

from kinds import fault_of
from stage import Stage
from ways import BOOTSTRAP, DESTROY, NEW, NEW_DESTROY
from with_stage import KARPCTL, WithStage

# no AWS key has these, so whatever holds one of them holds a secret; the emulator takes any key for root
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAQWERTZUIOPASDFGH", "AWS_SECRET_ACCESS_KEY": "s3cr3tKeyThatNobodyMaySee0123456789abcdef",
           "AWS_SESSION_TOKEN": "FwoGZXIvYXdzTokenThatNobodyMaySee0123456789"}
# also what is made of them: in base64, bearer tokens of EKS, signatures of presigned URLs
MARKS = (*SECRETS.values(), *(base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] for secret in SECRETS.values()),
         "k8s-aws-v1.", "X-Amz-Signature=", "X-Amz-Security-Token=", "Authorization: Bearer")


def marks_in(text):
    return [m for m in MARKS if m in text]


WRITTEN = (".ndjson", ".html")  # the journal and the report


def leaks(stage, commands, written=WRITTEN):
    """Runs these with keys that nobody may see; how each ended, and what of the keys, or made of them, was seen anywhere. What is `written` is there
    to be looked at."""
    for left in [f for d in (stage.dir / "state", stage.work) for ending in WRITTEN for f in d.rglob(f"*{ending}")]:
        left.unlink()
    env = {**SECRETS, "XDG_STATE_HOME": str(stage.dir / "state")}
    seen, looks, ended = [], [], threading.Event()

    def watch():
        """What others on the machine can see while it runs: process list, and files that are not for its owner alone."""
        while not ended.wait(0.02):
            looks.append(time.monotonic())
            for p in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    found = marks_in(p.read_bytes().decode("utf8", "replace"))
                except OSError:
                    continue
                seen.extend(f"process list: {m}" for m in found)
            # os.walk goes on where a folder vanishes beneath it
            for f in (Path(folder, name) for folder, folders, names in os.walk(stage.tmp) for name in (*folders, *names)):
                try:
                    if f.is_file() and (found := marks_in(f.read_text(errors="replace"))):
                        seen.extend(f"{f.name}: {m}" for m in found)
                    if f.name.startswith("karpctl-") and stat.S_IMODE(f.stat().st_mode) & 0o077:
                        seen.append(f"{f} is not private")
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        runs = [stage.run(words, env=env) for words in commands]
    finally:
        ended.set()
        watcher.join()
    if time.monotonic() - looks[-1] > 5:
        seen.append("it was not watched to the end")
    for ran in runs:
        seen.extend(f"{ran.words}: {m}" for m in marks_in(ran.out + ran.err))
    files = [f for d in (stage.dir / "state", stage.work, stage.tmp, stage.dir / "run" / "home") for f in d.rglob("*") if f.is_file()]
    for f in files:
        seen.extend(f"{f}: {m}" for m in marks_in(f.read_text(errors="replace")))
        if f.name.endswith((".ndjson", "facts.json")) and stat.S_IMODE(f.stat().st_mode) & 0o077:
            seen.append(f"{f} is not private")
    seen.extend(f"no *{ending} is among the files" for ending in written if not any(f.suffix == ending for f in files))
    return runs, sorted(set(seen))


class Secrets(WithStage):
    # the creator of the lab's cluster is root, whom the emulator takes any key for
    def test_a_whole_run_leaves_no_secret_anywhere(self):
        runs, seen = leaks(self.stage, [
            [*BOOTSTRAP, "-vvv", "--report", str(self.stage.work / "report.html")],
            # nobody launches a node here: what is looked at is what it says on its way to say so
            ["verify", "--existing-cluster", "--timeout", "5s", "-vvv"], ["status", "--existing-cluster", "-vvv"],
            ["doctor", "--existing-cluster", "-vvv", "-o", "json", "--save-facts", str(self.stage.work / "facts.json")],
            [*BOOTSTRAP, "-vvv", "-o", "ndjson"], [*DESTROY, "-vvv", "-o", "json"]])
        self.assertEqual(seen, [])
        self.ends(runs[0], 0)
        self.ends(runs[-1], 0)
        self.assertNotIn(2, [ran.code for ran in runs], "each was understood")

    def test_a_run_that_fails_leaves_none_either(self):
        self.clear()
        report = ["--report", str(self.stage.work / "report.html")]
        for request, kind, written in ((("eks", "DescribeCluster"), "expired", ()), (("cloudformation", "CreateStack"), "denied", WRITTEN),
                                       (("kubernetes", "GET /api"), "expired", WRITTEN)):
            with self.subTest(request=request, kind=kind):
                self.stage.call("POST", "faults", [fault_of(kind, request, 0)])
                try:
                    (ran,), seen = leaks(self.stage, [[*BOOTSTRAP, "-vvv", *report]], written)
                finally:
                    self.stage.call("DELETE", "faults")
                self.assertEqual(seen, [])
                self.assertNotEqual(ran.code, 0, ran.text())

    def test_nor_does_one_that_makes_a_cluster(self):
        stage = Stage(KARPCTL)
        self.addCleanup(stage.stop)
        runs, seen = leaks(stage, [[*NEW, "-vvv", "--report", str(stage.work / "report.html")], [*NEW_DESTROY, "-vvv"]])
        self.assertEqual(seen, [])
        for ran in runs:
            self.ends(ran, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
