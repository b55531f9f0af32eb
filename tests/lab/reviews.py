"""A server that the API server asks: an object comes, an object goes."""

import http.server
import json
import threading


def serve(lab, name, answer, context=None):
    """Serves on a port of its own, which the lab then knows by this name; with a `context` over TLS."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(answer(request)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    lab.ports[name] = server.server_address[1]
    threading.Thread(target=server.serve_forever, name=name, daemon=True).start()
