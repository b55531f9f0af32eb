"""What karpctl renders, by the real program."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

CLUSTER, ENDPOINT = "demo", "https://0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com"


class Karpctl:
    """The program, for one account and region."""

    def __init__(self, program, account, region, work):
        self.program, self.work = program, work
        self.place = ["--cluster-name", CLUSTER, "--account-id", account, "--region", region]

    def run(self, *words):
        done = subprocess.run([str(self.program), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise AssertionError(f"karpctl {' '.join(words)} exited {done.returncode}:\n{done.stderr}")
        return done.stdout

    def versions(self):
        """Release -> what the table says of it."""
        return {r["karpenter"]: r for r in json.loads(self.run("versions", "-o", "json"))["releases"]}

    def render(self, release, *words):
        """Every document of a release: file name -> text."""
        out = self.work / "-".join([release, *words]).replace("/", "_")
        self.run("render", "all", "--out", str(out), "--force", "--karpenter-version", release, "--cluster-endpoint", ENDPOINT,
                 *self.place, *words)
        return {f.name: f.read_text() for f in sorted(out.iterdir())}

    def documents(self, form, release, name):
        """Every document of a release for a cluster of another name, in a format."""
        out = self.work / f"{form}-{release}-{name}"
        # eksctl makes no cluster with an underscore in its name.
        there = ["--existing-cluster"] if "_" in name else []
        self.run("render", "all", "--out", str(out), "--output", form, "--karpenter-version", release, "--cluster-endpoint", ENDPOINT,
                 "--cluster-name", name, *self.place[2:], *there)
        return {f.name: f.read_text() for f in sorted(out.iterdir())}

    def render_all(self, releases, *words):
        """The documents of many releases."""
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(releases, pool.map(lambda r: self.render(r, *words), releases)))


def by_text(rendered, name):
    """The different texts of a document: text -> the releases that have it."""
    found = {}
    for release, documents in rendered.items():
        if name in documents:
            found.setdefault(documents[name], []).append(release)
    return found


def span(releases):
    """Releases as a person reads them."""
    return releases[0] if len(releases) == 1 else f"{releases[0]} to {releases[-1]} ({len(releases)})"
