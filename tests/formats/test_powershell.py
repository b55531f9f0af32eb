#!/usr/bin/env python3
"""PowerShell's completions, read by a grammar of PowerShell. There is no PowerShell to run them: what it is offered is read out of
the parsed script, and must be what tests/it/docs/powershell.txt keeps.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl"))
CACHE = pathlib.Path(os.environ.get("KARPCTL_LAB_CACHE") or pathlib.Path.home() / ".cache/karpctl-lab")
sys.path.insert(0, str(CACHE / "powershell"))

import tree_sitter  # noqa: E402
import tree_sitter_powershell  # noqa: E402

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def parsed(script):
    """The root of the script's tree. The grammar does not know a method whose only argument is a block without parentheses around it,
    which PowerShell takes; there is one, `$completions.Where{ … }`, and it gets its parentheses here."""
    longhand, methods = re.subn(r"\.Where(\{[^{}]*\})", r".Where(\1)", script)
    assert methods == 1, methods
    return PARSER.parse(longhand.encode()).root_node


def nodes(node, kind):
    if node.type == kind:
        yield node
    for child in node.children:
        yield from nodes(child, kind)


def text(node):
    return node.text.decode()


def offered(root):
    """What each command is offered, a line each, as the switch of the script has it."""
    switch, = nodes(root, "switch_statement")
    lines = []
    for clause in nodes(switch, "switch_clause"):
        command = text(clause.children[0]).strip("'").replace("karpctl", "").lstrip(";").replace(";", " ")
        words = []
        for made in nodes(clause, "invokation_expression"):
            assert re.match(r"\[CompletionResult\]::new\(", text(made)), text(made)
            arguments = next(nodes(made, "argument_expression_list")).named_children
            assert len(arguments) == 4 and text(arguments[2]).startswith("[CompletionResultType]::"), text(made)
            words.append(text(arguments[0]).strip("'"))
        if words:
            lines.append(f"karpctl {command}: {' '.join(words)}\n")
    return "".join(sorted(lines))


def main():
    made = subprocess.run([KARPCTL, "generate", "completions", "powershell"], capture_output=True, text=True, check=True)
    script = made.stdout
    root = parsed(script)
    assert not root.has_error, [text(node)[:200] for node in nodes(root, "ERROR")]
    kept = "".join(sorted((ROOT / "tests/it/docs/powershell.txt").read_text().splitlines(keepends=True)))
    assert offered(root) == kept, "what is parsed is not what is kept"
    # A string that does not end, a bracket too few: the grammar sees it.
    for right, wrong in (("'The EKS cluster", "The EKS cluster"), ("-join ';'", "-join ';"), ("switch ($command) {", "switch ($command) ")):
        assert right in script and parsed(script.replace(right, wrong, 1)).has_error, wrong
    print(f"powershell: {root.descendant_count} nodes without an error, {len(kept.splitlines())} commands; parsed, not run")


if __name__ == "__main__":
    main()
