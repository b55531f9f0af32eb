"""HTTPS_PROXY of the lab.

Ends TLS for the real AWS names and hands plain HTTP to the gate, for public.ecr.aws to the chart registry; passes the
lab's own apiserver through untouched; refuses every other name, so nothing in the lab can reach a real network.
"""

import re
import socket
import ssl
import threading

AWS = re.compile(r".+\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)")
LOOPBACK = ("127.0.0.1", "localhost")


def _pipe(a, b):
    """Copies until one side ends, then ends both."""
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except (OSError, ssl.SSLError):
        pass
    finally:
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    """Listens on a port of its own; one thread a connection."""

    def __init__(self, lab):
        self.lab = lab
        self.log = (lab.log_dir / "proxy.log").open("a", buffering=1)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(lab.cert_dir / "proxy.crt", lab.cert_dir / "proxy.key")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        lab.ports["proxy"] = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def route(self, host, port):
        """(port to go to, whether to end TLS here), or None: refused."""
        if host == "public.ecr.aws":
            return self.lab.ports["registry"], True
        if AWS.fullmatch(host):
            return self.lab.ports["gate"], True
        if host in LOOPBACK and port in (self.lab.ports.get("apiserver"), self.lab.ports.get("front")):
            return port, False
        return None

    def _serve(self, client):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(4096)
                if not data:
                    return
                head += data
            m = re.match(rb"CONNECT ([^: ]+):(\d+) ", head)
            host, port = (m.group(1).decode(), int(m.group(2))) if m else (head.split(b"\r\n")[0].decode("utf8", "replace"), 0)
            to = self.route(host, port)
            if to is None:
                print("refused", host, port, file=self.log)
                client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return client.close()
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            upstream = socket.create_connection(("127.0.0.1", to[0]))
            if to[1]:
                client = self.tls.wrap_socket(client, server_side=True)
            threading.Thread(target=_pipe, args=(client, upstream), daemon=True).start()
            _pipe(upstream, client)
        except (OSError, ssl.SSLError) as e:
            print("ended", repr(e), file=self.log)
            client.close()
