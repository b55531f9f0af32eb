"""Trials on several worlds at once: each world takes the next trial that can begin where it stands, so that hardly a run is spent on
getting somewhere. The figures are written as they come, and a sweep that was ended goes on from them."""

import itertools
import json
import signal
import subprocess
import threading
import time
import traceback
from pathlib import Path

from stage import ROOT
from ways import Failed, World


def arguments(parser):
    """What every sweep can be told."""
    parser.add_argument("--karpctl", default=ROOT / "target/debug/karpctl")
    parser.add_argument("--jobs", type=int, default=1, help="so many labs at once, 1.2 GiB each; they mostly wait")
    parser.add_argument("--figures", type=Path, help="also writes the figures there, as JSON, after each trial")
    parser.add_argument("--go-on", action="store_true", help="leaves out what the figures have already, but for what failed")
    parser.add_argument("--minutes", type=float, default=0, help="begins no further trial after so many; 0: until all are done")


UNNAMED = "earlier ones"  # figures from before the program was kept with them


def program():
    """The state of the program's sources, by which figures of different ones are told apart; a sweep is run in the checkout that its program is of."""
    asked = subprocess.run(["git", "log", "-1", "--format=%h", "--", "src", "templates", "build.rs", "Cargo.toml", "Cargo.lock"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


class Figures:
    """Rows of outcomes: what was tried, by how it ended, and with which programs."""

    def __init__(self, args):
        self.path, self.rows, self.program = args.figures, {}, program()
        self._lock = threading.Lock()
        if args.go_on and self.path and self.path.exists():
            for row in json.loads(self.path.read_text()):
                self.rows[tuple(row["row"])] = row

    def row(self, key, whole):
        """The row of a key; `whole` is how many trials there would be."""
        with self._lock:
            row = self.rows.setdefault(key, {"row": list(key), "whole": whole, "ended": {}})
            row["whole"] = whole
            return row

    def keep(self, key, trials):
        """Forgets what is tried no more."""
        for how, names in self.rows[key]["ended"].items():
            self.rows[key]["ended"][how] = [name for name in names if name in trials]

    def has(self, key, trial):
        return any(trial in names for how, names in self.rows.get(key, {"ended": {}})["ended"].items() if how != "failed")

    def add(self, key, trial, how):
        with self._lock:
            ended = self.rows[key]["ended"]
            programs = self.rows[key].setdefault("programs", [UNNAMED] if any(ended.values()) else [])
            if self.program not in programs:
                programs.append(self.program)
            for names in ended.values():
                if trial in names:
                    names.remove(trial)
            ended.setdefault(how, []).append(trial)
            if self.path:
                self.path.write_text(json.dumps(list(self.rows.values())) + "\n")

    def count(self, how):
        return sum(len(r["ended"].get(how, [])) for r in self.rows.values())


class Trials:
    """`trials` have a `way`, a `key` (their row), a `name`, and `run(world)`, which says how it ended or raises Failed; one that
    tries several things says of each, by its name."""

    def __init__(self, args, figures, trials, world=World):
        self.args, self.figures, self.waiting, self.world = args, figures, in_turn(trials), world
        self.near = 3 * len({t.way.name for t in trials})
        self.whole, self.failures, self._lock = len(self.waiting), [], threading.Lock()
        self.end = time.monotonic() + 60 * args.minutes if args.minutes else float("inf")

    def take(self, world):
        """The next that can begin here, if it is near, else the next; None when there is none. No way waits until the others are over."""
        with self._lock:
            if not self.waiting or time.monotonic() > self.end:
                return None
            trial = next((t for t in self.waiting[:self.near] if world.is_at(t.way)), self.waiting[0])
            self.waiting.remove(trial)
            return trial

    def work(self):
        world = self.world(self.args.karpctl)
        while trial := self.take(world):
            try:
                world.bring(trial.way.existing, trial.way.start)
                how, said = trial.run(world), ""
            except (Failed, RuntimeError, OSError) as e:
                how, said = "failed", f"\n{e}"
            except Exception:  # a defect of the harness, which must not end the other worlds
                how, said = "failed", f"\n{traceback.format_exc()}"
            for name, ended in (how if isinstance(how, dict) else {trial.name: how}).items():
                self.figures.add(trial.key, name, ended)
                say(f"[{self.whole - len(self.waiting)}/{self.whole}] {' '.join(trial.key)}: {name}: {ended}{said}")
            if how == "failed":
                self.failures.append(trial)
                world.close()
        world.close()

    def all(self):
        """Runs them; what failed. Asked to end, it still ends the trials that are under way, and their labs."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "end", 0))
        threads = [threading.Thread(target=self.work) for _ in range(max(1, min(self.args.jobs, self.whole)))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return self.failures


def in_turn(trials):
    """The first of each way, the second of each, and so on."""
    ways = {}
    for trial in trials:
        ways.setdefault(trial.way.name, []).append(trial)
    return [t for turn in itertools.zip_longest(*ways.values()) for t in turn if t]


def say(text):
    print(text, flush=True)
