"""An AWS account that has nothing, on loopback: it says who asks, holds locks, makes the role for spot instances, and has neither room for
another stack nor, says its eksctl, for a cluster. So a run is seen in seconds, from its plan to steps that are done, failed and never run.
In the lab runs go well.
"""

import http.server
import json
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

ACCOUNT, REGION = "111122223333", "us-west-2"
STACK_SECONDS = 4
EKSCTL = """#!/bin/bash
[ "$1" = version ] && echo 0.230.0 && exit
[ "$1" = create ] || exit 0
for line in "eksctl version 0.230.0" "using region us-west-2" "building cluster stack of a name that is far longer than a terminal is wide: $(printf 'and so on %.0s' {1..20})"; do
  echo "2026-01-02 03:04:05 [i]  $line"
  sleep 2
done
echo "2026-01-02 03:04:05 [x]  no more room" >&2
exit 1
"""
HELM = "#!/bin/bash\necho v4.2.3\n"


def xml(name, value):
    """An element: of text, of more elements, or of a list."""
    if isinstance(value, dict):
        value = "".join(xml(*pair) for pair in value.items())
    elif isinstance(value, list):
        value = "".join(xml("member", each) for each in value)
    else:
        value = escape(str(value))
    return f"<{name}>{value}</{name}>"


class Account:
    """The account, and the programs in a folder."""

    def __init__(self, folder):
        self.stacks, self.spot_role = {}, None
        (folder / "bin").mkdir()
        for name, script in (("helm", HELM), ("eksctl", EKSCTL)):
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)
        account = self

        class Door(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                asked = dict(urllib.parse.parse_qsl(body))
                code, kind, text = account.says(asked.get("Action"), asked, self.headers.get("authorization", ""))
                self.send_response(code)
                self.send_header("content-length", str(len(text.encode())))
                if kind:
                    self.send_header("x-amzn-errortype", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.env = {
            "PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1"}

    def says(self, action, asked, signed):
        """The answer: its code, the kind of error in services that speak JSON, its text."""
        name = asked.get("StackName", "").split("/")[-1]
        stack = self.stacks.get(name)
        answered = lambda result: (200, None, xml(f"{action}Response", {f"{action}Result": result}))
        refused = lambda code, kind, words: (code, None, xml("ErrorResponse", {"Error": {"Code": kind, "Message": words}}))
        if action == "GetCallerIdentity":
            return answered({"Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "me", "Account": ACCOUNT})
        if action == "CreateStack":
            tags = [{"Key": asked[key], "Value": asked[key[:-3] + "Value"]} for key in asked if key.startswith("Tags.") and key.endswith(".Key")]
            self.stacks[name] = {"tags": tags, "made": time.time() + (0 if "lock" in name else STACK_SECONDS)}
            return answered({"StackId": self.arn(name)})
        if action == "DeleteStack":
            self.stacks.pop(name, None)
            return answered({})
        if "/cloudformation/" in signed and not stack:
            return refused(400, "ValidationError", f"Stack with id {name} does not exist")
        if action == "UpdateStack":
            return answered({"StackId": self.arn(name)})
        if action in ("DescribeStacks", "DescribeStackEvents"):
            over = "CREATE_COMPLETE" if "lock" in name else "ROLLBACK_COMPLETE"
            status = over if time.time() > stack["made"] else "CREATE_IN_PROGRESS"
            what = {"StackName": name, "StackId": self.arn(name)}
            if action == "DescribeStacks":
                return answered({"Stacks": [{**what, "CreationTime": "2026-01-02T03:04:05Z", "StackStatus": status, "Tags": stack["tags"]}]})
            event = {"ResourceStatus": status} if status != over else {
                "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "The quota of roles in this account is used up."}
            return answered({"StackEvents": [{
                **what, **event, "EventId": status, "LogicalResourceId": "KarpenterNodeRole", "ResourceType": "AWS::IAM::Role",
                "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}]})
        if action == "CreateServiceLinkedRole" or action == "GetRole" and asked["RoleName"] == self.spot_role:
            self.spot_role = "AWSServiceRoleForEC2Spot"
            path = "/aws-service-role/spot.amazonaws.com/"
            return answered({"Role": {
                "Path": path, "RoleName": self.spot_role, "RoleId": "AROAEXAMPLE", "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{self.spot_role}",
                "CreateDate": "2026-01-02T03:04:05Z", "AssumeRolePolicyDocument": "%7B%7D"}})
        if "/iam/" in signed:
            return refused(404, "NoSuchEntity", "there is nothing") if action.startswith(("Get", "List")) else refused(403, "AccessDenied", "no")
        return 404, "ResourceNotFoundException", json.dumps({"message": "there is nothing"})

    @staticmethod
    def arn(name):
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
