"""The gate: every AWS call of the lab goes through it to the emulator.

It logs each call, injects the faults that a test asked for, enforces IAM in strict mode, and lets the quirk modules
correct what the emulator does otherwise than AWS. A quirk module has `before(lab, call)`, which may answer in the
emulator's place, and `after(lab, call, answer)`, which may change its answer.
"""

import http.client
import http.server
import json
import socket
import threading
import time

import clock
import control
import deletion_protection
import quirks_catalogue
import quirks_cfn
import quirks_ec2
import quirks_eks
import quirks_elb
import quirks_iam
import quirks_ssm
import quirks_sts
import quirks_versions
import strict
from call import Answer, Call, as_json
from faults import Faults, cut
from refusal import Refusing
from supervisor import free_port
import zonal_shift
from tripwire import Tripwire

# tried in this order; the first answer wins
QUIRKS = {
    "cloudformation": [quirks_versions, zonal_shift, quirks_cfn],
    "eks": [quirks_versions, zonal_shift, deletion_protection, quirks_eks],
    "iam": [quirks_iam],
    "ec2": [quirks_ec2, quirks_catalogue],
    "elasticloadbalancing": [quirks_elb],
    "ssm": [quirks_ssm],
    "sts": [quirks_sts],
    "pricing": [quirks_catalogue],
    "api.pricing": [quirks_catalogue],
    "arc-zonal-shift": [zonal_shift],
}
HOP_BY_HOP = ("content-length", "connection", "transfer-encoding")


class Gate:
    """The calls so far, the faults, and how a call is answered."""

    def __init__(self, lab):
        self.lab = lab
        self.faults = Faults()
        self.tripwire = Tripwire()
        self.requests = []
        self.doors = []  # the servers that a fault can have away
        self._lock = threading.Lock()
        self._file = (lab.log_dir / "gate.jsonl").open("a", buffering=1)

    def record(self, call, started, status=None, answer=None):
        """Adds one line to the log."""
        line = {"time": round(time.time(), 3), "service": call.service, "region": call.region, "action": call.action,
                "method": call.method, "path": call.path if call.path != "/" else "", "key": call.key,
                "status": status, "ms": round((time.monotonic() - started) * 1000),
                "agent": call.headers.get("user-agent", "")[:200], **call.notes}
        if answer is not None and not answer.ok:
            line["error"] = answer.body[:400].decode("utf8", "replace")
        with self._lock:
            line["n"] = len(self.requests)
            self.requests.append(line)
        self._file.write(json.dumps(line) + "\n")

    def latency(self, service):
        """Seconds to wait before a call of a service."""
        ms = self.lab.settings["latency_ms"]
        return (ms.get(service, ms.get("*", 0)) if isinstance(ms, dict) else ms) / 1000

    def answer(self, call):
        """The answer to a call, without faults."""
        denied = clock.refuse(self.lab, call) or strict.decide(self.lab, call)
        if denied:
            return denied
        quirks = QUIRKS.get(call.service, [])
        for q in quirks:
            found = q.before(self.lab, call)
            if found is not None:
                call.notes["by"] = "gate"
                return found
        found = self.forward(call)
        for q in quirks:
            found = q.after(self.lab, call, found)
        return found

    def forward(self, call):
        """What the emulator says."""
        headers = {k: v for k, v in call.headers.items() if k not in (*HOP_BY_HOP, "accept-encoding", "expect")}
        connection = http.client.HTTPConnection("127.0.0.1", self.lab.ports["fakecloud"], timeout=120)
        try:
            connection.request(call.method, call.path, body=call.body or None, headers=headers)
            got = connection.getresponse()
            return Answer(got.status, dict(got.getheaders()), got.read())
        except (OSError, http.client.HTTPException) as e:
            return as_json({"__type": "InternalFailure", "message": f"the lab's emulator did not answer: {e!r}"}, 502)
        finally:
            connection.close()


class Dropped(Exception):
    """The connection is to be closed without an answer, or after a piece of one; with `away` the gate is gone for so many seconds."""

    def __init__(self, piece=None, away=0):
        super().__init__()
        self.piece, self.away = piece, away


def with_faults(gate, call):
    """The answer to a call, or Dropped."""
    fault = gate.faults.match(call)
    if fault:
        call.notes["fault"] = next((k for k in ("drop", "drop_after", "refuse", "truncate", "status", "delay") if fault.get(k)), "none")
        time.sleep(fault.get("delay", 0))
        if fault.get("refuse"):
            raise Dropped(away=fault["refuse"])
        if fault.get("drop"):
            raise Dropped
        if "status" in fault:
            body = fault.get("body", "")
            body = body if isinstance(body, str) else json.dumps(body)
            return Answer(fault["status"], fault.get("headers") or {"content-type": "text/xml"}, body.encode())
    answer = gate.answer(call)
    if fault and fault.get("drop_after"):
        raise Dropped
    if fault and fault.get("headers"):
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in {h.lower() for h in fault["headers"]}}
        answer = Answer(answer.status, {**kept, **fault["headers"]}, answer.body)
    if fault and fault.get("truncate"):
        raise Dropped(answer)
    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP in front of a Gate."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gate = None

    def log_message(self, *_):
        pass

    def _body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def handle_any(self):
        body = self._body()
        if self.path.startswith("/_lab/"):
            return self._send(control.handle(self.gate, self.command, self.path, body))
        started = time.monotonic()
        call = Call(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        time.sleep(self.gate.latency(call.service))
        try:
            answer = with_faults(self.gate, call)
        except Dropped as dropped:
            self.gate.record(call, started)
            self.deed(call)
            if dropped.away:
                self.server.go_away(dropped.away)
            if dropped.piece is not None:
                self._send(dropped.piece, cut(dropped.piece.body))
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it ended with the others
            return None
        except Exception as e:  # a defect of the gate itself must be seen, not hang the client
            import traceback
            traceback.print_exc()
            answer = as_json({"__type": "InternalFailure", "message": f"the lab's gate failed: {e!r}"}, 500)
        answer = clock.told(self.gate.lab, answer)
        self.gate.record(call, started, answer.status, answer)
        self.deed(call)
        return self._send(answer)

    def deed(self, call):
        """Tells the tripwire, unless it is a pod's session or the lab's own call."""
        if call.key == "test":
            self.gate.tripwire.passed(f"aws {call.service} {call.action}")

    def _send(self, answer, body=None):
        """Sends an answer; with `body` less of it than its length says."""
        body = answer.body if body is None else body
        try:
            self.send_response_only(answer.status)
            for k, v in answer.headers.items():
                if k.lower() not in HOP_BY_HOP:
                    self.send_header(k, v)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any


class Server(Refusing, http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def process_request(self, request, client_address):
        self.track(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.forget(request)
        super().shutdown_request(request)


def start(lab):
    """Serves on a port of its own, and on another that stays when that one is away: for who steers the lab."""
    gate = Gate(lab)
    handler = type("BoundHandler", (Handler,), {"gate": gate})
    for name in ("gate", "control"):
        server = Server(("127.0.0.1", free_port()), handler)
        gate.doors.append(server)
        lab.ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, name=name, daemon=True).start()
    return gate
