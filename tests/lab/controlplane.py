"""etcd, kube-apiserver, controller manager, scheduler and kwok: the cluster behind every EKS cluster of the lab."""

import json
import shutil
import ssl
import http.client

import kube
import pod_webhook
from supervisor import free_port

# user -> token; each program has a name of its own so that the audit log can leave the lab's own traffic out
USERS = {"lab:admin": "admin-token", "lab:lab": kube.Kube.TOKEN, "lab:kcm": "kcm-token",
         "lab:scheduler": "scheduler-token", "lab:kwok": "kwok-token"}
QUIET = [u for u in USERS if u != "lab:admin"] + ["system:apiserver"]
# started in this order, stopped in the reverse one: an apiserver without etcd keeps its port for up to 60 s
CLIENTS = ("kwok", "scheduler", "kcm")
ORDER = ("etcd", "apiserver", *CLIENTS)


def kubeconfig(lab, token, name):
    """A kubeconfig (JSON is YAML) for one token."""
    path = lab.kube_dir / name
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": lab.apiserver_url,
                                                 "certificate-authority": str(lab.cert_dir / "ca.crt")}}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}]}))
    path.chmod(0o600)
    return path


def write_files(lab):
    """Everything the programs read. Ports must be chosen; the certificates must be there."""
    lab.kube_dir.mkdir(parents=True, exist_ok=True)
    (lab.kube_dir / "tokens.csv").write_text(
        "".join(f'{token},{user},{user},"system:masters"\n' for user, token in USERS.items()))
    (lab.kube_dir / "tokens.csv").chmod(0o600)
    (lab.kube_dir / "token-webhook.yaml").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "a", "cluster": {"server": f"http://{lab.at('webhook')}/"}}],
        "users": [{"name": "u"}], "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}]}))
    (lab.kube_dir / "audit.yaml").write_text(json.dumps({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "users": QUIET},
                  {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*"]},
                  {"level": "Metadata"}]}))
    kubeconfig(lab, USERS["lab:admin"], "kubeconfig")
    for name in CLIENTS:
        kubeconfig(lab, USERS[f"lab:{name}"], f"kubeconfig-{name}")


def command(lab, name):
    """The command line of one program."""
    certs, here, config = lab.cert_dir, lab.kube_dir, lab.kube_dir / f"kubeconfig-{name}"
    etcd, binary = f"http://{lab.at('etcd')}" if "etcd" in lab.ports else "", lab.bin / {
        "apiserver": "kube-apiserver", "kcm": "kube-controller-manager", "scheduler": "kube-scheduler"}.get(name, name)
    match name:
        case "etcd":
            flags = ["--data-dir", here / "etcd", "--unsafe-no-fsync", "--listen-client-urls", etcd,
                     "--advertise-client-urls", etcd, "--listen-peer-urls", f"http://{lab.at('etcd-peer')}",
                     "--log-level", "warn"]
        case "apiserver":
            flags = [f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={lab.ports['apiserver']}",
                     f"--tls-cert-file={certs}/apiserver.crt", f"--tls-private-key-file={certs}/apiserver.key",
                     f"--cert-dir={here}/apiserver", "--service-account-issuer=https://kubernetes.default.svc",
                     f"--service-account-key-file={certs}/sa.key", "--service-cluster-ip-range=10.100.0.0/16",
                     f"--service-account-signing-key-file={certs}/sa.key", f"--token-auth-file={here}/tokens.csv",
                     f"--authentication-token-webhook-config-file={here}/token-webhook.yaml",
                     "--authentication-token-webhook-cache-ttl=1s", "--authorization-mode=RBAC",
                     "--allow-privileged", f"--audit-policy-file={here}/audit.yaml",
                     f"--audit-log-path={lab.log_dir}/audit.jsonl", "--endpoint-reconciler-type=none",
                     "--advertise-address=127.0.0.1"]
        case "kcm":
            # nodelifecycle stays on: it takes the not-ready taint away, without it every pod stays Pending
            flags = [f"--kubeconfig={config}", "--use-service-account-credentials", "--leader-elect=false",
                     f"--service-account-private-key-file={certs}/sa.key", f"--root-ca-file={certs}/ca.crt",
                     "--bind-address=127.0.0.1", f"--secure-port={lab.ports['kcm']}", f"--cert-dir={here}/kcm",
                     "--controllers=*,-cloud-node-lifecycle"]
        case "scheduler":
            flags = [f"--kubeconfig={config}", "--leader-elect=false", "--bind-address=127.0.0.1",
                     f"--secure-port={lab.ports['scheduler']}", f"--cert-dir={here}/scheduler"]
        case "kwok":
            flags = [f"--kubeconfig={config}", "--manage-all-nodes", "--config", lab.cache / "kwok-stages.yaml",
                     "--node-lease-duration-seconds", "40"]
    return [binary, *flags]


def _answers(lab, part, path, tls, token=None):
    """Whether a health endpoint says it is well."""
    try:
        if tls:
            context = ssl.create_default_context(cafile=str(lab.cert_dir / "ca.crt"))
            c = http.client.HTTPSConnection("127.0.0.1", lab.ports[part], context=context, timeout=2)
        else:
            c = http.client.HTTPConnection("127.0.0.1", lab.ports[part], timeout=2)
        c.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
        return c.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def healthy(lab, name):
    """Whether a program of the control plane is ready for work; the clients need only be running."""
    if name == "etcd":
        return _answers(lab, "etcd", "/health", tls=False)
    if name == "apiserver":
        return _answers(lab, "apiserver", "/readyz", tls=True, token=kube.Kube.TOKEN)
    return lab.supervisor.programs[name].running


def choose_ports(lab):
    for name in ("etcd", "etcd-peer", "apiserver", "kcm", "scheduler"):
        lab.ports.setdefault(name, free_port())


def start(lab, name):
    """Starts one program and waits until it is well. The apiserver looks in ~/.kube for nothing, so HOME stays out."""
    lab.supervisor.start(name, command(lab, name), env={"PATH": "/usr/bin:/bin", "HOME": str(lab.kube_dir)})
    lab.supervisor.wait_for(name, lambda: healthy(lab, name), seconds=120)
    if name == "apiserver":
        pod_webhook.register(lab)


def stop(lab):
    lab.supervisor.stop(*CLIENTS)
    lab.supervisor.stop("apiserver", seconds=15)
    lab.supervisor.stop("etcd")


def empty(lab):
    """Makes the cluster new: the same addresses and certificates, no objects.

    Deleting all objects one by one would trip over finalizers and leave what the lab did not think of; a new etcd
    takes about as long and leaves nothing.
    """
    with lab.kube_lock:
        stop(lab)
        shutil.rmtree(lab.kube_dir / "etcd", ignore_errors=True)
        for name in ORDER:
            start(lab, name)
