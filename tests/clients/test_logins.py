#!/usr/bin/env python3
"""What `karpctl doctor` says of registry log-ins against what real helms do with them: no false alarm, no miss.

Each case is a registry configuration of helm's, one of docker's, or both, with credential helpers on PATH. A real helm pulls a chart
from a loopback registry that treats logins as public.ecr.aws does; karpctl judges the same files.

    python3 tests/clients/test_logins.py          every case with one helm, in turn
    python3 tests/clients/test_logins.py --all    every case with every helm
    python3 tests/clients/test_logins.py NAME     only the cases whose name holds NAME, with every helm
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import login_registry
from login_registry import GOOD, STALE
from test_clients import CACHE, HELMS, KARPCTL, LIMIT

# What a helper prints, and how it ends.
HELPERS = {
    "notfound": 'echo "credentials not found in native keychain"; exit 1',
    "nourl": 'echo "no credentials server URL"; exit 1',
    "locked": 'echo "keychain is locked"; exit 1',
    "silent": "exit 1",
    "nothing": "echo boom >&2",
    "garbage": "echo hello",
    "list": "echo '[]'",
    "empty": """echo '{"ServerURL":"x","Username":"","Secret":""}'""",
    "stale": f"""echo '{{"ServerURL":"x","Username":"AWS","Secret":"{login_registry.password(STALE)}"}}'""",
    "good": f"""echo '{{"ServerURL":"x","Username":"AWS","Secret":"{login_registry.password(GOOD)}"}}'""",
}


def cases(host):
    """Name, helm's file, docker's file; what is not a text is written as JSON."""
    auths = lambda auth, at=host: {"auths": {at: {"auth": auth}}}
    helper = lambda name: {"credHelpers": {host: name}}
    yield "nothing", None, None
    for name, login in (("stale", STALE), ("good", GOOD)):
        yield f"helm {name}", auths(login), None
        yield f"docker {name}", None, auths(login)
        yield f"docker {name} by url", None, auths(login, f"https://{host}/v2/")
        yield f"docker {name} by path", None, auths(login, f"{host}/karpenter/karpenter")
    yield "docker stale, helm good", auths(GOOD), auths(STALE)
    yield "docker good, helm stale", auths(STALE), auths(GOOD)
    yield "docker stale at another host", None, auths(STALE, "example.invalid")
    yield "docker stale by name and password", None, {"auths": {host: {"username": "AWS", "password": login_registry.password(STALE)}}}
    yield "docker empty entry", None, {"auths": {host: {}}}
    yield "helm empty entry, docker stale", {"auths": {host: {}}}, auths(STALE)
    yield "docker auth that is no base64", None, auths("!!!")
    yield "docker auth without a colon", None, auths("QVdT")
    yield "docker no JSON", None, "{"
    yield "docker a list", None, "[]"
    yield "docker empty file", None, ""
    yield "helm no JSON", "{", None
    yield "docker store missing", None, {"credsStore": "nowhere"}
    yield "docker store missing, empty entry", None, {"auths": {host: {}}, "credsStore": "nowhere"}
    yield "docker store missing, good entry", None, {**auths(GOOD), "credsStore": "nowhere"}
    yield "docker store missing, helm good", auths(GOOD), {"credsStore": "nowhere"}
    yield "docker helper missing", None, helper("nowhere")
    yield "docker helper of another host missing", None, {"credHelpers": {"example.invalid": "nowhere"}}
    yield "docker helper finds nothing, store missing", None, {**helper("notfound"), "credsStore": "nowhere"}
    yield "helm helper missing", helper("nowhere"), None
    yield "helm store missing", {"credsStore": "nowhere"}, None
    yield "helm store missing, docker good", {"credsStore": "nowhere"}, auths(GOOD)
    yield "helm store locked", {"credsStore": "locked"}, None
    yield "helm store finds nothing, docker stale", {"credsStore": "notfound"}, auths(STALE)
    for name in HELPERS:
        yield f"docker store {name}", None, {"credsStore": name}
        yield f"docker helper {name}", None, helper(name)


def prepare(folder, helms, dockers):
    """The files and helpers in a home of their own, and its environment."""
    (folder / "bin").mkdir()
    for name, body in HELPERS.items():
        file = folder / "bin" / f"docker-credential-{name}"
        file.write_text(f"#!/bin/sh\ncat >/dev/null\n{body}\n")
        file.chmod(0o755)
    for place, content in ((".config/helm/registry/config.json", helms), (".docker/config.json", dockers)):
        if content is not None:
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content))
    return {"PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder)}


def compare(case):
    helm, host, (name, helms, dockers) = case
    with tempfile.TemporaryDirectory(prefix="karpctl-logins-") as where:
        folder = pathlib.Path(where)
        env = prepare(folder, helms, dockers)
        words = ["pull", f"oci://{host}/karpenter/karpenter", "--version", "1.14.1", "--destination", where]
        # An older helm speaks plain http to this machine by itself.
        words += ["--plain-http"] if tuple(map(int, helm.split("-")[1].split("."))) >= (3, 18) else []
        pull = subprocess.run([CACHE / helm, *words], env=env, capture_output=True, text=True, timeout=LIMIT)
        words = ["doctor", "--offline", "--only", "registry-login", "-o", "json", "--helm", CACHE / helm]
        words += ["--chart-repository", f"oci://{host}/karpenter"]
        doctor = subprocess.run([KARPCTL, *words], env=env, capture_output=True, text=True, timeout=LIMIT)
    for login in (STALE, GOOD):
        if login in doctor.stdout + doctor.stderr or login_registry.password(login) in doctor.stdout + doctor.stderr:
            return f"{helm}: {name}: a password in the output"
    try:
        (found,) = json.loads(doctor.stdout)["checks"]
    except ValueError:
        return f"{helm}: {name}: no report: {doctor.stderr[-300:]}"
    pulls, nothing_wrong = pull.returncode == 0, found["result"] == "pass"
    if pulls != nothing_wrong:
        said = pull.stderr.strip().splitlines()[-1][-200:] if pull.stderr.strip() else "(nothing)"
        return f"{'FALSE ALARM' if pulls else 'MISS'}  {helm}: {name}: doctor: {found['message']}; helm: {'pulls' if pulls else said}"
    return None


def main(words):
    if not KARPCTL.exists() or not all((CACHE / helm).exists() for helm in HELMS):
        sys.exit("karpctl or the helms are not there; `make lab build` makes them")
    host = login_registry.serve()
    names = [word for word in words if word != "--all"]
    todo = []
    for number, case in enumerate(cases(host)):
        if not names or any(name in case[0] for name in names):
            todo += [(helm, host, case) for helm in (HELMS if words else [HELMS[number % len(HELMS)]])]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 1) as pool:
        wrong = [line for line in pool.map(compare, todo) if line]
    print("\n".join(wrong))
    print(f"{len(todo) - len(wrong)} of {len(todo)} agree with the real helms; {len(wrong)} wrong")
    sys.exit(1 if wrong or not todo else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
