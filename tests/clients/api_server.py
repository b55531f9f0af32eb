"""A loopback Kubernetes API server that lets in one token, every token of EKS and one client certificate, and answers what helm and kubectl ask first."""

import http.server, ssl, subprocess, threading

TOKEN = "good-token"


def certificate(folder):
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=stub",
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def key_forms(folder):
    """The key of `certificate` in other forms, an RSA pair, and a certificate that has expired."""
    openssl = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder, text=True).stdout
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rsa", "-keyout", "rsa.pem", "-out", "rsa-cert.pem")
    openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=stub", "-out", "old.csr")
    return {
        "sec1": openssl("ec", "-in", "key.pem"),
        "encrypted": openssl("ec", "-in", "key.pem", "-aes128", "-passout", "pass:x"),
        "rsa": (folder / "rsa.pem").read_text(),
        "rsa-pkcs1": openssl("rsa", "-in", "rsa.pem", "-traditional"),
        "rsa-cert": (folder / "rsa-cert.pem").read_text(),
        "expired": openssl("x509", "-req", "-in", "old.csr", "-signkey", "key.pem", "-days", "-1"),
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        said = self.headers.get("Authorization", "")
        ok = said == f"Bearer {TOKEN}" or said.startswith("Bearer k8s-aws-v1.") or bool(getattr(self.connection, "getpeercert", lambda: None)())
        path = self.path.split("?")[0]
        if not ok:
            self.answer(401, '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}')
        elif path == "/version":
            self.answer(200, '{"major":"1","minor":"34","gitVersion":"v1.34.0"}')
        elif path.endswith("/secrets"):
            self.answer(200, '{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}')
        else:
            self.answer(404, '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}')

    def answer(self, code, body):
        body = body.encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def serve(folder):
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    plain = Server(("127.0.0.1", 0), Handler)
    for s in (server, plain):
        threading.Thread(target=s.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_address[1]}", f"http://127.0.0.1:{plain.server_address[1]}", cert, key
