#!/usr/bin/env python3
"""A ratio beyond its bound is a warning and no failure, and what is kept of the figures are ratios."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

from bench import Measured, Ratio
from report import made


def main():
    said, warned = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(warned):
        measured = Measured()
        measured.say("a walk", "12345 ms", Ratio(1.5, "x a run", 2), Ratio(7.25, "x a ride", 3), more="and 12 steps")
        measured.say("a look", "1 ms", Ratio(2.5, "x a glance"))
    assert "1.50 x a run; 7.25 x a ride; and 12 steps" in said.getvalue(), said.getvalue()
    assert warned.getvalue().count("warning: ") == 1 and "a walk: 7.25 x a ride, more than 3" in warned.getvalue(), warned.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        measured.keep(file)
        figures = json.loads(file.read_text())
    assert "12345" not in json.dumps(figures), "no time is kept"
    quiet, busy = (made({**figures, "machine": {"cores": 2, "load_before": load}}) for load in (0.1, 9.0))
    for row in ("| a walk | 1.50 x a run | 2 |\n", "| a walk | 7.25 x a ride | 3 |\n", "| a look | 2.50 x a glance |  |\n"):
        assert row in quiet and row in busy, quiet
    assert "Nothing else was at work" in quiet and "a load of 9.0" in busy and "2 cores" in busy
    print("bench: a ratio beyond its bound is a warning; ratios are what is kept")


if __name__ == "__main__":
    main()
