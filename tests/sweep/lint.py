"""Every template through cfn-lint: of each group, in each partition, and of the variants that change the stack."""

import subprocess

import groups

VARIANTS = (["--private"], ["--permissions-boundary", "arn:aws:iam::123456789012:policy/boundary"], ["--tag", "on=1e3"])
# What cfn-lint says of the official templates as well: they grant this on the cluster, which IAM's list of resources does not have, until
# v1.13.0 grants it on all with a condition.
OFFICIAL = {"1.12.2": ("W1031", "arc-zonal-shift:GetManagedResource")}
# A template that cfn-lint must not be content with.
WRONG = """AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {MessageRetentionPeriods: 300}
"""


def prove(cache, karpctl, regions, report):
    folder, count, clean, official = karpctl.work / "lint", 0, 0, 0
    for partition, region in regions.items():
        here = folder / partition
        here.mkdir(parents=True)
        place = ["--region", region, "--cluster-name", "demo", "--account-id", "123456789012"]
        wanted = [(g["last"], []) for g in groups.read()]
        if partition == "aws":
            wanted += [(release, words) for release in ("1.14.1", "1.8.8", "0.37.8", "0.31.5") for words in VARIANTS]
        for number, (release, words) in enumerate(wanted):
            text = karpctl.run("render", "cloudformation", "--karpenter-version", release, *place, *words)
            (here / f"{number:02}-{release}.yaml").write_text(text)
        _, said = run(cache, region, sorted(here.iterdir()))
        count += len(wanted)
        lines = [line for line in said.splitlines() if line.strip()]
        own = [line for line in lines if not any(f"-{r}.yaml" in line and all(w in line for w in words) for r, words in OFFICIAL.items())]
        clean += len(wanted) if report.check(not own, f"cfn-lint in {region} says: {own}") else 0
        official += len(lines) - len(own)
    (folder / "wrong.yaml").write_text(WRONG)
    code, said = run(cache, regions["aws"], [folder / "wrong.yaml"])
    report.check(code != 0 and "MessageRetentionPeriods" in said, f"cfn-lint is content with a wrong template: {said}")
    report.say(f"cfn-lint: {clean} of {count} templates clean, of {len(groups.read())} groups in {len(regions)} partitions and of {len(VARIANTS)} variants; "
               f"a wrong one refused; {official} warnings that the official template of {', '.join(OFFICIAL)} has too")


def run(cache, region, files):
    done = subprocess.run([cache / "venv/bin/cfn-lint", "--regions", region, "--format", "parseable", "--", *files], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
