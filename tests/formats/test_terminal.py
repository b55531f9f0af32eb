#!/usr/bin/env python3
"""karpctl in a terminal that people use: tmux, of 80 and of 120 columns, with and without colours.

The questions of `init`, a plan, the bars of a run, a Ctrl-C and what is left of each are read off tmux's screen. No line is broken by the
terminal, nothing that moved is left, the shell goes on at the first column, and the colours read on black and on white. The
account is one where steps are done, fail, and never run (empty_account.py).
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from empty_account import Account

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl")).resolve()
LONGEST = 180  # seconds for one command
ROWS = 50
PROMPT = re.compile(r"\[(\d+)\]>")
QUESTION = re.compile(r"(Which\? )?\[[^\]]*\]:|Go on\? ")
BAR = re.compile(r"[|/\\-] .+ \[.+\]|  > ")
# What a person copies stays whole, wherever the terminal ends its line.
COPIED = ("https://", "/", "`", "karpctl ", "aws ", "helm ", "kubectl ")
# Bold, and back to none.
PLAIN = {"0", "1"}
FAINT = "2"
# What is red, green and orange to a terminal, in the numbers by which it is told.
COLOURS = {"31", "38;5;28", "38;5;130"}
# xterm's own red. The colours above the first sixteen are the same in every terminal.
XTERM = {"31": (205, 0, 0)}
# What is written on black and on white where no colour is told.
GROUNDS = {(0, 0, 0): (229, 229, 229), (255, 255, 255): (0, 0, 0)}
# The least contrast: what WCAG 2.1 asks of large words and of signs (1.4.3, 1.4.11).
CONTRAST = 3


def shown(colour, ground):
    """Red, green and blue of what is told so, on a ground."""
    if colour == FAINT:  # halfway to the ground, as most terminals draw it
        return tuple((mine + its) // 2 for mine, its in zip(GROUNDS[ground], ground, strict=True))
    if colour in XTERM:
        return XTERM[colour]
    number = int(colour.removeprefix("38;5;")) - 16
    assert 0 <= number < 216, f"{colour} differs from terminal to terminal"
    return tuple(55 + 40 * part if part else 0 for part in (number // 36, number // 6 % 6, number % 6))


def luminance(colour):
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colour):
    """The least contrast of a colour, of what is written on black and on white."""
    pairs = [sorted((luminance(shown(colour, ground)), luminance(ground))) for ground in GROUNDS]
    return min((lighter + 0.05) / (darker + 0.05) for darker, lighter in pairs)


def told_in(codes):
    """What stands in codes of colour, `1;38;5;28`."""
    return {colour for code in codes for colour in re.findall(r"[34]8;5;\d+|\d+", code)}


class Terminal:
    """bash in a tmux of its own."""

    def __init__(self, folder, env, columns):
        folder.mkdir()
        self.columns, self.folder, self.frames, self.bars = columns, folder, 0, 0
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
        (folder / "bashrc").write_text(f"unset HISTFILE\n{exports}cd {folder}\nbind 'set enable-bracketed-paste off'\nPS1='[$?]> '\n")
        (folder / "conf").write_text("set -g status off\nset -g history-limit 20000\n")
        # Nothing is written before it is listened to.
        os.mkfifo(folder / "begin")
        shell = f"cat {folder}/begin; exec bash --noprofile --rcfile {folder}/bashrc -i"
        self.tmux("-f", folder / "conf", "new-session", "-d", "-x", columns, "-y", ROWS, shell)
        self.tmux("pipe-pane", "-o", f"cat > {folder}/written")
        (folder / "begin").write_text("")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")

    def tmux(self, *words):
        env = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "TERM": "xterm"}
        argv = ["tmux", "-u", "-S", self.folder / "tmux", *map(str, words)]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout

    def lines(self):
        """What stands on the screen and above it. A line that the terminal broke is one line here."""
        lines = [line.rstrip() for line in self.tmux("capture-pane", "-p", "-J", "-S", "-").rstrip().split("\n")]
        broken = [line for line in lines if len(line) > self.columns and not line.lstrip().startswith(COPIED)]
        assert not broken, f"a terminal of {self.columns} columns breaks {broken}"
        return lines

    def goes_on(self, prompts, answers=(), interrupt=None):
        """Waits until the shell has that many prompts behind it and waits at another, at the first column; the lines since then."""
        answers, asked, ends = list(answers), None, time.monotonic() + LONGEST
        while True:
            lines = self.lines()
            places = [place for place, line in enumerate(lines) if PROMPT.match(line)]
            shown = lines[places[prompts - 1] + 1:] if prompts else lines
            bars = [line for line in shown if BAR.match(line)]
            self.frames, self.bars = self.frames + 1, max(self.bars, len(bars))
            if len(places) > prompts and PROMPT.fullmatch(lines[-1]):
                return shown[:-1], int(PROMPT.match(lines[-1]).group(1))
            questions = [line for line in shown if QUESTION.match(line)]
            if answers and len(questions) != asked and questions:
                asked = len(questions)
                self.tmux("send-keys", answers.pop(0), "Enter")
            if interrupt and any(interrupt in bar for bar in bars):
                interrupt = None
                self.tmux("send-keys", "C-c")
            assert time.monotonic() < ends, "\n".join(lines)
            time.sleep(0.05)

    def types(self, line, code=0, answers=(), interrupt=None):
        """Types this to the shell; what it said, once the terminal is as it was before."""
        before = sum(bool(PROMPT.match(line)) for line in self.lines())
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")
        said, ended = self.goes_on(before, answers, interrupt)
        assert ended == code, f"`{line}` ended with {ended}\n" + "\n".join(said)
        left = [line for line in said if BAR.match(line)]
        assert not left, f"`{line}` leaves {left}"
        state = self.tmux("display-message", "-p", "cursor #{cursor_x} #{cursor_flag}, other screen #{alternate_on}").strip()
        assert state == f"cursor {len(f'[{code}]> ')} 1, other screen 0", f"`{line}` leaves the terminal with {state}"
        return said

    def obeyed(self):
        """What the terminal was told beside text: the colours, and the letters of all else."""
        written = (self.folder / "written").read_text()
        codes = re.findall(r"\x1b(\[[\x20-\x3f]*[\x40-\x7e]|.)", written)
        return told_in(code[1:-1] for code in codes if code.endswith("m")), {code for code in codes if not code.endswith("m")}

    def coloured(self):
        """The colours on the screen and above it, as tmux draws them."""
        return told_in(re.findall(r"\x1b\[([0-9;:]*)m", self.tmux("capture-pane", "-p", "-e", "-S", "-")))


def questions_and_plan(terminal):
    """A spec by questions, each answered with what is usual, and the plan of it."""
    said = terminal.types("karpctl init", answers=[""] * 20)
    assert len([line for line in said if QUESTION.match(line)]) >= 3 and "wrote karpctl.yaml" in said, said
    said = terminal.types("karpctl bootstrap --dry-run")
    assert "Plan: bootstrap demo in us-west-2 of account 111122223333 (Karpenter 1.14.1)" in " ".join(said) and any("\\_ " in line for line in said), said


def run(terminal):
    """A run that is agreed to: two bars, each with the last that was said beneath it, and in the end how each step ended."""
    said = terminal.types("karpctl bootstrap --cluster-name demo", code=1, answers=["explain", "y"])
    ends = {line[:8].rstrip() for line in said}
    assert {"done", "failed", "not run"} <= ends and terminal.bars >= 4, (terminal.bars, said)


def interrupted(terminal):
    """A run that is left by Ctrl-C while the bars are drawn."""
    said = terminal.types("karpctl bootstrap --yes", code=130, interrupt="> eksctl: ")
    assert any(line.startswith("error: interrupted") for line in said), said


def wrong(terminal):
    """An error, with the line of the file that it is about."""
    (terminal.folder / "karpctl.yaml").write_text("clusterName: demo\nregion: us-west-2\nidentty: irsa\n")
    assert "hint: did you mean `identity`?" in terminal.types("karpctl bootstrap --dry-run", code=2)


def looked(terminal):
    """What the doctor finds, each with its id."""
    said = terminal.types("karpctl doctor --offline --area client; true")
    assert any("[helm-version]" in line for line in said), said


def explained(terminal):
    """A permission, with the lines that say where it holds."""
    said = terminal.types("karpctl explain iam:PassRole")
    heads = ("Why Karpenter's controller may call iam:PassRole:", "only where:", "Why whoever runs karpctl must be allowed iam:PassRole:")
    assert all(head in said for head in heads), said


# Columns, what is in the environment besides, and what is done there, one after the other.
SCENES = (
    (80, {}, (questions_and_plan, run, looked, wrong, explained)),
    (120, {}, (questions_and_plan, interrupted)),
    (80, {"NO_COLOR": "1"}, (run, wrong)),
    (120, {"NO_COLOR": "1"}, (questions_and_plan, looked)),
)


def scene(folder, columns, more, acts):
    """Plays one; how often the screen was looked at, and the colours."""
    account = Account(folder)
    # It is found by its name.
    (folder / "bin/karpctl").symlink_to(KARPCTL)
    try:
        with Terminal(folder / "terminal", {**account.env, "LANG": "C.UTF-8", **more}, columns) as terminal:
            terminal.goes_on(0)
            for act in acts:
                act(terminal)
            told, others = terminal.obeyed()
            # Up to the first of the bars, and all that follows taken away.
            assert all(re.fullmatch(r"\[\d+A|\[0J", code) for code in others), others
            if more:
                assert not told, f"told to colour nothing, it sends {told}"
            else:
                drawn = terminal.coloured()
                known, least = COLOURS | PLAIN | {FAINT}, {"1", "38;5;28"}
                assert least <= told <= known and least <= drawn <= known | {"39", "49"}, (told, drawn)
            return terminal.frames, told - PLAIN
    finally:
        account.close()


def main():
    if not shutil.which("tmux"):
        assert "CI" not in os.environ, "there is no tmux"
        print("\nSKIPPED, NOTHING TESTED: there is no tmux: `make lab` installs it\n", file=sys.stderr)
        return
    looks, colours = 0, set()
    for columns, more, acts in SCENES:
        with tempfile.TemporaryDirectory() as folder:
            frames, told = scene(pathlib.Path(folder), columns, more, acts)
        looks, colours = looks + frames, colours | told
    assert colours == COLOURS | {FAINT}, f"not each was seen: {colours}"
    contrasts = {colour: contrast(colour) for colour in colours}
    unread = [f"{colour} ({found:.1f}:1)" for colour, found in contrasts.items() if found < CONTRAST]
    assert not unread, f"not read on black or on white: {', '.join(unread)}"
    print(f"terminal: {looks} looks at 80 and 120 columns of tmux: no line is broken, nothing is left, and the {len(colours)} colours have "
          f"a contrast of {min(contrasts.values()):.1f}:1 or more on black and on white")


if __name__ == "__main__":
    main()
