#!/usr/bin/env python3
"""Kills karpctl at every point of its way, runs it again, and looks whether the world is as if nothing had happened.

    python3 tests/reliability/crash.py                      every point of every way
    python3 tests/reliability/crash.py --sample 8           about eight points a way, spread evenly
    python3 tests/reliability/crash.py --way destroy --at 17 --kill alone      one point, with all that was said

A point is an AWS request, a Kubernetes request or a program started, of karpctl or of what it runs; the kill (SIGKILL)
comes when it has had its effect and nobody knows yet. `tree` kills helm and eksctl with it, `alone` leaves them running.
Afterwards the same command runs undisturbed. It must end well, a further run must find nothing to do, and the inventory of
AWS, Kubernetes and files must equal that of an undisturbed way.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

from stage import ROOT, Stage, differences

NEWEST, BEFORE = "1.14.1", "1.0.8"
KILLS = ("tree", "alone")
EXISTING = ["--existing-cluster", "--yes", "--timeout", "120s"]
BOOTSTRAP = ["bootstrap", *EXISTING, "--karpenter-version", NEWEST]
DESTROY = ["destroy", *EXISTING, "--delete-crds"]
OLDER = ["bootstrap", *EXISTING, "--karpenter-version", BEFORE]
NEW = ["bootstrap", "--yes", "--timeout", "300s"]
NEW_DESTROY = ["destroy", "--yes", "--timeout", "300s"]


class Way:
    """A command that is broken off, the way to where it begins, and the inventory it must end with."""

    def __init__(self, name, words, before, existing=True, then=None):
        self.name, self.words, self.before, self.existing = name, words, before, existing
        self.then = then or words
        self.points, self.wanted = [], None


WAYS = {w.name: w for w in (
    Way("bootstrap", BOOTSTRAP, []),
    Way("destroy", DESTROY, [BOOTSTRAP]),
    Way("bootstrap-then-destroy", BOOTSTRAP, [], then=DESTROY),
    Way("upgrade", BOOTSTRAP, [OLDER]),
    Way("new-cluster", NEW, [], existing=False),
    Way("new-cluster-destroy", NEW_DESTROY, [NEW], existing=False),
)}


class Failed(Exception):
    """A point that does not converge, with all that was said."""


def must(ran, stage):
    if ran.code != 0:
        raise Failed(ran.text())
    return ran


class Sweep:
    """One stage, used for point after point; made anew after a failure, which may have left anything."""

    def __init__(self, karpctl):
        self.karpctl, self.stage, self.existing = karpctl, None, None

    def fresh(self, existing):
        if self.stage:
            self.stage.stop()
        self.stage, self.existing = Stage(self.karpctl), existing
        if existing:
            self.stage.make_cluster()
        self.empty = self.stage.inventory()

    def at_start(self, way):
        """A stage in which nothing of ours is, then the way to where this one begins."""
        if self.stage is None or self.existing != way.existing:
            self.fresh(way.existing)
        elif differences(self.empty, self.stage.inventory()):
            must(self.stage.run(DESTROY if way.existing else NEW_DESTROY), self.stage)
            if left := differences(self.empty, self.stage.inventory()):
                raise Failed("destroy leaves:\n" + "\n".join(left))
        for words in way.before:
            must(self.stage.run(words), self.stage)

    def undisturbed(self, way):
        """Counts the points and keeps the inventory."""
        self.at_start(way)
        ran = must(self.stage.run(way.words), self.stage)
        way.points = ran.deeds
        way.wanted = self.stage.inventory() if way.then is way.words else self.empty
        way.seconds = ran.seconds

    def point(self, way, at, kill):
        """Breaks it off there and goes on; what was killed at, or None where the way was already over."""
        self.at_start(way)
        broken = self.stage.run(way.words, at=at, kill=kill)
        if broken.fired is None:
            must(broken, self.stage)
            return None
        try:
            again = must(self.stage.run(way.then), self.stage)
            self.stage.quiet()
            last = must(self.stage.run(way.then), self.stage)
            if "Nothing to do" not in last.out + last.err:
                raise Failed(f"a further run finds something to do\n{again.text()}\n{last.text()}")
            left = differences(normal(way.wanted), normal(self.stage.inventory()))
            if left:
                raise Failed("the inventory differs:\n" + "\n".join(left) + f"\n{again.text()}")
        except Failed as e:
            raise Failed(f"killed ({kill}) after {broken.fired['deed']}\n{broken.text()}\n--- then\n{e}") from None
        return broken.fired["deed"]


MADE_UP = ("vpcs", "subnets", "security_groups", "discovery_tagged", "instances", "nodes", "launch_templates")


def normal(inventory):
    """Without what AWS makes up: how many there are of what has only an id, and names without CloudFormation's ending."""
    def plain(kind, names):
        if kind in MADE_UP:
            return [f"{len(names)} of them"]
        return sorted(re.sub(r"-[A-Z0-9]{12,13}$", "-…", str(n)) for n in names)
    return {area: {kind: plain(kind, names) for kind, names in found.items()} if isinstance(found, dict) else found
            for area, found in inventory.items()}


def chosen(count, sample):
    """The points to try: all, or so many, spread evenly, with the first and the last."""
    if not sample or sample >= count:
        return list(range(1, count + 1))
    return sorted({1 + round(k * (count - 1) / (sample - 1)) for k in range(sample)} if sample > 1 else {1 + count // 2})


def sweep(args):
    """The figures, a row a way and kill."""
    runner, rows, failures = Sweep(args.karpctl), [], []
    for name in args.way or [w for w in WAYS if args.new or WAYS[w].existing]:
        way = WAYS[name]
        runner.undisturbed(way)
        for kill in [args.kill] if args.kill else KILLS:
            tried = good = 0
            started = time.monotonic()
            for at in [args.at] if args.at else chosen(len(way.points), args.sample):
                try:
                    deed = runner.point(way, at, kill)
                    good, tried = good + 1, tried + 1
                    say(f"{name} {kill} {at}/{len(way.points)}: converges, killed after {deed or 'its end'}")
                except (Failed, RuntimeError) as e:
                    tried += 1
                    failures.append(f"{name} {kill} {at}: {e}")
                    say(f"{name} {kill} {at}/{len(way.points)}: DOES NOT CONVERGE\n{e}")
                    runner.fresh(way.existing)
            rows.append({"way": name, "kill": kill, "points": len(way.points), "tried": tried, "converge": good,
                         "seconds": round(time.monotonic() - started)})
            say(f"{name}, {kill}: {good} of {tried} points converge ({len(way.points)} points in all)")
    runner.stage.stop()
    return rows, failures


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--karpctl", default=ROOT / "target/debug/karpctl")
    parser.add_argument("--way", action="append", choices=list(WAYS))
    parser.add_argument("--new", action="store_true", help="also the ways of a new cluster, minutes each")
    parser.add_argument("--kill", choices=KILLS)
    parser.add_argument("--at", type=int, help="one point only")
    parser.add_argument("--sample", type=int, default=0, help="so many points a way; 0: every one")
    parser.add_argument("--figures", type=Path, help="also writes the figures there, as JSON")
    args = parser.parse_args()
    rows, failures = sweep(args)
    good, tried = sum(r["converge"] for r in rows), sum(r["tried"] for r in rows)
    say(f"{good} of {tried} points converge")
    if args.figures:
        args.figures.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
