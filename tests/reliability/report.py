#!/usr/bin/env python3
"""Writes docs/reliability.md from the figures of crash.py and faults.py.

    python3 tests/reliability/report.py --crash crash.json --faults faults.json
"""

import argparse
import json
from pathlib import Path

from stage import ROOT

TARGET = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

Made by `python3 tests/reliability/report.py` from the figures of the harness; not edited by hand. Everything ran in the lab: real
helm, kubectl, eksctl and API server, an emulator in AWS's place, and a stand-in for Karpenter's controller
(`tests/lab/NOTES.md` says what each does otherwise than the real thing). The figures below say how many points were tried when it was last
written; `make test` runs a small sample, `make test-all` every point and every fault, which takes hours.
"""
CRASH = """
## Killed at every point

A point is an AWS request, a Kubernetes request or a program started, of karpctl or of what it runs. karpctl is killed by SIGKILL
when the request has had its effect and before anybody is told; `tree` kills helm and eksctl with it, `alone` leaves them running. Then
the same command runs undisturbed. A point converges where that run ends well, a further one finds nothing to do, and the inventory
of AWS, Kubernetes and files is that of an undisturbed way, with no lock left.

| way | kill | points | tried | converge |
|---|---|---|---|---|
"""
FAULTS = """
## Faults at every distinct request

One fault on one request (or, in a sample, on all at once). *Got over*: the same run ended well. *Told*: it ended with an error that
names what could not be done and what helps (for AccessDenied the action, the resource and the statement that is missing). In both
cases the next run ended well and the inventory was that of an undisturbed way.

| way | fault | distinct requests | got over | told | not met | failed |
|---|---|---|---|---|---|---|
"""


LEAST = """
## The printed policy, and without each of its actions

`karpctl render operator-policy --for WORK` as the only policy of an IAM user; the gate asks IAM about every call, and about what
CloudFormation does with its caller's permissions. With all of it each work ended well. An action is needed where the work fails without it
and names it.

| work | actions | tried | needed |
|---|---|---|---|
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crash", type=Path, action="append", default=[])
    parser.add_argument("--least", type=Path, action="append", default=[])
    parser.add_argument("--faults", type=Path, action="append", default=[])
    args = parser.parse_args()
    text = HEAD
    rows = [r for f in args.crash for r in json.loads(f.read_text())]
    if rows:
        text += CRASH + "".join(f"| {r['way']} | {r['kill']} | {r['points']} | {r['tried']} | {r['converge']} |\n" for r in rows)
        text += f"\n{sum(r['converge'] for r in rows)} of {sum(r['tried'] for r in rows)} points converge.\n"
        text += "\n```sh\npython3 tests/reliability/crash.py                  # every point\npython3 tests/reliability/crash.py --sample 8       # a sample\n```\n"
    rows = [r for f in args.faults for r in json.loads(f.read_text())]
    if rows:
        text += FAULTS + "".join(f"| {r['way']} | {r['fault']} | {r['requests']} | {r['over']} | {r['told']} | {r['unmet']} | {r['failed']} |\n"
                                 for r in rows)
        good = sum(r["over"] + r["told"] for r in rows)
        text += f"\n{good} of {good + sum(r['failed'] for r in rows)} faults are got over.\n"
        text += "\n```sh\npython3 tests/reliability/faults.py                 # every request with every fault\npython3 tests/reliability/faults.py --sample 2      # a sample\n```\n"
    rows = [r for f in args.least for r in json.loads(f.read_text())]
    if rows:
        text += LEAST + "".join(f"| {r['work']} | {r['actions']} | {r['tried']} | {r['needed']} |\n" for r in rows)
        text += "\n```sh\npython3 tests/reliability/least.py                  # every action\npython3 tests/reliability/least.py --sample 3       # a sample\n```\n"
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
