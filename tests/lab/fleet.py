"""CreateFleet of type instant, as Karpenter calls it: the cheapest override becomes one instance and a Node."""

import re
import xml.etree.ElementTree as ET

import aws
import nodes
import quirks_catalogue
from call import Answer, XML, xml

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
TEMPLATES = {}  # (lab, launch template name) -> {"groups": […], "profile": instance profile name or ARN}


def remember_template(lab, call):
    """The emulator does not carry a template's security groups into an instance, and Karpenter compares them."""
    name = call.params.get("LaunchTemplateName")
    profile = next((v for k, v in call.params.items() if re.search(r"IamInstanceProfile\.(Name|Arn)$", k)), None)
    groups = [v for k, v in sorted(call.params.items()) if "SecurityGroupId." in k]
    TEMPLATES[id(lab), name] = {"groups": groups, "profile": profile}


def overrides(lab, call):
    """Every override of the request, cheapest first."""
    p, found, n = call.params, [], 1
    while name := p.get(f"LaunchTemplateConfigs.{n}.LaunchTemplateSpecification.LaunchTemplateName"):
        i = 1
        while subnet := p.get(f"LaunchTemplateConfigs.{n}.Overrides.{i}.SubnetId"):
            one = f"LaunchTemplateConfigs.{n}.Overrides.{i}."
            kind = p.get(f"{one}InstanceType", "")
            found.append({"template": name, "subnet": subnet, "type": kind, "image": p.get(f"{one}ImageId"),
                          "zone": p.get(f"{one}AvailabilityZone"), "price": quirks_catalogue.price(lab, kind)})
            i += 1
        n += 1
    return sorted(found, key=lambda o: (o["price"], o["type"], o["subnet"]))


def instance_tags(call):
    """The fields of TagSpecification for instances, as RunInstances takes them."""
    p, n = call.params, 1
    while kind := p.get(f"TagSpecification.{n}.ResourceType"):
        if kind == "instance":
            prefix = f"TagSpecification.{n}."
            return {k.replace(prefix, "TagSpecification.1.", 1): v for k, v in p.items() if k.startswith(prefix)}
        n += 1
    return {}


def create(lab, call):
    """Starts the instance in the emulator, has its Node join later, and answers as EC2 does."""
    options = overrides(lab, call)
    if not options:
        return None
    chosen = options[0]
    template = TEMPLATES.get((id(lab), chosen["template"]), {"groups": [], "profile": None})
    form = {"MinCount": 1, "MaxCount": 1, "InstanceType": chosen["type"], "SubnetId": chosen["subnet"],
            "ImageId": chosen["image"], "LaunchTemplate.LaunchTemplateName": chosen["template"], **instance_tags(call)}
    for n, group in enumerate(template["groups"], 1):
        form[f"SecurityGroupId.{n}"] = group
    form = {k: v for k, v in form.items() if v is not None}
    status, text = lab.aws.query_raw("ec2", "RunInstances", form, region=call.region)
    if status >= 300:
        return Answer(status, XML, text.encode())
    answer = aws.strip_namespaces(ET.fromstring(text))
    instance = answer.findtext(".//instanceId")
    zone = chosen["zone"] or answer.findtext(".//availabilityZone") or lab.zones()[0]
    nodes.karpenter_instance(lab, call.region, instance, zone, chosen["type"], template["profile"])
    capacity = call.params.get("TargetCapacitySpecification.DefaultTargetCapacityType", "on-demand")
    call.notes["started"] = f"{instance} {chosen['type']} {zone}"
    return xml(
        f'<CreateFleetResponse xmlns="{NAMESPACE}"><requestId>lab</requestId><fleetId>fleet-{instance[2:]}</fleetId>'
        "<errorSet/><fleetInstanceSet><item><launchTemplateAndOverrides><launchTemplateSpecification>"
        f"<launchTemplateName>{chosen['template']}</launchTemplateName><version>1</version></launchTemplateSpecification>"
        f"<overrides><instanceType>{chosen['type']}</instanceType><subnetId>{chosen['subnet']}</subnetId>"
        f"<availabilityZone>{zone}</availabilityZone><imageId>{chosen['image'] or ''}</imageId></overrides>"
        f"</launchTemplateAndOverrides><lifecycle>{capacity}</lifecycle><instanceIds><item>{instance}</item></instanceIds>"
        f"<instanceType>{chosen['type']}</instanceType></item></fleetInstanceSet></CreateFleetResponse>")
