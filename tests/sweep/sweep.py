#!/usr/bin/env python3
"""Proves what karpctl renders with the real parts of the lab: the API server with Karpenter's CRDs, eksctl, helm with Karpenter's
charts, cfn-lint, and the emulator of AWS.

    sweep.py                     a sample: the first and last release of each group that differs in anything
    sweep.py --all               every release, in every partition
    sweep.py --all --repository CLONE     every release with its own CRDs and chart, from a clone of the official repository
    sweep.py --only crds,configs     some parts: readers, lint, charts, crds, configs, stacks

Prints figures; exit 1 where something that was rendered is not taken.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("KARPCTL_LAB_CACHE") or Path.home() / ".cache" / "karpctl-lab")
PYTHON = CACHE / "venv" / "bin" / "python"
PARTS = ("readers", "lint", "crds", "configs", "charts", "stacks")
if not PYTHON.exists():
    sys.exit("sweep: the lab's parts are not installed: `make lab` installs them")
if Path(sys.prefix).resolve() != (CACHE / "venv").resolve():
    os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])  # boto3, yaml and cfn-lint live there

sys.path.append(str(HERE.parent / "lab"))
import charts  # noqa: E402
import configs  # noqa: E402
import crds  # noqa: E402
import lint  # noqa: E402
import official  # noqa: E402
import readers  # noqa: E402
import deploy  # noqa: E402
import groups  # noqa: E402
from documents import Karpctl  # noqa: E402
from report import Report  # noqa: E402
from test_lab import LabProcess  # noqa: E402

REGIONS = {"aws": "us-west-2", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every release, in every partition")
    parser.add_argument("--repository", type=Path, help="a clone of the official repository with its tags")
    parser.add_argument("--only", default=",".join(PARTS), help="some parts, with commas between them")
    parser.add_argument("--karpctl", type=Path, default=HERE.parents[1] / "target" / "debug" / "karpctl")
    given = parser.parse_args()
    given.only = given.only.split(",")
    unknown = set(given.only) - set(PARTS)
    if unknown:
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    return given


def sample(releases):
    """The first and the last release of each group of templates, of CRDs and of charts that a package has."""
    recorded = official.Recorded()
    keys = [lambda r: recorded.charts[r] if recorded.charts[r] in kept else None,
            *(lambda r, k=k: recorded.crds.get((*k, r)) for k in (("NodePool", "v1"), ("EC2NodeClass", "v1"), ("NodePool", "v1beta1"),
                                                                ("Provisioner", "v1alpha5")))]
    kept = official.Packages(CACHE).charts
    found = {g[end] for g in groups.read() for end in ("first", "last")}
    for key in keys:
        last = {}
        for release in releases:
            last[key(release)] = release
        found.update(last.values())
    return [r for r in releases if r in found]


def main():
    given = arguments()
    report, started = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="karpctl-sweep-") as work:
        work = Path(work)
        karpctl = Karpctl(given.karpctl, "123456789012", REGIONS["aws"], work / "rendered")
        known = karpctl.versions()
        releases = list(known) if given.all or given.repository else sample(list(known))
        source = official.Repository(given.repository, work) if given.repository else official.Packages(CACHE)
        rendered = karpctl.render_all(releases)
        report.say(f"{len(releases)} of {len(known)} releases rendered in {time.monotonic() - started:.0f} s")

        def part(name, what, *args):
            if name in given.only:
                begun = time.monotonic()
                what(*args, report)
                report.say(f"{name}: {time.monotonic() - begun:.0f} s")

        part("readers", readers.prove, karpctl, releases)
        part("lint", lint.prove, CACHE, karpctl, REGIONS)
        part("charts", charts.prove, CACHE, source, rendered, karpctl)
        regions = list(REGIONS.values()) if given.all and "stacks" in given.only else [REGIONS["aws"]]
        if {"crds", "configs", "stacks"} & set(given.only):
            for region in regions:
                lab = LabProcess("--region", region)
                try:
                    if region == REGIONS["aws"]:
                        part("crds", crds.prove, crds.ApiServer(lab.ready["kubeconfig"]), source, rendered, known, karpctl)
                        part("configs", configs.prove, lab, karpctl, rendered)
                    part("stacks", deploy.prove, lab, karpctl, region)
                finally:
                    lab.stop()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
