"""One AWS request and one answer, whatever the protocol, and how each service words an error."""

import json
import re
import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cached_property
from xml.sax.saxutils import escape

import eks_routes

XML = {"content-type": "text/xml;charset=UTF-8"}
JSON = {"content-type": "application/json"}
AMZ_JSON = {"content-type": "application/x-amz-json-1.1"}


@dataclass
class Answer:
    """What goes back to the client."""

    status: int
    headers: dict
    body: bytes

    @property
    def ok(self):
        return self.status < 300

    @cached_property
    def json(self):
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            return {}

    def with_json(self, document):
        return Answer(self.status, self.headers, json.dumps(document).encode())

    def with_xml(self, root):
        """The same answer with another document; `root` must carry its namespaces."""
        namespace = root.tag[1:].split("}")[0] if root.tag.startswith("{") else None
        return Answer(self.status, XML, ET.tostring(root, default_namespace=namespace))


def xml(text, status=200):
    return Answer(status, XML, text.encode())


def as_json(document, status=200, headers=JSON):
    return Answer(status, headers, json.dumps(document).encode())


class Call:
    """One request as the quirks see it."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        # what quirks note for the log line of this call
        self.notes = {}
        scope = re.search(r"Credential=([^/]+)/\d+/([\w-]+)/([\w-]+)/aws4_request", headers.get("authorization", ""))
        self.key, self.region, self.service = scope.groups() if scope else ("", "", "")
        self.token = headers.get("x-amz-security-token")
        if not scope:
            # unsigned (AssumeRoleWithWebIdentity) or signed in the query: the host says which service it is for
            host = re.match(r"([\w-]+)\.(?:([\w-]+)\.)?amazonaws", headers.get("host", ""))
            self.service, self.region = (host.group(1), host.group(2) or "") if host else ("", "")
            if not self.service and self.params.get("Action", "").startswith("AssumeRole"):
                self.service = "sts"

    @cached_property
    def params(self):
        """The fields of a query-protocol request."""
        text = self.body.decode("utf8", "replace") if b"Action=" in (self.body or b"") else ""
        text = text or urllib.parse.urlparse(self.path).query
        return {k: v[0] for k, v in urllib.parse.parse_qs(text, keep_blank_values=True).items()}

    @cached_property
    def json(self):
        """The fields of a JSON request."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def segments(self):
        """The path of a REST request, unescaped."""
        return [urllib.parse.unquote(s) for s in self.path.split("?")[0].strip("/").split("/")]

    @cached_property
    def action(self):
        """The name of the API operation, e.g. DescribeCluster."""
        if self.service == "eks":
            return eks_routes.operation(self.method, self.path) or f"{self.method} {self.path.split('?')[0]}"
        target = self.headers.get("x-amz-target", "").split(".")[-1]
        return target or self.params.get("Action") or f"{self.method} {self.path.split('?')[0]}"

    def members(self, prefix):
        """The values of a numbered list of fields, in order: `prefix` + 1, 2, …"""
        found = [(int(m.group(1)), v) for k, v in self.params.items() if (m := re.fullmatch(re.escape(prefix) + r"(\d+)", k))]
        return [v for _, v in sorted(found)]

    def pairs(self, prefix, key="Key", value="Value"):
        """A numbered list of key and value fields, as a dict: PREFIX.1.Key, PREFIX.1.Value, …"""
        out = {}
        for k, v in self.params.items():
            if m := re.fullmatch(rf"{re.escape(prefix)}\.(\d+)\.{key}", k):
                out[v] = self.params.get(f"{prefix}.{m.group(1)}.{value}")
        return out

    def filters(self):
        """EC2's Filter.N: name -> set of values."""
        out = {}
        for k, v in self.params.items():
            if m := re.fullmatch(r"Filter\.(\d+)\.Name", k):
                out[v] = {w for kk, w in self.params.items() if re.fullmatch(rf"Filter\.{m.group(1)}\.Value\.\d+", kk)}
        return out


def error(call, code, message, status=400):
    """An error as the call's service words it."""
    if call.service == "ec2":
        return xml(f'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>{code}</Code>'
                   f"<Message>{escape(message)}</Message></Error></Errors><RequestID>lab</RequestID></Response>", status)
    if "Action" in call.params:
        return xml(f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
                   "</Error><RequestId>lab</RequestId></ErrorResponse>", status)
    return as_json({"__type": code, "message": message}, status, {**JSON, "x-amzn-errortype": code})


def ns(root):
    """The namespace prefix of a parsed document, for find and iter: `{uri}` or nothing."""
    return root.tag.split("}")[0] + "}" if root.tag.startswith("{") else ""
