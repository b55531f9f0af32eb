"""Every values file through `helm template` with the chart of its release: the chart knows every key, and every value stands in what
it makes and follows when it changes."""

import copy
import os
import subprocess

import official
from documents import ENDPOINT, by_text, span

VARIANTS = (["--identity", "irsa"], ["--private"], ["--zonal-shift", "false"])


def prove(cache, source, rendered, karpctl, report):
    helm = Helm(cache, karpctl.work)
    wanted, without, followed, values = {}, [], 0, 0
    for text, releases in by_text(rendered, "helm-values.yaml").items():
        for release in releases:
            chart = source.chart(release)
            if chart is None:
                without.append(release)
            else:
                wanted.setdefault((text, chart), []).append(release)
    covered = sum(map(len, wanted.values()))
    newest = {chart: releases[-1] for (_, chart), releases in wanted.items()}
    for chart, release in newest.items():
        for words in VARIANTS:
            if words[0] == "--zonal-shift" and "enableZonalShift" not in (chart / "values.yaml").read_text():
                continue
            text = karpctl.run("render", "helm-values", "--karpenter-version", release, "--cluster-endpoint", ENDPOINT, *karpctl.place, *words)
            wanted.setdefault((text, chart), [f"{release} {' '.join(words)}"])
    for (text, chart), releases in wanted.items():
        values += len(list(leaves(official.load(text))))
        followed += prove_one(helm, official.load(text), chart, span(releases), report)
    report.say(f"charts: {len(wanted)} pairs of values and chart, of {covered} releases; {followed} of {values} values stand in what the chart makes, "
               "and follow when they change")
    if without:
        report.say(f"charts: {len(without)} releases without their chart in a package: {' '.join(without)}")


def prove_one(helm, values, chart, releases, report):
    """One values file with one chart; how many values were followed."""
    known = official.load((chart / "values.yaml").read_text())
    for path, _ in leaves(values):
        report.check(knows(known, path), f"values of {releases}: the chart has no {'.'.join(path)}")
    code, made = helm.template(chart, values)
    if not report.check(code == 0, f"helm template of {releases} said: {made}"):
        return 0
    words = set(scalars(list(official.yaml.load_all(made, Loader=official.LOADER))))
    followed = 0
    for path, value in leaves(values):
        before, name, other = len(report.failures), ".".join(path), another(value)
        changed = copy.deepcopy(values)
        at(changed, path[:-1])[path[-1]] = other
        code, new = helm.template(chart, changed)
        report.check(code == 0 and new != made, f"values of {releases}: nothing changes with {name}")
        if not isinstance(value, bool):
            report.check(str(value) in words, f"values of {releases}: {name}, {value}, stands nowhere in what the chart makes")
            there = set(scalars(list(official.yaml.load_all(new, Loader=official.LOADER)))) if code == 0 else set()
            report.check(str(other) in there, f"values of {releases}: {name} changed to {other} stands nowhere in what the chart makes")
        followed += len(report.failures) == before
    code, new = helm.template(chart, {**values, "karpctlKnowsNoSuchKey": True})
    report.check(code != 0 or new == made, f"values of {releases}: a key that nothing has changes something, so that the comparison is worth nothing")
    return followed


class Helm:
    """helm, with nothing of the person's own."""

    def __init__(self, cache, work):
        self.program, self.file = cache / "bin" / "helm-4.2.3", work / "values.json"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(work), **{f"HELM_{n}_HOME": str(work / f"helm-{n}") for n in ("CACHE", "CONFIG", "DATA")}}

    def template(self, chart, values):
        """(exit code, what the chart makes or what helm said)."""
        self.file.write_text(official.json.dumps(values))
        done = subprocess.run([self.program, "template", "karpenter", chart, "--namespace", "kube-system", "--values", self.file],
                              capture_output=True, text=True, env=self.env)
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def leaves(values, path=()):
    """(path, value) of everything that is set."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def at(values, path):
    for key in path:
        values = values[key]
    return values


def knows(known, path):
    """Whether the chart's own values have a path; an empty map takes any key."""
    for key in path:
        if known in ({}, None):
            return True
        if not isinstance(known, dict) or key not in known:
            return False
        known = known[key]
    return True


def another(value):
    """A value of the same kind that is not this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return "2Gi" if value == "1Gi" else f"{value}-other"


def scalars(value):
    """Every scalar in it, as text."""
    if isinstance(value, dict):
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    else:
        yield str(value)
