"""What is official: the CRDs and charts of Karpenter's releases.

They come from the Go modules that set-up fetched (`Packages`), or from a clone of the official repository with its tags
(`Repository`). Few releases have a module, but many have the same CRDs or chart as one that has: `official.yaml` says which,
by hashes. Of a CRD that is a hash of the schema of `spec` without its descriptions; `core` leaves out the rules on AWS's own
label domain too, which are all that the CRDs of karpenter-provider-aws have beyond those of its library sigs.k8s.io/karpenter.

    official.py --record CLONE      writes official.yaml anew
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
DATA = HERE / "official.yaml"
KINDS = ("Provisioner", "AWSNodeTemplate", "NodePool", "EC2NodeClass")
LABEL_RULE = 'label domain "karpenter.k8s.aws" is restricted'
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text):
    return yaml.load(text, Loader=LOADER)


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def plain(schema, rules, names=False):
    """A schema without descriptions; with rules=False also without the rules on AWS's label domain."""
    if isinstance(schema, list):
        return [plain(s, rules) for s in schema if rules or not (isinstance(s, dict) and s.get("message") == LABEL_RULE)]
    if not isinstance(schema, dict):
        return schema
    return {k: plain(v, rules, k == "properties") for k, v in schema.items() if names or k != "description"}


def hashes(crd):
    """(kind, version) -> (schema, core) of a CRD."""
    found = {}
    for version in crd["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"].get("properties", {}).get("spec", {})
        key = (crd["spec"]["names"]["kind"], version["name"])
        found[key] = digest(plain(spec, True)), digest(plain(spec, False))
    return found


def chart_hash(files):
    """Of a chart's files, name -> text: without what every release changes (image) or what nothing depends on."""
    kept = {}
    for name, text in files.items():
        if name == "values.yaml":
            text = re.sub(r"^\s+(tag|digest):.*\n|^\s*#.*\n", "", text, flags=re.M)
        if name == "values.yaml" or name.startswith("templates/"):
            kept[name] = text
    return digest(kept)


def order(release):
    """A release as something to sort by."""
    return [int(n) for n in release.split("-")[0].split(".")]


class Recorded:
    """official.yaml: what each release has, by hash."""

    def __init__(self):
        data = load(DATA.read_text())
        self.crds, self.charts = {}, {}
        for row in data["crds"]:
            for release in row["releases"].split():
                self.crds[row["kind"], row["version"], release] = (row["schema"], row["core"])
        for row in data["charts"]:
            for release in row["releases"].split():
                self.charts[release] = row["chart"]
        self.releases = list(self.charts)


class Packages:
    """What set-up fetched, as CACHE/official/<module>@<version>/{crds,chart}."""

    def __init__(self, cache):
        self.recorded = Recorded()
        self.exact, self.core, self.of_kind, self.charts, self.whole = {}, {}, {}, {}, {}
        folders = sorted((cache / "official").iterdir(), key=lambda p: order(p.name.split("@")[1]))
        for folder in folders:
            for file in sorted((folder / "crds").glob("*.yaml")):
                crd = load(file.read_text())
                if folder.name.startswith("karpenter-provider-aws"):
                    self.whole.setdefault(folder.name.split("@")[1], []).append(crd)
                for (kind, version), (schema, core) in hashes(crd).items():
                    if folder.name.startswith("karpenter-provider-aws"):
                        self.exact[kind, version, schema] = (folder.name, crd)
                        self.of_kind.setdefault((kind, version), []).append((folder.name, crd))
                    self.core[kind, version, core] = (folder.name, crd)
            if (folder / "chart").exists():
                files = {str(f.relative_to(folder / "chart")): f.read_text() for f in (folder / "chart").rglob("*") if f.is_file()}
                self.charts[chart_hash(files)] = folder / "chart"

    def crd(self, kind, version, release):
        """(how near it is, where it is from, CRD). `own`: the release's schema; `core`: but for the label rules; `other`: the
        nearest release's of the same API; `none`."""
        schema, core = self.recorded.crds[kind, version, release]
        if found := self.exact.get((kind, version, schema)):
            return "own", *found
        if found := self.core.get((kind, version, core)):
            return "core", *found
        others = self.of_kind.get((kind, version), [])
        later = [o for o in others if order(o[0].split("@")[1]) >= order(release)] or others[-1:]
        return ("other", *later[0]) if later else ("none", "", None)

    def own_crds(self, release):
        """All CRDs of a release that has a package of its own; none of the others."""
        return self.whole.get(release, [])

    def chart(self, release):
        """The folder of the chart, or None."""
        return self.charts.get(self.recorded.charts[release])


class Repository:
    """A clone of the official repository: every release has everything."""

    def __init__(self, path, work):
        self.path, self.work, self.recorded = path, work, Recorded()
        self._crds = {}

    def git(self, *argv):
        return subprocess.run(["git", "-C", str(self.path), *argv], capture_output=True, text=True, check=True).stdout

    def files(self, tag, folder):
        """path below the folder -> text; symbolic links are left out."""
        found = {}
        for line in self.git("ls-tree", "-r", tag, f"{folder}/").splitlines():
            mode, _, rest = line.split(" ", 2)
            blob, path = rest.split("\t")
            if mode == "100644":
                if blob not in self._crds:
                    self._crds[blob] = self.git("cat-file", "blob", blob)
                found[path[len(folder) + 1:]] = self._crds[blob]
        return found

    def crd_files(self, tag):
        """The texts of a release's CRDs."""
        return [t for f in ("pkg/apis/crds", "charts/karpenter/crds") for t in self.files(tag, f).values()]

    def crd(self, kind, version, release):
        for text in self.crd_files(f"v{release}"):
            crd = load(text)
            if crd["spec"]["names"]["kind"] == kind and any(v["name"] == version for v in crd["spec"]["versions"]):
                return "own", hashlib.sha256(text.encode()).hexdigest()[:12], crd
        return "none", "", None

    def own_crds(self, release):
        """All CRDs that a release's chart brings: the sources of some have others beside them, which are not served yet."""
        tag = f"v{release}"
        brought = {p.rsplit("/", 1)[-1] for p in self.git("ls-tree", "--name-only", tag, "charts/karpenter/crds/").split()}
        found = {name: text for f in ("pkg/apis/crds", "charts/karpenter/crds") for name, text in self.files(tag, f).items()}
        # Where the chart's folder is a link to the sources, it lists nothing of its own.
        return [load(text) for name, text in found.items() if name in brought or not brought]

    def chart(self, release):
        """The chart's files, written out once for each content."""
        files = self.files(f"v{release}", "charts/karpenter")
        folder = self.work / f"chart-{chart_hash(files)}"
        if not folder.exists():
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
        return folder


def record(clone):
    """Writes official.yaml from a clone with tags."""
    repository = Repository.__new__(Repository)
    repository.path, repository._crds = clone, {}
    version = re.compile(r"v(\d+)\.(\d+)\.(\d+)(-\S+)?$")
    tags = [t for t in repository.git("tag").split() if version.match(t)]
    key = lambda t: (*map(int, version.match(t).groups()[:3]), not (t.count("-rc")), t)  # noqa: E731
    tags = sorted((t for t in tags if key(t) >= (0, 17)), key=key)
    crds, charts, seen = {}, {}, {}
    for tag in tags:
        for text in repository.crd_files(tag):
            if text not in seen:
                seen[text] = hashes(load(text))
            for (kind, api), found in seen[text].items():
                if kind in KINDS:
                    crds.setdefault((kind, api, *found), []).append(tag[1:])
        charts.setdefault(chart_hash(repository.files(tag, "charts/karpenter")), []).append(tag[1:])
    lines = ["# Which releases have the same CRDs and charts; see official.py, which wrote this from the tags of the official repository.",
             "crds:"]
    lines += [f'  - {{kind: {k}, version: {v}, schema: "{s}", core: "{c}", releases: "{" ".join(r)}"}}' for (k, v, s, c), r in crds.items()]
    lines += ["charts:"] + [f'  - {{chart: "{c}", releases: "{" ".join(r)}"}}' for c, r in charts.items()]
    DATA.write_text("\n".join(lines) + "\n")
    print(f"{len(tags)} releases, {len(crds)} schemas, {len(charts)} charts")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--record":
        sys.exit(__doc__)
    record(Path(sys.argv[2]))
