#!/usr/bin/env python3
"""What could not be tested is never silent: the end of `make test-all` is an error then, and so is a database that cannot be had."""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# cargo-deny, as far as it is asked: a database that is there or not, and what is found by it.
DENY = """#!/bin/sh
case "$*" in
  "--locked fetch db") [ "$DATABASE" = there ] || { echo "error: failed to fetch advisory database" >&2; exit 1; } ;;
  "--locked check --disable-fetch advisories") [ "$FOUND" != something ] ;;
  *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""


def ended(script, *words, **env):
    """(code, what was said)"""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "KARPCTL_LEFT_OUT")}
    ran = subprocess.run([sys.executable, HERE / script, *words], env={**kept, **env}, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def the_end_of_all(folder):
    left = folder / "left-out"
    assert ended("left_out.py", left) == (0, ""), "nothing was left out"
    words = "import left_out; left_out.untested('there is no moon')"
    quiet = {name: value for name, value in os.environ.items() if name != "CI"}
    said = subprocess.run([sys.executable, "-c", words], cwd=HERE, env={**quiet, "KARPCTL_LEFT_OUT": str(left)}, capture_output=True, text=True)
    assert said.returncode == 0 and "SKIPPED, NOTHING TESTED: there is no moon" in said.stderr, said
    code, told = ended("left_out.py", left)
    assert code == 1 and "NOT EVERYTHING WAS TESTED" in told and "- there is no moon" in told, told
    said = subprocess.run([sys.executable, "-c", words], cwd=HERE, env={**quiet, "CI": "1"}, capture_output=True, text=True)
    assert said.returncode == 1, "in CI it is an error at once"


def advisories(folder):
    deny, left = folder / "deny", folder / "of-advisories"
    deny.write_text(DENY)
    deny.chmod(0o755)
    assert ended("advisories.py", deny, DATABASE="there") == (0, "")
    assert ended("advisories.py", deny, "--go-on", DATABASE="there", FOUND="something")[0] == 1, "what is found is an error"
    code, told = ended("advisories.py", deny)
    assert code == 1 and "could not be fetched (error: failed to fetch advisory database)" in told and "make advisories" in told, told
    code, told = ended("advisories.py", deny, "--go-on", KARPCTL_LEFT_OUT=str(left))
    assert code == 0 and "SKIPPED, NOTHING TESTED: advisories: " in told, told
    assert "could not be fetched" in ended("left_out.py", left)[1]


def static_program(folder):
    """What `make dist` says of an image where there is no static program."""
    left = folder / "of-dist"
    words = "import pathlib, test_dist as t; t.is_static = lambda program: False; t.image(pathlib.Path())"
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run([sys.executable, "-c", words], cwd=HERE, env={**env, "KARPCTL_LEFT_OUT": str(left)}, capture_output=True, check=True)
    code, told = ended("left_out.py", left)
    assert code == 1 and "make dist STATIC=1" in told, told


def main():
    with tempfile.TemporaryDirectory() as folder:
        for part in (the_end_of_all, advisories, static_program):
            part(pathlib.Path(folder))
    print("left out: what cannot be tested is said, kept, and an error at the end; so is a database that cannot be had")


if __name__ == "__main__":
    main()
