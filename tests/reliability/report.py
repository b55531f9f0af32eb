#!/usr/bin/env python3
"""Writes docs/reliability.md from the figures of crash.py, faults.py and least.py.

    python3 tests/reliability/report.py                        from the figures that are kept, in tests/reliability/figures
    python3 tests/reliability/report.py --crash crash.json     from these, and for what is not given from those that are kept

A row of a whole sweep of which there are no figures stands there with 0 tried. A sweep goes on from the figures that are kept with `crash.py --go-on --figures tests/reliability/figures/crash.json`, and leaves them there. Of
what there are no figures, the document keeps what it says.
"""

import argparse
import json
import sys
from pathlib import Path

from crash import CHANGES, DEEDS, KILLS
from faults import OVER, OVER_ALONE, OVER_IN_TURN, SWEPT, TOLD, TOLD_ALONE, TOLD_IN_TURN
from kinds import LASTING, PASSING, REFUSED_AGAIN
from least import FIRST
from stage import ROOT
from trials import UNNAMED
from ways import WAYS

TARGET = ROOT / "docs" / "reliability.md"
KEPT = Path(__file__).resolve().parent / "figures"
HEAD = """# Reliability

Made by `python3 tests/reliability/report.py` from the figures of the harness; not edited by hand. Everything ran in the lab: real
helm, kubectl, eksctl and API server, an emulator in AWS's place, and a stand-in for Karpenter's controller
(`tests/lab/NOTES.md` says what each does otherwise than the real thing). The figures below say how many points were tried when it was last
written; `make test` runs a small sample; `make test-all` runs every fault, every point after a change and, of an existing cluster, every point, which takes
many hours. A program is the last commit that changed what it is built of; figures of several add up what each was tried with.
"""
CRASH = """
## Killed at every point

A point is an AWS request, a Kubernetes request or a program started, of karpctl or of what it runs. karpctl is killed by SIGKILL
when the request has had its effect and before anybody is told; `tree` kills helm and eksctl with it, `alone` leaves them running. Then
the same command runs undisturbed. A point converges where that run ends well, a further one finds nothing to do, and the inventory
of AWS, Kubernetes and files is that of an undisturbed way, with no lock left. The points are tried in an order that lies evenly over
the way, so that those of a sweep that was ended early do too.

A request that only reads leaves the world as it was, so that the points right after a change lead to every world that a kill can leave: they are counted
by themselves (*changes*). The whole (*deeds*) adds the moments between, in which only time went by.

| way | kill | points right after | there are | tried | converge | programs |
|---|---|---|---|---|---|---|
"""
FAULTS = """
## Faults at every distinct request

*Got over*: the same run ended well. *Told*: it ended with an error that names what could not be done and what helps (for AccessDenied
the action, the resource and the statement that is missing). *Alone*: one request met the fault (or, in a sample, all at once), and the next run was undisturbed.
*In turn*: all requests of a way met the fault in runs that followed each other until one ended well; each run that did not was ended by a request that its error
names, which met no fault any more. What a way then ended with was that of an undisturbed one, and a further run found nothing to do.
*Not met*: no run made such a request.

| way | fault | distinct requests | alone | in turn | got over | told | not met | failed | programs |
|---|---|---|---|---|---|---|---|---|---|
"""
LEAST = """
## The printed policy, and without each of its actions

`karpctl render operator-policy --for WORK` as the only policy of an IAM user; the gate asks IAM about every call, about what the call needs
besides (tags, roles that are passed), and about all that CloudFormation's handlers may call with its caller's permissions, with the condition keys
that AWS would have: whose call it is, the tags, the policy that is attached, the boundary, the service that a role is passed to. The
scenes are a creation on an existing cluster, a new cluster by eksctl, also with IPv6, private, on Fargate and with a key for its secrets, one whose stack could not be made whole, one that EKS could not make,
one that is undone, a node group that is undone, an upgrade, a changed spec, a creation that is undone, a look before there is a cluster and at one, a removal by Pod Identity and by IRSA, and an organisation that demands a tag on all that is created and a
boundary of every role (by both identities, and of a new cluster with a node group and on Fargate); the last column but one counts those that ended with all of it as they do for root. An action is needed where the work fails
without it, in the scene that calls for it, and names it (a doctor: says what it could not look at); it is missed by a warning where
the work ends well and names it as what it could not look at. *Refused* counts runs without the tag or the boundary that is demanded: each was
refused, with the flag that gives it.

| work | actions | tried | needed | missed by a warning | failed | scenes that end well with the whole policy | refused | programs |
|---|---|---|---|---|---|---|---|---|
"""
SAMPLES = """
```sh
python3 tests/reliability/{name}.py {every}
python3 tests/reliability/{name}.py {sample}
```
"""


# What a whole sweep has a row for. Only where something is made of EKS can the answer of that be lost.
ROWS = {
    "crash": [(way, kill, of) for of in (DEEDS, CHANGES) for way in WAYS for kill in KILLS],
    "faults": [(way, kind) for way in SWEPT for kind in (*PASSING, *LASTING) if kind != REFUSED_AGAIN or way == "bootstrap"],
    "least": [(work,) for work in FIRST],
}
UNCOUNTED = "not counted"


def whole(name, rows):
    """The rows of a whole sweep, in its order, with 0 tried where there are no figures; any others at the end."""
    found = {tuple(r["row"]): r for r in rows}
    assert len(found) == len(rows), f"{name}: a row has figures twice"
    missing = {"whole": UNCOUNTED, "ended": {}, "programs": ["none"]}
    return [found.pop(key, {"row": list(key), **missing}) for key in ROWS[name]] + list(found.values())


def count(rows):
    """How much a whole sweep of these has, as far as that is known."""
    known = [r["whole"] for r in rows if r["whole"] != UNCOUNTED]
    left = len(rows) - len(known)
    return f"{sum(known)}" + (f", and those of {left} rows that were never counted" if left else "")


def many(row, *ways_to_end):
    return sum(len(row["ended"].get(how, [])) for how in ways_to_end)


def table(rows, cells):
    def row(r):
        programs = ", ".join(r.get("programs", [UNNAMED]))
        return "| " + " | ".join(str(c) for c in [*r["row"], r["whole"], *cells(r), programs]) + " |\n"
    return "".join(map(row, rows))


def failures(rows):
    lines = [f"- {' '.join(r['row'])}: `{name}` failed\n" for r in rows for name in r["ended"].get("failed", [])]
    return "\n" + "".join(lines) if lines else ""


def crash(rows):
    def cells(r):
        return many(r, "converge", "failed"), many(r, "converge")

    def sums(of):
        some = [r for r in rows if r["row"][2] == of]
        good, tried = (sum(cells(r)[k] for r in some) for k in (1, 0))
        return f"- {of}: {good} of {tried} points converge; a whole sweep has {count(some)}.\n"
    kinds = dict.fromkeys(r["row"][2] for r in rows)
    return CRASH + table(rows, cells) + "\n" + "".join(map(sums, kinds)) + failures(rows)


def faults(rows):
    def cells(r):
        return (many(r, OVER_ALONE, TOLD_ALONE), many(r, OVER_IN_TURN, TOLD_IN_TURN), many(r, *OVER), many(r, *TOLD),
                many(r, "unmet"), many(r, "failed"))
    good = sum(many(r, *OVER, *TOLD) for r in rows)
    tried = good + sum(many(r, "failed") for r in rows)
    sums = f"\n{good} of {tried} faults come right; a whole sweep has {count(rows)}.\n"
    return FAULTS + table(rows, cells) + sums + failures(rows)


def least(rows):
    def cells(r):
        failed = [n for n in r["ended"].get("failed", []) if n.startswith("without")]
        return many(r, "needed", "said") + len(failed), many(r, "needed"), many(r, "said"), len(failed), many(r, "suffices"), many(r, "refused")
    return LEAST + table(rows, cells) + failures(rows)


def said_before(head):
    """The chapter that begins as `head` does, as the document has it now."""
    title = head.split("\n")[1]
    return next((f"\n## {part}" for part in TARGET.read_text().split("\n## ")[1:] if f"## {part}".startswith(title)), "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("crash", "faults", "least"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help=f"figures of {name}.py")
    parser.add_argument("--check", action="store_true", help="writes nothing; fails where the document does not say what the figures do")
    args = parser.parse_args()
    text = HEAD
    for name, head, made, every, some, which in (
            ("crash", CRASH, crash, "--new --jobs 3", "--changes --new --jobs 3", "those right after a change"),
            ("faults", FAULTS, faults, "--jobs 3", "--walk --jobs 3", "all of a way in runs that follow each other"),
            ("least", LEAST, least, "--jobs 3", "--sample 3", "a sample")):
        kept = KEPT / f"{name}.json"
        rows = [r for f in getattr(args, name) or ([kept] if kept.exists() else []) for r in json.loads(f.read_text())]
        if not rows:
            text += said_before(head)
        else:
            width = max(len(every), len(some)) + 4
            text += made(whole(name, rows)) + SAMPLES.format(name=name, every=every.ljust(width) + "# every one, in three labs at once",
                                                sample=some.ljust(width) + f"# {which}")
    if not args.check:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.relative_to(ROOT)} does not say what the figures do: python3 tests/reliability/report.py")


if __name__ == "__main__":
    main()
