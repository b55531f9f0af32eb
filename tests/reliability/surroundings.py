#!/usr/bin/env python3
"""Signals, secrets, disks, homes and terminals: karpctl in surroundings that are not kind.

    python3 tests/reliability/surroundings.py               about five minutes
    python3 tests/reliability/surroundings.py Signals
"""

import fcntl
import os
import pty
import stat
import struct
import subprocess
import termios
import threading
import time
import unittest
from pathlib import Path

from stage import ROOT, Stage, differences
from ways import BOOTSTRAP, DESTROY

KARPCTL = Path(os.environ.get("KARPCTL") or ROOT / "target/debug/karpctl").resolve()
QUICK = ["versions"]
# no AWS key has these, so whatever holds one of them holds a secret; the emulator takes any key for root
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAQWERTZUIOPASDFGH", "AWS_SECRET_ACCESS_KEY": "s3cr3tKeyThatNobodyMaySee0123456789abcdef",
           "AWS_SESSION_TOKEN": "FwoGZXIvYXdzTokenThatNobodyMaySee0123456789"}
# also what is made of them: bearer tokens of EKS, signatures of presigned URLs
MARKS = (SECRETS["AWS_SECRET_ACCESS_KEY"], SECRETS["AWS_SESSION_TOKEN"], "k8s-aws-v1.", "X-Amz-Signature=", "X-Amz-Security-Token=",
         "Authorization: Bearer")


def marks_in(text):
    return [m for m in MARKS if m in text]


def plain(words, env=None, **more):
    """karpctl without a lab."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run([str(KARPCTL), *words], env={**base, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, **more)


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


class Signals(WithStage):
    def test_each_signal_ends_it_in_order_and_running_again_goes_on(self):
        for name, code in (("INT", 130), ("TERM", 143), ("HUP", 143)):
            for at in (40, 75):
                with self.subTest(signal=name, at=at):
                    self.clear()
                    ran = self.stage.run(BOOTSTRAP, at=at, kill="alone", signal=name)
                    self.assertIsNotNone(ran.fired, ran.text())
                    self.ends(ran, code)
                    self.assertIn("run it again", ran.err)
                    self.assertFalse([s for s in self.stage.inventory()["aws"]["stacks"] if "lock" in s], "the hold is let go")
                    self.ends(self.stage.run(BOOTSTRAP), 0)
                    self.assertIn("Nothing to do", self.stage.run(BOOTSTRAP).out)


class TwoAtOnce(WithStage):
    """Two runs on one cluster: on one machine, and as from two (another host name is another machine)."""

    ELSEWHERE = ("unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "elsewhere")

    def start(self, words, elsewhere=False):
        argv = [*(self.ELSEWHERE if elsewhere else ()), str(KARPCTL), *words, "--cluster-name", self.stage.cluster]
        return subprocess.Popen(argv, env=self.stage.env, cwd=self.stage.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def pair(self, first, second):
        """Both ends: (code, stderr) of each."""
        ends = []
        for process in (first, second):
            _, err = process.communicate(timeout=400)
            self.assertNotIn("panicked", err)
            ends.append((process.returncode, err))
        return ends

    def held(self):
        end = time.monotonic() + 60
        while not [s for s in self.stage.call("GET", "inventory")["aws"]["stacks"] if s.startswith("karpctl-lock")]:
            self.assertLess(time.monotonic(), end, "nobody takes hold")
            time.sleep(0.1)

    def one_goes_on(self, ends):
        codes = sorted(code for code, _ in ends)
        self.assertEqual(codes, [0, 4], ends)
        told = next(err for code, err in ends if code == 4)
        # who waited until the other was done is told that its plan is of a world that is no more
        self.assertRegex(told, r"`karpctl \w+` of \S+@\S+ \(process \d+\) is at work on cluster demo since \d{4}-\d\d-\d\dT"
                               r"|what there is to do has changed since the plan was made; this run has changed nothing")

    def test_the_same_bootstrap_twice_at_the_same_moment(self):
        self.clear()
        self.one_goes_on(self.pair(self.start(BOOTSTRAP), self.start(BOOTSTRAP)))
        self.assertIn("Nothing to do", self.ends(self.stage.run(BOOTSTRAP), 0).out)

    def test_from_two_machines_and_bootstrap_against_destroy(self):
        self.ends(self.stage.run(BOOTSTRAP), 0)
        self.stage.call("POST", "settings", {"pace": 25})
        try:
            first = self.start(DESTROY)
            self.held()
            self.one_goes_on(self.pair(first, self.start([*BOOTSTRAP, "--tag", "a=b"], elsewhere=True)))
        finally:
            self.stage.call("POST", "settings", {"pace": 0})
        self.assertEqual(differences(self.empty, self.stage.inventory()), [])

    def test_a_holder_that_died_elsewhere_is_taken_over_from(self):
        self.clear()
        self.stage.call("POST", "settings", {"pace": 25})
        try:
            dead = self.start(BOOTSTRAP, elsewhere=True)
            self.held()
            dead.kill()
            dead.communicate()
        finally:
            self.stage.call("POST", "settings", {"pace": 0})
        ran = self.ends(self.stage.run(BOOTSTRAP), 0)
        self.assertIn("waiting for a sign of life", ran.err)
        self.assertIn("taking over from", ran.err)
        self.assertGreater(ran.seconds, 60, "not before it is known to be dead")
        self.assertIn("Nothing to do", self.ends(self.stage.run(BOOTSTRAP), 0).out)


class Secrets(WithStage):
    def test_a_whole_run_leaves_no_secret_anywhere(self):
        env = {**SECRETS, "XDG_STATE_HOME": str(self.stage.dir / "state")}
        seen, ended = [], threading.Event()

        def watch():
            """What others on the machine can see while it runs: process list, and files that are not for its owner alone."""
            while not ended.wait(0.02):
                for p in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        found = marks_in(p.read_bytes().decode("utf8", "replace"))
                    except OSError:
                        continue
                    seen.extend(f"process list: {m}" for m in found)
                for f in self.stage.tmp.rglob("*"):
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
            # the creator of the lab's cluster is root, whom the emulator takes any key for
            runs = [self.stage.run(words, env=env) for words in (
                [*BOOTSTRAP, "-vvv", "--report", str(self.stage.work / "report.html")],
                # nobody launches a node here: what is looked at is what it says on its way to say so
                ["verify", "--existing-cluster", "--timeout", "5s", "-vvv"], ["status", "--existing-cluster", "-vvv"],
                ["doctor", "--existing-cluster", "-vvv", "-o", "json", "--save-facts", str(self.stage.work / "facts.json")],
                [*BOOTSTRAP, "-vvv", "-o", "ndjson"], [*DESTROY, "-vvv", "-o", "json"])]
        finally:
            ended.set()
            watcher.join()
        self.ends(runs[0], 0)
        self.ends(runs[-1], 0)
        self.assertNotIn(2, [ran.code for ran in runs], "each was understood")
        for ran in runs:
            self.assertEqual(marks_in(ran.out + ran.err), [], ran.text())
        files = [f for d in (self.stage.dir / "state", self.stage.work, self.stage.tmp, self.stage.dir / "run" / "home") for f in
                 d.rglob("*") if f.is_file()]
        for ending, what in ((".ndjson", "the journal"), (".html", "the report")):
            self.assertTrue(any(f.suffix == ending for f in files), f"{what} is among them")
        for f in files:
            self.assertEqual(marks_in(f.read_text(errors="replace")), [], str(f))
            if f.suffix == ".ndjson":
                self.assertFalse(stat.S_IMODE(f.stat().st_mode) & 0o077, f"{f} is not private")
        self.assertEqual(sorted(set(seen)), [])


class Disks(WithStage):
    def test_a_full_disk_under_the_journal_stops_nothing(self):
        state = self.stage.dir / "full"
        (state / "karpctl").mkdir(parents=True)
        (state / "karpctl" / "123456789012-us-west-2-demo.ndjson").symlink_to("/dev/full")
        ran = self.ends(self.stage.run(BOOTSTRAP, env={"XDG_STATE_HOME": str(state)}), 0)
        self.assertIn("is not written any further", ran.err)
        self.assertEqual(ran.err.count("is not written any further"), 1)

    def test_a_home_that_cannot_be_written_to_stops_nothing(self):
        for env in ({"HOME": "/proc", "XDG_STATE_HOME": ""}, {"HOME": "", "XDG_STATE_HOME": ""}):
            with self.subTest(env=env):
                self.clear()
                self.ends(self.stage.run(BOOTSTRAP, env=env), 0)

    def test_no_room_for_temporary_files_is_said_with_the_place(self):
        self.clear()
        ran = self.ends(self.stage.run(BOOTSTRAP, env={"TMPDIR": "/proc/nowhere"}), 1)
        self.assertIn("/proc/nowhere", ran.err)
        self.assertIn("hint:", ran.err)
        self.ends(self.stage.run(BOOTSTRAP), 0)


class Outputs(unittest.TestCase):
    def test_a_full_disk_under_stdout_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(KARPCTL), *QUICK], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(b"panicked", done.stderr)

    def test_a_closed_pipe_ends_quietly(self):
        for words in (QUICK, ["generate", "markdown"], ["--help"]):
            with self.subTest(words=words):
                read, write = os.pipe()
                os.close(read)
                done = subprocess.run([str(KARPCTL), *words], stdout=write, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                os.close(write)
                self.assertNotIn(b"panicked", done.stderr)
                self.assertEqual(done.stderr, b"")

    def test_any_locale_and_any_bytes(self):
        for env in ({"LC_ALL": "C"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"LANG": "xx"}, {"TERM": "dumb"}, {}):
            with self.subTest(env=env):
                done = plain(QUICK, env)
                self.assertEqual(done.returncode, 0, done.stderr)
        done = plain(["render", "inflate", "--cluster-name", b"d\xffmo", "--region", "us-west-2", "--account-id", "111122223333"])
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn(b"panicked", done.stderr)

    def test_no_home_and_no_terminal(self):
        done = plain(["bootstrap", "--cluster-name", "demo", "--region", "us-west-2"], {"HOME": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"hint:", done.stderr)

    def test_twenty_columns(self):
        for words in (["--help"], QUICK, ["explain", "stack"]):
            with self.subTest(words=words):
                pid, terminal = pty.fork()
                if pid == 0:
                    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 20, 0, 0))
                    os.execve(KARPCTL, [str(KARPCTL), *words], {"PATH": os.environ["PATH"], "TERM": "xterm"})
                said = b""
                try:
                    while part := os.read(terminal, 65536):
                        said += part
                except OSError:
                    pass
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, said)
                self.assertNotIn(b"panicked", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
