"""Every ClusterConfig through `eksctl create cluster --dry-run`.

eksctl takes the Kubernetes versions of its day only. A config with another one is first seen to be refused for its version and for
nothing else, and then taken with the nearest version that eksctl knows.
"""

import re

from documents import by_text, span

VARIANTS = (
    ["--fargate", "--identity", "irsa"], ["--identity", "irsa"], ["--node-access", "access-entry"], ["--node-access", "both"], ["--windows"], ["--private"],
    ["--ip-family", "ipv6"], ["--ip-family", "ipv6", "--identity", "irsa"], ["--kms-key", "arn:aws:kms:us-west-2:123456789012:key/1"],
    ["--permissions-boundary", "arn:aws:iam::123456789012:policy/boundary", "--tag", "on=1e3"])
SUPPORTED = re.compile(r"supported values: ([\d., ]+)")


def prove(lab, karpctl, rendered, report):
    wanted = {text: span(releases) for text, releases in by_text(rendered, "cluster-config.yaml").items()}
    covered = sum(len(r) for r in by_text(rendered, "cluster-config.yaml").values())
    plain = len(wanted)
    for release in ("1.14.1", "1.0.14", "0.37.8", "0.31.5"):
        for words in VARIANTS:
            text = karpctl.run("render", "cluster-config", "--karpenter-version", release, *karpctl.place, *words)
            wanted.setdefault(text, f"{release} {' '.join(words)}")
    file, replaced, accepted = karpctl.work / "cluster-config.yaml", {}, 0
    for text, releases in wanted.items():
        code, said = dry_run(lab, file, text)
        versions = SUPPORTED.search(said)
        if code and versions:
            own = re.search(r'^  version: "(.*)"$', text, re.M)[1]
            nearest = min(versions[1].replace(" ", "").strip(".").split(","), key=lambda v: abs(minor(v) - minor(own)))
            replaced.setdefault(own, []).append(releases)
            code, said = dry_run(lab, file, text.replace(f'version: "{own}"', f'version: "{nearest}"'))
        accepted += report.check(code == 0 and "kind: ClusterConfig" in said, f"eksctl refuses the ClusterConfig of {releases}: {said[-600:]}")
    code, said = dry_run(lab, file, text.replace("\nmetadata:\n", "\nmetadata:\n  karpctlKnowsNoSuchField: true\n"))
    report.check(code != 0 and "karpctlKnowsNoSuchField" in said, f"eksctl takes a field that it has not: {said[-300:]}")
    other = sum(map(len, replaced.values()))
    report.say(f"eksctl: {accepted} of {len(wanted)} different ClusterConfigs taken, {plain} of {covered} releases and {len(wanted) - plain} variants; "
               f"{accepted - other} as they are, {other} with another Kubernetes version and otherwise as they are; one with a stray field refused")
    for version, releases in sorted(replaced.items(), key=lambda item: minor(item[0])):
        report.say(f"eksctl: refuses Kubernetes {version} as one that EKS no longer makes, and nothing else; taken with the nearest that it knows: "
                   f"{', '.join(releases)}")


def dry_run(lab, file, text):
    file.write_text(text)
    return lab.run("eksctl", "create", "cluster", "--dry-run", "-f", str(file), ok=False)


def minor(version):
    return int(version.split(".")[1])
