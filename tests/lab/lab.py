#!/usr/bin/env python3
"""The lab: a whole EKS and Karpenter on loopback, without AWS. NOTES.md says how it works.

    lab.py serve --dir RUN [options]              start; JSON lines on stdout; ends with stdin, SIGTERM or SIGINT
    lab.py exec  --dir RUN [options] -- CMD…      start, run CMD with the lab's environment, stop

The parts come from setup.py. Everything a run writes is under RUN.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("KARPCTL_LAB_CACHE") or Path.home() / ".cache" / "karpctl-lab")


def into_venv():
    """Goes on under the venv's Python, which has PyYAML (aws-auth is YAML inside a ConfigMap)."""
    python = CACHE / "venv" / "bin" / "python"
    if Path(sys.prefix) == CACHE / "venv" or Path(sys.prefix).resolve() == (CACHE / "venv").resolve():
        return
    if not python.exists():
        sys.exit(f"lab: {python} is missing; install the lab's parts with: python3 tests/lab/setup.py")
    os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])


def arguments(argv):
    """The parsed command line."""
    import argparse

    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__.split("\n")[0])
    sub = parser.add_subparsers(dest="command", required=True)
    for name in ("serve", "exec"):
        p = sub.add_parser(name)
        p.add_argument("--dir", required=True, help="directory of this run; made if missing")
        p.add_argument("--region", default="us-west-2")
        p.add_argument("--join-seconds", type=float, default=5, help="from a started instance to its Node")
        p.add_argument("--strict", action="store_true", help="ask IAM about every call of a key that is not test")
        p.add_argument("--pace", type=int, default=0, help="polls that see *_IN_PROGRESS, CREATING, DELETING")
        p.add_argument("--latency-ms", type=int, default=0, help="added to every AWS call")
        if name == "exec":
            p.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD…")
    args = parser.parse_args(argv)
    if args.command == "exec":
        args.argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
        if not args.argv:
            parser.error("exec: no command given after --")
    return args


def main():
    args = arguments(sys.argv[1:])
    into_venv()
    sys.path.insert(0, str(HERE))
    import serve

    return serve.run(args, CACHE)


if __name__ == "__main__":
    sys.exit(main())
