"""A small Kubernetes client for the lab's own use, as the user lab:lab (which the audit log leaves out)."""

import http.client
import json
import ssl
import time


class KubeError(Exception):
    """An answer of 300 or more."""

    def __init__(self, method, path, status, text):
        super().__init__(f"{method} {path}: {status} {text[:300]}")
        self.status, self.text = status, text


class Kube:
    """JSON in, JSON out."""

    TOKEN = "lab-token"

    def __init__(self, lab):
        self.lab = lab
        self._context = None

    def _tls(self):
        if self._context is None:
            self._context = ssl.create_default_context(cafile=str(self.lab.cert_dir / "ca.crt"))
        return self._context

    def send(self, method, path, body=None, content_type="application/json", timeout=30):
        """(status, text) of one request."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.lab.ports["apiserver"], context=self._tls(),
                                                 timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"authorization": f"Bearer {self.TOKEN}", "content-type": content_type,
                                "user-agent": "lab"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf8", "replace")
        finally:
            connection.close()

    def call(self, method, path, body=None, content_type="application/json"):
        """The parsed answer; raises KubeError. A kind whose definition was just made anew answers 429 for a moment."""
        for _ in range(40):
            status, text = self.send(method, path, body, content_type)
            if status != 429:
                break
            time.sleep(0.25)
        if status >= 300:
            raise KubeError(method, path, status, text)
        return json.loads(text) if text else {}

    def get(self, path):
        return self.call("GET", path)

    def find(self, path):
        """As get, but None when there is no such thing."""
        try:
            return self.get(path)
        except KubeError as e:
            if e.status == 404:
                return None
            raise

    def items(self, path):
        """The items of a list; none when that kind does not exist (its CRD is not installed)."""
        return (self.find(path) or {}).get("items") or []

    def ensure(self, path, body):
        """POST; there already is fine."""
        try:
            return self.call("POST", path, body)
        except KubeError as e:
            if e.status != 409:
                raise

    def merge(self, path, patch):
        return self.call("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, path):
        """DELETE; gone already is fine."""
        status, text = self.send("DELETE", path)
        if status >= 300 and status != 404:
            raise KubeError("DELETE", path, status, text)
