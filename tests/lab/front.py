"""In front of the apiserver: what the gate is for AWS, for the Kubernetes requests of karpctl, helm and eksctl.

With the setting `front`, DescribeCluster names this address instead of the apiserver's own. It counts each request for the
tripwire and injects the faults that a test asked for (service `kubernetes`, action `VERB /path`). It speaks HTTP/1.1 only,
and passes watches on as they come. The cluster's own parts and Karpenter go to the apiserver itself.
"""

import http.client
import http.server
import socket
import ssl
import threading
import time

from faults import cut
from refusal import Refusing
from supervisor import free_port

HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "upgrade")


class Front(Refusing, http.server.ThreadingHTTPServer):
    """Ends TLS with the apiserver's own certificate, in the connection's own thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, lab):
        self.lab = lab
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(lab.cert_dir / "apiserver.crt", lab.cert_dir / "apiserver.key")
        self.upstream = ssl.create_default_context(cafile=str(lab.cert_dir / "ca.crt"))
        super().__init__(("127.0.0.1", free_port()), Handler)
        lab.ports["front"] = self.server_address[1]

    def finish_request(self, request, client_address):
        try:
            request.settimeout(300)
            tls = self.tls.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        self.track(tls)
        try:
            self.RequestHandlerClass(tls, client_address, self)
        except (OSError, ssl.SSLError):
            pass  # the client is gone
        finally:
            self.forget(tls)
            try:
                tls.close()
            except OSError:
                pass


def start(lab):
    """Listens; one thread a connection."""
    front = Front(lab)
    lab.gate.doors.append(front)
    threading.Thread(target=front.serve_forever, name="front", daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_any(self):
        lab = self.server.lab
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        action = f"{self.command} {self.path.split('?')[0]}"
        fault = lab.gate.faults.find("kubernetes", action) or {}
        time.sleep(fault.get("delay", 0))
        if fault.get("refuse"):
            self.server.go_away(fault["refuse"])
        if fault.get("drop") or fault.get("refuse"):
            return self.hang_up()
        if "status" in fault:
            text = fault.get("body", "").encode()
            headers = {"content-type": "application/json", **(fault.get("headers") or {}), "content-length": str(len(text))}
            self.begin(fault["status"], headers)
            self.wfile.write(text)
            lab.gate.tripwire.passed(f"kubernetes {action}")
            return None
        return self.forward(lab, body, action, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any

    def begin(self, status, headers):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def hang_up(self):
        """Ends the connection in the middle, without TLS's word of farewell."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it ended with the others

    def forward(self, lab, body, action, fault):
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        upstream = http.client.HTTPSConnection("127.0.0.1", lab.ports["apiserver"], context=self.server.upstream, timeout=300)
        try:
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            lab.gate.tripwire.passed(f"kubernetes {action}")
            if fault.get("drop_after"):
                answer.read()
                return self.hang_up()
            head = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
            head.update(fault.get("headers") or {})
            if fault.get("truncate"):
                whole = answer.read()
                self.begin(answer.status, {**head, "content-length": str(len(whole))})
                self.wfile.write(cut(whole))
                return self.hang_up()
            return self.pass_on(answer, head)
        except (ConnectionError, http.client.HTTPException):
            return self.hang_up()
        finally:
            upstream.close()

    def pass_on(self, answer, head):
        """The answer as it comes: a watch has no end."""
        if answer.getheader("content-length") is not None or self.command == "HEAD" or answer.status in (204, 304):
            self.begin(answer.status, head)
            self.wfile.write(answer.read())
            return
        self.begin(answer.status, {**head, "transfer-encoding": "chunked"})
        while part := answer.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")
