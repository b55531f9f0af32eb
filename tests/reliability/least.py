#!/usr/bin/env python3
"""Works as an IAM user who may do exactly what `karpctl render operator-policy --for WORK` prints, and then without each action.

    python3 tests/reliability/least.py                       every action of every work
    python3 tests/reliability/least.py --sample 3            three actions of each
    python3 tests/reliability/least.py --work destroy --action iam:DeleteRole

The gate asks IAM about every call, and about what CloudFormation does with its caller's permissions. With the whole policy the work
must end well; without any one of its actions it must not, and must name it. Actions that only a changed release or spec calls for
are left out in an update of the stack.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from crash import BOOTSTRAP, DESTROY, OLDER, Failed, Sweep, chosen, must, say
from stage import ROOT, differences

DOCTOR = ["doctor", "--existing-cluster", "--area", "account,cluster,release", "--karpenter-version", "1.14.1"]
USER = "operator"
WORKS = {"bootstrap": BOOTSTRAP, "doctor": DOCTOR, "destroy": DESTROY}
# what only an update of a stack or role calls for; the upgrade from the older release is such a one
UPDATE = ("cloudformation:UpdateStack",)
# without these the work ends well, and says what it cannot show
SHOWN = ("cloudformation:DescribeStackEvents",)
# CloudFormation's handlers call these for changes that the upgrade does not make; the gate cannot ask for them
UNPROVEN = ("iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy", "iam:UntagRole", "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "eks:UpdatePodIdentityAssociation")


class Least(Sweep):
    """A stage with a user."""

    def fresh(self, existing):
        super().fresh(existing)
        self.iam("CreateUser", UserName=USER)
        made = self.iam("CreateAccessKey", UserName=USER)["AccessKey"]
        self.keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        arn = "arn:aws:iam::123456789012:user/" + USER
        self.aws("eks", "create-access-entry", "--cluster-name", self.stage.cluster, "--principal-arn", arn)
        self.aws("eks", "associate-access-policy", "--cluster-name", self.stage.cluster, "--principal-arn", arn, "--access-scope",
                 "type=cluster", "--policy-arn", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")
        self.empty = self.stage.inventory()

    def aws(self, *words):
        done = subprocess.run(["aws", *words, "--output", "json"], env=self.stage.env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout or "{}")

    def iam(self, action, **parameters):
        words = [w for k, v in parameters.items() for w in ("--" + re.sub(r"(?<!^)(?=[A-Z])", "-", k).lower(), v)]
        return self.aws("iam", re.sub(r"(?<!^)(?=[A-Z])", "-", action).lower(), *words)

    def policy(self, work):
        ran = must(self.stage.run(["render", "operator-policy", "--for", work, "--existing-cluster", "--karpenter-version", "1.14.1",
                                   "--account-id", "123456789012", "--region", "us-west-2"]), self.stage)
        return json.loads(ran.out)

    def run_as_user(self, work, policy, words=None):
        self.iam("PutUserPolicy", UserName=USER, PolicyName="work", PolicyDocument=json.dumps(policy))
        self.stage.call("POST", "settings", {"strict": True})
        try:
            return self.stage.run(words or WORKS[work], env=self.keys)
        finally:
            self.stage.call("POST", "settings", {"strict": False})

    def leftovers(self):
        """What Karpenter leaves behind when it ends before its node classes."""
        self.aws("iam", "create-instance-profile", "--instance-profile-name", "demo_leftover")
        self.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", "demo_leftover", "--role-name", "KarpenterNodeRole-demo")
        self.aws("ec2", "create-launch-template", "--launch-template-name", "karpenter.k8s.aws/1", "--launch-template-data",
                 '{"InstanceType":"m5.large"}', "--tag-specifications",
                 "ResourceType=launch-template,Tags=[{Key=karpenter.k8s.aws/cluster,Value=demo}]")

    def start(self, work, action=None):
        """What the work begins with: nothing of ours, a bootstrapped cluster, or one with the older release's stack."""
        if self.stage is None:
            self.fresh(True)
        if work == "doctor":
            # it changes nothing, so one bootstrapped cluster serves all of its runs
            if "Nothing to do" not in must(self.stage.run(BOOTSTRAP), self.stage).out:
                must(self.stage.run(BOOTSTRAP), self.stage)
            return
        if differences(self.empty, self.stage.inventory()):
            must(self.stage.run(DESTROY), self.stage)
        if work == "destroy":
            must(self.stage.run(BOOTSTRAP), self.stage)
            self.leftovers()
        elif action in UPDATE:
            must(self.stage.run(OLDER), self.stage)


def actions_of(policy):
    return sorted({a for s in policy["Statement"] for a in s["Action"]})


def without(policy, action):
    statements = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in policy["Statement"]]
    return {**policy, "Statement": [s for s in statements if s["Action"]]}


def sweep(args):
    runner, rows, failures = Least(args.karpctl), [], []
    for work in args.work or WORKS:
        started = time.monotonic()
        runner.start(work)
        policy = runner.policy(work)
        whole = runner.run_as_user(work, policy)
        if whole.code or "denied" in (whole.out + whole.err).lower():
            failures.append(f"{work}: the whole policy does not suffice")
            say(f"{work}: THE WHOLE POLICY DOES NOT SUFFICE\n{whole.text()}")
            runner.fresh(True)
        else:
            say(f"{work}: the whole policy suffices")
        actions = [a for a in actions_of(policy) if a not in UNPROVEN]
        picked = [actions[n - 1] for n in chosen(len(actions), args.sample)] if not args.action else args.action
        good = 0
        for action in picked:
            try:
                runner.start(work, action)
                ran = runner.run_as_user(work, without(policy, action))
                said = ran.out + ran.err
                if work != "doctor" and ran.code == 0 and action not in SHOWN:
                    raise Failed(f"it is not needed\n{ran.text()}")
                if action not in said:
                    raise Failed(f"it is not named\n{ran.text()}")
                good += 1
                say(f"{work} without {action}: fails, and names it")
            except (Failed, RuntimeError) as e:
                failures.append(f"{work} {action}")
                say(f"{work} without {action}: {e}")
        rows.append({"work": work, "actions": len(actions), "tried": len(picked), "needed": good,
                     "seconds": round(time.monotonic() - started)})
        say(f"{work}: {good} of {len(picked)} actions are needed and named when they are missing")
    runner.stage.stop()
    return rows, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--karpctl", default=ROOT / "target/debug/karpctl")
    parser.add_argument("--work", action="append", choices=list(WORKS))
    parser.add_argument("--action", action="append", help="only without this action")
    parser.add_argument("--sample", type=int, default=0, help="so many actions of each work; 0: every one")
    parser.add_argument("--figures", type=Path, help="also writes the figures there, as JSON")
    args = parser.parse_args()
    rows, failures = sweep(args)
    if args.figures:
        args.figures.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
