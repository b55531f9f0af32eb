#!/usr/bin/env python3
"""Writes guides.json: what the official guides say beside the stack, as facts, from a clone of the official repository with its tags.

    python3 tests/conformance/guides.py CLONE > tests/conformance/guides.json

A fact is the document that a step of the guide applies, with the guide's variables left in it. A row holds from `since` until the
next row of the same document; `null`: the guide has no such document. Needs PyYAML."""
import json
import re
import shlex
import subprocess
import sys

import yaml

PAGES = "website/content/en/preview/getting-started"


def git(*words):
    return subprocess.run(["git", "-C", sys.argv[1], *words], capture_output=True, text=True, check=True).stdout


def order(tag):
    numbers, _, pre = tag[1:].partition("-")
    # `1.7.3-hash-fix-backport` is a pre-release to semver, as it is to karpctl.
    return [int(n) for n in numbers.split(".")] + [not pre, pre]


def release_tags():
    tags = [t for t in git("tag").split() if re.match(r"v\d+\.\d+\.\d+", t)]
    return sorted((t for t in tags if order(t)[:2] >= [0, 17]), key=order)


def heredocs(script):
    """The objects that a script hands to eksctl or kubectl."""
    text = re.sub(r"\$\{?([A-Z0-9_]+)\}?", r"${\1}", script)
    texts = re.findall(r"<<-?\s*EOF.*?\n(.*?)\nEOF", text, re.S)
    return [o for t in texts for o in yaml.load_all(t, yaml.BaseLoader) if o]


def helm_values(script, variables):
    """What `--set` says, nested as in a values file."""
    command = next((c for c in re.split(r"\n(?!\s)", script.replace("\\\n", " ")) if "helm upgrade" in c), None)
    if command is None:
        return None
    words, values = shlex.split(command, comments=True), {}
    for setting in (words[i + 1] for i, word in enumerate(words) if word == "--set"):
        path, _, value = setting.partition("=")
        keys = [k.replace("\0", ".") for k in path.replace("\\.", "\0").split(".")]
        at = values
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        at[keys[-1]] = variables.get(value.strip("${}"), value)
    return values


def crd_name(path):
    """`karpenter.sh_nodepools.yaml` is the file of `nodepools.karpenter.sh`."""
    group, _, kind = path.rsplit("/", 1)[1].removesuffix(".yaml").partition("_")
    return f"{kind}.{group}"


def guide(tag):
    """The documents of one guide, by name."""
    paths = git("ls-tree", "-r", "--name-only", tag, "--", PAGES).split()
    page = next(p for p in paths if re.search(r"(eksctl|with-karpenter)/_index.md$", p))
    paths = {p.rsplit("/", 1)[1]: p for p in paths if "migrating" not in p and "/scripts/" in p or p.endswith("-values.yaml")}

    def script(pattern):
        return next((git("show", f"{tag}:{p}") for name, p in sorted(paths.items()) if re.match(pattern, name)), "")

    def one(pattern):
        return next(iter(heredocs(script(pattern))), None)

    variables = {}
    for name in ("step05-controller-iam.sh", "step02-create-cluster.sh"):
        text = script(re.escape(name))
        variables |= dict(re.findall(r'export (KARPENTER_IAM_ROLE_ARN)="(.*)"', text))
    # The guides of v0.24.0 to v0.27.0 show the chart's command in the step that makes the cluster, and never the step of its own.
    chart = script(r"step02-create-cluster\.sh")
    chart = chart if "helm upgrade" in chart else script(r"step08-apply-helm-chart\.sh")
    values = {n: git("show", f"{tag}:{p}") for n, p in paths.items() if n.endswith("-values.yaml")}
    prometheus = yaml.load(values["prometheus-values.yaml"].replace("$KARPENTER_NAMESPACE", "${KARPENTER_NAMESPACE}"), yaml.BaseLoader)
    prometheus["extraScrapeConfigs"] = yaml.load(prometheus["extraScrapeConfigs"], yaml.BaseLoader)
    shown = [line.split()[0] for line in git("ls-tree", tag, "charts/karpenter/crds").splitlines()]
    # A link at most tags.
    folder = "charts/karpenter/crds" if shown == ["040000"] else "pkg/apis/crds"
    crds = [p for p in git("ls-tree", "-r", "--name-only", tag, "--", folder).split() if p.endswith(".yaml")]
    template = next(t for t in (script("step02-create-cluster.sh"), script("step03")) if "curl" in t)
    namespace = re.search(r"--namespace (\S+)", chart).group(1).strip('"')
    minimum = re.search(r"`eksctl` \(>= v([\d.]+)\)", git("show", f"{tag}:{page}"))
    site = next(f for f in ("website/hugo.yaml", "website/config.yaml") if git("ls-tree", tag, f))
    kubernetes = re.search(r'latest_k8s_version: "?([\d.]+)', git("show", f"{tag}:{site}"))
    return {
        "cluster-config": one(r"step02-create-cluster\.sh"),
        "cluster-config-fargate": one(r"step02-create-cluster-fargate\.sh"),
        "helm-values": helm_values(chart, variables),
        "helm-values-fargate": helm_values(script("step08-apply-helm-chart-fargate"), variables),
        "node-pool": heredocs(script(r"step1\d-add-(provisioner|nodepool)")),
        "inflate": one(r"step1\d-automatic-node-provisioning"),
        "flow-schemas": heredocs(script(r"step15-apply-flowschemas")) or None,
        "prometheus-values": prometheus,
        "grafana-values": yaml.load(values["grafana-values.yaml"], yaml.BaseLoader),
        "release": {
            "crds": sorted(crd_name(p) for p in crds),
            "conversion": subprocess.run(["git", "-C", sys.argv[1], "grep", "-q", "^  conversion:", tag, "--", "pkg/apis/crds"]).returncode == 0,
            "chartVersionPrefix": "" if re.search(r'/v"?\$\{?KARPENTER_VERSION', template) or "/main/" in template else "v",
            "namespace": "kube-system" if namespace == "${KARPENTER_NAMESPACE}" else namespace,
            "eksctlMinimum": minimum.group(1) if minimum else None,
            "latestKubernetes": kubernetes.group(1) if kubernetes else None,
        },
    }


def main():
    rows, tags = {}, release_tags()
    for tag in tags:
        for name, facts in guide(tag).items():
            of = rows.setdefault(name, [])
            if not of or of[-1]["facts"] != facts:
                of.append({"since": tag[1:], "facts": facts})
    print(f'{{\n  "tags": {json.dumps([tag[1:] for tag in tags])},')
    for n, (name, of) in enumerate(rows.items()):
        lines = ",\n".join("    " + json.dumps(row, sort_keys=True) for row in of)
        print(f"  {json.dumps(name)}: [\n{lines}\n  ]" + ("," if n < len(rows) - 1 else ""))
    print("}")


main()
