"""The EKS-optimized images of the lab: what SSM's public parameters and DescribeImages say about them.

The emulator has neither (and /aws is not writable in its SSM). An image id is made from the image's name, so both
sides agree for any Kubernetes version without a table.
"""

import fnmatch
import hashlib
import re

RELEASE = "v20260101"
OWNER = "602401143452"
VERSIONS = [f"1.{minor}" for minor in range(21, 38)]
_AL2023 = re.compile(r"amazon-linux-2023/(x86_64|arm64)/(standard|nvidia|neuron)/([^/]+)")
_AL2 = re.compile(r"amazon-linux-2(-arm64|-gpu)?/([^/]+)")
_NAME = re.compile(r"amazon-eks-(?:node-al2023-(x86_64|arm64)-(?:standard|nvidia|neuron)|(arm64-node)|gpu-node|node)"
                   r"-1\.\d+-v\d{8}")
_known = {}


def image_id(name):
    """The id of an image's name; remembers it for DescribeImages."""
    found = "ami-" + hashlib.sha256(name.encode()).hexdigest()[:17]
    _known[found] = name
    return found


def _release(text):
    """`recommended`, or the image's own name, ends in a release; what comes after the newest is not there."""
    found = re.search(r"(v\d{8})$", text)
    return RELEASE if text == "recommended" else found and found.group(1) <= RELEASE and found.group(1)


def from_parameter(name):
    """The image name that a public parameter …/image_id stands for, or None."""
    m = re.fullmatch(r"/aws/service/eks/optimized-ami/(\d\.\d+)/(.+)/image_id", name)
    if not m:
        return None
    version, rest = m.groups()
    if m := _AL2023.fullmatch(rest):
        arch, variant, release = m.group(1), m.group(2), _release(m.group(3))
        # the accelerated images are not offered: Karpenter goes on without them
        return f"amazon-eks-node-al2023-{arch}-{variant}-{version}-{release}" if release and variant == "standard" else None
    if m := _AL2.fullmatch(rest):
        kind = {None: "node", "-arm64": "arm64-node", "-gpu": "gpu-node"}[m.group(1)]
        release = _release(m.group(2))
        return f"amazon-eks-{kind}-{version}-{release}" if release else None
    return None


def parameters(path):
    """The names of the public parameters below a path: of each version's AL2023, the newest and by its release."""
    for v in VERSIONS:
        for arch in ("x86_64", "arm64"):
            for image in ("recommended", f"amazon-eks-node-al2023-{arch}-standard-{v}-{RELEASE}"):
                name = f"/aws/service/eks/optimized-ami/{v}/amazon-linux-2023/{arch}/standard/{image}/image_id"
                if name.startswith(path.rstrip("/") + "/"):
                    yield name


def architecture(name):
    return "arm64" if "arm64" in name else "x86_64"


def standard_names():
    """The images that exist without being asked for by id."""
    for v in VERSIONS:
        for arch in ("x86_64", "arm64"):
            yield f"amazon-eks-node-al2023-{arch}-standard-{v}-{RELEASE}"
        yield f"amazon-eks-node-{v}-{RELEASE}"
        yield f"amazon-eks-arm64-node-{v}-{RELEASE}"


for _n in standard_names():
    image_id(_n)


def find(ids, patterns):
    """(id, name) of the images with these ids and names; `patterns` may hold * and ?."""
    for p in patterns:
        if _NAME.fullmatch(p):
            image_id(p)
    return [(i, n) for i, n in sorted(_known.items())
            if (not ids or i in ids) and (not patterns or any(fnmatch.fnmatchcase(n, p) for p in patterns))]
