#!/usr/bin/env python3
"""Kills karpctl at every point of its way, runs it again, and looks whether the world is as if nothing had happened.

    python3 tests/reliability/crash.py                      every point of every way of an existing cluster
    python3 tests/reliability/crash.py --changes            only the points right after a change
    python3 tests/reliability/crash.py --sample 8           about eight points a way, spread evenly
    python3 tests/reliability/crash.py --way destroy --at 17 --kill alone      one point, with all that was said

A point is an AWS request, a Kubernetes request or a program started, of karpctl or of what it runs; the kill (SIGKILL)
comes when it has had its effect and nobody knows yet. `tree` kills helm and eksctl with it, `alone` leaves them running.
A request that only reads leaves the world as it was: to be killed after it is to be killed after the change before it, some time later. So
the changes alone (requests that are not called a look, and programs started) lead to every world that a kill can leave.
Afterwards the same command runs undisturbed. It must end well, a further run must find nothing to do, and the inventory of
AWS, Kubernetes and files must equal that of an undisturbed way; HOME may hold nothing more, and a journal in it must be whole. Points
beyond the end of a run (no two make quite the same requests) are said, and not counted.
"""

import argparse
import sys
from dataclasses import dataclass

from stage import LAB
from trials import Figures, Trials, arguments, say
from ways import WAYS, Failed, World, chosen, must, spread

sys.path.append(str(LAB.parent))
from tripwire import changes  # noqa: E402

KILLS = ("tree", "alone")
DEEDS, CHANGES = "deeds", "changes"


@dataclass
class Point:
    """One point of a way."""

    way: object
    kill: str
    of: str
    at: int
    wanted: dict

    @property
    def key(self):
        return (self.way.name, self.kill, self.of)

    @property
    def name(self):
        return self.at

    def run(self, world):
        broken = world.stage.run(self.way.words, at=self.at, of=self.of, kill=self.kill)
        if broken.fired is None:
            must(broken)
            if self.way.then != self.way.words:
                must(world.stage.run(self.way.then))
            world.state = self.way.end
            return "beyond"
        again = None
        try:
            again = must(world.stage.run(self.way.then))
            world.is_over(self.way, self.wanted)
        except Failed as e:
            between = f"--- then\n{again.text()}\n" if again else ""
            raise Failed(f"killed ({self.kill}) after {broken.fired['deed']}\n{broken.text()}\n{between}--- then\n{e}") from None
        return "converge"


def points(args, figures):
    """All that are to be tried; each way is gone once undisturbed for what it does and ends with."""
    world, of = World(args.karpctl), CHANGES if args.changes else DEEDS
    found = []
    for name in args.way or [w for w in WAYS if args.new or WAYS[w].existing]:
        way = WAYS[name]
        deeds, wanted = world.undisturbed(way)
        whole = sum(map(changes, deeds)) if args.changes else len(deeds)
        for kill in [args.kill] if args.kill else KILLS:
            figures.row((name, kill, of), whole)
            for at in [args.at] if args.at else chosen(whole, args.sample):
                if not (args.go_on and figures.has((name, kill, of), at)):
                    found.append(Point(way, kill, of, at, wanted))
    world.close()
    return sorted(found, key=lambda p: spread(p.at))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments(parser)
    parser.add_argument("--way", action="append", choices=list(WAYS))
    parser.add_argument("--new", action="store_true", help="also the ways of a new cluster, minutes each")
    parser.add_argument("--changes", action="store_true", help="only the points right after a change")
    parser.add_argument("--kill", choices=KILLS)
    parser.add_argument("--at", type=int, help="one point only")
    parser.add_argument("--sample", type=int, default=0, help="so many points a way; 0: every one")
    args = parser.parse_args()
    figures = Figures(args)
    failures = Trials(args, figures, points(args, figures)).all()
    good, bad = figures.count("converge"), figures.count("failed")
    say(f"{good} of {good + bad} points converge")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
