#!/usr/bin/env python3
"""What is known to be wrong with the dependencies, by RustSec's database, which cargo-deny fetches.

    python3 tests/packaging/advisories.py DENY               ends with 1 also where the database cannot be had
    python3 tests/packaging/advisories.py DENY --go-on       then says so, and leaves it to the end of `make test-all`
"""

import pathlib
import subprocess
import sys

from left_out import untested

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    deny, go_on = sys.argv[1], "--go-on" in sys.argv[2:]
    fetched = subprocess.run([deny, "--locked", "fetch", "db"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if fetched.returncode:
        why = (fetched.stderr.strip().splitlines() or ["it did not say why"])[-1]
        words = ("advisories: the dependencies were held against no known vulnerability, because the database of RustSec could not be fetched "
                 f"({why}); once it can be reached: make advisories")
        if not go_on:
            sys.exit(words)
        untested(words)
        return
    sys.exit(subprocess.run([deny, "--locked", "check", "--disable-fetch", "advisories"], cwd=ROOT, stdin=subprocess.DEVNULL).returncode)


if __name__ == "__main__":
    main()
