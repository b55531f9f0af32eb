#!/usr/bin/env python3
"""What `make dist` made, used as whoever gets it would: checksums, package, archive, bill of materials, image; and `cargo install`.

The package is installed, looked at and removed in a root of its own, with dpkg's records there; nothing of this machine changes. The image
is built by buildah, and a bootstrap, a look and a destroy are run in it, in a lab. What cannot be tried for want of a program is said.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

from left_out import untested

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIST = ROOT / "target/dist"
CACHE = pathlib.Path(os.environ.get("KARPCTL_LAB_CACHE") or pathlib.Path.home() / ".cache/karpctl-lab")
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
# Where nobody answers.
NOBODY = "http://127.0.0.1:9"
# A static karpctl must not be larger than that.
LARGEST = 20 * 1024 * 1024


def run(*words, code=0, **more):
    ended = subprocess.run([str(w) for w in words], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    assert ended.returncode == code, f"{words} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def skipped(program, what):
    """Whether a program is not there."""
    there = shutil.which(program)
    if not there:
        untested(f"there is no {program}: {what}")
    return not there


def is_static(program):
    return "INTERP" not in run("readelf", "--program-headers", "--wide", program)


def is_karpctl(program, **more):
    said = json.loads(run(program, "version", "-o", "json", **more))
    assert said["version"] == VERSION, said


def sums():
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=DIST)
    named = {line.split("  ", 1)[1] for line in (DIST / "SHA256SUMS").read_text().splitlines()}
    there = {file.name for file in DIST.iterdir()} - {"SHA256SUMS"}
    assert named == there, (named, there)
    print(f"sums: {len(named)} files are what SHA256SUMS says")


def program():
    size = (DIST / "karpctl").stat().st_size
    is_karpctl(DIST / "karpctl", env={})
    static = is_static(DIST / "karpctl")
    assert not static or size <= LARGEST, f"{size} bytes"
    print(f"program: {size / 1024 / 1024:.1f} MiB, {'linked statically' if static else 'linked with the system'}")


def package(folder):
    """Installed, used and removed by dpkg, in a root of its own."""
    file = next(DIST.glob("*.deb"))
    judged = not skipped("lintian", "apt-get install lintian")
    if judged:
        run("lintian", "--fail-on", "error,warning,info", "--allow-root", file)
    root = folder / "root"
    for name in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    dpkg = ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "--force-bad-path", "--log=/dev/null"]
    # Another root has no libc6 on record.
    run(*dpkg, *([] if is_static(DIST / "karpctl") else ["--force-depends"]), "--install", file)
    assert "install ok installed" in run("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Status}", "karpctl")
    run(*dpkg, "--verify", "karpctl")
    is_karpctl(root / "usr/bin/karpctl", env={})
    pages = sorted((root / "usr/share/man/man1").glob("karpctl*.1.gz"))
    assert len(pages) > 20, pages
    if not skipped("man", "apt-get install man-db"):
        shown = run("man", "--warnings", "--local-file", root / "usr/share/man/man1/karpctl-bootstrap.1.gz", env={**os.environ, "MANWIDTH": "80"})
        assert "--dry-run" in shown.replace("‐", "-"), shown
    completions = root / "usr/share/bash-completion/completions/karpctl"
    said = run("bash", "-c", f"source {completions}; COMP_WORDS=(karpctl boot); COMP_CWORD=1; _karpctl karpctl boot karpctl; echo ${{COMPREPLY[@]}}")
    assert said.split() == ["bootstrap"], said
    assert (root / "usr/share/zsh/vendor-completions/_karpctl").exists()
    assert (root / "usr/share/fish/vendor_completions.d/karpctl.fish").exists()
    run(*dpkg, "--purge", "karpctl")
    left = [f for f in root.rglob("*") if f.is_file() and root / "var/lib/dpkg" not in f.parents]
    assert not left, left
    print(f"package: installed, {len(pages)} man pages, completions, removed{'; lintian has nothing to say' if judged else ''}")


def archive(folder):
    run("tar", "--extract", "--gzip", "--file", next(DIST.glob("*.tar.gz")), "--directory", folder)
    is_karpctl(folder / "karpctl", env={})
    assert {f.name for f in folder.iterdir()} == {"karpctl", "LICENSE", "README.md", "CHANGELOG.md"}
    print("archive: unpacked, and its karpctl runs")


def installed(folder):
    """By cargo, as README and docs/installing.md have it; not optimised, because the release's own build is tried above."""
    env = {**os.environ, "KARPCTL_BUILD_RELEASES_URL": NOBODY}
    run("cargo", "install", "--locked", "--path", ".", "--debug", "--no-track", "--root", folder, cwd=ROOT, env=env)
    assert [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()] == [pathlib.Path("bin/karpctl")]
    is_karpctl(folder / "bin/karpctl", env={})
    asks_for_releases(DIST / "karpctl", folder / "home", {}, False)
    asks_for_releases(DIST / "karpctl", folder / "home", {"KARPCTL_RELEASES_URL": NOBODY}, True)
    asks_for_releases(folder / "bin/karpctl", folder / "home", {}, True)
    asks_for_releases(folder / "bin/karpctl", folder / "home", {"KARPCTL_NO_RELEASE_NOTICE": "1"}, False)
    print("installed: by cargo, and it runs; it asks for newer releases where an address was built in, else nobody")


def asks_for_releases(program, home, env, expected):
    """Whether it asks, at a terminal. When it does, it remembers that before it asks."""
    (home / "empty").mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm", "KUBECONFIG": str(home / "none"), **env}
    line = f"{program} doctor --offline --area client --only helm-version"
    subprocess.run(["script", "-qec", line, "/dev/null"], env=env, cwd=home / "empty", stdin=subprocess.DEVNULL, capture_output=True)
    asked = (home / ".local/state/karpctl/asked-for-release").exists()
    assert asked == expected, f"{program} with {env} {'asks' if asked else 'does not ask'}"
    shutil.rmtree(home)


def materials():
    """The bill of materials names every crate that is linked in, with its version and licence, and no folder of whoever made it."""
    text = (DIST / "karpctl.cdx.json").read_text()
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == ("karpctl", VERSION)
    assert str(ROOT) not in text and str(pathlib.Path.home()) not in text
    listed = {(c["name"], c["version"]) for c in bill["components"]}
    target = f"{os.uname().machine}-unknown-linux-{'musl' if is_static(DIST / 'karpctl') else 'gnu'}"
    tree = run("cargo", "tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--target", target, cwd=ROOT)
    linked = {tuple(re.match(r"(\S+) v(\S+)", line).groups()) for line in tree.splitlines() if line} - {("karpctl", VERSION)}
    assert len(linked) > 100 and linked <= listed, f"not in the bill: {sorted(linked - listed)}"
    unlicensed = [c["name"] for c in bill["components"] if not c.get("licenses")]
    assert not unlicensed, unlicensed
    print(f"materials: {len(listed)} components, among them all {len(linked)} that are linked in")


STORAGE = """[storage]
driver = "vfs"
graphroot = "{0}/images"
runroot = "{0}/run"
"""


def image(folder):
    """Built out of karpctl, helm and eksctl, and used in a lab: what it finds inside is all that it has."""
    if not is_static(DIST / "karpctl"):
        untested("the image is made of a static karpctl: make dist STATIC=1")
        return
    if skipped("buildah", "apt-get install buildah"):
        return
    eksctl = CACHE / "bin/eksctl"
    if not is_static(eksctl):
        untested(f"{eksctl} is of an older set-up, which linked it with the system's libraries: delete it, then `make lab`")
        return
    (folder / "storage.conf").write_text(STORAGE.format(folder))
    env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot", "ENGINE": "buildah"}
    run(ROOT / "packaging/image.sh", DIST / "karpctl", CACHE / "bin/helm-4.2.3", eksctl, env=env)
    container = run("buildah", "from", "karpctl", env=env).strip()
    script = ROOT / "tests/packaging/image_in_lab.py"
    lab = [sys.executable, ROOT / "tests/lab/lab.py", "exec", "--dir", folder / "lab", "--"]
    print(run(*lab, sys.executable, script, container, env=env), end="")
    run("buildah", "rm", container, env=env)


def main():
    for part in (sums, program, materials):
        part()
    for part in (package, archive, installed, image):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))


if __name__ == "__main__":
    main()
