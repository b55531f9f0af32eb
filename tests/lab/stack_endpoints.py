"""VPC endpoints of stacks: the emulator's CloudFormation keeps them to itself, and its EC2 knows none of them."""

import aws
import cfn_template

KIND = "AWS::EC2::VPCEndpoint"
MADE = {}  # physical id in the stack -> (region, id by which EC2 knows it)


def value(property, known):
    """A property that may be another resource's id, by Ref or GetAtt."""
    if isinstance(property, dict) and "Fn::GetAtt" in property:
        named = property["Fn::GetAtt"]
        return known.get((named.split(".") if isinstance(named, str) else named)[0])
    return cfn_template.resolve(property, known)


def made(lab, call, resource, resources):
    """After a stack's create: has EC2 make the endpoint too, where its template was given as it is."""
    template = cfn_template.parse(call.params.get("TemplateBody", ""))
    properties = (template.get("Resources") or {}).get(resource["logical"], {}).get("Properties")
    if not properties:
        return
    known = {r["logical"]: r["physical"] for r in resources} | {
        "AWS::Region": call.region, "AWS::Partition": lab.partition, "AWS::URLSuffix": lab.dns}
    form = {"PrivateDnsEnabled": str(properties.get("PrivateDnsEnabled", False)).lower()}
    for name in ("VpcId", "ServiceName", "VpcEndpointType"):
        form[name] = value(properties.get(name, "Gateway"), known)
    for name, one in (("RouteTableIds", "RouteTableId"), ("SubnetIds", "SubnetId"), ("SecurityGroupIds", "SecurityGroupId")):
        form |= {f"{one}.{n}": value(v, known) for n, v in enumerate(properties.get(name) or [], 1)}
    if None in form.values():
        return  # made of more than ids
    try:
        answer = lab.aws.query("ec2", "CreateVpcEndpoint", form, region=call.region)
        MADE[resource["physical"]] = (call.region, answer.findtext(".//vpcEndpointId"))
    except aws.AwsError as e:
        call.notes["endpoint"] = str(e)[:200]


def gone(lab, resource):
    """After a stack's deletion."""
    region, ident = MADE.pop(resource["physical"], (None, None))
    if ident:
        lab.aws.query("ec2", "DeleteVpcEndpoints", {"VpcEndpointId.1": ident}, region=region)
