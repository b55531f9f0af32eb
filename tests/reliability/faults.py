#!/usr/bin/env python3
"""Lets every distinct request of a way go wrong in every way, and looks whether karpctl gets over it.

    python3 tests/reliability/faults.py                          every request with every fault, of a bootstrap, a destroy and an upgrade
    python3 tests/reliability/faults.py --sample 2               each fault on all requests at once, and on two alone
    python3 tests/reliability/faults.py --way destroy --fault lost --request 'eks DeleteAddon'
    python3 tests/reliability/faults.py --way new-cluster --eksctl --fault denied      eksctl's own requests, of which there are minutes

A passing fault meets a request once: the same run must get over it, or end with an error that says what could not be done and
what helps. One that lasts (AccessDenied, ExpiredToken) must end the run with the action, the resource and, for AccessDenied, the
statement that is missing, unless the way goes on without that request: then it must warn of what AWS refused, or what that was for is known
to be nothing to anybody. Then the fault is over: the same command must end well, a further one find nothing to do, and the inventory be that
of an undisturbed way.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass

from trials import Figures, Trials, arguments, say
from ways import WAYS, Failed, World, chosen, must, spread

SLOW = 36  # seconds: more than one attempt waits for an AWS answer
KUBE_SLOW = 66
REFUSED_AGAIN = "lost-409"
AWAY = 1.5  # seconds for which connections are refused


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
    "refused": lambda _: {"refuse": AWAY},
    "reset": lambda _: {"drop": True},
    "lost": lambda _: {"drop_after": True},
    REFUSED_AGAIN: lambda _: {"drop_after": True},  # and the request that is sent again is refused, for what it makes is there
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


# The ways of a whole sweep.
SWEPT = ("bootstrap", "destroy", "upgrade")


# What a way goes on without and says nothing of, and why nobody need know; what is left is judged all the same.
DONE_WITHOUT = {
    ("bootstrap", "iam GetOpenIDConnectProvider"): "only IRSA asks for one, and the way is by Pod Identity",
    ("destroy", "eks DescribeAccessEntry"): "it is deleted by its name, be it there or not",
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


EKSCTL = "eksctl"  # as it names itself to AWS


def of_eksctl(world):
    """The distinct AWS requests that eksctl has made so far."""
    made = [(r["service"], r["action"]) for r in world.stage.call("GET", "requests") if EKSCTL in r["agent"]]
    return list(dict.fromkeys(made))


def words_of(request):
    """By what an error may name a request: its action, or what of Kubernetes it is about; nothing where that is the API itself."""
    service, action = request
    path = action.split("?")[0].split("/")
    return [action] if service != "kubernetes" else [part for part in path[3:] if part not in ("v1", "v1beta1", "namespaces")]


def fault_of(kind, request, times):
    service, action = request
    made = PASSING[kind](service) if kind in PASSING else LASTING[kind](service, action)
    return {"service": service, "action": re.escape(action), "times": times, **made}


@dataclass
class Case:
    """A fault on one request of a way, or on all of them at once."""

    way: object
    kind: str
    requests: list
    wanted: dict
    agent: str = ""  # only requests of a program that says so of itself

    @property
    def key(self):
        return (f"{self.way.name} of {self.agent}" if self.agent else self.way.name, self.kind)

    @property
    def name(self):
        return " ".join(self.requests[0]) if len(self.requests) == 1 else "all at once"

    def run(self, world):
        """`over`: the same run got over it. `told`: it ended with an error that helps. `unmet`: it made no such request."""
        stage = world.stage
        stage.call("DELETE", "faults")
        stage.call("POST", "settings", {"replay": self.kind != REFUSED_AGAIN})
        times = 1 if self.kind in PASSING else 0
        stage.call("POST", "faults", [{**fault_of(self.kind, r, times), "agent": self.agent} for r in self.requests])
        try:
            met = stage.run(self.way.words)
            stage.quiet()
            used = sum(f["used"] for f in stage.call("GET", "faults"))
        finally:
            stage.call("DELETE", "faults")
            stage.call("POST", "settings", {"replay": True})
        if not used:
            must(met)
            world.state = self.way.end
            return "unmet"
        try:
            if met.code not in (0, 1, 4):
                raise Failed("it ended in no ordinary way")
            if met.code:
                self.told(met)
                must(stage.run(self.way.words))
            elif self.kind == "denied":
                self.warned(met)
            world.is_over(self.way, self.wanted)
        except Failed as e:
            raise Failed(f"{met.text()}\n--- {e}") from None
        return "told" if met.code else "over"

    def told(self, met):
        """Whether an error says what, to what, and what helps."""
        said = met.err
        if "error:" not in said or "hint:" not in said:
            raise Failed("the error does not help")
        words = [word for request in self.requests for word in words_of(request)]
        if self.kind == "expired":
            words.append("karpenter-crd")  # helm is told "Unauthorized" and no more, so that it can only name its release
        if words and not any(word in said for word in words):
            raise Failed(f"the error names none of {', '.join(words)}")
        names = [f"{s}:{a}" for s, a in self.requests if s != "kubernetes"]
        if self.kind == "denied" and names and not any(re.search(f"allow `{re.escape(n)}` on `[^`]+`", said) for n in names):
            raise Failed(f"the error does not name the statement that is missing for {', '.join(names)}")
        if self.kind == "expired" and names and "expired" not in said.lower():
            raise Failed("the error does not say that the credentials have expired")

    def warned(self, met):
        """Whether a run that got over a refusal of AWS says what it could not look at, where that is not known to be nothing to anybody."""
        said = "\n".join(re.findall(r"^warning: .*(?:\n  .*)*", met.err, re.M))
        for service, action in self.requests:
            known = service == "kubernetes" or (self.way.name, f"{service} {action}") in DONE_WITHOUT
            if not known and not re.search(rf"\b{service}:{action}\b", said):
                raise Failed(f"it got over the refusal, and does not warn of {service}:{action}")


def cases(args, figures):
    """All that are to be tried; each way is gone once undisturbed for its requests and what it ends with."""
    world, found, agent = World(args.karpctl), [], EKSCTL if args.eksctl else ""
    for name in args.way or SWEPT:
        way = WAYS[name]
        deeds, wanted = world.undisturbed(way)
        requests = of_eksctl(world) if args.eksctl else distinct(deeds)
        for kind in args.fault or [*PASSING, *LASTING]:
            whole = [r for r in requests if kind != REFUSED_AGAIN or r[0] == "eks" and r[1].startswith("Create")]
            meant = [r for r in whole if not args.request or args.request in " ".join(r)]
            if not meant:
                continue
            figures.row(Case(way, kind, [], wanted, agent).key, len(whole))
            met = [[meant[at - 1]] for at in chosen(len(meant), args.sample)]
            if args.sample and kind in PASSING and kind != "slow":
                met.insert(0, meant)
            for some in met:
                case = Case(way, kind, some, wanted, agent)
                if not (args.go_on and figures.has(case.key, case.name)):
                    found.append((meant.index(some[0]), case))
    world.close()
    # Those tried so far lie evenly over the requests, each with every fault.
    return [case for _, case in sorted(found, key=lambda numbered: spread(numbered[0]))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments(parser)
    parser.add_argument("--way", action="append", choices=list(WAYS))
    parser.add_argument("--fault", action="append", choices=[*PASSING, *LASTING])
    parser.add_argument("--request", help="only requests that contain this")
    parser.add_argument("--eksctl", action="store_true", help="the requests of eksctl, in place of all of the way")
    parser.add_argument("--sample", type=int, default=0, help="each fault on all requests at once, and on so many alone; 0: on each alone")
    args = parser.parse_args()
    figures = Figures(args)
    failures = Trials(args, figures, cases(args, figures)).all()
    over, told, bad = (figures.count(how) for how in ("over", "told", "failed"))
    say(f"{over} got over by the same run, {told} told and right after running again, {bad} failed")
    say(f"{over + told} of {over + told + bad} faults come right")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
