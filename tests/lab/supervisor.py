"""Starts and stops the programs of a lab.

Children are born in one long-living thread, because PR_SET_PDEATHSIG follows the *thread* that started the child: born
in a short-lived request thread, a program would be killed as soon as that request was answered. The signal is what
leaves nothing behind when the supervisor itself is killed.
"""

import ctypes
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import Future

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class PartError(Exception):
    """A part of the lab could not be brought up."""


def free_port():
    """A loopback port that nobody listens on.

    Taken below the range of outgoing connections, or any connection made between now and the part's start (or while
    the apiserver restarts) could sit on it; where that fails the kernel chooses.
    """
    for candidate in [random.randrange(15000, 32000) for _ in range(50)] + [0]:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", candidate))
                return s.getsockname()[1]
            except OSError:
                continue
    raise PartError("no free loopback port")


def _die_with_parent():
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """One running program and its log."""

    def __init__(self, name, process, log):
        self.name, self.process, self.log = name, process, log

    @property
    def running(self):
        return self.process.poll() is None

    def tail(self, lines=15):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n    ".join(text.splitlines()[-lines:])

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL, by pid."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Supervisor:
    """Owns the spawning thread and the programs by name, in the order of their start."""

    def __init__(self, log_dir):
        self.log_dir = log_dir
        self.programs = {}
        self.stopping = False
        self._jobs = queue.Queue()
        threading.Thread(target=self._work, name="spawner", daemon=True).start()

    def _work(self):
        while True:
            future, argv, kw = self._jobs.get()
            try:
                future.set_result(subprocess.Popen(argv, **kw))
            except Exception as e:  # whatever went wrong belongs to the caller
                future.set_exception(e)

    def popen(self, argv, **kw):
        """subprocess.Popen in the spawning thread; the child dies with the lab."""
        future = Future()
        self._jobs.put((future, [str(a) for a in argv], {"preexec_fn": _die_with_parent, **kw}))
        return future.result()

    def start(self, name, argv, env=None, cwd=None):
        """Starts a program in its own session, its output appended to log/NAME.log; env is all it gets."""
        log = self.log_dir / f"{name}.log"
        with log.open("ab") as out:
            process = self.popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
                                 env=dict(os.environ) if env is None else env, start_new_session=True)
        program = Program(name, process, log)
        self.programs[name] = program
        return program

    def stop(self, *names, seconds=10):
        """Stops these, all at once."""
        found = [p for n in names if (p := self.programs.pop(n, None))]
        for p in found:
            if p.running:
                p.process.terminate()
        for p in found:
            p.stop(seconds)

    def wait_for(self, name, ready, seconds=60):
        """Waits until ready() is true; raises PartError with the log's tail when the program ends or time is up."""
        program = self.programs[name]
        end = time.monotonic() + seconds
        while not ready():
            if self.stopping:
                raise PartError("the lab is being stopped")
            if not program.running:
                raise PartError(f"{name} ended with status {program.process.returncode}; log {program.log}:\n"
                                f"    {program.tail()}")
            if time.monotonic() > end:
                raise PartError(f"{name} did not come up in {seconds} s; log {program.log}:\n    {program.tail()}")
            time.sleep(0.05)
        return program
