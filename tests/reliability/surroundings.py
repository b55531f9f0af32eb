#!/usr/bin/env python3
"""Signals, disks, homes and terminals: karpctl in surroundings that are not kind.

    python3 tests/reliability/surroundings.py               about five minutes
    python3 tests/reliability/surroundings.py Signals
"""

import fcntl
import os
import pty
import re
import signal
import stat
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from stage import differences
from ways import BOOTSTRAP, DESTROY, normal
from with_stage import KARPCTL, WithStage

# how far a doctor indents a command
COMMAND = " " * 9
QUICK = ["versions"]


def plain(words, env=None, **more):
    """karpctl without a lab."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run([str(KARPCTL), *words], env={**base, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, **more)


class Signals(WithStage):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("INT", "TERM", "HUP"):  # what nohup or a shell in the background has ignored is ignored by all that is started here
            if signal.getsignal(number := getattr(signal, f"SIG{name}")) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)

    def ends_it_in_order_and_running_again_goes_on(self, name, code):
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

    def test_int(self):
        self.ends_it_in_order_and_running_again_goes_on("INT", 130)

    def test_term(self):
        self.ends_it_in_order_and_running_again_goes_on("TERM", 143)

    def test_hup(self):
        self.ends_it_in_order_and_running_again_goes_on("HUP", 143)


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

    def begun(self):
        """There is something for others to see of what the holder makes."""
        end = time.monotonic() + 60
        while f"Karpenter-{self.stage.cluster}" not in self.stage.call("GET", "inventory")["aws"]["stacks"]:
            self.assertLess(time.monotonic(), end, "nothing is made")
            time.sleep(0.1)

    # said before the other waits for a sign of life, and where it is refused
    HOLDS = r"`karpctl \w+` of \S+@\S+ \(process \d+\) is at work on cluster demo since \d{4}-\d\d-\d\dT"
    # who waited until the other was done is told besides that its plan is of a world that is no more
    CHANGED = "what there is to do has changed since the plan was made; this run has changed nothing"

    def one_goes_on(self, ends):
        """The first to the end. The other is told who holds it and since when, and changes nothing; from another machine it may see no sign of life
        until the first is done: it is told that it waits and for whom, and then that what it planned is no more, or it finds all done."""
        codes = sorted(code for code, _ in ends)
        self.assertIn(codes, ([0, 4], [0, 0]), ends)
        waits = f"{self.HOLDS}.*; waiting for a sign of life"
        if codes == [0, 0]:
            self.assertRegex("".join(err for _, err in ends), waits)
            return
        refused = next(err for code, err in ends if code == 4)
        self.assertRegex(refused, waits if self.CHANGED in refused else rf"error: .*{self.HOLDS}")

    def of_one_alone(self):
        """What one bootstrap leaves."""
        self.clear()
        self.ends(self.stage.run(BOOTSTRAP), 0)
        alone = normal(self.stage.inventory())
        self.clear()
        return alone

    def both(self, first, second):
        """The second starts elsewhere while the first is at work, which takes its time."""
        self.stage.call("POST", "settings", {"pace": 25})
        try:
            process = self.start(first)
            self.held()
            if first is BOOTSTRAP:
                self.begun()
            return self.pair(process, self.start(second, elsewhere=True))
        finally:
            self.stage.call("POST", "settings", {"pace": 0})

    def test_the_same_bootstrap_twice_at_the_same_moment(self):
        alone = self.of_one_alone()
        for elsewhere in (False, True):
            with self.subTest(elsewhere=elsewhere):
                self.clear()
                ends = self.pair(self.start(BOOTSTRAP), self.start(BOOTSTRAP, elsewhere))
                self.one_goes_on(ends)
                self.assertEqual(differences(alone, normal(self.stage.inventory())), [])
                self.assertIn("Nothing to do", self.ends(self.stage.run(BOOTSTRAP), 0).out)

    def test_from_two_machines(self):
        alone = self.of_one_alone()
        for second in (BOOTSTRAP, DESTROY):
            with self.subTest(second=second):
                self.clear()
                self.one_goes_on(self.both(BOOTSTRAP, second))
                self.assertEqual(differences(alone, normal(self.stage.inventory())), [])

    def test_bootstrap_against_destroy(self):
        self.ends(self.stage.run(BOOTSTRAP), 0)
        self.one_goes_on(self.both(DESTROY, [*BOOTSTRAP, "--tag", "a=b"]))
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
        self.assertRegex(ran.err, f"{self.HOLDS}.*; waiting for a sign of life")
        self.assertIn("taking over from", ran.err)
        self.assertGreater(ran.seconds, 60, "not before it is known to be dead")
        self.assertIn("Nothing to do", self.ends(self.stage.run(BOOTSTRAP), 0).out)


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

    def test_without_a_journal_that_is_said_in_one_line(self):
        self.clear()
        for env, why in (({"HOME": "/proc", "XDG_STATE_HOME": ""}, "in /proc/.local/state: "),
                         ({"HOME": "", "XDG_STATE_HOME": ""}, ": neither XDG_STATE_HOME nor HOME says where")):
            with self.subTest(env=env):
                ran = self.ends(self.stage.run(BOOTSTRAP, env=env), 0)
                told = [line for line in ran.err.splitlines() if "journal" in line]
                self.assertEqual(len(told), 1, ran.err)
                self.assertTrue(told[0].startswith(f"warning: no journal is kept {why}".replace(" :", ":")), told[0])
                self.ends(self.stage.run(DESTROY), 0)

    def test_a_full_disk_under_the_report_is_one_error_before_anything_is_changed(self):
        self.clear()
        ran = self.ends(self.stage.run([*BOOTSTRAP, "--report", "/dev/full"]), 1)
        self.assertEqual(ran.err.count("error:"), 1, ran.err)
        self.assertIn("cannot write the report /dev/full", ran.err)
        self.assertEqual(differences(self.empty, self.stage.inventory()), [])
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode), "the device is still one")

    def test_no_room_for_temporary_files_is_said_with_the_place(self):
        self.clear()
        ran = self.ends(self.stage.run(BOOTSTRAP, env={"TMPDIR": "/proc/nowhere"}), 1)
        self.assertIn("/proc/nowhere", ran.err)
        self.assertIn("hint:", ran.err)
        self.ends(self.stage.run(BOOTSTRAP), 0)


class Readers(WithStage):
    """Who reads what a run says goes away, or has no room for it: the work is done all the same."""

    def test_work_goes_on_without_a_reader(self):
        for redirected, code, said in (("2>&1 | head -n 1", 0, None), ("-o ndjson | head -n 1", 0, None), ("2> /dev/full", 0, None),
                                       ("-o ndjson > /dev/full", 1, "to stdout")):
            with self.subTest(redirected=redirected):
                self.clear()
                script = f'set -o pipefail; "$@" {redirected}'
                ran = subprocess.run(["bash", "-c", script, "bash", str(KARPCTL), *BOOTSTRAP, "--cluster-name", self.stage.cluster],
                                     env=self.stage.env, cwd=self.stage.work, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                self.assertEqual(ran.returncode, code, ran)
                self.assertNotIn("panicked", ran.stdout + ran.stderr)
                if said:
                    self.assertIn(said, ran.stderr)
                self.assertIn("Nothing to do", self.ends(self.stage.run(BOOTSTRAP), 0).out)


class Outputs(unittest.TestCase):
    def test_a_full_disk_under_stdout_is_an_error(self):
        for words in (QUICK, ["--help"], ["doctor", "--help"], ["generate", "man"]):
            with self.subTest(words=words):
                with open("/dev/full", "w") as full:
                    done = subprocess.run([str(KARPCTL), *words], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1)
                self.assertNotIn(b"panicked", done.stderr)
                self.assertIn(b"to stdout", done.stderr)

    def test_a_closed_pipe_ends_quietly(self):
        for words in (QUICK, ["generate", "markdown"], ["--help"]):
            with self.subTest(words=words):
                read, write = os.pipe()
                os.close(read)
                done = subprocess.run([str(KARPCTL), *words], stdout=write, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                os.close(write)
                self.assertNotIn(b"panicked", done.stderr)
                self.assertEqual(done.stderr, b"")

    def test_a_full_disk_and_a_read_only_one_leave_nothing_half_written(self):
        """A file system of a few kilobytes, which only root may make."""
        facts = ["doctor", "--area", "client", "--offline", "--save-facts", "FOLDER/facts.json"]
        where = ["--cluster-name", "demo", "--region", "us-west-2", "--account-id", "111122223333"]
        for words, file in ((facts, "facts.json"), (["render", "all", "--out", "FOLDER", *where], "cloudformation.yaml"),
                            (["generate", "man", "--out", "FOLDER"], "karpctl.1"),
                            (["init", "--defaults", "-f", "FOLDER/karpctl.yaml", *where], "karpctl.yaml")):
            for options, why in (("size=4k", "No space left on device"), ("size=4k,ro", "Read-only file system")):
                with self.subTest(words=words, options=options), tempfile.TemporaryDirectory() as folder:
                    script = ('mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; [ "$1" = size=4k ] && head -c 4096 /dev/zero > "$2/taken"; '
                              'folder=$2; shift 2; "$@"; code=$?; ls -A "$folder" >&2; exit $code')
                    done = subprocess.run(
                        ["unshare", "--mount", "sh", "-c", script, "sh", options, folder, str(KARPCTL),
                         *(w.replace("FOLDER", folder) for w in words)],
                        env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
                        stdin=subprocess.DEVNULL, capture_output=True, text=True)
                    if os.getuid() or done.returncode == 99 or "unshare:" in done.stderr:
                        self.assertNotIn("CI", os.environ, f"a file system cannot be made here, and in CI this is tried: {done.stderr}")
                        self.skipTest(f"a file system cannot be made here: {done.stderr}")
                    self.assertEqual(done.returncode, 1, done.stderr)
                    said, left = done.stderr.splitlines(), []
                    while said and said[-1] in ("taken", file):
                        left.append(said.pop())
                    self.assertEqual(left, ["taken"] if options == "size=4k" else [], done.stderr)
                    self.assertEqual([line for line in said if line.startswith("error:")], [line for line in said if file in line
                                     and line.startswith("error:")], done.stderr)
                    self.assertEqual(sum(line.startswith("error:") for line in said), 1, done.stderr)
                    self.assertIn(why, done.stderr)
                    self.assertIn("hint:", done.stderr)

    def test_a_device_is_written_to(self):
        done = plain(["doctor", "--area", "client", "--offline", "--save-facts", "/dev/stderr"])
        self.assertIn(b'"schema": "karpctl/facts/', done.stderr)
        self.assertTrue(os.path.islink("/dev/stderr"), "it is still there")
        done = plain(["doctor", "--area", "client", "--offline", "--save-facts", "/dev/full"])
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode), "the device is still one")

    def test_closed_streams(self):
        render = ["render", "inflate", "--cluster-name", "demo", "--region", "us-west-2", "--account-id", "111122223333"]
        whole = plain(render)
        for closed, code in (("2>&-", 0), ("<&-", 0), ("<&- 2>&-", 0)):
            for words in (QUICK, render, ["doctor", "--offline", "--area", "client", "--only", "helm-version"]):
                with self.subTest(closed=closed, words=words):
                    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", str(KARPCTL), *words], capture_output=True,
                                          env={"PATH": os.environ["PATH"], "HOME": "/proc"})
                    self.assertIn(done.returncode, (code, 1) if words[0] == "doctor" else (code,), done.stderr)
                    self.assertNotIn(b"panicked", done.stderr)
                    if words is render:
                        self.assertEqual(done.stdout, whole.stdout)
        for words in (["bootstrap", "--cluster-name", "demo"], ["init"], ["nonsense"]):
            with self.subTest(words=words):
                done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", str(KARPCTL), *words],
                                      env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
                self.assertIn(done.returncode, (1, 2))

    def test_what_a_person_reads_is_ascii_where_the_locale_is(self):
        for env, ascii in (({"LC_ALL": "C"}, True), ({"LANG": "POSIX"}, True), ({"LC_CTYPE": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, True),
                           ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False)):
            for words in (QUICK, ["explain", "caller-permissions"], ["explain", "stack"], ["explain", "guide"],
                          ["render", "all", "--region", "us-west-2", "--account-id", "111122223333", "--cluster-name", "demo"],
                          ["render", "inflate", "--cluster-name", "démo", "--region", "us-west-2", "--account-id", "111122223333"]):
                with self.subTest(env=env, words=words):
                    done = plain(words, env)
                    self.assertNotIn(b"panicked", done.stderr)
                    self.assertLess(done.returncode, 3)
                    if ascii:
                        (done.stdout + done.stderr).decode("ascii")
        self.assertIn("…".encode(), plain(["explain", "caller-permissions"], {"LC_ALL": "C.UTF-8"}).stdout)
        self.assertIn(b"...", plain(["explain", "caller-permissions"], {"LC_ALL": "C"}).stdout)
        machine = [plain(["versions", "-o", "json"], {"LC_ALL": locale}).stdout for locale in ("C", "C.UTF-8")]
        self.assertEqual(*machine)

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

    def on_terminal(self, words, columns, env=None):
        """(exit code, what a terminal of so many columns is sent)"""
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
            os.execve(KARPCTL, [str(KARPCTL), *words], {"PATH": os.environ["PATH"], "TERM": "xterm", **(env or {})})
        said = b""
        try:
            while part := os.read(terminal, 65536):
                said += part
        except OSError:
            pass
        self.assertNotIn(b"panicked", said)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode().replace("\r\n", "\n")

    def test_a_terminal_of_any_width(self):
        nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1",
                   "NO_COLOR": "1"}
        for columns in (20, 40, 80):
            for words, code, folds in ((["--help"], 0, False), (QUICK, 0, False), (["explain", "stack"], 0, True),
                                       (["explain", "helm-version"], 0, True),
                                       (["bootstrap", "--cluster-name", "demo", "--region", "us-west-2", "--karpenter-version", "1.14.1"], 1, True),
                                       (["doctor", "--offline", "--area", "client", "--kubeconfig", "/none/there/is/no/such/file"], 1, True),
                                       (["render", "inflate", "--region", "us-west-2", "--account-id", "1"], 2, True)):
                with self.subTest(words=words, columns=columns):
                    ended, said = self.on_terminal(words, columns, nowhere)
                    self.assertEqual(ended, code, said)
                    if not folds:
                        continue
                    for line in said.splitlines():
                        # wider is only what has no place to end: a word, or what stands in backticks
                        words_in = re.sub("`[^`]*`", lambda quoted: quoted.group().replace(" ", "_"), line).split()
                        # and a command on a line of its own, which is copied whole
                        if len(words_in) > 1 and not line.startswith(COMMAND):
                            self.assertLessEqual(len(line), columns, said)

    def test_nothing_is_folded_where_there_is_no_terminal(self):
        done = plain(["explain", "stack"], {"COLUMNS": "20"})
        self.assertEqual(done.returncode, 0)
        for paragraph in done.stdout.strip().split(b"\n\n"):
            self.assertNotIn(b"\n", paragraph, "one paragraph is one line")


if __name__ == "__main__":
    unittest.main(verbosity=2)
