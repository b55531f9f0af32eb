"""What EC2 sells: instance types, where they are offered, spot prices, on-demand prices.

The emulator knows nine types; moto knows them all, so these reads go there. What it says is always the same, and is kept in the lab's cache
for the labs to come. Nobody has prices: they are made from vCPU and memory, which is enough to rank types.
"""

import hashlib
import json
import os
import re
import threading
import time

import aws
from call import AMZ_JSON, XML, Answer, as_json
from supervisor import PartError

READS = ("DescribeInstanceTypes", "DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory")
_lock = threading.Lock()
_sizes = {}


def before(lab, call):
    if call.service == "ec2" and call.action in READS:
        return from_moto(lab, call)
    if call.action == "GetProducts":
        return products(lab)
    return None


def after(lab, call, answer):
    return answer


def from_moto(lab, call):
    try:
        status, text = read(lab, call.body, call.region)
    except PartError as e:
        return Answer(503, XML, f"<Response><Errors><Error><Code>ServiceUnavailable</Code><Message>lab: {e}</Message>"
                                "</Error></Errors></Response>".encode())
    call.notes["from"] = "moto"
    return Answer(status, XML, text.encode())


def read(lab, body, region):
    """What moto says, now or when it was asked before. Spot prices are of this moment whenever they were read."""
    body = body.decode() if isinstance(body, bytes) else body
    question = "&".join(sorted(part for part in body.split("&") if not part.startswith(("StartTime=", "EndTime="))))
    kept = lab.cache / f"catalogue-{moto_version(lab)}" / f"{hashlib.sha256(f'{region} {question}'.encode()).hexdigest()}.xml"
    if not kept.exists():
        lab.start_moto()
        status, text = lab.aws.send("ec2", "POST", "/", body, region=region, port="moto")
        if status != 200:
            return status, text
        kept.parent.mkdir(exist_ok=True)
        new = kept.with_name(f"{kept.name}.{os.getpid()}.{threading.get_ident()}")
        new.write_text(text)
        new.replace(kept)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return 200, re.sub(r"<timestamp>[^<]*<", f"<timestamp>{now}<", kept.read_text())


def moto_version(lab):
    """Which moto is installed: another one may say something else."""
    return next(lab.cache.glob("venv/lib/python*/site-packages/moto-*.dist-info")).name.split("-")[1].removesuffix(".dist")


def sizes(lab):
    """Instance type -> (vCPU, MiB)."""
    with _lock:
        if not _sizes:
            _, text = read(lab, f"Action=DescribeInstanceTypes&Version={aws.VERSIONS['ec2']}", lab.region)
            for item in text.split("<instanceType>")[1:]:
                cpu = re.search(r"<defaultVCpus>(\d+)", item)
                memory = re.search(r"<memoryInfo>\s*<sizeInMiB>(\d+)", item)
                if cpu and memory:
                    _sizes[item.split("<", 1)[0]] = int(cpu.group(1)), int(memory.group(1))
    return _sizes


def price(lab, instance_type):
    """Dollars an hour."""
    cpu, memory = sizes(lab).get(instance_type, (999, 999999))
    return 0.024 * cpu + 0.0033 * memory / 1024


def products(lab):
    """pricing:GetProducts, one row for each type."""
    def row(name):
        usd = {"pricePerUnit": {"USD": f"{price(lab, name):.6f}"}}
        return json.dumps({"product": {"attributes": {"instanceType": name}},
                           "terms": {"OnDemand": {"T": {"priceDimensions": {"D": usd}}}}})
    return as_json({"FormatVersion": "aws_v1", "PriceList": [row(n) for n in sizes(lab)]}, headers=AMZ_JSON)
