#!/usr/bin/env python3
"""Lets every distinct request of a way go wrong in every way, and looks whether karpctl gets over it.

    python3 tests/reliability/faults.py                          every request with every fault, of a bootstrap, a destroy and an upgrade
    python3 tests/reliability/faults.py --sample 2               each fault on all requests at once, and on two alone
    python3 tests/reliability/faults.py --walk                   every request with every fault, but all of a way in runs that follow each other
    python3 tests/reliability/faults.py --way destroy --fault lost --request 'eks DeleteAddon'
    python3 tests/reliability/faults.py --way new-cluster --eksctl --fault denied      eksctl's own requests, of which there are minutes

A passing fault meets a request once: the same run must get over it, or end with an error that says what could not be done and
what helps. One that lasts (AccessDenied, ExpiredToken) must end the run with the action, the resource and, for AccessDenied, the
statement that is missing, unless the way goes on without that request: then it must warn of what AWS refused, or what that was for is known
to be nothing to anybody. Then the fault is over: the same command must end well, a further one find nothing to do, and the inventory be that
of an undisturbed way.

A walk has all requests of a way meet the fault at once. The requests that a run's error names have ended it, and meet it no more; the
same command runs again, until a run ends well. All that met the fault in that one were got over by it. What there is then is judged as above.
"""

import argparse
import re
import sys
from dataclasses import dataclass, replace

from kinds import LASTING, PASSING, REFUSED_AGAIN, fault_of, words_of
from trials import Figures, Trials, arguments, say
from ways import WAYS, Failed, World, chosen, must, spread

# The ways of a whole sweep.
SWEPT = ("bootstrap", "destroy", "upgrade")


# What a way goes on without and says nothing of, and why nobody need know; what is left is judged all the same.
DONE_WITHOUT = {
    ("bootstrap", "iam GetOpenIDConnectProvider"): "only IRSA asks for one, and the way is by Pod Identity",
    ("destroy", "eks DescribeAccessEntry"): "it is deleted by its name, be it there or not",
}


def split(deed):
    """service and action of a deed: `aws eks DescribeCluster`, `kubernetes GET /api/v1/…`."""
    kind, rest = deed.split(" ", 1)
    return rest.split(" ", 1) if kind == "aws" else (kind, rest)


def distinct(deeds):
    """The requests of a way, each once; names that differ from run to run are left out of Kubernetes paths."""
    found = []
    for deed in deeds:
        if deed.startswith("start "):
            continue
        request = tuple(split(deed))
        if request not in found:
            found.append(request)
    return found


EKSCTL = "eksctl"  # as it names itself to AWS


def of_eksctl(world):
    """The distinct AWS requests that eksctl has made so far."""
    made = [(r["service"], r["action"]) for r in world.stage.call("GET", "requests") if EKSCTL in r["agent"]]
    return list(dict.fromkeys(made))


# How a fault ended: of a request that met it alone, and of one that met it in a walk.
OVER = OVER_ALONE, OVER_IN_TURN = "over", "over in turn"
TOLD = TOLD_ALONE, TOLD_IN_TURN = "told", "told in turn"


def meet(world, way, kind, requests, agent=""):
    """A run in which these requests meet the fault, and those of them that it made, in the order in which they last met it. Only requests
    of `agent`, if that is given."""
    stage = world.stage
    stage.call("DELETE", "faults")
    stage.call("POST", "settings", {"replay": kind != REFUSED_AGAIN})
    times = 1 if kind in PASSING else 0
    stage.call("POST", "faults", [{**fault_of(kind, r, times), "agent": agent} for r in requests])
    try:
        met = stage.run(way.words)
        stage.quiet()
        faults = stage.call("GET", "faults")
    finally:
        stage.call("DELETE", "faults")
        stage.call("POST", "settings", {"replay": True})
    last = {r: fault["last"] for r, fault in zip(requests, faults, strict=True) if fault["used"]}
    return met, sorted(last, key=last.get)


def told(kind, requests, met):
    """Those of the requests, in the order in which they were made, that a run's error names. It must say what, to what, and what helps."""
    if met.code not in (1, 4):
        raise Failed("it ended in no ordinary way")
    _, error, said = met.err.partition("error:")
    if not error or "hint:" not in said:
        raise Failed("the error does not help")

    def names(request):
        service, action = request
        if service == "kubernetes":
            return any(word in said for word in words_of(request))
        if kind == "denied":
            return re.search(f"allow `{re.escape(service)}:{re.escape(action)}` on `[^`]+`", said)
        return action in said and (kind != "expired" or "expired" in said.lower())

    found = [r for r in requests if names(r)]
    # helm tells less than it was told: no request of its own, but the release, or that all is well.
    if not found and re.search("cannot (install the chart|uninstall the release) .* in |chart karpenter.* is not as it should be after", said):
        found = [r for r in requests if r[0] == "kubernetes"][-1:]
    # What is about the API itself has no name.
    found = found or [r for r in requests if r[0] == "kubernetes" and not words_of(r)][-1:]
    if not found:
        missing = ", and the statement that is missing" if kind == "denied" else ", and that the credentials have expired" if kind == "expired" else ""
        raise Failed(f"the error names none of {'; '.join(map(' '.join, requests)) or 'nothing that met a fault'}{missing}")
    return found


def unwarned(way, requests, met):
    """The requests of AWS that a run got over the refusal of and does not warn of, where that is not known to be nothing to anybody."""
    said = "\n".join(re.findall(r"^warning: .*(?:\n  .*)*", met.err, re.M))
    known = [r for r in requests if r[0] == "kubernetes" or (way.name, " ".join(r)) in DONE_WITHOUT]
    return [r for r in requests if r not in known and not re.search(rf"\b{r[0]}:{r[1]}\b", said)]


ALL = "all at once"


@dataclass
class Case:
    """A fault on one request of a way, or on all of them at once."""

    way: object
    kind: str
    requests: list
    wanted: dict
    agent: str = ""  # only requests of a program that says so of itself

    @property
    def key(self):
        return (f"{self.way.name} of {self.agent}" if self.agent else self.way.name, self.kind)

    @property
    def name(self):
        return " ".join(self.requests[0]) if len(self.requests) == 1 else ALL

    def run(self, world):
        """`over`: the same run got over it. `told`: it ended with an error that helps. `unmet`: it made no such request."""
        met, used = meet(world, self.way, self.kind, self.requests, self.agent)
        if not used:
            must(met)
            world.state = self.way.end
            return "unmet"
        try:
            if met.code:
                told(self.kind, self.requests, met)
                must(world.stage.run(self.way.words))
            elif self.kind == "denied" and (silent := unwarned(self.way, self.requests, met)):
                raise Failed(f"it got over the refusal, and does not warn of {silent}")
            world.is_over(self.way, self.wanted)
        except Failed as e:
            raise Failed(f"{met.text()}\n--- {e}") from None
        return TOLD_ALONE if met.code else OVER_ALONE


class Walk(Case):
    """A fault on many requests of a way, which each meet it in runs that follow each other until one ends well."""

    @property
    def name(self):
        return f"walk of {len(self.requests)} from {' '.join(self.requests[0])}"

    def run(self, world):
        """How each of them ended: `told` ended a run by an error that names it, `over` met the run that ended well. What met
        neither goes the way again, without those that are known, and is `unmet` where that one run ends well."""
        left, ended = self.requests, {}
        while left:
            world.bring(self.way.existing, self.way.start)
            ended |= self.go(world, left)
            left = [r for r in left if r not in ended]
        return {" ".join(request): how for request, how in ended.items()}

    def go(self, world, requests):
        """The way once, from its start to an end like an undisturbed one's."""
        ended, left = {}, requests
        while True:
            met, used = meet(world, self.way, self.kind, left, self.agent)
            try:
                if met.code == 0:
                    break
                named = told(self.kind, used, met)
            except Failed as e:
                raise Failed(f"{met.text()}\n--- {e}") from None
            ended |= dict.fromkeys(named, TOLD_IN_TURN)
            left = [r for r in left if r not in named]
        try:
            silent = unwarned(self.way, used, met) if self.kind == "denied" else []
            # A run that had little left to do may have had no use for what was refused. Nor did it ask for all.
            if silent and not ended:
                raise Failed(f"it got over the refusal, and does not warn of {silent}")
            world.is_over(self.way, self.wanted)
        except Failed as e:
            raise Failed(f"{met.text()}\n--- {e}") from None
        unmet = [] if ended else [r for r in left if r not in used]
        return ended | {r: OVER_IN_TURN for r in used if r not in silent} | dict.fromkeys(unmet, "unmet")


# How many requests share a walk, where not all can: what keeps connections away meets the others, too, and a step has only so much time.
SHARE = {"refused": 8, "slow": 6}


def walks(walk):
    """Walks that have all of its requests, of which each shares its walk with such as lie evenly over the way."""
    count = -(-len(walk.requests) // SHARE.get(walk.kind, 1000))
    return [replace(walk, requests=walk.requests[at::count]) for at in range(count)]


def cases(args, figures):
    """All that are to be tried; each way is gone once undisturbed for its requests and what it ends with."""
    world, found, agent = World(args.karpctl), [], EKSCTL if args.eksctl else ""
    for name in args.way or SWEPT:
        way = WAYS[name]
        deeds, wanted = world.undisturbed(way)
        requests = of_eksctl(world) if args.eksctl else distinct(deeds)
        for kind in args.fault or [*PASSING, *LASTING]:
            whole = [r for r in requests if kind != REFUSED_AGAIN or r[0] == "eks" and r[1].startswith("Create")]
            meant = [r for r in whole if not args.request or args.request in " ".join(r)]
            if not meant:
                continue
            case = Case(way, kind, [], wanted, agent)
            figures.row(case.key, len(whole))
            if args.walk:
                figures.keep(case.key, {ALL, *map(" ".join, whole)})
                untried = [r for r in meant if not (args.go_on and figures.has(case.key, " ".join(r)))]
                found += ((meant.index(w.requests[0]), w) for w in walks(Walk(way, kind, untried, wanted, agent)))
                continue
            met = [[meant[at - 1]] for at in chosen(len(meant), args.sample)]
            if args.sample and kind in PASSING and kind != "slow":
                met.insert(0, meant)
            for some in met:
                case = Case(way, kind, some, wanted, agent)
                if not (args.go_on and figures.has(case.key, case.name)):
                    found.append((meant.index(some[0]), case))
    world.close()
    # Those tried so far lie evenly over the requests, each with every fault.
    return [case for _, case in sorted(found, key=lambda numbered: spread(numbered[0]))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments(parser)
    parser.add_argument("--way", action="append", choices=list(WAYS))
    parser.add_argument("--fault", action="append", choices=[*PASSING, *LASTING])
    parser.add_argument("--request", help="only requests that contain this")
    parser.add_argument("--eksctl", action="store_true", help="the requests of eksctl, in place of all of the way")
    parser.add_argument("--walk", action="store_true", help="all of a way's requests in runs that follow each other, in place of each alone")
    parser.add_argument("--sample", type=int, default=0, help="each fault on all requests at once, and on so many alone; 0: on each alone")
    args = parser.parse_args()
    figures = Figures(args)
    failures = Trials(args, figures, cases(args, figures)).all()
    over, ended, bad = (sum(map(figures.count, how)) for how in (OVER, TOLD, ["failed"]))
    say(f"{over} got over by the same run, {ended} told and right after running again, {bad} failed")
    say(f"{over + ended} of {over + ended + bad} faults come right")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
