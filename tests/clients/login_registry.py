"""A chart registry on loopback that treats logins as public.ecr.aws does: anybody may pull, unless they come with a login that is no
longer good."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import urllib.parse



def login(until):
    """As docker keeps it: a name, and a password that says until when it holds, as ECR's do."""
    said = base64.b64encode(json.dumps({"payload": "x", "version": "1", "expiration": until}).encode())
    return base64.b64encode(b"AWS:" + said).decode()


def password(login):
    return base64.b64decode(login).decode().split(":", 1)[1]


GOOD = login(4_000_000_000)
STALE = login(1_000_000_000)
CHART = b"apiVersion: v2\nname: karpenter\nversion: 1.14.1\ndescription: x\n"


def blobs():
    """The manifest, and all that it names, by digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("karpenter/Chart.yaml")
        info.size = len(CHART)
        archive.addfile(info, io.BytesIO(CHART))
    config = json.dumps({"name": "karpenter", "version": "1.14.1", "apiVersion": "v2", "description": "x"}).encode()
    found, layers = {}, []
    for media, data in (("config.v1+json", config), ("chart.content.v1.tar+gzip", packed.getvalue())):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        kind = f"application/vnd.cncf.helm.{media}"
        found[digest] = (kind, data)
        layers.append({"mediaType": kind, "digest": digest, "size": len(data)})
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": layers[0], "layers": layers[1:]}).encode()
    found["1.14.1"] = found["sha256:" + hashlib.sha256(manifest).hexdigest()] = (kind, manifest)
    return found


def serve():
    """Starts it; its address."""
    have = blobs()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, kind, data, **headers):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def token(self, is_good):
            if is_good:
                return self.answer(200, "application/json", b'{"token":"let-in","access_token":"let-in"}')
            return self.answer(403, "application/json", b'{"message":"Forbidden"}')

        def do_POST(self):
            """As older helms ask for a token, with name and password in a form."""
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            return self.token(form.get("password") == [password(GOOD)])

        def do_GET(self):
            login = self.headers.get("Authorization")
            if self.path.startswith("/token"):
                return self.token(login in (None, f"Basic {GOOD}"))
            if login != "Bearer let-in":
                host = self.headers["Host"]
                challenge = f'Bearer realm="http://{host}/token",service="{host}",scope="repository:karpenter/karpenter:pull"'
                return self.answer(401, "application/json", b"{}", WWW_Authenticate=challenge)
            name = self.path.rsplit("/", 1)[1]
            if name == "":
                return self.answer(200, "application/json", b"{}")
            if name not in have:
                return self.answer(404, "application/json", b"{}")
            kind, data = have[name]
            return self.answer(200, kind, data, Docker_Content_Digest="sha256:" + hashlib.sha256(data).hexdigest())

        do_HEAD = do_GET

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """A helm that has seen enough hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"
