"""A Sigstore of our own: an authority, a certificate log and a transparency log, each of which is only a key, and signatures as cosign keeps them
in a registry. Needs `cryptography`, which the lab's venv has."""

import base64
import datetime
import hashlib
import http.client
import json
import struct
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

REPOSITORY = "aws/karpenter-provider-aws"
ISSUER = "https://token.actions.githubusercontent.com"
FULCIO = "1.3.6.1.4.1.57264.1."  # what the authority knows of who asked: 1 and 8 issuer, 4 workflow, 5 repository, 6 ref
SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"


def key():
    return ec.generate_private_key(ec.SECP256R1())


def signed(by, data):
    return by.sign(data, ec.ECDSA(hashes.SHA256()))


def public_der(of):
    return of.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_pem(of):
    return of.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def text(data):
    return base64.b64encode(data).decode()


def der(tag, data):
    """A short DER value, or one of up to 255 bytes."""
    return bytes([tag]) + (bytes([len(data)]) if len(data) < 128 else bytes([0x81, len(data)])) + data


class Sigstore:
    """Who trusts its keys (`environment`) takes what it signs for."""

    def __init__(self, **keys):
        """Any of `authority`, `certificates` and `transparency` can be another's."""
        self.authority, self.certificates, self.transparency = (keys.get(k) or key() for k in ("authority", "certificates", "transparency"))
        self.now = datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the test")])
        self.root = self.certificate(name, self.authority, name).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True).sign(self.authority, hashes.SHA256())

    def certificate(self, subject, of, issuer):
        return x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(of.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(self.now - datetime.timedelta(minutes=1)).not_valid_after(
            self.now + datetime.timedelta(minutes=60))

    def environment(self, folder):
        """By which cosign trusts these keys and no others."""
        files = {"SIGSTORE_ROOT_FILE": pem(self.root), "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": public_pem(self.certificates),
                 "SIGSTORE_REKOR_PUBLIC_KEY": public_pem(self.transparency)}
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return {name: str(folder / name) for name in files}

    def leaf(self, of, repository, workflow, ref):
        """The certificate of a release workflow, with the proof that the log of certificates has it."""
        identity = f"https://github.com/{repository}/.github/workflows/{workflow}@{ref}"
        known = {"1": ISSUER.encode(), "4": b"Release", "5": repository.encode(), "6": ref.encode(), "8": der(0x0C, ISSUER.encode())}
        builder = self.certificate(x509.Name([]), of, self.root.subject)
        for extension, critical in (
                (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
                (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), True),
                *((x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO + number), value), False) for number, value in known.items())):
            builder = builder.add_extension(extension, critical)
        before = builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        # RFC 6962: version 1, when, of a certificate to come, its issuer's key, the certificate without this, nothing more
        at = struct.pack(">Q", int(time.time() * 1000))
        entry = b"\0\0" + at + b"\0\1" + hashlib.sha256(public_der(self.authority)).digest() + len(before).to_bytes(3, "big") + before + b"\0\0"
        signature = signed(self.certificates, entry)
        sct = b"\0" + hashlib.sha256(public_der(self.certificates)).digest() + at + b"\0\0" + b"\4\3" + struct.pack(">H", len(signature)) + signature
        several = struct.pack(">H", len(sct)) + sct
        several = struct.pack(">H", len(several)) + several
        return builder.add_extension(x509.UnrecognizedExtension(SCTS, der(0x04, several)), False).sign(self.authority, hashes.SHA256())

    def sign(self, reference, digest, version, repository=REPOSITORY, workflow="release.yaml", ref=None):
        """What cosign lays beside a chart: (what is signed, what is said of it)."""
        of = key()
        leaf = self.leaf(of, repository, workflow, ref or f"refs/tags/v{version}")
        payload = json.dumps({"critical": {"identity": {"docker-reference": reference}, "image": {"docker-manifest-digest": digest},
                                           "type": "cosign container image signature"}, "optional": {"version": version}}).encode()
        signature = text(signed(of, payload))
        body = text(json.dumps({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
            "signature": {"content": signature, "publicKey": {"content": text(pem(leaf))}}}}).encode())
        logged = {"body": body, "integratedTime": int(time.time()), "logIndex": 1,
                  "logID": hashlib.sha256(public_der(self.transparency)).hexdigest()}
        promise = signed(self.transparency, json.dumps(logged, sort_keys=True, separators=(",", ":")).encode())
        return payload, {"dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/certificate": pem(leaf).decode(),
                         "dev.sigstore.cosign/chain": pem(self.root).decode(),
                         "dev.sigstore.cosign/bundle": json.dumps({"SignedEntryTimestamp": text(promise), "Payload": logged})}


class Registry:
    """What is put into a registry that asks for no log-in, and looked up in it."""

    def __init__(self, host):
        self.host = host

    def ask(self, method, path, body=None, kind="application/octet-stream"):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": kind, "Accept": MANIFEST})
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()

    def digest(self, name, tag):
        return self.ask("HEAD", f"/v2/{name}/manifests/{tag}").headers["Docker-Content-Digest"]

    def blob(self, name, data, kind):
        """Puts a blob; how a manifest names it."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        where = self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        assert self.ask("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data).status == 201
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def attach(self, name, digest, signature):
        """Lays a signature beside a chart, in place of one that is there."""
        payload, annotations = signature
        layer = self.blob(name, payload, PAYLOAD)
        config = json.dumps({"architecture": "", "config": {}, "os": "", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode()
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(name, config, "application/vnd.oci.image.config.v1+json"),
                    "layers": [{**layer, "annotations": annotations}]}
        tag = digest.replace(":", "-") + ".sig"
        assert self.ask("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST).status == 201
