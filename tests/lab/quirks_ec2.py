"""EC2: what the emulator does otherwise than AWS.

- DryRun is carried out.
- CreateFleet starts nothing that Karpenter could use: it becomes RunInstances, and a Node joins (fleet.py).
- DescribeLaunchTemplates ignores names, ids and filters: Karpenter would take, and later delete, eksctl's template.
- The EKS-optimized images do not exist (amis.py).
"""

import re
import xml.etree.ElementTree as ET

import amis
import fleet
import nodes
from call import error, ns, xml

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def before(lab, call):
    if call.params.get("DryRun", "").lower() == "true":
        return error(call, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    if call.action == "CreateFleet":
        return fleet.create(lab, call)
    if call.action == "DescribeImages":
        return images(call)
    return None


def after(lab, call, answer):
    if not answer.ok:
        return answer
    if call.action == "CreateLaunchTemplate":
        fleet.remember_template(lab, call)
    if call.action == "DescribeLaunchTemplates":
        return launch_templates(call, answer)
    if call.action == "TerminateInstances":
        nodes.instances_terminated(lab, call.members("InstanceId."))
    return answer


def images(call):
    """The EKS-optimized images, when the call asks for them by id or name; else the emulator's own."""
    filters = call.filters()
    ids = set(call.members("ImageId.")) | filters.get("image-id", set())
    names = filters.get("name", set())
    if not ids and not any(n.startswith("amazon-eks") for n in names):
        return None
    found = [f for f in amis.find(ids, names)
             if not filters.get("architecture") or amis.architecture(f[1]) in filters["architecture"]]
    if ids and not found:
        return None
    rows = "".join(
        f"<item><imageId>{i}</imageId><imageLocation>amazon/{n}</imageLocation><imageState>available</imageState>"
        f"<imageOwnerId>{amis.OWNER}</imageOwnerId><isPublic>true</isPublic><architecture>{amis.architecture(n)}"
        f"</architecture><imageType>machine</imageType><imageOwnerAlias>amazon</imageOwnerAlias><name>{n}</name>"
        "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><virtualizationType>hvm"
        "</virtualizationType><hypervisor>xen</hypervisor><creationDate>2026-01-01T00:00:00.000Z</creationDate></item>"
        for i, n in found)
    return xml(f'<DescribeImagesResponse xmlns="{NAMESPACE}"><requestId>lab</requestId><imagesSet>{rows}</imagesSet>'
               "</DescribeImagesResponse>")


def launch_templates(call, answer):
    """Applies the names, ids and filters of the call."""
    names, ids = set(call.members("LaunchTemplateName.")), set(call.members("LaunchTemplateId."))
    root = ET.fromstring(answer.body)
    p = ns(root)
    found, listed = set(), root.find(f"{p}launchTemplates")
    for item in list(listed if listed is not None else []):
        name, ident = item.findtext(f"{p}launchTemplateName"), item.findtext(f"{p}launchTemplateId")
        tags = {t.findtext(f"{p}key"): t.findtext(f"{p}value") for t in item.findall(f"{p}tagSet/{p}item")}
        wanted = (not names or name in names) and (not ids or ident in ids) and all(
            matches(key, values, name, tags) for key, values in call.filters().items())
        if wanted:
            found |= {name, ident}
        else:
            listed.remove(item)
    for asked, code in ((names, "InvalidLaunchTemplateName.NotFoundException"), (ids, "InvalidLaunchTemplateId.NotFound")):
        if asked - found:
            return error(call, code, "At least one of the launch templates specified in the request does not exist.")
    return answer.with_xml(root)


def matches(key, values, name, tags):
    """One EC2 filter; * in a value matches anything."""
    if key == "launch-template-name":
        have = [name]
    elif key == "tag-key":
        have = list(tags)
    elif key.startswith("tag:"):
        have = [tags[key[4:]]] if key[4:] in tags else []
    else:
        return True
    return any(re.fullmatch(re.escape(v).replace(r"\*", ".*"), h or "") for v in values for h in have)
