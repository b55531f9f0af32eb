"""Kubeconfigs, plugins and environments; what real clients make of each is found by running them."""

import json

V = "client.authentication.k8s.io/"


def answer(version="v1beta1", status='{"token":"good-token"}', kind='"kind":"ExecCredential",', api=None):
    api = json.dumps(V + version) if api is None else api
    return f"""printf '%s' '{{{kind}"apiVersion":{api},"status":{status}}}'"""


def config(exec_lines="", user="", cluster="", top="", context=""):
    e = "".join(f"      {l}\n" for l in exec_lines.splitlines())
    return f"""apiVersion: v1
kind: Config
current-context: c
clusters:
- name: k
  cluster:
    server: SERVER
    certificate-authority: CA
{"".join(f"    {l}" + chr(10) for l in cluster.splitlines())}contexts:
- name: c
  context:
    cluster: k
    user: u
{"".join(f"    {l}" + chr(10) for l in context.splitlines())}users:
- name: u
  user:
{("    exec:" + chr(10) + e) if exec_lines else ""}{"".join(f"    {l}" + chr(10) for l in user.splitlines())}{top}"""


def ex(version="v1beta1", command="PLUGIN", more="interactiveMode: Never", api=None):
    api = V + version if api is None else api
    return f"apiVersion: {api}\ncommand: {command}\n{more}"


CASES = []


def case(name, kubeconfig=None, plugin=None, env=None, files=None, args=None, kubeconfig_env=None, cwd=None, encoding="utf-8", typed=None, screen=False):
    """`typed`: at the terminal that the client reads from; `screen`: it writes to one. Else it has none."""
    CASES.append(
        dict(
            name=name,
            kubeconfig=kubeconfig,
            plugin=plugin,
            env=env or {},
            files=files or {},
            args=args or {},
            kubeconfig_env=kubeconfig_env,
            cwd=cwd,
            encoding=encoding,
            typed=typed,
            screen=screen,
        )
    )


ECHO = """v=$(printf '%s' "$KUBERNETES_EXEC_INFO" | sed -E 's/.*"apiVersion":"([^"]*)".*/\\1/'); printf '{"kind":"ExecCredential","apiVersion":"%s","status":{"token":"good-token"}}' "$v" """
# versions
for v in ("v1alpha1", "v1beta1", "v1", "v2", "V1beta1"):
    case(f"version {v}, plugin echoes", config(ex(v)), ECHO)
    case(f"version {v}, no interactiveMode", config(ex(v, more="")), ECHO)
for cfg in ("v1alpha1", "v1beta1", "v1"):
    for rep in ("v1alpha1", "v1beta1", "v1", "v2"):
        if cfg != rep:
            case(f"configured {cfg}, answered {rep}", config(ex(cfg)), answer(rep))
case("apiVersion empty", config(ex(api='""')), answer())
case("apiVersion missing", config("command: PLUGIN"), answer())
case("apiVersion without group", config(ex(api="v1beta1")), answer())
case("apiVersion of another group", config(ex(api="authentication.k8s.io/v1beta1")), answer())
case("apiVersion null", config(ex(api="null")), answer())
case("apiVersion number", config(ex(api="1")), answer())
case("apiVersion with trailing space quoted", config(ex(api=f'"{V}v1beta1 "')), answer())
# modes
for v in ("v1alpha1", "v1beta1", "v1"):
    for m in ("IfAvailable", "Always", "Bogus", '""', "never", "null"):
        case(f"{v} interactiveMode {m}", config(ex(v, more=f"interactiveMode: {m}")), ECHO)
case("v1alpha1 refused and no mode in v1", config(ex("v1", more="provideClusterInfo: false")), ECHO)
# answers
A = lambda name, plugin, v="v1beta1": case("answer: " + name, config(ex(v)), plugin)
A("empty", "true")
A("garbage", "echo hello")
A("noise before", "echo hello;" + answer())
A("noise after", answer() + "; echo; echo bye")
A("newline after", answer() + "; echo")
A("blank before", "echo; echo '   ';" + answer())
A("two documents", answer() + ";" + answer())
A("yaml", f"printf 'kind: ExecCredential\\napiVersion: {V}v1beta1\\nstatus:\\n  token: good-token\\n'")
A("yaml with dashes", f"printf -- '---\\nkind: ExecCredential\\napiVersion: {V}v1beta1\\nstatus:\\n  token: good-token\\n'")
A("yaml comment first", f"printf '# hi\\nkind: ExecCredential\\napiVersion: {V}v1beta1\\nstatus:\\n  token: good-token\\n'")
A("two yaml documents", f"printf 'kind: ExecCredential\\napiVersion: {V}v1beta1\\nstatus:\\n  token: good-token\\n---\\na: b\\n'")
A("bom", "printf '\\357\\273\\277';" + answer())
A("exit 1", answer() + "; exit 1")
A("exit 255", answer() + "; exit 255")
A("killed", answer() + "; kill -9 $$")
A("stderr noise", "echo warning >&2;" + answer())
A("slow", "sleep 1.5;" + answer())
for name, st in {
    "no token": "{}",
    "empty token": '{"token":""}',
    "null status": "null",
    "status a list": "[]",
    "status a text": '"x"',
    "token null": '{"token":null}',
    "token number": '{"token":5}',
    "token bool": '{"token":true}',
    "wrong token": '{"token":"other"}',
    "token with newline": '{"token":"good\\ntoken"}',
    "token trailing newline": '{"token":"good-token\\n"}',
    "token trailing space": '{"token":"good-token "}',
    "token leading space": '{"token":" good-token"}',
    "token control": '{"token":"good\\u0001"}',
    "token unicode": '{"token":"güt"}',
    "token tab": '{"token":"good\\ttoken"}',
    "upper Token": '{"Token":"good-token"}',
    "unknown field": '{"token":"good-token","x":1}',
    "double token": '{"token":"x","token":"good-token"}',
    "double token first": '{"token":"good-token","token":""}',
    "expired": '{"token":"good-token","expirationTimestamp":"2001-01-01T00:00:00Z"}',
    "expiry fraction": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00.123456Z"}',
    "expiry offset": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+09:00"}',
    "expiry offset no colon": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+0900"}',
    "expiry no zone": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00"}',
    "expiry space": '{"token":"good-token","expirationTimestamp":"2099-01-01 00:00:00Z"}',
    "expiry lower": '{"token":"good-token","expirationTimestamp":"2099-01-01t00:00:00z"}',
    "expiry date": '{"token":"good-token","expirationTimestamp":"2099-01-01"}',
    "expiry empty": '{"token":"good-token","expirationTimestamp":""}',
    "expiry null": '{"token":"good-token","expirationTimestamp":null}',
    "expiry number": '{"token":"good-token","expirationTimestamp":4070908800}',
    "expiry one digit hour": '{"token":"good-token","expirationTimestamp":"2099-01-01T0:00:00Z"}',
    "expiry leap": '{"token":"good-token","expirationTimestamp":"2099-06-30T23:59:60Z"}',
    "expiry hour 24": '{"token":"good-token","expirationTimestamp":"2099-06-30T24:00:00Z"}',
    "expiry feb 30": '{"token":"good-token","expirationTimestamp":"2099-02-30T00:00:00Z"}',
    "expiry comma": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00,5Z"}',
    "expiry offset 25": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+25:00"}',
}.items():
    A(name, answer(status=st))
A("no status", f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1beta1"}}'""")
A("status upper", f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1beta1","Status":{{"token":"good-token"}}}}'""")
A("kind missing", answer(kind=""))
A("kind wrong", answer(kind='"kind":"Secret",'))
A("kind empty", answer(kind='"kind":"",'))
A("kind null", answer(kind='"kind":null,'))
A("kind lower", answer(kind='"kind":"execCredential",'))
A("kind number", answer(kind='"kind":5,'))
A("kind known list", answer(kind='"kind":"ExecCredentialList",'))
A("apiVersion missing", """printf '%s' '{"kind":"ExecCredential","status":{"token":"good-token"}}'""")
A("apiVersion and kind missing", """printf '%s' '{"status":{"token":"good-token"}}'""")
A("apiVersion empty", answer(api='""'))
A("apiVersion bare", answer(api='"v1beta1"'))
A("apiVersion slashes", answer(api='"a/b/c"'))
A("apiVersion number", answer(api="1"))
A("apiVersion null", answer(api="null"))
A(
    "apiVersion upper key",
    f"""printf '%s' '{{"kind":"ExecCredential","apiversion":"{V}v1beta1","status":{{"token":"good-token"}}}}'""",
)
A(
    "double apiVersion",
    f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1","apiVersion":"{V}v1beta1","status":{{"token":"good-token"}}}}'""",
)
A("list at top", "printf '[]'")
A("null at top", "printf 'null'")
A("text at top", "printf '\"x\"'")
A("number", "printf 5")
A(
    "trailing comma",
    """printf '%s' '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"good-token"},}'""",
)
A(
    "single quotes json",
    f"""printf '%s' "{{'kind':'ExecCredential','apiVersion':'{V}v1beta1','status':{{'token':'good-token'}}}}" """,
)
A(
    "spec and metadata",
    f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1beta1","metadata":{{"name":"x"}},"spec":{{"interactive":true}},"status":{{"token":"good-token"}}}}'""",
)
A(
    "spec a list",
    f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1beta1","spec":[],"status":{{"token":"good-token"}}}}'""",
)
A(
    "big",
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","x":"'; head -c 3000000 /dev/zero | tr '\\0' a; printf '","status":{"token":"good-token"}}'""",
)
A(
    "invalid utf8",
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","x":"\\377","status":{"token":"good-token"}}'""",
)
A("nul byte", answer() + "; printf '\\000'")
A("cert pair", "PYCERT")
A("cert only", "PYCERTONLY")
A("key only", "PYKEYONLY")
A("token and cert pair", "PYBOTH")
A("token and cert only", "PYTOKENCERT")
A("bad cert pair", "PYBADCERT")
A("token and bad cert pair", "PYTOKENBAD")
A("cert and another key", "PYOTHERKEY")
A("cert with key in one", "PYJOINED")
# env
case(
    "env given",
    config(ex() + "\nenv:\n- name: TOK\n  value: good-token"),
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"%s"}}' "$TOK" """,
)
case("env null", config(ex() + "\nenv: null\nargs: null"), answer())
case(
    "env overrides exec info",
    config(ex() + '\nenv:\n- name: KUBERNETES_EXEC_INFO\n  value: \'{"apiVersion":"client.authentication.k8s.io/v1"}\''),
    ECHO,
)
case(
    "env twice last wins",
    config(ex() + "\nenv:\n- name: TOK\n  value: x\n- name: TOK\n  value: good-token"),
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"%s"}}' "$TOK" """,
)
case(
    "env value missing",
    config(ex() + "\nenv:\n- name: TOK"),
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"good-token%s"}}' "$TOK" """,
)
case("env value number", config(ex() + "\nenv:\n- name: TOK\n  value: 5"), answer())
case("env name empty", config(ex() + '\nenv:\n- name: ""\n  value: x'), answer())
case("env a map", config(ex() + "\nenv:\n  TOK: x"), answer())
case(
    "env beats own",
    config(ex() + "\nenv:\n- name: OWN\n  value: good-token"),
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"%s"}}' "$OWN" """,
    env={"OWN": "x"},
)
case(
    "env of exec does not find command",
    config(ex(command="plug-in") + "\nenv:\n- name: PATH\n  value: DIR/bin"),
    files={"bin/plug-in": answer()},
)
case(
    "args",
    config(ex() + "\nargs: [good-token]"),
    """printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"%s"}}' "$1" """,
)
case("args number", config(ex() + "\nargs: [5]"), answer())
case("args null item", config(ex() + "\nargs: [null]"), answer())
case("args a text", config(ex() + "\nargs: x"), answer())
case("args yes", config(ex() + "\nargs: [yes]"), answer())
case("args quoted number", config(ex() + "\nargs: ['5']"), answer())
case("stdin is empty", config(ex()), "cat >/dev/null;" + answer())
# command
case("command on PATH", config(ex(command="plug-in")), files={"bin/plug-in": answer()}, env={"PATH": "DIR/bin:PATH"})
case("command missing on PATH", config(ex(command="plug-in-nowhere")))
case("command absolute missing", config(ex(command="/nowhere/plugin")))
case("command a folder", config(ex(command="DIR")))
case("command not executable", config(ex(command="DIR/plain")), files={"plain": "#x"})
case("command relative to the kubeconfig", config(ex(command="./bin/plug-in")), files={"bin/plug-in": answer()}, cwd="/")
case("command relative no dot", config(ex(command="bin/plug-in")), files={"bin/plug-in": answer()}, cwd="/")
case("command tilde", config(ex(command="~/plug-in")), files={"plug-in": answer()}, env={"HOME": "DIR"})
case("command $HOME", config(ex(command="$HOME/plug-in")), files={"plug-in": answer()}, env={"HOME": "DIR"})
case("command empty", config(ex(command='""')), answer())
case("command missing", config(f"apiVersion: {V}v1beta1\ninteractiveMode: Never"))
case("command number", config(ex(command="5")))
case("command with blank", config(ex(command="PLUGIN x")), answer())
case("command no shebang", config(ex(command="DIR/noshebang")), files={"noshebang!": answer()})
case("command missing interpreter", config(ex(command="DIR/badshebang")), files={"badshebang!": "#!/nowhere/sh\n" + answer()})
case("command dangling link", config(ex(command="DIR/dangling")), files={"dangling@": "/nowhere/x"})
case("command by dot in PATH", config(ex(command="plug-in")), files={"plug-in": answer()}, env={"PATH": ".:PATH"}, cwd="DIR")
case("command by empty PATH element", config(ex(command="plug-in")), files={"plug-in": answer()}, env={"PATH": ":PATH"}, cwd="DIR")
case(
    "command in PATH twice, first not executable",
    config(ex(command="plug-in")),
    files={"a/plug-in!!": "x", "bin/plug-in": answer()},
    env={"PATH": "DIR/a:DIR/bin:PATH"},
)
case(
    "command by relative PATH element",
    config(ex(command="plug-in")),
    files={"bin/plug-in": answer()},
    env={"PATH": "bin:PATH"},
    cwd="DIR",
)
case("empty executable", config(ex(command="DIR/empty")), files={"empty!": ""})
case("cwd is the client's", config(ex()), '[ "$PWD" = "$WANT" ] || exit 1;' + answer(), cwd="DIR", env={"WANT": "DIR"})
case("installHint", config(ex(command="nowhere-x") + "\ninstallHint: install it"))
case("provideClusterInfo", config(ex("v1beta1") + "\nprovideClusterInfo: true"), ECHO)
case("provideClusterInfo text", config(ex("v1beta1") + '\nprovideClusterInfo: "true"'), ECHO)
case("unknown exec field", config(ex() + "\nbogus: 1"), answer())
case("exec empty map", config(user="exec: {}"))
case("exec null", config(user="exec: null\ntoken: good-token"))
case("exec null alone", config(user="exec: null"))
case("exec a text", config(user="exec: x"))
case("exec a list", config(user="exec: []"))
case("exec upper keys", config(f"ApiVersion: {V}v1beta1\nCommand: PLUGIN"), answer())
# other credentials
for name, u in {
    "token": "token: good-token",
    "wrong token": "token: other",
    "token empty": 'token: ""',
    "tokenFile": "tokenFile: DIR/tok",
    "tokenFile missing": "tokenFile: /nowhere/tok",
    "tokenFile relative": "tokenFile: tok",
    "tokenFile empty": "tokenFile: DIR/emptyfile",
    "token and tokenFile": "token: other\ntokenFile: DIR/tok",
    "cert files": "client-certificate: CERT\nclient-key: KEY",
    "cert missing file": "client-certificate: /nowhere\nclient-key: KEY",
    "cert no key": "client-certificate: CERT",
    "key no cert": "client-key: KEY",
    "cert data": "client-certificate-data: CERTDATA\nclient-key-data: KEYDATA",
    "cert bad base64": "client-certificate-data: '%%'\nclient-key-data: KEYDATA",
    "cert bad pem": "client-certificate-data: aGVsbG8=\nclient-key-data: KEYDATA",
    "cert data and key file": "client-certificate-data: CERTDATA\nclient-key: KEY",
    "cert both forms": "client-certificate: /nowhere\nclient-certificate-data: CERTDATA\nclient-key-data: KEYDATA",
    "basic": "username: a\npassword: b",
    "user only": "username: a",
    "auth-provider": "auth-provider:\n  name: gcp",
    "unknown auth-provider": "auth-provider:\n  name: bogus",
    "as": "as: someone",
    "token number": "token: 5",
    "unknown user field": "bogus: 1",
    "as-groups only": "as-groups: [a]",
    "extensions": "extensions: []",
}.items():
    f = {"tok=": "good-token", "emptyfile=": ""}
    case(f"user {name}", config(user=u), files=f)
    case(f"user {name} beside exec", config(ex(), user=u), ECHO, files=f)
    if name in ("token", "tokenFile", "cert files", "cert data"):
        case(f"user {name} beside failing exec", config(ex(), user=u), "exit 1", files=f)
        case(f"user {name} beside v1alpha1 exec", config(ex("v1alpha1"), user=u), ECHO, files=f)
        case(f"user {name} beside exec v2", config(ex("v2"), user=u), ECHO, files=f)
        case(f"user {name} beside exec without command", config(f"apiVersion: {V}v1beta1", user=u), ECHO, files=f)
        case(f"user {name} beside exec v1 without mode", config(ex("v1", more=""), user=u), ECHO, files=f)
        case(f"user {name} beside missing command", config(ex(command="/nowhere/x"), user=u), files=f)
        case(f"user {name} beside bad mode", config(ex(more="interactiveMode: Bogus"), user=u), ECHO, files=f)
        case(f"user {name} beside Always", config(ex(more="interactiveMode: Always"), user=u), ECHO, files=f)
# cluster
case("http server", config(ex(), cluster="").replace("SERVER", "PLAIN"), answer())
case("http server v1alpha1", config(ex("v1alpha1")).replace("SERVER", "PLAIN").replace("    certificate-authority: CA\n", ""), ECHO)
case("http server with exec", config(ex()).replace("SERVER", "PLAIN").replace("    certificate-authority: CA\n", ""), answer())
case(
    "http server with token",
    config(user="token: good-token").replace("SERVER", "PLAIN").replace("    certificate-authority: CA\n", ""),
)
case("http server v2", config(ex("v2")).replace("SERVER", "PLAIN").replace("    certificate-authority: CA\n", ""), ECHO)
case("server without scheme", config(ex()).replace("SERVER", "HOSTPORT"), answer())
case("server empty", config(ex()).replace("SERVER", '""'), answer())
case("server missing", config(ex()).replace("    server: SERVER\n", ""), answer())
case("server with path", config(ex()).replace("SERVER", "SERVER/"), answer())
case("server garbage", config(ex()).replace("SERVER", "https://[::1"), answer())
case("ca missing file", config(ex()).replace("certificate-authority: CA", "certificate-authority: /nowhere/ca"), answer())
case("ca bad data", config(ex()).replace("certificate-authority: CA", "certificate-authority-data: aGVsbG8="), answer())
case("ca bad base64", config(ex()).replace("certificate-authority: CA", "certificate-authority-data: '%%'"), answer())
case("insecure with ca", config(ex(), cluster="insecure-skip-tls-verify: true"), answer())
case("insecure", config(ex(), cluster="insecure-skip-tls-verify: true").replace("    certificate-authority: CA\n", ""), answer())
case("ca data", config(ex()).replace("certificate-authority: CA", "certificate-authority-data: CERTDATA"), answer())
case(
    "ca file and data",
    config(ex(), cluster="certificate-authority-data: CERTDATA").replace(
        "certificate-authority: CA", "certificate-authority: /nowhere/ca"
    ),
    answer(),
)
case(
    "ca relative",
    config(ex()).replace("certificate-authority: CA", "certificate-authority: ca.pem"),
    answer(),
    files={"ca.pem=": "CERTTEXT"},
    cwd="/",
)
case("no ca", config(ex()).replace("    certificate-authority: CA\n", ""), answer())
case("proxy-url bad", config(ex(), cluster="proxy-url: 'gopher://x'"), answer())
case("tls-server-name", config(ex(), cluster="tls-server-name: localhost"), answer())
case("tls-server-name wrong", config(ex(), cluster="tls-server-name: other"), answer())
case(
    "insecure text",
    config(ex(), cluster='insecure-skip-tls-verify: "true"').replace("    certificate-authority: CA\n", ""),
    answer(),
)
# contexts
B = config(ex())
case("current-context missing", B.replace("current-context: c\n", ""), answer())
case("current-context empty", B.replace("current-context: c\n", 'current-context: ""\n'), answer())
case("current-context unknown", B.replace("current-context: c\n", "current-context: nope\n"), answer())
case("context names no user", B.replace("    user: u\n", ""), answer())
case("context names unknown user", B.replace("    user: u\n", "    user: nope\n"), answer())
case("context names unknown cluster", B.replace("    cluster: k\n", "    cluster: nope\n"), answer())
case("context names no cluster", B.replace("    cluster: k\n", ""), answer())
TWO = (
    config(ex())
    .replace("contexts:\n", "contexts:\n- name: other\n  context:\n    cluster: k\n    user: bad\n")
    .replace("users:\n", f"users:\n- name: bad\n  user:\n    exec:\n      apiVersion: {V}v2\n      command: /nowhere/x\n")
)
case("another context is broken", TWO, answer())
case("the broken context is asked for", TWO, answer(), args={"context": "other"})
case("unknown context is asked for", TWO, answer(), args={"context": "nope"})
case("context by HELM_KUBECONTEXT", TWO, answer(), env={"HELM_KUBECONTEXT": "other"})
case("HELM_KUBECONTEXT and flag", TWO, answer(), env={"HELM_KUBECONTEXT": "other"}, args={"context": "c"})
case("HELM_KUBETOKEN", B.replace(V + "v1beta1", V + "v1beta1"), "exit 1", env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETOKEN wrong", B, answer(), env={"HELM_KUBETOKEN": "other"})
case("HELM_KUBETOKEN with v2", config(ex("v2")), answer(), env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBEAPISERVER", B.replace("SERVER", "https://127.0.0.1:1"), answer(), env={"HELM_KUBEAPISERVER": "SERVER"})
case(
    "HELM_KUBECAFILE",
    B.replace("certificate-authority: CA", "certificate-authority: /nowhere/ca"),
    answer(),
    env={"HELM_KUBECAFILE": "CERT"},
)
case(
    "HELM_KUBEINSECURE",
    B.replace("    certificate-authority: CA\n", ""),
    answer(),
    env={"HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true"},
)
case("HELM_KUBEASUSER", B, answer(), env={"HELM_KUBEASUSER": "x"})
case("HELM_KUBETOKEN without context", B.replace("current-context: c\n", ""), answer(), env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETLS_SERVER_NAME", B, answer(), env={"HELM_KUBETLS_SERVER_NAME": "other"})
# files
Y = lambda name, text: case("file: " + name, text, ECHO)
Y("empty", "")
Y("comment only", "# x\n")
Y("null", "null\n")
Y("list", "[]\n")
Y("text", "hello\n")
Y("tab", B.replace("  cluster:", "\tcluster:"))
Y("crlf", B.replace("\n", "\r\n"))
Y("bom", "\ufeff" + B)
Y("dashes", "---\n" + B)
Y("two documents", B + "---\na: b\n")
Y("second document bad", B + "---\na: [\n")
Y("trailing dots", B + "...\n")
Y("kind missing", B.replace("kind: Config\n", ""))
Y("kind wrong", B.replace("kind: Config\n", "kind: Secret\n"))
Y("kind lower", B.replace("kind: Config\n", "kind: config\n"))
Y("apiVersion missing", B.replace("apiVersion: v1\nkind", "kind"))
Y("apiVersion v2", B.replace("apiVersion: v1\nkind", "apiVersion: v2\nkind"))
Y("kind empty", B.replace("kind: Config\n", 'kind: ""\n'))
Y("both missing", B.replace("apiVersion: v1\nkind: Config\n", ""))
Y("unknown top field", B + "bogus: 1\n")
Y("duplicate top key", B + "kind: Config\n")
Y("duplicate users key", B + "users: []\n")
Y("duplicate key in exec", config(ex("v2") + f"\napiVersion: {V}v1beta1"))
Y("users null", B.split("users:")[0] + "users: null\n")
Y("users a map", B.split("users:")[0] + "users:\n  u: {}\n")
Y("contexts null", B.replace("contexts:\n- name: c\n  context:\n    cluster: k\n    user: u\n", "contexts: null\n"))
Y("anchors", config(ex()).replace("- name: u\n  user:\n", "- name: u\n  user: &a\n") + "- name: v\n  user: *a\n")
Y("merge key", config(ex()).replace("- name: u\n  user:\n", "- name: base\n  user: &a\n") + "- name: u\n  user:\n    <<: *a\n")
Y("json", "JSONFORM")
Y("upper key", B.replace("users:", "Users:"))
Y("wrong type current-context", B.replace("current-context: c", "current-context: 5"))
Y("preferences a text", B + "preferences: x\n")
Y("extensions", B + "extensions:\n- name: x\n  extension: {a: 1}\n")
Y("name number", B.replace("- name: u\n", "- name: 5\n").replace("user: u", "user: '5'"))
Y("name yes", B.replace("- name: u\n", "- name: yes\n").replace("user: u", "user: 'yes'"))
Y("same user twice, first good", B + f"- name: u\n  user:\n    exec:\n      apiVersion: {V}v2\n      command: x\n")
Y(
    "same user twice, last good",
    config(ex("v2"))
    + f"- name: u\n  user:\n    exec:\n      apiVersion: {V}v1beta1\n      command: PLUGIN\n      interactiveMode: Never\n",
)
Y("user without name", B + "- user: {}\n")
Y("user null", B.split("- name: u\n")[0] + "- name: u\n  user: null\n")
Y("user entry null", B + "- null\n")
Y("user of other broken type", B + "- name: x\n  user: 5\n")
Y("other exec broken type", B + "- name: x\n  user:\n    exec: 5\n")
Y("non-string key", B + "5: x\n")
Y("complex key", B + "? [a]\n: x\n")
Y("folded version", config(f"apiVersion: >-\n  {V}v1beta1\ncommand: PLUGIN"))
Y("quoted version", config(f"apiVersion: '{V}v1beta1'\ncommand: PLUGIN"))
Y("tagged", config(f"apiVersion: !!str {V}v1beta1\ncommand: PLUGIN"))
Y("flow", config("").replace("  user:\n", f"  user: {{exec: {{apiVersion: {V}v1beta1, command: PLUGIN}}}}\n"))
Y("unknown tag", config(f"apiVersion: !foo {V}v1beta1\ncommand: PLUGIN"))
Y("indentation broken", B.replace("    cluster: k", "   cluster: k\n     x: y"))
Y("unclosed quote", B.replace("name: u\n", "name: 'u\n"))
Y("control character", B + 'x: "a\x07"\n')
Y("command yes", config(ex(command="yes")))
Y("dup context", B.replace("contexts:\n", "contexts:\n- name: c\n  context:\n    cluster: nope\n    user: u\n"))
Y("octal arg", config(ex() + "\nargs: [0o7]"))
Y("date arg", config(ex() + "\nargs: [2001-01-01]"))
Y("tilde null", config(ex() + "\nargs: ~"))
Y("timestamp name", B.replace("- name: u\n", "- name: 2001-01-01\n").replace("user: u", "user: '2001-01-01'"))
Y("y arg", config(ex() + "\nargs: [y]"))
Y("on arg", config(ex() + "\nargs: [on]"))
Y("underscore number", config(ex() + "\nargs: [1_000]"))
Y("float arg", config(ex() + "\nargs: [1.5]"))
Y("inf arg", config(ex() + "\nargs: [.inf]"))
Y("colon number", config(ex() + "\nargs: [1:30]"))
Y("hex", config(ex() + "\nargs: [0x1F]"))
Y("plus", config(ex() + "\nargs: [+5]"))
Y("leading zero", config(ex() + "\nargs: [007]"))
Y("exponent", config(ex() + "\nargs: [1e3]"))
Y("=", config(ex() + "\nargs: [=]"))
Y("empty arg", config(ex() + "\nargs: ['']"))
Y("Null arg", config(ex() + "\nargs: [Null]"))
Y("TRUE arg", config(ex() + "\nargs: [TRUE]"))
Y("binary", config(ex() + "\nargs: [!!binary aGk=]"))
Y("0b", config(ex() + "\nargs: [0b11]"))
# where the kubeconfig is
case("no kubeconfig", None)
case("KUBECONFIG names a missing file", None, kubeconfig_env="DIR/nowhere")
case("KUBECONFIG names a folder", None, kubeconfig_env="DIR")
case("flag names a missing file", None, args={"kubeconfig": "DIR/nowhere"})
case("KUBECONFIG empty, home has one", None, kubeconfig_env="", files={".kube/config=": B}, plugin=answer(), env={"HOME": "DIR"})
case("home has one", None, files={".kube/config=": B}, plugin=answer(), env={"HOME": "DIR"})
case(
    "flag beats KUBECONFIG",
    None,
    kubeconfig_env="DIR/bad",
    files={"bad=": config(ex("v2")), "good=": B},
    plugin=answer(),
    args={"kubeconfig": "DIR/good"},
)
case("unreadable broken second", None, kubeconfig_env="DIR/good:DIR/bad", files={"bad=": "a: [\n", "good=": B}, plugin=answer())
case("missing second", None, kubeconfig_env="DIR/good:DIR/nowhere", files={"good=": B}, plugin=answer())
case("missing first", None, kubeconfig_env="DIR/nowhere:DIR/good", files={"good=": B}, plugin=answer())
case("empty elements", None, kubeconfig_env=":DIR/good:", files={"good=": B}, plugin=answer())
case("same file twice", None, kubeconfig_env="DIR/good:DIR/good", files={"good=": B}, plugin=answer())
case("folder second", None, kubeconfig_env="DIR/good:DIR", files={"good=": B}, plugin=answer())
case("empty file second", None, kubeconfig_env="DIR/good:DIR/none", files={"good=": B, "none=": ""}, plugin=answer())
case("empty file first", None, kubeconfig_env="DIR/none:DIR/good", files={"good=": B, "none=": ""}, plugin=answer())
case("relative KUBECONFIG", None, kubeconfig_env="good", files={"good=": B}, plugin=answer(), cwd="DIR")
case("relative flag", None, args={"kubeconfig": "good"}, files={"good=": B}, plugin=answer(), cwd="DIR")
U = (
    lambda v, more="": f"apiVersion: v1\nkind: Config\nusers:\n- name: u\n  user:\n    exec:\n      apiVersion: {V}{v}\n      command: PLUGIN\n{more}"
)


def M(name, a, b, plugin=ECHO, **k):
    case("merge: " + name, None, plugin, kubeconfig_env="DIR/a:DIR/b", files={"a=": a, "b=": b}, **k)


M("user in both, first good", B, U("v2"))
M("user in both, second good", config(ex("v2")), U("v1beta1"))
M("context in one, user in the other", B.split("users:")[0], U("v1beta1"))
M("user in one, the rest in the other", U("v1beta1"), B.split("users:")[0])
M("current-context of the first", B, "current-context: nope\n")
M("current-context of the second", B.replace("current-context: c\n", ""), "current-context: c\n")
M("current-context first unknown", "current-context: nope\n", B)
M(
    "first has mode, second has v1 without",
    U("v1beta1", "      interactiveMode: Never\n"),
    B.split("users:")[0] + f"users:\n- name: u\n  user:\n    exec:\n      apiVersion: {V}v1\n      command: PLUGIN\n",
)
M(
    "first v1 without mode, second with",
    B.split("users:")[0] + f"users:\n- name: u\n  user:\n    exec:\n      apiVersion: {V}v1\n      command: PLUGIN\n",
    U("v1beta1", "      interactiveMode: Never\n"),
)
M(
    "first without command, second with",
    B.split("users:")[0] + f"users:\n- name: u\n  user:\n    exec:\n      apiVersion: {V}v1beta1\n",
    U("v1beta1"),
)
M("first token, second exec bad", config(user="token: good-token"), U("v2"))
M("first exec, second token bad", B, "users:\n- name: u\n  user:\n    token: other\n")
M("first exec fails, second token", B, "users:\n- name: u\n  user:\n    token: good-token\n", plugin="exit 1")
M("args of both", config(ex() + "\nargs: [a]"), U("v1beta1", "      args: [b, c]\n"), plugin='[ "$*" = "a" ] || exit 1;' + answer())
M("args of the second only", B, U("v1beta1", "      args: [b]\n"), plugin='[ "$*" = "b" ] || exit 1;' + answer())
M("args none of the second", B, U("v1beta1", "      args: [b]\n"), plugin='[ "$*" = "" ] || exit 1;' + answer())
M(
    "env of the second only",
    B,
    U("v1beta1", "      env:\n      - name: TOK\n        value: x\n"),
    plugin='[ -z "$TOK" ] || exit 1;' + answer(),
)
M(
    "env of the second seen",
    B,
    U("v1beta1", "      env:\n      - name: TOK\n        value: x\n"),
    plugin='[ -n "$TOK" ] || exit 1;' + answer(),
)
M("server of the second", B.replace("    server: SERVER\n", ""), B)
M("cluster in both, first good", B, B.replace("SERVER", "https://127.0.0.1:1"))
M("cluster in both, second good", B.replace("SERVER", "https://127.0.0.1:1"), B)
M("insecure of second with ca of first", B, B.replace("    certificate-authority: CA\n", "    insecure-skip-tls-verify: true\n"))
M("context in both", B.replace("user: u", "user: nope"), B)
M(
    "context namespace",
    B,
    B,
)
M(
    "provideClusterInfo of the second",
    B,
    U("v1beta1", "      provideClusterInfo: true\n"),
    plugin='case "$KUBERNETES_EXEC_INFO" in *cluster*) exit 1;; esac;' + answer(),
)
M("mode of first beats second", B, U("v1beta1", "      interactiveMode: Always\n"))
M("mode Always first", config(ex(more="interactiveMode: Always")), U("v1beta1", "      interactiveMode: Never\n"))
M("command of first beats second", B, U("v1beta1").replace("PLUGIN", "/nowhere/x"))
M("command bad first", config(ex(command="/nowhere/x")), U("v1beta1"))
M(
    "relative command in second",
    B.split("users:")[0],
    U("v1beta1").replace("PLUGIN", "./plug-in"),
)
M("context in both, same broken user of second", B, TWO)
case(
    "merge: three",
    None,
    ECHO,
    kubeconfig_env="DIR/a:DIR/b:DIR/c",
    files={"a=": B.split("users:")[0], "b=": U("v1beta1"), "c=": U("v2")},
)
case("world readable", B, answer())
case("group of tabs in json", "JSONTABS", answer())


def as_json(text, tabs):
    """The plain kubeconfig as JSON."""
    of = lambda name: next(line.split(": ", 1)[1] for line in text.splitlines() if line.strip().startswith(name + ": "))
    plugin = {"apiVersion": V + "v1beta1", "command": of("command"), "interactiveMode": "Never"}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": of("server"), "certificate-authority": of("certificate-authority")}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
    }
    return json.dumps(whole, indent="\t" if tabs else None)
