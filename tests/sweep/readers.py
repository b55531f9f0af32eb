"""Every document read by a YAML 1.1 reader (PyYAML) says what karpctl's own JSON says, for names that such a reader likes to misread."""

import json

import yaml

NAMES = ("on", "NO", "y", "123", "0777", "1e3", "0x1F", "null", "1_000", "2026-11-24", "true", "a" * 100)


class Reader(yaml.SafeLoader):
    """Keeps CloudFormation's short functions as their long form."""


def function(loader, suffix, node):
    value = loader.construct_scalar(node)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Reader.add_multi_constructor("!", function)


def prove(karpctl, releases, report):
    count = 0
    for number, name in enumerate(NAMES):
        release = releases[-1 - number % len(releases)]
        words = ["--cluster-name", name, "--karpenter-version", release]
        texts = karpctl.documents("yaml", release, name)
        answers = karpctl.documents("json", release, name)
        for file, text in texts.items():
            read = list(yaml.load_all(text, Loader=Reader))
            said = json.loads(answers[file.replace(".yaml", ".json")])
            said = said["items"] if isinstance(said, dict) and said.get("kind") == "List" else [said]
            count += 1
            report.check(same(read, said), f"{file} of {' '.join(words)} is read otherwise by YAML 1.1:\n{read}\n{said}")
    report.say(f"readers: {count} documents with {len(NAMES)} names read by YAML 1.1 as karpctl means them")


def same(read, said):
    """Whether two values are the same, with policy documents as JSON and not as text."""
    if isinstance(read, dict) and isinstance(said, dict):
        if set(read) == set(said) == {"Fn::Sub"}:
            return opened(read["Fn::Sub"]) == opened(said["Fn::Sub"])
        return read.keys() == said.keys() and all(same(read[k], said[k]) for k in read)
    if isinstance(read, list) and isinstance(said, list):
        return len(read) == len(said) and all(map(same, read, said))
    return type(read) is type(said) and read == said


def opened(text):
    return json.loads(text) if text.lstrip().startswith("{") else text
