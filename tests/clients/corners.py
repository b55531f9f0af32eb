"""More cases: corners of kubeconfigs, environments and answers that people meet less often."""

import json

from cases import B, ECHO, TWO, U, V, answer, case, config, ex

NO_CA = "    certificate-authority: CA\n"

# the files that are looked for
HOME = dict(files={".kube/config=": B}, plugin=answer(), cwd="DIR")
case("HOME unset, .kube/config in the working directory", None, env={"HOME": None}, **HOME)
case("HOME empty, .kube/config in the working directory", None, env={"HOME": ""}, **HOME)
case("home has the file of before 2015", None, files={".kube/.kubeconfig=": B}, plugin=answer(), env={"HOME": "DIR"})
case("KUBECONFIG is a separator only", None, kubeconfig_env=":", files={".kube/config=": B}, plugin=answer(), env={"HOME": "DIR"})
case("KUBECONFIG missing, home has one", None, kubeconfig_env="DIR/nowhere", files={".kube/config=": B}, plugin=answer(), env={"HOME": "DIR"})
case("KUBECONFIG with tilde", None, kubeconfig_env="~/good", files={"good=": B}, plugin=answer(), env={"HOME": "DIR"})
case("flag with tilde", None, args={"kubeconfig": "~/good"}, files={"good=": B}, plugin=answer(), env={"HOME": "DIR"})
case("flag names a folder", None, args={"kubeconfig": "DIR"})
case("flag names an empty file", None, args={"kubeconfig": "DIR/none"}, files={"none=": ""})
case("context flag is empty", B, answer(), args={"context": ""})
case("linked kubeconfig, command relative to the link", None, kubeconfig_env="DIR/link", plugin=answer(),
     files={"deep/real=": config(ex(command="./plugin")), "link@": "deep/real"})
case("linked kubeconfig, command relative to its target", None, kubeconfig_env="DIR/link",
     files={"deep/real=": config(ex(command="./plug-in")), "deep/plug-in": answer(), "link@": "deep/real"})
case("command through a parent folder", None, kubeconfig_env="DIR/deep/kube", plugin=answer(), files={"deep/kube=": config(ex(command="../plugin"))})
case("command through the parent of a linked folder", None, kubeconfig_env="DIR/side/kube", plugin=answer(),
     files={"a/b/x=": "", "side/kube=": config(ex(command="./in/../plug-in")), "side/in@": "../a/b", "side/plug-in": answer()})
case("in a pod without a token file", None, env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"})
case("kubeconfig wins in a pod", B, answer(), env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"})

# what the environment says to clients
case("KUBERNETES_MASTER for a cluster without a server", B.replace("    server: SERVER\n", ""), answer(), env={"KUBERNETES_MASTER": "SERVER"})
case("KUBERNETES_MASTER beside a server", B, answer(), env={"KUBERNETES_MASTER": "https://127.0.0.1:1"})
case("KUBERNETES_MASTER alone", None, env={"KUBERNETES_MASTER": "SERVER"})
case("HELM_KUBEASGROUPS alone", B, answer(), env={"HELM_KUBEASGROUPS": "a,b"})
case("HELM_KUBEASGROUPS with a user", B, answer(), env={"HELM_KUBEASGROUPS": "a,b", "HELM_KUBEASUSER": "x"})
case("HELM_KUBEASGROUPS with the file's user", config(ex(), user="as: x"), answer(), env={"HELM_KUBEASGROUPS": "a"})
case("HELM_KUBECONTEXT unknown", B, answer(), env={"HELM_KUBECONTEXT": "nope"})
case("HELM_KUBECONTEXT empty", B, answer(), env={"HELM_KUBECONTEXT": ""})
case("HELM_KUBETOKEN over tokenFile", config(user="tokenFile: DIR/tok"), env={"HELM_KUBETOKEN": "good-token"}, files={"tok=": "other"})
case("HELM_KUBETOKEN over a missing tokenFile", config(user="tokenFile: DIR/nowhere"), env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETOKEN wrong over tokenFile", config(user="tokenFile: DIR/tok"), env={"HELM_KUBETOKEN": "other"}, files={"tok=": "good-token"})
case("HELM_KUBETOKEN over a password", config(user="username: a\npassword: b"), env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETOKEN over an auth-provider", config(user="auth-provider: {name: oidc}"), env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETOKEN with a line end", B, answer(), env={"HELM_KUBETOKEN": "good-token\n"})
case("HELM_KUBETOKEN without a kubeconfig", None, env={"HELM_KUBETOKEN": "good-token"})
case("HELM_KUBETOKEN and server without a kubeconfig", None,
     env={"HELM_KUBETOKEN": "good-token", "HELM_KUBEAPISERVER": "SERVER", "HELM_KUBECAFILE": "CERT"})
case("HELM_KUBETOKEN, server and no authority without a kubeconfig", None,
     env={"HELM_KUBETOKEN": "good-token", "HELM_KUBEAPISERVER": "SERVER", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true"})
case("HELM_KUBEAPISERVER by http", B, answer(), env={"HELM_KUBEAPISERVER": "PLAIN"})
case("HELM_KUBEAPISERVER without scheme", B, answer(), env={"HELM_KUBEAPISERVER": "HOSTPORT"})
case("HELM_KUBEAPISERVER with an unknown context", B, answer(), env={"HELM_KUBEAPISERVER": "SERVER", "HELM_KUBECONTEXT": "nope"})
case("HELM_KUBECAFILE missing", B, answer(), env={"HELM_KUBECAFILE": "/nowhere/ca"})
case("HELM_KUBECAFILE relative", B.replace(NO_CA, ""), answer(), files={"ca.pem=": "CERTTEXT"}, env={"HELM_KUBECAFILE": "ca.pem"}, cwd="DIR")
case("HELM_KUBECAFILE against data", B.replace("certificate-authority: CA", "certificate-authority-data: aGVsbG8="), answer(), env={"HELM_KUBECAFILE": "CERT"})
for value in ("1", "yes", "false", "TRUE", "t", ""):
    case(f"HELM_KUBEINSECURE_SKIP_TLS_VERIFY {value}", B.replace(NO_CA, ""), answer(), env={"HELM_KUBEINSECURE_SKIP_TLS_VERIFY": value})
case("HELM_KUBEINSECURE_SKIP_TLS_VERIFY with an authority", B, answer(), env={"HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true"})
case("HELM_KUBEINSECURE_SKIP_TLS_VERIFY and HELM_KUBECAFILE", B, answer(), env={"HELM_KUBEINSECURE_SKIP_TLS_VERIFY": "true", "HELM_KUBECAFILE": "CERT"})
case("HELM_KUBETLS_SERVER_NAME right", B, answer(), env={"HELM_KUBETLS_SERVER_NAME": "localhost"})
case("PATH empty, command in the working directory", config(ex(command="plug-in")), files={"plug-in": answer()}, env={"PATH": ""}, cwd="DIR")
case("PATH unset, command in the working directory", config(ex(command="plug-in")), files={"plug-in": answer()}, env={"PATH": None}, cwd="DIR")

# what a kubectl is told beside its kubeconfig
KUBERC = lambda body, version="v1beta1": f"apiVersion: kubectl.config.k8s.io/{version}\nkind: Preference\n{body}"
for name, body in {
    "denies every plugin": "credentialPluginPolicy: DenyAll\n",
    "allows every plugin": "credentialPluginPolicy: AllowAll\n",
    "allows this plugin": "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: DIR/plugin\n",
    "allows this command": "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: DIR/plugin\n",
    "allows another plugin": "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: other\n",
    "allows another command": "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: other\n",
    "has an unknown policy": "credentialPluginPolicy: Bogus\n",
    "has no policy": "aliases: []\n",
    "is broken": "a: [\n",
}.items():
    case(f"kuberc {name}", B, answer(), files={".kube/kuberc=": KUBERC(body)}, env={"HOME": "DIR"})
case("kuberc by KUBERC", B, answer(), files={"rc=": KUBERC("credentialPluginPolicy: DenyAll\n")}, env={"KUBERC": "DIR/rc"})
case("kuberc off", B, answer(), files={".kube/kuberc=": KUBERC("credentialPluginPolicy: DenyAll\n")}, env={"HOME": "DIR", "KUBERC": "off"})
case("kuberc disabled by feature", B, answer(), files={".kube/kuberc=": KUBERC("credentialPluginPolicy: DenyAll\n")},
     env={"HOME": "DIR", "KUBECTL_KUBERC": "false"})
case("kuberc of the older version", B, answer(), files={".kube/kuberc=": KUBERC("credentialPluginPolicy: DenyAll\n", "v1alpha1")}, env={"HOME": "DIR"})
case("kuberc denies, a token is there", config(user="token: good-token"), files={".kube/kuberc=": KUBERC("credentialPluginPolicy: DenyAll\n")}, env={"HOME": "DIR"})

# the server's address
for name, server in {
    "upper scheme": "SERVER",
    "upper Https": None,
    "fragment": "SERVER#x",
    "query": "SERVER?x=y",
    "two slashes at the end": "SERVER//",
    "path": "SERVER/clusters/x",
    "user": "https://a:b@HOSTPORT",
    "scheme only": "https://",
    "no host": "https:///x",
    "opaque": "https:HOSTPORT",
    "two slashes, no scheme": "//HOSTPORT",
    "host only": "127.0.0.1",
    "blank at the end": '"SERVER "',
    "blank inside": '"https://127.0.0.1 :1"',
    "ftp": "ftp://HOSTPORT",
    "port not a number": "https://127.0.0.1:port",
    "port too large": "https://127.0.0.1:99999",
    "control character": '"https://127.0.0.1\\t:1"',
    "percent": "https://127.0.0.1%zz",
    "underscore": "https://a_b.invalid",
    "localhost": None,
}.items():
    server = {"upper Https": "HTTPS://HOSTPORT", "localhost": "https://localhost:PORT"}.get(name, server)
    case(f"server: {name}", B.replace("SERVER", server), answer())
    case(f"server: {name}, token", config(user="token: good-token").replace("SERVER", server))
case("proxy-url http to nowhere", config(ex(), cluster="proxy-url: http://127.0.0.1:1"), answer())
for proxy in ("socks5://127.0.0.1:1", "127.0.0.1:1", "//x", "HTTP://127.0.0.1:1", "http://", "socks5h://127.0.0.1:1", '""', "':'", "http://a b"):
    case(f"proxy-url {proxy}", config("", cluster=f"proxy-url: {proxy}", user="token: other"))
PEM = "-----BEGIN CERTIFICATE-----\\n%s\\n-----END CERTIFICATE-----\\n"
case("ca pem garbage inside", B.replace("certificate-authority: CA", "certificate-authority: DIR/ca"), answer(), files={"ca=": PEM.replace("\\n", "\n") % "aGVsbG8="})
case("ca pem broken base64", B.replace("certificate-authority: CA", "certificate-authority: DIR/ca"), answer(), files={"ca=": PEM.replace("\\n", "\n") % "%%%"})
case("ca good then garbage", B.replace("certificate-authority: CA", "certificate-authority: DIR/ca"), answer(), files={"ca=": "CERTTEXT" + PEM.replace("\\n", "\n") % "aGVsbG8="})
case("ca with words around", B.replace("certificate-authority: CA", "certificate-authority: DIR/ca"), answer(), files={"ca=": "hello\nCERTTEXTbye\n"})
case("ca of another kind", B.replace("certificate-authority: CA", "certificate-authority: DIR/ca"), answer(), files={"ca=": PEM.replace("\\n", "\n").replace("CERTIFICATE", "PRIVATE KEY") % "aGVsbG8="})
case("ca a folder", B.replace("certificate-authority: CA", "certificate-authority: DIR"), answer())
case("ca empty file", B.replace("certificate-authority: CA", "certificate-authority: DIR/none"), answer(), files={"none=": ""})
case("ca data empty", B.replace("certificate-authority: CA", 'certificate-authority-data: ""'), answer())
case("ca missing, token", config(user="token: good-token").replace("certificate-authority: CA", "certificate-authority: /nowhere/ca"))
case("ca missing, plugin not accepted", config(ex("v2")).replace("certificate-authority: CA", "certificate-authority: /nowhere/ca"), ECHO)
case("insecure and ca data", config(ex(), cluster="insecure-skip-tls-verify: true").replace("certificate-authority: CA", "certificate-authority-data: CERTDATA"), answer())

# other credentials
for name, user in {
    "token, tokenFile missing": "token: good-token\ntokenFile: /nowhere/tok",
    "token wrong, tokenFile right": "token: other\ntokenFile: DIR/tok",
    "token, tokenFile wrong": "token: good-token\ntokenFile: DIR/wrong",
    "token, tokenFile empty": "token: good-token\ntokenFile: DIR/emptyfile",
    "tokenFile with line end": "tokenFile: DIR/tokline",
    "tokenFile with blanks": "tokenFile: DIR/tokblank",
    "tokenFile two lines": "tokenFile: DIR/toklines",
    "tokenFile blank only": "tokenFile: DIR/blank",
    "tokenFile a folder": "tokenFile: DIR",
    "tokenFile through tilde": "tokenFile: ~/tok",
    "token with blank around": 'token: " good-token "',
    "token with line end": 'token: "good-token\\n"',
    "token folded": "token: >\n  good-token",
    "token null": "token: null",
    "password only": "password: b",
    "user and token": "username: a\npassword: b\ntoken: good-token",
    "user, no password, and token": "username: a\ntoken: good-token",
    "user empty and token": 'username: ""\npassword: b\ntoken: good-token',
    "cert and token": "client-certificate: CERT\nclient-key: KEY\ntoken: good-token",
    "cert and wrong token": "client-certificate: CERT\nclient-key: KEY\ntoken: other",
    "cert missing file and token": "client-certificate: /nowhere\nclient-key: KEY\ntoken: good-token",
    "cert and key swapped": "client-certificate: KEY\nclient-key: CERT",
    "cert a folder": "client-certificate: DIR\nclient-key: KEY",
    "cert data with both": "client-certificate-data: BOTHDATA\nclient-key-data: BOTHDATA",
    "key data and missing key file": "client-certificate: CERT\nclient-key: /nowhere\nclient-key-data: KEYDATA",
    "cert data empty": 'client-certificate-data: ""\nclient-key-data: KEYDATA\ntoken: good-token',
    "key only and token": "client-key: KEY\ntoken: good-token",
    "key missing file and token": "client-key: /nowhere\ntoken: good-token",
    "as-uid only": "as-uid: x\ntoken: good-token",
    "as-uid with as": "as: y\nas-uid: x\ntoken: good-token",
    "as-groups and token": "as-groups: [a]\ntoken: good-token",
    "as-groups empty": "as-groups: []\ntoken: good-token",
    "as-user-extra only": "as-user-extra: {a: [b]}\ntoken: good-token",
    "as-user-extra of a text": "as-user-extra: {a: b}\ntoken: good-token",
    "as empty": 'as: ""\ntoken: good-token',
    "oidc provider": "auth-provider: {name: oidc}",
    "oidc provider with settings": "auth-provider: {name: oidc, config: {idp-issuer-url: https://127.0.0.1:1, client-id: x}}",
    "gcp provider and token": "auth-provider: {name: gcp}\ntoken: good-token",
    "azure provider and token": "auth-provider: {name: azure}\ntoken: good-token",
    "provider without name and token": "auth-provider: {}\ntoken: good-token",
    "provider null and token": "auth-provider: null\ntoken: good-token",
    "provider setting a number": "auth-provider: {name: oidc, config: {a: 5}}\ntoken: good-token",
}.items():
    files = {"tok=": "good-token", "wrong=": "other", "emptyfile=": "", "tokline=": "good-token\n", "tokblank=": "  good-token\t\n", "toklines=": "good-token\nx\n", "blank=": " \n"}
    case(f"credential: {name}", config(user=user), files=files)
    case(f"credential: {name}, beside exec", config(ex(), user=user), ECHO, files=files)
    case(f"credential: {name}, beside failing exec", config(ex(), user=user), "exit 1", files=files)

# types of fields that not every client knows
for field, level in {
    "disable-compression: x": "cluster",
    "tls-server-name: 5": "cluster",
    "proxy-url: 5": "cluster",
    "extensions: {}": "cluster",
    "extensions: [5]": "cluster",
    "extensions: [{name: 5}]": "cluster",
    "extensions: [{name: x, extension: 5}]": "cluster",
    "extensions: [{name: x, extension: y}]": "cluster",
    "extensions: [{name: x}, {name: x}]": "cluster",
    "extensions: [null]": "cluster",
    "namespace: 5": "context",
    "extensions: x": "context",
    "as-uid: 5": "user",
    "as-groups: x": "user",
    "as-groups: [5]": "user",
    "as-user-extra: []": "user",
    "as-user-extra: {a: [5]}": "user",
    "impersonate: 5": "user",
    "auth-provider: x": "user",
    "auth-provider: {name: 5}": "user",
    "extensions: [{}]": "user",
}.items():
    more = {level: field}
    if level != "user":
        more["user"] = "token: good-token"
    else:
        more["user"] = "token: good-token\n" + field
    case(f"type: {level} {field}", config(**more))
for field in ("interactiveMode: 5", "interactiveMode: [x]", "provideClusterInfo: 5", "provideClusterInfo: x", "installHint: 5", "installHint: [x]", "stdinUnavailable: 5", "config: 5", "InteractiveMode: Never", "env: [null]", "env: [{}]", "env: [{name: A=B, value: c}]", 'env: [{name: A, value: "a\\0b"}]', 'env: [{name: "A\\0", value: x}]', 'args: ["a\\0b"]', "env: [{name: A, value: true}]", "env: [{name: 5, value: x}]", "args: {}", "args: [[x]]", "env: x"):
    case(f"type: exec {field}", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\n{field}"), answer())
for field in ("preferences: []", "preferences: {colors: x}", "preferences: {colors: true, extensions: []}", "preferences: {extensions: x}", "extensions: {}", "extensions: [{name: x, extension: null}]", "clusters: {}", "contexts: [5]", "kind: 5", "apiVersion: 1", "current-context: [c]", "metadata: 5", "legacy: 1"):
    case(f"type: top {field}", B + field + "\n", answer())

# YAML as it comes
Y = lambda name, text, **more: case("yaml: " + name, text, ECHO, **more)
Y("utf-16 little", B, encoding="utf-16-le-bom")
Y("utf-16 big", B, encoding="utf-16-be-bom")
Y("utf-16 without mark", B, encoding="utf-16-le")
Y("invalid utf-8 in a comment", B + "# \udcff\n")
Y("invalid utf-8 in a value", B + "x: \udcff\n")
Y("invalid utf-8 in a second document", B + "---\nx: \udcff\n")
Y("latin-1 name", B + "x: caf\udce9\n")
Y("nul in a comment", B + "# \0\n")
Y("delete in a comment", B + "# \x7f\n")
Y("c1 control in a comment", B + "# \x80\n")
Y("next line character", B + "x: a\x85b\n")
Y("line separator", B + "x: a\u2028b\n")
Y("mark inside", B + "x: a\ufeffb\n")
Y("fffe", B + "x: a\ufffeb\n")
Y("emoji", B + "x: 😀\n")
Y("vertical tab", B + "x: a\x0bb\n")
Y("bom and crlf", "\ufeff" + B.replace("\n", "\r\n"))
Y("two boms", "\ufeff\ufeff" + B)
Y("cr only", B.replace("\n", "\r"))
Y("tab after colon", B.replace("current-context: c", "current-context:\tc"))
Y("tab at the end", B.replace("current-context: c", "current-context: c\t"))
Y("tab on an empty line", B.replace("contexts:", "\t\ncontexts:"))
Y("tab before a comment", B + "\t# x\n")
Y("tab in a list item", B.replace("- name: u", "-\tname: u"))
Y("directive 1.1", "%YAML 1.1\n---\n" + B)
Y("directive 1.2", "%YAML 1.2\n---\n" + B)
Y("directive 2.0", "%YAML 2.0\n---\n" + B)
Y("unknown directive", "%FOO x\n---\n" + B)
Y("tag directive", "%TAG ! tag:x,2000:\n---\n" + B)
Y("directive without dashes", "%YAML 1.1\n" + B)
Y("dashes twice", "---\n---\n" + B)
Y("empty first document", "# x\n---\n" + B)
Y("dots first", "...\n" + B)
Y("comment behind dashes", "--- # x\n" + B)
Y("null key", B + "~: x\n")
Y("empty key", B + ": x\n")
Y("bool key", B + "true: x\n")
Y("float key", B + "1.5: x\n")
Y("date key", B + "2001-01-01: x\n")
Y("list key", B + "[a]: x\n")
Y("map key", B + "{a: b}: x\n")
Y("null key deep", B + "x:\n- ~: y\n")
Y("inf value", B + "x: .inf\n")
Y("nan value", B + "x: .nan\n")
Y("huge number", B + "x: 123456789012345678901234567890\n")
Y("huge exponent", B + "x: 1e999\n")
Y("binary value", B + "x: !!binary aGk=\n")
Y("bad binary value", B + "x: !!binary '%%'\n")
Y("int tag on a text", B + "x: !!int abc\n")
Y("float tag on a text", B + "x: !!float abc\n")
Y("bool tag on a text", B + "x: !!bool abc\n")
Y("null tag on a text", B + "x: !!null abc\n")
Y("timestamp tag", B + "x: !!timestamp abc\n")
Y("set", B + "x: !!set {a, b}\n")
Y("omap", B + "x: !!omap [a: b]\n")
Y("tagged map", B + "x: !foo {a: b}\n")
Y("verbatim tag", B + "x: !<tag:yaml.org,2002:str> 5\n")
Y("str tag on a number", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\nargs: [!!str 5]"))
Y("int tag in args", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\nargs: [!!int '5']"))
Y("unknown anchor", B + "x: *nope\n")
Y("anchor twice", B + "x: &a b\ny: &a c\nz: *a\n")
Y("anchor that holds itself", B + "x: &a [*a]\n")
Y("merge of a list", config(ex()).replace("- name: u\n  user:\n", "- name: base\n  user: &a\n") + "- name: u\n  user:\n    <<: [*a]\n")
Y("merge of a text", B + "x:\n  <<: y\n")
Y("merge of a list of texts", B + "x:\n  <<: [y]\n")
Y("merge beside a key", config(ex("v2")).replace("- name: u\n  user:\n", "- name: base\n  user: &a\n") + f"- name: u\n  user:\n    <<: *a\n    exec: {{apiVersion: {V}v1beta1, command: PLUGIN}}\n")
Y("merge after the key", config(ex("v2")).replace("- name: u\n  user:\n", "- name: base\n  user: &a\n") + f"- name: u\n  user:\n    exec: {{apiVersion: {V}v1beta1, command: PLUGIN}}\n    <<: *a\n")
Y("quoted merge key", B + "x:\n  '<<': {a: b}\n")
Y("quoted merge key of a text", B + "x:\n  '<<': y\n")
Y("literal command", config(f"apiVersion: {V}v1beta1\ncommand: |\n  PLUGIN"))
Y("literal command, chomped", config(f"apiVersion: {V}v1beta1\ncommand: |-\n  PLUGIN"))
Y("plain over two lines", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\nargs: [a\n  b]"))
Y("comment in a list", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\nargs:\n# x\n- a # y\n- 'b#c'"))
Y("hash without blank", config(f"apiVersion: {V}v1beta1\ncommand: PLUGIN\nargs: [a#b]"))
Y("at sign", B + "x: @y\n")
Y("backtick", B + "x: `y`\n")
Y("percent", B + "x: %y\n")
Y("colon in a plain text", B + "x: a: b\n")
Y("dash only", B + "x: -\n")
Y("question mark", B + "x: ?\n")
Y("explicit key", B.replace("current-context: c\n", "? current-context\n: c\n"))
Y("explicit key without value", B + "? x\n")
Y("key over two lines", B + "a\n  b: c\n")
Y("key of 1100 characters", B + "k" * 1100 + ": x\n")
Y("quoted key of 1100 characters", B + '"' + "k" * 1100 + '": x\n')
Y("escape of a slash", B + 'x: "a\\/b"\n')
Y("escape unknown", B + 'x: "a\\qb"\n')
Y("escape of a surrogate", B + 'x: "\\ud83d\\ude00"\n')
Y("escape beyond unicode", B + 'x: "\\UFFFFFFFF"\n')
Y("escape of half a code", B + 'x: "\\u12"\n')
Y("single quotes doubled", B + "x: 'it''s'\n")
Y("list at the level of its key", B + "x:\n- a\n- b\n")
Y("less indented list item", B + "x:\n    - a\n  - b\n")
Y("flow not closed", B + "x: [a, b\n")
Y("flow comma twice", B + "x: [a,, b]\n")
Y("flow comma first", B + "x: [, a]\n")
Y("flow comma last", B + "x: [a, b,]\n")
Y("flow map value missing", B + "x: {a, b: c}\n")
Y("flow json without blanks", B + 'x: {"a":"b","c":[1,2]}\n')
Y("flow unindented", B + "x: [a,\nb]\n")
Y("flow closing unindented", B + "x: [\n  a\n]\n")
Y("plain flow key", B + "x: {a: b, 'c': d, e}\n")
Y("a url in a flow", B + "x: [https://a.b/c]\n")
Y("a text behind a quoted text", B + "x: 'a' b\n")
Y("a text behind a flow", B + "x: [a] b\n")
Y("a key behind a list", B + "- x\n")
Y("a text behind the document", B + "hello\n")
for n in (150, 250, 5000, 9999, 10000):
    Y(f"nesting of {n}", B + "x: " + "[" * n + "]" * n + "\n")
    Y(f"nesting of {n} in lines", B + "x:\n  " + "- " * n + "a\n")
    Y(f"nesting of {n} fields", B + "x: " + "{a: " * n + "1" + "}" * n + "\n")
Y("nesting of 20000", B + "x: " + "[" * 20000 + "]" * 20000 + "\n")
Y("long line", B + "x: " + "a" * 300000 + "\n")
Y("many users", B + "".join(f"- name: x{n}\n  user: {{token: t}}\n" for n in range(2000)))
Y("aliases many", B + "x: &a [1,2,3,4,5,6,7,8,9]\ny:\n" + "".join("- *a\n" for _ in range(500)))
Y("bomb", B + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n-1}'] * 9)}]\n" for n in range(1, 7)))
Y("user name twice in one map", B.replace("- name: u\n", "- name: x\n  name: u\n"))
Y("duplicate contexts key", B + "contexts: []\n")
Y("users in another case", B + "Users: []\nUSERS: 5\n")
Y("name missing and empty", B + '- user: {}\n- name: ""\n  user: {}\n')
Y("two users without a name", B + "- user: {}\n- user: {}\n")
Y("quoted name that differs by blank", B.replace("user: u\n", 'user: "u "\n'))
Y("unicode names", B.replace("name: c\n", "name: ü\n").replace("current-context: c", "current-context: ü"))
Y("current-context null", B.replace("current-context: c\n", "current-context:\n"))
Y("user an empty text", B.replace("    user: u\n", '    user: ""\n'))
PLAIN = {
    "apiVersion": "v1", "kind": "Config", "current-context": "c",
    "clusters": [{"name": "k", "cluster": {"server": "SERVER", "certificate-authority-data": "CERTDATA"}}],
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "users": [{"name": "u", "user": {"exec": {"apiVersion": V + "v1beta1", "command": "PLUGIN", "interactiveMode": "Never"}}}],
}
J = json.dumps(PLAIN, separators=(",", ":"))
Y("json in one line without blanks", J)
Y("json with a comma too many", J[:-1] + ",}")
Y("json with a comment", J + "\n// x\n")
Y("json twice", J + J)
Y("json twice on two lines", J + "\n" + J)
Y("json with a key twice", J[:-1] + ',"current-context":"nope"}')
Y("json with escapes", J.replace('"current-context":"c"', '"current-context":"\\u0063"').replace("client.authentication.k8s.io/", "client.authentication.k8s.io\\/"))
Y("json with a surrogate pair", J[:-1] + ',"x":"\\ud83d\\ude00"}')
Y("json with null", J[:-1] + ',"preferences":null,"extensions":null}')
Y("json with a bom", "\ufeff" + J)
Y("json cut off", J[:-3])
Y("json indented by tabs", json.dumps(PLAIN, indent="\t"))
Y("json with crlf", json.dumps(PLAIN, indent=1).replace("\n", "\r\n"))
Y("json with blanks before", "\n  " + J)

# several files
def M(name, files, plugin=ECHO, encoding=None, **more):
    paths = ":".join(f"DIR/{key.rstrip('=@!')}" for key in files)
    case("join: " + name, None, plugin, kubeconfig_env=more.pop("order", paths), files=files, **more)


HEAD = B.split("users:")[0]
M("a broken third of no interest", {"a=": B, "b=": U("v2"), "c=": "users: 5\n"})
M("wrong kind second", {"a=": B, "b=": "kind: Secret\napiVersion: v1\n"})
M("list second", {"a=": B, "b=": "[]\n"})
M("contexts of the same name, other users", {"a=": B, "b=": config(ex("v2")).replace("user: u", "user: z")})
M("user null first", {"a=": HEAD + "users:\n- name: u\n  user: null\n", "b=": U("v1beta1")})
M("user empty first", {"a=": HEAD + "users:\n- name: u\n  user: {}\n", "b=": U("v1beta1")})
M("exec null first", {"a=": HEAD + "users:\n- name: u\n  user: {exec: null}\n", "b=": U("v1beta1")})
M("cluster empty first", {"a=": "clusters:\n- name: k\n  cluster: {}\n", "b=": B})
M("context empty first", {"a=": "contexts:\n- name: c\n  context: {}\n", "b=": B})
M("context user first, cluster second", {"a=": B.replace("    cluster: k\n", ""), "b=": B.replace("    user: u\n", "")})
M("ca of the second", {"a=": B.replace(NO_CA, ""), "b=": B})
M("ca data second beside the file of the first", {"a=": B, "b=": B.replace("certificate-authority: CA", "certificate-authority-data: aGVsbG8=")})
M("token second beside tokenFile first", {"a=": config(user="tokenFile: /nowhere/x"), "b=": "users:\n- name: u\n  user: {token: good-token}\n"})
M("cert first, key second", {"a=": config(user="client-certificate: CERT"), "b=": "users:\n- name: u\n  user: {client-key: KEY}\n"})
M("password second", {"a=": B, "b=": "users:\n- name: u\n  user: {username: a, password: b}\n"})
M("auth-provider second", {"a=": B, "b=": "users:\n- name: u\n  user: {auth-provider: {name: oidc}}\n"})
M("as-groups second", {"a=": B, "b=": "users:\n- name: u\n  user: {as-groups: [x]}\n"})
M("as second", {"a=": config(ex(), user="as-groups: [x]"), "b=": "users:\n- name: u\n  user: {as: y}\n"})
M("env of both", {"a=": config(ex() + "\nenv:\n- {name: A, value: a}"), "b=": U("v1beta1", "      env:\n      - {name: B, value: b}\n")}, plugin='[ "$A$B" = a ] || exit 1;' + answer())
M("env of both, seen of the second", {"a=": config(ex() + "\nenv:\n- {name: A, value: a}"), "b=": U("v1beta1", "      env:\n      - {name: B, value: b}\n")}, plugin='[ "$A$B" = b ] || exit 1;' + answer())
M("the same file by two ways", {"a=": B}, order="DIR/a:DIR/./a:DIR/../BASE/a")
M("one by a link", {"a=": B, "b@": "a"})
M("relative names", {"a=": HEAD, "b=": U("v1beta1")}, order="a:b", cwd="DIR")
M("relative command, two folders", {"one/a=": HEAD, "two/b=": U("v1beta1").replace("PLUGIN", "./plug-in")}, order="DIR/one/a:DIR/two/b:DIR/two/plug-in-not")
case("join: relative command found in the second's folder", None, None, kubeconfig_env="DIR/one/a:DIR/two/b",
     files={"one/a=": HEAD, "two/b=": U("v1beta1").replace("PLUGIN", "./plug-in"), "two/plug-in": answer()})
case("join: relative command, user in both", None, None, kubeconfig_env="DIR/one/a:DIR/two/b",
     files={"one/a=": config(ex(command="./plug-in")), "two/b=": U("v1beta1").replace("PLUGIN", "./other"), "one/plug-in": answer(), "two/other": answer()})
M("flag beats several", {"a=": config(ex("v2")), "b=": U("v2"), "c=": B}, order="DIR/a:DIR/b", args={"kubeconfig": "DIR/c"})
M("missing, empty, good", {"e=": "", "g=": B}, order="DIR/nowhere::DIR/e:DIR/g")
M("current-context empty first", {"a=": B.replace("current-context: c", 'current-context: ""'), "b=": "current-context: c\n"})
M("context flag of the second file", {"a=": B, "b=": TWO}, args={"context": "other"})
M("insecure first, ca second", {"a=": B.replace(NO_CA, "    insecure-skip-tls-verify: true\n"), "b=": B})
M("insecure false second", {"a=": B.replace(NO_CA, "    insecure-skip-tls-verify: true\n"), "b=": B.replace(NO_CA, "    insecure-skip-tls-verify: false\n")})
M("apiVersion only in the second", {"a=": HEAD + "users:\n- name: u\n  user: {exec: {command: PLUGIN}}\n", "b=": U("v1beta1")})
M("second has a v1alpha1", {"a=": B, "b=": U("v1alpha1")})
M("first has a v1alpha1", {"a=": config(ex("v1alpha1")), "b=": U("v1beta1")})
M("mode only first, v1", {"a=": config(ex("v1", more="interactiveMode: Never")), "b=": U("v1")})
M("mode only second, v1", {"a=": config(ex("v1", more="")), "b=": U("v1", "      interactiveMode: Never\n")})
M("mode defaults first, second Never", {"a=": config(ex("v1beta1", more="")), "b=": U("v1beta1", "      interactiveMode: Always\n")})
M("v1beta1 first without mode, v1 second without", {"a=": config(ex("v1beta1", more="")), "b=": U("v1")})
M("v1 first without mode, v1beta1 second without", {"a=": config(ex("v1", more="")), "b=": U("v1beta1")})

# answers
A = lambda name, plugin, v="v1beta1": case("answers: " + name, config(ex(v)), plugin)
BODY = lambda status='{"token":"good-token"}', more="", v="v1beta1": f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}{v}"{more},"status":{status}}}'"""
for v in ("v1beta1", "v1", "v1alpha1"):
    for name, spec in {
        "spec null": "null", "spec a text": '"x"', "spec number": "5", "spec bool": "true", "spec empty": "{}",
        "spec unknown field": '{"x":1}', "interactive text": '{"interactive":"x"}', "interactive null": '{"interactive":null}',
        "cluster number": '{"cluster":5}', "cluster empty": '{"cluster":{}}', "cluster null": '{"cluster":null}',
        "cluster a list": '{"cluster":[]}', "server number": '{"cluster":{"server":5}}',
        "authority not base64": '{"cluster":{"certificate-authority-data":"%%"}}', "authority number": '{"cluster":{"certificate-authority-data":5}}',
        "insecure text": '{"cluster":{"insecure-skip-tls-verify":"x"}}', "config text": '{"cluster":{"config":"x"}}',
        "config number": '{"cluster":{"config":5}}', "tls name number": '{"cluster":{"tls-server-name":5}}', "proxy number": '{"cluster":{"proxy-url":5}}',
        "compression text": '{"cluster":{"disable-compression":"x"}}',
        "response": '{"response":{"code":401}}', "response number": '{"response":5}', "response code text": '{"response":{"code":"x"}}',
        "response header": '{"response":{"header":{"a":["b"]}}}', "response header text": '{"response":{"header":5}}',
    }.items():
        A(f"{v} {name}", BODY(more=f',"spec":{spec}', v=v), v)
A("metadata number", BODY(more=',"metadata":5'))
A("metadata labels", BODY(more=',"metadata":{"labels":5}'))
for name, status in {
    "unknown object": '{"token":"good-token","x":{"y":[1,2]}}', "cert null": '{"token":"good-token","clientCertificateData":null}',
    "cert empty": '{"token":"good-token","clientCertificateData":"","clientKeyData":""}', "cert number": '{"token":"good-token","clientCertificateData":5}',
    "key list": '{"token":"good-token","clientKeyData":[]}', "token object": '{"token":{}}', "token list": '{"token":["good-token"]}',
    "token blank": '{"token":" "}', "token tab only": '{"token":"\\t"}', "token twice, bad type first": '{"token":5,"token":"good-token"}',
    "token twice, bad type last": '{"token":"good-token","token":5}', "token escaped": '{"token":"good\\u002dtoken"}', "token escaped slash": '{"token":"good\\/token"}',
    "token surrogate": '{"token":"\\ud800"}', "token nul": '{"token":"good\\u0000token"}', "token delete": '{"token":"good\\u007ftoken"}', "token long": '{"token":"' + "a" * 20000 + '"}',
    "token carriage return": '{"token":"good-token\\r"}',
    "TOKEN": '{"TOKEN":"good-token"}', "expiry list": '{"token":"good-token","expirationTimestamp":[]}', "expiry object": '{"token":"good-token","expirationTimestamp":{}}',
    "expiry year 0": '{"token":"good-token","expirationTimestamp":"0000-01-01T00:00:00Z"}', "expiry year 9999": '{"token":"good-token","expirationTimestamp":"9999-12-31T23:59:59Z"}',
    "expiry year 10000": '{"token":"good-token","expirationTimestamp":"10000-01-01T00:00:00Z"}', "expiry three digits": '{"token":"good-token","expirationTimestamp":"999-01-01T00:00:00Z"}',
    "expiry month 13": '{"token":"good-token","expirationTimestamp":"2099-13-01T00:00:00Z"}', "expiry month 1": '{"token":"good-token","expirationTimestamp":"2099-1-01T00:00:00Z"}',
    "expiry day 1": '{"token":"good-token","expirationTimestamp":"2099-01-1T00:00:00Z"}', "expiry minute 5": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:5:00Z"}',
    "expiry second 5": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:5Z"}', "expiry hour 000": '{"token":"good-token","expirationTimestamp":"2099-01-01T000:00:00Z"}',
    "expiry no seconds": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00Z"}', "expiry dot": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00.Z"}',
    "expiry 20 digits": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00.12345678901234567890Z"}', "expiry fraction letters": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00.aZ"}',
    "expiry offset 24": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+24:00"}', "expiry offset 23:59": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00-23:59"}',
    "expiry offset 24:01": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+24:01"}', "expiry offset :60": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+01:60"}', "expiry offset :61": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+01:61"}',
    "expiry offset hour": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+01"}', "expiry offset digits": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+1:00"}',
    "expiry offset seconds": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00+01:00:00"}', "expiry zone name": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00UTC"}',
    "expiry blank before": '{"token":"good-token","expirationTimestamp":" 2099-01-01T00:00:00Z"}', "expiry blank after": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00Z "}',
    "expiry more after": '{"token":"good-token","expirationTimestamp":"2099-01-01T00:00:00Zx"}', "expiry minus year": '{"token":"good-token","expirationTimestamp":"-2099-01-01T00:00:00Z"}',
    "expiry leap day": '{"token":"good-token","expirationTimestamp":"2096-02-29T00:00:00Z"}', "expiry no leap day": '{"token":"good-token","expirationTimestamp":"2100-02-29T00:00:00Z"}',
    "expiry day 0": '{"token":"good-token","expirationTimestamp":"2099-01-00T00:00:00Z"}', "expiry month 0": '{"token":"good-token","expirationTimestamp":"2099-00-01T00:00:00Z"}',
    "expiry unicode digits": '{"token":"good-token","expirationTimestamp":"２099-01-01T00:00:00Z"}', "expiry escaped": '{"token":"good-token","expirationTimestamp":"2099-01-01\\u005400:00:00Z"}',
}.items():
    A(name, BODY(status))
    if "expiry" not in name:
        A(f"v1 {name}", BODY(status, v="v1"), "v1")
YAML = lambda lines: "printf '%b' '" + f"kind: ExecCredential\\napiVersion: {V}v1beta1\\n".replace("'", "") + lines.replace("\n", "\\n") + "'"
for name, lines in {
    "numeric token": "status:\n  token: 5\n", "bool token": "status:\n  token: yes\n", "quoted token": 'status:\n  token: "good-token"\n', "flow": "status: {token: good-token}\n",
    "expiry plain": "status:\n  token: good-token\n  expirationTimestamp: 2099-01-01T00:00:00Z\n", "expiry date": "status:\n  token: good-token\n  expirationTimestamp: 2099-01-01\n",
    "expiry canonical": "status:\n  token: good-token\n  expirationTimestamp: 2099-01-01 00:00:00\n", "expiry quoted": 'status:\n  token: good-token\n  expirationTimestamp: "2099-01-01T00:00:00Z"\n',
    "key twice": "status:\n  token: x\n  token: good-token\n", "status twice": "status: {}\nstatus: {token: good-token}\n", "anchor": "x: &a good-token\nstatus: {token: *a}\n", "tab": "status:\n\ttoken: good-token\n",
    "folded token": "status:\n  token: >\n    good-token\n", "chomped token": "status:\n  token: >-\n    good-token\n", "null key": "~: x\nstatus: {token: good-token}\n", "bool key": "true: x\nstatus: {token: good-token}\n",
    "crlf": "status: {token: good-token}\r\n", "end mark": "status: {token: good-token}\n...\n", "garbage behind the end mark": "status: {token: good-token}\n...\nhello\n", "second document broken": "status: {token: good-token}\n---\na: [\n",
    "no status": "", "status a list": "status: [a]\n", "kind twice": "kind: Secret\nstatus: {token: good-token}\n", "merge": "x: &a {token: good-token}\nstatus:\n  <<: *a\n", "upper keys": "Status: {token: good-token}\n",
    "inf": "x: .inf\nstatus: {token: good-token}\n", "huge int": "x: 99999999999999999999999\nstatus: {token: good-token}\n", "cert and expiry null": "status: {token: good-token, clientCertificateData: null, expirationTimestamp: null}\n",
}.items():
    A("yaml " + name, YAML(lines))
A("yaml after a warning", f"echo 'Warning: old'; {YAML('status: {token: good-token}' + chr(10))}")
A("warning that is yaml", "echo 'note: x';" + YAML("status: {token: good-token}\n"))
A("dashes then json", "echo ---;" + BODY())
A("comment then json", "echo '# hi';" + BODY())
A("json then comment", BODY() + "; echo; echo '# hi'")
A("json then dashes and garbage", BODY() + "; echo; echo ---; echo 'a: ['")
A("json then another value", BODY() + "; printf ' 5'")
A("json then nul", BODY() + "; printf '\\000'")
A("json then bom", BODY() + "; printf '\\357\\273\\277'")
A("bom then yaml", "printf '\\357\\273\\277';" + YAML("status: {token: good-token}\n"))
A("utf-16", "printf '\\377\\376'; printf '%s' x | sed 's/./&\\x00/g'")
A("form feed before", "printf '\\f';" + BODY())
A("vertical tab before", "printf '\\v';" + BODY())
A("no-break space before", "printf '\\302\\240';" + BODY())
A("next line before", "printf '\\302\\205';" + BODY())
A("crlf", "printf '{\\r\\n\"kind\":\"ExecCredential\",\\r\\n\"apiVersion\":\"" + V + "v1beta1\",\"status\":{\"token\":\"good-token\"}}\\r\\n'")
A("pretty", "cat <<E\n" + json.dumps({"kind": "ExecCredential", "apiVersion": V + "v1beta1", "spec": {}, "status": {"token": "good-token"}}, indent=2) + "\nE")
A("raw tab in a text", "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + V + "v1beta1\",\"x\":\"a\\tb\",\"status\":{\"token\":\"good-token\"}}'")
A("raw line end in a text", "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + V + "v1beta1\",\"x\":\"a\\nb\",\"status\":{\"token\":\"good-token\"}}'")
A("number forms", BODY(more=',"x":[-0,1e5,1.5E+3,0.1]'))
A("number with leading zero", BODY(more=',"x":01'))
A("number large", BODY(more=',"x":1e300'))
A("number too large", BODY(more=',"x":1e400'))
A("number too large in a list", BODY(more=',"x":[1,{"y":-1e400}]'))
A("number too large in status", BODY('{"token":"good-token","x":1e400}'))
A("number too small", BODY(more=',"x":1e-400'))
A("number of many digits", BODY(more=',"x":' + "9" * 400))
A("number of many digits and a fraction", BODY(more=',"x":' + "9" * 400 + ".5"))
A("nan", BODY(more=',"x":NaN'))
A("hex", BODY(more=',"x":0x1'))
A("deep", "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + V + "v1beta1\",\"x\":'; head -c 5000 /dev/zero | tr '\\0' '['; head -c 5000 /dev/zero | tr '\\0' ']'; printf ',\"status\":{\"token\":\"good-token\"}}'")
A("deeper than 10000", "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + V + "v1beta1\",\"x\":'; head -c 11000 /dev/zero | tr '\\0' '['; head -c 11000 /dev/zero | tr '\\0' ']'; printf ',\"status\":{\"token\":\"good-token\"}}'")
A("Kind upper", f"""printf '%s' '{{"Kind":"ExecCredential","APIVERSION":"{V}v1beta1","status":{{"token":"good-token"}}}}'""")
A("kind and Kind", f"""printf '%s' '{{"kind":"ExecCredential","Kind":"Secret","apiVersion":"{V}v1beta1","status":{{"token":"good-token"}}}}'""")
A("apiVersion twice, good first", f"""printf '%s' '{{"kind":"ExecCredential","apiVersion":"{V}v1beta1","apiVersion":"{V}v1","status":{{"token":"good-token"}}}}'""")
A("apiVersion with a blank", answer(api=json.dumps(V + "v1beta1 ")))
A("apiVersion of another group", answer(api='"authentication.k8s.io/v1"'))
A("apiVersion slash only", answer(api='"/"'))
A("apiVersion internal", answer(api=json.dumps(V + "__internal")))
A("kind internal", answer(kind='"kind":"ExecCredential ",'))
A("kind Status", answer(kind='"kind":"Status",'))
A("kind ListOptions", answer(kind='"kind":"ListOptions",'))
A("kind WatchEvent", answer(kind='"kind":"WatchEvent",'))
A("nothing and exit 1", "exit 1")
A("killed by TERM", BODY() + "; kill -TERM $$")
A("stopped output, goes on", BODY() + "; exec >&-; sleep 0.5")
A("a child holds the output", BODY() + "; sleep 1 &")
A("much on stderr", "head -c 300000 /dev/zero | tr '\\0' x >&2;" + BODY())
A("binary on stderr", "head -c 3000 /dev/urandom >&2;" + BODY())
A("reads the terminal", "read -t 1 x </dev/tty;" + BODY())
A("exit 0 after closing output first", "exec >&-; exit 0")
A("answers twice the same over two lines", BODY() + "; echo;" + BODY())
A("spec missing, status first", f"""printf '%s' '{{"status":{{"token":"good-token"}},"apiVersion":"{V}v1beta1","kind":"ExecCredential"}}'""")
for name in ("PYCERTV1", "PYINVALIDPEM", "PYCERTCRLF", "PYCERTNOEND", "PYCERTTEXT", "PYKEYTEXT", "PYKEYENCRYPTED", "PYCERTTWICE", "PYTOKENEMPTYCERT", "PYRSA", "PYRSAPKCS1", "PYSEC1", "PYEXPIRED"):
    A(name, name, "v1" if name.endswith("V1") else "v1beta1")

# what the plugin is told
for v in ("v1beta1", "v1", "v1alpha1"):
    for name, cluster in {
        "plainly": "",
        "tls-server-name": "tls-server-name: localhost",
        "an extension": "extensions:\n- {name: client.authentication.k8s.io/exec, extension: {a: b, n: 5, f: 1.5, l: [x, yes, null]}}",
        "another extension": "extensions:\n- {name: other, extension: {a: b}}",
        "a text for an extension": "extensions:\n- {name: client.authentication.k8s.io/exec, extension: x}",
        "disable-compression": "disable-compression: true",
    }.items():
        case(f"told of the cluster, {v}: {name}", config(ex(v, more="interactiveMode: IfAvailable\nprovideClusterInfo: true"), cluster=cluster), ECHO)
told = ex(more="interactiveMode: Never\nprovideClusterInfo: true")
case("told of the cluster: no authority", config(told).replace(NO_CA, "    insecure-skip-tls-verify: true\n"), ECHO)
case("told of the cluster: authority data", config(told).replace("certificate-authority: CA", "certificate-authority-data: CERTDATA"), ECHO)
case("told of the cluster: address with a path", config(told).replace("SERVER", "SERVER/"), ECHO)
case("told of the cluster: HELM_KUBEAPISERVER", config(told).replace("SERVER", "https://127.0.0.1:1"), ECHO, env={"HELM_KUBEAPISERVER": "SERVER"})
case("told of the cluster: HELM_KUBECAFILE", config(told).replace(NO_CA, ""), ECHO, env={"HELM_KUBECAFILE": "CERT"})
case("told of the cluster: not asked", config(ex(), cluster="tls-server-name: localhost"), ECHO)
case("arguments and variables as they are", config(ex() + "\nargs: ['', ' a b ', \"c'd\", 'é', '--x=y']\nenv: [{name: A, value: ' b '}, {name: LC_ALL, value: C}]"), ECHO)
