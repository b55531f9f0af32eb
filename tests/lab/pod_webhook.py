"""What EKS puts into a pod when it is made: the way to the Pod Identity agent, if the association works by then.

A webhook of the API server, under the name that it has on EKS. Setting `association_seconds` is how long a new association does
not work yet; a pod that is made before goes without for good.
"""

import base64
import json
import ssl
import time

import aws
import pod_identity
import reviews

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
NAME = "pod-identity-webhook"
VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
ENV = [{"name": VARIABLE, "value": "http://169.254.170.23/v1/credentials"},
       {"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "value": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"}]


def works(lab, namespace, account):
    """Whether an association for this ServiceAccount has been there for long enough."""
    for cluster in lab.aws.clusters():
        found = pod_identity.association(lab, cluster["name"], namespace, account)
        if found and time.time() - found["createdAt"] >= lab.settings["association_seconds"]:
            return True
    return False


def is_led(pod):
    """Whether a pod was given the way to its credentials."""
    return any(e["name"] == VARIABLE for c in pod["spec"]["containers"] for e in c.get("env") or [])


def patch(lab, request):
    """The JSON patch for a pod that is being made."""
    pod = request["object"]
    try:
        if is_led(pod) or not works(lab, request["namespace"], pod["spec"].get("serviceAccountName") or "default"):
            return []
    except aws.AwsError:
        return []
    return [{"op": "add", "path": f"/spec/containers/{n}/env", "value": [*(c.get("env") or []), *ENV]}
            for n, c in enumerate(pod["spec"]["containers"])]


def start(lab):
    """Serves on a port of its own, with the API server's certificate."""
    def answer(review):
        response = {"uid": review["request"]["uid"], "allowed": True}
        if changes := patch(lab, review["request"]):
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(changes).encode()).decode()}
        return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.cert_dir / "apiserver.crt", lab.cert_dir / "apiserver.key")
    reviews.serve(lab, "pod-webhook", answer, context)


def register(lab):
    """Tells a new API server of it. Only of the controller's pods: no other needs AWS in the lab."""
    lab.kube.ensure(CONFIGURATIONS, {"metadata": {"name": NAME}, "webhooks": [{
        "name": "iam-for-pods.amazonaws.com", "failurePolicy": "Ignore", "sideEffects": "None", "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"], "objectSelector": {"matchLabels": {"app.kubernetes.io/name": "karpenter"}},
        "clientConfig": {"url": f"https://{lab.at('pod-webhook')}/mutate",
                         "caBundle": base64.b64encode((lab.cert_dir / "ca.crt").read_bytes()).decode()},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}]}]})
