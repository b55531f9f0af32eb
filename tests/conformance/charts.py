"""Reads the charts of every official release and writes what karpctl knows of them.

    python3 tests/conformance/charts.py PATH-OF-A-CLONE-OF-aws/karpenter-provider-aws

writes src/knowledge/crds.yaml (the fingerprint of each CRD and its versions, release by release; `*` marks the stored one) and
src/knowledge/chart_values.yaml (the values that the chart `karpenter` reads). Needs PyYAML. A fingerprint is what src/probe/inside/schema.rs makes of the CRD that an API
server answers: SHA-256 of its versions and schemas as JSON with sorted keys, without descriptions.
"""

import collections
import functools
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import yaml

KNOWLEDGE = pathlib.Path(__file__).resolve().parents[2] / "src/knowledge"
TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-(.+))?$")
PRERELEASES = re.compile(r"rc\.\d+$|hash-fix-backport$")
OLDEST = (0, 17)
# what a template writes out as it is, with everything below
WHOLE = {"affinity", "controller.resources", "nodeSelector", "podSecurityContext", "strategy", "webhook.resources"}


def git(repository, *words):
    return subprocess.run(["git", "-C", repository, *words], capture_output=True, text=True, check=True).stdout


def place(tag):
    """Where a tag stands among the others: a release after its candidates."""
    major, minor, patch, pre = TAG.match(tag).groups()
    return int(major), int(minor), int(patch), pre is None, pre or ""


def releases(repository):
    tags = [t for t in git(repository, "tag").split() if TAG.match(t)]
    tags = [t for t in tags if not TAG.match(t)[4] or PRERELEASES.match(TAG.match(t)[4])]
    return sorted((t for t in tags if place(t)[:2] >= OLDEST), key=place)


def bare(schema):
    """A schema without descriptions."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "definitions"):
            kept[key] = {name: bare(one) for name, one in value.items()}
        elif key in ("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"):
            kept[key] = bare(value)
        elif key != "description":
            kept[key] = value
    return kept


@functools.cache
def crd(repository, blob):
    """The name of a CRD, its fingerprint, and the versions that it serves, the stored one with a `*`."""
    found = yaml.load(git(repository, "cat-file", "blob", blob), Loader=yaml.CSafeLoader)
    versions = [{"name": v["name"], "served": v["served"], "storage": v["storage"],
                 "schema": bare(v["schema"]["openAPIV3Schema"])} for v in found["spec"]["versions"]]
    text = json.dumps(versions, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    served = [v["name"] + "*" * v["storage"] for v in versions if v["served"] or v["storage"]]
    return found["metadata"]["name"], (hashlib.sha256(text.encode()).hexdigest()[:12], " ".join(served))


def crds(repository, tags):
    """CRD -> [(first tag, (fingerprint, versions))]."""
    rows = collections.defaultdict(list)
    for tag in tags:
        # until 0.19 they lay in the chart itself
        for line in git(repository, "ls-tree", tag, "pkg/apis/crds/", "charts/karpenter/crds/").splitlines():
            mode, _, blob, *_ = line.split()
            if mode == "120000":  # a link to the other folder
                continue
            name, what = crd(repository, blob)
            if not rows[name] or rows[name][-1][1] != what:
                rows[name].append((tag, what))
    return rows


def leaves(values, path=""):
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value and here not in WHOLE:
            yield from leaves(value, here)
        else:
            yield here


@functools.cache
def named(repository, tree):
    """The values that the templates of a tree name."""
    found = subprocess.run(["git", "-C", repository, "grep", "-hoE", r"\.Values(\.[A-Za-z0-9_]+)+", tree],
                           capture_output=True, text=True, check=False).stdout
    return {line.removeprefix(".Values.") for line in found.split()}


def keys(repository, tag):
    """The values that a chart reads: a path that ends in one of them is read, whatever stands below."""
    values = yaml.load(git(repository, "show", f"{tag}:charts/karpenter/values.yaml"), Loader=yaml.CSafeLoader)
    known = set(leaves(values))
    for path in named(repository, git(repository, "rev-parse", f"{tag}:charts/karpenter/templates").strip()):
        found = functools.reduce(lambda d, part: d.get(part) if isinstance(d, dict) else None, path.split("."), values)
        if not (isinstance(found, dict) and found):
            known.add(path)
    # a path below another that is read says nothing more
    parents = {".".join(k.split(".")[:n]) for k in known for n in range(1, k.count(".") + 1)} & known
    return {k for k in known if not any(k.startswith(p + ".") for p in parents)}


def runs(tags, present):
    """[(since, before or None)] of the tags at which something is present."""
    found, begun = [], None
    for tag in tags:
        if present(tag) and begun is None:
            begun = tag
        elif not present(tag) and begun is not None:
            found.append((begun, tag))
            begun = None
    return found + ([(begun, None)] if begun else [])


def main(repository):
    tags = releases(repository)
    head = "# Written by tests/conformance/charts.py from the official tags; not edited by hand.\n"
    lines = [head + "source: pkg/apis/crds, before 0.19 charts/karpenter/crds, at each tag of github.com/aws/karpenter-provider-aws\nschemas:\n"]
    for name, rows in sorted(crds(repository, tags).items()):
        lines.append(f"  {name}:\n")
        lines += [f"    - {{since: {tag[1:]}, fingerprint: \"{print_}\", versions: {versions}}}\n" for tag, (print_, versions) in rows]
    (KNOWLEDGE / "crds.yaml").write_text("".join(lines))

    read = {tag: keys(repository, tag) for tag in tags}
    lines = [head + "source: charts/karpenter/values.yaml and its templates at each tag of github.com/aws/karpenter-provider-aws\nkeys:\n"]
    for key in sorted(set().union(*read.values())):
        for since, before in runs(tags, lambda tag: key in read[tag]):
            end = f", before: {before[1:]}" if before else ""
            lines.append(f"  - {{key: {key}, since: {since[1:]}{end}}}\n")
    (KNOWLEDGE / "chart_values.yaml").write_text("".join(lines))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 2 else __doc__)
