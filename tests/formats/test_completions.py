#!/usr/bin/env python3
"""Completions as a person gets them: the line is typed in the real shell, the key is Tab, and what the shell then shows is read.

bash and zsh are at a terminal of their own; fish is asked by `complete -C`, elvish by its completer, called with the words of the line.
PowerShell cannot be had here: `test_powershell.py` parses what it would run.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl"))
AREAS = {"client", "account", "cluster", "release"}
SHELLS = {"bash", "elvish", "fish", "powershell", "zsh"}
# What is typed, and what must be offered.
LINES = [
    ("karpctl doc", {"doctor"}),
    ("karpctl ver", {"verify", "version", "versions"}),
    ("karpctl doctor --are", {"--area"}),
    ("karpctl doctor --area ", AREAS),
    ("karpctl doctor --color ", {"auto", "always", "never"}),
    ("karpctl --color ", {"auto", "always", "never"}),
    ("karpctl doctor -o ", {"junit", "sarif"}),
    ("karpctl generate comp", {"completions"}),
    ("karpctl generate completions ", SHELLS),
    ("karpctl render cl", {"cloudformation", "cluster-config"}),
    ("karpctl doctor --only exec-", {"exec-answer", "exec-kubeconfig"}),
    ("karpctl doctor --skip exec-", {"exec-answer", "exec-kubeconfig"}),
    ("karpctl bootstrap --identity ", {"pod-identity", "irsa"}),
    ("karpctl bootstrap --node-access ", {"aws-auth", "access-entry", "both"}),
    ("karpctl bootstrap --ip-family ", {"ipv4", "ipv6"}),
    ("karpctl destroy --identity ", {"pod-identity", "irsa"}),
    ("karpctl explain node-", {"node-access", "node-mapping"}),
]
NONSENSE = "karpctl nothing-begins-so"


class Terminal:
    """A shell at a terminal that is wide enough for a line never to be broken."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, {**env, "TERM": "dumb", "COLUMNS": "200", "LINES": "100"})

    def shown(self, done=lambda text: False, quiet=0.1, longest=15.0):
        """What is written until it is all that was waited for, or until nothing has come for so many seconds."""
        text, ends = "", time.monotonic() + longest
        while not done(text) and time.monotonic() < ends:
            ready, _, _ = select.select([self.fd], [], [], quiet)
            if not ready:
                break
            try:
                text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07", "", os.read(self.fd, 65536).decode(errors="replace"))
            except OSError:
                break  # the shell has ended
        return text

    def types(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        self.types("\x15exit\n")
        self.shown(quiet=1, longest=3)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def at_a_terminal(argv, env, setup, lines):
    """What the shell shows for each line after two Tabs, without the line as it was typed."""
    terminal = Terminal(argv, env)
    terminal.types(setup + "; stty cols 200; PS1='READY''> '; PROMPT=$PS1\n")
    # The prompt, not the echo of the command that sets it.
    terminal.shown(lambda text: "READY> " in text, quiet=15)
    for line, expected in lines.items():
        terminal.types(line)
        terminal.shown(lambda text: text.endswith(line), quiet=5)
        terminal.types("\t\t")
        # Where something must come it is waited for; nonsense gets a second.
        yield line, terminal.shown(lambda text: expected and expected <= words(line, text), quiet=5 if expected else 1)
        terminal.types("\x15")
        terminal.shown()
    terminal.end()


def words(line, shown):
    """The words that were offered: those of a list, or the only one, which the shell typed itself to the end."""
    last = line.split(" ")[-1]
    typed = last + shown.replace("\b", "").split("\n")[0].split(" ")[0].strip("\r")
    return set(re.split(r"[\s=]+", shown.replace("\b", ""))) | {typed.rstrip("=")}


def bash(folder, env, lines):
    rc = f"bind 'set show-all-if-ambiguous on'; bind 'set bell-style none'; bind 'set completion-query-items 0'; source {folder}/karpctl.bash"
    return at_a_terminal(["bash", "--norc", "--noprofile", "-i"], env, rc, lines)


def zsh(folder, env, lines):
    rc = f"unsetopt zle_bracketed_paste prompt_sp; unset zle_bracketed_paste; autoload -U compinit; compinit -D -u; LISTMAX=0; source {folder}/karpctl.zsh"
    return at_a_terminal(["zsh", "-f", "-i"], env, rc, lines)


def fish(folder, env, lines):
    for line in lines:
        ended = subprocess.run(["fish", "--no-config", "-c", f"source {folder}/karpctl.fish; complete -C '{line}'"], env=env, cwd=folder / "empty",
                               capture_output=True, text=True)
        assert ended.returncode == 0 and not ended.stderr, ended
        yield line, "\n".join(offer.split("\t")[0] for offer in ended.stdout.splitlines())


def elvish(folder, env, lines):
    """Only at a terminal has elvish an editor, and with it completions."""
    quoted = lambda line: " ".join(f"'{word}'" for word in line.split(" "))
    ask = "".join(f"echo 'line='; $edit:completion:arg-completer[karpctl] {quoted(line)} | each {{|c| echo 'offered='$c[stem] }}\n" for line in lines)
    (folder / "rc.elv").write_text(f"eval (slurp < {folder}/karpctl.elvish)\n{ask}exit\n")
    ended = subprocess.run(["script", "-qec", f"elvish -rc {folder}/rc.elv", "/dev/null"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert ended.returncode == 0 and "exception" not in ended.stdout.lower(), ended.stdout
    for line, part in zip(lines, ended.stdout.split("line=")[1:], strict=True):
        # Its editor keeps those that begin as the last word does.
        offered = re.findall(r"offered=(\S*)", part)
        yield line, "\n".join(word for word in offered if word.startswith(line.split(" ")[-1]))


def main():
    print("completions: typed in the real shells, Tab pressed")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "empty").mkdir()
        env = {"HOME": str(folder), "PATH": f"{KARPCTL.parent}:{os.environ['PATH']}", "TERM": "xterm", "LANG": "C.UTF-8"}
        for ask in (bash, zsh, fish, elvish):
            shell = ask.__name__
            if not shutil.which(shell):
                sys.exit(f"there is no {shell}: `make lab` installs it")
            made = subprocess.run([KARPCTL, "generate", "completions", shell], capture_output=True, text=True, check=True)
            (folder / f"karpctl.{shell}").write_text(made.stdout)
            expected = dict(LINES)
            shown = dict(ask(folder, env, {**expected, NONSENSE: set()}))
            for line, those in expected.items():
                lacks = sorted(those - words(line, shown[line]))
                assert not lacks, f"{shell}: `{line}<TAB>` does not offer {lacks}:\n{shown[line]!r}"
            every = set().union(*expected.values())
            assert not every & words(NONSENSE, shown[NONSENSE]), f"{shell}: nonsense is offered something: {shown[NONSENSE]!r}"
            print(f"  {shell}: {len(LINES)} lines offer what they must")
    print("  powershell: cannot be had here and was not run; test_powershell.py parses its script")


if __name__ == "__main__":
    main()
