"""What EC2 sells: instance types, where they are offered, spot prices, on-demand prices.

The emulator knows nine types; moto knows them all, so these reads go there. Nobody has prices: they are made from vCPU
and memory, which is enough to rank types.
"""

import json
import re
import threading

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
    """moto comes up while the rest of the lab is already at work; the first read waits for it."""
    try:
        lab.wait_for_moto()
    except PartError as e:
        return Answer(503, XML, f"<Response><Errors><Error><Code>ServiceUnavailable</Code><Message>lab: {e}</Message>"
                                "</Error></Errors></Response>".encode())
    status, text = lab.aws.send("ec2", "POST", "/", call.body, region=call.region, port="moto")
    call.notes["from"] = "moto"
    return Answer(status, XML, text.encode())


def sizes(lab):
    """Instance type -> (vCPU, MiB)."""
    with _lock:
        if not _sizes:
            lab.wait_for_moto()
            body = f"Action=DescribeInstanceTypes&Version={aws.VERSIONS['ec2']}"
            _, text = lab.aws.send("ec2", "POST", "/", body, port="moto")
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
