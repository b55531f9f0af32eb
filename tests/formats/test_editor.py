#!/usr/bin/env python3
"""karpctl.yaml in an editor: yaml-language-server, which editors use for YAML, is asked what an editor asks it, over stdin and stdout.

The file and its schema are those that `karpctl init --schema` writes; the server finds the schema by the file's first line.
"""

import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl")).resolve()
CACHE = pathlib.Path(os.environ.get("KARPCTL_LAB_CACHE") or pathlib.Path.home() / ".cache/karpctl-lab")
SERVER = CACHE / "editor/node_modules/yaml-language-server/bin/yaml-language-server"
# All that an editor may be told, but for what comes from the internet: the schema store.
SETTINGS = {"yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}, "http": {}}
LONGEST = 60  # seconds for one answer


class Editor:
    """An editor with this folder open."""

    def __init__(self, folder):
        self.folder, self.asked, self.opened, self.configured = folder, 0, 0, False
        self.unread, self.marks = b"", {}
        # Whoever asks the internet nevertheless is refused.
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        self.server = subprocess.Popen(["node", SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, bufsize=0)
        can = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}, "workspace": {"configuration": True}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": can})
        self.tell("initialized", {})
        while not self.configured:
            self.hear()

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.asked += 1
        self.send({"id": self.asked, "method": method, "params": params})
        while True:
            said = self.hear()
            if said.get("id") == self.asked and "method" not in said:
                assert "error" not in said, said
                return said["result"]

    def hear(self):
        """What the server says next; what it asks itself is answered."""
        while True:
            head, found, rest = self.unread.partition(b"\r\n\r\n")
            length = int(head.split(b"Content-Length:")[1].split(b"\r\n")[0]) if found else 0
            if found and len(rest) >= length:
                break
            ready, _, _ = select.select([self.server.stdout], [], [], LONGEST)
            assert ready, f"yaml-language-server says nothing for {LONGEST} s"
            part = os.read(self.server.stdout.fileno(), 65536)
            assert part, f"yaml-language-server ended with {self.server.wait()}"
            self.unread += part
        self.unread = rest[length:]
        said = json.loads(rest[:length])
        if said.get("method") == "workspace/configuration":
            self.send({"id": said["id"], "result": [SETTINGS.get(item["section"]) for item in said["params"]["items"]]})
            self.configured = True
        elif said.get("method") == "textDocument/publishDiagnostics":
            self.marks[said["params"]["uri"]] = said["params"]["diagnostics"]
        elif "method" in said and "id" in said:
            self.send({"id": said["id"], "result": None})
        return said

    def opens(self, text):
        """Opens a file with this text, beside the one that is written: marks name the file that they are of, and not its version."""
        self.opened += 1
        uri = (self.folder / f"{self.opened}.yaml").as_uri()
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        return uri

    def marked(self, text):
        """What is marked in this text: the number of its line, from 1, and what is said of it."""
        uri = self.opens(text)
        while uri not in self.marks:
            self.hear()
        return [(mark["range"]["start"]["line"] + 1, mark["message"]) for mark in self.marks[uri]]

    def at_cursor(self, method, before, after=""):
        """Asks this with the cursor between the two texts."""
        lines = before.split("\n")
        place = {"line": len(lines) - 1, "character": len(lines[-1])}
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": self.opens(before + after)}, "position": place})

    def offered(self, text):
        """The words that are offered where the text ends."""
        return {item["label"] for item in self.at_cursor("completion", text)["items"]}

    def end(self):
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.server.communicate(timeout=LONGEST)
        assert self.server.returncode == 0, self.server.returncode


def main():
    if not SERVER.exists():
        sys.exit(f"there is no {SERVER}: `make lab` installs it")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        words = ["init", "--defaults", "--schema", "--cluster-name", "demo", "--region", "us-west-2"]
        env = {"HOME": str(folder), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        subprocess.run([KARPCTL, *words], cwd=folder, env=env, check=True, capture_output=True)
        written = (folder / "karpctl.yaml").read_text()
        fields = json.loads((folder / "karpctl.schema.json").read_text())["properties"]
        editor = Editor(folder)

        assert editor.marked(written) == [], editor.marked(written)
        given = {line.split(":")[0] for line in written.splitlines() if line.split(":")[0] in fields}
        assert "clusterName" in given, written
        assert editor.offered(written) == set(fields) - given, "every field is offered that is not yet there"
        for typed, offered in (("identity: ", {"pod-identity", "irsa"}), ("nodeAccess: ", {"aws-auth", "access-entry", "both"}),
                               ("existingCluster: ", {"true", "false"}), ("nodeGroup:\n  ", {"instanceType", "minSize", "maxSize"})):
            found = editor.offered(written + typed)
            assert offered <= found, f"`{typed}` is offered {sorted(found)}"
        shown = editor.at_cursor("hover", f"{written}iden", "tity: irsa\n")["contents"]["value"]
        assert fields["identity"]["description"] in shown, shown

        last = written.count("\n") + 1
        for line, said in (("identty: irsa", "identty"), ("identity: iam", "irsa"), ("fargate: 3", "boolean"), ("nodeGroup: {size: 3}", "size")):
            marks = editor.marked(f"{written}{line}\n")
            assert [number for number, _ in marks] == [last] and said in marks[0][1], f"`{line}`: {marks}"
        assert editor.marked(f"{written}identity: irsa\n") == []
        # It is the first line that brings the schema.
        modeline, _, rest = written.partition("\n")
        assert "karpctl.schema.json" in modeline and editor.marked(f"{rest}identty: irsa\n") == [], modeline
        editor.end()
    print(f"editor: {len(fields) - len(given)} fields and their words are offered, explained, and marked where they are wrong")


if __name__ == "__main__":
    main()
