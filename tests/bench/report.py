#!/usr/bin/env python3
"""Writes docs/benchmarks.md from the figures of bench.py that are kept in tests/bench/figures.json.

    python3 tests/bench/report.py
    python3 tests/bench/report.py --check     writes nothing; fails where the document does not say what the figures do
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "benchmarks.md"
FIGURES = Path(__file__).with_name("figures.json")
HEAD = """# What it costs

Made by `python3 tests/bench/report.py` from the figures of `tests/bench/bench.py`; not edited by hand. What is measured is the release build, in the
lab: real helm, kubectl, aws and eksctl, and stand-ins for AWS and EKS that answer a call as late as AWS usually does. Only ratios are kept: what a
machine takes says little of another one, what it takes of a tool that everybody knows says more. No test fails by time; `make bench` warns where a
ratio is beyond the last column.

Measured at the program of {program}, on a machine of {cores} cores. {busy}

| what | ratio | worth a look beyond |
|---|---|---|
"""
TAIL = """
*Cold*: with karpctl and the tools that it runs out of the page cache, as after the machine has started.

```sh
make bench
```
"""


def busy(machine):
    """What a reader must know to believe the figures."""
    load, cores = machine["load_before"], machine["cores"]
    if load < cores / 4:
        return "Nothing else was at work on it."
    return (f"It had other work (a load of {load:.1f} before the first figure): a ratio of two that are measured one after the other bears that, and "
            "is less exact for it.")


def made(figures):
    machine = figures["machine"]
    text = HEAD.format(program=figures["program"], cores=machine["cores"], busy=busy(machine))
    for row in figures["rows"]:
        for ratio in row["ratios"]:
            most = "" if ratio["most"] is None else f"{ratio['most']}"
            text += f"| {row['what']} | {ratio['ratio']:.2f} {ratio['of']} | {most} |\n"
    return text + TAIL


def main():
    if not FIGURES.exists() and not TARGET.exists():
        print("benchmarks: no figures are kept yet: make bench ARGS='--figures tests/bench/figures.json', on a machine with nothing else to do")
        return
    text = made(json.loads(FIGURES.read_text()))
    if "--check" not in sys.argv:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.relative_to(ROOT)} does not say what the figures do: python3 tests/bench/report.py")


if __name__ == "__main__":
    main()
