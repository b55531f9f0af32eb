#!/usr/bin/env python3
"""What cannot be tested on a machine: said loudly, an error in CI, and an error at the end of `make test-all`, which goes on until then.

    python3 tests/packaging/left_out.py target/left-out     ends with 1 where the file says that something was not tested
"""

import os
import pathlib
import sys


def untested(words):
    """Something is not tested. `KARPCTL_LEFT_OUT` names the file that keeps that for the end."""
    assert "CI" not in os.environ, words
    print(f"\nSKIPPED, NOTHING TESTED: {words}\n", file=sys.stderr)
    if file := os.environ.get("KARPCTL_LEFT_OUT"):
        with open(file, "a") as left:
            left.write(f"{words}\n")


def main():
    file = pathlib.Path(sys.argv[1])
    left = file.read_text().splitlines() if file.exists() else []
    if left:
        sys.exit("\nNOT EVERYTHING WAS TESTED; all else is as it should be:\n" + "\n".join(f"- {words}" for words in left))


if __name__ == "__main__":
    main()
