#!/usr/bin/env python3
"""In a lab: image_in_lab.py CONTAINER bootstraps, looks and destroys with the karpctl, helm and eksctl of a container of buildah's."""

import json
import os
import subprocess
import sys
import time
import urllib.request

CONTAINER = sys.argv[1]
GATE = os.environ["AWS_ENDPOINT_URL"]
# The lab's AWS and its certificates; where the programs and their files are, the image says itself.
GIVEN = [name for name in os.environ if name.startswith("AWS_") or name in ("HTTPS_PROXY", "NO_PROXY")]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def lab(path, body=None):
    request = urllib.request.Request(f"{GATE}/_lab/{path}", data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def karpctl(*words, code=0):
    given = [f"--env={name}={os.environ[name]}" for name in GIVEN if name != "AWS_CA_BUNDLE"]
    argv = ["buildah", "run", "--network", "host", f"--volume={os.environ['SSL_CERT_FILE']}:{CERTIFICATES}:ro", *given, CONTAINER, "--"]
    ended = subprocess.run([*argv, "/usr/local/bin/karpctl", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == code, f"{words} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def main():
    demo = ["--cluster-name", "demo", "--region", os.environ["AWS_REGION"]]
    # eksctl is run by a plan of a new cluster, helm by what follows.
    plan = json.loads(karpctl("bootstrap", *demo, "--dry-run", "-o", "json"))
    assert "refused" not in plan, plan["refused"]
    for check in ("helm-version", "eksctl-version"):
        report = json.loads(karpctl("doctor", *demo, "--only", check, "-o", "json"))
        assert [c["result"] for c in report["checks"]] == ["pass"], report
    lab("clusters", {"name": "demo", "version": "1.34", "authenticationMode": "API"})
    end = time.monotonic() + 120
    while len(lab("inventory")["kubernetes"]["nodes"]) < 2:
        assert time.monotonic() < end, "the nodes of the cluster do not join"
        time.sleep(0.5)
    existing = [*demo, "--existing-cluster"]
    karpctl("bootstrap", *existing, "--yes")
    karpctl("status", *existing, "--exit-code")
    karpctl("destroy", *existing, "--yes")
    print("image: doctor, bootstrap, status and destroy ran in it, with its own helm and eksctl")


main()
