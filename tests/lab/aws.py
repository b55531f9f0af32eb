"""A small client for the emulator behind the gate, for the lab's own use (it passes by the gate: no log, no faults)."""

import http.client
import json
import re
import urllib.parse
import xml.etree.ElementTree as ET

VERSIONS = {"cloudformation": "2010-05-15", "ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15",
            "autoscaling": "2011-01-01"}


class AwsError(Exception):
    """An answer of 400 or more; `status` and `text` say what the emulator said."""

    def __init__(self, what, status, text):
        super().__init__(f"{what}: {status} {text[:400]}")
        self.status, self.text = status, text


def strip_namespaces(root):
    """Element names without their namespace: the lab's own code reads them by plain name."""
    for e in root.iter():
        e.tag = e.tag.split("}", 1)[-1]
    return root


def authorization(service, region, key="test"):
    """A header that names key, region and service; the emulator does not check signatures."""
    return (f"AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0")


class Emulator:
    """Calls as root, unless another key is given."""

    def __init__(self, lab):
        self.lab = lab

    def send(self, service, method, path, body=None, content_type="application/x-www-form-urlencoded",
             headers=None, key="test", token=None, region=None, port="fakecloud", timeout=120):
        """One HTTP exchange: (status, text)."""
        head = {"content-type": content_type,
                "authorization": authorization(service, region or self.lab.region, key), **(headers or {})}
        if token:
            head["x-amz-security-token"] = token
        connection = http.client.HTTPConnection("127.0.0.1", self.lab.ports[port], timeout=timeout)
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf8", "replace")
        finally:
            connection.close()

    def query_raw(self, service, action, params=None, **kw):
        """A query-protocol call (EC2, IAM, STS, CloudFormation): (status, text)."""
        form = {"Action": action, "Version": VERSIONS[service], **(params or {})}
        return self.send(service, "POST", "/", urllib.parse.urlencode(form), **kw)

    def query(self, service, action, params=None, **kw):
        """As query_raw, but the parsed answer without namespaces; raises AwsError."""
        status, text = self.query_raw(service, action, params, **kw)
        if status >= 300:
            raise AwsError(f"{service}:{action}", status, text)
        return strip_namespaces(ET.fromstring(text))

    def unique_id(self, arn):
        """The unique id of a role, None of anything else."""
        name = arn.split("/")[-1] if ":role/" in arn else ""
        try:
            return self.query("iam", "GetRole", {"RoleName": name}).findtext(".//RoleId") if name else None
        except AwsError:
            return None

    def rest(self, service, method, path, body=None, **kw):
        """A REST-JSON call (EKS); raises AwsError."""
        status, text = self.send(service, method, path, None if body is None else json.dumps(body),
                                 "application/json", **kw)
        if status >= 300:
            raise AwsError(f"{service} {method} {path}", status, text)
        return json.loads(text or "{}")

    def target(self, service, target, body, **kw):
        """A JSON-RPC call (SQS, SSM, EventBridge), e.g. target AmazonSSM.GetParameter; raises AwsError."""
        status, text = self.send(service, "POST", "/", json.dumps(body), "application/x-amz-json-1.0",
                                 {"x-amz-target": target}, **kw)
        if status >= 300:
            raise AwsError(target, status, text)
        return json.loads(text or "{}")

    def caller(self, key, token=None):
        """(ARN of who holds that access key or None, what STS said)."""
        if key in self.lab.sessions:
            return self.lab.sessions[key], ""
        status, text = self.query_raw("sts", "GetCallerIdentity", key=key, token=token)
        found = re.search("<Arn>(.*?)</Arn>", text)
        return (found.group(1), "") if status == 200 and found else (None, text[:200])

    def clusters(self):
        """Every cluster as DescribeCluster gives it."""
        names = self.rest("eks", "GET", "/clusters").get("clusters", [])
        return [self.rest("eks", "GET", f"/clusters/{n}")["cluster"] for n in names]


def canonical(arn):
    """The ARN that EKS and IAM reason about: an assumed role is its role."""
    m = re.match(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/", arn or "")
    return f"arn:{m.group(1)}:iam::{m.group(2)}:role/{m.group(3)}" if m else arn


def quote(text):
    """For a path segment: an ARN in an EKS path has its slashes and colons escaped."""
    return urllib.parse.quote(text, safe="")
