#!/usr/bin/env python3
"""What `karpctl doctor` says of a kubeconfig against what real clients do with it: no false alarm, no miss.

Each case is a kubeconfig (or several), a credential plugin and an environment. A real helm or kubectl is run on it against a
loopback API server that lets in one token and one certificate; karpctl judges the same. Where only the server could tell (a
sound token that is the wrong one, an authority that is not trusted, a port that nobody listens on), karpctl may say nothing.

    python3 tests/clients/test_clients.py          every case with one client, in turn; one that clients differ in also with a client on
                                                   each side (boundaries.json)
    python3 tests/clients/test_clients.py --all    every case with every client; writes boundaries.json
    python3 tests/clients/test_clients.py NAME     only the cases whose name holds NAME, with every client
    … --client=kubectl-1.37.2                      with these clients (files of the lab's cache) instead
    … --done=FILE                                  remembers there what was right, and goes on where an earlier run stopped

Every case with every client takes hours. One that is not answered in time is tried again, alone and with more time, when the others are
through: on a machine that does much else, a limit says nothing of the client.
"""

import base64
import concurrent.futures
import functools
import hashlib
import itertools
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import termios
import time

import api_server
import cases
import corners  # noqa: F401  (adds its cases)
import terminals  # noqa: F401  (adds its cases)

HERE = pathlib.Path(__file__).resolve().parent
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", HERE.parents[1] / "target/debug/karpctl"))
CACHE = pathlib.Path(os.environ.get("KARPCTL_LAB_CACHE", pathlib.Path.home() / ".cache/karpctl-lab")) / "bin"
# Helms and kubectls by turns, so that neighbouring cases meet both. Their number has no divisor in common with a list of 2 or 3 cases.
# Wherever a rule of karpctl names a client-go, there is a client of that one and a client of the one before.
HELMS = [
    "helm-3.8.1", "helm-3.9.4", "helm-3.11.1", "helm-3.16.4", "helm-3.17.3", "helm-3.18.0", "helm-3.19.0", "helm-4.1.4", "helm-4.2.3", "helm-4.3.2",
]
KUBECTLS = [
    "kubectl-1.20", "kubectl-1.21", "kubectl-1.22", "kubectl-1.23", "kubectl-1.24", "kubectl-1.25", "kubectl-1.26", "kubectl-1.31", "kubectl-1.33",
    "kubectl-1.34", "kubectl-1.35", "kubectl-1.36.3", "kubectl-1.37.2",
]
CLIENTS = [name for pair in itertools.zip_longest(HELMS, KUBECTLS) for name in pair if name]
# Seconds for one client or one doctor, and for one that is tried again alone.
LIMIT, ALONE = 120, 900
# It gives a program a terminal that is its own, as a person's shell does.
SETSID = shutil.which("setsid")
# A pair that took longer.
LATE = object()
# Of each case in which clients differ, by its name: clients of which one gets in and the next does not.
BOUNDARIES = HERE / "boundaries.json"
ONLY_THE_SERVER = re.compile(
    r"asked for the client to provide credentials|You must be logged in|Unauthorized"
    r"|could not find the requested resource|Error from server \(NotFound\)|no such host|unknown certificate authority"
    r"|The connection to the server 127\.0\.0\.1:\d+ was refused"
    r"|x509|certificate is valid for|127\.0\.0\.1:1\b.*refused|EOF|first record does not look like"
    # A server that does not trust a certificate says so and hangs up: whether the client still reads why is a race with its own writing.
    r"|tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: (?:write|read): (?:broken pipe|connection reset by peer)"
)


class World:
    """A folder for the cases and the API server that they speak of."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tls").mkdir()
        (folder / "other").mkdir()
        self.server, self.plain, self.cert, self.key = api_server.serve(folder / "tls")
        _, self.other_key = api_server.certificate(folder / "other")
        self.keys = api_server.key_forms(folder / "tls")
        self.limit = LIMIT
        self.got_in = {}

    def credential(self, name):
        """The status of an answer that is too long for a case."""
        cert, key, other, forms = self.cert.read_text(), self.key.read_text(), self.other_key.read_text(), self.keys
        pem = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"
        return {
            "PYCERTV1": {"clientCertificateData": cert, "clientKeyData": key},
            "PYINVALIDPEM": {"clientCertificateData": pem, "clientKeyData": key},
            "PYCERTCRLF": {"clientCertificateData": cert.replace("\n", "\r\n"), "clientKeyData": key.replace("\n", "\r\n")},
            "PYCERTNOEND": {"clientCertificateData": cert.rstrip("\n"), "clientKeyData": key.rstrip("\n")},
            "PYCERTTEXT": {"clientCertificateData": "subject: x\n" + cert + "bye\n", "clientKeyData": key},
            "PYKEYTEXT": {"clientCertificateData": cert, "clientKeyData": "hello\n" + key},
            "PYKEYENCRYPTED": {"clientCertificateData": cert, "clientKeyData": forms["encrypted"]},
            "PYCERTTWICE": {"clientCertificateData": cert + cert, "clientKeyData": key},
            "PYTOKENEMPTYCERT": {"token": api_server.TOKEN, "clientCertificateData": "", "clientKeyData": ""},
            "PYRSA": {"clientCertificateData": forms["rsa-cert"], "clientKeyData": forms["rsa"]},
            "PYRSAPKCS1": {"clientCertificateData": forms["rsa-cert"], "clientKeyData": forms["rsa-pkcs1"]},
            "PYSEC1": {"clientCertificateData": cert, "clientKeyData": forms["sec1"]},
            "PYEXPIRED": {"clientCertificateData": forms["expired"], "clientKeyData": key},
            "PYCERT": {"clientCertificateData": cert, "clientKeyData": key},
            "PYCERTONLY": {"clientCertificateData": cert},
            "PYKEYONLY": {"clientKeyData": key},
            "PYBOTH": {"token": api_server.TOKEN, "clientCertificateData": cert, "clientKeyData": key},
            "PYTOKENCERT": {"token": api_server.TOKEN, "clientCertificateData": cert},
            "PYBADCERT": {"clientCertificateData": "x", "clientKeyData": "y"},
            "PYTOKENBAD": {"token": api_server.TOKEN, "clientCertificateData": "x", "clientKeyData": "y"},
            "PYOTHERKEY": {"clientCertificateData": cert, "clientKeyData": other},
            "PYJOINED": {"clientCertificateData": cert + key, "clientKeyData": cert + key},
        }[name]

    def fill(self, text, folder):
        data = lambda path: base64.b64encode(path.read_bytes()).decode()
        for name, value in (
            ("BASE", folder.name),
            ("BOTHDATA", base64.b64encode(self.cert.read_bytes() + self.key.read_bytes()).decode()),
            ("CERTDATA", data(self.cert)),
            ("KEYDATA", data(self.key)),
            ("CERTTEXT", self.cert.read_text()),
            ("HOSTPORT", self.server.split("//")[1]),
            ("PORT", self.server.rsplit(":", 1)[1]),
            ("PLAIN", self.plain),
            ("SERVER", self.server),
            ("PLUGIN", str(folder / "plugin")),
            ("DIR", str(folder)),
            ("CERT", str(self.cert)),
            ("KEY", str(self.key)),
        ):
            text = text.replace(name, value)
        return re.sub(r" CA(\r?\n)", rf" {self.cert}\1", text)

    def prepare(self, name, case, client):
        """The case's files in a folder of their own: environment, flags and working directory."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if case["plugin"]:
            body = case["plugin"]
            if body.startswith("PY"):
                version = cases.V + ("v1" if body.endswith("V1") else "v1beta1")
                answer = {"kind": "ExecCredential", "apiVersion": version, "status": self.credential(body)}
                (folder / "answer.json").write_text(json.dumps(answer))
                body = f"cat {folder}/answer.json"
            script(folder / "plugin", SEEN.replace("DIR", str(folder)) + body.replace("DIR", str(folder)))
            if "relative command in second" in case["name"]:
                shutil.copy(folder / "plugin", folder / "plug-in")
        for key, text in case["files"].items():
            self.file(folder, key, text)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home")}
        text = case["kubeconfig"]
        if text is not None:
            if text.startswith("JSON"):
                text = cases.as_json(self.fill(cases.config(cases.ex()), folder), tabs=text == "JSONTABS")
            (folder / "kubeconfig").write_bytes(encoded(self.fill(text, folder), case["encoding"]))
            env["KUBECONFIG"] = str(folder / "kubeconfig")
        if case["kubeconfig_env"] is not None:
            env["KUBECONFIG"] = self.fill(case["kubeconfig_env"], folder)
        for key, value in case["env"].items():
            if value is None:
                env.pop(key)
            else:
                env[key] = self.fill(value, folder).replace("PATH", os.environ["PATH"])
        flag = lambda key: "kube-context" if key == "context" and client.startswith("helm") else key
        flags = {flag(key): self.fill(value, folder) for key, value in case["args"].items()}
        return folder, env, flags, self.fill(case["cwd"], folder) if case["cwd"] else str(self.folder)

    def file(self, folder, key, text):
        """`=` a text, `!` an executable as it is, `!!` a file that is not one, `@` a link; else a script."""
        path = folder / key.rstrip("=!@")
        path.parent.mkdir(parents=True, exist_ok=True)
        if key.endswith("@"):
            path.symlink_to(text)
        elif key.endswith("=") or key.endswith("!!"):
            path.write_bytes(encoded(self.fill(text, folder), "utf-8"))
        elif key.endswith("!"):
            path.write_text(text)
            path.chmod(0o755)
        else:
            script(path, text)
            path.chmod(0o644 if text == "#x" else 0o755)

    def run(self, words, env, cwd, case):
        """One program to its end, with a terminal for its standard input or output where the case says so."""
        run = functools.partial(subprocess.run, env=env, cwd=cwd, stdin=subprocess.DEVNULL, timeout=self.limit)
        if case["typed"] is None and not case["screen"]:
            return run(words, capture_output=True)
        person, terminal = pty.openpty()
        # What is printed comes back as it is, and nothing of what was typed.
        modes = termios.tcgetattr(terminal)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
        with concurrent.futures.ThreadPoolExecutor(1) as pool, open(person, "rb+", buffering=0) as person:
            screen = pool.submit(shown_on, person)
            try:
                out = terminal if case["screen"] else subprocess.PIPE
                if case["typed"] is None:
                    ended = run(words, stdout=out, stderr=subprocess.PIPE)
                else:
                    person.write(case["typed"].encode())
                    ended = run([SETSID, "--ctty", "--wait", *words], stdin=terminal, stdout=out, stderr=subprocess.PIPE)
            finally:
                os.close(terminal)
            if case["screen"]:
                ended.stdout = screen.result()
            return ended

    def real(self, number, case, client):
        """Whether the client gets in, and its last words."""
        folder, env, flags, cwd = self.prepare(f"{number}-{client}-real", case, client)
        words = ["list"] if client.startswith("helm") else ["get", "--raw", "/version"]
        words += [f"--{key}={value}" for key, value in flags.items()]
        ended = self.run([CACHE / client, *words], env, cwd, case)
        said = ended.stderr.decode(errors="replace").strip().replace(str(folder), "DIR")
        return ended.returncode == 0, said, seen(folder)

    def judged(self, number, case, client):
        """Whether doctor finds nothing wrong, and what it finds."""
        folder, env, flags, cwd = self.prepare(f"{number}-{client}-doctor", case, client)
        words = [
            KARPCTL,
            "doctor",
            "--offline",
            "--area",
            "client",
            "-o",
            "json",
            "--helm" if client.startswith("helm") else "--kubectl",
            CACHE / client,
        ]
        words += [f"--{key.replace('kube-context', 'context')}={value}" for key, value in flags.items()]
        ended = self.run(words, env, cwd, case)
        if api_server.TOKEN.encode() in ended.stdout + ended.stderr and api_server.TOKEN not in json.dumps(case["env"]) + str(
            case["kubeconfig"]
        ):
            raise AssertionError(f"{case['name']}: a token in the output")
        try:
            report = json.loads(ended.stdout)
        except ValueError as error:
            raise AssertionError(f"{case['name']}: no report: {ended.stderr.decode()[-400:]}") from error
        failed = [c for c in report["checks"] if c["id"].startswith("exec-") and c["result"] == "fail"]
        assert ended.returncode == (1 if any(c["result"] == "fail" for c in report["checks"]) else 0), case["name"]
        return not failed, "; ".join(f"{c['id']}: {c['message'][:160]}" for c in failed), seen(folder)

    def compare(self, pair):
        number, case, client = pair
        try:
            (gets_in, said, by_client), (nothing_wrong, found, by_doctor) = self.real(*pair), self.judged(*pair)
        except subprocess.TimeoutExpired as error:
            return LATE if self.limit == LIMIT else f"TOO SLOW  {client}: {case['name']}: {error}"
        except AssertionError as error:
            return f"BROKEN  {client}: {error}"
        finally:
            for of in ("real", "doctor"):
                shutil.rmtree(self.folder / f"{number}-{client}-{of}", ignore_errors=True)
        self.got_in[case["name"], client] = gets_in
        if by_client and by_doctor and by_client != by_doctor:
            return f"RUN OTHERWISE  {client}: {case['name']}:\n  client: {by_client}\n  doctor: {by_doctor}"
        if gets_in and not nothing_wrong:
            return f"FALSE ALARM  {client}: {case['name']}: it gets in, and doctor says: {found}"
        if not gets_in and nothing_wrong:
            if ONLY_THE_SERVER.search(said):
                return ONLY_THE_SERVER
            return f"MISS  {client}: {case['name']}: doctor finds nothing, and it says: {said.splitlines()[-1][:200] if said else '(nothing)'}"
        return None


# What a plugin sees of whoever runs it, for its first run: a client asks again where the server refuses the credential.
SEEN = r"""if [ ! -e DIR/seen ]; then
{ printf '%s\n' "dir $PWD" "name $0"; for word in "$@"; do printf 'word %s\n' "$word"; done; readlink /proc/self/fd/0
printf 'info %s\n' "$KUBERNETES_EXEC_INFO"; declare -px | sort; } >DIR/seen 2>&1
fi
"""
# bash sets these itself; karpctl is run with the variables of the client.
OF_BASH = re.compile(r"^declare -x (SHLVL|PWD|OLDPWD|_|KUBERNETES_EXEC_INFO)\b")


def shown_on(person):
    """All that a terminal shows, until no program has it any more."""
    shown = b""
    try:
        while read := person.read(65536):
            shown += read
    except OSError:
        pass
    return shown


def seen(folder):
    """What the plugin saw, the folder's own name left out."""
    file = folder / "seen"
    if not file.exists():
        return None
    text = file.read_text(errors="replace").replace(str(folder), "DIR").replace(folder.name, "BASE")
    text = re.sub(r"/dev/pts/\d+", "a terminal", text)
    return "\n  ".join(same_order(line) for line in text.splitlines() if not OF_BASH.match(line))


def same_order(line):
    """A request with its fields sorted: their order means nothing."""
    try:
        return "info " + json.dumps(json.loads(line.removeprefix("info ")), sort_keys=True) if line.startswith("info ") else line
    except ValueError:
        return line


def encoded(text, encoding):
    """A text with its mark, where its encoding has one; lone surrogates are bytes that are not UTF-8."""
    if encoding.endswith("-bom"):
        return ("\ufeff" + text).encode(encoding.removesuffix("-bom"))
    return text.encode(encoding, errors="surrogateescape")


def script(path, body):
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def pairs(words):
    names = [word for word in words if not word.startswith("--")]
    every = [word.removeprefix("--client=") for word in words if word.startswith("--client=")] or CLIENTS
    differ = json.loads(BOUNDARIES.read_text())
    assert not (gone := differ.keys() - {case["name"] for case in cases.CASES}), f"{BOUNDARIES.name} names cases that are no more: {gone}"
    for number, case in enumerate(cases.CASES):
        if names and not any(name in case["name"] for name in names):
            continue
        clients = every if words else dict.fromkeys([every[number % len(every)], *differ.get(case["name"], [])])
        yield from ((number, case, client) for client in clients)


def boundaries(got_in):
    """What BOUNDARIES holds, by who got in where."""
    found = {}
    for case in cases.CASES:
        name, sides = case["name"], []
        for clients in (HELMS, KUBECTLS):
            for older, newer in itertools.pairwise(clients):
                if got_in[name, older] != got_in[name, newer]:
                    sides += [older, newer]
        if got_in[name, HELMS[-1]] != got_in[name, KUBECTLS[-1]]:
            sides += [HELMS[-1], KUBECTLS[-1]]
        if sides:
            found[name] = list(dict.fromkeys(sides))
    return found


def recorded(found):
    """Whether BOUNDARIES holds this; it does now."""
    text = "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(sides)}" for name, sides in sorted(found.items())) + "\n}\n"
    if BOUNDARIES.read_text() == text:
        return True
    BOUNDARIES.write_text(text)
    print(f"{BOUNDARIES.name} is written anew: commit it")
    return False


class Done:
    """What earlier runs found right: a line for each pair, by what the case holds, so that a changed one is run again."""

    def __init__(self, file):
        self.file = file
        lines = file.read_text().splitlines() if file and file.exists() else []
        self.known = dict(line.rsplit(" ", 1) for line in lines if line.count(" ") == 2)

    @staticmethod
    def key(pair):
        _, case, client = pair
        return f"{hashlib.sha256(repr(sorted(case.items())).encode()).hexdigest()[:16]} {client}"

    def said(self, pair, got_in):
        """What was said of a pair, or LATE where nothing was yet."""
        word = self.known.get(self.key(pair))
        if word in ("in", "out", "server"):
            got_in[pair[1]["name"], pair[2]] = word == "in"
        return {"in": None, "out": None, "server": ONLY_THE_SERVER}.get(word, LATE)

    def keep(self, pair, said, got_in):
        if self.file and (said is None or said is ONLY_THE_SERVER):
            word = "server" if said else "in" if got_in[pair[1]["name"], pair[2]] else "out"
            with self.file.open("a") as out:
                out.write(f"{self.key(pair)} {word}\n")


def compared(world, todo, done):
    """What is said of each pair; what is wrong is printed at once: the whole takes hours, and that should not wait for its end."""
    def told(pair, line):
        done.keep(pair, line, world.got_in)
        if isinstance(line, str):
            print(line, flush=True)
        return line

    said = [done.said(pair, world.got_in) for pair in todo]
    left = [n for n, line in enumerate(said) if line is LATE]
    if len(left) < len(todo):
        print(f"{len(todo) - len(left)} of {len(todo)} are known from an earlier run", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 1) as pool:
        for n, line in zip(left, pool.map(world.compare, (todo[n] for n in left))):
            said[n] = told(todo[n], line)
    world.limit = ALONE
    for n in (n for n in left if said[n] is LATE):
        said[n] = told(todo[n], world.compare(todo[n]))
    return said


def main(words):
    missing = [name for name in CLIENTS if not (CACHE / name).exists()]
    if missing or not KARPCTL.exists():
        sys.exit(f"not installed: {', '.join(missing) or KARPCTL}; `make lab build` installs them")
    done = Done(next((pathlib.Path(word.removeprefix("--done=")) for word in words if word.startswith("--done=")), None))
    words = [word for word in words if not word.startswith("--done=")]
    began, folder = time.time(), pathlib.Path(tempfile.mkdtemp(prefix="karpctl-clients-"))
    try:
        world, todo = World(folder), list(pairs(words))
        said = compared(world, todo, done)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = [line for line in said if isinstance(line, str)]
    left = sum(1 for line in said if line is ONLY_THE_SERVER)
    agreed = len(todo) - len(wrong) - left
    print(
        f"{agreed} of {len(todo)} agree with the real clients; {left} only the server could tell; {len(wrong)} wrong ({time.time() - began:.0f} s)"
    )
    known = recorded(boundaries(world.got_in)) if words == ["--all"] and not wrong else True
    # A run that compared nothing, or nearly nothing, proves nothing.
    sys.exit(1 if wrong or not known or (not words and (len(todo) < 1000 or left > len(todo) // 20)) else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
