"""The lab's own certificate authority, made anew for each run with the openssl program."""

import subprocess

# certificates cannot say *.*.amazonaws.com, so each region is named
REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2",
           "us-gov-west-1", "us-gov-east-1")
CHINA = ("cn-north-1", "cn-northwest-1")
DAYS = "30"


def openssl(*argv, cwd):
    done = subprocess.run(["openssl", *argv], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {argv[0]} failed: {done.stderr[-400:]}")


def aws_names(region):
    """What the TLS proxy answers for: the AWS endpoints, the OIDC issuer's host, the public registry."""
    names = ["public.ecr.aws", "*.amazonaws.com", "*.queue.amazonaws.com", "*.amazonaws.com.cn", "*.api.aws"]
    regions = set(REGIONS) | ({region} if not region.startswith("cn-") else set())
    for r in sorted(regions):
        names += [f"*.{r}.amazonaws.com", f"*.eks.{r}.amazonaws.com", f"*.{r}.api.aws"]
    for r in sorted(set(CHINA) | ({region} if region.startswith("cn-") else set())):
        names += [f"*.{r}.amazonaws.com.cn", f"*.eks.{r}.amazonaws.com.cn"]
    return [f"DNS:{n}" for n in names]


def issue(where, name, subject_names):
    """NAME.crt and NAME.key, signed by the lab's CA."""
    (where / f"{name}.ext").write_text(f"subjectAltName={','.join(subject_names)}\nextendedKeyUsage=serverAuth\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", "-subj", f"/CN=lab {name}", cwd=where)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", DAYS,
            "-extfile", f"{name}.ext", "-out", f"{name}.crt", cwd=where)


def make(lab):
    """CA, the proxy's and the apiserver's certificate, the key of ServiceAccount tokens, and the trust bundle."""
    where = lab.cert_dir
    where.mkdir(parents=True, exist_ok=True)
    where.chmod(0o700)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS,
            "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=karpctl lab CA", cwd=where)
    issue(where, "proxy", aws_names(lab.region))
    issue(where, "apiserver", ["IP:127.0.0.1", "IP:10.100.0.1", "DNS:localhost", "DNS:kubernetes",
                               "DNS:kubernetes.default", "DNS:kubernetes.default.svc"])
    openssl("genrsa", "-out", "sa.key", "2048", cwd=where)
    (where / "bundle.crt").write_text((where / "ca.crt").read_text())
