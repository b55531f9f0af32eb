"""The kinds of faults: what the lab is told so that a request meets one, and by what an error may name that request."""

import json
import re

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


def words_of(request):
    """By what an error may name a request: its action, or what of Kubernetes it is about; nothing where that is the API itself."""
    service, action = request
    path = action.split("?")[0].split("/")
    return [action] if service != "kubernetes" else [part for part in path[3:] if part not in ("v1", "v1beta1", "namespaces")]


def fault_of(kind, request, times):
    service, action = request
    made = PASSING[kind](service) if kind in PASSING else LASTING[kind](service, action)
    return {"service": service, "action": re.escape(action), "times": times, **made}
