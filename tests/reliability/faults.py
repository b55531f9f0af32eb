#!/usr/bin/env python3
"""Lets every distinct request of a way go wrong in every way, and looks whether karpctl gets over it.

    python3 tests/reliability/faults.py                          every request with every fault
    python3 tests/reliability/faults.py --sample 2               each fault on all requests at once, and on two alone
    python3 tests/reliability/faults.py --way destroy --fault lost --request 'eks DeleteAddon'

A passing fault meets a request once: the same run must get over it, or end with an error that says what could not be done and
what helps. One that lasts (AccessDenied, ExpiredToken) must end the run with the action, the resource and, for AccessDenied, the
statement that is missing, unless the way goes on without that request. Then the fault is over: the same command must end well,
a further one find nothing to do, and the inventory be that of an undisturbed way.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

from crash import WAYS, Failed, Sweep, chosen, must, normal, say
from stage import ROOT, differences

SLOW = 36  # seconds: more than one attempt waits for an AWS answer
KUBE_SLOW = 66


def aws_error(service, code, message, status):
    """An error in the words of a service."""
    if service == "ec2":
        return {"status": status, "headers": {"content-type": "text/xml"}, "body":
                f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
                "<RequestID>1</RequestID></Response>"}
    if service in ("eks", "ssm"):
        return {"status": status, "headers": {"content-type": "application/json", "x-amzn-errortype": code},
                "body": json.dumps({"__type": code, "message": message})}
    return {"status": status, "headers": {"content-type": "text/xml"}, "body":
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>1</RequestId></ErrorResponse>"}


def kube_error(code, reason, message):
    return {"status": code, "headers": {"content-type": "application/json"}, "body": json.dumps({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "code": code})}


def throttled(service):
    if service == "kubernetes":
        return kube_error(429, "TooManyRequests", "too many requests, please try again later")
    code, status = {"ec2": ("RequestLimitExceeded", 503), "eks": ("TooManyRequestsException", 429),
                    "ssm": ("ThrottlingException", 400)}.get(service, ("Throttling", 400))
    return aws_error(service, code, "Rate exceeded", status)


def server(status, code, reason):
    def fault(service):
        if service == "kubernetes":
            return kube_error(status, reason, "the server has a bad day")
        return aws_error(service, code, "the service has a bad day", status)
    return fault


def denied(service, name):
    message = f"User: arn:aws:iam::123456789012:user/lab is not authorized to perform: {service}:{name}"
    code = {"ec2": "UnauthorizedOperation", "eks": "AccessDeniedException", "ssm": "AccessDeniedException"}.get(service, "AccessDenied")
    return aws_error(service, code, message, 403)


# what passes: a fault for a service
PASSING = {
    "throttled": throttled,
    "500": server(500, "InternalFailure", "InternalError"),
    "503": server(503, "ServiceUnavailable", "ServiceUnavailable"),
    "reset": lambda _: {"drop": True},
    "lost": lambda _: {"drop_after": True},
    "cut-off": lambda _: {"truncate": True},
    "wrong-type": lambda _: {"status": 200, "headers": {"content-type": "text/html"}, "body": "<html>Please log in</html>"},
    "slow": lambda service: {"delay": KUBE_SLOW if service == "kubernetes" else SLOW},
}
# what lasts until somebody does something
LASTING = {
    "denied": lambda service, name: (kube_error(403, "Forbidden", f"the user may not {name}") if service == "kubernetes"
                                     else denied(service, name)),
    "expired": lambda service, name: (kube_error(401, "Unauthorized", "Unauthorized") if service == "kubernetes" else aws_error(
        service, "ExpiredTokenException" if service in ("eks", "ssm") else "ExpiredToken",
        "The security token included in the request is expired", 403)),
}


def split(deed):
    """service and action of a deed: `aws eks DescribeCluster`, `kubernetes GET /api/v1/…`."""
    kind, rest = deed.split(" ", 1)
    return rest.split(" ", 1) if kind == "aws" else (kind, rest)


def distinct(deeds):
    """The requests of a way, each once; names that differ from run to run are left out of Kubernetes paths."""
    found = []
    for deed in deeds:
        if deed.startswith("start "):
            continue
        request = tuple(split(deed))
        if request not in found:
            found.append(request)
    return found


def fault_of(kind, request, times):
    service, action = request
    made = PASSING[kind](service) if kind in PASSING else LASTING[kind](service, action)
    return {"service": service, "action": re.escape(action), "times": times, **made}


class Faults(Sweep):
    """Runs with faults."""

    def go(self, way, faults, kind, requests):
        """`over`: the same run got over it. `told`: it ended with an error that helps. Raises Failed."""
        self.at_start(way)
        self.stage.call("DELETE", "faults")
        self.stage.call("POST", "faults", faults)
        try:
            met = self.stage.run(way.words)
            self.stage.quiet()
            used = sum(f["used"] for f in self.stage.call("GET", "faults"))
        finally:
            self.stage.call("DELETE", "faults")
        if not used:
            return "unmet"
        try:
            if met.code not in (0, 1, 4):
                raise Failed("it ended in no ordinary way")
            if met.code:
                self.told(met, kind, requests)
            last = must(self.stage.run(way.words), self.stage)
            if met.code:
                last = must(self.stage.run(way.words), self.stage)
            if "Nothing to do" not in last.out + last.err:
                raise Failed(f"a further run finds something to do\n{last.text()}")
            left = differences(normal(way.wanted), normal(self.stage.inventory()))
            if left:
                raise Failed("the inventory differs:\n" + "\n".join(left))
        except Failed as e:
            raise Failed(f"{met.text()}\n--- {e}") from None
        return "told" if met.code else "over"

    def told(self, met, kind, requests):
        """Whether an error says what, to what, and what helps."""
        said = met.err
        if "error:" not in said or "hint:" not in said:
            raise Failed("the error does not help")
        if kind == "denied":
            names = [f"{s}:{a}" for s, a in requests if s != "kubernetes"]
            if names and not any(re.search(f"allow `{re.escape(n)}` on `[^`]+`", said) for n in names):
                raise Failed(f"the error does not name the statement that is missing for {', '.join(names)}")
        if kind == "expired" and any(s != "kubernetes" for s, _ in requests) and "expired" not in said.lower():
            raise Failed("the error does not say that the credentials have expired")


def cases(requests, sample, kinds):
    """(kind, requests that it meets, times)."""
    for kind in kinds:
        if sample and kind in PASSING and kind != "slow":
            yield kind, requests, 1
        if sample and kind == "slow":
            continue
        for at in chosen(len(requests), sample):
            yield kind, [requests[at - 1]], 1 if kind in PASSING else 0


def sweep(args):
    runner, rows, failures = Faults(args.karpctl), {}, []
    for name in args.way or ("bootstrap", "destroy"):
        way = WAYS[name]
        runner.undisturbed(way)
        requests = distinct(way.points)
        if args.request:
            requests = [r for r in requests if args.request in " ".join(r)]
        started = time.monotonic()
        for kind, met, times in cases(requests, args.sample, args.fault or [*PASSING, *LASTING]):
            row = rows.setdefault((name, kind), {"way": name, "fault": kind, "requests": len(requests), "over": 0, "told": 0,
                                                 "unmet": 0, "failed": 0})
            shown = " ".join(met[0]) if len(met) == 1 else f"all {len(met)} requests"
            try:
                how = runner.go(way, [fault_of(kind, r, times) for r in met], kind, met)
                row[how] += 1
                say(f"{name} {kind} on {shown}: {how}")
            except (Failed, RuntimeError) as e:
                row["failed"] += 1
                failures.append(f"{name} {kind} {shown}")
                say(f"{name} {kind} on {shown}: FAILS\n{e}")
                runner.fresh(way.existing)
        say(f"{name}: {round(time.monotonic() - started)} s")
    runner.stage.stop()
    return list(rows.values()), failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--karpctl", default=ROOT / "target/debug/karpctl")
    parser.add_argument("--way", action="append", choices=list(WAYS))
    parser.add_argument("--fault", action="append", choices=[*PASSING, *LASTING])
    parser.add_argument("--request", help="only requests that contain this")
    parser.add_argument("--sample", type=int, default=0, help="each fault on all requests at once, and on so many alone; 0: on each alone")
    parser.add_argument("--figures", type=Path, help="also writes the figures there, as JSON")
    args = parser.parse_args()
    rows, failures = sweep(args)
    for r in rows:
        say(f"{r['way']}, {r['fault']}: {r['over']} got over by the same run, {r['told']} told and right after running again, {r['failed']} failed")
    say(f"{sum(r['over'] + r['told'] for r in rows)} of {sum(r['over'] + r['told'] + r['failed'] for r in rows)} faults are got over")
    if args.figures:
        args.figures.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
